/* The table of ZooKeeper calls. Two implementations, one test suite: zk_session (the Apache C client) and zk_standalone (a
 * journaled tree in this process). Every call is asynchronous; its completion and every watch event run as tasks on the
 * scheduler given at construction. Paths are absolute below the chroot. */
#ifndef COORDINATOR_CLIENT_ZK_CLIENT_H
#define COORDINATOR_CLIENT_ZK_CLIENT_H

#include "base/bytes.h"
#include "base/scheduler.h"

struct zk_client;

enum { ZK_PATH_MAX = 1024 };
/* Bytes of data in one node, or of one multi: under ZooKeeper's jute.maxbuffer (1 MiB) with room for paths. A larger request
 * would make the server drop the connection, so it is refused with TOO_LARGE instead. */
enum { ZK_DATA_MAX = 1024 * 1024 - 8 * 1024 };
/* Operations of one multi. */
enum { ZK_MULTI_MAX = 10000 };
enum zk_create_flags { ZK_CREATE_PERSISTENT = 0, ZK_CREATE_EPHEMERAL = 1, ZK_CREATE_SEQUENTIAL = 2 };
enum { ZK_ANY_VERSION = -1 };

struct zk_stat {
	int64_t czxid, mzxid, pzxid;
	int64_t ctime_ms, mtime_ms;
	int32_t version, cversion, aversion;
	int64_t ephemeral_owner; /* session id, 0 for persistent nodes */
	int32_t data_length, num_children;
};

/* Answers, never given within the call that asks. Borrowed during the call. status: OK, NOT_FOUND, EXISTS, BAD_VERSION,
 * NOT_EMPTY, NO_AUTH, CONNECTION_LOSS (outcome unknown), SESSION_EXPIRED (outcome unknown too), CANCELLED, INVALID_ARGUMENT,
 * TOO_LARGE. data.p NULL: the node holds null. stat is NULL unless OK.
 * A request made while CONNECTING waits its turn, up to a session timeout and ZK_WAITING_MAX of them; beyond: CONNECTION_LOSS
 * (it was not sent). Requests reach the ensemble in the order they were made. */
enum { ZK_WAITING_MAX = 10000, ZK_IN_FLIGHT_MAX = 1000 };
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
/* One watcher may be armed on several paths; each arming fires once. The end of the session fires it once in all. */

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
/* All or nothing: s is the first failing op's status; results has one entry per op. Of a multi that failed, the ops before that
 * one say OK (and were not done), those after it CANCELLED. */
typedef void (*zk_multi_done_fn)(void *arg, enum status s, const struct zk_op_result *results, size_t count);

enum zk_state {
	ZK_STATE_CONNECTING,   /* not yet, or again after a loss; the session may still live */
	ZK_STATE_CONNECTED,
	ZK_STATE_EXPIRED,      /* ephemerals are gone or must be assumed gone; call zk_client_reconnect */
	ZK_STATE_AUTH_FAILED,
	ZK_STATE_CLOSED,
};

/* Told of every state change before zk_client.state_changed; any module of the same loop may listen, but not end or open a
 * session within. */
struct zk_listener {
	void (*state_changed)(struct zk_listener *l, enum zk_state state);
	struct zk_listener *next, **prev; /* the list's own */
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
	/* The one before it (0 none): an ephemeral node of that owner is this client's own left-over. */
	int64_t previous_session_id;
	int32_t negotiated_timeout_ms;
	/* Called on each state change, on the loop; may call zk_client_reconnect. On EXPIRED the listeners hear first, then
	 * this, then the watchers of SESSION_LOST, then pending requests are answered. */
	void (*state_changed)(void *arg, enum zk_state state);
	void *state_arg;
	struct zk_listener *listeners, **listeners_end;
	struct zk_listener *telling; /* the listener told next, while the list is walked */
};
void zk_client_add_listener(struct zk_client *c, struct zk_listener *l);
void zk_client_remove_listener(struct zk_client *c, struct zk_listener *l);
const char *zk_state_name(enum zk_state state);

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
static inline void zk_forget(struct zk_client *c, struct zk_watcher *w)
{
	c->ops->forget(c, w);
}
static inline void zk_client_reconnect(struct zk_client *c)
{
	c->ops->reconnect(c);
}
static inline void zk_client_close(struct zk_client *c, void (*closed)(void *arg), void *arg)
{
	c->ops->close(c, closed, arg);
}

#endif
