/* One loop's partition replicas: finds them by name, gives them their roles, serves appends, reads and offset lookups, runs
 * retention and background flushes. One per event loop; services reach it from any loop through the parts below, which travel
 * to the owner loop and back by themselves. Kafka: ReplicaManager. */
#ifndef REPLICA_REPLICA_MANAGER_H
#define REPLICA_REPLICA_MANAGER_H

#include "cluster/replica_host.h"
#include "replica/replica_parts.h"

struct replica_manager;
struct replica_cleaner_slots;

struct replica_manager_options {
	struct scheduler *scheduler; /* the loop it lives on */
	struct settings const *settings;
	int32_t broker_id; /* may be set later, before any role: replica_manager_set_broker_id */
	struct replica_cleaner_slots *cleaner_slots; /* shared by all managers; NULL: nothing is compacted */
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

/* Before anything is hosted: w hears of its topic's replicas on this loop (partition.h), for the manager's life. */
struct partition_watcher;
void replica_manager_watch(struct replica_manager *m, struct partition_watcher *w);

/* For replica_host: arg is the replica_manager. On its loop. */
void replica_manager_execute(void *arg, struct replica_command *c);

/* Which manager owns a partition; shared by all loops, never changes. */
struct replica_router {
	struct replica_manager *const *managers; /* index = loop */
	size_t manager_count;
	int (*place)(void *arg, const struct topic_partition *tp);
	void *arg;
};
static inline struct replica_manager *replica_router_owner(const struct replica_router *r, const struct topic_partition *tp)
{
	return r->managers[r->place(r->arg, tp)];
}

/* From part->home. Parts sent from one loop to one partition are appended in the order of the calls. */
void replica_manager_append(struct replica_manager *owner, struct produce_part *part);

/* From part->home. */
void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part);

/* From part->home. */
void replica_manager_delete_records(struct replica_manager *owner, struct delete_records_part *part);
/* From part->home: each hosted log. */
void replica_manager_log_sizes(struct replica_manager *owner, struct log_sizes_part *part);
/* From part->home. */
void replica_manager_describe_producers(struct replica_manager *owner, struct describe_producers_part *part);

void replica_manager_collect(struct replica_manager *m, struct checkpoint_part *part);
/* Refuses new work, answers whoever waits with NOT_LEADER_OR_FOLLOWER, syncs and closes every log; part then holds the last
 * numbers. Further requests get NOT_LEADER_OR_FOLLOWER. */
void replica_manager_stop(struct replica_manager *m, struct checkpoint_part *part);

/* For delayed_fetch, on the owner loop: one reading (which ends a wait of the part), and the start of a wait. */
void replica_manager_read(struct replica_manager *owner, struct fetch_part *part);
void replica_manager_wait(struct replica_manager *owner, struct fetch_part *part);

/* Counts on this loop, for status pages. */
size_t replica_manager_partition_count(const struct replica_manager *m);

#endif
