/* kafka_peer against a small server on the same loop: what it says decides how calls end. */
#include "base/diag.h"
#include "cluster/kafka_peer.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS = 4, FRAME_MAX = 65536, TIMEOUT_MS = 20000 };

enum manner { ANSWERS, OTHER_VERSIONS, GARBAGE, GARBAGE_VERSIONS, HANGS_UP, WRONG_NUMBER, SAYS_NOTHING };

struct call {
	struct kafka_peer_call call;
	struct rig *rig;
	int done;
	enum status status;
	int16_t version, error_code;
};
struct rig {
	struct event_loop *loop;
	struct kafka_peer *peer;
	struct task begin;
	enum manner manner;
	int listener, port, connections, wanted, done;
	int64_t timeout_ms;
	bool free_in_done, again;
	struct event *accept_event;
	struct guest {
		struct rig *rig;
		int fd;
		struct event *event;
		uint8_t bytes[FRAME_MAX];
		size_t n;
	} guests[4];
	struct call calls[CALLS];
};

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* --- the server -------------------------------------------------------------------------------------------------------------- */

static void guest_leave(struct guest *g)
{
	if (g->fd < 0)
		return;
	event_free(g->event);
	close(g->fd);
	g->fd = -1;
}

static void send_bytes(const struct guest *g, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(g->fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void send_message(const struct guest *g, const struct kafka_api *api, struct kafka_header header, const void *body)
{
	struct iobuf out;
	struct iovec iov[8];
	iobuf_init(&out);
	ck_assert_int_eq(kafka_codec_encode_response(api, &header, body, NULL, &out), STATUS_OK);
	int count = iobuf_peek_iov(&out, iov, 8);
	for (int i = 0; i < count; i++)
		send_bytes(g, iov[i].iov_base, iov[i].iov_len);
	iobuf_fini(&out);
}

static void serve_versions(const struct guest *g, const struct kafka_header *header)
{
	struct kafka_api_versions_response_key keys[] = {{.api_key = 6, .max_version = 5}, {.api_key = 300, .max_version = 1}, {.api_key = -1}};
	struct kafka_api_versions_response m;
	kafka_messages_init(&kafka_struct_api_versions_response, &m);
	if (g->rig->manner == OTHER_VERSIONS)
		keys[0] = (struct kafka_api_versions_response_key){.api_key = 6, .min_version = 9, .max_version = 11};
	m.api_keys = keys;
	m.api_keys_count = 3;
	ck_assert_int_eq(header->api_version, 0);
	ck_assert_str_eq(header->client_id, "me");
	if (g->rig->manner == GARBAGE_VERSIONS)
		send_bytes(g, "\0\0\0\2xx", 6);
	else
		send_message(g, kafka_messages_api(KAFKA_API_api_versions), *header, &m);
}

static void serve(struct guest *g, struct slice frame)
{
	struct arena a;
	struct kafka_header header;
	void *body;
	const struct kafka_update_metadata_response m = {.error_code = 11};
	arena_init(&a, 1 << 20);
	ck_assert_int_eq(kafka_codec_peek_header(frame, &header), STATUS_OK);
	const struct kafka_api *api = kafka_messages_find(header.api_key);
	ck_assert_int_eq(kafka_codec_decode_request(&a, frame, api, &header, &body), STATUS_OK);
	if (header.api_key == 18) {
		serve_versions(g, &header);
	} else if (g->rig->manner == GARBAGE) {
		send_bytes(g, "\0\0\0\4abcd", 8);
	} else if (g->rig->manner == HANGS_UP) {
		guest_leave(g);
	} else if (g->rig->manner != SAYS_NOTHING) {
		header.correlation_id += g->rig->manner == WRONG_NUMBER;
		send_message(g, api, header, &m);
	}
	arena_fini(&a);
}

static void guest_readable(evutil_socket_t fd, short what, void *arg)
{
	struct guest *g = arg;
	(void)what;
	ssize_t n = recv(fd, g->bytes + g->n, FRAME_MAX - g->n, 0);
	if (n <= 0) {
		guest_leave(g);
		return;
	}
	g->n += (size_t)n;
	while (g->fd >= 0 && g->n >= 4) {
		size_t length = bytes_get_u32(g->bytes);
		if (g->n < 4 + length)
			break;
		serve(g, slice_of(g->bytes + 4, length));
		g->n -= 4 + length;
		memmove(g->bytes, g->bytes + 4 + length, g->n);
	}
}

static void guest_comes(evutil_socket_t fd, short what, void *arg)
{
	struct rig *r = arg;
	(void)what;
	ck_assert_int_lt(r->connections, 4);
	struct guest *g = &r->guests[r->connections++];
	*g = (struct guest){.rig = r, .fd = accept(fd, NULL, NULL)};
	ck_assert_int_ge(g->fd, 0);
	g->event = event_new(event_loop_base(r->loop), g->fd, EV_READ | EV_PERSIST, guest_readable, g);
	ck_assert_int_eq(event_add(g->event, NULL), 0);
}

/* --- the calls --------------------------------------------------------------------------------------------------------------- */

static void ask(struct rig *r, int i);

static enum status body(struct kafka_peer_call *c, int16_t newest, struct arena *arena, int16_t *ret_version, void **ret_body)
{
	(void)c;
	struct kafka_update_metadata_request *m = arena_alloc(arena, sizeof(*m));
	ck_assert_ptr_nonnull(m);
	kafka_messages_init(&kafka_struct_update_metadata_request, m);
	*ret_version = newest;
	*ret_body = m;
	return STATUS_OK;
}

static void call_done(struct kafka_peer_call *k, enum status s, int16_t version, const void *answer)
{
	struct call *c = CONTAINER_OF(k, struct call, call);
	struct rig *r = c->rig;
	const struct kafka_update_metadata_response *m = answer;
	ck_assert((s == STATUS_OK) == (m != NULL));
	c->done++;
	c->status = s;
	c->version = version;
	c->error_code = m == NULL ? 0 : m->error_code;
	r->done++;
	if (r->free_in_done) {
		kafka_peer_free(r->peer);
		r->peer = NULL;
		event_loop_stop(r->loop);
	} else if (r->again) {
		r->again = false;
		r->manner = ANSWERS;
		ask(r, CALLS - 1); /* from within */
	} else if (r->done >= r->wanted) {
		event_loop_stop(r->loop);
	}
}

static void ask(struct rig *r, int i)
{
	struct call *c = &r->calls[i];
	int before = r->done;
	c->rig = r;
	c->call = (struct kafka_peer_call){.api = kafka_messages_api(KAFKA_API_update_metadata), .timeout_ms = r->timeout_ms, .body = body,
		.done = call_done};
	kafka_peer_call(r->peer, &c->call);
	ck_assert_int_eq(r->done, before);
}

static void begin(struct task *t)
{
	struct rig *r = CONTAINER_OF(t, struct rig, begin);
	struct kafka_peer_options o = {.loop = r->loop, .host = "127.0.0.1", .port = r->port, .client_id = "me", .connect_timeout_ms = TIMEOUT_MS,
		.answer_bytes_max = FRAME_MAX};
	r->peer = kafka_peer_new(&o);
	for (int i = 0; i < CALLS - 1; i++)
		ask(r, i);
}

static void run(struct rig *r, enum manner manner)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	diag_set_sink(quiet, NULL);
	r->manner = manner;
	r->wanted = r->wanted > 0 ? r->wanted : CALLS - 1;
	r->timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : TIMEOUT_MS;
	ck_assert_int_eq(event_loop_new("test", 0, clock_system(), &r->loop), STATUS_OK);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(r->listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(r->listener, 4), 0);
	ck_assert_int_eq(getsockname(r->listener, (struct sockaddr *)&address, &size), 0);
	r->port = ntohs(address.sin_port);
	r->accept_event = event_new(event_loop_base(r->loop), r->listener, EV_READ | EV_PERSIST, guest_comes, r);
	ck_assert_int_eq(event_add(r->accept_event, NULL), 0);
	task_init(&r->begin, "begin", begin);
	scheduler_post(event_loop_scheduler(r->loop), &r->begin);
	event_loop_run(r->loop);
}

static void end(struct rig *r)
{
	kafka_peer_free(r->peer);
	for (int i = 0; i < r->connections; i++)
		guest_leave(&r->guests[i]);
	event_free(r->accept_event);
	close(r->listener);
	event_loop_free(r->loop);
}

static void all_end_with(enum manner manner, enum status s)
{
	static struct rig r;
	r = (struct rig){.timeout_ms = manner == SAYS_NOTHING ? 50 : 0};
	run(&r, manner);
	for (int i = 0; i < CALLS - 1; i++) {
		ck_assert_int_eq(r.calls[i].done, 1);
		if (i == 0) /* those behind share its fate, under another name */
			ck_assert_int_eq(r.calls[i].status, s);
		else
			ck_assert_int_ne(r.calls[i].status, STATUS_OK);
	}
	end(&r);
}

START_TEST(kafka_peer_agrees_on_versions_and_calls)
{
	static struct rig r;
	r = (struct rig){.again = true, .wanted = CALLS};
	run(&r, ANSWERS);
	for (int i = 0; i < CALLS; i++) {
		ck_assert_int_eq(r.calls[i].done, 1);
		ck_assert_int_eq(r.calls[i].status, STATUS_OK);
		ck_assert_int_eq(r.calls[i].version, 5);
		ck_assert_int_eq(r.calls[i].error_code, 11);
	}
	ck_assert_int_eq(r.connections, 1);
	end(&r);
}
END_TEST

START_TEST(kafka_peer_bad_answers)
{
	all_end_with(OTHER_VERSIONS, STATUS_UNSUPPORTED_VERSION);
	all_end_with(GARBAGE, STATUS_INVALID_REQUEST);
	all_end_with(WRONG_NUMBER, STATUS_INVALID_REQUEST);
	all_end_with(GARBAGE_VERSIONS, STATUS_NETWORK_EXCEPTION);
	all_end_with(HANGS_UP, STATUS_NETWORK_EXCEPTION);
	all_end_with(SAYS_NOTHING, STATUS_REQUEST_TIMED_OUT);
}
END_TEST

/* A call made as another fails, on a connection that was just dropped, goes over a new one. */
START_TEST(kafka_peer_connects_again)
{
	static struct rig r;
	r = (struct rig){.again = true, .wanted = CALLS};
	run(&r, GARBAGE);
	ck_assert_int_eq(r.calls[CALLS - 1].done, 1);
	ck_assert_int_eq(r.calls[CALLS - 1].status, STATUS_OK);
	ck_assert_int_eq(r.connections, 2);
	end(&r);
}
END_TEST

START_TEST(kafka_peer_freed_in_done)
{
	static const enum manner manners[] = {ANSWERS, GARBAGE, OTHER_VERSIONS, HANGS_UP};
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		static struct rig r;
		r = (struct rig){.free_in_done = true};
		run(&r, manners[i]);
		ck_assert_int_eq(r.done, 1);
		end(&r);
	}
}
END_TEST

UNIT_MAIN("kafka_peer", kafka_peer_agrees_on_versions_and_calls, kafka_peer_bad_answers, kafka_peer_connects_again, kafka_peer_freed_in_done)
