#include "runtime/blocking_pool.h"
#include "runtime/gather.h"
#include "runtime/loop_group.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static struct loop_group *started_group(int n)
{
	struct loop_group *g = NULL;
	ck_assert_int_eq(loop_group_new(n, clock_system(), &g), STATUS_OK);
	ck_assert_int_eq(loop_group_count(g), n);
	ck_assert_int_eq(loop_group_start(g), STATUS_OK);
	return g;
}

/* ---- placement ---- */

static void check_placement(int n)
{
	struct loop_group *g = NULL;
	ck_assert_int_eq(loop_group_new(n, clock_system(), &g), STATUS_OK);
	int hosted[64] = {0}, first_of[64] = {0};
	for (int topic = 0; topic < 200; topic++) {
		char name[32];
		int of_topic[64] = {0};
		snprintf(name, sizeof(name), "topic-%d", topic);
		for (int p = 0; p < 12; p++) {
			struct topic_partition tp;
			ck_assert_int_eq(topic_partition_set(&tp, slice_of_str(name), p), STATUS_OK);
			int at = loop_group_place(g, &tp);
			ck_assert_int_ge(at, 0);
			ck_assert_int_lt(at, n);
			ck_assert_int_eq(at, loop_group_place(g, &tp));
			hosted[at]++;
			of_topic[at]++;
			if (p == 0)
				first_of[at]++;
		}
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(of_topic[i], 12 / n);
	}
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(hosted[i], 200 * 12 / n);
		ck_assert_int_gt(first_of[i], 100 / n); /* topics of one partition spread too */
	}
	loop_group_free(g);
}

START_TEST(loop_group_placement_is_stable_and_even)
{
	check_placement(1);
	check_placement(4);
}
END_TEST

/* ---- scatter and gather ---- */

struct fanout;
struct part {
	struct task task;
	struct fanout *owner;
	struct scheduler *at;
	bool returned;
};
enum { PARTS = 16 };
struct fanout {
	struct task start;
	struct gather gather;
	struct loop_group *group;
	struct part parts[PARTS];
	int worked; /* summed on the home loop */
	atomic_int completed;
};

static void part_run(struct task *t)
{
	struct part *p = CONTAINER_OF(t, struct part, task);
	struct scheduler *home = loop_group_scheduler(p->owner->group, 0);
	if (!p->returned) {
		expect_on_loop(p->at);
		p->returned = true;
		scheduler_post(home, t);
		return;
	}
	expect_on_loop(home);
	p->owner->worked++;
	gather_done(&p->owner->gather);
}

static void fanout_complete(struct gather *g)
{
	struct fanout *f = CONTAINER_OF(g, struct fanout, gather);
	ck_assert_int_eq(f->worked, PARTS);
	atomic_fetch_add(&f->completed, 1);
}

static void fanout_start(struct task *t)
{
	struct fanout *f = CONTAINER_OF(t, struct fanout, start);
	gather_init(&f->gather, fanout_complete);
	for (int i = 0; i < PARTS; i++) {
		struct part *p = &f->parts[i];
		p->owner = f;
		p->at = loop_group_scheduler(f->group, i % loop_group_count(f->group));
		task_init(&p->task, "part", part_run);
		gather_add(&f->gather);
		scheduler_post(p->at, &p->task);
	}
	gather_seal(&f->gather);
}

static void check_fanout(int loops)
{
	struct loop_group *g = started_group(loops);
	struct fanout *f = check_calloc(1, sizeof(*f));
	f->group = g;
	task_init(&f->start, "fanout", fanout_start);
	scheduler_post(loop_group_scheduler(g, 0), &f->start);
	while (atomic_load(&f->completed) == 0)
		sched_yield();
	loop_group_stop(g);
	ck_assert_int_eq(atomic_load(&f->completed), 1);
	free(f);
	loop_group_free(g);
}

START_TEST(gather_completes_once_over_one_and_four_loops)
{
	check_fanout(1);
	check_fanout(4);
}
END_TEST

static int completions;
static void count_completion(struct gather *g)
{
	(void)g;
	completions++;
}

START_TEST(gather_waits_for_the_seal_and_for_every_part)
{
	struct gather g;
	completions = 0;
	gather_init(&g, count_completion);
	gather_seal(&g);
	ck_assert_int_eq(completions, 1); /* nothing asked: done at once */
	gather_init(&g, count_completion);
	gather_add(&g);
	gather_done(&g); /* answered by a direct call, before the others were sent */
	ck_assert_int_eq(completions, 1);
	gather_add(&g);
	gather_seal(&g);
	ck_assert_int_eq(completions, 1);
	gather_done(&g);
	ck_assert_int_eq(completions, 2);
}
END_TEST

/* ---- pool ---- */

