/* control_transport over Kafka's protocol: one connection per broker, made when there is something to say. */
#ifndef CONTROLLER_CONTROL_PEER_H
#define CONTROLLER_CONTROL_PEER_H

#include "controller/control_transport.h"
#include "runtime/event_loop.h"

struct control_peer_options {
	struct event_loop *loop;
	struct background *resolver;
	const char *client_id; /* borrowed: "controller-1" */
};
/* o is borrowed for the life of the table. */
struct control_transport control_peer_transport(const struct control_peer_options *o);
#endif
