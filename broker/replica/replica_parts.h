/* Parts of requests on their way to the loop that owns a partition and back. Each is embedded in its request, so that travelling
 * allocates nothing. (The part of a fetch is in delayed_fetch.h.) */
#ifndef REPLICA_REPLICA_PARTS_H
#define REPLICA_REPLICA_PARTS_H

#include "replica/delayed_fetch.h"
#include "replica/delayed_requests.h"
#include "storage/log_manager.h"

/* One batch for one partition. Embedded in the request's arena; zero it, fill the first block. */
struct produce_part {
	struct scheduler *home;      /* the loop that asks; done runs there */
	struct topic_partition tp;
	struct record_batch *batch;  /* validated; its bytes are stamped in place. Both live until done */
	int16_t acks;                /* 0, 1: answered after the append. -1: after the high watermark has passed it */
	int64_t timeout_ms;          /* for acks=-1 */
	int32_t leader_epoch;        /* -1: not checked */

	enum status status; /* NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND (written),
			     * REQUEST_TIMED_OUT (perhaps written), NO_SPACE, KAFKA_STORAGE_ERROR, RECORD_LIST_TOO_LARGE,
			     * INVALID_REQUIRED_ACKS, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH,
			     * INVALID_TXN_STATE, and as in fetch_part */
	int64_t base_offset, log_append_time_ms, log_start_offset; /* -1 on errors */
	bool duplicate; /* of an idempotent producer: it was there already */
	int32_t leader, leader_epoch_now; /* where to go, -1 unknown */
	/* Exactly once, on home; perhaps within replica_manager_append when home is the owner. */
	void (*done)(struct produce_part *p);
	void *arg;

	/* private */
	struct replica_manager *owner;
	struct task task;
	struct produce_waiter waiter;
};

enum {
	LIST_OFFSETS_LATEST = -1, /* the high watermark */
	LIST_OFFSETS_EARLIEST = -2,
	LIST_OFFSETS_MAX_TIMESTAMP = -3,
};
enum list_offsets_by {
	LIST_OFFSETS_BY_TIME,     /* the first record at or after timestamp_ms */
	LIST_OFFSETS_BY_EPOCH,    /* where asked_epoch, or the largest before it, ends (KIP-279); -1, -1: unknown here */
	LIST_OFFSETS_OF_SEGMENTS, /* partition_log_segment_starts, of what is committed */
};
struct list_offsets_part {
	struct scheduler *home;
	struct topic_partition tp;
	enum list_offsets_by by;
	int64_t timestamp_ms; /* or one of the above */
	int32_t asked_epoch;
	int32_t current_leader_epoch; /* -1: not checked */
	int64_t *starts; /* memory of the asker's for starts_max segments */
	size_t starts_max;

	enum status status; /* as in fetch_part; OFFSET_NOT_AVAILABLE: a new leader whose high watermark has not reached the
			     * start of its epoch yet */
	int64_t offset, timestamp; /* -1: no such record */
	int32_t epoch;             /* by epoch: the one that ends at offset */
	size_t starts_count;
	int32_t leader, leader_epoch;
	void (*done)(struct list_offsets_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};

/* Moves the log's start of one partition. */
enum { DELETE_RECORDS_TO_HIGH_WATERMARK = -1 };
struct delete_records_part {
	struct scheduler *home;
	struct topic_partition tp;
	int64_t offset; /* records before it go; or the above */

	enum status status; /* OFFSET_OUT_OF_RANGE: above the high watermark; POLICY_VIOLATION: the topic is compacted only;
			     * and as in fetch_part */
	int64_t low_watermark; /* where the log now begins, on all replicas; -1 on errors */
	int32_t leader, leader_epoch;
	void (*done)(struct delete_records_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};

/* The size of every log of one loop. */
struct log_size {
	struct topic_partition tp;
	size_t directory; /* index into the part's directories; their count: none of them */
	int64_t size_bytes;
};
struct log_sizes_part {
	struct scheduler *home;
	const char *const *directories; /* log.dirs; borrowed until done */
	size_t directory_count;

	struct log_size *sizes; /* malloc'ed for the asker, NULL if none */
	size_t count;
	void (*done)(struct log_sizes_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};

/* What a leader knows of a partition's idempotent producers. */
struct describe_producers_part {
	struct scheduler *home;
	struct topic_partition tp;

	enum status status; /* as in fetch_part */
	struct producer_info *producers; /* malloc'ed for the asker, NULL if none */
	size_t count;
	void (*done)(struct describe_producers_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};

/* Numbers of every replica hosted, for the checkpoint files. */
struct checkpoint_part {
	struct scheduler *home;
	struct log_checkpoint_entry *entries; /* malloc'ed for the asker, NULL if none */
	size_t count;
	bool changed; /* since the last collection; entries are filled either way */
	void (*done)(struct checkpoint_part *p);
	void *arg;

	struct replica_manager *owner;
	struct task task;
};

/* For replica/ only: answers a part, on the owner loop. posted: never within the present call, also when home is the owner. */
void replica_parts_answer_produce(struct produce_part *p, struct scheduler *owner, enum status s, bool posted);
void replica_parts_answer_list_offsets(struct list_offsets_part *p, struct scheduler *owner, enum status s);
void replica_parts_answer_describe_producers(struct describe_producers_part *p, struct scheduler *owner, enum status s);
void replica_parts_answer_checkpoint(struct checkpoint_part *p, struct scheduler *owner);
void replica_parts_answer_delete_records(struct delete_records_part *p, struct scheduler *owner, enum status s);
void replica_parts_answer_log_sizes(struct log_sizes_part *p, struct scheduler *owner);

#endif
