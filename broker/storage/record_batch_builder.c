#include "base/crc32c.h"
#include "storage/deflater.h"
#include "storage/record_batch.h"

enum {
	CAPACITY_MIN = 512,
	TIMESTAMP_SIZE_MAX = 10,
	CRC_AT = 17,
	CRC_COVERS_FROM = 21,
	/* A batch's length field has 31 bits; far below it nothing overflows. */
	BUILDER_SIZE_MAX = 1 << 30,
};

struct record_batch_builder {
	enum compression_type codec;
	struct deflater *deflater; /* NULL without a codec */
	uint8_t *data;             /* room for the header, then the records, uncompressed */
	size_t size, capacity;
	uint8_t *compressed; /* header and payload; made at finish */
	size_t compressed_capacity;
	int32_t count;
	int64_t base_timestamp, max_timestamp;
	int64_t producer_id;
	int32_t base_sequence;
	int16_t producer_epoch;
	bool finished;
};

struct record_batch_builder *record_batch_builder_new(enum compression_type codec, int level, size_t size_hint)
{
	expect((unsigned)codec < COMPRESSION_COUNT);
	expect(size_hint <= BUILDER_SIZE_MAX);
	struct record_batch_builder *b = check_calloc(1, sizeof(*b));
	b->codec = codec;
	if (codec != COMPRESSION_none)
		b->deflater = deflater_new(codec, level);
	b->capacity = size_hint > CAPACITY_MIN ? size_hint : CAPACITY_MIN;
	b->data = check_alloc(b->capacity);
	record_batch_builder_reset(b);
	return b;
}

void record_batch_builder_free(struct record_batch_builder *b)
{
	if (b == NULL)
		return;
	deflater_free(b->deflater);
	free(b->compressed);
	free(b->data);
	free(b);
}

void record_batch_builder_reset(struct record_batch_builder *b)
{
	b->size = RECORD_BATCH_HEADER_SIZE;
	b->count = 0;
	b->base_timestamp = -1;
	b->max_timestamp = -1;
	b->producer_id = -1;
	b->producer_epoch = -1;
	b->base_sequence = -1;
	b->finished = false;
}

/* Bytes behind a record's length, given that of its timestamp delta. */
static size_t body_size(const struct record_batch_builder *b, size_t timestamp_size, size_t key_field, size_t value_field,
	size_t headers_field)
{
	return 1 + timestamp_size + bytes_varint_size(b->count) + key_field + value_field + headers_field;
}

size_t record_batch_builder_size_with(const struct record_batch_builder *b, size_t key_size, size_t value_size,
	size_t headers_size)
{
	expect(key_size <= BUILDER_SIZE_MAX && value_size <= BUILDER_SIZE_MAX && headers_size <= BUILDER_SIZE_MAX);
	/* A header takes two bytes at least, which bounds the size of their count. */
	size_t headers_field = bytes_varint_size((int32_t)(headers_size / 2)) + headers_size;
	size_t body = body_size(b, TIMESTAMP_SIZE_MAX, bytes_varint_size((int32_t)key_size) + key_size,
		bytes_varint_size((int32_t)value_size) + value_size, headers_field);
	return b->size + bytes_varint_size((int32_t)(body < INT32_MAX ? body : INT32_MAX)) + body;
}

size_t record_batch_builder_size(const struct record_batch_builder *b)
{
	return b->size;
}

int32_t record_batch_builder_count(const struct record_batch_builder *b)
{
	return b->count;
}

static size_t field_size(struct slice s)
{
	expect(s.n <= BUILDER_SIZE_MAX && (s.p != NULL || s.n == 0));
	return s.p == NULL ? 1 : bytes_varint_size((int32_t)s.n) + s.n;
}

static void write_field(struct byte_writer *w, struct slice s)
{
	byte_writer_varint(w, s.p == NULL ? -1 : (int32_t)s.n);
	if (s.n > 0)
		byte_writer_bytes(w, s);
}

static struct slice header_value(const struct record_header *h)
{
	if (h->value_null)
		return slice_of(NULL, 0);
	return h->value.p == NULL ? slice_of("", 0) : h->value;
}

static struct slice header_key(const struct record_header *h)
{
	return h->key.p == NULL ? slice_of("", 0) : h->key;
}

static void builder_reserve(struct record_batch_builder *b, size_t n)
{
	expect(n <= BUILDER_SIZE_MAX - b->size);
	if (n <= b->capacity - b->size)
		return;
	size_t capacity = b->capacity * 2;
	while (capacity < b->size + n)
		capacity *= 2;
	b->data = check_realloc(b->data, capacity);
	b->capacity = capacity;
}

