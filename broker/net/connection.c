/* Life of a connection, and the order of its requests. The socket's two directions: connection_read.c and _write.c. */
#include "net/connection_internal.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	/* Of a request's arena: decoded messages are larger than their bytes. */
	ARENA_FLOOR_BYTES = 1024 * 1024,
	ARENA_FACTOR = 8,
	ARENA_CEILING_BYTES = 64 * 1024 * 1024,
};

/* ---- coming ---- */

static void connection_set_options(const struct connection *c)
{
	const struct connection_limits *limits = &c->home->shared->limits;
	const int one = 1;
	/* Failures cost speed, not correctness. */
	(void)setsockopt(c->accepted_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	int bytes = limits->socket_send_buffer_bytes;
	if (bytes > 0)
		(void)setsockopt(c->accepted_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	bytes = limits->socket_receive_buffer_bytes;
	if (bytes > 0)
		(void)setsockopt(c->accepted_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static void connection_attached(struct task *t)
{
	struct connection *c = CAST(connection, CONTAINER_OF(t, struct connection, attach));
	struct net_loop *l = c->home;
	expect_on_loop(l->scheduler);
	struct event_base *base = event_loop_base(l->loop);
	stream_init_tcp(&c->stream, c->accepted_fd, c->peer);
	frame_input_init(&c->input, l->pool, l->shared->limits.first_frame_bytes_max);
	iobuf_init(&c->out);
	c->opened_us = c->active_us = clock_monotonic_us(l->scheduler->clock);
	net_loop_attach(l, c);
	connection_set_options(c);
	c->read_event = event_new(base, c->accepted_fd, EV_READ | EV_PERSIST, connection_readable, c);
	c->write_event = event_new(base, c->accepted_fd, EV_WRITE | EV_PERSIST, connection_writable, c);
	if (c->read_event == NULL || c->write_event == NULL || event_add(c->read_event, NULL) != 0) {
		diag_error("connection_failed", "peer=%s cause=\"the event loop takes no more sockets\"", c->peer);
		connection_close(c);
		return;
	}
	c->read_armed = true;
	if (l->draining)
		connection_finish(c);
}

void connection_accept(struct net_loop *home, int fd, const char *peer, const char *listener)
{
	expect(fd >= 0 && peer != NULL && listener != NULL);
	struct connection *c = check_calloc(1, sizeof(*c));
	c->magic = connection_magic;
	c->home = home;
	c->accepted_fd = fd;
	c->listener = listener;
	c->last = &c->first;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	task_init(&c->attach, "connection_attach", connection_attached);
	pthread_mutex_lock(&home->shared->lock);
	TAILQ_INSERT_TAIL(&home->arriving, c, link);
	pthread_mutex_unlock(&home->shared->lock);
	scheduler_post(home->scheduler, &c->attach);
}

/* ---- going ---- */

void connection_finish(struct connection *c)
{
	c->last_request = true;
	connection_mark_dirty(c);
}

static void events_free(struct connection *c)
{
	if (c->read_event != NULL)
		event_free(c->read_event);
	if (c->write_event != NULL)
		event_free(c->write_event);
	c->read_event = c->write_event = NULL;
	c->read_armed = c->write_armed = false;
}

void connection_drop_input(struct connection *c)
{
	frame_input_fini(&c->input);
	net_loop_give_back(c->home, c->input_bytes);
	c->input_bytes = 0;
	if (c->overdraft)
		request_budget_give_overdraft(&c->home->shared->budget);
	c->overdraft = false;
}

/* A front may complete any of them at once, which frees it and others: begin again after each. */
static void abandon_requests(struct connection *c)
{
	if (c->front == NULL || c->front->abandoned == NULL)
		return;
	for (struct request *r = c->first; r != NULL;) {
		if (r->done || r->abandoned || r == c->in_front) {
			r = r->next;
			continue;
		}
		r->abandoned = true;
		c->front->abandoned(c->front->ctx, r);
		r = c->first;
	}
}

void connection_close(struct connection *c)
{
	CHECK_MAGIC(connection, c);
	struct net_loop *l = c->home;
	if (c->closed)
		return;
	c->closed = true;
	c->last_request = true;
	events_free(c);
	stream_close(&c->stream);
	connection_drop_input(c);
	iobuf_fini(&c->out);
	if (c->starved)
		net_loop_unstarve(l, c);
	TAILQ_REMOVE(c->greeted ? &l->active : &l->strangers, c, link);
	TAILQ_INSERT_TAIL(&l->dead, c, link);
	metrics_add(METRIC_connections, -1);
	connection_release_answers(c); /* drops them */
	abandon_requests(c);
	connection_mark_dirty(c);
	net_shared_count_closed(l->shared);
}

void connection_free(struct connection *c)
{
	CHECK_MAGIC(connection, c);
	expect(c->closed && !c->dirty);
	while (c->first != NULL) {
		struct request *r = c->first;
		c->first = r->next;
		net_loop_request_put(c->home, r);
	}
	TAILQ_REMOVE(&c->home->dead, c, link);
	c->magic = 0;
	free(c);
}

void connection_mark_dirty(struct connection *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	TAILQ_INSERT_TAIL(&c->home->dirty, c, dirty_link);
	net_loop_queue_turn_end(c->home);
}

void connection_turn_end(struct connection *c)
{
	CHECK_MAGIC(connection, c);
	expect(!c->dirty);
	if (!c->closed && c->out.size_bytes > 0 && !c->write_armed)
		connection_flush(c);
	if (!c->closed && c->out.size_bytes == 0 && (c->cut || (c->last_request && c->requests_in_flight == 0)))
		connection_close(c);
	if (!c->closed)
		connection_resume_reading(c);
	if (c->closed && c->requests_in_flight == 0 && !c->dirty)
		connection_free(c);
}

/* ---- requests ---- */

static size_t arena_limit(size_t frame_bytes)
{
	size_t limit = ARENA_FLOOR_BYTES + frame_bytes * ARENA_FACTOR;
	return limit < ARENA_CEILING_BYTES ? limit : ARENA_CEILING_BYTES;
}

static struct request *request_new(struct connection *c, struct iobuf_block *block, size_t n, int64_t now_us)
{
	struct request *r = net_loop_request_get(c->home);
	r->connection = c;
	r->loop = c->home->scheduler;
	r->arena.limit_bytes = arena_limit(n);
	r->block = block;
	r->frame = slice_of(block->data + FRAME_LENGTH_BYTES, n - FRAME_LENGTH_BYTES);
	r->received_us = now_us;
	/* The frame's bytes were charged when they were read. */
	expect(c->input_bytes >= n);
	c->input_bytes -= n;
	r->held_bytes = n + REQUEST_COST_BYTES;
	request_budget_take(&c->home->shared->budget, REQUEST_COST_BYTES);
	metrics_add(METRIC_request_bytes_held, REQUEST_COST_BYTES);
	r->overdraft = c->overdraft;
	c->overdraft = false;
	*c->last = r;
	c->last = &r->next;
	c->requests_in_flight++;
	return r;
}

void connection_frame(struct connection *c, struct iobuf_block *block, size_t n, int64_t now_us)
{
	expect(c->front != NULL && !c->last_request && n > FRAME_LENGTH_BYTES);
	if (!c->greeted) {
		net_loop_greeted(c->home, c);
		c->input.max_frame_bytes = c->front->max_frame_bytes;
	}
	struct request *r = request_new(c, block, n, now_us);
	c->in_front = r;
	enum status s = c->front->request(c->front->ctx, r);
	if (s != STATUS_OK) {
		if (c->in_front != NULL)
			request_abort(r, status_name(s));
		else
			connection_finish(c); /* it was answered and then refused: the answer still goes out */
	}
	c->in_front = NULL;
}

void request_release_frame(struct request *r)
{
	CHECK_MAGIC(request, r);
	expect_on_loop(r->loop);
	expect(!r->done);
	if (r->block == NULL)
		return;
	iobuf_block_shared_unref(r->block);
	r->block = NULL;
	r->frame = (struct slice){0};
	expect(r->held_bytes >= REQUEST_COST_BYTES);
	net_loop_give_back(r->connection->home, r->held_bytes - REQUEST_COST_BYTES);
	r->held_bytes = REQUEST_COST_BYTES;
	if (r->overdraft)
		request_budget_give_overdraft(&r->connection->home->shared->budget);
	r->overdraft = false;
}

/* The request is over; only its answer waits for its turn. */
static void request_settle(struct request *r)
{
	struct connection *c = r->connection;
	struct net_loop *l = c->home;
	request_release_frame(r);
	r->done = true;
	if (c->in_front == r)
		c->in_front = NULL;
	net_loop_give_back(l, r->held_bytes);
	r->held_bytes = 0;
	expect(!r->overdraft);
	arena_reset(&r->arena);
	if (c->closed || c->cut)
		iobuf_fini(&r->response);
	c->response_bytes += r->response.size_bytes;
	if (r == c->first)
		connection_release_answers(c);
}

void request_complete(struct request *r)
{
	CHECK_MAGIC(request, r);
	expect_on_loop(r->loop);
	expect(!r->done);
	expect(r->silent == (r->response.size_bytes == 0));
	metrics_add(METRIC_requests, 1);
	request_settle(r);
}

void request_complete_silent(struct request *r)
{
	CHECK_MAGIC(request, r);
	iobuf_fini(&r->response);
	r->silent = true;
	request_complete(r);
}

void request_abort(struct request *r, const char *why)
{
	CHECK_MAGIC(request, r);
	expect_on_loop(r->loop);
	expect(!r->done && why != NULL);
	if (!r->connection->closed)
		diag_warn("request_aborted", "peer=%s listener=%s cause=\"%s\"", r->connection->peer,
			r->connection->listener, why);
	metrics_add(METRIC_request_errors, 1);
	iobuf_fini(&r->response);
	r->aborted = true;
	r->connection->last_request = true;
	request_settle(r);
}

void connection_release_answers(struct connection *c)
{
	while (c->first != NULL && c->first->done) {
		struct request *r = c->first;
		c->first = r->next;
		if (c->first == NULL)
			c->last = &c->first;
		c->requests_in_flight--;
		if (r->aborted)
			c->cut = true; /* nothing behind it is sent */
		if (c->closed || c->cut) {
			c->response_bytes -= r->response.size_bytes;
			iobuf_fini(&r->response);
		} else if (r->response.size_bytes > 0) {
			iobuf_append_iobuf(&c->out, &r->response);
		}
		net_loop_request_put(c->home, r);
	}
	connection_mark_dirty(c);
}

const char *request_peer(const struct request *r)
{
	CHECK_MAGIC(request, r);
	return r->connection->peer;
}

const char *request_listener(const struct request *r)
{
	CHECK_MAGIC(request, r);
	return r->connection->listener;
}
