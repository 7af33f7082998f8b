#include "runtime/event_loop.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static struct event_loop *new_loop(void)
{
	struct event_loop *l = NULL;
	ck_assert_int_eq(event_loop_new("test", 3, clock_system(), &l), STATUS_OK);
	return l;
}

/* ---- tasks ---- */

struct numbered {
	struct task task;
	int sender, number;
	int *last; /* [sender], written on the loop only */
	int *out_of_order;
};

static void numbered_run(struct task *t)
{
	struct numbered *n = CONTAINER_OF(t, struct numbered, task);
	if (n->number != n->last[n->sender] + 1)
		++*n->out_of_order;
	n->last[n->sender] = n->number;
}

enum { SENDERS = 4, PER_SENDER = 5000 };
struct sender {
	struct event_loop *loop;
	struct numbered *tasks;
};

static void *sender_thread(void *arg)
{
	struct sender *s = arg;
	for (int i = 0; i < PER_SENDER; i++)
		scheduler_post(event_loop_scheduler(s->loop), &s->tasks[i].task);
	return NULL;
}

START_TEST(event_loop_posts_of_one_sender_keep_their_order)
{
	struct event_loop *l = new_loop();
	ck_assert_int_eq(event_loop_start(l), STATUS_OK);
	int last[SENDERS] = {0}, out_of_order = 0;
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	for (int s = 0; s < SENDERS; s++) {
		senders[s] = (struct sender){.loop = l, .tasks = check_calloc(PER_SENDER, sizeof(struct numbered))};
		for (int i = 0; i < PER_SENDER; i++) {
			senders[s].tasks[i] = (struct numbered){
				.sender = s, .number = i + 1, .last = last, .out_of_order = &out_of_order};
			task_init(&senders[s].tasks[i].task, "numbered", numbered_run);
		}
		ck_assert_int_eq(pthread_create(&threads[s], NULL, sender_thread, &senders[s]), 0);
	}
	for (int s = 0; s < SENDERS; s++)
		pthread_join(threads[s], NULL);
	event_loop_stop(l); /* drains what was posted before */
	event_loop_join(l);
	for (int s = 0; s < SENDERS; s++) {
		ck_assert_int_eq(last[s], PER_SENDER);
		free(senders[s].tasks);
	}
	ck_assert_int_eq(out_of_order, 0);
	event_loop_free(l);
}
END_TEST

/* A task that posts itself for ever, and a timer that must come through all the same. */
struct restless {
	struct task task;
	struct loop_timer timer;
	struct event_loop *loop;
	int runs;
	bool fired;
};

static void restless_run(struct task *t)
{
	struct restless *r = CONTAINER_OF(t, struct restless, task);
	r->runs++;
	if (!r->fired)
		scheduler_post(event_loop_scheduler(r->loop), t);
}

static void restless_fired(struct loop_timer *t)
{
	struct restless *r = CONTAINER_OF(t, struct restless, timer);
	r->fired = true;
	event_loop_stop(r->loop);
}

START_TEST(event_loop_task_posting_itself_does_not_starve_timers)
{
	struct restless r = {.loop = new_loop()};
	task_init(&r.task, "restless", restless_run);
	loop_timer_init(&r.timer, "restless", restless_fired);
	scheduler_post(event_loop_scheduler(r.loop), &r.task);
	scheduler_timer_arm(event_loop_scheduler(r.loop), &r.timer, 5000);
	event_loop_run(r.loop);
	ck_assert(r.fired);
	ck_assert_int_gt(r.runs, 1);
	event_loop_free(r.loop);
}
END_TEST

/* ---- turn's end ---- */

struct turn {
	struct task first, second, end;
	struct event_loop *loop;
	char order[8];
	size_t n;
};

static void turn_first(struct task *t)
{
	struct turn *turn = CONTAINER_OF(t, struct turn, first);
	turn->order[turn->n++] = '1';
	event_loop_at_turn_end(turn->loop, &turn->end);
}

static void turn_second(struct task *t)
{
	struct turn *turn = CONTAINER_OF(t, struct turn, second);
	turn->order[turn->n++] = '2';
}

