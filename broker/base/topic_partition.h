/* The name of a partition, passed by value: topic names are at most 249 bytes. */
#ifndef BASE_TOPIC_PARTITION_H
#define BASE_TOPIC_PARTITION_H
#include "base/bytes.h"

enum { TOPIC_NAME_MAX = 249 };
struct topic_partition {
	char topic[TOPIC_NAME_MAX + 1];
	int32_t partition;
};
/* STATUS_INVALID_TOPIC_EXCEPTION unless [a-zA-Z0-9._-]{1,249} and not "." or ".." (Kafka: Topic.validate). */
MUST_CHECK enum status topic_name_check(struct slice name);
/* '.' and '_' count as the same letter (metric names): may `a` and `b` not both exist? */
bool topic_name_collides(const char *a, const char *b);
bool topic_is_internal(const char *name);
/* Legal name and partition >= 0, else INVALID_TOPIC_EXCEPTION. */
MUST_CHECK enum status topic_partition_set(struct topic_partition *tp, struct slice topic, int32_t partition);
bool topic_partition_equal(const struct topic_partition *a, const struct topic_partition *b);
uint64_t topic_partition_hash(const struct topic_partition *tp);
/* Order by topic, then partition: <0, 0, >0. */
int topic_partition_compare(const struct topic_partition *a, const struct topic_partition *b);
/* "<topic>-<partition>"; out needs TOPIC_PARTITION_TEXT. */
enum { TOPIC_PARTITION_TEXT = TOPIC_NAME_MAX + 13 };
void topic_partition_format(const struct topic_partition *tp, char out[TOPIC_PARTITION_TEXT]);
/* Directory name to topic-partition: split at the last '-'. STATUS_INVALID_ARGUMENT if it is not one. */
MUST_CHECK enum status topic_partition_parse(struct slice dir_name, struct topic_partition *ret_tp);
#endif
