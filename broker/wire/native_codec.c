#include "wire/native_codec.h"

#include "frame.pb-c.h"

enum {
	LENGTH_SIZE = 4,
	ARENA_SLACK = 64 * 1024,
	ARENA_FACTOR = 16,
	ARENA_FACTOR_UP_TO = 16 * 1024 * 1024, /* above, a large header gets what it needs itself and no more on top */
};

size_t native_codec_arena_limit(size_t header_bytes)
{
	expect(header_bytes <= NATIVE_CODEC_HEADER_MAX);
	size_t by_factor = header_bytes * ARENA_FACTOR;
	size_t by_ceiling = (size_t)ARENA_FACTOR_UP_TO + header_bytes;
	return ARENA_SLACK + (by_factor < by_ceiling ? by_factor : by_ceiling);
}

static void *allocate(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void release(void *arena, void *p)
{
	(void)arena; /* freed whole */
	(void)p;
}

static enum status split_frame(struct slice frame, struct slice *ret_header, struct slice *ret_payload)
{
	struct byte_reader r;
	byte_reader_init(&r, frame);
	uint32_t n = byte_reader_u32(&r);
	TRY(r.status);
	if (n > NATIVE_CODEC_HEADER_MAX)
		return STATUS_TOO_LARGE;
	*ret_header = byte_reader_bytes(&r, n);
	TRY(r.status);
	*ret_payload = byte_reader_bytes(&r, byte_reader_left(&r));
	return r.status;
}

static enum status unpack(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice header,
	ProtobufCMessage **ret_message)
{
	ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = a};
	a->limit_bytes = a->used_bytes + native_codec_arena_limit(header.n);
	ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, header.n, header.p);
	if (m == NULL)
		return STATUS_INVALID_REQUEST;
	expect(m->descriptor == type);
	*ret_message = m;
	return STATUS_OK;
}

enum status native_codec_decode_request(struct arena *a, struct slice frame, const Correio__RequestHeader **ret_header,
	struct slice *ret_payload)
{
	struct slice header, payload;
	ProtobufCMessage *m;
	TRY(split_frame(frame, &header, &payload));
	TRY(unpack(a, &correio__request_header__descriptor, header, &m));
	*ret_header = (const Correio__RequestHeader *)(void *)m;
	*ret_payload = payload;
	return STATUS_OK;
}

enum status native_codec_decode_response(struct arena *a, struct slice frame, const Correio__ResponseHeader **ret_header,
	struct slice *ret_payload)
{
	struct slice header, payload;
	ProtobufCMessage *m;
	TRY(split_frame(frame, &header, &payload));
	TRY(unpack(a, &correio__response_header__descriptor, header, &m));
	*ret_header = (const Correio__ResponseHeader *)(void *)m;
	*ret_payload = payload;
	return STATUS_OK;
}

static enum status encode(const ProtobufCMessage *m, struct iobuf *payload, struct iobuf *out)
{
	size_t header_bytes = protobuf_c_message_get_packed_size(m);
	size_t payload_bytes = payload == NULL ? 0 : payload->size_bytes;
	if (header_bytes > NATIVE_CODEC_HEADER_MAX || payload_bytes > INT32_MAX - header_bytes - LENGTH_SIZE)
		return STATUS_TOO_LARGE;
	uint8_t *p = iobuf_append_space(out, 2 * LENGTH_SIZE + header_bytes);
	bytes_put_u32(p, (uint32_t)(LENGTH_SIZE + header_bytes + payload_bytes));
	bytes_put_u32(p + LENGTH_SIZE, (uint32_t)header_bytes);
	size_t packed = protobuf_c_message_pack(m, p + 2 * LENGTH_SIZE);
	expect(packed == header_bytes);
	if (payload != NULL)
		iobuf_append_iobuf(out, payload);
	return STATUS_OK;
}

enum status native_codec_encode_response(const Correio__ResponseHeader *header, struct iobuf *payload, struct iobuf *out)
{
	expect(header->base.descriptor == &correio__response_header__descriptor);
	return encode(&header->base, payload, out);
}

enum status native_codec_encode_request(const Correio__RequestHeader *header, struct iobuf *payload, struct iobuf *out)
{
	expect(header->base.descriptor == &correio__request_header__descriptor);
	return encode(&header->base, payload, out);
}

enum status native_payload_take(struct native_payload *p, size_t n, struct slice *ret_piece)
{
	if (n > p->left.n)
		return STATUS_TRUNCATED;
	*ret_piece = slice_sub(p->left, 0, n);
	p->left = slice_sub(p->left, n, p->left.n - n);
	return STATUS_OK;
}

enum status native_payload_end(const struct native_payload *p)
{
	return p->left.n == 0 ? STATUS_OK : STATUS_INVALID_REQUEST;
}
