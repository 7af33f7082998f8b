/* Waits until every loop has an image at least as new as a version: who is told "done" on one connection finds it done on every
 * other. Embedded in the request that waits; goes from loop to loop. */
#ifndef CLUSTER_IMAGE_BARRIER_H
#define CLUSTER_IMAGE_BARRIER_H

#include "cluster/cluster_image_holder.h"

struct image_barrier {
	struct cluster_image_holder *const *holders; /* borrowed; none: done comes within start */
	size_t holder_count;
	int64_t version;
	struct scheduler *home; /* start is called here and done comes here, exactly once */
	void (*done)(struct image_barrier *b);

	/* private */
	unsigned magic;
	size_t next;
	struct task task;
	struct cluster_image_watcher watcher;
};
/* Soon: cluster_state posts an image to all loops at once. */
void image_barrier_start(struct image_barrier *b);

#endif
