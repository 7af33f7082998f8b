/* From the socket to requests. A connection that may not read is not taken off the event loop at once, only when its
 * socket reports bytes: a pause that ends before costs no system call. */
#include "net/connection_internal.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <event2/event.h>

static const char preface[PREFACE_BYTES + 1] = "CORREIO1";

static bool may_take_requests(const struct connection *c)
{
	const struct connection_limits *limits = &c->home->shared->limits;
	return !c->closed && !c->last_request && c->requests_in_flight < limits->requests_in_flight_max &&
		c->response_bytes <= limits->response_bytes_max;
}

/* Whatever the budget says, each connection may have one small request under way: what empties the budget may itself
 * come by a connection (a follower's fetch, on which produce requests wait; a word of the controller). */
static bool may_read_small(const struct connection *c)
{
	return c->requests_in_flight == 0 && c->input_bytes < SMALL_REQUEST_BYTES;
}

/* How many bytes may be read now. 0: none, and the connection has been queued for the time when some may. */
static size_t read_allowance(struct connection *c)
{
	struct net_loop *l = c->home;
	struct request_budget *budget = &l->shared->budget;
	if (c->overdraft || request_budget_has_room(budget))
		return request_budget_unit(budget);
	if (may_read_small(c))
		return SMALL_REQUEST_BYTES - c->input_bytes;
	for (int attempt = 0; attempt < 2; attempt++) {
		/* The second time after the wake-up has been asked for: else the giver may just have missed us. */
		if (frame_input_partial(&c->input) && request_budget_take_overdraft(budget, c)) {
			c->overdraft = true;
			return request_budget_unit(budget);
		}
		if (attempt == 0 && !request_budget_wait(budget, l->index))
			return request_budget_unit(budget);
	}
	net_loop_starve(l, c);
	return 0;
}

/* ---- what came ---- */

static void refuse_frame(struct connection *c, const char *why)
{
	metrics_add(METRIC_frames_refused, 1);
	diag_warn("frame_refused", "peer=%s listener=%s length=%d max=%zu cause=\"%s\"", c->peer, c->listener,
		frame_input_bad_length(&c->input), c->input.max_frame_bytes, why);
	connection_finish(c);
}

/* Chooses the front by the first bytes. False: not yet, or never (then the connection is finished). */
static bool choose_front(struct connection *c)
{
	const struct net_shared *shared = c->home->shared;
	struct slice bytes = c->input.pending;
	size_t n = bytes.n < PREFACE_BYTES ? bytes.n : PREFACE_BYTES;
	bool native = n > 0 && memcmp(bytes.p, preface, n) == 0;
	/* No protocol has a frame shorter than the preface. */
	bool wanted = native || (shared->kafka_front != NULL && shared->kafka_front->first_frame_max != NULL);
	if (n == 0 || (wanted && n < PREFACE_BYTES)) {
		frame_input_hold(&c->input);
		return false;
	}
	c->front = native ? shared->native_front : shared->kafka_front;
	if (c->front == NULL) {
		metrics_add(METRIC_frames_refused, 1);
		diag_warn("protocol_refused", "peer=%s listener=%s protocol=%s cause=\"this broker does not speak it; native clients begin with CORREIO1\"",
			c->peer, c->listener, native ? "native" : "kafka");
		connection_finish(c);
		return false;
	}
	/* A stranger's first frame is small, whatever the front allows, unless it is plainly a request. */
	size_t first_max = shared->limits.first_frame_bytes_max;
	if (c->front->first_frame_max != NULL) {
		size_t allowed = c->front->first_frame_max(c->front->ctx, slice_sub(bytes, 0, PREFACE_BYTES));
		first_max = allowed > first_max ? allowed : first_max;
	}
	if (native) {
		frame_input_skip(&c->input, PREFACE_BYTES);
		c->input_bytes -= PREFACE_BYTES;
		net_loop_give_back(c->home, PREFACE_BYTES);
	}
	c->input.max_frame_bytes = first_max < c->front->max_frame_bytes ? first_max : c->front->max_frame_bytes;
	return true;
}

