/* Znode paths and payloads of Kafka's ZooKeeper layout (3.9): JSON in, structs out, and back. Members come in the order
 * Kafka writes them; members we do not know are kept and written again. Everything read is bounded and checked: a payload
 * that is not what it should be gives STATUS_CORRUPT and a sentence that names the znode. Pure: no I/O.
 * Texts returned by the encoders are malloc'ed and owned by the caller. Kafka: ZkData.scala. */
#ifndef COORDINATOR_CLIENT_ZK_SCHEMA_H
#define COORDINATOR_CLIENT_ZK_SCHEMA_H

#include "base/topic_partition.h"
#include "coordinator-client/zk_client.h"

enum {
	ZK_SCHEMA_PAYLOAD_MAX = 4 << 20, /* larger nodes are refused unread; ZooKeeper's own default limit is 1 MiB */
	ZK_SCHEMA_NODE_MAX = 1000 * 1000, /* what we write at most, so that it passes jute.maxbuffer's default */
	ZK_SCHEMA_PARTITIONS_MAX = 200000, /* of one topic, read or written */
	ZK_SCHEMA_REPLICAS_MAX = 64,       /* of one partition */
	ZK_SCHEMA_ENDPOINTS_MAX = 64,
	ZK_SCHEMA_BATCH_ENTRIES_MAX = 200000, /* of the legacy election and reassignment nodes */
};

#define ZK_SCHEMA_CONTROLLER "/controller"
#define ZK_SCHEMA_CONTROLLER_EPOCH "/controller_epoch"
#define ZK_SCHEMA_CLUSTER_ID "/cluster/id"
#define ZK_SCHEMA_BROKER_IDS "/brokers/ids"
#define ZK_SCHEMA_BROKER_SEQID "/brokers/seqid"
#define ZK_SCHEMA_TOPICS "/brokers/topics"
#define ZK_SCHEMA_DELETE_TOPICS "/admin/delete_topics"
#define ZK_SCHEMA_PREFERRED_ELECTION "/admin/preferred_replica_election"
#define ZK_SCHEMA_REASSIGN_PARTITIONS "/admin/reassign_partitions"
#define ZK_SCHEMA_CONFIG_TOPICS "/config/topics"
#define ZK_SCHEMA_CONFIG_BROKERS "/config/brokers"
#define ZK_SCHEMA_CONFIG_DEFAULT "<default>"
#define ZK_SCHEMA_CONFIG_CHANGES "/config/changes"
#define ZK_SCHEMA_CONFIG_CHANGE_PREFIX "/config/changes/config_change_"
#define ZK_SCHEMA_FEATURE "/feature"
#define ZK_SCHEMA_PRODUCER_ID_BLOCK "/latest_producer_id_block"
#define ZK_SCHEMA_ISR_CHANGES "/isr_change_notification"
#define ZK_SCHEMA_LOG_DIR_EVENTS "/log_dir_event_notification"
/* Ours: topics that wait until enough brokers have joined to place them. */
#define ZK_SCHEMA_PENDING_TOPICS "/correio/pending_topics"

/* Paths that exist, empty (null), before the first broker registers; parents before children. Ends with NULL. */
extern const char *const zk_schema_persistent_paths[];

void zk_schema_path_broker(int32_t broker_id, char out[ZK_PATH_MAX]);
void zk_schema_path_topic(const char *topic, char out[ZK_PATH_MAX]);
void zk_schema_path_topic_partitions(const char *topic, char out[ZK_PATH_MAX]);
void zk_schema_path_partition(const char *topic, int32_t partition, char out[ZK_PATH_MAX]);
void zk_schema_path_state(const char *topic, int32_t partition, char out[ZK_PATH_MAX]);
void zk_schema_path_topic_config(const char *topic, char out[ZK_PATH_MAX]);
/* entity: an id, or ZK_SCHEMA_CONFIG_DEFAULT. */
void zk_schema_path_broker_config(const char *entity, char out[ZK_PATH_MAX]);
void zk_schema_path_delete_topic(const char *topic, char out[ZK_PATH_MAX]);
void zk_schema_path_pending_topic(const char *topic, char out[ZK_PATH_MAX]);
/* <folder>/<name>; INVALID_ARGUMENT when it does not fit or name holds a '/'. */
MUST_CHECK enum status zk_schema_path_child(const char *folder, const char *name, char out[ZK_PATH_MAX]);

/* Folders hold null data, sometimes zero bytes: both mean nothing. */
static inline bool zk_schema_is_null(struct slice data)
{
	return data.p == NULL || data.n == 0;
}

/* /brokers/ids/<id>: versions 1 to 5 are read, 5 is written. */
struct zk_schema_endpoint {
	char *listener, *security_protocol, *host; /* host without brackets */
	int32_t port;
};
struct zk_schema_broker {
	int32_t version;
	struct zk_schema_endpoint *endpoints;
	size_t endpoint_count;
	char *rack; /* NULL none */
	int32_t jmx_port;
	int64_t timestamp_ms;
	char *features; /* the member's JSON object as text; NULL: {} */
	char *unknown;  /* other members, as JSON text without braces; NULL none */
};
void zk_schema_broker_fini(struct zk_schema_broker *b);
/* Top-level host and port are those of the first PLAINTEXT endpoint, else null and -1. */
char *zk_schema_broker_encode(const struct zk_schema_broker *b);
MUST_CHECK enum status zk_schema_broker_decode(const char *path, struct slice data, struct zk_schema_broker *ret_broker,
	struct failure *ret_failure);