void record_batch_builder_add(struct record_batch_builder *b, int64_t timestamp_ms, struct slice key, struct slice value,
	const struct record_header *headers, int header_count)
{
	expect(!b->finished && header_count >= 0);
	expect(b->count < INT32_MAX);
	if (b->count == 0)
		b->base_timestamp = timestamp_ms;
	int64_t delta = timestamp_ms - b->base_timestamp;
	size_t headers_field = bytes_varint_size(header_count);
	for (int i = 0; i < header_count; i++)
		headers_field += field_size(header_key(&headers[i])) + field_size(header_value(&headers[i]));
	size_t body = body_size(b, bytes_varlong_size(delta), field_size(key), field_size(value), headers_field);
	expect(body <= BUILDER_SIZE_MAX);
	size_t total = bytes_varint_size((int32_t)body) + body;
	builder_reserve(b, total);

	struct byte_writer w;
	byte_writer_init(&w, b->data + b->size, total);
	byte_writer_varint(&w, (int32_t)body);
	byte_writer_u8(&w, 0); /* attributes */
	byte_writer_varlong(&w, delta);
	byte_writer_varint(&w, b->count); /* offset delta */
	write_field(&w, key);
	write_field(&w, value);
	byte_writer_varint(&w, header_count);
	for (int i = 0; i < header_count; i++) {
		write_field(&w, header_key(&headers[i]));
		write_field(&w, header_value(&headers[i]));
	}
	expect(w.status == STATUS_OK && w.at == total);
	b->size += total;
	b->count++;
	if (timestamp_ms > b->max_timestamp)
		b->max_timestamp = timestamp_ms;
}

void record_batch_builder_set_producer(struct record_batch_builder *b, int64_t producer_id, int16_t epoch, int32_t sequence)
{
	expect(!b->finished);
	b->producer_id = producer_id;
	b->producer_epoch = epoch;
	b->base_sequence = sequence;
}

static void write_header(const struct record_batch_builder *b, uint8_t *out, size_t size)
{
	struct byte_writer w;
	byte_writer_init(&w, out, RECORD_BATCH_HEADER_SIZE);
	byte_writer_i64(&w, 0);
	byte_writer_i32(&w, (int32_t)(size - RECORD_BATCH_OVERHEAD));
	byte_writer_i32(&w, -1); /* leader epoch */
	byte_writer_u8(&w, 2);
	byte_writer_u32(&w, 0); /* CRC, below */
	byte_writer_i16(&w, (int16_t)b->codec);
	byte_writer_i32(&w, b->count - 1);
	byte_writer_i64(&w, b->base_timestamp);
	byte_writer_i64(&w, b->max_timestamp);
	byte_writer_i64(&w, b->producer_id);
	byte_writer_i16(&w, b->producer_epoch);
	byte_writer_i32(&w, b->base_sequence);
	byte_writer_i32(&w, b->count);
	expect(w.status == STATUS_OK && w.at == RECORD_BATCH_HEADER_SIZE);
	bytes_put_u32(out + CRC_AT, crc32c(0, slice_of(out + CRC_COVERS_FROM, size - CRC_COVERS_FROM)));
}

static enum status builder_compress(struct record_batch_builder *b, size_t *ret_size)
{
	size_t n = b->size - RECORD_BATCH_HEADER_SIZE;
	size_t needed = RECORD_BATCH_HEADER_SIZE + deflater_bound(b->deflater, n);
	if (needed > b->compressed_capacity) {
		free(b->compressed);
		b->compressed = check_alloc(needed);
		b->compressed_capacity = needed;
	}
	size_t made = 0;
	TRY(deflater_run(b->deflater, slice_of(b->data + RECORD_BATCH_HEADER_SIZE, n),
		b->compressed + RECORD_BATCH_HEADER_SIZE, b->compressed_capacity - RECORD_BATCH_HEADER_SIZE, &made));
	*ret_size = RECORD_BATCH_HEADER_SIZE + made;
	return STATUS_OK;
}

enum status record_batch_builder_finish(struct record_batch_builder *b, struct slice *ret_batch)
{
	if (b->count == 0)
		return STATUS_INVALID_ARGUMENT;
	uint8_t *out = b->data;
	size_t size = b->size;
	if (b->codec != COMPRESSION_none) {
		TRY(builder_compress(b, &size));
		out = b->compressed;
	}
	write_header(b, out, size);
	b->finished = true;
	*ret_batch = slice_of(out, size);
	return STATUS_OK;
}
