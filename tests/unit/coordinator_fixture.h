/* A group coordinator on one manual loop, over real replicas and logs on a simulated disk: PARTITIONS of __consumer_offsets, led by
 * this broker. Crashes and comes back. */
#ifndef TESTS_UNIT_COORDINATOR_FIXTURE_H
#define TESTS_UNIT_COORDINATOR_FIXTURE_H

#include "coordinator/group_coordinator.h"
#include "replica/replica_manager.h"
#include "storage/partition_log.h"
#include "tests/simulation/sim_disk.h"

enum { COORDINATOR_PARTITIONS = 2, COORDINATOR_PARTITIONS_MAX = 50, COORDINATOR_WALL_MS = 1700000000 };

struct coordinator_fixture {
	struct manual_clock clock;
	struct manual_scheduler *manual;
	struct scheduler *scheduler;
	struct sim_disk *disk;
	struct log_environment env;
	struct settings settings;
	struct topic_settings topic;
	struct cluster_image_holder *images;
	int64_t image_version;
	struct replica_manager *replicas;
	struct group_coordinator *coordinator;
	const char *data; /* folder of the partitions' */
	int partitions;
	struct partition_log *logs[COORDINATOR_PARTITIONS_MAX];
	int32_t leader_epoch;
};
void coordinator_fixture_init(struct coordinator_fixture *f, uint64_t seed);
/* Over the directories of a broker on the real disk: `partitions` of __consumer_offsets in `data`. */
void coordinator_fixture_init_at(struct coordinator_fixture *f, const char *data, int partitions);
void coordinator_fixture_fini(struct coordinator_fixture *f);
/* Opens the logs and makes everything over them; nothing is led yet. */
void coordinator_fixture_start(struct coordinator_fixture *f);
void coordinator_fixture_lead(struct coordinator_fixture *f);
void coordinator_fixture_follow(struct coordinator_fixture *f);
/* A clean stop, or (the disk is off, or is about to forget) not: everything in memory is gone. */
void coordinator_fixture_stop(struct coordinator_fixture *f);
/* stop, power loss, start, lead; all is loaded. */
void coordinator_fixture_crash(struct coordinator_fixture *f);
void coordinator_fixture_run(struct coordinator_fixture *f);
void coordinator_fixture_advance_ms(struct coordinator_fixture *f, int64_t ms);
/* The cluster has these topics, 10 partitions each, besides __consumer_offsets. */
void coordinator_fixture_topics(struct coordinator_fixture *f, const char *const *names, size_t count);

struct coordinator_call {
	struct group_request r;
	struct arena arena;
	int done;
};
struct coordinator_call *coordinator_call_new(enum group_request_kind kind, const char *group);
void coordinator_call_free(struct coordinator_call *c);
/* Sends it; runs nothing. */
void coordinator_call_send(struct coordinator_fixture *f, struct coordinator_call *c);
/* Sends it and runs until it is answered; the status of the whole. */
enum status coordinator_call_answer(struct coordinator_fixture *f, struct coordinator_call *c);

/* Outside any generation. Its own status; of the offset: ret_offset_status may be NULL. */
enum status coordinator_commit(struct coordinator_fixture *f, const char *group, const char *topic, int32_t partition, int64_t offset);
/* -1: none; -2: the request failed. */
int64_t coordinator_fetch(struct coordinator_fixture *f, const char *group, const char *topic, int32_t partition);
/* One member joins, and gets its assignment as the leader of a group of its own. The call holds the member id. */
struct coordinator_call *coordinator_join_alone(struct coordinator_fixture *f, const char *group);

#endif
