/* Recompresses a batch where a topic's compression.type differs from what the producer chose: same records, offsets,
 * timestamps, headers, producer fields; another codec. For the produce path, before the append; any thread. Allocates.
 * Kafka: LogValidator, the not-in-place case. */
#ifndef STORAGE_RECORD_REWRITE_H
#define STORAGE_RECORD_REWRITE_H

#include "base/iobuf.h"
#include "config/settings.h"
#include "storage/record_batch.h"

bool record_rewrite_needed(const struct record_batch *b, enum topic_compression wanted);
/* b has been validated. ret_batch's data lies in ret_block, of which the caller gets one reference.
 * STATUS_CORRUPT_MESSAGE when the records do not inflate within max_inflated; STATUS_TOO_LARGE when memory is not to be had. */
MUST_CHECK enum status record_rewrite_batch(const struct record_batch *b, enum topic_compression wanted, size_t max_inflated,
	struct iobuf_block **ret_block, struct record_batch *ret_batch);
#endif
