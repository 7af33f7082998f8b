/* The watchers of one session: which are armed where, fired once, forgotten at any time. Used by both implementations of
 * zk_client on the client's loop. The ensemble keeps one watch per path and session; who wanted it is known only here. */
#ifndef COORDINATOR_CLIENT_ZK_WATCH_TABLE_H
#define COORDINATOR_CLIENT_ZK_WATCH_TABLE_H
#include "coordinator-client/zk_client.h"

enum zk_watch_kind { ZK_WATCH_DATA, ZK_WATCH_CHILD };

/* One arming: prepared with the read that arms it, armed when that read is answered. */
struct zk_watch_ref;
struct zk_watch_path;
struct zk_watch_owner;
struct zk_watch_table {
	struct zk_watch_path *paths;
	struct zk_watch_owner *owners;
	struct zk_watch_ref *firing; /* due, not yet called */
};
void zk_watch_table_init(struct zk_watch_table *t);
/* Forgets everything. Prepared ones must have been armed or dropped. */
void zk_watch_table_fini(struct zk_watch_table *t);
struct zk_watch_ref *zk_watch_table_prepare(struct zk_watch_table *t, const char *path, enum zk_watch_kind kind,
	struct zk_watcher *w);
void zk_watch_table_arm(struct zk_watch_table *t, struct zk_watch_ref *ref);
void zk_watch_table_drop(struct zk_watch_table *t, struct zk_watch_ref *ref);
/* Calls the watchers armed at path that the event concerns. They may arm, forget, and end the session. */
void zk_watch_table_fire(struct zk_watch_table *t, const char *path, enum zk_event event);
/* Calls every armed watcher once with SESSION_LOST. */
void zk_watch_table_lose(struct zk_watch_table *t);
void zk_watch_table_forget(struct zk_watch_table *t, struct zk_watcher *w);
#endif
