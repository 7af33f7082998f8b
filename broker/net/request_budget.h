/* The process's budget for bytes of requests, shared by the connections of all loops without a lock. A loop that finds
 * no room asks to be woken; bytes given back wake it. */
#ifndef NET_REQUEST_BUDGET_H
#define NET_REQUEST_BUDGET_H

#include "base/scheduler.h"
#include <stdatomic.h>

enum { REQUEST_BUDGET_LOOPS = 64 };

struct request_budget {
	size_t max, unit;
	_Atomic size_t used;
	_Atomic uint64_t waiting;      /* bit per loop */
	_Atomic(const void *) overdraft; /* who may pass the bound */
	struct request_budget_loop {
		struct task woken;
		struct scheduler *loop;
		void *arg;
		atomic_bool posted;
	} loops[REQUEST_BUDGET_LOOPS];
};

/* The most a reader may take in after one look at request_budget_has_room; so the bound is passed by at most one unit
 * per loop. */
static inline size_t request_budget_unit(const struct request_budget *b)
{
	return b->unit;
}
void request_budget_init(struct request_budget *b, size_t max);
/* Before the loop runs. woken is run on it after request_budget_wait, when bytes were given back; it must call
 * request_budget_woken first, which returns arg. */
void request_budget_attach(
	struct request_budget *b, int index, struct scheduler *loop, void (*woken)(struct task *), void *arg);
void *request_budget_woken(struct task *t);
bool request_budget_has_room(struct request_budget *b);
void request_budget_take(struct request_budget *b, size_t n);
void request_budget_give(struct request_budget *b, size_t n);
/* Asks for one wake-up of this loop. False: there is room after all, go on. */
bool request_budget_wait(struct request_budget *b, int index);
/* Wakes the loop as bytes given back would. */
void request_budget_wake(struct request_budget *b, int index);
/* One frame at a time may be completed although the budget is used up: else frames that are half there could wait for
 * each other for ever, and one larger than the budget would never come in. */
bool request_budget_take_overdraft(struct request_budget *b, const void *who);
void request_budget_give_overdraft(struct request_budget *b);
size_t request_budget_used(const struct request_budget *b);

#endif
