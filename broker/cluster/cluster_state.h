/* The one writer of cluster images, on the cluster loop. Obeys the controller: checks the epochs of its requests, builds the
 * next image and posts it to every loop, opens logs and orders replicas into their roles. While ZooKeeper or the controller is
 * away nothing changes: roles and image are kept. */
#ifndef CLUSTER_CLUSTER_STATE_H
#define CLUSTER_CLUSTER_STATE_H

#include "cluster/cluster_image_holder.h"
#include "cluster/control_messages.h"
#include "cluster/replica_host.h"
#include "coordinator-client/zk_client.h"

struct cluster_state;
struct log_manager;

struct cluster_state_options {
	struct scheduler *scheduler; /* the cluster loop; everything below runs on it */
	const struct settings *settings;
	struct replica_host_table hosts; /* copied; its array is borrowed */
	struct cluster_image_holder *const *holders; /* one per loop that wants images; borrowed */
	size_t holder_count;
	/* The controller is another one, or can be reached elsewhere now, or this broker has another epoch. May be NULL. */
	void (*controller_changed)(void *arg);
	void *arg;
};
/* Order at start: new, log_manager_open (with cluster_state_topic_settings), cluster_identity, load_configs, log_manager_load,
 * host_logs, then listeners, then registration, which ends in set_broker_epoch: from there control requests are obeyed. */
struct cluster_state *cluster_state_new(const struct cluster_state_options *o);
/* Clean stop: requests queued or still to come are answered with CANCELLED; done when the one under way is finished, so that no
 * log is opened or given a role any more (then replica_checkpoints_stop). */
void cluster_state_stop(struct cluster_state *s, void (*done)(void *arg), void *arg);
/* After stop, or before the first request. */
void cluster_state_free(struct cluster_state *s);

/* After cluster_identity, once. cluster_id is copied. */
void cluster_state_set_identity(struct cluster_state *s, const char *cluster_id, int32_t broker_id);
/* Reads every override in /config/topics, pipelined (at most 64 gets in flight), and what was changed of brokers' settings, which
 * is watched from then on. After set_identity. Retried while the ensemble is away. */
void cluster_state_load_configs(struct cluster_state *s, struct zk_client *zk, void (*done)(void *arg, enum status s),
	void *arg);
/* The watches end; before the client is freed. */
void cluster_state_leave_zk(struct cluster_state *s);
/* For log_manager_options: arg is the cluster_state. Broker defaults under the topic's overrides. */
void cluster_state_topic_settings(void *arg, const char *topic, struct topic_settings *ret_settings);
/* After log_manager_load: the logs found are handed to their loops, without a role until the controller gives one. */
void cluster_state_host_logs(struct cluster_state *s, struct log_manager *logs, void (*done)(void *arg, enum status s),
	void *arg);
/* After each registration: the broker epoch (czxid). Requests that came before the first are held until then. */
void cluster_state_set_broker_epoch(struct cluster_state *s, int64_t broker_epoch);
int64_t cluster_state_broker_epoch(const struct cluster_state *s); /* -1 before the first registration */

/* response: borrowed for the call. */
typedef void (*cluster_state_done_fn)(void *arg, const struct control_response *response);
/* Takes what request holds (control_request_fini is called here; the struct itself is copied). Requests are obeyed one after
 * the other, in the order they came; done is called exactly once, when every partition named has answered, perhaps within the
 * call.
 * STALE_CONTROLLER_EPOCH: the controller has been replaced. STALE_BROKER_EPOCH: meant for an earlier life of this broker.
 * Per partition: STALE_CONTROLLER_EPOCH for a leader epoch not above the present one, KAFKA_STORAGE_ERROR,
 * INCONSISTENT_TOPIC_ID. Kafka: ReplicaManager.becomeLeaderOrFollower, stopReplicas. */
void cluster_state_control(struct cluster_state *s, struct control_request *request, cluster_state_done_fn done, void *arg);

/* The newest image; borrowed. */
struct cluster_image *cluster_state_image(const struct cluster_state *s);

#endif
