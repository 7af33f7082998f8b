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
	size_t held_bytes;
	bool done, silent;
};
MAGIC(request, 0x52455155);

/* A front (native, kafka): how requests of its connections are handled. One table, shared by all loops. */
struct connection_front {
	const char *name;
	/* Called on the connection's loop for each frame, in order. Must lead to exactly one request_complete (now or
	 * later) for this request. STATUS other than OK: the connection is closed after the answers already owed. */
	enum status (*request)(void *ctx, struct request *r);
	void *ctx;
	size_t max_frame_bytes; /* larger or negative lengths: answer nothing, close */
};

/* The answer is in r->response (empty with silent=true: acks=0). On the connection's loop. Frees r. If the peer has gone
 * meanwhile, the answer is dropped. */
void request_complete(struct request *r);
/* As request_complete, with no bytes sent. */
void request_complete_silent(struct request *r);
/* The answer owed cannot be given: everything before it is sent, then the connection is closed. Frees r. */
void request_abort(struct request *r, const char *why);
/* Text "ip:port" of the peer. */
const char *request_peer(const struct request *r);
/* Name of the listener it came in by, e.g. "PLAINTEXT". */
const char *request_listener(const struct request *r);

/* Limits shared by every connection of the process. All bounded; past the bound the socket is not read. */
struct connection_limits {
	size_t max_connections;
	size_t requests_in_flight_max;      /* per connection */
	size_t response_bytes_max;          /* per connection: above, stop reading */
	size_t queued_max_request_bytes;    /* whole process: bytes of requests held; 0 = 64 MiB */
	int64_t idle_timeout_ms;            /* connections.max.idle.ms */
	int64_t first_bytes_timeout_ms;     /* a peer that never sent a whole frame: 10 s */
	int socket_send_buffer_bytes, socket_receive_buffer_bytes; /* -1: the system's */
};

#endif
