#include "coordinator-client/zk_standalone.h"
#include "coordinator-client/zk_call.h"
#include "base/diag.h"

/* What the tree has to tell the client, delivered in order on its loop. */
enum mail_kind { MAIL_ANSWER, MAIL_EVENT, MAIL_STATE, MAIL_CLOSED };
struct mail {
	struct mail *next;
	enum mail_kind kind;
	struct zk_call *call;      /* ANSWER */
	enum zk_event event;       /* EVENT */
	char *path;                /* EVENT: full */
	enum zk_state state;       /* STATE */
	unsigned session_number;   /* STATE: of which session */
};

struct zk_standalone {
	unsigned magic;
	struct zk_base base;
	struct zk_tree *tree;
	char *digest; /* NULL none */
	int32_t timeout_ms;
	struct zk_tree_session *session; /* NULL: none lives */
	unsigned session_number;
	struct zk_tree_sink sink;
	bool network_up;
	struct zk_call_queue waiting; /* for a connection */
	struct zk_call_queue sent;    /* under way to the tree */
	struct task server_task;      /* takes in what was sent */
	bool server_posted;
	struct mail *mails, **mails_end;
	struct mail *held, **held_end; /* events of a session that is cut off */
	struct task mail_task;
	bool mail_posted;
	struct loop_timer expiry_timer, waiting_timer;
	unsigned cut_countdown; /* 0: no fault */
	bool cut_applied;
	void (*closed)(void *arg);
	void *closed_arg;
	bool closing, done;
};
MAGIC(zk_standalone, 0x5a535441);

static struct zk_standalone *of_client(struct zk_client *c)
{
	struct zk_standalone *z = CONTAINER_OF(c, struct zk_standalone, base.client);
	CHECK_MAGIC(zk_standalone, z);
	return z;
}

static bool link_up(const struct zk_standalone *z)
{
	return z->network_up && z->session != NULL;
}

/* --- mail -------------------------------------------------------------- */

static void mail_post(struct zk_standalone *z)
{
	if (!z->mail_posted) {
		z->mail_posted = true;
		scheduler_post(z->base.client.scheduler, &z->mail_task);
	}
}

static void mail_add(struct zk_standalone *z, struct mail m)
{
	struct mail *copy = check_alloc(sizeof(*copy));
	*copy = m;
	copy->next = NULL;
	*z->mails_end = copy;
	z->mails_end = &copy->next;
	mail_post(z);
}

static void mail_answer(struct zk_standalone *z, struct zk_call *call)
{
	mail_add(z, (struct mail){.kind = MAIL_ANSWER, .call = call});
}

static void set_status(struct zk_call *call, enum status s)
{
	call->status = s;
	for (size_t i = 0; i < call->op_count; i++)
		call->results[i].status = s;
}

static void mail_error(struct zk_standalone *z, struct zk_call *call, enum status s)
{
	set_status(call, s);
	mail_answer(z, call);
}

static void mail_state(struct zk_standalone *z, enum zk_state state)
{
	mail_add(z, (struct mail){.kind = MAIL_STATE, .state = state, .session_number = z->session_number});
}

static void sink_event(struct zk_tree_sink *sink, enum zk_event event, const char *path)
{
	struct zk_standalone *z = CONTAINER_OF(sink, struct zk_standalone, sink);
	CHECK_MAGIC(zk_standalone, z);
	if (z->network_up) {
		mail_add(z, (struct mail){.kind = MAIL_EVENT, .event = event, .path = check_strdup(path)});
		return;
	}
	struct mail *m = check_calloc(1, sizeof(*m));
	*m = (struct mail){.kind = MAIL_EVENT, .event = event, .path = check_strdup(path)};
	*z->held_end = m;
	z->held_end = &m->next;
}

static void mail_free(struct mail *m)
{
	free(m->path);
	free(m);
}

