/* controller_transport over Kafka's protocol. */
#ifndef CLUSTER_CONTROLLER_PEER_H
#define CLUSTER_CONTROLLER_PEER_H

#include "cluster/controller_channel.h"
#include "runtime/event_loop.h"

struct controller_peer_options {
	struct event_loop *loop;
	struct background *resolver;
	const char *client_id; /* borrowed: "broker-1" */
};
/* o is borrowed for the life of the table. */
struct controller_transport controller_peer_transport(const struct controller_peer_options *o);

#endif
