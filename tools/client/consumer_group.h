/* A consumer's membership in a group: finds the coordinator, joins, assigns when it leads, reads where to begin, sends heartbeats,
 * commits. Driven by poll on the caller's thread, without waiting. Answers come as callbacks within client_cluster_poll, and only move the
 * state; what the caller is told of, and may commit from, happens in steps.
 *
 *   FIND (no coordinator known) -> JOIN -> [ASSIGN: leads, waits for partition counts] -> sync -> OFFSETS -> MEMBER
 *     ^                             ^                                                                        |
 *     +---- connection lost, moved  +----------- rebalance in progress, no longer a member -------------------+
 */
#ifndef CONSUMER_GROUP_H
#define CONSUMER_GROUP_H
#include "tools/client/assignor.h"
#include "tools/client/consumer_internal.h"

enum group_state {
	GROUP_JOIN,
	GROUP_ASSIGN,
	GROUP_ASSIGNED, /* the answer is there, not acted upon yet */
	GROUP_OFFSETS,
	GROUP_BEGUN, /* the same */
	GROUP_MEMBER,
};

struct consumer_group {
	unsigned magic;
	struct correio_consumer *consumer;
	char **topics; /* subscribed; none: partitions are assigned by hand, only commits are the group's */
	size_t topic_count;
	enum assignor assignors[ASSIGNOR_COUNT];
	size_t assignor_count;
	bool cooperative; /* all of them are */

	struct client_connection *coordinator; /* NULL: to be found */
	char *coordinator_host;
	int32_t coordinator_port;
	enum group_state state;
	bool finding, asking, heartbeat_open, commit_open;
	uint64_t serial; /* of the request of the rebalance under way; answers to older ones are dropped */
	int64_t not_before_us, find_not_before_us, heartbeat_at_us, commit_at_us, assign_until_us, look_at_us;
	int64_t backoff_ms;

	char *member_id; /* "" none yet */
	int32_t generation;
	char *protocol;
	bool leads, rejoin;
	bool expelled; /* what is read may be read by others already */
	/* From join to sync, when leading. */
	struct arena work;
	struct assignor_member *members;
	size_t member_count;
	/* What the leader saw; a topic with another count of partitions calls for a rebalance. */
	struct assignor_topic *seen;
	size_t seen_count;
	/* The last assignment, and of it what is new and waits for its offsets. */
	struct arena assigned_memory;
	struct partition_sets assigned;
	const struct partition_sets *fresh;

	bool failed; /* for good */
	struct correio_error failure;
};
MAGIC(consumer_group, 0x43475250);

struct consumer_group *consumer_group_new(struct correio_consumer *c);
void consumer_group_free(struct consumer_group *g);
/* Does what is due; lowers *deadline_us to when it should be called again. True: something was queued. */
bool consumer_group_step(struct consumer_group *g, int64_t now_us, int64_t *deadline_us);
/* Replaces the subscription; a member joins again. Names were checked. */
void consumer_group_subscribe(struct consumer_group *g, const char *const *topics, size_t count);
/* Of a step: asks for the coordinator when it is time. */
bool consumer_group_step_find(struct consumer_group *g, int64_t now_us, int64_t *deadline_us);
/* Sends what closing sends: leave, unless static. False: there is nothing to say, or nobody to say it to. */
bool consumer_group_send_leave(struct consumer_group *g, client_response_fn done, void *arg);
/* Forgets what was asked, and asks on a new connection: a join under way holds up what follows it. */
void consumer_group_reconnect(struct consumer_group *g);

/* --- between consumer_group.c, consumer_group_requests.c and consumer_commit.c -------------------------------------------- */

/* The answer to a request of the group, when it is an error: header NULL (lost), or a code. False: it is none. */
bool consumer_group_error(struct consumer_group *g, const struct client_response *response,
	Correio__ResponseHeader__ResponseCase expected);
/* An error with its consequences: find again, try again later, join again, give up. */
void consumer_group_took_error(struct consumer_group *g, int32_t code, const char *message);
void consumer_group_fail(struct consumer_group *g, const struct correio_error *error);

struct client_request *consumer_group_request(struct consumer_group *g, Correio__RequestHeader *header, int64_t extra_ms);
void consumer_group_send_find(struct consumer_group *g);
void consumer_group_send_join(struct consumer_group *g);
/* assignments: of the members, when leading. */
void consumer_group_send_sync(struct consumer_group *g, bool with_assignments);
void consumer_group_send_offsets(struct consumer_group *g, const struct partition_sets *wanted);
void consumer_group_send_heartbeat(struct consumer_group *g);

void consumer_group_joined(struct consumer_group *g, const Correio__JoinGroupResponse *m);
void consumer_group_synced(struct consumer_group *g, struct slice assignment);
void consumer_group_offsets_known(struct consumer_group *g, const Correio__GroupOffsets *offsets);

/* consumer_commit.c: commits in the background what was handed out since. */
void consumer_commit_send(struct correio_consumer *c);
/* Offset to commit for a partition: after the last record handed out. -1: none. */
int64_t consumer_commit_position(const struct correio_consumer *c, const struct consumer_partition *p);
#endif
