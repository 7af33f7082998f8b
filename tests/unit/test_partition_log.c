#include "storage/legacy_message.h"
#include "storage/partition_directory.h"
#include "tests/simulation/sim_disk.h"
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

START_TEST(partition_log_truncate_cuts_whole_batches_and_goes_on)
{
	struct log_fixture f;
	fixture_init(&f);
	f.settings.segment_bytes = 4000;
	fixture_reopen(&f, false, 0);
	ck_assert_int_eq(partition_log_start_leader_epoch(f.log, 1), STATUS_OK);
	for (int i = 0; i < 30; i++)
		fixture_append(&f, 2, 200, t0 + i);
	ck_assert_int_eq(partition_log_start_leader_epoch(f.log, 2), STATUS_OK);
	for (int i = 0; i < 10; i++)
		fixture_append(&f, 2, 200, t0 + i);
	int32_t epoch;
	int64_t end;
	partition_log_end_offset_for_epoch(f.log, 1, &epoch, &end);
	ck_assert_int_eq(epoch, 1);
	ck_assert_int_eq(end, 60);
	ck_assert_int_eq(partition_log_truncate(f.log, 200), STATUS_OK);
	ck_assert_int_eq(partition_log_end_offset(f.log), 80);
	ck_assert_int_eq(partition_log_truncate(f.log, 61), STATUS_OK); /* inside a batch */
	ck_assert_int_eq(partition_log_end_offset(f.log), 60);
	ck_assert_int_eq(partition_log_latest_epoch(f.log), 1);
	for (int64_t to = 60; to > 0; to -= 14) {
		ck_assert_int_eq(partition_log_truncate(f.log, to), STATUS_OK);
		ck_assert_int_eq(fixture_check_all(&f), to);
		ck_assert_int_eq(fixture_append(&f, 1, 300, t0), to);
		ck_assert_int_eq(partition_log_truncate(f.log, to), STATUS_OK);
		fixture_run(&f);
	}
	fixture_close(&f, true);
	fixture_reopen(&f, true, 4);
	ck_assert_int_eq(fixture_check_all(&f), 4);
	ck_assert_int_eq(partition_log_truncate_fully(f.log, 1000), STATUS_OK);
	ck_assert_int_eq(partition_log_start_offset(f.log), 1000);
	ck_assert_int_eq(fixture_append(&f, 1, 10, t0), 1000);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_truncate_takes_kafkas_other_files_along)
{
	struct log_fixture f;
	uint8_t entries[3 * 34] = {0};
	size_t n;
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 30; i++)
		fixture_append(&f, 1, 50, t0 + i);
	fixture_close(&f, true);
	for (int i = 0; i < 3; i++)
		bytes_put_i64(entries + i * 34 + 18, 9 + i * 10); /* aborted up to 9, 19, 29 */
	char *index = fixture_path(&f, "00000000000000000000.txnindex");
	char *old = fixture_path(&f, "00000000000000000000.snapshot"), *stray = fixture_path(&f, "00000000000000000015.snapshot");
	fixture_store_file(index, entries, sizeof(entries));
	fixture_store_file(old, "s", 1);
	fixture_store_file(stray, "s", 1);
	ck_assert(fixture_exists(&f, "00000000000000000030.snapshot")); /* of the clean stop */
	fixture_reopen(&f, true, 30);
	ck_assert(!fixture_exists(&f, "00000000000000000015.snapshot")); /* no segment begins there */
	ck_assert_int_eq(partition_log_truncate(f.log, 20), STATUS_OK);
	fixture_run(&f);
	free(fixture_load_file(index, &n));
	ck_assert_uint_eq(n, 2 * 34);
	ck_assert(fixture_exists(&f, "00000000000000000000.snapshot") && !fixture_exists(&f, "00000000000000000030.snapshot"));
	free(index);
	free(old);
	free(stray);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_readers_of_what_is_cut_never_see_other_records)
{
	struct log_fixture f;
	struct iobuf out;
	size_t n;
	uint8_t *before = check_alloc(4096), *after = check_alloc(4096);
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 10; i++)
		fixture_append(&f, 1, 200, t0 + i);
	iobuf_init(&out);
	ck_assert_int_eq(partition_log_read(f.log, 0, 10, 100000, true, &out, &n), STATUS_OK);
	const struct iobuf_fragment *g = iobuf_peek_file(&out);
	struct disk_file *file = CONTAINER_OF(g->file, struct disk_file, shared);
	size_t got;
	ck_assert_int_eq(disk_file_pread(file, before, n, 0, &got), STATUS_OK);
	ck_assert_int_eq(partition_log_truncate(f.log, 5), STATUS_OK);
	for (int i = 0; i < 10; i++)
		fixture_append(&f, 2, 100, t0 + i);
	fixture_run(&f);
	ck_assert_int_eq(disk_file_pread(file, after, n, 0, &got), STATUS_OK);
	ck_assert_uint_eq(got, n / 2); /* the end of the file */
	ck_assert_mem_eq(before, after, got);
	/* The same where nothing is left of the segment. */
	ck_assert_int_eq(partition_log_truncate_fully(f.log, 0), STATUS_OK);
	fixture_append(&f, 1, 20, t0);
	fixture_run(&f);
	ck_assert_int_eq(disk_file_pread(file, after, n, 0, &got), STATUS_OK);
	ck_assert_mem_eq(before, after, got);
	iobuf_fini(&out);
	free(before);
	free(after);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_retention_trusts_the_brokers_clock)
{
	struct log_fixture f;
	fixture_init(&f);
	f.settings.segment_bytes = 2000;
	f.settings.retention_ms = 60000;
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 20; i++)
		fixture_append(&f, 1, 400, 1000000); /* written in 1970, says the producer */
	ck_assert_uint_eq(partition_log_apply_retention(f.log, 20), 0);
	manual_clock_advance_us(&f.clock, (int64_t)61000 * 1000);
	ck_assert_uint_eq(partition_log_apply_retention(f.log, 3), 0); /* never past the high watermark */
	fixture_append(&f, 1, 400, 1000000);
	ck_assert_uint_eq(partition_log_apply_retention(f.log, 21), 5);
	ck_assert_int_eq(partition_log_start_offset(f.log), 20);
	ck_assert_int_eq(fixture_check_all(&f), 21);
	fixture_run(&f);
	ck_assert(fixture_exists(&f, "00000000000000000000.log.deleted") && !fixture_exists(&f, "00000000000000000000.log"));
	manual_scheduler_advance_us(f.scheduler, (int64_t)61000 * 1000);
	ck_assert(!fixture_exists(&f, "00000000000000000000.log.deleted"));
	/* All of it: a fresh segment stands in. */
	ck_assert_uint_eq(partition_log_apply_retention(f.log, 21), 1);
	ck_assert_int_eq(partition_log_start_offset(f.log), 21);
	fixture_run(&f);
	ck_assert_int_eq(fixture_append(&f, 1, 10, t0), 21);
	fixture_close(&f, true);
	fixture_reopen(&f, true, 22);
	ck_assert_int_eq(partition_log_start_offset(f.log), 21);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_retention_by_size_and_by_log_start)
{
	struct log_fixture f;
	fixture_init(&f);
	f.settings.segment_bytes = 2000;
	f.settings.retention_ms = -1;
	f.settings.retention_bytes = 5000;
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 40; i++)
		fixture_append(&f, 1, 400, t0);
	int64_t size = partition_log_size_bytes(f.log);
	unsigned removed = partition_log_apply_retention(f.log, 40);
	ck_assert_uint_gt(removed, 0);
	ck_assert_int_ge(partition_log_size_bytes(f.log), 5000);
	ck_assert_int_lt(partition_log_size_bytes(f.log), 5000 + 2000);
	ck_assert_int_lt(partition_log_size_bytes(f.log), size);
	/* Compacted topics lose only what lies below their start. */
	f.settings.cleanup_policy = CLEANUP_compact;
	f.settings.retention_bytes = 0;
	partition_log_update_settings(f.log, &f.settings);
	ck_assert_uint_eq(partition_log_apply_retention(f.log, 40), 0);
	ck_assert_int_eq(partition_log_set_start_offset(f.log, 41), STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(partition_log_set_start_offset(f.log, 38), STATUS_OK);
	ck_assert_uint_gt(partition_log_apply_retention(f.log, 40), 0);
	ck_assert_int_eq(partition_log_start_offset(f.log), 38);
	fixture_run(&f);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_of_old_messages_is_searched_and_read)
{
	struct log_fixture f;
	uint8_t bytes[1024];
	size_t n = 0, read = 0;
	int64_t offset, timestamp;
	fixture_init(&f);
	for (int i = 0; i < 6; i++) { /* formats 0 and 1 in one segment, as an old broker left it */
		struct legacy_message m = {.magic = i < 2 ? 0 : 1, .offset = i, .timestamp = t0 + i, .value = slice_of_str("v")};
		legacy_message_write(&m, bytes + n);
		n += legacy_message_size(m.magic, m.key, m.value);
	}
	char *path = fixture_path(&f, "00000000000000000000.log");
	fixture_store_file(path, bytes, n);
	free(path);
	fixture_reopen(&f, false, 0);
	ck_assert_int_eq(partition_log_end_offset(f.log), 6);
	ck_assert_int_eq(partition_log_offset_for_time(f.log, t0 + 4, &offset, &timestamp), STATUS_OK);
	ck_assert_int_eq(offset, 4);
	ck_assert_int_eq(timestamp, t0 + 4);
	ck_assert_int_eq(partition_log_offset_for_time(f.log, t0, &offset, &timestamp), STATUS_OK);
	ck_assert_int_eq(offset, 2); /* the ones before it have no time */
	ck_assert_int_eq(partition_log_offset_for_time(f.log, t0 + 6, &offset, &timestamp), STATUS_OK);
	ck_assert_int_eq(offset, -1);
	uint8_t *all = fixture_read(&f, 0, 6, 10000, true, &read);
	ck_assert_uint_eq(read, n);
	ck_assert_mem_eq(all, bytes, n);
	free(all);
	fixture_append(&f, 1, 10, t0 + 9); /* goes on in format 2 */
	ck_assert_int_eq(partition_log_offset_for_time(f.log, t0 + 6, &offset, &timestamp), STATUS_OK);
	ck_assert_int_eq(offset, 6);
	fixture_run(&f);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_segment_starts_are_those_old_enough)
{
	struct log_fixture f;
	int64_t starts[8];
	fixture_init(&f);
	int64_t wall = clock_wall_ms(f.env.clock);
	f.settings.segment_bytes = 1000;
	fixture_reopen(&f, false, 0);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -1, starts, 8), 1); /* empty: its start is its end */
	ck_assert_int_eq(starts[0], 0);
	for (int i = 0; i < 3; i++) {
		fixture_append(&f, 5, 150, t0); /* one to a segment */
		manual_clock_advance_us(&f.clock, 1000 * 1000);
	}
	const int64_t all[] = {15, 10, 5, 0};
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -1, starts, 8), 4);
	ck_assert_mem_eq(starts, all, sizeof(all));
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -1, starts, 2), 2);
	ck_assert_int_eq(starts[1], 10);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -2, starts, 8), 1);
	ck_assert_int_eq(starts[0], 0);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, wall + 1000, starts, 8), 2); /* written at 0 and 1 s */
	ck_assert_int_eq(starts[0], 5);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, wall - 1, starts, 8), 0);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, INT64_MAX, starts, 8), 4);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -1, starts, 0), 0);
	ck_assert_int_eq(partition_log_set_start_offset(f.log, 7), STATUS_OK);
	ck_assert_uint_eq(partition_log_segment_starts(f.log, -2, starts, 8), 1);
	ck_assert_int_eq(starts[0], 7);
	fixture_run(&f);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_offset_for_time_finds_the_record)
{
	struct log_fixture f;
	int64_t offset, timestamp;
	fixture_init(&f);
	f.settings.segment_bytes = 5000;
	f.settings.index_interval_bytes = 500;
	fixture_reopen(&f, false, 0);
	for (int i = 0; i < 100; i++)
		fixture_append(&f, 3, 50, t0 + i * 10);
	for (int closed = 0; closed < 2; closed++) {
		for (int64_t t = -5; t < 1010; t++) {
			ck_assert_int_eq(partition_log_offset_for_time(f.log, t0 + t, &offset, &timestamp), STATUS_OK);
			int64_t expected = t <= 0 ? 0 : t > 992 ? -1 : t / 10 * 3 + (t % 10 > 2 ? 3 : t % 10);
			ck_assert_int_eq(offset, expected);
		}
		ck_assert_int_eq(partition_log_max_timestamp(f.log, &offset, &timestamp), STATUS_OK);
		ck_assert_int_eq(offset, 299);
		ck_assert_int_eq(timestamp, t0 + 992);
		fixture_close(&f, true);
		fixture_reopen(&f, true, 300);
	}
	ck_assert_int_eq(partition_log_set_start_offset(f.log, 100), STATUS_OK);
	ck_assert_int_eq(partition_log_offset_for_time(f.log, t0, &offset, &timestamp), STATUS_OK);
	ck_assert_int_eq(offset, 100);
	ck_assert_int_eq(partition_log_bytes_between(f.log, 0, 100), 0);
	ck_assert_int_eq(partition_log_bytes_between(f.log, 100, 100), 0);
	ck_assert_int_ge(partition_log_bytes_between(f.log, 100, 300), 200 * 50);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_append_stamps_time_and_refuses_what_cannot_fit)
{
	struct log_fixture f;
	struct log_append_info info;
	size_t n;
	fixture_init(&f);
	f.settings.segment_bytes = 3000;
	f.settings.message_timestamp_type = TIMESTAMP_LogAppendTime;
	fixture_reopen(&f, false, 0);
	ck_assert_int_eq(fixture_try_append(&f, 2, 2000, 5, 0, &info), STATUS_RECORD_LIST_TOO_LARGE);
	ck_assert_int_eq(fixture_try_append(&f, 2, 100, 5, 3, &info), STATUS_OK);
	ck_assert_int_eq(info.log_append_time_ms, t0);
	uint8_t *p = fixture_read(&f, 0, 2, 1, true, &n);
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
	ck_assert_int_eq(b.max_timestamp, t0);
	ck_assert_int_eq(b.leader_epoch, 3);
	ck_assert((b.attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0);
	ck_assert_int_eq(partition_log_latest_epoch(f.log), 3);
	free(p);
	fixture_fini(&f);
}
END_TEST

START_TEST(partition_log_follower_takes_batches_as_they_are)
{
	struct log_fixture leader, follower;
	size_t n;
	int64_t last;
	fixture_init(&leader);
	fixture_init(&follower);
	follower.settings.segment_bytes = 3000;
	fixture_reopen(&leader, false, 0);
	fixture_reopen(&follower, false, 0);
	ck_assert_int_eq(partition_log_start_leader_epoch(leader.log, 6), STATUS_OK);
	for (int i = 0; i < 50; i++)
		fixture_append(&leader, 1 + i % 4, 100, t0 + i);
	int64_t end = partition_log_end_offset(leader.log);
	uint8_t *p = fixture_read(&leader, 0, end, SIZE_MAX, true, &n);
	ck_assert_int_eq(partition_log_append_as_follower(follower.log, slice_of(p, n - 10), &last), STATUS_OK);
	ck_assert_int_lt(last, end - 1);
	ck_assert_int_eq(partition_log_end_offset(follower.log), last + 1);
	ck_assert_int_eq(partition_log_append_as_follower(follower.log, slice_of(p, n), &last), STATUS_OFFSET_OUT_OF_RANGE);
	free(p);
	p = fixture_read(&leader, last + 1, end, SIZE_MAX, true, &n);
	p[n - 1] ^= 1;
	ck_assert_int_eq(partition_log_append_as_follower(follower.log, slice_of(p, n), &last), STATUS_CORRUPT_MESSAGE);
	p[n - 1] ^= 1;
	ck_assert_int_eq(partition_log_append_as_follower(follower.log, slice_of(p, n), &last), STATUS_OK);
	free(p);
	ck_assert_int_eq(fixture_check_all(&follower), end);
	ck_assert_int_eq(partition_log_latest_epoch(follower.log), 6);
	fixture_fini(&leader);
	fixture_fini(&follower);
}
END_TEST

/* The same fixture on a disk that can fail. */
static struct sim_disk *simulated(struct log_fixture *f)
{
	fixture_init(f);
	struct sim_disk *sim = sim_disk_new(7, &f->clock.clock);
	sim_disk_prepare_directory(sim, f->directory);
	f->env.disk = sim_disk_disk(sim);
	fixture_reopen(f, false, 0);
	return sim;
}

START_TEST(partition_log_full_disk_is_an_answer)
{
	struct log_fixture f;
	struct log_append_info info;
	struct sim_disk *sim = simulated(&f);
	for (int i = 0; i < 20; i++)
		fixture_append(&f, 1, 100, t0);
	sim_disk_set_capacity(sim, sim_disk_used_bytes(sim) + 50);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fixture_try_append(&f, 1, 100, t0, 0, &info), STATUS_NO_SPACE);
	ck_assert_int_eq(fixture_check_all(&f), 20);
	partition_log_flush(f.log);
	fixture_run(&f);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 20);
	fixture_kill(&f);
	fixture_reopen(&f, false, 0); /* starts without a byte free */
	ck_assert_int_eq(fixture_check_all(&f), 20);
	sim_disk_set_capacity(sim, INT64_MAX);
	ck_assert_int_eq(fixture_append(&f, 1, 100, t0), 20);
	fixture_fini(&f);
	sim_disk_free(sim);
}
END_TEST

