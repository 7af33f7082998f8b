/* A log and its producers: what is checked before an append and remembered after it, snapshots of that, and how it is read
 * back. Kafka: UnifiedLog.analyzeAndValidateProducerState, rebuildProducerState. */
#include "base/diag.h"
#include "storage/partition_log_internal.h"

enum {
	WALK_BUFFER_BYTES = 32 * 1024,
	MARKER_SIZE_MAX = 512, /* of a control batch: Kafka's have 78 bytes */
	MARKER_ABORT = 0,
	MARKER_COMMIT = 1,
};

const struct producer_state *partition_log_producers(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	return log->producers;
}

struct producer_info *partition_log_list_producers(const struct partition_log *log, size_t *ret_count)
{
	CHECK_MAGIC(partition_log, log);
	*ret_count = producer_state_count(log->producers);
	return producer_state_list(log->producers);
}

int64_t partition_log_last_stable_offset(struct partition_log *log, int64_t high_watermark)
{
	int64_t unstable = producer_state_first_unstable_offset(log->producers, high_watermark);
	return unstable >= 0 && unstable < high_watermark ? unstable : high_watermark;
}

size_t partition_log_expire_producers(struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	if (log->env.producer_expiration_ms <= 0)
		return 0;
	return producer_state_expire(log->producers, clock_wall_ms(log->env.clock), log->env.producer_expiration_ms);
}

/* --- appending ----------------------------------------------------------------------------------------------- */

enum status partition_log_check_producer(const struct partition_log *log, const struct record_batch *batch,
	struct log_append_info *ret_info)
{
	struct producer_duplicate d;
	expect(batch->producer_id >= 0);
	if (batch->base_sequence < 0 || (batch->attributes & RECORD_BATCH_CONTROL) != 0)
		return STATUS_OK; /* a coordinator's */
	const struct producer_append a = {
		.producer_id = batch->producer_id,
		.base_offset = log->end_offset,
		.timestamp = batch->max_timestamp,
		.offset_delta = batch->last_offset_delta,
		.base_sequence = batch->base_sequence,
		.epoch = batch->producer_epoch,
		.transactional = (batch->attributes & RECORD_BATCH_TRANSACTIONAL) != 0,
	};
	enum status s = producer_state_check(log->producers, &a, &d);
	if (s == STATUS_DUPLICATE_SEQUENCE_NUMBER)
		*ret_info = (struct log_append_info){d.base_offset, d.last_offset, d.timestamp, log->start_offset, true};
	return s;
}

/* Kafka: EndTransactionMarker. False for control batches of other kinds, and for those compaction has emptied. */
static bool read_marker(const struct log_batch_info *b, struct slice whole, struct producer_marker *ret_marker)
{
	struct record_batch batch;
	struct record_iterator it;
	struct record record;
	if (record_batch_parse(whole, &batch) != STATUS_OK || batch.record_count == 0 ||
		record_iterator_init(&it, &batch, MARKER_SIZE_MAX) != STATUS_OK)
		return false;
	bool found = record_iterator_next(&it, &record) == STATUS_OK && record.key.p != NULL && record.key.n >= 4 &&
		record.value.p != NULL && record.value.n >= 6;
	int16_t type = found ? bytes_get_i16(record.key.p + 2) : -1;
	if (found)
		*ret_marker = (struct producer_marker){b->producer_id, b->base_offset, record.timestamp,
			bytes_get_i32(record.value.p + 2), b->producer_epoch};
	record_iterator_fini(&it);
	return found && (type == MARKER_ABORT || type == MARKER_COMMIT);
}

