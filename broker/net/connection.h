/* A client's connection: length-prefixed frames in, answers out in the order the requests came, back-pressure both ways.
 * Pinned to one loop. The protocol is chosen by the first bytes: "CORREIO1" is native, anything else Kafka. */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "base/arena.h"
#include "base/iobuf.h"
#include "base/scheduler.h"

struct connection;
struct event_loop;

/* One frame, and the place its answer goes. Lives from front->request until request_complete. */
struct request {
	unsigned magic;
	struct connection *connection;
	struct scheduler *loop;      /* the connection's: all calls below happen on it */
	struct arena arena;          /* freed with the request */
	struct iobuf_block *block;   /* holds the frame; take a shared_ref to keep bytes longer */
	struct slice frame;          /* after the 4-byte length */
	int64_t received_us;         /* monotonic, when the frame was complete */
	struct iobuf response;       /* the front fills it, 4-byte length included */
	void *front_data;            /* the front's, in the arena */
	/* the connection's own: */
	struct request *next;
	size_t held_bytes; /* of the process's budget */
	bool done, silent, aborted, overdraft, abandoned;
};
MAGIC(request, 0x52455155);

/* A front (native, kafka): how requests of its connections are handled. One table, shared by all loops. */
struct connection_front {
	const char *name;
	/* Called on the connection's loop for each frame, in order. OK: exactly one request_complete, _silent or _abort
	 * follows, now or later. Any other status: r is taken back, as by request_abort; the front forgets it. */
	enum status (*request)(void *ctx, struct request *r);
	/* May be NULL. The peer has gone while r was in the front's hands. r must be completed all the same, now or later: the
	 * sooner, the sooner its memory is free. */
	void (*abandoned)(void *ctx, struct request *r);
	/* May be NULL. How large may a connection's first frame be, judged by its first 8 bytes (length included)? Without it, or
	 * where it says less: first_frame_bytes_max of the limits. */
	size_t (*first_frame_max)(void *ctx, struct slice head);
	void *ctx;
	size_t max_frame_bytes; /* larger, zero or negative lengths: answer what is owed, close */
};

/* The answer is in r->response (empty with silent=true: acks=0). On the connection's loop. Frees r. If the peer has gone
 * meanwhile, the answer is dropped. */
void request_complete(struct request *r);
/* As request_complete, with no bytes sent. */
void request_complete_silent(struct request *r);
/* The answer owed cannot be given: everything before it is sent, then the connection is closed. Frees r. */
void request_abort(struct request *r, const char *why);
/* The frame's bytes are no longer needed (the request only waits now: a long poll, acks of replicas): gives the memory
 * back before the answer is known. r->frame is empty afterwards. */
void request_release_frame(struct request *r);
/* Text "ip:port" of the peer. */
const char *request_peer(const struct request *r);
/* Name of the listener it came in by, e.g. "PLAINTEXT". */
const char *request_listener(const struct request *r);

/* Limits shared by every connection of the process. All bounded; past the bound the socket is not read.
 * A 0 means the default given here. */
struct connection_limits {
	size_t max_connections;          /* no limit; one that is over it is closed at accept */
	size_t requests_in_flight_max;   /* per connection: 64 */
	size_t response_bytes_max;       /* per connection, file ranges included: above, stop reading; 1 MiB */
	size_t queued_max_request_bytes; /* whole process: bytes of requests held; 64 MiB. One frame larger than that is
	                                  * still taken, one at a time */
	int64_t idle_timeout_ms;         /* connections.max.idle.ms; 10 minutes */
	int64_t first_bytes_timeout_ms;  /* a peer that never sent a whole frame: 10 s */
	size_t first_frame_bytes_max;    /* what such a peer may make us hold: 4 KiB, so a first request is small, unless the front says otherwise */
	int socket_send_buffer_bytes, socket_receive_buffer_bytes; /* -1 or 0: the system's */
};

#endif
