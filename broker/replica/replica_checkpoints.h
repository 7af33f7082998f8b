/* The checkpoint files of all log directories, written from the cluster loop: every few seconds what all loops report, and at a
 * clean stop the last word. Kafka: LogManager's and ReplicaManager's checkpoint tasks. */
#ifndef REPLICA_REPLICA_CHECKPOINTS_H
#define REPLICA_REPLICA_CHECKPOINTS_H

#include "replica/replica_manager.h"

struct replica_checkpoints;
struct replica_checkpoints_options {
	struct scheduler *scheduler; /* the cluster loop */
	struct log_manager *logs;
	struct replica_manager *const *managers; /* borrowed */
	size_t manager_count;
	int64_t interval_ms; /* replica.high.watermark.checkpoint.interval.ms; a round in which nothing changed writes nothing */
};
struct replica_checkpoints *replica_checkpoints_new(const struct replica_checkpoints_options *o);
void replica_checkpoints_start(struct replica_checkpoints *c);
/* Stops every manager (logs synced and closed); entries are for log_manager_close_clean and are freed with c. A round under way
 * is finished first. */
void replica_checkpoints_stop(struct replica_checkpoints *c,
	void (*done)(void *arg, const struct log_checkpoint_entry *entries, size_t count), void *arg);
void replica_checkpoints_free(struct replica_checkpoints *c);

#endif
