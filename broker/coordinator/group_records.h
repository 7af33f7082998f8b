/* The records of `__consumer_offsets`, between bytes and structs: `struct kafka_<name>_key` and `_value` for each RECORD of
 * proto/storage/internal_topics.def. Strings end with NUL, NULL is null; bytes stay where they came in, the rest lies in the
 * arena. Kafka: GroupCoordinatorRecordSerde, GroupMetadataManager. */
#ifndef COORDINATOR_GROUP_RECORDS_H
#define COORDINATOR_GROUP_RECORDS_H

#include "coordinator/group.h"
#include "wire/kafka_codec.h"

#define BEGIN struct KAFKA_PASTE(kafka_, STRUCT) {
#define FIELD(kind, name, element, first, last, null_from, tag, def) KAFKA_C_##kind(name, element)
#define END                                                                                                            \
	}                                                                                                              \
	;
#define RECORD(kind, name, key_first, key_last, first, last, flexible_from)
#include "proto/storage/internal_topics.def"
#undef BEGIN
#undef FIELD
#undef END
#undef RECORD

enum group_record_kind {
#define BEGIN
#define FIELD(kind, name, element, first, last, null_from, tag, def)
#define END
#define RECORD(kind, name, key_first, key_last, first, last, flexible_from) GROUP_RECORD_##kind,
#include "proto/storage/internal_topics.def"
#undef BEGIN
#undef FIELD
#undef END
#undef RECORD
	GROUP_RECORD_KIND_COUNT
};

/* A record, decoded: key and value point to the structs of its kind. */
struct group_record_view {
	enum group_record_kind kind;
	union {
		const void *key;
		const struct kafka_offset_commit_key *offset_key;
		const struct kafka_group_metadata_key *group_key;
		const struct kafka_consumer_group_metadata_key *consumer_group_key;
		const struct kafka_consumer_group_partition_metadata_key *partitions_key;
		const struct kafka_consumer_group_member_metadata_key *member_key;
		const struct kafka_consumer_group_target_assignment_metadata_key *target_key;
		const struct kafka_consumer_group_target_assignment_member_key *target_member_key;
		const struct kafka_consumer_group_current_member_assignment_key *current_key;
		const struct kafka_consumer_group_regular_expression_key *regex_key;
	};
	union {
		const void *value; /* NULL: a tombstone */
		const struct kafka_offset_commit_value *offset;
		const struct kafka_group_metadata_value *group;
		const struct kafka_consumer_group_metadata_value *consumer_group;
		const struct kafka_consumer_group_partition_metadata_value *partitions;
		const struct kafka_consumer_group_member_metadata_value *member;
		const struct kafka_consumer_group_target_assignment_metadata_value *target;
		const struct kafka_consumer_group_target_assignment_member_value *target_member;
		const struct kafka_consumer_group_current_member_assignment_value *current;
		const struct kafka_consumer_group_regular_expression_value *regex;
	};
};
/* Of any writer, of any version. value.p NULL: a tombstone.
 * NOT_FOUND: a key of a kind we do not know (share and streams groups): skip it.
 * UNSUPPORTED_VERSION: a value of a version we do not know; ret_view has kind and key, a NULL value.
 * CORRUPT: neither; TOO_LARGE: the arena's limit. None of these may fail a load. */
MUST_CHECK enum status group_records_decode(
	struct arena *a, struct slice key, struct slice value, struct group_record_view *ret_view);
/* The group's name: every key begins with it. */
const char *group_records_group_of(const struct group_record_view *view);

/* One record, encoded; in the arena. value.p NULL: a tombstone. */
struct group_record_bytes {
	struct slice key, value;
};
/* view->value NULL makes a tombstone. Version as Kafka 3.9 writes it: offsets 1 with an expire timestamp, else 3; groups 3; the others
 * their only one. TOO_LARGE: a string beyond 32,767 bytes, or the arena's limit. */
MUST_CHECK enum status group_records_encode(
	struct arena *a, const struct group_record_view *view, struct group_record_bytes *ret_record);

/* The group record of a classic group. state_timestamp_ms: wall time, instead of group->current_state_timestamp_ms. */
MUST_CHECK enum status group_records_encode_group(struct arena *a, struct slice group_id, const struct group_record *group,
	int64_t state_timestamp_ms, struct group_record_bytes *ret_record);
/* What group_import() takes; in the arena, bytes where they are. current_state_timestamp_ms is the record's: wall time, -1 none. */
MUST_CHECK enum status group_records_to_group(
	struct arena *a, const struct kafka_group_metadata_value *value, struct group_record *ret_group);
#endif
