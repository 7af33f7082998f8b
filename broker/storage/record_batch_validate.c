/* What a leader checks of a batch before it appends it. One walk over the records, whether they lie in the request or come
 * out of a decompressor window by window: nothing is allocated, whatever their number and size. */
#include "storage/inflater.h"
#include "storage/record_batch.h"

enum {
	/* Varints before a record's key: length, attributes, timestamp, offset, key length. */
	RECORD_HEAD_SIZE_MAX = 5 + 1 + 10 + 5 + 5,
	VARINT_SIZE_MAX = 5,
	/* Least bytes after the length: attributes, two deltas, key length, value length, header count. */
	RECORD_LENGTH_MIN = 6,
	RECORD_SIZE_MIN = RECORD_LENGTH_MIN + 1,
	HEADER_SIZE_MIN = 2,
};

/* The bytes of the records, of which `window` is in memory. */
struct record_walk {
	struct byte_reader window;
	uint64_t window_position;  /* of the window's first byte in the stream */
	struct inflater *inflater; /* NULL: the window is everything */
	bool drained;              /* the window holds the rest */
	enum status status;        /* of the inflater */
};

static inline uint64_t walk_position(const struct record_walk *w)
{
	return w->window_position + w->window.at;
}

/* Moves what is left to the front of the scratch buffer and fills it up. */
static void walk_refill(struct record_walk *w)
{
	uint8_t *scratch = inflater_scratch(w->inflater);
	size_t left = byte_reader_left(&w->window), got = 0;
	expect(left < INFLATER_SCRATCH_SIZE);
	w->window_position += w->window.at;
	if (left > 0)
		memmove(scratch, slice_sub(w->window.data, w->window.at, left).p, left);
	enum status s = inflater_read(w->inflater, scratch + left, INFLATER_SCRATCH_SIZE - left, &got);
	if (s != STATUS_OK) {
		w->status = s;
		got = 0;
	}
	w->drained = left + got < INFLATER_SCRATCH_SIZE;
	w->window.data = slice_of(scratch, left + got);
	w->window.at = 0;
}

/* Makes n bytes readable, or all that are left. */
static inline void walk_ensure(struct record_walk *w, size_t n)
{
	if (w->window.data.n - w->window.at < n && !w->drained)
		walk_refill(w);
}

static void walk_skip_far(struct record_walk *w, size_t n)
{
	while (n > byte_reader_left(&w->window) && !w->drained) {
		size_t left = byte_reader_left(&w->window);
		byte_reader_skip(&w->window, left);
		n -= left;
		walk_refill(w);
	}
	byte_reader_skip(&w->window, n);
}

static inline void walk_skip(struct record_walk *w, size_t n)
{
	if (!byte_reader_short_skip(&w->window, n))
		walk_skip_far(w, n);
}

/* A field of `length` bytes (-1: null) that must end by `end`. */
static inline bool walk_field(struct record_walk *w, int32_t length, uint64_t end)
{
	if (length == -1)
		return true;
	if (length < 0 || walk_position(w) + (uint64_t)length > end)
		return false;
	walk_skip(w, (size_t)length);
	return true;
}

static bool walk_headers(struct record_walk *w, uint64_t end)
{
	walk_ensure(w, VARINT_SIZE_MAX);
	int32_t count = byte_reader_short_varint(&w->window);
	uint64_t position = walk_position(w);
	if (count < 0 || position > end || (uint64_t)count > (end - position) / HEADER_SIZE_MIN)
		return false;
	for (int32_t i = 0; i < count; i++) {
		walk_ensure(w, VARINT_SIZE_MAX);
		int32_t key_length = byte_reader_short_varint(&w->window);
		if (key_length < 0 || !walk_field(w, key_length, end)) /* a header's key is never null */
			return false;
		walk_ensure(w, VARINT_SIZE_MAX);
		int32_t value_length = byte_reader_short_varint(&w->window);
		if (!walk_field(w, value_length, end) || w->window.status != STATUS_OK)
			return false;
	}
	return true;
}

struct walked_record {
	int64_t timestamp_delta;
	int32_t offset_delta;
	bool key_null;
};

/* false: the fields do not make up a record that ends where it says. */
static bool walk_record(struct record_walk *w, struct walked_record *ret_record)
{
	walk_ensure(w, RECORD_HEAD_SIZE_MAX);
	int32_t length = byte_reader_short_varint(&w->window);
	if (length < RECORD_LENGTH_MIN)
		return false;
	uint64_t end = walk_position(w) + (uint64_t)length;
	walk_skip(w, 1); /* attributes: none defined */
	ret_record->timestamp_delta = byte_reader_short_varlong(&w->window);
	ret_record->offset_delta = byte_reader_short_varint(&w->window);
	int32_t key_length = byte_reader_short_varint(&w->window);
	ret_record->key_null = key_length == -1;
	if (!walk_field(w, key_length, end))
		return false;
	walk_ensure(w, VARINT_SIZE_MAX);
	int32_t value_length = byte_reader_short_varint(&w->window);
	if (!walk_field(w, value_length, end) || !walk_headers(w, end))
		return false;
	return w->window.status == STATUS_OK && walk_position(w) == end;
}

