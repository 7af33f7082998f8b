/* The native protocol's envelope: frame = header length (u32) + protobuf header + payload. The length in front of a frame is
 * net/'s. Decoded messages live in the request's arena; payload bytes stay where they are. proto/README.md has the bytes. */
#ifndef WIRE_NATIVE_CODEC_H
#define WIRE_NATIVE_CODEC_H

#include "base/arena.h"
#include "base/iobuf.h"

struct Correio__RequestHeader;
struct Correio__ResponseHeader;

enum {
	/* Largest protobuf header of a request or response that is read; payload comes on top. */
	NATIVE_CODEC_HEADER_MAX = 4 * 1024 * 1024,
};
/* Decoded structs are larger than their bytes (an empty sub-message is two bytes on the wire); this is the most that a header
 * of header_bytes may take of the arena before it is refused. */
size_t native_codec_arena_limit(size_t header_bytes);

/* frame: without its 4-byte length. Both results live as long as the arena and the frame.
 * Sets a->limit_bytes to native_codec_arena_limit() above what is in use; the caller sets its own afterwards.
 * STATUS_TRUNCATED, STATUS_TOO_LARGE (header above the maximum), STATUS_INVALID_REQUEST (not protobuf, or over the arena
 * limit). A request this version does not know decodes, with request_case NOT_SET. */
MUST_CHECK enum status native_codec_decode_request(struct arena *a, struct slice frame,
	const struct Correio__RequestHeader **ret_header, struct slice *ret_payload);
/* The same for an answer; for clients of other brokers. */
MUST_CHECK enum status native_codec_decode_response(struct arena *a, struct slice frame,
	const struct Correio__ResponseHeader **ret_header, struct slice *ret_payload);

/* Appends a whole frame to out, 4-byte length included: lengths, header, then all of payload (NULL: none; moved, empty
 * afterwards). STATUS_TOO_LARGE, with nothing appended: the header alone is above the maximum or the frame above 2 GiB. */
MUST_CHECK enum status native_codec_encode_response(const struct Correio__ResponseHeader *header, struct iobuf *payload,
	struct iobuf *out);
MUST_CHECK enum status native_codec_encode_request(const struct Correio__RequestHeader *header, struct iobuf *payload,
	struct iobuf *out);

/* Cuts a payload into the pieces its header announces. */
struct native_payload {
	struct slice left;
};
/* The next n bytes. STATUS_TRUNCATED: the header announces more than came. */
MUST_CHECK enum status native_payload_take(struct native_payload *p, size_t n, struct slice *ret_piece);
/* STATUS_INVALID_REQUEST unless every byte was announced. */
MUST_CHECK enum status native_payload_end(const struct native_payload *p);

#endif
