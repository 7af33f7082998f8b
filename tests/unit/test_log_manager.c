#include "storage/log_directory.h"
#include "storage/log_manager.h"
#include "storage/partition_directory.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>
#include <unistd.h>

/* A manager over two directories of a temporary one. */
struct manager_fixture {
	struct log_fixture base;
	struct settings settings;
	char dirs[2][80];
	char list[200];
	struct log_manager *manager;
	struct failure failure;
	bool loaded;
	unsigned answers, failed_dirs;
	enum status status;
	struct partition_log *log;
	int64_t high_watermark;
};

static void topic_settings(void *arg, const char *topic, struct topic_settings *ret)
{
	struct manager_fixture *f = arg;
	(void)topic;
	*ret = f->base.settings;
}

static void directory_failed(void *arg, const char *directory, enum status why)
{
	struct manager_fixture *f = arg;
	(void)directory;
	(void)why;
	f->failed_dirs++;
}

static void manager_init(struct manager_fixture *f)
{
	memset(f, 0, sizeof(*f));
	fixture_init(&f->base);
	(void)snprintf(f->dirs[0], sizeof(f->dirs[0]), "%s/a", f->base.root);
	(void)snprintf(f->dirs[1], sizeof(f->dirs[1]), "%s/b", f->base.root);
	(void)snprintf(f->list, sizeof(f->list), "%s, %s/", f->dirs[0], f->dirs[1]);
	f->settings.log_dirs = f->list;
	f->settings.broker_id = -1;
	f->settings.num_recovery_threads_per_data_dir = 1;
	f->settings.topic_defaults = f->base.settings;
}

static enum status manager_try_open(struct manager_fixture *f)
{
	struct log_manager_options o = {
		.disk = disk_system(),
		.clock = &f->base.clock.clock,
		.background = manual_scheduler_background(f->base.scheduler),
		.scheduler = manual_scheduler_scheduler(f->base.scheduler),
		.settings = &f->settings,
		.topic_settings = topic_settings,
		.directory_failed = directory_failed,
		.arg = f,
	};
	return log_manager_open(&o, &f->manager, &f->failure);
}

static void loaded(void *arg, enum status s)
{
	struct manager_fixture *f = arg;
	ck_assert_int_eq(s, STATUS_OK);
	f->loaded = true;
}

static void manager_open(struct manager_fixture *f)
{
	enum status s = manager_try_open(f);
	ck_assert_msg(s == STATUS_OK, "%s", f->failure.text);
	f->loaded = false;
	log_manager_load(f->manager, loaded, f);
	fixture_run(&f->base);
	ck_assert(f->loaded);
}

static void manager_fini(struct manager_fixture *f)
{
	log_manager_free(f->manager);
	fixture_run(&f->base);
	fixture_fini(&f->base);
}

static struct topic_partition tp_of(const char *topic, int32_t partition)
{
	struct topic_partition tp;
	ck_assert_int_eq(topic_partition_set(&tp, slice_of_str(topic), partition), STATUS_OK);
	return tp;
}

static void opened(void *arg, enum status s, struct partition_log *log, int64_t high_watermark)
{
	struct manager_fixture *f = arg;
	f->answers++;
	f->status = s;
	f->log = log;
	f->high_watermark = high_watermark;
}

static enum status get_or_create(struct manager_fixture *f, const char *topic, int32_t partition, const struct uuid *id, bool is_new)
{
	struct topic_partition tp = tp_of(topic, partition);
	unsigned before = f->answers;
	f->log = NULL;
	log_manager_get_or_create(f->manager, &tp, id, is_new, opened, f);
	ck_assert_uint_eq(f->answers, before);
	fixture_run(&f->base);
	ck_assert_uint_eq(f->answers, before + 1);
	return f->status;
}

/* The log for the helpers of log_fixture. */
static void adopt(struct manager_fixture *f)
{
	f->base.log = f->log;
	partition_log_adopt(f->log, manual_scheduler_scheduler(f->base.scheduler));
}

