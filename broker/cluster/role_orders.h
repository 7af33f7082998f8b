/* Carries out what the controller orders for this broker's replicas: opens or deletes logs, sends each replica its role on its
 * own loop, and gathers the answers. On the cluster loop. */
#ifndef CLUSTER_ROLE_ORDERS_H
#define CLUSTER_ROLE_ORDERS_H

#include "cluster/control_messages.h"
#include "cluster/replica_host.h"
#include "cluster/topic_overrides.h"

struct log_manager;

struct role_orders_environment {
	struct scheduler *scheduler;
	struct replica_host_table hosts;
	struct topic_overrides *overrides;
	struct log_manager *logs;
};
/* results: one per partition named, in the request's order, owned by the callee; NULL if none. Called exactly once, perhaps
 * within the call. */
typedef void (*role_orders_done_fn)(void *arg, struct control_partition_result *results, size_t count);

/* The request is borrowed until done. */
void role_orders_leader_and_isr(const struct role_orders_environment *env, const struct leader_and_isr_request *r,
	role_orders_done_fn done, void *arg);
void role_orders_stop_replica(const struct role_orders_environment *env, const struct stop_replica_request *r,
	role_orders_done_fn done, void *arg);
/* New effective settings for every replica of these topics. No results. */
void role_orders_configure(const struct role_orders_environment *env, const char *const *topics, size_t count,
	role_orders_done_fn done, void *arg);
/* The same for every topic of the image: what topics inherit has changed. The image is borrowed for the call. */
void role_orders_configure_all(const struct role_orders_environment *env, const struct cluster_image *image, role_orders_done_fn done,
	void *arg);
/* Every log found on disk, to its loop, without a role. */
void role_orders_host(const struct role_orders_environment *env, role_orders_done_fn done, void *arg);

#endif
