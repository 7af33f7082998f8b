#include "storage/log_recovery.h"
#include "base/diag.h"
#include "base/metrics.h"
#include "storage/record_batch.h"

enum {
	SCAN_BUFFER_BYTES = 1024 * 1024,
	WALK_BUFFER_BYTES = 4096,
	PERSIST_INDEX_BYTES = 1024, /* a rebuilt index of this size is written at once rather than kept in memory */
	EPOCHS_FILE_MAX = 16 * 1024 * 1024,
};

struct recovery {
	struct log_recovery_input *in;
	struct log_recovered *out;
	struct failure *failure;
	uint8_t *buffer;
	int64_t recovery_point; /* of in, bounded by a limit file */
	int64_t next_offset;    /* behind the last good batch so far */
	int32_t last_epoch;
	bool cut;               /* the rest of the log goes */
	bool skipped;           /* not every batch has been looked at */
	/* Of the segment scanned last: what its index files said, and so whether it had been synced when it was closed. */
	struct {
		bool whole;
		int64_t offset_position, largest_timestamp;
		int64_t last_batch;
	} index;
};

static enum status refuse(struct recovery *r, const struct log_segment *s, int64_t position, const char *what)
{
	return failure_set(r->failure, STATUS_CORRUPT,
		"%s: %s in segment %020lld at byte %lld, below the synced recovery point %lld: the partition stays offline and "
		"its files untouched; restore it from a replica or a backup, or remove its line from "
		"recovery-point-offset-checkpoint to have it cut there",
		r->in->name, what, (long long)s->base_offset, (long long)position, (long long)r->recovery_point);
}

static enum status io_failure(struct recovery *r, enum status s, const char *what)
{
	return failure_set(r->failure, s, "%s: %s in %s: %s", r->in->name, what, r->in->place.directory, status_text(s));
}

void log_recovered_fini(struct log_recovered *r)
{
	for (size_t i = 0; i < r->count; i++)
		log_segment_free(r->segments[i]);
	free(r->segments);
	leader_epoch_cache_fini(&r->epochs);
	producer_snapshots_fini(&r->snapshots);
	*r = (struct log_recovered){0};
}

static void add_segment(struct log_recovered *out, struct log_segment *s)
{
	if (out->count == out->capacity) {
		out->capacity = out->capacity == 0 ? 2 : out->capacity * 2;
		out->segments = check_realloc(out->segments, out->capacity * sizeof(struct log_segment *));
	}
	out->segments[out->count++] = s;
}

/* --- scanning what may be torn ------------------------------------------------------------------------------- */

/* Why a batch cannot be part of the log; NULL if it can. */
static const char *batch_fault(const struct recovery *r, const struct log_segment *s, const struct log_batch_info *b,
	int64_t next_base)
{
	if (b->last_offset < r->next_offset || b->base_offset < s->base_offset ||
		(b->magic == 2 && b->base_offset < r->next_offset))
		return "offsets going back";
	if (b->last_offset - s->base_offset > INT32_MAX)
		return "an offset too far from the segment's base";
	if (b->last_offset >= next_base)
		return "offsets of the next segment";
	if (b->magic == 2 && b->leader_epoch >= 0 && b->leader_epoch < r->last_epoch)
		return "a leader epoch going back";
	return NULL;
}

static void accept_batch(struct recovery *r, struct log_segment *s, const struct log_batch_info *b)
{
	log_segment_add_batch(s, b, r->in->index_interval_bytes);
	r->next_offset = b->last_offset + 1;
	if (b->magic == 2 && b->leader_epoch > r->last_epoch) {
		r->last_epoch = b->leader_epoch;
		if (leader_epoch_cache_assign(&r->out->epochs, b->leader_epoch, b->base_offset))
			r->out->epochs_unsaved = true;
	} else if (b->magic < 2 && r->out->epochs.count > 0) {
		leader_epoch_cache_clear(&r->out->epochs);
		r->out->epochs_unsaved = true;
	}
}

