#include "coordinator-client/zk_request.h"
#include "coordinator-client/zk_path.h"

enum { BACKOFF_MS_MIN = 20, BACKOFF_MS_MAX = 1000 };

enum request_kind { REQ_CREATE, REQ_EXISTS, REQ_GET, REQ_CHILDREN, REQ_SET, REQ_DELETE, REQ_MULTI, REQ_ENSURE };

struct zk_request {
	unsigned magic;
	enum request_kind kind;
	struct zk_requester *requester; /* NULL: its owner left while this was under way */
	struct zk_request *next, **prev;
	struct zk_client *zk;
	/* REQ_MULTI: as asked, the fence first. Others: one op. REQ_ENSURE: the paths' creations. */
	struct zk_op *ops;
	size_t op_count;
	bool fenced;
	union {
		zk_create_done_fn create;
		zk_stat_done_fn stat;
		zk_data_done_fn data;
		zk_children_done_fn children;
		zk_void_done_fn void_;
		zk_multi_done_fn multi;
	} done;
	void *arg;
	int64_t deadline_us;
	int32_t backoff_ms;
	bool outcome_unknown; /* an attempt was lost: it may have been done */
	struct loop_timer retry_timer;
	/* Looking whether a lost attempt was done, or which paths are missing. */
	size_t looks_left;
	enum status look_status;
	struct zk_op_result *results;
	bool *missing; /* REQ_ENSURE, by op */
};
MAGIC(zk_request, 0x5a524551);

struct zk_requester {
	unsigned magic;
	struct zk_client *zk;
	int32_t deadline_ms;
	struct zk_request *requests;
};
MAGIC(zk_requester, 0x5a525152);

/* --- life of a request -------------------------------------------------- */

static int64_t now_us(const struct zk_request *q)
{
	return clock_monotonic_us(q->zk->scheduler->clock);
}

static void owned_free(const void *p)
{
	free((void *)(uintptr_t)p);
}

static void request_unlink(struct zk_request *q)
{
	if (q->requester == NULL)
		return;
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	q->requester = NULL;
}

static void request_free(struct zk_request *q)
{
	CHECK_MAGIC(zk_request, q);
	request_unlink(q);
	for (size_t i = 0; i < q->op_count; i++) {
		owned_free(q->ops[i].path);
		owned_free(q->ops[i].data.p);
		if (q->results != NULL)
			owned_free(q->results[i].created_path);
	}
	free(q->ops);
	free(q->results);
	free(q->missing);
	q->magic = 0;
	free(q);
}

static void attempt(struct zk_request *q);

static void retry_due(struct loop_timer *timer)
{
	struct zk_request *q = CONTAINER_OF(timer, struct zk_request, retry_timer);
	CHECK_MAGIC(zk_request, q);
	attempt(q);
}

static struct slice data_copy(struct slice data)
{
	if (data.p == NULL)
		return data;
	uint8_t *p = check_alloc(data.n + 1);
	if (data.n > 0)
		memcpy(p, data.p, data.n);
	return slice_of(p, data.n);
}

static struct zk_request *request_new(struct zk_requester *r, enum request_kind kind, size_t op_count, void *arg)
{
	CHECK_MAGIC(zk_requester, r);
	expect_on_loop(r->zk->scheduler);
	struct zk_request *q = check_calloc(1, sizeof(*q));
	q->magic = zk_request_magic;
	q->kind = kind;
	q->requester = r;
	q->zk = r->zk;
	q->arg = arg;
	q->op_count = op_count;
	q->ops = check_calloc(op_count == 0 ? 1 : op_count, sizeof(*q->ops));
	q->deadline_us = now_us(q) + (int64_t)r->deadline_ms * 1000;
	q->backoff_ms = BACKOFF_MS_MIN;
	loop_timer_init(&q->retry_timer, "zk_request_retry", retry_due);
	q->next = r->requests;
	q->prev = &r->requests;
	if (q->next != NULL)
		q->next->prev = &q->next;
	r->requests = q;
	return q;
}

static void op_set(struct zk_op *to, const struct zk_op *from)
{
	*to = *from;
	to->path = check_strdup(from->path);
	to->data = data_copy(from->data);
}