static void held_drop(struct zk_standalone *z)
{
	while (z->held != NULL) {
		struct mail *m = z->held;
		z->held = m->next;
		mail_free(m);
	}
	z->held_end = &z->held;
}

/* --- the tree's side --------------------------------------------------- */

static void serve_change(struct zk_standalone *z, struct zk_call *call)
{
	static const enum zk_op_kind kinds[] = {
		[ZK_CALL_CREATE] = ZK_OP_CREATE, [ZK_CALL_SET] = ZK_OP_SET, [ZK_CALL_REMOVE] = ZK_OP_DELETE};
	expect((size_t)call->kind < sizeof(kinds) / sizeof(kinds[0]));
	call->op.kind = kinds[call->kind];
	struct zk_tree_op op = {.op = &call->op,
		.protection = zk_path_protection(zk_base_strip(&z->base, call->op.path), z->digest != NULL)};
	call->status = zk_tree_apply(z->session, &op, 1);
	call->stat = op.stat;
	call->created_path = op.created_path;
}

static void serve_multi(struct zk_standalone *z, struct zk_call *call)
{
	struct zk_tree_op *ops = check_calloc(call->op_count, sizeof(*ops));
	for (size_t i = 0; i < call->op_count; i++) {
		ops[i].op = &call->ops[i];
		ops[i].protection =
			zk_path_protection(zk_base_strip(&z->base, call->ops[i].path), z->digest != NULL);
	}
	call->status = zk_tree_apply(z->session, ops, call->op_count);
	for (size_t i = 0; i < call->op_count; i++) {
		call->results[i].status = ops[i].status;
		call->results[i].created_path = ops[i].created_path;
		if (call->status == STATUS_OK)
			call->results[i].stat = ops[i].stat;
	}
	free(ops);
}

static void serve_get(struct zk_standalone *z, struct zk_call *call)
{
	struct zk_tree_view view = {0};
	call->status = zk_tree_get(z->session, call->op.path, call->watch != NULL, &view);
	if (call->status != STATUS_OK)
		return;
	call->stat = view.stat;
	if (view.data.p != NULL) {
		call->data = check_alloc(view.data.n + 1);
		if (view.data.n > 0)
			memcpy(call->data, view.data.p, view.data.n);
		call->data_n = view.data.n;
	}
}

static void serve(struct zk_standalone *z, struct zk_call *call)
{
	switch (call->kind) {
	case ZK_CALL_CREATE:
	case ZK_CALL_SET:
	case ZK_CALL_REMOVE:
		serve_change(z, call);
		return;
	case ZK_CALL_MULTI:
		serve_multi(z, call);
		return;
	case ZK_CALL_EXISTS:
		call->status = zk_tree_exists(z->session, call->op.path, call->watch != NULL, &call->stat);
		return;
	case ZK_CALL_GET:
		serve_get(z, call);
		return;
	case ZK_CALL_CHILDREN:
		call->status = zk_tree_children(z->session, call->op.path, call->watch != NULL, &call->names, &call->stat);
		call->name_count = call->status == STATUS_OK ? (size_t)call->stat.num_children : 0;
		return;
	}
	unreachable("call kind");
}

static void cut(struct zk_standalone *z, size_t applied);

/* Takes in what is there; one sync serves the whole batch. */
static void serve_sent(struct task *task)
{
	struct zk_standalone *z = CONTAINER_OF(task, struct zk_standalone, server_task);
	CHECK_MAGIC(zk_standalone, z);
	z->server_posted = false;
	struct zk_call_queue served;
	zk_call_queue_init(&served);
	bool cut_now = false;
	while (link_up(z) && z->sent.head != NULL && !cut_now) {
		cut_now = z->cut_countdown > 0 && --z->cut_countdown == 0;
		if (cut_now)
			break;
		struct zk_call *call = zk_call_queue_pop(&z->sent);
		serve(z, call);
		zk_call_queue_push(&served, call);
	}
	enum status s = zk_tree_sync(z->tree);
	struct zk_call *call;
	while ((call = zk_call_queue_pop(&served)) != NULL) {
		if (s == STATUS_OK)
			mail_answer(z, call);
		else
			mail_error(z, call, STATUS_CONNECTION_LOSS);
	}
	if (cut_now)
		cut(z, z->cut_applied ? 1 : 0);
}