/* Does a sound batch with later offsets start anywhere in the bytes from position on? Then the place before it is damaged;
 * otherwise the file merely ends early. */
static enum status later_batch_exists(struct recovery *r, struct log_segment *s, int64_t position, int64_t end, bool *ret_found)
{
	uint8_t *window = r->buffer;
	*ret_found = false;
	for (int64_t at = position + 1; at + RECORD_BATCH_HEADER_SIZE <= end;) {
		size_t n = end - at < WALK_BUFFER_BYTES ? (size_t)(end - at) : WALK_BUFFER_BYTES;
		TRY(disk_file_pread(s->file, window, n, at, &n));
		if (n < RECORD_BATCH_HEADER_SIZE)
			return STATUS_OK;
		size_t starts = n - RECORD_BATCH_HEADER_SIZE + 1;
		for (size_t i = 0; i < starts; i++) {
			int64_t base = bytes_get_i64(window + i);
			if (window[i + RECORD_BATCH_MAGIC_AT] != 2 || base <= r->next_offset || base - s->base_offset > INT32_MAX)
				continue;
			struct log_scanner probe;
			struct log_batch_info b;
			log_scanner_init(&probe, s->file, at + (int64_t)i, end);
			log_scanner_set_buffer(&probe, r->buffer + WALK_BUFFER_BYTES, SCAN_BUFFER_BYTES - WALK_BUFFER_BYTES, true);
			if (log_scanner_next(&probe, &b) == STATUS_OK) {
				*ret_found = true;
				return STATUS_OK;
			}
		}
		at += (int64_t)starts;
	}
	return STATUS_OK;
}

/* A bad batch at r->next_offset: may the log be cut here? */
static enum status judge_damage(struct recovery *r, struct log_segment *s, int64_t position, int64_t file_end, bool ends_early,
	const char *what)
{
	if (r->next_offset >= r->recovery_point)
		return STATUS_OK;
	bool later = true;
	if (ends_early) {
		enum status status = later_batch_exists(r, s, position, file_end, &later);
		if (status != STATUS_OK)
			return io_failure(r, status, "reading a segment failed");
	}
	if (later)
		return refuse(r, s, position, what);
	/* The bytes are gone and nothing lies behind them: serving what is left is all that can be done here. */
	diag_error("synced_tail_missing",
		"partition=%s segment=%020lld position=%lld next_offset=%lld recovery_point=%lld the file ends before the "
		"recovery point; records from next_offset on are lost on this broker",
		r->in->name, (long long)s->base_offset, (long long)position, (long long)r->next_offset,
		(long long)r->recovery_point);
	return STATUS_OK;
}

/* Scans from s->size_bytes (a batch start, set by the caller) to file_end, adding what is good and cutting the rest off. */
static enum status scan_tail(struct recovery *r, struct log_segment *s, int64_t file_end, int64_t next_base)
{
	struct log_scanner scanner;
	struct log_batch_info b;
	enum status status;
	const char *fault = NULL;
	int64_t from = s->size_bytes;
	log_scanner_init(&scanner, s->file, from, file_end);
	log_scanner_set_buffer(&scanner, r->buffer, SCAN_BUFFER_BYTES, true);
	while ((status = log_scanner_next(&scanner, &b)) == STATUS_OK) {
		fault = batch_fault(r, s, &b, next_base);
		if (fault != NULL)
			break;
		accept_batch(r, s, &b);
		r->index.last_batch = b.position;
	}
	metrics_add(METRIC_recovered_bytes, s->size_bytes - from);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK && status != STATUS_TRUNCATED && status != STATUS_CORRUPT)
		return io_failure(r, status, "reading a segment failed");
	if (fault == NULL)
		fault = status == STATUS_TRUNCATED ? "an incomplete record batch" : "a damaged record batch";
	TRY(judge_damage(r, s, s->size_bytes, file_end, status == STATUS_TRUNCATED, fault));
	diag_warn("log_tail_cut", "partition=%s segment=%020lld position=%lld bytes=%lld next_offset=%lld cause=\"%s\"",
		r->in->name, (long long)s->base_offset, (long long)s->size_bytes, (long long)(file_end - s->size_bytes),
		(long long)r->next_offset, fault);
	metrics_add(METRIC_truncated_bytes, file_end - s->size_bytes);
	status = disk_file_truncate(s->file, s->size_bytes);
	/* Durable before anything is written there, or a second crash might join new records to old ones. */
	if (status == STATUS_OK)
		status = disk_file_fdatasync(s->file);
	if (status != STATUS_OK)
		return io_failure(r, status, "cutting a torn tail off failed");
	/* A segment that reaches the next one is whole: what was cut is the rest of a truncation. */
	r->cut = r->next_offset < next_base;
	return STATUS_OK;
}

