/* The table of ZooKeeper calls. Two implementations, one test suite: zk_session (the Apache C client) and zk_standalone (a
 * journaled tree in this process). Every call is asynchronous; its completion and every watch event run as tasks on the
 * scheduler given at construction. Paths are absolute below the chroot. */
#ifndef COORDINATOR_CLIENT_ZK_CLIENT_H
#define COORDINATOR_CLIENT_ZK_CLIENT_H

#include "base/bytes.h"
#include "base/scheduler.h"

struct zk_client;

enum { ZK_PATH_MAX = 1024 };
enum zk_create_flags { ZK_CREATE_PERSISTENT = 0, ZK_CREATE_EPHEMERAL = 1, ZK_CREATE_SEQUENTIAL = 2 };
enum { ZK_ANY_VERSION = -1 };

struct zk_stat {
	int64_t czxid, mzxid, pzxid;
	int64_t ctime_ms, mtime_ms;
	int32_t version, cversion, aversion;
	int64_t ephemeral_owner; /* session id, 0 for persistent nodes */
	int32_t data_length, num_children;
};

/* Answers. Borrowed during the call. status: OK, NOT_FOUND, EXISTS, BAD_VERSION, NOT_EMPTY, NO_AUTH, CONNECTION_LOSS (outcome
 * unknown), SESSION_EXPIRED, CANCELLED, INVALID_ARGUMENT. data.p NULL: the node holds null. */
typedef void (*zk_create_done_fn)(void *arg, enum status s, const char *created_path, const struct zk_stat *stat);
typedef void (*zk_stat_done_fn)(void *arg, enum status s, const struct zk_stat *stat);
typedef void (*zk_data_done_fn)(void *arg, enum status s, struct slice data, const struct zk_stat *stat);
typedef void (*zk_children_done_fn)(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat);
typedef void (*zk_void_done_fn)(void *arg, enum status s);

/* One-shot watch, ZooKeeper's semantics: fires once on the next change, before any later read shows it. */
enum zk_event { ZK_EVENT_CREATED, ZK_EVENT_DELETED, ZK_EVENT_CHANGED, ZK_EVENT_CHILDREN, ZK_EVENT_SESSION_LOST };
struct zk_watcher {
	void (*fired)(struct zk_watcher *w, enum zk_event event, const char *path);
};

enum zk_op_kind { ZK_OP_CREATE, ZK_OP_SET, ZK_OP_DELETE, ZK_OP_CHECK };
struct zk_op {
	enum zk_op_kind kind;
	const char *path;
	struct slice data; /* p NULL: null */
	int flags;         /* create */
	int32_t version;   /* set, delete, check */
};
struct zk_op_result {
	enum status status;
	const char *created_path;
	struct zk_stat stat; /* set: filled, czxid included (KIP-380's broker epoch). create: czxid where known, else 0 */
};
/* All or nothing: status is the first failing op's; results has one entry per op. */
typedef void (*zk_multi_done_fn)(void *arg, enum status s, const struct zk_op_result *results, size_t count);

enum zk_state {
	ZK_STATE_CONNECTING,   /* not yet, or again after a loss; the session may still live */
	ZK_STATE_CONNECTED,
	ZK_STATE_EXPIRED,      /* ephemerals are gone or must be assumed gone; call zk_client_reconnect */
	ZK_STATE_AUTH_FAILED,
	ZK_STATE_CLOSED,
};

struct zk_client_ops {
	void (*create)(struct zk_client *c, const char *path, struct slice data, int flags, zk_create_done_fn done, void *arg);
	/* w NULL: no watch. exists arms the watch also when the node is not there. */
	void (*exists)(struct zk_client *c, const char *path, struct zk_watcher *w, zk_stat_done_fn done, void *arg);
	void (*get)(struct zk_client *c, const char *path, struct zk_watcher *w, zk_data_done_fn done, void *arg);
	void (*children)(struct zk_client *c, const char *path, struct zk_watcher *w, zk_children_done_fn done, void *arg);
	void (*set)(struct zk_client *c, const char *path, struct slice data, int32_t version, zk_stat_done_fn done, void *arg);
	void (*remove)(struct zk_client *c, const char *path, int32_t version, zk_void_done_fn done, void *arg);
	void (*multi)(struct zk_client *c, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg);
	/* Forgets the watcher object: it will not fire again and its memory may go. */
	void (*forget)(struct zk_client *c, struct zk_watcher *w);
	/* After EXPIRED (or at any time: gives up the session): a new session is opened; all watches are dead. */
	void (*reconnect)(struct zk_client *c);
	/* Closes the session (ephemerals vanish), calls back all pending requests with CANCELLED, then closed(arg). */
	void (*close)(struct zk_client *c, void (*closed)(void *arg), void *arg);
};
struct zk_client {
	const struct zk_client_ops *ops;
	struct scheduler *scheduler;
	enum zk_state state;         /* as last told on the scheduler's loop */
	int64_t session_id;          /* 0 before the first connection */
	int32_t negotiated_timeout_ms;
	/* Called on each state change, on the loop. */
	void (*state_changed)(void *arg, enum zk_state state);
	void *state_arg;
};

static inline void zk_create(struct zk_client *c, const char *path, struct slice data, int flags, zk_create_done_fn done,
	void *arg)
{
	c->ops->create(c, path, data, flags, done, arg);
}
static inline void zk_exists(struct zk_client *c, const char *path, struct zk_watcher *w, zk_stat_done_fn done, void *arg)
{
	c->ops->exists(c, path, w, done, arg);
}
static inline void zk_get(struct zk_client *c, const char *path, struct zk_watcher *w, zk_data_done_fn done, void *arg)
{
	c->ops->get(c, path, w, done, arg);
}
static inline void zk_children(struct zk_client *c, const char *path, struct zk_watcher *w, zk_children_done_fn done,
	void *arg)
{
	c->ops->children(c, path, w, done, arg);
}
static inline void zk_set(struct zk_client *c, const char *path, struct slice data, int32_t version, zk_stat_done_fn done,
	void *arg)
{
	c->ops->set(c, path, data, version, done, arg);
}
static inline void zk_delete(struct zk_client *c, const char *path, int32_t version, zk_void_done_fn done, void *arg)
{
	c->ops->remove(c, path, version, done, arg);
}
static inline void zk_multi(struct zk_client *c, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg)
{
	c->ops->multi(c, ops, count, done, arg);
}

#endif
