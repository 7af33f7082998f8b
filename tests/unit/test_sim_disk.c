#include "tests/simulation/sim_disk.h"

#include "unit.h"

enum { SEEDS = 300 };

static struct sim_disk *make(uint64_t seed, struct disk **ret_disk)
{
	struct sim_disk *d = sim_disk_new(seed, NULL);
	sim_disk_prepare_directory(d, "/data/logs");
	*ret_disk = sim_disk_disk(d);
	return d;
}

static struct disk_file *open_or_die(struct disk *d, const char *path, int flags)
{
	struct disk_file *f = NULL;
	ck_assert_int_eq(disk_open(d, path, flags, &f), STATUS_OK);
	return f;
}

/* The file's content, NUL-terminated, or NULL when there is none. The caller frees. */
static char *content(struct disk *d, const char *path, size_t *ret_n)
{
	char *text = NULL;
	enum status s = disk_read_file(d, path, 1 << 20, &text, ret_n);
	ck_assert(s == STATUS_OK || s == STATUS_NOT_FOUND);
	return text;
}

static bool exists(struct disk *d, const char *path)
{
	struct disk_stat st;
	return disk_stat(d, path, &st) == STATUS_OK;
}

START_TEST(sim_disk_behaves_as_a_disk)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 5000);
	struct sim_disk *sim = sim_disk_new(1, &clock.clock);
	struct disk *d = sim_disk_disk(sim);
	struct disk_file *f = NULL;
	ck_assert_int_eq(disk_open(d, "/a/b", DISK_READ, &f), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_mkdir(d, "/a"), STATUS_OK);
	ck_assert_int_eq(disk_mkdir(d, "/a"), STATUS_EXISTS);
	ck_assert_int_eq(disk_open(d, "/a/b", DISK_WRITE, &f), STATUS_NOT_FOUND);
	f = open_or_die(d, "/a/b", DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE);
	struct disk_file *again = NULL;
	ck_assert_int_eq(disk_open(d, "/a/b", DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &again), STATUS_EXISTS);
	ck_assert_int_eq(disk_open(d, "/a/b/c", DISK_READ, &again), STATUS_IO);
	char hello[] = "hello", world[] = " world";
	struct iovec iov[2] = {{hello, 5}, {world, 6}};
	ck_assert_int_eq(disk_file_pwritev(f, iov, 2, 3), STATUS_OK);
	char back[32];
	size_t n = 0;
	ck_assert_int_eq(disk_file_pread(f, back, 32, 0, &n), STATUS_OK);
	ck_assert_uint_eq(n, 14);
	ck_assert_mem_eq(back, "\0\0\0hello world", 14);
	ck_assert_int_eq(disk_file_pread(f, back, 32, 100, &n), STATUS_OK);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(disk_file_truncate(f, 4), STATUS_OK);
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(d, "/a/b", &st), STATUS_OK);
	ck_assert_int_eq(st.size_bytes, 4);
	ck_assert_int_eq(st.mtime_ms, 5000);
	ck_assert_int_eq(disk_file_set_mtime(f, 77), STATUS_OK);
	ck_assert_int_eq(disk_stat(d, "/a/b", &st), STATUS_OK);
	ck_assert_int_eq(st.mtime_ms, 77);
	ck_assert_int_eq(disk_rmdir(d, "/a"), STATUS_NOT_EMPTY);
	ck_assert_int_eq(disk_rename(d, "/a/b", "/a/c"), STATUS_OK);
	ck_assert_int_eq(disk_rename(d, "/a/b", "/a/c"), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(d, "/a/c"), STATUS_OK);
	ck_assert_int_eq(disk_file_pread(f, back, 32, 0, &n), STATUS_OK); /* open files outlive their names */
	ck_assert_uint_eq(n, 4);
	disk_file_close(f);
	ck_assert_int_eq(disk_rmdir(d, "/a"), STATUS_OK);
	ck_assert_int_eq(disk_sync_directory(d, "/"), STATUS_OK);
	ck_assert_int_eq(disk_sync_directory(d, "/a"), STATUS_NOT_FOUND);
	sim_disk_free(sim);
}
END_TEST

