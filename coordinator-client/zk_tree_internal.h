/* Shared by zk_tree.c (semantics) and zk_tree_store.c (the journal: writing, compacting, replaying). */
#ifndef COORDINATOR_CLIENT_ZK_TREE_INTERNAL_H
#define COORDINATOR_CLIENT_ZK_TREE_INTERNAL_H
#include "coordinator-client/zk_tree.h"
#include "coordinator-client/zk_tree_journal.h"
#include <uthash.h>

struct zk_tree_node {
	UT_hash_handle hh; /* by path */
	char *path;
	struct slice data; /* owned */
	struct zk_stat stat; /* cversion: children ever created; num_children and data_length kept current */
	enum zk_protection protection;
	char *creator; /* digest id, "" none */
	struct zk_tree_node *parent;
	struct zk_tree_node *children;            /* newest first */
	struct zk_tree_node *next, **prev;        /* of the parent's children */
	struct zk_tree_node *owned_next, **owned_prev; /* of the owner's ephemerals */
};

struct zk_tree {
	unsigned magic;
	struct clock *clock;
	struct zk_journal *journal;
	struct zk_tree_writer unsynced;
	size_t journal_bytes, compacted_bytes;
	bool journal_failed;
	struct zk_tree_node *nodes; /* all, by path */
	struct zk_tree_node *root;
	struct watched *watched;
	struct zk_tree_session *sessions;
	int64_t zxid, last_session_id;
};
MAGIC(zk_tree, 0x5a545245);

struct zk_tree_node *zk_tree_node_find(const struct zk_tree *t, const char *path);
/* Not yet in the tree; data is copied. */
struct zk_tree_node *zk_tree_node_new(struct zk_tree_node *parent, const char *path, struct slice data);
void zk_tree_node_free(struct zk_tree_node *n);
/* Puts the node into the tree: below its parent, into the table, among its session's ephemerals (owner NULL: none). */
void zk_tree_node_link(struct zk_tree *t, struct zk_tree_node *n, struct zk_tree_session *owner);
void zk_tree_node_unlink(struct zk_tree *t, struct zk_tree_node *n);
void zk_tree_node_set_data(struct zk_tree_node *n, struct slice data);
/* A child came (created) or went. */
void zk_tree_node_touched(struct zk_tree_node *parent, int64_t zxid, bool created);
/* Its data was set. */
void zk_tree_node_changed(struct zk_tree_node *n, int64_t zxid, int64_t time_ms);

/* zk_tree_store.c: reads the journal into an empty tree, drops ephemerals, compacts. */
MUST_CHECK enum status zk_tree_store_replay(struct zk_tree *t, struct failure *ret_failure);
#endif
