#include "coordinator-client/zk_tree_internal.h"
#include "coordinator-client/zk_watch_table.h"
#include "base/diag.h"
#include <openssl/evp.h>

/* A watch the tree keeps: one per session, path and kind. */
struct watch {
	struct watch *next;
	struct zk_tree_session *session;
	enum zk_watch_kind kind;
};
struct watched {
	UT_hash_handle hh;
	char *path;
	struct watch *watches;
};

struct zk_tree_session {
	unsigned magic;
	struct zk_tree *tree;
	int64_t id;
	char digest_id[ZK_PATH_MAX]; /* "user:base64(sha1(user:password))", "" none */
	struct zk_tree_sink *sink;
	struct zk_tree_node *ephemerals;
	struct zk_tree_session *next;
};
MAGIC(zk_tree_session, 0x5a545345);

/* What has to be done to take back one op. */
struct undo {
	enum zk_op_kind kind;
	struct zk_tree_node *node;        /* create: made; set, delete: changed */
	struct slice data;        /* set: the old one */
	struct zk_stat stat;      /* set: the old one */
	struct zk_stat parent;    /* create, delete: the parent's old one */
};

/* --- nodes ------------------------------------------------------------- */

struct zk_tree_node *zk_tree_node_find(const struct zk_tree *t, const char *path)
{
	struct zk_tree_node *n = NULL;
	HASH_FIND_STR(t->nodes, path, n);
	return n;
}

static struct slice data_copy(struct slice data)
{
	if (data.p == NULL)
		return (struct slice){0};
	uint8_t *p = check_alloc(data.n + 1);
	if (data.n > 0)
		memcpy(p, data.p, data.n);
	return slice_of(p, data.n);
}

static void data_free(struct slice data)
{
	free((void *)(uintptr_t)data.p);
}

void zk_tree_node_free(struct zk_tree_node *n)
{
	expect(n->children == NULL);
	data_free(n->data);
	free(n->path);
	free(n->creator);
	free(n);
}

void zk_tree_node_link(struct zk_tree *t, struct zk_tree_node *n, struct zk_tree_session *owner)
{
	HASH_ADD_KEYPTR(hh, t->nodes, n->path, strlen(n->path), n);
	if (n->parent != NULL) {
		n->next = n->parent->children;
		n->prev = &n->parent->children;
		if (n->next != NULL)
			n->next->prev = &n->next;
		n->parent->children = n;
		n->parent->stat.num_children++;
	}
	if (owner != NULL) {
		n->owned_next = owner->ephemerals;
		n->owned_prev = &owner->ephemerals;
		if (n->owned_next != NULL)
			n->owned_next->owned_prev = &n->owned_next;
		owner->ephemerals = n;
	}
}

void zk_tree_node_unlink(struct zk_tree *t, struct zk_tree_node *n)
{
	expect(n->children == NULL);
	HASH_DEL(t->nodes, n);
	if (n->parent != NULL) {
		*n->prev = n->next;
		if (n->next != NULL)
			n->next->prev = n->prev;
		n->parent->stat.num_children--;
	}
	if (n->owned_prev != NULL) {
		*n->owned_prev = n->owned_next;
		if (n->owned_next != NULL)
			n->owned_next->owned_prev = n->owned_prev;
		n->owned_prev = NULL;
	}
}

static struct zk_stat node_stat(const struct zk_tree_node *n)
{
	struct zk_stat stat = n->stat;
	/* Reported: creations and deletions. Kept: creations alone, since they number sequential nodes. */
	stat.cversion = (int32_t)(2 * (int64_t)n->stat.cversion - n->stat.num_children);
	return stat;
}

struct zk_tree_node *zk_tree_node_new(struct zk_tree_node *parent, const char *path, struct slice data)
{
	struct zk_tree_node *n = check_calloc(1, sizeof(*n));
	n->path = check_strdup(path);
	n->creator = check_strdup("");
	n->data = data_copy(data);
	n->stat.data_length = (int32_t)data.n;
	n->parent = parent;
	return n;
}

