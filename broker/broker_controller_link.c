#include "broker_controller_link.h"

#include "broker_internal.h"

#include "cluster/controller_peer.h"

struct broker_controller_link {
	struct broker *broker;
	struct controller_channel *channel;
	struct controller_transport transport;
	struct controller_peer_options peers;
	char client_id[32];
};

/* Where the image says that the controller listens for brokers. One outside of all brokers has no such place. */
static bool locate(void *arg, struct controller_address *ret_controller)
{
	const struct broker *b = CAST(broker, arg);
	const struct cluster_image *image = cluster_state_image(b->state);
	const struct image_broker *controller = cluster_image_broker(image, image->controller_id);
	if (controller == NULL || controller->endpoint_count == 0)
		return false;
	const struct broker_listeners *l = &b->listeners;
	size_t ours = settings_inter_broker_listener(b->settings, l->advertised, l->advertised_count);
	const struct image_endpoint *e = image_broker_endpoint(controller, l->advertised[ours].name);
	if (e == NULL)
		e = &controller->endpoints[0];
	*ret_controller = (struct controller_address){
		.controller_id = image->controller_id,
		.controller_epoch = image->controller_epoch,
		.host = e->host,
		.port = e->port,
	};
	return true;
}

static void self(void *arg, int32_t *ret_broker_id, int64_t *ret_broker_epoch)
{
	const struct broker *b = CAST(broker, arg);
	*ret_broker_id = b->broker_id;
	*ret_broker_epoch = cluster_state_broker_epoch(b->state);
}

void broker_controller_link_make(struct broker *b)
{
	expect_on_loop(b->cluster);
	expect(b->controller_link == NULL);
	struct broker_controller_link *l = check_calloc(1, sizeof(*l));
	(void)snprintf(l->client_id, sizeof(l->client_id), "broker-%d", b->broker_id);
	l->peers = (struct controller_peer_options){
		.loop = b->cluster_loop,
		.resolver = blocking_pool_background(b->pool),
		.client_id = l->client_id,
	};
	l->transport = controller_peer_transport(&l->peers);
	struct controller_channel_options o = {
		.scheduler = b->cluster,
		.transport = &l->transport,
		.locate = locate,
		.self = self,
		.arg = b,
	};
	l->channel = controller_channel_new(&o);
	b->controller_link = l;
}

struct controller_channel *broker_controller_link_channel(const struct broker *b)
{
	return b->controller_link == NULL ? NULL : b->controller_link->channel;
}

void broker_controller_link_changed(void *arg)
{
	struct broker *b = CAST(broker, arg);
	if (b->controller_link != NULL)
		controller_channel_look_again(b->controller_link->channel);
}

void broker_controller_link_stop(struct broker *b)
{
	if (b->controller_link != NULL)
		controller_channel_stop(b->controller_link->channel);
}

void broker_controller_link_free(struct broker *b)
{
	if (b->controller_link == NULL)
		return;
	controller_channel_free(b->controller_link->channel);
	free(b->controller_link);
	b->controller_link = NULL;
}
