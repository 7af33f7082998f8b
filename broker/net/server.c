#include "net/server.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "net/connection_internal.h"
#include "net/listener.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum {
	DEFAULT_REQUESTS_IN_FLIGHT = 64,
	DEFAULT_RESPONSE_BYTES = 1024 * 1024,
	DEFAULT_REQUEST_BYTES = 64 * 1024 * 1024,
	DEFAULT_IDLE_MS = 10 * 60 * 1000,
	DEFAULT_FIRST_BYTES_MS = 10 * 1000,
	DEFAULT_FIRST_FRAME_BYTES = 4 * 1024,
	CUT_WAIT_MS = 5 * 1000, /* for loops to close what was cut */
	LOOPS_MAX = REQUEST_BUDGET_LOOPS,
};

struct net_server {
	unsigned magic;
	struct net_shared shared;
	int loop_count, listener_count;
	struct net_loop *loops[LOOPS_MAX];
	struct listener *listeners[NET_LISTENERS_MAX];
	_Atomic unsigned next_loop; /* where the next connection goes */
	atomic_bool stopping;
	bool closing;
};
MAGIC(net_server, 0x4e535256);

static void fill_defaults(struct connection_limits *limits)
{
	if (limits->max_connections == 0)
		limits->max_connections = SIZE_MAX;
	if (limits->requests_in_flight_max == 0)
		limits->requests_in_flight_max = DEFAULT_REQUESTS_IN_FLIGHT;
	if (limits->response_bytes_max == 0)
		limits->response_bytes_max = DEFAULT_RESPONSE_BYTES;
	if (limits->queued_max_request_bytes == 0)
		limits->queued_max_request_bytes = DEFAULT_REQUEST_BYTES;
	if (limits->idle_timeout_ms == 0)
		limits->idle_timeout_ms = DEFAULT_IDLE_MS;
	if (limits->first_bytes_timeout_ms == 0)
		limits->first_bytes_timeout_ms = DEFAULT_FIRST_BYTES_MS;
	if (limits->first_frame_bytes_max == 0)
		limits->first_frame_bytes_max = DEFAULT_FIRST_FRAME_BYTES;
	/* Beyond a year in milliseconds the arithmetic in microseconds could overflow; nobody means it. */
	const int64_t year_ms = INT64_C(366) * 24 * 3600 * 1000;
	if (limits->idle_timeout_ms > year_ms)
		limits->idle_timeout_ms = year_ms;
	expect(limits->idle_timeout_ms > 0 && limits->first_bytes_timeout_ms > 0);
}

void net_shared_count_closed(struct net_shared *shared)
{
	size_t before = atomic_fetch_sub(&shared->open_count, 1);
	expect(before > 0);
	if (before > 1)
		return;
	pthread_mutex_lock(&shared->lock);
	pthread_cond_broadcast(&shared->all_closed);
	pthread_mutex_unlock(&shared->lock);
}

static void server_accepted(void *arg, int listener_index, int fd, const char *peer)
{
	struct net_server *s = CAST(net_server, arg);
	const char *listener = listener_name(s->listeners[listener_index]);
	if (atomic_fetch_add(&s->shared.open_count, 1) >= s->shared.limits.max_connections) {
		net_shared_count_closed(&s->shared);
		metrics_add(METRIC_connections_refused, 1);
		diag_warn("connection_refused", "peer=%s listener=%s cause=\"max.connections=%zu are open\"", peer, listener,
			s->shared.limits.max_connections);
		close(fd);
		return;
	}
	unsigned next = atomic_fetch_add_explicit(&s->next_loop, 1, memory_order_relaxed);
	connection_accept(s->loops[next % (unsigned)s->loop_count], fd, peer, listener);
}

static enum status open_listeners(
	struct net_server *s, const struct net_server_options *options, struct failure *ret_failure)
{
	expect(options->listener_count >= 0 && options->listener_count <= NET_LISTENERS_MAX);
	for (int i = 0; i < options->listener_count; i++) {
		struct listener_options o = {
			.loop = s->loops[i % s->loop_count]->loop,
			.name = options->listeners[i].name,
			.host = options->listeners[i].host,
			.port = options->listeners[i].port,
			.index = i,
			.accepted = server_accepted,
			.arg = s,
		};
		TRY(listener_new(&o, ret_failure, &s->listeners[i]));
		s->listener_count++;
	}
	return STATUS_OK;
}

