/* One compaction of one log, the half that may sleep: reads the dirty segments into a map of keys, then writes group after
 * group of segments into one <base>.log.cleaned each, step by step. Knows no threads and changes no file that is in use:
 * partition_log_compact.c drives it from the pool and puts its segments in place. Kafka: Cleaner. */
#ifndef STORAGE_LOG_COMPACTION_H
#define STORAGE_LOG_COMPACTION_H

#include "storage/compaction_plan.h"
#include "storage/log_segment.h"
#include "storage/producer_state.h"

struct log_compaction;

struct log_compaction_input {
	struct log_place place; /* borrowed */
	const char *name;       /* "topic-partition", for messages; borrowed */
	/* The segments [0, plan.end_segment) with their files; a reference to each file is taken over. */
	const struct compaction_segment *segments;
	struct disk_file *const *files;
	struct compaction_plan plan;
	int64_t now_ms, delete_retention_ms;
	int64_t segment_bytes, index_bytes;
	int32_t index_interval_bytes;
	bool has_transaction_index;
	struct producer_info *producers; /* those whose last batch must stay; taken over, from malloc */
	size_t producer_count;
	size_t map_bytes;
	double map_load_factor;
};
enum log_compaction_state {
	LOG_COMPACTION_MAPPING, /* more steps */
	LOG_COMPACTION_COPYING, /* more steps */
	LOG_COMPACTION_READY,   /* a cleaned segment is on disk, under its .cleaned name */
	LOG_COMPACTION_DONE,
	LOG_COMPACTION_FAILED,
};
struct log_compaction *log_compaction_new(const struct log_compaction_input *in);
void log_compaction_free(struct log_compaction *c);
enum log_compaction_state log_compaction_state(const struct log_compaction *c);
/* Why FAILED: STATUS_CORRUPT, STATUS_TOO_LARGE (the memory does not hold the keys of one batch), STATUS_IO, STATUS_NO_SPACE. */
enum status log_compaction_status(const struct log_compaction *c);
/* Reads and writes about a MiB; sleeps. Returns the bytes of both. Only while MAPPING or COPYING. */
int64_t log_compaction_step(struct log_compaction *c);

/* READY: segments [*ret_first, *ret_first + *ret_count) of the input have become one, which now belongs to the caller (its
 * indexes are as on disk). */
struct log_segment *log_compaction_take(struct log_compaction *c, size_t *ret_first, size_t *ret_count);
/* The file of an input segment. */
const struct disk_file *log_compaction_file(const struct log_compaction *c, size_t i);
/* The taken one is in place: COPYING or DONE. */
void log_compaction_next(struct log_compaction *c);
/* Unlinks what is unfinished, under whatever suffix; sleeps. */
MUST_CHECK enum status log_compaction_discard(struct log_compaction *c);

/* Known from READY on: everything before it has been compacted. */
int64_t log_compaction_end_offset(const struct log_compaction *c);
struct log_compaction_totals {
	int64_t bytes_before, bytes_after, records_dropped;
	size_t segments_before, segments_after;
};
struct log_compaction_totals log_compaction_totals(const struct log_compaction *c);

/* The kinds of file a cleaned segment may have, its log last. */
enum { LOG_COMPACTION_FILES = 4 };
extern const char *const log_compaction_extensions[LOG_COMPACTION_FILES];
#endif
