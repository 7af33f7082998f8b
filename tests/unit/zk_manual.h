/* A standalone client on a loop without time of its own: for tests of what is built on zk_client. */
#ifndef TESTS_UNIT_ZK_MANUAL_H
#define TESTS_UNIT_ZK_MANUAL_H
#include "coordinator-client/zk_standalone.h"
#include <check.h>

struct zk_manual {
	struct manual_clock clock;
	struct manual_scheduler *loop;
	struct zk_tree *tree;
	struct zk_client *client, *other; /* other: somebody else's session */
	bool closed;
};

static inline void zk_manual_closed(void *arg)
{
	*(bool *)arg = true;
}

static inline struct zk_client *zk_manual_open(struct zk_manual *m)
{
	return zk_standalone_open(m->tree, manual_scheduler_scheduler(m->loop), NULL, NULL, NULL, NULL);
}

static inline void zk_manual_run(struct zk_manual *m)
{
	manual_scheduler_run(m->loop);
}

static inline void zk_manual_advance(struct zk_manual *m, int64_t ms)
{
	manual_scheduler_advance_us(m->loop, ms * 1000);
}

static inline void zk_manual_init(struct zk_manual *m)
{
	*m = (struct zk_manual){0};
	manual_clock_init(&m->clock, 1000000, 1700000000000);
	m->loop = manual_scheduler_new(&m->clock);
	ck_assert_int_eq(zk_tree_open(NULL, &m->clock.clock, &m->tree, NULL), STATUS_OK);
	m->client = zk_manual_open(m);
	m->other = zk_manual_open(m);
	zk_manual_run(m);
}

static inline void zk_manual_close(struct zk_manual *m, struct zk_client *c)
{
	m->closed = false;
	zk_client_close(c, zk_manual_closed, &m->closed);
	zk_manual_run(m);
	ck_assert(m->closed);
	zk_standalone_free(c);
}

static inline void zk_manual_fini(struct zk_manual *m)
{
	zk_manual_close(m, m->client);
	zk_manual_close(m, m->other);
	zk_tree_free(m->tree);
	manual_scheduler_free(m->loop);
}

/* What other does at once, and how a node looks to it. */
static inline void zk_manual_status(void *arg, enum status s)
{
	*(enum status *)arg = s;
}
static inline void zk_manual_created(void *arg, enum status s, const char *path, const struct zk_stat *stat)
{
	ck_assert_int_eq(path == NULL, stat == NULL);
	*(enum status *)arg = s;
}
static inline void zk_manual_set_done(void *arg, enum status s, const struct zk_stat *stat)
{
	ck_assert_int_eq(s == STATUS_OK, stat != NULL);
	*(enum status *)arg = s;
}
struct zk_manual_node {
	enum status status;
	bool null_data;
	char data[512];
	struct zk_stat stat;
};
static inline void zk_manual_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_manual_node *n = arg;
	*n = (struct zk_manual_node){.status = s, .null_data = data.p == NULL};
	if (stat != NULL)
		n->stat = *stat;
	if (data.p != NULL)
		snprintf(n->data, sizeof(n->data), "%.*s", (int)data.n, (const char *)data.p);
}

static inline enum status zk_manual_create(struct zk_manual *m, const char *path, const char *data, int flags)
{
	enum status s = STATUS_COUNT;
	zk_create(m->other, path, data == NULL ? (struct slice){0} : slice_of_str(data), flags, zk_manual_created, &s);
	zk_manual_run(m);
	return s;
}
static inline enum status zk_manual_set(struct zk_manual *m, const char *path, const char *data)
{
	enum status s = STATUS_COUNT;
	zk_set(m->other, path, slice_of_str(data), ZK_ANY_VERSION, zk_manual_set_done, &s);
	zk_manual_run(m);
	return s;
}
static inline enum status zk_manual_delete(struct zk_manual *m, const char *path)
{
	enum status s = STATUS_COUNT;
	zk_delete(m->other, path, ZK_ANY_VERSION, zk_manual_status, &s);
	zk_manual_run(m);
	return s;
}
static inline struct zk_manual_node zk_manual_get(struct zk_manual *m, const char *path)
{
	struct zk_manual_node n = {.status = STATUS_COUNT};
	zk_get(m->other, path, NULL, zk_manual_got, &n);
	zk_manual_run(m);
	return n;
}
#endif
