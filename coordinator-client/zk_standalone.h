/* zk_client over a tree in this process: one broker without ZooKeeper, unit tests, the simulator. Journaled to one
 * append-only file when a path is given. Several clients (sessions) may share one tree. */
#ifndef COORDINATOR_CLIENT_ZK_STANDALONE_H
#define COORDINATOR_CLIENT_ZK_STANDALONE_H
#include "coordinator-client/zk_client.h"

struct zk_tree;
/* journal NULL: memory only. An existing journal is replayed up to its last whole entry; ephemerals in it are dropped. */
MUST_CHECK enum status zk_tree_open(const char *journal_path, struct clock *clock, struct zk_tree **ret_tree,
	struct failure *ret_failure);
void zk_tree_free(struct zk_tree *t);

/* A session on the tree; connected when the scheduler next runs. digest as in zk_session. chroot NULL or "/a/b". */
struct zk_client *zk_standalone_open(struct zk_tree *t, struct scheduler *scheduler, const char *chroot, const char *digest,
	void (*state_changed)(void *arg, enum zk_state state), void *state_arg);
void zk_standalone_free(struct zk_client *c);
/* Faults for tests and the simulator. */
void zk_standalone_expire(struct zk_client *c);
void zk_standalone_disconnect(struct zk_client *c); /* pending requests: CONNECTION_LOSS; some were applied, some not */
void zk_standalone_connect(struct zk_client *c);
#endif
