#include "coordinator-client/zk_call.h"

MAGIC(zk_call, 0x5a4b434c);

void zk_call_queue_init(struct zk_call_queue *q)
{
	*q = (struct zk_call_queue){.tail = &q->head};
}

void zk_call_queue_push(struct zk_call_queue *q, struct zk_call *call)
{
	CHECK_MAGIC(zk_call, call);
	expect(call->prev == NULL);
	call->next = NULL;
	call->prev = q->tail;
	*q->tail = call;
	q->tail = &call->next;
	q->count++;
}

void zk_call_queue_remove(struct zk_call_queue *q, struct zk_call *call)
{
	expect(call->prev != NULL && q->count > 0);
	*call->prev = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	else
		q->tail = call->prev;
	call->next = NULL;
	call->prev = NULL;
	q->count--;
}

struct zk_call *zk_call_queue_pop(struct zk_call_queue *q)
{
	struct zk_call *call = q->head;
	if (call != NULL)
		zk_call_queue_remove(q, call);
	return call;
}

/* --- state ------------------------------------------------------------- */

const char *zk_state_name(enum zk_state state)
{
	static const char *const names[] = {
		[ZK_STATE_CONNECTING] = "connecting",
		[ZK_STATE_CONNECTED] = "connected",
		[ZK_STATE_EXPIRED] = "expired",
		[ZK_STATE_AUTH_FAILED] = "auth_failed",
		[ZK_STATE_CLOSED] = "closed",
	};
	expect((size_t)state < sizeof(names) / sizeof(names[0]));
	return names[state];
}

void zk_client_add_listener(struct zk_client *c, struct zk_listener *l)
{
	expect(l->state_changed != NULL && l->prev == NULL);
	l->next = NULL;
	l->prev = c->listeners_end;
	*c->listeners_end = l;
	c->listeners_end = &l->next;
}

void zk_client_remove_listener(struct zk_client *c, struct zk_listener *l)
{
	if (l->prev == NULL)
		return;
	if (c->telling == l)
		c->telling = l->next;
	*l->prev = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	else
		c->listeners_end = l->prev;
	l->prev = NULL;
}

void zk_base_set_state(struct zk_base *b, enum zk_state state)
{
	struct zk_client *c = &b->client;
	if (c->state == state)
		return;
	c->state = state;
	/* The owner last: it may open a new session, and everybody has to have heard of the old one's end. */
	for (struct zk_listener *l = c->listeners; l != NULL; l = c->telling) {
		c->telling = l->next;
		l->state_changed(l, state);
		expect(c->state == state);
	}
	c->telling = NULL;
	if (c->state_changed != NULL)
		c->state_changed(c->state_arg, state);
}

void zk_base_init(struct zk_base *b, struct scheduler *scheduler, const char *chroot)
{
	*b = (struct zk_base){.client = {.scheduler = scheduler, .state = ZK_STATE_CONNECTING}};
	expect(strlen(chroot) < sizeof(b->chroot));
	if (strcmp(chroot, "/") != 0)
		memcpy(b->chroot, chroot, strlen(chroot) + 1);
	b->client.listeners_end = &b->client.listeners;
	zk_watch_table_init(&b->watches);
}

void zk_base_fini(struct zk_base *b)
{
	zk_watch_table_fini(&b->watches);
}

const char *zk_base_strip(const struct zk_base *b, const char *full_path)
{
	size_t n = strlen(b->chroot);
	if (n == 0)
		return full_path;
	if (!zk_path_within(full_path, b->chroot))
		return NULL;
	return full_path[n] == '\0' ? "/" : full_path + n;
}

/* --- making a call ----------------------------------------------------- */

/* The full path, owned; NULL when it is not a legal one. */
static char *full_path_new(const struct zk_base *b, const char *path)
{
	if (zk_path_check(path) != STATUS_OK)
		return NULL;
	if (b->chroot[0] == '\0')
		return check_strdup(path);
	char *full = check_asprintf("%s%s", b->chroot, strcmp(path, "/") == 0 ? "" : path);
	if (strlen(full) >= ZK_PATH_MAX) {
		free(full);
		return NULL;
	}
	return full;
}