START_TEST(sim_disk_synced_file_in_synced_directory_survives)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE);
		ck_assert_int_eq(disk_file_pwrite(f, "first", 5, 0), STATUS_OK);
		ck_assert_int_eq(disk_file_fdatasync(f), STATUS_OK);
		ck_assert_int_eq(disk_sync_directory(d, "/data/logs"), STATUS_OK);
		ck_assert_int_eq(disk_file_pwrite(f, "unsynced", 8, 5), STATUS_OK);
		sim_disk_crash(sim);
		size_t n = 0;
		ck_assert_int_eq(disk_file_pread(f, &n, 1, 0, &n), STATUS_IO); /* that process is dead */
		disk_file_close(f);
		char *text = content(d, "/data/logs/a", &n);
		ck_assert_ptr_nonnull(text);
		ck_assert_uint_ge(n, 5);
		ck_assert_mem_eq(text, "first", 5);
		free(text);
		sim_disk_free(sim);
	}
}
END_TEST

START_TEST(sim_disk_unsynced_write_meets_every_fate)
{
	enum { SIZE = 2000 };
	static char bytes[SIZE];
	memset(bytes, 'x', SIZE);
	int lost = 0, kept = 0, cut = 0, zeros = 0, holes = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE);
		ck_assert_int_eq(disk_sync_directory(d, "/data/logs"), STATUS_OK);
		ck_assert_int_eq(disk_file_pwrite(f, bytes, SIZE, 0), STATUS_OK);
		disk_file_close(f);
		sim_disk_crash(sim);
		size_t n = 0, x = 0;
		char *text = content(d, "/data/logs/a", &n);
		for (size_t i = 0; i < n; i++) {
			ck_assert(text[i] == 'x' || text[i] == 0);
			x += text[i] == 'x';
		}
		lost += n == 0;
		kept += x == SIZE;
		cut += n > 0 && n < SIZE && x == n;
		zeros += n > 0 && x == 0;
		holes += x > 0 && x < n;
		free(text);
		sim_disk_free(sim);
	}
	ck_assert_int_gt(lost, SEEDS / 10);
	ck_assert_int_gt(kept, SEEDS / 10);
	ck_assert_int_gt(cut, 0);
	ck_assert_int_gt(zeros, 0);
	ck_assert_int_gt(holes, 0);
}
END_TEST

START_TEST(sim_disk_names_last_only_after_a_directory_sync)
{
	int created = 0, renamed = 0, removed = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		disk_file_close(open_or_die(d, "/data/logs/old", DISK_WRITE | DISK_CREATE));
		disk_file_close(open_or_die(d, "/data/logs/gone", DISK_WRITE | DISK_CREATE));
		ck_assert_int_eq(disk_sync_directory(d, "/data/logs"), STATUS_OK);
		struct disk_file *f = open_or_die(d, "/data/logs/new", DISK_WRITE | DISK_CREATE);
		ck_assert_int_eq(disk_file_fdatasync(f), STATUS_OK); /* of the file: says nothing of its name */
		disk_file_close(f);
		ck_assert_int_eq(disk_rename(d, "/data/logs/old", "/data/logs/moved"), STATUS_OK);
		ck_assert_int_eq(disk_unlink(d, "/data/logs/gone"), STATUS_OK);
		ck_assert_int_eq(disk_sync_directory(d, "/data"), STATUS_OK); /* another one: no help */
		sim_disk_crash(sim);
		created += exists(d, "/data/logs/new");
		renamed += exists(d, "/data/logs/moved");
		removed += !exists(d, "/data/logs/gone");
		/* A rename is whole: one of the names, never both, never none. */
		ck_assert_int_ne(exists(d, "/data/logs/moved"), exists(d, "/data/logs/old"));
		sim_disk_free(sim);
	}
	ck_assert(created > 0 && created < SEEDS);
	ck_assert(renamed > 0 && renamed < SEEDS);
	ck_assert(removed > 0 && removed < SEEDS);
}
END_TEST

START_TEST(sim_disk_rename_between_directories_is_one_change)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		sim_disk_prepare_directory(sim, "/other");
		disk_file_close(open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE));
		ck_assert_int_eq(disk_rename(d, "/data/logs/a", "/other/a"), STATUS_OK);
		ck_assert_int_eq(disk_sync_directory(d, "/other"), STATUS_OK);
		sim_disk_crash(sim);
		ck_assert(exists(d, "/other/a") && !exists(d, "/data/logs/a"));
		sim_disk_free(sim);
	}
}
END_TEST