void zk_tree_node_set_data(struct zk_tree_node *n, struct slice data)
{
	data_free(n->data);
	n->data = data_copy(data);
	n->stat.data_length = (int32_t)data.n;
}

void zk_tree_node_changed(struct zk_tree_node *n, int64_t zxid, int64_t time_ms)
{
	n->stat.version = n->stat.version == INT32_MAX ? INT32_MIN : n->stat.version + 1;
	n->stat.mzxid = zxid;
	n->stat.mtime_ms = time_ms;
}

/* --- watches ----------------------------------------------------------- */

static void watch_add(struct zk_tree_session *s, const char *path, enum zk_watch_kind kind)
{
	struct zk_tree *t = s->tree;
	struct watched *at = NULL;
	HASH_FIND_STR(t->watched, path, at);
	if (at == NULL) {
		at = check_calloc(1, sizeof(*at));
		at->path = check_strdup(path);
		HASH_ADD_KEYPTR(hh, t->watched, at->path, strlen(at->path), at);
	}
	struct watch **end = &at->watches;
	for (; *end != NULL; end = &(*end)->next) {
		if ((*end)->session == s && (*end)->kind == kind)
			return;
	}
	*end = check_calloc(1, sizeof(**end));
	**end = (struct watch){.session = s, .kind = kind};
}

/* Takes the watches the caller's test names off the path; the path's entry goes with the last one. */
static struct watch *watch_take(struct zk_tree *t, struct watched *at, const struct zk_tree_session *session, int kind)
{
	struct watch *taken = NULL, **taken_end = &taken, **from = &at->watches;
	while (*from != NULL) {
		struct watch *w = *from;
		if ((session != NULL && w->session != session) || (kind >= 0 && (int)w->kind != kind)) {
			from = &w->next;
			continue;
		}
		*from = w->next;
		w->next = NULL;
		*taken_end = w;
		taken_end = &w->next;
	}
	if (at->watches == NULL) {
		HASH_DEL(t->watched, at);
		free(at->path);
		free(at);
	}
	return taken;
}

/* kind -1: both; a session with both hears once. */
static void watch_trigger(struct zk_tree *t, const char *path, int kind, enum zk_event event)
{
	struct watched *at = NULL;
	HASH_FIND_STR(t->watched, path, at);
	if (at == NULL)
		return;
	struct watch *taken = watch_take(t, at, NULL, kind);
	while (taken != NULL) {
		struct watch *w = taken;
		taken = w->next;
		bool again = false;
		for (struct watch *later = taken; later != NULL; later = later->next)
			again = again || later->session == w->session;
		if (!again && w->session->sink != NULL)
			w->session->sink->event(w->session->sink, event, path);
		free(w);
	}
}

static void watch_forget_session(struct zk_tree *t, const struct zk_tree_session *s)
{
	struct watched *at, *next;
	HASH_ITER (hh, t->watched, at, next) {
		struct watch *taken = watch_take(t, at, s, -1);
		while (taken != NULL) {
			struct watch *w = taken;
			taken = w->next;
			free(w);
		}
	}
}

static void trigger_op(struct zk_tree *t, enum zk_op_kind kind, const char *path)
{
	char parent[ZK_PATH_MAX];
	switch (kind) {
	case ZK_OP_CREATE:
		watch_trigger(t, path, ZK_WATCH_DATA, ZK_EVENT_CREATED);
		break;
	case ZK_OP_DELETE:
		watch_trigger(t, path, -1, ZK_EVENT_DELETED);
		break;
	case ZK_OP_SET:
		watch_trigger(t, path, ZK_WATCH_DATA, ZK_EVENT_CHANGED);
		return;
	case ZK_OP_CHECK:
		return;
	}
	if (zk_path_parent(path, parent))
		watch_trigger(t, parent, ZK_WATCH_CHILD, ZK_EVENT_CHILDREN);
}

/* --- permissions ------------------------------------------------------- */

enum access { ACCESS_READ, ACCESS_CHANGE };

