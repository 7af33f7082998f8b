/* Shared by the partition_log_*.c files alone. */
#ifndef STORAGE_PARTITION_LOG_INTERNAL_H
#define STORAGE_PARTITION_LOG_INTERNAL_H

#include "storage/leader_epoch_cache.h"
#include "storage/partition_directory.h"
#include "storage/partition_log.h"
#include <stdatomic.h>

/* One thing under way in the pool for this log. */
enum log_job_kind {
	LOG_JOB_WRITE, /* starts write-back, writes index entries, makes the next segment file */
	LOG_JOB_SYNC,  /* makes everything up to target_offset durable */
	LOG_JOB_CLOSE,
};
struct log_job_item {
	int64_t base_offset;
	struct disk_file *file; /* a reference of its own */
	int64_t size_bytes, mtime_ms;
	uint32_t cuts;
	bool sync, set_mtime;
	struct log_index_write indexes[2];
};
struct log_job {
	struct job job;
	enum log_job_kind kind;
	bool running;
	struct log_job_item *items;
	size_t count;
	char *epochs_text;
	size_t epochs_size;
	uint32_t epochs_version;
	uint8_t *snapshot; /* of the producers; NULL none */
	size_t snapshot_size;
	int64_t snapshot_offset;
	enum status snapshot_status;
	_Atomic bool snapshot_void; /* the log was cut meanwhile */
	bool sync_directory, sync_new, remove_limit, remove_prepared;
	char *prepare_path;
	struct disk_file *prepared;
	int64_t target_offset;
	int64_t writeback_from, writeback_bytes;
	enum status status, epochs_status;
};

/* Renamed .deleted, to be unlinked at `due_us`. */
struct log_retired {
	struct log_retired *next;
	int64_t due_us;
	struct partition_retired_files files;
};

/* Where a batch starts, as a reader left it: its next read begins there. */
struct log_cursor {
	int64_t offset, base_offset, position;
};
enum { LOG_CURSORS = 8 };

struct compaction_run;

struct partition_log {
	unsigned magic;
	struct log_environment env;
	struct log_place place;
	char *directory;
	struct topic_partition tp;
	struct topic_settings settings;
	struct log_segment **segments; /* ascending; the last is active */
	size_t count, capacity;
	int64_t start_offset, end_offset, flushed_offset;
	int64_t recovery_point_max; /* the largest a checkpoint file may hold */
	struct leader_epoch_cache epochs;
	uint32_t epochs_version, epochs_saved_version;
	struct producer_state *producers;
	struct producer_snapshots snapshots; /* files that are there */
	uint8_t *snapshot_next; /* to be written by the next job; NULL none */
	size_t snapshot_next_size;
	int64_t snapshot_next_offset;
	int64_t epochs_unsaved_from; /* start of the earliest entry not on disk yet */
	bool fenced, closing, directory_changed, has_transaction_index, has_recovery_limit;
	bool prepare_failed;
	bool directory_new; /* its name and partition.metadata become durable with the first flush */
	bool uncleanable; /* a compaction failed: not tried again */
	int64_t cleaner_offset; /* compacted up to here */
	struct compaction_run *compaction; /* under way; NULL: none */
	bool segment_unsynced; /* the active one's name: no other may be added before it is durable */
	struct log_job job;
	bool flush_wanted;
	int64_t unflushed_records;
	int64_t writeback_position; /* of the active segment */
	struct disk_file *prepared; /* the next segment's file, under PARTITION_NEXT_SEGMENT_NAME */
	struct loop_timer flush_timer, purge_timer;
	struct log_retired *retired;
	struct log_segment **expired; /* out of the log, files still to be renamed: oldest first, each durable before the next */
	size_t expired_count;
	struct log_cursor cursors[LOG_CURSORS];
	unsigned cursor_next;
	void (*flushed)(void *arg, enum status s);
	void *flushed_arg;
	bool close_sync;
	void (*close_done)(void *arg, enum status s);
	void *close_arg;
};
MAGIC(partition_log, 0x504c4f47);

