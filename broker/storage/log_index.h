/* One sparse index of a segment: offset -> position (.index) or timestamp -> offset (.timeindex), Kafka's format.
 * New entries stay in memory (bounded) until a job in the pool writes them; lookups search both. No file is kept open and
 * nothing is mapped, so ten thousand partitions cost little. An index may always be sparser than it could be: entries that
 * cannot be kept or written are dropped. */
#ifndef STORAGE_LOG_INDEX_H
#define STORAGE_LOG_INDEX_H

#include "storage/disk.h"

enum log_index_kind { LOG_INDEX_OFFSET, LOG_INDEX_TIME };
enum {
	LOG_INDEX_WRITE_BYTES = 4096,       /* worth a write once so much waits */
	LOG_INDEX_PENDING_MAX = 64 * 1024,  /* beyond, entries are dropped */
	LOG_INDEX_PATH_MAX = 32,            /* "/" + 20 digits + ".timeindex" */
};
/* OFFSET: key = last offset of an append, value = position where it starts. TIME: key = timestamp, value = offset.
 * Neither ever decreases. */
struct log_index_entry {
	int64_t key, value;
};
struct log_index {
	int64_t base_offset;
	enum log_index_kind kind;
	uint32_t file_count;      /* entries written and valid: [0, file_count) */
	uint32_t pending_count;   /* entries behind them, in memory */
	uint32_t pending_capacity;
	uint32_t generation;      /* changes on truncation: a write under way no longer counts */
	bool cut_pending;         /* the file may hold bytes past file_count that must go */
	bool unsynced;            /* written or cut since the last fdatasync */
	bool missing;             /* there is no file yet */
	uint8_t *pending;
	struct log_index_entry last; /* valid when not empty */
};
void log_index_init(struct log_index *ix, enum log_index_kind kind, int64_t base_offset);
void log_index_fini(struct log_index *ix);
uint32_t log_index_count(const struct log_index *ix);
unsigned log_index_entry_size(const struct log_index *ix);
/* <directory>/<base>.index; caller frees. */
char *log_index_path(const struct log_index *ix, const char *directory);

/* Adds an entry; ignored when it would break the order or the memory is full. */
void log_index_append(struct log_index *ix, int64_t key, int64_t value);
enum log_index_field { LOG_INDEX_KEY, LOG_INDEX_VALUE };
/* Last entry whose field is <= limit. STATUS_NOT_FOUND when there is none. STATUS_CORRUPT, STATUS_IO: the file cannot be
 * trusted, search the segment instead. */
MUST_CHECK enum status log_index_floor(const struct log_index *ix, struct disk *d, const char *directory,
	enum log_index_field field, int64_t limit, struct log_index_entry *ret_entry);
/* Keeps the entries whose field is < limit. On error the index is empty. */
MUST_CHECK enum status log_index_truncate(struct log_index *ix, struct disk *d, const char *directory,
	enum log_index_field field, int64_t limit);
/* Forgets everything; the file goes with the next write. */
void log_index_clear(struct log_index *ix);

/* Takes over an existing file: its size, trailing zeros of a preallocated one, the last entry; with whole also the order of
 * all entries, keeping the sound ones before the first that is not. STATUS_NOT_FOUND, STATUS_CORRUPT: must be rebuilt. */
MUST_CHECK enum status log_index_load(struct log_index *ix, struct disk *d, const char *directory, bool whole);

/* A write that can be done on another thread, with a copy of the pending entries. */
struct log_index_write {
	char *path;        /* NULL: nothing to do */
	uint8_t *bytes;
	size_t size_bytes;
	int64_t position;
	uint32_t count, generation;
	bool cut, sync;
	enum status status;
};
/* Prepares the write if the file needs one (final also makes the file exist and have its exact size). */
void log_index_write_take(struct log_index *ix, const char *directory, bool final, bool sync, struct log_index_write *ret_w);
void log_index_write_run(struct log_index_write *w, struct disk *d);
/* Back on the owner's loop (ix NULL: the segment has gone): the entries leave memory, or stay there after a failure. */
void log_index_write_done(struct log_index_write *w, struct log_index *ix);
#endif
