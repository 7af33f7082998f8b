#include "kafka_connection.h"

#include "unit.h"

static struct request request;
static uint8_t answer_bytes[1 << 20];
static size_t answer_size;
struct kafka_connection kafka_connection;

static void take_answer(struct request *r)
{
	struct iovec iov[64];
	answer_size = 0;
	int count = iobuf_peek_iov(&r->response, iov, 64);
	for (int i = 0; i < count; i++) {
		ck_assert_uint_le(answer_size + iov[i].iov_len, sizeof(answer_bytes));
		memcpy(answer_bytes + answer_size, iov[i].iov_base, iov[i].iov_len);
		answer_size += iov[i].iov_len;
	}
	iobuf_fini(&r->response);
	arena_fini(&r->arena);
	r->magic = 0;
}
void request_complete(struct request *r)
{
	CHECK_MAGIC(request, r);
	kafka_connection.completed++;
	take_answer(r);
}
void request_complete_silent(struct request *r)
{
	CHECK_MAGIC(request, r);
	ck_abort_msg("a request was not answered");
}
void request_abort(struct request *r, const char *why)
{
	CHECK_MAGIC(request, r);
	ck_assert_ptr_nonnull(why);
	kafka_connection.aborted++;
	take_answer(r);
}
void request_release_frame(struct request *r)
{
	kafka_connection.released++;
	/* Whoever still reads it reads this. */
	memset((void *)(uintptr_t)r->frame.p, 0xee, r->frame.n);
	r->frame = (struct slice){0};
}
const char *request_peer(const struct request *r)
{
	(void)r;
	return "[::1]:5";
}
const char *request_listener(const struct request *r)
{
	(void)r;
	return kafka_connection.listener;
}

void kafka_connection_begin(void)
{
	kafka_connection = (struct kafka_connection){.listener = "PLAINTEXT"};
}

void kafka_connection_send(const struct kafka_dispatch *d, struct scheduler *loop, enum kafka_api_id id, int16_t version, const void *body)
{
	const struct kafka_api *api = kafka_messages_api(id);
	const struct kafka_header header = {.api_key = api->key, .api_version = version, .correlation_id = 7, .client_id = "me"};
	const struct connection_front *front = kafka_dispatch_front(d);
	struct iobuf b;
	struct iovec iov[8];
	static uint8_t frame[65536];
	size_t n = 0;
	iobuf_init(&b);
	ck_assert_int_eq(kafka_codec_encode_request(api, &header, body, NULL, &b), STATUS_OK);
	int count = iobuf_peek_iov(&b, iov, 8);
	for (int i = 0; i < count; i++) {
		ck_assert_uint_le(n + iov[i].iov_len, sizeof(frame));
		memcpy(frame + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	ck_assert_uint_eq(n, b.size_bytes);
	iobuf_fini(&b);
	request = (struct request){
		.magic = request_magic, .loop = loop, .frame = slice_of(frame + 4, n - 4), .received_us = 1};
	arena_init(&request.arena, 4 * 1024 * 1024);
	iobuf_init(&request.response);
	ck_assert_int_eq(front->request(front->ctx, &request), STATUS_OK);
}

const void *kafka_connection_answer(struct arena *a, enum kafka_api_id id, int16_t version)
{
	void *body;
	int32_t correlation_id;
	ck_assert_uint_eq(kafka_connection.completed, 1);
	kafka_connection.completed = 0;
	ck_assert_int_eq(kafka_codec_decode_response(a, slice_of(answer_bytes + 4, answer_size - 4), kafka_messages_api(id),
		version, &correlation_id, &body), STATUS_OK);
	ck_assert_int_eq(correlation_id, 7);
	return body;
}