void partition_log_track_producer(struct partition_log *log, const struct log_batch_info *b, struct slice whole,
	int64_t now_ms)
{
	struct producer_marker marker;
	if (b->magic < 2 || b->producer_id < 0)
		return;
	if ((b->attributes & RECORD_BATCH_CONTROL) != 0) {
		if (read_marker(b, whole, &marker))
			producer_state_end_transaction(log->producers, &marker, now_ms);
		return;
	}
	const struct producer_append a = {
		.producer_id = b->producer_id,
		.base_offset = b->base_offset,
		.timestamp = b->max_timestamp,
		.offset_delta = (int32_t)(b->last_offset - b->base_offset),
		.base_sequence = b->base_sequence,
		.epoch = b->producer_epoch,
		.transactional = (b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0,
	};
	producer_state_append(log->producers, &a, now_ms);
}

/* --- reading back -------------------------------------------------------------------------------------------- */

/* Not later than the segment that holds it was written to, not earlier than its own time says, and not in the future. */
static int64_t used_ms(void *arg, int64_t last_offset, int64_t timestamp)
{
	const struct partition_log *log = arg;
	int64_t used = timestamp, now = clock_wall_ms(log->env.clock);
	const struct log_segment *s = log->segments[partition_log_segment_at(log, last_offset)];
	if (s->base_offset <= last_offset && s->appended_ms > used)
		used = s->appended_ms;
	return used < now ? used : now;
}

static enum status walk_batch(struct partition_log *log, const struct log_segment *s, const struct log_batch_info *b)
{
	uint8_t bytes[MARKER_SIZE_MAX];
	struct slice whole = slice_of(bytes, 0);
	if (b->producer_id < 0)
		return STATUS_OK;
	if ((b->attributes & RECORD_BATCH_CONTROL) != 0) {
		if (b->size_bytes > MARKER_SIZE_MAX)
			return STATUS_OK;
		TRY(disk_file_pread_all(s->file, bytes, (size_t)b->size_bytes, b->position));
		whole = slice_of(bytes, (size_t)b->size_bytes);
	}
	partition_log_track_producer(log, b, whole, used_ms(log, b->last_offset, b->max_timestamp));
	return STATUS_OK;
}

/* The headers from `from` on. */
static enum status walk_segment(struct partition_log *log, struct log_segment *s, int64_t from, uint8_t *buffer)
{
	struct log_scanner scanner;
	struct log_batch_info b = {0};
	enum status status = STATUS_OK;
	if (from > s->base_offset) {
		status = log_segment_find(s, &log->place, from, &b);
		if (status == STATUS_NOT_FOUND)
			return STATUS_OK;
	}
	log_scanner_init(&scanner, s->file, b.position, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, WALK_BUFFER_BYTES, false);
	while (status == STATUS_OK) {
		status = log_scanner_next(&scanner, &b);
		if (status == STATUS_OK)
			status = walk_batch(log, s, &b);
	}
	if (status == STATUS_NOT_FOUND || status == STATUS_IO)
		return status == STATUS_IO ? status : STATUS_OK;
	diag_warn("producers_unknown", "log=%s segment=%020lld position=%lld status=%s producers of what follows are taken for new",
		log->directory, (long long)s->base_offset, (long long)scanner.position, status_name(status));
	return STATUS_OK;
}

static bool silent_for_long(const struct partition_log *log, const struct log_segment *s)
{
	int64_t now = clock_wall_ms(log->env.clock), expiration = log->env.producer_expiration_ms;
	return expiration > 0 && now >= s->appended_ms && now - s->appended_ms >= expiration;
}

static enum status read_back(struct partition_log *log)
{
	int64_t from;
	enum status status = STATUS_OK;
	TRY(producer_snapshots_load(&log->snapshots, &log->place, log->segments[0]->base_offset, log->producers, used_ms, log,
		&from));
	uint8_t *buffer = check_alloc(WALK_BUFFER_BYTES);
	for (size_t i = 0; i < log->count && status == STATUS_OK; i++) {
		/* Without any snapshot, that is from a log of before there were some, what nobody has written to within the
		 * expiration is not read for producers who would be forgotten at once. */
		if (partition_log_segment_end(log, i) > from && (from >= 0 || !silent_for_long(log, log->segments[i])))
			status = walk_segment(log, log->segments[i], from, buffer);
	}
	free(buffer);
	(void)partition_log_expire_producers(log);
	return status;
}

static enum status tidy(struct partition_log *log)
{
	int64_t *bases = check_calloc(log->count, sizeof(bases[0]));
	for (size_t i = 0; i < log->count; i++)
		bases[i] = log->segments[i]->base_offset;
	enum status s = producer_snapshots_tidy(&log->snapshots, &log->place, bases, log->count);
	free(bases);
	return s;
}

enum status partition_log_open_producers(struct partition_log *log)
{
	expect(log->producers == NULL);
	log->producers = producer_state_new(PRODUCER_STATE_MAX);
	TRY(producer_snapshots_remove_above(&log->snapshots, &log->place, log->end_offset));
	if (log->snapshots.count > 0)
		TRY(tidy(log));
	return read_back(log);
}

enum status partition_log_reload_producers(struct partition_log *log)
{
	if (producer_state_end_offset(log->producers) <= log->end_offset)
		return STATUS_OK; /* none of them is concerned */
	return read_back(log);
}

/* --- snapshots ----------------------------------------------------------------------------------------------- */

void partition_log_take_snapshot(struct partition_log *log, int64_t offset)
{
	bool nothing = log->end_offset == log->segments[0]->base_offset && producer_state_count(log->producers) == 0;
	expect(offset >= log->end_offset && log->producers != NULL);
	if (log->fenced || nothing || producer_snapshots_has(&log->snapshots, offset))
		return;
	free(log->snapshot_next); /* rolls faster than jobs: the newest is enough */
	log->snapshot_next = producer_state_snapshot(log->producers, &log->snapshot_next_size);
	log->snapshot_next_offset = offset;
	log->directory_changed = true;
}

/* It must not get its name once the log was cut, on the loop and at the same time: the cutter says so first, then takes the
 * temporary name away; what was renamed before that, it finds under its name. */
void partition_log_write_snapshot(struct partition_log *log)
{
	struct log_job *job = &log->job;
	struct slice bytes = slice_of(job->snapshot, job->snapshot_size);
	job->snapshot_status = producer_snapshots_write_tmp(&log->place, bytes, job->kind == LOG_JOB_CLOSE);
	if (job->snapshot_status == STATUS_OK && !atomic_load(&job->snapshot_void))
		job->snapshot_status = producer_snapshots_rename_tmp(&log->place, job->snapshot_offset);
}

void partition_log_settle_snapshot(struct partition_log *log)
{
	struct log_job *job = &log->job;
	if (job->snapshot == NULL)
		return;
	free(job->snapshot);
	job->snapshot = NULL;
	if (atomic_load(&job->snapshot_void))
		return;
	if (job->snapshot_status == STATUS_OK)
		producer_snapshots_add(&log->snapshots, job->snapshot_offset);
	else
		diag_warn("producer_snapshot_unsaved", "log=%s offset=%lld status=%s the next start reads more of the log",
			log->directory, (long long)job->snapshot_offset, status_name(job->snapshot_status));
}

enum status partition_log_drop_snapshots(struct partition_log *log, int64_t above_offset)
{
	struct log_job *job = &log->job;
	if (job->running && job->snapshot != NULL && job->snapshot_offset > above_offset) {
		atomic_store(&job->snapshot_void, true);
		TRY(partition_offset_file_remove(&log->place, PRODUCER_SNAPSHOT_TMP_NAME));
		producer_snapshots_add(&log->snapshots, job->snapshot_offset); /* if it is there */
	}
	if (log->snapshot_next != NULL && log->snapshot_next_offset > above_offset) {
		free(log->snapshot_next);
		log->snapshot_next = NULL;
	}
	return producer_snapshots_remove_above(&log->snapshots, &log->place, above_offset);
}
