#include "tests/unit/log_fixture.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

void fixture_topic_settings(struct topic_settings *t)
{
	*t = (struct topic_settings){
		.cleanup_policy = CLEANUP_delete,
		.file_delete_delay_ms = 60000,
		.flush_messages = INT64_MAX,
		.flush_ms = 1000,
		.index_interval_bytes = 4096,
		.max_message_bytes = 1048588,
		.message_timestamp_before_max_ms = INT64_MAX,
		.message_timestamp_after_max_ms = INT64_MAX,
		.min_insync_replicas = 1,
		.retention_bytes = -1,
		.retention_ms = 604800000,
		.segment_bytes = 1073741824,
		.segment_index_bytes = 10485760,
		.segment_ms = 604800000,
	};
}

void fixture_init(struct log_fixture *f)
{
	memset(f, 0, sizeof(*f));
	/* In memory where there is such a place: these tests sync often. */
	const char *folder = getenv("TMPDIR");
	if (folder == NULL)
		folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(f->root, sizeof(f->root), "%.40s/correio-log-XXXXXX", folder);
	ck_assert_ptr_nonnull(mkdtemp(f->root));
	(void)snprintf(f->directory, sizeof(f->directory), "%s/t-0", f->root);
	ck_assert_int_eq(mkdir(f->directory, 0755), 0);
	manual_clock_init(&f->clock, 1000000, (int64_t)FIXTURE_WALL_MS * 1000);
	f->scheduler = manual_scheduler_new(&f->clock);
	f->env = (struct log_environment){
		.disk = disk_system(),
		.clock = &f->clock.clock,
		.background = manual_scheduler_background(f->scheduler),
	};
	fixture_topic_settings(&f->settings);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void fixture_fini(struct log_fixture *f)
{
	if (f->log != NULL)
		fixture_close(f, false);
	manual_scheduler_free(f->scheduler);
	ck_assert_int_eq(nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

enum status fixture_open(struct log_fixture *f, bool clean, int64_t recovery_point)
{
	struct log_open_options o = {
		.directory = f->directory,
		.settings = &f->settings,
		.clean = clean,
		.recovery_point = recovery_point,
		.log_start_offset = -1,
	};
	ck_assert_int_eq(topic_partition_set(&o.tp, slice_of_str("t"), 0), STATUS_OK);
	enum status s = partition_log_open(&f->env, &o, &f->log, &f->failure);
	if (s == STATUS_OK)
		partition_log_adopt(f->log, manual_scheduler_scheduler(f->scheduler));
	else
		f->log = NULL;
	return s;
}

void fixture_reopen(struct log_fixture *f, bool clean, int64_t recovery_point)
{
	enum status s = fixture_open(f, clean, recovery_point);
	ck_assert_msg(s == STATUS_OK, "%s: %s", status_name(s), f->failure.text);
}

static void closed(void *arg, enum status s)
{
	struct log_fixture *f = arg;
	f->closed = s;
	f->log = NULL;
}

void fixture_close(struct log_fixture *f, bool sync)
{
	partition_log_close(f->log, sync, closed, f);
	(void)manual_scheduler_run(f->scheduler);
	ck_assert_ptr_null(f->log);
}

void fixture_kill(struct log_fixture *f)
{
	/* Closing without sync writes nothing but pending index blocks, which a kill may lose or not. */
	fixture_close(f, false);
}

enum status fixture_try_append(struct log_fixture *f, int records, size_t value_size, int64_t timestamp, int32_t epoch,
	struct log_append_info *ret_info)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, value_size * (size_t)records + 512);
	uint8_t *value = check_alloc(value_size + 1);
	struct slice bytes;
	struct record_batch batch;
	for (int i = 0; i < records; i++) {
		memset(value, 'a' + i % 26, value_size + 1);
		record_batch_builder_add(b, timestamp + i, slice_of(NULL, 0), slice_of(value, value_size), NULL, 0);
	}
	free(value);
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	uint8_t *frame = check_alloc(bytes.n);
	memcpy(frame, bytes.p, bytes.n);
	record_batch_builder_free(b);
	ck_assert_int_eq(record_batch_parse(slice_of(frame, bytes.n), &batch), STATUS_OK);
	enum status s = partition_log_append(f->log, &batch, epoch, ret_info);
	free(frame);
	return s;
}

int64_t fixture_append(struct log_fixture *f, int records, size_t value_size, int64_t timestamp)
{
	struct log_append_info info;
	int32_t epoch = partition_log_latest_epoch(f->log);
	ck_assert_int_eq(fixture_try_append(f, records, value_size, timestamp, epoch < 0 ? 0 : epoch, &info), STATUS_OK);
	return info.base_offset;
}

uint8_t *fixture_read(struct log_fixture *f, int64_t offset, int64_t end, size_t max, bool one, size_t *ret_n)
{
	struct iobuf out;
	iobuf_init(&out);
	enum status s = partition_log_read(f->log, offset, end, max, one, &out, ret_n);
	ck_assert_msg(s == STATUS_OK, "read at %lld: %s", (long long)offset, status_name(s));
	ck_assert_uint_eq(out.size_bytes, *ret_n);
	uint8_t *bytes = check_alloc(*ret_n + 1);
	size_t at = 0;
	while (out.size_bytes > 0) {
		const struct iobuf_fragment *g = iobuf_peek_file(&out);
		ck_assert_ptr_nonnull(g);
		size_t n = g->n, got = 0;
		struct disk_file *file = CONTAINER_OF(g->file, struct disk_file, shared);
		ck_assert_int_eq(disk_file_pread(file, bytes + at, n, g->position, &got), STATUS_OK);
		ck_assert_uint_eq(got, n);
		at += n;
		iobuf_consume(&out, n);
	}
	iobuf_fini(&out);
	return bytes;
}

int64_t fixture_check_all(struct log_fixture *f)
{
	int64_t next = partition_log_start_offset(f->log), end = partition_log_end_offset(f->log);
	while (next < end) {
		size_t n;
		struct record_batch b;
		uint8_t *bytes = fixture_read(f, next, end, 1, true, &n);
		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(record_batch_parse(slice_of(bytes, n), &b), STATUS_OK);
		ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
		ck_assert_uint_eq(b.data.n, n);
		ck_assert_int_eq(b.base_offset, next);
		next = record_batch_last_offset(&b) + 1;
		free(bytes);
	}
	ck_assert_int_eq(next, end);
	return end;
}

void fixture_run(struct log_fixture *f)
{
	(void)manual_scheduler_run(f->scheduler);
}

char *fixture_path(const struct log_fixture *f, const char *name)
{
	return check_asprintf("%s/%s", f->directory, name);
}

uint8_t *fixture_load_file(const char *path, size_t *ret_n)
{
	FILE *in = fopen(path, "rb");
	if (in == NULL)
		return NULL;
	size_t capacity = 4096, n = 0, got;
	uint8_t *p = check_alloc(capacity);
	while ((got = fread(p + n, 1, capacity - n, in)) > 0) {
		n += got;
		if (n == capacity) {
			capacity *= 2;
			p = check_realloc(p, capacity);
		}
	}
	(void)fclose(in);
	*ret_n = n;
	return p;
}

void fixture_store_file(const char *path, const void *p, size_t n)
{
	FILE *out = fopen(path, "wb");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(p, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
}

bool fixture_exists(const struct log_fixture *f, const char *name)
{
	char *path = fixture_path(f, name);
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}
