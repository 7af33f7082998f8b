/* What to compact, decided from numbers alone: how much of a log is dirty, whether that is enough, which segments become
 * one. Kafka: LogCleanerManager.cleanableOffsets, Cleaner.groupSegmentsBySize. */
#ifndef STORAGE_COMPACTION_PLAN_H
#define STORAGE_COMPACTION_PLAN_H

#include "base/check.h"
#include <stdint.h>

struct compaction_segment {
	int64_t base_offset;
	int64_t size_bytes;
	int64_t offset_index_bytes, time_index_bytes;
	int64_t first_append_ms, last_append_ms; /* by the broker's clock */
	bool synced; /* records, indexes and modification time are on disk */
};
struct compaction_view {
	const struct compaction_segment *segments; /* ascending; the last is active */
	size_t count;
	int64_t log_start_offset, log_end_offset;
	int64_t stable_offset;      /* nothing from here on is touched: high watermark, last stable offset */
	int64_t first_dirty_offset; /* as remembered; -1: never compacted */
	int64_t now_ms, min_lag_ms, max_lag_ms;
	double min_dirty_ratio;
};
struct compaction_plan {
	int64_t first_dirty_offset; /* put right where what was remembered cannot be */
	int64_t end_offset;         /* a segment's base: [first_dirty_offset, end_offset) is to be compacted */
	size_t end_segment;         /* segments [0, end_segment) are rewritten */
	int64_t clean_bytes, dirty_bytes;
	double dirty_ratio;
	bool due; /* dirty enough, or something has waited longer than max.compaction.lag.ms */
};
void compaction_plan_make(const struct compaction_view *v, struct compaction_plan *ret_plan);

struct compaction_group_limits {
	int64_t segment_bytes, index_bytes;
	int64_t end_offset; /* behind the last of the segments given */
};
/* How many of the segments from the first on may become one; at least 1. */
size_t compaction_plan_group(const struct compaction_segment *segments, size_t count, const struct compaction_group_limits *l);
#endif