/* now - t > before_max or t - now > after_max, without overflow. -1 stands for "no timestamp". */
static bool timestamp_allowed(const struct record_batch_limits *limits, int64_t t)
{
	if (limits->log_append_time || t == -1)
		return true;
	int64_t difference;
	if (__builtin_sub_overflow(limits->now_ms, t, &difference))
		difference = t < 0 ? INT64_MAX : -INT64_MAX;
	return difference <= limits->timestamp_before_max_ms && difference >= -limits->timestamp_after_max_ms;
}

static enum status check_record(const struct record_batch *b, const struct record_batch_limits *limits,
	const struct walked_record *record, int32_t index, int64_t *max_timestamp)
{
	int64_t timestamp;
	/* Kafka rewrites batches with other deltas, or stores them unseen: readers would then find wrong offsets. */
	if (record->offset_delta != index)
		return STATUS_INVALID_RECORD;
	if (__builtin_add_overflow(b->base_timestamp, record->timestamp_delta, &timestamp))
		return STATUS_INVALID_RECORD;
	if (limits->compacted && record->key_null)
		return STATUS_INVALID_RECORD;
	if (!timestamp_allowed(limits, timestamp))
		return STATUS_INVALID_TIMESTAMP;
	if (timestamp > *max_timestamp)
		*max_timestamp = timestamp;
	return STATUS_OK;
}

static enum status walk_records(struct record_walk *w, struct record_batch *b, const struct record_batch_limits *limits,
	int32_t *ret_first_bad)
{
	int64_t max_timestamp = -1;
	for (int32_t i = 0; i < b->record_count; i++) {
		struct walked_record record = {0};
		bool whole = walk_record(w, &record);
		if (w->status != STATUS_OK)
			return w->status;
		enum status s = whole ? check_record(b, limits, &record, i, &max_timestamp) : STATUS_INVALID_RECORD;
		if (s != STATUS_OK) {
			*ret_first_bad = i;
			return s;
		}
	}
	walk_ensure(w, 1);
	if (w->status != STATUS_OK)
		return w->status;
	if (byte_reader_left(&w->window) > 0)
		return STATUS_INVALID_RECORD; /* more than were declared */
	b->max_timestamp = max_timestamp;
	return STATUS_OK;
}

/* Size, framing, checksum: what needs only the outside. */
static enum status validate_envelope(struct slice s, const struct record_batch_limits *limits,
	struct record_batch *ret_batch)
{
	if (s.n > limits->max_message_bytes)
		return STATUS_MESSAGE_TOO_LARGE;
	size_t size = 0;
	if (record_batch_peek_size(s, SIZE_MAX, &size) != STATUS_OK || size > s.n)
		return STATUS_CORRUPT_MESSAGE;
	if (size < s.n)
		return STATUS_INVALID_RECORD; /* one batch per partition and request */
	enum status parsed = record_batch_parse(s, ret_batch);
	if (parsed == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		return parsed;
	if (parsed != STATUS_OK)
		return STATUS_CORRUPT_MESSAGE;
	return record_batch_check_crc(ret_batch);
}

static enum status validate_header(const struct record_batch *b)
{
	if (b->base_offset != 0)
		return STATUS_INVALID_RECORD;
	if (b->record_count <= 0 || b->last_offset_delta != b->record_count - 1)
		return STATUS_INVALID_RECORD;
	if ((b->attributes & (RECORD_BATCH_CONTROL | RECORD_BATCH_DELETE_HORIZON)) != 0)
		return STATUS_INVALID_RECORD; /* the broker's alone */
	if (b->producer_id >= 0 ? b->base_sequence < 0 : (b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0)
		return STATUS_INVALID_RECORD;
	if ((unsigned)record_batch_codec(b) >= COMPRESSION_COUNT)
		return STATUS_UNSUPPORTED_COMPRESSION_TYPE;
	return STATUS_OK;
}

static enum status validate_compressed(struct slice records, struct record_batch *b,
	const struct record_batch_limits *limits, int32_t *ret_first_bad)
{
	struct inflater *inflater = inflater_of_thread();
	TRY(inflater_begin(inflater, record_batch_codec(b), records, limits->max_inflated_bytes));
	struct record_walk w = {.inflater = inflater};
	byte_reader_init(&w.window, slice_of(inflater_scratch(inflater), 0));
	enum status s = walk_records(&w, b, limits, ret_first_bad);
	inflater_end(inflater);
	return s;
}

enum status record_batch_validate(struct slice s, const struct record_batch_limits *limits, struct record_batch *ret_batch,
	int32_t *ret_first_bad)
{
	expect(limits->timestamp_before_max_ms >= 0 && limits->timestamp_after_max_ms >= 0);
	*ret_first_bad = -1;
	struct record_batch b;
	TRY(validate_envelope(s, limits, &b));
	TRY(validate_header(&b));
	struct slice records = slice_sub(s, RECORD_BATCH_HEADER_SIZE, s.n - RECORD_BATCH_HEADER_SIZE);
	if (record_batch_codec(&b) != COMPRESSION_none) {
		TRY(validate_compressed(records, &b, limits, ret_first_bad));
	} else {
		if ((size_t)b.record_count > records.n / RECORD_SIZE_MIN)
			return STATUS_INVALID_RECORD;
		struct record_walk w = {.drained = true};
		byte_reader_init(&w.window, records);
		TRY(walk_records(&w, &b, limits, ret_first_bad));
	}
	expect(b.last_offset_delta >= 0);
	*ret_batch = b;
	return STATUS_OK;
}
