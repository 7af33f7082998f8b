/* A connection to another broker in Kafka's protocol: made when there is something to say, begun with ApiVersions so that each
 * request goes out in a version the other side knows, dropped when it breaks. Pinned to one loop. */
#ifndef CLUSTER_KAFKA_PEER_H
#define CLUSTER_KAFKA_PEER_H

#include "net/peer_connection.h"
#include "wire/kafka_codec.h"

struct kafka_peer;
struct kafka_peer_options {
	struct event_loop *loop;
	struct background *resolver; /* NULL: host must be an address */
	const char *host;            /* copied */
	int port;
	const char *client_id; /* copied */
	int64_t connect_timeout_ms;
	size_t answer_bytes_max;
};
struct kafka_peer *kafka_peer_new(const struct kafka_peer_options *o);
/* Calls under way are not answered any more. May be called from done. */
void kafka_peer_free(struct kafka_peer *p);

/* One request, embedded in the caller's object, in use until done. */
struct kafka_peer_call {
	/* The caller's: */
	const struct kafka_api *api;
	int64_t timeout_ms;
	/* Makes the body when the connection is up; the other side serves the versions up to newest. Body and what it refers to live
	 * until this returns, or in the arena. Anything but OK ends the call with that status. */
	enum status (*body)(struct kafka_peer_call *c, int16_t newest, struct arena *arena, int16_t *ret_version, void **ret_body);
	/* Exactly once, never before kafka_peer_call returns; the call may be used again from here. body: the answer, borrowed. Not OK:
	 * NETWORK_EXCEPTION, REQUEST_TIMED_OUT (it may have arrived), UNSUPPORTED_VERSION (the other side does not serve it), TOO_LARGE,
	 * INVALID_REQUEST (an answer that cannot be read; the connection is dropped). */
	void (*done)(struct kafka_peer_call *c, enum status s, int16_t version, const void *body);
	/* The peer's: */
	struct peer_call call;
	struct kafka_peer_call *next;
	struct kafka_peer *peer;
	int32_t correlation_id;
	int16_t version;
	enum status failure;
};
/* Answers come in the order of the calls. */
void kafka_peer_call(struct kafka_peer *p, struct kafka_peer_call *c);

#endif
