/* Threads for calls that may sleep: fsync, recovery, unlink. Implements struct background: jobs are taken in the order
 * they came. Threads start when there is work for them, so an idle process has one. */
#ifndef RUNTIME_BLOCKING_POOL_H
#define RUNTIME_BLOCKING_POOL_H
#include "base/scheduler.h"
#include "base/status.h"
struct blocking_pool;
/* threads in 1..64. */
MUST_CHECK enum status blocking_pool_new(int threads, struct blocking_pool **ret_pool);
/* Waits for what was submitted, then joins. The homes of the jobs must still be there. */
void blocking_pool_free(struct blocking_pool *p);
struct background *blocking_pool_background(struct blocking_pool *p);
#endif
