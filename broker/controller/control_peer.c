#include "controller/control_peer.h"
#include "base/diag.h"
#include "frame.pb-c.h"
#include "net/peer_connection.h"
#include "wire/control_codec.h"
#include "wire/native_codec.h"
#include <stdlib.h>

enum {
	CONTROL_CONNECT_TIMEOUT_MS = 5000,
	CONTROL_CALL_TIMEOUT_MS = 30000, /* a thousand new logs take a while on a slow disk */
	CONTROL_ANSWER_BYTES_MAX = 16 << 20,
	CONTROL_ARENA_BYTES_MAX = 64 << 20,
};

struct control_link {
	unsigned magic;
	const struct control_peer_options *options;
	int32_t broker_id;
	char *host;
	int32_t port;
	struct peer_connection *peer; /* NULL: none now */
	struct peer_call hello_call, call;
	bool helloing, calling; /* peer calls in use */
	uint64_t correlation_id;
	void (*done)(void *done_arg, enum status s, const struct control_response *response);
	void *done_arg;
	bool closed; /* by its owner; waits for its task */
	/* For answers that need no network: a request that could not be sent. */
	struct task refuse_task;
	bool refusing;
	enum status refusal;
};
MAGIC(control_link, 0x434c494e);

/* A finished link is freed once nothing refers to it. */
static void link_free_if_idle(struct control_link *l)
{
	if (!l->closed || l->refusing || l->peer != NULL)
		return;
	free(l->host);
	l->magic = 0;
	free(l);
}

static void link_finish(struct control_link *l, enum status s, const struct control_response *response)
{
	void (*done)(void *, enum status, const struct control_response *) = l->done;
	l->done = NULL;
	if (done != NULL)
		done(l->done_arg, s, response);
}

static void link_refused(struct task *t)
{
	struct control_link *l = CONTAINER_OF(t, struct control_link, refuse_task);
	CHECK_MAGIC(control_link, l);
	l->refusing = false;
	if (l->closed)
		link_free_if_idle(l);
	else
		link_finish(l, l->refusal, NULL);
}

static void link_refuse(struct control_link *l, enum status s)
{
	expect(!l->refusing);
	l->refusal = s;
	l->refusing = true;
	scheduler_post(event_loop_scheduler(l->options->loop), &l->refuse_task);
}

/* --- answers -------------------------------------------------------------- */

static enum status link_decode(struct control_link *l, struct arena *arena, struct slice frame,
	struct control_response *ret_response)
{
	const Correio__ResponseHeader *header;
	struct slice payload;
	TRY(native_codec_decode_response(arena, frame, &header, &payload));
	if (header->correlation_id != l->correlation_id)
		return STATUS_INVALID_REQUEST;
	bool control = header->response_case == CORREIO__RESPONSE_HEADER__RESPONSE_CONTROL;
	return control_codec_response_from_message(control ? header->control : NULL, header->error_code, ret_response);
}

static void link_answered(struct peer_call *call, enum status s, struct iobuf_block *block, struct slice frame)
{
	(void)block;
	struct control_link *l = CONTAINER_OF(call, struct control_link, call);
	CHECK_MAGIC(control_link, l);
	l->calling = false;
	if (l->closed)
		return; /* its owner does not wait any more; link_close frees it */
	struct control_response response = {0};
	struct arena arena;
	arena_init(&arena, CONTROL_ARENA_BYTES_MAX);
	if (s == STATUS_OK)
		s = link_decode(l, &arena, frame, &response);
	if (s == STATUS_INVALID_REQUEST || s == STATUS_TRUNCATED)
		diag_warn("control_answer_malformed", "broker=%d host=%s port=%d", l->broker_id, l->host, l->port);
	arena_fini(&arena);
	link_finish(l, s, s == STATUS_OK ? &response : NULL);
	if (s == STATUS_OK)
		control_response_fini(&response);
}

static void link_hello_answered(struct peer_call *call, enum status s, struct iobuf_block *block, struct slice frame)
{
	(void)block;
	(void)frame;
	(void)s; /* the request behind it fails the same way */
	struct control_link *l = CONTAINER_OF(call, struct control_link, hello_call);
	CHECK_MAGIC(control_link, l);
	l->helloing = false;
}

