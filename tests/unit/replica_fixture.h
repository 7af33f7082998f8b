/* Replica managers on manual schedulers, over fake logs, and requests to them. */
#ifndef TESTS_UNIT_REPLICA_FIXTURE_H
#define TESTS_UNIT_REPLICA_FIXTURE_H

#include "fake_log.h"
#include "replica/replica_manager.h"

enum { FIXTURE_LOOPS = 3, FIXTURE_BROKER = 1 };

/* Loop 0 is the one requests come from; partition p is owned by loop p % FIXTURE_LOOPS. */
struct replica_fixture {
	struct manual_clock clock;
	struct manual_scheduler *loops[FIXTURE_LOOPS];
	struct replica_manager *managers[FIXTURE_LOOPS];
	struct replica_router router;
	struct settings settings;
	struct topic_settings topic;
	bool disk_full;
	int failed;
};
void replica_fixture_init(struct replica_fixture *f);
void replica_fixture_fini(struct replica_fixture *f);
struct scheduler *replica_fixture_home(struct replica_fixture *f);
/* Runs every loop until none has anything due. */
void replica_fixture_run(struct replica_fixture *f);
/* Lets time pass on all loops, a millisecond at a time. */
void replica_fixture_advance_ms(struct replica_fixture *f, int64_t ms);

struct order_options {
	int32_t leader, leader_epoch;
	size_t replica_count, isr_count; /* brokers 1, 2, 3 ... */
	int64_t high_watermark;
};
/* Carried out at once; returns its answer. */
enum status replica_fixture_order(struct replica_fixture *f, enum replica_command_kind kind, struct partition_log *log,
	const struct order_options *o);
/* Leader of one replica, in epoch 0. */
struct partition_log *replica_fixture_lead(struct replica_fixture *f, int32_t partition);

struct produce_call {
	struct produce_part part;
	struct record_batch batch;
	int done;
};
/* Sends a batch of `records` records from loop 0; timestamps from 1000 on. Runs nothing. */
void replica_fixture_produce(struct replica_fixture *f, struct produce_call *c, int32_t partition, int16_t acks, int32_t records);

struct fetch_call {
	struct delayed_fetch fetch;
	struct fetch_part parts[4];
	int done;
};
/* Two-step: prepare, perhaps change, then delayed_fetch_start. Partitions 0 .. count-1 from `offset`. */
void replica_fixture_fetch(struct replica_fixture *f, struct fetch_call *c, size_t count, int64_t offset, size_t min_bytes,
	int64_t max_wait_ms);
void fetch_call_fini(struct fetch_call *c);

struct list_offsets_call {
	struct list_offsets_part part;
	int done;
};
enum status replica_fixture_list_offsets(struct replica_fixture *f, int32_t partition, int64_t timestamp, int64_t *ret_offset);

#endif
