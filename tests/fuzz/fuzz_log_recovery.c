/* A data directory as a crash, another program or a bad disk may have left it. Byte 0: bit 0 the clean marker, bit 1 a
 * compacted topic; byte 1: the recovery point; then files: name index, 16-bit length, content. Oracle: opening ends with a
 * status; what opens can be read, searched, truncated and appended to, and opens again after a clean close with the same end. */
#include "base/clock.h"
#include "base/diag.h"
#include "storage/log_directory.h"
#include "storage/partition_directory.h"
#include "storage/partition_log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/simulation/sim_disk.h"

static const char *const names[] = {
	"/d/t-0/00000000000000000000.log", "/d/t-0/00000000000000000000.index", "/d/t-0/00000000000000000000.timeindex",
	"/d/t-0/00000000000000000010.log", "/d/t-0/00000000000000000010.index", "/d/t-0/00000000000000000010.timeindex",
	"/d/t-0/leader-epoch-checkpoint", "/d/t-0/recovery-point-limit", "/d/t-0/restart-offset", "/d/t-0/partition.metadata",
	"/d/t-0/00000000000000000000.log.swap", "/d/t-0/00000000000000000000.log.cleaned", "/d/t-0/00000000000000000005.snapshot",
	"/d/recovery-point-offset-checkpoint", "/d/meta.properties", "/d/.kafka_cleanshutdown",
};

static void ignore_line(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void ignore_entry(void *arg, const struct topic_partition *tp, int64_t offset)
{
	(void)arg;
	expect(tp->partition >= 0 && offset >= 0);
}

static void store_files(struct disk *d, struct slice input)
{
	struct byte_reader r;
	byte_reader_init(&r, input);
	while (byte_reader_left(&r) > 3) {
		const char *name = names[byte_reader_u8(&r) % (sizeof(names) / sizeof(names[0]))];
		size_t n = (uint16_t)byte_reader_i16(&r);
		if (n > byte_reader_left(&r))
			n = byte_reader_left(&r);
		struct slice content = byte_reader_bytes(&r, n);
		struct disk_file *f;
		if (disk_open(d, name, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f) != STATUS_OK)
			continue;
		if (content.n > 0)
			expect(disk_file_pwrite(f, content.p, content.n, 0) == STATUS_OK);
		disk_file_close(f);
	}
}

static void read_all(struct partition_log *log)
{
	int64_t start = partition_log_start_offset(log), end = partition_log_end_offset(log), offset, timestamp;
	expect(start <= end && partition_log_flushed_offset(log) <= end);
	for (int i = 0; i < 8; i++) {
		int64_t at = start + (end - start) / 8 * i;
		struct iobuf out;
		size_t n = 0;
		iobuf_init(&out);
		enum status s = partition_log_read(log, at, end, 100 * (size_t)i, i % 2 == 0, &out, &n);
		expect(s == STATUS_OK || s == STATUS_CORRUPT);
		expect(out.size_bytes == n);
		iobuf_fini(&out);
		expect(partition_log_bytes_between(log, at, end) >= 0);
	}
	(void)!partition_log_offset_for_time(log, 1700000000000, &offset, &timestamp);
	(void)!partition_log_max_timestamp(log, &offset, &timestamp);
}

static void append_one(struct partition_log *log)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 256);
	struct slice bytes;
	struct record_batch batch;
	struct log_append_info info;
	record_batch_builder_add(b, 1700000000000, slice_of(NULL, 0), slice_of("v", 1), NULL, 0);
	expect(record_batch_builder_finish(b, &bytes) == STATUS_OK);
	expect(record_batch_parse(bytes, &batch) == STATUS_OK);
	int64_t end = partition_log_end_offset(log);
	enum status s = partition_log_append(log, &batch, partition_log_latest_epoch(log) + 1, &info);
	expect(s == STATUS_OK && info.base_offset == end);
	record_batch_builder_free(b);
}

static void use_log(const struct log_environment *env, struct log_open_options *o, bool cut)
{
	struct partition_log *log;
	struct failure failure = {0};
	enum status s = partition_log_open(env, o, &log, &failure);
	if (s != STATUS_OK) {
		expect(failure.status == s && failure.text[0] != '\0');
		return;
	}
	read_all(log);
	if (cut && partition_log_end_offset(log) > 0) {
		int64_t to = partition_log_start_offset(log) + (partition_log_end_offset(log) - partition_log_start_offset(log)) / 2;
		s = partition_log_truncate(log, to);
		expect(s != STATUS_OK || partition_log_end_offset(log) <= to);
	}
	/* Offsets near the end of their range are nothing that can be appended to. */
	if (!partition_log_is_fenced(log) && partition_log_end_offset(log) < INT64_MAX / 2)
		append_one(log);
	int64_t end = partition_log_end_offset(log);
	bool whole = partition_log_close_now(log, true) == STATUS_OK;
	o->clean = true;
	o->recovery_point = end;
	s = partition_log_open(env, o, &log, &failure);
	if (s == STATUS_OK) {
		expect(!whole || partition_log_end_offset(log) == end);
		expect(partition_log_close_now(log, false) == STATUS_OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct topic_settings settings = {.cleanup_policy = CLEANUP_delete, .index_interval_bytes = 64, .segment_bytes = 1 << 20,
		.segment_index_bytes = 1 << 20, .segment_ms = INT64_MAX, .flush_ms = INT64_MAX, .flush_messages = INT64_MAX,
		.retention_ms = -1, .retention_bytes = -1};
	struct manual_clock clock;
	struct log_directory_meta meta;
	struct uuid id;
	bool clean;
	if (size < 2)
		return 0;
	diag_set_sink(ignore_line, NULL);
	manual_clock_init(&clock, 0, 1700000000000);
	struct sim_disk *sim = sim_disk_new(1, &clock.clock);
	struct disk *d = sim_disk_disk(sim);
	sim_disk_prepare_directory(sim, "/d/t-0");
	store_files(d, slice_of(data + 2, size - 2));
	if (log_directory_read_meta(d, "/d", &meta) == STATUS_OK)
		log_directory_meta_fini(&meta);
	(void)!log_directory_read_checkpoint(d, "/d", LOG_DIRECTORY_RECOVERY_POINTS, ignore_entry, NULL);
	(void)!log_directory_take_marker(d, "/d", &clean);
	struct log_place place = {.disk = d, .directory = "/d/t-0"};
	(void)!partition_metadata_read(&place, &id);
	if ((data[0] & 2) != 0)
		settings.cleanup_policy = CLEANUP_compact;
	struct log_environment env = {.disk = d, .clock = &clock.clock};
	struct log_open_options o = {.directory = "/d/t-0", .settings = &settings, .clean = (data[0] & 1) != 0,
		.recovery_point = data[1], .log_start_offset = (data[0] & 4) != 0 ? data[0] >> 4 : -1};
	expect(topic_partition_set(&o.tp, slice_of_str("t"), 0) == STATUS_OK);
	use_log(&env, &o, (data[0] & 8) != 0);
	sim_disk_free(sim);
	return 0;
}