static void remember(void *arg, enum status s)
{
	enum status *status = arg;
	*status = s;
}

START_TEST(partition_log_failed_fsync_fences_for_good)
{
	struct log_fixture f;
	struct log_append_info info;
	enum status told = STATUS_OK;
	struct sim_disk *sim = simulated(&f);
	partition_log_on_flushed(f.log, remember, &told);
	fixture_append(&f, 1, 100, t0);
	partition_log_flush(f.log);
	fixture_run(&f);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 1);
	fixture_append(&f, 1, 100, t0);
	sim_disk_fail(sim, SIM_DISK_FDATASYNC, 1, STATUS_IO);
	partition_log_flush(f.log);
	fixture_run(&f);
	ck_assert_int_eq(told, STATUS_IO);
	ck_assert(partition_log_is_fenced(f.log));
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 1);
	/* The next fsync would succeed, and lie. */
	partition_log_flush(f.log);
	fixture_run(&f);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 1);
	ck_assert_int_eq(fixture_try_append(&f, 1, 100, t0, 0, &info), STATUS_FENCED_LOG);
	ck_assert_int_eq(fixture_check_all(&f), 2); /* reading goes on */
	fixture_close(&f, true);
	ck_assert_int_eq(f.closed, STATUS_FENCED_LOG);
	/* The marker of a clean stop does not hold for this one. */
	fixture_reopen(&f, true, 1);
	ck_assert_int_eq(partition_log_flushed_offset(f.log), 1);
	fixture_fini(&f);
	sim_disk_free(sim);
}
END_TEST

