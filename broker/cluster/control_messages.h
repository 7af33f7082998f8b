/* What the controller tells brokers and what they answer: Kafka's inter-broker requests as structs. In this form they cross
 * broker_channel (encoded by wire/control_codec); later they get Kafka's own wire form. Every one carries controller epoch
 * and broker epoch and is refused when stale. Kafka: LeaderAndIsr (4), StopReplica (5), UpdateMetadata (6). */
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
};
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
	int32_t *isr, *replicas;
	size_t isr_count, replica_count;
};
struct control_topic {
	char *name;
	struct uuid id;
	struct control_partition *partitions;
	size_t partition_count;
};

/* Roles for the replicas of one broker. */
struct leader_and_isr_request {
	struct control_header header;
	struct control_topic *topics;
	size_t topic_count;
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
/* Topic configuration changed: the broker applies it to its logs and to its image. */
struct update_configs_request {
	struct control_header header;
	struct control_topic_config {
		char *topic;
		struct control_config_entry {
			char *key, *value;
		} *entries; /* all overrides of the topic */
		size_t entry_count;
	} *topics;
	size_t topic_count;
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

enum control_kind { CONTROL_UPDATE_METADATA, CONTROL_LEADER_AND_ISR, CONTROL_STOP_REPLICA, CONTROL_UPDATE_CONFIGS };
struct control_request {
	enum control_kind kind;
	union {
		struct control_header header; /* first in each */
		struct update_metadata_request update_metadata;
		struct leader_and_isr_request leader_and_isr;
		struct stop_replica_request stop_replica;
		struct update_configs_request update_configs;
	};
};
/* Deep free; the struct itself stays. */
void control_request_fini(struct control_request *r);
void control_response_fini(struct control_response *r);

#endif