static void turn_end(struct task *t)
{
	struct turn *turn = CONTAINER_OF(t, struct turn, end);
	turn->order[turn->n++] = 'e';
	if (turn->n < 5)
		event_loop_at_turn_end(turn->loop, &turn->end); /* the next turn's: it must not need another wake-up */
	else
		event_loop_stop(turn->loop);
}

START_TEST(event_loop_turn_end_runs_after_the_tasks_of_the_turn)
{
	struct turn turn = {.loop = new_loop()};
	task_init(&turn.first, "first", turn_first);
	task_init(&turn.second, "second", turn_second);
	task_init(&turn.end, "end", turn_end);
	scheduler_post(event_loop_scheduler(turn.loop), &turn.first);
	scheduler_post(event_loop_scheduler(turn.loop), &turn.second);
	event_loop_run(turn.loop);
	ck_assert_str_eq(turn.order, "12eee");
	event_loop_free(turn.loop);
}
END_TEST

/* ---- timers ---- */

struct ticker {
	struct loop_timer timer;
	struct event_loop *loop;
	int64_t due_us;
	int fired, wanted;
	bool early;
};

static void ticker_fired(struct loop_timer *t)
{
	struct ticker *k = CONTAINER_OF(t, struct ticker, timer);
	ck_assert(!t->armed);
	int64_t now = clock_monotonic_us(clock_system());
	k->early = k->early || now < k->due_us;
	if (++k->fired == k->wanted) {
		event_loop_stop(k->loop);
		return;
	}
	k->due_us = now + 1500;
	scheduler_timer_arm(event_loop_scheduler(k->loop), t, 1500);
}

static void unexpected_fired(struct loop_timer *t)
{
	(void)t;
	ck_abort_msg("a cancelled timer fired");
}

START_TEST(event_loop_timers_rearm_cancel_and_are_never_early)
{
	struct ticker k = {.loop = new_loop(), .wanted = 8};
	struct scheduler *s = event_loop_scheduler(k.loop);
	struct loop_timer cancelled;
	loop_timer_init(&cancelled, "cancelled", unexpected_fired);
	scheduler_timer_cancel(s, &cancelled); /* harmless */
	scheduler_timer_arm(s, &cancelled, 0);
	scheduler_timer_arm(s, &cancelled, 1000); /* moved, still one */
	ck_assert(cancelled.armed);
	scheduler_timer_cancel(s, &cancelled);
	ck_assert(!cancelled.armed);
	loop_timer_init(&k.timer, "ticker", ticker_fired);
	int64_t begin = clock_monotonic_us(clock_system());
	k.due_us = begin + 2500;
	scheduler_timer_arm(s, &k.timer, 1000000000);
	scheduler_timer_arm(s, &k.timer, 2500); /* an earlier time replaces the later one */
	event_loop_run(k.loop);
	ck_assert_int_eq(k.fired, 8);
	ck_assert(!k.early);
	ck_assert_int_ge(clock_monotonic_us(clock_system()) - begin, 2500 + 7 * 1500);
	event_loop_free(k.loop);
}
END_TEST

/* A timer whose memory goes as soon as it fires, and many of them at once. */
struct one_shot {
	struct loop_timer timer;
	struct event_loop *loop;
	int *left;
};

static void one_shot_fired(struct loop_timer *t)
{
	struct one_shot *o = CONTAINER_OF(t, struct one_shot, timer);
	if (--*o->left == 0)
		event_loop_stop(o->loop);
	free(o);
}

START_TEST(event_loop_timer_may_be_freed_when_it_fires)
{
	struct event_loop *l = new_loop();
	int left = 600; /* more than the slots a loop keeps */
	for (int i = 0; i < 600; i++) {
		struct one_shot *o = check_calloc(1, sizeof(*o));
		o->loop = l;
		o->left = &left;
		loop_timer_init(&o->timer, "one_shot", one_shot_fired);
		scheduler_timer_arm(event_loop_scheduler(l), &o->timer, (i * 7) % 3000);
	}
	event_loop_run(l);
	ck_assert_int_eq(left, 0);
	event_loop_free(l);
}
END_TEST

