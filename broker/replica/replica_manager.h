/* One loop's partition replicas: finds them by name, gives them their roles, serves appends, reads and offset lookups, runs
 * retention and background flushes. One per event loop; services reach it from any loop through the parts below, which travel
 * to the owner loop and back by themselves. Kafka: ReplicaManager. */
#ifndef REPLICA_REPLICA_MANAGER_H
#define REPLICA_REPLICA_MANAGER_H

#include "cluster/replica_host.h"
#include "replica/delayed_requests.h"
#include "storage/log_manager.h"

struct replica_manager;

struct replica_manager_options {
	struct scheduler *scheduler; /* the loop it lives on */
	struct settings const *settings;
	int32_t broker_id; /* may be set later, before any role: replica_manager_set_broker_id */
	/* May new data be written? log_manager_disk_full; callable from any thread. NULL: always. */
	bool (*disk_full)(void *arg);
	/* On this loop: a replica went offline because its log failed. NULL: nobody cares. */
	void (*partition_failed)(void *arg, const struct topic_partition *tp, enum status why);
	void *arg;
};
struct replica_manager *replica_manager_new(const struct replica_manager_options *o);
/* After replica_manager_stop's done, or with nothing hosted. */
void replica_manager_free(struct replica_manager *m);
/* Before the loops start, or on its loop. */
void replica_manager_set_broker_id(struct replica_manager *m, int32_t broker_id);
struct scheduler *replica_manager_scheduler(const struct replica_manager *m);

/* For replica_host: arg is the replica_manager. On its loop. */
void replica_manager_execute(void *arg, struct replica_command *c);

/* Which manager owns a partition; shared by all loops, never changes. */
struct replica_router {
	struct replica_manager *const *managers; /* index = loop */
	int (*place)(void *arg, const struct topic_partition *tp);
	void *arg;
};
static inline struct replica_manager *replica_router_owner(const struct replica_router *r, const struct topic_partition *tp)
{
	return r->managers[r->place(r->arg, tp)];
}

/* One batch for one partition. Embedded in the request's arena; zero it, fill the first block. */
struct produce_part {
	struct scheduler *home;      /* the loop that asks; done runs there */
	struct topic_partition tp;
	struct record_batch *batch;  /* validated; its bytes are stamped in place. Both live until done */
	int16_t acks;                /* 0, 1: answered after the append. -1: after the high watermark has passed it */
	int64_t timeout_ms;          /* for acks=-1 */
	int32_t leader_epoch;        /* -1: not checked */

	enum status status; /* NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND (written),
			     * REQUEST_TIMED_OUT (perhaps written), NO_SPACE, KAFKA_STORAGE_ERROR, RECORD_LIST_TOO_LARGE,
			     * INVALID_REQUIRED_ACKS, and as in fetch_part */
	int64_t base_offset, log_append_time_ms, log_start_offset; /* -1 on errors */
	int32_t leader, leader_epoch_now; /* where to go, -1 unknown */
	/* Exactly once, on home; perhaps within replica_manager_append when home is the owner. */
	void (*done)(struct produce_part *p);
	void *arg;

	/* private */
	struct replica_manager *owner;
	struct task task;
	struct produce_waiter waiter;
};
/* From part->home. Parts sent from one loop to one partition are appended in the order of the calls. */
void replica_manager_append(struct replica_manager *owner, struct produce_part *part);

enum {
	LIST_OFFSETS_LATEST = -1, /* the high watermark */
	LIST_OFFSETS_EARLIEST = -2,
	LIST_OFFSETS_MAX_TIMESTAMP = -3,
};
struct list_offsets_part {
	struct scheduler *home;
	struct topic_partition tp;
	int64_t timestamp_ms; /* or one of the above */
	int32_t current_leader_epoch; /* -1: not checked */

	enum status status; /* as in fetch_part; OFFSET_NOT_AVAILABLE: a new leader whose high watermark has not reached the
			     * start of its epoch yet */
	int64_t offset, timestamp; /* -1: no such record */
	int32_t leader, leader_epoch;
	void (*done)(struct list_offsets_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};
void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part);

/* Numbers of every replica hosted, for the checkpoint files. */
struct checkpoint_part {
	struct scheduler *home;
	struct log_checkpoint_entry *entries; /* malloc'ed for the asker, NULL if none */
	size_t count;
	bool changed; /* since the last collection; entries are filled either way */
	void (*done)(struct checkpoint_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};
void replica_manager_collect(struct replica_manager *m, struct checkpoint_part *part);
/* Refuses new work, answers whoever waits with NOT_LEADER_OR_FOLLOWER, syncs and closes every log; part then holds the last
 * numbers. Further requests get NOT_LEADER_OR_FOLLOWER. */
void replica_manager_stop(struct replica_manager *m, struct checkpoint_part *part);

/* Counts on this loop, for status pages. */
size_t replica_manager_partition_count(const struct replica_manager *m);

#endif
