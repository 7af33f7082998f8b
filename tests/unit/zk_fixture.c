#include "tests/unit/zk_fixture.h"
#include "coordinator-client/zk_session.h"
#include "coordinator-client/zk_standalone.h"
#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 16, WAIT_MS = 20000 };

/* A loop turned by the test's thread; posted to from any. */
struct test_loop {
	struct scheduler scheduler;
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct task *head, **tail;
	struct loop_timer *timers[64];
	int64_t due_us[64];
	size_t timer_count;
};

struct zk_fixture {
	int kind;
	char chroot[ZK_PATH_MAX];
	struct test_loop loop;
	struct zk_tree *tree;
	struct zk_client *clients[CLIENTS];
	bool closed[CLIENTS];
	struct zk_answer *answers;
};

static void loop_post(struct scheduler *s, struct task *t)
{
	struct test_loop *l = CONTAINER_OF(s, struct test_loop, scheduler);
	pthread_mutex_lock(&l->lock);
	t->next = NULL;
	*l->tail = t;
	l->tail = &t->next;
	pthread_cond_signal(&l->posted);
	pthread_mutex_unlock(&l->lock);
}

static void loop_timer_stop(struct scheduler *s, struct loop_timer *t)
{
	struct test_loop *l = CONTAINER_OF(s, struct test_loop, scheduler);
	for (size_t i = 0; i < l->timer_count; i++) {
		if (l->timers[i] != t)
			continue;
		l->timer_count--;
		l->timers[i] = l->timers[l->timer_count];
		l->due_us[i] = l->due_us[l->timer_count];
		t->armed = false;
		return;
	}
}

static void loop_timer_start(struct scheduler *s, struct loop_timer *t, int64_t delay_us)
{
	struct test_loop *l = CONTAINER_OF(s, struct test_loop, scheduler);
	loop_timer_stop(s, t);
	ck_assert_uint_lt(l->timer_count, 64);
	l->due_us[l->timer_count] = clock_monotonic_us(s->clock) + delay_us;
	l->timers[l->timer_count++] = t;
	t->armed = true;
}

static bool loop_here(struct scheduler *s)
{
	return s != NULL;
}

static void loop_init(struct test_loop *l)
{
	*l = (struct test_loop){.scheduler = {.clock = clock_system(), .post = loop_post, .timer_arm = loop_timer_start,
					.timer_cancel = loop_timer_stop, .here = loop_here}};
	l->tail = &l->head;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->posted, NULL);
}

/* Waits for a task at most until the earliest timer or 20 ms, then runs one. */
static void loop_turn(struct test_loop *l)
{
	int64_t now_us = clock_monotonic_us(clock_system());
	for (size_t i = 0; i < l->timer_count; i++) {
		if (l->due_us[i] > now_us)
			continue;
		struct loop_timer *t = l->timers[i];
		loop_timer_stop(&l->scheduler, t);
		t->fired(t);
		return;
	}
	pthread_mutex_lock(&l->lock);
	if (l->head == NULL) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&l->posted, &l->lock, &until);
	}
	struct task *t = l->head;
	if (t != NULL) {
		l->head = t->next;
		if (l->head == NULL)
			l->tail = &l->head;
	}
	pthread_mutex_unlock(&l->lock);
	if (t != NULL)
		t->run(t);
}

const char *zk_fixture_real(void)
{
	return getenv("CORREIO_TEST_ZK");
}

struct zk_fixture *zk_fixture_new(int kind, const char *chroot)
{
	struct zk_fixture *f = check_calloc(1, sizeof(*f));
	f->kind = kind;
	loop_init(&f->loop);
	snprintf(f->chroot, sizeof(f->chroot), "%s", chroot);
	if (kind == ZK_FIXTURE_STANDALONE) {
		struct failure failure;
		ck_assert_int_eq(zk_tree_open(NULL, clock_system(), &f->tree, &failure), STATUS_OK);
	} else {
		snprintf(f->chroot, sizeof(f->chroot), "/test-%lld%s", (long long)clock_monotonic_us(clock_system()),
			chroot);
	}
	return f;
}

struct scheduler *zk_fixture_scheduler(struct zk_fixture *f)
{
	return &f->loop.scheduler;
}

static size_t free_place(struct zk_fixture *f)
{
	size_t i = 0;
	while (f->clients[i] != NULL)
		ck_assert_uint_lt(++i, CLIENTS);
	f->closed[i] = false;
	return i;
}

static struct zk_client *begin_session(struct zk_fixture *f, const struct zk_session_options *o)
{
	struct failure failure;
	size_t i = free_place(f);
	ck_assert_int_eq(zk_session_open(&f->loop.scheduler, o, &f->clients[i], &failure), STATUS_OK);
	return f->clients[i];
}

