/* Messages of formats 0 and 1, from before record batches. One message is one record, or, compressed, a wrapper: its value inflates to
 * a set of messages. Layout: Kafka's LegacyRecord; KIP-31 (relative offsets), KIP-32 (timestamps). */
#ifndef STORAGE_LEGACY_MESSAGE_H
#define STORAGE_LEGACY_MESSAGE_H
#include "storage/record_batch.h"

enum {
	LEGACY_MESSAGE_OVERHEAD = 12,    /* offset and size */
	LEGACY_MESSAGE_CODEC_MASK = 0x07,
	LEGACY_MESSAGE_LOG_APPEND_TIME = 0x08, /* format 1 only */
};

struct legacy_message {
	struct slice data; /* the whole of it */
	int64_t offset;    /* as written: of a wrapper, that of its last record */
	uint32_t crc;
	int8_t magic;
	uint8_t attributes;
	int64_t timestamp; /* -1 in format 0 */
	struct slice key, value; /* p NULL: null */
};
static inline enum compression_type legacy_message_codec(const struct legacy_message *m)
{
	return (enum compression_type)(m->attributes & LEGACY_MESSAGE_CODEC_MASK);
}
/* The message at the front of s; more may follow. No checksum. STATUS_TRUNCATED: s ends before the message does, as fetched sets may.
 * STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT: another format; STATUS_CORRUPT: its fields do not make up its length. */
MUST_CHECK enum status legacy_message_parse(struct slice s, struct legacy_message *ret_message);
/* STATUS_CORRUPT_MESSAGE */
MUST_CHECK enum status legacy_message_check_crc(const struct legacy_message *m);

/* Bytes of a message that holds a key and a value of these sizes (-1: null). */
size_t legacy_message_size(int8_t magic, struct slice key, struct slice value);
/* Writes one of legacy_message_size() bytes, with its checksum; m->data and m->crc are not looked at. */
void legacy_message_write(const struct legacy_message *m, uint8_t *to);

/* Walks the records of one message: itself, or what a wrapper holds, inflated whole (<= max_inflated) into memory of its own. */
struct legacy_iterator {
	struct legacy_message outer;
	uint8_t *inflated;
	struct slice rest; /* of the inflated set */
	int64_t base;      /* to be added to the inner offsets */
	bool ended;
};
/* STATUS_CORRUPT_MESSAGE: does not inflate, or to more than that. STATUS_INVALID_RECORD: a wrapper without value or records, or of an
 * unknown codec, or offsets that contradict it. */
MUST_CHECK enum status legacy_iterator_init(struct legacy_iterator *it, const struct legacy_message *m, size_t max_inflated);
void legacy_iterator_fini(struct legacy_iterator *it);
/* STATUS_NOT_FOUND after the last. STATUS_CORRUPT_MESSAGE: an inner message is damaged. STATUS_INVALID_RECORD: it is itself compressed,
 * or of another format than its wrapper. Slices live until fini. */
MUST_CHECK enum status legacy_iterator_next(struct legacy_iterator *it, struct record *ret_record);
#endif
