/* A connection that speaks Kafka's protocol, faked: requests go to a dispatch's front, answers are kept and decoded. One at a time. */
#ifndef TESTS_UNIT_KAFKA_CONNECTION_H
#define TESTS_UNIT_KAFKA_CONNECTION_H

#include "kafka/kafka_dispatch.h"
#include "wire/kafka_codec.h"

struct kafka_connection {
	unsigned completed, aborted, released; /* since the last begin; completed is taken by answer */
	const char *listener;                  /* the one requests come in by */
};
extern struct kafka_connection kafka_connection;

/* Counts from zero, listener PLAINTEXT. */
void kafka_connection_begin(void);
void kafka_connection_send(const struct kafka_dispatch *d, struct scheduler *loop, enum kafka_api_id id, int16_t version, const void *body);
/* The decoded answer, in the arena. Exactly one must have come. */
const void *kafka_connection_answer(struct arena *a, enum kafka_api_id id, int16_t version);

#endif
