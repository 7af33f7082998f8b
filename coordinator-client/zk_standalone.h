/* zk_client over a tree in this process (zk_tree): one broker without ZooKeeper, unit tests, the simulator. Several clients
 * (sessions) may share one tree; all of them on one thread, though each may have its own scheduler.
 *
 * A request travels as it would over a network: it is taken in by the tree in one task and answered in a later one; a change is
 * answered, and its watches told, only once it is durable. Watch events and answers come in the tree's order. */
#ifndef COORDINATOR_CLIENT_ZK_STANDALONE_H
#define COORDINATOR_CLIENT_ZK_STANDALONE_H
#include "coordinator-client/zk_client.h"
#include "coordinator-client/zk_tree.h"

enum { ZK_STANDALONE_TIMEOUT_MS = 18000 };

/* A session on the tree; connected when the scheduler next runs. digest as in zk_session: when given, nodes are created as
 * zookeeper.set.acl=true would (creator all, world read, sensitive trees creator only). chroot NULL or "/a/b", created if
 * missing. */
struct zk_client *zk_standalone_open(struct zk_tree *t, struct scheduler *scheduler, const char *chroot, const char *digest,
	void (*state_changed)(void *arg, enum zk_state state), void *state_arg);
/* After closed() only. */
void zk_standalone_free(struct zk_client *c);

/* Faults for tests and the simulator. */

/* The session timeout, for disconnections to come. */
void zk_standalone_set_timeout(struct zk_client *c, int32_t timeout_ms);
/* The tree ends the session; the client is told. */
void zk_standalone_expire(struct zk_client *c);
/* Requests under way: CONNECTION_LOSS for all; of those not yet taken in, the first half (rounded up) is done, the rest not.
 * Without zk_standalone_connect the session expires after its timeout. */
void zk_standalone_disconnect(struct zk_client *c);
/* The same, with the first `applied` of them done. */
void zk_standalone_cut(struct zk_client *c, size_t applied);
/* The countdown-th request from now (1: the next) loses the connection as it arrives; `applied`: it is done all the same. */
void zk_standalone_cut_at(struct zk_client *c, unsigned countdown, bool applied);
/* The network is back: a session that lives goes on, with the watch events it missed. */
void zk_standalone_connect(struct zk_client *c);
/* The client's process died: frees the client without calling anybody back. Its tasks must have been dropped already. The
 * session lives on in the tree until zk_standalone_expire_session. */
void zk_standalone_crash(struct zk_client *c);
/* Ends a session nobody holds any more. Harmless when it is gone. */
void zk_standalone_expire_session(struct zk_tree *t, int64_t session_id);
#endif
