/* What consumers of a group tell each other through the coordinator, which does not look into it: Kafka's ConsumerProtocol, so that a
 * group may mix clients. A subscription is each member's metadata; an assignment is what the leader gives it. Written in version 3,
 * read in every version. */
#ifndef CONSUMER_PROTOCOL_H
#define CONSUMER_PROTOCOL_H
#include "base/arena.h"

struct partition_set { /* partitions of one topic */
	const char *topic;
	int32_t *partitions;
	size_t count;
};
struct partition_sets {
	struct partition_set *topics;
	size_t count;
};
struct subscription {
	const char **topics;
	size_t topic_count;
	struct partition_sets owned; /* still read by the member while it joins (cooperative) */
	int32_t generation;          /* in which it got them; -1 unknown */
};

/* Memory is the arena's; NULL or TOO_LARGE when it is full. What is read was written by any client: TRUNCATED, INVALID_REQUEST. */
MUST_CHECK enum status consumer_protocol_write_subscription(struct arena *a, const struct subscription *s, bool with_generation,
	struct slice *ret_bytes);
MUST_CHECK enum status consumer_protocol_read_subscription(struct arena *a, struct slice bytes, struct subscription *ret_subscription);
MUST_CHECK enum status consumer_protocol_write_assignment(struct arena *a, const struct partition_sets *p, struct slice *ret_bytes);
/* No bytes at all: nothing is assigned. */
MUST_CHECK enum status consumer_protocol_read_assignment(struct arena *a, struct slice bytes, struct partition_sets *ret_partitions);

bool partition_sets_have(const struct partition_sets *p, const char *topic, int32_t partition);
size_t partition_sets_count(const struct partition_sets *p);
#endif
