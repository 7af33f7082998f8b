/* What controller and brokers say to each other: Kafka's inter-broker requests as structs. Every one carries the epochs of who
 * sends it, and of whom it is meant for, and is refused when stale. Kafka: LeaderAndIsr (4), StopReplica (5), UpdateMetadata (6) to
 * brokers; ControlledShutdown (7), AlterPartition (56) to the controller. */
#ifndef CLUSTER_CONTROL_MESSAGES_H
#define CLUSTER_CONTROL_MESSAGES_H

#include "base/topic_partition.h"

struct control_header {
	int32_t controller_id;
	int32_t controller_epoch;
	int64_t broker_epoch; /* of the broker addressed, as the controller knows it; -1 unchecked */
};
struct control_endpoint {
	char *listener; /* "PLAINTEXT" */
	char *host;
	int32_t port;
	int16_t security; /* enum control_security */
};
/* Kafka: SecurityProtocol */
enum control_security { CONTROL_SECURITY_PLAINTEXT, CONTROL_SECURITY_SSL, CONTROL_SECURITY_SASL_PLAINTEXT, CONTROL_SECURITY_SASL_SSL };
struct control_broker {
	int32_t id;
	int64_t epoch; /* czxid of its registration */
	char *rack;    /* NULL none */
	struct control_endpoint *endpoints;
	size_t endpoint_count;
};
struct control_partition {
	int32_t partition;
	int32_t leader; /* -1 none, -2 the topic is being deleted (UpdateMetadata) */
	int32_t leader_epoch;
	int32_t partition_epoch; /* znode version of its state */
	int32_t controller_epoch; /* that wrote the state last */
	bool is_new;             /* LeaderAndIsr: the log may be created in any directory */
	int8_t leader_recovery_state; /* LeaderAndIsr: enum leader_recovery_state */
	int32_t *isr, *replicas;
	size_t isr_count, replica_count;
	int32_t *adding, *removing; /* LeaderAndIsr: of replicas, those a reassignment adds and removes */
	size_t adding_count, removing_count;
	int32_t *offline; /* UpdateMetadata: of replicas, those not live */
	size_t offline_count;
};
/* KIP-704 */
enum leader_recovery_state {
	LEADER_RECOVERED = 0,
	LEADER_RECOVERING = 1, /* elected from outside the ISR */
};
struct control_topic {
	char *name;
	struct uuid id;
	struct control_partition *partitions;
	size_t partition_count;
};

struct control_leader {
	int32_t id;
	char *host; /* of the listener brokers use among themselves */
	int32_t port;
};
/* Roles for the replicas of one broker. */
struct leader_and_isr_request {
	struct control_header header;
	struct control_topic *topics;
	size_t topic_count;
	struct control_leader *live_leaders; /* those of the partitions named */
	size_t live_leader_count;
};
/* The cluster's picture. full: replaces everything the broker knew; else merges. Topics with leader -2 vanish. */
struct update_metadata_request {
	struct control_header header;
	bool full;
	struct control_broker *brokers; /* all live ones, always whole */
	size_t broker_count;
	struct control_topic *topics;
	size_t topic_count;
};
struct stop_replica_partition {
	struct topic_partition tp;
	int32_t leader_epoch; /* -2: deletion, unchecked */
	bool delete_log;
};
struct stop_replica_request {
	struct control_header header;
	struct stop_replica_partition *partitions;
	size_t partition_count;
};
struct control_partition_result {
	struct topic_partition tp;
	enum status status;
};
/* Answer to LeaderAndIsr and StopReplica; to the others without results. */
struct control_response {
	enum status status; /* STALE_CONTROLLER_EPOCH, STALE_BROKER_EPOCH for the whole */
	struct control_partition_result *results;
	size_t result_count;
};

enum control_kind { CONTROL_UPDATE_METADATA, CONTROL_LEADER_AND_ISR, CONTROL_STOP_REPLICA };
struct control_request {
	enum control_kind kind;
	union {
		struct control_header header; /* first in each */
		struct update_metadata_request update_metadata;
		struct leader_and_isr_request leader_and_isr;
		struct stop_replica_request stop_replica;
	};
};
/* Deep free; the struct itself stays. */
void control_request_fini(struct control_request *r);
void control_response_fini(struct control_response *r);

/* --- broker to controller ------------------------------------------------- */

struct isr_member {
	int32_t broker_id;
	int64_t broker_epoch; /* of the life that caught up (KIP-903); -1 unchecked */
};
/* The ISR a leader wants for a partition it leads. */
struct alter_partition_item {
	struct topic_partition tp; /* topic "": only its id came (version 2 on) */
	struct uuid topic_id;      /* zero: only its name came */
	int32_t leader_epoch;
	int32_t partition_epoch; /* that the wish rests on */
	struct isr_member *isr;
	size_t isr_count;
	int8_t leader_recovery_state;
};
struct alter_partition_request {
	int32_t broker_id;
	int64_t broker_epoch; /* -1 unchecked */
	struct alter_partition_item *items;
	size_t item_count;
};
/* What is true now, or (status) why nothing was changed: FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, INELIGIBLE_REPLICA,
 * UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST, NOT_CONTROLLER (the epochs named are newer than this controller's). */
struct alter_partition_result {
	struct topic_partition tp;
	struct uuid topic_id;
	enum status status;
	int32_t leader, leader_epoch, partition_epoch;
	int32_t *isr;
	size_t isr_count;
	int8_t leader_recovery_state;
};
struct alter_partition_response {
	enum status status; /* NOT_CONTROLLER, STALE_BROKER_EPOCH, CLUSTER_AUTHORIZATION_FAILED: for the whole, then no items */
	struct alter_partition_result *items;
	size_t item_count;
};
/* A broker is about to stop: its leaderships are to be moved away. */
struct controlled_shutdown_request {
	int32_t broker_id;
	int64_t broker_epoch; /* -1 unchecked */
};
struct controlled_shutdown_response {
	enum status status; /* NOT_CONTROLLER, STALE_BROKER_EPOCH, BROKER_NOT_AVAILABLE */
	struct topic_partition *remaining; /* it leads them still */
	size_t remaining_count;
};
void control_alter_item_fini(struct alter_partition_item *i);
void control_alter_request_fini(struct alter_partition_request *r);
void control_alter_response_fini(struct alter_partition_response *r);
void controlled_shutdown_response_fini(struct controlled_shutdown_response *r);

#endif
