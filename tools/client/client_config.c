#include "tools/client/client_config.h"
#include "tools/client/assignor.h"
#include <ctype.h>

enum option_kind { KIND_i64, KIND_bool, KIND_string, KIND_acks, KIND_codec, KIND_reset };

struct option_row {
	struct correio_option public;
	enum option_kind kind;
	size_t at; /* in struct client_options */
	int64_t min, max;
};
static const struct option_row rows[CLIENT_OPTION_COUNT] = {
#define OPTION(kind, key, field, def, min, max, unit, text)                                                            \
	{{key, def, unit, text}, KIND_##kind, offsetof(struct client_options, field), min, max},
#include "tools/client/options.def"
#undef OPTION
};

static const char *const codec_names[COMPRESSION_COUNT] = {"none", "gzip", "snappy", "lz4", "zstd"};
static const char *const reset_names[] = {"earliest", "latest", "none"};

const struct correio_option *correio_option_at(size_t index)
{
	return index < CLIENT_OPTION_COUNT ? &rows[index].public : NULL;
}

static int find_name(const char *const *names, size_t count, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], value) == 0)
			return (int)i;
	return -1;
}

const char *client_nearest(const char *word, const char *const *names, size_t count)
{
	const char *best = NULL;
	unsigned best_distance = 1 + (unsigned)strlen(word) / 3;
	for (size_t i = 0; i < count; i++) {
		if (names[i] == NULL)
			continue;
		unsigned distance = bytes_edit_distance(word, names[i], best_distance);
		if (distance < best_distance || (distance == best_distance && best == NULL)) {
			best = names[i];
			best_distance = distance;
		}
	}
	return best;
}

static int refuse(struct correio_error *err, const struct option_row *row, const char *value, const char *allowed)
{
	return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false, "option %s: '%s' is not valid; use %s",
		row->public.key, value, allowed);
}

static int set_number(struct client_options *o, const struct option_row *row, const char *value, struct correio_error *err)
{
	int64_t number;
	if (bytes_parse_i64(slice_of_str(value), &number) != STATUS_OK || number < row->min || number > row->max) {
		char allowed[96];
		(void)snprintf(allowed, sizeof(allowed), "a whole number from %lld to %lld%s%s", (long long)row->min,
			(long long)row->max, row->public.unit[0] != '\0' ? " " : "", row->public.unit);
		return refuse(err, row, value, allowed);
	}
	memcpy((char *)o + row->at, &number, sizeof(number));
	return CORREIO_OK;
}

static int set_acks(struct client_options *o, const struct option_row *row, const char *value, struct correio_error *err)
{
	int acks;
	if (strcmp(value, "all") == 0 || strcmp(value, "-1") == 0)
		acks = -1;
	else if (strcmp(value, "0") == 0 || strcmp(value, "1") == 0)
		acks = value[0] - '0';
	else
		return refuse(err, row, value, "0, 1 or all");
	memcpy((char *)o + row->at, &acks, sizeof(acks));
	return CORREIO_OK;
}

static int set_name(struct client_options *o, const struct option_row *row, const char *value, struct correio_error *err)
{
	bool codec = row->kind == KIND_codec;
	int found = codec ? find_name(codec_names, COMPRESSION_COUNT, value) : find_name(reset_names, 3, value);
	if (found < 0)
		return refuse(err, row, value, codec ? "none, gzip, snappy, lz4 or zstd" : "earliest, latest or none");
	if (codec)
		o->compression_type = (enum compression_type)found;
	else
		o->auto_offset_reset = (enum offset_reset)found;
	return CORREIO_OK;
}

