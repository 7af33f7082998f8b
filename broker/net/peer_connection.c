#include "net/peer_connection.h"

#include "base/diag.h"
#include "net/address.h"
#include "net/frame_input.h"
#include "net/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
	SCRATCH_BYTES = 16 * 1024,
	READ_BYTES = 256 * 1024,
	SPARE_BLOCKS_BYTES = 2 * 1024 * 1024,
	WRITE_TURN_BYTES = 1024 * 1024,
	QUEUED_BYTES_DEFAULT = 64 * 1024 * 1024,
};

/* A look-up may outlive the connection that asked: it has memory of its own. */
struct lookup {
	struct job job;
	struct peer_connection *peer; /* NULL: nobody waits any more */
	char *host;
	int port;
	struct address addresses[ADDRESSES_MAX];
	int count;
	enum status status;
	struct failure failure;
};

enum peer_state { PEER_CONNECTING, PEER_UP, PEER_BROKEN };

struct peer_connection {
	unsigned magic;
	struct peer_connection_options o;
	char *host;
	struct scheduler *scheduler;
	enum peer_state state;
	enum status why; /* when broken */
	bool told;       /* o.broken has been called */
	bool freed;
	int depth; /* callbacks under way: memory stays until they return */
	struct lookup *lookup;
	struct address addresses[ADDRESSES_MAX];
	int address_count, next_address;
	char peer[ADDRESS_TEXT_SIZE];
	struct stream stream;
	struct event *read_event, *write_event;
	bool write_armed;
	struct block_pool *pool;
	struct frame_input input;
	struct iovec scratch;
	struct iobuf out;
	struct peer_call *first, **last;
	size_t pending;
	struct loop_timer connect_deadline, report;
};
MAGIC(peer_connection, 0x50454552);

static void peer_release(struct peer_connection *p)
{
	iobuf_fini(&p->out);
	frame_input_fini(&p->input);
	block_pool_free(p->pool);
	free(p->scratch.iov_base);
	free(p->host);
	p->magic = 0;
	free(p);
}

static void peer_enter(struct peer_connection *p)
{
	p->depth++;
}

/* After this p may be gone. */
static void peer_leave(struct peer_connection *p)
{
	expect(p->depth > 0);
	if (--p->depth == 0 && p->freed)
		peer_release(p);
}

/* ---- calls ---- */

static struct peer_call *pop_call(struct peer_connection *p)
{
	struct peer_call *c = p->first;
	p->first = c->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->pending--;
	scheduler_timer_cancel(p->scheduler, &c->deadline);
	c->peer = NULL;
	return c;
}

/* Only those there now: a callback may send anew (to a broken peer, that fails in the next turn). */
static void fail_calls(struct peer_connection *p, enum status why)
{
	for (size_t n = p->pending; n > 0 && p->first != NULL; n--) {
		struct peer_call *c = pop_call(p);
		c->done(c, why, NULL, (struct slice){0});
	}
}

/* ---- breaking ---- */

static void close_socket(struct peer_connection *p)
{
	if (p->read_event != NULL)
		event_free(p->read_event);
	if (p->write_event != NULL)
		event_free(p->write_event);
	p->read_event = p->write_event = NULL;
	p->write_armed = false;
	stream_close(&p->stream);
}

static void report_broken(struct loop_timer *t)
{
	struct peer_connection *p = CAST(peer_connection, CONTAINER_OF(t, struct peer_connection, report));
	expect(p->state == PEER_BROKEN);
	peer_enter(p);
	fail_calls(p, STATUS_NETWORK_EXCEPTION);
	if (!p->told && !p->freed) {
		p->told = true;
		p->o.broken(p->o.arg, p->why);
	}
	peer_leave(p);
}

/* Told in the next turn: never from inside a call of the owner's. */
static void peer_break(struct peer_connection *p, enum status why)
{
	if (p->state == PEER_BROKEN)
		return;
	p->state = PEER_BROKEN;
	p->why = why;
	diag_debug("peer_broken", "host=%s port=%d cause=%s", p->host, p->o.port, status_name(why));
	close_socket(p);
	frame_input_fini(&p->input);
	iobuf_fini(&p->out);
	scheduler_timer_cancel(p->scheduler, &p->connect_deadline);
	scheduler_timer_arm(p->scheduler, &p->report, 0);
}

