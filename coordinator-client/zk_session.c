/* The states of a session, on its loop. The library's threads only post: flights (zk_flight.c), events and log lines.
 *
 *   handle:   opening (a thread resolves names) -> open -> connected <-> not connected -> closing (a thread) -> gone
 *   session:  CONNECTING <-> CONNECTED -> EXPIRED -> reconnect() -> CONNECTING (next handle) ...; close() -> CLOSED
 *
 * CONNECTED is told once the handle is connected and the chroot is there. */
#include "coordinator-client/zk_session.h"
#include "coordinator-client/zk_session_internal.h"
#include "base/diag.h"
#include "base/random.h"
#include <errno.h>
#include <pthread.h>

enum {
	QUEUE_MAX = 100000,           /* requests kept back while connected: the ensemble is slow */
	RETRY_MS = 1000,              /* after a handle could not be opened (names not resolved) */
	ATTEMPT_MS = 2000,            /* for a connection, before another server is tried; doubled after each round */
	SAMPLE_MS = 250,              /* how often a handle that is not connected is looked at */
	SESSION_TIMEOUT_MS_MIN = 100,
};

struct zk_session {
	unsigned magic;
	struct zk_base base;
	char **hosts; /* host:port each */
	size_t host_count, first_host;
	char *digest; /* NULL none */
	bool set_acl;
	int32_t timeout_ms; /* asked for */
	struct zk_acls acls;
	struct zk_handle *handle; /* NULL: expired, or waiting to try again */
	size_t handle_count;      /* with those being closed */
	struct zk_call_queue waiting;
	struct zk_call_queue answers; /* answered here, not by the ensemble */
	struct task answer_task;
	bool answer_posted;
	struct zk_flight *flights, **flights_end; /* in the order they were sent */
	size_t flight_count; /* of the present handle */
	/* When a request was sent that has been answered, latest: the ensemble had heard of us then. */
	int64_t contact_us;
	int64_t last_sent_us;
	struct loop_timer beat_timer;    /* keeps contact; fences */
	struct loop_timer waiting_timer; /* deadlines of waiting requests */
	struct loop_timer attempt_timer; /* a connection takes too long, or another try to open a handle */
	int32_t attempt_ms, stuck_ms;
	size_t attempts; /* since the last connection */
	void (*closed)(void *arg);
	void *closed_arg;
	bool closing, done;
};
MAGIC(zk_session, 0x5a534553);
MAGIC(zk_handle, 0x5a48444c);

/* What the handle's watcher heard, on its way to the loop. */
struct event_mail {
	struct task task;
	struct zk_handle *handle;
	int type, state;
	int64_t at_us, session_id;
	int timeout_ms;
	char path[];
};

static struct zk_session *of_client(struct zk_client *c)
{
	struct zk_session *s = CONTAINER_OF(c, struct zk_session, base.client);
	CHECK_MAGIC(zk_session, s);
	return s;
}

static int64_t now_us(const struct zk_session *s)
{
	return clock_monotonic_us(s->base.client.scheduler->clock);
}

struct scheduler *zk_session_scheduler(struct zk_session *s)
{
	return s->base.client.scheduler;
}

bool zk_session_sets_acl(const struct zk_session *s)
{
	return s->set_acl;
}

static bool is_usable(const struct zk_session *s)
{
	return s->handle != NULL && s->handle->is_connected && s->handle->is_prepared;
}

/* --- on the library's threads, and threads of a handle ------------------ */

static void event_read(struct task *task);

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	struct zk_handle *h = context;
	CHECK_MAGIC(zk_handle, h);
	size_t size = path == NULL ? 1 : strlen(path) + 1;
	struct event_mail *m = check_calloc(1, sizeof(*m) + size);
	task_init(&m->task, "zk_session_event", event_read);
	m->handle = h;
	m->at_us = clock_monotonic_us(zk_session_scheduler(h->session)->clock);
	m->type = type;
	m->state = state;
	if (path != NULL)
		memcpy(m->path, path, size);
	if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) {
		m->session_id = zoo_client_id(zh)->client_id;
		m->timeout_ms = zoo_recv_timeout(zh);
	}
	scheduler_post(zk_session_scheduler(h->session), &m->task);
}

