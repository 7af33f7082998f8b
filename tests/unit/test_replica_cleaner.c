#include "replica/replica_cleaner.h"
#include "replica_fixture.h"
#include "unit.h"

enum { BACKOFF_MS = 1000 };

static struct replica_fixture f;
static struct replica_cleaner_slots slots;
static struct partition_log *logs[3];

/* Three partitions of loop 0 with some records, in a manager of their own that compacts. */
static struct replica_manager *begin(int free)
{
	replica_fixture_init(&f);
	f.settings.log_cleaner_enable = true;
	f.settings.log_cleaner_threads = 1;
	f.settings.log_cleaner_backoff_ms = BACKOFF_MS;
	f.settings.log_cleaner_dedupe_buffer_size = 1 << 20;
	f.settings.log_cleaner_io_buffer_load_factor = 2; /* brought to what works */
	f.settings.log_cleaner_io_max_bytes_per_second = 1e300;
	replica_cleaner_slots_init(&slots, &f.settings);
	slots.free = free;
	replica_manager_free(f.managers[0]);
	const struct replica_manager_options o = {
		.scheduler = replica_fixture_home(&f),
		.settings = &f.settings,
		.broker_id = FIXTURE_BROKER,
		.cleaner_slots = &slots,
	};
	f.managers[0] = replica_manager_new(&o);
	for (int32_t i = 0; i < 3; i++) {
		struct produce_call c;
		logs[i] = replica_fixture_lead(&f, i * FIXTURE_LOOPS);
		logs[i]->flush_at_once = true;
		replica_fixture_produce(&f, &c, i * FIXTURE_LOOPS, -1, 2);
		replica_fixture_run(&f);
		ck_assert_int_eq(c.part.status, STATUS_OK);
	}
	return f.managers[0];
}

static void end(void)
{
	replica_fixture_fini(&f);
	for (size_t i = 0; i < 3; i++)
		fake_log_free(logs[i]);
}

START_TEST(replica_cleaner_takes_the_dirtiest_first_and_one_at_a_time)
{
	(void)begin(1);
	logs[0]->dirty_ratio = 0.6;
	logs[1]->dirty_ratio = 0.9;
	replica_fixture_advance_ms(&f, BACKOFF_MS + 10);
	ck_assert(!logs[0]->compacting && logs[1]->compacting && !logs[2]->compacting);
	ck_assert_int_eq(slots.free, 0);
	replica_fixture_advance_ms(&f, 10 * BACKOFF_MS);
	ck_assert(!logs[0]->compacting);
	fake_log_end_compaction(logs[1], STATUS_OK);
	replica_fixture_run(&f); /* at once: there is more */
	ck_assert(logs[0]->compacting);
	fake_log_end_compaction(logs[0], STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(slots.free, 1);
	logs[2]->dirty_ratio = 0.1;
	replica_fixture_advance_ms(&f, BACKOFF_MS - 10);
	ck_assert(!logs[2]->compacting);
	replica_fixture_advance_ms(&f, 20);
	ck_assert(logs[2]->compacting);
	fake_log_end_compaction(logs[2], STATUS_NO_SPACE);
	logs[2]->dirty_ratio = 0.1;
	replica_fixture_run(&f);
	ck_assert(!logs[2]->compacting); /* not pressed: after the pause */
	replica_fixture_advance_ms(&f, BACKOFF_MS + 10);
	ck_assert(logs[2]->compacting);
	fake_log_end_compaction(logs[2], STATUS_CANCELLED);
	end();
}
END_TEST

START_TEST(replica_cleaner_waits_while_other_loops_compact)
{
	(void)begin(0);
	logs[1]->dirty_ratio = 0.9;
	replica_fixture_advance_ms(&f, 5 * BACKOFF_MS);
	ck_assert(!logs[1]->compacting);
	slots.free = 1;
	replica_fixture_advance_ms(&f, BACKOFF_MS + 10);
	ck_assert(logs[1]->compacting);
	fake_log_end_compaction(logs[1], STATUS_OK);
	ck_assert_int_eq(slots.free, 1);
	end();
}
END_TEST

UNIT_MAIN("replica_cleaner", replica_cleaner_takes_the_dirtiest_first_and_one_at_a_time,
	replica_cleaner_waits_while_other_loops_compact)
