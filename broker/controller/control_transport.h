/* How the controller reaches brokers: a table, so that unit tests and the simulator need no sockets. */
#ifndef CONTROLLER_CONTROL_TRANSPORT_H
#define CONTROLLER_CONTROL_TRANSPORT_H

#include "cluster/control_messages.h"

/* The way to one life of one broker, made when it registers, dropped when it is gone. */
struct control_link;
struct control_link_options {
	int32_t broker_id;
	const char *host; /* copied */
	int32_t port;
};
struct control_transport {
	struct control_link *(*open)(void *arg, const struct control_link_options *o);
	/* One request, answered exactly once, never before the call returns. request is borrowed until then. status OK: response
	 * holds, borrowed for the call; else no answer came (NETWORK_EXCEPTION, REQUEST_TIMED_OUT) and it may or may not have
	 * been obeyed. At most one is under way per link. */
	void (*call)(struct control_link *l, const struct control_request *request,
		void (*done)(void *done_arg, enum status s, const struct control_response *response), void *done_arg);
	/* A call under way is not answered any more. */
	void (*close)(struct control_link *l);
	void *arg;
};
#endif
