#include "storage/log_index.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>
#include <unistd.h>

static enum status write_out(struct log_index *ix, const struct log_fixture *f, bool final)
{
	struct log_index_write w;
	log_index_write_take(ix, f->directory, final, false, &w);
	log_index_write_run(&w, disk_system());
	enum status s = w.status;
	log_index_write_done(&w, ix);
	return s;
}

/* n entries, the key a multiple of 10. */
static void fill(struct log_index *ix, int n)
{
	for (int i = 1; i <= n; i++)
		log_index_append(ix, ix->base_offset + i * 10, ix->kind == LOG_INDEX_OFFSET ? i * 100 : ix->base_offset + i);
}

static int64_t floor_key(const struct log_index *ix, const struct log_fixture *f, int64_t limit)
{
	struct log_index_entry e;
	enum status s = log_index_floor(ix, disk_system(), f->directory, LOG_INDEX_KEY, limit, &e);
	ck_assert(s == STATUS_OK || s == STATUS_NOT_FOUND);
	return s == STATUS_OK ? e.key : -1;
}

START_TEST(log_index_floor_finds_in_file_and_memory)
{
	for (int kind = 0; kind < 2; kind++) {
		struct log_fixture f;
		struct log_index ix;
		fixture_init(&f);
		log_index_init(&ix, (enum log_index_kind)kind, 1000);
		fill(&ix, 1000);
		ck_assert_int_eq(write_out(&ix, &f, false), STATUS_OK);
		ck_assert_uint_eq(ix.file_count, 1000);
		for (int i = 1001; i <= 1100; i++)
			log_index_append(&ix, 1000 + i * 10, kind == 0 ? i * 100 : 1000 + i);
		ck_assert_uint_eq(log_index_count(&ix), 1100);
		for (int64_t k = 990; k < 12100; k += 7) {
			int64_t expected = k < 1010 ? -1 : k > 12000 ? 12000 : k - k % 10;
			ck_assert_int_eq(floor_key(&ix, &f, k), expected);
		}
		log_index_fini(&ix);
		fixture_fini(&f);
	}
}
END_TEST

START_TEST(log_index_keeps_its_order_and_its_memory_bounded)
{
	struct log_index ix;
	log_index_init(&ix, LOG_INDEX_OFFSET, 0);
	log_index_append(&ix, 10, 100);
	log_index_append(&ix, 10, 200);
	log_index_append(&ix, 11, 100);
	log_index_append(&ix, (int64_t)INT32_MAX + 1, 500);
	ck_assert_uint_eq(log_index_count(&ix), 1);
	for (int i = 2; i < 100000; i++)
		log_index_append(&ix, i * 10, i * 100);
	ck_assert_uint_eq(log_index_count(&ix), LOG_INDEX_PENDING_MAX / 8);
	log_index_fini(&ix);
}
END_TEST

START_TEST(log_index_truncate_then_load_gives_the_same)
{
	struct log_fixture f;
	fixture_init(&f);
	for (int64_t limit = 0; limit <= 3100; limit += 155) {
		struct log_index ix, again;
		log_index_init(&ix, LOG_INDEX_OFFSET, 0);
		fill(&ix, 200);
		ck_assert_int_eq(write_out(&ix, &f, true), STATUS_OK);
		for (int i = 201; i <= 300; i++)
			log_index_append(&ix, i * 10, i * 100);
		ck_assert_int_eq(log_index_truncate(&ix, disk_system(), f.directory, LOG_INDEX_KEY, limit), STATUS_OK);
		int64_t left = limit == 0 ? 0 : (limit - 1) / 10 > 300 ? 300 : (limit - 1) / 10;
		ck_assert_int_eq(log_index_count(&ix), left);
		ck_assert_int_eq(floor_key(&ix, &f, 5000), left == 0 ? -1 : left * 10);
		log_index_append(&ix, 9000, 90000);
		ck_assert_int_eq(write_out(&ix, &f, true), STATUS_OK);
		log_index_init(&again, LOG_INDEX_OFFSET, 0);
		ck_assert_int_eq(log_index_load(&again, disk_system(), f.directory, true), STATUS_OK);
		ck_assert_int_eq(log_index_count(&again), left + 1);
		ck_assert_int_eq(again.last.key, 9000);
		log_index_fini(&ix);
		log_index_fini(&again);
	}
	fixture_fini(&f);
}
END_TEST

START_TEST(log_index_load_takes_preallocated_and_damaged_files)
{
	struct log_fixture f;
	struct log_index ix;
	size_t n;
	fixture_init(&f);
	log_index_init(&ix, LOG_INDEX_TIME, 0);
	fill(&ix, 50);
	ck_assert_int_eq(write_out(&ix, &f, true), STATUS_OK);
	char *path = log_index_path(&ix, f.directory);
	log_index_fini(&ix);
	uint8_t *bytes = fixture_load_file(path, &n);
	ck_assert_uint_eq(n, 600);
	/* Kafka's, while open: zeros behind. */
	ck_assert_int_eq(truncate(path, 10485756), 0);
	log_index_init(&ix, LOG_INDEX_TIME, 0);
	ck_assert_int_eq(log_index_load(&ix, disk_system(), f.directory, true), STATUS_OK);
	ck_assert_uint_eq(log_index_count(&ix), 50);
	log_index_append(&ix, 10000, 60);
	ck_assert_int_eq(write_out(&ix, &f, true), STATUS_OK);
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 612);
	log_index_fini(&ix);
	/* A hole in the middle: what lies before it counts. */
	memset(bytes + 240, 0, 12);
	fixture_store_file(path, bytes, n);
	log_index_init(&ix, LOG_INDEX_TIME, 0);
	ck_assert_int_eq(log_index_load(&ix, disk_system(), f.directory, true), STATUS_OK);
	ck_assert_uint_eq(log_index_count(&ix), 20);
	log_index_fini(&ix);
	fixture_store_file(path, bytes, 241);
	log_index_init(&ix, LOG_INDEX_TIME, 0);
	ck_assert_int_eq(log_index_load(&ix, disk_system(), f.directory, false), STATUS_CORRUPT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(log_index_load(&ix, disk_system(), f.directory, false), STATUS_NOT_FOUND);
	log_index_fini(&ix);
	free(bytes);
	free(path);
	fixture_fini(&f);
}
END_TEST

UNIT_MAIN("log_index", log_index_floor_finds_in_file_and_memory, log_index_keeps_its_order_and_its_memory_bounded,
	log_index_truncate_then_load_gives_the_same, log_index_load_takes_preallocated_and_damaged_files)
