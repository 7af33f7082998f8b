/* A loop's upkeep: deadlines, retention, checkpoints, the end; and the pure rules of the in-sync set. */
#include "base/diag.h"
#include "base/metrics.h"
#include "base/random.h"
#include "replica/in_sync_replicas.h"
#include "replica/replica_checkpoints.h"
#include "tests/unit/replica_fixture.h"
#include "tests/unit/unit.h"

static struct replica_fixture f;

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void begin(void)
{
	diag_set_sink(quiet, NULL);
	replica_fixture_init(&f);
}

START_TEST(in_sync_replicas_effective_min_is_capped_by_the_replicas)
{
	ck_assert_int_eq(in_sync_replicas_effective_min(2, 3), 2);
	ck_assert_int_eq(in_sync_replicas_effective_min(2, 1), 1);
	ck_assert_int_eq(in_sync_replicas_effective_min(INT32_MAX, 3), 3);
	ck_assert_int_eq(in_sync_replicas_effective_min(1, 0), 1);
	ck_assert(in_sync_replicas_enough(2, 2));
	ck_assert(!in_sync_replicas_enough(1, 2));
}
END_TEST

START_TEST(in_sync_replicas_high_watermark_follows_the_slowest)
{
	const struct {
		int64_t leader_end, ends[2];
		size_t followers;
		int32_t min;
		int64_t present, expected;
	} rows[] = {
		{10, {0, 0}, 0, 1, 4, 10},
		{10, {7, 9}, 2, 1, 4, 7},
		{10, {12, 11}, 2, 1, 4, 10}, /* the leader itself has less that is durable */
		{10, {2, 9}, 2, 1, 4, 4},    /* never back */
		{10, {IN_SYNC_REPLICAS_END_UNKNOWN, 9}, 2, 1, 4, 4},
		{10, {9, 9}, 1, 3, 4, 4}, /* under min ISR it stands still (KIP-966) */
		{10, {9, 9}, 2, 3, 4, 9},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct in_sync_view v = {rows[i].leader_end, rows[i].ends, rows[i].followers, rows[i].min, rows[i].present};
		ck_assert_int_eq(in_sync_replicas_high_watermark(&v), rows[i].expected);
	}
}
END_TEST

static int64_t last_deadline_us;
static int expired_count;

static void expired(struct delayed_requests *d, struct produce_waiter *w)
{
	ck_assert_int_ge(w->deadline_us, last_deadline_us);
	ck_assert_int_le(w->deadline_us, clock_monotonic_us(d->scheduler->clock));
	last_deadline_us = w->deadline_us;
	expired_count++;
}

/* Random additions and removals: each waiter that stays expires once, in order, and not early. */
START_TEST(delayed_requests_expire_in_order_of_deadline)
{
	enum { N = 500 };
	struct manual_clock clock;
	struct random dice;
	struct delayed_requests d;
	static struct produce_waiter waiters[N];
	random_seed(&dice, 5);
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	last_deadline_us = 0;
	expired_count = 0;
	delayed_requests_init(&d, manual_scheduler_scheduler(m), expired);
	int removed = 0;
	for (int i = 0; i < N; i++) {
		waiters[i].deadline_us = 1 + (int64_t)random_below(&dice, 100000);
		delayed_requests_add(&d, &waiters[i]);
		if (i % 3 == 2) {
			delayed_requests_remove(&d, &waiters[i - (int)random_below(&dice, 3)]);
			removed++;
		}
	}
	for (int64_t us = 0; us < 110000; us += 1000)
		manual_scheduler_advance_us(m, 1000);
	ck_assert_int_eq(expired_count, N - removed);
	ck_assert_uint_eq(d.count, 0);
	delayed_requests_fini(&d);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(replica_manager_runs_retention_for_replicas_with_a_role)
{
	enum { N = 40 }; /* more than one turn's worth on one loop */
	begin();
	f.settings.log_retention_check_interval_ms = 50;
	struct partition_log *logs[N];
	for (int32_t i = 0; i < N; i++)
		logs[i] = replica_fixture_lead(&f, 3 * i);
	struct partition_log *stray = fake_log_new("t", 3 * N);
	stray->end = 9;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_HOST, stray, &(struct order_options){0}), STATUS_OK);
	logs[7]->flush_at_once = true;
	struct produce_call c;
	replica_fixture_produce(&f, &c, 21, 1, 5);
	logs[7]->retention_removes = 2;
	replica_fixture_advance_ms(&f, 51);
	ck_assert_int_eq(logs[7]->retention_high_watermark, 5);
	ck_assert_int_eq(logs[7]->start, 2);
	for (int i = 0; i < N; i++) {
		ck_assert_int_ge(logs[i]->retention_high_watermark, 0);
		ck_assert_int_eq(logs[i]->rolls, 1);
	}
	ck_assert_int_eq(stray->retention_high_watermark, -1); /* what nobody claims is not deleted from */
	replica_fixture_advance_ms(&f, 51);
	ck_assert_int_eq(logs[0]->rolls, 2);
	replica_fixture_fini(&f);
	for (int i = 0; i < N; i++)
		fake_log_free(logs[i]);
	fake_log_free(stray);
}
END_TEST