struct zk_client *zk_fixture_begin_at(struct zk_fixture *f, const char *connect, int32_t timeout_ms)
{
	const struct zk_session_options o = {.connect = connect, .session_timeout_ms = timeout_ms};
	return begin_session(f, &o);
}

struct zk_client *zk_fixture_begin(struct zk_fixture *f, const char *digest)
{
	if (f->kind == ZK_FIXTURE_STANDALONE) {
		size_t i = free_place(f);
		f->clients[i] = zk_standalone_open(f->tree, &f->loop.scheduler, f->chroot, digest, NULL, NULL);
		return f->clients[i];
	}
	char *connect = check_asprintf("%s%s", zk_fixture_real(), f->chroot);
	const struct zk_session_options o = {.connect = connect, .session_timeout_ms = 4000, .digest = digest,
		.set_acl = digest != NULL};
	struct zk_client *c = begin_session(f, &o);
	free(connect);
	return c;
}

struct zk_client *zk_fixture_open(struct zk_fixture *f, const char *digest)
{
	struct zk_client *c = zk_fixture_begin(f, digest);
	zk_fixture_wait_state(f, c, ZK_STATE_CONNECTED);
	return c;
}

static void closed_cb(void *arg)
{
	*(bool *)arg = true;
}

void zk_fixture_close(struct zk_fixture *f, struct zk_client *c)
{
	size_t i = 0;
	while (f->clients[i] != c)
		ck_assert_uint_lt(++i, CLIENTS);
	zk_client_close(c, closed_cb, &f->closed[i]);
	zk_fixture_wait(f, &f->closed[i]);
	f->clients[i] = NULL;
	if (f->kind == ZK_FIXTURE_STANDALONE)
		zk_standalone_free(c);
	else
		zk_session_free(c);
}

void zk_fixture_free(struct zk_fixture *f)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		if (f->clients[i] != NULL)
			zk_fixture_close(f, f->clients[i]);
	}
	if (f->tree != NULL)
		zk_tree_free(f->tree);
	while (f->answers != NULL) {
		struct zk_answer *a = f->answers;
		f->answers = a->next;
		free(a);
	}
	pthread_cond_destroy(&f->loop.posted);
	pthread_mutex_destroy(&f->loop.lock);
	free(f);
}

void zk_fixture_wait(struct zk_fixture *f, const bool *flag)
{
	int64_t until_us = clock_monotonic_us(clock_system()) + (int64_t)WAIT_MS * 1000;
	while (!*flag) {
		ck_assert_msg(clock_monotonic_us(clock_system()) < until_us, "nothing came for %d ms", WAIT_MS);
		loop_turn(&f->loop);
	}
}

void zk_fixture_wait_state(struct zk_fixture *f, const struct zk_client *c, enum zk_state state)
{
	int64_t until_us = clock_monotonic_us(clock_system()) + (int64_t)WAIT_MS * 1000;
	while (c->state != state) {
		ck_assert_msg(clock_monotonic_us(clock_system()) < until_us, "still %s, not %s", zk_state_name(c->state),
			zk_state_name(state));
		loop_turn(&f->loop);
	}
}

