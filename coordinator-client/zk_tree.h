/* A ZooKeeper tree in this process: nodes, versions, sessions, one-shot watches, multi, ACLs, journal. What the ensemble is to
 * zk_session, this is to zk_standalone. Not thread-safe: a tree and all its sessions belong to one thread.
 *
 * Durability: changes are in memory at once and in the journal after zk_tree_sync; zk_standalone answers a request only then.
 * Semantics follow ZooKeeper 3.8 (DataTree, PrepRequestProcessor). */
#ifndef COORDINATOR_CLIENT_ZK_TREE_H
#define COORDINATOR_CLIENT_ZK_TREE_H
#include "coordinator-client/zk_path.h"
#include "base/clock.h"

/* Where the journal lies: given by the caller, since files belong to storage/disk. All calls block. */
struct zk_journal {
	/* Appends and makes durable before it returns. After an error nothing more is written. */
	enum status (*append)(struct zk_journal *j, struct slice entry);
	/* The whole content, to be freed by the caller; n 0 when there is none yet. */
	enum status (*read_all)(struct zk_journal *j, uint8_t **ret_data, size_t *ret_n);
	/* Puts new content in the place of the old, atomically and durably. */
	enum status (*replace)(struct zk_journal *j, struct slice content);
};
/* A journal in memory: for tests and the simulator. */
struct zk_memory_journal {
	struct zk_journal journal;
	uint8_t *data;
	size_t n, capacity;
	unsigned fail_after; /* countdown to an append that fails with IO; 0 never */
};
void zk_memory_journal_init(struct zk_memory_journal *m);
void zk_memory_journal_fini(struct zk_memory_journal *m);

struct zk_tree;
struct zk_tree_session;

/* journal NULL: memory only. An existing one is replayed up to its last whole entry and compacted; ephemerals in it go.
 * CORRUPT: an entry other than the last is damaged. */
MUST_CHECK enum status zk_tree_open(struct zk_journal *journal, struct clock *clock, struct zk_tree **ret_tree,
	struct failure *ret_failure);
/* All sessions must be closed. */
void zk_tree_free(struct zk_tree *t);
/* Makes every change so far durable. After a failure every later sync fails. */
MUST_CHECK enum status zk_tree_sync(struct zk_tree *t);
/* The id of the last change. */
int64_t zk_tree_zxid(const struct zk_tree *t);

/* A session as the ensemble sees it. Watches that fire are told at once, in the order of the changes. */
struct zk_tree_sink {
	void (*event)(struct zk_tree_sink *sink, enum zk_event event, const char *path);
};
/* digest "user:password" or NULL. sink may be NULL: nobody listens any more. */
struct zk_tree_session *zk_tree_session_open(struct zk_tree *t, const char *digest, struct zk_tree_sink *sink);
void zk_tree_session_set_sink(struct zk_tree_session *s, struct zk_tree_sink *sink);
int64_t zk_tree_session_id(const struct zk_tree_session *s);
/* Its ephemerals vanish. */
void zk_tree_session_close(struct zk_tree_session *s);
/* NULL when there is none (any more). */
struct zk_tree_session *zk_tree_session_find(struct zk_tree *t, int64_t id);

/* Reads. Borrowed until the next change. */
struct zk_tree_view {
	struct zk_stat stat;
	struct slice data;
};
MUST_CHECK enum status zk_tree_exists(struct zk_tree_session *s, const char *path, bool watch, struct zk_stat *ret_stat);
MUST_CHECK enum status zk_tree_get(struct zk_tree_session *s, const char *path, bool watch, struct zk_tree_view *ret_view);
/* names: stat.num_children of them, array and strings in one block owned by the caller; NULL when there are none. */
MUST_CHECK enum status zk_tree_children(struct zk_tree_session *s, const char *path, bool watch, char ***ret_names,
	struct zk_stat *ret_stat);

/* One change, as an op of its own or in a multi. Paths are checked (zk_path_check) by the caller. */
struct zk_tree_op {
	const struct zk_op *op;
	enum zk_protection protection; /* create */
	/* Answers */
	enum status status;
	struct zk_stat stat; /* create, set */
	char *created_path;  /* create: owned by the caller */
};
/* All or nothing: returns the first failing op's status; ops before it say OK, those after it CANCELLED. */
MUST_CHECK enum status zk_tree_apply(struct zk_tree_session *s, struct zk_tree_op *ops, size_t count);
#endif
