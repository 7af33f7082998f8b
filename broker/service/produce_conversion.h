/* Produce for clients from before record batches: their sets of messages become batches, small ones at once, others in the pool, and
 * then produce_service takes over. Requests of one connection are handed to it in the order they came, however long each takes. */
#ifndef SERVICE_PRODUCE_CONVERSION_H
#define SERVICE_PRODUCE_CONVERSION_H

#include "service/produce_service.h"
#include "storage/record_convert.h"

/* One entry of the request. */
struct produce_conversion_part {
	struct produce_entry *entry; /* NULL: nothing to convert */
	struct record_convert_limits limits;
	enum status status;
	int32_t first_bad;
	struct iobuf_block *block; /* holds the entry's records from now on */
};
/* Zero it and fill the first block; it lives until produce_conversion_fini. */
struct produce_conversion {
	struct produce_request *request; /* its entries' records may be of any format; its done is called as ever */
	const void *connection;          /* whose requests keep their order */

	/* private */
	struct produce_conversion *next;
	struct produce_conversion_part *parts;
	bool converted;
	struct job job;
};
/* STATUS_TOO_LARGE: the request's arena cannot hold the parts; done is not called. */
MUST_CHECK enum status produce_conversion_start(struct produce_conversion *c);
/* After the request's done: lets go of the converted records. */
void produce_conversion_fini(struct produce_conversion *c);
#endif
