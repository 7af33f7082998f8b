/* Requests that outlive a lost connection: retried with back-off until a deadline, and idempotent. ZooKeeper may have done a
 * change whose answer was lost; the second attempt then fails (BAD_VERSION, EXISTS, NOT_FOUND) because the first succeeded. So
 * after a loss such a failure is answered by a look at the node: if it is as the request would have left it, it was done.
 * A sequential creation cannot be told from another's: after a loss it may have happened twice.
 *
 * Answers as in zk_client.h. CONNECTION_LOSS: the deadline passed, the outcome is unknown. SESSION_EXPIRED is not retried: what
 * was asked for in an old session may be wrong in a new one. Everything runs on the client's loop. */
#ifndef COORDINATOR_CLIENT_ZK_REQUEST_H
#define COORDINATOR_CLIENT_ZK_REQUEST_H
#include "coordinator-client/zk_client.h"

/* The owner's requests together, so that it can leave. */
struct zk_requester;
struct zk_requester *zk_requester_new(struct zk_client *zk, int32_t deadline_ms);
/* Nobody is called back any more. */
void zk_requester_free(struct zk_requester *r);

void zk_request_create(struct zk_requester *r, const char *path, struct slice data, int flags, zk_create_done_fn done,
	void *arg);
void zk_request_exists(struct zk_requester *r, const char *path, zk_stat_done_fn done, void *arg);
void zk_request_get(struct zk_requester *r, const char *path, zk_data_done_fn done, void *arg);
void zk_request_children(struct zk_requester *r, const char *path, zk_children_done_fn done, void *arg);
void zk_request_set(struct zk_requester *r, const char *path, struct slice data, int32_t version, zk_stat_done_fn done,
	void *arg);
void zk_request_delete(struct zk_requester *r, const char *path, int32_t version, zk_void_done_fn done, void *arg);
void zk_request_multi(struct zk_requester *r, const struct zk_op *ops, size_t count, zk_multi_done_fn done, void *arg);

/* A multi that counts only while its author is the controller: [check(path, version), ops...]. FENCED when the check fails:
 * another controller was elected, nothing was done. The results are those of ops alone. */
struct zk_fence {
	const char *path; /* /controller_epoch */
	int32_t version;  /* the epoch's znode version, from the election */
};
void zk_request_fenced(struct zk_requester *r, const struct zk_fence *fence, const struct zk_op *ops, size_t count,
	zk_multi_done_fn done, void *arg);

/* Makes every path, with its parents, that is missing: persistent, null data. Looks first, then creates: an existing layout
 * costs reads alone. All paths at once. OK or the first failure. */
void zk_request_ensure(struct zk_requester *r, const char *const *paths, size_t count, zk_void_done_fn done, void *arg);
#endif
