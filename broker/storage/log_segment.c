#include "storage/log_segment.h"

enum {
	WALK_BUFFER_BYTES = 4096, /* on the stack; about one index interval */
	NAME_DIGITS = 20,
};

char *log_segment_path(const char *directory, int64_t base_offset, const char *extension, const char *suffix)
{
	expect(base_offset >= 0);
	return check_asprintf("%s/%020lld.%s%s", directory, (long long)base_offset, extension, suffix);
}

enum status log_segment_parse_name(const char *name, int64_t *ret_base_offset, const char **ret_extension)
{
	size_t n = strspn(name, "0123456789");
	if (n != NAME_DIGITS || name[n] != '.')
		return STATUS_INVALID_ARGUMENT;
	TRY(bytes_parse_i64(slice_of(name, n), ret_base_offset));
	*ret_extension = name + n + 1;
	return STATUS_OK;
}

static struct log_segment *segment_new(int64_t base_offset, struct disk_file *file)
{
	struct log_segment *s = check_calloc(1, sizeof(*s));
	s->base_offset = base_offset;
	s->file = file;
	s->max_timestamp = s->max_timestamp_offset = -1;
	log_index_init(&s->offset_index, LOG_INDEX_OFFSET, base_offset);
	log_index_init(&s->time_index, LOG_INDEX_TIME, base_offset);
	return s;
}

struct log_segment *log_segment_new(int64_t base_offset, struct disk_file *file, int64_t now_ms)
{
	struct log_segment *s = segment_new(base_offset, file);
	s->created_ms = s->appended_ms = now_ms;
	return s;
}

enum status log_segment_open(const struct log_place *place, int64_t base_offset, struct log_segment **ret_segment)
{
	char *path = log_segment_path(place->directory, base_offset, "log", "");
	struct disk_file *file = NULL;
	struct disk_stat stat;
	enum status s = disk_stat(place->disk, path, &stat);
	if (s == STATUS_OK)
		s = disk_open(place->disk, path, DISK_WRITE, &file);
	free(path);
	if (s != STATUS_OK)
		return s;
	if (stat.size_bytes > INT32_MAX) { /* positions in an index are 32 bits wide */
		disk_file_close(file);
		return STATUS_CORRUPT;
	}
	struct log_segment *segment = segment_new(base_offset, file);
	segment->size_bytes = stat.size_bytes;
	segment->created_ms = segment->appended_ms = stat.mtime_ms;
	*ret_segment = segment;
	return STATUS_OK;
}

void log_segment_free(struct log_segment *s)
{
	if (s == NULL)
		return;
	disk_file_close(s->file);
	log_index_fini(&s->offset_index);
	log_index_fini(&s->time_index);
	free(s);
}

void log_segment_add_batch(struct log_segment *s, const struct log_batch_info *b, int32_t index_interval_bytes)
{
	expect(b->position == s->size_bytes && b->last_offset >= s->base_offset);
	expect(b->size_bytes > 0);
	if (b->max_timestamp > s->max_timestamp) {
		s->max_timestamp = b->max_timestamp;
		s->max_timestamp_offset = b->last_offset;
	}
	if (s->bytes_since_index > index_interval_bytes) {
		log_index_append(&s->offset_index, b->last_offset, b->position);
		log_segment_finish_time_index(s);
		s->bytes_since_index = 0;
	}
	s->bytes_since_index += b->size_bytes;
	s->size_bytes += b->size_bytes;
}

void log_segment_finish_time_index(struct log_segment *s)
{
	/* Ignored when the last entry has this timestamp already. */
	if (s->max_timestamp >= 0)
		log_index_append(&s->time_index, s->max_timestamp, s->max_timestamp_offset);
}

/* A position the index gives is only a hint: it must be a batch that the entry can mean. */
static enum status walk_from(struct log_segment *s, const struct log_place *place, enum log_index_field field, int64_t limit,
	int64_t *ret_position)
{
	struct log_index_entry e;
	enum status status = log_index_floor(&s->offset_index, place->disk, place->directory, field, limit, &e);
	*ret_position = status == STATUS_OK && e.value < s->size_bytes ? e.value : 0;
	return status == STATUS_IO ? STATUS_IO : STATUS_OK;
}

