/* One consumer group of KIP-848: members say what they subscribe to, the coordinator says who gets what and walks each member there.
 * Pure: no socket, loop, log or clock; time comes in as now_ms (any monotonic millisecond count), topics through the callback table,
 * changes are fetched as records (consumer_group_records.h). Kafka: GroupMetadataManager, ConsumerGroup, CurrentAssignmentBuilder.
 *
 * Three epochs: the group's grows when members, subscriptions or topics change; the assignment's is the group epoch the target
 * assignment was computed for; a member's is the assignment epoch it has reached. A member gets a partition only when nobody else
 * owns it any more, so that no partition ever has two owners:
 *
 *              +------------- new target, something to give up -------------+
 *              |                                                            v
 *          STABLE <----- all of its target is free ------ UNRELEASED     UNREVOKED
 *              |                                            ^   |           |
 *              +--- new target, others still own of it -----+   +- to give -+- given up: on to the target
 *
 * In UNREVOKED the member keeps its epoch until its heartbeat no longer names what it has to give up; if that takes longer than its
 * rebalance timeout it is removed. The group: EMPTY, ASSIGNING (target older than the group epoch), RECONCILING, STABLE.
 *
 * Answers are computed at once, but hold only when what they rest on is written: while consumer_group_dirty() or a write is under way,
 * the owner keeps them back. */
#ifndef COORDINATOR_CONSUMER_GROUP_H
#define COORDINATOR_CONSUMER_GROUP_H

#include "base/random.h"
#include "coordinator/consumer_assignor.h"

struct consumer_group;

/* What clients may make the coordinator keep. Beyond: INVALID_REQUEST. */
enum {
	CONSUMER_GROUP_MEMBER_BYTES_MAX = 1 << 20, /* all names of one member */
	CONSUMER_GROUP_NAME_BYTES_MAX = 32767,     /* each; what a record can hold */
	CONSUMER_GROUP_REGEX_BYTES_MAX = 1024,
};
enum { CONSUMER_GROUP_LEAVE_EPOCH = -1, CONSUMER_GROUP_STATIC_LEAVE_EPOCH = -2 };

/* Read whenever needed: the owner may change it in place. */
struct consumer_group_settings {
	int32_t session_timeout_ms;    /* group.consumer.session.timeout.ms */
	int32_t heartbeat_interval_ms; /* group.consumer.heartbeat.interval.ms */
	int32_t size_max;              /* group.consumer.max.size */
	enum consumer_assignor assignors[CONSUMER_ASSIGNOR_COUNT]; /* group.consumer.assignors: the first is the default */
	size_t assignor_count;
};

struct consumer_group_topic {
	struct uuid id;
	int32_t partition_count;
};
struct consumer_group_names { /* sorted, none twice; owned */
	char **names;
	size_t count;
};
struct consumer_group_callbacks {
	/* false: there is no such topic. */
	bool (*topic)(void *arg, const char *name, struct consumer_group_topic *ret_topic);
	/* Changes whenever a topic comes, goes, or gets partitions. Not 0. */
	uint64_t (*topics_version)(void *arg);
	/* The topics whose whole name matches; the caller frees the names. INVALID_REGULAR_EXPRESSION, with a sentence. */
	enum status (*match)(void *arg, const char *regex, struct consumer_group_names *ret_names, struct failure *f);
};
struct consumer_group_owner {
	const struct consumer_group_settings *settings;
	const struct consumer_group_callbacks *callbacks;
	void *arg; /* of the callbacks */
	struct random *random; /* dice for the ids of members that bring none */
};
/* Begins empty, at epoch 0. The id is copied; the owner is borrowed. */
struct consumer_group *consumer_group_new(const char *group_id, const struct consumer_group_owner *owner);
void consumer_group_free(struct consumer_group *g);

/* --- requests; everything is borrowed for the call -------------------------------------------------------------------- */

