/* Control requests and responses as structs, to and from the native protocol's messages (proto/native/control.proto). What
 * comes in is bounded by the frame it came in and checked field by field. Messages made here live in the caller's arena and
 * borrow texts and lists of the struct, which must outlive them. */
#ifndef WIRE_CONTROL_CODEC_H
#define WIRE_CONTROL_CODEC_H

#include "base/arena.h"
#include "cluster/control_messages.h"

struct Correio__ControlRequest;
struct Correio__ControlResponse;

/* TOO_LARGE when the arena is full. */
MUST_CHECK enum status control_codec_request_to_message(const struct control_request *request, struct arena *arena,
	struct Correio__ControlRequest **ret_message);
/* Deep copy. INVALID_REQUEST names the field at fault; nothing to free then. The caller ends it with control_request_fini. */
MUST_CHECK enum status control_codec_request_from_message(const struct Correio__ControlRequest *message,
	struct control_request *ret_request, struct failure *ret_failure);

/* The response's own status travels in the envelope (ResponseHeader.error_code), not here. */
MUST_CHECK enum status control_codec_response_to_message(const struct control_response *response, struct arena *arena,
	struct Correio__ControlResponse **ret_message);
/* error_code: the envelope's. message may be NULL when that says failure. */
MUST_CHECK enum status control_codec_response_from_message(const struct Correio__ControlResponse *message,
	int32_t error_code, struct control_response *ret_response);
#endif
