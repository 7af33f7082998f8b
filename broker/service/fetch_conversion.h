/* What was read for a client from before record batches, made into messages it knows: in the pool, one request at a time per thread,
 * since batches have to be loaded and inflated. Kafka: KafkaApis.maybeConvertFetchedData, LazyDownConversionRecords. */
#ifndef SERVICE_FETCH_CONVERSION_H
#define SERVICE_FETCH_CONVERSION_H

#include "base/iobuf.h"
#include "base/scheduler.h"
#include "storage/record_convert.h"

/* One partition. */
struct fetch_conversion_part {
	struct record_convert_target target;
	size_t stored_bytes; /* of it in records, in the order of the parts */

	enum status status; /* OK, UNSUPPORTED_COMPRESSION_TYPE, CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR */
	size_t bytes;       /* of it in records, in done */
};
struct fetch_conversion {
	struct iobuf records; /* what is stored; in done what to send. The caller's */
	struct fetch_conversion_part *parts;
	size_t part_count;
	size_t max_bytes; /* of all parts together; the first with something to send may pass it */
	/* On home, exactly once, never within start. */
	void (*done)(struct fetch_conversion *c);
	void *arg;

	struct job job;
};
/* bg NULL: at once, in this thread (unit tests); done is called within. */
void fetch_conversion_start(struct fetch_conversion *c, struct background *bg, struct scheduler *home);
#endif
