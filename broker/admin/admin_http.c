#include "admin/admin_http.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>
#include <sys/socket.h>
#include <netinet/in.h>

enum { HEADERS_MAX = 8 * 1024, BODY_MAX = 1024, TIMEOUT_S = 10, HOST_MAX = 256 };

struct admin_http {
	unsigned magic;
	struct admin_http_options options;
	struct evhttp *http;
	int port;
};
MAGIC(admin_http, 0x41485454);

static void reply(struct evhttp_request *request, int code, const char *reason, const char *type, struct slice body)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(request);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
	if (evbuffer_add(out, body.p, body.n) != 0) {
		evhttp_send_error(request, HTTP_INTERNAL, "no memory");
		return;
	}
	evhttp_send_reply(request, code, reason, NULL);
}

static void reply_text(struct evhttp_request *request, int code, const char *reason, const char *text)
{
	reply(request, code, reason, "text/plain; charset=utf-8", slice_of_str(text));
}

static void metrics(struct evhttp_request *request, void *arg)
{
	(void)CAST(admin_http, arg);
	size_t n = 0;
	char *text = metrics_format(&n);
	reply(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", slice_of(text, n));
	free(text);
}

/* The process lives and its main loop turns. */
static void healthz(struct evhttp_request *request, void *arg)
{
	(void)CAST(admin_http, arg);
	reply_text(request, HTTP_OK, "OK", "ok\n");
}

static void read_state(const struct admin_http *h, struct admin_http_state *ret_state)
{
	*ret_state = (struct admin_http_state){0};
	h->options.state(h->options.arg, ret_state);
}

static void readyz(struct evhttp_request *request, void *arg)
{
	struct admin_http_state state;
	char text[512];
	read_state(CAST(admin_http, arg), &state);
	if (state.not_ready == NULL) {
		reply_text(request, HTTP_OK, "OK", "ready\n");
		return;
	}
	(void)snprintf(text, sizeof(text), "not ready: %s\n", state.not_ready);
	reply_text(request, HTTP_SERVUNAVAIL, "Service Unavailable", text);
}

static void reply_json(struct evhttp_request *request, json_t *json)
{
	char *dumped = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2));
	char *text = dumped == NULL ? NULL : check_asprintf("%s\n", dumped);
	free(dumped);
	json_decref(json);
	if (text == NULL)
		evhttp_send_error(request, HTTP_INTERNAL, "no memory");
	else
		reply(request, HTTP_OK, "OK", "application/json", slice_of_str(text));
	free(text);
}

static void status(struct evhttp_request *request, void *arg)
{
	struct admin_http_state s;
	read_state(CAST(admin_http, arg), &s);
	reply_json(request, json_pack("{s:s, s:i, s:s?, s:b, s:s?, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"version", s.version, "broker_id", s.broker_id, "cluster_id", s.cluster_id, "ready", s.not_ready == NULL,
		"not_ready", s.not_ready, "zookeeper", s.zookeeper, "controller_id", s.controller_id, "controller_epoch",
		s.controller_epoch, "topics", (json_int_t)s.topics, "partitions_led", (json_int_t)s.partitions_led,
		"partitions_hosted", (json_int_t)s.partitions_hosted, "partitions_offline", (json_int_t)s.partitions_offline,
		"connections", (json_int_t)s.connections, "request_bytes", (json_int_t)s.request_bytes, "loops",
		(json_int_t)s.loop_count, "uptime_ms", (json_int_t)s.uptime_ms));
}

static void loops(struct evhttp_request *request, void *arg)
{
	struct admin_http_state s;
	read_state(CAST(admin_http, arg), &s);
	json_t *list = json_array();
	for (size_t i = 0; i < s.loop_count; i++) {
		const struct admin_http_loop *l = &s.loops[i];
		(void)json_array_append_new(list, json_pack("{s:s, s:s?, s:I, s:I}", "name", l->name, "running", l->running,
			"running_us", (json_int_t)l->running_us, "partitions", (json_int_t)l->partitions));
	}
	reply_json(request, list);
}

static void nothing_here(struct evhttp_request *request, void *arg)
{
	(void)CAST(admin_http, arg);
	reply_text(request, HTTP_NOTFOUND, "Not Found", "there are /metrics /healthz /readyz /status /loops\n");
}

static int bound_port(struct evhttp_bound_socket *bound)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t n = sizeof(address);
	memset(&address, 0, sizeof(address));
	if (getsockname(evhttp_bound_socket_get_fd(bound), &address.any, &n) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* "host:port", "[::1]:port"; copies the host without brackets. */
static enum status split_listener(const char *listener, char host[HOST_MAX], int32_t *ret_port)
{
	const char *colon = strrchr(listener, ':');
	if (colon == NULL)
		return STATUS_INVALID_CONFIG;
	struct slice name = slice_of(listener, (size_t)(colon - listener));
	if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = slice_sub(name, 1, name.n - 2);
	if (name.n >= HOST_MAX || bytes_parse_i32(slice_of_str(colon + 1), ret_port) != STATUS_OK)
		return STATUS_INVALID_CONFIG;
	if (*ret_port < 0 || *ret_port > UINT16_MAX)
		return STATUS_INVALID_CONFIG;
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	return STATUS_OK;
}

static void set_limits(struct evhttp *http)
{
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_timeout(http, TIMEOUT_S);
}

static bool set_pages(struct admin_http *h)
{
	evhttp_set_gencb(h->http, nothing_here, h);
	return evhttp_set_cb(h->http, "/metrics", metrics, h) == 0 && evhttp_set_cb(h->http, "/healthz", healthz, h) == 0 &&
		evhttp_set_cb(h->http, "/readyz", readyz, h) == 0 && evhttp_set_cb(h->http, "/status", status, h) == 0 &&
		evhttp_set_cb(h->http, "/loops", loops, h) == 0;
}

enum status admin_http_new(const struct admin_http_options *o, struct admin_http **ret_http, struct failure *ret_failure)
{
	char host[HOST_MAX];
	int32_t port = 0;
	expect(o->state != NULL);
	if (split_listener(o->listener, host, &port) != STATUS_OK)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "admin.listener=%s: use host:port, e.g. 127.0.0.1:9644",
			o->listener);
	struct admin_http *h = check_calloc(1, sizeof(*h));
	h->magic = admin_http_magic;
	h->options = *o;
	h->http = evhttp_new(o->base);
	struct evhttp_bound_socket *bound = NULL;
	if (h->http != NULL && set_pages(h)) {
		set_limits(h->http);
		bound = evhttp_bind_socket_with_handle(h->http, host, (ev_uint16_t)port);
	}
	if (bound == NULL) {
		admin_http_free(h);
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "admin.listener=%s: cannot listen there: is the port taken?",
			o->listener);
	}
	h->port = bound_port(bound);
	diag_info("admin_page", "host=%s port=%d", host, h->port);
	*ret_http = h;
	return STATUS_OK;
}

void admin_http_free(struct admin_http *h)
{
	if (h == NULL)
		return;
	CHECK_MAGIC(admin_http, h);
	if (h->http != NULL)
		evhttp_free(h->http);
	h->magic = 0;
	free(h);
}

int admin_http_port(const struct admin_http *h)
{
	CHECK_MAGIC(admin_http, h);
	return h->port;
}
