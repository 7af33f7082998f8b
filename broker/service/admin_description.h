/* Descriptions of topics that outlive the call that brought them: deep copies in a request's arena. */
#ifndef SERVICE_ADMIN_DESCRIPTION_H
#define SERVICE_ADMIN_DESCRIPTION_H

#include "base/arena.h"
#include "cluster/cluster_image.h"
#include "coordinator-client/topic_admin.h"

/* NULL when the arena is full. */
const struct topic_description *admin_description_copy(struct arena *a, const struct topic_description *from);
/* As the image knows it: not pending, not marked. Borrows texts of the image. */
const struct topic_description *admin_description_from_image(struct arena *a, const struct image_topic *t);

#endif