START_TEST(sim_disk_same_seed_same_ruins)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		char *seen[2];
		size_t n[2];
		for (int run = 0; run < 2; run++) {
			struct disk *d;
			struct sim_disk *sim = make(seed, &d);
			struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE);
			ck_assert_int_eq(disk_sync_directory(d, "/data/logs"), STATUS_OK);
			for (int i = 0; i < 20; i++)
				ck_assert_int_eq(disk_file_pwrite(f, "0123456789", 10, 10 * i), STATUS_OK);
			disk_file_close(f);
			sim_disk_crash(sim);
			seen[run] = content(d, "/data/logs/a", &n[run]);
			sim_disk_free(sim);
		}
		ck_assert_uint_eq(n[0], n[1]);
		ck_assert_mem_eq(seen[0], seen[1], n[0]);
		free(seen[0]);
		free(seen[1]);
	}
}
END_TEST

START_TEST(sim_disk_sync_after_a_failed_sync_lies)
{
	int lost = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE);
		ck_assert_int_eq(disk_sync_directory(d, "/data/logs"), STATUS_OK);
		ck_assert_int_eq(disk_file_pwrite(f, "data", 4, 0), STATUS_OK);
		sim_disk_fail(sim, SIM_DISK_FDATASYNC, 1, STATUS_IO);
		ck_assert_int_eq(disk_file_fdatasync(f), STATUS_IO);
		ck_assert(sim_disk_fault_hit(sim));
		ck_assert_int_eq(disk_file_fdatasync(f), STATUS_OK); /* the lie */
		char back[4];
		ck_assert_int_eq(disk_file_pread_all(f, back, 4, 0), STATUS_OK); /* and the cache agrees with it */
		ck_assert_mem_eq(back, "data", 4);
		disk_file_close(f);
		sim_disk_crash(sim);
		size_t n = 0;
		char *text = content(d, "/data/logs/a", &n);
		lost += n != 4 || memcmp(text, "data", 4) != 0;
		free(text);
		sim_disk_free(sim);
	}
	ck_assert_int_gt(lost, SEEDS / 10);
	ck_assert_int_lt(lost, SEEDS);
}
END_TEST

START_TEST(sim_disk_lost_truncation_takes_later_writes_with_it)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct disk *d;
		struct sim_disk *sim = make(seed, &d);
		ck_assert_int_eq(disk_replace_file(d, "/data/logs/a", slice_of_str("oldoldold")), STATUS_OK);
		struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE);
		ck_assert_int_eq(disk_file_truncate(f, 3), STATUS_OK);
		ck_assert_int_eq(disk_file_pwrite(f, "NEW", 3, 3), STATUS_OK);
		disk_file_close(f);
		sim_disk_crash(sim);
		size_t n = 0;
		char *text = content(d, "/data/logs/a", &n);
		ck_assert(strcmp(text, "oldoldold") == 0 || (n <= 6 && strncmp(text, "old", 3) == 0));
		free(text);
		sim_disk_free(sim);
	}
}
END_TEST

START_TEST(sim_disk_full_disk_takes_a_part)
{
	struct disk *d;
	struct sim_disk *sim = make(3, &d);
	sim_disk_set_capacity(sim, 10);
	struct disk_file *f = open_or_die(d, "/data/logs/a", DISK_WRITE | DISK_CREATE);
	ck_assert_int_eq(disk_file_pwrite(f, "12345678", 8, 0), STATUS_OK);
	ck_assert_int_eq(disk_file_pwrite(f, "abcd", 4, 8), STATUS_NO_SPACE);
	int64_t n = 0;
	ck_assert_int_eq(disk_file_size(f, &n), STATUS_OK);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(disk_free_bytes(d, "/data", &n), STATUS_OK);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(disk_file_pwrite(f, "xy", 2, 0), STATUS_OK); /* overwriting needs no room */
	ck_assert_int_eq(disk_file_truncate(f, 5), STATUS_OK);
	ck_assert_int_eq(disk_free_bytes(d, "/data", &n), STATUS_OK);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(disk_unlink(d, "/data/logs/a"), STATUS_OK);
	ck_assert_int_eq(sim_disk_used_bytes(sim), 5); /* still open */
	disk_file_close(f);
	ck_assert_int_eq(sim_disk_used_bytes(sim), 0);
	sim_disk_free(sim);
}
END_TEST

