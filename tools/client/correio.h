/* libcorreio: the client library of the Correio message broker. Producer, consumer and administration over the native
 * protocol.
 *
 * Conventions. Types are opaque; `_new` makes, `_free` releases. A function that can fail returns a code: CORREIO_OK (0),
 * a code of the broker (Kafka's numbers, > 0 or -1) or one of the library's own (<= -1000); it fills `err` when that is
 * not NULL: what happened, to which entity, what to do. Nothing calls exit or prints.
 * Threads. A producer may be used from any number of threads; it runs one thread of its own. Consumers and admin handles
 * run on the caller's thread alone: one thread at a time.
 * Stability. Fields are only added at the end of structs the library fills; options are named as Kafka names them. */
#ifndef CORREIO_H
#define CORREIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

enum correio_code {
	CORREIO_OK = 0,
	/* Of the broker: Kafka's numbers; these are the ones a program is likely to act on. */
	CORREIO_ERR_UNKNOWN_SERVER_ERROR = -1,
	CORREIO_ERR_OFFSET_OUT_OF_RANGE = 1,
	CORREIO_ERR_CORRUPT_MESSAGE = 2,
	CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION = 3,
	CORREIO_ERR_LEADER_NOT_AVAILABLE = 5,
	CORREIO_ERR_NOT_LEADER_OR_FOLLOWER = 6,
	CORREIO_ERR_REQUEST_TIMED_OUT = 7,
	CORREIO_ERR_MESSAGE_TOO_LARGE = 10,
	CORREIO_ERR_NETWORK_EXCEPTION = 13,
	CORREIO_ERR_COORDINATOR_LOAD_IN_PROGRESS = 14,
	CORREIO_ERR_COORDINATOR_NOT_AVAILABLE = 15,
	CORREIO_ERR_NOT_COORDINATOR = 16,
	CORREIO_ERR_INVALID_TOPIC = 17,
	CORREIO_ERR_NOT_ENOUGH_REPLICAS = 19,
	CORREIO_ERR_ILLEGAL_GENERATION = 22,
	CORREIO_ERR_INVALID_GROUP_ID = 24,
	CORREIO_ERR_UNKNOWN_MEMBER_ID = 25,
	CORREIO_ERR_REBALANCE_IN_PROGRESS = 27,
	CORREIO_ERR_TOPIC_ALREADY_EXISTS = 36,
	CORREIO_ERR_INVALID_PARTITIONS = 37,
	CORREIO_ERR_INVALID_REPLICATION_FACTOR = 38,
	CORREIO_ERR_INVALID_CONFIG = 40,
	CORREIO_ERR_STORAGE = 56,
	CORREIO_ERR_NON_EMPTY_GROUP = 68,
	CORREIO_ERR_GROUP_ID_NOT_FOUND = 69,
	CORREIO_ERR_FENCED_INSTANCE_ID = 82,
	/* The library's own. */
	CORREIO_ERR_BUFFER_FULL = -1001,      /* buffer.memory stayed full for max.block.ms; try again later */
	CORREIO_ERR_INVALID_ARGUMENT = -1002, /* a bug in the caller, or an option out of range */
	CORREIO_ERR_CLOSED = -1003,           /* the handle is being closed */
	CORREIO_ERR_DELIVERY_TIMEOUT = -1004, /* not acknowledged within delivery.timeout.ms; may or may not be stored */
	CORREIO_ERR_NO_BROKER = -1005,        /* none of bootstrap.servers could be reached */
	CORREIO_ERR_TIMED_OUT = -1006,        /* the call's own deadline passed */
	CORREIO_ERR_PROTOCOL = -1007,         /* the peer does not speak the native protocol as we know it */
};

struct correio_error {
	int code;          /* enum correio_code or any other number of Kafka's error table */
	bool retriable;    /* may the same call succeed later without a change by the caller? */
	char message[512]; /* for a person: entity, cause, what to do; never empty on failure */
};
/* "UNKNOWN_TOPIC_OR_PARTITION", "BUFFER_FULL"; "UNKNOWN" for numbers nobody knows. Static. */
const char *correio_error_name(int code);
/* "0.1.0" */
const char *correio_version(void);

/* ---- options ---- */

