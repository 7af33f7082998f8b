#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"
#include <unistd.h>

static const int64_t t0 = (int64_t)FIXTURE_WALL_MS * 1000;

/* Three segments, the last with several batches; every batch one record of value_size bytes. */
static void fill(struct log_fixture *f, int batches)
{
	f->settings.segment_bytes = 3000;
	f->settings.index_interval_bytes = 300;
	fixture_reopen(f, false, 0);
	ck_assert_int_eq(partition_log_start_leader_epoch(f->log, 4), STATUS_OK);
	for (int i = 0; i < batches; i++)
		fixture_append(f, 1 + i % 3, 100, t0 + i * 100);
}

/* All names in the partition's directory that end so. */
static size_t files_with(const struct log_fixture *f, const char *extension, char paths[16][160])
{
	char command[200];
	size_t n = 0;
	(void)snprintf(command, sizeof(command), "ls %s/*%s", f->directory, extension);
	FILE *in = popen(command, "r");
	ck_assert_ptr_nonnull(in);
	while (n < 16 && fgets(paths[n], 160, in) != NULL) {
		paths[n][strcspn(paths[n], "\n")] = '\0';
		n++;
	}
	(void)pclose(in);
	return n;
}

/* Positions where the batches of the file end. */
static size_t batch_ends(const uint8_t *bytes, size_t n, size_t ends[64])
{
	size_t count = 0, at = 0;
	while (at < n) {
		size_t size;
		ck_assert_int_eq(record_batch_peek_size(slice_of(bytes + at, n - at), SIZE_MAX, &size), STATUS_OK);
		at += size;
		ends[count++] = at;
		ck_assert_uint_lt(count, 64);
	}
	return count;
}

static void torn_tail(bool clean, bool known_synced)
{
	struct log_fixture f;
	char logs[16][160];
	size_t n, ends[64];
	fixture_init(&f);
	fill(&f, 31);
	int64_t end = partition_log_end_offset(f.log);
	fixture_close(&f, true);
	size_t segments = files_with(&f, ".log", logs);
	ck_assert_uint_ge(segments, 3);
	uint8_t *bytes = fixture_load_file(logs[segments - 1], &n);
	size_t batches = batch_ends(bytes, n, ends);
	ck_assert_uint_ge(batches, 4);
	for (size_t cut = ends[batches - 4]; cut < n; cut++) {
		fixture_store_file(logs[segments - 1], bytes, cut);
		fixture_reopen(&f, clean, known_synced ? end : 0);
		size_t whole = 0;
		while (whole < batches && ends[whole] <= cut)
			whole++;
		int64_t expected = bytes_get_i64(bytes + ends[whole - 1]);
		ck_assert_int_eq(partition_log_end_offset(f.log), expected);
		ck_assert_int_eq(fixture_check_all(&f), expected);
		ck_assert_int_eq(fixture_append(&f, 1, 10, t0), expected);
		fixture_close(&f, false);
	}
	free(bytes);
	fixture_fini(&f);
}

START_TEST(log_recovery_keeps_every_whole_batch_of_a_torn_tail)
{
	torn_tail(false, false);
	torn_tail(false, true);
	torn_tail(true, true);
	torn_tail(true, false);
}
END_TEST

/* n bytes of a file, or none at all with bytes NULL; then the log must be whole. */
static void open_whole(struct log_fixture *f, const char *path, const uint8_t *bytes, size_t n, int64_t end)
{
	for (int clean = 0; clean < 2; clean++) {
		if (bytes == NULL)
			ck_assert_int_eq(unlink(path), 0);
		else
			fixture_store_file(path, bytes, n);
		fixture_reopen(f, clean != 0, clean != 0 ? end : end / 2);
		ck_assert_int_eq(fixture_check_all(f), end);
		ck_assert_int_eq(partition_log_latest_epoch(f->log), 4);
		int64_t offset, timestamp;
		ck_assert_int_eq(partition_log_offset_for_time(f->log, t0 + 1000, &offset, &timestamp), STATUS_OK);
		ck_assert_int_eq(timestamp, t0 + 1000);
		ck_assert_int_eq(partition_log_max_timestamp(f->log, &offset, &timestamp), STATUS_OK);
		ck_assert_int_eq(offset, end - 1);
		fixture_close(f, true);
	}
}

