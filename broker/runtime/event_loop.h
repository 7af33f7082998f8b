/* One thread, one event_base, timers, one bounded-turn mailbox (mutex + eventfd). Implements struct scheduler.
 * A turn: sockets and timers that are ready, then the tasks that were in the mailbox, then the tasks of the turn's end.
 * While no thread runs the loop it belongs to whoever holds it: scheduler->here() is then true for every caller. */
#ifndef RUNTIME_EVENT_LOOP_H
#define RUNTIME_EVENT_LOOP_H
#include "base/scheduler.h"
#include "base/status.h"
struct event_base;
struct event_loop;

/* name: static string, also the thread's. Starts nothing. */
MUST_CHECK enum status event_loop_new(const char *name, int index, struct clock *clock, struct event_loop **ret_loop);
/* The loop must be stopped (joined) or never started. Tasks still waiting are dropped. */
void event_loop_free(struct event_loop *l);
/* Runs on a thread of its own. */
MUST_CHECK enum status event_loop_start(struct event_loop *l);
/* Runs on the calling thread until event_loop_stop. */
void event_loop_run(struct event_loop *l);
/* From any thread: the loop ends after the tasks already in its mailbox. */
void event_loop_stop(struct event_loop *l);
void event_loop_join(struct event_loop *l);
struct scheduler *event_loop_scheduler(struct event_loop *l);
struct event_base *event_loop_base(struct event_loop *l);
int event_loop_index(const struct event_loop *l);
const char *event_loop_name(const struct event_loop *l);
/* On the loop only: runs t once, at the end of the present turn (used to write what a turn produced in one go). A task
 * given while those run waits for the end of the next turn. */
void event_loop_at_turn_end(struct event_loop *l, struct task *t);
/* On the loop only, around the callback of an event that is neither task nor timer: NULL when it is over. */
void event_loop_set_running(struct event_loop *l, const char *name);
/* The loop whose scheduler this is. */
struct event_loop *event_loop_of(struct scheduler *s);
/* For the watchdog: name of the task or timer running now, NULL when idle; since when (monotonic us). Any thread. */
const char *event_loop_running(struct event_loop *l, int64_t *ret_since_us);
#endif