static void call_overdue(struct loop_timer *t)
{
	struct peer_call *c = CONTAINER_OF(t, struct peer_call, deadline);
	struct peer_connection *p = CAST(peer_connection, c->peer);
	struct peer_call **at = &p->first;
	while (*at != c) {
		expect(*at != NULL);
		at = &(*at)->next;
	}
	*at = c->next;
	if (p->last == &c->next)
		p->last = at;
	p->pending--;
	c->peer = NULL;
	/* Answers come in order: the ones behind are as late. */
	peer_break(p, STATUS_REQUEST_TIMED_OUT);
	peer_enter(p);
	c->done(c, STATUS_REQUEST_TIMED_OUT, NULL, (struct slice){0});
	peer_leave(p);
}

/* ---- bytes ---- */

static void peer_flush(struct peer_connection *p)
{
	size_t left = WRITE_TURN_BYTES;
	while (p->out.size_bytes > 0 && left > 0) {
		size_t n = 0;
		if (stream_send_iobuf(&p->stream, &p->out, left, &n) != STATUS_OK) {
			peer_break(p, STATUS_NETWORK_EXCEPTION);
			return;
		}
		if (n == 0)
			break;
		iobuf_consume(&p->out, n);
		left -= n;
	}
	bool wanted = p->out.size_bytes > 0;
	if (wanted == p->write_armed)
		return;
	int rc = wanted ? event_add(p->write_event, NULL) : event_del(p->write_event);
	p->write_armed = wanted;
	if (rc != 0)
		peer_break(p, STATUS_NETWORK_EXCEPTION);
}

static void take_answers(struct peer_connection *p)
{
	struct iobuf_block *block;
	size_t n;
	enum frame_result result = FRAME_MORE;
	while (p->state == PEER_UP && !p->freed &&
		(result = frame_input_next(&p->input, &block, &n)) == FRAME_READY) {
		if (p->first == NULL) {
			diag_warn("peer_misbehaves", "peer=%s cause=\"an answer to no request\"", p->peer);
			peer_break(p, STATUS_NETWORK_EXCEPTION);
		} else {
			struct peer_call *c = pop_call(p);
			struct slice frame = slice_of(block->data + FRAME_LENGTH_BYTES, n - FRAME_LENGTH_BYTES);
			c->done(c, STATUS_OK, block, frame);
		}
		iobuf_block_shared_unref(block);
	}
	if (p->state != PEER_UP || p->freed || result == FRAME_MORE)
		return;
	diag_warn("peer_misbehaves", "peer=%s length=%d max=%zu cause=\"an answer's length is not within the limits\"",
		p->peer, frame_input_bad_length(&p->input), p->o.max_frame_bytes);
	peer_break(p, STATUS_NETWORK_EXCEPTION);
}

static void peer_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct peer_connection *p = CAST(peer_connection, arg);
	expect(p->state == PEER_UP && fd == p->stream.fd);
	struct iovec iov[2];
	size_t n = 0;
	event_loop_set_running(p->o.loop, "peer_read");
	int count = frame_input_iov(&p->input, p->scratch, READ_BYTES, iov);
	peer_enter(p);
	if (stream_recv(&p->stream, iov, count, &n) != STATUS_OK) {
		peer_break(p, STATUS_NETWORK_EXCEPTION);
	} else if (n > 0) {
		frame_input_filled(&p->input, p->scratch, n);
		take_answers(p);
	}
	event_loop_set_running(p->o.loop, NULL);
	peer_leave(p);
}

/* ---- connecting ---- */

static void connect_next(struct peer_connection *p);

