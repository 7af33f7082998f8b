/* A batch in the codec its topic demands (compression.type other than "producer"): the one case in which a batch that arrived is
 * not the batch that is stored. Kafka: LogValidator.buildRecordsAndAssignOffsets. */
#ifndef SERVICE_PRODUCE_RECOMPRESS_H
#define SERVICE_PRODUCE_RECOMPRESS_H

#include "config/settings.h"
#include "storage/record_batch.h"

/* Is the batch in another codec than wanted? */
bool produce_recompress_needed(const struct record_batch *batch, enum topic_compression wanted);
/* batch: validated, so that it inflates to max_inflated at most. On success *batch is the new one, which lives in the builder
 * until record_batch_builder_free. All records are in memory during the call only. */
MUST_CHECK enum status produce_recompress(struct record_batch *batch, enum topic_compression wanted, size_t max_inflated,
	struct record_batch_builder **ret_builder);

#endif
