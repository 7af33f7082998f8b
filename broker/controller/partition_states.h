/* The states of a partition as the controller sees it, and the legal moves between them. Kafka: PartitionStateMachine.
 *
 *   ABSENT --> NEW --> ONLINE <--> OFFLINE --> ABSENT
 *               |                     ^
 *               +--> OFFLINE ---------+  (deleted, or its only replicas lost, before it ever had a leader)
 */
#ifndef CONTROLLER_PARTITION_STATES_H
#define CONTROLLER_PARTITION_STATES_H

#include "base/check.h"

enum partition_state {
	PARTITION_ABSENT,  /* not known, or erased */
	PARTITION_NEW,     /* assigned replicas, no state node yet */
	PARTITION_ONLINE,  /* has a leader */
	PARTITION_OFFLINE, /* has a state node, no live leader */
	PARTITION_STATE_COUNT,
};

const char *partition_states_name(enum partition_state s);
bool partition_states_may_move(enum partition_state from, enum partition_state to);
/* Panics on an illegal move: a bug in the controller. Staying where one is is no move. */
void partition_states_move(enum partition_state *state, enum partition_state to);
#endif
