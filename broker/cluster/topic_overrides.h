/* Topic configuration overrides by name, as they stand in /config/topics: all read at start, those of a new topic when it is first
 * heard of, any of them again when it changed. On the cluster loop. */
#ifndef CLUSTER_TOPIC_OVERRIDES_H
#define CLUSTER_TOPIC_OVERRIDES_H

#include "cluster/cluster_image.h"
#include "config/settings.h"
#include "coordinator-client/zk_client.h"

struct topic_overrides;
struct topic_overrides *topic_overrides_new(const struct settings *settings, struct scheduler *scheduler);
/* A load under way is given up; its done is not called. */
void topic_overrides_free(struct topic_overrides *o);
/* The topic is gone, or another of its name has come: nothing is known of it any more. */
void topic_overrides_remove(struct topic_overrides *o, const char *topic);
/* Borrowed until the next turn of the loop; count 0 when there are none. */
const struct image_config *topic_overrides_get(const struct topic_overrides *o, const char *topic, size_t *ret_count);
/* What topics have that override nothing; the settings' until then. Copied. */
void topic_overrides_set_defaults(struct topic_overrides *o, const struct topic_settings *defaults);
/* The broker's defaults under the topic's overrides. A key or value the table does not accept is left out, with a warning. */
void topic_overrides_effective(const struct topic_overrides *o, const char *topic, struct topic_settings *ret_settings);
/* Reads all of /config/topics, pipelined. Once. While the ensemble is away: tried again, for ever. Otherwise OK (a node
 * that cannot be understood is left out, with a warning), NO_AUTH, CANCELLED. */
void topic_overrides_load(struct topic_overrides *o, struct zk_client *zk, void (*done)(void *arg, enum status s), void *arg);
/* From now on (after load) changes are followed. changed: the overrides of a topic known before are others now. */
void topic_overrides_follow(struct topic_overrides *o, void (*changed)(void *arg, const char *topic), void *arg);
/* Done, perhaps within the call, when the overrides of every topic named are known. Without the ensemble: after 5 s, with the
 * defaults for those that are not; changed tells when they are. One at a time. */
void topic_overrides_learn(struct topic_overrides *o, const char *const *topics, size_t count, void (*done)(void *arg), void *arg);
/* A learning under way is done now. */
void topic_overrides_hurry(struct topic_overrides *o);
/* Nothing is read any more: the client is about to go. */
void topic_overrides_leave(struct topic_overrides *o);

#endif
