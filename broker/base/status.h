/* Every error once: name, text, Kafka's wire code, retriable or not (status.def). Zero is OK. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "base/check.h"
#include <stdint.h>

enum status {
#define STATUS(name, kafka_code, retriable, text) STATUS_##name,
#include "base/status.def"
#undef STATUS
	STATUS_COUNT
};

/* "NOT_LEADER_OR_FOLLOWER" */
const char *status_name(enum status s);
/* One sentence for a person: what happened and what to do. */
const char *status_text(enum status s);
/* The code both protocols carry. Several of ours share one of Kafka's. */
int16_t status_code(enum status s);
/* The first status with that code; STATUS_UNKNOWN_SERVER_ERROR if there is none. */
enum status status_from_code(int16_t code);
/* May the same request succeed later without a change by the caller? (Kafka: RetriableException) */
bool status_retriable(enum status s);

/* Returns the status from the calling function if it is not OK. */
#define TRY(call)                                                                                                      \
	do {                                                                                                           \
		enum status try_ = (call);                                                                             \
		if (try_ != STATUS_OK)                                                                                 \
			return try_;                                                                                   \
	} while (0)

/* A status with the sentence that names the entity: for configuration, admin requests, command lines. */
struct failure {
	enum status status;
	char text[512];
};

/* Fills f (may be NULL) and returns s. */
enum status failure_set(struct failure *f, enum status s, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
