/* A candidate for /controller (Kafka: KafkaController.elect, KafkaZkClient.registerControllerAndIncrementControllerEpoch).
 *
 * The seat is an ephemeral node; each win raises /controller_epoch in the same multi, and every write of a controller checks
 * that epoch's znode version: so a controller that lost its seat, knowing it or not, can change nothing. A persistent
 * /controller with kraftControllerEpoch > 0 belongs to a KRaft controller: it is watched, not contended for.
 * Runs on the client's loop. */
#ifndef COORDINATOR_CLIENT_ZK_ELECTION_H
#define COORDINATOR_CLIENT_ZK_ELECTION_H
#include "coordinator-client/zk_client.h"

struct zk_election_events {
	/* The seat is ours. epoch_zk_version: what zk_request_fenced checks. */
	void (*elected)(void *arg, int32_t controller_epoch, int32_t epoch_zk_version);
	/* It no longer is: at once when the session expires or fences itself, or when the node is another's. Also within
	 * zk_election_resign. */
	void (*lost)(void *arg);
	/* Who has the seat, on every change; -1 nobody (that is known). */
	void (*seen)(void *arg, int32_t controller_id);
	void *arg;
};

struct zk_election;
/* Contends at once, and again whenever the seat is free. */
struct zk_election *zk_election_new(struct zk_client *zk, int32_t broker_id, const struct zk_election_events *events);
/* Not within one of its events. Silent from now on; does not give the seat up (closing the session does). Before the client is freed. */
void zk_election_free(struct zk_election *e);
/* Gives the seat up, conditional on the epoch, and stands aside: others are elected at once. lost is told within. done (may be
 * NULL) comes when the node is gone or cannot be reached. Without the seat it only stands aside. */
void zk_election_resign(struct zk_election *e, void (*done)(void *arg), void *arg);
/* Contends again after zk_election_resign. */
void zk_election_rejoin(struct zk_election *e);
/* The controller's process is known to be dead, though its session lives: takes its seat in one multi (delete, create, raise
 * the epoch), which fails if anything changed. Does nothing unless that controller has the seat. */
void zk_election_take_over(struct zk_election *e, int32_t dead_controller_id);

bool zk_election_is_elected(const struct zk_election *e);
int32_t zk_election_controller_id(const struct zk_election *e); /* as last seen */
#endif
