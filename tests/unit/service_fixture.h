/* A service loop over a manual scheduler and a small cluster: broker 1 (this one) and 2; topic "orders" with partitions 0 (led by
 * 1), 1 (led by 2), 2 (no leader); topic "keys", compacted, partition 0 led by 1;
 * topic "packed" with compression.type=zstd. */
#ifndef TESTS_UNIT_SERVICE_FIXTURE_H
#define TESTS_UNIT_SERVICE_FIXTURE_H

#include "service/service_loop.h"

struct service_fixture {
	struct manual_clock clock;
	struct manual_scheduler *manual;
	struct scheduler *scheduler;
	struct settings settings;
	struct cluster_image_holder *images;
	struct replica_router router;
	struct service_loop *service;
	struct arena arena;
	bool with_groups;
};
void service_fixture_init(struct service_fixture *f);
void service_fixture_fini(struct service_fixture *f);
/* The next image has __consumer_offsets too, one partition, led by this broker: groups are coordinated by this (fake) coordinator. */
void service_fixture_add_groups(struct service_fixture *f, struct group_coordinator *const *coordinator);
/* The next image: partition 0 of orders led by `leader`. */
void service_fixture_move_leader(struct service_fixture *f, int32_t leader, int32_t leader_epoch);

#endif
