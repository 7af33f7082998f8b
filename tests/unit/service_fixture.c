#include "service_fixture.h"

#include "unit.h"

static int32_t both[] = {1, 2}, only_1[] = {1};

static struct image_topic *topic_orders(int32_t leader, int32_t leader_epoch)
{
	const struct image_partition partitions[] = {
		{.partition = 0, .leader = leader, .leader_epoch = leader_epoch, .replicas = both, .isr = both, .replica_count = 2, .isr_count = 2},
		{.partition = 1, .leader = 2, .leader_epoch = 3, .replicas = both, .isr = both, .replica_count = 2, .isr_count = 2},
		{.partition = 2, .leader = -1, .leader_epoch = 4, .replicas = both, .isr = both, .replica_count = 2, .isr_count = 2},
	};
	struct image_topic t = {.name = "orders", .id = {.b = {1}}, .partitions = partitions, .partition_count = 3};
	return image_topic_new(&t);
}

static struct image_topic *topic_keys(void)
{
	const struct image_partition partition = {
		.partition = 0, .leader = 1, .replicas = only_1, .isr = only_1, .replica_count = 1, .isr_count = 1};
	const struct image_config configs[] = {{.key = "cleanup.policy", .value = "compact"}, {.key = "max.message.bytes", .value = "500"}};
	struct image_topic t = {.name = "keys", .id = {.b = {2}}, .partitions = &partition, .partition_count = 1, .configs = configs, .config_count = 2};
	return image_topic_new(&t);
}

static struct image_topic *topic_packed(void)
{
	const struct image_partition partition = {
		.partition = 0, .leader = 1, .replicas = only_1, .isr = only_1, .replica_count = 1, .isr_count = 1};
	const struct image_config config = {.key = "compression.type", .value = "zstd"};
	struct image_topic t = {.name = "packed", .id = {.b = {3}}, .partitions = &partition, .partition_count = 1, .configs = &config, .config_count = 1};
	return image_topic_new(&t);
}

static struct image_topic *topic_of_groups(void)
{
	const struct image_partition partition = {
		.partition = 0, .leader = 1, .replicas = only_1, .isr = only_1, .replica_count = 1, .isr_count = 1};
	struct image_topic t = {.name = "__consumer_offsets", .id = {.b = {4}}, .partitions = &partition, .partition_count = 1};
	return image_topic_new(&t);
}

static void post_image(struct service_fixture *f, int64_t version, int32_t leader, int32_t leader_epoch)
{
	const struct image_endpoint first[] = {{.listener = "PLAINTEXT", .host = "one", .port = 9091}, {.listener = "INSIDE", .host = "10.0.0.1", .port = 19091}};
	const struct image_endpoint second[] = {{.listener = "PLAINTEXT", .host = "two", .port = 9092}, {.listener = "INSIDE", .host = "10.0.0.2", .port = 19092}};
	const struct image_broker brokers[] = {
		{.id = 1, .epoch = 10, .endpoints = first, .endpoint_count = 2},
		{.id = 2, .epoch = 20, .endpoints = second, .endpoint_count = 2},
	};
	struct image_topic *topics[] = {topic_orders(leader, leader_epoch), topic_keys(), topic_packed(),
		f->with_groups ? topic_of_groups() : NULL};
	struct cluster_image_draft draft = {.version = version, .cluster_id = "c", .controller_id = 2, .controller_epoch = 1,
		.brokers = brokers, .broker_count = 2, .topics = topics, .topic_count = f->with_groups ? 4 : 3};
	cluster_image_holder_post(f->images, cluster_image_new(&draft));
	(void)manual_scheduler_run(f->manual);
}

static int place_first(void *arg, const struct topic_partition *tp)
{
	(void)arg;
	(void)tp;
	return 0;
}

void service_fixture_init(struct service_fixture *f)
{
	static struct replica_manager *const managers[] = {NULL}; /* the fakes do not look at it */
	*f = (struct service_fixture){0};
	manual_clock_init(&f->clock, 1000, 1700000000000);
	f->manual = manual_scheduler_new(&f->clock);
	f->scheduler = manual_scheduler_scheduler(f->manual);
	settings_init_defaults(&f->settings);
	f->images = cluster_image_holder_new(f->scheduler);
	f->router = (struct replica_router){.managers = managers, .place = place_first};
	struct service_loop_options o = {.scheduler = f->scheduler, .images = f->images, .router = &f->router,
		.settings = &f->settings, .broker_id = 1};
	f->service = service_loop_new(&o);
	arena_init(&f->arena, 1024 * 1024);
	post_image(f, 1, 1, 5);
}

void service_fixture_move_leader(struct service_fixture *f, int32_t leader, int32_t leader_epoch)
{
	post_image(f, service_loop_image(f->service)->version + 1, leader, leader_epoch);
}

void service_fixture_add_groups(struct service_fixture *f, struct group_coordinator *const *coordinator)
{
	f->with_groups = true;
	f->service->coordinators = coordinator;
	f->service->coordinator_count = 1;
	service_fixture_move_leader(f, 1, 5);
}

void service_fixture_fini(struct service_fixture *f)
{
	arena_fini(&f->arena);
	service_loop_free(f->service);
	cluster_image_holder_free(f->images);
	manual_scheduler_free(f->manual);
	settings_fini(&f->settings);
}
