/* See delayed_fetch.h.
 *
 *     READING ---all parts back---> done
 *        |                           ^
 *        | too little                |
 *        v                           |
 *     WAITING --woken, once--> READING_AGAIN
 *
 * Waiters are linked and unlinked by letters from home to each owner. Letters of one sender keep their order, so the second
 * reading, which unlinks, reaches an owner after the letter that linked; and when every part has come back from it, no owner
 * refers to the fetch any more: no further handshake is needed before its memory may go. */
#include "replica/delayed_fetch.h"
#include "replica/replica_manager.h"

enum { READING = 1, WAITING, READING_AGAIN, DONE };

static void delayed_fetch_read_back(struct task *t);

static bool is_home(const struct fetch_part *p)
{
	return replica_manager_scheduler(p->owner) == p->fetch->home;
}

/* Enforces the answer's size: parallel readings may together exceed it. Rotating the partitions between requests, as clients
 * do, keeps this fair. Returns the bytes kept. */
static size_t cut_to_max_bytes(struct delayed_fetch *f)
{
	size_t total = 0;
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		if (p->record_bytes == 0)
			continue;
		if (total > 0 && p->record_bytes > f->max_bytes - (total < f->max_bytes ? total : f->max_bytes)) {
			iobuf_fini(&p->records);
			iobuf_init(&p->records);
			p->record_bytes = 0;
		}
		total += p->record_bytes;
	}
	return total;
}

static void finish(struct delayed_fetch *f)
{
	f->state = DONE;
	scheduler_timer_cancel(f->home, &f->timer);
	f->magic = 0;
	f->done(f);
}

static void read_here(struct task *t)
{
	struct fetch_part *p = CONTAINER_OF(t, struct fetch_part, read_task);
	replica_manager_read(p->owner, p);
	task_init(&p->read_task, "fetch_read_back", delayed_fetch_read_back);
	if (!is_home(p))
		scheduler_post(p->fetch->home, &p->read_task);
}

static void wait_here(struct task *t)
{
	struct fetch_part *p = CONTAINER_OF(t, struct fetch_part, wait_task);
	replica_manager_wait(p->owner, p);
}

static void all_read(struct delayed_fetch *f);

/* Sends every part to its owner. One extra in `pending` keeps parts that come back at once from ending the round early. */
static void read_all(struct delayed_fetch *f, int state)
{
	f->state = state;
	f->pending = f->part_count + 1;
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		task_init(&p->read_task, "fetch_read", read_here);
		if (is_home(p)) {
			read_here(&p->read_task);
			f->pending--;
		} else {
			scheduler_post(replica_manager_scheduler(p->owner), &p->read_task);
		}
	}
	if (--f->pending == 0)
		all_read(f);
}

static void delayed_fetch_read_back(struct task *t)
{
	struct fetch_part *p = CONTAINER_OF(t, struct fetch_part, read_task);
	struct delayed_fetch *f = CAST(delayed_fetch, p->fetch);
	expect_on_loop(f->home);
	expect(f->pending > 0);
	if (--f->pending == 0)
		all_read(f);
}

static void delayed_fetch_woken(struct task *t)
{
	struct delayed_fetch *f = CONTAINER_OF(t, struct delayed_fetch, wake_task);
	CHECK_MAGIC(delayed_fetch, f);
	expect_on_loop(f->home);
	expect(f->state == WAITING);
	scheduler_timer_cancel(f->home, &f->timer);
	read_all(f, READING_AGAIN);
}

/* From any loop that may still refer to f. */
static void wake(struct delayed_fetch *f)
{
	if (!atomic_exchange(&f->woken, true))
		scheduler_post(f->home, &f->wake_task);
}

static void delayed_fetch_due(struct loop_timer *t)
{
	struct delayed_fetch *f = CONTAINER_OF(t, struct delayed_fetch, timer);
	CHECK_MAGIC(delayed_fetch, f);
	wake(f);
}

static void start_waiting(struct delayed_fetch *f, int64_t missing, int64_t wait_us)
{
	f->state = WAITING;
	atomic_store(&f->missing_bytes, missing);
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		iobuf_fini(&p->records); /* nothing may hold a segment file open through a long wait */
		iobuf_init(&p->records);
		task_init(&p->wait_task, "fetch_wait", wait_here);
		if (is_home(p))
			wait_here(&p->wait_task);
		else
			scheduler_post(replica_manager_scheduler(p->owner), &p->wait_task);
	}
	scheduler_timer_arm(f->home, &f->timer, wait_us);
}

/* Or is there news that cannot wait? */
static bool any_failed(const struct delayed_fetch *f)
{
	for (size_t i = 0; i < f->part_count; i++) {
		if (f->parts[i].status != STATUS_OK || f->parts[i].diverges)
			return true;
	}
	return false;
}

static void all_read(struct delayed_fetch *f)
{
	expect(f->state == READING || f->state == READING_AGAIN);
	size_t total = cut_to_max_bytes(f);
	int64_t waited_us = clock_monotonic_us(f->home->clock) - f->started_us;
	int64_t left_us = f->max_wait_ms > INT64_MAX / 1000 ? INT64_MAX : f->max_wait_ms * 1000 - waited_us;
	if (f->state == READING_AGAIN || total >= f->min_bytes || left_us <= 0 || f->part_count == 0 ||
		atomic_load(&f->woken) || any_failed(f))
		finish(f);
	else
		start_waiting(f, (int64_t)(f->min_bytes - total), left_us);
}

void delayed_fetch_start(struct delayed_fetch *f)
{
	expect_on_loop(f->home);
	expect(f->done != NULL && (f->part_count == 0 || f->parts != NULL));
	f->magic = delayed_fetch_magic;
	atomic_init(&f->missing_bytes, 0);
	atomic_init(&f->woken, false);
	if (f->min_bytes > INT64_MAX)
		f->min_bytes = INT64_MAX;
	task_init(&f->wake_task, "fetch_woken", delayed_fetch_woken);
	loop_timer_init(&f->timer, "fetch_deadline", delayed_fetch_due);
	f->started_us = clock_monotonic_us(f->home->clock);
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		p->fetch = f;
		p->waiter = (struct fetch_waiter){0};
		iobuf_init(&p->records);
		p->record_bytes = 0;
	}
	read_all(f, READING);
}

void delayed_fetch_hurry(struct delayed_fetch *f)
{
	CHECK_MAGIC(delayed_fetch, f);
	expect_on_loop(f->home);
	if (f->state == WAITING)
		wake(f);
	else if (f->state == READING)
		atomic_store(&f->woken, true); /* the reading under way is the last */
}

void delayed_fetch_progress(struct fetch_waiter *w, int64_t n)
{
	struct delayed_fetch *f = CAST(delayed_fetch, CONTAINER_OF(w, struct fetch_part, waiter)->fetch);
	expect(n >= 0);
	if (n == INT64_MAX || atomic_fetch_sub(&f->missing_bytes, n) <= n)
		wake(f);
}