static int set_row(struct correio_config *config, size_t index, const char *value, struct correio_error *err)
{
	const struct option_row *row = &rows[index];
	struct client_options *o = &config->options;
	int code = CORREIO_OK;
	switch (row->kind) {
	case KIND_i64:
		code = set_number(o, row, value, err);
		break;
	case KIND_acks:
		code = set_acks(o, row, value, err);
		break;
	case KIND_codec:
	case KIND_reset:
		code = set_name(o, row, value, err);
		break;
	case KIND_bool:
		if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return refuse(err, row, value, "true or false");
		*(bool *)((char *)o + row->at) = value[0] == 't';
		break;
	case KIND_string:
		break;
	}
	if (code != CORREIO_OK)
		return code;
	char *copy = check_strdup(value);
	free(config->text[index]);
	config->text[index] = copy;
	if (row->kind == KIND_string)
		memcpy((char *)o + row->at, &copy, sizeof(copy));
	return CORREIO_OK;
}

struct correio_config *correio_config_new(void)
{
	struct correio_config *config = (struct correio_config *)check_calloc(1, sizeof(*config));
	for (size_t i = 0; i < CLIENT_OPTION_COUNT; i++) {
		int code = set_row(config, i, rows[i].public.default_value, NULL);
		expect(code == CORREIO_OK);
	}
	return config;
}

void correio_config_free(struct correio_config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < CLIENT_OPTION_COUNT; i++)
		free(config->text[i]);
	free(config);
}

struct correio_config *client_config_copy(const struct correio_config *config)
{
	struct correio_config *copy = correio_config_new();
	for (size_t i = 0; i < CLIENT_OPTION_COUNT; i++) {
		int code = set_row(copy, i, config->text[i], NULL);
		expect(code == CORREIO_OK);
	}
	return copy;
}

static int find_key(const char *key)
{
	for (size_t i = 0; i < CLIENT_OPTION_COUNT; i++)
		if (strcmp(rows[i].public.key, key) == 0)
			return (int)i;
	return -1;
}

int correio_config_set(struct correio_config *config, const char *key, const char *value, struct correio_error *err)
{
	if (config == NULL || key == NULL || value == NULL)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false, "correio_config_set: NULL argument");
	int index = find_key(key);
	if (index >= 0) {
		int code = set_row(config, (size_t)index, value, err);
		if (code == CORREIO_OK && index == CLIENT_OPTION_enable_idempotence)
			config->idempotence_asked_for = config->options.enable_idempotence;
		return code;
	}
	const char *keys[CLIENT_OPTION_COUNT];
	for (size_t i = 0; i < CLIENT_OPTION_COUNT; i++)
		keys[i] = rows[i].public.key;
	const char *nearest = client_nearest(key, keys, CLIENT_OPTION_COUNT);
	return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false, "no option is called %s%s%s%s", key,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

const char *correio_config_get(const struct correio_config *config, const char *key)
{
	int index = find_key(key);
	return index >= 0 ? config->text[index] : NULL;
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int load_line(struct correio_config *config, char *line, struct correio_error *err)
{
	char *key = trim(line);
	if (key[0] == '\0' || key[0] == '#' || key[0] == '!')
		return CORREIO_OK;
	char *equals = strchr(key, '=');
	if (equals == NULL)
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false, "'%s' is not key=value", key);
	*equals = '\0';
	key = trim(key);
	/* Such files serve several tools: what is not ours is somebody else's. */
	return find_key(key) < 0 ? CORREIO_OK : correio_config_set(config, key, trim(equals + 1), err);
}

int correio_config_load(struct correio_config *config, const char *path, struct correio_error *err)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false, "cannot read the option file %s", path);
	char line[4096];
	int code = CORREIO_OK;
	while (code == CORREIO_OK && fgets(line, sizeof(line), file) != NULL)
		code = load_line(config, line, err);
	(void)fclose(file);
	return code;
}

/* Names separated by commas, each known, none twice. */
static int check_assignors(const char *list, struct correio_error *err)
{
	bool seen[ASSIGNOR_COUNT] = {false};
	const char *at = list;
	do {
		size_t n = strcspn(at, ",");
		enum assignor a;
		if (!assignor_find(slice_of(at, n), &a) || seen[a])
			return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
				"option partition.assignment.strategy: '%s' is not valid; use range, roundrobin or cooperative-sticky, "
				"each at most once, separated by commas", list);
		seen[a] = true;
		at += n + (at[n] == ',' ? 1 : 0);
	} while (*at != '\0');
	return CORREIO_OK;
}