/* --- one segment --------------------------------------------------------------------------------------------- */

static void take_largest_timestamp(struct log_segment *s)
{
	if (log_index_count(&s->time_index) > 0) {
		s->max_timestamp = s->time_index.last.key;
		s->max_timestamp_offset = s->time_index.last.value;
	}
}

static void forget_indexes(struct log_segment *s)
{
	log_index_clear(&s->offset_index);
	log_index_clear(&s->time_index);
	s->max_timestamp = s->max_timestamp_offset = -1;
	s->bytes_since_index = 0;
}

static bool load_indexes(struct recovery *r, struct log_segment *s, bool whole)
{
	const struct log_place *place = &r->in->place;
	enum status a = log_index_load(&s->offset_index, place->disk, place->directory, whole);
	enum status b = log_index_load(&s->time_index, place->disk, place->directory, whole);
	return a == STATUS_OK && b == STATUS_OK;
}

/* Cuts the indexes back to what both of them cover below the recovery point: from the last offset entry left on, scanning
 * finds every later entry of either again. False when nothing useful is left. */
static bool trim_indexes(struct recovery *r, struct log_segment *s)
{
	struct disk *d = r->in->place.disk;
	const char *directory = r->in->place.directory;
	struct log_index *o = &s->offset_index, *t = &s->time_index;
	bool loaded = load_indexes(r, s, true);
	r->index.whole = loaded && !o->cut_pending && !t->cut_pending;
	r->index.offset_position = log_index_count(o) > 0 ? o->last.value : 0;
	r->index.largest_timestamp = log_index_count(t) > 0 ? t->last.key : -1;
	if (!loaded ||
		log_index_truncate(t, d, directory, LOG_INDEX_VALUE, r->recovery_point) != STATUS_OK ||
		log_index_count(t) == 0)
		return false;
	int64_t limit = t->last.value < r->recovery_point ? t->last.value + 1 : r->recovery_point;
	return log_index_truncate(o, d, directory, LOG_INDEX_KEY, limit) == STATUS_OK && log_index_count(o) > 0;
}

/* Sets where to scan from: the last indexed batch below the recovery point, if the index can be believed; else 0. */
static void find_scan_start(struct recovery *r, struct log_segment *s, int64_t file_end)
{
	struct log_scanner scanner;
	struct log_batch_info b;
	s->size_bytes = 0;
	if (trim_indexes(r, s)) {
		struct log_index_entry e = s->offset_index.last;
		log_scanner_init(&scanner, s->file, e.value, file_end);
		log_scanner_set_buffer(&scanner, r->buffer, WALK_BUFFER_BYTES, false);
		bool ok = e.value < file_end && log_scanner_next(&scanner, &b) == STATUS_OK && b.last_offset <= e.key &&
			b.base_offset > s->base_offset &&
			log_index_truncate(&s->time_index, r->in->place.disk, r->in->place.directory, LOG_INDEX_VALUE,
				b.base_offset) == STATUS_OK;
		if (ok) {
			s->size_bytes = e.value;
			r->next_offset = b.base_offset;
			r->last_epoch = -1;
			take_largest_timestamp(s);
			return;
		}
	}
	forget_indexes(s);
}

