/* One reign: from winning the election to losing it. Everything the controller knows and has under way hangs from its term, so
 * that losing the seat is freeing one object. Loads the cluster, keeps watches, turns what they say into events, carries out
 * what controller_decide answers. On the zk_client's loop. */
#ifndef CONTROLLER_CONTROLLER_TERM_H
#define CONTROLLER_CONTROLLER_TERM_H

#include "config/settings.h"
#include "controller/control_transport.h"
#include "coordinator-client/zk_client.h"

struct controller_term;
struct controller_term_options {
	struct zk_client *zk;
	const struct settings *settings;
	const struct control_transport *transport;
	int32_t broker_id;
	int32_t controller_epoch, epoch_zk_version; /* from the election */
	/* All has been read; deciding begins. */
	void (*started)(void *arg);
	/* A write was fenced: another controller is in office. Nothing more is done; the owner frees the term, not from within. */
	void (*fenced)(void *arg);
	void *arg;
};
/* Begins to load. */
struct controller_term *controller_term_new(const struct controller_term_options *o);
/* Nothing comes back any more, whatever is under way. */
void controller_term_free(struct controller_term *t);
bool controller_term_is_started(const struct controller_term *t);
#endif
