/* What services see of the event loop they run on: its picture of the cluster, the way to the replicas, effective settings of
 * topics. One per loop, made by the composition root; read only, except its cache. */
#ifndef SERVICE_SERVICE_LOOP_H
#define SERVICE_SERVICE_LOOP_H

#include "base/arena.h"
#include "cluster/cluster_image_holder.h"
#include "config/settings.h"
#include "replica/replica_manager.h"

struct admin_service;
struct group_coordinator;
struct group_topic_creation;
struct producer_ids;
struct topic_settings_cache;
struct produce_conversion;

/* A request that waits for something to happen (bytes, an image), embedded in it: so that a stop need not wait as long. */
struct service_waiting {
	struct service_waiting *next, *previous;
	/* Ends the wait: the request is answered with what there is, now or soon. Removes itself. */
	void (*hurry)(struct service_waiting *w);
};
struct service_loop {
	unsigned magic;
	struct scheduler *scheduler;
	struct cluster_image_holder *images;
	const struct replica_router *router;
	struct group_coordinator *const *coordinators; /* one per loop, placed as the router's managers; shared by all loops */
	size_t coordinator_count;
	struct group_topic_creation *group_topic; /* group_service's: __consumer_offsets is being made; NULL: no */
	const struct settings *settings;
	struct admin_service *admin; /* shared by all loops */
	struct producer_ids *producer_ids; /* of the cluster loop; shared by all loops; NULL: none */
	struct topic_settings_cache *topic_settings;
	struct log_manager *logs; /* what any thread may ask of it; NULL in unit tests */
	struct background *background; /* NULL: nothing may sleep here, and large conversions are done on the loop */
	struct produce_conversion *conversions; /* under way, in the order they came */
	int32_t broker_id;
	struct service_waiting waiting; /* head of a ring */
	bool hurried;
	int64_t suggestions_from_us; /* of the second in which suggestions are counted */
	unsigned suggestions;
};
MAGIC(service_loop, 0x53564c50);

struct service_loop_options {
	struct scheduler *scheduler;
	struct cluster_image_holder *images;
	const struct replica_router *router;
	struct group_coordinator *const *coordinators; /* NULL: no groups here (unit tests) */
	size_t coordinator_count;
	const struct settings *settings;
	struct admin_service *admin; /* NULL: topics cannot be made or changed here (unit tests) */
	struct log_manager *logs; /* outlives every request; NULL in unit tests */
	struct producer_ids *producer_ids; /* NULL: no producer is given an id here (unit tests) */
	struct background *background; /* NULL in unit tests */
	int32_t broker_id;
};
struct service_loop *service_loop_new(const struct service_loop_options *o);
/* No request may be under way. */
void service_loop_free(struct service_loop *s);

void service_loop_wait(struct service_loop *s, struct service_waiting *w);
/* Harmless when w does not wait (zeroed, or removed before). */
void service_loop_unwait(struct service_waiting *w);
/* On the loop: ends every wait; from now on nothing waits. */
void service_loop_hurry(struct service_loop *s);

/* The image of this turn; borrowed until the caller returns to the loop. */
const struct cluster_image *service_loop_image(const struct service_loop *s);

/* The sentence for a topic that is not there, naming a similar one. The search goes over many names, so only some tens of
 * sentences a second have that; a flood of wrong names does not occupy the loop. NULL when the arena is full. */
char *service_loop_unknown_topic(struct service_loop *s, struct arena *a, const char *topic);
/* A partition as the image knows it. UNKNOWN_TOPIC_OR_PARTITION, with a sentence in the arena that names a similar topic. */
struct service_partition {
	const struct image_topic *topic;
	const struct image_partition *partition;
};
MUST_CHECK enum status service_loop_find(struct service_loop *s, struct arena *a, const struct topic_partition *tp,
	struct service_partition *ret_found, char **ret_message);

#endif
