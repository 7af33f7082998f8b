/* Who is there and who leads what, answered from this loop's image; with auto.create.topics.enable an unknown topic is made
 * first. A broker that has just started waits for its first image: to clients a topic would seem to be gone. Kafka: KafkaApis.handleTopicMetadataRequest. */
#ifndef SERVICE_METADATA_SERVICE_H
#define SERVICE_METADATA_SERVICE_H

#include "service/service_loop.h"

struct admin_request;

struct metadata_topic {
	const char *name;
	enum status status;
	char *message;                   /* in the arena; NULL: status_text() */
	const struct image_topic *topic; /* NULL on errors; valid in done */
};
struct metadata_request {
	struct service_loop *service;
	struct arena *arena;
	const char *const *names; /* ignored with all */
	size_t name_count;
	bool all;
	bool never_create; /* whatever auto.create.topics.enable says */
	/* The answer. image: borrowed in done. */
	struct metadata_topic *topics;
	size_t topic_count;
	const struct cluster_image *image;
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct metadata_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct admin_request *creation;
	struct service_waiting waiting;
	struct cluster_image_watcher watcher;
	struct loop_timer timer;
};
/* STATUS_TOO_LARGE: the arena cannot hold the answer; done is not called. */
MUST_CHECK enum status metadata_service_start(struct metadata_request *r);

/* Totals over an image, for cluster descriptions and status pages. */
struct metadata_totals {
	uint32_t topics, partitions, offline, under_replicated, led_by, hosted_by;
};
/* broker_id: for led_by and hosted_by. */
struct metadata_totals metadata_service_totals(const struct cluster_image *image, int32_t broker_id);

#endif
