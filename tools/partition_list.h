/* Partitions as named on a command line: "topic" is all of its partitions, "topic:0,2" these. */
#ifndef TOOLS_PARTITION_LIST_H
#define TOOLS_PARTITION_LIST_H
#include "tools/cli.h"

struct partition_list {
	struct correio_topic_partition *items; /* offset -1 */
	size_t count, capacity;
	char **names;
	size_t name_count;
};
/* Each once. On an error the list is empty; free it all the same. */
int partition_list_resolve(struct partition_list *ret, struct correio_admin *admin, const struct cli_list *words, struct correio_error *err);
/* topic is copied. */
void partition_list_add(struct partition_list *l, const char *topic, int32_t partition, int64_t offset);
void partition_list_free(struct partition_list *l);
/* Splits "topic:0,2". False: malformed. *ret_partitions NULL: none are named. Both are freed by the caller. */
bool partition_list_parse(const char *word, char **ret_topic, int32_t **ret_partitions, size_t *ret_count);
#endif
