/* Topic configuration overrides by name: read from /config/topics at start, then told by the controller. On the cluster loop. */
#ifndef CLUSTER_TOPIC_OVERRIDES_H
#define CLUSTER_TOPIC_OVERRIDES_H

#include "cluster/cluster_image.h"
#include "config/settings.h"
#include "coordinator-client/zk_client.h"

struct topic_overrides;
struct topic_overrides *topic_overrides_new(const struct settings *settings, struct scheduler *scheduler);
/* A load under way is given up; its done is not called. */
void topic_overrides_free(struct topic_overrides *o);
/* Replaces all overrides of the topic. Copied. */
void topic_overrides_set(struct topic_overrides *o, const char *topic, const struct image_config *entries, size_t count);
void topic_overrides_remove(struct topic_overrides *o, const char *topic);
/* Borrowed until the next set or remove; count 0 when there are none. */
const struct image_config *topic_overrides_get(const struct topic_overrides *o, const char *topic, size_t *ret_count);
/* What topics have that override nothing; the settings' until then. Copied. */
void topic_overrides_set_defaults(struct topic_overrides *o, const struct topic_settings *defaults);
/* The broker's defaults under the topic's overrides. A key or value the table does not accept is left out, with a warning. */
void topic_overrides_effective(const struct topic_overrides *o, const char *topic, struct topic_settings *ret_settings);
/* Reads all of /config/topics, pipelined. One at a time. While the ensemble is away: tried again, for ever. Otherwise OK (a node
 * that cannot be understood is left out, with a warning), NO_AUTH, CANCELLED. */
void topic_overrides_load(struct topic_overrides *o, struct zk_client *zk, void (*done)(void *arg, enum status s), void *arg);

#endif
