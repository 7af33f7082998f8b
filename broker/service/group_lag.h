/* How far the groups coordinated here are behind the partitions led here, in records and in seconds, published as metrics
 *   correio_group_lag_records{group,topic,partition}   end of the partition - committed offset
 *   correio_group_lag_seconds{group,topic,partition}   age of the first batch that is not consumed; 0 when there is none
 * now and then (metrics.group.lag.interval.ms). It goes through groups and offsets in small portions, asking the coordinators, partitions
 * and the pool as any client does: no loop waits for it. At most GROUP_LAG_SERIES_MAX partitions are published;
 * correio_group_lag_left_out counts the rest. */
#ifndef SERVICE_GROUP_LAG_H
#define SERVICE_GROUP_LAG_H

#include "service/service_loop.h"

enum { GROUP_LAG_SERIES_MAX = 10000 };

struct group_lag;
/* Before the loop starts, or on it: runs on the service's loop until service_loop_hurry. */
struct group_lag *group_lag_new(struct service_loop *s);
/* The loops have ended. NULL is harmless. */
void group_lag_free(struct group_lag *g);

#endif