/* An owned copy; null stays null, an empty one does not become null. */
static struct slice data_copy(struct slice data)
{
	if (data.p == NULL)
		return (struct slice){0};
	uint8_t *p = check_alloc(data.n + 1);
	if (data.n > 0)
		memcpy(p, data.p, data.n);
	return slice_of(p, data.n);
}

static void op_copy(const struct zk_base *b, const struct zk_op *from, struct zk_op *to, enum status *status)
{
	*to = *from;
	to->path = full_path_new(b, from->path);
	to->data = (struct slice){0};
	if (to->path == NULL)
		*status = STATUS_INVALID_ARGUMENT;
	else if (from->data.n > ZK_DATA_MAX)
		*status = STATUS_TOO_LARGE;
	else
		to->data = data_copy(from->data);
}

static void owned_free(const void *p)
{
	free((void *)(uintptr_t)p);
}

static struct zk_call *call_new(struct zk_client *c, enum zk_call_kind kind, const struct zk_op *op, void *arg)
{
	struct zk_base *b = CONTAINER_OF(c, struct zk_base, client);
	expect_on_loop(c->scheduler);
	struct zk_call *call = check_calloc(1, sizeof(*call));
	call->magic = zk_call_magic;
	call->kind = kind;
	call->base = b;
	call->arg = arg;
	if (op != NULL)
		op_copy(b, op, &call->op, &call->status);
	return call;
}

static void call_watch(struct zk_call *call, struct zk_watcher *w)
{
	if (w != NULL && call->status == STATUS_OK)
		call->watch = zk_watch_table_prepare(&call->base->watches, zk_base_strip(call->base, call->op.path),
			call->kind == ZK_CALL_CHILDREN ? ZK_WATCH_CHILD : ZK_WATCH_DATA, w);
}

static void call_submit(struct zk_call *call)
{
	expect(call->base->submit != NULL && call->done.stat != NULL);
	call->base->submit(call->base, call);
}

void zk_base_create(struct zk_client *c, const char *path, struct slice data, int flags, zk_create_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_CREATE, &(struct zk_op){.path = path, .data = data, .flags = flags}, arg);
	call->done.create = done;
	call_submit(call);
}

void zk_base_exists(struct zk_client *c, const char *path, struct zk_watcher *w, zk_stat_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_EXISTS, &(struct zk_op){.path = path}, arg);
	call->done.stat = done;
	call_watch(call, w);
	call_submit(call);
}

void zk_base_get(struct zk_client *c, const char *path, struct zk_watcher *w, zk_data_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_GET, &(struct zk_op){.path = path}, arg);
	call->done.data = done;
	call_watch(call, w);
	call_submit(call);
}

void zk_base_children(struct zk_client *c, const char *path, struct zk_watcher *w, zk_children_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_CHILDREN, &(struct zk_op){.path = path}, arg);
	call->done.children = done;
	call_watch(call, w);
	call_submit(call);
}

void zk_base_set(struct zk_client *c, const char *path, struct slice data, int32_t version, zk_stat_done_fn done, void *arg)
{
	struct zk_call *call =
		call_new(c, ZK_CALL_SET, &(struct zk_op){.path = path, .data = data, .version = version}, arg);
	call->done.stat = done;
	call_submit(call);
}

void zk_base_remove(struct zk_client *c, const char *path, int32_t version, zk_void_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_REMOVE, &(struct zk_op){.path = path, .version = version}, arg);
	call->done.void_ = done;
	call_submit(call);
}

