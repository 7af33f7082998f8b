/* Record batch v2: a view over bytes, its validation, iteration and building. Kafka: DefaultRecordBatch; layout in
 * KIP-98. Nothing here allocates per record. */
#ifndef STORAGE_RECORD_BATCH_H
#define STORAGE_RECORD_BATCH_H
#include "storage/compression.h"

enum {
	RECORD_BATCH_OVERHEAD = 12,    /* base offset and length */
	RECORD_BATCH_HEADER_SIZE = 61, /* up to the records */
	RECORD_BATCH_LENGTH_MIN = RECORD_BATCH_HEADER_SIZE - RECORD_BATCH_OVERHEAD,
	RECORD_BATCH_MAGIC_AT = 16,
};
enum {
	RECORD_BATCH_CODEC_MASK = 0x07,
	RECORD_BATCH_LOG_APPEND_TIME = 0x08,
	RECORD_BATCH_TRANSACTIONAL = 0x10,
	RECORD_BATCH_CONTROL = 0x20,
	RECORD_BATCH_DELETE_HORIZON = 0x40,
};

/* The header, decoded; `data` borrows the whole batch. */
struct record_batch {
	struct slice data;
	int64_t base_offset;
	int32_t leader_epoch;
	uint32_t crc;
	int16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count;
	int8_t magic;
};
static inline int64_t record_batch_last_offset(const struct record_batch *b)
{
	return b->base_offset + b->last_offset_delta;
}
static inline enum compression_type record_batch_codec(const struct record_batch *b)
{
	return (enum compression_type)(b->attributes & RECORD_BATCH_CODEC_MASK);
}

/* Size of the first batch of s (12 + length) if its length field is sane and the size <= max; else STATUS_CORRUPT,
 * STATUS_TRUNCATED when s is shorter than the 12 bytes. s may be shorter than the batch. Any magic. */
MUST_CHECK enum status record_batch_peek_size(struct slice s, size_t max, size_t *ret_size);
/* Decodes the header of the first batch of s (all of it must be there; more may follow). No CRC check. record_count may
 * be 0 (compaction). STATUS_TRUNCATED, STATUS_CORRUPT, STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT for magic 0 and 1. */
MUST_CHECK enum status record_batch_parse(struct slice s, struct record_batch *ret_batch);
/* The time of the first record, from a batch's head of RECORD_BATCH_HEADER_SIZE bytes alone; where the head does not tell it (append time,
 * delete horizon), of the last. STATUS_TRUNCATED, STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT. */
MUST_CHECK enum status record_batch_peek_time(struct slice head, int64_t *ret_ms);
/* STATUS_CORRUPT_MESSAGE when bytes 21.. do not match. */
MUST_CHECK enum status record_batch_check_crc(const struct record_batch *b);

struct record_batch_limits {
	size_t max_message_bytes;
	size_t max_inflated_bytes;  /* cap of decompression; a bomb gets STATUS_CORRUPT_MESSAGE */
	bool compacted;             /* null keys are refused: INVALID_RECORD */
	int64_t now_ms, timestamp_before_max_ms, timestamp_after_max_ms; /* INVALID_TIMESTAMP outside; INT64_MAX = any */
	bool log_append_time;
};
/* Everything a leader checks of a producer's batch (Kafka: LogValidator): exactly one batch in s, CRC, size, counts, no
 * control bit, codec, and each record walked (decompressed streaming, bounded memory). ret_batch->max_timestamp is
 * recomputed from the records; ret_first_bad gets the index of the offending record or -1, also on failure. Thread-safe,
 * any loop.
 * STATUS_MESSAGE_TOO_LARGE, STATUS_CORRUPT_MESSAGE (cut, CRC, does not inflate, inflates beyond the cap),
 * STATUS_INVALID_RECORD, STATUS_INVALID_TIMESTAMP, STATUS_UNSUPPORTED_COMPRESSION_TYPE,
 * STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT. */
MUST_CHECK enum status record_batch_validate(struct slice s, const struct record_batch_limits *limits,
	struct record_batch *ret_batch, int32_t *ret_first_bad);

/* Writes offset and leader epoch into the stored form (outside the CRC). */
void record_batch_stamp(uint8_t *batch, int64_t base_offset, int32_t leader_epoch);
/* Sets maxTimestamp and the timestamp type, recomputing the CRC. n is the whole batch. */
void record_batch_stamp_time(uint8_t *batch, size_t n, int64_t max_timestamp, bool log_append_time);

/* Sets producer id, epoch and base sequence, recomputing the CRC. n is the whole batch. */
void record_batch_stamp_producer(uint8_t *batch, size_t n, int64_t producer_id, int16_t epoch, int32_t sequence);

struct record_header {
	struct slice key;
	struct slice value;
	bool value_null;
};
struct record {
	int64_t offset;
	int64_t timestamp;
	struct slice key, value; /* p NULL: null */
	struct slice headers;    /* encoded; walk with record_next_header */
	int32_t header_count;
};
/* Walks the records of a batch, decompressing whole into memory of its own (<= max_inflated). For readers and tools. */
struct record_iterator {
	struct record_batch batch;
	struct byte_reader reader;
	uint8_t *inflated;
	int32_t index;
};
MUST_CHECK enum status record_iterator_init(struct record_iterator *it, const struct record_batch *b, size_t max_inflated);
void record_iterator_fini(struct record_iterator *it);
/* STATUS_NOT_FOUND after the last; STATUS_CORRUPT. Slices live until fini. */
MUST_CHECK enum status record_iterator_next(struct record_iterator *it, struct record *ret_record);
MUST_CHECK enum status record_next_header(struct slice *headers, struct record_header *ret_header);

/* Builds one batch in memory of its own: records are encoded as they are added, compressed at finish. */
struct record_batch_builder;
/* level 0: the codec's default. */
struct record_batch_builder *record_batch_builder_new(enum compression_type codec, int level, size_t size_hint);
void record_batch_builder_free(struct record_batch_builder *b);
void record_batch_builder_reset(struct record_batch_builder *b);
/* Bytes the batch would have uncompressed if this record were added; at most 9 more than it will have, since the
 * timestamp is not known yet. headers_size: of the encoded pairs, without their count. */
size_t record_batch_builder_size_with(const struct record_batch_builder *b, size_t key_size, size_t value_size,
	size_t headers_size);
size_t record_batch_builder_size(const struct record_batch_builder *b);
int32_t record_batch_builder_count(const struct record_batch_builder *b);
/* key.p or value.p NULL: null. Headers: count pairs. Not after finish. */
void record_batch_builder_add(struct record_batch_builder *b, int64_t timestamp_ms, struct slice key, struct slice value,
	const struct record_header *headers, int header_count);
void record_batch_builder_set_producer(struct record_batch_builder *b, int64_t producer_id, int16_t epoch, int32_t sequence);
/* The finished batch (base offset 0, leader epoch -1); borrowed until reset or free. STATUS_INVALID_ARGUMENT without
 * records. */
MUST_CHECK enum status record_batch_builder_finish(struct record_batch_builder *b, struct slice *ret_batch);
#endif
