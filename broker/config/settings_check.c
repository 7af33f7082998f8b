/* What single values cannot show: names that must exist elsewhere, things given twice, features that are not there. */
#include "config/settings_internal.h"

#include <strings.h>

static bool find_listener(const struct settings_listener *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(list[i].name, name) == 0)
			return true;
	return false;
}

/* The protocol of a listener by its name; false when the map has none. */
static bool protocol_of(const struct settings *s, const char *name, struct slice *ret_protocol)
{
	const char *at = s->listener_security_protocol_map;
	struct slice item;
	size_t n = strlen(name);
	while (config_list_next(&at, &item)) {
		if (item.n > n && item.p[n] == ':' && strncasecmp((const char *)item.p, name, n) == 0) {
			*ret_protocol = slice_sub(item, n + 1, item.n - n - 1);
			return true;
		}
	}
	return false;
}

static void check_protocol(struct settings_loader *l, const struct settings_listener *listener)
{
	struct slice protocol;
	if (!protocol_of(l->s, listener->name, &protocol)) {
		settings_loader_error(l, "listeners",
			"listeners: nothing says what %s speaks; add %s:PLAINTEXT to listener.security.protocol.map", listener->name,
			listener->name);
	} else if (slice_equal(protocol, slice_of_str("SSL")) || slice_equal(protocol, slice_of_str("SASL_PLAINTEXT")) ||
		   slice_equal(protocol, slice_of_str("SASL_SSL"))) {
		settings_loader_error(l, "listeners",
			"listeners: %s://%s:%u speaks %.*s, which is not supported yet; only PLAINTEXT listeners can be opened",
			listener->name, listener->host, listener->port, (int)protocol.n, (const char *)protocol.p);
	} else if (!slice_equal(protocol, slice_of_str("PLAINTEXT"))) {
		settings_loader_error(l, "listener.security.protocol.map",
			"listener.security.protocol.map: %.*s is not a protocol; PLAINTEXT is", (int)(protocol.n < 64 ? protocol.n : 64),
			(const char *)protocol.p);
	}
}

static bool is_everywhere(const char *host)
{
	return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void check_ports(struct settings_loader *l, const struct settings_listener *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++) {
			bool same_host = strcmp(list[i].host, list[j].host) == 0 || is_everywhere(list[i].host) ||
				is_everywhere(list[j].host);
			if (list[i].port != 0 && list[i].port == list[j].port && same_host)
				settings_loader_error(l, "listeners", "listeners: %s and %s both want port %u", list[j].name, list[i].name,
					list[i].port);
		}
}

static void check_advertised(struct settings_loader *l, const struct settings_listener *listeners, size_t count)
{
	struct settings_listener *list = check_calloc(SETTINGS_LISTENERS_MAX, sizeof(list[0]));
	size_t advertised = 0;
	struct failure f = {0};
	bool own = config_trim(slice_of_str(l->s->advertised_listeners)).n > 0;
	const char *key = own ? "advertised.listeners" : "listeners";
	if (settings_advertised_listeners(l->s, list, &advertised, &f) != STATUS_OK)
		settings_loader_error(l, key, "%s: %s", key, f.text);
	for (size_t i = 0; i < advertised; i++) {
		if (!find_listener(listeners, count, list[i].name))
			settings_loader_error(l, key, "advertised.listeners: %s is not one of the listeners", list[i].name);
		if (is_everywhere(list[i].host))
			settings_loader_error(l, key, "%s: clients cannot connect to %s; name this host in advertised.listeners", key,
				list[i].host);
	}
	free(list);
}

static void check_listeners(struct settings_loader *l)
{
	struct settings_listener *list = check_calloc(SETTINGS_LISTENERS_MAX, sizeof(list[0]));
	size_t count = 0;
	struct failure f = {0};
	if (settings_parse_listeners(l->s->listeners, list, &count, &f) != STATUS_OK) {
		settings_loader_error(l, "listeners", "listeners: %s", f.text);
	} else {
		for (size_t i = 0; i < count; i++)
			check_protocol(l, &list[i]);
		check_ports(l, list, count);
		check_advertised(l, list, count);
		const char *name = l->s->inter_broker_listener_name;
		if (name[0] != '\0' && !find_listener(list, count, name))
			settings_loader_error(l, "inter.broker.listener.name",
				"inter.broker.listener.name=%.64s: is not one of the listeners", name);
	}
	free(list);
}