static bool may(const struct zk_tree_session *s, const struct zk_tree_node *n, enum access access)
{
	if (n->protection == ZK_PROTECTION_OPEN || (s->digest_id[0] != '\0' && strcmp(s->digest_id, n->creator) == 0))
		return true;
	return n->protection == ZK_PROTECTION_WORLD_READ && access == ACCESS_READ;
}

/* ZooKeeper's digest scheme: "user:" and the base64 of SHA-1 over "user:password". */
static void digest_id_make(const char *digest, char ret_id[ZK_PATH_MAX])
{
	uint8_t sha1[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char text[64];
	const char *colon = strchr(digest, ':');
	expect(colon != NULL && strlen(digest) < ZK_PATH_MAX - sizeof(text));
	expect(EVP_Digest(digest, strlen(digest), sha1, &n, EVP_sha1(), NULL) == 1);
	bytes_base64_encode(slice_of(sha1, n), text, sizeof(text));
	snprintf(ret_id, ZK_PATH_MAX, "%.*s:%s", (int)(colon - digest), digest, text);
}

/* --- changes ----------------------------------------------------------- */

/* One transaction: its ops either all stay or are all taken back. */
struct change {
	struct zk_tree *tree;
	struct zk_tree_session *session;
	int64_t zxid, time_ms;
	struct undo *undo;
	size_t undo_count;
};

void zk_tree_node_touched(struct zk_tree_node *parent, int64_t zxid, bool created)
{
	parent->stat.pzxid = zxid;
	if (created)
		parent->stat.cversion++;
}

static enum status create_path(const struct zk_tree_node *parent, const struct zk_op *op, char **ret_path)
{
	if ((op->flags & ZK_CREATE_SEQUENTIAL) == 0)
		*ret_path = check_strdup(op->path);
	else
		*ret_path = check_asprintf("%s%010d", op->path, parent->stat.cversion);
	if (strlen(*ret_path) < ZK_PATH_MAX)
		return STATUS_OK;
	free(*ret_path);
	*ret_path = NULL;
	return STATUS_INVALID_ARGUMENT;
}

static enum status check_create(const struct change *c, const struct zk_tree_op *o, const struct zk_tree_node *parent)
{
	if (parent == NULL)
		return STATUS_NOT_FOUND;
	if (!may(c->session, parent, ACCESS_CHANGE))
		return STATUS_NO_AUTH;
	if (o->protection != ZK_PROTECTION_OPEN && c->session->digest_id[0] == '\0')
		return STATUS_INVALID_ARGUMENT;
	return parent->stat.ephemeral_owner == 0 ? STATUS_OK : STATUS_INVALID_ARGUMENT;
}

static enum status do_create(struct change *c, struct zk_tree_op *o)
{
	const struct zk_op *op = o->op;
	struct zk_tree *t = c->tree;
	char parent_path[ZK_PATH_MAX], *path;
	if (!zk_path_parent(op->path, parent_path))
		return STATUS_EXISTS;
	struct zk_tree_node *parent = zk_tree_node_find(t, parent_path);
	TRY(check_create(c, o, parent));
	TRY(create_path(parent, op, &path));
	if (zk_tree_node_find(t, path) != NULL) {
		free(path);
		return STATUS_EXISTS;
	}
	struct zk_tree_node *n = zk_tree_node_new(parent, path, op->data);
	bool ephemeral = (op->flags & ZK_CREATE_EPHEMERAL) != 0;
	n->stat.czxid = n->stat.mzxid = n->stat.pzxid = c->zxid;
	n->stat.ctime_ms = n->stat.mtime_ms = c->time_ms;
	n->stat.ephemeral_owner = ephemeral ? c->session->id : 0;
	n->protection = o->protection;
	if (o->protection != ZK_PROTECTION_OPEN) {
		free(n->creator);
		n->creator = check_strdup(c->session->digest_id);
	}
	c->undo[c->undo_count++] = (struct undo){.kind = ZK_OP_CREATE, .node = n, .parent = parent->stat};
	zk_tree_node_link(t, n, ephemeral ? c->session : NULL);
	zk_tree_node_touched(parent, c->zxid, true);
	o->stat = node_stat(n);
	o->created_path = path;
	return STATUS_OK;
}

static enum status do_set(struct change *c, struct zk_tree_op *o)
{
	struct zk_tree_node *n = zk_tree_node_find(c->tree, o->op->path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(c->session, n, ACCESS_CHANGE))
		return STATUS_NO_AUTH;
	if (o->op->version != ZK_ANY_VERSION && o->op->version != n->stat.version)
		return STATUS_BAD_VERSION;
	c->undo[c->undo_count++] = (struct undo){.kind = ZK_OP_SET, .node = n, .data = n->data, .stat = n->stat};
	n->data = (struct slice){0}; /* the old data is the undo's */
	zk_tree_node_set_data(n, o->op->data);
	zk_tree_node_changed(n, c->zxid, c->time_ms);
	o->stat = node_stat(n);
	return STATUS_OK;
}

static enum status do_delete(struct change *c, struct zk_tree_op *o)
{
	struct zk_tree_node *n = zk_tree_node_find(c->tree, o->op->path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (n->parent == NULL)
		return STATUS_INVALID_ARGUMENT;
	if (!may(c->session, n->parent, ACCESS_CHANGE))
		return STATUS_NO_AUTH;
	if (o->op->version != ZK_ANY_VERSION && o->op->version != n->stat.version)
		return STATUS_BAD_VERSION;
	if (n->children != NULL)
		return STATUS_NOT_EMPTY;
	c->undo[c->undo_count++] = (struct undo){.kind = ZK_OP_DELETE, .node = n, .parent = n->parent->stat};
	zk_tree_node_unlink(c->tree, n);
	zk_tree_node_touched(n->parent, c->zxid, false);
	return STATUS_OK;
}

static enum status do_check(const struct change *c, const struct zk_tree_op *o)
{
	const struct zk_tree_node *n = zk_tree_node_find(c->tree, o->op->path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(c->session, n, ACCESS_READ))
		return STATUS_NO_AUTH;
	bool same = o->op->version == ZK_ANY_VERSION || o->op->version == n->stat.version;
	return same ? STATUS_OK : STATUS_BAD_VERSION;
}

static enum status do_op(struct change *c, struct zk_tree_op *o)
{
	switch (o->op->kind) {
	case ZK_OP_CREATE:
		return do_create(c, o);
	case ZK_OP_SET:
		return do_set(c, o);
	case ZK_OP_DELETE:
		return do_delete(c, o);
	case ZK_OP_CHECK:
		return do_check(c, o);
	}
	unreachable("op kind");
}

static void take_back(struct change *c)
{
	while (c->undo_count > 0) {
		struct undo *u = &c->undo[--c->undo_count];
		struct zk_tree_node *n = u->node, *parent = n->parent;
		switch (u->kind) {
		case ZK_OP_CREATE:
			zk_tree_node_unlink(c->tree, n);
			parent->stat = u->parent;
			zk_tree_node_free(n);
			break;
		case ZK_OP_SET:
			data_free(n->data);
			n->data = u->data;
			n->stat = u->stat;
			break;
		case ZK_OP_DELETE:
			zk_tree_node_link(c->tree, n,
				n->stat.ephemeral_owner == 0 ? NULL :
							       zk_tree_session_find(c->tree, n->stat.ephemeral_owner));
			parent->stat = u->parent;
			break;
		case ZK_OP_CHECK:
			unreachable("a check changes nothing");
		}
	}
}

static void journal_op(struct zk_tree *t, const struct undo *u)
{
	static const char types[] = {[ZK_OP_CREATE] = 'C', [ZK_OP_SET] = 'S', [ZK_OP_DELETE] = 'D'};
	const struct zk_tree_node *n = u->node;
	expect((size_t)u->kind < sizeof(types));
	struct zk_tree_record r = {.type = types[u->kind], .path = n->path, .data = n->data, .creator = n->creator,
		.protection = n->protection};
	r.stat.ephemeral_owner = n->stat.ephemeral_owner;
	zk_tree_writer_add(&t->unsynced, &r);
}

/* Keeps what was done: into the journal, then to the watchers. */
static void settle(struct change *c)
{
	struct zk_tree *t = c->tree;
	if (c->undo_count == 0)
		return;
	t->zxid = c->zxid;
	if (t->journal != NULL) {
		struct zk_tree_record begin = {.type = 'Z', .zxid = c->zxid, .time_ms = c->time_ms};
		zk_tree_writer_add(&t->unsynced, &begin);
		/* In a multi that sets a node twice, both records carry the last data: the end is the same. A node created
		 * and deleted in one multi is journaled as both. */
		for (size_t i = 0; i < c->undo_count; i++)
			journal_op(t, &c->undo[i]);
	}
	for (size_t i = 0; i < c->undo_count; i++) {
		struct undo *u = &c->undo[i];
		trigger_op(t, u->kind, u->node->path);
	}
	for (size_t i = 0; i < c->undo_count; i++) {
		if (c->undo[i].kind == ZK_OP_SET)
			data_free(c->undo[i].data);
		else if (c->undo[i].kind == ZK_OP_DELETE)
			zk_tree_node_free(c->undo[i].node);
	}
}

enum status zk_tree_apply(struct zk_tree_session *s, struct zk_tree_op *ops, size_t count)
{
	CHECK_MAGIC(zk_tree_session, s);
	struct zk_tree *t = s->tree;
	struct change c = {.tree = t, .session = s, .zxid = t->zxid + 1, .time_ms = clock_wall_ms(t->clock)};
	c.undo = check_calloc(count == 0 ? 1 : count, sizeof(*c.undo));
	enum status failed = STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		ops[i].status = failed == STATUS_OK ? do_op(&c, &ops[i]) : STATUS_CANCELLED;
		if (failed == STATUS_OK)
			failed = ops[i].status;
	}
	if (failed == STATUS_OK) {
		settle(&c);
	} else {
		take_back(&c);
		for (size_t i = 0; i < count; i++) {
			free(ops[i].created_path);
			ops[i].created_path = NULL;
		}
	}
	free(c.undo);
	return failed;
}

/* --- reads ------------------------------------------------------------- */

enum status zk_tree_exists(struct zk_tree_session *s, const char *path, bool watch, struct zk_stat *ret_stat)
{
	CHECK_MAGIC(zk_tree_session, s);
	const struct zk_tree_node *n = zk_tree_node_find(s->tree, path);
	if (watch)
		watch_add(s, path, ZK_WATCH_DATA);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	*ret_stat = node_stat(n);
	return STATUS_OK;
}

enum status zk_tree_get(struct zk_tree_session *s, const char *path, bool watch, struct zk_tree_view *ret_view)
{
	CHECK_MAGIC(zk_tree_session, s);
	const struct zk_tree_node *n = zk_tree_node_find(s->tree, path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(s, n, ACCESS_READ))
		return STATUS_NO_AUTH;
	if (watch)
		watch_add(s, path, ZK_WATCH_DATA);
	*ret_view = (struct zk_tree_view){.stat = node_stat(n), .data = n->data};
	return STATUS_OK;
}

enum status zk_tree_children(struct zk_tree_session *s, const char *path, bool watch, char ***ret_names,
	struct zk_stat *ret_stat)
{
	CHECK_MAGIC(zk_tree_session, s);
	const struct zk_tree_node *n = zk_tree_node_find(s->tree, path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(s, n, ACCESS_READ))
		return STATUS_NO_AUTH;
	if (watch)
		watch_add(s, path, ZK_WATCH_CHILD);
	size_t count = 0, text = 0;
	for (const struct zk_tree_node *child = n->children; child != NULL; child = child->next) {
		count++;
		text += strlen(zk_path_name(child->path)) + 1;
	}
	expect(count == (size_t)n->stat.num_children);
	char **names = check_alloc(count * sizeof(*names) + text);
	char *at = (char *)(names + count);
	size_t i = 0;
	for (const struct zk_tree_node *child = n->children; child != NULL; child = child->next) {
		size_t size = strlen(zk_path_name(child->path)) + 1;
		names[i++] = memcpy(at, zk_path_name(child->path), size);
		at += size;
	}
	*ret_names = names;
	*ret_stat = node_stat(n);
	return STATUS_OK;
}

/* --- sessions ---------------------------------------------------------- */

struct zk_tree_session *zk_tree_session_open(struct zk_tree *t, const char *digest, struct zk_tree_sink *sink)
{
	CHECK_MAGIC(zk_tree, t);
	struct zk_tree_session *s = check_calloc(1, sizeof(*s));
	s->magic = zk_tree_session_magic;
	s->tree = t;
	s->sink = sink;
	if (digest != NULL)
		digest_id_make(digest, s->digest_id);
	/* Never the same twice, not even after a restart: the time, as ZooKeeper does it. */
	int64_t by_time = clock_wall_ms(t->clock) << 16;
	t->last_session_id = by_time > t->last_session_id ? by_time : t->last_session_id + 1;
	s->id = t->last_session_id;
	s->next = t->sessions;
	t->sessions = s;
	return s;
}

void zk_tree_session_set_sink(struct zk_tree_session *s, struct zk_tree_sink *sink)
{
	CHECK_MAGIC(zk_tree_session, s);
	s->sink = sink;
}

int64_t zk_tree_session_id(const struct zk_tree_session *s)
{
	return s->id;
}

struct zk_tree_session *zk_tree_session_find(struct zk_tree *t, int64_t id)
{
	CHECK_MAGIC(zk_tree, t);
	struct zk_tree_session *s = t->sessions;
	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

void zk_tree_session_close(struct zk_tree_session *s)
{
	CHECK_MAGIC(zk_tree_session, s);
	struct zk_tree *t = s->tree;
	s->sink = NULL;
	watch_forget_session(t, s);
	/* One change, whatever the nodes' ACLs are: the ensemble itself does it. */
	struct change c = {.tree = t, .session = s, .zxid = t->zxid + 1, .time_ms = clock_wall_ms(t->clock)};
	size_t count = 0;
	for (const struct zk_tree_node *n = s->ephemerals; n != NULL; n = n->owned_next)
		count++;
	c.undo = check_calloc(count == 0 ? 1 : count, sizeof(*c.undo));
	while (s->ephemerals != NULL) {
		struct zk_tree_node *n = s->ephemerals;
		c.undo[c.undo_count++] = (struct undo){.kind = ZK_OP_DELETE, .node = n};
		zk_tree_node_unlink(t, n);
		zk_tree_node_touched(n->parent, c.zxid, false);
	}
	settle(&c);
	free(c.undo);
	struct zk_tree_session **at = &t->sessions;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->magic = 0;
	free(s);
}

/* --- open, free -------------------------------------------------------- */

enum status zk_tree_open(struct zk_journal *journal, struct clock *clock, struct zk_tree **ret_tree,
	struct failure *ret_failure)
{
	struct zk_tree *t = check_calloc(1, sizeof(*t));
	t->magic = zk_tree_magic;
	t->clock = clock;
	t->journal = journal;
	t->root = zk_tree_node_new(NULL, "/", slice_of("", 0));
	zk_tree_node_link(t, t->root, NULL);
	enum status s = journal == NULL ? STATUS_OK : zk_tree_store_replay(t, ret_failure);
	if (s != STATUS_OK) {
		zk_tree_free(t);
		return s;
	}
	*ret_tree = t;
	return STATUS_OK;
}

void zk_tree_free(struct zk_tree *t)
{
	CHECK_MAGIC(zk_tree, t);
	expect(t->sessions == NULL && t->watched == NULL);
	struct zk_tree_node *n, *next;
	HASH_ITER (hh, t->nodes, n, next) {
		HASH_DEL(t->nodes, n);
		n->children = NULL;
		zk_tree_node_free(n);
	}
	zk_tree_writer_fini(&t->unsynced);
	t->magic = 0;
	free(t);
}

int64_t zk_tree_zxid(const struct zk_tree *t)
{
	CHECK_MAGIC(zk_tree, t);
	return t->zxid;
}
