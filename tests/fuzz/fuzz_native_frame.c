/* Frames of the native protocol, as a stranger may send them: decoded as request and as answer within the arena's bound; what
 * decodes is encoded again and must decode to as much. */
#include "tests/fuzz/fuzz.h"
#include "wire/native_codec.h"

#include "frame.pb-c.h"

/* Cuts the payload as the produce handler does. */
static void walk_payload(const Correio__ProduceRequest *m, struct slice payload)
{
	struct native_payload p = {.left = payload};
	size_t taken = 0;
	for (size_t i = 0; i < m->n_topics; i++) {
		for (size_t k = 0; k < m->topics[i]->n_partitions; k++) {
			struct slice piece;
			if (native_payload_take(&p, m->topics[i]->partitions[k]->records_bytes, &piece) != STATUS_OK)
				return;
			taken += piece.n;
			expect(taken <= payload.n);
		}
	}
	expect((native_payload_end(&p) == STATUS_OK) == (taken == payload.n));
}

static struct slice gather_frame(struct iobuf *b, struct arena *a)
{
	struct iovec iov[64];
	uint8_t *copy = arena_alloc(a, b->size_bytes);
	size_t n = 0;
	expect(copy != NULL);
	int count = iobuf_peek_iov(b, iov, 64);
	for (int i = 0; i < count; i++) {
		memcpy(copy + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	expect(n == b->size_bytes && n >= 4 && bytes_get_u32(copy) == n - 4);
	return slice_of(copy + 4, n - 4);
}

static void again(const Correio__RequestHeader *header)
{
	struct arena a;
	struct iobuf b;
	const Correio__RequestHeader *second;
	struct slice payload;
	arena_init(&a, SIZE_MAX / 2);
	iobuf_init(&b);
	if (native_codec_encode_request(header, NULL, &b) == STATUS_OK) {
		struct slice frame = gather_frame(&b, &a);
		/* Packed lists may have been written unpacked and shrink: what fitted then may not fit the new bound. */
		if (native_codec_decode_request(&a, frame, &second, &payload) == STATUS_OK)
			expect(second->request_case == header->request_case && payload.n == 0);
	}
	iobuf_fini(&b);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	const Correio__RequestHeader *request;
	const Correio__ResponseHeader *response;
	struct slice payload;
	arena_init(&a, 0);
	if (native_codec_decode_request(&a, slice_of(data, size), &request, &payload) == STATUS_OK) {
		expect(payload.n <= size);
		if (request->request_case == CORREIO__REQUEST_HEADER__REQUEST_PRODUCE)
			walk_payload(request->produce, payload);
		again(request);
	}
	arena_reset(&a);
	if (native_codec_decode_response(&a, slice_of(data, size), &response, &payload) == STATUS_OK)
		expect(payload.n <= size);
	arena_fini(&a);
	return 0;
}
