/* The listeners of a process and all their connections, dealt over the loops of a group. */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "net/connection.h"
#include "runtime/loop_group.h"

struct net_server;

struct net_listener_spec {
	const char *name; /* "PLAINTEXT"; told by request_listener */
	const char *host; /* name or address; NULL or "": every interface */
	int port;         /* 0: the system chooses, see net_server_port */
};
enum { NET_LISTENERS_MAX = 16 };

struct net_server_options {
	struct loop_group *loops; /* must outlive the server */
	/* NULL: connections that speak it are closed with a line in the log. Must outlive the server. */
	const struct connection_front *native_front, *kafka_front;
	struct connection_limits limits;
	const struct net_listener_spec *listeners; /* names are copied */
	int listener_count;
};

/* Binds and listens, so that the ports are known; accepts nothing yet. Names the address that could not be bound. */
MUST_CHECK enum status net_server_new(
	const struct net_server_options *options, struct failure *ret_failure, struct net_server **ret_server);
/* Begins to accept. The loops may be started before or after. */
void net_server_start(struct net_server *s);
/* The port listener i is bound to. */
int net_server_port(const struct net_server *s, int listener);
/* Any thread. The listening sockets close on their loops, soon. */
void net_server_stop_accepting(struct net_server *s);
/* Stops accepting and reading; each connection is closed when its answers owed are sent, those that are not done by
 * the deadline are cut. Waits for that: not to be called on a loop of the group, whose threads must run.
 * Returns how many were cut. */
size_t net_server_close_connections(struct net_server *s, int64_t deadline_ms);
size_t net_server_connection_count(const struct net_server *s);
/* Bytes of requests held now, of queued_max_request_bytes. */
size_t net_server_request_bytes(const struct net_server *s);
/* The loops must be stopped, or net_server_start was never called. Requests still in a front's hands are freed: the front goes first, or
 * forgets them. */
void net_server_free(struct net_server *s);

#endif
