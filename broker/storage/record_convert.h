/* Records between the formats: sets of messages 0 and 1, as old producers send them, to a batch of format 2; what is stored, in any
 * format, to messages that old consumers read. Any thread; large ones belong in the pool. Kafka: LogValidator, RecordsUtil. */
#ifndef STORAGE_RECORD_CONVERT_H
#define STORAGE_RECORD_CONVERT_H

#include "base/iobuf.h"
#include "storage/record_batch.h"

/* Is the first thing in s a message of format 0 or 1? */
bool record_convert_is_old(struct slice s);

struct record_convert_limits {
	size_t max_message_bytes;  /* of each message as it came */
	size_t max_inflated_bytes; /* of what a wrapper holds */
};
/* One batch of format 2 with the records of the whole set, in their order and with the codec they came in: base offset 0, no producer.
 * What else a leader demands of a batch is for record_batch_validate to say. A message cut at the end of the set is left over.
 * ret_batch lies in ret_block, of which the caller gets one reference. ret_first_bad: index of the offending record, or -1.
 * STATUS_NOT_FOUND: there is no whole message. STATUS_CORRUPT_MESSAGE, STATUS_MESSAGE_TOO_LARGE, STATUS_INVALID_RECORD (also: a wrapper
 * beside other messages), STATUS_INVALID_TIMESTAMP (negative, or years apart), STATUS_TOO_LARGE (no memory). */
MUST_CHECK enum status record_convert_up(struct slice set, const struct record_convert_limits *limits, struct iobuf_block **ret_block,
	struct slice *ret_batch, int32_t *ret_first_bad);

struct record_convert_target {
	int8_t magic;              /* 0 or 1: the newest the reader knows; older ones are left as they are */
	int64_t first_offset;      /* uncompressed records below are left out: old readers take the first message for the one they asked */
	size_t max_bytes;          /* whole messages only; the first one may be larger */
	size_t hard_max_bytes;     /* but not than this */
	size_t max_inflated_bytes; /* of a stored batch */
};
/* batches: whole ones of any format, back to back, the last perhaps cut. Appends messages to out, with the offsets, timestamps and
 * codecs of the records; headers and control batches have no place there. On an error in the middle, what came before it is there and
 * the status is OK; ret_bytes 0 and OK: there is nothing a reader could see.
 * STATUS_UNSUPPORTED_COMPRESSION_TYPE (zstd), STATUS_CORRUPT_MESSAGE. */
MUST_CHECK enum status record_convert_down(struct slice batches, const struct record_convert_target *target, struct iobuf *out,
	size_t *ret_bytes);
#endif