/* Speaks just enough of the protocol to take the session over and close it in one breath. */
static void try_end_real_session(struct zk_client *c)
{
	uint8_t password[16], message[64];
	struct byte_writer w;
	int32_t port = 0;
	const char *colon = strrchr(zk_fixture_real(), ':');
	ck_assert_ptr_nonnull(colon);
	ck_assert_int_eq(bytes_parse_i32(slice_of_str(colon + 1), &port), STATUS_OK);
	zk_session_password(c, password);
	byte_writer_init(&w, message, sizeof(message));
	byte_writer_i32(&w, 44); /* connect: version, zxid, timeout, session, password */
	byte_writer_i32(&w, 0);
	byte_writer_i64(&w, 0);
	byte_writer_i32(&w, 4000);
	byte_writer_i64(&w, c->session_id);
	byte_writer_i32(&w, 16);
	byte_writer_bytes(&w, slice_of(password, 16));
	byte_writer_i32(&w, 8); /* close: xid, type */
	byte_writer_i32(&w, 1);
	byte_writer_i32(&w, -11);
	ck_assert_int_eq(w.status, STATUS_OK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(write(fd, message, w.at), (ssize_t)w.at);
	while (read(fd, message, sizeof(message)) > 0)
		;
	close(fd);
}

/* The client may take it back before the server reads on: again, then. */
static void end_real_session(struct zk_fixture *f, struct zk_client *c)
{
	while (c->state != ZK_STATE_EXPIRED) {
		zk_fixture_wait_state(f, c, ZK_STATE_CONNECTED);
		try_end_real_session(c);
		int64_t until_us = clock_monotonic_us(clock_system()) + 1000000;
		while (c->state != ZK_STATE_EXPIRED && clock_monotonic_us(clock_system()) < until_us)
			loop_turn(&f->loop);
	}
}

void zk_fixture_expire(struct zk_fixture *f, struct zk_client *c)
{
	if (f->kind == ZK_FIXTURE_STANDALONE)
		zk_standalone_expire(c);
	else
		end_real_session(f, c);
	zk_fixture_wait_state(f, c, ZK_STATE_EXPIRED);
}

void zk_fixture_settle(struct zk_fixture *f, struct zk_client *c)
{
	zk_do_exists(f, c, "/", NULL);
}

/* --- answers ----------------------------------------------------------- */

struct zk_answer *zk_answer_new(struct zk_fixture *f)
{
	struct zk_answer *a = check_calloc(1, sizeof(*a));
	a->next = f->answers;
	f->answers = a;
	return a;
}

static struct zk_answer *answered(void *arg, enum status s, const struct zk_stat *stat)
{
	struct zk_answer *a = arg;
	ck_assert(!a->done);
	a->done = true;
	a->status = s;
	ck_assert_int_eq(stat != NULL && s == STATUS_OK, stat != NULL);
	if (stat != NULL)
		a->stat = *stat;
	return a;
}

void zk_answer_create(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct zk_answer *a = answered(arg, s, stat);
	if (created_path != NULL)
		snprintf(a->path, sizeof(a->path), "%s", created_path);
}

void zk_answer_stat(void *arg, enum status s, const struct zk_stat *stat)
{
	answered(arg, s, stat);
}

void zk_answer_data(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_answer *a = answered(arg, s, stat);
	a->null_data = data.p == NULL;
	snprintf(a->data, sizeof(a->data), "%.*s", (int)data.n, data.p == NULL ? "" : (const char *)data.p);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void zk_answer_children(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	struct zk_answer *a = answered(arg, s, stat);
	const char *sorted[64];
	ck_assert_uint_le(count, 64);
	for (size_t i = 0; i < count; i++)
		sorted[i] = names[i];
	qsort(sorted, count, sizeof(sorted[0]), by_name);
	size_t at = 0;
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(a->names + at, sizeof(a->names) - at, "%s%s", i == 0 ? "" : ",", sorted[i]);
	a->count = count;
}

void zk_answer_void(void *arg, enum status s)
{
	answered(arg, s, NULL);
}

void zk_answer_multi(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct zk_answer *a = answered(arg, s, NULL);
	ck_assert_uint_le(count, 8);
	for (size_t i = 0; i < count; i++) {
		a->results[i] = results[i];
		a->results[i].created_path = NULL;
		if (results[i].created_path != NULL) {
			snprintf(a->created[i], sizeof(a->created[i]), "%s", results[i].created_path);
			a->results[i].created_path = a->created[i];
		}
	}
	a->count = count;
}

struct zk_answer *zk_do_create(struct zk_fixture *f, struct zk_client *c, const char *path, const char *data, int flags)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_create(c, path, data == NULL ? (struct slice){0} : slice_of_str(data), flags, zk_answer_create, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_exists(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_exists(c, path, w, zk_answer_stat, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_get(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_get(c, path, w, zk_answer_data, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_children(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_children(c, path, w, zk_answer_children, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_set(struct zk_fixture *f, struct zk_client *c, const char *path, const char *data, int32_t version)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_set(c, path, data == NULL ? (struct slice){0} : slice_of_str(data), version, zk_answer_stat, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_delete(struct zk_fixture *f, struct zk_client *c, const char *path, int32_t version)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_delete(c, path, version, zk_answer_void, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

struct zk_answer *zk_do_multi(struct zk_fixture *f, struct zk_client *c, const struct zk_op *ops, size_t count)
{
	struct zk_answer *a = zk_answer_new(f);
	zk_multi(c, ops, count, zk_answer_multi, a);
	zk_fixture_wait(f, &a->done);
	return a;
}

static void recorded(struct zk_watcher *w, enum zk_event event, const char *path)
{
	static const char *const names[] = {[ZK_EVENT_CREATED] = "created", [ZK_EVENT_DELETED] = "deleted",
		[ZK_EVENT_CHANGED] = "changed", [ZK_EVENT_CHILDREN] = "children", [ZK_EVENT_SESSION_LOST] = "lost"};
	struct zk_recorder *r = CONTAINER_OF(w, struct zk_recorder, watcher);
	size_t n = strlen(r->heard);
	snprintf(r->heard + n, sizeof(r->heard) - n, "%s:%s ", names[event], path);
}

void zk_recorder_init(struct zk_recorder *r)
{
	*r = (struct zk_recorder){.watcher = {.fired = recorded}};
}