int client_config_check(const struct correio_config *config, struct correio_error *err)
{
	const struct client_options *o = &config->options;
	if (o->delivery_timeout_ms < o->linger_ms)
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
			"delivery.timeout.ms (%lld) is below linger.ms (%lld): no record could be delivered; raise it",
			(long long)o->delivery_timeout_ms, (long long)o->linger_ms);
	if (config->idempotence_asked_for && o->acks != -1)
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
			"enable.idempotence=true needs acks=all: leave one of the two out");
	if (o->heartbeat_interval_ms >= o->session_timeout_ms)
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
			"heartbeat.interval.ms (%lld) must be below session.timeout.ms (%lld), a third of it or less",
			(long long)o->heartbeat_interval_ms, (long long)o->session_timeout_ms);
	int code = check_assignors(o->assignment_strategy, err);
	if (code != CORREIO_OK)
		return code;
	struct client_address *list = NULL;
	size_t count = 0;
	code = client_config_parse_servers(o->bootstrap_servers, &list, &count, err);
	if (code == CORREIO_OK)
		client_address_list_free(list, count);
	return code;
}

void client_address_list_free(struct client_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].host);
	free(list);
}

/* "host:port", "[::1]:9092", "host". */
static bool parse_server(struct slice s, struct client_address *ret_address)
{
	enum { DEFAULT_PORT = 9092 };
	size_t host_from = 0, host_to = s.n, port_from = 0;
	if (s.n > 0 && s.p[0] == '[') {
		const uint8_t *end = (const uint8_t *)memchr(s.p, ']', s.n);
		if (end == NULL)
			return false;
		host_from = 1;
		host_to = (size_t)(end - s.p);
		if (host_to + 1 < s.n) {
			if (s.p[host_to + 1] != ':')
				return false;
			port_from = host_to + 2;
		}
	} else {
		const uint8_t *colon = (const uint8_t *)memrchr(s.p, ':', s.n);
		if (colon != NULL) {
			host_to = (size_t)(colon - s.p);
			port_from = host_to + 1;
		}
	}
	int32_t port = DEFAULT_PORT;
	if (port_from > 0 && bytes_parse_i32(slice_sub(s, port_from, s.n - port_from), &port) != STATUS_OK)
		return false;
	if (host_to == host_from || host_to - host_from > 255 || port < 1 || port > 65535)
		return false;
	ret_address->host = check_strndup((const char *)s.p + host_from, host_to - host_from);
	ret_address->port = port;
	return true;
}

int client_config_parse_servers(const char *servers, struct client_address **ret_list, size_t *ret_count,
	struct correio_error *err)
{
	enum { SERVERS_MAX = 64 };
	struct client_address *list = (struct client_address *)check_calloc(SERVERS_MAX, sizeof(*list));
	size_t count = 0;
	const char *at = servers;
	while (*at != '\0') {
		size_t n = strcspn(at, ",");
		const char *next = at + n + (at[n] == ',' ? 1 : 0);
		while (n > 0 && isspace((unsigned char)*at)) {
			at++;
			n--;
		}
		while (n > 0 && isspace((unsigned char)at[n - 1]))
			n--;
		if (n > 0 && (count == SERVERS_MAX || !parse_server(slice_of(at, n), &list[count]))) {
			client_address_list_free(list, count);
			return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
				"bootstrap.servers: '%.*s' is not host:port (port 1 to 65535, at most %d servers)", (int)n, at,
				SERVERS_MAX);
		}
		count += n > 0 ? 1 : 0;
		at = next;
	}
	if (count == 0) {
		free(list);
		return client_error_code(err, CORREIO_ERR_INVALID_CONFIG, false,
			"bootstrap.servers is empty; give at least one host:port");
	}
	*ret_list = list;
	*ret_count = count;
	return CORREIO_OK;
}
