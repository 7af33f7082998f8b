/* Kafka's protocol, interpreted: one decoder and one encoder walk the descriptions of kafka_messages.h, for every API and version,
 * flexible or not. Knows no sockets. */
#ifndef WIRE_KAFKA_CODEC_H
#define WIRE_KAFKA_CODEC_H

#include "base/arena.h"
#include "base/iobuf.h"
#include "wire/kafka_messages.h"

struct kafka_header {
	int16_t api_key, api_version;
	int32_t correlation_id;
	const char *client_id; /* NULL: null */
};

/* What every request begins with; client_id is left NULL. frame: after its length. */
MUST_CHECK enum status kafka_codec_peek_header(struct slice frame, struct kafka_header *ret_header);

/* A request of this API; its version must be one the tables have (UNSUPPORTED_VERSION). Lengths and counts are checked against the
 * bytes that are there before anything is allocated; strings are copied to the arena, records stay slices of the frame. TRUNCATED,
 * INVALID_REQUEST (null where none may be, text with NUL, tags out of order), TOO_LARGE (the arena's limit). Bytes behind the
 * message are ignored, as Kafka does. */
MUST_CHECK enum status kafka_codec_decode_request(struct arena *a, struct slice frame, const struct kafka_api *api,
	struct kafka_header *ret_header, void **ret_body);
MUST_CHECK enum status kafka_codec_decode_response(struct arena *a, struct slice frame, const struct kafka_api *api,
	int16_t version, int32_t *ret_correlation_id, void **ret_body);

/* Appends the frame, length included, to out. payload: what the records fields marked in_payload take their bytes from, in the order
 * of the fields, without copying; must have exactly as many. NULL: none is marked. Fields the version does not have are left out.
 * TOO_LARGE: a string or the frame is longer than its length field can say; out and payload are unchanged. */
MUST_CHECK enum status kafka_codec_encode_request(const struct kafka_api *api, const struct kafka_header *header, const void *body,
	struct iobuf *payload, struct iobuf *out);
MUST_CHECK enum status kafka_codec_encode_response(const struct kafka_api *api, const struct kafka_header *header, const void *body,
	struct iobuf *payload, struct iobuf *out);

/* A key or value of an internal topic's record: its version as an int16, then one struct. */
struct kafka_record_form {
	const struct kafka_struct *type;
	int16_t first, last; /* versions the table describes */
	int16_t flexible_from;
};
/* UNSUPPORTED_VERSION; otherwise as decode_request. */
MUST_CHECK enum status kafka_codec_decode_record(
	struct arena *a, struct slice bytes, const struct kafka_record_form *form, void **ret_message);
/* Into the arena. TOO_LARGE: a string too long for its length field, or the arena's limit. */
MUST_CHECK enum status kafka_codec_encode_record(struct arena *a, const struct kafka_record_form *form, int16_t version,
	const void *message, struct slice *ret_bytes);

/* Is this version of the API one with compact types and tagged fields? */
bool kafka_codec_flexible(const struct kafka_api *api, int16_t version);

#endif