START_TEST(partition_log_any_failing_call_leaves_a_log_that_opens)
{
	for (uint64_t nth = 1; nth < 400; nth++) {
		struct log_fixture f;
		fixture_init(&f);
		f.settings.segment_bytes = 1500;
		struct sim_disk *sim = sim_disk_new(nth, &f.clock.clock);
		sim_disk_prepare_directory(sim, f.directory);
		f.env.disk = sim_disk_disk(sim);
		sim_disk_fail(sim, SIM_DISK_ANY, nth, nth % 2 == 0 ? STATUS_IO : STATUS_NO_SPACE);
		int64_t flushed = 0;
		if (fixture_open(&f, false, 0) == STATUS_OK) {
			struct log_append_info info;
			for (int i = 0; i < 12; i++) {
				(void)fixture_try_append(&f, 1, 300, t0, 0, &info);
				partition_log_flush(f.log);
				fixture_run(&f);
				flushed = partition_log_flushed_offset(f.log);
				if (i == 8 && partition_log_end_offset(f.log) > 2)
					(void)!partition_log_truncate(f.log, partition_log_end_offset(f.log) - 2);
				if (i == 10)
					(void)partition_log_apply_retention(f.log, 3);
			}
			fixture_close(&f, nth % 3 == 0);
		}
		bool hit = sim_disk_fault_hit(sim);
		sim_disk_disarm(sim);
		fixture_reopen(&f, false, 0);
		ck_assert_int_ge(fixture_check_all(&f), flushed);
		fixture_fini(&f);
		sim_disk_free(sim);
		if (!hit)
			break; /* every call of the scenario has failed once */
		ck_assert_uint_lt(nth, 399);
	}
}
END_TEST

