/* Topics administered straight on ZooKeeper, in Kafka's layout: what a broker does for an admin request and what the topic
 * tool does with --zookeeper. Protocol-free; each call is answered once, on the client's scheduler. Writes follow Kafka's
 * order (config node first, then the topic node). Kafka: AdminZkClient. */
#ifndef COORDINATOR_CLIENT_TOPIC_ADMIN_H
#define COORDINATOR_CLIENT_TOPIC_ADMIN_H

#include "base/random.h"
#include "base/topic_partition.h"
#include "coordinator-client/zk_client.h"

struct topic_config_entry {
	const char *key;
	const char *value; /* NULL in an alteration: remove the override */
};
struct partition_assignment {
	int32_t *replicas;
	int32_t count;
};
struct topic_create_request {
	const char *topic;
	int32_t partitions;                           /* -1 with assignment */
	int32_t replication_factor;                   /* -1 with assignment */
	const struct partition_assignment *assignment; /* per partition, NULL: place over live brokers */
	size_t assignment_count;                       /* 0: `partitions` of them */
	const struct topic_config_entry *configs;
	size_t config_count;
	bool validate_only;
	/* Too few live brokers: true leaves a request in /correio/pending_topics/<topic> that the controller places when
	 * enough have joined; false answers INVALID_REPLICATION_FACTOR. */
	bool pend_if_short;
};
/* pending: it waits. topic_id: of the new topic (zero when pending or validate_only). */
typedef void (*topic_create_done_fn)(void *arg, const struct failure *f, bool pending, const struct uuid *topic_id);
typedef void (*topic_done_fn)(void *arg, const struct failure *f);

void topic_admin_create(struct zk_client *zk, const struct topic_create_request *r, topic_create_done_fn done, void *arg);
/* Writes /admin/delete_topics/<t>; a pending topic is cancelled instead. UNKNOWN_TOPIC_OR_PARTITION. */
void topic_admin_delete(struct zk_client *zk, const char *topic, topic_done_fn done, void *arg);
/* Raises the partition count; assignment for the new ones or NULL. INVALID_PARTITIONS when not larger. */
void topic_admin_add_partitions(struct zk_client *zk, const char *topic, int32_t total,
	const struct partition_assignment *new_assignment, size_t new_count, bool validate_only, topic_done_fn done, void *arg);
/* Sets or removes overrides, leaving the others (replace=true: replaces all), then writes the change notification. Keys and
 * values are checked against the topic table (config/): INVALID_CONFIG names key, value, allowed. */
void topic_admin_alter_configs(struct zk_client *zk, const char *topic, const struct topic_config_entry *entries,
	size_t count, bool replace, topic_done_fn done, void *arg);

struct topic_description_partition {
	int32_t partition, leader, leader_epoch; /* leader -1 none; -2 no state node yet */
	struct partition_assignment replicas, isr;
};
struct topic_description {
	const char *topic;
	struct uuid topic_id;
	bool pending;           /* waits in /correio/pending_topics: wanted_* below, no partitions */
	bool marked_for_deletion;
	int32_t wanted_partitions, wanted_replication_factor;
	const struct topic_description_partition *partitions;
	size_t partition_count;
	const struct topic_config_entry *configs; /* overrides */
	size_t config_count;
};
/* topic NULL: all (pending ones too), sorted by name. Borrowed during the call. */
typedef void (*topic_describe_done_fn)(void *arg, const struct failure *f, const struct topic_description *topics,
	size_t count);
void topic_admin_describe(struct zk_client *zk, const char *topic, topic_describe_done_fn done, void *arg);

/* Pure: Kafka's rack-unaware placement (AdminUtils.assignReplicasToBrokers) for partitions [first, first+count).
 * brokers sorted ascending. ret: count entries, replicas to be freed by the caller with topic_assignment_free. */
MUST_CHECK enum status topic_assignment_place(const int32_t *brokers, size_t broker_count, int32_t first, int32_t count,
	int32_t replication_factor, int32_t start_index, int32_t start_shift, struct partition_assignment *ret_assignment);
void topic_assignment_free(struct partition_assignment *a, int32_t count);

#endif