struct sum_job {
	struct job job;
	int index;
	atomic_int *order, *entered, *held;
	int taken;
	bool wait_for_all;
	int *finished; /* written on home only */
};

static void sum_work(struct job *j)
{
	struct sum_job *s = CONTAINER_OF(j, struct sum_job, job);
	s->taken = atomic_fetch_add(s->order, 1);
	atomic_fetch_add(s->entered, 1);
	while (s->wait_for_all && atomic_load(s->entered) < 3)
		sched_yield();
}

static void sum_done(struct job *j)
{
	struct sum_job *s = CONTAINER_OF(j, struct sum_job, job);
	expect_on_loop(j->home);
	++*s->finished;
}

START_TEST(blocking_pool_takes_jobs_in_order_and_finishes_them_at_home)
{
	struct loop_group *g = started_group(1);
	struct blocking_pool *pool = NULL;
	ck_assert_int_eq(blocking_pool_new(1, &pool), STATUS_OK);
	atomic_int order = 0, entered = 0;
	int finished = 0;
	struct sum_job jobs[80];
	for (int i = 0; i < 80; i++) {
		jobs[i] = (struct sum_job){.index = i, .order = &order, .entered = &entered, .finished = &finished};
		job_init(&jobs[i].job, "sum", loop_group_scheduler(g, 0), sum_work, sum_done);
		background_submit(blocking_pool_background(pool), &jobs[i].job);
	}
	blocking_pool_free(pool); /* waits for all of them */
	loop_group_stop(g);
	ck_assert_int_eq(finished, 80);
	for (int i = 0; i < 80; i++)
		ck_assert_int_eq(jobs[i].taken, i);
	loop_group_free(g);
}
END_TEST

START_TEST(blocking_pool_runs_as_many_jobs_at_once_as_it_has_threads)
{
	struct loop_group *g = started_group(1);
	struct blocking_pool *pool = NULL;
	ck_assert_int_eq(blocking_pool_new(3, &pool), STATUS_OK);
	atomic_int order = 0, entered = 0;
	int finished = 0;
	struct sum_job jobs[3]; /* each waits until all three have been entered */
	for (int i = 0; i < 3; i++) {
		jobs[i] = (struct sum_job){
			.order = &order, .entered = &entered, .finished = &finished, .wait_for_all = true};
		job_init(&jobs[i].job, "sum", loop_group_scheduler(g, 0), sum_work, sum_done);
		background_submit(blocking_pool_background(pool), &jobs[i].job);
	}
	blocking_pool_free(pool);
	loop_group_stop(g);
	ck_assert_int_eq(finished, 3);
	loop_group_free(g);
}
END_TEST

/* ---- watchdog ---- */

struct stall {
	struct task task;
	struct event_loop *main;
	atomic_bool seen_stall, seen_recovery;
};

static void watch_sink(void *arg, enum diag_level level, const char *line)
{
	(void)level;
	struct stall *s = arg;
	if (strstr(line, "loop_stalled") != NULL) {
		ck_assert_ptr_nonnull(strstr(line, "loop=loop1"));
		ck_assert_ptr_nonnull(strstr(line, "task=stuck"));
		atomic_store(&s->seen_stall, true);
	}
	if (strstr(line, "loop_recovered") != NULL) {
		atomic_store(&s->seen_recovery, true);
		event_loop_stop(s->main);
	}
}

static void stuck(struct task *t)
{
	struct stall *s = CONTAINER_OF(t, struct stall, task);
	while (!atomic_load(&s->seen_stall))
		sched_yield();
}

START_TEST(loop_group_watchdog_names_the_task_that_stalls)
{
	struct loop_group *g = started_group(2);
	struct stall s = {.seen_stall = false};
	diag_set_sink(watch_sink, &s);
	ck_assert_int_eq(event_loop_new("main", -1, clock_system(), &s.main), STATUS_OK);
	int64_t stalls = metrics_read(METRIC_loop_stalls);
	task_init(&s.task, "stuck", stuck);
	scheduler_post(loop_group_scheduler(g, 1), &s.task);
	loop_group_watch(g, event_loop_scheduler(s.main), 40, 50000);
	event_loop_run(s.main);
	loop_group_stop(g);
	diag_set_sink(NULL, NULL);
	ck_assert(atomic_load(&s.seen_recovery));
	ck_assert_int_ge(metrics_read(METRIC_loop_stalls), stalls + 1);
	loop_group_free(g);
	event_loop_free(s.main);
}
END_TEST

UNIT_MAIN("loop_group", loop_group_placement_is_stable_and_even, gather_completes_once_over_one_and_four_loops,
	gather_waits_for_the_seal_and_for_every_part, blocking_pool_takes_jobs_in_order_and_finishes_them_at_home,
	blocking_pool_runs_as_many_jobs_at_once_as_it_has_threads, loop_group_watchdog_names_the_task_that_stalls)
