/* What the files of the coordinator share; nobody else includes it.
 *
 *   group_coordinator.c           life, partitions led and lost, requests in and answers out, groups by name, their timers
 *   group_coordinator_load.c      from the log into memory
 *   group_coordinator_classic.c   groups of the classic protocol
 *   group_coordinator_consumer.c  groups of the consumer protocol (KIP-848)
 *   group_coordinator_topics.c    what those see of the cluster's topics
 *   group_coordinator_offsets.c   commits and fetches
 *   group_coordinator_removal.c   tombstones: deletions by request, by expiry, by the end of a topic
 *   group_coordinator_answers.c   what goes into a request's arena */
#ifndef COORDINATOR_GROUP_COORDINATOR_INTERNAL_H
#define COORDINATOR_GROUP_COORDINATOR_INTERNAL_H

#include "coordinator/consumer_group.h"
#include "coordinator/group.h"
#include "coordinator/group_coordinator.h"
#include "coordinator/group_log.h"
#include "coordinator/group_offsets.h"
#include "replica/partition.h"
#include <uthash.h>

struct group_entry;
struct group_load;
struct group_transaction;

/* How long the offsets of a group are kept: offsets.retention.minutes from when? */
enum group_expiry {
	GROUP_EXPIRY_NEVER,        /* members use them, or the group is in motion */
	GROUP_EXPIRY_SINCE_EMPTY,  /* from when the last member went */
	GROUP_EXPIRY_SINCE_COMMIT, /* each from its own commit; not those of topics the group subscribes to */
};

/* The protocol by which a group runs: classic, or consumer (KIP-848). A group of one may become one of the other while it is empty:
 * all groups share one name space, and one table of offsets each. */
struct group_type {
	const char *name; /* "classic", "consumer": as ListGroups says it */
	/* Answers whoever is parked; nothing is written any more, and writes under way need not be told. */
	void (*unload)(struct group_entry *e, enum status s);
	void (*free)(struct group_entry *e);
	void (*expire)(struct group_entry *e, int64_t now_ms);
	int64_t (*next_deadline_ms)(const struct group_entry *e);
	/* May this member commit, or fetch? */
	enum status (*check_commit)(struct group_entry *e, const struct group_request_commit *commit, int64_t now_ms);
	enum status (*check_fetch)(struct group_entry *e, const struct group_request_fetch *fetch);
	const char *(*state)(const struct group_entry *e);
	const char *(*protocol_type)(const struct group_entry *e, struct arena *a); /* NULL: the arena is full */
	size_t (*member_count)(const struct group_entry *e);
	/* No members; may be deleted. Parked newcomers and ids given out are in use. */
	bool (*is_empty)(const struct group_entry *e);
	bool (*in_use)(const struct group_entry *e);
	/* ret_since_ms with SINCE_EMPTY: monotonic. */
	enum group_expiry (*expiry)(const struct group_entry *e, int64_t *ret_since_ms);
	bool (*subscribes)(const struct group_entry *e, const char *topic);
	bool (*tells_subscriptions)(const struct group_entry *e); /* false: members use what we cannot read */
	/* Which tombstones end it in the log; none if it never was there. At most `max`. */
	enum status (*tombstones)(const struct group_entry *e, struct arena *a, struct group_record_bytes *records, size_t max,
		size_t *ret_count);
	uint64_t (*rebalances)(const struct group_entry *e); /* so far */
};
enum { GROUP_TOMBSTONES_MAX = 16 };

/* A group of type consumer, and whoever waits for its writes. */
struct group_consumer {
	struct consumer_group *machine;
	struct consumer_group_owner owner;
	struct group_request *waiting; /* in the order they came */
	uintptr_t write_number;        /* of the write under way, or the last */
	unsigned writes;               /* batches of it under way */
	enum status write_status;      /* the first that went wrong */
	bool classic_in_log;           /* it was a classic group whose record is still there */
};

