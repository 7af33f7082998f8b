/* Settings of brokers changed while they run: /config/brokers/<default> for all, /config/brokers/<id> for this one, kept current by
 * watches. They lie over the settings file. On the cluster loop. Kafka: DynamicBrokerConfig (KIP-226). */
#ifndef CLUSTER_BROKER_OVERRIDES_H
#define CLUSTER_BROKER_OVERRIDES_H

#include "cluster/cluster_image.h"
#include "coordinator-client/zk_client.h"

struct broker_overrides;
struct broker_overrides *broker_overrides_new(const struct settings *settings);
/* Before the client is freed. */
void broker_overrides_free(struct broker_overrides *o);
/* Reads both nodes and watches them. changed: whenever one differs from what was known, the first time in any case. While the
 * ensemble is away: later. */
void broker_overrides_watch(struct broker_overrides *o, struct zk_client *zk, int32_t broker_id, void (*changed)(void *arg), void *arg);
/* Both nodes have been read. */
bool broker_overrides_known(const struct broker_overrides *o);
/* The watches end: the client is about to go. */
void broker_overrides_unwatch(struct broker_overrides *o);
/* What topics that override nothing have: the settings file under both nodes. Borrowed. */
const struct topic_settings *broker_overrides_topic_defaults(const struct broker_overrides *o);
/* For an image; the entries are borrowed until the next change. */
void broker_overrides_describe(const struct broker_overrides *o, struct image_broker_configs *ret_configs);

#endif
