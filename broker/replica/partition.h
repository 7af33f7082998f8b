/* One hosted replica, pinned to its owner loop: role, epochs, in-sync set, high watermark, and who waits for it.
 *
 *     NONE --become--> LEADER <--become--> FOLLOWER        any --log fails--> OFFLINE (for good; a restart tries again)
 *       ^---------------stop-----------------|
 *
 * A role changes only with a larger leader epoch. Kafka: Partition. */
#ifndef REPLICA_PARTITION_H
#define REPLICA_PARTITION_H

#include "cluster/replica_host.h"
#include "replica/replica_parts.h"

enum partition_role { PARTITION_NONE, PARTITION_LEADER, PARTITION_FOLLOWER, PARTITION_OFFLINE };

struct partition;
/* Who wants to hear of the replicas of one topic on one loop: the coordinator that keeps its state there. Called on the loop, in
 * the middle of whatever causes it: take note, and act in a turn of your own. */
struct partition_watcher {
	const char *topic;
	/* It leads now, or leads in a new epoch; p until lost. */
	void (*leads)(void *arg, int32_t partition, struct partition *p);
	/* It leads no longer (of those that led); p must not be used any more. */
	void (*lost)(void *arg, int32_t partition);
	/* The high watermark has moved, while it leads. */
	void (*advanced)(void *arg, int32_t partition);
	void *arg;
	struct partition_watcher *next;
};

/* What all partitions of a loop share; borrowed for their life. */
struct partition_environment {
	struct scheduler *scheduler;
	struct delayed_requests *delayed;
	int32_t broker_id;
	bool (*disk_full)(void *arg); /* NULL: never */
	void (*failed)(void *arg, const struct topic_partition *tp, enum status why); /* NULL: nobody cares */
	void *arg;
	struct partition_watcher *watchers; /* of all partitions made from now on */
	bool changed; /* something a checkpoint file should know has happened on this loop */
};

/* Adopts the log onto the loop. high_watermark: from the checkpoint; cut to what the log holds. */
struct partition *partition_new(struct partition_environment *env, const struct topic_partition *tp, struct partition_log *log,
	int64_t high_watermark, const struct topic_settings *settings);
/* Whoever waits is answered NOT_LEADER_OR_FOLLOWER. The log stays open; the partition no longer refers to it. */
void partition_free(struct partition *p);

/* STALE_CONTROLLER_EPOCH unless c->leader_epoch is larger than the present one; KAFKA_STORAGE_ERROR when offline. As leader the
 * epoch is in the log's epoch cache before anything is accepted. */
MUST_CHECK enum status partition_become(struct partition *p, const struct replica_command *c);
/* No role. FENCED_LEADER_EPOCH when leader_epoch >= 0 is smaller than ours. */
MUST_CHECK enum status partition_stop(struct partition *p, int32_t leader_epoch);
void partition_configure(struct partition *p, const struct topic_settings *settings);

/* Answers the part, now or when the high watermark has passed it, its deadline is over, or the role is lost. */
void partition_append(struct partition *p, struct produce_part *part);
/* Its deadline is over; it is out of the heap already. */
void partition_expire_produce(struct produce_waiter *w);
/* Fills the part's answer. Ends its wait, if it waits. */
void partition_read(struct partition *p, struct fetch_part *part);
/* The part's waiter hears of every byte above the high watermark it read, and of changes. */
void partition_wait(struct partition *p, struct fetch_part *part);
/* Ends the wait of a part whose partition is no longer hosted; harmless otherwise. */
void partition_unwait(struct fetch_waiter *w);
void partition_describe_producers(struct partition *p, struct describe_producers_part *part);
void partition_list_offsets(struct partition *p, struct list_offsets_part *part);

/* Records before the part's offset go: the log's start moves, and segments before it go at once. Kafka:
 * Partition.deleteRecordsOnLeader. */
void partition_delete_records(struct partition *p, struct delete_records_part *part);

const char *partition_topic(const struct partition *p);
const struct topic_partition *partition_name(const struct partition *p);
enum partition_role partition_role(const struct partition *p);
int32_t partition_leader_epoch(const struct partition *p); /* -1 before the first role */
int64_t partition_high_watermark(const struct partition *p);
struct partition_log *partition_get_log(const struct partition *p);
const struct topic_settings *partition_settings(const struct partition *p);
void partition_checkpoint(const struct partition *p, struct log_checkpoint_entry *ret_entry);
/* Rolls and removes what is due; nothing while there is no role (a stray's data is not ours to delete). */
void partition_apply_retention(struct partition *p);
/* Compaction, of leaders and followers alike, below the high watermark and open transactions. */
bool partition_compaction_due(struct partition *p, double *ret_dirty_ratio);
/* False when it is not due. done runs on this loop, perhaps after the partition has gone, but before its log is closed. */
MUST_CHECK bool partition_compact(struct partition *p, const struct log_compaction_limits *limits,
	void (*done)(void *arg, enum status s), void *arg);
/* Forgets idempotent producers that have been silent for producer.id.expiration.ms. */
void partition_expire_producers(struct partition *p);

#endif
