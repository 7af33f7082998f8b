/* Reading: file ranges for fetches, offsets by time. Copies nothing but batch headers. */
#include "storage/legacy_message.h"
#include "storage/partition_log_internal.h"

enum {
	SEGMENTS_PER_READ = 64,
	BATCH_IN_MEMORY_MAX = 128 * 1024 * 1024, /* larger ones are answered by their header alone */
	INFLATED_MAX = 256 * 1024 * 1024,
};

/* --- ranges -------------------------------------------------------------------------------------------------- */

static const struct log_cursor *find_cursor(const struct partition_log *log, int64_t offset)
{
	for (size_t i = 0; i < LOG_CURSORS; i++) {
		if (log->cursors[i].offset == offset && log->cursors[i].position > 0)
			return &log->cursors[i];
	}
	return NULL;
}

static void save_cursor(struct partition_log *log, int64_t offset, int64_t base_offset, int64_t position)
{
	if (offset < 0 || position == 0 || find_cursor(log, offset) != NULL)
		return;
	log->cursors[log->cursor_next] = (struct log_cursor){offset, base_offset, position};
	log->cursor_next = (log->cursor_next + 1) % LOG_CURSORS;
}

/* The batch that holds `offset`, or the next one if none does. */
static enum status find_batch(struct partition_log *log, int64_t offset, size_t *ret_segment, int64_t *ret_position)
{
	size_t i = partition_log_segment_at(log, offset);
	const struct log_cursor *c = find_cursor(log, offset);
	if (c != NULL && c->base_offset == log->segments[i]->base_offset && c->position <= log->segments[i]->size_bytes) {
		*ret_segment = i;
		*ret_position = c->position;
		return STATUS_OK;
	}
	for (; i < log->count; i++) {
		struct log_batch_info b;
		enum status s = log_segment_find(log->segments[i], &log->place, offset, &b);
		if (s == STATUS_OK) {
			*ret_segment = i;
			*ret_position = b.position;
			return STATUS_OK;
		}
		if (s != STATUS_NOT_FOUND)
			return s;
	}
	return STATUS_NOT_FOUND;
}

/* One read on its way through the segments. */
struct range_walk {
	size_t segment;
	int64_t position;
	int64_t end_offset;
	int64_t budget;
	bool first_whole;
	bool ended;
};

/* Takes what fits of the present segment and moves on to the next. */
static enum status take_range(struct partition_log *log, struct range_walk *w, struct iobuf *out)
{
	struct log_segment *s = log->segments[w->segment];
	int64_t segment_end = partition_log_segment_end(log, w->segment);
	int64_t to = s->size_bytes, next = segment_end;
	if (segment_end > w->end_offset || s->size_bytes - w->position > w->budget)
		TRY(log_segment_range_end(s, &log->place, w->position, w->position + w->budget, w->end_offset, w->first_whole,
			&to, &next));
	expect(to >= w->position && to <= s->size_bytes);
	if (to > w->position) {
		iobuf_append_file(out, &s->file->shared, w->position, (size_t)(to - w->position));
		w->budget -= to - w->position;
		w->first_whole = false;
	}
	w->ended = to < s->size_bytes || w->segment + 1 == log->count;
	if (w->ended)
		save_cursor(log, next, s->base_offset, to);
	w->segment++;
	w->position = 0;
	return STATUS_OK;
}

