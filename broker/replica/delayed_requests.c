/* See delayed_requests.h. A binary heap by deadline; each waiter knows its place, so that the usual end (acknowledged long before
 * the deadline) costs a few swaps. The timer is left as it stands when the earliest goes: it fires early once and is re-armed. */
#include "replica/delayed_requests.h"

static void place(struct delayed_requests *d, size_t i, struct produce_waiter *w)
{
	d->heap[i] = w;
	w->heap_index = i;
}

static void sift_up(struct delayed_requests *d, size_t i, struct produce_waiter *w)
{
	while (i > 0 && d->heap[(i - 1) / 2]->deadline_us > w->deadline_us) {
		place(d, i, d->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(d, i, w);
}

static void sift_down(struct delayed_requests *d, size_t i, struct produce_waiter *w)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= d->count)
			break;
		if (child + 1 < d->count && d->heap[child + 1]->deadline_us < d->heap[child]->deadline_us)
			child++;
		if (d->heap[child]->deadline_us >= w->deadline_us)
			break;
		place(d, i, d->heap[child]);
		i = child;
	}
	place(d, i, w);
}

static void arm(struct delayed_requests *d)
{
	if (d->count == 0)
		return;
	int64_t due_us = d->heap[0]->deadline_us;
	if (d->timer.armed && d->timer_due_us <= due_us)
		return;
	int64_t delay_us = due_us - clock_monotonic_us(d->scheduler->clock);
	d->timer_due_us = due_us;
	scheduler_timer_arm(d->scheduler, &d->timer, delay_us > 0 ? delay_us : 0);
}

static void delayed_requests_due(struct loop_timer *t)
{
	struct delayed_requests *d = CONTAINER_OF(t, struct delayed_requests, timer);
	expect_on_loop(d->scheduler);
	int64_t now_us = clock_monotonic_us(d->scheduler->clock);
	while (d->count > 0 && d->heap[0]->deadline_us <= now_us) {
		struct produce_waiter *w = d->heap[0];
		delayed_requests_remove(d, w);
		d->expired(d, w);
	}
	arm(d);
}

void delayed_requests_init(struct delayed_requests *d, struct scheduler *scheduler,
	void (*expired)(struct delayed_requests *d, struct produce_waiter *w))
{
	*d = (struct delayed_requests){.scheduler = scheduler, .expired = expired};
	loop_timer_init(&d->timer, "produce_deadlines", delayed_requests_due);
}

void delayed_requests_fini(struct delayed_requests *d)
{
	expect(d->count == 0);
	scheduler_timer_cancel(d->scheduler, &d->timer);
	free(d->heap);
	d->heap = NULL;
}

void delayed_requests_add(struct delayed_requests *d, struct produce_waiter *w)
{
	if (d->count == d->capacity) {
		d->capacity = d->capacity == 0 ? 64 : d->capacity * 2;
		d->heap = check_realloc(d->heap, d->capacity * sizeof(struct produce_waiter *));
	}
	sift_up(d, d->count++, w);
	arm(d);
}

void delayed_requests_remove(struct delayed_requests *d, struct produce_waiter *w)
{
	expect(w->heap_index < d->count && d->heap[w->heap_index] == w);
	size_t i = w->heap_index;
	struct produce_waiter *last = d->heap[--d->count];
	if (last == w)
		return;
	if (i > 0 && d->heap[(i - 1) / 2]->deadline_us > last->deadline_us)
		sift_up(d, i, last);
	else
		sift_down(d, i, last);
}
