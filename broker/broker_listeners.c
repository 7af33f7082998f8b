#include "broker_listeners.h"

#include <assert.h>
#include <strings.h>

static_assert((int)SETTINGS_LISTENERS_MAX <= (int)NET_LISTENERS_MAX, "every listener of the settings can be bound");

static const char *const unsupported_protocols[] = {"SSL", "SASL_PLAINTEXT", "SASL_SSL"};

static enum status check_protocols(const struct broker_listeners *l, struct failure *f)
{
	for (size_t i = 0; i < l->bound_count; i++)
		for (size_t k = 0; k < sizeof(unsupported_protocols) / sizeof(unsupported_protocols[0]); k++)
			if (strcasecmp(l->bound[i].name, unsupported_protocols[k]) == 0)
				return failure_set(f, STATUS_INVALID_CONFIG, "listeners: %s needs TLS or SASL, which this version does not "
					"have; use PLAINTEXT on a trusted network", l->bound[i].name);
	return STATUS_OK;
}

enum status broker_listeners_parse(const struct settings *s, struct broker_listeners *ret_listeners, struct failure *ret_failure)
{
	struct broker_listeners *l = ret_listeners;
	TRY(settings_parse_listeners(s->listeners, l->bound, &l->bound_count, ret_failure));
	if (l->bound_count == 0)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "listeners: give at least one, e.g. PLAINTEXT://127.0.0.1:9092");
	TRY(settings_advertised_listeners(s, l->advertised, &l->advertised_count, ret_failure));
	return check_protocols(l, ret_failure);
}

void broker_listeners_specs(const struct broker_listeners *l, struct net_listener_spec *ret_specs)
{
	for (size_t i = 0; i < l->bound_count; i++)
		ret_specs[i] = (struct net_listener_spec){
			.name = l->bound[i].name,
			.host = l->bound[i].host,
			.port = l->bound[i].port,
		};
}

void broker_listeners_resolve(struct broker_listeners *l, const struct net_server *server)
{
	for (size_t i = 0; i < l->bound_count; i++) {
		int port = net_server_port(server, (int)i);
		expect(port > 0 && port <= UINT16_MAX);
		l->bound[i].port = (uint16_t)port;
		for (size_t k = 0; k < l->advertised_count; k++)
			if (l->advertised[k].port == 0 && strcmp(l->advertised[k].name, l->bound[i].name) == 0)
				l->advertised[k].port = l->bound[i].port;
	}
}

void broker_listeners_endpoints(const struct broker_listeners *l, struct registration_endpoint *ret_endpoints)
{
	for (size_t i = 0; i < l->advertised_count; i++)
		ret_endpoints[i] = (struct registration_endpoint){
			.listener = l->advertised[i].name,
			.security_protocol = "PLAINTEXT",
			.host = l->advertised[i].host,
			.port = l->advertised[i].port,
		};
}

static bool is_bound(const struct broker_listeners *l, const struct settings_listener *a)
{
	for (size_t i = 0; i < l->bound_count; i++) {
		const struct settings_listener *b = &l->bound[i];
		if (strcmp(b->name, a->name) == 0)
			return b->port == a->port && strcmp(b->host, a->host) == 0;
	}
	return false;
}

bool broker_listeners_are_own(const struct broker_listeners *l)
{
	for (size_t i = 0; i < l->advertised_count; i++)
		if (!is_bound(l, &l->advertised[i]))
			return false;
	return true;
}
