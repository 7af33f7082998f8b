/* One Kafka request on its way through a handler. Handlers end it exactly once with kafka_call_answer, _silent or _abort; the call and
 * everything in its arena is gone then. */
#ifndef KAFKA_KAFKA_CALL_H
#define KAFKA_KAFKA_CALL_H

#include "kafka/kafka_dispatch.h"
#include "replica/fetch_session.h"
#include "wire/kafka_codec.h"

struct kafka_call;
struct kafka_method {
	enum kafka_api_id api;
	int16_t min, max;       /* advertised */
	size_t memory_estimate; /* bytes the handler may take of the arena, on top of the decoded request */
	void (*handle)(struct kafka_call *c);
};
struct kafka_call {
	unsigned magic;
	struct request *request;
	const struct kafka_dispatch *dispatch;
	const struct kafka_api *api;
	struct service_loop *service;
	struct fetch_session_cache *sessions; /* of this loop */
	struct kafka_header header;
	const void *body; /* struct kafka_<api>_request */
	/* Set by handlers that wait for something other than disks: the peer has gone, end the wait. NULL: it ends soon anyway. */
	void (*abandoned)(struct kafka_call *c);
	void *waiting; /* for abandoned */
	/* Set by handlers that hold memory outside of the request's arena: the call ends, and its answer is encoded. */
	void (*release)(struct kafka_call *c);
	void *held; /* for release */
};
MAGIC(kafka_call, 0x4b43414c);

struct kafka_dispatch {
	unsigned magic;
	struct kafka_dispatch_options options;
	char *cluster_id;
	struct fetch_session_cache **sessions; /* per loop */
	struct connection_front front;
};
MAGIC(kafka_dispatch, 0x4b444953);

/* body: struct kafka_<api>_response. payload NULL: none; moved. */
void kafka_call_answer(struct kafka_call *c, const void *body, struct iobuf *payload);
/* acks=0: nothing is sent. */
void kafka_call_silent(struct kafka_call *c);
/* There is no answer that says it: the connection is closed, with a line in the log. */
void kafka_call_abort(struct kafka_call *c, const char *why);
/* The handler's arena is full. */
void kafka_call_abort_memory(struct kafka_call *c);
/* Zeroed memory for count elements that lives as long as the call; NULL: kafka_call_abort_memory. */
void *kafka_call_array(struct kafka_call *c, size_t count, size_t size) MUST_CHECK;
/* The same for parts of messages, every field at its default: KAFKA_CALL_NEW(c, fetch_response_topic, n). */
void *kafka_call_parts(struct kafka_call *c, const struct kafka_struct *s, int32_t count) MUST_CHECK;
#define KAFKA_CALL_NEW(c, type, count) ((struct kafka_##type *)kafka_call_parts(c, &kafka_struct_##type, count))

/* The status's sentence unless there is a better one; NULL when all is well. */
const char *kafka_call_message(enum status s, const char *message);
/* Kafka before KIP-112 knew no storage error; clients then look for another leader. */
int16_t kafka_call_data_code(enum status s, bool knows_storage_errors);

#endif