enum status partition_log_read(struct partition_log *log, int64_t offset, int64_t end_offset, size_t max_bytes,
	bool at_least_one, struct iobuf *out, size_t *ret_bytes)
{
	partition_log_check(log);
	if (offset < log->start_offset || offset > log->end_offset)
		return STATUS_OFFSET_OUT_OF_RANGE;
	struct range_walk w = {
		.end_offset = end_offset < log->end_offset ? end_offset : log->end_offset,
		.budget = max_bytes > INT32_MAX ? INT32_MAX : (int64_t)max_bytes,
		.first_whole = at_least_one,
	};
	size_t before = out->size_bytes;
	enum status s = offset < w.end_offset ? find_batch(log, offset, &w.segment, &w.position) : STATUS_NOT_FOUND;
	for (unsigned n = 0; s == STATUS_OK && !w.ended && n < SEGMENTS_PER_READ && (w.budget > 0 || w.first_whole); n++)
		s = take_range(log, &w, out);
	/* What was taken before a damaged place is served; the next read starts there and says so. */
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && out->size_bytes == before)
		return s;
	*ret_bytes = out->size_bytes - before;
	return STATUS_OK;
}

/* A position at or before the batch of `offset`, without reading records. */
static int64_t position_near(struct partition_log *log, size_t segment, int64_t offset)
{
	struct log_segment *s = log->segments[segment];
	struct log_index_entry e;
	if (offset >= partition_log_segment_end(log, segment))
		return s->size_bytes;
	const struct log_cursor *c = find_cursor(log, offset);
	if (c != NULL && c->base_offset == s->base_offset)
		return c->position;
	if (offset <= s->base_offset || log_index_floor(&s->offset_index, log->env.disk, log->directory, LOG_INDEX_KEY, offset, &e) !=
						STATUS_OK)
		return 0;
	return e.value < s->size_bytes ? e.value : s->size_bytes;
}

int64_t partition_log_bytes_between(struct partition_log *log, int64_t offset, int64_t end_offset)
{
	partition_log_check(log);
	if (offset < log->start_offset)
		offset = log->start_offset;
	if (end_offset > log->end_offset)
		end_offset = log->end_offset;
	if (offset >= end_offset)
		return 0;
	size_t from = partition_log_segment_at(log, offset), to = partition_log_segment_at(log, end_offset);
	int64_t bytes = position_near(log, to, end_offset) - position_near(log, from, offset);
	for (size_t i = from; i < to; i++)
		bytes += log->segments[i]->size_bytes;
	return bytes > 0 ? bytes : 0;
}

/* --- by time ------------------------------------------------------------------------------------------------- */

/* The same in a message of an old format. */
static enum status search_message(struct slice bytes, int64_t t, int64_t min_offset, int64_t *ret_offset, int64_t *ret_timestamp)
{
	struct legacy_message m;
	struct legacy_iterator it;
	struct record r;
	TRY(legacy_message_parse(bytes, &m));
	TRY(legacy_iterator_init(&it, &m, INFLATED_MAX));
	enum status status;
	do {
		status = legacy_iterator_next(&it, &r);
	} while (status == STATUS_OK && (r.timestamp < t || r.offset < min_offset));
	if (status == STATUS_OK) {
		*ret_offset = r.offset;
		*ret_timestamp = r.timestamp;
	}
	legacy_iterator_fini(&it);
	return status;
}

/* The first record of the batch at or above min_offset with timestamp >= t. STATUS_NOT_FOUND; STATUS_CORRUPT when the
 * batch cannot be opened up. */
static enum status search_batch(struct log_segment *s, const struct log_batch_info *info, int64_t t, int64_t min_offset,
	int64_t *ret_offset, int64_t *ret_timestamp)
{
	struct record_iterator it;
	struct record_batch batch;
	struct record r;
	if (info->size_bytes > BATCH_IN_MEMORY_MAX)
		return STATUS_CORRUPT;
	uint8_t *bytes = check_alloc((size_t)info->size_bytes);
	enum status status = disk_file_pread_all(s->file, bytes, (size_t)info->size_bytes, info->position);
	if (status == STATUS_OK && info->magic < 2) {
		status = search_message(slice_of(bytes, (size_t)info->size_bytes), t, min_offset, ret_offset, ret_timestamp);
		free(bytes);
		return status == STATUS_OK || status == STATUS_NOT_FOUND ? status : STATUS_CORRUPT;
	}
	if (status == STATUS_OK)
		status = record_batch_parse(slice_of(bytes, (size_t)info->size_bytes), &batch);
	if (status == STATUS_OK)
		status = record_iterator_init(&it, &batch, INFLATED_MAX);
	if (status == STATUS_OK) {
		do {
			status = record_iterator_next(&it, &r);
		} while (status == STATUS_OK && (r.timestamp < t || r.offset < min_offset));
		if (status == STATUS_OK) {
			*ret_offset = r.offset;
			*ret_timestamp = r.timestamp;
		}
		record_iterator_fini(&it);
	}
	free(bytes);
	return status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_IO ? status : STATUS_CORRUPT;
}

