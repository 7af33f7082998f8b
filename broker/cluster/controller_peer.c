#include "cluster/controller_peer.h"
#include "cluster/kafka_peer.h"
#include "wire/controller_codec.h"
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 5000, CALL_TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 16 << 20 };

struct controller_link {
	unsigned magic;
	struct kafka_peer *peer;
	struct kafka_peer_call alter_call, shutdown_call;
	const struct alter_partition_request *alter; /* under way */
	const struct controlled_shutdown_request *shutdown;
	void (*altered)(void *done_arg, enum status s, const struct alter_partition_response *response);
	void *altered_arg;
	void (*shut_down)(void *done_arg, enum status s, const struct controlled_shutdown_response *response);
	void *shut_down_arg;
};
MAGIC(controller_link, 0x434c4e4b);

static enum status alter_body(struct kafka_peer_call *call, int16_t newest, struct arena *arena, int16_t *ret_version, void **ret_body)
{
	struct controller_link *l = CAST(controller_link, CONTAINER_OF(call, struct controller_link, alter_call));
	*ret_version = controller_codec_alter_version(l->alter, newest);
	return controller_codec_alter_to_body(l->alter, arena, ret_body);
}

static void alter_answered(struct kafka_peer_call *call, enum status s, int16_t version, const void *body)
{
	struct controller_link *l = CAST(controller_link, CONTAINER_OF(call, struct controller_link, alter_call));
	struct alter_partition_response response = {0};
	if (s == STATUS_OK)
		s = controller_codec_altered_from_body(version, body, &response);
	l->alter = NULL;
	l->altered(l->altered_arg, s, s == STATUS_OK ? &response : NULL); /* l may be gone now */
	control_alter_response_fini(&response);
}

static void link_alter(struct controller_link *l, const struct alter_partition_request *request,
	void (*done)(void *done_arg, enum status s, const struct alter_partition_response *response), void *done_arg)
{
	CHECK_MAGIC(controller_link, l);
	expect(l->alter == NULL);
	l->alter = request;
	l->altered = done;
	l->altered_arg = done_arg;
	l->alter_call = (struct kafka_peer_call){.api = kafka_messages_api(KAFKA_API_alter_partition), .timeout_ms = CALL_TIMEOUT_MS,
		.body = alter_body, .done = alter_answered};
	kafka_peer_call(l->peer, &l->alter_call);
}

static enum status shutdown_body(struct kafka_peer_call *call, int16_t newest, struct arena *arena, int16_t *ret_version, void **ret_body)
{
	struct controller_link *l = CAST(controller_link, CONTAINER_OF(call, struct controller_link, shutdown_call));
	*ret_version = newest;
	return controller_codec_shutdown_to_body(l->shutdown, arena, ret_body);
}

static void shutdown_answered(struct kafka_peer_call *call, enum status s, int16_t version, const void *body)
{
	(void)version;
	struct controller_link *l = CAST(controller_link, CONTAINER_OF(call, struct controller_link, shutdown_call));
	struct controlled_shutdown_response response = {0};
	if (s == STATUS_OK)
		s = controller_codec_shut_down_from_body(body, &response);
	l->shutdown = NULL;
	l->shut_down(l->shut_down_arg, s, s == STATUS_OK ? &response : NULL); /* l may be gone now */
	controlled_shutdown_response_fini(&response);
}

static void link_shutdown(struct controller_link *l, const struct controlled_shutdown_request *request,
	void (*done)(void *done_arg, enum status s, const struct controlled_shutdown_response *response), void *done_arg)
{
	CHECK_MAGIC(controller_link, l);
	expect(l->shutdown == NULL);
	l->shutdown = request;
	l->shut_down = done;
	l->shut_down_arg = done_arg;
	l->shutdown_call = (struct kafka_peer_call){.api = kafka_messages_api(KAFKA_API_controlled_shutdown), .timeout_ms = CALL_TIMEOUT_MS,
		.body = shutdown_body, .done = shutdown_answered};
	kafka_peer_call(l->peer, &l->shutdown_call);
}

static struct controller_link *link_open(void *arg, const struct controller_address *to)
{
	const struct controller_peer_options *o = arg;
	struct kafka_peer_options peer = {
		.loop = o->loop,
		.resolver = o->resolver,
		.host = to->host,
		.port = to->port,
		.client_id = o->client_id,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.answer_bytes_max = ANSWER_BYTES_MAX,
	};
	struct controller_link *l = check_calloc(1, sizeof(*l));
	*l = (struct controller_link){.magic = controller_link_magic, .peer = kafka_peer_new(&peer)};
	return l;
}

static void link_close(struct controller_link *l)
{
	CHECK_MAGIC(controller_link, l);
	kafka_peer_free(l->peer);
	l->magic = 0;
	free(l);
}

struct controller_transport controller_peer_transport(const struct controller_peer_options *o)
{
	return (struct controller_transport){
		.open = link_open,
		.alter_partition = link_alter,
		.controlled_shutdown = link_shutdown,
		.close = link_close,
		.arg = (void *)(uintptr_t)o,
	};
}