START_TEST(log_recovery_opens_with_any_small_file_missing_or_cut)
{
	static const char *const extensions[] = {".index", ".timeindex", "leader-epoch-checkpoint"};
	struct log_fixture f;
	fixture_init(&f);
	fill(&f, 40);
	int64_t end = partition_log_end_offset(f.log);
	fixture_close(&f, true);
	for (size_t e = 0; e < 3; e++) {
		char paths[16][160];
		size_t count = files_with(&f, extensions[e], paths);
		ck_assert_uint_ge(count, e == 2 ? 1 : 3);
		for (size_t i = 0; i < count; i++) {
			size_t n;
			uint8_t *bytes = fixture_load_file(paths[i], &n);
			for (size_t cut = 0; cut < n; cut++) {
				/* A time index cut between entries still is one: it ends a search too early, and nobody can tell. */
				if (e == 1 && cut % 12 == 0 && cut > 0)
					continue;
				open_whole(&f, paths[i], bytes, cut, end);
			}
			open_whole(&f, paths[i], NULL, 0, end);
			free(bytes);
		}
	}
	fixture_fini(&f);
}
END_TEST

START_TEST(log_recovery_refuses_damage_below_the_recovery_point)
{
	struct log_fixture f;
	char logs[16][160];
	size_t n, after;
	fixture_init(&f);
	fill(&f, 31);
	int64_t end = partition_log_end_offset(f.log);
	fixture_close(&f, true);
	size_t segments = files_with(&f, ".log", logs);
	uint8_t *bytes = fixture_load_file(logs[segments - 1], &n);
	for (size_t at = 8; at < n - 300; at += 97) {
		bytes[at] ^= 0x10;
		fixture_store_file(logs[segments - 1], bytes, n);
		enum status s = fixture_open(&f, false, end);
		/* Trusted indexes let recovery begin behind the damage: then a reader meets it. Otherwise the files stay as they are. */
		if (s == STATUS_OK) {
			ck_assert_int_eq(partition_log_end_offset(f.log), end);
			fixture_close(&f, false);
		} else {
			ck_assert_int_eq(s, STATUS_CORRUPT);
			ck_assert_ptr_nonnull(strstr(f.failure.text, "recovery point"));
		}
		uint8_t *now = fixture_load_file(logs[segments - 1], &after);
		ck_assert_uint_eq(after, n);
		ck_assert_mem_eq(now, bytes, n);
		free(now);
		bytes[at] ^= 0x10;
	}
	/* Not known to be synced: cut. */
	bytes[n - 150] ^= 1;
	fixture_store_file(logs[segments - 1], bytes, n);
	fixture_reopen(&f, false, 0);
	ck_assert_int_lt(partition_log_end_offset(f.log), end);
	fixture_check_all(&f);
	free(bytes);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_recovery_drops_segments_behind_a_torn_one)
{
	struct log_fixture f;
	char logs[16][160];
	size_t n;
	fixture_init(&f);
	fill(&f, 40);
	fixture_close(&f, true);
	ck_assert_uint_ge(files_with(&f, ".log", logs), 3);
	uint8_t *bytes = fixture_load_file(logs[1], &n);
	fixture_store_file(logs[1], bytes, n - 1);
	fixture_reopen(&f, false, 0);
	fixture_check_all(&f);
	fixture_close(&f, true);
	ck_assert_uint_eq(files_with(&f, ".log", logs), 2);
	free(bytes);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_recovery_zero_bytes_at_the_end_are_cut)
{
	struct log_fixture f;
	char logs[16][160];
	fixture_init(&f);
	fill(&f, 10);
	int64_t end = partition_log_end_offset(f.log);
	fixture_close(&f, true);
	size_t count = files_with(&f, ".log", logs), n;
	free(fixture_load_file(logs[count - 1], &n));
	ck_assert_int_eq(truncate(logs[count - 1], (off_t)n + 5000), 0);
	fixture_reopen(&f, false, end);
	ck_assert_int_eq(fixture_check_all(&f), end);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_recovery_finishes_swaps_and_drops_leftovers)
{
	struct log_fixture f;
	char logs[16][160], target[200];
	fixture_init(&f);
	fill(&f, 40);
	int64_t end = partition_log_end_offset(f.log);
	fixture_close(&f, true);
	ck_assert_uint_ge(files_with(&f, ".log", logs), 3);
	/* The first segment has been cleaned: its swap takes its place, with its indexes rebuilt. */
	(void)snprintf(target, sizeof(target), "%s.swap", logs[0]);
	ck_assert_int_eq(rename(logs[0], target), 0);
	const char *leftovers[] = {"00000000000000000099.log.deleted", "00000000000000000099.index.cleaned", "next-segment.tmp",
		"00000000000000000777.index", "00000000000000000777.txnindex"};
	for (size_t i = 0; i < 5; i++) {
		char *path = fixture_path(&f, leftovers[i]);
		fixture_store_file(path, "x", 1);
		free(path);
	}
	fixture_reopen(&f, true, end);
	ck_assert_int_eq(fixture_check_all(&f), end);
	for (size_t i = 0; i < 5; i++)
		ck_assert_msg(!fixture_exists(&f, leftovers[i]), "%s", leftovers[i]);
	ck_assert(fixture_exists(&f, "00000000000000000000.log"));
	fixture_fini(&f);
}
END_TEST

