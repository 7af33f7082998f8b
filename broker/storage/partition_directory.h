/* The files of one partition's directory: what is there, and what a crash left half done (Kafka's .deleted, .cleaned and
 * .swap rules). Runs where it may sleep, before the log is opened. Kafka: LogLoader. */
#ifndef STORAGE_PARTITION_DIRECTORY_H
#define STORAGE_PARTITION_DIRECTORY_H

#include "storage/producer_snapshots.h"

/* Ours; Kafka ignores them. Segment files not in use yet; how far the checkpointed recovery point may be believed after a
 * truncation below it; where the log begins anew, while everything is being removed for that. */
#define PARTITION_NEXT_SEGMENT_NAME "next-segment.tmp"
#define PARTITION_NEW_SEGMENT_NAME "new-segment.tmp"
#define PARTITION_RECOVERY_LIMIT_NAME "recovery-point-limit"
#define PARTITION_RESTART_NAME "restart-offset"
#define PARTITION_EPOCHS_NAME "leader-epoch-checkpoint"
#define PARTITION_METADATA_NAME "partition.metadata"

struct partition_files {
	int64_t *bases; /* of the .log files, ascending */
	size_t count, capacity;
	struct producer_snapshots snapshots;
	bool has_transaction_index, has_recovery_limit, has_restart;
};
/* Finishes or undoes what was under way, then lists what is left. ret_files is to be freed in any case. */
MUST_CHECK enum status partition_directory_load(const struct log_place *place, struct partition_files *ret_files);
void partition_files_fini(struct partition_files *f);

/* Every file a segment may have beside it. Unlinks those that exist. */
MUST_CHECK enum status partition_directory_unlink_segment(const struct log_place *place, int64_t base_offset);
/* Renames the segment's files to <name>.deleted: its log unless that was replaced by another of the same name, its indexes,
 * and what else Kafka may have put beside it. ret_paths: count of new names, to be freed one by one. */
enum { PARTITION_SEGMENT_FILES = 5 };
struct partition_retired_files {
	char *paths[PARTITION_SEGMENT_FILES];
	size_t count;
};
MUST_CHECK enum status partition_directory_retire_segment(const struct log_place *place, int64_t base_offset,
	bool log_replaced, bool all_kinds, struct partition_retired_files *ret_files);
/* Cuts a segment's index of aborted transactions, if there is one: those ending at `end` or later are no more. */
MUST_CHECK enum status partition_directory_cut_transactions(const struct log_place *place, int64_t base_offset, int64_t end);

/* The two small files of ours hold one offset. Damaged: 0. */
MUST_CHECK enum status partition_offset_file_read(const struct log_place *place, const char *name, int64_t *ret_offset);
MUST_CHECK enum status partition_offset_file_write(const struct log_place *place, const char *name, int64_t offset);
MUST_CHECK enum status partition_offset_file_remove(const struct log_place *place, const char *name);

/* partition.metadata: STATUS_NOT_FOUND, STATUS_CORRUPT. */
MUST_CHECK enum status partition_metadata_read(const struct log_place *place, struct uuid *ret_topic_id);
MUST_CHECK enum status partition_metadata_write(const struct log_place *place, const struct uuid *topic_id);
/* In a directory just made: not durable before partition_directory_sync_new. A crash may leave it empty, which counts as
 * missing. */
MUST_CHECK enum status partition_metadata_write_new(const struct log_place *place, const struct uuid *topic_id);
/* What a new directory needs beside its own sync: partition.metadata, and its name in the directory above. */
MUST_CHECK enum status partition_directory_sync_new(const struct log_place *place);
#endif
