/* The coordinator of the groups whose partition of __consumer_offsets this loop owns and this broker leads: one per event loop.
 * It loads a partition when the broker comes to lead it, keeps its groups and their offsets in memory, writes every change to the
 * partition, and lets go of everything when the partition is led elsewhere. Kafka: GroupCoordinator, GroupMetadataManager. */
#ifndef COORDINATOR_GROUP_COORDINATOR_H
#define COORDINATOR_GROUP_COORDINATOR_H

#include "cluster/cluster_image_holder.h"
#include "config/settings.h"
#include "coordinator/group_request.h"

#define GROUP_COORDINATOR_TOPIC "__consumer_offsets"

struct group_coordinator;
struct replica_manager;

struct group_coordinator_options {
	struct scheduler *scheduler; /* the loop it lives on */
	struct replica_manager *replicas; /* of the same loop */
	struct cluster_image_holder *images; /* of the same loop; tells of deleted topics */
	struct background *background;
	const struct settings *settings;
};
/* Before any replica of the loop has a role. */
struct group_coordinator *group_coordinator_new(const struct group_coordinator_options *o);
/* After group_coordinator_stop and the end of the loop; the replica manager may be gone. NULL is harmless. */
void group_coordinator_free(struct group_coordinator *c);

/* Which partition of `count` a group belongs to: abs(hash) % count, with Java's string hash. */
int32_t group_coordinator_partition(const char *group_id, int32_t count);

/* From r->home, to any loop's coordinator; r->partition is set. Requests from one loop are taken in the order of the calls. The
 * answer is always a letter: done never runs within the call. NOT_COORDINATOR: the partition is not led here. */
void group_coordinator_start(struct group_coordinator *owner, struct group_request *r);
/* Appends the groups of this loop to r->groups. COORDINATOR_LOAD_IN_PROGRESS: some are not known yet. */
void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r);

/* On the loop: the broker stops. Whoever is parked is answered NOT_COORDINATOR, and so is everything from now on. */
void group_coordinator_stop(struct group_coordinator *c);

#endif
