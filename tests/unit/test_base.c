/* The small modules of base: statuses, CRC, clock, dice, arena, names, scheduler, metrics, diagnostics. */
#include "base/arena.h"
#include "base/crc32c.h"
#include "base/diag.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/scheduler.h"
#include "base/topic_partition.h"
#include "unit.h"

START_TEST(status_rows_are_complete_and_codes_map_back)
{
	for (unsigned s = 0; s < STATUS_COUNT; s++) {
		ck_assert_ptr_nonnull(status_name((enum status)s));
		ck_assert_uint_gt(strlen(status_text((enum status)s)), 0);
		/* The first status of a code is Kafka's own row. */
		enum status first = status_from_code(status_code((enum status)s));
		ck_assert_int_eq(status_code(first), status_code((enum status)s));
	}
	ck_assert_int_eq(status_code(STATUS_NO_SPACE), 56);
	ck_assert(status_retriable(STATUS_NO_SPACE));
	ck_assert_int_eq(status_from_code(12345), STATUS_UNKNOWN_SERVER_ERROR);
	struct failure f;
	ck_assert_int_eq(failure_set(&f, STATUS_INVALID_CONFIG, "key=%s", "x"), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "key=x");
	ck_assert_int_eq(failure_set(NULL, STATUS_IO, "x"), STATUS_IO);
}
END_TEST

START_TEST(crc32c_paths_agree)
{
	ck_assert_uint_eq(crc32c(0, slice_of_str("123456789")), 0xe3069283); /* RFC 3720 check value */
	uint8_t data[1000];
	struct random dice;
	random_seed(&dice, 1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random_u64(&dice);
	for (size_t n = 0; n <= sizeof(data); n += 37) {
		uint32_t whole = crc32c(0, slice_of(data, n));
		ck_assert_uint_eq(whole, crc32c_portable(0, slice_of(data, n)));
		uint32_t part = crc32c(0, slice_of(data, n / 2));
		ck_assert_uint_eq(whole, crc32c(part, slice_of(data + n / 2, n - n / 2)));
	}
}
END_TEST

START_TEST(dice_repeat_from_a_seed_and_stay_in_bounds)
{
	struct random a, b;
	random_seed(&a, 42);
	random_seed(&b, 42);
	bool seen[6] = {false};
	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_below(&a, 6);
		ck_assert_uint_lt(v, 6);
		ck_assert_uint_eq(v, random_below(&b, 6));
		seen[v] = true;
		double u = random_unit(&a);
		ck_assert(u >= 0 && u < 1);
		random_unit(&b);
	}
	for (int i = 0; i < 6; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(arena_refuses_beyond_its_limit)
{
	struct arena a;
	arena_init(&a, 10000);
	ck_assert_ptr_nonnull(arena_alloc(&a, 5000));
	ck_assert_ptr_null(arena_alloc(&a, 6000));
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_calloc(&a, SIZE_MAX / 2, 3));
	char *copy = arena_strdup(&a, slice_of_str("text"));
	ck_assert_str_eq(copy, "text");
	uint8_t *zeros = arena_calloc(&a, 10, 10);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(zeros[i], 0);
	ck_assert_uint_eq((uintptr_t)zeros % 16, 0);
	arena_fini(&a);
}
END_TEST

START_TEST(arena_reset_keeps_one_first_block)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	void *first = arena_alloc(&a, 100);
	ck_assert_ptr_nonnull(arena_alloc(&a, 100000));
	arena_reset(&a);
	ck_assert_uint_eq(a.used_bytes, 0);
	ck_assert_ptr_eq(arena_alloc(&a, 100), first);
	arena_reset(&a);
	ck_assert_ptr_nonnull(arena_alloc(&a, 100000)); /* a large first block is not kept */
	arena_reset(&a);
	ck_assert_ptr_eq(arena_alloc(&a, 100), first);
	arena_fini(&a);
}
END_TEST

