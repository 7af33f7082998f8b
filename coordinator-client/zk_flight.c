/* Requests in the hands of the Apache C client. Its completion thread only copies the answer and posts it: it never waits and
 * never looks at the session. */
#include "coordinator-client/zk_session_internal.h"
#include "base/metrics.h"

MAGIC(zk_flight, 0x5a464c54);

enum status zk_flight_status(int rc)
{
	switch (rc) {
	case ZOK:
		return STATUS_OK;
	case ZNONODE:
		return STATUS_NOT_FOUND;
	case ZNODEEXISTS:
		return STATUS_EXISTS;
	case ZBADVERSION:
		return STATUS_BAD_VERSION;
	case ZNOTEMPTY:
		return STATUS_NOT_EMPTY;
	case ZNOAUTH:
	case ZAUTHFAILED:
		return STATUS_NO_AUTH;
	case ZSESSIONEXPIRED:
	case ZINVALIDSTATE:
		return STATUS_SESSION_EXPIRED;
	case ZBADARGUMENTS:
	case ZINVALIDACL:
	case ZNOCHILDRENFOREPHEMERALS:
		return STATUS_INVALID_ARGUMENT;
	case ZCONNECTIONLOSS:
	case ZOPERATIONTIMEOUT:
	case ZRUNTIMEINCONSISTENCY:
	case ZCLOSING:
	case ZSESSIONMOVED:
		return STATUS_CONNECTION_LOSS;
	default:
		return STATUS_UNKNOWN_SERVER_ERROR;
	}
}

/* --- access ------------------------------------------------------------ */

static struct ACL acl_entry(int perms, char *scheme, char *id)
{
	return (struct ACL){.perms = perms, .id = {.scheme = scheme, .id = id}};
}

void zk_acls_init(struct zk_acls *a)
{
	*a = (struct zk_acls){.auth = "auth", .world = "world", .anyone = "anyone", .nobody = ""};
	a->open_acl[0] = acl_entry(ZOO_PERM_ALL, a->world, a->anyone);
	a->read_acl[0] = acl_entry(ZOO_PERM_ALL, a->auth, a->nobody);
	a->read_acl[1] = acl_entry(ZOO_PERM_READ, a->world, a->anyone);
	a->creator_acl[0] = acl_entry(ZOO_PERM_ALL, a->auth, a->nobody);
	a->vectors[ZK_PROTECTION_OPEN] = (struct ACL_vector){.count = 1, .data = a->open_acl};
	a->vectors[ZK_PROTECTION_WORLD_READ] = (struct ACL_vector){.count = 2, .data = a->read_acl};
	a->vectors[ZK_PROTECTION_CREATOR] = (struct ACL_vector){.count = 1, .data = a->creator_acl};
}

/* --- the library's thread ---------------------------------------------- */

static struct zk_flight *of_data(const void *data)
{
	struct zk_flight *f = (struct zk_flight *)(uintptr_t)data;
	CHECK_MAGIC(zk_flight, f);
	return f;
}

static void answered(struct zk_flight *f, int rc, const struct Stat *stat)
{
	f->rc = rc;
	if (rc == ZOK && stat != NULL) {
		f->stat = *stat;
		f->has_stat = true;
	}
	scheduler_post(zk_session_scheduler(f->handle->session), &f->task);
}

static void created(int rc, const char *path, const struct Stat *stat, const void *data)
{
	struct zk_flight *f = of_data(data);
	if (rc == ZOK && path != NULL)
		f->path = check_strdup(path);
	answered(f, rc, stat);
}

static void stated(int rc, const struct Stat *stat, const void *data)
{
	answered(of_data(data), rc, stat);
}

static void data_came(int rc, const char *value, int value_length, const struct Stat *stat, const void *data)
{
	struct zk_flight *f = of_data(data);
	if (rc == ZOK && value_length >= 0) {
		f->data_n = value == NULL ? 0 : (size_t)value_length;
		f->data = check_alloc(f->data_n + 1);
		if (f->data_n > 0)
			memcpy(f->data, value, f->data_n);
	}
	answered(f, rc, stat);
}

static void children_came(int rc, const struct String_vector *strings, const struct Stat *stat, const void *data)
{
	struct zk_flight *f = of_data(data);
	if (rc == ZOK && strings != NULL && strings->count > 0) {
		f->name_count = (size_t)strings->count;
		size_t text = 0;
		for (int32_t i = 0; i < strings->count; i++)
			text += strlen(strings->data[i]) + 1;
		f->names = check_alloc(f->name_count * sizeof(*f->names) + text);
		char *at = (char *)(f->names + f->name_count);
		for (int32_t i = 0; i < strings->count; i++) {
			size_t size = strlen(strings->data[i]) + 1;
			f->names[i] = memcpy(at, strings->data[i], size);
			at += size;
		}
	}
	answered(f, rc, stat);
}

