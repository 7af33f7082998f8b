/* The files <offset>.snapshot of one partition: what its producers were before that offset. Disposable: what is missing or
 * damaged is read from the log instead. But none may survive of records that are no more, so removal is durable before
 * anything is written in their place. Sleeps. Kafka: ProducerStateManager, SnapshotFile. */
#ifndef STORAGE_PRODUCER_SNAPSHOTS_H
#define STORAGE_PRODUCER_SNAPSHOTS_H

#include "storage/log_segment.h"
#include "storage/producer_state.h"

/* Written under this name, then renamed. Ours; Kafka ignores it. */
#define PRODUCER_SNAPSHOT_TMP_NAME "next-snapshot.tmp"

struct producer_snapshots {
	int64_t *offsets; /* ascending */
	size_t count, capacity;
};
void producer_snapshots_fini(struct producer_snapshots *l);
/* A file of that offset is there. */
void producer_snapshots_add(struct producer_snapshots *l, int64_t offset);
/* It went with its segment. */
void producer_snapshots_forget(struct producer_snapshots *l, int64_t offset);
bool producer_snapshots_has(const struct producer_snapshots *l, int64_t offset);

/* Durably removes those of offsets above `offset`. */
MUST_CHECK enum status producer_snapshots_remove_above(struct producer_snapshots *l, const struct log_place *place,
	int64_t offset);
/* After opening: removes what Kafka would, too: all but those of a segment's base offset, and the newest one. */
MUST_CHECK enum status producer_snapshots_tidy(struct producer_snapshots *l, const struct log_place *place,
	const int64_t *bases, size_t base_count);
/* Loads the newest good one of an offset >= from into s; damaged ones are removed. *ret_offset is -1, and s empty, when there
 * is none. */
MUST_CHECK enum status producer_snapshots_load(struct producer_snapshots *l, const struct log_place *place, int64_t from,
	struct producer_state *s, int64_t (*used_ms)(void *arg, int64_t last_offset, int64_t timestamp), void *arg,
	int64_t *ret_offset);

/* The file under its temporary name. Unsynced, a crash may leave anything of it: its checksum tells. */
MUST_CHECK enum status producer_snapshots_write_tmp(const struct log_place *place, struct slice bytes, bool sync);
/* Gives it its name. */
MUST_CHECK enum status producer_snapshots_rename_tmp(const struct log_place *place, int64_t offset);
#endif
