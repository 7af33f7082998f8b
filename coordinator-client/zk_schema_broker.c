/* /brokers/ids/<id>. */
#include "coordinator-client/zk_schema_internal.h"

void zk_schema_broker_fini(struct zk_schema_broker *b)
{
	for (size_t i = 0; i < b->endpoint_count; i++) {
		free(b->endpoints[i].listener);
		free(b->endpoints[i].security_protocol);
		free(b->endpoints[i].host);
	}
	free(b->endpoints);
	free(b->rack);
	free(b->features);
	free(b->unknown);
	*b = (struct zk_schema_broker){0};
}

/* --- out ------------------------------------------------------------------ */

static void put_endpoints(struct schema_text *t, const struct zk_schema_broker *b)
{
	zk_schema_text_put(t, ",\"listener_security_protocol_map\":{");
	for (size_t i = 0; i < b->endpoint_count; i++) {
		zk_schema_text_put(t, "%s", i > 0 ? "," : "");
		zk_schema_text_put_string(t, b->endpoints[i].listener);
		zk_schema_text_put(t, ":");
		zk_schema_text_put_string(t, b->endpoints[i].security_protocol);
	}
	zk_schema_text_put(t, "},\"endpoints\":[");
	for (size_t i = 0; i < b->endpoint_count; i++) {
		const struct zk_schema_endpoint *e = &b->endpoints[i];
		bool brackets = strchr(e->host, ':') != NULL;
		char *text = check_asprintf("%s://%s%s%s:%d", e->listener, brackets ? "[" : "", e->host,
			brackets ? "]" : "", e->port);
		zk_schema_text_put(t, "%s", i > 0 ? "," : "");
		zk_schema_text_put_string(t, text);
		free(text);
	}
	zk_schema_text_put(t, "]");
}

static const struct zk_schema_endpoint *plaintext_endpoint(const struct zk_schema_broker *b)
{
	for (size_t i = 0; i < b->endpoint_count; i++) {
		if (strcmp(b->endpoints[i].security_protocol, "PLAINTEXT") == 0)
			return &b->endpoints[i];
	}
	return NULL;
}

char *zk_schema_broker_encode(const struct zk_schema_broker *b)
{
	expect(b->endpoint_count > 0 && b->endpoint_count <= ZK_SCHEMA_ENDPOINTS_MAX);
	struct schema_text t;
	zk_schema_text_init(&t);
	zk_schema_text_put(&t, "{\"features\":%s", b->features == NULL ? "{}" : b->features);
	put_endpoints(&t, b);
	if (b->rack != NULL) {
		zk_schema_text_put(&t, ",\"rack\":");
		zk_schema_text_put_string(&t, b->rack);
	}
	const struct zk_schema_endpoint *plain = plaintext_endpoint(b);
	zk_schema_text_put(&t, ",\"jmx_port\":%d,\"port\":%d,\"host\":", b->jmx_port, plain == NULL ? -1 : plain->port);
	if (plain == NULL)
		zk_schema_text_put(&t, "null");
	else
		zk_schema_text_put_string(&t, plain->host);
	zk_schema_text_put(&t, ",\"version\":5,\"timestamp\":\"%lld\"", (long long)b->timestamp_ms);
	zk_schema_text_put_unknown(&t, b->unknown);
	zk_schema_text_put(&t, "}");
	return zk_schema_text_take(&t);
}

/* --- in ------------------------------------------------------------------- */

/* "NAME://host:port", "NAME://[v6]:port"; the host may be empty. */
static bool endpoint_parse(const char *text, struct zk_schema_endpoint *e)
{
	const char *separator = strstr(text, "://");
	const char *colon = strrchr(text, ':');
	if (separator == NULL || separator == text || colon == NULL || colon < separator + 3)
		return false;
	int32_t port;
	if (bytes_parse_i32(slice_of_str(colon + 1), &port) != STATUS_OK || port < 0 || port > 65535)
		return false;
	const char *host = separator + 3;
	size_t host_n = (size_t)(colon - host);
	if (host_n >= 2 && host[0] == '[' && host[host_n - 1] == ']') {
		host++;
		host_n -= 2;
	}
	if (host_n > 255 || separator - text > 255)
		return false;
	e->listener = check_strndup(text, (size_t)(separator - text));
	e->host = check_strndup(host, host_n);
	e->port = port;
	return true;
}