static void send_call(struct zk_standalone *z, struct zk_call *call)
{
	zk_call_queue_push(&z->sent, call);
	if (!z->server_posted) {
		z->server_posted = true;
		scheduler_post(z->base.client.scheduler, &z->server_task);
	}
}

/* Directories of the chroot, made as the session opens. */
static void make_chroot(struct zk_standalone *z)
{
	char part[ZK_PATH_MAX];
	for (const char *slash = strchr(z->base.chroot, '/'); slash != NULL;) {
		const char *next = strchr(slash + 1, '/');
		size_t n = next == NULL ? strlen(z->base.chroot) : (size_t)(next - z->base.chroot);
		memcpy(part, z->base.chroot, n);
		part[n] = '\0';
		struct zk_op op = {.kind = ZK_OP_CREATE, .path = part};
		struct zk_tree_op o = {.op = &op, .protection = zk_path_protection("/", z->digest != NULL)};
		enum status s = zk_tree_apply(z->session, &o, 1);
		if (s != STATUS_OK && s != STATUS_EXISTS)
			diag_error("zk_chroot_not_created", "path=%s status=%s", part, status_name(s));
		free(o.created_path);
		slash = next;
	}
}

static void open_session(struct zk_standalone *z)
{
	expect(z->session == NULL && z->network_up);
	z->session = zk_tree_session_open(z->tree, z->digest, &z->sink);
	make_chroot(z);
	if (zk_tree_sync(z->tree) == STATUS_OK)
		mail_state(z, ZK_STATE_CONNECTED);
}

static void end_session(struct zk_standalone *z)
{
	if (z->session == NULL)
		return;
	zk_tree_session_close(z->session);
	z->session = NULL;
	held_drop(z);
	if (zk_tree_sync(z->tree) != STATUS_OK)
		diag_warn("zk_session_end_not_durable", "session_id=0x%llx",
			(unsigned long long)z->base.client.session_id);
}

/* --- the client's side ------------------------------------------------- */

static void waiting_arm(struct zk_standalone *z)
{
	struct scheduler *s = z->base.client.scheduler;
	if (z->waiting.head == NULL || z->waiting_timer.armed)
		return;
	int64_t left_us = z->waiting.head->deadline_us - clock_monotonic_us(s->clock);
	scheduler_timer_arm(s, &z->waiting_timer, left_us > 0 ? left_us : 0);
}

static void waiting_overdue(struct loop_timer *timer)
{
	struct zk_standalone *z = CONTAINER_OF(timer, struct zk_standalone, waiting_timer);
	CHECK_MAGIC(zk_standalone, z);
	int64_t now_us = clock_monotonic_us(z->base.client.scheduler->clock);
	while (z->waiting.head != NULL && z->waiting.head->deadline_us <= now_us)
		mail_error(z, zk_call_queue_pop(&z->waiting), STATUS_CONNECTION_LOSS);
	waiting_arm(z);
}

static void submit(struct zk_base *b, struct zk_call *call)
{
	struct zk_standalone *z = CONTAINER_OF(b, struct zk_standalone, base);
	CHECK_MAGIC(zk_standalone, z);
	enum zk_state state = b->client.state;
	if (call->status != STATUS_OK)
		mail_error(z, call, call->status);
	else if (z->closing)
		mail_error(z, call, STATUS_CANCELLED);
	else if (state == ZK_STATE_EXPIRED || state == ZK_STATE_AUTH_FAILED)
		mail_error(z, call, STATUS_SESSION_EXPIRED);
	else if (state == ZK_STATE_CONNECTED && link_up(z))
		send_call(z, call);
	else if (z->waiting.count >= ZK_WAITING_MAX)
		mail_error(z, call, STATUS_CONNECTION_LOSS);
	else {
		call->deadline_us = clock_monotonic_us(b->client.scheduler->clock) + (int64_t)z->timeout_ms * 1000;
		zk_call_queue_push(&z->waiting, call);
		waiting_arm(z);
	}
}

