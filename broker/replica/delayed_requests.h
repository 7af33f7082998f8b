/* Produces that wait for acks. The waiter is embedded in its request, so waiting allocates nothing. (Fetches that wait for bytes:
 * delayed_fetch.h.) */
#ifndef REPLICA_DELAYED_REQUESTS_H
#define REPLICA_DELAYED_REQUESTS_H

#include "base/scheduler.h"

struct partition;

/* A produce that waits for the high watermark; touched on the owner loop only. */
struct produce_waiter {
	struct produce_waiter *next, *previous; /* in offset order on the partition */
	struct partition *partition;            /* NULL: not waiting */
	int64_t last_offset;
	int64_t deadline_us;
	size_t heap_index;
};

/* The produces waiting on one loop, by deadline. One timer for all of them, armed only while somebody waits. */
struct delayed_requests {
	struct scheduler *scheduler;
	struct produce_waiter **heap;
	size_t count, capacity;
	struct loop_timer timer;
	int64_t timer_due_us;
	void (*expired)(struct delayed_requests *d, struct produce_waiter *w); /* w is out of the heap */
};
void delayed_requests_init(struct delayed_requests *d, struct scheduler *scheduler,
	void (*expired)(struct delayed_requests *d, struct produce_waiter *w));
/* Nobody may be waiting. */
void delayed_requests_fini(struct delayed_requests *d);
void delayed_requests_add(struct delayed_requests *d, struct produce_waiter *w);
void delayed_requests_remove(struct delayed_requests *d, struct produce_waiter *w);

#endif