/* On loopback a socket that connects to a dead port of the ephemeral range may get that very port and meet itself. */
static bool met_itself(int fd)
{
	struct address here = {.size = sizeof(here.sa)}, there = {.size = sizeof(there.sa)};
	return getsockname(fd, (struct sockaddr *)&here.sa, &here.size) == 0 &&
		getpeername(fd, (struct sockaddr *)&there.sa, &there.size) == 0 && here.size == there.size &&
		memcmp(&here.sa, &there.sa, here.size) == 0;
}

static void peer_up(struct peer_connection *p)
{
	const int one = 1;
	(void)setsockopt(p->stream.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only speed */
	scheduler_timer_cancel(p->scheduler, &p->connect_deadline);
	p->state = PEER_UP;
	if (event_add(p->read_event, NULL) != 0) {
		peer_break(p, STATUS_NETWORK_EXCEPTION);
		return;
	}
	peer_flush(p);
	if (p->state == PEER_UP && p->o.connected != NULL)
		p->o.connected(p->o.arg);
}

static void peer_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct peer_connection *p = CAST(peer_connection, arg);
	expect(p->state != PEER_BROKEN && fd == p->stream.fd);
	event_loop_set_running(p->o.loop, "peer_write");
	peer_enter(p);
	if (p->state == PEER_UP) {
		peer_flush(p);
	} else {
		int error = 0;
		socklen_t size = sizeof(error);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 && !met_itself(fd)) {
			peer_up(p);
		} else {
			diag_debug("peer_connect_failed", "peer=%s errno=%d", p->peer, error);
			connect_next(p);
		}
	}
	event_loop_set_running(p->o.loop, NULL);
	peer_leave(p);
}

static bool connect_to(struct peer_connection *p, const struct address *a)
{
	close_socket(p);
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	address_format(a, p->peer);
	stream_init_tcp(&p->stream, fd, p->peer);
	if (connect(fd, (const struct sockaddr *)&a->sa, a->size) != 0 && errno != EINPROGRESS)
		return false;
	struct event_base *base = event_loop_base(p->o.loop);
	p->read_event = event_new(base, fd, EV_READ | EV_PERSIST, peer_readable, p);
	p->write_event = event_new(base, fd, EV_WRITE | EV_PERSIST, peer_writable, p);
	if (p->read_event == NULL || p->write_event == NULL || event_add(p->write_event, NULL) != 0)
		return false;
	p->write_armed = true; /* writable: the connection is made, or has failed */
	return true;
}

static void connect_next(struct peer_connection *p)
{
	while (p->next_address < p->address_count)
		if (connect_to(p, &p->addresses[p->next_address++]))
			return;
	peer_break(p, STATUS_NETWORK_EXCEPTION);
}

static void connect_overdue(struct loop_timer *t)
{
	struct peer_connection *p = CAST(peer_connection, CONTAINER_OF(t, struct peer_connection, connect_deadline));
	peer_break(p, STATUS_REQUEST_TIMED_OUT);
}

static void lookup_work(struct job *j)
{
	struct lookup *k = CONTAINER_OF(j, struct lookup, job);
	k->status = address_resolve(k->host, k->port, ADDRESS_CONNECT, &k->failure, k->addresses, &k->count);
}

static void lookup_done(struct job *j)
{
	struct lookup *k = CONTAINER_OF(j, struct lookup, job);
	struct peer_connection *p = k->peer;
	if (p != NULL)
		p->lookup = NULL;
	if (p != NULL && p->state == PEER_CONNECTING) {
		if (k->status == STATUS_OK) {
			memcpy(p->addresses, k->addresses, sizeof(p->addresses));
			p->address_count = k->count;
		} else {
			diag_warn("peer_unknown", "host=%s cause=\"%s\"", k->host, k->failure.text);
		}
		connect_next(p);
	}
	free(k->host);
	free(k);
}

static void peer_look_up(struct peer_connection *p)
{
	if (p->o.resolver == NULL) {
		diag_error("peer_unknown", "host=%s cause=\"not an address, and names are not looked up here\"", p->host);
		peer_break(p, STATUS_NOT_FOUND);
		return;
	}
	struct lookup *k = check_calloc(1, sizeof(*k));
	k->peer = p;
	k->host = check_strdup(p->host);
	k->port = p->o.port;
	job_init(&k->job, "peer_look_up", p->scheduler, lookup_work, lookup_done);
	p->lookup = k;
	background_submit(p->o.resolver, &k->job);
}

