/* One listening socket: accepts on a loop and hands each connection to its owner's callback. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "runtime/event_loop.h"

struct listener;
/* On the loop: fd is a connected non-blocking socket, the callee's from now on; peer: "ip:port". */
typedef void (*listener_accepted_fn)(void *arg, int listener_index, int fd, const char *peer);

struct listener_options {
	struct event_loop *loop;
	const char *name, *host; /* copied; host NULL or "": every interface */
	int port;                /* 0: the system chooses */
	int index;
	listener_accepted_fn accepted;
	void *arg;
};
/* Binds and listens. */
MUST_CHECK enum status listener_new(
	const struct listener_options *options, struct failure *ret_failure, struct listener **ret_listener);
/* Any thread: begins to accept, ends for good (the socket closes on the loop). Once each. */
void listener_start(struct listener *l);
void listener_stop(struct listener *l);
/* When the loop does not run, or the listener was never started. */
void listener_free(struct listener *l);
int listener_port(const struct listener *l);
const char *listener_name(const struct listener *l);

#endif