struct correio_config;
struct correio_config *correio_config_new(void);
void correio_config_free(struct correio_config *config);
/* Sets an option by Kafka's name ("bootstrap.servers", "linger.ms"). INVALID_CONFIG names key, value, what is allowed, and
 * for an unknown key the nearest known one. */
int correio_config_set(struct correio_config *config, const char *key, const char *value, struct correio_error *err);
/* The value in force, or NULL for an unknown key. Lives until the next set or free. */
const char *correio_config_get(const struct correio_config *config, const char *key);
/* Reads "key=value" lines (# comments, blank lines) as Kafka's command-config files. Unknown keys are skipped. */
int correio_config_load(struct correio_config *config, const char *path, struct correio_error *err);
struct correio_option {
	const char *key, *default_value, *unit, *text;
};
/* Every option there is, NULL after the last. For help texts. */
const struct correio_option *correio_option_at(size_t index);

/* ---- producer ---- */

struct correio_producer;

struct correio_bytes {
	const void *data; /* NULL: null, which differs from empty */
	size_t size;
};
struct correio_header {
	struct correio_bytes key; /* UTF-8, not null */
	struct correio_bytes value;
};
enum { CORREIO_PARTITION_ANY = -1, CORREIO_TIMESTAMP_NOW = -1 };

struct correio_message {
	const char *topic;
	int32_t partition; /* CORREIO_PARTITION_ANY: by key (Kafka's murmur2), without a key sticky: one partition per batch */
	int64_t timestamp_ms; /* CORREIO_TIMESTAMP_NOW */
	struct correio_bytes key, value;
	const struct correio_header *headers;
	int header_count;
	void *opaque; /* comes back in the delivery report */
};

/* One report per batch, not per record: records [0, record_count) of one partition, in the order of send. */
struct correio_delivery {
	const char *topic;
	int32_t partition;
	int32_t record_count;
	int64_t base_offset;        /* of the first record; -1 on failure and with acks=0 */
	int64_t log_append_time_ms; /* -1 unless the topic stamps append time */
	const struct correio_error *error; /* NULL: stored as acks promised */
	void *const *opaques;       /* record_count of them, or NULL when no record of the batch had one */
};
/* Runs on the producer's thread: be quick, do not call flush or free from it (send is allowed, but may then fail with
 * BUFFER_FULL at once instead of blocking). */
typedef void (*correio_delivery_fn)(void *arg, const struct correio_delivery *delivery);

/* Connects in the background. Copies config. delivered may be NULL. */
int correio_producer_new(const struct correio_config *config, correio_delivery_fn delivered, void *arg,
	struct correio_producer **ret_producer, struct correio_error *err);
/* Encodes the record into its partition's open batch; copies everything. Blocks up to max.block.ms for the topic's metadata
 * and for room in buffer.memory, then BUFFER_FULL (or why there is no metadata).
 * Order: records sent by one thread to one partition are stored in that order, retries included. Without idempotence a
 * record can be stored twice when an answer was lost; never with retries=0. */
int correio_producer_send(struct correio_producer *p, const struct correio_message *message, struct correio_error *err);
/* Partitions of a topic, waiting for metadata up to max.block.ms. */
int correio_producer_partitions(struct correio_producer *p, const char *topic, int32_t *ret_count,
	struct correio_error *err);
/* Waits until everything sent before has been reported. TIMED_OUT. timeout_ms -1: as long as delivery takes. */
int correio_producer_flush(struct correio_producer *p, int64_t timeout_ms, struct correio_error *err);
/* Flushes for at most timeout_ms; what is then left fails with CLOSED. Frees. Returns TIMED_OUT if something was left. */
int correio_producer_close(struct correio_producer *p, int64_t timeout_ms, struct correio_error *err);

struct correio_producer_stats {
	uint64_t records_sent, records_acknowledged, records_failed;
	uint64_t batches_acknowledged, bytes_acknowledged; /* as stored: compressed, with batch headers */
	uint64_t retries;
	uint64_t buffered_bytes;
	uint64_t blocked_us; /* time send() spent waiting for room */
};
void correio_producer_stats(struct correio_producer *p, struct correio_producer_stats *ret_stats);

