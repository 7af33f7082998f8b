/* Partitions of topics known by their ids, sorted by topic and number: what a member of a consumer group owns, is to give up, is to
 * get. Values: copying is said, and every set is fini'd once. */
#ifndef COORDINATOR_PARTITION_SET_H
#define COORDINATOR_PARTITION_SET_H

#include "base/bytes.h"

struct partition_of_topic {
	struct uuid topic_id;
	int32_t partition;
};
struct partition_set {
	struct partition_of_topic *items; /* ascending, none twice */
	size_t count, capacity;
};
int partition_of_topic_compare(const struct partition_of_topic *a, const struct partition_of_topic *b);

/* All zero is an empty set as well. */
void partition_set_fini(struct partition_set *s);
void partition_set_clear(struct partition_set *s);
/* Appends without order; partition_set_sort() before anything else is asked. */
void partition_set_append(struct partition_set *s, const struct uuid *topic_id, int32_t partition);
void partition_set_sort(struct partition_set *s);
bool partition_set_has(const struct partition_set *s, const struct partition_of_topic *p);
bool partition_set_equal(const struct partition_set *a, const struct partition_set *b);
/* Is all of a in b? */
bool partition_set_within(const struct partition_set *a, const struct partition_set *b);
bool partition_set_overlap(const struct partition_set *a, const struct partition_set *b);

/* The results replace *ret_set, which must be neither a nor b. */
void partition_set_copy(const struct partition_set *a, struct partition_set *ret_set);
void partition_set_intersect(const struct partition_set *a, const struct partition_set *b, struct partition_set *ret_set);
void partition_set_subtract(const struct partition_set *a, const struct partition_set *b, struct partition_set *ret_set);
/* Exchanges the contents. */
void partition_set_swap(struct partition_set *a, struct partition_set *b);
/* Up to where the topic of items[from] goes. */
size_t partition_set_topic_end(const struct partition_set *s, size_t from);
#endif
