/* Logs on a loop of their own with a real pool behind it: for ThreadSanitizer, and for the order of things between them. */
#include "runtime/blocking_pool.h"
#include "runtime/event_loop.h"
#include "storage/log_manager.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"

enum { LOGS = 6, TURNS = 300, POOL_THREADS = 4 };

struct scene {
	struct log_fixture base;
	struct settings settings;
	struct event_loop *loop;
	struct blocking_pool *pool;
	struct log_manager *manager;
	struct partition_log *logs[LOGS];
	struct log_checkpoint_entry entries[LOGS];
	int64_t expected[LOGS];
	unsigned opened, closed, turn, flushed, written, deleted;
	struct task step;
};

static void topic_settings(void *arg, const char *topic, struct topic_settings *ret)
{
	struct scene *s = arg;
	(void)topic;
	*ret = s->base.settings;
}

static void finish(struct scene *s)
{
	if (s->closed == LOGS - 1 && s->deleted == 1)
		event_loop_stop(s->loop);
}

static void closed(void *arg, enum status status)
{
	struct scene *s = arg;
	ck_assert_int_eq(status, STATUS_OK);
	s->closed++;
	finish(s);
}

static void deleted(void *arg, enum status status)
{
	struct scene *s = arg;
	ck_assert_int_eq(status, STATUS_OK);
	s->deleted++;
	finish(s);
}

static void written(void *arg, enum status status)
{
	struct scene *s = arg;
	ck_assert_int_eq(status, STATUS_OK);
	s->written++;
}

static void flushed(void *arg, enum status status)
{
	struct scene *s = arg;
	ck_assert_int_eq(status, STATUS_OK);
	s->flushed++;
}

static void end_scene(struct scene *s)
{
	struct topic_partition tp;
	s->base.log = NULL;
	for (int i = 1; i < LOGS; i++) {
		s->expected[i] = partition_log_end_offset(s->logs[i]);
		partition_log_close(s->logs[i], true, closed, s);
	}
	/* The first goes with all it has under way. */
	ck_assert_int_eq(topic_partition_set(&tp, slice_of_str("t"), 0), STATUS_OK);
	log_manager_delete(s->manager, &tp, deleted, s);
}

static void checkpoint(struct scene *s)
{
	for (int i = 0; i < LOGS; i++) {
		s->entries[i] = (struct log_checkpoint_entry){
			.recovery_point = partition_log_recovery_point(s->logs[i], INT64_MAX),
			.log_start_offset = partition_log_start_offset(s->logs[i]),
			.high_watermark = partition_log_flushed_offset(s->logs[i]),
		};
		ck_assert_int_eq(topic_partition_set(&s->entries[i].tp, slice_of_str("t"), i), STATUS_OK);
	}
	log_manager_write_checkpoints(s->manager, s->entries, LOGS, written, s);
}

static void step(struct task *t)
{
	struct scene *s = CONTAINER_OF(t, struct scene, step);
	if (s->turn == TURNS) {
		end_scene(s);
		return;
	}
	s->turn++;
	for (int i = 0; i < LOGS; i++) {
		s->base.log = s->logs[i];
		(void)fixture_append(&s->base, 1 + (int)s->turn % 3, 200, (int64_t)s->turn);
		if (s->turn % 3 == (unsigned)i % 3)
			partition_log_flush(s->logs[i]);
		if (s->turn % 50 == (unsigned)i)
			ck_assert_int_eq(partition_log_truncate(s->logs[i], partition_log_end_offset(s->logs[i]) - 1), STATUS_OK);
		if (s->turn % 70 == (unsigned)i)
			(void)partition_log_apply_retention(s->logs[i], partition_log_flushed_offset(s->logs[i]));
		if (s->turn % 40 == (unsigned)i)
			ck_assert_int_eq(fixture_check_all(&s->base), partition_log_end_offset(s->logs[i]));
	}
	if (s->turn % 60 == 0)
		checkpoint(s);
	scheduler_post(event_loop_scheduler(s->loop), t);
}

static void opened(void *arg, enum status status, struct partition_log *log, int64_t high_watermark)
{
	struct scene *s = arg;
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_ge(high_watermark, 0);
	partition_log_adopt(log, event_loop_scheduler(s->loop));
	partition_log_on_flushed(log, flushed, s);
	s->logs[s->opened++] = log;
	if (s->opened == LOGS)
		step(&s->step);
}

static void loaded(void *arg, enum status status)
{
	struct scene *s = arg;
	struct topic_partition tp;
	ck_assert_int_eq(status, STATUS_OK);
	for (int i = 0; i < LOGS; i++) {
		ck_assert_int_eq(topic_partition_set(&tp, slice_of_str("t"), i), STATUS_OK);
		log_manager_get_or_create(s->manager, &tp, NULL, true, opened, s);
	}
}

static void open_scene(struct scene *s)
{
	struct failure failure;
	ck_assert_int_eq(event_loop_new("logs", 0, clock_system(), &s->loop), STATUS_OK);
	ck_assert_int_eq(blocking_pool_new(POOL_THREADS, &s->pool), STATUS_OK);
	struct log_manager_options o = {
		.disk = disk_system(),
		.clock = clock_system(),
		.background = blocking_pool_background(s->pool),
		.scheduler = event_loop_scheduler(s->loop),
		.settings = &s->settings,
		.topic_settings = topic_settings,
		.arg = s,
	};
	ck_assert_int_eq(log_manager_open(&o, &s->manager, &failure), STATUS_OK);
}

static void found_again(void *arg, enum status status)
{
	struct scene *s = arg;
	struct topic_partition tp;
	int64_t hw;
	ck_assert_int_eq(status, STATUS_OK);
	for (int i = 1; i < LOGS; i++) {
		ck_assert_int_eq(topic_partition_set(&tp, slice_of_str("t"), i), STATUS_OK);
		struct partition_log *log = log_manager_find(s->manager, &tp, &hw);
		ck_assert_ptr_nonnull(log);
		ck_assert_int_eq(partition_log_end_offset(log), s->expected[i]);
		ck_assert_int_eq(partition_log_close_now(log, false), STATUS_OK);
	}
	event_loop_stop(s->loop);
}

/* The pool first: its jobs come home to the loop. */
static void leave_scene(struct scene *s)
{
	blocking_pool_free(s->pool);
	event_loop_free(s->loop);
}

START_TEST(logs_on_a_loop_with_a_pool_keep_their_records)
{
	struct scene s = {0};
	fixture_init(&s.base);
	s.base.settings.segment_bytes = 6000;
	s.base.settings.index_interval_bytes = 500;
	s.base.settings.retention_bytes = 20000;
	s.settings.log_dirs = s.base.root;
	s.settings.broker_id = -1;
	s.settings.num_recovery_threads_per_data_dir = 2;
	s.settings.topic_defaults = s.base.settings;
	task_init(&s.step, "step", step);
	open_scene(&s);
	log_manager_load(s.manager, loaded, &s);
	event_loop_run(s.loop);
	ck_assert_uint_gt(s.flushed, 0);
	ck_assert_uint_gt(s.written, 0);
	ck_assert_int_eq(log_manager_close_clean(s.manager, NULL, 0), STATUS_OK);
	leave_scene(&s);
	open_scene(&s);
	log_manager_load(s.manager, found_again, &s);
	event_loop_run(s.loop);
	log_manager_free(s.manager);
	leave_scene(&s);
	fixture_fini(&s.base);
}
END_TEST

UNIT_MAIN("log_threads", logs_on_a_loop_with_a_pool_keep_their_records)
