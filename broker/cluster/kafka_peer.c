#include "cluster/kafka_peer.h"
#include "base/diag.h"
#include <stdlib.h>

enum { API_KEYS = 128, ARENA_BYTES_MAX = 64 << 20, VERSIONS_ARENA_BYTES_MAX = 1 << 20 };

/* NEW: no connection. ASKING: ApiVersions is under way. READY: calls go straight out. */
enum kafka_peer_state { KAFKA_PEER_NEW, KAFKA_PEER_ASKING, KAFKA_PEER_READY };

struct kafka_peer {
	unsigned magic;
	struct kafka_peer_options o;
	char *host, *client_id;
	enum kafka_peer_state state;
	struct peer_connection *connection;
	struct peer_call versions_call;
	int16_t versions[API_KEYS]; /* newest the other side serves, by key; -1: not served */
	int16_t oldest[API_KEYS];
	int32_t correlation_id;
	struct kafka_peer_call *waiting, **waiting_end; /* for READY */
	struct kafka_peer_call *failed, **failed_end;   /* whose end waits for the next turn */
	struct task fail_task;
	bool fail_posted;
	unsigned depth; /* of calls into done */
	bool freed;
};
MAGIC(kafka_peer, 0x4b504552);

static void peer_release(struct kafka_peer *p)
{
	free(p->host);
	free(p->client_id);
	p->magic = 0;
	free(p);
}

/* After this p may be gone. */
static void peer_leave(struct kafka_peer *p)
{
	expect(p->depth > 0);
	if (--p->depth == 0 && p->freed && !p->fail_posted)
		peer_release(p);
}

/* --- failures: told in the next turn --------------------------------------------------------------------------------------- */

static void run_failures(struct task *t)
{
	struct kafka_peer *p = CAST(kafka_peer, CONTAINER_OF(t, struct kafka_peer, fail_task));
	p->fail_posted = false;
	p->depth++;
	struct kafka_peer_call *c = p->failed;
	p->failed = NULL;
	p->failed_end = &p->failed;
	while (c != NULL && !p->freed) {
		struct kafka_peer_call *next = c->next;
		c->done(c, c->failure, 0, NULL);
		c = next;
	}
	peer_leave(p);
}

static void fail_later(struct kafka_peer *p, struct kafka_peer_call *c, enum status s)
{
	c->failure = s;
	c->next = NULL;
	*p->failed_end = c;
	p->failed_end = &c->next;
	if (p->fail_posted)
		return;
	p->fail_posted = true;
	scheduler_post(event_loop_scheduler(p->o.loop), &p->fail_task);
}

static void fail_waiting(struct kafka_peer *p, enum status s)
{
	struct kafka_peer_call *c = p->waiting;
	p->waiting = NULL;
	p->waiting_end = &p->waiting;
	while (c != NULL) {
		struct kafka_peer_call *next = c->next;
		fail_later(p, c, s);
		c = next;
	}
}

static void drop_connection(struct kafka_peer *p)
{
	struct peer_connection *connection = p->connection;
	p->connection = NULL;
	p->state = KAFKA_PEER_NEW;
	if (connection != NULL)
		peer_connection_free(connection); /* what is under way there ends with CANCELLED now */
}

static void peer_broken(void *arg, enum status why)
{
	struct kafka_peer *p = CAST(kafka_peer, arg);
	p->depth++;
	drop_connection(p);
	fail_waiting(p, why == STATUS_REQUEST_TIMED_OUT ? why : STATUS_NETWORK_EXCEPTION);
	peer_leave(p);
}

/* --- calls ------------------------------------------------------------------------------------------------------------------ */

static void answered(struct peer_call *call, enum status s, struct iobuf_block *block, struct slice frame)
{
	(void)block;
	struct kafka_peer_call *c = CONTAINER_OF(call, struct kafka_peer_call, call);
	struct kafka_peer *p = CAST(kafka_peer, c->peer);
	struct arena arena;
	void *body = NULL;
	int32_t correlation_id = 0;
	if (p->freed)
		return;
	if (s == STATUS_CANCELLED) { /* the connection is being dropped, for another call's sake */
		fail_later(p, c, STATUS_NETWORK_EXCEPTION);
		return;
	}
	p->depth++;
	arena_init(&arena, ARENA_BYTES_MAX);
	if (s == STATUS_OK) {
		s = kafka_codec_decode_response(&arena, frame, c->api, c->version, &correlation_id, &body);
		if (s != STATUS_OK || correlation_id != c->correlation_id) {
			diag_warn("peer_answer_malformed", "host=%s port=%d api=%s api_version=%d", p->host, p->o.port, c->api->name, c->version);
			s = STATUS_INVALID_REQUEST;
			drop_connection(p);
		}
	}
	c->done(c, s, c->version, s == STATUS_OK ? body : NULL);
	arena_fini(&arena);
	peer_leave(p);
}

static enum status send_call(struct kafka_peer *p, struct kafka_peer_call *c)
{
	int16_t newest = c->api->key < API_KEYS ? p->versions[c->api->key] : -1;
	newest = newest < c->api->last ? newest : c->api->last;
	if (newest < c->api->first || newest < p->oldest[c->api->key])
		return STATUS_UNSUPPORTED_VERSION;
	struct arena arena;
	struct iobuf frame;
	void *body = NULL;
	arena_init(&arena, ARENA_BYTES_MAX);
	iobuf_init(&frame);
	enum status s = c->body(c, newest, &arena, &c->version, &body);
	struct kafka_header header = {.api_key = c->api->key, .api_version = c->version, .correlation_id = ++p->correlation_id,
		.client_id = p->client_id};
	c->correlation_id = header.correlation_id;
	if (s == STATUS_OK)
		s = kafka_codec_encode_request(c->api, &header, body, NULL, &frame);
	arena_fini(&arena);
	c->call = (struct peer_call){.done = answered};
	if (s == STATUS_OK)
		s = peer_connection_send(p->connection, &c->call, &frame, c->timeout_ms);
	iobuf_fini(&frame);
	return s;
}

