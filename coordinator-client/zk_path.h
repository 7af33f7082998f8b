/* Names of nodes: checks and pieces. Pure. */
#ifndef COORDINATOR_CLIENT_ZK_PATH_H
#define COORDINATOR_CLIENT_ZK_PATH_H
#include "coordinator-client/zk_client.h"

/* ZooKeeper's rules (PathUtils): absolute, no empty part, no trailing '/', no "." or "..", no control characters; and shorter
 * than ZK_PATH_MAX. INVALID_ARGUMENT. */
MUST_CHECK enum status zk_path_check(const char *path);
/* "/a/b" -> "/a", "/a" -> "/". False for "/". */
bool zk_path_parent(const char *path, char ret_parent[ZK_PATH_MAX]);
/* "/a/b" -> "b". */
const char *zk_path_name(const char *path);
/* Is path `dir` itself or below it? */
bool zk_path_within(const char *path, const char *dir);
/* dir/name; INVALID_ARGUMENT when too long. */
MUST_CHECK enum status zk_path_join(const char *dir, const char *name, char ret_path[ZK_PATH_MAX]);

/* Who may touch a node made with zookeeper.set.acl=true (Kafka: ZkData.defaultAcls). */
enum zk_protection {
	ZK_PROTECTION_OPEN,       /* world: everything */
	ZK_PROTECTION_WORLD_READ, /* creator everything, world read */
	ZK_PROTECTION_CREATOR,    /* creator only: credentials lie there */
};
/* path: below the chroot. */
enum zk_protection zk_path_protection(const char *path, bool set_acl);
#endif