/* A group in memory. */
struct group_entry {
	unsigned magic;
	const struct group_type *type;
	struct group_partition *partition;
	struct group *classic; /* of type classic */
	struct group_consumer *consumer; /* of type consumer, or while loading */
	struct group_owner owner;
	struct group_write persist; /* its record on the way to the log */
	struct group_offsets offsets;
	struct loop_timer timer;
	int64_t timer_due_ms;     /* INT64_MAX: not armed */
	struct group_entry *next, *previous; /* ring of the partition's */
	unsigned held;            /* writes and transactions under way that refer to it */
	bool removing;            /* its tombstones are under way */
	bool gone;                /* out of the table; freed with the last hold */
	struct slice loaded;      /* while loading: its newest group record's value; owned */
	size_t members_counted;   /* in the metrics */
	uint64_t rebalances_counted;
	size_t offsets_counted;
	UT_hash_handle hh;
	char name[];
};
MAGIC(group_entry, 0x47454e54);

enum group_partition_state {
	GROUP_PARTITION_ABSENT, /* not led here */
	GROUP_PARTITION_LOADING,
	GROUP_PARTITION_LOADED,
};
/* One partition of __consumer_offsets that was led here at some time; for the coordinator's life. */
struct group_partition {
	struct group_coordinator *coordinator;
	int32_t number;
	enum group_partition_state state;
	struct partition *replica; /* NULL: not led now */
	int32_t leader_epoch;      /* of what is in memory */
	struct task news_task;
	bool news_posted;
	struct group_entry *by_name;
	struct group_entry all; /* sentinel of the ring */
	struct group_log log;
	struct group_load *load; /* while LOADING */
	struct group_transaction *transactions;
};

struct group_coordinator {
	unsigned magic;
	struct group_coordinator_options options;
	struct group_settings group_settings;
	struct consumer_group_settings consumer_settings;
	struct random random;
	struct arena scratch; /* of one step: records being encoded or decoded */
	struct partition_watcher watcher;
	struct cluster_image_watcher image_watcher;
	struct cluster_image *image; /* the one seen last */
	uint64_t topics_version;     /* of the topics of the image below; 0: not computed */
	int64_t topics_image_version;
	struct group_partition **partitions; /* by number; NULL: never led */
	int32_t partition_count;
	struct group_load *loads; /* every one whose memory is held, those given up too */
	int load_readers;         /* of them, those that read now */
	struct loop_timer expiry_timer;
	struct task expiry_task;
	int32_t expiry_partition;      /* where the round is */
	struct group_entry *expiry_next;
	bool expiry_posted;
	bool stopped;
};
MAGIC(group_coordinator, 0x47524343);

/* Bytes of records one step may encode or decode: GROUP_BYTES_MAX, and again for their structs. */
enum { GROUP_SCRATCH_BYTES_MAX = 160 << 20 };

static inline int64_t group_coordinator_now_ms(const struct group_coordinator *c)
{
	return clock_monotonic_us(c->options.scheduler->clock) / 1000;
}
static inline int64_t group_coordinator_wall_ms(const struct group_coordinator *c)
{
	return clock_wall_ms(c->options.scheduler->clock);
}

/* --- group_coordinator.c --- */
/* Ends the request, by letter. */
void group_coordinator_answer(struct group_request *r, enum status s);
/* As memory of the request's arena ran out. */
void group_coordinator_answer_full(struct group_request *r);
struct group_entry *group_coordinator_find(const struct group_partition *gp, const char *name);
/* In the table, without a type's state. */
struct group_entry *group_coordinator_add(struct group_partition *gp, const char *name);
/* After whatever may have changed the group: arms its timer, counts, forgets it when nothing speaks for keeping it (then false). */
bool group_coordinator_settle(struct group_entry *e);
/* Out of the table and unloaded; freed now or with the last hold. */
void group_coordinator_drop(struct group_entry *e, enum status s);
void group_coordinator_hold(struct group_entry *e);
/* May free it. */
void group_coordinator_release(struct group_entry *e);
/* The partition is in memory. */
void group_coordinator_loaded(struct group_partition *gp);