static struct zk_request *request_one(struct zk_requester *r, enum request_kind kind, const struct zk_op *op, void *arg)
{
	struct zk_request *q = request_new(r, kind, 1, arg);
	op_set(&q->ops[0], op);
	return q;
}

/* False: nobody waits for it any more; it is gone. */
static bool is_wanted(struct zk_request *q)
{
	CHECK_MAGIC(zk_request, q);
	if (q->requester != NULL)
		return true;
	request_free(q);
	return false;
}

/* A lost attempt: another one later, unless the deadline would be passed. */
static bool retried(struct zk_request *q, enum status s)
{
	if (s != STATUS_CONNECTION_LOSS)
		return false;
	q->outcome_unknown = true;
	int64_t delay_us = (int64_t)q->backoff_ms * 1000;
	if (now_us(q) + delay_us >= q->deadline_us)
		return false;
	q->backoff_ms = q->backoff_ms * 2 < BACKOFF_MS_MAX ? q->backoff_ms * 2 : BACKOFF_MS_MAX;
	scheduler_timer_arm(q->zk->scheduler, &q->retry_timer, delay_us);
	return true;
}

/* Might this failure be the work of an earlier attempt? */
static bool is_doubtful(const struct zk_request *q, enum status s)
{
	return q->outcome_unknown && (s == STATUS_BAD_VERSION || s == STATUS_EXISTS || s == STATUS_NOT_FOUND);
}

/* --- was it done? ------------------------------------------------------- */

/* Is the node as this op would have left it? */
static bool op_is_done(const struct zk_request *q, const struct zk_op *op, enum status s, struct slice data,
	const struct zk_stat *stat)
{
	switch (op->kind) {
	case ZK_OP_CREATE:
		if (s != STATUS_OK || (op->flags & ZK_CREATE_SEQUENTIAL) != 0 || stat->version != 0)
			return false;
		if (stat->ephemeral_owner != ((op->flags & ZK_CREATE_EPHEMERAL) != 0 ? q->zk->session_id : 0))
			return false;
		break;
	case ZK_OP_SET:
		if (s != STATUS_OK || (op->version != ZK_ANY_VERSION && stat->version != op->version + 1))
			return false;
		break;
	case ZK_OP_DELETE:
		return s == STATUS_NOT_FOUND;
	case ZK_OP_CHECK:
		return true;
	}
	return (data.p == NULL) == (op->data.p == NULL) && slice_equal(data, op->data);
}

static void single_answer(struct zk_request *q, enum status s, const struct zk_stat *stat)
{
	switch (q->kind) {
	case REQ_CREATE:
		q->done.create(q->arg, s, s == STATUS_OK ? q->ops[0].path : NULL, stat);
		break;
	case REQ_SET:
		q->done.stat(q->arg, s, stat);
		break;
	case REQ_DELETE:
		q->done.void_(q->arg, s);
		break;
	case REQ_EXISTS:
	case REQ_GET:
	case REQ_CHILDREN:
	case REQ_MULTI:
	case REQ_ENSURE:
		unreachable("a single change");
	}
	request_free(q);
}

static void single_looked(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || retried(q, s))
		return;
	if (s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED)
		single_answer(q, s, NULL);
	else if (op_is_done(q, &q->ops[0], s, data, stat))
		single_answer(q, STATUS_OK, stat);
	else
		single_answer(q, q->look_status, NULL);
}

/* The answer of an attempt at a single change; true: it is settled otherwise. */
static bool single_pending(struct zk_request *q, enum status s)
{
	if (retried(q, s))
		return true;
	if (!is_doubtful(q, s))
		return false;
	q->look_status = s;
	zk_get(q->zk, q->ops[0].path, NULL, single_looked, q);
	return true;
}

static void create_done(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || single_pending(q, s))
		return;
	q->done.create(q->arg, s, created_path, stat);
	request_free(q);
}

static void set_done(void *arg, enum status s, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || single_pending(q, s))
		return;
	single_answer(q, s, stat);
}

static void delete_done(void *arg, enum status s)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || single_pending(q, s))
		return;
	single_answer(q, s, NULL);
}

/* --- reads -------------------------------------------------------------- */