struct consumer_group_heartbeat {
	const char *member_id;                             /* "": a new member of version 0 */
	const char *instance_id, *rack_id;                 /* NULL: none, or as before */
	const char *client_id, *client_host;               /* host "/10.0.0.1", as Kafka writes it */
	const char *topic_regex, *server_assignor;         /* NULL: as before */
	const char *const *topic_names;                    /* NULL: as before */
	size_t topic_name_count;
	const struct partition_set *owned;                 /* NULL: as before */
	int32_t member_epoch;                              /* 0 join; -1, -2: leave */
	int32_t rebalance_timeout_ms;                      /* -1: as before */
	bool member_generates_id;                          /* version 1 */
};
struct consumer_group_answer { /* points into the group: until the next call */
	const char *member_id;
	int32_t member_epoch;
	int32_t heartbeat_interval_ms;
	const struct partition_set *assignment; /* NULL: as before */
};
/* INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
 * UNRELEASED_INSTANCE_ID, FENCED_MEMBER_EPOCH: each with a sentence; nothing has changed then. */
MUST_CHECK enum status consumer_group_heartbeat(struct consumer_group *g, const struct consumer_group_heartbeat *h, int64_t now_ms,
	struct consumer_group_answer *ret_answer, struct failure *f);
/* May this member commit, or ask for, offsets? UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH. A commit from outside (epoch -1) is taken by an
 * empty group, a fetch from outside (member_id NULL) always. */
MUST_CHECK enum status consumer_group_check_commit(const struct consumer_group *g, const char *member_id, int32_t member_epoch);
MUST_CHECK enum status consumer_group_check_fetch(const struct consumer_group *g, const char *member_id, int32_t member_epoch);

/* --- time -------------------------------------------------------------------------------------------------------------- */

/* Removes members whose session or whose time to give up partitions is over. */
void consumer_group_expire(struct consumer_group *g, int64_t now_ms);
/* When expire() may have something to do; INT64_MAX never. Read it after every call and arm one timer. O(1). */
int64_t consumer_group_next_deadline(const struct consumer_group *g);

/* --- writing ------------------------------------------------------------------------------------------------------------- */

/* Is there something that consumer_group_records_export() would give? */
bool consumer_group_dirty(const struct consumer_group *g);
/* The records of the last export are committed, or have failed: then they are given again. */
void consumer_group_written(struct consumer_group *g, bool committed);
/* The group is given up (deleted, expired, turned into a classic one), which must be empty: its next export is tombstones. */
void consumer_group_retire(struct consumer_group *g);

/* --- questions ----------------------------------------------------------------------------------------------------------- */

enum consumer_group_state {
	CONSUMER_GROUP_EMPTY,
	CONSUMER_GROUP_ASSIGNING,
	CONSUMER_GROUP_RECONCILING,
	CONSUMER_GROUP_STABLE,
	CONSUMER_GROUP_STATE_COUNT,
};
/* "Stable": as ConsumerGroupDescribe and ListGroups say it. */
const char *consumer_group_state_name(enum consumer_group_state s);
enum consumer_group_state consumer_group_state(const struct consumer_group *g);
const char *consumer_group_id(const struct consumer_group *g);
size_t consumer_group_member_count(const struct consumer_group *g);
bool consumer_group_subscribes(const struct consumer_group *g, const char *topic);

struct consumer_group_description_member {
	const char *member_id, *instance_id, *rack_id, *client_id, *client_host, *topic_regex; /* regex NULL: none */
	int32_t member_epoch;
	const struct consumer_group_names *topic_names;
	const struct partition_set *assignment, *target;
};
struct consumer_group_description {
	enum consumer_group_state state;
	int32_t group_epoch, assignment_epoch;
	enum consumer_assignor assignor;
	struct consumer_group_description_member *members;
	size_t member_count;
};
/* Points into the group: until the next call; free() members. */
void consumer_group_describe(const struct consumer_group *g, struct consumer_group_description *ret_description);

/* Since the group was made, for metrics. */
struct consumer_group_counts {
	uint64_t rebalances; /* group epochs */
	uint64_t members_expired;
};
struct consumer_group_counts consumer_group_counts(const struct consumer_group *g);
/* Stops the program if what must hold does not: for tests. */
void consumer_group_check(const struct consumer_group *g);
#endif