/* A folder's name without slashes at its end; "/" itself keeps one. */
static struct slice plain_folder(struct slice s)
{
	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

static void check_log_dirs(struct settings_loader *l)
{
	const char *key = settings_log_dirs(l->s) == l->s->log_dirs ? "log.dirs" : "log.dir";
	const char *at = settings_log_dirs(l->s);
	struct slice item;
	size_t count = 0;
	while (config_list_next(&at, &item)) {
		count++;
		if (item.n == 0)
			settings_loader_error(l, key, "%s: item %zu of the list is empty", key, count);
		const char *other_at = settings_log_dirs(l->s);
		struct slice other;
		for (size_t n = 1; n < count && config_list_next(&other_at, &other); n++)
			if (item.n > 0 && slice_equal(plain_folder(other), plain_folder(item)))
				settings_loader_error(l, key, "%s: %.*s is named twice", key, (int)item.n, (const char *)item.p);
	}
	if (count == 0)
		settings_loader_error(l, key, "%s: a folder is needed", key);
}

static void check_roles(struct settings_loader *l)
{
	const char *at = l->s->process_roles;
	struct slice item;
	bool any = false;
	while (config_list_next(&at, &item)) {
		any = true;
		if (!slice_equal(item, slice_of_str("broker")) && !slice_equal(item, slice_of_str("controller")))
			settings_loader_error(l, "process.roles", "process.roles: \"%.*s\" is not a role; broker and controller are",
				(int)(item.n < 64 ? item.n : 64), (const char *)item.p);
	}
	if (!any)
		settings_loader_error(l, "process.roles", "process.roles: broker, controller or both are needed");
}

static void check_broker_id(struct settings_loader *l)
{
	const struct settings *s = l->s;
	const char *key = settings_loader_given(l, "broker.id") != NULL ? "broker.id" : "node.id";
	if (s->broker_id_generation_enable && s->broker_id > s->reserved_broker_max_id)
		settings_loader_error(l, key,
			"%s=%d: ids above reserved.broker.max.id (%d) are for generated ones; use a smaller one, or "
			"broker.id.generation.enable=false",
			key, s->broker_id, s->reserved_broker_max_id);
	if (!s->broker_id_generation_enable && s->broker_id < 0)
		settings_loader_error(l, key, "broker.id is needed when broker.id.generation.enable=false");
}

static bool host_and_port_ok(struct slice s, bool port_needed)
{
	size_t colon = s.n;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ':')
			colon = i;
	bool bracketed_only = s.n > 0 && s.p[s.n - 1] == ']';
	if (colon == s.n || bracketed_only)
		return s.n > 0 && !port_needed;
	int64_t port = 0;
	return colon > 0 && bytes_parse_i64(slice_sub(s, colon + 1, s.n - colon - 1), &port) == STATUS_OK && port >= 0 &&
		port <= UINT16_MAX && (port > 0 || port_needed);
}

static void check_zookeeper(struct settings_loader *l, bool standalone)
{
	const char *connect = l->s->zookeeper_connect;
	if (connect[0] == '\0') {
		if (!standalone)
			settings_loader_error(l, "zookeeper.connect",
				"zookeeper.connect is needed: host:port[,host:port...][/chroot] of the ensemble (or start one broker "
				"alone with --standalone DIR)");
		return;
	}
	char *hosts = check_strndup(connect, strcspn(connect, "/"));
	const char *at = hosts;
	struct slice item;
	size_t count = 0;
	while (config_list_next(&at, &item)) {
		count++;
		if (!host_and_port_ok(item, false))
			settings_loader_error(l, "zookeeper.connect",
				"zookeeper.connect: \"%.*s\" is not host:port; write host:port[,host:port...][/chroot]",
				(int)(item.n < 120 ? item.n : 120), (const char *)item.p);
	}
	if (count == 0)
		settings_loader_error(l, "zookeeper.connect", "zookeeper.connect=%.120s: no host is named", connect);
	free(hosts);
	const char *digest = l->s->zookeeper_digest;
	if (digest[0] != '\0' && (strchr(digest, ':') == NULL || digest[0] == ':'))
		settings_loader_error(l, "zookeeper.digest", "zookeeper.digest: must be user:password");
}

static void check_between(struct settings_loader *l, const char *key, int32_t value, int32_t least, int32_t most)
{
	if (value < least || value > most)
		settings_loader_error(l, key, "%s=%d: must be from %d to %d, as the .min. and .max. settings beside it say", key, value,
			least, most);
}

static bool is_assignor(struct slice name)
{
	static const char *const known[] = {"uniform", "range", "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
		"org.apache.kafka.coordinator.group.assignor.RangeAssignor"};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_equal(name, slice_of_str(known[i])))
			return true;
	return false;
}

static void check_consumer_groups(struct settings_loader *l)
{
	const struct settings *s = l->s;
	const char *at = s->group_consumer_assignors;
	struct slice item;
	size_t count = 0;
	for (; config_list_next(&at, &item); count++)
		if (!is_assignor(item))
			settings_loader_error(l, "group.consumer.assignors",
				"group.consumer.assignors: \"%.*s\" is not an assignor; uniform and range are",
				(int)(item.n < 120 ? item.n : 120), (const char *)item.p);
	if (count == 0)
		settings_loader_error(l, "group.consumer.assignors", "group.consumer.assignors: uniform, range or both are needed");
	check_between(l, "group.consumer.session.timeout.ms", s->group_consumer_session_timeout_ms,
		s->group_consumer_min_session_timeout_ms, s->group_consumer_max_session_timeout_ms);
	check_between(l, "group.consumer.heartbeat.interval.ms", s->group_consumer_heartbeat_interval_ms,
		s->group_consumer_min_heartbeat_interval_ms, s->group_consumer_max_heartbeat_interval_ms);
}

void settings_check(struct settings_loader *l, bool standalone)
{
	check_roles(l);
	check_broker_id(l);
	check_listeners(l);
	check_log_dirs(l);
	check_zookeeper(l, standalone);
	const struct settings *s = l->s;
	if (s->admin_listener[0] != '\0' && !host_and_port_ok(slice_of_str(s->admin_listener), true))
		settings_loader_error(l, "admin.listener", "admin.listener=%.120s: must be host:port", s->admin_listener);
	if (s->message_max_bytes > s->socket_request_max_bytes)
		settings_loader_warning(l, "message.max.bytes",
			"message.max.bytes=%d: no batch that large can arrive, since socket.request.max.bytes is %d",
			s->message_max_bytes, s->socket_request_max_bytes);
	check_consumer_groups(l);
}
