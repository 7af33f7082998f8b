/* What brokers ask of the controller: the structs of cluster/control_messages.h to and from the bodies that kafka_codec reads and writes.
 * AlterPartition (56), ControlledShutdown (7), every version the tables have. */
#ifndef WIRE_CONTROLLER_CODEC_H
#define WIRE_CONTROLLER_CODEC_H

#include "base/arena.h"
#include "cluster/control_messages.h"
#include "wire/kafka_messages.h"

/* The version to send, when the controller knows those up to newest: below the one that names topics by id alone (2) if an item has no
 * id. */
int16_t controller_codec_alter_version(const struct alter_partition_request *r, int16_t newest);

/* Bodies live in the arena and borrow from the struct. TOO_LARGE: the arena is full. */
MUST_CHECK enum status controller_codec_alter_to_body(const struct alter_partition_request *r, struct arena *arena, void **ret_body);
/* Checked field by field, deep copy; ended with control_alter_request_fini. INVALID_REQUEST: nothing to free. */
MUST_CHECK enum status controller_codec_alter_from_body(int16_t version, const void *body, struct alter_partition_request *ret_request);
MUST_CHECK enum status controller_codec_altered_to_body(const struct alter_partition_response *r, struct arena *arena, void **ret_body);
/* Items name topics as the version does: by id, tp.topic "" (2 on), or by name. */
MUST_CHECK enum status controller_codec_altered_from_body(int16_t version, const void *body, struct alter_partition_response *ret_response);

MUST_CHECK enum status controller_codec_shutdown_to_body(const struct controlled_shutdown_request *r, struct arena *arena, void **ret_body);
MUST_CHECK enum status controller_codec_shutdown_from_body(const void *body, struct controlled_shutdown_request *ret_request);
MUST_CHECK enum status controller_codec_shut_down_to_body(const struct controlled_shutdown_response *r, struct arena *arena,
	void **ret_body);
MUST_CHECK enum status controller_codec_shut_down_from_body(const void *body, struct controlled_shutdown_response *ret_response);

#endif
