/* What one partition knows of its producers: epoch, the last batches, an open transaction. By it a batch sent twice is found
 * out, and one that comes too early refused. Pure memory, rebuilt from the log; the snapshot is Kafka's file, byte for byte.
 * Lives with its log. Kafka: ProducerStateManager, ProducerStateEntry, ProducerAppendInfo; KIP-98, KIP-360. */
#ifndef STORAGE_PRODUCER_STATE_H
#define STORAGE_PRODUCER_STATE_H

#include "base/bytes.h"

enum {
	PRODUCER_STATE_BATCHES = 5,     /* per producer: as many as a client may have in flight */
	PRODUCER_STATE_MAX = 20000,     /* producers per partition; beyond, the one that wrote longest ago is forgotten */
	PRODUCER_SNAPSHOT_HEADER = 10,  /* version, checksum, count */
	PRODUCER_SNAPSHOT_ENTRY = 46,
};

struct producer_state;
struct producer_state *producer_state_new(size_t producers_max);
void producer_state_free(struct producer_state *s);
void producer_state_clear(struct producer_state *s);

/* A batch of data, as its header says. */
struct producer_append {
	int64_t producer_id;
	int64_t base_offset, timestamp;
	int32_t offset_delta;
	int32_t base_sequence; /* -1: none (what coordinators write) */
	int16_t epoch;
	bool transactional;
};
/* Where a batch was stored when it first came. */
struct producer_duplicate {
	int64_t base_offset, last_offset, timestamp;
};
/* May a client's batch be appended? STATUS_DUPLICATE_SEQUENCE_NUMBER: it is in the log already, there (a success);
 * STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER; STATUS_INVALID_PRODUCER_EPOCH; STATUS_INVALID_TXN_STATE: transactional outside of a
 * transaction, or not within one. A producer that is not known may begin at any sequence. Changes nothing. */
MUST_CHECK enum status producer_state_check(const struct producer_state *s, const struct producer_append *a,
	struct producer_duplicate *ret_duplicate);
/* A batch is in the log, checked or, from a leader or a file, not. used_ms: when, by the broker's clock, as well as that is
 * known: it lives for producer.id.expiration.ms from then. Allocates for a new producer only. */
void producer_state_append(struct producer_state *s, const struct producer_append *a, int64_t used_ms);

struct producer_marker {
	int64_t producer_id;
	int64_t offset, timestamp;
	int32_t coordinator_epoch;
	int16_t epoch;
};
/* The end of a transaction is in the log. */
void producer_state_end_transaction(struct producer_state *s, const struct producer_marker *m, int64_t used_ms);
/* The first offset of a transaction that is open, or whose end has not passed the high watermark; -1 when there is none:
 * readers of committed records stay below it. */
int64_t producer_state_first_unstable_offset(struct producer_state *s, int64_t high_watermark);

/* Forgets who has not written for expiration_ms and has no transaction open. Returns how many. */
size_t producer_state_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms);

/* What the log holds from here on has changed nothing here; -1: nothing has. */
int64_t producer_state_end_offset(const struct producer_state *s);

/* For DescribeProducers; the newest last. */
struct producer_info {
	int64_t producer_id, last_timestamp;
	int64_t transaction_first_offset; /* -1: none open */
	int64_t last_offset;              /* -1: no batch since the epoch began */
	int32_t last_sequence;            /* -1: likewise */
	int32_t coordinator_epoch;
	int16_t epoch;
};
size_t producer_state_count(const struct producer_state *s);
/* All of them, producer_state_count; freed by the caller, NULL when there is none. */
struct producer_info *producer_state_list(const struct producer_state *s);

/* The bytes of <offset>.snapshot; freed by the caller. Of each producer its last batch is kept, as in Kafka. */
uint8_t *producer_state_snapshot(const struct producer_state *s, size_t *ret_size);
/* Replaces what is known by what a snapshot says of the log before `offset`. used_ms tells when a producer's last batch was
 * written, as well as that is known. STATUS_CORRUPT: then s is empty. */
MUST_CHECK enum status producer_state_load(struct producer_state *s, struct slice snapshot, int64_t offset,
	int64_t (*used_ms)(void *arg, int64_t last_offset, int64_t timestamp), void *arg);

/* Sequences go round from 2^31-1 to 0. */
int32_t producer_state_sequence_after(int32_t sequence, int32_t count);

#endif
