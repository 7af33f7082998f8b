/* The cluster manager: elected through ZooKeeper, it alone decides who leads what; brokers obey. The same in a broker and in
 * correio-controller. One loop (the zk_client's), one event after the other: controller_decide decides, this carries out:
 *
 *   STANDING BY --elected--> LOADING --all read--> ACTIVE --fenced, session lost, stop--> STANDING BY | STOPPED
 *
 * Leaving ACTIVE or LOADING drops everything known and every request under way; whoever is elected next reads it all again. */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "config/settings.h"
#include "controller/control_transport.h"
#include "coordinator-client/zk_client.h"

struct controller;

struct controller_options {
	struct zk_client *zk;             /* all on its scheduler's loop */
	const struct settings *settings;  /* borrowed */
	int32_t broker_id;                /* of this process: stands in /controller */
	const struct control_transport *transport; /* borrowed; control_peer in a real process */
	/* May be NULL. */
	void (*role_changed)(void *arg, bool active, int32_t controller_epoch);
	void *arg;
};
struct controller *controller_new(const struct controller_options *o);
/* Stands for election, now if connected, else as soon as we are. */
void controller_start(struct controller *c);
/* This process has proved that no other live one has its broker id (by registering under it): a seat held under that id by
 * another session is our dead predecessor's, and is taken at once instead of after its session's timeout. */
void controller_claim_id(struct controller *c);
/* The composition root forwards every state change of the zk_client, after reconnect() where that is due. */
void controller_zk_state(struct controller *c, enum zk_state state);
/* Stands no more; gives the seat up if it is ours (conditionally, so that a stand-by takes it at once), then done. */
void controller_stop(struct controller *c, void (*done)(void *arg), void *arg);
/* After stop's done, or after the zk_client was closed. */
void controller_free(struct controller *c);
/* Elected, loaded and deciding. */
bool controller_is_active(const struct controller *c);

/* What brokers ask, on the controller's loop. request is borrowed for the call; done is called exactly once, perhaps within it,
 * with a response borrowed for that call. Not active: NOT_CONTROLLER. */
typedef void (*controller_alter_partition_fn)(void *arg, const struct alter_partition_response *response);
void controller_alter_partition(struct controller *c, const struct alter_partition_request *request,
	controller_alter_partition_fn done, void *arg);
typedef void (*controller_controlled_shutdown_fn)(void *arg, const struct controlled_shutdown_response *response);
void controller_controlled_shutdown(struct controller *c, const struct controlled_shutdown_request *request,
	controller_controlled_shutdown_fn done, void *arg);
#endif
