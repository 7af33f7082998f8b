/* Connections we open, against a server in the same process. */
#include "net_rig.h"

#include "net/peer_connection.h"
#include "runtime/blocking_pool.h"

static const struct connection_limits defaults = {0};

enum { CALLS_MAX = 600, TIMEOUT_MS = RIG_WAIT_MS };

struct caller;
struct call {
	struct peer_call call;
	struct caller *caller;
	size_t size; /* of the frame sent, for the check of an echo */
	unsigned seed;
	int order;
	enum status status;
	bool done;
};

/* What a test does on its loop: `begin` runs there, the loop stops when `finish` says so. */
struct caller {
	struct event_loop *loop;
	struct blocking_pool *pool;
	struct peer_connection *peer;
	struct task begin;
	struct job after_lookup;
	int port;
	const char *host;
	struct call calls[CALLS_MAX];
	int done, wanted, broken, connected;
	enum status broken_why;
	int done_when_broken;
	bool stop_when_broken, free_in_done;
	size_t queued_bytes_max;
	size_t max_frame_bytes;
	int64_t connect_timeout_ms;
};

static void caller_connected(void *arg)
{
	struct caller *k = arg;
	k->connected++;
}

static void caller_broken(void *arg, enum status why)
{
	struct caller *k = arg;
	k->broken++;
	k->broken_why = why;
	k->done_when_broken = k->done;
	if (k->stop_when_broken)
		event_loop_stop(k->loop);
}

static void call_done(struct peer_call *c, enum status s, struct iobuf_block *block, struct slice frame)
{
	struct call *call = CONTAINER_OF(c, struct call, call);
	struct caller *k = call->caller;
	expect(!call->done);
	call->done = true;
	call->status = s;
	call->order = k->done++;
	if (s == STATUS_OK) {
		uint8_t *want = check_alloc(4 + call->size);
		rig_put(want, (enum rig_command)frame.p[0], call->size, call->seed);
		ck_assert(slice_equal(frame, slice_of(want + 4, call->size)));
		ck_assert_ptr_nonnull(block);
		free(want);
	}
	if (k->free_in_done) {
		k->free_in_done = false;
		peer_connection_free(k->peer);
		k->peer = NULL;
	}
	if (k->done == k->wanted && !k->stop_when_broken)
		event_loop_stop(k->loop);
}

static enum status call_send(struct caller *k, int i, enum rig_command command, size_t size, int64_t timeout_ms)
{
	struct call *call = &k->calls[i];
	*call = (struct call){.call = {.done = call_done}, .caller = k, .size = size, .seed = (unsigned)i};
	struct iobuf frame;
	uint8_t *bytes = check_alloc(4 + size);
	iobuf_init(&frame);
	iobuf_append_copy(&frame, slice_of(bytes, rig_put(bytes, command, size, (unsigned)i)));
	free(bytes);
	enum status s = peer_connection_send(k->peer, &call->call, &frame, timeout_ms);
	iobuf_fini(&frame);
	return s;
}

static void caller_connect(struct caller *k)
{
	struct peer_connection_options o = {.native = true, .loop = k->loop,
		.resolver = k->pool != NULL ? blocking_pool_background(k->pool) : NULL,
		.host = k->host != NULL ? k->host : "127.0.0.1",
		.port = k->port,
		.connect_timeout_ms = k->connect_timeout_ms != 0 ? k->connect_timeout_ms : TIMEOUT_MS,
		.max_frame_bytes = k->max_frame_bytes != 0 ? k->max_frame_bytes : RIG_MAX_FRAME,
		.queued_bytes_max = k->queued_bytes_max,
		.connected = caller_connected,
		.broken = caller_broken,
		.arg = k};
	k->peer = peer_connection_new(&o);
}

static struct caller *caller_new(int port)
{
	struct caller *k = check_calloc(1, sizeof(*k));
	k->port = port;
	ck_assert_int_eq(event_loop_new("caller", 0, clock_system(), &k->loop), STATUS_OK);
	return k;
}

/* Runs the test's part on the caller's loop, which is this thread, until it is stopped. */
static void caller_run(struct caller *k, void (*begin)(struct task *))
{
	task_init(&k->begin, "begin", begin);
	scheduler_post(event_loop_scheduler(k->loop), &k->begin);
	event_loop_run(k->loop);
}

static void caller_free(struct caller *k)
{
	if (k->pool != NULL)
		blocking_pool_free(k->pool);
	peer_connection_free(k->peer);
	event_loop_free(k->loop);
	free(k);
}

/* ---- answers ---- */