/* "2026-01-01 10:00:00,123:4711(0x7f..):ZOO_WARN@function@123: text" */
static void library_log(const char *message)
{
	const char *text = strstr(message, "ZOO_");
	const char *from = text == NULL ? NULL : strstr(text, ": ");
	diag_warn("zookeeper_client", "message=\"%s\"", from == NULL ? message : from + 2);
}

static void *open_thread(void *arg)
{
	struct zk_handle *h = arg;
	struct zk_session *s = h->session;
	h->zh = zookeeper_init2(h->hosts, watcher, s->timeout_ms, NULL, h, ZOO_NO_LOG_CLIENTENV, library_log);
	h->open_errno = errno;
	if (h->zh != NULL) {
		/* Otherwise it resolves the names on every turn of its loop, connected or not. */
		zoo_set_servers_resolution_delay(h->zh, -1);
		if (s->digest != NULL)
			zoo_add_auth(h->zh, "digest", s->digest, (int)strlen(s->digest), NULL, NULL);
	}
	scheduler_post(zk_session_scheduler(s), &h->opened);
	return NULL;
}

/* A server may take the connection and never answer: one that hangs, and a ZooKeeper that is just starting loses the request at
 * times. The library waits two thirds of the session timeout for it. A list of servers without the present one makes it let
 * go; then it gets the right list again. The address is one no server can have (the library compares addresses without ports);
 * its thread sleeps meanwhile, and if it does not, it is refused. */
static void *kick_thread(void *arg)
{
	struct zk_handle *h = arg;
	int rc = zoo_set_servers(h->zh, "255.255.255.255:1");
	if (rc == ZOK)
		rc = zoo_set_servers(h->zh, h->next_hosts);
	for (int i = 0; i < 3 && rc != ZOK; i++)
		rc = zoo_set_servers(h->zh, h->next_hosts);
	scheduler_post(zk_session_scheduler(h->session), &h->kicked);
	return NULL;
}

static void *close_thread(void *arg)
{
	struct zk_handle *h = arg;
	int rc = zookeeper_close(h->zh);
	if (rc != ZOK && rc != ZINVALIDSTATE && rc != ZCONNECTIONLOSS)
		diag_debug("zk_close", "rc=%d", rc);
	scheduler_post(zk_session_scheduler(h->session), &h->closed);
	return NULL;
}

