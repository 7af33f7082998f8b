/* Threads for calls that may sleep: fsync, recovery, unlink. Implements struct background. */
#ifndef RUNTIME_BLOCKING_POOL_H
#define RUNTIME_BLOCKING_POOL_H
#include "base/scheduler.h"
#include "base/status.h"
struct blocking_pool;
MUST_CHECK enum status blocking_pool_new(int threads, struct blocking_pool **ret_pool);
/* Waits for what was submitted, then joins. */
void blocking_pool_free(struct blocking_pool *p);
struct background *blocking_pool_background(struct blocking_pool *p);
#endif
