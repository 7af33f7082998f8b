#include "replica/in_sync_replicas.h"

int32_t in_sync_replicas_effective_min(int32_t min_insync_replicas, size_t replication_factor)
{
	expect(min_insync_replicas >= 1);
	if (replication_factor < 1)
		return 1;
	return (size_t)min_insync_replicas < replication_factor ? min_insync_replicas : (int32_t)replication_factor;
}

bool in_sync_replicas_enough(size_t isr_count, int32_t effective_min)
{
	expect(effective_min >= 1);
	return isr_count >= (size_t)effective_min;
}

int64_t in_sync_replicas_high_watermark(const struct in_sync_view *v)
{
	expect(v->high_watermark >= 0 && v->leader_end >= 0);
	if (!in_sync_replicas_enough(v->follower_count + 1, v->effective_min))
		return v->high_watermark;
	int64_t least = v->leader_end;
	for (size_t i = 0; i < v->follower_count; i++) {
		if (v->follower_ends[i] < least)
			least = v->follower_ends[i];
	}
	return least > v->high_watermark ? least : v->high_watermark;
}
