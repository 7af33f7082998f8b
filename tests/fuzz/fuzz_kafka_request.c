/* Requests of Kafka's protocol, as a stranger may send them: decoded within a bound that follows from their size; what decodes is
 * encoded, and must decode to the same bytes again. */
#include "tests/fuzz/fuzz.h"
#include "wire/kafka_codec.h"

enum { ARENA_SLACK = 64 * 1024, ARENA_FACTOR = 32 };

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

/* Encoded, decoded and encoded once more: the two encodings are the same. */
static void again(struct arena *a, const struct kafka_api *api, const struct kafka_header *header, const void *body)
{
	struct iobuf first, second;
	struct kafka_header header_again;
	void *body_again;
	iobuf_init(&first);
	iobuf_init(&second);
	enum status s = kafka_codec_encode_request(api, header, body, NULL, &first);
	expect(s == STATUS_OK);
	struct slice frame = gather_frame(&first, a);
	s = kafka_codec_decode_request(a, frame, api, &header_again, &body_again);
	expect(s == STATUS_OK && header_again.correlation_id == header->correlation_id);
	s = kafka_codec_encode_request(api, &header_again, body_again, NULL, &second);
	expect(s == STATUS_OK);
	expect(slice_equal(frame, gather_frame(&second, a)));
	iobuf_fini(&first);
	iobuf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kafka_header header;
	struct arena a;
	void *body;
	if (kafka_codec_peek_header(slice_of(data, size), &header) != STATUS_OK)
		return 0;
	const struct kafka_api *api = kafka_messages_find(header.api_key);
	if (api == NULL)
		return 0;
	/* If what it decodes to did not fit, the decoder would have been let down by its own check of counts. */
	arena_init(&a, ARENA_SLACK + size * ARENA_FACTOR);
	enum status s = kafka_codec_decode_request(&a, slice_of(data, size), api, &header, &body);
	expect(s != STATUS_TOO_LARGE);
	a.limit_bytes = SIZE_MAX / 2;
	if (s == STATUS_OK)
		again(&a, api, &header, body);
	arena_fini(&a);
	return 0;
}
