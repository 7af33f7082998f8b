/* What the controller knows: live brokers, topics, partitions with their states, deletions, pending topics. Plain memory,
 * changed by controller_decide alone; no I/O, no clock. */
#ifndef CONTROLLER_CONTROLLER_STATE_H
#define CONTROLLER_CONTROLLER_STATE_H

#include "base/random.h"
#include "controller/partition_states.h"
#include "coordinator-client/zk_schema.h"
#include <uthash.h>

struct controller_broker {
	UT_hash_handle hh;
	int32_t id;
	int64_t epoch; /* czxid of its registration */
	char *rack;
	struct zk_schema_endpoint *endpoints;
	size_t endpoint_count;
	/* Owed a full picture: it has just registered, or its queue was given up. Paid when no state write of a partition it
	 * hosts is under way, so that it never hears of a leader that is about to change. */
	bool needs_sync;
};

struct controller_replica {
	int32_t id;
	/* Epoch of the broker under which this replica was last counted; 0: it was away. A live broker with another epoch
	 * has been down in between (bounced), though nobody saw it missing. */
	int64_t epoch;
	bool failed;            /* its log directory is offline: not live although the broker is */
	bool stopped;           /* deletion: acknowledged */
	int64_t stop_sent_epoch; /* deletion: asked of that life of the broker; 0 not yet */
};

/* A state write under way: what it makes true when it succeeds. */
struct controller_move {
	bool create, unclean;
	int32_t leader, leader_epoch;
	int32_t *isr;
	size_t isr_count;
	int64_t *replica_epochs; /* those that the decision rests on, one per replica; NULL: the assignment changed since */
};

struct controller_partition {
	int32_t number;
	enum partition_state state;
	struct controller_replica *replicas;
	size_t replica_count;
	int32_t *adding, *removing; /* of a reassignment we do not run: kept */
	size_t adding_count, removing_count;
	/* The state node. */
	bool has_node;
	int32_t leader, leader_epoch, controller_epoch, partition_epoch, leader_recovery_state;
	int32_t *isr;
	size_t isr_count;
	char *unknown;
	struct controller_move *move; /* NULL: none under way */
	bool reading;                 /* the state node is being read again */
	bool dirty;                   /* in controller_state.dirty */
	bool changed;                 /* in controller_state.changed */
	bool directory_made;          /* its znode directory is known to exist */
	bool told;                    /* its replicas were told since it was created: no longer new */
	bool want_preferred;
	bool retry; /* its last write failed: again at the next tick */
};

enum controller_deletion {
	DELETION_NONE,
	DELETION_STOPPING, /* leaders taken off, replicas being deleted */
	DELETION_ERASING,  /* znodes being deleted */
};
struct controller_topic {
	UT_hash_handle hh;
	char *name;
	struct uuid id;
	int32_t node_version;
	struct controller_partition *partitions; /* sorted by number */
	size_t partition_count;
	char *unknown;
	struct zk_schema_config config;
	bool writing_node; /* the topic node */
	bool directory_made;
	enum controller_deletion deletion;
	size_t erasing;     /* deletes not yet answered */
	bool erase_failed;
	bool stuck_logged;
	int64_t listed; /* the last list of topics it stood in */
};

struct controller_pending_topic {
	char *name;
	int32_t version;
	struct zk_schema_pending_topic wanted;
	bool placing, removing;
	bool config_exists; /* left over from an unfinished creation: overwritten */
	bool retry;         /* the last attempt failed: again at the next tick */
	bool too_large;
	struct zk_schema_topic layout; /* while placing */
};

struct controller_partition_ref {
	struct controller_topic *topic;
	size_t index;
};
struct controller_refs {
	struct controller_partition_ref *items;
	size_t count, capacity;
};

struct controller_state {
	/* Who we are; set before the first event. */
	int32_t broker_id, controller_epoch;
	bool delete_topic_enable, unclean_election_default;
	const char *inter_broker_listener; /* borrowed; NULL or "": each broker's first */
	struct random random;
	bool started; /* false while loading: events are taken in, nothing is decided */
	struct controller_broker *brokers;
	struct controller_topic *topics;
	struct controller_pending_topic *pending;
	size_t pending_count;
	/* Markers under /admin/delete_topics without a topic, so far. */
	struct controller_orphan {
		char *name;
		int64_t wanted_list; /* a list of topics asked for with this number or a later one tells */
		bool removing;
	} *orphans;
	size_t orphan_count;
	int64_t lists_asked, lists_seen;
	struct controller_refs dirty, changed;
	bool brokers_changed; /* live brokers differ from what was last told to all */
};

void controller_state_init(struct controller_state *s);
void controller_state_fini(struct controller_state *s);

struct controller_broker *controller_state_broker(const struct controller_state *s, int32_t id);
size_t controller_state_broker_count(const struct controller_state *s);
/* Ascending; owned by the caller. */
int32_t *controller_state_broker_ids(const struct controller_state *s, size_t *ret_count);
struct controller_topic *controller_state_topic(const struct controller_state *s, const char *name);
struct controller_topic *controller_state_add_topic(struct controller_state *s, const char *name);
/* Forgets it everywhere. */
void controller_state_remove_topic(struct controller_state *s, struct controller_topic *t);
struct controller_partition *controller_state_partition(struct controller_topic *t, int32_t number);
void controller_state_set_broker(struct controller_state *s, int32_t id, int64_t epoch,
	const struct zk_schema_broker *registration);
void controller_state_remove_broker(struct controller_state *s, struct controller_broker *b);
/* Is the replica live as it stands (broker there, directory good), ignoring bounces? */
bool controller_state_replica_is_live(const struct controller_state *s, const struct controller_replica *r);
/* As an element of s->dirty or s->changed, once. */
void controller_state_mark_dirty(struct controller_state *s, struct controller_topic *t, size_t index);
void controller_state_mark_changed(struct controller_state *s, struct controller_topic *t, size_t index);
void controller_state_mark_topic_dirty(struct controller_state *s, struct controller_topic *t);
/* After t's partitions moved to other indexes. */
void controller_state_reindex(struct controller_state *s, struct controller_topic *t);
void controller_state_clear_move(struct controller_partition *p);
/* The znode's content as a struct that borrows from t; free only ret->partitions. */
void controller_state_topic_layout(const struct controller_topic *t, struct zk_schema_topic *ret);
/* Takes replicas, adding and removing from a decoded node; keeps what is known of replicas that stay. */
void controller_state_set_replicas(struct controller_partition *p, const struct zk_schema_partition *from);
void controller_state_set_node(struct controller_partition *p, const struct zk_schema_state *node, int32_t version);
bool controller_state_unclean_allowed(const struct controller_state *s, const struct controller_topic *t);
void controller_state_pending_fini(struct controller_pending_topic *p);

#endif