/* Writes a large rebuilt index now; a small one stays in memory until the next flush. */
static void persist_index(struct recovery *r, struct log_index *ix)
{
	struct log_index_write w;
	if (ix->pending_count * log_index_entry_size(ix) < PERSIST_INDEX_BYTES)
		return;
	log_index_write_take(ix, r->in->place.directory, true, false, &w);
	log_index_write_run(&w, r->in->place.disk);
	log_index_write_done(&w, ix); /* a full disk: it stays in memory */
}

/* Everything from the recovery point on is read and checked. */
static enum status recover_segment(struct recovery *r, struct log_segment *s, int64_t next_base)
{
	int64_t file_end = s->size_bytes, expected = r->next_offset;
	int32_t epoch = r->last_epoch;
	memset(&r->index, 0, sizeof(r->index));
	find_scan_start(r, s, file_end);
	r->skipped = r->skipped || s->size_bytes > 0;
	if (s->size_bytes == 0) {
		r->next_offset = expected > s->base_offset ? expected : s->base_offset;
		r->last_epoch = epoch;
	}
	TRY(scan_tail(r, s, file_end, next_base));
	if (epoch > r->last_epoch)
		r->last_epoch = epoch;
	if (next_base != INT64_MAX) /* as when it was closed */
		log_segment_finish_time_index(s);
	persist_index(r, &s->offset_index);
	persist_index(r, &s->time_index);
	s->sync_needed = s->size_bytes > 0 || file_end > 0;
	return STATUS_OK;
}