struct stopped {
	int calls;
	size_t count;
	struct log_checkpoint_entry entries[8];
};

static void stopped(void *arg, const struct log_checkpoint_entry *entries, size_t count)
{
	struct stopped *s = arg;
	s->calls++;
	s->count = count;
	memcpy(s->entries, entries, count * sizeof(*entries));
}

START_TEST(replica_checkpoints_write_what_changed_and_close_at_the_end)
{
	begin();
	struct log_manager *logs = fake_log_manager_new(replica_fixture_home(&f));
	struct order_options o = {.leader = 1, .replica_count = 1, .isr_count = 1};
	for (int32_t p = 0; p < 4; p++) {
		struct partition_log *log = fake_log_manager_put(logs, "t", p, 0);
		ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	}
	struct replica_checkpoints *c = replica_checkpoints_new(&(struct replica_checkpoints_options){
		.scheduler = replica_fixture_home(&f),
		.logs = logs,
		.managers = f.managers,
		.manager_count = FIXTURE_LOOPS,
		.interval_ms = 20,
	});
	replica_checkpoints_start(c);
	replica_fixture_advance_ms(&f, 21);
	ck_assert_int_eq(fake_log_manager_checkpoints_written(logs), 1);
	replica_fixture_advance_ms(&f, 100);
	ck_assert_int_eq(fake_log_manager_checkpoints_written(logs), 1); /* idle: nothing is written */
	struct produce_call p;
	replica_fixture_produce(&f, &p, 2, -1, 7);
	replica_fixture_run(&f);
	ck_assert_int_eq(p.part.status, STATUS_OK);
	fake_log_manager_fail_next(logs, STATUS_IO); /* a failed write is tried again */
	replica_fixture_advance_ms(&f, 21);
	ck_assert_int_eq(fake_log_manager_checkpointed(logs, &p.part.tp), 0);
	replica_fixture_advance_ms(&f, 21);
	ck_assert_int_eq(fake_log_manager_checkpointed(logs, &p.part.tp), 7);
	ck_assert_int_eq(fake_log_manager_checkpoints_written(logs), 3);

	struct stopped s = {0};
	struct fetch_call r;
	struct produce_call waiting;
	int64_t high_watermark;
	log_manager_find(logs, &p.part.tp, &high_watermark)->flush_at_once = false;
	replica_fixture_produce(&f, &waiting, 2, -1, 1);
	replica_fixture_fetch(&f, &r, 2, 0, 1, 60000);
	delayed_fetch_start(&r.fetch);
	replica_fixture_run(&f);
	replica_checkpoints_stop(c, stopped, &s);
	replica_fixture_run(&f);
	ck_assert_int_eq(s.calls, 1);
	ck_assert_uint_eq(s.count, 4);
	ck_assert_int_eq(waiting.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(r.done, 1);
	ck_assert_int_eq(r.parts[1].status, STATUS_NOT_LEADER_OR_FOLLOWER);
	fetch_call_fini(&r);
	for (size_t i = 0; i < s.count; i++) {
		struct partition_log *log = log_manager_find(logs, &s.entries[i].tp, &high_watermark);
		ck_assert(log->closed && log->close_synced);
		ck_assert_int_eq(s.entries[i].recovery_point, s.entries[i].high_watermark);
		ck_assert_int_eq(s.entries[i].high_watermark, s.entries[i].tp.partition == 2 ? 7 : 0);
	}
	struct produce_call late;
	replica_fixture_produce(&f, &late, 1, 1, 1);
	replica_fixture_run(&f);
	ck_assert_int_eq(late.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	replica_checkpoints_free(c);
	replica_fixture_fini(&f);
	fake_log_manager_free(logs);
}
END_TEST

START_TEST(replica_checkpoints_stop_waits_for_the_round_under_way)
{
	begin();
	struct log_manager *logs = fake_log_manager_new(replica_fixture_home(&f));
	f.settings.log_retention_check_interval_ms = 20; /* retention is due at the same time */
	struct order_options o = {.leader = 1, .replica_count = 1, .isr_count = 1};
	struct partition_log *log = fake_log_manager_put(logs, "t", 0, 0);
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	struct replica_checkpoints *c = replica_checkpoints_new(&(struct replica_checkpoints_options){
		.scheduler = replica_fixture_home(&f),
		.logs = logs,
		.managers = f.managers,
		.manager_count = FIXTURE_LOOPS,
		.interval_ms = 20,
	});
	replica_checkpoints_start(c);
	manual_clock_advance_us(&f.clock, 20 * 1000);
	for (int i = 0; i < 3; i++)
		ck_assert(manual_scheduler_step(f.loops[0]));
	struct stopped s = {0};
	replica_checkpoints_stop(c, stopped, &s);
	ck_assert_int_eq(s.calls, 0);
	replica_fixture_run(&f);
	ck_assert_int_eq(s.calls, 1);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_int_eq(fake_log_manager_checkpoints_written(logs), 1);
	replica_checkpoints_free(c);
	replica_fixture_fini(&f);
	fake_log_manager_free(logs);
}
END_TEST

START_TEST(replica_manager_looks_for_silent_producers)
{
	replica_fixture_init(&f);
	f.settings.producer_id_expiration_check_interval_ms = 50;
	struct partition_log *logs[40];
	for (int i = 0; i < 40; i++) {
		logs[i] = replica_fixture_lead(&f, i);
		logs[i]->silent_producers = 2;
	}
	replica_fixture_advance_ms(&f, 49);
	ck_assert_int_eq(metrics_read(METRIC_producers_expired), 0);
	replica_fixture_advance_ms(&f, 2);
	ck_assert_int_eq(metrics_read(METRIC_producers_expired), 80);
	logs[39]->silent_producers = 1; /* the next round */
	replica_fixture_advance_ms(&f, 50);
	ck_assert_int_eq(metrics_read(METRIC_producers_expired), 81);
	replica_fixture_fini(&f);
	for (int i = 0; i < 40; i++)
		fake_log_free(logs[i]);
}
END_TEST

UNIT_MAIN("replica_manager", replica_manager_looks_for_silent_producers, in_sync_replicas_effective_min_is_capped_by_the_replicas,
	in_sync_replicas_high_watermark_follows_the_slowest, delayed_requests_expire_in_order_of_deadline,
	replica_manager_runs_retention_for_replicas_with_a_role, replica_checkpoints_write_what_changed_and_close_at_the_end,
	replica_checkpoints_stop_waits_for_the_round_under_way)