static void begin_many(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = CALLS_MAX;
	caller_connect(k);
	for (int i = 0; i < CALLS_MAX; i++) {
		size_t size = i == 0 ? 100 : 1 + (size_t)(i * 7919) % 40000;
		ck_assert_int_eq(call_send(k, i, i % 2 == 0 ? RIG_ECHO : RIG_LETTER, size, TIMEOUT_MS), STATUS_OK);
	}
	ck_assert_int_eq(k->done, 0); /* never from inside send */
	ck_assert_uint_eq(peer_connection_pending(k->peer), CALLS_MAX);
}

START_TEST(peer_connection_answers_come_to_their_calls_in_order)
{
	struct rig *rig = rig_new(2, defaults);
	struct caller *k = caller_new(rig->port);
	caller_run(k, begin_many);
	for (int i = 0; i < CALLS_MAX; i++) {
		ck_assert_int_eq(k->calls[i].status, STATUS_OK);
		ck_assert_int_eq(k->calls[i].order, i);
	}
	ck_assert_int_eq(k->connected, 1);
	ck_assert_int_eq(k->broken, 0);
	ck_assert(peer_connection_is_up(k->peer));
	caller_free(k);
	rig_free(rig);
}
END_TEST

static void begin_one(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = 1;
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 100, TIMEOUT_MS), STATUS_OK);
}

START_TEST(peer_connection_looks_names_up_in_the_pool)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	ck_assert_int_eq(blocking_pool_new(1, &k->pool), STATUS_OK);
	k->host = "localhost";
	caller_run(k, begin_one);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	caller_free(k);
	rig_free(rig);
}
END_TEST

static void no_work(struct job *j)
{
	(void)j;
}

static void stop_loop(struct job *j)
{
	event_loop_stop(event_loop_of(j->home));
}

static void begin_and_free_before_the_lookup(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = 2; /* the loop stops when the pool is through with the look-up */
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 100, TIMEOUT_MS), STATUS_OK);
	job_init(&k->after_lookup, "after_lookup", event_loop_scheduler(k->loop), no_work, stop_loop);
	background_submit(blocking_pool_background(k->pool), &k->after_lookup);
	peer_connection_free(k->peer);
	k->peer = NULL;
}

START_TEST(peer_connection_freed_during_the_lookup_is_forgotten)
{
	struct caller *k = caller_new(1);
	ck_assert_int_eq(blocking_pool_new(1, &k->pool), STATUS_OK);
	k->host = "localhost";
	caller_run(k, begin_and_free_before_the_lookup);
	ck_assert_int_eq(k->calls[0].status, STATUS_CANCELLED);
	ck_assert_int_eq(k->broken, 0);
	caller_free(k);
}
END_TEST

/* ---- failures ---- */

static void check_fails(struct caller *k, enum status call_status, enum status why)
{
	k->stop_when_broken = true;
	caller_run(k, begin_one);
	ck_assert_int_eq(k->calls[0].status, call_status);
	ck_assert_int_eq(k->broken, 1);
	ck_assert_int_eq(k->done_when_broken, 1); /* calls first, then broken */
	ck_assert_int_eq(k->broken_why, why);
	ck_assert(!peer_connection_is_up(k->peer));
	caller_free(k);
}

START_TEST(peer_connection_refused_unknown_or_too_slow_is_broken)
{
	struct rig *rig = rig_new(1, defaults);
	int port = rig->port;
	rig_free(rig); /* nobody listens there now */
	check_fails(caller_new(port), STATUS_NETWORK_EXCEPTION, STATUS_NETWORK_EXCEPTION);

	struct caller *k = caller_new(port); /* a name, and nobody to look it up */
	k->host = "localhost";
	check_fails(k, STATUS_NETWORK_EXCEPTION, STATUS_NOT_FOUND);

	k = caller_new(port);
	k->host = "no-such-host.invalid";
	ck_assert_int_eq(blocking_pool_new(1, &k->pool), STATUS_OK);
	check_fails(k, STATUS_NETWORK_EXCEPTION, STATUS_NETWORK_EXCEPTION);

	/* A listener whose queue of connections is full answers nothing: only the deadline helps. */
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t size = sizeof(in);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[8];
	ck_assert_int_eq(bind(deaf, (const struct sockaddr *)&in, size), 0);
	ck_assert_int_eq(listen(deaf, 0), 0);
	ck_assert_int_eq(getsockname(deaf, (struct sockaddr *)&in, &size), 0);
	for (int i = 0; i < 8; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(filler[i], (const struct sockaddr *)&in, size);
	}
	k = caller_new(ntohs(in.sin_port));
	k->connect_timeout_ms = 100;
	check_fails(k, STATUS_NETWORK_EXCEPTION, STATUS_REQUEST_TIMED_OUT);
	for (int i = 0; i < 8; i++)
		close(filler[i]);
	close(deaf);
}
END_TEST