enum status net_server_new(
	const struct net_server_options *options, struct failure *ret_failure, struct net_server **ret_server)
{
	expect(options->loops != NULL && ret_server != NULL);
	struct net_server *s = check_calloc(1, sizeof(*s));
	s->magic = net_server_magic;
	s->shared.limits = options->limits;
	fill_defaults(&s->shared.limits);
	s->shared.native_front = options->native_front;
	s->shared.kafka_front = options->kafka_front;
	request_budget_init(&s->shared.budget, s->shared.limits.queued_max_request_bytes);
	pthread_mutex_init(&s->shared.lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->shared.all_closed, &attr);
	pthread_condattr_destroy(&attr);
	s->loop_count = loop_group_count(options->loops);
	expect(s->loop_count <= LOOPS_MAX);
	for (int i = 0; i < s->loop_count; i++)
		s->loops[i] = net_loop_new(&s->shared, loop_group_loop(options->loops, i), i);
	enum status status = open_listeners(s, options, ret_failure);
	if (status != STATUS_OK) {
		net_server_free(s);
		return status;
	}
	*ret_server = s;
	return STATUS_OK;
}

void net_server_start(struct net_server *s)
{
	CHECK_MAGIC(net_server, s);
	for (int i = 0; i < s->listener_count; i++) {
		listener_start(s->listeners[i]);
		diag_info("listening", "listener=%s port=%d", listener_name(s->listeners[i]), listener_port(s->listeners[i]));
	}
}

int net_server_port(const struct net_server *s, int listener)
{
	CHECK_MAGIC(net_server, s);
	expect(listener >= 0 && listener < s->listener_count);
	return listener_port(s->listeners[listener]);
}

void net_server_stop_accepting(struct net_server *s)
{
	CHECK_MAGIC(net_server, s);
	if (atomic_exchange(&s->stopping, true))
		return;
	for (int i = 0; i < s->listener_count; i++)
		listener_stop(s->listeners[i]);
}

/* True if all are closed. */
static bool wait_all_closed(struct net_server *s, int64_t timeout_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
	until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	int rc = 0;
	pthread_mutex_lock(&s->shared.lock);
	while (atomic_load(&s->shared.open_count) > 0 && rc == 0)
		rc = pthread_cond_timedwait(&s->shared.all_closed, &s->shared.lock, &until);
	pthread_mutex_unlock(&s->shared.lock);
	return atomic_load(&s->shared.open_count) == 0;
}

size_t net_server_close_connections(struct net_server *s, int64_t deadline_ms)
{
	CHECK_MAGIC(net_server, s);
	expect(!s->closing && deadline_ms >= 0);
	s->closing = true;
	net_server_stop_accepting(s);
	for (int i = 0; i < s->loop_count; i++)
		scheduler_post(s->loops[i]->scheduler, &s->loops[i]->drain_task);
	if (wait_all_closed(s, deadline_ms))
		return 0;
	size_t left = atomic_load(&s->shared.open_count);
	diag_warn("connections_cut", "count=%zu cause=\"requests not answered within %" PRId64 " ms\"", left, deadline_ms);
	for (int i = 0; i < s->loop_count; i++)
		scheduler_post(s->loops[i]->scheduler, &s->loops[i]->cut_task);
	if (!wait_all_closed(s, CUT_WAIT_MS))
		diag_error("connections_not_closed", "count=%zu cause=\"an event loop does not answer\"",
			atomic_load(&s->shared.open_count));
	return left;
}

size_t net_server_connection_count(const struct net_server *s)
{
	CHECK_MAGIC(net_server, s);
	return atomic_load(&s->shared.open_count);
}

size_t net_server_request_bytes(const struct net_server *s)
{
	CHECK_MAGIC(net_server, s);
	return request_budget_used(&s->shared.budget);
}

void net_server_free(struct net_server *s)
{
	if (s == NULL)
		return;
	CHECK_MAGIC(net_server, s);
	for (int i = 0; i < s->listener_count; i++)
		listener_free(s->listeners[i]);
	for (int i = 0; i < s->loop_count; i++)
		net_loop_free(s->loops[i]);
	pthread_cond_destroy(&s->shared.all_closed);
	pthread_mutex_destroy(&s->shared.lock);
	s->magic = 0;
	free(s);
}
