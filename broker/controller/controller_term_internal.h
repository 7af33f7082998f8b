/* Parts of controller_term. */
#ifndef CONTROLLER_CONTROLLER_TERM_INTERNAL_H
#define CONTROLLER_CONTROLLER_TERM_INTERNAL_H

#include "controller/broker_channel.h"
#include "controller/controller_decide.h"
#include "controller/controller_term.h"
#include "coordinator-client/zk_request.h"
#include "coordinator-client/zk_watch.h"

enum {
	TERM_STATE_READS_MAX = 512,  /* under way while loading */
	TERM_MULTIS_MAX = 16,        /* under way */
	TERM_MULTI_OPS_MAX = 500,    /* per multi */
	TERM_MULTI_BYTES_MAX = 512 * 1024,
	TERM_TICK_US = 1000 * 1000,
};

/* A registration that is watched. */
struct term_broker {
	UT_hash_handle hh;
	struct controller_term *term;
	int32_t id;
	struct zk_watch *watch;
	bool reported; /* its node has been read */
	bool present;
	int64_t epoch;
	struct zk_schema_broker registration;
	bool listed;
	struct broker_channel *channel; /* to the life with channel_epoch, at that address; NULL none */
	int64_t channel_epoch;
	char *channel_host;
	int32_t channel_port;
};

/* A topic node that is watched. */
struct term_topic {
	UT_hash_handle hh;
	unsigned magic;
	struct controller_term *term;
	char *name;
	struct zk_watch *watch;
	int64_t czxid; /* of the node last delivered: another one is another topic */
	bool listed;
	bool delivered; /* the topic has been told to controller_decide, or cannot be */
	/* While it is being read. */
	bool have_node, have_config, reading_config, config_stale;
	struct zk_schema_topic node;
	int64_t node_czxid;
	int32_t node_version;
	struct zk_schema_config config;
	struct event_state *states; /* while loading only */
	size_t states_asked, states_left;
	uint32_t round;                  /* of reading: answers of an earlier one do not count */
	struct term_topic *next_reading; /* in the list of those whose states are being read */
};
MAGIC(term_topic, 0x54544f50);

/* A read under way. Owned by the term, so that it goes with it. */
struct term_read {
	unsigned magic;
	struct term_read *next, **at;
	struct controller_term *term;
	struct term_topic *topic; /* NULL: none, or gone meanwhile */
	uint32_t round;
	size_t index; /* partition in topic's node */
	struct topic_partition tp;
	int64_t number;
	char *path;
};
MAGIC(term_read, 0x54524541);

struct term_pending {
	UT_hash_handle hh;
	struct controller_term *term;
	char *name;
	struct zk_watch *watch;
	bool reported, present, listed;
	int32_t version;
	struct zk_schema_pending_topic wanted;
};

/* A write that waits to be carried out. */
struct term_write {
	struct term_write *next;
	struct controller_write write;
};

struct controller_term {
	unsigned magic;
	struct controller_term_options options;
	struct scheduler *scheduler;
	struct zk_requester *requester;
	struct zk_fence fence;
	struct controller_state state;
	bool fenced, deciding;
	/* What has to be read before the start: lists not yet seen, and things on them. */
	size_t loading;
	bool started;

	struct zk_watch *brokers_watch, *topics_watch, *deletions_watch, *pending_watch, *changes_watch;
	struct zk_watch *preferred_watch, *reassign_watch, *log_dirs_watch;
	bool brokers_listed, topics_listed, deletions_listed, pending_listed, changes_listed;
	struct term_broker *brokers;
	struct term_topic *topics;
	struct term_topic *reading, **reading_tail; /* topics whose states are still to be asked for */
	size_t state_reads;
	struct term_read *reads;
	struct term_pending *pending;
	int64_t last_change; /* sequence of the newest config change seen */

	struct term_write *writes, **writes_tail;
	struct task flush_task;
	bool flush_posted, dead;
	struct term_multi *multis_under_way;
	size_t multis;
	uint32_t groups;
	struct loop_timer tick;
	bool ticking;
};
MAGIC(controller_term, 0x5445524d);

/* --- controller_term.c --- */
/* Decides about one event and starts everything that follows from it. */
void controller_term_decide(struct controller_term *t, const struct controller_event *e);
/* One thing that had to be read before the start has been. */
void controller_term_loaded_one(struct controller_term *t);
/* path is copied. */
struct term_read *controller_term_read_new(struct controller_term *t, const char *path);
void controller_term_read_free(struct term_read *r);
/* ZooKeeper answered something that no retry mends. */
void controller_term_read_failed(struct controller_term *t, enum status s, const char *path);

/* --- controller_term_brokers.c --- */
void controller_term_watch_brokers(struct controller_term *t);
void controller_term_free_brokers(struct controller_term *t);
/* Hands requests to their channels; those of unknown brokers are dropped. */
void controller_term_send(struct controller_term *t, struct controller_send *sends, size_t count);

/* --- controller_term_topics.c --- */
void controller_term_watch_topics(struct controller_term *t);
void controller_term_free_topics(struct controller_term *t);
void controller_term_list_topics(struct controller_term *t, int64_t number);
void controller_term_read_state(struct controller_term *t, const struct topic_partition *tp);
/* Its overrides changed while it was being read. True: it is; the change is seen to. */
bool controller_term_topic_config_changed(struct controller_term *t, const char *name);

/* --- controller_term_orders.c: markers, pending topics, configuration, legacy orders --- */
void controller_term_watch_orders(struct controller_term *t);
void controller_term_free_orders(struct controller_term *t);

/* --- controller_term_writes.c --- */
/* Takes them. */
void controller_term_write(struct controller_term *t, struct controller_write *writes, size_t count);
/* The last step of controller_term_free. */
void controller_term_free_writes(struct controller_term *t);
#endif