START_TEST(topic_names_follow_kafkas_rule)
{
	char longest[TOPIC_NAME_MAX + 2];
	memset(longest, 'a', sizeof(longest) - 1);
	longest[TOPIC_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(topic_name_check(slice_of_str(longest)), STATUS_INVALID_TOPIC_EXCEPTION);
	longest[TOPIC_NAME_MAX] = '\0';
	ck_assert_int_eq(topic_name_check(slice_of_str(longest)), STATUS_OK);
	const char *bad[] = {"", ".", "..", "a/b", "a b", "\xc3\xab", "a\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(topic_name_check(slice_of_str(bad[i])), STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert(topic_name_collides("a.b", "a_b"));
	ck_assert(!topic_name_collides("a.b", "a.bc"));
	ck_assert(topic_is_internal("__consumer_offsets"));
}
END_TEST

START_TEST(topic_partition_directory_names_round_trip)
{
	struct topic_partition tp, back;
	char text[TOPIC_PARTITION_TEXT];
	ck_assert_int_eq(topic_partition_set(&tp, slice_of_str("a-b.c_d-3"), 1), STATUS_OK);
	topic_partition_format(&tp, text);
	ck_assert_str_eq(text, "a-b.c_d-3-1");
	ck_assert_int_eq(topic_partition_parse(slice_of_str(text), &back), STATUS_OK);
	ck_assert(topic_partition_equal(&tp, &back));
	const char *bad[] = {"", "-1", "t-", "t", "t-01", "t-+1", "t-2147483648", "a b-1", "t--1x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(topic_partition_parse(slice_of_str(bad[i]), &back), STATUS_INVALID_ARGUMENT);
	ck_assert_int_lt(topic_partition_compare(&(struct topic_partition){.topic = "a", .partition = 9},
				 &(struct topic_partition){.topic = "b", .partition = 1}),
		0);
}
END_TEST

struct trace {
	struct task task;
	struct loop_timer timer;
	struct job job;
	struct scheduler *scheduler;
	char text[64];
};

static void trace_add(struct trace *t, const char *what)
{
	size_t n = strlen(t->text);
	snprintf(t->text + n, sizeof(t->text) - n, "%s", what);
}

static void trace_task(struct task *task)
{
	trace_add(CONTAINER_OF(task, struct trace, task), "t");
}

static void trace_timer(struct loop_timer *timer)
{
	trace_add(CONTAINER_OF(timer, struct trace, timer), "T");
}

static void trace_work(struct job *job)
{
	trace_add(CONTAINER_OF(job, struct trace, job), "w");
}

static void trace_done(struct job *job)
{
	trace_add(CONTAINER_OF(job, struct trace, job), "d");
}

START_TEST(manual_scheduler_runs_tasks_jobs_and_timers_in_order)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 1000, 5000);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct scheduler *s = manual_scheduler_scheduler(m);
	struct trace t = {.scheduler = s};
	task_init(&t.task, "trace", trace_task);
	loop_timer_init(&t.timer, "trace", trace_timer);
	job_init(&t.job, "trace", s, trace_work, trace_done);
	scheduler_timer_arm(s, &t.timer, 100);
	background_submit(manual_scheduler_background(m), &t.job);
	scheduler_post(s, &t.task);
	manual_scheduler_run(m);
	ck_assert_str_eq(t.text, "wtd");
	manual_scheduler_advance_us(m, 99);
	ck_assert_str_eq(t.text, "wtd");
	manual_scheduler_advance_us(m, 1);
	ck_assert_str_eq(t.text, "wtdT");
	ck_assert(!t.timer.armed);
	scheduler_timer_arm(s, &t.timer, 10);
	scheduler_timer_cancel(s, &t.timer);
	manual_scheduler_advance_us(m, 100000);
	ck_assert_str_eq(t.text, "wtdT");
	ck_assert_int_eq(clock_wall_ms(&clock.clock), 5000 + 100);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(metrics_sum_and_quantiles)
{
	metrics_add(METRIC_records_in, 3);
	metrics_add(METRIC_records_in, 4);
	ck_assert_int_eq(metrics_read(METRIC_records_in), 7);
	for (int64_t us = 1; us <= 10000; us++)
		metrics_observe_us(METRIC_fetch_us, us);
	int64_t p50 = metrics_quantile_us(METRIC_fetch_us, 0.5), p99 = metrics_quantile_us(METRIC_fetch_us, 0.99);
	ck_assert_int_ge(p50, 5000);
	ck_assert_int_le(p50, 5350);
	ck_assert_int_ge(p99, 9900);
	ck_assert_int_le(p99, 10560);
	metrics_observe_us(METRIC_fsync_us, INT64_MAX);
	metrics_observe_us(METRIC_fsync_us, -5);
	ck_assert_int_eq(metrics_read(METRIC_fsync_us), 2);
	size_t n;
	char *text = metrics_format(&n);
	ck_assert_ptr_nonnull(strstr(text, "correio_records_in_total 7\n"));
	ck_assert_ptr_nonnull(strstr(text, "correio_fetch_us_count 10000\n"));
	free(text);
}
END_TEST

struct sink {
	unsigned lines;
	char last[2100];
};

static void count_line(void *arg, enum diag_level level, const char *line)
{
	struct sink *s = arg;
	(void)level;
	s->lines++;
	snprintf(s->last, sizeof(s->last), "%s", line);
}

START_TEST(diag_is_one_line_and_limits_repeats)
{
	struct sink s = {0};
	diag_set_sink(count_line, &s);
	diag_info("named", "topic=%s", "a\nb");
	ck_assert_uint_eq(s.lines, 1);
	ck_assert_ptr_nonnull(strstr(s.last, "level=info"));
	ck_assert_ptr_nonnull(strstr(s.last, "event=named topic=a b"));
	diag_debug("hidden", "x=%d", 1);
	ck_assert_uint_eq(s.lines, 1);
	for (int i = 0; i < 1000; i++)
		diag_warn("again", "i=%d", i);
	ck_assert_uint_eq(s.lines, 11);
	char long_text[4000];
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	diag_info("long", "%s", long_text);
	ck_assert_uint_lt(strlen(s.last), 2049);
	diag_set_sink(NULL, NULL);
}
END_TEST

UNIT_MAIN("base", status_rows_are_complete_and_codes_map_back, crc32c_paths_agree,
	dice_repeat_from_a_seed_and_stay_in_bounds, arena_refuses_beyond_its_limit, arena_reset_keeps_one_first_block, topic_names_follow_kafkas_rule,
	topic_partition_directory_names_round_trip, manual_scheduler_runs_tasks_jobs_and_timers_in_order,
	metrics_sum_and_quantiles, diag_is_one_line_and_limits_repeats)
