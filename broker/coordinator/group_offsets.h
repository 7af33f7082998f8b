/* The offsets one group has committed, by topic and partition. Pure; belongs to whoever owns the group. Each slot knows the log
 * offset of the record it came from, and only a later record changes it: so records may be applied in any order, as transactions
 * make it necessary. Kafka: GroupMetadata (offsets, pendingOffsetCommits). */
#ifndef COORDINATOR_GROUP_OFFSETS_H
#define COORDINATOR_GROUP_OFFSETS_H

#include "base/bytes.h"

struct group_offset {
	int64_t offset;
	int64_t commit_timestamp_ms; /* wall time */
	int64_t expire_timestamp_ms; /* -1: none was asked for */
	int64_t log_offset;          /* of the record; -1: nothing committed yet, a commit is under way */
	int32_t partition;
	int32_t leader_epoch; /* -1 unknown */
	uint32_t pending;     /* commits under way, transactions undecided */
	char *metadata;       /* NULL: "" */
};
static inline bool group_offset_is_committed(const struct group_offset *o)
{
	return o->log_offset >= 0;
}

struct group_offset_topic;
struct group_offsets {
	struct group_offset_topic *topics;
	size_t slots;     /* committed or pending */
	size_t committed;
};
void group_offsets_init(struct group_offsets *o);
void group_offsets_fini(struct group_offsets *o);

struct group_offset_value {
	int64_t offset, commit_timestamp_ms, expire_timestamp_ms;
	int32_t leader_epoch;
	const char *metadata; /* copied; NULL: "" */
};
/* The record at log_offset says so. Nothing happens if the slot knows a later record. */
void group_offsets_put(struct group_offsets *o, const char *topic, int32_t partition, const struct group_offset_value *v,
	int64_t log_offset);
/* The tombstone at log_offset says so. */
void group_offsets_remove(struct group_offsets *o, const char *topic, int32_t partition, int64_t log_offset);
/* A commit is under way, and is not any more. Pending slots are found, but not committed. */
void group_offsets_begin(struct group_offsets *o, const char *topic, int32_t partition);
void group_offsets_end(struct group_offsets *o, const char *topic, int32_t partition);
/* NULL: none. Valid until the next change. */
const struct group_offset *group_offsets_find(const struct group_offsets *o, const char *topic, int32_t partition);

/* Every slot, topic by topic, partitions ascending; nothing may be changed meanwhile. topic lives as long as its last slot. */
void group_offsets_each(const struct group_offsets *o,
	void (*each)(void *arg, const char *topic, const struct group_offset *slot), void *arg);
bool group_offsets_has_topic(const struct group_offsets *o, const char *topic);

#endif
