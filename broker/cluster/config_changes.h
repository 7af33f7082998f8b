/* /config/changes, watched: which entities had their configuration changed, by whomever (the change carries no value). On the cluster
 * loop. Kafka: ZkNodeChangeNotificationListener. */
#ifndef CLUSTER_CONFIG_CHANGES_H
#define CLUSTER_CONFIG_CHANGES_H

#include "coordinator-client/zk_client.h"

struct config_changes;
struct config_changes_options {
	struct zk_client *zk;
	/* "topics/t", "users/alice", ...: what stands in its node now counts. The changes that stand there at the beginning (up to 15
	 * minutes old) are told too, so one who has read everything just before misses none. */
	void (*changed)(void *arg, const char *entity);
	/* Changes may have been missed (a new session, a change that could not be read): everything is to be read again. */
	void (*lost)(void *arg);
	void *arg;
};
struct config_changes *config_changes_new(const struct config_changes_options *o);
/* Before the client is freed. */
void config_changes_free(struct config_changes *c);

#endif
