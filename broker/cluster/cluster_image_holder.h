/* One loop's reference to the newest cluster_image, and who on this loop wants to know of the next. cluster_state posts images
 * to it; everything else here runs on the holder's loop. */
#ifndef CLUSTER_CLUSTER_IMAGE_HOLDER_H
#define CLUSTER_CLUSTER_IMAGE_HOLDER_H

#include "base/scheduler.h"
#include "cluster/cluster_image.h"

/* Embedded in whoever waits (an admin request for its topic to appear, a metadata cache). */
struct cluster_image_watcher {
	/* image: the new one, borrowed for the call. The watcher may remove itself or others, and add new ones (called from
	 * the next image on). */
	void (*changed)(struct cluster_image_watcher *w, const struct cluster_image *image);
	struct cluster_image_watcher *next, *previous; /* the holder's */
};

struct cluster_image_holder;
struct cluster_image_holder *cluster_image_holder_new(struct scheduler *scheduler);
/* On the loop, or after it has ended. No watcher may be left. */
void cluster_image_holder_free(struct cluster_image_holder *h);
/* Never NULL: before the first image of the cluster there is an empty one (version 0, controller -1). Borrowed until the
 * caller returns to the loop; take a shared_ref to keep it longer. */
struct cluster_image *cluster_image_holder_image(const struct cluster_image_holder *h);
void cluster_image_holder_watch(struct cluster_image_holder *h, struct cluster_image_watcher *w);
/* Harmless when w does not watch (zeroed, or removed before). */
void cluster_image_holder_unwatch(struct cluster_image_holder *h, struct cluster_image_watcher *w);
struct scheduler *cluster_image_holder_scheduler(const struct cluster_image_holder *h);
/* From any loop: hands over one reference. Images of one sender arrive in order. */
void cluster_image_holder_post(struct cluster_image_holder *h, struct cluster_image *image);

#endif