static void exists_done(void *arg, enum status s, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || retried(q, s))
		return;
	q->done.stat(q->arg, s, stat);
	request_free(q);
}

static void get_done(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || retried(q, s))
		return;
	q->done.data(q->arg, s, data, stat);
	request_free(q);
}

static void children_done(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || retried(q, s))
		return;
	q->done.children(q->arg, s, names, count, stat);
	request_free(q);
}

/* --- multi -------------------------------------------------------------- */

static void results_fill(struct zk_request *q, enum status s)
{
	if (q->results == NULL)
		q->results = check_calloc(q->op_count == 0 ? 1 : q->op_count, sizeof(*q->results));
	for (size_t i = 0; i < q->op_count; i++)
		q->results[i].status = s;
}

static void multi_answer(struct zk_request *q, enum status s, const struct zk_op_result *results)
{
	size_t skip = q->fenced ? 1 : 0;
	expect(q->op_count >= skip);
	/* The fence's own version or node changed: whatever else happened, this author is no longer the controller. */
	if (q->fenced && s != STATUS_OK && (results[0].status == STATUS_BAD_VERSION || results[0].status == STATUS_NOT_FOUND))
		s = STATUS_FENCED;
	q->done.multi(q->arg, s, results + skip, q->op_count - skip);
	request_free(q);
}

/* Later ops on a node decide how it looks. */
static bool is_last_on_path(const struct zk_request *q, size_t i)
{
	for (size_t j = i + 1; j < q->op_count; j++) {
		if (q->ops[j].kind != ZK_OP_CHECK && strcmp(q->ops[i].path, q->ops[j].path) == 0)
			return false;
	}
	return true;
}

struct look {
	struct zk_request *request;
	size_t op;
};

static void multi_looks_over(struct zk_request *q)
{
	if (q->look_status == STATUS_CONNECTION_LOSS && retried(q, q->look_status))
		return;
	if (q->look_status != STATUS_OK)
		results_fill(q, q->look_status);
	multi_answer(q, q->look_status, q->results);
}

static void multi_looked(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct look *look = arg;
	struct zk_request *q = look->request;
	size_t i = look->op;
	free(look);
	CHECK_MAGIC(zk_request, q);
	expect(q->looks_left > 0);
	const struct zk_op *op = &q->ops[i];
	if (s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED) {
		q->look_status = s;
	} else if (op_is_done(q, op, s, data, stat)) {
		if (stat != NULL)
			q->results[i].stat = *stat;
	} else if (q->look_status == STATUS_OK) {
		/* Not done, or changed again since: the author must read afresh. */
		q->look_status = STATUS_BAD_VERSION;
	}
	if (--q->looks_left == 0 && is_wanted(q))
		multi_looks_over(q);
}

static void multi_look(struct zk_request *q)
{
	results_fill(q, STATUS_OK);
	q->look_status = STATUS_OK;
	q->looks_left = 1; /* until all are asked for */
	for (size_t i = 0; i < q->op_count; i++) {
		const struct zk_op *op = &q->ops[i];
		if (op->kind == ZK_OP_CREATE && q->results[i].created_path == NULL)
			q->results[i].created_path = check_strdup(op->path);
		if (op->kind == ZK_OP_CHECK || !is_last_on_path(q, i))
			continue;
		struct look *look = check_alloc(sizeof(*look));
		*look = (struct look){.request = q, .op = i};
		q->looks_left++;
		zk_get(q->zk, op->path, NULL, multi_looked, look);
	}
	/* Checks alone change nothing: the failure is what it says. */
	if (--q->looks_left == 0) {
		results_fill(q, STATUS_BAD_VERSION);
		multi_answer(q, STATUS_BAD_VERSION, q->results);
	}
}

static void multi_done(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct zk_request *q = arg;
	if (!is_wanted(q) || retried(q, s))
		return;
	if (count != q->op_count) { /* refused before it was looked at */
		results_fill(q, s);
		results = q->results;
	}
	bool fence_failed = q->fenced && results[0].status != STATUS_OK;
	if (is_doubtful(q, s) && !fence_failed) {
		multi_look(q);
		return;
	}
	multi_answer(q, s, results);
}

