#include "coordinator-client/zk_tree_internal.h"
#include "base/diag.h"

/* A journal is compacted while running when it has grown by this much and to twice its compacted size. */
static const size_t compact_growth_bytes = 16 * 1024 * 1024;
enum { COMPACT_ENTRY_BYTES = 1024 * 1024 };

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

static void compact_node(struct zk_tree_writer *entry, struct zk_tree_writer *whole, const struct zk_tree_node *n)
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
static void compact_below(struct zk_tree_writer *entry, struct zk_tree_writer *whole, const struct zk_tree_node *top)
{
	const struct zk_tree_node *n = top;
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
	if (zk_tree_node_find(t, r->path) != NULL)
		return STATUS_CORRUPT;
	if (!zk_path_parent(r->path, parent_path))
		return STATUS_CORRUPT;
	struct zk_tree_node *parent = zk_tree_node_find(t, parent_path);
	if (parent == NULL)
		return STATUS_CORRUPT;
	struct zk_tree_node *n = zk_tree_node_new(parent, r->path, r->data);
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
		zk_tree_node_touched(parent, t->zxid, true);
	}
	zk_tree_node_link(t, n, NULL);
	return STATUS_OK;
}

static enum status replay_record(struct zk_tree *t, const struct zk_tree_record *r, int64_t *time_ms)
{
	struct zk_tree_node *n = r->type == 'Z' ? NULL : zk_tree_node_find(t, r->path);
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
			t->root->stat = r->stat;
			t->root->stat.num_children = children;
			zk_tree_node_set_data(t->root, r->data);
			return STATUS_OK;
		}
		return replay_create(t, r, *time_ms);
	case 'C':
		return replay_create(t, r, *time_ms);
	case 'S':
		if (n == NULL)
			return STATUS_CORRUPT;
		zk_tree_node_set_data(n, r->data);
		zk_tree_node_changed(n, t->zxid, *time_ms);
		return STATUS_OK;
	default:
		if (n == NULL || n->parent == NULL || n->children != NULL)
			return STATUS_CORRUPT;
		zk_tree_node_unlink(t, n);
		zk_tree_node_touched(n->parent, t->zxid, false);
		zk_tree_node_free(n);
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
	struct zk_tree_node *n, *next;
	t->zxid++;
	HASH_ITER (hh, t->nodes, n, next) {
		if (n->stat.ephemeral_owner == 0)
			continue;
		zk_tree_node_unlink(t, n);
		zk_tree_node_touched(n->parent, t->zxid, false);
		zk_tree_node_free(n);
	}
}

enum status zk_tree_store_replay(struct zk_tree *t, struct failure *ret_failure)
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

/* --- a journal in memory ----------------------------------------------- */

static enum status memory_append(struct zk_journal *j, struct slice entry)
{
	struct zk_memory_journal *m = CONTAINER_OF(j, struct zk_memory_journal, journal);
	if (m->fail_after > 0 && --m->fail_after == 0)
		return STATUS_IO;
	if (entry.n == 0)
		return STATUS_OK;
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
