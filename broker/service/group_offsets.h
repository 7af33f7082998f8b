/* The partitions that an offset commit or deletion names, told apart: those the cluster has go to the coordinator, the others are
 * answered UNKNOWN_TOPIC_OR_PARTITION without it. Kafka: KafkaApis.handleOffsetCommitRequest. */
#ifndef SERVICE_GROUP_OFFSETS_H
#define SERVICE_GROUP_OFFSETS_H

#include "service/group_service.h"

struct group_offsets {
	struct group_request_offset *known; /* for the group_request */
	size_t known_count;
	/* private */
	const struct group_request_offset **entries; /* in the order they were added; NULL: not known */
	size_t entry_count, room;
};
/* Room for so many entries. False: the arena is full. */
MUST_CHECK bool group_offsets_init(struct group_offsets *o, struct arena *a, size_t room);
void group_offsets_add(struct group_offsets *o, const struct cluster_image *image, const struct group_request_offset *entry);
/* What became of the i-th entry added, when its request is done with this status as a whole. */
enum status group_offsets_status(const struct group_offsets *o, size_t i, enum status whole);

/* By topic, then partition: answers that list all a group has are grouped by topic. */
void group_offsets_sort(struct group_request_offset *offsets, size_t count);

#endif
