/* The controller's requests to brokers and their answers: the structs of cluster/control_messages.h to and from the bodies that
 * kafka_codec reads and writes. LeaderAndIsr (4), StopReplica (5), UpdateMetadata (6), every version the tables have. */
#ifndef WIRE_CONTROL_CODEC_H
#define WIRE_CONTROL_CODEC_H

#include "base/arena.h"
#include "cluster/control_messages.h"
#include "wire/kafka_messages.h"

const struct kafka_api *control_codec_api(enum control_kind kind);
/* The version to send, when the broker knows those up to newest: topics without an id need one whose answer names topics. */
int16_t control_codec_version(const struct control_request *request, int16_t newest);

/* The body lives in the arena and borrows texts and lists of the request. TOO_LARGE: the arena is full. UNSUPPORTED_VERSION: the
 * version cannot say it (StopReplica below 3: some logs to be deleted, some not). */
MUST_CHECK enum status control_codec_request_to_body(const struct control_request *request, int16_t version, struct arena *arena,
	void **ret_body);
/* Checked field by field, deep copy; the caller ends it with control_request_fini. INVALID_REQUEST names the field at fault;
 * nothing to free then. */
MUST_CHECK enum status control_codec_request_from_body(enum control_kind kind, int16_t version, const void *body,
	struct control_request *ret_request, struct failure *ret_failure);

/* request_body: of the request answered, for the topics' ids. response->results, if any, are one per partition of it, in its order. */
MUST_CHECK enum status control_codec_response_to_body(enum control_kind kind, int16_t version, const void *request_body,
	const struct control_response *response, struct arena *arena, void **ret_body);
/* request: the one answered, for the topics' names. Results of partitions it does not name are left out. */
MUST_CHECK enum status control_codec_response_from_body(const struct control_request *request, int16_t version, const void *body,
	struct control_response *ret_response);

#endif
