/* One segment of a log: the records from one base offset on, with an offset index and a time index. Lives on its log's
 * loop; readers hold references to its file alone. */
#ifndef STORAGE_LOG_SEGMENT_H
#define STORAGE_LOG_SEGMENT_H

#include "storage/log_index.h"
#include "storage/log_scan.h"

/* Where a segment lies; borrowed. */
struct log_place {
	struct disk *disk;
	const char *directory;
};
struct log_segment {
	int64_t base_offset;
	struct disk_file *file;
	int64_t size_bytes;
	int64_t synced_bytes;         /* fdatasync'ed: [0, synced_bytes) */
	bool sync_needed;             /* cut since the last fdatasync, or never synced by us */
	uint32_t cuts;                /* truncations: a sync begun before one no longer counts */
	bool mtime_pending;           /* appended_ms is not in the file's mtime yet */
	int64_t max_timestamp;        /* -1 none */
	int64_t max_timestamp_offset; /* last offset of the batch that holds it */
	int64_t created_ms;           /* broker's clock at its first append, as well as is known */
	int64_t appended_ms;          /* broker's clock at its last append; kept as the file's mtime */
	int64_t roll_jitter_ms;
	int64_t bytes_since_index;
	struct log_index offset_index, time_index;
};
/* The part of a segment's name behind the directory: "/00000000000000000042.log"; suffix may be "". Caller frees. */
char *log_segment_path(const char *directory, int64_t base_offset, const char *extension, const char *suffix);
/* Parses "<20 digits>.<extension>"; STATUS_INVALID_ARGUMENT otherwise. ret_extension points into name. */
MUST_CHECK enum status log_segment_parse_name(const char *name, int64_t *ret_base_offset, const char **ret_extension);

/* Takes over an open, empty file. */
struct log_segment *log_segment_new(int64_t base_offset, struct disk_file *file, int64_t now_ms);
/* Opens the file; the indexes are untouched. */
MUST_CHECK enum status log_segment_open(const struct log_place *place, int64_t base_offset, struct log_segment **ret_segment);
/* Closes the file once no reader holds it. */
void log_segment_free(struct log_segment *s);

/* Accounts for a batch now at the end of the file: size, largest timestamp, index entries. Kafka: LogSegment.append. */
void log_segment_add_batch(struct log_segment *s, const struct log_batch_info *b, int32_t index_interval_bytes);
/* The last entry of the time index, as a segment gets it on roll and close. */
void log_segment_finish_time_index(struct log_segment *s);

/* First batch with last offset >= offset. STATUS_NOT_FOUND when none is left in this segment. */
MUST_CHECK enum status log_segment_find(struct log_segment *s, const struct log_place *place, int64_t offset,
	struct log_batch_info *ret_batch);
/* Where the batches end that start at or after `from` (a batch start), reach at most position_max and hold only offsets
 * < end_offset; the first may pass position_max if first_whole. ret_next: the offset behind the last batch taken, -1 if
 * none was. */
MUST_CHECK enum status log_segment_range_end(struct log_segment *s, const struct log_place *place, int64_t from,
	int64_t position_max, int64_t end_offset, bool first_whole, int64_t *ret_position, int64_t *ret_next);
/* First batch with max timestamp >= timestamp and last offset >= offset. STATUS_NOT_FOUND. */
MUST_CHECK enum status log_segment_find_time(struct log_segment *s, const struct log_place *place, int64_t timestamp,
	int64_t offset, struct log_batch_info *ret_batch);

/* The offset behind the last batch that ends at or before `position`, a batch start or the end; the base offset if none does. */
MUST_CHECK enum status log_segment_end_before(struct log_segment *s, const struct log_place *place, int64_t position,
	int64_t *ret_offset);

/* Cuts file and indexes at a batch start; offsets from `offset` on go. An error leaves the file as it was. */
MUST_CHECK enum status log_segment_truncate(struct log_segment *s, const struct log_place *place, int64_t position,
	int64_t offset);
/* Does anything of it wait for the disk? */
bool log_segment_is_dirty(const struct log_segment *s, bool active);
#endif
