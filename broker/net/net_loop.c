/* What the connections of one loop have in common: lists by age, waiting for the budget, the turn's end, spare memory. */
#include "net/connection_internal.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <inttypes.h>
#include <unistd.h>

enum {
	SWEEP_PERIOD_US = 1000 * 1000,
	SWEEP_PERIOD_MIN_US = 10 * 1000,
	SPARE_REQUESTS_MAX = 256,
	SPARE_BLOCKS_BYTES = 4 * 1024 * 1024,
};

/* ---- requests ---- */

struct request *net_loop_request_get(struct net_loop *l)
{
	struct request *r = l->spare_requests;
	if (r != NULL) {
		l->spare_requests = r->next;
		l->spare_request_count--;
		if (l->spare_request_count < l->spare_request_least)
			l->spare_request_least = l->spare_request_count;
	} else {
		r = check_calloc(1, sizeof(*r));
		arena_init(&r->arena, 0);
	}
	struct arena arena = r->arena;
	*r = (struct request){.magic = request_magic, .arena = arena};
	return r;
}

static void request_free(struct request *r)
{
	arena_fini(&r->arena);
	free(r);
}

void net_loop_request_put(struct net_loop *l, struct request *r)
{
	CHECK_MAGIC(request, r);
	iobuf_fini(&r->response);
	if (r->block != NULL)
		iobuf_block_shared_unref(r->block);
	r->magic = 0; /* a second request_complete is caught */
	if (l->spare_request_count >= SPARE_REQUESTS_MAX) {
		request_free(r);
		return;
	}
	arena_reset(&r->arena);
	r->next = l->spare_requests;
	l->spare_requests = r;
	l->spare_request_count++;
}

static void spare_requests_drop(struct net_loop *l, unsigned n)
{
	expect(n <= l->spare_request_count);
	l->spare_request_count -= n;
	for (; n > 0; n--) {
		struct request *r = l->spare_requests;
		l->spare_requests = r->next;
		request_free(r);
	}
	l->spare_request_least = l->spare_request_count;
}

/* ---- lists ---- */

void net_loop_attach(struct net_loop *l, struct connection *c)
{
	expect_on_loop(l->scheduler);
	pthread_mutex_lock(&l->shared->lock);
	TAILQ_REMOVE(&l->arriving, c, link);
	pthread_mutex_unlock(&l->shared->lock);
	TAILQ_INSERT_TAIL(&l->strangers, c, link);
	metrics_add(METRIC_connections, 1);
	if (!l->sweep.armed)
		scheduler_timer_arm(l->scheduler, &l->sweep, l->sweep_period_us);
}

void net_loop_greeted(struct net_loop *l, struct connection *c)
{
	expect(!c->greeted && !c->closed);
	TAILQ_REMOVE(&l->strangers, c, link);
	TAILQ_INSERT_TAIL(&l->active, c, link);
	c->greeted = true;
}

void net_loop_active(struct net_loop *l, struct connection *c, int64_t now_us)
{
	c->active_us = now_us;
	if (!c->greeted)
		return;
	TAILQ_REMOVE(&l->active, c, link);
	TAILQ_INSERT_TAIL(&l->active, c, link);
}

void net_loop_starve(struct net_loop *l, struct connection *c)
{
	expect(!c->starved && !c->closed);
	c->starved = true;
	l->starved_count++;
	TAILQ_INSERT_TAIL(&l->starved, c, starved_link);
}

void net_loop_unstarve(struct net_loop *l, struct connection *c)
{
	expect(c->starved);
	expect(l->starved_count > 0);
	c->starved = false;
	l->starved_count--;
	TAILQ_REMOVE(&l->starved, c, starved_link);
}