static void start_thread(void *(*run)(void *), struct zk_handle *h)
{
	pthread_t thread;
	pthread_attr_t attr;
	expect(pthread_attr_init(&attr) == 0);
	expect(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	int rc = pthread_create(&thread, &attr, run, h);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return;
	/* No thread to be had: rather hold the loop up once than lose the session. */
	diag_warn("zk_session_thread", "errno=%d", rc);
	run(h);
}

/* --- handles ----------------------------------------------------------- */

static void finish(struct zk_session *s);
static void opened(struct task *task);
static void kicked(struct task *task);
static void closed(struct task *task);

/* All servers, beginning with another one each time. */
static char *hosts_in_order(struct zk_session *s)
{
	expect(s->host_count > 0);
	char *all = check_strdup("");
	for (size_t i = 0; i < s->host_count; i++) {
		char *more = check_asprintf("%s%s%s", all, i == 0 ? "" : ",",
			s->hosts[(s->first_host + i) % s->host_count]);
		free(all);
		all = more;
	}
	s->first_host = (s->first_host + 1) % s->host_count;
	return all;
}

static void attempt_arm(struct zk_session *s)
{
	scheduler_timer_arm(s->base.client.scheduler, &s->attempt_timer, (int64_t)SAMPLE_MS * 1000);
}

/* Sooner when there are many servers to try within the session timeout. */
static void attempt_reset(struct zk_session *s)
{
	int share_ms = s->timeout_ms / (int)(s->host_count + 1);
	s->attempt_ms = share_ms < ATTEMPT_MS ? share_ms : ATTEMPT_MS;
	s->attempts = 0;
	s->stuck_ms = 0;
	scheduler_timer_cancel(s->base.client.scheduler, &s->attempt_timer);
}

/* Has one attempt to connect been under way for too long? Refused ones are over at once, and the library waits on its own. */
static bool is_stuck(struct zk_session *s, struct zk_handle *h)
{
	int state = zoo_state(h->zh);
	bool trying = state == ZOO_CONNECTING_STATE || state == ZOO_ASSOCIATING_STATE;
	s->stuck_ms = trying ? s->stuck_ms + SAMPLE_MS : 0;
	if (s->stuck_ms < s->attempt_ms)
		return false;
	s->stuck_ms = 0;
	/* A slow ensemble gets more time, but only when every server had its turn. */
	if (++s->attempts % s->host_count == 0)
		s->attempt_ms = s->attempt_ms * 2 < s->timeout_ms ? s->attempt_ms * 2 : s->timeout_ms;
	return true;
}

static void handle_open(struct zk_session *s)
{
	expect(s->handle == NULL && !s->closing);
	struct zk_handle *h = check_calloc(1, sizeof(*h));
	h->magic = zk_handle_magic;
	h->session = s;
	h->hosts = hosts_in_order(s);
	task_init(&h->opened, "zk_session_opened", opened);
	task_init(&h->kicked, "zk_session_kicked", kicked);
	task_init(&h->closed, "zk_session_closed", closed);
	s->handle = h;
	s->handle_count++;
	start_thread(open_thread, h);
	attempt_arm(s);
}

/* From now on nothing this handle brings counts. */
static void handle_leave(struct zk_session *s)
{
	struct zk_handle *h = s->handle;
	if (h == NULL)
		return;
	s->handle = NULL;
	s->flight_count = 0;
	h->is_closing = true;
	h->is_connected = false;
	scheduler_timer_cancel(s->base.client.scheduler, &s->beat_timer);
	scheduler_timer_cancel(s->base.client.scheduler, &s->attempt_timer);
	if (h->is_open && !h->is_kicked)
		start_thread(close_thread, h);
}

static void handle_free(struct zk_handle *h)
{
	struct zk_session *s = h->session;
	expect(s->handle != h && s->handle_count > 0);
	s->handle_count--;
	free(h->hosts);
	free(h->next_hosts);
	h->magic = 0;
	free(h);
	finish(s);
}

static void closed(struct task *task)
{
	struct zk_handle *h = CONTAINER_OF(task, struct zk_handle, closed);
	CHECK_MAGIC(zk_handle, h);
	handle_free(h);
}

static void maybe_connected(struct zk_session *s);

static void opened(struct task *task)
{
	struct zk_handle *h = CONTAINER_OF(task, struct zk_handle, opened);
	CHECK_MAGIC(zk_handle, h);
	struct zk_session *s = h->session;
	h->is_open = h->zh != NULL;
	if (h->is_closing) {
		if (h->is_open)
			start_thread(close_thread, h);
		else
			handle_free(h);
		return;
	}
	expect(s->handle == h);
	if (!h->is_open) {
		diag_warn("zookeeper_unreachable", "servers=%s cause=\"%s\" retry_ms=%d action=\"check zookeeper.connect\"",
			h->hosts,
			h->open_errno == ENOENT || h->open_errno == EINVAL ? "the names cannot be resolved" :
									     strerror(h->open_errno),
			RETRY_MS);
		s->handle = NULL;
		handle_free(h);
		scheduler_timer_arm(s->base.client.scheduler, &s->attempt_timer, (int64_t)RETRY_MS * 1000);
		return;
	}
	maybe_connected(s);
}

static void kicked(struct task *task)
{
	struct zk_handle *h = CONTAINER_OF(task, struct zk_handle, kicked);
	CHECK_MAGIC(zk_handle, h);
	struct zk_session *s = h->session;
	expect(h->is_kicked);
	h->is_kicked = false;
	if (h->is_closing)
		start_thread(close_thread, h);
	else if (!h->is_connected) /* the library's thread sleeps: a request wakes it */
		(void)zk_flight_send_probe(h, ZK_FLIGHT_PROBE, "/");
	expect(s->handle == h || h->is_closing);
}

static void handle_kick(struct zk_handle *h)
{
	expect(h->is_open && !h->is_kicked);
	h->is_kicked = true;
	free(h->next_hosts);
	h->next_hosts = hosts_in_order(h->session);
	start_thread(kick_thread, h);
}

/* Looks after a handle that is not connected. One that has no session yet is simply replaced; one that has goes on with another
 * server. */
static void attempt_over(struct loop_timer *timer)
{
	struct zk_session *s = CONTAINER_OF(timer, struct zk_session, attempt_timer);
	CHECK_MAGIC(zk_session, s);
	struct zk_handle *h = s->handle;
	if (s->closing || s->base.client.state != ZK_STATE_CONNECTING || (h != NULL && h->is_connected))
		return;
	if (h == NULL) {
		handle_open(s);
		return;
	}
	attempt_arm(s);
	if (!h->is_open || h->is_kicked || !is_stuck(s, h))
		return; /* names being resolved: one thread at a time does that */
	if (h->had_session) {
		handle_kick(h);
	} else {
		handle_leave(s);
		handle_open(s);
	}
}

/* --- answers given here ------------------------------------------------ */

static void answer_turn(struct task *task)
{
	struct zk_session *s = CONTAINER_OF(task, struct zk_session, answer_task);
	CHECK_MAGIC(zk_session, s);
	s->answer_posted = false;
	/* Those that come meanwhile get a turn of their own. */
	for (size_t n = s->answers.count; n > 0 && s->answers.head != NULL; n--)
		zk_call_finish(zk_call_queue_pop(&s->answers));
	if (s->answers.head != NULL && !s->answer_posted) {
		s->answer_posted = true;
		scheduler_post(s->base.client.scheduler, &s->answer_task);
	}
	finish(s);
}

static void answer_later(struct zk_session *s, struct zk_call *call, enum status status)
{
	call->status = status;
	for (size_t i = 0; i < call->op_count; i++)
		call->results[i].status = status;
	zk_call_queue_push(&s->answers, call);
	if (!s->answer_posted) {
		s->answer_posted = true;
		scheduler_post(s->base.client.scheduler, &s->answer_task);
	}
}

/* --- flights ----------------------------------------------------------- */

void zk_session_launched(struct zk_session *s, struct zk_flight *f)
{
	CHECK_MAGIC(zk_session, s);
	f->sent_us = s->last_sent_us = now_us(s);
	f->next = NULL;
	f->prev = s->flights_end;
	*s->flights_end = f;
	s->flights_end = &f->next;
	s->flight_count++;
}

void zk_session_grounded(struct zk_session *s, struct zk_flight *f)
{
	CHECK_MAGIC(zk_session, s);
	expect(f->prev != NULL);
	*f->prev = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	else
		s->flights_end = f->prev;
	f->prev = NULL;
	if (f->handle == s->handle)
		s->flight_count--;
}

static void send_now(struct zk_session *s, struct zk_call *call)
{
	int rc;
	if (!zk_flight_send_call(s->handle, &s->acls, call, &rc))
		answer_later(s, call, zk_flight_status(rc));
}

static void pump(struct zk_session *s)
{
	while (is_usable(s) && s->flight_count < ZK_IN_FLIGHT_MAX && s->waiting.head != NULL)
		send_now(s, zk_call_queue_pop(&s->waiting));
}

static void waiting_arm(struct zk_session *s)
{
	if (s->waiting.head == NULL || s->waiting_timer.armed)
		return;
	int64_t left_us = s->waiting.head->deadline_us - now_us(s);
	scheduler_timer_arm(s->base.client.scheduler, &s->waiting_timer, left_us > 0 ? left_us : 0);
}

static void waiting_overdue(struct loop_timer *timer)
{
	struct zk_session *s = CONTAINER_OF(timer, struct zk_session, waiting_timer);
	CHECK_MAGIC(zk_session, s);
	while (s->waiting.head != NULL && s->waiting.head->deadline_us <= now_us(s))
		answer_later(s, zk_call_queue_pop(&s->waiting), STATUS_CONNECTION_LOSS);
	waiting_arm(s);
}

static void submit(struct zk_base *b, struct zk_call *call)
{
	struct zk_session *s = CONTAINER_OF(b, struct zk_session, base);
	CHECK_MAGIC(zk_session, s);
	enum zk_state state = b->client.state;
	size_t limit = state == ZK_STATE_CONNECTED ? QUEUE_MAX : ZK_WAITING_MAX;
	if (call->status != STATUS_OK)
		answer_later(s, call, call->status);
	else if (s->closing)
		answer_later(s, call, STATUS_CANCELLED);
	else if (state == ZK_STATE_EXPIRED)
		answer_later(s, call, STATUS_SESSION_EXPIRED);
	else if (state == ZK_STATE_AUTH_FAILED)
		answer_later(s, call, STATUS_NO_AUTH);
	else if (s->waiting.head == NULL && is_usable(s) && s->flight_count < ZK_IN_FLIGHT_MAX)
		send_now(s, call);
	else if (s->waiting.count >= limit)
		answer_later(s, call, STATUS_CONNECTION_LOSS);
	else {
		call->deadline_us = now_us(s) + (int64_t)s->timeout_ms * 1000;
		zk_call_queue_push(&s->waiting, call);
		waiting_arm(s);
	}
}

/* --- states ------------------------------------------------------------ */

/* Takes away the calls of all who wait, also from flights; the flights come home empty. */
static void take_all_calls(struct zk_session *s, struct zk_call_queue *ret_calls)
{
	struct zk_call *call;
	zk_call_queue_init(ret_calls);
	for (struct zk_flight *f = s->flights; f != NULL; f = f->next) {
		if (f->call != NULL)
			zk_call_queue_push(ret_calls, f->call);
		f->call = NULL;
	}
	while ((call = zk_call_queue_pop(&s->waiting)) != NULL)
		zk_call_queue_push(ret_calls, call);
}

static void end_session(struct zk_session *s, enum zk_state state, enum status status)
{
	struct zk_call_queue lost;
	struct zk_call *call;
	take_all_calls(s, &lost);
	handle_leave(s);
	zk_base_set_state(&s->base, state);
	zk_watch_table_lose(&s->base.watches);
	while ((call = zk_call_queue_pop(&lost)) != NULL)
		zk_call_fail(call, status);
}

static void beat_arm(struct zk_session *s)
{
	int64_t timeout_us = (int64_t)s->base.client.negotiated_timeout_ms * 1000;
	int64_t delay_us = s->contact_us + timeout_us - now_us(s);
	if (delay_us > timeout_us / 4)
		delay_us = timeout_us / 4;
	scheduler_timer_arm(s->base.client.scheduler, &s->beat_timer, delay_us > 0 ? delay_us : 0);
}

/* Without contact for the session's timeout the ensemble may have ended it, and nobody can tell us: our ephemerals may belong
 * to others already. */
static void beat(struct loop_timer *timer)
{
	struct zk_session *s = CONTAINER_OF(timer, struct zk_session, beat_timer);
	CHECK_MAGIC(zk_session, s);
	struct zk_client *c = &s->base.client;
	expect(s->handle != NULL && s->handle->had_session);
	int64_t timeout_us = (int64_t)c->negotiated_timeout_ms * 1000, now = now_us(s);
	if (now - s->contact_us >= timeout_us) {
		diag_warn("zk_session_fenced", "session_id=0x%llx silent_ms=%lld timeout_ms=%d",
			(unsigned long long)c->session_id, (long long)(now - s->contact_us) / 1000,
			c->negotiated_timeout_ms);
		end_session(s, ZK_STATE_EXPIRED, STATUS_SESSION_EXPIRED);
		return;
	}
	/* The library pings only when nothing else was sent, and says nothing of the answer: ask ourselves. */
	if (s->handle->is_open && s->handle->is_connected && now - s->last_sent_us >= timeout_us / 5)
		(void)zk_flight_send_probe(s->handle, ZK_FLIGHT_PROBE, s->base.chroot[0] == '\0' ? "/" : s->base.chroot);
	beat_arm(s);
}

static void prepared(struct zk_session *s)
{
	s->handle->is_prepared = true;
	pump(s); /* what waited was asked for before anything the news will make people ask */
	if (is_usable(s))
		zk_base_set_state(&s->base, ZK_STATE_CONNECTED);
}

static void maybe_connected(struct zk_session *s)
{
	struct zk_handle *h = s->handle;
	if (!h->is_open || !h->is_connected)
		return;
	if (h->is_prepared || s->base.chroot[0] == '\0')
		prepared(s);
	else
		(void)zk_flight_send_probe(h, ZK_FLIGHT_CHROOT_PROBE, s->base.chroot);
}

static void handle_connected(struct zk_session *s, const struct event_mail *m)
{
	struct zk_client *c = &s->base.client;
	s->handle->is_connected = true;
	s->handle->had_session = true;
	if (c->session_id != m->session_id) {
		c->previous_session_id = c->session_id;
		c->session_id = m->session_id;
	}
	c->negotiated_timeout_ms = m->timeout_ms > 0 ? m->timeout_ms : s->timeout_ms;
	s->contact_us = m->at_us;
	attempt_reset(s);
	beat_arm(s);
	maybe_connected(s);
}

static void session_event(struct zk_session *s, const struct event_mail *m)
{
	if (m->state == ZOO_CONNECTED_STATE) {
		handle_connected(s, m);
	} else if (m->state == ZOO_EXPIRED_SESSION_STATE) {
		diag_warn("zk_session_expired", "session_id=0x%llx", (unsigned long long)s->base.client.session_id);
		end_session(s, ZK_STATE_EXPIRED, STATUS_SESSION_EXPIRED);
	} else if (m->state == ZOO_AUTH_FAILED_STATE) {
		diag_error("zk_auth_failed", "action=\"check the ZooKeeper credentials\"");
		end_session(s, ZK_STATE_AUTH_FAILED, STATUS_NO_AUTH);
	} else if (s->handle->is_connected) {
		s->handle->is_connected = false;
		/* The library goes on to the one after; a kick, should it be needed, to the one after that. */
		s->first_host = (s->first_host + 1) % s->host_count;
		attempt_reset(s);
		attempt_arm(s);
		if (s->base.client.state == ZK_STATE_CONNECTED)
			zk_base_set_state(&s->base, ZK_STATE_CONNECTING);
	}
}

static void watch_event(struct zk_session *s, const struct event_mail *m)
{
	const char *path = zk_base_strip(&s->base, m->path);
	if (path == NULL)
		return;
	if (m->type == ZOO_CREATED_EVENT)
		zk_watch_table_fire(&s->base.watches, path, ZK_EVENT_CREATED);
	else if (m->type == ZOO_DELETED_EVENT)
		zk_watch_table_fire(&s->base.watches, path, ZK_EVENT_DELETED);
	else if (m->type == ZOO_CHANGED_EVENT)
		zk_watch_table_fire(&s->base.watches, path, ZK_EVENT_CHANGED);
	else if (m->type == ZOO_CHILD_EVENT)
		zk_watch_table_fire(&s->base.watches, path, ZK_EVENT_CHILDREN);
}

static void event_read(struct task *task)
{
	struct event_mail *m = CONTAINER_OF(task, struct event_mail, task);
	struct zk_session *s = m->handle->session;
	CHECK_MAGIC(zk_session, s);
	if (m->handle == s->handle) {
		if (m->type == ZOO_SESSION_EVENT)
			session_event(s, m);
		else
			watch_event(s, m);
	}
	free(m);
}

/* --- the chroot -------------------------------------------------------- */

static void chroot_create(struct zk_session *s)
{
	char part[ZK_PATH_MAX];
	for (const char *slash = s->base.chroot; slash != NULL;) {
		const char *next = strchr(slash + 1, '/');
		size_t n = next == NULL ? strlen(s->base.chroot) : (size_t)(next - s->base.chroot);
		memcpy(part, s->base.chroot, n);
		part[n] = '\0';
		if (!zk_flight_send_chroot(s->handle, &s->acls, part, next == NULL))
			return; /* the handle is not connected any more: the next connection begins anew */
		slash = next;
	}
}

static void chroot_answered(struct zk_session *s, const struct zk_flight *f)
{
	enum status status = zk_flight_status(f->rc);
	bool probe = f->kind == ZK_FLIGHT_CHROOT_PROBE;
	if (s->handle->is_prepared || status == STATUS_CONNECTION_LOSS || status == STATUS_SESSION_EXPIRED)
		return; /* the next connection begins anew */
	if (!probe && !f->last)
		return; /* a directory that exists may refuse to be created: only the last one says whether all is well */
	if (probe && status == STATUS_NOT_FOUND) {
		chroot_create(s);
	} else if (status == STATUS_OK || status == STATUS_EXISTS) {
		prepared(s);
	} else {
		diag_error("zk_chroot_not_created", "path=%s status=%s action=\"create it, or check the credentials\"",
			s->base.chroot, status_name(status));
		end_session(s, ZK_STATE_AUTH_FAILED, STATUS_NO_AUTH);
	}
}

void zk_session_landed(struct zk_session *s, struct zk_flight *f)
{
	CHECK_MAGIC(zk_session, s);
	bool current = f->handle == s->handle;
	zk_session_grounded(s, f);
	enum status status = zk_flight_status(f->rc);
	if (current && status != STATUS_CONNECTION_LOSS && status != STATUS_SESSION_EXPIRED && f->sent_us > s->contact_us)
		s->contact_us = f->sent_us;
	if (current && (f->kind == ZK_FLIGHT_CHROOT_PROBE || f->kind == ZK_FLIGHT_CHROOT_MADE))
		chroot_answered(s, f);
	struct zk_call *call = f->call;
	if (call != NULL)
		zk_flight_unload(f);
	f->call = NULL;
	zk_flight_free(f);
	if (call != NULL)
		zk_call_finish(call);
	pump(s);
}

/* --- the table --------------------------------------------------------- */

static void reconnect(struct zk_client *c)
{
	struct zk_session *s = of_client(c);
	expect_on_loop(c->scheduler);
	if (s->closing)
		return;
	if (c->state != ZK_STATE_EXPIRED) {
		end_session(s, ZK_STATE_EXPIRED, STATUS_SESSION_EXPIRED);
		if (c->state != ZK_STATE_EXPIRED)
			return; /* someone who was told did it */
	}
	zk_base_set_state(&s->base, ZK_STATE_CONNECTING);
	attempt_reset(s);
	if (s->handle == NULL && !s->closing && c->state == ZK_STATE_CONNECTING)
		handle_open(s);
}

static void close_session(struct zk_client *c, void (*closed_fn)(void *arg), void *arg)
{
	struct zk_session *s = of_client(c);
	struct zk_call_queue pending;
	struct zk_call *call;
	expect_on_loop(c->scheduler);
	expect(!s->closing && closed_fn != NULL);
	s->closing = true;
	s->closed = closed_fn;
	s->closed_arg = arg;
	take_all_calls(s, &pending);
	while ((call = zk_call_queue_pop(&pending)) != NULL)
		answer_later(s, call, STATUS_CANCELLED);
	scheduler_timer_cancel(c->scheduler, &s->waiting_timer);
	scheduler_timer_cancel(c->scheduler, &s->attempt_timer);
	handle_leave(s);
	zk_watch_table_fini(&s->base.watches);
	if (!s->answer_posted) {
		s->answer_posted = true;
		scheduler_post(c->scheduler, &s->answer_task);
	}
}

/* The last message of the last handle has been read, the last asker answered: say so. s may be gone afterwards. */
static void finish(struct zk_session *s)
{
	if (!s->closing || s->done || s->handle_count > 0 || s->answer_posted)
		return;
	expect(s->flights == NULL && s->answers.head == NULL);
	s->done = true;
	zk_base_set_state(&s->base, ZK_STATE_CLOSED);
	s->closed(s->closed_arg);
}

static const struct zk_client_ops session_ops = {
	.create = zk_base_create,
	.exists = zk_base_exists,
	.get = zk_base_get,
	.children = zk_base_children,
	.set = zk_base_set,
	.remove = zk_base_remove,
	.multi = zk_base_multi,
	.forget = zk_base_forget,
	.reconnect = reconnect,
	.close = close_session,
};

/* --- open, free -------------------------------------------------------- */

/* One "host:port", "[v6]:port" or "host" of a connect string. */
static enum status host_check(const char *connect, struct slice host, struct failure *ret_failure)
{
	size_t colon = host.n;
	for (size_t i = host.n; i > 0 && colon == host.n; i--) {
		if (host.p[i - 1] == ':')
			colon = i - 1;
	}
	int32_t port = 0;
	bool ok = colon > 0 && colon < host.n &&
		bytes_parse_i32(slice_sub(host, colon + 1, host.n - colon - 1), &port) == STATUS_OK && port > 0 &&
		port < 65536;
	for (size_t i = 0; i < colon && ok; i++)
		ok = host.p[i] > ' ' && host.p[i] < 0x7f;
	return ok ? STATUS_OK :
		    failure_set(ret_failure, STATUS_INVALID_CONFIG,
			    "zookeeper.connect=%s: '%.*s' is not host:port; write host:port[,host:port...][/chroot]", connect,
			    (int)host.n, (const char *)host.p);
}

/* Calls each(arg, host) for every server. */
static enum status hosts_walk(const char *connect, struct slice hosts, void (*each)(void *arg, struct slice host), void *arg,
	struct failure *ret_failure)
{
	size_t from = 0;
	for (size_t i = 0; i <= hosts.n; i++) {
		if (i < hosts.n && hosts.p[i] != ',')
			continue;
		struct slice host = slice_sub(hosts, from, i - from);
		TRY(host_check(connect, host, ret_failure));
		each(arg, host);
		from = i + 1;
	}
	return STATUS_OK;
}

static void host_ignore(void *arg, struct slice host)
{
	expect(arg == NULL && host.n > 0);
}

static void host_add(void *arg, struct slice host)
{
	struct zk_session *s = arg;
	s->hosts = check_realloc(s->hosts, (s->host_count + 1) * sizeof(*s->hosts));
	s->hosts[s->host_count++] = check_strndup((const char *)host.p, host.n);
}

static struct slice hosts_of(const char *connect)
{
	const char *slash = strchr(connect, '/');
	return slice_of(connect, slash == NULL ? strlen(connect) : (size_t)(slash - connect));
}

enum status zk_session_check_connect(const char *connect, struct failure *ret_failure)
{
	expect(connect != NULL);
	const char *slash = strchr(connect, '/');
	TRY(hosts_walk(connect, hosts_of(connect), host_ignore, NULL, ret_failure));
	if (slash != NULL && zk_path_check(slash) != STATUS_OK)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG,
			"zookeeper.connect=%s: the chroot '%s' is not a legal path", connect, slash);
	return STATUS_OK;
}

