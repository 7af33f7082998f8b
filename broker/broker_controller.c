#include "broker_controller.h"

#include "broker_internal.h"

#include "base/diag.h"
#include "controller/control_peer.h"

/* The candidate and what it borrows. */
struct broker_controller {
	struct broker *broker;
	struct controller *controller;
	struct control_transport transport;
	struct control_peer_options peers;
	char client_id[32];
	void (*stopped)(struct broker *b);
};

static void role_changed(void *arg, bool active, int32_t controller_epoch)
{
	struct broker_controller *c = arg;
	diag_info("controller_role", "broker=%d active=%s controller_epoch=%d", c->broker->broker_id, active ? "true" : "false",
		controller_epoch);
}

void broker_controller_start(struct broker *b)
{
	expect_on_loop(b->cluster);
	if (!settings_has_role(b->settings, "controller"))
		return;
	struct broker_controller *c = check_calloc(1, sizeof(*c));
	c->broker = b;
	(void)snprintf(c->client_id, sizeof(c->client_id), "controller-%d", b->broker_id);
	c->peers = (struct control_peer_options){
		.loop = b->cluster_loop,
		.resolver = blocking_pool_background(b->pool),
		.client_id = c->client_id,
	};
	c->transport = control_peer_transport(&c->peers);
	struct controller_options o = {
		.zk = b->zk,
		.settings = b->settings,
		.broker_id = b->broker_id,
		.transport = &c->transport,
		.role_changed = role_changed,
		.arg = c,
	};
	c->controller = controller_new(&o);
	b->controller = c;
	controller_start(c->controller);
}

void broker_controller_registered(struct broker *b)
{
	if (b->controller != NULL)
		controller_claim_id(b->controller->controller);
}

void broker_controller_zk_state(struct broker *b, enum zk_state state)
{
	if (b->controller != NULL)
		controller_zk_state(b->controller->controller, state);
}

void broker_controller_claim_id(struct broker *b)
{
	if (b->controller != NULL)
		controller_claim_id(b->controller->controller);
}

static void stopped(void *arg)
{
	struct broker_controller *c = arg;
	c->stopped(c->broker);
}

void broker_controller_stop(struct broker *b, void (*done)(struct broker *b))
{
	if (b->controller == NULL) {
		done(b);
		return;
	}
	b->controller->stopped = done;
	controller_stop(b->controller->controller, stopped, b->controller);
}

void broker_controller_free(struct broker *b)
{
	if (b->controller == NULL)
		return;
	controller_free(b->controller->controller);
	free(b->controller);
	b->controller = NULL;
}

struct controller *broker_controller_of(void *arg)
{
	const struct broker *b = CAST(broker, arg);
	return b->controller == NULL ? NULL : b->controller->controller;
}
