/* The records a coordinator writes to one partition of __consumer_offsets. All that is written within one turn of the loop goes in
 * one batch, as Kafka 4's coordinator does with its append linger; each write is whole in one batch. Runs on the partition's loop.
 * Kafka: GroupMetadataManager.appendForGroup. */
#ifndef COORDINATOR_GROUP_LOG_H
#define COORDINATOR_GROUP_LOG_H

#include "base/scheduler.h"
#include "base/topic_partition.h"
#include "config/settings.h"
#include "coordinator/group_records.h"

struct replica_manager;

/* One write: embedded in what waits for it. */
struct group_write {
	struct group_write *next;
	/* Exactly once, never within group_log_write. OK: committed (offsets.commit.required.acks), the records at first_offset and
	 * after. MESSAGE_TOO_LARGE: larger than max.message.bytes; else as produce_part, first_offset -1 (REQUEST_TIMED_OUT: it may
	 * still be committed). */
	void (*done)(struct group_write *w, enum status s, int64_t first_offset);

	int32_t first; /* its first record's place in the batch */
};

struct group_append;
struct group_log {
	struct scheduler *scheduler;
	struct replica_manager *replicas;
	const struct settings *settings;
	struct topic_partition tp;
	int32_t leader_epoch;   /* of the role in which it is written */
	size_t batch_bytes_max; /* max.message.bytes of the topic */

	struct group_append *open;      /* collects what this turn writes; NULL: nothing yet */
	struct group_append *in_flight; /* ring */
	struct record_batch_builder *spare;
	struct task flush_task;
	bool flush_posted;
};
void group_log_init(struct group_log *l, struct scheduler *scheduler, struct replica_manager *replicas,
	const struct settings *settings, int32_t partition);
/* After group_log_abandon, when the loop has ended or no turn of it is posted. */
void group_log_fini(struct group_log *l);
/* The partition is led in this epoch. */
void group_log_open(struct group_log *l, int32_t leader_epoch, size_t batch_bytes_max);
/* It no longer is: every write under way is answered with s, now; what has been appended goes on without it. */
void group_log_abandon(struct group_log *l, enum status s);

/* Appends `count` records (copied) at the turn's end. */
void group_log_write(struct group_log *l, struct group_write *w, const struct group_record_bytes *records, size_t count);

/* Tells in the words of the group protocol why a write failed. */
enum status group_log_commit_status(enum status s);
enum status group_log_metadata_status(enum status s);

#endif
