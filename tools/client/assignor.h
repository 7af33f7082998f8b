/* Which member of a group reads which partitions: decided by the member that leads the group. Pure. Names and rules are those of
 * Kafka's assignors, so that a group may mix clients. */
#ifndef ASSIGNOR_H
#define ASSIGNOR_H
#include "tools/client/consumer_protocol.h"

enum assignor {
	ASSIGNOR_RANGE,              /* per topic, consecutive partitions to each subscriber */
	ASSIGNOR_ROUNDROBIN,         /* all partitions in turn */
	ASSIGNOR_COOPERATIVE_STICKY, /* balanced, everybody keeps what they can; what moves is given up first (KIP-429) */
	ASSIGNOR_COUNT,
};
const char *assignor_name(enum assignor a);
/* False: there is none of this name. */
bool assignor_find(struct slice name, enum assignor *ret_assignor);
/* Do members go on reading what they keep while the group rebalances? */
bool assignor_cooperative(enum assignor a);

struct assignor_member {
	const char *member_id;
	const char *instance_id; /* NULL: none */
	struct subscription subscription;
	struct partition_sets assignment; /* out; memory is the arena's */
};
struct assignor_topic {
	const char *name;
	int32_t partitions;
};
/* Members and topics are sorted here. topics: each once; a subscribed topic that is not among them has no partitions. TOO_LARGE: the
 * arena is full. */
MUST_CHECK enum status assignor_assign(enum assignor a, struct arena *arena, struct assignor_member *members, size_t member_count,
	struct assignor_topic *topics, size_t topic_count);
#endif
