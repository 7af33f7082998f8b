#include "storage/log_scan.h"
#include "base/crc32c.h"
#include "storage/record_batch.h"
#include <zlib.h>

enum {
	/* magic 0: crc, magic, attributes, key and value lengths; magic 1 adds the timestamp */
	MESSAGE_LENGTH_MIN_V0 = 14,
	MESSAGE_LENGTH_MIN_V1 = 22,
	CRC_FROM_V0 = 16,
	CRC_FROM_V2 = 21,
};

void log_scanner_init(struct log_scanner *s, struct disk_file *file, int64_t position, int64_t end)
{
	expect(position >= 0 && end >= 0);
	*s = (struct log_scanner){.file = file, .position = position, .end = end};
}

void log_scanner_set_buffer(struct log_scanner *s, uint8_t *buffer, size_t size, bool check_crc)
{
	expect(size >= LOG_SCAN_BUFFER_MIN);
	s->buffer = buffer;
	s->buffer_size = size;
	s->buffer_n = 0;
	s->check_crc = check_crc;
}

/* Makes the bytes from `position` on available, at least min unless the file ends; returns how many. */
static enum status fill(struct log_scanner *s, int64_t position, size_t min, struct slice *ret_bytes)
{
	expect(position <= s->end && min <= s->buffer_size);
	int64_t buffered_to = s->buffer_at + (int64_t)s->buffer_n;
	int64_t wanted = s->end - position < (int64_t)min ? s->end - position : (int64_t)min;
	if (s->buffer_n == 0 || position < s->buffer_at || position + wanted > buffered_to) {
		int64_t left = s->end - position;
		size_t n = left < (int64_t)s->buffer_size ? (size_t)left : s->buffer_size;
		s->buffer_n = 0;
		TRY(disk_file_pread(s->file, s->buffer, n, position, &s->buffer_n));
		s->buffer_at = position;
	}
	size_t skip = (size_t)(position - s->buffer_at);
	*ret_bytes = skip >= s->buffer_n ? slice_of(s->buffer, 0) : slice_sub(slice_of(s->buffer, s->buffer_n), skip, s->buffer_n - skip);
	return STATUS_OK;
}

static enum status decode_v2(const uint8_t *p, struct log_batch_info *b)
{
	int64_t delta = bytes_get_i32(p + 23);
	b->base_offset = bytes_get_i64(p);
	b->leader_epoch = bytes_get_i32(p + 12);
	b->attributes = bytes_get_i16(p + 21);
	b->max_timestamp = bytes_get_i64(p + 35);
	b->producer_id = bytes_get_i64(p + 43);
	b->producer_epoch = bytes_get_i16(p + 51);
	b->base_sequence = bytes_get_i32(p + 53);
	if (delta < 0 || b->base_offset < 0 || b->base_offset >= INT64_MAX - delta)
		return STATUS_CORRUPT;
	b->last_offset = b->base_offset + delta;
	return STATUS_OK;
}

static enum status decode_v01(const uint8_t *p, struct log_batch_info *b)
{
	b->base_offset = b->last_offset = bytes_get_i64(p);
	b->leader_epoch = -1;
	b->attributes = p[17];
	b->max_timestamp = b->magic == 1 ? bytes_get_i64(p + 18) : -1;
	b->producer_id = b->base_sequence = b->producer_epoch = -1;
	return b->last_offset < 0 || b->last_offset == INT64_MAX ? STATUS_CORRUPT : STATUS_OK;
}

/* The size fields, from the first 17 bytes. */
static enum status decode_size(struct slice head, struct log_batch_info *b, size_t *ret_header)
{
	static const struct {
		int32_t length_min;
		size_t header;
	} formats[] = {
		{MESSAGE_LENGTH_MIN_V0, RECORD_BATCH_OVERHEAD + MESSAGE_LENGTH_MIN_V0},
		{MESSAGE_LENGTH_MIN_V1, RECORD_BATCH_OVERHEAD + MESSAGE_LENGTH_MIN_V1},
		{RECORD_BATCH_LENGTH_MIN, RECORD_BATCH_HEADER_SIZE},
	};
	int32_t length = bytes_get_i32(head.p + 8);
	b->magic = (int8_t)head.p[RECORD_BATCH_MAGIC_AT];
	if (b->magic < 0 || b->magic > 2 || length < formats[b->magic].length_min)
		return STATUS_CORRUPT;
	b->size_bytes = (int64_t)length + RECORD_BATCH_OVERHEAD;
	*ret_header = formats[b->magic].header;
	return STATUS_OK;
}

static enum status check_crc(struct log_scanner *s, const struct log_batch_info *b)
{
	struct slice part;
	TRY(fill(s, b->position, CRC_FROM_V2, &part));
	if (part.n < CRC_FROM_V2)
		return STATUS_TRUNCATED;
	uint32_t stored = bytes_get_u32(part.p + (b->magic == 2 ? 17 : 12));
	int64_t at = b->position + (b->magic == 2 ? CRC_FROM_V2 : CRC_FROM_V0);
	int64_t end = b->position + b->size_bytes;
	uint32_t crc = 0;
	while (at < end) {
		TRY(fill(s, at, 1, &part));
		if (part.n == 0)
			return STATUS_TRUNCATED;
		if ((int64_t)part.n > end - at)
			part.n = (size_t)(end - at);
		crc = b->magic == 2 ? crc32c(crc, part) : (uint32_t)crc32_z(crc, part.p, part.n);
		at += (int64_t)part.n;
	}
	return crc == stored ? STATUS_OK : STATUS_CORRUPT;
}

enum status log_batch_decode(struct slice s, struct log_batch_info *ret_batch)
{
	struct log_batch_info b = {0};
	size_t header = RECORD_BATCH_MAGIC_AT + 1;
	if (s.n < header)
		return STATUS_TRUNCATED;
	TRY(decode_size(s, &b, &header));
	if (s.n < header)
		return STATUS_TRUNCATED;
	TRY(b.magic == 2 ? decode_v2(s.p, &b) : decode_v01(s.p, &b));
	*ret_batch = b;
	return STATUS_OK;
}

enum status log_batch_check_old(struct slice s, struct log_batch_info *ret_batch)
{
	struct log_batch_info b;
	if (log_batch_decode(s, &b) != STATUS_OK || b.magic > 1 || b.size_bytes > (int64_t)s.n)
		return STATUS_CORRUPT_MESSAGE;
	struct slice covered = slice_sub(s, CRC_FROM_V0, (size_t)b.size_bytes - CRC_FROM_V0);
	if ((uint32_t)crc32_z(0, covered.p, covered.n) != bytes_get_u32(s.p + 12))
		return STATUS_CORRUPT_MESSAGE;
	*ret_batch = b;
	return STATUS_OK;
}

enum status log_scanner_next(struct log_scanner *s, struct log_batch_info *ret_batch)
{
	struct log_batch_info b;
	struct slice head;
	expect(s->buffer != NULL);
	if (s->position >= s->end)
		return STATUS_NOT_FOUND;
	TRY(fill(s, s->position, RECORD_BATCH_HEADER_SIZE, &head));
	TRY(log_batch_decode(head, &b));
	b.position = s->position;
	if (b.size_bytes > s->end - s->position)
		return STATUS_TRUNCATED;
	if (s->check_crc)
		TRY(check_crc(s, &b));
	s->position += b.size_bytes;
	*ret_batch = b;
	return STATUS_OK;
}