/* Which protocol a listener speaks; before version 4 the listener's name said it. */
static char *endpoint_protocol(const json_t *map, const char *listener)
{
	const char *protocol = json_string_value(json_object_get(map, listener));
	return check_strdup(protocol != NULL ? protocol : listener);
}

static bool listener_is_known(const struct zk_schema_broker *b, const char *listener)
{
	for (size_t i = 0; i < b->endpoint_count; i++) {
		if (strcmp(b->endpoints[i].listener, listener) == 0)
			return true;
	}
	return false;
}

static void read_endpoints(struct schema_reader *r, struct zk_schema_broker *b)
{
	const json_t *list = zk_schema_reader_member(r, "endpoints", JSON_ARRAY, SCHEMA_REQUIRED);
	const json_t *map = zk_schema_reader_member(r, "listener_security_protocol_map", JSON_OBJECT, SCHEMA_OPTIONAL);
	size_t count = json_array_size(list);
	if (count == 0 || count > ZK_SCHEMA_ENDPOINTS_MAX)
		zk_schema_reader_fail(r, "has no endpoints, or more than 64");
	if (!zk_schema_reader_ok(r))
		return;
	b->endpoints = check_calloc(count, sizeof *b->endpoints);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text == NULL || !endpoint_parse(text, &b->endpoints[i])) {
			zk_schema_reader_fail(r, "has an endpoint that is not NAME://host:port");
			return;
		}
		if (listener_is_known(b, b->endpoints[i].listener))
			zk_schema_reader_fail(r, "has two endpoints of one listener");
		b->endpoints[i].security_protocol = endpoint_protocol(map, b->endpoints[i].listener);
		b->endpoint_count = i + 1;
	}
}

/* Version 1 knows one plaintext host and port. */
static void read_host_and_port(struct schema_reader *r, struct zk_schema_broker *b)
{
	char *host = zk_schema_reader_string(r, "host", SCHEMA_REQUIRED);
	int32_t port = zk_schema_reader_i32(r, "port", SCHEMA_REQUIRED, -1);
	if (zk_schema_reader_ok(r) && (host == NULL || strlen(host) > 255 || port < 0 || port > 65535))
		zk_schema_reader_fail(r, "has an impossible host or port");
	if (!zk_schema_reader_ok(r)) {
		free(host);
		return;
	}
	b->endpoints = check_calloc(1, sizeof *b->endpoints);
	b->endpoints[0] = (struct zk_schema_endpoint){.listener = check_strdup("PLAINTEXT"),
		.security_protocol = check_strdup("PLAINTEXT"), .host = host, .port = port};
	b->endpoint_count = 1;
}

enum status zk_schema_broker_decode(const char *path, struct slice data, struct zk_schema_broker *ret_broker,
	struct failure *ret_failure)
{
	static const char *const known[] = {"version", "endpoints", "listener_security_protocol_map", "rack", "jmx_port",
		"port", "host", "timestamp", "features", NULL};
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	struct zk_schema_broker b = {.version = zk_schema_reader_i32(&r, "version", SCHEMA_REQUIRED, 0)};
	if (zk_schema_reader_ok(&r) && b.version < 1)
		zk_schema_reader_fail(&r, "has a version below 1");
	if (b.version >= 2)
		read_endpoints(&r, &b);
	else
		read_host_and_port(&r, &b);
	b.rack = zk_schema_reader_string(&r, "rack", SCHEMA_OPTIONAL);
	b.jmx_port = zk_schema_reader_i32(&r, "jmx_port", SCHEMA_OPTIONAL, -1);
	b.timestamp_ms = zk_schema_reader_i64(&r, "timestamp", SCHEMA_OPTIONAL, 0);
	const json_t *features = zk_schema_reader_member(&r, "features", JSON_OBJECT, SCHEMA_OPTIONAL);
	if (features != NULL && json_object_size(features) > 0)
		b.features = json_dumps(features, JSON_COMPACT);
	b.unknown = zk_schema_reader_unknown(&r, known);
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		zk_schema_broker_fini(&b);
		return s;
	}
	*ret_broker = b;
	return STATUS_OK;
}