static void done(void *arg, enum status s)
{
	struct manager_fixture *f = arg;
	f->answers++;
	f->status = s;
}

static const struct uuid id1 = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const struct uuid id2 = {{9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static bool exists(const char *dir, const char *name)
{
	char *path = check_asprintf("%s/%s", dir, name);
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}

START_TEST(log_manager_creates_and_finds_partitions_again)
{
	struct manager_fixture f;
	manager_init(&f);
	manager_open(&f);
	ck_assert_ptr_null(log_manager_cluster_id(f.manager));
	ck_assert_int_eq(log_manager_broker_id(f.manager), -1);
	ck_assert_int_eq(log_manager_set_identity(f.manager, "c1", 7, &f.failure), STATUS_OK);
	struct log_checkpoint_entry entries[4];
	for (int32_t i = 0; i < 4; i++) {
		ck_assert_int_eq(get_or_create(&f, "orders", i, &id1, true), STATUS_OK);
		adopt(&f);
		for (int k = 0; k <= i; k++)
			fixture_append(&f.base, 2, 100, 1);
		entries[i] = (struct log_checkpoint_entry){tp_of("orders", i), 2 * (i + 1), 0, i + 1, i};
		fixture_close(&f.base, true);
		ck_assert_int_eq(f.base.closed, STATUS_OK);
	}
	ck_assert(exists(f.dirs[0], "orders-0") && exists(f.dirs[1], "orders-1") && exists(f.dirs[0], "orders-2"));
	ck_assert_int_eq(log_manager_close_clean(f.manager, entries, 4), STATUS_OK);
	ck_assert(exists(f.dirs[0], LOG_DIRECTORY_CLEAN_MARKER) && exists(f.dirs[1], LOG_DIRECTORY_CLEAN_MARKER));
	manager_open(&f);
	ck_assert(!exists(f.dirs[0], LOG_DIRECTORY_CLEAN_MARKER));
	ck_assert_str_eq(log_manager_cluster_id(f.manager), "c1");
	ck_assert_int_eq(log_manager_broker_id(f.manager), 7);
	for (int32_t i = 0; i < 4; i++) {
		struct topic_partition tp = tp_of("orders", i);
		int64_t hw;
		struct partition_log *log = log_manager_find(f.manager, &tp, &hw);
		ck_assert_ptr_nonnull(log);
		ck_assert_int_eq(hw, i + 1);
		ck_assert_int_eq(partition_log_end_offset(log), 2 * (i + 1));
		ck_assert_int_eq(partition_log_cleaner_offset(log), i);
		ck_assert_int_eq(partition_log_flushed_offset(log), 2 * (i + 1));
		ck_assert_int_eq(get_or_create(&f, "orders", i, &id2, false), STATUS_INCONSISTENT_TOPIC_ID);
		ck_assert_int_eq(get_or_create(&f, "orders", i, &id1, false), STATUS_OK);
		ck_assert_ptr_eq(f.log, log);
		(void)!partition_log_close_now(log, false);
	}
	ck_assert_int_eq(log_manager_set_identity(f.manager, "c2", 7, &f.failure), STATUS_INCONSISTENT_CLUSTER_ID);
	manager_fini(&f);
}
END_TEST

START_TEST(log_manager_refuses_what_is_not_ours)
{
	struct manager_fixture f;
	manager_init(&f);
	manager_open(&f);
	ck_assert_int_eq(log_manager_set_identity(f.manager, "c1", 7, &f.failure), STATUS_OK);
	/* Locked. */
	struct log_manager *first = f.manager;
	ck_assert_int_eq(manager_try_open(&f), STATUS_EXISTS);
	log_manager_free(first);
	fixture_run(&f.base);
	/* Another broker's. */
	f.settings.broker_id = 8;
	ck_assert_int_eq(manager_try_open(&f), STATUS_INVALID_CONFIG);
	f.settings.broker_id = 7;
	/* The same partition twice. */
	char path[120];
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/dup-3", f.dirs[i]);
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	ck_assert_int_eq(manager_try_open(&f), STATUS_INVALID_CONFIG);
	ck_assert_ptr_nonnull(strstr(f.failure.text, "dup-3"));
	ck_assert_int_eq(rmdir(path), 0);
	/* KRaft's. */
	(void)snprintf(path, sizeof(path), "%s/" LOG_DIRECTORY_META, f.dirs[1]);
	fixture_store_file(path, "version=1\nnode.id=7\ncluster.id=c1\n", 34);
	ck_assert_int_eq(manager_try_open(&f), STATUS_INVALID_CONFIG);
	ck_assert_ptr_nonnull(strstr(f.failure.text, "KRaft"));
	fixture_fini(&f.base);
}
END_TEST

START_TEST(log_manager_serves_the_directories_that_work)
{
	struct manager_fixture f;
	manager_init(&f);
	fixture_store_file(f.dirs[1], "not a directory", 15);
	manager_open(&f);
	ck_assert_uint_eq(f.failed_dirs, 1);
	ck_assert_int_eq(get_or_create(&f, "t", 0, &id1, true), STATUS_OK);
	(void)!partition_log_close_now(f.log, false);
	/* A partition that is not new may lie in the other one. */
	ck_assert_int_eq(get_or_create(&f, "t", 1, &id1, false), STATUS_KAFKA_STORAGE_ERROR);
	log_manager_directory_failed(f.manager, f.dirs[0], STATUS_IO);
	ck_assert_uint_eq(f.failed_dirs, 2);
	ck_assert_int_eq(get_or_create(&f, "t", 2, &id1, true), STATUS_KAFKA_STORAGE_ERROR);
	struct topic_partition tp = tp_of("t", 0);
	int64_t hw;
	ck_assert_ptr_null(log_manager_find(f.manager, &tp, &hw));
	manager_fini(&f);
}
END_TEST

static unsigned deleted_dirs(const char *dir, const char *prefix)
{
	char command[256];
	(void)snprintf(command, sizeof(command), "ls %s | grep -c '^%s.*-delete$'", dir, prefix);
	FILE *p = popen(command, "r");
	unsigned n = 99;
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(fscanf(p, "%u", &n), 1);
	(void)pclose(p);
	return n;
}

START_TEST(log_manager_delete_renames_then_purges)
{
	struct manager_fixture f;
	manager_init(&f);
	manager_open(&f);
	ck_assert_int_eq(get_or_create(&f, "gone", 0, &id1, true), STATUS_OK);
	adopt(&f);
	fixture_append(&f.base, 5, 100, 1);
	f.base.log = NULL;
	struct topic_partition tp = tp_of("gone", 0);
	f.answers = 0;
	/* Requests of one partition keep their order. */
	log_manager_delete(f.manager, &tp, done, &f);
	log_manager_get_or_create(f.manager, &tp, &id2, true, opened, &f);
	fixture_run(&f.base);
	ck_assert_uint_eq(f.answers, 2);
	ck_assert_int_eq(f.status, STATUS_OK);
	ck_assert_int_eq(partition_log_end_offset(f.log), 0);
	ck_assert_uint_eq(deleted_dirs(f.dirs[0], "gone-0"), 1);
	(void)!partition_log_close_now(f.log, false);
	/* The rest is left for the next start. */
	log_manager_free(f.manager);
	fixture_run(&f.base);
	manager_open(&f);
	ck_assert_uint_eq(deleted_dirs(f.dirs[0], "gone-0"), 1);
	manual_scheduler_advance_us(f.base.scheduler, (int64_t)61000 * 1000);
	ck_assert_uint_eq(deleted_dirs(f.dirs[0], "gone-0"), 0);
	log_manager_delete(f.manager, &tp, done, &f);
	fixture_run(&f.base);
	ck_assert_int_eq(f.status, STATUS_OK);
	log_manager_delete(f.manager, &tp, done, &f);
	fixture_run(&f.base);
	ck_assert_int_eq(f.status, STATUS_NOT_FOUND);
	manager_fini(&f);
}
END_TEST

static void write_checkpoints(struct manager_fixture *f, int64_t recovery_point)
{
	struct log_checkpoint_entry e = {tp_of("t", 0), recovery_point, 1, recovery_point, 0};
	unsigned before = f->answers;
	log_manager_write_checkpoints(f->manager, &e, 1, done, f);
	log_manager_write_checkpoints(f->manager, NULL, 0, done, f);
	fixture_run(&f->base);
	ck_assert_uint_eq(f->answers, before + 2);
	ck_assert_int_eq(f->status, STATUS_OK);
}

START_TEST(log_manager_opens_with_any_checkpoint_cut_anywhere)
{
	static const char *const names[] = {LOG_DIRECTORY_RECOVERY_POINTS, LOG_DIRECTORY_START_OFFSETS, LOG_DIRECTORY_HIGH_WATERMARKS};
	struct manager_fixture f;
	manager_init(&f);
	f.list[strcspn(f.list, ",")] = '\0'; /* one directory */
	manager_open(&f);
	ck_assert_int_eq(get_or_create(&f, "t", 0, &id1, true), STATUS_OK);
	adopt(&f);
	for (int i = 0; i < 10; i++)
		fixture_append(&f.base, 1, 100, 1);
	partition_log_flush(f.base.log);
	fixture_run(&f.base);
	write_checkpoints(&f, 8);
	fixture_kill(&f.base);
	log_manager_free(f.manager);
	fixture_run(&f.base);
	for (size_t k = 0; k < 3; k++) {
		size_t n;
		char *path = check_asprintf("%s/%s", f.dirs[0], names[k]);
		uint8_t *whole = fixture_load_file(path, &n);
		ck_assert_ptr_nonnull(whole);
		for (size_t cut = 0; cut <= n + 1; cut++) {
			if (cut == n + 1)
				ck_assert_int_eq(unlink(path), 0);
			else
				fixture_store_file(path, whole, cut);
			manager_open(&f);
			struct topic_partition tp = tp_of("t", 0);
			f.base.log = log_manager_find(f.manager, &tp, &f.high_watermark);
			ck_assert_ptr_nonnull(f.base.log);
			ck_assert_int_eq(partition_log_end_offset(f.base.log), 10);
			ck_assert_int_eq(f.high_watermark, k == 2 && cut != n ? 0 : 8);
			ck_assert_int_eq(partition_log_start_offset(f.base.log), k == 1 && cut != n ? 0 : 1);
			ck_assert_int_eq(partition_log_flushed_offset(f.base.log), k == 0 && cut != n ? 0 : 8);
			(void)!partition_log_close_now(f.base.log, false);
			f.base.log = NULL;
			log_manager_free(f.manager);
			fixture_run(&f.base);
		}
		fixture_store_file(path, whole, n);
		free(whole);
		free(path);
	}
	fixture_fini(&f.base);
}
END_TEST

START_TEST(log_manager_one_damaged_log_leaves_the_others_alone)
{
	struct manager_fixture f;
	manager_init(&f);
	f.list[strcspn(f.list, ",")] = '\0';
	manager_open(&f);
	for (int32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(get_or_create(&f, "t", i, &id1, true), STATUS_OK);
		adopt(&f);
		for (int k = 0; k < 10; k++)
			fixture_append(&f.base, 1, 100, 1);
		fixture_close(&f.base, true);
	}
	struct log_checkpoint_entry e[] = {{tp_of("t", 0), 10, 0, 10, 0}, {tp_of("t", 1), 10, 0, 10, 0}};
	log_manager_write_checkpoints(f.manager, e, 2, done, &f);
	fixture_run(&f.base);
	log_manager_free(f.manager); /* its own closed logs are forgotten: no marker */
	fixture_run(&f.base);
	size_t n;
	char *path = check_asprintf("%s/t-0/00000000000000000000.log", f.dirs[0]);
	uint8_t *bytes = fixture_load_file(path, &n);
	bytes[n / 2] ^= 1;
	fixture_store_file(path, bytes, n);
	manager_open(&f);
	struct topic_partition tp = tp_of("t", 0);
	ck_assert_ptr_null(log_manager_find(f.manager, &tp, &f.high_watermark));
	ck_assert_int_eq(get_or_create(&f, "t", 0, &id1, false), STATUS_KAFKA_STORAGE_ERROR);
	tp = tp_of("t", 1);
	f.log = log_manager_find(f.manager, &tp, &f.high_watermark);
	ck_assert_ptr_nonnull(f.log);
	(void)!partition_log_close_now(f.log, false);
	/* Repaired: it opens when asked for. */
	bytes[n / 2] ^= 1;
	fixture_store_file(path, bytes, n);
	ck_assert_int_eq(get_or_create(&f, "t", 0, &id1, false), STATUS_OK);
	ck_assert_int_eq(partition_log_end_offset(f.log), 10);
	(void)!partition_log_close_now(f.log, false);
	free(bytes);
	free(path);
	manager_fini(&f);
}
END_TEST

START_TEST(log_manager_tells_when_the_disk_is_full)
{
	struct manager_fixture f;
	manager_init(&f);
	f.settings.log_dirs_min_free_bytes = 0;
	manager_open(&f);
	ck_assert(!log_manager_disk_full(f.manager));
	f.settings.log_dirs_min_free_bytes = INT64_MAX;
	manual_scheduler_advance_us(f.base.scheduler, 1100000);
	ck_assert(log_manager_disk_full(f.manager));
	f.settings.log_dirs_min_free_bytes = 0;
	manual_scheduler_advance_us(f.base.scheduler, 1100000);
	ck_assert(!log_manager_disk_full(f.manager));
	manager_fini(&f);
}
END_TEST

START_TEST(log_directory_names_are_told_apart)
{
	struct topic_partition tp;
	ck_assert_int_eq(log_directory_classify("a-b.c_d-3-1", &tp), LOG_ENTRY_PARTITION);
	ck_assert_str_eq(tp.topic, "a-b.c_d-3");
	ck_assert_int_eq(tp.partition, 1);
	ck_assert_int_eq(log_directory_classify("t-0.0123456789abcdef0123456789abcdef-delete", &tp), LOG_ENTRY_DELETED);
	ck_assert_int_eq(log_directory_classify("t-0.0123456789abcdef0123456789abcdef-future", &tp), LOG_ENTRY_FOREIGN);
	ck_assert_int_eq(log_directory_classify("t-0.0123456789abcdef0123456789abcdef-stray", &tp), LOG_ENTRY_FOREIGN);
	ck_assert_int_eq(log_directory_classify("t-delete", &tp), LOG_ENTRY_OTHER);
	ck_assert_int_eq(log_directory_classify("lost+found", &tp), LOG_ENTRY_OTHER);
	char topic[TOPIC_NAME_MAX + 1], name[LOG_DIRECTORY_NAME_SIZE];
	memset(topic, 'x', TOPIC_NAME_MAX);
	topic[TOPIC_NAME_MAX] = '\0';
	tp = tp_of(topic, 2147483647);
	log_directory_deleted_name(&tp, &id1, name);
	ck_assert_uint_le(strlen(name), 255);
	ck_assert_int_eq(log_directory_classify(name, &tp), LOG_ENTRY_DELETED);
}
END_TEST

UNIT_MAIN("log_manager", log_manager_creates_and_finds_partitions_again, log_manager_refuses_what_is_not_ours,
	log_manager_serves_the_directories_that_work, log_manager_delete_renames_then_purges,
	log_manager_opens_with_any_checkpoint_cut_anywhere, log_manager_one_damaged_log_leaves_the_others_alone,
	log_manager_tells_when_the_disk_is_full, log_directory_names_are_told_apart)
