#include "storage/record_batch.h"

#include "base/crc32c.h"

enum {
	BASE_OFFSET_AT = 0,
	LENGTH_AT = 8,
	LEADER_EPOCH_AT = 12,
	CRC_AT = 17,
	ATTRIBUTES_AT = 21, /* the checksum begins here */
	BASE_TIMESTAMP_AT = 27,
	MAX_TIMESTAMP_AT = 35,
	PRODUCER_ID_AT = 43,
	PRODUCER_EPOCH_AT = 51,
	BASE_SEQUENCE_AT = 53,
	/* Least length of an entry of magic 0: crc, magic, attributes, key length, value length. */
	LEGACY_LENGTH_MIN = 14,
};

enum status record_batch_peek_size(struct slice s, size_t max, size_t *ret_size)
{
	if (s.n < RECORD_BATCH_OVERHEAD)
		return STATUS_TRUNCATED;
	int32_t length = bytes_get_i32(s.p + LENGTH_AT);
	int32_t length_min = LEGACY_LENGTH_MIN;
	if (s.n > RECORD_BATCH_MAGIC_AT && s.p[RECORD_BATCH_MAGIC_AT] >= 2)
		length_min = RECORD_BATCH_LENGTH_MIN;
	if (length < length_min)
		return STATUS_CORRUPT;
	size_t size = (size_t)length + RECORD_BATCH_OVERHEAD;
	if (size > max)
		return STATUS_CORRUPT;
	*ret_size = size;
	return STATUS_OK;
}

static void record_batch_decode(struct slice whole, struct record_batch *ret_batch)
{
	struct byte_reader r;
	byte_reader_init(&r, whole);
	struct record_batch b = {.data = whole};
	b.base_offset = byte_reader_i64(&r);
	byte_reader_skip(&r, 4); /* length: is whole.n - 12 */
	b.leader_epoch = byte_reader_i32(&r);
	b.magic = (int8_t)byte_reader_u8(&r);
	b.crc = byte_reader_u32(&r);
	b.attributes = byte_reader_i16(&r);
	b.last_offset_delta = byte_reader_i32(&r);
	b.base_timestamp = byte_reader_i64(&r);
	b.max_timestamp = byte_reader_i64(&r);
	b.producer_id = byte_reader_i64(&r);
	b.producer_epoch = byte_reader_i16(&r);
	b.base_sequence = byte_reader_i32(&r);
	b.record_count = byte_reader_i32(&r);
	expect(r.status == STATUS_OK && r.at == RECORD_BATCH_HEADER_SIZE);
	*ret_batch = b;
}

enum status record_batch_parse(struct slice s, struct record_batch *ret_batch)
{
	size_t size = 0;
	TRY(record_batch_peek_size(s, SIZE_MAX, &size));
	if (s.n <= RECORD_BATCH_MAGIC_AT)
		return STATUS_TRUNCATED;
	int8_t magic = (int8_t)s.p[RECORD_BATCH_MAGIC_AT];
	if (magic == 0 || magic == 1)
		return STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT;
	if (magic != 2)
		return STATUS_CORRUPT;
	if (s.n < size)
		return STATUS_TRUNCATED;
	expect(size >= RECORD_BATCH_HEADER_SIZE);
	struct record_batch b;
	record_batch_decode(slice_sub(s, 0, size), &b);
	if (b.last_offset_delta < 0 || b.record_count < 0)
		return STATUS_CORRUPT;
	*ret_batch = b;
	return STATUS_OK;
}

enum status record_batch_peek_time(struct slice head, int64_t *ret_ms)
{
	if (head.n < RECORD_BATCH_HEADER_SIZE)
		return STATUS_TRUNCATED;
	if (head.p[RECORD_BATCH_MAGIC_AT] != 2)
		return STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT;
	bool only_last = (bytes_get_i16(&head.p[ATTRIBUTES_AT]) & (RECORD_BATCH_LOG_APPEND_TIME | RECORD_BATCH_DELETE_HORIZON)) != 0;
	*ret_ms = bytes_get_i64(&head.p[only_last ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT]);
	return STATUS_OK;
}

enum status record_batch_check_crc(const struct record_batch *b)
{
	expect(b->magic == 2 && b->data.n >= RECORD_BATCH_HEADER_SIZE);
	struct slice covered = slice_sub(b->data, ATTRIBUTES_AT, b->data.n - ATTRIBUTES_AT);
	return crc32c(0, covered) == b->crc ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

void record_batch_stamp(uint8_t *batch, int64_t base_offset, int32_t leader_epoch)
{
	expect(batch != NULL && base_offset >= 0);
	bytes_put_i64(batch + BASE_OFFSET_AT, base_offset);
	bytes_put_i32(batch + LEADER_EPOCH_AT, leader_epoch);
}

void record_batch_stamp_time(uint8_t *batch, size_t n, int64_t max_timestamp, bool log_append_time)
{
	expect(batch != NULL && n >= RECORD_BATCH_HEADER_SIZE);
	int attributes = bytes_get_i16(batch + ATTRIBUTES_AT);
	attributes = log_append_time ? attributes | RECORD_BATCH_LOG_APPEND_TIME
				     : attributes & ~RECORD_BATCH_LOG_APPEND_TIME;
	bytes_put_i16(batch + ATTRIBUTES_AT, (int16_t)attributes);
	bytes_put_i64(batch + MAX_TIMESTAMP_AT, max_timestamp);
	bytes_put_u32(batch + CRC_AT, crc32c(0, slice_of(batch + ATTRIBUTES_AT, n - ATTRIBUTES_AT)));
}

void record_batch_stamp_producer(uint8_t *batch, size_t n, int64_t producer_id, int16_t epoch, int32_t sequence)
{
	expect(batch != NULL && n >= RECORD_BATCH_HEADER_SIZE);
	bytes_put_i64(batch + PRODUCER_ID_AT, producer_id);
	bytes_put_i16(batch + PRODUCER_EPOCH_AT, epoch);
	bytes_put_i32(batch + BASE_SEQUENCE_AT, sequence);
	bytes_put_u32(batch + CRC_AT, crc32c(0, slice_of(batch + ATTRIBUTES_AT, n - ATTRIBUTES_AT)));
}