static void net_loop_fed(struct task *t)
{
	struct net_loop *l = CAST(net_loop, request_budget_woken(t));
	struct connection *c;
	/* Once round, in their order; those for whom there is nothing keep their place. Reading here and not when the socket
	 * reports spares the many that would only find the room gone again two system calls each. */
	for (unsigned n = l->starved_count; n > 0 && (c = TAILQ_FIRST(&l->starved)) != NULL; n--) {
		net_loop_unstarve(l, c);
		connection_read_again(c);
	}
	if (!TAILQ_EMPTY(&l->starved) && !request_budget_wait(&l->shared->budget, l->index))
		request_budget_wake(&l->shared->budget, l->index);
}

void net_loop_give_back(struct net_loop *l, size_t n)
{
	if (n == 0)
		return;
	l->give_back += n;
	metrics_add(METRIC_request_bytes_held, -(int64_t)n);
	net_loop_queue_turn_end(l);
}

/* ---- the turn's end ---- */

void net_loop_queue_turn_end(struct net_loop *l)
{
	if (l->turn_end_queued)
		return;
	l->turn_end_queued = true;
	event_loop_at_turn_end(l->loop, &l->turn_end);
}

static void net_loop_turn_end(struct task *t)
{
	struct net_loop *l = CAST(net_loop, CONTAINER_OF(t, struct net_loop, turn_end));
	l->turn_end_queued = false;
	struct connection_list dirty = TAILQ_HEAD_INITIALIZER(dirty);
	TAILQ_CONCAT(&dirty, &l->dirty, dirty_link); /* what becomes dirty meanwhile has its turn next time */
	struct connection *c;
	while ((c = TAILQ_FIRST(&dirty)) != NULL) {
		TAILQ_REMOVE(&dirty, c, dirty_link);
		c->dirty = false;
		connection_turn_end(c);
	}
	size_t n = l->give_back;
	l->give_back = 0;
	if (n > 0)
		request_budget_give(&l->shared->budget, n);
}

/* ---- time ---- */

static void sweep_strangers(struct net_loop *l, int64_t now_us)
{
	struct connection *c;
	int64_t limit_us = l->shared->limits.first_bytes_timeout_ms * 1000;
	while ((c = TAILQ_FIRST(&l->strangers)) != NULL && now_us - c->opened_us >= limit_us) {
		metrics_add(METRIC_frames_refused, 1);
		diag_warn("connection_timed_out", "peer=%s listener=%s cause=\"no whole request within %" PRId64 " ms\"",
			c->peer, c->listener, limit_us / 1000);
		connection_close(c);
	}
}

static bool only_waits_for_answers(const struct connection *c)
{
	return c->requests_in_flight > 0 && c->out.size_bytes == 0;
}

static void sweep_idle(struct net_loop *l, int64_t now_us)
{
	struct connection *c;
	int64_t limit_us = l->shared->limits.idle_timeout_ms * 1000;
	while ((c = TAILQ_FIRST(&l->active)) != NULL && now_us - c->active_us >= limit_us) {
		if (only_waits_for_answers(c)) {
			net_loop_active(l, c, now_us);
			continue;
		}
		diag_debug("connection_idle", "peer=%s listener=%s unsent_bytes=%zu", c->peer, c->listener,
			c->out.size_bytes);
		connection_close(c);
	}
}

/* While others wait for the budget nobody may sit on half a frame without sending. */
static void sweep_stalled(struct net_loop *l, int64_t now_us)
{
	int64_t limit_us = l->shared->limits.first_bytes_timeout_ms * 1000;
	if (request_budget_has_room(&l->shared->budget))
		return;
	struct connection *c = TAILQ_FIRST(&l->active), *next;
	for (; c != NULL && now_us - c->active_us >= limit_us; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!frame_input_partial(&c->input) || c->starved || !c->read_armed)
			continue;
		diag_warn("connection_timed_out", "peer=%s listener=%s held_bytes=%zu cause=\"a request stopped half-way while others wait for memory\"",
			c->peer, c->listener, c->input_bytes);
		connection_close(c);
	}
}

