/* One classic consumer group: who its members are, which generation they are in, who is waiting for whom. Pure: no socket,
 * loop, log or clock; time comes in as now_ms (any monotonic millisecond count), answers and the wish to write a record go
 * out through the callback table. Kafka: GroupCoordinator and GroupMetadata (3.9); KIP-62, 134, 345, 389, 394, 559, 814.
 *
 *      +----------------- last member gone, record written --------------------+
 *      v                                                                       |
 *   EMPTY --join--> PREPARING_REBALANCE --all joined or deadline--> COMPLETING_REBALANCE --leader's sync written--> STABLE
 *      |              ^    ^                                                   |                                      |
 *      |              |    +------ join, leave, expiry, sync failed -----------+                                      |
 *      |              +----------- join, leave, expiry ---------------------------------------------------------------+
 *      +--> DEAD (deleted or expired; also from every other state on unload)
 *
 * A parked request is named by its ticket. It is answered exactly once, by joined() or synced(), perhaps before the call
 * that brought it returns; after group_unload() none is left. */
#ifndef COORDINATOR_GROUP_H
#define COORDINATOR_GROUP_H

#include "base/bytes.h"
#include "base/random.h"

struct group;

enum group_state {
	GROUP_EMPTY,
	GROUP_PREPARING_REBALANCE,
	GROUP_COMPLETING_REBALANCE,
	GROUP_STABLE,
	GROUP_DEAD,
	GROUP_STATE_COUNT,
};
/* "Stable": as DescribeGroups and ListGroups say it. */
const char *group_state_name(enum group_state s);

/* What clients may make the coordinator keep in memory. Beyond: STATUS_INVALID_REQUEST for one member's own,
 * STATUS_GROUP_MAX_SIZE_REACHED for the group's. */
enum {
	GROUP_NAME_BYTES_MAX = 32767,         /* each name: group, member, instance, client, host, protocol */
	GROUP_PROTOCOLS_MAX = 64,             /* candidates of one member */
	GROUP_MEMBER_BYTES_MAX = 1 << 20,     /* names and metadata of one member */
	GROUP_ASSIGNMENT_BYTES_MAX = 1 << 20, /* assignment of one member */
	GROUP_BYTES_MAX = 64 << 20,           /* all members, metadata and assignments */
	GROUP_PENDING_IDS_MAX = 10000,        /* ids given out by MEMBER_ID_REQUIRED; beyond, the oldest is forgotten */
};

/* Read whenever needed, so the owner may change it in place (group.*.session.timeout.ms and so on). */
struct group_settings {
	int32_t session_timeout_min_ms;     /* group.min.session.timeout.ms */
	int32_t session_timeout_max_ms;     /* group.max.session.timeout.ms */
	int32_t initial_rebalance_delay_ms; /* group.initial.rebalance.delay.ms */
	int32_t size_max;                   /* group.max.size */
};

struct group_protocol {
	struct slice name;
	struct slice metadata;
};

/* --- requests: all slices are borrowed for the call ------------------------------------------------------------------ */

struct group_join {
	void *ticket;
	struct slice member_id;   /* n = 0: a new member */
	struct slice instance_id; /* p = NULL: a dynamic member */
	struct slice client_id;
	struct slice client_host;   /* "/10.0.0.1", as Kafka writes it */
	struct slice protocol_type; /* "consumer", "connect" */
	const struct group_protocol *protocols; /* in order of preference */
	size_t protocol_count;
	int32_t session_timeout_ms;
	int32_t rebalance_timeout_ms; /* v0 has none: the session timeout */
	bool require_known_member_id; /* v4+ without an instance id: answer MEMBER_ID_REQUIRED to a new member */
	bool skip_assignment;         /* v9+: the answer may say so */
};

