/* A fetch over any partitions of this broker that may wait for bytes. One struct delayed_fetch with one struct fetch_part per
 * partition, all in the request's arena: waiting allocates nothing.
 *
 * It reads on every owner loop, and if it found too little it leaves a waiter on each partition; the first append or
 * high-watermark move that makes up min_bytes (added up over all partitions and loops), a role change, or the deadline wakes it
 * exactly once; it then reads again and answers with whatever is there. */
#ifndef REPLICA_DELAYED_FETCH_H
#define REPLICA_DELAYED_FETCH_H

#include "base/iobuf.h"
#include "base/scheduler.h"
#include "base/topic_partition.h"
#include <stdatomic.h>

struct replica_manager;
struct partition;
struct delayed_fetch;

/* On the partition's list; touched on the owner loop only. */
struct fetch_waiter {
	struct fetch_waiter *next, *previous;
	struct partition *partition; /* NULL: not waiting */
	int64_t counted_from;        /* bytes above this offset count towards missing_bytes */
	int64_t counted_bytes;       /* already subtracted */
};

/* One partition of a fetch. Zero it, fill the first block; the second is valid in done. */
struct fetch_part {
	struct replica_manager *owner; /* replica_router_owner(); of any loop */
	struct topic_partition tp;
	int64_t offset;
	size_t max_bytes;             /* of this partition; the first batch comes whole */
	int32_t current_leader_epoch; /* -1: not checked */
	bool check_epoch;             /* the reader's last record is of last_fetched_epoch */
	int32_t last_fetched_epoch;

	enum status status; /* OK, OFFSET_OUT_OF_RANGE, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
			     * KAFKA_STORAGE_ERROR; UNKNOWN_TOPIC_OR_PARTITION: this broker hosts no such replica (if the
			     * image knows it, the front says NOT_LEADER_OR_FOLLOWER and the image's leader) */
	int64_t high_watermark, log_start_offset; /* -1 on errors */
	int32_t leader, leader_epoch;             /* as the replica knows it, -1 unknown: where to go */
	struct iobuf records; /* ranges of segment files; the caller moves it out, or iobuf_fini()s it, in done */
	size_t record_bytes;
	bool diverges; /* OK, but without records: the reader's log has to be cut to this epoch's end first */
	int32_t diverging_epoch;
	int64_t diverging_end_offset;

	/* private */
	struct task read_task, wait_task;
	struct delayed_fetch *fetch;
	struct fetch_waiter waiter;
};

struct delayed_fetch {
	unsigned magic;
	struct scheduler *home; /* the connection's loop: start is called and done comes here */
	struct fetch_part *parts;
	size_t part_count;
	size_t min_bytes; /* 0: never wait */
	size_t max_bytes; /* of all parts together. Parts that do not fit come back empty; the first with data is never cut */
	int64_t max_wait_ms;
	/* Exactly once; nothing refers to the struct afterwards. May be called within start. */
	void (*done)(struct delayed_fetch *f);
	void *arg;

	/* private */
	struct task wake_task;
	struct loop_timer timer;
	_Atomic int64_t missing_bytes;
	_Atomic bool woken; /* whoever sets it causes the second reading */
	int64_t started_us;
	int state;
	size_t pending;
};
MAGIC(delayed_fetch, 0x64664554);
void delayed_fetch_start(struct delayed_fetch *f);
/* On home, between start and done: stop waiting now; done comes soon, with what is there. */
void delayed_fetch_hurry(struct delayed_fetch *f);

/* For partition: on the owner loop, n more bytes are there for this waiter (or the wait has lost its point: INT64_MAX). */
void delayed_fetch_progress(struct fetch_waiter *w, int64_t n);

#endif
