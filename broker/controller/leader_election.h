/* Who leads, and who is in sync: pure rules, no state. Inputs are the assignment in its order, which of those replicas are
 * live, the leader and the ISR of the state node. Kafka: PartitionLeaderElectionAlgorithms, ReplicaStateMachine. */
#ifndef CONTROLLER_LEADER_ELECTION_H
#define CONTROLLER_LEADER_ELECTION_H

#include "base/check.h"
#include <stdint.h>

enum { LEADER_ELECTION_REPLICAS_MAX = 64 };

struct election_replica {
	int32_t id;
	bool live;
};
struct election_input {
	const struct election_replica *assignment; /* first: the preferred leader */
	size_t assignment_count;
	int32_t leader; /* -1 none */
	const int32_t *isr;
	size_t isr_count;
	bool unclean_allowed; /* unclean.leader.election.enable */
};
struct election_result {
	bool changed; /* false: the state stands as it is; nothing else is set */
	bool unclean; /* the leader was not in sync: committed records may be lost */
	int32_t leader;
	int32_t isr[LEADER_ELECTION_REPLICAS_MAX];
	size_t isr_count;
};

/* A partition without state: the first live replica leads, all live ones are in sync. unchanged: none is live. */
struct election_result leader_election_new(const struct election_input *in);
/* After brokers came or went. A live leader stays, dead followers leave the ISR. A dead leader is replaced by the first
 * live member of the ISR in assignment order; if there is none, by the first live replica when unclean elections are
 * allowed, else by nobody. An ISR of which nobody is live stays whole: only its members have every committed record. (Kafka
 * then keeps one member; all of them are as good, since nothing is committed while none is live.) */
struct election_result leader_election_offline(const struct election_input *in);
/* The first of the assignment, if it is live and in sync; else unchanged. */
struct election_result leader_election_preferred(const struct election_input *in);
/* A topic on its way out: no leader, ISR kept. */
struct election_result leader_election_none(const struct election_input *in);
#endif
