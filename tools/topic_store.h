/* Topics and their configuration, by either way: a broker (libcorreio) or ZooKeeper itself (coordinator-client). */
#ifndef TOOLS_TOPIC_STORE_H
#define TOOLS_TOPIC_STORE_H
#include "tools/cli.h"

struct topic_store;
/* Topics as described; what they point to lives until topic_set_free. */
struct topic_set {
	const struct correio_topic *topics;
	size_t count;
	void (*release)(struct topic_set *set);
	void *owner;
};

struct topic_store_ops {
	int (*create)(struct topic_store *s, const struct correio_new_topic *topic, struct correio_topic_created *ret_created,
		struct correio_error *err);
	int (*delete)(struct topic_store *s, const char *topic, struct correio_error *err);
	int (*add_partitions)(struct topic_store *s, const char *topic, int32_t total, const struct correio_replicas *assignment,
		int32_t assignment_count, struct correio_error *err);
	/* topic NULL: all, by name. An unknown topic is the call's error. */
	int (*describe)(struct topic_store *s, const char *topic, struct topic_set *ret_set, struct correio_error *err);
	int (*alter_configs)(struct topic_store *s, const char *topic, const struct correio_entry *entries, size_t count,
		struct correio_error *err);
	void (*close)(struct topic_store *s);
};
struct topic_store {
	const struct topic_store_ops *ops;
};

/* By --zookeeper if given, else by the broker. NULL: the error was told, *ret_status is the exit status. */
struct topic_store *topic_store_open(const struct cli_common *common, int *ret_status);
struct topic_store *topic_store_broker_open(const struct cli_common *common, int *ret_status);
struct topic_store *topic_store_zk_open(const struct cli_common *common, int *ret_status);
void topic_store_close(struct topic_store *s);
void topic_set_free(struct topic_set *set);
/* Adds "did you mean" to an UNKNOWN_TOPIC error that lacks it. */
void topic_store_suggest(struct topic_store *s, const char *topic, struct correio_error *err);
/* Adds the nearest known setting to an INVALID_CONFIG error about a key that is none. */
void topic_store_suggest_config(const struct correio_entry *entries, size_t count, struct correio_error *err);
/* Largest number of replicas of its partitions (what Kafka calls the replication factor), or the wanted one. */
int32_t topic_replication_factor(const struct correio_topic *t);
#endif
