/* Where a request for a partition should have gone. */
#ifndef SERVICE_LEADER_HINT_H
#define SERVICE_LEADER_HINT_H

#include "cluster/cluster_image.h"

struct leader_hint {
	int32_t broker_id; /* -1 none */
	int32_t leader_epoch;
	const char *host; /* borrowed from the image; NULL unknown */
	int32_t port;
};
/* The leader the image knows, or the one the replica knows if its epoch is newer (-1: it knows none). The address is the one
 * of the listener the request came in by: a client inside a network is not sent outside. */
struct leader_hint leader_hint_find(const struct cluster_image *image, const struct topic_partition *tp, int32_t known_leader,
	int32_t known_epoch, const char *listener);

#endif