/* --- ensure ------------------------------------------------------------- */

static void ensure_answer(struct zk_request *q)
{
	q->done.void_(q->arg, q->look_status);
	request_free(q);
}

static void ensure_step_over(struct zk_request *q)
{
	expect(q->looks_left > 0);
	if (--q->looks_left > 0 || !is_wanted(q))
		return;
	if (!retried(q, q->look_status))
		ensure_answer(q);
}

static void ensure_created(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	CHECK_MAGIC(zk_request, q);
	expect(created_path == NULL || stat != NULL);
	if (s != STATUS_OK && s != STATUS_EXISTS && q->look_status == STATUS_OK)
		q->look_status = s;
	ensure_step_over(q);
}

/* Parents first: requests arrive in the order they are made. An ancestor's answer does not matter: it may exist and yet refuse
 * creation; whether all is well the last part says. */
static void ensure_ancestor(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct zk_request *q = arg;
	CHECK_MAGIC(zk_request, q);
	expect(created_path == NULL || stat != NULL);
	if (s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED)
		q->look_status = s;
	ensure_step_over(q);
}

static void ensure_create(struct zk_request *q, const char *path)
{
	char part[ZK_PATH_MAX];
	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		size_t n = (size_t)(slash - path);
		memcpy(part, path, n);
		part[n] = '\0';
		q->looks_left++;
		zk_create(q->zk, part, (struct slice){0}, ZK_CREATE_PERSISTENT, ensure_ancestor, q);
	}
	q->looks_left++;
	zk_create(q->zk, path, (struct slice){0}, ZK_CREATE_PERSISTENT, ensure_created, q);
}

static void ensure_looked_all(struct zk_request *q)
{
	if (q->look_status != STATUS_OK) {
		if (!retried(q, q->look_status))
			ensure_answer(q);
		return;
	}
	q->looks_left = 1;
	for (size_t i = 0; i < q->op_count; i++) {
		if (q->missing[i])
			ensure_create(q, q->ops[i].path);
	}
	ensure_step_over(q);
}

static void ensure_looked(void *arg, enum status s, const struct zk_stat *stat)
{
	struct look *look = arg;
	struct zk_request *q = look->request;
	size_t i = look->op;
	free(look);
	CHECK_MAGIC(zk_request, q);
	expect(q->looks_left > 0 && (stat != NULL) == (s == STATUS_OK));
	q->missing[i] = s == STATUS_NOT_FOUND;
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && q->look_status == STATUS_OK)
		q->look_status = s;
	if (--q->looks_left == 0 && is_wanted(q))
		ensure_looked_all(q);
}

static void ensure_attempt(struct zk_request *q)
{
	q->look_status = STATUS_OK;
	q->looks_left = q->op_count;
	for (size_t i = 0; i < q->op_count; i++) {
		struct look *look = check_alloc(sizeof(*look));
		*look = (struct look){.request = q, .op = i};
		zk_exists(q->zk, q->ops[i].path, NULL, ensure_looked, look);
	}
}

/* --- attempts ----------------------------------------------------------- */

static void attempt(struct zk_request *q)
{
	const struct zk_op *op = &q->ops[0];
	switch (q->kind) {
	case REQ_CREATE:
		zk_create(q->zk, op->path, op->data, op->flags, create_done, q);
		return;
	case REQ_EXISTS:
		zk_exists(q->zk, op->path, NULL, exists_done, q);
		return;
	case REQ_GET:
		zk_get(q->zk, op->path, NULL, get_done, q);
		return;
	case REQ_CHILDREN:
		zk_children(q->zk, op->path, NULL, children_done, q);
		return;
	case REQ_SET:
		zk_set(q->zk, op->path, op->data, op->version, set_done, q);
		return;
	case REQ_DELETE:
		zk_delete(q->zk, op->path, op->version, delete_done, q);
		return;
	case REQ_MULTI:
		zk_multi(q->zk, q->ops, q->op_count, multi_done, q);
		return;
	case REQ_ENSURE:
		ensure_attempt(q);
		return;
	}
	unreachable("request kind");
}

/* --- public ------------------------------------------------------------- */

