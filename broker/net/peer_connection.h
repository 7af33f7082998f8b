/* A connection we open to another broker: Kafka's protocol, or the native one. Frames out, answers back in order, each within its deadline.
 * Pinned to one loop. It is used until it breaks, then freed; when to try again is the caller's matter. */
#ifndef NET_PEER_CONNECTION_H
#define NET_PEER_CONNECTION_H

#include "base/iobuf.h"
#include "runtime/event_loop.h"

struct peer_connection;

/* One request under way (only `done` is the caller's to set); embedded in the caller's object, in use until `done` is called, which may be as soon as the
 * next turn and is always exactly once.
 * status OK: frame is the answer after its 4-byte length and lies in block (take a shared_ref to keep it).
 * REQUEST_TIMED_OUT: no answer within the deadline; the connection breaks with it, since answers come in order.
 * NETWORK_EXCEPTION: it broke. CANCELLED: peer_connection_free. Otherwise block is NULL and frame empty. */
struct peer_call {
	struct peer_call *next;
	void (*done)(struct peer_call *c, enum status s, struct iobuf_block *block, struct slice frame);
	struct loop_timer deadline;
	struct peer_connection *peer;
};

struct peer_connection_options {
	struct event_loop *loop;
	struct background *resolver; /* where a host name is looked up; NULL: host must be an address */
	const char *host;            /* copied */
	int port;
	int64_t connect_timeout_ms; /* look-up included */
	size_t max_frame_bytes;     /* of an answer */
	size_t queued_bytes_max;    /* not yet sent; 0: 64 MiB. */
	bool native;                /* begins with the native protocol's preface; else Kafka's, which has none */
	/* Called once if the connection comes up. May be NULL. */
	void (*connected)(void *arg);
	/* Called once, after every pending call's done: it could not be made, or is lost. Not after peer_connection_free. */
	void (*broken)(void *arg, enum status why);
	void *arg;
};

/* Starts to connect and returns at once; frames may be sent from now on. On the loop, as everything below. */
struct peer_connection *peer_connection_new(const struct peer_connection_options *options);
/* Closes; pending calls are done with CANCELLED. May be called from any of the callbacks. */
void peer_connection_free(struct peer_connection *p);
/* Sends one frame, its 4-byte length included; takes its content. The first frame of a native connection must be at
 * most 4 KiB (a Hello): a server holds no more for a stranger. Of Kafka's protocol, any request it serves may come first. Never calls back before it returns.
 * BUFFER_FULL: more than queued_bytes_max would wait to be sent; c and frame are untouched, done is not called. */
MUST_CHECK enum status peer_connection_send(
	struct peer_connection *p, struct peer_call *c, struct iobuf *frame, int64_t timeout_ms);
/* Calls whose answers have not come. */
size_t peer_connection_pending(const struct peer_connection *p);
bool peer_connection_is_up(const struct peer_connection *p);

#endif
