/* Sentences for people: every error names its entity and says what to do. In the request's arena. */
#ifndef SERVICE_SERVICE_MESSAGE_H
#define SERVICE_SERVICE_MESSAGE_H

#include "base/arena.h"
#include "cluster/cluster_image.h"

/* At most 511 bytes. NULL when the arena is full: the status alone must do then. */
char *service_message_format(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "topic-3: <text of the status>" */
char *service_message_partition(struct arena *a, const struct topic_partition *tp, enum status s);
/* With the nearest name that exists, if one is near. image NULL: without. */
char *service_message_unknown_topic(struct arena *a, const struct cluster_image *image, const char *topic);

#endif
