/* A consumer group to and from the records of `__consumer_offsets`, kinds 3 to 8. Each change is written as the new whole of what it
 * changed; records of one export belong together, but a load makes sense of any part of them and in any order, as compaction may leave
 * them. Not written: what expressions match, and racks of partitions; both come from the cluster's picture. */
#ifndef COORDINATOR_CONSUMER_GROUP_RECORDS_H
#define COORDINATOR_CONSUMER_GROUP_RECORDS_H

#include "coordinator/consumer_group.h"
#include "coordinator/group_records.h"

/* All that has to be written, in an order Kafka can load; in the arena. What it gives counts as being written until
 * consumer_group_written(); not again before. TOO_LARGE: the arena's limit; nothing has changed. */
MUST_CHECK enum status consumer_group_records_export(struct consumer_group *g, struct arena *a,
	struct group_record_bytes **ret_records, size_t *ret_count);

/* Of a new group, while its partition is loaded; records of other kinds are not for it. */
void consumer_group_records_replay(struct consumer_group *g, const struct group_record_view *v);
/* All has been replayed: sessions begin. False: the group itself is not there, and what is left of it means nothing. */
MUST_CHECK bool consumer_group_records_loaded(struct consumer_group *g, int64_t now_ms);
#endif