/* The session is over for the client: tell its owner, then the watchers, then the askers. */
static void declare_expired(struct zk_standalone *z)
{
	struct zk_call_queue lost;
	struct zk_call *call;
	zk_call_queue_init(&lost);
	while ((call = zk_call_queue_pop(&z->sent)) != NULL || (call = zk_call_queue_pop(&z->waiting)) != NULL)
		zk_call_queue_push(&lost, call);
	z->session_number++; /* states told of the old session count no more */
	scheduler_timer_cancel(z->base.client.scheduler, &z->expiry_timer);
	zk_base_set_state(&z->base, ZK_STATE_EXPIRED);
	zk_watch_table_lose(&z->base.watches);
	while ((call = zk_call_queue_pop(&lost)) != NULL)
		zk_call_fail(call, STATUS_SESSION_EXPIRED);
}

static void expiry_due(struct loop_timer *timer)
{
	struct zk_standalone *z = CONTAINER_OF(timer, struct zk_standalone, expiry_timer);
	CHECK_MAGIC(zk_standalone, z);
	expect(!z->network_up);
	end_session(z);
	if (z->base.client.state == ZK_STATE_CONNECTING || z->base.client.state == ZK_STATE_CONNECTED)
		declare_expired(z);
}

static void deliver_state(struct zk_standalone *z, const struct mail *m)
{
	struct zk_client *c = &z->base.client;
	if (m->session_number != z->session_number || z->closing)
		return;
	if (m->state == ZK_STATE_EXPIRED) {
		declare_expired(z);
		return;
	}
	if (m->state == ZK_STATE_CONNECTED) {
		if (!link_up(z))
			return;
		int64_t id = zk_tree_session_id(z->session);
		if (c->session_id != id)
			c->previous_session_id = c->session_id;
		c->session_id = id;
		c->negotiated_timeout_ms = z->timeout_ms;
	}
	/* What waited was asked for before anything the news will make people ask. */
	struct zk_call *call;
	while (m->state == ZK_STATE_CONNECTED && (call = zk_call_queue_pop(&z->waiting)) != NULL)
		send_call(z, call);
	zk_base_set_state(&z->base, m->state);
}

static void deliver(struct zk_standalone *z, const struct mail *m)
{
	const char *path;
	switch (m->kind) {
	case MAIL_ANSWER:
		zk_call_finish(m->call);
		break;
	case MAIL_EVENT:
		path = zk_base_strip(&z->base, m->path);
		if (path != NULL)
			zk_watch_table_fire(&z->base.watches, path, m->event);
		break;
	case MAIL_STATE:
		deliver_state(z, m);
		break;
	case MAIL_CLOSED:
		if (z->server_posted) {
			mail_add(z, *m); /* its turn comes first */
			break;
		}
		zk_base_set_state(&z->base, ZK_STATE_CLOSED);
		z->done = true;
		z->closed(z->closed_arg);
		break;
	}
}

static void deliver_mails(struct task *task)
{
	struct zk_standalone *z = CONTAINER_OF(task, struct zk_standalone, mail_task);
	CHECK_MAGIC(zk_standalone, z);
	struct mail **end = z->mails_end; /* what comes while delivering waits for the next turn */
	bool last = false;
	z->mail_posted = false;
	while (!last && z->mails != NULL) {
		struct mail *m = z->mails;
		last = &m->next == end;
		z->mails = m->next;
		if (z->mails == NULL)
			z->mails_end = &z->mails;
		bool closed = m->kind == MAIL_CLOSED && !z->server_posted;
		deliver(z, m);
		mail_free(m);
		if (closed)
			return; /* z may be gone */
	}
	if (z->mails != NULL)
		mail_post(z);
}

