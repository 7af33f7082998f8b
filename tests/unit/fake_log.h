/* A partition log and a log manager without a disk, whose flushes end when the test says so. Stands in for storage/partition_log
 * and storage/log_manager in tests of what is above them. Each record counts FAKE_RECORD_BYTES. */
#ifndef TESTS_UNIT_FAKE_LOG_H
#define TESTS_UNIT_FAKE_LOG_H

#include "storage/log_manager.h"

enum { FAKE_RECORD_BYTES = 10, FAKE_RECORDS_MAX = 4096 };

struct partition_log {
	struct scheduler *owner;
	struct topic_partition tp;
	struct topic_settings settings;
	int64_t start, end, flushed;
	int64_t timestamps[FAKE_RECORDS_MAX];
	int32_t epochs[16];
	int64_t epoch_starts[16];
	int epoch_count;
	bool fenced, closed, close_synced;
	bool flush_at_once; /* a flush asked for is done within the call */
	int flushes_asked;
	enum status append_status, epoch_status; /* what the next calls answer */
	struct log_append_info duplicate;        /* the next append is this one's repetition, if it says so */
	struct producer_info producer;           /* the only one; id 0: there is none */
	size_t silent_producers;                 /* found by the next search */
	int64_t retention_high_watermark;        /* of the last partition_log_apply_retention; -1 none */
	unsigned retention_removes;              /* records the next retention removes */
	int rolls;
	double dirty_ratio; /* above 0: compaction is due */
	bool compacting;
	void (*compacted)(void *arg, enum status s);
	void *compacted_arg;
	void (*flushed_fn)(void *arg, enum status s);
	void *flushed_arg;
};
struct partition_log *fake_log_new(const char *topic, int32_t partition);
void fake_log_free(struct partition_log *log);
/* The fdatasync under way returns: everything up to `offset` is durable, or with another status than OK nothing is. */
void fake_log_finish_flush(struct partition_log *log, int64_t offset, enum status s);

/* The compaction under way ends; nothing is left to compact. */
void fake_log_end_compaction(struct partition_log *log, enum status s);

/* Answers come as tasks on its scheduler. */
struct log_manager *fake_log_manager_new(struct scheduler *scheduler);
/* Frees its logs too. */
void fake_log_manager_free(struct log_manager *m);
void fake_log_manager_fail_next(struct log_manager *m, enum status s);
int fake_log_manager_created(const struct log_manager *m);
int fake_log_manager_deleted(const struct log_manager *m);
int fake_log_manager_checkpoints_written(const struct log_manager *m);
int64_t fake_log_manager_checkpointed(const struct log_manager *m, const struct topic_partition *tp);
/* As if found on disk at start. */
struct partition_log *fake_log_manager_put(struct log_manager *m, const char *topic, int32_t partition, int64_t high_watermark);

#endif
