/* Keeps one node, or one list of children, current: reads it, re-arms its watch, reports every change; over lost connections
 * and new sessions too, for as long as it lives. Reports changes only: two changes in quick succession may come as one, and
 * nothing comes when a new session finds all as it was. Runs on the client's loop. */
#ifndef COORDINATOR_CLIENT_ZK_WATCH_H
#define COORDINATOR_CLIENT_ZK_WATCH_H
#include "coordinator-client/zk_client.h"

/* present false: there is no such node; data null, stat NULL. Borrowed during the call, in which the watch may be freed. */
typedef void (*zk_watch_node_fn)(void *arg, bool present, struct slice data, const struct zk_stat *stat);
typedef void (*zk_watch_children_fn)(void *arg, bool present, const char *const *names, size_t count,
	const struct zk_stat *stat);

struct zk_watch;
/* The first report comes when the first read is answered. */
struct zk_watch *zk_watch_node(struct zk_client *zk, const char *path, zk_watch_node_fn changed, void *arg);
struct zk_watch *zk_watch_children(struct zk_client *zk, const char *path, zk_watch_children_fn changed, void *arg);
/* Silent from now on. Before the client is freed. */
void zk_watch_free(struct zk_watch *w);
/* Reads once more and reports even if nothing changed: for one who lost track. */
void zk_watch_refresh(struct zk_watch *w);
const char *zk_watch_path(const struct zk_watch *w);
#endif
