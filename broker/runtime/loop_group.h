/* N event loops, the placement table key -> loop, and the stall watchdog. */
#ifndef RUNTIME_LOOP_GROUP_H
#define RUNTIME_LOOP_GROUP_H
#include "base/topic_partition.h"
#include "runtime/event_loop.h"
struct loop_group;

/* n in 1..64. */
MUST_CHECK enum status loop_group_new(int n, struct clock *clock, struct loop_group **ret_group);
MUST_CHECK enum status loop_group_start(struct loop_group *g);
/* Stops and joins every loop; ends the watch (then on the thread of its `main`). */
void loop_group_stop(struct loop_group *g);
void loop_group_free(struct loop_group *g);
int loop_group_count(const struct loop_group *g);
struct event_loop *loop_group_loop(struct loop_group *g, int index);
struct scheduler *loop_group_scheduler(struct loop_group *g, int index);
/* Index of the loop that owns a partition: the same answer on every thread for the life of the process. The partitions
 * of one topic are dealt evenly, since they tend to be equally hot. */
int loop_group_place(const struct loop_group *g, const struct topic_partition *tp);
/* On main. Pings every loop each second (more often if stall_ms is short); logs a stall with the task's name past stall_ms, panics past panic_ms. */
void loop_group_watch(struct loop_group *g, struct scheduler *main, int64_t stall_ms, int64_t panic_ms);
#endif
