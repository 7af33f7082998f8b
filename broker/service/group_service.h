/* Requests of group members and group administrators find their coordinator: on the loop that owns the group's partition of
 * __consumer_offsets, if this broker leads it. FindCoordinator, which creates the topic on demand. Kafka: KafkaApis, GroupCoordinator. */
#ifndef SERVICE_GROUP_SERVICE_H
#define SERVICE_GROUP_SERVICE_H

#include "coordinator/group_request.h"
#include "service/leader_hint.h"
#include "service/service_loop.h"

/* r->group_id, kind, its part, arena, done, arg: the caller's; home is set here. Requests of one connection to one group arrive in
 * the order of the calls. Partitions of a commit or deletion that the cluster does not have are refused here, each for itself. */
void group_service_start(struct service_loop *s, struct group_request *r);
/* When nobody waits for the answer any more (the peer has gone), a member's parked join stays parked, as in Kafka: its session
 * timeout decides; the call and its arena live until done. */

/* The groups this broker coordinates, of all loops. */
struct group_service_list {
	struct service_loop *service;
	struct group_list_request list; /* the caller fills arena, states, types; the answer is here */
	/* Exactly once, on the service's loop. */
	void (*done)(struct group_service_list *l);
	void *arg;

	/* private */
	size_t next;
};
void group_service_list(struct group_service_list *l);

enum coordinator_key_kind { COORDINATOR_KEY_GROUP, COORDINATOR_KEY_TRANSACTION };
struct coordinator_lookup {
	struct service_loop *service;
	struct arena *arena;
	const char *listener;
	enum coordinator_key_kind kind; /* transactions: COORDINATOR_NOT_AVAILABLE as yet */
	struct coordinator_lookup_key {
		const char *key;
		enum status status;
		char *message;
		struct leader_hint coordinator; /* valid in done */
	} *keys;
	size_t key_count;
	/* Exactly once, on the service's loop; perhaps within find. */
	void (*done)(struct coordinator_lookup *l);
	void *arg;

	/* private */
	struct coordinator_lookup *next;
};
/* Creates the topic when it is not there (offsets.topic.num.partitions, offsets.topic.replication.factor, ...), answering
 * COORDINATOR_NOT_AVAILABLE until its partitions have leaders. */
void group_service_find(struct coordinator_lookup *l);

#endif
