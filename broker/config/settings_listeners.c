#include "config/settings.h"

#include <ctype.h>
#include <strings.h>
#include <unistd.h>

static bool listener_name_ok(struct slice name)
{
	if (name.n == 0 || name.n >= sizeof(((struct settings_listener *)NULL)->name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum(name.p[i]) && name.p[i] != '_' && name.p[i] != '-' && name.p[i] != '.')
			return false;
	return true;
}

static size_t find_last(struct slice s, uint8_t c)
{
	size_t i = s.n;
	while (i > 0 && s.p[i - 1] != c)
		i--;
	return i == 0 ? s.n : i - 1;
}

static enum status parse_address(struct slice item, struct slice address, struct settings_listener *ret, struct failure *f)
{
	size_t colon = find_last(address, ':');
	if (colon == address.n)
		return failure_set(f, STATUS_INVALID_CONFIG, "\"%.*s\": the port is missing; write NAME://host:port", (int)item.n,
			(const char *)item.p);
	int64_t port = 0;
	if (bytes_parse_i64(slice_sub(address, colon + 1, address.n - colon - 1), &port) != STATUS_OK || port < 0 ||
		port > UINT16_MAX)
		return failure_set(f, STATUS_INVALID_CONFIG, "\"%.*s\": the port must be a number from 0 to 65535", (int)item.n,
			(const char *)item.p);
	struct slice host = slice_sub(address, 0, colon);
	bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (bracketed)
		host = slice_sub(host, 1, host.n - 2);
	bool plain = true;
	for (size_t i = 0; i < host.n; i++)
		plain = plain && (isalnum(host.p[i]) || host.p[i] == '.' || host.p[i] == '-' || host.p[i] == '_' ||
					 (bracketed && (host.p[i] == ':' || host.p[i] == '%')));
	if (!plain || host.n >= sizeof(ret->host))
		return failure_set(f, STATUS_INVALID_CONFIG,
			"\"%.*s\": the host must be a name or an address (IPv6 in brackets)", (int)item.n, (const char *)item.p);
	snprintf(ret->host, sizeof(ret->host), "%.*s", (int)host.n, (const char *)host.p);
	ret->port = (uint16_t)port;
	return STATUS_OK;
}

static enum status parse_listener(struct slice item, struct settings_listener *ret, struct failure *f)
{
	size_t n = 0;
	while (n < item.n && item.p[n] != ':')
		n++;
	bool separated = n + 3 <= item.n && memcmp(item.p + n, "://", 3) == 0;
	if (!separated || item.n > 400)
		return failure_set(f, STATUS_INVALID_CONFIG, "\"%.*s\": write NAME://host:port", (int)(item.n < 120 ? item.n : 120),
			(const char *)item.p);
	struct slice name = slice_sub(item, 0, n);
	if (!listener_name_ok(name))
		return failure_set(f, STATUS_INVALID_CONFIG, "\"%.*s\": a listener's name has letters, digits, _ - . (at most 63)",
			(int)item.n, (const char *)item.p);
	TRY(parse_address(item, slice_sub(item, n + 3, item.n - n - 3), ret, f));
	for (size_t i = 0; i <= n; i++) /* Kafka compares the names in upper case */
		ret->name[i] = i < n ? (char)toupper(name.p[i]) : '\0';
	return STATUS_OK;
}

enum status settings_parse_listeners(const char *text, struct settings_listener ret_list[SETTINGS_LISTENERS_MAX],
	size_t *ret_count, struct failure *ret_failure)
{
	size_t count = 0;
	struct slice item;
	while (config_list_next(&text, &item)) {
		if (count == SETTINGS_LISTENERS_MAX)
			return failure_set(ret_failure, STATUS_INVALID_CONFIG, "more than %d listeners", SETTINGS_LISTENERS_MAX);
		struct settings_listener *l = &ret_list[count];
		*l = (struct settings_listener){0};
		TRY(parse_listener(item, l, ret_failure));
		for (size_t i = 0; i < count; i++)
			if (strcmp(ret_list[i].name, l->name) == 0)
				return failure_set(ret_failure, STATUS_INVALID_CONFIG, "two listeners are named %s", l->name);
		count++;
	}
	if (count == 0)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "at least one NAME://host:port is needed");
	*ret_count = count;
	return STATUS_OK;
}

enum status settings_advertised_listeners(const struct settings *s,
	struct settings_listener ret_list[SETTINGS_LISTENERS_MAX], size_t *ret_count, struct failure *ret_failure)
{
	bool own = config_trim(slice_of_str(s->advertised_listeners)).n > 0;
	TRY(settings_parse_listeners(own ? s->advertised_listeners : s->listeners, ret_list, ret_count, ret_failure));
	for (size_t i = 0; i < *ret_count; i++) {
		struct settings_listener *l = &ret_list[i];
		if (l->host[0] != '\0')
			continue;
		if (gethostname(l->host, sizeof(l->host)) != 0)
			return failure_set(ret_failure, STATUS_INVALID_CONFIG, "%s: this host has no name; set advertised.listeners",
				l->name);
		l->host[sizeof(l->host) - 1] = '\0';
	}
	return STATUS_OK;
}

size_t settings_inter_broker_listener(const struct settings *s, const struct settings_listener *list, size_t count)
{
	expect(count > 0);
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(s->inter_broker_listener_name, list[i].name) == 0)
			return i;
	return 0;
}

const char *settings_log_dirs(const struct settings *s)
{
	return config_trim(slice_of_str(s->log_dirs)).n > 0 ? s->log_dirs : s->log_dir;
}

bool settings_has_role(const struct settings *s, const char *role)
{
	const char *at = s->process_roles;
	struct slice item;
	while (config_list_next(&at, &item))
		if (slice_equal(item, slice_of_str(role)))
			return true;
	return false;
}

int32_t settings_network_threads(const struct settings *s, unsigned cores)
{
	enum { MOST = 64 };
	if (s->num_network_threads > 0)
		return s->num_network_threads;
	return cores < 1 ? 1 : cores > MOST ? MOST : (int32_t)cores;
}

int32_t settings_io_threads(const struct settings *s, unsigned cores)
{
	enum { FEWEST = 2, MOST = 16 };
	if (s->num_io_threads > 0)
		return s->num_io_threads;
	return cores < FEWEST ? FEWEST : cores > MOST ? MOST : (int32_t)cores;
}
