/* A fetch over partitions of several loops: partition p is owned by loop p % 3, requests come from loop 0. */
#include "base/diag.h"
#include "replica/replica_manager.h"
#include "tests/unit/replica_fixture.h"
#include "tests/unit/unit.h"

static struct replica_fixture f;
static struct partition_log *logs[3];

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
	for (int32_t p = 0; p < 3; p++) {
		logs[p] = replica_fixture_lead(&f, p);
		logs[p]->flush_at_once = true;
	}
}

static void end(void)
{
	replica_fixture_fini(&f);
	for (int p = 0; p < 3; p++)
		fake_log_free(logs[p]);
}

static void append(int32_t partition, int32_t records)
{
	struct produce_call c;
	replica_fixture_produce(&f, &c, partition, 1, records);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.part.status, STATUS_OK);
}

START_TEST(delayed_fetch_answers_at_once_when_there_is_enough)
{
	begin();
	append(0, 2);
	append(2, 1);
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 30, 60000);
	delayed_fetch_start(&c.fetch);
	ck_assert_int_eq(c.done, 0);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	ck_assert_uint_eq(c.parts[0].record_bytes, 20);
	ck_assert_uint_eq(c.parts[0].records.size_bytes, 20);
	ck_assert_uint_eq(c.parts[1].record_bytes, 0);
	ck_assert_uint_eq(c.parts[2].record_bytes, 10);
	ck_assert_int_eq(c.parts[2].high_watermark, 1);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_is_woken_once_by_the_first_append)
{
	for (int32_t p = 0; p < 3; p++) {
		begin();
		struct fetch_call c;
		replica_fixture_fetch(&f, &c, 3, 0, 1, 60000);
		delayed_fetch_start(&c.fetch);
		replica_fixture_run(&f);
		ck_assert_int_eq(c.done, 0);
		append(p, 1);
		ck_assert_int_eq(c.done, 1);
		ck_assert_uint_eq(c.parts[p].record_bytes, 10);
		append((p + 1) % 3, 1);
		replica_fixture_advance_ms(&f, 5);
		ck_assert_int_eq(c.done, 1);
		fetch_call_fini(&c);
		end();
	}
}
END_TEST

START_TEST(delayed_fetch_adds_up_bytes_over_partitions_and_loops)
{
	begin();
	append(0, 1); /* 10 bytes at once */
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 50, 60000);
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	append(1, 1);
	append(2, 1);
	append(1, 1);
	ck_assert_int_eq(c.done, 0); /* 40 */
	append(0, 1);
	ck_assert_int_eq(c.done, 1);
	ck_assert_uint_eq(c.parts[0].record_bytes, 20);
	ck_assert_uint_eq(c.parts[1].record_bytes, 20);
	ck_assert_uint_eq(c.parts[2].record_bytes, 10);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_ends_at_its_deadline)
{
	begin();
	append(1, 1);
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 1000, 20);
	delayed_fetch_start(&c.fetch);
	replica_fixture_advance_ms(&f, 19);
	ck_assert_int_eq(c.done, 0);
	replica_fixture_advance_ms(&f, 2);
	ck_assert_int_eq(c.done, 1);
	ck_assert_int_eq(c.parts[0].status, STATUS_OK);
	ck_assert_uint_eq(c.parts[1].record_bytes, 10);
	append(2, 100); /* no waiter is left behind */
	replica_fixture_advance_ms(&f, 30);
	ck_assert_int_eq(c.done, 1);
	fetch_call_fini(&c);
	end();
}
END_TEST

/* Every order of "an owner wakes" and "the deadline": letters of the two loops are let through in turn, by hand. */
START_TEST(delayed_fetch_deadline_and_wake_at_the_same_time_answer_once)
{
	for (int order = 0; order < 2; order++) {
		begin();
		struct fetch_call c;
		struct produce_call p;
		replica_fixture_fetch(&f, &c, 3, 0, 1, 10);
		delayed_fetch_start(&c.fetch);
		replica_fixture_run(&f);
		manual_clock_advance_us(&f.clock, 10 * 1000);
		replica_fixture_produce(&f, &p, 1, 1, 1);
		manual_scheduler_run(f.loops[order == 0 ? 1 : 0]);
		manual_scheduler_run(f.loops[order == 0 ? 0 : 1]);
		replica_fixture_run(&f);
		replica_fixture_advance_ms(&f, 20);
		ck_assert_int_eq(c.done, 1);
		ck_assert_uint_eq(c.parts[1].record_bytes, 10);
		fetch_call_fini(&c);
		end();
	}
}
END_TEST