static void reconnect(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	expect_on_loop(c->scheduler);
	if (z->closing)
		return;
	if (c->state != ZK_STATE_EXPIRED) {
		declare_expired(z);
		if (c->state != ZK_STATE_EXPIRED)
			return; /* someone who was told did it */
	}
	end_session(z);
	zk_base_set_state(&z->base, ZK_STATE_CONNECTING);
	if (z->network_up && z->session == NULL && !z->closing)
		open_session(z);
}

static void cancel_all(struct zk_standalone *z)
{
	struct zk_call *call;
	while ((call = zk_call_queue_pop(&z->sent)) != NULL || (call = zk_call_queue_pop(&z->waiting)) != NULL)
		mail_error(z, call, STATUS_CANCELLED);
}

static void close_client(struct zk_client *c, void (*closed)(void *arg), void *arg)
{
	struct zk_standalone *z = of_client(c);
	expect_on_loop(c->scheduler);
	expect(!z->closing && closed != NULL);
	z->closing = true;
	z->closed = closed;
	z->closed_arg = arg;
	cancel_all(z);
	scheduler_timer_cancel(c->scheduler, &z->expiry_timer);
	scheduler_timer_cancel(c->scheduler, &z->waiting_timer);
	end_session(z);
	zk_watch_table_fini(&z->base.watches);
	mail_add(z, (struct mail){.kind = MAIL_CLOSED});
}

static const struct zk_client_ops standalone_ops = {
	.create = zk_base_create,
	.exists = zk_base_exists,
	.get = zk_base_get,
	.children = zk_base_children,
	.set = zk_base_set,
	.remove = zk_base_remove,
	.multi = zk_base_multi,
	.forget = zk_base_forget,
	.reconnect = reconnect,
	.close = close_client,
};

struct zk_client *zk_standalone_open(struct zk_tree *t, struct scheduler *scheduler, const char *chroot, const char *digest,
	void (*state_changed)(void *arg, enum zk_state state), void *state_arg)
{
	struct zk_standalone *z = check_calloc(1, sizeof(*z));
	expect(chroot == NULL || zk_path_check(chroot) == STATUS_OK);
	z->magic = zk_standalone_magic;
	zk_base_init(&z->base, scheduler, chroot == NULL ? "" : chroot);
	z->base.submit = submit;
	z->base.client.ops = &standalone_ops;
	z->base.client.state_changed = state_changed;
	z->base.client.state_arg = state_arg;
	z->tree = t;
	z->digest = digest == NULL ? NULL : check_strdup(digest);
	z->timeout_ms = ZK_STANDALONE_TIMEOUT_MS;
	z->sink.event = sink_event;
	z->network_up = true;
	z->mails_end = &z->mails;
	z->held_end = &z->held;
	zk_call_queue_init(&z->waiting);
	zk_call_queue_init(&z->sent);
	task_init(&z->server_task, "zk_standalone_serve", serve_sent);
	task_init(&z->mail_task, "zk_standalone_deliver", deliver_mails);
	loop_timer_init(&z->expiry_timer, "zk_standalone_expiry", expiry_due);
	loop_timer_init(&z->waiting_timer, "zk_standalone_waiting", waiting_overdue);
	open_session(z);
	return &z->base.client;
}

static void free_now(struct zk_standalone *z)
{
	zk_base_fini(&z->base);
	free(z->digest);
	z->magic = 0;
	free(z);
}

void zk_standalone_free(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	expect(z->done && z->mails == NULL && z->sent.head == NULL && z->waiting.head == NULL);
	expect(!z->mail_posted && !z->server_posted);
	free_now(z);
}

/* --- faults ------------------------------------------------------------ */