/* Turns what was read into requests, as many as may be under way; the rest is kept. */
static void take_frames(struct connection *c, int64_t now_us)
{
	if (c->front == NULL && !choose_front(c))
		return;
	while (may_take_requests(c)) {
		struct iobuf_block *block;
		size_t n;
		switch (frame_input_next(&c->input, &block, &n)) {
		case FRAME_READY:
			connection_frame(c, block, n, now_us);
			continue;
		case FRAME_MORE:
			return;
		case FRAME_BAD_LENGTH:
			refuse_frame(c, c->greeted ? "the length is not within the limits"
						   : "the first request is not within the limits");
			return;
		case FRAME_NO_MEMORY:
			refuse_frame(c, "no memory");
			return;
		default:
			unreachable("frame_result");
		}
	}
}

/* After take_frames: nothing may be left in the scratch, which belongs to all. */
static void keep_rest(struct connection *c)
{
	if (c->closed)
		return;
	if (c->last_request) {
		connection_drop_input(c); /* none of it will be looked at */
	} else if (!frame_input_park(&c->input)) {
		refuse_frame(c, "no memory");
		keep_rest(c);
	}
}

static void peer_sends_no_more(struct connection *c)
{
	if (c->input_bytes > 0 || !c->greeted)
		diag_debug("connection_ended", "peer=%s unfinished_bytes=%zu", c->peer, c->input_bytes);
	connection_finish(c);
	keep_rest(c);
}

static void read_some(struct connection *c, size_t most)
{
	struct net_loop *l = c->home;
	struct iovec iov[2];
	size_t n = 0;
	int count = frame_input_iov(&c->input, l->scratch, most, iov);
	enum status s = stream_recv(&c->stream, iov, count, &n);
	if (s == STATUS_CLOSED) {
		peer_sends_no_more(c);
		return;
	}
	if (s != STATUS_OK) {
		connection_close(c);
		return;
	}
	if (n == 0)
		return;
	int64_t now_us = clock_monotonic_us(l->scheduler->clock);
	c->input_bytes += n;
	request_budget_take(&l->shared->budget, n);
	metrics_add(METRIC_request_bytes_held, (int64_t)n);
	metrics_add(METRIC_network_bytes_in, (int64_t)n);
	net_loop_active(l, c, now_us);
	frame_input_filled(&c->input, l->scratch, n);
	take_frames(c, now_us);
	keep_rest(c);
}

/* False: it may not read now. */
static bool try_read(struct connection *c)
{
	if (!may_take_requests(c) || c->starved || !frame_input_empty(&c->input))
		return false;
	size_t most = read_allowance(c);
	if (most == 0)
		return false;
	read_some(c, most);
	return true;
}

static void stop_watching(struct connection *c)
{
	event_del(c->read_event);
	c->read_armed = false;
}

void connection_readable(int fd, short what, void *arg)
{
	(void)what;
	struct connection *c = CAST(connection, arg);
	expect(!c->closed && fd == c->stream.fd);
	event_loop_set_running(c->home->loop, "connection_read");
	if (!try_read(c))
		stop_watching(c);
	event_loop_set_running(c->home->loop, NULL);
}

void connection_read_again(struct connection *c)
{
	expect(!c->closed && !c->starved);
	(void)try_read(c);
	if (!c->starved)
		connection_mark_dirty(c); /* the turn's end waits for more, or does what else is due */
}

void connection_resume_reading(struct connection *c)
{
	expect(!c->closed);
	if (c->starved && may_read_small(c))
		net_loop_unstarve(c->home, c);
	if (!may_take_requests(c) || c->starved)
		return;
	if (!frame_input_empty(&c->input)) {
		take_frames(c, clock_monotonic_us(c->home->scheduler->clock));
		keep_rest(c);
	}
	if (c->closed || !may_take_requests(c) || !frame_input_empty(&c->input) || c->read_armed)
		return;
	if (event_add(c->read_event, NULL) != 0) {
		diag_error("connection_failed", "peer=%s cause=\"the event loop takes no more sockets\"", c->peer);
		connection_close(c);
		return;
	}
	c->read_armed = true;
}
