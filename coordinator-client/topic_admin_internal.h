/* Shared by the topic_admin_*.c files. */
#ifndef COORDINATOR_CLIENT_TOPIC_ADMIN_INTERNAL_H
#define COORDINATOR_CLIENT_TOPIC_ADMIN_INTERNAL_H

#include "coordinator-client/topic_admin.h"
#include "coordinator-client/zk_schema.h"

enum { TOPIC_ADMIN_TRIES_MAX = 5 };

/* Creates every persistent path of the layout that is missing, then done: an ensemble that no broker ever joined. */
void topic_admin_make_parents(struct zk_client *zk, void (*done)(void *arg, enum status s), void *arg);
/* Keys and values against the topic table. */
MUST_CHECK enum status topic_admin_check_configs(const char *topic, const struct zk_schema_config *config,
	struct failure *f);
/* The ids among the children of /brokers/ids, ascending; owned by the caller. */
int32_t *topic_admin_broker_ids(const char *const *names, size_t count, size_t *ret_count);
/* The same sentence for every failure of ZooKeeper itself. */
void topic_admin_zk_failure(struct failure *f, enum status s, const char *doing, const char *topic);
/* Is the operation worth another try? (the connection was lost, or another writer came first) */
bool topic_admin_retriable(enum status s);

#endif