START_TEST(sim_disk_locks_die_with_the_process)
{
	struct disk *d;
	struct sim_disk *sim = make(3, &d);
	struct disk_file *a = NULL, *b = NULL;
	ck_assert_int_eq(disk_lock(d, "/data/.lock", &a), STATUS_OK);
	ck_assert_int_eq(disk_lock(d, "/data/.lock", &b), STATUS_EXISTS);
	disk_file_close(a);
	ck_assert_int_eq(disk_lock(d, "/data/.lock", &a), STATUS_OK);
	sim_disk_crash(sim);
	ck_assert_int_eq(disk_lock(d, "/data/.lock", &b), STATUS_OK);
	sim_disk_free(sim);
	disk_file_close(b); /* after the disk: harmless */
	disk_file_close(a);
}
END_TEST

START_TEST(sim_disk_power_off_fails_all_that_follows)
{
	struct disk *d;
	struct sim_disk *sim = make(3, &d);
	uint64_t before = sim_disk_calls(sim, SIM_DISK_ANY);
	sim_disk_power_off(sim, 2);
	ck_assert_int_eq(disk_mkdir(d, "/a"), STATUS_OK);
	ck_assert_int_eq(disk_mkdir(d, "/b"), STATUS_IO);
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(d, "/data", &st), STATUS_IO);
	ck_assert_uint_eq(sim_disk_calls(sim, SIM_DISK_ANY) - before, 3);
	ck_assert_uint_eq(sim_disk_calls(sim, SIM_DISK_MKDIR), 2);
	sim_disk_crash(sim);
	ck_assert_int_eq(disk_stat(d, "/data", &st), STATUS_OK);
	sim_disk_free(sim);
}
END_TEST

/* The proof of disk_replace_file: power goes at each of its calls, with each of many dice. */
START_TEST(sim_disk_replaced_file_is_old_or_new_whatever_happens)
{
	int old_seen = 0, new_seen = 0;
	for (uint64_t seed = 0; seed < 100; seed++) {
		bool finished = false;
		for (uint64_t call = 1; !finished; call++) {
			struct disk *d;
			struct sim_disk *sim = make(seed, &d);
			ck_assert_int_eq(disk_replace_file(d, "/data/checkpoint", slice_of_str("the old content")), STATUS_OK);
			sim_disk_power_off(sim, call);
			enum status s = disk_replace_file(d, "/data/checkpoint", slice_of_str("NEW"));
			finished = !sim_disk_fault_hit(sim);
			ck_assert_int_eq(s == STATUS_OK, finished);
			sim_disk_crash(sim);
			size_t n = 0;
			char *text = content(d, "/data/checkpoint", &n);
			ck_assert_ptr_nonnull(text);
			bool is_old = strcmp(text, "the old content") == 0, is_new = strcmp(text, "NEW") == 0;
			ck_assert_msg(is_new || (is_old && !finished), "seed %d call %d: \"%s\"", (int)seed, (int)call, text);
			old_seen += is_old;
			new_seen += is_new;
			free(text);
			sim_disk_free(sim);
		}
	}
	ck_assert(old_seen > 100 && new_seen > 100);
}
END_TEST

UNIT_MAIN("sim_disk", sim_disk_behaves_as_a_disk, sim_disk_synced_file_in_synced_directory_survives,
	sim_disk_unsynced_write_meets_every_fate, sim_disk_names_last_only_after_a_directory_sync,
	sim_disk_rename_between_directories_is_one_change, sim_disk_same_seed_same_ruins,
	sim_disk_sync_after_a_failed_sync_lies, sim_disk_lost_truncation_takes_later_writes_with_it,
	sim_disk_full_disk_takes_a_part, sim_disk_locks_die_with_the_process,
	sim_disk_power_off_fails_all_that_follows, sim_disk_replaced_file_is_old_or_new_whatever_happens)