struct group_join_member {
	struct slice member_id;
	struct slice instance_id; /* p = NULL: none */
	struct slice metadata;    /* for the chosen protocol */
};
struct group_join_answer {
	enum status status;
	int32_t generation;         /* -1 unless OK */
	struct slice protocol_type; /* p = NULL: none */
	struct slice protocol;      /* p = NULL: none */
	struct slice leader;
	struct slice member_id;
	bool skip_assignment;
	const struct group_join_member *members; /* the leader's answer only */
	size_t member_count;
};

struct group_assignment {
	struct slice member_id;
	struct slice assignment;
};
struct group_sync {
	void *ticket;
	int32_t generation;
	struct slice member_id;
	struct slice instance_id;   /* p = NULL: none given */
	struct slice protocol_type; /* p = NULL: none given (before v5) */
	struct slice protocol;      /* p = NULL: none given */
	const struct group_assignment *assignments; /* the leader's */
	size_t assignment_count;
};
struct group_sync_answer {
	enum status status;
	struct slice protocol_type; /* p = NULL: none */
	struct slice protocol;
	struct slice assignment; /* n = 0 unless OK */
};

/* Who a request says it comes from. */
struct group_identity {
	struct slice member_id;   /* n = 0: none */
	struct slice instance_id; /* p = NULL: none */
	int32_t generation;       /* -1: none */
};
struct group_leave_member {
	struct slice member_id;   /* n = 0: by instance id alone */
	struct slice instance_id; /* p = NULL: none */
	enum status status;       /* out */
};

/* --- the owner's side ------------------------------------------------------------------------------------------------ */

/* Everything an answer points to is borrowed for the call. joined() and synced() must not call back into the group. */
struct group_callbacks {
	void (*joined)(void *arg, void *ticket, const struct group_join_answer *answer);
	void (*synced)(void *arg, void *ticket, const struct group_sync_answer *answer);
	/* Write the group's record now: take group_export() within the call, append it, and call group_persisted() once it is
	 * committed or has failed (at once if need be: persist() is the last thing a call into the group does). Never asked
	 * again before group_persisted(): changes in between are gathered into one further record. The append must end:
	 * members wait for it without a deadline of their own. */
	void (*persist)(void *arg, struct group *g);
};

/* Everything a group needs from its owner, for as long as it lives. */
struct group_owner {
	const struct group_settings *settings;
	const struct group_callbacks *callbacks;
	void *arg;             /* of the callbacks */
	struct random *random; /* dice for member ids */
};
/* Begins EMPTY, generation 0. The id is copied; the owner is borrowed. */
struct group *group_new(struct slice group_id, const struct group_owner *owner, int64_t now_ms);
/* Nothing may be parked: group_unload() first. */
void group_free(struct group *g);

/* --- requests -------------------------------------------------------------------------------------------------------- */

void group_join(struct group *g, const struct group_join *join, int64_t now_ms);
void group_sync(struct group *g, const struct group_sync *sync, int64_t now_ms);
MUST_CHECK enum status group_heartbeat(struct group *g, const struct group_identity *who, int64_t now_ms);
/* Removes each member by member id or, without one, by instance id; a status each. The result is the answer's own:
 * STATUS_COORDINATOR_NOT_AVAILABLE when dead. Before v3 the only member's status is the answer. */
MUST_CHECK enum status group_leave(struct group *g, struct group_leave_member *members, size_t count, int64_t now_ms);
/* May this OffsetCommit be taken? Restarts the member's session. transactional: TxnOffsetCommit, where a client older than
 * KIP-447 names nobody. */
MUST_CHECK enum status group_check_commit(
	struct group *g, const struct group_identity *who, bool transactional, int64_t now_ms);
/* The record of the last persist() is committed (STATUS_OK) or has failed: any status; NOT_COORDINATOR and
 * COORDINATOR_NOT_AVAILABLE reach the members as they are, what else goes wrong in an append becomes one of these. */
void group_persisted(struct group *g, enum status status, int64_t now_ms);