START_TEST(delayed_fetch_an_append_between_reading_and_waiting_is_not_lost)
{
	begin();
	struct fetch_call c;
	struct produce_call p;
	replica_fixture_fetch(&f, &c, 3, 0, 1, 60000);
	delayed_fetch_start(&c.fetch);
	manual_scheduler_run(f.loops[1]);                 /* has read: nothing */
	replica_fixture_produce(&f, &p, 1, 1, 1);
	manual_scheduler_run(f.loops[1]);                 /* appended before the letter that links the waiter */
	ck_assert_int_eq(c.done, 0);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	ck_assert_uint_eq(c.parts[1].record_bytes, 10);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_an_error_ends_it_at_once)
{
	begin();
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 1, 60000);
	c.parts[1].offset = 7;
	c.parts[2].tp.partition = 5; /* same loop; not hosted */
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	ck_assert_int_eq(c.parts[0].status, STATUS_OK);
	ck_assert_int_eq(c.parts[1].status, STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(c.parts[2].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_hurried_answers_with_what_is_there)
{
	begin();
	append(1, 1);
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 1000, 60000);
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	delayed_fetch_hurry(&c.fetch);
	delayed_fetch_hurry(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	ck_assert_uint_eq(c.parts[1].record_bytes, 10);
	fetch_call_fini(&c);

	replica_fixture_fetch(&f, &c, 3, 0, 1000, 60000);
	delayed_fetch_start(&c.fetch);
	delayed_fetch_hurry(&c.fetch); /* while it reads */
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_keeps_the_answer_within_max_bytes)
{
	begin();
	for (int32_t p = 0; p < 3; p++)
		append(p, 10); /* 100 bytes each */
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 1, 0);
	c.fetch.max_bytes = 150;
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_uint_eq(c.parts[0].record_bytes, 100);
	ck_assert_uint_eq(c.parts[1].record_bytes, 0);
	ck_assert_uint_eq(c.parts[1].records.size_bytes, 0);
	ck_assert_uint_eq(c.parts[2].record_bytes, 0);
	ck_assert_int_eq(c.parts[2].status, STATUS_OK);
	fetch_call_fini(&c);

	replica_fixture_fetch(&f, &c, 3, 0, 1, 0);
	c.fetch.max_bytes = 3; /* the first batch comes whole all the same, or no reader would ever get past it */
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_uint_eq(c.parts[0].record_bytes, 10);
	ck_assert_uint_eq(c.parts[1].record_bytes, 0);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_waits_above_the_high_watermark)
{
	begin();
	logs[1]->flush_at_once = false;
	append(1, 3); /* there, not committed */
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 2, 2, 1, 60000);
	c.fetch.parts = &c.parts[1];
	c.fetch.part_count = 1;
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 0);
	fake_log_finish_flush(logs[1], 2, STATUS_OK); /* up to where it reads from: still nothing for it */
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 0);
	fake_log_finish_flush(logs[1], 3, STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	ck_assert_uint_eq(c.parts[1].record_bytes, 10);
	iobuf_fini(&c.parts[1].records);
	end();
}
END_TEST

START_TEST(delayed_fetch_ends_when_its_partition_goes)
{
	begin();
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 3, 0, 1, 60000);
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	struct order_options o = {.leader_epoch = -2};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_LET_GO, logs[2], &o), STATUS_OK);
	ck_assert_int_eq(c.done, 1);
	ck_assert_int_eq(c.parts[2].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	fetch_call_fini(&c);
	end();
}
END_TEST

START_TEST(delayed_fetch_of_nothing_is_answered)
{
	begin();
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 0, 0, 1, 60000);
	delayed_fetch_start(&c.fetch);
	ck_assert_int_eq(c.done, 1);
	end();
}
END_TEST

UNIT_MAIN("delayed_fetch", delayed_fetch_answers_at_once_when_there_is_enough, delayed_fetch_is_woken_once_by_the_first_append,
	delayed_fetch_adds_up_bytes_over_partitions_and_loops, delayed_fetch_ends_at_its_deadline,
	delayed_fetch_deadline_and_wake_at_the_same_time_answer_once,
	delayed_fetch_an_append_between_reading_and_waiting_is_not_lost, delayed_fetch_an_error_ends_it_at_once,
	delayed_fetch_hurried_answers_with_what_is_there, delayed_fetch_keeps_the_answer_within_max_bytes,
	delayed_fetch_waits_above_the_high_watermark, delayed_fetch_ends_when_its_partition_goes,
	delayed_fetch_of_nothing_is_answered)
