/* Opens the segments of a log: what may be trusted after a stop or a crash, and the rebuilding of the rest. Reads only
 * what may be torn: from the synced recovery point on. Runs where it may sleep. Kafka: LogLoader; rules in README.md. */
#ifndef STORAGE_LOG_RECOVERY_H
#define STORAGE_LOG_RECOVERY_H

#include "base/clock.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log_segment.h"
#include "storage/partition_directory.h"

struct log_recovery_input {
	struct log_place place;
	struct clock *clock;
	const char *name; /* "topic-partition", for messages */
	bool clean;
	int64_t recovery_point;
	int64_t log_start_offset; /* -1 none */
	bool compacted; /* offsets may be missing between segments */
	int32_t index_interval_bytes;
	int64_t segment_ms;
};
struct log_recovered {
	struct log_segment **segments; /* ascending, at least one */
	size_t count, capacity;
	struct leader_epoch_cache epochs;
	int64_t start_offset, end_offset;
	int64_t flushed_offset;     /* everything below is known to be synced */
	int64_t recovery_point_max; /* the largest recovery point a checkpoint may hold */
	struct producer_snapshots snapshots; /* of any offset */
	bool epochs_unsaved, directory_changed, has_transaction_index;
	bool has_recovery_limit;
};
/* STATUS_CORRUPT: damage below the recovery point; nothing was changed in that segment. */
MUST_CHECK enum status log_recovery_run(const struct log_recovery_input *in, struct log_recovered *ret_log,
	struct failure *ret_failure);
void log_recovered_fini(struct log_recovered *r);
#endif
