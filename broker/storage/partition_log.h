/* Ordered segments of one partition: append, read, flush, roll, truncate, retention. Pinned to the loop that owns the
 * partition (until handed to one, to the thread that opened it). Format: Kafka's, byte for byte. */
#ifndef STORAGE_PARTITION_LOG_H
#define STORAGE_PARTITION_LOG_H

#include "base/random.h"
#include "base/scheduler.h"
#include "base/topic_partition.h"
#include "config/settings.h"
#include "storage/disk.h"
#include "storage/producer_state.h"
#include "storage/record_batch.h"

struct partition_log;

/* What every log of a directory shares. Borrowed for the log's life. */
struct log_environment {
	struct disk *disk;
	struct clock *clock;
	struct background *background;
	struct scheduler *scheduler; /* the owner loop; set by partition_log_adopt */
	int64_t producer_expiration_ms; /* producer.id.expiration.ms; 0: never */
};

struct log_open_options {
	const char *directory;              /* <log.dir>/<topic>-<n>, must exist */
	struct topic_partition tp;
	const struct topic_settings *settings; /* copied */
	bool clean;                         /* the clean-shutdown marker was there: skip recovery */
	int64_t recovery_point;             /* synced up to here (exclusive); 0 when unknown */
	int64_t log_start_offset;           /* from the checkpoint; -1 when none */
	bool is_new;                        /* the directory was just made: its name is not durable yet */
	int64_t cleaner_offset;             /* compacted up to here, from the checkpoint; 0 when none */
};
/* Loads the segments, recovers what may be torn (log_recovery), rebuilds what is missing. May sleep: call it on a pool
 * thread. STATUS_IO, STATUS_CORRUPT only when damage lies below the recovery point: the files are then left alone. */
MUST_CHECK enum status partition_log_open(const struct log_environment *env, const struct log_open_options *o,
	struct partition_log **ret_log, struct failure *ret_failure);
/* The log now belongs to this loop. */
void partition_log_adopt(struct partition_log *log, struct scheduler *scheduler);
/* No more calls from the owner. Waits (by reference) for flushes and reads under way, then closes the files. With
 * sync=true everything is fsynced first and indexes are cut to size; done runs on the owner loop. */
void partition_log_close(struct partition_log *log, bool sync, void (*done)(void *arg, enum status s), void *arg);

/* The same, at once and in this thread, for a log that was never adopted. Sleeps. */
MUST_CHECK enum status partition_log_close_now(struct partition_log *log, bool sync);
/* The loop it was given to; NULL before. */
struct scheduler *partition_log_owner(const struct partition_log *log);

struct log_append_info {
	int64_t base_offset, last_offset;
	int64_t log_append_time_ms; /* -1 for CreateTime */
	int64_t log_start_offset;
	bool duplicate; /* nothing was written: the same batch is in the log already, there; its time is given in any case */
};
/* Appends one validated batch as leader, and assigns its offsets. batch->data is written in place: base offset and leader
 * epoch (outside the CRC), max timestamp and type where the topic demands. Rolls first if needed.
 * Durable when partition_log_flushed_offset passes it, not on return.
 * STATUS_RECORD_LIST_TOO_LARGE, STATUS_NO_SPACE (nothing was written; the log stays usable), STATUS_IO, STATUS_FENCED_LOG; of an
 * idempotent producer's batch STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER, STATUS_INVALID_PRODUCER_EPOCH, STATUS_INVALID_TXN_STATE.
 * Kafka: UnifiedLog.appendAsLeader; KIP-98. */
MUST_CHECK enum status partition_log_append(struct partition_log *log, struct record_batch *batch, int32_t leader_epoch,
	struct log_append_info *ret_info);
/* Appends batches as fetched from a leader: offsets as given, several batches. Kafka: appendAsFollower. */
MUST_CHECK enum status partition_log_append_as_follower(struct partition_log *log, struct slice batches,
	int64_t *ret_last_offset);

/* Bytes of whole batches, as ranges of segment files ready for iobuf_append_file: from the batch containing `offset`,
 * below `end_offset` (exclusive: high watermark or log end), at most max_bytes, but the first batch whole if
 * at_least_one. Appends to out; *ret_bytes may be 0. STATUS_OFFSET_OUT_OF_RANGE below the log start or above log end. */
MUST_CHECK enum status partition_log_read(struct partition_log *log, int64_t offset, int64_t end_offset, size_t max_bytes,
	bool at_least_one, struct iobuf *out, size_t *ret_bytes);
/* Bytes between offset and end_offset, for min_bytes; exact within the active segment's index granularity. */
int64_t partition_log_bytes_between(struct partition_log *log, int64_t offset, int64_t end_offset);

/* Offset and timestamp of the first record with timestamp >= t; offset -1 when there is none. May read (a few KiB). */
MUST_CHECK enum status partition_log_offset_for_time(struct partition_log *log, int64_t timestamp_ms,
	int64_t *ret_offset, int64_t *ret_timestamp);