/* Does the last batch end where the file does, and before the next segment? Header by header from the last index entry. */
static enum status walk_end(struct recovery *r, struct log_segment *s, int64_t next_base)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	struct log_batch_info b;
	enum status status;
	int64_t from = log_index_count(&s->offset_index) > 0 ? s->offset_index.last.value : 0;
	log_scanner_init(&scanner, s->file, from, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	r->next_offset = s->base_offset;
	while ((status = log_scanner_next(&scanner, &b)) == STATUS_OK) {
		if (b.last_offset < r->next_offset || b.last_offset >= next_base)
			return STATUS_CORRUPT;
		r->next_offset = b.last_offset + 1;
		s->bytes_since_index = s->size_bytes - from;
		if (b.max_timestamp > s->max_timestamp) {
			s->max_timestamp = b.max_timestamp;
			s->max_timestamp_offset = b.last_offset;
		}
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool indexes_plausible(const struct log_segment *s, int64_t next_base)
{
	const struct log_index *o = &s->offset_index, *t = &s->time_index;
	if (log_index_count(o) > 0 && (o->last.key >= next_base || o->last.value >= s->size_bytes))
		return false;
	if (log_index_count(t) > 0)
		return t->last.value < next_base;
	if (s->size_bytes == 0)
		return true;
	/* A closed segment has at least its largest timestamp there, unless its records have none (magic 0). */
	uint8_t buffer[LOG_SCAN_BUFFER_MIN];
	struct log_scanner scanner;
	struct log_batch_info b;
	log_scanner_init(&scanner, s->file, 0, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	return log_scanner_next(&scanner, &b) == STATUS_OK && b.max_timestamp < 0;
}

/* A segment known to be whole: only its indexes are looked at. Rebuilds it if they do not do. */
static enum status trust_segment(struct recovery *r, struct log_segment *s, int64_t next_base, bool last)
{
	bool ok = load_indexes(r, s, false) && indexes_plausible(s, next_base);
	if (ok)
		take_largest_timestamp(s);
	int64_t expected = r->next_offset;
	enum status status = STATUS_OK;
	/* Cut at the recovery point, it may have got its tail back. */
	if (ok && (last || next_base == r->recovery_point))
		status = walk_end(r, s, next_base);
	/* Left from a longer file of that name. */
	if (ok && last && log_index_count(&s->time_index) > 0 && s->time_index.last.value >= r->next_offset)
		ok = false;
	if (status == STATUS_IO)
		return io_failure(r, status, "reading a segment failed");
	if (!ok || status != STATUS_OK) {
		r->next_offset = expected;
		forget_indexes(s);
		diag_info("log_index_rebuilt", "partition=%s segment=%020lld bytes=%lld", r->in->name, (long long)s->base_offset,
			(long long)s->size_bytes);
		return recover_segment(r, s, next_base);
	}
	s->synced_bytes = s->size_bytes;
	r->skipped = r->skipped || s->size_bytes > 0;
	if (!last)
		r->next_offset = next_base;
	return STATUS_OK;
}

static enum status load_segment(struct recovery *r, int64_t base, int64_t next_base)
{
	struct log_segment *s;
	enum status status = log_segment_open(&r->in->place, base, &s);
	if (status != STATUS_OK)
		return io_failure(r, status, "opening a segment failed");
	add_segment(r->out, s);
	bool last = next_base == INT64_MAX;
	bool synced = r->in->clean || (!last && next_base <= r->recovery_point);
	return synced ? trust_segment(r, s, next_base, last) : recover_segment(r, s, next_base);
}

/* Offsets are missing before the next segment's base, above the recovery point. They were lost with an unsynced end, so
 * what follows was not synced either, and goes: behind a hole a replica would pass for one that has everything.
 * Only where compaction takes offsets out may it have been so before; the indexes of a closed segment are completed after
 * its records were synced, so there complete ones tell. */
static bool records_lost_before(const struct recovery *r, int64_t base)
{
	if (r->in->clean || r->out->count == 0 || r->next_offset >= base || r->next_offset < r->recovery_point)
		return false;
	const struct log_segment *s = r->out->segments[r->out->count - 1];
	if (!r->in->compacted || r->next_offset == r->recovery_point || s->size_bytes == 0)
		return true;
	return !r->index.whole || r->index.largest_timestamp != s->max_timestamp ||
		r->index.last_batch - r->index.offset_position > r->in->index_interval_bytes;
}

static enum status load_segments(struct recovery *r, const struct partition_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (r->cut || records_lost_before(r, files->bases[i])) {
			r->cut = true;
			diag_warn("log_segment_dropped", "partition=%s segment=%020lld next_offset=%lld behind a torn tail", r->in->name,
				(long long)files->bases[i], (long long)r->next_offset);
			r->out->directory_changed = true;
			enum status s = partition_directory_unlink_segment(&r->in->place, files->bases[i]);
			if (s != STATUS_OK)
				return io_failure(r, s, "removing a segment failed");
			continue;
		}
		TRY(load_segment(r, files->bases[i], i + 1 < files->count ? files->bases[i + 1] : INT64_MAX));
	}
	if (r->out->directory_changed) {
		enum status s = disk_sync_directory(r->in->place.disk, r->in->place.directory);
		if (s != STATUS_OK)
			return io_failure(r, s, "removing a segment failed");
	}
	return STATUS_OK;
}

/* --- leader epochs ------------------------------------------------------------------------------------------- */

/* The file is missing or damaged: the batches say the same. */
static enum status rebuild_epochs(struct recovery *r)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct leader_epoch_cache *c = &r->out->epochs;
	leader_epoch_cache_clear(c);
	for (size_t i = 0; i < r->out->count; i++) {
		struct log_segment *s = r->out->segments[i];
		struct log_scanner scanner;
		struct log_batch_info b;
		enum status status;
		log_scanner_init(&scanner, s->file, 0, s->size_bytes);
		log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
		while ((status = log_scanner_next(&scanner, &b)) == STATUS_OK) {
			if (b.magic < 2)
				leader_epoch_cache_clear(c);
			else if (b.leader_epoch > leader_epoch_cache_latest(c))
				(void)leader_epoch_cache_assign(c, b.leader_epoch, b.base_offset);
		}
		if (status == STATUS_IO)
			return io_failure(r, status, "reading a segment failed");
	}
	r->out->epochs_unsaved = c->count > 0;
	return STATUS_OK;
}

/* ret_known: false when the batches must be asked. */
static enum status read_epochs(struct recovery *r, bool *ret_known)
{
	char *text, *path = check_asprintf("%s/" PARTITION_EPOCHS_NAME, r->in->place.directory);
	size_t n;
	enum status s = disk_read_file(r->in->place.disk, path, EPOCHS_FILE_MAX, &text, &n);
	free(path);
	*ret_known = false;
	if (s == STATUS_NOT_FOUND || s == STATUS_TOO_LARGE)
		return STATUS_OK;
	if (s != STATUS_OK)
		return io_failure(r, s, "reading " PARTITION_EPOCHS_NAME " failed");
	*ret_known = leader_epoch_cache_parse(&r->out->epochs, slice_of(text, n)) == STATUS_OK;
	free(text);
	if (!*ret_known && n > 0) /* Kafka leaves an empty one where there was no epoch yet */
		diag_warn("leader_epochs_rebuilt", "partition=%s " PARTITION_EPOCHS_NAME " is damaged", r->in->name);
	return STATUS_OK;
}

/* --- the whole log ------------------------------------------------------------------------------------------- */

static enum status read_recovery_limit(struct recovery *r)
{
	int64_t limit;
	enum status s = partition_offset_file_read(&r->in->place, PARTITION_RECOVERY_LIMIT_NAME, &limit);
	if (s != STATUS_OK)
		return io_failure(r, s, "reading " PARTITION_RECOVERY_LIMIT_NAME " failed");
	if (limit < r->recovery_point)
		r->recovery_point = limit;
	return STATUS_OK;
}

static enum status create_first_segment(struct recovery *r, int64_t base)
{
	struct disk_file *f;
	char *path = log_segment_path(r->in->place.directory, base, "log", "");
	enum status s = disk_open(r->in->place.disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	free(path);
	if (s != STATUS_OK)
		return io_failure(r, s, "creating a segment failed");
	add_segment(r->out, log_segment_new(base, f, clock_wall_ms(r->in->clock)));
	r->next_offset = base;
	r->out->directory_changed = true;
	return STATUS_OK;
}

/* The log ends before the start that was checkpointed: it is empty from there. */
static enum status restart_at(struct recovery *r, int64_t start)
{
	struct log_recovered *out = r->out;
	while (out->count > 0) {
		struct log_segment *s = out->segments[--out->count];
		int64_t base = s->base_offset;
		log_segment_free(s);
		enum status status = partition_directory_unlink_segment(&r->in->place, base);
		if (status != STATUS_OK)
			return io_failure(r, status, "removing a segment failed");
	}
	return create_first_segment(r, start);
}

/* A removal of everything was under way when the process ended. */
static enum status finish_restart(struct recovery *r, const struct partition_files *files)
{
	int64_t start;
	enum status s = partition_offset_file_read(&r->in->place, PARTITION_RESTART_NAME, &start);
	for (size_t i = 0; s == STATUS_OK && i < files->count; i++)
		s = partition_directory_unlink_segment(&r->in->place, files->bases[i]);
	if (s == STATUS_OK)
		s = producer_snapshots_remove_above(&r->out->snapshots, &r->in->place, -1);
	if (s == STATUS_OK)
		s = disk_sync_directory(r->in->place.disk, r->in->place.directory);
	if (s != STATUS_OK)
		return io_failure(r, s, "removing a segment failed");
	TRY(create_first_segment(r, start));
	leader_epoch_cache_clear(&r->out->epochs);
	r->out->epochs_unsaved = true;
	s = partition_offset_file_remove(&r->in->place, PARTITION_RESTART_NAME);
	return s == STATUS_OK ? s : io_failure(r, s, "removing " PARTITION_RESTART_NAME " failed");
}

/* When did the active segment begin, by the broker's clock? Its first record's time if that is believable, else the time
 * of the last append. */
static void guess_created(struct recovery *r, struct log_segment *s)
{
	struct log_scanner scanner;
	struct log_batch_info b;
	log_scanner_init(&scanner, s->file, 0, s->size_bytes);
	log_scanner_set_buffer(&scanner, r->buffer, LOG_SCAN_BUFFER_MIN, false);
	if (log_scanner_next(&scanner, &b) == STATUS_OK && b.max_timestamp > 0 && b.max_timestamp <= s->appended_ms &&
		s->appended_ms - b.max_timestamp <= r->in->segment_ms)
		s->created_ms = b.max_timestamp;
}

/* The checkpoint may say more than the log now holds: new records in between must not pass for synced ones. */
static void limit_recovery_point(struct recovery *r)
{
	struct log_recovered *out = r->out;
	out->recovery_point_max = r->in->recovery_point;
	if (r->in->recovery_point <= out->end_offset || (out->has_recovery_limit && r->recovery_point <= out->end_offset))
		return;
	enum status s = partition_offset_file_write(&r->in->place, PARTITION_RECOVERY_LIMIT_NAME, out->end_offset);
	out->has_recovery_limit = s == STATUS_OK;
	if (s != STATUS_OK)
		diag_warn("recovery_limit_unsaved", "partition=%s status=%s a crash before the next checkpoint may miss torn records",
			r->in->name, status_name(s));
}

static enum status settle(struct recovery *r, bool epochs_known)
{
	const struct log_recovery_input *in = r->in;
	struct log_recovered *out = r->out;
	if (out->count > 0 && r->next_offset < in->log_start_offset)
		TRY(restart_at(r, in->log_start_offset));
	if (out->count == 0)
		TRY(create_first_segment(r, in->log_start_offset > 0 ? in->log_start_offset : 0));
	if (!epochs_known && r->skipped)
		TRY(rebuild_epochs(r));
	out->start_offset = out->segments[0]->base_offset;
	if (in->log_start_offset > out->start_offset)
		out->start_offset = in->log_start_offset;
	out->end_offset = r->next_offset;
	int64_t synced = in->clean ? out->end_offset : r->recovery_point;
	out->flushed_offset = synced < out->end_offset ? synced : out->end_offset;
	limit_recovery_point(r);
	if (leader_epoch_cache_truncate_end(&out->epochs, out->end_offset))
		out->epochs_unsaved = true;
	if (leader_epoch_cache_truncate_start(&out->epochs, out->start_offset))
		out->epochs_unsaved = true;
	guess_created(r, out->segments[out->count - 1]);
	return STATUS_OK;
}

static enum status run(struct recovery *r)
{
	struct partition_files files;
	bool epochs_known = false;
	enum status s = partition_directory_load(&r->in->place, &files);
	r->buffer = check_alloc(files.count > 0 ? SCAN_BUFFER_BYTES : LOG_SCAN_BUFFER_MIN);
	r->out->snapshots = files.snapshots;
	files.snapshots = (struct producer_snapshots){0};
	r->out->has_transaction_index = files.has_transaction_index;
	r->out->has_recovery_limit = files.has_recovery_limit;
	if (s != STATUS_OK)
		(void)io_failure(r, s, "reading the directory failed");
	if (s == STATUS_OK && files.has_recovery_limit) {
		r->in->clean = false; /* the stop was not clean for this log */
		s = read_recovery_limit(r);
	}
	if (s == STATUS_OK)
		s = read_epochs(r, &epochs_known);
	if (s == STATUS_OK)
		s = files.has_restart ? finish_restart(r, &files) : load_segments(r, &files);
	partition_files_fini(&files);
	return s == STATUS_OK ? settle(r, epochs_known) : s;
}

enum status log_recovery_run(const struct log_recovery_input *in, struct log_recovered *ret_log, struct failure *ret_failure)
{
	expect(in->recovery_point >= 0 && in->index_interval_bytes >= 0);
	struct log_recovered out = {0};
	struct log_recovery_input input = *in;
	struct recovery r = {.in = &input, .out = &out, .failure = ret_failure, .recovery_point = in->recovery_point, .last_epoch = -1};
	leader_epoch_cache_init(&out.epochs);
	enum status s = run(&r);
	free(r.buffer);
	if (s != STATUS_OK) {
		log_recovered_fini(&out);
		return s;
	}
	*ret_log = out;
	return STATUS_OK;
}