struct zk_requester *zk_requester_new(struct zk_client *zk, int32_t deadline_ms)
{
	expect(zk != NULL && deadline_ms > 0);
	struct zk_requester *r = check_calloc(1, sizeof(*r));
	r->magic = zk_requester_magic;
	r->zk = zk;
	r->deadline_ms = deadline_ms;
	return r;
}

void zk_requester_free(struct zk_requester *r)
{
	CHECK_MAGIC(zk_requester, r);
	while (r->requests != NULL) {
		struct zk_request *q = r->requests;
		request_unlink(q);
		/* Waiting for its timer, it is in nobody's hands; otherwise its answer frees it. */
		if (q->retry_timer.armed) {
			scheduler_timer_cancel(q->zk->scheduler, &q->retry_timer);
			request_free(q);
		}
	}
	r->magic = 0;
	free(r);
}

void zk_request_create(struct zk_requester *r, const char *path, struct slice data, int flags, zk_create_done_fn done,
	void *arg)
{
	const struct zk_op op = {.kind = ZK_OP_CREATE, .path = path, .data = data, .flags = flags};
	struct zk_request *q = request_one(r, REQ_CREATE, &op, arg);
	q->done.create = done;
	attempt(q);
}

void zk_request_exists(struct zk_requester *r, const char *path, zk_stat_done_fn done, void *arg)
{
	struct zk_request *q = request_one(r, REQ_EXISTS, &(struct zk_op){.path = path}, arg);
	q->done.stat = done;
	attempt(q);
}

void zk_request_get(struct zk_requester *r, const char *path, zk_data_done_fn done, void *arg)
{
	struct zk_request *q = request_one(r, REQ_GET, &(struct zk_op){.path = path}, arg);
	q->done.data = done;
	attempt(q);
}

void zk_request_children(struct zk_requester *r, const char *path, zk_children_done_fn done, void *arg)
{
	struct zk_request *q = request_one(r, REQ_CHILDREN, &(struct zk_op){.path = path}, arg);
	q->done.children = done;
	attempt(q);
}

void zk_request_set(struct zk_requester *r, const char *path, struct slice data, int32_t version, zk_stat_done_fn done,
	void *arg)
{
	const struct zk_op op = {.kind = ZK_OP_SET, .path = path, .data = data, .version = version};
	struct zk_request *q = request_one(r, REQ_SET, &op, arg);
	q->done.stat = done;
	attempt(q);
}

void zk_request_delete(struct zk_requester *r, const char *path, int32_t version, zk_void_done_fn done, void *arg)
{
	const struct zk_op op = {.kind = ZK_OP_DELETE, .path = path, .version = version};
	struct zk_request *q = request_one(r, REQ_DELETE, &op, arg);
	q->done.void_ = done;
	attempt(q);
}

void zk_request_multi(struct zk_requester *r, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg)
{
	struct zk_request *q = request_new(r, REQ_MULTI, count, arg);
	for (size_t i = 0; i < count; i++)
		op_set(&q->ops[i], &ops[i]);
	q->done.multi = done;
	attempt(q);
}

void zk_request_fenced(struct zk_requester *r, const struct zk_fence *fence, const struct zk_op *ops, size_t count,
	zk_multi_done_fn done, void *arg)
{
	struct zk_request *q = request_new(r, REQ_MULTI, count + 1, arg);
	const struct zk_op check = {.kind = ZK_OP_CHECK, .path = fence->path, .version = fence->version};
	op_set(&q->ops[0], &check);
	for (size_t i = 0; i < count; i++)
		op_set(&q->ops[i + 1], &ops[i]);
	q->fenced = true;
	q->done.multi = done;
	attempt(q);
}

void zk_request_ensure(struct zk_requester *r, const char *const *paths, size_t count, zk_void_done_fn done, void *arg)
{
	expect(count > 0);
	struct zk_request *q = request_new(r, REQ_ENSURE, count, arg);
	for (size_t i = 0; i < count; i++)
		op_set(&q->ops[i], &(struct zk_op){.kind = ZK_OP_CREATE, .path = paths[i]});
	q->missing = check_calloc(count, sizeof(*q->missing));
	q->done.void_ = done;
	attempt(q);
}
