#include "coordinator_fixture.h"

#include "unit.h"

enum { BROKER = 1, ARENA_MAX = 16 << 20 };

enum { PATH_SIZE = 256 };

static void directory_of(const struct coordinator_fixture *f, int i, char out[static PATH_SIZE])
{
	(void)snprintf(out, PATH_SIZE, "%s/%s-%d", f->data, GROUP_COORDINATOR_TOPIC, i);
}

static void init(struct coordinator_fixture *f, const char *data, int partitions)
{
	f->data = data;
	f->partitions = partitions;
	settings_init_defaults(&f->settings);
	f->settings.group_initial_rebalance_delay_ms = 0;
	topic_settings_init_defaults(&f->topic);
	f->topic.cleanup_policy = CLEANUP_compact;
}

void coordinator_fixture_init_at(struct coordinator_fixture *f, const char *data, int partitions)
{
	*f = (struct coordinator_fixture){0};
	manual_clock_init(&f->clock, 1000 * 1000, (int64_t)COORDINATOR_WALL_MS * 1000);
	init(f, data, partitions);
	coordinator_fixture_start(f);
}

void coordinator_fixture_init(struct coordinator_fixture *f, uint64_t seed)
{
	*f = (struct coordinator_fixture){0};
	manual_clock_init(&f->clock, 1000 * 1000, (int64_t)COORDINATOR_WALL_MS * 1000);
	f->disk = sim_disk_new(seed, &f->clock.clock);
	init(f, "/data", COORDINATOR_PARTITIONS);
	for (int i = 0; i < f->partitions; i++) {
		char path[PATH_SIZE];
		directory_of(f, i, path);
		sim_disk_prepare_directory(f->disk, path);
	}
	coordinator_fixture_start(f);
}

void coordinator_fixture_fini(struct coordinator_fixture *f)
{
	coordinator_fixture_stop(f);
	settings_fini(&f->settings);
	if (f->disk != NULL)
		sim_disk_free(f->disk);
}

static void open_log(struct coordinator_fixture *f, int i)
{
	char path[PATH_SIZE];
	struct failure failure = {0};
	directory_of(f, i, path);
	struct log_open_options o = {.directory = path, .settings = &f->topic, .log_start_offset = -1};
	ck_assert_int_eq(topic_partition_set(&o.tp, slice_of_str(GROUP_COORDINATOR_TOPIC), i), STATUS_OK);
	enum status s = partition_log_open(&f->env, &o, &f->logs[i], &failure);
	ck_assert_msg(s == STATUS_OK, "%s: %s", status_name(s), failure.text);
}

static void commanded(struct replica_command *c)
{
	ck_assert_int_eq(c->status, STATUS_OK);
	*(bool *)c->arg = true;
}

static void order(struct coordinator_fixture *f, enum replica_command_kind kind, int i, int32_t leader)
{
	static const int32_t brokers[] = {BROKER};
	bool done = false;
	struct replica_command c = {
		.kind = kind,
		.leader = leader,
		.leader_epoch = f->leader_epoch,
		.replicas = brokers,
		.replica_count = 1,
		.isr = brokers,
		.isr_count = 1,
		.settings = f->topic,
		.log = f->logs[i],
		.home = f->scheduler,
		.done = commanded,
		.arg = &done,
	};
	ck_assert_int_eq(topic_partition_set(&c.tp, slice_of_str(GROUP_COORDINATOR_TOPIC), i), STATUS_OK);
	replica_manager_execute(f->replicas, &c);
	while (!done)
		ck_assert(manual_scheduler_step(f->manual));
}

void coordinator_fixture_start(struct coordinator_fixture *f)
{
	f->manual = manual_scheduler_new(&f->clock);
	f->scheduler = manual_scheduler_scheduler(f->manual);
	f->env = (struct log_environment){
		.disk = f->disk == NULL ? disk_system() : sim_disk_disk(f->disk), .clock = &f->clock.clock, .background = manual_scheduler_background(f->manual)};
	f->images = cluster_image_holder_new(f->scheduler);
	f->replicas = replica_manager_new(&(struct replica_manager_options){
		.scheduler = f->scheduler, .settings = &f->settings, .broker_id = BROKER});
	f->coordinator = group_coordinator_new(&(struct group_coordinator_options){
		.scheduler = f->scheduler,
		.replicas = f->replicas,
		.images = f->images,
		.background = manual_scheduler_background(f->manual),
		.settings = &f->settings,
	});
	for (int i = 0; i < f->partitions; i++) {
		open_log(f, i);
		order(f, REPLICA_HOST, i, -1);
	}
}

void coordinator_fixture_lead(struct coordinator_fixture *f)
{
	f->leader_epoch++;
	for (int i = 0; i < f->partitions; i++)
		order(f, REPLICA_BECOME, i, BROKER);
}

void coordinator_fixture_follow(struct coordinator_fixture *f)
{
	f->leader_epoch++;
	for (int i = 0; i < f->partitions; i++)
		order(f, REPLICA_BECOME, i, BROKER + 1);
}

static void stopped(struct checkpoint_part *p)
{
	*(bool *)p->arg = true;
}

void coordinator_fixture_stop(struct coordinator_fixture *f)
{
	bool done = false;
	struct checkpoint_part part = {.home = f->scheduler, .done = stopped, .arg = &done};
	group_coordinator_stop(f->coordinator);
	(void)manual_scheduler_run(f->manual);
	replica_manager_stop(f->replicas, &part);
	(void)manual_scheduler_run(f->manual);
	ck_assert(done);
	free(part.entries);
	group_coordinator_free(f->coordinator);
	replica_manager_free(f->replicas);
	cluster_image_holder_free(f->images);
	manual_scheduler_free(f->manual);
}