/* --- time ------------------------------------------------------------------------------------------------------------ */

/* Does all that is due: sessions, pending member ids, the end of a rebalance, members that did not sync. */
void group_expire(struct group *g, int64_t now_ms);
/* When group_expire() has something to do; INT64_MAX never. Read it after every call and arm one timer. O(1). */
int64_t group_next_deadline(const struct group *g);

/* --- life ------------------------------------------------------------------------------------------------------------ */

/* Answers everything parked with `status` (NOT_COORDINATOR when the partition has moved) and forgets members and deadlines.
 * The group is DEAD afterwards; a persist() under way needs no group_persisted() any more. */
void group_unload(struct group *g, enum status status);

/* --- record ---------------------------------------------------------------------------------------------------------- */

/* What `__consumer_offsets` holds of a group (GroupMetadataValue v0 to v3). */
struct group_record_member {
	struct slice member_id;
	struct slice instance_id; /* p = NULL: none */
	struct slice client_id;
	struct slice client_host;
	int32_t rebalance_timeout_ms; /* v0 has none: the session timeout */
	int32_t session_timeout_ms;
	struct slice subscription;
	struct slice assignment;
};
struct group_record {
	struct slice protocol_type; /* "" for a group that never had one */
	int32_t generation;
	struct slice protocol;               /* p = NULL: none */
	struct slice leader;                 /* p = NULL: none */
	int64_t current_state_timestamp_ms; /* on the clock of now_ms: the caller turns it into and from wall time */
	struct group_record_member *members;
	size_t member_count;
};
/* Slices point into the group and are valid until the next call into it; free() members. */
void group_export(const struct group *g, struct group_record *ret_record);
/* Into a new group: STABLE with every member's session starting at now_ms, or EMPTY. STATUS_CORRUPT: the record contradicts
 * itself (no protocol with members, a member twice); the group stays as it was. */
MUST_CHECK enum status group_import(struct group *g, const struct group_record *record, int64_t now_ms);

/* --- questions ------------------------------------------------------------------------------------------------------- */

enum group_state group_state(const struct group *g);
struct slice group_id(const struct group *g);
/* p = NULL: none yet (only offsets are kept). */
struct slice group_protocol_type(const struct group *g);
struct slice group_protocol(const struct group *g);
int32_t group_generation(const struct group *g);
/* When the state was entered (now_ms of then): offsets of an EMPTY group expire from there. */
int64_t group_state_since(const struct group *g);
size_t group_member_count(const struct group *g);
/* Is a rebalance under way, a member or pending id known, something parked, a record being written? A group of which this
 * is false and that has no offsets may be forgotten. */
bool group_in_use(const struct group *g);
/* Does a member subscribe to this topic? Members of protocol type "consumer" say so in their metadata; a live group whose
 * metadata cannot be read is taken to subscribe to everything. Kafka: GroupMetadata.isSubscribedToTopic. */
bool group_subscribes(const struct group *g, struct slice topic);

struct group_description_member {
	struct slice member_id;
	struct slice instance_id; /* p = NULL: none */
	struct slice client_id;
	struct slice client_host;
	struct slice metadata;   /* for the chosen protocol; empty unless STABLE */
	struct slice assignment; /* empty unless STABLE */
};
struct group_description {
	enum group_state state;
	struct slice protocol_type; /* "" none */
	struct slice protocol;      /* "" unless STABLE */
	struct group_description_member *members;
	size_t member_count;
};
/* Slices point into the group and are valid until the next call into it; free() members. */
void group_describe(const struct group *g, struct group_description *ret_description);

/* Since the group was made, for metrics. */
struct group_counts {
	uint64_t rebalances_begun;
	uint64_t rebalances_completed; /* reached a new generation */
	uint64_t members_expired;
};
struct group_counts group_counts(const struct group *g);

/* Panics if the group contradicts itself. O(members): for tests. */
void group_check(const struct group *g);
#endif