/* /controller: version 2 is written. */
struct zk_schema_controller {
	int32_t broker_id;
	int64_t timestamp_ms;
	int32_t kraft_controller_epoch; /* -1 none; > 0: a KRaft controller has taken over, do not contend */
};
char *zk_schema_controller_encode(const struct zk_schema_controller *c);
MUST_CHECK enum status zk_schema_controller_decode(struct slice data, struct zk_schema_controller *ret_controller,
	struct failure *ret_failure);
/* /controller_epoch: decimal text. */
char *zk_schema_controller_epoch_encode(int32_t controller_epoch);
MUST_CHECK enum status zk_schema_controller_epoch_decode(struct slice data, int32_t *ret_controller_epoch,
	struct failure *ret_failure);

/* /cluster/id {"version":"1","id":"<22 characters>"} */
char *zk_schema_cluster_id_encode(const char *cluster_id);
MUST_CHECK enum status zk_schema_cluster_id_decode(struct slice data, char **ret_cluster_id, struct failure *ret_failure);

/* /brokers/topics/<t>: versions 1 to 3 are read, 3 is written. */
struct zk_schema_partition {
	int32_t partition;
	int32_t *replicas, *adding, *removing; /* first replica: the preferred leader */
	size_t replica_count, adding_count, removing_count;
};
struct zk_schema_topic {
	int32_t version;
	struct uuid id; /* zero: none */
	struct zk_schema_partition *partitions; /* sorted by number */
	size_t partition_count;
	char *unknown;
};
void zk_schema_topic_fini(struct zk_schema_topic *t);
char *zk_schema_topic_encode(const struct zk_schema_topic *t);
MUST_CHECK enum status zk_schema_topic_decode(const char *path, struct slice data, struct zk_schema_topic *ret_topic,
	struct failure *ret_failure);

/* /brokers/topics/<t>/partitions/<p>/state */
struct zk_schema_state {
	int32_t leader; /* -1 none */
	int32_t leader_epoch, controller_epoch;
	int32_t leader_recovery_state; /* 0 recovered, 1 recovering: written only when not 0 */
	int32_t *isr;
	size_t isr_count;
	char *unknown;
};
void zk_schema_state_fini(struct zk_schema_state *s);
char *zk_schema_state_encode(const struct zk_schema_state *s);
MUST_CHECK enum status zk_schema_state_decode(const char *path, struct slice data, struct zk_schema_state *ret_state,
	struct failure *ret_failure);

/* Any node under /config: values are strings, also those of numbers. A null node has no entries. */
struct zk_schema_config_entry {
	char *key, *value;
};
struct zk_schema_config {
	struct zk_schema_config_entry *entries;
	size_t entry_count;
	char *unknown;
};
void zk_schema_config_fini(struct zk_schema_config *c);
char *zk_schema_config_encode(const struct zk_schema_config *c);
MUST_CHECK enum status zk_schema_config_decode(const char *path, struct slice data, struct zk_schema_config *ret_config,
	struct failure *ret_failure);
const char *zk_schema_config_get(const struct zk_schema_config *c, const char *key);
/* Adds or replaces; value NULL removes. */
void zk_schema_config_put(struct zk_schema_config *c, const char *key, const char *value);

/* /config/changes/config_change_<seq>: version 2 {"version":2,"entity_path":"topics/t"} is written, 1 also read. */
char *zk_schema_config_change_encode(const char *entity_path);
/* ret: "topics/t", owned by the caller. */
MUST_CHECK enum status zk_schema_config_change_decode(const char *path, struct slice data, char **ret_entity_path,
	struct failure *ret_failure);
/* The number of a sequential node's name ("config_change_0000000012" -> 12). */
MUST_CHECK enum status zk_schema_sequence_parse(const char *name, const char *prefix, int64_t *ret_sequence);

/* /latest_producer_id_block {"version":1,"broker":1,"block_start":"2000","block_end":"2999"}: the last one taken. */
enum { ZK_SCHEMA_PRODUCER_ID_BLOCK_SIZE = 1000 };
struct zk_schema_producer_id_block {
	int32_t broker_id;
	int64_t first, last;
};
char *zk_schema_producer_id_block_encode(const struct zk_schema_producer_id_block *b);
MUST_CHECK enum status zk_schema_producer_id_block_decode(struct slice data, struct zk_schema_producer_id_block *ret_block,
	struct failure *ret_failure);

/* /feature {"features":{},"version":2,"status":1} */
char *zk_schema_feature_encode(void);

/* /correio/pending_topics/<t> {"version":1,"partitions":3,"replication_factor":1,"config":{...}} */
struct zk_schema_pending_topic {
	int32_t partitions, replication_factor;
	struct zk_schema_config config;
	char *unknown;
};
void zk_schema_pending_topic_fini(struct zk_schema_pending_topic *t);
char *zk_schema_pending_topic_encode(const struct zk_schema_pending_topic *t);
MUST_CHECK enum status zk_schema_pending_topic_decode(const char *path, struct slice data,
	struct zk_schema_pending_topic *ret_topic, struct failure *ret_failure);

/* /admin/preferred_replica_election and the partitions of /isr_change_notification nodes:
 * {"version":1,"partitions":[{"topic":"t","partition":0},...]}. Entries with illegal names are left out. */
MUST_CHECK enum status zk_schema_partition_list_decode(const char *path, struct slice data,
	struct topic_partition **ret_partitions, size_t *ret_count, struct failure *ret_failure);
/* /log_dir_event_notification nodes: {"version":1,"broker":2,"event":1} */
char *zk_schema_log_dir_event_encode(int32_t broker_id);
MUST_CHECK enum status zk_schema_log_dir_event_decode(const char *path, struct slice data, int32_t *ret_broker_id,
	struct failure *ret_failure);

#endif
