/* Who is to have which partition of a consumer group (KIP-848, on the server's side). Pure.
 *
 * uniform  as equal as the subscriptions allow; who has a partition keeps it unless balance asks for it.
 * range    of each topic a contiguous piece for each subscriber, in the order of instance ids, then member ids: equal numbers of
 *          equally divided topics meet in one member. Not sticky.
 *
 * Kafka: UniformAssignor, RangeAssignor. Theirs hands the surplus partitions to whoever comes first in a hash map; ours to those who
 * have them already. */
#ifndef COORDINATOR_CONSUMER_ASSIGNOR_H
#define COORDINATOR_CONSUMER_ASSIGNOR_H

#include "coordinator/partition_set.h"

enum consumer_assignor { CONSUMER_ASSIGNOR_UNIFORM, CONSUMER_ASSIGNOR_RANGE, CONSUMER_ASSIGNOR_COUNT };
const char *consumer_assignor_name(enum consumer_assignor a);
MUST_CHECK bool consumer_assignor_find(const char *name, enum consumer_assignor *ret_assignor);

struct consumer_assignor_topic {
	struct uuid id;
	int32_t partition_count;
};
struct consumer_assignor_member {
	const char *id, *instance_id;         /* instance_id NULL: dynamic */
	const size_t *topics;                 /* indices of the topics it subscribes to, ascending */
	size_t topic_count;
	const struct partition_set *previous; /* what it was to have; no partition with two members */
	struct partition_set target;          /* out: initialized by the caller, replaced here */
};
struct consumer_assignor_input {
	const struct consumer_assignor_topic *topics; /* sorted by id */
	size_t topic_count;
	struct consumer_assignor_member *members;
	size_t member_count;
};
/* Every partition of a subscribed topic gets exactly one member. */
void consumer_assignor_assign(enum consumer_assignor a, const struct consumer_assignor_input *in);
#endif