static void cut(struct zk_standalone *z, size_t applied)
{
	if (!link_up(z))
		return;
	struct zk_call_queue lost;
	struct zk_call *call;
	zk_call_queue_init(&lost);
	for (size_t i = 0; (call = zk_call_queue_pop(&z->sent)) != NULL; i++) {
		if (i < applied)
			serve(z, call);
		zk_call_queue_push(&lost, call);
	}
	enum status s = zk_tree_sync(z->tree);
	if (s != STATUS_OK)
		diag_warn("zk_standalone_cut_not_durable", "status=%s", status_name(s));
	z->network_up = false;
	mail_state(z, ZK_STATE_CONNECTING);
	while ((call = zk_call_queue_pop(&lost)) != NULL)
		mail_error(z, call, STATUS_CONNECTION_LOSS);
	scheduler_timer_arm(z->base.client.scheduler, &z->expiry_timer, (int64_t)z->timeout_ms * 1000);
}

void zk_standalone_cut(struct zk_client *c, size_t applied)
{
	struct zk_standalone *z = of_client(c);
	/* Answers on their way back are lost too. */
	for (struct mail *m = z->mails; m != NULL && link_up(z); m = m->next) {
		if (m->kind == MAIL_ANSWER)
			set_status(m->call, STATUS_CONNECTION_LOSS);
	}
	cut(z, applied);
	z->network_up = false;
}

void zk_standalone_disconnect(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	zk_standalone_cut(c, (z->sent.count + 1) / 2);
}

void zk_standalone_cut_at(struct zk_client *c, unsigned countdown, bool applied)
{
	struct zk_standalone *z = of_client(c);
	z->cut_countdown = countdown;
	z->cut_applied = applied;
}

void zk_standalone_connect(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	if (z->network_up || z->closing)
		return;
	z->network_up = true;
	scheduler_timer_cancel(c->scheduler, &z->expiry_timer);
	if (z->session == NULL && c->state == ZK_STATE_CONNECTING) {
		open_session(z);
		return;
	}
	if (z->session == NULL)
		return;
	mail_state(z, ZK_STATE_CONNECTED);
	if (z->held != NULL) {
		*z->mails_end = z->held;
		z->mails_end = z->held_end;
		z->held = NULL;
		z->held_end = &z->held;
	}
}

void zk_standalone_set_timeout(struct zk_client *c, int32_t timeout_ms)
{
	expect(timeout_ms > 0);
	of_client(c)->timeout_ms = timeout_ms;
}

void zk_standalone_expire(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	if (z->session == NULL)
		return;
	end_session(z);
	mail_state(z, ZK_STATE_EXPIRED);
}

void zk_standalone_crash(struct zk_client *c)
{
	struct zk_standalone *z = of_client(c);
	struct zk_call *call;
	if (z->session != NULL)
		zk_tree_session_set_sink(z->session, NULL);
	scheduler_timer_cancel(c->scheduler, &z->expiry_timer);
	scheduler_timer_cancel(c->scheduler, &z->waiting_timer);
	while ((call = zk_call_queue_pop(&z->sent)) != NULL || (call = zk_call_queue_pop(&z->waiting)) != NULL)
		zk_call_abandon(call);
	while (z->mails != NULL) {
		struct mail *m = z->mails;
		z->mails = m->next;
		if (m->kind == MAIL_ANSWER)
			zk_call_abandon(m->call);
		mail_free(m);
	}
	held_drop(z);
	free_now(z);
}

void zk_standalone_expire_session(struct zk_tree *t, int64_t session_id)
{
	struct zk_tree_session *s = zk_tree_session_find(t, session_id);
	if (s == NULL)
		return;
	zk_tree_session_close(s);
	if (zk_tree_sync(t) != STATUS_OK)
		diag_warn("zk_session_end_not_durable", "session_id=0x%llx", (unsigned long long)session_id);
}
