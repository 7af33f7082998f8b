/* What the tests of zk_client's two implementations share: a loop without a thread of its own (the test's thread turns it
 * while it waits), and requests that are waited for. The real ZooKeeper is used when CORREIO_TEST_ZK=127.0.0.1:port is set. */
#ifndef TESTS_UNIT_ZK_FIXTURE_H
#define TESTS_UNIT_ZK_FIXTURE_H
#include "coordinator-client/zk_client.h"

struct zk_fixture;
enum { ZK_FIXTURE_STANDALONE, ZK_FIXTURE_SESSION };
/* kind: which implementation. chroot: each test its own. */
struct zk_fixture *zk_fixture_new(int kind, const char *chroot);
/* Closes every client and frees everything. */
void zk_fixture_free(struct zk_fixture *f);
/* NULL when no ZooKeeper is there to test with. */
const char *zk_fixture_real(void);
struct scheduler *zk_fixture_scheduler(struct zk_fixture *f);
/* A connected client. */
struct zk_client *zk_fixture_open(struct zk_fixture *f, const char *digest);
/* The same without waiting for the connection. */
struct zk_client *zk_fixture_begin(struct zk_fixture *f, const char *digest);
/* To servers of the test's own choice. */
struct zk_client *zk_fixture_begin_at(struct zk_fixture *f, const char *connect, int32_t timeout_ms);
void zk_fixture_close(struct zk_fixture *f, struct zk_client *c);
/* The ensemble ends the session; returns when the client was told. */
void zk_fixture_expire(struct zk_fixture *f, struct zk_client *c);
/* Turns the loop until *flag; fails the test after 20 s. */
void zk_fixture_wait(struct zk_fixture *f, const bool *flag);
void zk_fixture_wait_state(struct zk_fixture *f, const struct zk_client *c, enum zk_state state);
/* Everything told so far has been delivered: a read on the session makes sure. */
void zk_fixture_settle(struct zk_fixture *f, struct zk_client *c);

/* Answers live as long as the fixture. */
struct zk_answer {
	struct zk_answer *next;
	bool done;
	enum status status;
	struct zk_stat stat;
	char path[ZK_PATH_MAX];
	bool null_data;
	char data[256];
	char names[1024]; /* sorted, comma-separated */
	struct zk_op_result results[8];
	char created[8][ZK_PATH_MAX];
	size_t count;
};
struct zk_answer *zk_answer_new(struct zk_fixture *f);
/* Requests, waited for. */
struct zk_answer *zk_do_create(struct zk_fixture *f, struct zk_client *c, const char *path, const char *data, int flags);
struct zk_answer *zk_do_exists(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w);
struct zk_answer *zk_do_get(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w);
struct zk_answer *zk_do_children(struct zk_fixture *f, struct zk_client *c, const char *path, struct zk_watcher *w);
struct zk_answer *zk_do_set(struct zk_fixture *f, struct zk_client *c, const char *path, const char *data, int32_t version);
struct zk_answer *zk_do_delete(struct zk_fixture *f, struct zk_client *c, const char *path, int32_t version);
struct zk_answer *zk_do_multi(struct zk_fixture *f, struct zk_client *c, const struct zk_op *ops, size_t count);
/* The answer of a request under way goes here. */
void zk_answer_create(void *arg, enum status s, const char *created_path, const struct zk_stat *stat);
void zk_answer_stat(void *arg, enum status s, const struct zk_stat *stat);
void zk_answer_data(void *arg, enum status s, struct slice data, const struct zk_stat *stat);
void zk_answer_children(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat);
void zk_answer_void(void *arg, enum status s);
void zk_answer_multi(void *arg, enum status s, const struct zk_op_result *results, size_t count);

/* A watcher that writes down what it heard: "created:/a deleted:/b ". */
struct zk_recorder {
	struct zk_watcher watcher;
	char heard[1024];
};
void zk_recorder_init(struct zk_recorder *r);
#endif