static void done(int rc, const void *data)
{
	answered(of_data(data), rc, NULL);
}

/* --- the loop ---------------------------------------------------------- */

static void landed(struct task *task)
{
	struct zk_flight *f = CONTAINER_OF(task, struct zk_flight, task);
	CHECK_MAGIC(zk_flight, f);
	zk_session_landed(f->handle->session, f);
}

static struct zk_flight *flight_new(struct zk_handle *h, enum zk_flight_kind kind)
{
	struct zk_flight *f = check_calloc(1, sizeof(*f));
	f->magic = zk_flight_magic;
	f->kind = kind;
	f->handle = h;
	task_init(&f->task, "zk_flight_landed", landed);
	return f;
}

void zk_flight_free(struct zk_flight *f)
{
	CHECK_MAGIC(zk_flight, f);
	expect(f->prev == NULL);
	for (size_t i = 0; i < f->op_count; i++)
		free(f->paths[i]);
	free(f->paths);
	free(f->ops);
	free(f->results);
	free(f->stats);
	free(f->data);
	free(f->path);
	free(f->names);
	f->magic = 0;
	free(f);
}

static int create_mode(int flags)
{
	bool ephemeral = (flags & ZK_CREATE_EPHEMERAL) != 0;
	if ((flags & ZK_CREATE_SEQUENTIAL) != 0)
		return ephemeral ? ZOO_EPHEMERAL_SEQUENTIAL : ZOO_PERSISTENT_SEQUENTIAL;
	return ephemeral ? ZOO_EPHEMERAL : ZOO_PERSISTENT;
}

/* ZooKeeper's null is length -1. */
static int data_length(struct slice data)
{
	expect(data.n <= ZK_DATA_MAX);
	return data.p == NULL ? -1 : (int)data.n;
}

static const struct ACL_vector *acl_for(const struct zk_handle *h, struct zk_acls *acls, const struct zk_call *call,
	const char *full_path)
{
	return &acls->vectors[zk_path_protection(zk_base_strip(call->base, full_path), zk_session_sets_acl(h->session))];
}

static void multi_op(struct zk_flight *f, struct zk_acls *acls, size_t i)
{
	const struct zk_op *op = &f->call->ops[i];
	const char *data = (const char *)op->data.p;
	int room = 0;
	switch (op->kind) {
	case ZK_OP_CREATE:
		if ((op->flags & ZK_CREATE_SEQUENTIAL) != 0) {
			room = (int)strlen(op->path) + 16; /* ten digits */
			f->paths[i] = check_calloc(1, (size_t)room);
		}
		zoo_create_op_init(&f->ops[i], op->path, data, data_length(op->data),
			acl_for(f->handle, acls, f->call, op->path), create_mode(op->flags), f->paths[i], room);
		break;
	case ZK_OP_SET:
		zoo_set_op_init(&f->ops[i], op->path, data, data_length(op->data), op->version, &f->stats[i]);
		break;
	case ZK_OP_DELETE:
		zoo_delete_op_init(&f->ops[i], op->path, op->version);
		break;
	case ZK_OP_CHECK:
		zoo_check_op_init(&f->ops[i], op->path, op->version);
		break;
	}
}

static int send_multi(struct zk_flight *f, struct zk_acls *acls)
{
	size_t count = f->call->op_count;
	f->ops = check_calloc(count, sizeof(*f->ops));
	f->results = check_calloc(count, sizeof(*f->results));
	f->stats = check_calloc(count, sizeof(*f->stats));
	f->paths = check_calloc(count, sizeof(*f->paths));
	f->op_count = count;
	for (size_t i = 0; i < count; i++)
		multi_op(f, acls, i);
	return zoo_amulti(f->handle->zh, (int)count, f->ops, f->results, done, f);
}