/* The directory of a new log becomes durable with its first flush, not before: then, whatever the dice say, it is there. */
START_TEST(partition_log_in_a_new_directory_is_durable_once_flushed)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct log_fixture f;
		struct uuid id = {{1, 2, 3}}, found;
		fixture_init(&f);
		struct sim_disk *sim = sim_disk_new(seed, &f.clock.clock);
		sim_disk_prepare_directory(sim, f.root);
		f.env.disk = sim_disk_disk(sim);
		struct log_place place = {.disk = f.env.disk, .directory = f.directory};
		ck_assert_int_eq(disk_mkdir(f.env.disk, f.directory), STATUS_OK);
		ck_assert_int_eq(partition_metadata_write_new(&place, &id), STATUS_OK);
		struct log_open_options o = {
			.directory = f.directory, .settings = &f.settings, .log_start_offset = -1, .is_new = true};
		ck_assert_int_eq(topic_partition_set(&o.tp, slice_of_str("t"), 0), STATUS_OK);
		uint64_t syncs = sim_disk_calls(sim, SIM_DISK_FDATASYNC) + sim_disk_calls(sim, SIM_DISK_SYNC_DIRECTORY);
		ck_assert_int_eq(partition_log_open(&f.env, &o, &f.log, &f.failure), STATUS_OK);
		partition_log_adopt(f.log, manual_scheduler_scheduler(f.scheduler));
		ck_assert_int_eq(partition_log_start_leader_epoch(f.log, 3), STATUS_OK);
		fixture_run(&f);
		/* A thousand of them wait for no disk. */
		ck_assert_uint_eq(sim_disk_calls(sim, SIM_DISK_FDATASYNC) + sim_disk_calls(sim, SIM_DISK_SYNC_DIRECTORY), syncs);
		(void)fixture_append(&f, 2, 50, 1);
		partition_log_flush(f.log);
		fixture_run(&f);
		ck_assert_int_eq(partition_log_flushed_offset(f.log), 2);
		sim_disk_power_off(sim, 1);
		fixture_kill(&f);
		sim_disk_crash(sim);
		ck_assert_int_eq(partition_metadata_read(&place, &found), STATUS_OK);
		ck_assert(uuid_equal(&id, &found));
		fixture_reopen(&f, false, 0);
		ck_assert_int_eq(fixture_check_all(&f), 2);
		ck_assert_int_eq(partition_log_latest_epoch(f.log), 3);
		fixture_close(&f, false);
		f.env.disk = disk_system();
		sim_disk_free(sim);
		fixture_fini(&f);
	}
}
END_TEST

UNIT_MAIN("partition_log", partition_log_in_a_new_directory_is_durable_once_flushed,
	partition_log_append_then_read_returns_the_bytes, partition_log_read_keeps_to_its_limits,
	partition_log_flush_moves_flushed_offset_and_tells, partition_log_rolls_by_size_and_time_and_reopens,
	partition_log_truncate_cuts_whole_batches_and_goes_on, partition_log_truncate_takes_kafkas_other_files_along, partition_log_readers_of_what_is_cut_never_see_other_records,
	partition_log_retention_trusts_the_brokers_clock, partition_log_retention_by_size_and_by_log_start,
	partition_log_segment_starts_are_those_old_enough, partition_log_of_old_messages_is_searched_and_read,
	partition_log_offset_for_time_finds_the_record, partition_log_append_stamps_time_and_refuses_what_cannot_fit,
	partition_log_follower_takes_batches_as_they_are, partition_log_full_disk_is_an_answer,
	partition_log_failed_fsync_fences_for_good, partition_log_any_failing_call_leaves_a_log_that_opens)
