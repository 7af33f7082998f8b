#include "base/diag.h"
#include "base/metrics.h"
#include "storage/log_recovery.h"
#include "storage/partition_log_internal.h"

void partition_log_check(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	expect(log->count > 0 && !log->closing);
	expect(log->start_offset <= log->end_offset && log->flushed_offset <= log->end_offset);
	if (log->env.scheduler != NULL)
		expect_on_loop(log->env.scheduler);
}

void partition_log_free(struct partition_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		log_segment_free(log->segments[i]);
	free(log->segments);
	expect(log->compaction == NULL);
	if (log->uncleanable)
		metrics_add(METRIC_partitions_uncleanable, -1);
	leader_epoch_cache_fini(&log->epochs);
	producer_state_free(log->producers);
	producer_snapshots_fini(&log->snapshots);
	free(log->snapshot_next);
	partition_log_retired_free(log->retired);
	for (size_t i = 0; i < log->expired_count; i++)
		log_segment_free(log->expired[i]);
	free(log->expired);
	if (log->prepared != NULL)
		disk_file_close(log->prepared);
	free(log->directory);
	log->magic = 0;
	free(log);
}

/* --- opening ------------------------------------------------------------------------------------------------- */

static int64_t roll_jitter(const struct partition_log *log, int64_t base_offset)
{
	struct random r;
	if (log->settings.segment_jitter_ms <= 0)
		return 0;
	random_seed(&r, topic_partition_hash(&log->tp) ^ (uint64_t)base_offset);
	return (int64_t)random_below(&r, (uint64_t)log->settings.segment_jitter_ms);
}

static void take_recovered(struct partition_log *log, struct log_recovered *r)
{
	log->segments = r->segments;
	log->count = r->count;
	log->capacity = r->capacity;
	log->epochs = r->epochs;
	log->start_offset = r->start_offset;
	log->end_offset = r->end_offset;
	log->flushed_offset = r->flushed_offset;
	log->recovery_point_max = r->recovery_point_max;
	log->directory_changed = r->directory_changed;
	log->snapshots = r->snapshots;
	log->has_transaction_index = r->has_transaction_index;
	log->has_recovery_limit = r->has_recovery_limit;
	log->epochs_unsaved_from = INT64_MAX;
	if (r->epochs_unsaved)
		partition_log_epochs_changed(log, 0);
	struct log_segment *active = partition_log_active(log);
	active->roll_jitter_ms = roll_jitter(log, active->base_offset);
	log->writeback_position = active->size_bytes;
}

enum status partition_log_open(const struct log_environment *env, const struct log_open_options *o,
	struct partition_log **ret_log, struct failure *ret_failure)
{
	char name[TOPIC_PARTITION_TEXT];
	struct log_recovered recovered;
	topic_partition_format(&o->tp, name);
	struct log_recovery_input in = {
		.place = {.disk = env->disk, .directory = o->directory},
		.clock = env->clock,
		.name = name,
		.clean = o->clean,
		.recovery_point = o->recovery_point < 0 ? 0 : o->recovery_point,
		.log_start_offset = o->log_start_offset,
		.compacted = (o->settings->cleanup_policy & CLEANUP_compact) != 0,
		.index_interval_bytes = o->settings->index_interval_bytes,
		.segment_ms = o->settings->segment_ms,
	};
	TRY(log_recovery_run(&in, &recovered, ret_failure));
	struct partition_log *log = check_calloc(1, sizeof(*log));
	log->magic = partition_log_magic;
	log->env = *env;
	log->env.scheduler = NULL; /* nobody's until adopted */
	log->directory = check_strdup(o->directory);
	log->place = (struct log_place){.disk = env->disk, .directory = log->directory};
	log->tp = o->tp;
	log->settings = *o->settings;
	log->cleaner_offset = o->cleaner_offset;
	log->directory_new = o->is_new;
	loop_timer_init(&log->flush_timer, "log flush", partition_log_flush_timer_fired);
	loop_timer_init(&log->purge_timer, "log purge", partition_log_purge_timer_fired);
	take_recovered(log, &recovered);
	if (log->cleaner_offset > log->end_offset)
		log->cleaner_offset = 0; /* the log lost more than it should have: all of it is looked at again */
	partition_log_check(log);
	enum status s = partition_log_open_producers(log);
	if (s != STATUS_OK) {
		partition_log_free(log);
		return failure_set(ret_failure, s, "%s: reading the state of its producers failed in %s: %s", name, o->directory,
			status_text(s));
	}
	*ret_log = log;
	return STATUS_OK;
}