static int send_call(struct zk_flight *f, struct zk_acls *acls)
{
	struct zk_call *call = f->call;
	const struct zk_op *op = &call->op;
	zhandle_t *zh = f->handle->zh;
	const char *data = (const char *)op->data.p;
	/* Watches go to the handle's one watcher, which the library keeps once per path; whose they are is known to
	 * zk_watch_table. */
	int watch = call->watch != NULL;
	switch (call->kind) {
	case ZK_CALL_CREATE:
		return zoo_acreate2(zh, op->path, data, data_length(op->data), acl_for(f->handle, acls, call, op->path),
			create_mode(op->flags), created, f);
	case ZK_CALL_EXISTS:
		return zoo_aexists(zh, op->path, watch, stated, f);
	case ZK_CALL_GET:
		return zoo_aget(zh, op->path, watch, data_came, f);
	case ZK_CALL_CHILDREN:
		return zoo_aget_children2(zh, op->path, watch, children_came, f);
	case ZK_CALL_SET:
		return zoo_aset(zh, op->path, data, data_length(op->data), op->version, stated, f);
	case ZK_CALL_REMOVE:
		return zoo_adelete(zh, op->path, op->version, done, f);
	case ZK_CALL_MULTI:
		return send_multi(f, acls);
	}
	unreachable("call kind");
}

/* The answer may come before this returns: from here on the flight belongs to the loop's next turns. */
static bool sent(struct zk_session *s, struct zk_flight *f, int rc)
{
	if (rc == ZOK) {
		metrics_add(METRIC_zk_requests, 1);
		return true;
	}
	zk_session_grounded(s, f);
	zk_flight_free(f);
	return false;
}

bool zk_flight_send_call(struct zk_handle *h, struct zk_acls *acls, struct zk_call *call, int *ret_rc)
{
	expect(h->zh != NULL && call->prev == NULL);
	struct zk_flight *f = flight_new(h, ZK_FLIGHT_CALL);
	f->call = call;
	zk_session_launched(h->session, f);
	*ret_rc = send_call(f, acls);
	return sent(h->session, f, *ret_rc);
}

bool zk_flight_send_probe(struct zk_handle *h, enum zk_flight_kind kind, const char *path)
{
	expect(h->zh != NULL);
	struct zk_flight *f = flight_new(h, kind);
	zk_session_launched(h->session, f);
	return sent(h->session, f, zoo_aexists(h->zh, path, 0, stated, f));
}

bool zk_flight_send_chroot(struct zk_handle *h, struct zk_acls *acls, const char *path, bool last)
{
	expect(h->zh != NULL);
	struct zk_flight *f = flight_new(h, ZK_FLIGHT_CHROOT_MADE);
	f->last = last;
	zk_session_launched(h->session, f);
	enum zk_protection protection = zk_path_protection("/", zk_session_sets_acl(h->session));
	return sent(h->session, f,
		zoo_acreate2(h->zh, path, NULL, -1, &acls->vectors[protection], ZOO_PERSISTENT, created, f));
}

/* --- the answer -------------------------------------------------------- */

static struct zk_stat stat_from(const struct Stat *s)
{
	return (struct zk_stat){
		.czxid = s->czxid,
		.mzxid = s->mzxid,
		.pzxid = s->pzxid,
		.ctime_ms = s->ctime,
		.mtime_ms = s->mtime,
		.version = s->version,
		.cversion = s->cversion,
		.aversion = s->aversion,
		.ephemeral_owner = s->ephemeralOwner,
		.data_length = s->dataLength,
		.num_children = s->numChildren,
	};
}

static void unload_multi(struct zk_flight *f)
{
	struct zk_call *call = f->call;
	for (size_t i = 0; i < f->op_count; i++) {
		struct zk_op_result *r = &call->results[i];
		int err = f->results[i].err;
		/* Ops after the failing one were never tried. */
		r->status = err == ZRUNTIMEINCONSISTENCY && call->status != STATUS_OK ? STATUS_CANCELLED :
										       zk_flight_status(err);
		if (call->status == STATUS_CONNECTION_LOSS || call->status == STATUS_SESSION_EXPIRED)
			r->status = call->status;
		if (call->status != STATUS_OK)
			continue;
		if (call->ops[i].kind == ZK_OP_SET)
			r->stat = stat_from(&f->stats[i]);
		if (call->ops[i].kind == ZK_OP_CREATE)
			r->created_path = check_strdup(f->paths[i] == NULL ? call->ops[i].path : f->paths[i]);
	}
}

void zk_flight_unload(struct zk_flight *f)
{
	CHECK_MAGIC(zk_flight, f);
	struct zk_call *call = f->call;
	expect(call != NULL);
	call->status = zk_flight_status(f->rc);
	if (call->kind == ZK_CALL_MULTI)
		unload_multi(f);
	if (call->status != STATUS_OK)
		return;
	if (f->has_stat)
		call->stat = stat_from(&f->stat);
	call->data = f->data;
	call->data_n = f->data_n;
	call->names = f->names;
	call->name_count = f->name_count;
	call->created_path = f->path;
	f->data = NULL;
	f->names = NULL;
	f->path = NULL;
}