/* From the batch at position on, the first with last offset >= offset. STATUS_CORRUPT: no batch starts at position. */
static enum status walk_to_offset(struct log_segment *s, int64_t position, int64_t offset, struct log_batch_info *ret_batch)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	log_scanner_init(&scanner, s->file, position, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	for (;;) {
		struct log_batch_info b;
		TRY(log_scanner_next(&scanner, &b));
		if (b.last_offset >= offset) {
			/* An entry's batch ends at or before the offset looked up: this entry lied, and all before it
			 * would be skipped. */
			if (b.position == position && position > 0 && b.last_offset > offset)
				return STATUS_CORRUPT;
			*ret_batch = b;
			return STATUS_OK;
		}
	}
}

enum status log_segment_find(struct log_segment *s, const struct log_place *place, int64_t offset,
	struct log_batch_info *ret_batch)
{
	int64_t position;
	expect(offset >= 0);
	TRY(walk_from(s, place, LOG_INDEX_KEY, offset, &position));
	enum status status = walk_to_offset(s, position, offset, ret_batch);
	if (position > 0 && (status == STATUS_CORRUPT || status == STATUS_TRUNCATED))
		status = walk_to_offset(s, 0, offset, ret_batch);
	return status == STATUS_TRUNCATED ? STATUS_CORRUPT : status;
}

/* Largest indexed position that is within position_max and not behind end_offset; at least `from`. */
static int64_t range_hint(struct log_segment *s, const struct log_place *place, int64_t from, int64_t position_max,
	int64_t end_offset)
{
	struct log_index_entry e;
	int64_t hint = from;
	const struct {
		enum log_index_field field;
		int64_t limit;
	} bounds[] = {{LOG_INDEX_VALUE, position_max}, {LOG_INDEX_KEY, end_offset}};
	int64_t least = INT64_MAX;
	for (size_t i = 0; i < 2; i++) {
		if (log_index_floor(&s->offset_index, place->disk, place->directory, bounds[i].field, bounds[i].limit, &e) !=
			STATUS_OK)
			return from;
		least = e.value < least ? e.value : least;
	}
	return least > hint && least < s->size_bytes ? least : hint;
}

static enum status walk_range(struct log_segment *s, int64_t from, int64_t start, int64_t position_max,
	int64_t end_offset, bool first_whole, int64_t *ret_position, int64_t *ret_next)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	log_scanner_init(&scanner, s->file, start, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	int64_t position = start, next = -1;
	for (;;) {
		struct log_batch_info b;
		enum status status = log_scanner_next(&scanner, &b);
		if (status == STATUS_NOT_FOUND)
			break;
		if (status != STATUS_OK)
			return status;
		bool fits = scanner.position <= position_max || (first_whole && b.position == from);
		if (!fits || b.last_offset >= end_offset) {
			/* All before a hinted batch fits; only an old format does not say where the batch begins. */
			if (next < 0 && start > from && b.magic == 2)
				next = b.base_offset;
			break;
		}
		position = scanner.position;
		next = b.last_offset + 1;
	}
	*ret_position = position;
	*ret_next = next;
	return STATUS_OK;
}

enum status log_segment_range_end(struct log_segment *s, const struct log_place *place, int64_t from, int64_t position_max,
	int64_t end_offset, bool first_whole, int64_t *ret_position, int64_t *ret_next)
{
	expect(from >= 0 && from <= s->size_bytes);
	int64_t hint = range_hint(s, place, from, position_max, end_offset - 1);
	enum status status = walk_range(s, from, hint, position_max, end_offset, first_whole, ret_position, ret_next);
	if (hint > from && (status == STATUS_CORRUPT || status == STATUS_TRUNCATED))
		status = walk_range(s, from, from, position_max, end_offset, first_whole, ret_position, ret_next);
	return status == STATUS_TRUNCATED ? STATUS_CORRUPT : status;
}

static enum status walk_to_time(struct log_segment *s, int64_t position, int64_t timestamp, int64_t offset,
	struct log_batch_info *ret_batch)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	log_scanner_init(&scanner, s->file, position, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	do {
		TRY(log_scanner_next(&scanner, ret_batch));
	} while (ret_batch->max_timestamp < timestamp || ret_batch->last_offset < offset);
	return STATUS_OK;
}