void partition_log_adopt(struct partition_log *log, struct scheduler *scheduler)
{
	CHECK_MAGIC(partition_log, log);
	expect(!log->closing && (log->env.scheduler == NULL || log->env.scheduler == scheduler));
	log->env.scheduler = scheduler;
	/* After a crash the end of the log may live in the page cache alone. */
	if (log->flushed_offset < log->end_offset)
		partition_log_flush(log);
}

struct scheduler *partition_log_owner(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	return log->env.scheduler;
}

/* --- appending ----------------------------------------------------------------------------------------------- */

void partition_log_fence(struct partition_log *log, enum status why, const char *what)
{
	if (log->fenced)
		return;
	log->fenced = true;
	diag_error("log_fenced", "log=%s status=%s what=\"%s\" nothing more is acknowledged from it; check the disk, then restart",
		log->directory, status_name(why), what);
}

void partition_log_epochs_changed(struct partition_log *log, int64_t from_offset)
{
	log->epochs_version++;
	if (from_offset < log->epochs_unsaved_from)
		log->epochs_unsaved_from = from_offset;
}

static enum status open_next_file(struct partition_log *log, const char *path, struct disk_file **ret_file)
{
	if (log->prepared != NULL) {
		char *from = check_asprintf("%s/" PARTITION_NEXT_SEGMENT_NAME, log->directory);
		enum status s = disk_rename(log->env.disk, from, path);
		free(from);
		struct disk_file *f = log->prepared;
		log->prepared = NULL;
		if (s == STATUS_OK) {
			*ret_file = f;
			return STATUS_OK;
		}
		disk_file_close(f);
	}
	return disk_open(log->env.disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, ret_file);
}

static void push_segment(struct partition_log *log, int64_t base_offset, struct disk_file *f)
{
	if (log->count == log->capacity) {
		log->capacity = log->capacity == 0 ? 2 : log->capacity * 2;
		log->segments = check_realloc(log->segments, log->capacity * sizeof(struct log_segment *));
	}
	struct log_segment *segment = log_segment_new(base_offset, f, clock_wall_ms(log->env.clock));
	segment->roll_jitter_ms = roll_jitter(log, base_offset);
	log->segments[log->count++] = segment;
	log->directory_changed = log->segment_unsynced = true;
	log->prepare_failed = false;
	log->writeback_position = 0;
}

/* A segment that survives a crash while the one made before it does not would leave a hole, or, after a truncation, join
 * records of two histories. Sleeps only when rolls follow each other faster than flushes. */
static enum status sync_last_segment(struct partition_log *log)
{
	if (!log->segment_unsynced)
		return STATUS_OK;
	TRY(disk_sync_directory(log->env.disk, log->directory));
	log->segment_unsynced = false;
	return STATUS_OK;
}

enum status partition_log_add_segment(struct partition_log *log, int64_t base_offset)
{
	struct disk_file *f;
	TRY(sync_last_segment(log));
	char *path = log_segment_path(log->directory, base_offset, "log", "");
	enum status s = open_next_file(log, path, &f);
	free(path);
	TRY(s);
	push_segment(log, base_offset, f);
	return STATUS_OK;
}

/* With a new file open under another name, only names are left to change. */
static enum status exchange_segments(struct partition_log *log, size_t i, int64_t base_offset, const char *from)
{
	bool restart = i == 0 && partition_log_active(log)->base_offset != base_offset;
	char *to = log_segment_path(log->directory, base_offset, "log", "");
	/* In place of one of its own name it is there at every moment. */
	enum status s = restart ? STATUS_OK : disk_rename(log->env.disk, from, to);
	while (s == STATUS_OK && log->count > i)
		s = partition_log_retire_last(log, !restart && partition_log_active(log)->base_offset == base_offset);
	/* Starting elsewhere, old segments must never be seen beside the new one. */
	if (s == STATUS_OK && restart)
		s = disk_sync_directory(log->env.disk, log->directory);
	if (s == STATUS_OK && restart)
		s = disk_rename(log->env.disk, from, to);
	free(to);
	return s;
}