START_TEST(log_recovery_old_message_formats_are_walked)
{
	/* One message of magic 0 at offset 0, one of magic 1 at offset 1 with a timestamp. */
	static const uint8_t old[] = {
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x51, 0xdf, 0x3a, 0x32,
		0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x61, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x17, 0xf8, 0x7c, 0x83, 0xe4, 0x01, 0x00, 0x00, 0x00, 0x01,
		0x89, 0x7b, 0xd9, 0x84, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x61,
	};
	struct log_fixture f;
	size_t n;
	fixture_init(&f);
	char *path = fixture_path(&f, "00000000000000000000.log");
	for (int clean = 0; clean < 2; clean++) {
		fixture_store_file(path, old, sizeof(old));
		fixture_reopen(&f, clean != 0, clean != 0 ? 2 : 0);
		ck_assert_int_eq(partition_log_end_offset(f.log), 2);
		uint8_t *p = fixture_read(&f, 1, 2, 1, true, &n);
		ck_assert_uint_eq(n, 35);
		ck_assert_mem_eq(p, old + 27, n);
		free(p);
		int64_t offset, timestamp;
		ck_assert_int_eq(partition_log_max_timestamp(f.log, &offset, &timestamp), STATUS_OK);
		ck_assert_int_eq(offset, 1);
		ck_assert_int_eq(timestamp, 1690000000000);
		/* Batches of today follow in the same segment. */
		ck_assert_int_eq(fixture_append(&f, 2, 50, t0), 2);
		p = fixture_read(&f, 0, 4, 100000, true, &n);
		ck_assert_mem_eq(p, old, sizeof(old));
		free(p);
		fixture_close(&f, true);
		fixture_reopen(&f, false, 0);
		ck_assert_int_eq(partition_log_end_offset(f.log), 4);
		fixture_close(&f, true);
	}
	/* A wrong checksum: cut, where nothing says it was synced. */
	uint8_t bad[sizeof(old)];
	memcpy(bad, old, sizeof(old));
	bad[sizeof(old) - 1] ^= 1;
	fixture_store_file(path, bad, sizeof(bad));
	fixture_reopen(&f, false, 0);
	ck_assert_int_eq(partition_log_end_offset(f.log), 1);
	free(path);
	fixture_fini(&f);
}
END_TEST

UNIT_MAIN("log_recovery", log_recovery_keeps_every_whole_batch_of_a_torn_tail,
	log_recovery_opens_with_any_small_file_missing_or_cut, log_recovery_refuses_damage_below_the_recovery_point,
	log_recovery_drops_segments_behind_a_torn_one, log_recovery_zero_bytes_at_the_end_are_cut,
	log_recovery_finishes_swaps_and_drops_leftovers, log_recovery_old_message_formats_are_walked)