static void net_loop_sweep(struct loop_timer *t)
{
	struct net_loop *l = CAST(net_loop, CONTAINER_OF(t, struct net_loop, sweep));
	int64_t now_us = clock_monotonic_us(l->scheduler->clock);
	sweep_strangers(l, now_us);
	sweep_idle(l, now_us);
	sweep_stalled(l, now_us);
	spare_requests_drop(l, l->spare_request_least);
	bool needed = !TAILQ_EMPTY(&l->strangers) || !TAILQ_EMPTY(&l->active) || l->spare_request_count > 0;
	if (needed)
		scheduler_timer_arm(l->scheduler, &l->sweep, l->sweep_period_us);
}

/* ---- end ---- */

static void finish_all(struct connection_list *list)
{
	struct connection *c;
	TAILQ_FOREACH(c, list, link)
	connection_finish(c);
}

static void net_loop_drain(struct task *t)
{
	struct net_loop *l = CAST(net_loop, CONTAINER_OF(t, struct net_loop, drain_task));
	l->draining = true;
	finish_all(&l->strangers);
	finish_all(&l->active);
}

static void close_all(struct net_loop *l)
{
	struct connection *c;
	while ((c = TAILQ_FIRST(&l->strangers)) != NULL || (c = TAILQ_FIRST(&l->active)) != NULL)
		connection_close(c);
}

static void net_loop_cut(struct task *t)
{
	close_all(CAST(net_loop, CONTAINER_OF(t, struct net_loop, cut_task)));
}

static int64_t sweep_period_us(const struct connection_limits *limits)
{
	int64_t shortest_ms = limits->idle_timeout_ms < limits->first_bytes_timeout_ms
		? limits->idle_timeout_ms
		: limits->first_bytes_timeout_ms;
	int64_t period_us = shortest_ms >= 4000 ? SWEEP_PERIOD_US : shortest_ms * 1000 / 4;
	return period_us < SWEEP_PERIOD_MIN_US ? SWEEP_PERIOD_MIN_US : period_us;
}

struct net_loop *net_loop_new(struct net_shared *shared, struct event_loop *loop, int index)
{
	struct net_loop *l = check_calloc(1, sizeof(*l));
	l->magic = net_loop_magic;
	l->loop = loop;
	l->scheduler = event_loop_scheduler(loop);
	l->shared = shared;
	l->index = index;
	l->pool = block_pool_new(l->scheduler, SPARE_BLOCKS_BYTES);
	l->scratch = (struct iovec){.iov_base = check_alloc(SCRATCH_BYTES), .iov_len = SCRATCH_BYTES};
	TAILQ_INIT(&l->strangers);
	TAILQ_INIT(&l->active);
	TAILQ_INIT(&l->arriving);
	TAILQ_INIT(&l->dead);
	TAILQ_INIT(&l->starved);
	TAILQ_INIT(&l->dirty);
	l->sweep_period_us = sweep_period_us(&shared->limits);
	loop_timer_init(&l->sweep, "connection_sweep", net_loop_sweep);
	task_init(&l->turn_end, "connection_turn_end", net_loop_turn_end);
	task_init(&l->drain_task, "connection_drain", net_loop_drain);
	task_init(&l->cut_task, "connection_cut", net_loop_cut);
	request_budget_attach(&shared->budget, index, l->scheduler, net_loop_fed, l);
	return l;
}

void net_loop_free(struct net_loop *l)
{
	if (l == NULL)
		return;
	CHECK_MAGIC(net_loop, l);
	if (l->sweep.armed)
		scheduler_timer_cancel(l->scheduler, &l->sweep);
	l->turn_end_queued = true; /* there is no further turn */
	close_all(l);
	struct connection *c;
	while ((c = TAILQ_FIRST(&l->arriving)) != NULL) {
		TAILQ_REMOVE(&l->arriving, c, link);
		close(c->accepted_fd);
		free(c);
	}
	while ((c = TAILQ_FIRST(&l->dead)) != NULL) {
		if (c->dirty)
			TAILQ_REMOVE(&l->dirty, c, dirty_link);
		c->dirty = false;
		connection_free(c);
	}
	spare_requests_drop(l, l->spare_request_count);
	block_pool_free(l->pool);
	free(l->scratch.iov_base);
	l->magic = 0;
	free(l);
}
