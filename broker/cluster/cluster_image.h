/* The broker's picture of the cluster: immutable, shared by reference, never edited. cluster_state builds the next one and
 * posts it to every loop; a request uses one image from start to end. */
#ifndef CLUSTER_CLUSTER_IMAGE_H
#define CLUSTER_CLUSTER_IMAGE_H

#include "base/topic_partition.h"
#include "config/settings.h"

struct image_endpoint {
	const char *listener, *host;
	int32_t port;
};
struct image_broker {
	int32_t id;
	int64_t epoch;
	const char *rack; /* NULL none */
	const struct image_endpoint *endpoints;
	size_t endpoint_count;
};
struct image_partition {
	int32_t partition, leader, leader_epoch, partition_epoch;
	const int32_t *replicas, *isr;
	size_t replica_count, isr_count;
};
struct image_config {
	const char *key, *value;
};
struct image_topic {
	const char *name;
	struct uuid id;
	const struct image_partition *partitions; /* sorted by number */
	size_t partition_count;
	const struct image_config *configs; /* overrides */
	size_t config_count;
};
/* What was changed at run time of this broker's settings (ours) and of all brokers' (all), and what topics that override nothing
 * have in consequence. */
struct image_broker_configs {
	const struct image_config *ours, *all;
	size_t our_count, all_count;
	struct topic_settings topic_defaults;
};
struct cluster_image {
	_Atomic int refs;
	int64_t version; /* grows by one per image */
	const char *cluster_id;
	int32_t controller_id; /* -1 unknown */
	int32_t controller_epoch;
	const struct image_broker *brokers; /* sorted by id */
	size_t broker_count;
	const struct image_topic *const *topics; /* sorted by name */
	size_t topic_count;
	const struct image_broker_configs *broker_configs; /* NULL: nothing is known of changes */
};

/* Building. A topic is made once and shared by every image that contains it: the next image copies only what changed. */
/* Deep copy of *from (partitions are sorted here); one reference for the caller. Any thread may drop the last one. */
struct image_topic *image_topic_new(const struct image_topic *from);
void image_topic_shared_unref(struct image_topic *t);
struct cluster_image_draft {
	int64_t version;
	const char *cluster_id; /* NULL: "" */
	int32_t controller_id, controller_epoch;
	const struct image_broker *brokers; /* any order; deep-copied */
	size_t broker_count;
	struct image_topic *const *topics; /* any order, no name twice; the caller's references move into the image */
	size_t topic_count;
	const struct image_broker_configs *broker_configs; /* NULL: none; deep-copied */
};
struct cluster_image *cluster_image_new(const struct cluster_image_draft *d);
/* Fills ret_topics (room for topic_count) with the image's topics, one new reference each, sorted by name. */
void cluster_image_share_topics(const struct cluster_image *i, struct image_topic **ret_topics);

struct cluster_image *cluster_image_shared_ref(struct cluster_image *i);
void cluster_image_shared_unref(struct cluster_image *i);
/* Binary searches; NULL when absent. */
const struct image_topic *cluster_image_topic(const struct cluster_image *i, struct slice name);
const struct image_topic *cluster_image_topic_by_id(const struct cluster_image *i, const struct uuid *id);
const struct image_partition *image_topic_partition(const struct image_topic *t, int32_t partition);
const struct image_broker *cluster_image_broker(const struct cluster_image *i, int32_t id);
const struct image_endpoint *image_broker_endpoint(const struct image_broker *b, const char *listener);
#endif