/* Partition Kafka's default partitioner gives this key. */
int32_t correio_partition_of_key(const void *key, size_t size, int32_t partition_count);

/* ---- consumer ---- */

struct correio_consumer;
enum { CORREIO_OFFSET_BEGINNING = -2, CORREIO_OFFSET_END = -1 };

int correio_consumer_new(const struct correio_config *config, struct correio_consumer **ret_consumer,
	struct correio_error *err);
void correio_consumer_free(struct correio_consumer *c);
/* Adds a partition, to be read from offset (or CORREIO_OFFSET_*). Assigning one twice seeks. */
int correio_consumer_assign(struct correio_consumer *c, const char *topic, int32_t partition, int64_t offset,
	struct correio_error *err);
int correio_consumer_unassign(struct correio_consumer *c, const char *topic, int32_t partition, struct correio_error *err);
/* Drops what was prefetched and goes on at offset. */
int correio_consumer_seek(struct correio_consumer *c, const char *topic, int32_t partition, int64_t offset,
	struct correio_error *err);
/* Goes on at the first record with a timestamp at or after timestamp_ms; at the end when there is none. */
int correio_consumer_seek_time(struct correio_consumer *c, const char *topic, int32_t partition, int64_t timestamp_ms,
	struct correio_error *err);
/* Offset of the next record poll will hand out; negative while it is still being looked up. */
int correio_consumer_position(struct correio_consumer *c, const char *topic, int32_t partition, int64_t *ret_offset,
	struct correio_error *err);

/* Records of one stored batch, valid until the next call that takes the consumer. */
struct correio_records;
/* Waits up to timeout_ms for records. OK with *ret_records NULL: nothing came. Errors name the partition: CORRUPT_MESSAGE
 * (it does not move past; seek decides), OFFSET_OUT_OF_RANGE (with auto.offset.reset=none), UNKNOWN_TOPIC_OR_PARTITION.
 * Leader changes and lost connections are handled inside. */
int correio_consumer_poll(struct correio_consumer *c, int64_t timeout_ms, struct correio_records **ret_records,
	struct correio_error *err);

struct correio_record {
	int64_t offset;
	int64_t timestamp_ms;
	struct correio_bytes key, value; /* borrowed from the batch */
	int32_t header_count;
	const void *headers; /* for correio_record_header */
	size_t headers_size;
};
const char *correio_records_topic(const struct correio_records *r);
int32_t correio_records_partition(const struct correio_records *r);
/* End of the partition as of the answer that brought the batch: lag = high watermark - position. */
int64_t correio_records_high_watermark(const struct correio_records *r);
/* Bytes of the batch as stored. */
size_t correio_records_size(const struct correio_records *r);
/* The next record; past the last *ret_more is false. Allocates nothing. CORRUPT_MESSAGE. */
int correio_records_next(struct correio_records *r, bool *ret_more, struct correio_record *ret_record,
	struct correio_error *err);
/* Walks headers: start with *cursor = 0; false after the last or when they are damaged. */
bool correio_record_header(const struct correio_record *record, size_t *cursor, struct correio_header *ret_header);

/* ---- consumer groups ----
 *
 * With group.id set, subscribe() makes the consumer a member of that group; its partitions come and go within poll(). Members may be
 * clients of Kafka as well: assignors and what members tell each other are Kafka's. Heartbeats are sent within poll(), so call it at
 * least every session.timeout.ms; a member that was silent for longer loses its partitions, and joins again at its next poll(). */

struct correio_topic_partition {
	const char *topic;
	int32_t partition;
	int64_t offset; /* -1: none */
};
enum correio_rebalance_kind {
	CORREIO_ASSIGNED, /* these are read from now on, besides those kept; perhaps none. The rebalance is over */
	CORREIO_REVOKED,  /* these go to other members: commit now what you want committed */
	CORREIO_LOST,     /* these may be read by others already: a commit would be refused */
};
/* Runs within poll(). It may commit; it must not poll, subscribe, close or free. */
typedef void (*correio_rebalance_fn)(void *arg, enum correio_rebalance_kind kind, const struct correio_topic_partition *partitions,
	size_t count);
