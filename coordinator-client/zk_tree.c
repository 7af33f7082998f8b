#include "coordinator-client/zk_tree.h"
#include "coordinator-client/zk_tree_journal.h"
#include "coordinator-client/zk_watch_table.h"
#include "base/diag.h"
#include <openssl/evp.h>
#include <uthash.h>

/* A journal is compacted while running when it has grown by this much and to twice its compacted size. */
static const size_t compact_growth_bytes = 16 * 1024 * 1024;
enum { COMPACT_ENTRY_BYTES = 1024 * 1024 };

struct node {
	UT_hash_handle hh; /* by path */
	char *path;
	struct slice data; /* owned */
	struct zk_stat stat; /* cversion: children ever created; num_children and data_length kept current */
	enum zk_protection protection;
	char *creator; /* digest id, "" none */
	struct node *parent;
	struct node *children;            /* newest first */
	struct node *next, **prev;        /* of the parent's children */
	struct node *owned_next, **owned_prev; /* of the owner's ephemerals */
};

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
	struct node *ephemerals;
	struct zk_tree_session *next;
};
MAGIC(zk_tree_session, 0x5a545345);

/* What has to be done to take back one op. */
struct undo {
	enum zk_op_kind kind;
	struct node *node;        /* create: made; set, delete: changed */
	struct slice data;        /* set: the old one */
	struct zk_stat stat;      /* set: the old one */
	struct zk_stat parent;    /* create, delete: the parent's old one */
};

struct zk_tree {
	unsigned magic;
	struct clock *clock;
	struct zk_journal *journal;
	struct zk_tree_writer unsynced;
	size_t journal_bytes, compacted_bytes;
	bool journal_failed;
	struct node *nodes; /* all, by path */
	struct node *root;
	struct watched *watched;
	struct zk_tree_session *sessions;
	int64_t zxid, last_session_id;
};
MAGIC(zk_tree, 0x5a545245);

/* --- nodes ------------------------------------------------------------- */

