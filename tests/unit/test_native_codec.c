#include "unit.h"
#include "wire/native_codec.h"

#include "frame.pb-c.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 0);
}

/* The whole frame, length included, as one piece of memory. */
static size_t flatten(struct iobuf *b, uint8_t *out, size_t room)
{
	size_t n = 0;
	struct iovec iov[16];
	int count = iobuf_peek_iov(b, iov, 16);
	for (int i = 0; i < count; i++) {
		ck_assert_uint_le(n + iov[i].iov_len, room);
		memcpy(out + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	ck_assert_uint_eq(n, b->size_bytes);
	iobuf_fini(b);
	return n;
}

static struct slice after_length(const uint8_t *p, size_t n)
{
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_eq(bytes_get_u32(p), n - 4);
	return slice_of(p + 4, n - 4);
}

static size_t encode_produce(uint8_t *out, size_t room, const char *payload_text)
{
	Correio__ProducePartition partition, *partitions[] = {&partition};
	Correio__ProduceTopic topic, *topics[] = {&topic};
	Correio__ProduceRequest produce;
	Correio__RequestHeader header;
	char name[] = "orders";
	correio__produce_partition__init(&partition);
	correio__produce_topic__init(&topic);
	correio__produce_request__init(&produce);
	correio__request_header__init(&header);
	partition.partition = 7;
	partition.records_bytes = (uint32_t)strlen(payload_text);
	topic.name = name;
	topic.n_partitions = 1;
	topic.partitions = partitions;
	produce.acks = -1;
	produce.n_topics = 1;
	produce.topics = topics;
	header.correlation_id = 1ULL << 63;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_PRODUCE;
	header.produce = &produce;
	struct iobuf payload, b;
	iobuf_init(&payload);
	iobuf_init(&b);
	iobuf_append_copy(&payload, slice_of_str(payload_text));
	ck_assert_int_eq(native_codec_encode_request(&header, &payload, &b), STATUS_OK);
	ck_assert_uint_eq(payload.size_bytes, 0);
	iobuf_fini(&payload);
	return flatten(&b, out, room);
}

START_TEST(native_codec_request_comes_back_as_sent)
{
	set_up();
	uint8_t frame[256];
	size_t n = encode_produce(frame, sizeof(frame), "not a batch");
	const Correio__RequestHeader *h;
	struct slice payload;
	ck_assert_int_eq(native_codec_decode_request(&arena, after_length(frame, n), &h, &payload), STATUS_OK);
	ck_assert_uint_eq(h->correlation_id, 1ULL << 63);
	ck_assert_int_eq((int)h->request_case, CORREIO__REQUEST_HEADER__REQUEST_PRODUCE);
	ck_assert_int_eq(h->produce->acks, -1);
	ck_assert_str_eq(h->produce->topics[0]->name, "orders");
	ck_assert_int_eq(h->produce->topics[0]->partitions[0]->partition, 7);
	ck_assert(slice_equal(payload, slice_of_str("not a batch")));
	arena_fini(&arena);
}
END_TEST

START_TEST(native_codec_every_cut_of_a_frame_is_refused_or_shortens_the_payload)
{
	uint8_t frame[256];
	size_t n = encode_produce(frame, sizeof(frame), "payload");
	struct slice whole = after_length(frame, n);
	size_t header_end = 4 + bytes_get_u32(whole.p);
	for (size_t cut = 0; cut < whole.n; cut++) {
		set_up();
		/* A copy of its own size, so that a read past the end is seen by the sanitizer. */
		uint8_t *copy = check_alloc(cut + 1);
		memcpy(copy, whole.p, cut);
		const Correio__RequestHeader *h;
		struct slice payload;
		enum status s = native_codec_decode_request(&arena, slice_of(copy, cut), &h, &payload);
		if (cut < header_end) {
			ck_assert_int_eq(s, STATUS_TRUNCATED);
		} else {
			ck_assert_int_eq(s, STATUS_OK);
			ck_assert_uint_eq(payload.n, cut - header_end);
		}
		free(copy);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(native_codec_header_length_that_lies_is_refused)
{
	set_up();
	const Correio__RequestHeader *h;
	struct slice payload;
	const uint8_t longer[] = {0, 0, 0, 9, 8, 1};
	ck_assert_int_eq(native_codec_decode_request(&arena, slice_of(longer, sizeof(longer)), &h, &payload), STATUS_TRUNCATED);
	const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 8, 1};
	ck_assert_int_eq(native_codec_decode_request(&arena, slice_of(huge, sizeof(huge)), &h, &payload), STATUS_TOO_LARGE);
	const uint8_t garbage[] = {0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff};
	ck_assert_int_eq(native_codec_decode_request(&arena, slice_of(garbage, sizeof(garbage)), &h, &payload),
		STATUS_INVALID_REQUEST);
	arena_fini(&arena);
}
END_TEST

START_TEST(native_codec_unknown_request_decodes_without_a_case)
{
	set_up();
	/* correlation_id = 5; field 99, length-delimited, two bytes */
	const uint8_t frame[] = {0, 0, 0, 7, 0x08, 5, 0x9a, 0x06, 2, 'h', 'i'};
	const Correio__RequestHeader *h;
	struct slice payload;
	ck_assert_int_eq(native_codec_decode_request(&arena, slice_of(frame, sizeof(frame)), &h, &payload), STATUS_OK);
	ck_assert_uint_eq(h->correlation_id, 5);
	ck_assert_int_eq((int)h->request_case, CORREIO__REQUEST_HEADER__REQUEST__NOT_SET);
	arena_fini(&arena);
}
END_TEST

START_TEST(native_codec_memory_of_a_swollen_header_is_bounded)
{
	set_up();
	/* A fetch of one topic with two hundred thousand empty partitions: two bytes each on the wire. */
	enum { PARTITIONS = 200000 };
	size_t topic_bytes = 2 * (size_t)PARTITIONS, fetch_bytes = topic_bytes + 4, header_bytes = fetch_bytes + 4;
	uint8_t *frame = check_alloc(header_bytes + 16);
	struct byte_writer w;
	byte_writer_init(&w, frame, header_bytes + 16);
	byte_writer_u32(&w, (uint32_t)header_bytes);
	byte_writer_u8(&w, 0x6a); /* fetch */
	byte_writer_uvarint(&w, (uint32_t)fetch_bytes);
	byte_writer_u8(&w, 0x22); /* topics */
	byte_writer_uvarint(&w, (uint32_t)topic_bytes);
	for (int i = 0; i < PARTITIONS; i++) {
		byte_writer_u8(&w, 0x12); /* partitions */
		byte_writer_u8(&w, 0);
	}
	ck_assert_int_eq(w.status, STATUS_OK);
	ck_assert_uint_eq(w.at, 4 + header_bytes);
	const Correio__RequestHeader *h;
	struct slice payload;
	ck_assert_int_eq(native_codec_decode_request(&arena, slice_of(frame, w.at), &h, &payload), STATUS_INVALID_REQUEST);
	ck_assert_uint_le(arena.used_bytes, native_codec_arena_limit(header_bytes));
	free(frame);
	arena_fini(&arena);
}
END_TEST

START_TEST(native_codec_response_comes_back_with_its_payload)
{
	set_up();
	Correio__ResponseHeader header;
	correio__response_header__init(&header);
	char message[] = "topic orders: gone";
	header.correlation_id = 3;
	header.error_code = 42;
	header.error_message = message;
	struct iobuf payload, b;
	iobuf_init(&payload);
	iobuf_init(&b);
	iobuf_append_copy(&b, slice_of_str("before"));
	iobuf_append_copy(&payload, slice_of_str("bytes"));
	ck_assert_int_eq(native_codec_encode_response(&header, &payload, &b), STATUS_OK);
	iobuf_fini(&payload);
	iobuf_consume(&b, 6);
	uint8_t frame[128];
	size_t n = flatten(&b, frame, sizeof(frame));
	const Correio__ResponseHeader *h;
	struct slice rest;
	ck_assert_int_eq(native_codec_decode_response(&arena, after_length(frame, n), &h, &rest), STATUS_OK);
	ck_assert_int_eq(h->error_code, 42);
	ck_assert_str_eq(h->error_message, "topic orders: gone");
	ck_assert(slice_equal(rest, slice_of_str("bytes")));
	arena_fini(&arena);
}
END_TEST

START_TEST(native_codec_response_above_the_header_limit_is_refused_and_appends_nothing)
{
	Correio__ResponseHeader header;
	correio__response_header__init(&header);
	header.error_message = check_calloc(1, NATIVE_CODEC_HEADER_MAX + 1);
	memset(header.error_message, 'x', NATIVE_CODEC_HEADER_MAX);
	struct iobuf b;
	iobuf_init(&b);
	ck_assert_int_eq(native_codec_encode_response(&header, NULL, &b), STATUS_TOO_LARGE);
	ck_assert_uint_eq(b.size_bytes, 0);
	iobuf_fini(&b);
	free(header.error_message);
}
END_TEST

START_TEST(native_payload_pieces_must_sum_up)
{
	struct native_payload p = {.left = slice_of_str("abcdef")};
	struct slice piece;
	ck_assert_int_eq(native_payload_take(&p, 2, &piece), STATUS_OK);
	ck_assert(slice_equal(piece, slice_of_str("ab")));
	ck_assert_int_eq(native_payload_end(&p), STATUS_INVALID_REQUEST);
	ck_assert_int_eq(native_payload_take(&p, 5, &piece), STATUS_TRUNCATED);
	ck_assert_int_eq(native_payload_take(&p, SIZE_MAX, &piece), STATUS_TRUNCATED);
	ck_assert_int_eq(native_payload_take(&p, 0, &piece), STATUS_OK);
	ck_assert_uint_eq(piece.n, 0);
	ck_assert_int_eq(native_payload_take(&p, 4, &piece), STATUS_OK);
	ck_assert_int_eq(native_payload_end(&p), STATUS_OK);
}
END_TEST

UNIT_MAIN("native_codec", native_codec_request_comes_back_as_sent,
	native_codec_every_cut_of_a_frame_is_refused_or_shortens_the_payload, native_codec_header_length_that_lies_is_refused,
	native_codec_unknown_request_decodes_without_a_case, native_codec_memory_of_a_swollen_header_is_bounded,
	native_codec_response_comes_back_with_its_payload,
	native_codec_response_above_the_header_limit_is_refused_and_appends_nothing, native_payload_pieces_must_sum_up)