static void link_broken(void *arg, enum status why)
{
	(void)why;
	struct control_link *l = CAST(control_link, arg);
	struct peer_connection *peer = l->peer;
	l->peer = NULL;
	if (peer != NULL)
		peer_connection_free(peer);
	link_free_if_idle(l);
}

/* --- calls ---------------------------------------------------------------- */

static enum status send_frame(struct control_link *l, struct peer_call *call, const Correio__RequestHeader *header)
{
	struct iobuf frame;
	iobuf_init(&frame);
	enum status s = native_codec_encode_request(header, NULL, &frame);
	if (s == STATUS_OK)
		s = peer_connection_send(l->peer, call, &frame, CONTROL_CALL_TIMEOUT_MS);
	iobuf_fini(&frame);
	return s;
}

/* A server holds little for a stranger: the first frame says who comes. */
static enum status link_hello(struct control_link *l)
{
	Correio__RequestHeader header;
	Correio__HelloRequest hello;
	correio__request_header__init(&header);
	correio__hello_request__init(&hello);
	hello.client_id = (char *)(uintptr_t)l->options->client_id;
	hello.client_software_name = (char *)(uintptr_t)PACKAGE_NAME;
	hello.client_software_version = (char *)(uintptr_t)PACKAGE_VERSION;
	header.correlation_id = ++l->correlation_id;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_HELLO;
	header.hello = &hello;
	TRY(send_frame(l, &l->hello_call, &header));
	l->helloing = true;
	return STATUS_OK;
}

static enum status link_connect(struct control_link *l)
{
	if (l->peer != NULL)
		return STATUS_OK;
	expect(!l->helloing && !l->calling);
	struct peer_connection_options o = {.loop = l->options->loop, .resolver = l->options->resolver, .host = l->host,
		.port = l->port, .connect_timeout_ms = CONTROL_CONNECT_TIMEOUT_MS, .max_frame_bytes = CONTROL_ANSWER_BYTES_MAX,
		.broken = link_broken, .arg = l};
	l->peer = peer_connection_new(&o);
	return link_hello(l);
}

static enum status link_send(struct control_link *l, const struct control_request *request)
{
	TRY(link_connect(l));
	Correio__RequestHeader header;
	struct arena arena;
	correio__request_header__init(&header);
	arena_init(&arena, CONTROL_ARENA_BYTES_MAX);
	enum status s = control_codec_request_to_message(request, &arena, &header.control);
	header.correlation_id = ++l->correlation_id;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_CONTROL;
	if (s == STATUS_OK)
		s = send_frame(l, &l->call, &header);
	arena_fini(&arena);
	l->calling = s == STATUS_OK;
	return s;
}

static void link_call(struct control_link *l, const struct control_request *request,
	void (*done)(void *done_arg, enum status s, const struct control_response *response), void *done_arg)
{
	CHECK_MAGIC(control_link, l);
	expect(l->done == NULL && !l->closed);
	l->done = done;
	l->done_arg = done_arg;
	enum status s = link_send(l, request);
	if (s != STATUS_OK)
		link_refuse(l, s);
}

static struct control_link *link_open(void *arg, const struct control_link_options *o)
{
	struct control_link *l = check_calloc(1, sizeof *l);
	*l = (struct control_link){.magic = control_link_magic, .options = arg, .broker_id = o->broker_id,
		.host = check_strdup(o->host), .port = o->port, .hello_call = {.done = link_hello_answered},
		.call = {.done = link_answered}};
	task_init(&l->refuse_task, "control_peer_refuse", link_refused);
	return l;
}

static void link_close(struct control_link *l)
{
	CHECK_MAGIC(control_link, l);
	l->closed = true;
	l->done = NULL;
	struct peer_connection *peer = l->peer;
	if (peer != NULL)
		peer_connection_free(peer); /* calls under way are done with CANCELLED before it returns, or in the next turn */
	l->peer = NULL;
	link_free_if_idle(l);
}

struct control_transport control_peer_transport(const struct control_peer_options *o)
{
	return (struct control_transport){.open = link_open, .call = link_call, .close = link_close,
		.arg = (void *)(uintptr_t)o};
}
