/* The operator's page over HTTP: /metrics, /healthz, /readyz, /status, /loops. On one loop of its own choosing (the main one);
 * read only. No authentication: keep admin.listener on loopback or behind a firewall. */
#ifndef ADMIN_ADMIN_HTTP_H
#define ADMIN_ADMIN_HTTP_H

#include "base/bytes.h"

struct admin_http;
struct event_base;

struct admin_http_loop {
	const char *name;
	const char *running; /* task or timer now, NULL idle */
	int64_t running_us;
	size_t partitions;
};
/* Filled by the composition root at each request; texts borrowed for the call. */
struct admin_http_state {
	const char *not_ready; /* NULL: ready; else why not, in a sentence */
	const char *version, *cluster_id;
	int32_t broker_id, controller_id, controller_epoch;
	const char *zookeeper; /* "connected", ... */
	uint32_t topics, partitions_led, partitions_hosted, partitions_offline;
	size_t connections, request_bytes;
	int64_t uptime_ms;
	const struct admin_http_loop *loops;
	size_t loop_count;
};
struct admin_http_options {
	struct event_base *base;
	const char *listener; /* host:port; port 0: the system's choice */
	/* On the base's thread. */
	void (*state)(void *arg, struct admin_http_state *ret_state);
	void *arg;
};
MUST_CHECK enum status admin_http_new(const struct admin_http_options *o, struct admin_http **ret_http,
	struct failure *ret_failure);
void admin_http_free(struct admin_http *h);
int admin_http_port(const struct admin_http *h);

#endif