/* In segment s, from min_offset on. */
static enum status search_segment(struct partition_log *log, struct log_segment *s, int64_t t, int64_t min_offset,
	int64_t *ret_offset, int64_t *ret_timestamp)
{
	for (;;) {
		struct log_batch_info b;
		TRY(log_segment_find_time(s, &log->place, t, min_offset, &b));
		enum status status = search_batch(s, &b, t, min_offset, ret_offset, ret_timestamp);
		if (status == STATUS_CORRUPT) {
			/* Damaged, or too large to look into: the batch as a whole. */
			*ret_offset = b.base_offset > min_offset ? b.base_offset : min_offset;
			*ret_timestamp = b.max_timestamp;
			return STATUS_OK;
		}
		if (status != STATUS_NOT_FOUND)
			return status;
		min_offset = b.last_offset + 1;
	}
}

enum status partition_log_offset_for_time(struct partition_log *log, int64_t timestamp_ms, int64_t *ret_offset,
	int64_t *ret_timestamp)
{
	partition_log_check(log);
	for (size_t i = partition_log_segment_at(log, log->start_offset); i < log->count; i++) {
		struct log_segment *s = log->segments[i];
		if (s->max_timestamp < timestamp_ms)
			continue;
		enum status status = search_segment(log, s, timestamp_ms, log->start_offset, ret_offset, ret_timestamp);
		if (status != STATUS_NOT_FOUND)
			return status;
	}
	*ret_offset = *ret_timestamp = -1;
	return STATUS_OK;
}

size_t partition_log_segment_starts(struct partition_log *log, int64_t timestamp_ms, int64_t *ret_offsets, size_t max)
{
	enum { LATEST = -1, EARLIEST = -2 };
	size_t n = 0;
	partition_log_check(log);
	bool ends_later = log->segments[log->count - 1]->size_bytes > 0; /* else the last start is the end */
	if (timestamp_ms == EARLIEST) {
		if (max > 0)
			ret_offsets[n++] = log->start_offset;
		return n;
	}
	if (ends_later && n < max && (timestamp_ms == LATEST || clock_wall_ms(log->env.clock) <= timestamp_ms))
		ret_offsets[n++] = log->end_offset;
	for (size_t i = log->count; i > 0 && n < max; i--) {
		const struct log_segment *s = log->segments[i - 1];
		/* The newest that is old enough, and all before it, whatever their age. */
		if (n == 0 && timestamp_ms != LATEST && s->appended_ms > timestamp_ms)
			continue;
		ret_offsets[n++] = s->base_offset > log->start_offset ? s->base_offset : log->start_offset;
	}
	return n;
}

enum status partition_log_max_timestamp(struct partition_log *log, int64_t *ret_offset, int64_t *ret_timestamp)
{
	partition_log_check(log);
	int64_t max = -1;
	for (size_t i = partition_log_segment_at(log, log->start_offset); i < log->count; i++)
		max = log->segments[i]->max_timestamp > max ? log->segments[i]->max_timestamp : max;
	if (max < 0) {
		*ret_offset = *ret_timestamp = -1;
		return STATUS_OK;
	}
	return partition_log_offset_for_time(log, max, ret_offset, ret_timestamp);
}
