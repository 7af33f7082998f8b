/* A request to the coordinator of one group, free of any protocol, on its way from the loop that asks to the loop that owns the
 * group's partition of __consumer_offsets and back. Embedded in the asker's call, so that travelling allocates nothing. What goes
 * in is borrowed until done; what comes out lies in the request's arena, which is the coordinator's between start and done.
 * Kafka: GroupCoordinator. */
#ifndef COORDINATOR_GROUP_REQUEST_H
#define COORDINATOR_GROUP_REQUEST_H

#include "base/arena.h"
#include "base/scheduler.h"
#include "base/status.h"
#include "base/topic_partition.h"

enum group_request_kind {
	GROUP_REQUEST_JOIN,
	GROUP_REQUEST_SYNC,
	GROUP_REQUEST_HEARTBEAT,
	GROUP_REQUEST_LEAVE,
	GROUP_REQUEST_COMMIT,
	GROUP_REQUEST_FETCH,
	GROUP_REQUEST_DELETE_OFFSETS,
	GROUP_REQUEST_DESCRIBE,
	GROUP_REQUEST_DELETE,
	GROUP_REQUEST_CONSUMER_HEARTBEAT, /* KIP-848 */
	GROUP_REQUEST_CONSUMER_DESCRIBE,
};

struct group_named_bytes { /* a protocol and a member's metadata for it; a member and its assignment */
	const char *name;
	struct slice bytes;
};
struct group_request_join {
	const char *member_id; /* "" new */
	const char *instance_id, *client_id, *client_host; /* instance_id NULL: dynamic */
	int32_t session_timeout_ms, rebalance_timeout_ms; /* rebalance -1: as session (version 0) */
	const char *protocol_type;
	const struct group_named_bytes *protocols; /* in the member's order of preference */
	size_t protocol_count;
	bool must_know_member_id; /* version 4 on: a new dynamic member gets MEMBER_ID_REQUIRED and its id first */
	bool can_skip_assignment; /* version 9 on */
	const char *reason;       /* NULL none; for the log */
	/* out */
	int32_t generation; /* -1 on errors */
	const char *ret_protocol_type, *protocol, *leader, *ret_member_id; /* ret_member_id also with MEMBER_ID_REQUIRED */
	bool skip_assignment;
	const struct group_request_member *members; /* the leader's answer only */
	size_t member_count;
};
struct group_request_member { /* not all fields in every answer */
	const char *member_id, *instance_id, *client_id, *client_host;
	struct slice metadata, assignment;
};
struct group_request_sync {
	const char *member_id, *instance_id;
	int32_t generation;
	const char *protocol_type, *protocol; /* NULL: not checked (before version 5) */
	const struct group_named_bytes *assignments;
	size_t assignment_count;
	/* out */
	const char *ret_protocol_type, *ret_protocol;
	struct slice assignment;
};
struct group_request_heartbeat {
	const char *member_id, *instance_id;
	int32_t generation;
};
struct group_request_leave {
	struct group_request_leaver {
		const char *member_id, *instance_id, *reason;
		enum status status; /* out */
	} *members;
	size_t member_count;
};
/* One partition's offset: of a commit, a fetch, a deletion. */
struct group_request_offset {
	const char *topic;
	int32_t partition;
	int64_t offset;           /* fetch: out, -1 none */
	int32_t leader_epoch;     /* -1 unknown */
	const char *metadata;     /* NULL: "" */
	int64_t commit_timestamp; /* ms; -1 now */
	enum status status;       /* out */
};
struct group_request_commit {
	const char *member_id, *instance_id; /* "" and NULL: a consumer outside any generation */
	int32_t generation;                  /* or member epoch (KIP-848); -1: outside any generation */
	int64_t retention_ms;                /* versions 2-4; -1 the broker's */
	struct group_request_offset *offsets;
	size_t offset_count;
};
struct group_request_fetch {
	bool all; /* every offset the group has: offsets are out */
	bool require_stable;
	const char *member_id; /* NULL: not checked */
	int32_t member_epoch;  /* -1: not checked */
	struct group_request_offset *offsets;
	size_t offset_count;
};
struct group_request_delete_offsets {
	struct group_request_offset *offsets;
	size_t offset_count;
};
struct group_request_describe { /* out; state "Dead" for a group that is not there */
	bool any_type; /* in: consumer groups (KIP-848) too, told in the words of classic ones; to Kafka's DescribeGroups they are dead */
	const char *state, *protocol_type, *protocol;
	const struct group_request_member *members;
	size_t member_count;
};
struct group_request_topic { /* KIP-848: partitions of a topic */
	struct uuid topic_id;
	const int32_t *partitions;
	size_t partition_count;
};
struct group_request_topics {
	const struct group_request_topic *topics;
	size_t count;
	bool present; /* false: null on the wire, "as before" */
};
struct group_request_consumer_heartbeat {
	const char *member_id;
	int32_t member_epoch;              /* 0 join, -1 leave, -2 a static member leaves for a while */
	const char *instance_id, *rack_id; /* NULL: as before */
	const char *client_id, *client_host;
	int32_t rebalance_timeout_ms;      /* -1: as before */
	const char *const *topic_names;    /* NULL: as before */
	size_t topic_name_count;
	const char *topic_regex, *server_assignor; /* NULL: as before */
	struct group_request_topics owned;
	bool member_generates_id; /* version 1 on */
	/* out */
	const char *ret_member_id;
	int32_t ret_member_epoch, heartbeat_interval_ms;
	struct group_request_topics assignment;
};
struct group_request_consumer_member {
	const char *member_id, *instance_id, *rack_id, *client_id, *client_host, *topic_regex;
	int32_t member_epoch;
	const char *const *topic_names;
	size_t topic_name_count;
	struct group_request_topics assignment, target;
	bool classic; /* speaks the classic protocol within a consumer group */
};
struct group_request_consumer_describe { /* out */
	const char *state, *assignor;
	int32_t group_epoch, assignment_epoch;
	const struct group_request_consumer_member *members;
	size_t member_count;
};

struct group_request {
	enum group_request_kind kind;
	const char *group_id;
	struct arena *arena;
	struct scheduler *home; /* the loop that asks; done runs there */
	union {
		struct group_request_join join;
		struct group_request_sync sync;
		struct group_request_heartbeat heartbeat;
		struct group_request_leave leave;
		struct group_request_commit commit;
		struct group_request_fetch fetch;
		struct group_request_delete_offsets delete_offsets;
		struct group_request_describe describe;
		struct group_request_consumer_heartbeat consumer_heartbeat;
		struct group_request_consumer_describe consumer_describe;
	};
	enum status status; /* of the whole: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, ... */
	char *message;      /* in the arena; NULL: status_text() */
	/* Exactly once, on home; perhaps within start. */
	void (*done)(struct group_request *r);
	void *arg;

	/* private to the coordinator */
	struct task task;
	struct group_coordinator *owner;
	struct group_request *next, *previous; /* parked */
	void *work;
	int32_t partition; /* of __consumer_offsets */
};

/* The groups of one loop, for ListGroups. */
struct group_list_entry {
	const char *group_id, *protocol_type, *state, *type; /* type: "classic" or "consumer" */
};
struct group_list_request {
	struct arena *arena;
	struct scheduler *home;
	const char *const *states; /* none: all; compared without case */
	size_t state_count;
	const char *const *types;
	size_t type_count;
	enum status status;
	struct group_list_entry *groups;
	size_t group_count;
	void (*done)(struct group_list_request *r);
	void *arg;

	/* private */
	struct task task;
	struct group_coordinator *owner;
};

#endif
