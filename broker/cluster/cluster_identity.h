/* Who we are: the cluster's id (/cluster/id, read or created) checked against meta.properties, and the broker's id. On the
 * cluster loop, at start, before anything else is written to ZooKeeper. */
#ifndef CLUSTER_CLUSTER_IDENTITY_H
#define CLUSTER_CLUSTER_IDENTITY_H

#include "base/random.h"
#include "coordinator-client/zk_client.h"

struct cluster_identity_options {
	struct zk_client *zk; /* connected */
	struct random *random;
	const char *connect;          /* zookeeper.connect, for the error text */
	const char *found_cluster_id; /* meta.properties: log_manager_cluster_id; NULL none */
	int32_t found_broker_id;      /* meta.properties: log_manager_broker_id; -1 none */
	int32_t configured_broker_id; /* broker.id; -1: found one, else generated */
	bool broker_id_generation_enable;
	int32_t reserved_broker_max_id;
	int64_t timeout_ms; /* without an answer from the ensemble: REQUEST_TIMED_OUT; 0 = 60 s */
};
/* f->status OK: cluster_id (borrowed for the call) and broker_id hold. INCONSISTENT_CLUSTER_ID: the log directories belong to
 * another cluster, or the ensemble is empty while they belong to one: the caller prints f->text and exits with 78; nothing was
 * created. INVALID_CONFIG: ids that contradict each other. */
typedef void (*cluster_identity_done_fn)(void *arg, const struct failure *f, const char *cluster_id, int32_t broker_id);
/* Also creates the cluster's persistent directories of znodes, once the identity is settled. */
void cluster_identity_settle(const struct cluster_identity_options *o, cluster_identity_done_fn done, void *arg);

#endif