void correio_consumer_on_rebalance(struct correio_consumer *c, correio_rebalance_fn rebalanced, void *arg);
/* Joins the group at the next poll(); a second call replaces the topics. Topics that do not exist yet are read once they do.
 * Partitions begin at the group's committed offset, else where auto.offset.reset says. */
int correio_consumer_subscribe(struct correio_consumer *c, const char *const *topics, size_t count, struct correio_error *err);
/* Commits everything handed out so far: whole batches of which records_next() has told the end, of the present one the records it has
 * given. Waits up to request.timeout.ms. REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID: the group has moved on; what was
 * read since the last commit may be read by others again. Also for partitions assigned by hand, when the group has no members. */
int correio_consumer_commit(struct correio_consumer *c, struct correio_error *err);
/* The same for these offsets: of the next record to read, each. */
int correio_consumer_commit_offsets(struct correio_consumer *c, const struct correio_topic_partition *offsets, size_t count,
	struct correio_error *err);
/* Commits (with enable.auto.commit), leaves the group unless group.instance.id is set, and frees, all within timeout_ms. The result is the
 * commit's. correio_consumer_free() alone is what a crash would be. */
int correio_consumer_close(struct correio_consumer *c, int64_t timeout_ms, struct correio_error *err);

/* ---- administration ---- */

struct correio_admin;
/* No connection is made before the first request. Each call waits at most request.timeout.ms. */
int correio_admin_new(const struct correio_config *config, struct correio_admin **ret_admin, struct correio_error *err);
void correio_admin_free(struct correio_admin *a);

struct correio_entry {
	const char *key;
	const char *value; /* NULL in an alteration: back to the default */
};
struct correio_replicas {
	const int32_t *ids; /* first: the preferred leader */
	int32_t count;
};
struct correio_new_topic {
	const char *name;
	int32_t partitions;         /* -1: the broker's num.partitions */
	int32_t replication_factor; /* -1: default.replication.factor */
	const struct correio_replicas *assignment; /* assignment_count partitions, instead of the two above; or NULL */
	int32_t assignment_count;
	const struct correio_entry *configs;
	size_t config_count;
	bool validate_only;
	bool pend_if_short; /* too few live brokers: leave the request waiting for more instead of failing */
};
struct correio_topic_created {
	uint8_t topic_id[16];
	int32_t partitions, replication_factor;
	bool pending; /* it waits for brokers */
};
int correio_admin_create_topic(struct correio_admin *a, const struct correio_new_topic *topic,
	struct correio_topic_created *ret_created, struct correio_error *err);
int correio_admin_delete_topic(struct correio_admin *a, const char *topic, struct correio_error *err);
/* Raises the partition count. assignment: one entry per new partition, or NULL. */
int correio_admin_create_partitions(struct correio_admin *a, const char *topic, int32_t total,
	const struct correio_replicas *assignment, int32_t assignment_count, struct correio_error *err);

struct correio_partition {
	int32_t partition;
	int32_t leader; /* -1 none */
	int32_t leader_epoch;
	struct correio_replicas replicas, isr;
};
struct correio_topic {
	const char *name;
	int code; /* why this topic could not be described; 0 */
	const char *message;
	uint8_t topic_id[16];
	bool internal;
	bool pending; /* waits for brokers; then partition_count is 0 and the wanted numbers count */
	bool marked_for_deletion;
	int32_t wanted_partitions, wanted_replication_factor;
	const struct correio_partition *partitions; /* by number */
	int32_t partition_count;
	const struct correio_entry *overrides;
	size_t override_count;
};
/* Results of one call, freed whole. */
struct correio_topics;
/* count 0: all topics, by name. */
int correio_admin_describe_topics(struct correio_admin *a, const char *const *names, size_t count,
	struct correio_topics **ret_topics, struct correio_error *err);
size_t correio_topics_count(const struct correio_topics *t);
const struct correio_topic *correio_topics_at(const struct correio_topics *t, size_t index);
void correio_topics_free(struct correio_topics *t);

enum correio_resource { CORREIO_RESOURCE_TOPIC = 2, CORREIO_RESOURCE_BROKER = 4 };
struct correio_config_row {
	const char *key, *value, *source, *documentation;
	bool is_default, read_only;
};
struct correio_configs;
int correio_admin_describe_configs(struct correio_admin *a, enum correio_resource type, const char *name,
	struct correio_configs **ret_configs, struct correio_error *err);