static enum status options_check(const struct zk_session_options *o, struct failure *ret_failure)
{
	TRY(zk_session_check_connect(o->connect, ret_failure));
	if (o->session_timeout_ms < SESSION_TIMEOUT_MS_MIN)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "zookeeper.session.timeout.ms=%d: at least %d",
			o->session_timeout_ms, SESSION_TIMEOUT_MS_MIN);
	if (o->digest != NULL && (strchr(o->digest, ':') == NULL || strlen(o->digest) > 512))
		return failure_set(ret_failure, STATUS_INVALID_CONFIG,
			"the ZooKeeper digest credentials are not user:password");
	if (o->set_acl && o->digest == NULL)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG,
			"zookeeper.set.acl=true needs ZooKeeper credentials: give digest credentials, or set it to false");
	return STATUS_OK;
}

enum status zk_session_open(struct scheduler *scheduler, const struct zk_session_options *o, struct zk_client **ret_client,
	struct failure *ret_failure)
{
	TRY(options_check(o, ret_failure));
	struct zk_session *s = check_calloc(1, sizeof(*s));
	const char *chroot = strchr(o->connect, '/');
	s->magic = zk_session_magic;
	zk_base_init(&s->base, scheduler, chroot == NULL ? "" : chroot);
	s->base.submit = submit;
	s->base.client.ops = &session_ops;
	s->base.client.state_changed = o->state_changed;
	s->base.client.state_arg = o->state_arg;
	s->timeout_ms = o->session_timeout_ms;
	s->digest = o->digest == NULL ? NULL : check_strdup(o->digest);
	s->set_acl = o->set_acl;
	zk_acls_init(&s->acls);
	zk_call_queue_init(&s->waiting);
	zk_call_queue_init(&s->answers);
	s->flights_end = &s->flights;
	task_init(&s->answer_task, "zk_session_answer", answer_turn);
	loop_timer_init(&s->beat_timer, "zk_session_beat", beat);
	loop_timer_init(&s->waiting_timer, "zk_session_waiting", waiting_overdue);
	loop_timer_init(&s->attempt_timer, "zk_session_attempt", attempt_over);
	expect(hosts_walk(o->connect, hosts_of(o->connect), host_add, s, ret_failure) == STATUS_OK);
	/* Clients spread over the servers by chance; the library keeps the order it is given. */
	struct random dice;
	random_seed_system(&dice);
	s->first_host = (size_t)random_below(&dice, s->host_count);
	attempt_reset(s);
	zoo_deterministic_conn_order(1);
	zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
	handle_open(s);
	*ret_client = &s->base.client;
	return STATUS_OK;
}

void zk_session_free(struct zk_client *c)
{
	struct zk_session *s = of_client(c);
	expect(s->done && s->handle == NULL && s->handle_count == 0);
	zk_base_fini(&s->base);
	for (size_t i = 0; i < s->host_count; i++)
		free(s->hosts[i]);
	free(s->hosts);
	free(s->digest);
	s->magic = 0;
	free(s);
}

void zk_session_password(struct zk_client *c, uint8_t ret_password[16])
{
	const struct zk_session *s = of_client(c);
	expect(s->handle != NULL && s->handle->is_connected);
	memcpy(ret_password, zoo_client_id(s->handle->zh)->passwd, 16);
}
