#include "controller/control_peer.h"
#include "cluster/kafka_peer.h"
#include "wire/control_codec.h"
#include <stdlib.h>

enum {
	CONTROL_CONNECT_TIMEOUT_MS = 5000,
	CONTROL_CALL_TIMEOUT_MS = 30000, /* a thousand new logs take a while on a slow disk */
	CONTROL_ANSWER_BYTES_MAX = 16 << 20,
};

struct control_link {
	unsigned magic;
	struct kafka_peer *peer;
	struct kafka_peer_call call;
	const struct control_request *request; /* under way; NULL: none */
	void (*done)(void *done_arg, enum status s, const struct control_response *response);
	void *done_arg;
};
MAGIC(control_link, 0x434c494e);

static enum status link_body(struct kafka_peer_call *call, int16_t newest, struct arena *arena, int16_t *ret_version, void **ret_body)
{
	struct control_link *l = CAST(control_link, CONTAINER_OF(call, struct control_link, call));
	*ret_version = control_codec_version(l->request, newest);
	return control_codec_request_to_body(l->request, *ret_version, arena, ret_body);
}

static void link_answered(struct kafka_peer_call *call, enum status s, int16_t version, const void *body)
{
	struct control_link *l = CAST(control_link, CONTAINER_OF(call, struct control_link, call));
	struct control_response response = {0};
	void (*done)(void *, enum status, const struct control_response *) = l->done;
	expect(done != NULL && l->request != NULL);
	if (s == STATUS_OK)
		s = control_codec_response_from_body(l->request, version, body, &response);
	l->request = NULL;
	l->done = NULL;
	done(l->done_arg, s, s == STATUS_OK ? &response : NULL); /* l may be gone now */
	control_response_fini(&response);
}

static void link_call(struct control_link *l, const struct control_request *request,
	void (*done)(void *done_arg, enum status s, const struct control_response *response), void *done_arg)
{
	CHECK_MAGIC(control_link, l);
	expect(l->request == NULL && request != NULL);
	l->request = request;
	l->done = done;
	l->done_arg = done_arg;
	l->call = (struct kafka_peer_call){.api = control_codec_api(request->kind), .timeout_ms = CONTROL_CALL_TIMEOUT_MS,
		.body = link_body, .done = link_answered};
	kafka_peer_call(l->peer, &l->call);
}

static struct control_link *link_open(void *arg, const struct control_link_options *o)
{
	const struct control_peer_options *options = arg;
	struct kafka_peer_options peer = {.loop = options->loop, .resolver = options->resolver, .host = o->host, .port = o->port,
		.client_id = options->client_id, .connect_timeout_ms = CONTROL_CONNECT_TIMEOUT_MS,
		.answer_bytes_max = CONTROL_ANSWER_BYTES_MAX};
	struct control_link *l = check_calloc(1, sizeof *l);
	*l = (struct control_link){.magic = control_link_magic, .peer = kafka_peer_new(&peer)};
	return l;
}

static void link_close(struct control_link *l)
{
	CHECK_MAGIC(control_link, l);
	kafka_peer_free(l->peer);
	l->magic = 0;
	free(l);
}

struct control_transport control_peer_transport(const struct control_peer_options *o)
{
	return (struct control_transport){.open = link_open, .call = link_call, .close = link_close,
		.arg = (void *)(uintptr_t)o};
}