size_t correio_configs_count(const struct correio_configs *c);
const struct correio_config_row *correio_configs_at(const struct correio_configs *c, size_t index);
void correio_configs_free(struct correio_configs *c);
/* Sets (value) and removes (value NULL) overrides; the others stay. */
int correio_admin_alter_configs(struct correio_admin *a, enum correio_resource type, const char *name,
	const struct correio_entry *entries, size_t count, struct correio_error *err);

/* Consumer groups. Each call finds the group's coordinator first. */
struct correio_listed_group {
	const char *group, *protocol_type, *state, *type; /* type: "classic", "consumer" */
	int32_t coordinator;                              /* broker id */
};
struct correio_groups;
/* Of all brokers, by name. */
int correio_admin_list_groups(struct correio_admin *a, struct correio_groups **ret_groups, struct correio_error *err);
size_t correio_groups_count(const struct correio_groups *g);
const struct correio_listed_group *correio_groups_at(const struct correio_groups *g, size_t index);
void correio_groups_free(struct correio_groups *g);

struct correio_group_member {
	const char *member_id, *instance_id; /* instance_id NULL: a dynamic member */
	const char *client_id, *host;
	const struct correio_topic_partition *assignment; /* offsets -1 */
	size_t assignment_count;
};
struct correio_group {
	const char *group, *state, *protocol_type, *protocol; /* state "Dead": there is no such group */
	int32_t coordinator, coordinator_port;
	const char *coordinator_host;
	const struct correio_group_member *members;
	size_t member_count;
};
int correio_admin_describe_group(struct correio_admin *a, const char *group, struct correio_group **ret_group,
	struct correio_error *err);
void correio_group_free(struct correio_group *g);

/* Every offset the group has committed, by topic and partition; freed with correio_group_offsets_free. */
struct correio_group_offsets;
int correio_admin_group_offsets(struct correio_admin *a, const char *group, struct correio_group_offsets **ret_offsets,
	struct correio_error *err);
size_t correio_group_offsets_count(const struct correio_group_offsets *o);
const struct correio_topic_partition *correio_group_offsets_at(const struct correio_group_offsets *o, size_t index);
void correio_group_offsets_free(struct correio_group_offsets *o);
/* Sets offsets of a group that has no members (else UNKNOWN_MEMBER_ID). The first partition refused is the error; others may be set. */
int correio_admin_set_group_offsets(struct correio_admin *a, const char *group, const struct correio_topic_partition *offsets,
	size_t count, struct correio_error *err);
/* Forgets offsets of topics that no member subscribes to. */
int correio_admin_delete_group_offsets(struct correio_admin *a, const char *group, const struct correio_topic_partition *offsets,
	size_t count, struct correio_error *err);
/* NON_EMPTY_GROUP: it has members. GROUP_ID_NOT_FOUND. */
int correio_admin_delete_group(struct correio_admin *a, const char *group, struct correio_error *err);

struct correio_broker {
	int32_t id, port;
	const char *host, *rack;
};
struct correio_cluster {
	const char *cluster_id;
	int32_t controller_id, controller_epoch;
	uint32_t topic_count, partition_count, offline_partition_count, under_replicated_count;
	const struct correio_broker *brokers;
	size_t broker_count;
};
int correio_admin_describe_cluster(struct correio_admin *a, struct correio_cluster **ret_cluster,
	struct correio_error *err);
void correio_cluster_free(struct correio_cluster *c);

struct correio_offset {
	int64_t offset; /* -1: no such record */
	int64_t timestamp_ms;
	int32_t leader_epoch;
};
enum { CORREIO_TIME_LATEST = -1, CORREIO_TIME_EARLIEST = -2, CORREIO_TIME_MAX_TIMESTAMP = -3 };
/* First offset with a timestamp at or after timestamp_ms, or CORREIO_TIME_*. */
int correio_admin_list_offset(struct correio_admin *a, const char *topic, int32_t partition, int64_t timestamp_ms,
	struct correio_offset *ret_offset, struct correio_error *err);

#ifdef __cplusplus
}
#endif
#endif