static inline struct log_segment *partition_log_active(const struct partition_log *log)
{
	return log->segments[log->count - 1];
}
/* The offset behind segment i: the base of the next. */
static inline int64_t partition_log_segment_end(const struct partition_log *log, size_t i)
{
	return i + 1 < log->count ? log->segments[i + 1]->base_offset : log->end_offset;
}
void partition_log_check(const struct partition_log *log);
/* Index of the segment with the largest base <= offset; 0 if there is none. */
size_t partition_log_segment_at(const struct partition_log *log, int64_t offset);
void partition_log_fence(struct partition_log *log, enum status why, const char *what);
/* Adds an empty active segment. A file of that name is emptied. */
MUST_CHECK enum status partition_log_add_segment(struct partition_log *log, int64_t base_offset);
/* Puts an empty segment in the place of those from index i on. An error that does not fence the log has changed nothing.
 * Where all are replaced by one of another name, the old ones are durably gone first. */
MUST_CHECK enum status partition_log_replace_segments(struct partition_log *log, size_t i, int64_t base_offset);
/* Closes the active segment and begins one at the log's end, or at base_offset if that is farther. */
MUST_CHECK enum status partition_log_roll(struct partition_log *log, int64_t base_offset);
void partition_log_epochs_changed(struct partition_log *log, int64_t from_offset);

void partition_log_free(struct partition_log *log);

/* partition_log_producers.c. Known before anything is appended: the newest snapshot, and what the log holds behind it. Sleeps.
 * On a fresh log removes snapshots of offsets the log does not have. */
MUST_CHECK enum status partition_log_open_producers(struct partition_log *log);
/* May the batch be appended? STATUS_DUPLICATE_SEQUENCE_NUMBER: ret_info says where it is. */
MUST_CHECK enum status partition_log_check_producer(const struct partition_log *log, const struct record_batch *batch,
	struct log_append_info *ret_info);
/* The batch is in the log; whole is all of it. */
void partition_log_track_producer(struct partition_log *log, const struct log_batch_info *b, struct slice whole,
	int64_t now_ms);
/* The producers as they are now, to be written by the next job. */
void partition_log_take_snapshot(struct partition_log *log, int64_t offset);
/* On the pool's thread. */
void partition_log_write_snapshot(struct partition_log *log);
/* Back on the loop. */
void partition_log_settle_snapshot(struct partition_log *log);
/* Before the log is cut: snapshots of what will be gone. */
MUST_CHECK enum status partition_log_drop_snapshots(struct partition_log *log, int64_t above_offset);
/* After a cut at the log's end. */
MUST_CHECK enum status partition_log_reload_producers(struct partition_log *log);

/* partition_log_sync.c: starts whatever is worth a job, if none is under way. */
void partition_log_pump(struct partition_log *log);
void partition_log_flush_timer_fired(struct loop_timer *t);
/* After an append. */
void partition_log_appended(struct partition_log *log, int64_t records);

/* partition_log_trim.c: renames the files of segment s, which is no longer in the log, and frees it; they are unlinked after
 * delay_ms. On error s is as before. */
MUST_CHECK enum status partition_log_retire_files(struct partition_log *log, struct log_segment *s, bool log_replaced,
	int64_t delay_ms);
/* Takes the last segment out of the log and retires it. */
MUST_CHECK enum status partition_log_retire_last(struct partition_log *log, bool log_replaced);
/* After a sync: the next of the expired segments. */
void partition_log_expire_next(struct partition_log *log);
void partition_log_purge_timer_fired(struct loop_timer *t);
void partition_log_retired_free(struct log_retired *r);
/* r's files are unlinked after delay_ms, once partition_log_purge_due has seen it. */
void partition_log_retired_add(struct partition_log *log, struct log_retired *r, int64_t delay_ms);
void partition_log_purge_due(struct partition_log *log);
/* Readers' places are found anew. */
void partition_log_forget_cursors(struct partition_log *log);

/* partition_log_compact.c: are names being changed? Then nothing may take segments from the log. */
bool partition_log_is_swapping(const struct partition_log *log);
/* It ends as soon as it can; harmless when none is under way. */
void partition_log_cancel_compaction(struct partition_log *log);
/* Before anything from this offset on goes: names half changed are put right, a compaction that reaches so far ends. */
MUST_CHECK enum status partition_log_settle_compaction(struct partition_log *log, int64_t from_offset);
#endif
