/* Pure rules of the in-sync set: how many must be in it, and how far the high watermark may go. Links with base/ alone.
 * Kafka: Partition.maybeIncrementLeaderHW, effectiveMinIsr (3.9). */
#ifndef REPLICA_IN_SYNC_REPLICAS_H
#define REPLICA_IN_SYNC_REPLICAS_H

#include "base/check.h"
#include <stdint.h>

enum { IN_SYNC_REPLICAS_END_UNKNOWN = -1 }; /* the follower has not fetched in this leader epoch */

struct in_sync_view {
	int64_t leader_end;           /* how far the leader itself counts: what is durable, or its log end (log.flush.policy) */
	const int64_t *follower_ends; /* of the other members of the in-sync set */
	size_t follower_count;
	int32_t effective_min;
	int64_t high_watermark; /* the present one */
};

/* min.insync.replicas, but never more than there are replicas: else a topic of one replica could not be written at all. */
int32_t in_sync_replicas_effective_min(int32_t min_insync_replicas, size_t replication_factor);
/* May acks=all be accepted, and may the high watermark move? */
bool in_sync_replicas_enough(size_t isr_count, int32_t effective_min);
/* The next high watermark: the least end over the in-sync set, never below the present one, and the present one while fewer
 * than effective_min are in sync (KIP-966: else an acknowledged record could be lost by shrinking the set). */
int64_t in_sync_replicas_high_watermark(const struct in_sync_view *v);

#endif