enum status log_segment_find_time(struct log_segment *s, const struct log_place *place, int64_t timestamp, int64_t offset,
	struct log_batch_info *ret_batch)
{
	struct log_index_entry e = {0};
	struct log_batch_info found;
	int64_t position;
	/* Every batch up to this entry's offset is older than the timestamp. */
	if (timestamp > 0 && log_index_floor(&s->time_index, place->disk, place->directory, LOG_INDEX_KEY, timestamp - 1, &e) ==
				     STATUS_OK)
		offset = e.value > offset ? e.value : offset;
	TRY(walk_from(s, place, LOG_INDEX_KEY, offset, &position));
	enum status status = walk_to_time(s, position, timestamp, offset, &found);
	if (position > 0 && (status == STATUS_CORRUPT || status == STATUS_TRUNCATED))
		status = walk_to_time(s, 0, timestamp, offset, &found);
	if (status == STATUS_OK)
		*ret_batch = found;
	return status == STATUS_TRUNCATED ? STATUS_CORRUPT : status;
}

static enum status walk_to_position(struct log_segment *s, int64_t from, int64_t position, int64_t *ret_offset)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	struct log_batch_info b;
	int64_t offset = s->base_offset;
	log_scanner_init(&scanner, s->file, from, position);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	enum status status;
	while ((status = log_scanner_next(&scanner, &b)) == STATUS_OK)
		offset = b.last_offset + 1;
	if (status != STATUS_NOT_FOUND)
		return status;
	*ret_offset = offset;
	return STATUS_OK;
}

enum status log_segment_end_before(struct log_segment *s, const struct log_place *place, int64_t position, int64_t *ret_offset)
{
	int64_t from;
	expect(position >= 0 && position <= s->size_bytes);
	TRY(walk_from(s, place, LOG_INDEX_VALUE, position - 1, &from));
	enum status status = walk_to_position(s, from, position, ret_offset);
	if (from > 0 && (status == STATUS_CORRUPT || status == STATUS_TRUNCATED))
		status = walk_to_position(s, 0, position, ret_offset);
	return status == STATUS_TRUNCATED ? STATUS_CORRUPT : status;
}

/* The largest timestamp of what is left: the last time entry, and the batches behind the last offset entry. */
static void recount(struct log_segment *s)
{
	uint8_t buffer[WALK_BUFFER_BYTES];
	struct log_scanner scanner;
	struct log_batch_info b;
	int64_t from = log_index_count(&s->offset_index) > 0 ? s->offset_index.last.value : 0;
	s->max_timestamp = s->max_timestamp_offset = -1;
	if (log_index_count(&s->time_index) > 0) {
		s->max_timestamp = s->time_index.last.key;
		s->max_timestamp_offset = s->time_index.last.value;
	}
	s->bytes_since_index = s->size_bytes - from;
	log_scanner_init(&scanner, s->file, from, s->size_bytes);
	log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
	while (log_scanner_next(&scanner, &b) == STATUS_OK) {
		if (b.max_timestamp > s->max_timestamp) {
			s->max_timestamp = b.max_timestamp;
			s->max_timestamp_offset = b.last_offset;
		}
	}
}

enum status log_segment_truncate(struct log_segment *s, const struct log_place *place, int64_t position, int64_t offset)
{
	expect(position >= 0 && position <= s->size_bytes && offset >= s->base_offset);
	TRY(disk_file_truncate(s->file, position));
	s->size_bytes = position;
	s->synced_bytes = position < s->synced_bytes ? position : s->synced_bytes;
	s->sync_needed = true;
	s->cuts++;
	/* An index that cannot be cut has been emptied: lookups then walk the segment. */
	if (log_index_truncate(&s->offset_index, place->disk, place->directory, LOG_INDEX_VALUE, position) != STATUS_OK ||
		log_index_truncate(&s->time_index, place->disk, place->directory, LOG_INDEX_VALUE, offset) != STATUS_OK) {
		log_index_clear(&s->offset_index);
		log_index_clear(&s->time_index);
	}
	recount(s);
	return STATUS_OK;
}

static bool index_waits(const struct log_index *ix)
{
	return ix->pending_count > 0 || ix->unsynced || ix->missing;
}

bool log_segment_is_dirty(const struct log_segment *s, bool active)
{
	if (s->sync_needed || s->synced_bytes < s->size_bytes || s->offset_index.unsynced || s->time_index.unsynced)
		return true;
	return !active && (s->mtime_pending || index_waits(&s->offset_index) || index_waits(&s->time_index));
}