static struct node *node_find(const struct zk_tree *t, const char *path)
{
	struct node *n = NULL;
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

static void node_free(struct node *n)
{
	expect(n->children == NULL);
	data_free(n->data);
	free(n->path);
	free(n->creator);
	free(n);
}

/* Puts the node into the tree: below its parent, into the table, among its session's ephemerals. */
static void node_link(struct zk_tree *t, struct node *n, struct zk_tree_session *owner)
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

static void node_unlink(struct zk_tree *t, struct node *n)
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

static struct zk_stat node_stat(const struct node *n)
{
	struct zk_stat stat = n->stat;
	/* Reported: creations and deletions. Kept: creations alone, since they number sequential nodes. */
	stat.cversion = (int32_t)(2 * (int64_t)n->stat.cversion - n->stat.num_children);
	return stat;
}

static struct node *node_new(struct node *parent, const char *path, struct slice data)
{
	struct node *n = check_calloc(1, sizeof(*n));
	n->path = check_strdup(path);
	n->creator = check_strdup("");
	n->data = data_copy(data);
	n->stat.data_length = (int32_t)data.n;
	n->parent = parent;
	return n;
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

static bool may(const struct zk_tree_session *s, const struct node *n, enum access access)
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

static void parent_touched(struct node *parent, int64_t zxid, bool created)
{
	parent->stat.pzxid = zxid;
	if (created)
		parent->stat.cversion++;
}

static enum status create_path(const struct node *parent, const struct zk_op *op, char **ret_path)
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

static enum status check_create(const struct change *c, const struct zk_tree_op *o, const struct node *parent)
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
	struct node *parent = node_find(t, parent_path);
	TRY(check_create(c, o, parent));
	TRY(create_path(parent, op, &path));
	if (node_find(t, path) != NULL) {
		free(path);
		return STATUS_EXISTS;
	}
	struct node *n = node_new(parent, path, op->data);
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
	node_link(t, n, ephemeral ? c->session : NULL);
	parent_touched(parent, c->zxid, true);
	o->stat = node_stat(n);
	o->created_path = path;
	return STATUS_OK;
}

static enum status do_set(struct change *c, struct zk_tree_op *o)
{
	struct node *n = node_find(c->tree, o->op->path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(c->session, n, ACCESS_CHANGE))
		return STATUS_NO_AUTH;
	if (o->op->version != ZK_ANY_VERSION && o->op->version != n->stat.version)
		return STATUS_BAD_VERSION;
	c->undo[c->undo_count++] = (struct undo){.kind = ZK_OP_SET, .node = n, .data = n->data, .stat = n->stat};
	n->data = data_copy(o->op->data);
	n->stat.data_length = (int32_t)o->op->data.n;
	n->stat.version = n->stat.version == INT32_MAX ? INT32_MIN : n->stat.version + 1;
	n->stat.mzxid = c->zxid;
	n->stat.mtime_ms = c->time_ms;
	o->stat = node_stat(n);
	return STATUS_OK;
}

static enum status do_delete(struct change *c, struct zk_tree_op *o)
{
	struct node *n = node_find(c->tree, o->op->path);
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
	node_unlink(c->tree, n);
	parent_touched(n->parent, c->zxid, false);
	return STATUS_OK;
}

static enum status do_check(const struct change *c, const struct zk_tree_op *o)
{
	const struct node *n = node_find(c->tree, o->op->path);
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
		struct node *n = u->node, *parent = n->parent;
		switch (u->kind) {
		case ZK_OP_CREATE:
			node_unlink(c->tree, n);
			parent->stat = u->parent;
			node_free(n);
			break;
		case ZK_OP_SET:
			data_free(n->data);
			n->data = u->data;
			n->stat = u->stat;
			break;
		case ZK_OP_DELETE:
			node_link(c->tree, n,
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
	const struct node *n = u->node;
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
			node_free(c->undo[i].node);
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
	const struct node *n = node_find(s->tree, path);
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
	const struct node *n = node_find(s->tree, path);
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
	const struct node *n = node_find(s->tree, path);
	if (n == NULL)
		return STATUS_NOT_FOUND;
	if (!may(s, n, ACCESS_READ))
		return STATUS_NO_AUTH;
	if (watch)
		watch_add(s, path, ZK_WATCH_CHILD);
	size_t count = 0, text = 0;
	for (const struct node *child = n->children; child != NULL; child = child->next) {
		count++;
		text += strlen(zk_path_name(child->path)) + 1;
	}
	expect(count == (size_t)n->stat.num_children);
	char **names = count == 0 ? NULL : check_alloc(count * sizeof(*names) + text);
	char *at = (char *)(names + count);
	size_t i = 0;
	for (const struct node *child = n->children; child != NULL; child = child->next) {
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
	for (const struct node *n = s->ephemerals; n != NULL; n = n->owned_next)
		count++;
	c.undo = check_calloc(count == 0 ? 1 : count, sizeof(*c.undo));
	while (s->ephemerals != NULL) {
		struct node *n = s->ephemerals;
		c.undo[c.undo_count++] = (struct undo){.kind = ZK_OP_DELETE, .node = n};
		node_unlink(t, n);
		parent_touched(n->parent, c.zxid, false);
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

/* --- journal ----------------------------------------------------------- */

static enum status compact(struct zk_tree *t);

enum status zk_tree_sync(struct zk_tree *t)
{
	CHECK_MAGIC(zk_tree, t);
	if (t->journal_failed)
		return STATUS_IO;
	struct slice entry = zk_tree_writer_entry(&t->unsynced);
	if (entry.n == 0)
		return STATUS_OK;
	enum status s = t->journal->append(t->journal, entry);
	t->journal_bytes += entry.n;
	zk_tree_writer_reset(&t->unsynced);
	if (s == STATUS_OK && t->journal_bytes > 2 * t->compacted_bytes + compact_growth_bytes)
		s = compact(t);
	if (s != STATUS_OK) {
		t->journal_failed = true;
		diag_error("zk_tree_journal_failed", "status=%s action=\"restart when the disk is well again\"",
			status_name(s));
	}
	return s;
}

static void compact_node(struct zk_tree_writer *entry, struct zk_tree_writer *whole, const struct node *n)
{
	struct zk_tree_record r = {.type = 'N', .path = n->path, .data = n->data, .stat = n->stat,
		.protection = n->protection, .creator = n->creator};
	zk_tree_writer_add(entry, &r);
	if (entry->n >= COMPACT_ENTRY_BYTES) {
		zk_tree_writer_add_raw(whole, zk_tree_writer_entry(entry));
		zk_tree_writer_reset(entry);
	}
}

/* Parents before children. */
static void compact_below(struct zk_tree_writer *entry, struct zk_tree_writer *whole, const struct node *top)
{
	const struct node *n = top;
	while (n != NULL) {
		compact_node(entry, whole, n);
		if (n->children != NULL) {
			n = n->children;
			continue;
		}
		while (n != top && n->next == NULL)
			n = n->parent;
		n = n == top ? NULL : n->next;
	}
}

/* Writes the tree as it is in the journal's place. Nothing may be unsynced. */
static enum status compact(struct zk_tree *t)
{
	struct zk_tree_writer entry = {0}, whole = {0};
	expect(t->unsynced.n == 0);
	compact_below(&entry, &whole, t->root);
	struct zk_tree_record end = {.type = 'Z', .zxid = t->zxid, .time_ms = clock_wall_ms(t->clock)};
	zk_tree_writer_add(&entry, &end);
	zk_tree_writer_add_raw(&whole, zk_tree_writer_entry(&entry));
	enum status s = t->journal->replace(t->journal, slice_of(whole.p, whole.n));
	t->journal_bytes = t->compacted_bytes = whole.n;
	zk_tree_writer_fini(&entry);
	zk_tree_writer_fini(&whole);
	return s;
}

static enum status replay_create(struct zk_tree *t, const struct zk_tree_record *r, int64_t time_ms)
{
	char parent_path[ZK_PATH_MAX];
	if (node_find(t, r->path) != NULL)
		return STATUS_CORRUPT;
	if (!zk_path_parent(r->path, parent_path))
		return STATUS_CORRUPT;
	struct node *parent = node_find(t, parent_path);
	if (parent == NULL)
		return STATUS_CORRUPT;
	struct node *n = node_new(parent, r->path, r->data);
	free(n->creator);
	n->creator = check_strdup(r->creator);
	n->protection = r->protection;
	if (r->type == 'N') {
		n->stat = r->stat;
		n->stat.num_children = 0;
		n->stat.data_length = (int32_t)r->data.n;
	} else {
		n->stat.czxid = n->stat.mzxid = n->stat.pzxid = t->zxid;
		n->stat.ctime_ms = n->stat.mtime_ms = time_ms;
		n->stat.ephemeral_owner = r->stat.ephemeral_owner;
		parent_touched(parent, t->zxid, true);
	}
	node_link(t, n, NULL);
	return STATUS_OK;
}

static enum status replay_record(struct zk_tree *t, const struct zk_tree_record *r, int64_t *time_ms)
{
	struct node *n = r->type == 'Z' ? NULL : node_find(t, r->path);
	switch (r->type) {
	case 'Z':
		if (r->zxid < t->zxid)
			return STATUS_CORRUPT;
		t->zxid = r->zxid;
		*time_ms = r->time_ms;
		return STATUS_OK;
	case 'N':
		if (strcmp(r->path, "/") == 0) {
			int32_t children = t->root->stat.num_children;
			data_free(t->root->data);
			t->root->data = data_copy(r->data);
			t->root->stat = r->stat;
			t->root->stat.num_children = children;
			t->root->stat.data_length = (int32_t)r->data.n;
			return STATUS_OK;
		}
		return replay_create(t, r, *time_ms);
	case 'C':
		return replay_create(t, r, *time_ms);
	case 'S':
		if (n == NULL)
			return STATUS_CORRUPT;
		data_free(n->data);
		n->data = data_copy(r->data);
		n->stat.data_length = (int32_t)r->data.n;
		n->stat.version = n->stat.version == INT32_MAX ? INT32_MIN : n->stat.version + 1;
		n->stat.mzxid = t->zxid;
		n->stat.mtime_ms = *time_ms;
		return STATUS_OK;
	default:
		if (n == NULL || n->parent == NULL || n->children != NULL)
			return STATUS_CORRUPT;
		node_unlink(t, n);
		parent_touched(n->parent, t->zxid, false);
		node_free(n);
		return STATUS_OK;
	}
}

static enum status replay_entry(struct zk_tree *t, struct slice payload)
{
	struct zk_tree_record *r = check_calloc(1, sizeof(*r));
	struct byte_reader reader;
	int64_t time_ms = 0;
	enum status s = STATUS_OK;
	byte_reader_init(&reader, payload);
	while (s == STATUS_OK && byte_reader_left(&reader) > 0) {
		s = zk_tree_journal_record(&reader, r);
		if (s == STATUS_OK)
			s = replay_record(t, r, &time_ms);
	}
	free(r);
	return s;
}

/* The sessions that owned them are gone. */
static void replay_drop_ephemerals(struct zk_tree *t)
{
	struct node *n, *next;
	t->zxid++;
	HASH_ITER (hh, t->nodes, n, next) {
		if (n->stat.ephemeral_owner == 0)
			continue;
		node_unlink(t, n);
		parent_touched(n->parent, t->zxid, false);
		node_free(n);
	}
}

static enum status replay(struct zk_tree *t, struct failure *ret_failure)
{
	uint8_t *data = NULL;
	size_t n = 0, at = 0;
	enum status s = t->journal->read_all(t->journal, &data, &n);
	if (s != STATUS_OK)
		return failure_set(ret_failure, s, "the coordinator's journal cannot be read: %s", status_text(s));
	struct slice journal = slice_of(data, n), payload;
	while (s == STATUS_OK && at < n) {
		size_t next = 0;
		s = zk_tree_journal_entry(journal, at, &payload, &next);
		if (s != STATUS_OK)
			break;
		s = replay_entry(t, payload);
		at = next;
	}
	free(data);
	if (s == STATUS_TRUNCATED) {
		diag_warn("zk_tree_journal_torn", "dropped_bytes=%zu at=%zu", n - at, at);
		s = STATUS_OK;
	}
	if (s != STATUS_OK)
		return failure_set(ret_failure, s, "the coordinator's journal is damaged near byte %zu of %zu; restore it from a copy",
			at, n);
	replay_drop_ephemerals(t);
	s = compact(t);
	return s == STATUS_OK ? s : failure_set(ret_failure, s, "the coordinator's journal cannot be written: %s",
					    status_text(s));
}

/* --- open, free -------------------------------------------------------- */

enum status zk_tree_open(struct zk_journal *journal, struct clock *clock, struct zk_tree **ret_tree,
	struct failure *ret_failure)
{
	struct zk_tree *t = check_calloc(1, sizeof(*t));
	t->magic = zk_tree_magic;
	t->clock = clock;
	t->journal = journal;
	t->root = node_new(NULL, "/", slice_of("", 0));
	node_link(t, t->root, NULL);
	enum status s = journal == NULL ? STATUS_OK : replay(t, ret_failure);
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
	struct node *n, *next;
	HASH_ITER (hh, t->nodes, n, next) {
		HASH_DEL(t->nodes, n);
		n->children = NULL;
		node_free(n);
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

/* --- a journal in memory ----------------------------------------------- */

static enum status memory_append(struct zk_journal *j, struct slice entry)
{
	struct zk_memory_journal *m = CONTAINER_OF(j, struct zk_memory_journal, journal);
	if (m->fail_after > 0 && --m->fail_after == 0)
		return STATUS_IO;
	if (m->n + entry.n > m->capacity) {
		m->capacity = 2 * (m->n + entry.n);
		m->data = check_realloc(m->data, m->capacity);
	}
	memcpy(m->data + m->n, entry.p, entry.n);
	m->n += entry.n;
	return STATUS_OK;
}

static enum status memory_read_all(struct zk_journal *j, uint8_t **ret_data, size_t *ret_n)
{
	struct zk_memory_journal *m = CONTAINER_OF(j, struct zk_memory_journal, journal);
	*ret_data = check_alloc(m->n + 1);
	if (m->n > 0)
		memcpy(*ret_data, m->data, m->n);
	*ret_n = m->n;
	return STATUS_OK;
}

static enum status memory_replace(struct zk_journal *j, struct slice content)
{
	struct zk_memory_journal *m = CONTAINER_OF(j, struct zk_memory_journal, journal);
	m->n = 0;
	return memory_append(j, content);
}

void zk_memory_journal_init(struct zk_memory_journal *m)
{
	*m = (struct zk_memory_journal){
		.journal = {.append = memory_append, .read_all = memory_read_all, .replace = memory_replace}};
}

void zk_memory_journal_fini(struct zk_memory_journal *m)
{
	free(m->data);
	*m = (struct zk_memory_journal){0};
}