START_TEST(event_loop_armed_timer_does_not_outlive_the_loop)
{
	struct event_loop *l = new_loop();
	struct loop_timer never;
	loop_timer_init(&never, "never", unexpected_fired);
	scheduler_timer_arm(event_loop_scheduler(l), &never, 3600 * (int64_t)1000000);
	event_loop_stop(l);
	event_loop_run(l);
	event_loop_free(l); /* LeakSanitizer checks the rest */
}
END_TEST

/* ---- whose loop, what runs ---- */

struct probe {
	struct task task;
	struct event_loop *loop;
	struct scheduler *other;
	bool here, here_other;
	const char *running;
	atomic_bool entered, leave;
};

static void probe_run(struct task *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, task);
	struct scheduler *s = event_loop_scheduler(p->loop);
	p->here = s->here(s);
	p->here_other = p->other->here(p->other);
	atomic_store(&p->entered, true);
	while (!atomic_load(&p->leave))
		sched_yield();
}

START_TEST(event_loop_knows_its_thread_and_its_running_task)
{
	struct event_loop *l = new_loop(), *other = new_loop();
	struct scheduler *s = event_loop_scheduler(l);
	ck_assert(s->here(s)); /* nobody runs it: it is ours */
	ck_assert_int_eq(event_loop_start(l), STATUS_OK);
	ck_assert_int_eq(event_loop_start(other), STATUS_OK);
	ck_assert(!s->here(s));
	struct probe p = {.loop = l, .other = event_loop_scheduler(other)};
	task_init(&p.task, "probe", probe_run);
	int64_t before = clock_monotonic_us(clock_system()), since = 0;
	scheduler_post(s, &p.task);
	while (!atomic_load(&p.entered))
		sched_yield();
	const char *name = event_loop_running(l, &since);
	ck_assert_ptr_nonnull(name);
	ck_assert_str_eq(name, "probe");
	ck_assert_int_ge(since, before);
	atomic_store(&p.leave, true);
	event_loop_stop(l);
	event_loop_stop(l); /* twice is once */
	event_loop_stop(other);
	event_loop_join(l);
	event_loop_join(other);
	ck_assert(p.here);
	ck_assert(!p.here_other);
	ck_assert(s->here(s));
	ck_assert_ptr_null(event_loop_running(l, &since));
	ck_assert_str_eq(event_loop_name(l), "test");
	ck_assert_int_eq(event_loop_index(l), 3);
	ck_assert_ptr_eq(event_loop_of(s), l);
	event_loop_free(l);
	event_loop_free(other);
}
END_TEST

/* ---- stop ---- */

struct counted {
	struct task task;
	struct event_loop *loop;
	int *count;
	bool again;
};

static void counted_run(struct task *t)
{
	struct counted *c = CONTAINER_OF(t, struct counted, task);
	++*c->count;
	if (c->again)
		scheduler_post(event_loop_scheduler(c->loop), t);
}

START_TEST(event_loop_stop_runs_what_was_posted_and_drops_what_comes_later)
{
	struct event_loop *l = new_loop();
	int count = 0;
	struct counted tasks[100];
	for (int i = 0; i < 100; i++) {
		tasks[i] = (struct counted){.loop = l, .count = &count, .again = i == 0};
		task_init(&tasks[i].task, "counted", counted_run);
		scheduler_post(event_loop_scheduler(l), &tasks[i].task);
	}
	event_loop_stop(l);
	event_loop_run(l);
	ck_assert_int_eq(count, 100); /* the one that posts itself ran once */
	event_loop_free(l);
}
END_TEST

UNIT_MAIN("event_loop", event_loop_posts_of_one_sender_keep_their_order,
	event_loop_task_posting_itself_does_not_starve_timers, event_loop_turn_end_runs_after_the_tasks_of_the_turn,
	event_loop_timers_rearm_cancel_and_are_never_early, event_loop_timer_may_be_freed_when_it_fires,
	event_loop_armed_timer_does_not_outlive_the_loop, event_loop_knows_its_thread_and_its_running_task,
	event_loop_stop_runs_what_was_posted_and_drops_what_comes_later)