enum status partition_log_replace_segments(struct partition_log *log, size_t i, int64_t base_offset)
{
	struct disk_file *f;
	expect(i < log->count);
	TRY(sync_last_segment(log));
	char *from = check_asprintf("%s/" PARTITION_NEW_SEGMENT_NAME, log->directory);
	enum status s = disk_open(log->env.disk, from, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	if (s != STATUS_OK) {
		free(from);
		return s;
	}
	s = exchange_segments(log, i, base_offset, from);
	free(from);
	if (s != STATUS_OK)
		partition_log_fence(log, s, "replacing segments failed");
	if (log->count == i)
		push_segment(log, base_offset, f); /* fenced or not, a log has a segment */
	else
		disk_file_close(f);
	return s;
}

enum status partition_log_roll(struct partition_log *log, int64_t base_offset)
{
	struct log_segment *old = partition_log_active(log);
	expect(base_offset >= log->end_offset);
	if (old->size_bytes == 0)
		return old->base_offset == base_offset ? STATUS_OK :
							 partition_log_replace_segments(log, log->count - 1, base_offset);
	TRY(partition_log_add_segment(log, base_offset));
	log_segment_finish_time_index(old);
	old->mtime_pending = true;
	partition_log_take_snapshot(log, base_offset);
	diag_debug("log_rolled", "log=%s base_offset=%lld", log->directory, (long long)base_offset);
	log->flush_wanted = true; /* the old one goes to disk behind our back */
	partition_log_pump(log);
	return STATUS_OK;
}

static bool index_full(const struct partition_log *log, const struct log_index *ix)
{
	uint32_t max = (uint32_t)log->settings.segment_index_bytes / log_index_entry_size(ix);
	return log_index_count(ix) + 1 >= (max < 2 ? 2 : max);
}

static bool roll_time_due(const struct partition_log *log, int64_t now_ms)
{
	const struct log_segment *s = partition_log_active(log);
	const struct topic_settings *t = &log->settings;
	bool compacted = (t->cleanup_policy & CLEANUP_compact) != 0;
	/* The active segment is never compacted, so it must not outlast the longest lag. */
	int64_t limit_ms = compacted && t->max_compaction_lag_ms < t->segment_ms ? t->max_compaction_lag_ms : t->segment_ms;
	return s->size_bytes > 0 && now_ms - s->created_ms > limit_ms - s->roll_jitter_ms;
}

/* Kafka: LogSegment.shouldRoll; but time is the broker's, not the producers'. */
static enum status roll_if_needed(struct partition_log *log, int64_t size_bytes, int64_t first_offset, int64_t last_offset)
{
	struct log_segment *s = partition_log_active(log);
	bool full = s->size_bytes > 0 && (s->size_bytes + size_bytes > log->settings.segment_bytes ||
						 index_full(log, &s->offset_index) || index_full(log, &s->time_index));
	bool far = last_offset - s->base_offset > INT32_MAX;
	if (!full && !far && !roll_time_due(log, clock_wall_ms(log->env.clock)))
		return STATUS_OK;
	/* Segments follow one another without a gap where offsets allow it. */
	return partition_log_roll(log, last_offset - log->end_offset > INT32_MAX ? first_offset : log->end_offset);
}

/* One write at the end of the active segment; after a failure the file is as before. */
static enum status write_bytes(struct partition_log *log, struct slice bytes)
{
	struct log_segment *s = partition_log_active(log);
	enum status status = disk_file_pwrite(s->file, bytes.p, bytes.n, s->size_bytes);
	if (status == STATUS_OK)
		return STATUS_OK;
	enum status undone = disk_file_truncate(s->file, s->size_bytes);
	if (undone != STATUS_OK)
		partition_log_fence(log, undone, "a failed append could not be undone");
	/* The part written may come back after a crash unless the cut is synced too. */
	s->sync_needed = true;
	s->cuts++;
	return status;
}

static void add_batch(struct partition_log *log, const struct log_batch_info *b, int64_t now_ms)
{
	struct log_segment *s = partition_log_active(log);
	if (s->size_bytes == 0)
		s->created_ms = now_ms;
	s->appended_ms = now_ms;
	s->mtime_pending = true;
	log_segment_add_batch(s, b, log->settings.index_interval_bytes);
	if (b->magic < 2 && log->epochs.count > 0) {
		leader_epoch_cache_clear(&log->epochs);
		partition_log_epochs_changed(log, 0);
	} else if (b->leader_epoch > leader_epoch_cache_latest(&log->epochs)) {
		if (leader_epoch_cache_assign(&log->epochs, b->leader_epoch, b->base_offset))
			partition_log_epochs_changed(log, b->base_offset);
	}
	log->end_offset = b->last_offset + 1;
}

/* What the topic demands of the timestamp; the header's own maximum is not believed. */
static void stamp_batch(const struct partition_log *log, struct record_batch *b, uint8_t *bytes, int64_t now_ms)
{
	bool append_time = log->settings.message_timestamp_type == TIMESTAMP_LogAppendTime;
	int64_t max_timestamp = append_time ? now_ms : b->max_timestamp;
	bool is_append_time = (b->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0;
	if (append_time != is_append_time || bytes_get_i64(bytes + 35) != max_timestamp) {
		record_batch_stamp_time(bytes, b->data.n, max_timestamp, append_time);
		b->attributes = bytes_get_i16(bytes + 21);
		b->max_timestamp = max_timestamp;
		b->crc = bytes_get_u32(bytes + 17);
	}
}

enum status partition_log_append(struct partition_log *log, struct record_batch *batch, int32_t leader_epoch,
	struct log_append_info *ret_info)
{
	partition_log_check(log);
	expect(batch->magic == 2 && batch->data.n >= RECORD_BATCH_HEADER_SIZE && batch->last_offset_delta >= 0);
	if (log->fenced)
		return STATUS_FENCED_LOG;
	if (batch->data.n > (size_t)log->settings.segment_bytes)
		return STATUS_RECORD_LIST_TOO_LARGE;
	if (batch->producer_id >= 0) {
		enum status s = partition_log_check_producer(log, batch, ret_info);
		if (s != STATUS_OK)
			return s == STATUS_DUPLICATE_SEQUENCE_NUMBER ? STATUS_OK : s;
	}
	int64_t started = clock_monotonic_us(log->env.clock), now_ms = clock_wall_ms(log->env.clock);
	int64_t base = log->end_offset, last = base + batch->last_offset_delta;
	TRY(roll_if_needed(log, (int64_t)batch->data.n, base, last));
	uint8_t *bytes = (uint8_t *)(uintptr_t)batch->data.p; /* the frame's own memory: see the header */
	stamp_batch(log, batch, bytes, now_ms);
	record_batch_stamp(bytes, base, leader_epoch);
	batch->base_offset = base;
	batch->leader_epoch = leader_epoch;
	TRY(write_bytes(log, batch->data));
	const struct log_batch_info info = {
		.position = partition_log_active(log)->size_bytes,
		.size_bytes = (int64_t)batch->data.n,
		.base_offset = base,
		.last_offset = last,
		.max_timestamp = batch->max_timestamp,
		.producer_id = batch->producer_id,
		.producer_epoch = batch->producer_epoch,
		.base_sequence = batch->base_sequence,
		.leader_epoch = leader_epoch,
		.attributes = batch->attributes,
		.magic = 2,
	};
	add_batch(log, &info, now_ms);
	partition_log_track_producer(log, &info, batch->data, now_ms);
	partition_log_appended(log, batch->record_count);
	*ret_info = (struct log_append_info){base, last,
		(batch->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0 ? batch->max_timestamp : -1, log->start_offset, false};
	metrics_observe_us(METRIC_append_us, clock_monotonic_us(log->env.clock) - started);
	return STATUS_OK;
}

/* The whole batch at the start of bytes, checked as a follower checks it. */
static enum status follower_batch(struct slice bytes, int64_t next_offset, struct log_batch_info *ret_info)
{
	size_t size;
	TRY(record_batch_peek_size(bytes, SIZE_MAX, &size));
	if (size > bytes.n || size < RECORD_BATCH_MAGIC_AT + 1)
		return size > bytes.n ? STATUS_TRUNCATED : STATUS_CORRUPT_MESSAGE;
	struct slice whole = slice_sub(bytes, 0, size);
	struct record_batch b;
	if (bytes.p[RECORD_BATCH_MAGIC_AT] == 2) {
		TRY(record_batch_parse(whole, &b));
		TRY(record_batch_check_crc(&b));
		TRY(log_batch_decode(whole, ret_info));
	} else {
		TRY(log_batch_check_old(whole, ret_info));
	}
	return ret_info->base_offset < next_offset ? STATUS_OFFSET_OUT_OF_RANGE : STATUS_OK;
}

/* Batches that go into the active segment with one write. */
struct follower_run {
	size_t from, to; /* bytes */
	int64_t next_offset;
};

static enum status write_run(struct partition_log *log, struct slice batches, struct follower_run *run)
{
	if (run->to == run->from)
		return STATUS_OK;
	int64_t now_ms = clock_wall_ms(log->env.clock), first = log->end_offset;
	TRY(write_bytes(log, slice_sub(batches, run->from, run->to - run->from)));
	while (run->from < run->to) {
		struct log_batch_info info;
		struct slice rest = slice_sub(batches, run->from, run->to - run->from);
		enum status s = log_batch_decode(rest, &info);
		expect(s == STATUS_OK); /* checked when it joined the run */
		info.position = partition_log_active(log)->size_bytes;
		add_batch(log, &info, now_ms);
		partition_log_track_producer(log, &info, slice_sub(rest, 0, (size_t)info.size_bytes), now_ms);
		run->from += (size_t)info.size_bytes;
	}
	partition_log_appended(log, log->end_offset - first);
	return STATUS_OK;
}

enum status partition_log_append_as_follower(struct partition_log *log, struct slice batches, int64_t *ret_last_offset)
{
	partition_log_check(log);
	if (log->fenced)
		return STATUS_FENCED_LOG;
	struct follower_run run = {.next_offset = log->end_offset};
	enum status status = STATUS_OK;
	while (run.to < batches.n) {
		struct log_batch_info info;
		status = follower_batch(slice_sub(batches, run.to, batches.n - run.to), run.next_offset, &info);
		if (status != STATUS_OK)
			break;
		struct log_segment *active = partition_log_active(log);
		int64_t run_bytes = (int64_t)(run.to - run.from);
		if (active->size_bytes + run_bytes + info.size_bytes > log->settings.segment_bytes ||
			info.last_offset - active->base_offset > INT32_MAX || run.to == run.from) {
			status = write_run(log, batches, &run);
			if (status == STATUS_OK)
				status = roll_if_needed(log, info.size_bytes, info.base_offset, info.last_offset);
			if (status != STATUS_OK)
				break;
		}
		run.to += (size_t)info.size_bytes;
		run.next_offset = info.last_offset + 1;
	}
	/* A fetch may end in the middle of a batch. What is sound before a bad one is kept. */
	enum status written = write_run(log, batches, &run);
	if (written != STATUS_OK)
		return written;
	if (status != STATUS_OK && status != STATUS_TRUNCATED)
		return status;
	*ret_last_offset = log->end_offset - 1;
	return STATUS_OK;
}

/* --- small things -------------------------------------------------------------------------------------------- */

enum status partition_log_roll_if_due(struct partition_log *log)
{
	partition_log_check(log);
	if (log->fenced || !roll_time_due(log, clock_wall_ms(log->env.clock)))
		return STATUS_OK;
	return partition_log_roll(log, log->end_offset);
}

enum status partition_log_start_leader_epoch(struct partition_log *log, int32_t leader_epoch)
{
	partition_log_check(log);
	if (leader_epoch < leader_epoch_cache_latest(&log->epochs))
		return STATUS_FENCED_LEADER_EPOCH;
	if (leader_epoch_cache_assign(&log->epochs, leader_epoch, log->end_offset)) {
		partition_log_epochs_changed(log, log->end_offset);
		/* An epoch without records means nothing in an empty log: it is written with the first of them. A thousand new
		 * partitions would otherwise wait for several thousand fsyncs. */
		if (partition_log_size_bytes(log) > 0)
			partition_log_flush(log);
	}
	return STATUS_OK;
}

int32_t partition_log_latest_epoch(const struct partition_log *log)
{
	return leader_epoch_cache_latest(&log->epochs);
}

void partition_log_end_offset_for_epoch(struct partition_log *log, int32_t leader_epoch, int32_t *ret_epoch,
	int64_t *ret_end_offset)
{
	leader_epoch_cache_end_offset(&log->epochs, leader_epoch, log->end_offset, ret_epoch, ret_end_offset);
}

int64_t partition_log_start_offset(const struct partition_log *log)
{
	return log->start_offset;
}

int64_t partition_log_end_offset(const struct partition_log *log)
{
	return log->end_offset;
}

int64_t partition_log_flushed_offset(const struct partition_log *log)
{
	return log->flushed_offset;
}

int64_t partition_log_recovery_point(struct partition_log *log, int64_t high_watermark)
{
	int64_t point = log->flushed_offset < high_watermark ? log->flushed_offset : high_watermark;
	if (point > log->epochs_unsaved_from)
		point = log->epochs_unsaved_from;
	if (point > log->recovery_point_max)
		log->recovery_point_max = point;
	return point;
}

int64_t partition_log_size_bytes(const struct partition_log *log)
{
	int64_t size = 0;
	for (size_t i = 0; i < log->count; i++)
		size += log->segments[i]->size_bytes;
	return size;
}

bool partition_log_is_fenced(const struct partition_log *log)
{
	return log->fenced;
}

void partition_log_update_settings(struct partition_log *log, const struct topic_settings *settings)
{
	partition_log_check(log);
	log->settings = *settings;
}

int64_t partition_log_file_delete_delay_ms(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	return log->settings.file_delete_delay_ms;
}

const char *partition_log_directory(const struct partition_log *log)
{
	return log->directory;
}

size_t partition_log_segment_at(const struct partition_log *log, int64_t offset)
{
	size_t low = 0, high = log->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (log->segments[middle]->base_offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}
