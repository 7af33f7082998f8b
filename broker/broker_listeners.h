/* The sockets to bind and the addresses to tell others: listeners and advertised.listeners, with the ports the system chose. */
#ifndef BROKER_LISTENERS_H
#define BROKER_LISTENERS_H

#include "cluster/broker_registration.h"
#include "config/settings.h"
#include "net/server.h"

struct broker_listeners {
	struct settings_listener bound[SETTINGS_LISTENERS_MAX];
	size_t bound_count;
	struct settings_listener advertised[SETTINGS_LISTENERS_MAX]; /* port 0 until broker_listeners_resolve */
	size_t advertised_count;
};
/* INVALID_CONFIG names the key and what is wrong; ret_listeners then holds nothing of use. */
MUST_CHECK enum status broker_listeners_parse(const struct settings *s, struct broker_listeners *ret_listeners,
	struct failure *ret_failure);
/* Fills ret_specs (room SETTINGS_LISTENERS_MAX); they borrow from l. */
void broker_listeners_specs(const struct broker_listeners *l, struct net_listener_spec *ret_specs);
/* Puts the ports the server is bound to in place of 0. */
void broker_listeners_resolve(struct broker_listeners *l, const struct net_server *server);
/* Fills ret_endpoints (room SETTINGS_LISTENERS_MAX); they borrow from l. */
void broker_listeners_endpoints(const struct broker_listeners *l, struct registration_endpoint *ret_endpoints);
/* Is every advertised address one that this process has bound? */
bool broker_listeners_are_own(const struct broker_listeners *l);

#endif
