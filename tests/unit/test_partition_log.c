#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"

static const int64_t t0 = (int64_t)FIXTURE_WALL_MS * 1000;

START_TEST(partition_log_append_then_read_returns_the_bytes)
{
	struct log_fixture f;
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	ck_assert_int_eq(partition_log_end_offset(f.log), 0);
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(fixture_append(&f, 1 + i % 7, 100 + (size_t)(i * 37 % 900), t0 + i), partition_log_end_offset(f.log) - 1 - i % 7);
	ck_assert_int_eq(fixture_check_all(&f), partition_log_end_offset(f.log));
	fixture_run(&f);
	ck_assert_int_eq(fixture_check_all(&f), partition_log_end_offset(f.log));
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_read_keeps_to_its_limits)
{
	struct log_fixture f;
	size_t n;
	struct iobuf out;
	fixture_init(&f);
	f.settings.segment_bytes = 16384;
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 200; i++)
		fixture_append(&f, 2, 200, t0 + i);
	for (int64_t offset = 0; offset < 400; offset += 13) {
		for (size_t max = 0; max < 40000; max += 3001) {
			for (int64_t end = offset; end <= 400; end += 37) {
				uint8_t *p = fixture_read(&f, offset, end, max, true, &n);
				size_t at = 0;
				int64_t next = offset - offset % 2, batches = 0;
				for (; at < n; batches++) {
					struct record_batch b;
					ck_assert_int_eq(record_batch_parse(slice_of(p + at, n - at), &b), STATUS_OK);
					ck_assert_int_eq(b.base_offset, next);
					next = record_batch_last_offset(&b) + 1;
					ck_assert_int_le(next, end);
					at += b.data.n;
				}
				ck_assert_uint_eq(at, n);
				ck_assert(n <= max || batches == 1);
				/* Stopped only where the next batch would have passed a bound. */
				ck_assert(next + 2 > end || n + 500 > max);
				free(p);
			}
		}
	}
	iobuf_init(&out);
	ck_assert_int_eq(partition_log_read(f.log, 401, 500, 100, true, &out, &n), STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(partition_log_read(f.log, -1, 500, 100, true, &out, &n), STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(partition_log_read(f.log, 0, 400, 100, false, &out, &n), STATUS_OK);
	ck_assert_uint_eq(n, 0);
	iobuf_fini(&out);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_flush_moves_flushed_offset_and_tells)
{
	struct log_fixture f;
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	fixture_append(&f, 3, 100, t0);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 0);
	partition_log_flush(f.log);
	fixture_append(&f, 3, 100, t0);
	fixture_run(&f);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 3);
	manual_scheduler_advance_us(f.scheduler, 1001000); /* flush.ms */
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 6);
	ck_assert_int_eq(partition_log_recovery_point(f.log, 4), 4);
	ck_assert_int_eq(partition_log_recovery_point(f.log, 9), 6);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_rolls_by_size_and_time_and_reopens)
{
	struct log_fixture f;
	fixture_init(&f);
	f.settings.segment_bytes = 5000;
	f.settings.segment_ms = 60000;
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 50; i++)
		fixture_append(&f, 1, 400, t0 + i);
	ck_assert(fixture_exists(&f, "00000000000000000010.log"));
	manual_clock_advance_us(&f.clock, 60001000);
	ck_assert_int_eq(partition_log_roll_if_due(f.log), STATUS_OK);
	ck_assert(fixture_exists(&f, "00000000000000000050.log"));
	fixture_append(&f, 1, 400, t0 - 1000000000); /* producers' clocks do not count */
	ck_assert_int_eq(fixture_append(&f, 1, 400, t0), 51);
	ck_assert(!fixture_exists(&f, "00000000000000000051.log"));
	fixture_close(&f, true);
	ck_assert_int_eq(f.closed, STATUS_OK);
	ck_assert(fixture_exists(&f, "00000000000000000000.index"));
	ck_assert(fixture_exists(&f, "00000000000000000050.timeindex"));
	for (int clean = 0; clean < 2; clean++) {
		fixture_reopen(&f, clean, clean ? 52 : 0);
		ck_assert_int_eq(fixture_check_all(&f), 52);
		fixture_close(&f, clean);
	}
	fixture_fini(&f);
}
END_TEST

UNIT_MAIN("partition_log", partition_log_append_then_read_returns_the_bytes, partition_log_read_keeps_to_its_limits,
	partition_log_flush_moves_flushed_offset_and_tells, partition_log_rolls_by_size_and_time_and_reopens)