/* --- group_coordinator_classic.c --- */
extern const struct group_type group_coordinator_classic;
void group_coordinator_classic_init(struct group_entry *e);
/* From its record, while loading. */
MUST_CHECK enum status group_coordinator_classic_import(struct group_entry *e, const struct kafka_group_metadata_value *v);
void group_coordinator_join(struct group_partition *gp, struct group_request *r);
void group_coordinator_sync(struct group_partition *gp, struct group_request *r);
void group_coordinator_heartbeat(struct group_partition *gp, struct group_request *r);
void group_coordinator_leave(struct group_partition *gp, struct group_request *r);
void group_coordinator_describe(struct group_partition *gp, struct group_request *r);

/* --- group_coordinator_consumer.c --- */
extern const struct group_type group_coordinator_consumer;
void group_coordinator_consumer_heartbeat(struct group_partition *gp, struct group_request *r);
void group_coordinator_consumer_describe(struct group_partition *gp, struct group_request *r);
/* In the words of classic groups. */
void group_coordinator_consumer_describe_as_classic(struct group_entry *e, struct group_request *r);
/* While loading: a record of one of its kinds. */
void group_coordinator_consumer_replay(struct group_entry *e, const struct group_record_view *v);
/* After loading: is it a group of this type? Otherwise nothing of that is left. */
MUST_CHECK bool group_coordinator_consumer_loaded(struct group_entry *e);
/* An empty group that a classic member joins: its records become tombstones, and the entry has no type any more. False: it is not
 * empty. */
MUST_CHECK bool group_coordinator_consumer_give_up(struct group_entry *e);

/* --- group_coordinator_topics.c --- */
extern const struct consumer_group_callbacks group_coordinator_topics;
void group_coordinator_topics_settings(struct group_coordinator *c);

/* --- group_coordinator_answers.c: false when the arena is full --- */
MUST_CHECK bool group_coordinator_text(struct arena *a, struct slice s, const char **ret_text);
MUST_CHECK bool group_coordinator_bytes(struct arena *a, struct slice s, struct slice *ret_copy);
MUST_CHECK bool group_coordinator_answer_join(struct group_request *r, const struct group_join_answer *answer);
MUST_CHECK bool group_coordinator_answer_sync(struct group_request *r, const struct group_sync_answer *answer);
MUST_CHECK bool group_coordinator_answer_describe(struct group_request *r, const struct group_description *d);

/* --- group_coordinator_offsets.c --- */
void group_coordinator_commit(struct group_partition *gp, struct group_request *r);
void group_coordinator_fetch(struct group_partition *gp, struct group_request *r);

/* --- group_coordinator_removal.c --- */
void group_coordinator_delete(struct group_partition *gp, struct group_request *r);
void group_coordinator_delete_offsets(struct group_partition *gp, struct group_request *r);
void group_coordinator_expiry_start(struct group_coordinator *c);
void group_coordinator_expiry_stop(struct group_coordinator *c);
/* e leaves the ring. */
void group_coordinator_expiry_forget(struct group_coordinator *c, const struct group_entry *e);
void group_coordinator_image_changed(struct cluster_image_watcher *w, const struct cluster_image *image);

/* --- group_coordinator_load.c --- */
void group_coordinator_load(struct group_partition *gp);
/* The high watermark has moved. */
void group_coordinator_load_advanced(struct group_partition *gp);
/* Loses interest: what is under way in the pool ends by itself. Forgets undecided transactions, too. */
void group_coordinator_load_cancel(struct group_partition *gp);
/* The loops have ended. */
void group_coordinator_load_fini(struct group_coordinator *c);

#endif
