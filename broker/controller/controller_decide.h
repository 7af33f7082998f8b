/* The controller's mind: (state, event) -> (state, what to do). No I/O, no clock, no threads: the same events give the same
 * decisions, which is what the scripted tests and the simulator rest on. Runs on the cluster loop.
 *
 * Events that tell what is in ZooKeeper are idempotent pictures ("these are the brokers"), not differences. A change of a
 * partition is always: state written under its own version and the controller's epoch, then, once that succeeded, told to the
 * brokers. While a partition's write is under way nothing else is decided about it; afterwards it is looked at again. */
#ifndef CONTROLLER_CONTROLLER_DECIDE_H
#define CONTROLLER_CONTROLLER_DECIDE_H

#include "controller/controller_decision.h"
#include "controller/controller_state.h"

enum controller_event_kind {
	EVENT_START,           /* everything has been loaded: decide from now on */
	EVENT_BROKERS,         /* all live brokers */
	EVENT_TOPIC,           /* a topic's node, as read */
	EVENT_TOPIC_LIST,      /* names of all topics */
	EVENT_CONFIG,          /* a topic's overrides, as read */
	EVENT_DELETIONS,       /* names under /admin/delete_topics, all */
	EVENT_PENDING_TOPICS,  /* all topics that wait for brokers */
	EVENT_STATE_READ,      /* answer to a controller_read */
	EVENT_WRITTEN,         /* answers to controller_writes, in order */
	EVENT_RESPONSE,        /* a broker's answer to a control request */
	EVENT_PREFERRED,       /* /admin/preferred_replica_election */
	EVENT_RESYNC,          /* this broker must be told everything again */
	EVENT_TICK,            /* a second or so has passed: try again what failed */
};

struct event_broker {
	int32_t id;
	int64_t epoch;
	const struct zk_schema_broker *registration;
};
struct event_state {
	bool found;
	struct zk_schema_state node;
	int32_t version;
};
struct event_pending_topic {
	const char *name;
	int32_t version;
	const struct zk_schema_pending_topic *wanted;
};
struct event_written {
	const struct controller_write *write;
	enum status status; /* CANCELLED: another of its group failed */
	int32_t version;    /* of the node now, after a create or set */
};

/* Everything pointed at is borrowed for the call. */
struct controller_event {
	enum controller_event_kind kind;
	union {
		struct {
			const struct event_broker *items;
			size_t count;
		} brokers;
		struct {
			const char *name;
			const struct zk_schema_topic *node;
			int32_t version;
			const struct zk_schema_config *config; /* NULL: not read this time */
			const struct event_state *states;      /* one per partition of node; NULL: not read */
		} topic;
		struct {
			const char *const *names;
			size_t count;
			int64_t number; /* of controller_decision.list_topics; 0: not asked for by us */
		} list; /* TOPIC_LIST, DELETIONS */
		struct {
			const char *topic;
			const struct zk_schema_config *config;
		} config;
		struct {
			const struct event_pending_topic *items;
			size_t count;
		} pending;
		struct {
			const struct topic_partition *tp;
			const struct event_state *state;
		} state_read;
		struct {
			const struct event_written *items;
			size_t count;
		} written;
		struct {
			int32_t broker_id;
			const struct control_request *request;
			const struct control_response *response;
		} response;
		struct {
			const struct topic_partition *items;
			size_t count;
		} preferred;
		int32_t resync_broker;
	};
};

/* Appends to d. */
void controller_decide(struct controller_state *s, const struct controller_event *e, struct controller_decision *d);
#endif