void coordinator_fixture_crash(struct coordinator_fixture *f)
{
	sim_disk_power_off(f->disk, 1);
	coordinator_fixture_stop(f);
	sim_disk_crash(f->disk);
	coordinator_fixture_start(f);
	coordinator_fixture_lead(f);
	coordinator_fixture_run(f);
}

void coordinator_fixture_run(struct coordinator_fixture *f)
{
	(void)manual_scheduler_run(f->manual);
}

void coordinator_fixture_advance_ms(struct coordinator_fixture *f, int64_t ms)
{
	manual_scheduler_advance_us(f->manual, ms * 1000);
	coordinator_fixture_run(f);
}

void coordinator_fixture_topics(struct coordinator_fixture *f, const char *const *names, size_t count)
{
	static const int32_t me[] = {BROKER};
	enum { TOPICS_MAX = 8, PARTITIONS = 10 };
	struct image_topic *topics[TOPICS_MAX];
	struct image_partition partitions[PARTITIONS];
	ck_assert_uint_le(count, TOPICS_MAX);
	for (int p = 0; p < PARTITIONS; p++)
		partitions[p] = (struct image_partition){.partition = p, .leader = BROKER, .replicas = me, .isr = me,
			.replica_count = 1, .isr_count = 1};
	for (size_t i = 0; i < count; i++) {
		struct image_topic t = {.name = names[i], .partitions = partitions, .partition_count = PARTITIONS};
		memcpy(t.id.b, names[i], strlen(names[i]) < sizeof(t.id.b) ? strlen(names[i]) : sizeof(t.id.b));
		topics[i] = image_topic_new(&t);
	}
	struct cluster_image_draft draft = {.version = ++f->image_version, .cluster_id = "c", .controller_id = 1, .topics = topics,
		.topic_count = count};
	cluster_image_holder_post(f->images, cluster_image_new(&draft));
	coordinator_fixture_run(f);
}

/* --- calls ---------------------------------------------------------------- */

static void answered(struct group_request *r)
{
	struct coordinator_call *c = r->arg;
	c->done++;
}

struct coordinator_call *coordinator_call_new(enum group_request_kind kind, const char *group)
{
	struct coordinator_call *c = check_calloc(1, sizeof(*c));
	arena_init(&c->arena, ARENA_MAX);
	c->r = (struct group_request){
		.kind = kind, .group_id = arena_strdup(&c->arena, slice_of_str(group)), .arena = &c->arena, .done = answered, .arg = c};
	return c;
}

void coordinator_call_free(struct coordinator_call *c)
{
	ck_assert_int_eq(c->done, 1);
	arena_fini(&c->arena);
	free(c);
}

void coordinator_call_send(struct coordinator_fixture *f, struct coordinator_call *c)
{
	c->r.home = f->scheduler;
	c->r.partition = group_coordinator_partition(c->r.group_id, f->partitions);
	group_coordinator_start(f->coordinator, &c->r);
}

enum status coordinator_call_answer(struct coordinator_fixture *f, struct coordinator_call *c)
{
	coordinator_call_send(f, c);
	coordinator_fixture_run(f);
	ck_assert_int_eq(c->done, 1);
	return c->r.status;
}

enum status coordinator_commit(struct coordinator_fixture *f, const char *group, const char *topic, int32_t partition, int64_t offset)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, group);
	struct group_request_offset o = {.topic = topic, .partition = partition, .offset = offset, .leader_epoch = 3,
		.metadata = "note", .commit_timestamp = -1};
	c->r.commit = (struct group_request_commit){
		.member_id = "", .generation = -1, .retention_ms = -1, .offsets = &o, .offset_count = 1};
	enum status s = coordinator_call_answer(f, c);
	if (s == STATUS_OK)
		s = o.status;
	coordinator_call_free(c);
	return s;
}

int64_t coordinator_fetch(struct coordinator_fixture *f, const char *group, const char *topic, int32_t partition)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, group);
	struct group_request_offset o = {.topic = topic, .partition = partition};
	c->r.fetch = (struct group_request_fetch){.member_epoch = -1, .offsets = &o, .offset_count = 1};
	enum status s = coordinator_call_answer(f, c);
	int64_t offset = s == STATUS_OK && o.status == STATUS_OK ? o.offset : -2;
	coordinator_call_free(c);
	return offset;
}

struct coordinator_call *coordinator_join_alone(struct coordinator_fixture *f, const char *group)
{
	static const struct group_named_bytes range = {.name = "range"};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_JOIN, group);
	c->r.join = (struct group_request_join){.member_id = "", .client_id = "app", .client_host = "/127.0.0.1",
		.session_timeout_ms = 10000, .rebalance_timeout_ms = 60000, .protocol_type = "consumer", .protocols = &range,
		.protocol_count = 1};
	ck_assert_int_eq(coordinator_call_answer(f, c), STATUS_OK);
	struct coordinator_call *s = coordinator_call_new(GROUP_REQUEST_SYNC, group);
	const struct group_named_bytes assignment = {.name = c->r.join.ret_member_id, .bytes = slice_of_str("all of it")};
	s->r.sync = (struct group_request_sync){.member_id = c->r.join.ret_member_id, .generation = c->r.join.generation,
		.assignments = &assignment, .assignment_count = 1};
	ck_assert_int_eq(coordinator_call_answer(f, s), STATUS_OK);
	ck_assert(slice_equal(s->r.sync.assignment, slice_of_str("all of it")));
	coordinator_call_free(s);
	return c;
}
