/* One request to ZooKeeper from the asking to the answer, and what both implementations of zk_client share: the checks, the
 * chroot, the watchers. An implementation embeds struct zk_base first and gives submit(). Runs on the client's loop. */
#ifndef COORDINATOR_CLIENT_ZK_CALL_H
#define COORDINATOR_CLIENT_ZK_CALL_H
#include "coordinator-client/zk_path.h"
#include "coordinator-client/zk_watch_table.h"

enum zk_call_kind {
	ZK_CALL_CREATE,
	ZK_CALL_EXISTS,
	ZK_CALL_GET,
	ZK_CALL_CHILDREN,
	ZK_CALL_SET,
	ZK_CALL_REMOVE,
	ZK_CALL_MULTI,
};

struct zk_call {
	unsigned magic;
	enum zk_call_kind kind;
	struct zk_call *next, **prev; /* of the queue it is in; prev NULL: in none */
	struct zk_base *base;
	int64_t deadline_us; /* while it waits to be sent */
	union {
		zk_create_done_fn create;
		zk_stat_done_fn stat;
		zk_data_done_fn data;
		zk_children_done_fn children;
		zk_void_done_fn void_;
		zk_multi_done_fn multi;
	} done;
	void *arg;
	struct zk_watch_ref *watch; /* NULL none */
	/* The request, copied. Paths are full: chroot included. */
	struct zk_op op;   /* all but multi; kind is not used */
	struct zk_op *ops; /* multi */
	size_t op_count;
	/* The answer. */
	enum status status;
	struct zk_stat stat;
	uint8_t *data; /* NULL: null */
	size_t data_n;
	char **names;
	size_t name_count;
	char *created_path;            /* full */
	struct zk_op_result *results;  /* op_count of them, created_path owned and full */
};

struct zk_call_queue {
	struct zk_call *head, **tail;
	size_t count;
};
void zk_call_queue_init(struct zk_call_queue *q);
void zk_call_queue_push(struct zk_call_queue *q, struct zk_call *call);
void zk_call_queue_remove(struct zk_call_queue *q, struct zk_call *call);
/* NULL when empty. */
struct zk_call *zk_call_queue_pop(struct zk_call_queue *q);

struct zk_base {
	struct zk_client client;
	char chroot[ZK_PATH_MAX]; /* "" none, else "/a/b" */
	struct zk_watch_table watches;
	/* Takes the call; answers it later with zk_call_finish. A call with status other than OK was refused by the checks: it
	 * wants only its answer. */
	void (*submit)(struct zk_base *b, struct zk_call *call);
};
void zk_base_init(struct zk_base *b, struct scheduler *scheduler, const char *chroot);
void zk_base_fini(struct zk_base *b);
/* Stores the state and tells the owner, then the listeners. */
void zk_base_set_state(struct zk_base *b, enum zk_state state);
/* The part of a full path below the chroot; "/" for the chroot itself; NULL when outside. */
const char *zk_base_strip(const struct zk_base *b, const char *full_path);

/* Arms or drops the watch, calls the asker back with the answer in the call, frees it. The call is in no queue. */
void zk_call_finish(struct zk_call *call);
/* The same with an error for an answer. */
void zk_call_fail(struct zk_call *call, enum status s);
/* Frees without an answer: the asker is gone (a simulated crash). */
void zk_call_abandon(struct zk_call *call);

/* The rows of zk_client_ops both share. */
void zk_base_create(struct zk_client *c, const char *path, struct slice data, int flags, zk_create_done_fn done, void *arg);
void zk_base_exists(struct zk_client *c, const char *path, struct zk_watcher *w, zk_stat_done_fn done, void *arg);
void zk_base_get(struct zk_client *c, const char *path, struct zk_watcher *w, zk_data_done_fn done, void *arg);
void zk_base_children(struct zk_client *c, const char *path, struct zk_watcher *w, zk_children_done_fn done, void *arg);
void zk_base_set(struct zk_client *c, const char *path, struct slice data, int32_t version, zk_stat_done_fn done, void *arg);
void zk_base_remove(struct zk_client *c, const char *path, int32_t version, zk_void_done_fn done, void *arg);
void zk_base_multi(struct zk_client *c, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg);
void zk_base_forget(struct zk_client *c, struct zk_watcher *w);
#endif
