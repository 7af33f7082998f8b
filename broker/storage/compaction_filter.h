/* What compaction makes of one record batch: kept as it is, rewritten with fewer records, emptied, or dropped. Pure but for
 * its memory. Kafka: Cleaner.cleanInto, MemoryRecords.filterTo. */
#ifndef STORAGE_COMPACTION_FILTER_H
#define STORAGE_COMPACTION_FILTER_H

#include "storage/compaction_map.h"
#include "storage/record_batch.h"
#include "storage/transaction_index.h"

struct compaction_filter;

struct compaction_filter_options {
	const struct compaction_map *map; /* borrowed */
	int64_t map_end;             /* records from this offset on are newer than the map knows, and stay */
	int64_t now_ms, delete_retention_ms;
	/* Is this batch the one that keeps its producer's sequence or epoch known? It is emptied rather than dropped. */
	bool (*keeps_producer)(void *arg, const struct record_batch *b);
	void *arg;
};
struct compaction_filter *compaction_filter_new(const struct compaction_filter_options *o, struct transaction_walk *walk);
void compaction_filter_free(struct compaction_filter *f);

struct compaction_verdict {
	struct slice bytes; /* n 0: dropped. The batch itself, or memory of the filter until its next call */
	int32_t records_dropped;
	bool keep_aborted; /* this aborted transaction goes into the new segment's index */
	struct aborted_transaction aborted;
};
/* batch: one whole batch of magic 2, checksum checked; keep_offset: it must not vanish, so that its last offset stays known.
 * STATUS_CORRUPT: its records cannot be read. */
MUST_CHECK enum status compaction_filter_batch(struct compaction_filter *f, const struct record_batch *batch, bool keep_offset,
	struct compaction_verdict *ret_verdict);
#endif