static void begin_held(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = 4;
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 10, TIMEOUT_MS), STATUS_OK);
	ck_assert_int_eq(call_send(k, 1, RIG_HOLD, 10, TIMEOUT_MS), STATUS_OK);
	ck_assert_int_eq(call_send(k, 2, RIG_HOLD, 10, 60), STATUS_OK); /* the first to be overdue */
	ck_assert_int_eq(call_send(k, 3, RIG_HOLD, 10, TIMEOUT_MS), STATUS_OK);
}

START_TEST(peer_connection_overdue_answer_breaks_it)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	k->stop_when_broken = true;
	caller_run(k, begin_held);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	ck_assert_int_eq(k->calls[1].status, STATUS_NETWORK_EXCEPTION);
	ck_assert_int_eq(k->calls[2].status, STATUS_REQUEST_TIMED_OUT);
	ck_assert_int_eq(k->calls[3].status, STATUS_NETWORK_EXCEPTION);
	ck_assert_int_eq(k->broken, 1);
	ck_assert_int_eq(k->done_when_broken, 4);
	ck_assert_int_eq(k->broken_why, STATUS_REQUEST_TIMED_OUT);
	caller_free(k);
	rig_release_everywhere(rig); /* the server cannot know a peer that went from one that only half-closed */
	rig_await_connections(rig, 0);
	rig_free(rig);
}
END_TEST

static void begin_refused(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = 3;
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 10, TIMEOUT_MS), STATUS_OK);
	ck_assert_int_eq(call_send(k, 1, RIG_REFUSE, 10, TIMEOUT_MS), STATUS_OK); /* the server closes */
	ck_assert_int_eq(call_send(k, 2, RIG_ECHO, 10, TIMEOUT_MS), STATUS_OK);
}

START_TEST(peer_connection_closed_by_the_server_fails_what_is_pending)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	k->stop_when_broken = true;
	caller_run(k, begin_refused);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	ck_assert_int_eq(k->calls[1].status, STATUS_NETWORK_EXCEPTION);
	ck_assert_int_eq(k->calls[2].status, STATUS_NETWORK_EXCEPTION);
	caller_free(k);
	rig_free(rig);
}
END_TEST

static void begin_large_answer(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	k->wanted = 2;
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 1000, TIMEOUT_MS), STATUS_OK);
	ck_assert_int_eq(call_send(k, 1, RIG_ECHO, 1001, TIMEOUT_MS), STATUS_OK);
}

START_TEST(peer_connection_answer_beyond_the_limit_breaks_it)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	k->stop_when_broken = true;
	k->max_frame_bytes = 1000;
	caller_run(k, begin_large_answer);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	ck_assert_int_eq(k->calls[1].status, STATUS_NETWORK_EXCEPTION);
	caller_free(k);
	rig_free(rig);
}
END_TEST

START_TEST(peer_connection_may_be_freed_from_a_callback)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	k->free_in_done = true; /* in the first answer; the others are cancelled */
	caller_run(k, begin_many);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	for (int i = 1; i < CALLS_MAX; i++)
		ck_assert_int_eq(k->calls[i].status, STATUS_CANCELLED);
	ck_assert_int_eq(k->broken, 0);
	caller_free(k);
	rig_await_connections(rig, 0);
	rig_free(rig);
}
END_TEST

static void begin_queue(struct task *t)
{
	struct caller *k = CONTAINER_OF(t, struct caller, begin);
	caller_connect(k);
	ck_assert_int_eq(call_send(k, 0, RIG_ECHO, 900, TIMEOUT_MS), STATUS_OK);
	ck_assert_int_eq(call_send(k, 1, RIG_ECHO, 900, TIMEOUT_MS), STATUS_BUFFER_FULL);
	ck_assert(!k->calls[1].done);
	ck_assert_int_eq(call_send(k, 1, RIG_ECHO, 50, TIMEOUT_MS), STATUS_OK);
	k->wanted = 2;
}

START_TEST(peer_connection_queue_is_bounded)
{
	struct rig *rig = rig_new(1, defaults);
	struct caller *k = caller_new(rig->port);
	k->queued_bytes_max = 1000;
	caller_run(k, begin_queue);
	ck_assert_int_eq(k->calls[0].status, STATUS_OK);
	ck_assert_int_eq(k->calls[1].status, STATUS_OK);
	caller_free(k);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("peer_connection", peer_connection_answers_come_to_their_calls_in_order,
	peer_connection_looks_names_up_in_the_pool, peer_connection_freed_during_the_lookup_is_forgotten,
	peer_connection_refused_unknown_or_too_slow_is_broken, peer_connection_overdue_answer_breaks_it,
	peer_connection_closed_by_the_server_fails_what_is_pending, peer_connection_answer_beyond_the_limit_breaks_it,
	peer_connection_may_be_freed_from_a_callback, peer_connection_queue_is_bounded)