void zk_base_multi(struct zk_client *c, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg)
{
	struct zk_call *call = call_new(c, ZK_CALL_MULTI, NULL, arg);
	call->done.multi = done;
	size_t data_bytes = 0;
	if (count == 0 || count > ZK_MULTI_MAX) {
		call->status = STATUS_INVALID_ARGUMENT;
	} else {
		call->ops = check_calloc(count, sizeof(*call->ops));
		call->results = check_calloc(count, sizeof(*call->results));
		call->op_count = count;
		for (size_t i = 0; i < count; i++) {
			op_copy(call->base, &ops[i], &call->ops[i], &call->status);
			data_bytes += ops[i].data.n + (call->ops[i].path == NULL ? 0 : strlen(call->ops[i].path));
		}
		if (call->status == STATUS_OK && data_bytes > ZK_DATA_MAX)
			call->status = STATUS_TOO_LARGE;
	}
	call_submit(call);
}

void zk_base_forget(struct zk_client *c, struct zk_watcher *w)
{
	struct zk_base *b = CONTAINER_OF(c, struct zk_base, client);
	expect_on_loop(c->scheduler);
	zk_watch_table_forget(&b->watches, w);
}

/* --- the answer -------------------------------------------------------- */

static void op_fini(struct zk_op *op)
{
	owned_free(op->path);
	owned_free(op->data.p);
}

void zk_call_abandon(struct zk_call *call)
{
	CHECK_MAGIC(zk_call, call);
	expect(call->prev == NULL);
	if (call->watch != NULL)
		zk_watch_table_drop(&call->base->watches, call->watch);
	op_fini(&call->op);
	for (size_t i = 0; i < call->op_count; i++) {
		op_fini(&call->ops[i]);
		owned_free(call->results[i].created_path);
	}
	free(call->ops);
	free(call->results);
	free(call->data);
	free(call->names);
	free(call->created_path);
	call->magic = 0;
	free(call);
}

static void settle_watch(struct zk_call *call)
{
	struct zk_watch_ref *watch = call->watch;
	call->watch = NULL;
	if (watch == NULL)
		return;
	/* exists watches also for a node that is not there; the other reads arm only what they found. */
	bool armed = call->status == STATUS_OK || (call->kind == ZK_CALL_EXISTS && call->status == STATUS_NOT_FOUND);
	if (armed)
		zk_watch_table_arm(&call->base->watches, watch);
	else
		zk_watch_table_drop(&call->base->watches, watch);
}

static void answer_multi(struct zk_call *call)
{
	for (size_t i = 0; i < call->op_count; i++) {
		struct zk_op_result *r = &call->results[i];
		const char *full = r->created_path;
		if (full == NULL)
			continue;
		const char *below = call->status == STATUS_OK ? zk_base_strip(call->base, full) : NULL;
		r->created_path = below == NULL ? NULL : check_strdup(below);
		owned_free(full);
	}
	call->done.multi(call->arg, call->status, call->results, call->op_count);
}

void zk_call_finish(struct zk_call *call)
{
	CHECK_MAGIC(zk_call, call);
	settle_watch(call);
	const struct zk_stat *stat = call->status == STATUS_OK ? &call->stat : NULL;
	switch (call->kind) {
	case ZK_CALL_CREATE:
		call->done.create(call->arg, call->status,
			stat == NULL ? NULL : zk_base_strip(call->base, call->created_path), stat);
		break;
	case ZK_CALL_EXISTS:
	case ZK_CALL_SET:
		call->done.stat(call->arg, call->status, stat);
		break;
	case ZK_CALL_GET:
		call->done.data(call->arg, call->status,
			stat == NULL ? (struct slice){0} : (struct slice){.p = call->data, .n = call->data_n}, stat);
		break;
	case ZK_CALL_CHILDREN:
		call->done.children(call->arg, call->status, (const char *const *)call->names,
			stat == NULL ? 0 : call->name_count, stat);
		break;
	case ZK_CALL_REMOVE:
		call->done.void_(call->arg, call->status);
		break;
	case ZK_CALL_MULTI:
		answer_multi(call);
		break;
	}
	zk_call_abandon(call);
}

void zk_call_fail(struct zk_call *call, enum status s)
{
	CHECK_MAGIC(zk_call, call);
	expect(s != STATUS_OK);
	call->status = s;
	for (size_t i = 0; i < call->op_count; i++)
		call->results[i].status = s;
	zk_call_finish(call);
}