static void send_or_fail(struct kafka_peer *p, struct kafka_peer_call *c)
{
	enum status s = send_call(p, c);
	if (s != STATUS_OK)
		fail_later(p, c, s);
}

/* --- versions --------------------------------------------------------------------------------------------------------------- */

static enum status take_versions(struct kafka_peer *p, struct slice frame)
{
	const struct kafka_api *api = kafka_messages_api(KAFKA_API_api_versions);
	const struct kafka_api_versions_response *m;
	struct arena arena;
	void *body = NULL;
	int32_t correlation_id = 0;
	arena_init(&arena, VERSIONS_ARENA_BYTES_MAX);
	enum status s = kafka_codec_decode_response(&arena, frame, api, 0, &correlation_id, &body);
	m = body;
	if (s == STATUS_OK && (m->error_code != 0 || correlation_id != p->correlation_id))
		s = STATUS_INVALID_REQUEST;
	for (int i = 0; i < API_KEYS; i++)
		p->versions[i] = p->oldest[i] = -1;
	for (int32_t i = 0; s == STATUS_OK && i < m->api_keys_count; i++) {
		int16_t key = m->api_keys[i].api_key;
		if (key < 0 || key >= API_KEYS)
			continue;
		p->oldest[key] = m->api_keys[i].min_version;
		p->versions[key] = m->api_keys[i].max_version;
	}
	arena_fini(&arena);
	return s;
}

static void versions_answered(struct peer_call *call, enum status s, struct iobuf_block *block, struct slice frame)
{
	(void)block;
	struct kafka_peer *p = CAST(kafka_peer, CONTAINER_OF(call, struct kafka_peer, versions_call));
	if (p->freed || p->connection == NULL || s != STATUS_OK)
		return; /* freed, or broken: peer_broken follows */
	if (take_versions(p, frame) != STATUS_OK) {
		diag_warn("peer_versions_unknown", "host=%s port=%d cause=\"ApiVersions was not answered as by a broker\"", p->host, p->o.port);
		drop_connection(p);
		fail_waiting(p, STATUS_NETWORK_EXCEPTION);
		return;
	}
	p->state = KAFKA_PEER_READY;
	struct kafka_peer_call *c = p->waiting;
	p->waiting = NULL;
	p->waiting_end = &p->waiting;
	while (c != NULL) {
		struct kafka_peer_call *next = c->next;
		send_or_fail(p, c);
		c = next;
	}
}

static enum status ask_versions(struct kafka_peer *p)
{
	const struct kafka_api *api = kafka_messages_api(KAFKA_API_api_versions);
	struct kafka_api_versions_request body;
	struct iobuf frame;
	struct kafka_header header = {.api_key = api->key, .correlation_id = ++p->correlation_id, .client_id = p->client_id};
	kafka_messages_init(api->request, &body);
	iobuf_init(&frame);
	p->versions_call = (struct peer_call){.done = versions_answered};
	enum status s = kafka_codec_encode_request(api, &header, &body, NULL, &frame);
	if (s == STATUS_OK)
		s = peer_connection_send(p->connection, &p->versions_call, &frame, p->o.connect_timeout_ms);
	iobuf_fini(&frame);
	return s;
}

static void connect(struct kafka_peer *p)
{
	struct peer_connection_options o = {
		.loop = p->o.loop,
		.resolver = p->o.resolver,
		.host = p->host,
		.port = p->o.port,
		.connect_timeout_ms = p->o.connect_timeout_ms,
		.max_frame_bytes = p->o.answer_bytes_max,
		.broken = peer_broken,
		.arg = p,
	};
	p->connection = peer_connection_new(&o);
	p->state = KAFKA_PEER_ASKING;
	enum status s = ask_versions(p);
	expect(s == STATUS_OK); /* nothing is queued before it */
}

/* --- public ----------------------------------------------------------------------------------------------------------------- */

struct kafka_peer *kafka_peer_new(const struct kafka_peer_options *o)
{
	expect(o->host != NULL && o->client_id != NULL && o->connect_timeout_ms > 0 && o->answer_bytes_max > 0);
	struct kafka_peer *p = check_calloc(1, sizeof(*p));
	p->magic = kafka_peer_magic;
	p->o = *o;
	p->host = check_strdup(o->host);
	p->client_id = check_strdup(o->client_id);
	p->waiting_end = &p->waiting;
	p->failed_end = &p->failed;
	task_init(&p->fail_task, "kafka_peer_failures", run_failures);
	return p;
}

void kafka_peer_free(struct kafka_peer *p)
{
	if (p == NULL)
		return;
	CHECK_MAGIC(kafka_peer, p);
	expect(!p->freed);
	p->freed = true;
	p->depth++;
	drop_connection(p);
	peer_leave(p);
}

void kafka_peer_call(struct kafka_peer *p, struct kafka_peer_call *c)
{
	CHECK_MAGIC(kafka_peer, p);
	expect(!p->freed && c->api != NULL && c->body != NULL && c->done != NULL && c->timeout_ms > 0);
	c->peer = p;
	c->next = NULL;
	if (p->state == KAFKA_PEER_READY) {
		send_or_fail(p, c);
		return;
	}
	*p->waiting_end = c;
	p->waiting_end = &c->next;
	if (p->state == KAFKA_PEER_NEW)
		connect(p);
}