/* As the first Kafka did (ListOffsets 0): starts of the segments last written to at or before timestamp_ms, newest first, the log's end
 * among them; LATEST (-1): of all, EARLIEST (-2): the log's start alone. At most max; returns how many. */
size_t partition_log_segment_starts(struct partition_log *log, int64_t timestamp_ms, int64_t *ret_offsets, size_t max);
/* Largest timestamp and its record's offset (Kafka ListOffsets -3). */
MUST_CHECK enum status partition_log_max_timestamp(struct partition_log *log, int64_t *ret_offset, int64_t *ret_timestamp);

int64_t partition_log_start_offset(const struct partition_log *log);
int64_t partition_log_end_offset(const struct partition_log *log);
/* Everything below is on disk (fdatasync returned). */
int64_t partition_log_flushed_offset(const struct partition_log *log);
/* What a checkpoint file may say of this log: the flushed offset, but not above the high watermark, below which nothing
 * is ever truncated. Remembered: ask only for a value that is then written. */
int64_t partition_log_recovery_point(struct partition_log *log, int64_t high_watermark);
int64_t partition_log_size_bytes(const struct partition_log *log);
bool partition_log_is_fenced(const struct partition_log *log);

/* Group commit: asks that everything appended so far be synced. One fdatasync is outstanding per log; requests made
 * meanwhile share the next. On completion flushed(arg, status) runs on the owner loop and flushed_offset has moved. After
 * one failure the log is fenced for good. */
void partition_log_flush(struct partition_log *log);
void partition_log_on_flushed(struct partition_log *log, void (*flushed)(void *arg, enum status s), void *arg);

/* Leader epochs: (epoch, start offset), written on change. Kafka: LeaderEpochFileCache. */
MUST_CHECK enum status partition_log_start_leader_epoch(struct partition_log *log, int32_t leader_epoch);
int32_t partition_log_latest_epoch(const struct partition_log *log); /* -1 none */
/* KIP-101/279 end offset for an epoch: (-1,-1) if unknown. */
void partition_log_end_offset_for_epoch(struct partition_log *log, int32_t leader_epoch, int32_t *ret_epoch,
	int64_t *ret_end_offset);

/* Idempotent producers: all of them, freed by the caller (NULL when there is none); and an end to those who have been silent
 * for producer.id.expiration.ms: how many. */
const struct producer_state *partition_log_producers(const struct partition_log *log);
struct producer_info *partition_log_list_producers(const struct partition_log *log, size_t *ret_count);
size_t partition_log_expire_producers(struct partition_log *log);
/* Where readers of committed transactions stop; the high watermark if nothing is open. Kafka: lastStableOffset. */
int64_t partition_log_last_stable_offset(struct partition_log *log, int64_t high_watermark);

/* Cuts everything from `offset` on. Reads back what producers had written before: sleeps where they have since written. */
MUST_CHECK enum status partition_log_truncate(struct partition_log *log, int64_t offset);
/* Drops all and starts again at `offset`. */
MUST_CHECK enum status partition_log_truncate_fully(struct partition_log *log, int64_t offset);
/* Retention by time (the broker's append time), size and log start; never past `high_watermark`. Files are renamed
 * .deleted here and unlinked in the pool after file.delete.delay.ms. Returns the number of segments removed. */
unsigned partition_log_apply_retention(struct partition_log *log, int64_t high_watermark);
/* Compaction (cleanup.policy=compact), of what lies below stable_offset: the high watermark, or the last stable offset. */
struct log_compaction_limits {
	size_t map_bytes;         /* memory for keys; what does not fit is compacted the next time */
	double map_load_factor;   /* below 1 */
	int64_t bytes_per_second; /* read and written; 0: no limit */
};
/* Is there enough to compact, and nothing against it? */
bool partition_log_compaction_due(const struct partition_log *log, int64_t stable_offset, double *ret_dirty_ratio);
/* Only when due. In bounded steps in the pool; readers and appends go on meanwhile. done runs on the owner loop, before the log
 * is closed: STATUS_CANCELLED when it was cut short (truncated, closed, segments deleted). After another failure than
 * STATUS_NO_SPACE the log is uncleanable and never due again. */
void partition_log_compact(struct partition_log *log, int64_t stable_offset, const struct log_compaction_limits *limits,
	void (*done)(void *arg, enum status s), void *arg);
/* Everything before it has been compacted; for cleaner-offset-checkpoint. */
int64_t partition_log_cleaner_offset(const struct partition_log *log);
bool partition_log_is_uncleanable(const struct partition_log *log);
/* Rolls the active segment if segment.ms has passed. */
MUST_CHECK enum status partition_log_roll_if_due(struct partition_log *log);
MUST_CHECK enum status partition_log_set_start_offset(struct partition_log *log, int64_t offset);
void partition_log_update_settings(struct partition_log *log, const struct topic_settings *settings);
/* file.delete.delay.ms as last set. */
int64_t partition_log_file_delete_delay_ms(const struct partition_log *log);
const char *partition_log_directory(const struct partition_log *log);

#endif