/* ---- public ---- */

struct peer_connection *peer_connection_new(const struct peer_connection_options *options)
{
	expect(options->host != NULL && options->broken != NULL && options->connect_timeout_ms > 0);
	expect(options->max_frame_bytes > 0);
	struct peer_connection *p = check_calloc(1, sizeof(*p));
	p->magic = peer_connection_magic;
	p->o = *options;
	p->host = check_strdup(options->host);
	p->o.host = p->host;
	if (p->o.queued_bytes_max == 0)
		p->o.queued_bytes_max = QUEUED_BYTES_DEFAULT;
	p->scheduler = event_loop_scheduler(options->loop);
	expect_on_loop(p->scheduler);
	p->stream.fd = -1;
	p->last = &p->first;
	p->pool = block_pool_new(p->scheduler, SPARE_BLOCKS_BYTES);
	frame_input_init(&p->input, p->pool, options->max_frame_bytes);
	p->scratch = (struct iovec){.iov_base = check_alloc(SCRATCH_BYTES), .iov_len = SCRATCH_BYTES};
	iobuf_init(&p->out);
	if (options->native)
		iobuf_append_copy(&p->out, slice_of_str("CORREIO1"));
	loop_timer_init(&p->connect_deadline, "peer_connect_deadline", connect_overdue);
	loop_timer_init(&p->report, "peer_broken", report_broken);
	scheduler_timer_arm(p->scheduler, &p->connect_deadline, options->connect_timeout_ms * 1000);
	if (address_resolve(p->host, options->port, ADDRESS_CONNECT_NUMERIC, NULL, p->addresses, &p->address_count) ==
		STATUS_OK)
		connect_next(p);
	else
		peer_look_up(p);
	return p;
}

enum status peer_connection_send(
	struct peer_connection *p, struct peer_call *c, struct iobuf *frame, int64_t timeout_ms)
{
	CHECK_MAGIC(peer_connection, p);
	expect_on_loop(p->scheduler);
	expect(!p->freed && c->done != NULL && timeout_ms > 0 && frame->size_bytes > FRAME_LENGTH_BYTES);
	if (p->out.size_bytes > 0 && p->out.size_bytes + frame->size_bytes > p->o.queued_bytes_max)
		return STATUS_BUFFER_FULL;
	c->next = NULL;
	c->peer = p;
	*p->last = c;
	p->last = &c->next;
	p->pending++;
	loop_timer_init(&c->deadline, "peer_call_deadline", call_overdue);
	if (p->state == PEER_BROKEN) {
		iobuf_fini(frame);
		scheduler_timer_arm(p->scheduler, &p->report, 0);
		return STATUS_OK;
	}
	scheduler_timer_arm(p->scheduler, &c->deadline, timeout_ms * 1000);
	iobuf_append_iobuf(&p->out, frame);
	if (p->state == PEER_UP && !p->write_armed)
		peer_flush(p);
	return STATUS_OK;
}

void peer_connection_free(struct peer_connection *p)
{
	if (p == NULL)
		return;
	CHECK_MAGIC(peer_connection, p);
	expect_on_loop(p->scheduler);
	expect(!p->freed);
	p->freed = true;
	p->state = PEER_BROKEN;
	close_socket(p);
	scheduler_timer_cancel(p->scheduler, &p->connect_deadline);
	scheduler_timer_cancel(p->scheduler, &p->report);
	if (p->lookup != NULL)
		p->lookup->peer = NULL;
	peer_enter(p);
	fail_calls(p, STATUS_CANCELLED);
	expect(p->first == NULL); /* nobody sends on what he frees */
	peer_leave(p);
}

size_t peer_connection_pending(const struct peer_connection *p)
{
	CHECK_MAGIC(peer_connection, p);
	return p->pending;
}

bool peer_connection_is_up(const struct peer_connection *p)
{
	CHECK_MAGIC(peer_connection, p);
	return p->state == PEER_UP;
}
