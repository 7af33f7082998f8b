/* Groups over real loops, logs and threads: members on every loop join, sync, commit, fetch and leave groups that live on every other,
 * while the partitions of __consumer_offsets keep changing their leader epoch. Each request is answered once; what was committed and
 * acknowledged is found again at the end. For ThreadSanitizer above all. */
#include "base/diag.h"
#include "replica/replica_manager.h"
#include "runtime/blocking_pool.h"
#include "runtime/loop_group.h"
#include "service/group_service.h"
#include "coordinator/group_coordinator.h"
#include "unit.h"

#include <ftw.h>
#include <unistd.h>

enum {
	LOOPS_MAX = 4,
	PARTITIONS = 5,
	MEMBERS = 12, /* of all loops */
	GROUPS = 4,
	ROUNDS = 25, /* of each member */
	EPOCHS = 19, /* leader epochs that pass meanwhile */
	TRIES_MAX = 1000000,
	LOOK_US = 1000,
};

enum step { STEP_JOIN, STEP_SYNC, STEP_COMMIT, STEP_HEARTBEAT, STEP_FETCH, STEP_LIST, STEP_LEAVE };

struct member {
	struct scheduler *loop;
	struct service_loop *service;
	struct task start, over;
	int id, rounds, tries;
	enum step step;
	bool busy;
	struct arena arena;
	struct group_request r;
	struct group_service_list list;
	char group[16], name[128];
	struct group_request_offset offset;
	struct group_request_leaver leaver;
	int64_t committed; /* -1 none; of the partition of this member's own id */
};

static struct rig {
	char root[64];
	struct settings settings;
	struct topic_settings topic;
	struct loop_group *group;
	struct event_loop *main;
	struct blocking_pool *pool;
	int loop_count;
	struct replica_manager *managers[LOOPS_MAX];
	struct replica_router router;
	struct cluster_image_holder *holders[LOOPS_MAX];
	struct group_coordinator *coordinators[LOOPS_MAX];
	struct service_loop *services[LOOPS_MAX];
	struct partition_log *logs[PARTITIONS];
	struct replica_command orders[PARTITIONS];
	int ordered, epochs, over, stopped;
	struct loop_timer timer;
	_Atomic int commits; /* acknowledged */
	struct member members[MEMBERS];
	struct task stops[LOOPS_MAX];
	struct checkpoint_part parts[LOOPS_MAX];
} rig;

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int place(void *arg, const struct topic_partition *tp)
{
	return loop_group_place(arg, tp);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* --- members -------------------------------------------------------------- */

static void act(struct member *m);

/* A turn of its own: requests that are refused at once answer within the call. */
static void act_again(struct task *t)
{
	act(CONTAINER_OF(t, struct member, start));
}

static void member_over(struct task *t);

static void next(struct member *m, enum step step)
{
	m->step = step;
	m->busy = false;
	ck_assert_int_lt(m->tries++, TRIES_MAX);
	if (step == STEP_JOIN && m->rounds == ROUNDS) {
		task_init(&m->over, "over", member_over);
		scheduler_post(event_loop_scheduler(rig.main), &m->over);
		return;
	}
	task_init(&m->start, "act", act_again);
	scheduler_post(m->loop, &m->start);
}

static void commit_answered(struct member *m)
{
	bool done = m->r.status == STATUS_OK && m->offset.status == STATUS_OK;
	if (done) {
		m->committed = m->offset.offset;
		m->rounds++; /* a round counts when its commit does */
		atomic_fetch_add(&rig.commits, 1);
	}
	next(m, STEP_HEARTBEAT);
}

static void fetch_answered(struct member *m)
{
	/* Committed by this member only, ever larger: never less than what was acknowledged. */
	if (m->r.status == STATUS_OK)
		ck_assert_int_ge(m->offset.offset, m->committed);
	next(m, STEP_LIST);
}

static void answered(struct group_request *r)
{
	struct member *m = r->arg;
	expect_on_loop(m->loop);
	ck_assert(m->busy);
	switch (m->step) {
	case STEP_JOIN:
		(void)snprintf(m->name, sizeof(m->name), "%s", r->status == STATUS_OK ? r->join.ret_member_id : "");
		next(m, r->status == STATUS_OK ? STEP_SYNC : STEP_COMMIT);
		return;
	case STEP_SYNC:
		next(m, STEP_COMMIT);
		return;
	case STEP_COMMIT:
		commit_answered(m);
		return;
	case STEP_HEARTBEAT:
		next(m, STEP_FETCH);
		return;
	case STEP_FETCH:
		fetch_answered(m);
		return;
	case STEP_LIST:
	case STEP_LEAVE:
		next(m, STEP_JOIN);
		return;
	}
}

static void list_answered(struct group_service_list *l)
{
	struct member *m = l->arg;
	expect_on_loop(m->loop);
	ck_assert(l->list.status == STATUS_OK || l->list.status == STATUS_COORDINATOR_LOAD_IN_PROGRESS);
	next(m, STEP_LEAVE);
}

static void fill(struct member *m)
{
	static const struct group_named_bytes range = {.name = "range"};
	static struct group_named_bytes assignments[MEMBERS];
	struct group_request *r = &m->r;
	switch (m->step) {
	case STEP_JOIN:
		r->kind = GROUP_REQUEST_JOIN;
		r->join = (struct group_request_join){.member_id = "", .client_id = "app", .client_host = "/h",
			.session_timeout_ms = 1000, .rebalance_timeout_ms = 20, .protocol_type = "consumer", .protocols = &range,
			.protocol_count = 1};
		return;
	case STEP_SYNC:
		r->kind = GROUP_REQUEST_SYNC;
		r->sync = (struct group_request_sync){.member_id = m->name, .generation = m->r.join.generation, .assignments = assignments};
		return;
	case STEP_COMMIT:
		/* Of a group nobody joins: members of one that does would be fenced by its generations. */
		r->kind = GROUP_REQUEST_COMMIT;
		(void)snprintf(m->group, sizeof(m->group), "commits-%d", m->id);
		m->offset = (struct group_request_offset){
			.topic = "t", .partition = 0, .offset = m->rounds, .leader_epoch = -1, .metadata = "x", .commit_timestamp = -1};
		r->commit = (struct group_request_commit){
			.member_id = "", .generation = -1, .retention_ms = -1, .offsets = &m->offset, .offset_count = 1};
		return;
	case STEP_HEARTBEAT:
		r->kind = GROUP_REQUEST_HEARTBEAT;
		r->heartbeat = (struct group_request_heartbeat){.member_id = m->name, .generation = 1};
		return;
	case STEP_FETCH:
		r->kind = GROUP_REQUEST_FETCH;
		(void)snprintf(m->group, sizeof(m->group), "commits-%d", m->id);
		m->offset = (struct group_request_offset){.topic = "t", .partition = 0};
		r->fetch = (struct group_request_fetch){.member_epoch = -1, .offsets = &m->offset, .offset_count = 1};
		return;
	case STEP_LIST:
	case STEP_LEAVE:
		r->kind = GROUP_REQUEST_LEAVE;
		m->leaver = (struct group_request_leaver){.member_id = m->name};
		r->leave = (struct group_request_leave){.members = &m->leaver, .member_count = 1};
		return;
	}
}

static void act(struct member *m)
{
	int32_t generation = m->r.join.generation;
	arena_reset(&m->arena);
	m->busy = true;
	if (m->step == STEP_LIST) {
		m->list = (struct group_service_list){
			.service = m->service, .list = {.arena = &m->arena}, .done = list_answered, .arg = m};
		group_service_list(&m->list);
		return;
	}
	(void)snprintf(m->group, sizeof(m->group), "group-%d", (m->id + m->rounds) % GROUPS);
	m->r = (struct group_request){.group_id = m->group, .arena = &m->arena, .done = answered, .arg = m};
	m->r.join.generation = generation;
	fill(m);
	group_service_start(m->service, &m->r);
}

/* --- roles ---------------------------------------------------------------- */

static void lead_all(void);
static void stop_all(void);

static void start_members(void)
{
	for (int i = 0; i < MEMBERS; i++) {
		struct member *m = &rig.members[i];
		*m = (struct member){.loop = loop_group_scheduler(rig.group, i % rig.loop_count),
			.service = rig.services[i % rig.loop_count], .id = i, .committed = -1};
		arena_init(&m->arena, 1 << 20);
		task_init(&m->start, "act", act_again);
		scheduler_post(m->loop, &m->start);
	}
}

static void ordered(struct replica_command *c)
{
	ck_assert_int_eq(c->status, STATUS_OK);
	if (--rig.ordered > 0)
		return;
	if (rig.epochs == 1)
		start_members();
	if (rig.over == MEMBERS)
		stop_all();
	else
		scheduler_timer_arm(event_loop_scheduler(rig.main), &rig.timer, LOOK_US);
}

/* The next epoch comes when this one has seen its share of commits; led elsewhere it sees none. */
static void look(struct loop_timer *t)
{
	bool led_here = rig.epochs % 3 != 2;
	if (rig.over == MEMBERS)
		return;
	if (led_here && (rig.epochs == EPOCHS || atomic_load(&rig.commits) < rig.epochs * (MEMBERS * ROUNDS / EPOCHS)))
		scheduler_timer_arm(event_loop_scheduler(rig.main), t, LOOK_US);
	else
		lead_all();
}

static void order_here(struct task *t)
{
	struct replica_command *c = CONTAINER_OF(t, struct replica_command, task);
	replica_manager_execute(c->arg, c);
}

/* In the next epoch; every third time led by another broker in between. */
static void lead_all(void)
{
	static const int32_t brokers[] = {1};
	rig.epochs++;
	rig.ordered = PARTITIONS;
	for (int i = 0; i < PARTITIONS; i++) {
		struct replica_command *c = &rig.orders[i];
		*c = (struct replica_command){.kind = REPLICA_BECOME, .leader = rig.epochs % 3 == 2 ? 2 : 1, .leader_epoch = rig.epochs,
			.replicas = brokers, .replica_count = 1, .isr = brokers, .isr_count = 1, .settings = rig.topic, .log = rig.logs[i],
			.home = event_loop_scheduler(rig.main), .done = ordered};
		ck_assert_int_eq(topic_partition_set(&c->tp, slice_of_str(GROUP_COORDINATOR_TOPIC), i), STATUS_OK);
		c->arg = replica_router_owner(&rig.router, &c->tp);
		task_init(&c->task, "order", order_here);
		scheduler_post(replica_manager_scheduler(c->arg), &c->task);
	}
}

static void closed(struct checkpoint_part *p)
{
	free(p->entries);
	if (++rig.stopped == rig.loop_count)
		event_loop_stop(rig.main);
}

static void stop_here(struct task *t)
{
	group_coordinator_stop(rig.coordinators[t - rig.stops]);
}

static void stop_all(void)
{
	for (int i = 0; i < rig.loop_count; i++) {
		task_init(&rig.stops[i], "stop", stop_here);
		scheduler_post(loop_group_scheduler(rig.group, i), &rig.stops[i]);
		rig.parts[i] = (struct checkpoint_part){.home = event_loop_scheduler(rig.main), .done = closed};
		replica_manager_stop(rig.managers[i], &rig.parts[i]);
	}
}

static void member_over(struct task *t)
{
	(void)t;
	if (++rig.over == MEMBERS && rig.ordered == 0)
		stop_all();
}

/* --- one run -------------------------------------------------------------- */

static struct cluster_image *make_image(void)
{
	static const int32_t me[] = {1};
	struct image_partition partitions[PARTITIONS];
	for (int p = 0; p < PARTITIONS; p++)
		partitions[p] = (struct image_partition){
			.partition = p, .leader = 1, .leader_epoch = 1, .replicas = me, .isr = me, .replica_count = 1, .isr_count = 1};
	struct image_topic offsets = {.name = GROUP_COORDINATOR_TOPIC, .id = {.b = {1}}, .partitions = partitions, .partition_count = PARTITIONS};
	struct image_topic t = {.name = "t", .id = {.b = {2}}, .partitions = partitions, .partition_count = 1};
	struct image_topic *topics[] = {image_topic_new(&offsets), image_topic_new(&t)};
	struct cluster_image_draft draft = {.version = 1, .cluster_id = "c", .controller_id = 1, .topics = topics, .topic_count = 2};
	return cluster_image_new(&draft);
}

static void open_logs(void)
{
	static struct log_environment env;
	env = (struct log_environment){
		.disk = disk_system(), .clock = clock_system(), .background = blocking_pool_background(rig.pool)};
	for (int i = 0; i < PARTITIONS; i++) {
		char path[128];
		struct failure f = {0};
		(void)snprintf(path, sizeof(path), "%s/%s-%d", rig.root, GROUP_COORDINATOR_TOPIC, i);
		enum status made = disk_mkdir(disk_system(), path);
		ck_assert(made == STATUS_OK || made == STATUS_EXISTS);
		struct log_open_options o = {.directory = path, .settings = &rig.topic, .log_start_offset = -1};
		ck_assert_int_eq(topic_partition_set(&o.tp, slice_of_str(GROUP_COORDINATOR_TOPIC), i), STATUS_OK);
		ck_assert_int_eq(partition_log_open(&env, &o, &rig.logs[i], &f), STATUS_OK);
	}
}

static void build(int loop_count)
{
	rig.loop_count = loop_count;
	settings_init_defaults(&rig.settings);
	rig.settings.group_initial_rebalance_delay_ms = 1;
	rig.settings.group_min_session_timeout_ms = 1;
	topic_settings_init_defaults(&rig.topic);
	ck_assert_int_eq(blocking_pool_new(2, &rig.pool), STATUS_OK);
	ck_assert_int_eq(event_loop_new("main", -1, clock_system(), &rig.main), STATUS_OK);
	ck_assert_int_eq(loop_group_new(loop_count, clock_system(), &rig.group), STATUS_OK);
	rig.router = (struct replica_router){.managers = rig.managers, .place = place, .arg = rig.group};
	struct cluster_image *image = make_image();
	for (int i = 0; i < loop_count; i++) {
		struct scheduler *s = loop_group_scheduler(rig.group, i);
		rig.holders[i] = cluster_image_holder_new(s);
		cluster_image_holder_post(rig.holders[i], cluster_image_shared_ref(image));
		rig.managers[i] = replica_manager_new(
			&(struct replica_manager_options){.scheduler = s, .settings = &rig.settings, .broker_id = 1});
		rig.coordinators[i] = group_coordinator_new(&(struct group_coordinator_options){.scheduler = s,
			.replicas = rig.managers[i], .images = rig.holders[i], .background = blocking_pool_background(rig.pool),
			.settings = &rig.settings});
		rig.services[i] = service_loop_new(&(struct service_loop_options){.scheduler = s, .images = rig.holders[i],
			.router = &rig.router, .coordinators = rig.coordinators, .coordinator_count = (size_t)loop_count,
			.settings = &rig.settings, .broker_id = 1});
	}
	cluster_image_shared_unref(image);
	open_logs();
}

static void take_apart(void)
{
	loop_group_stop(rig.group);
	blocking_pool_free(rig.pool);
	for (int i = 0; i < rig.loop_count; i++) {
		service_loop_free(rig.services[i]);
		group_coordinator_free(rig.coordinators[i]);
		replica_manager_free(rig.managers[i]);
		cluster_image_holder_free(rig.holders[i]);
	}
	loop_group_free(rig.group);
	event_loop_free(rig.main);
	settings_fini(&rig.settings);
}

static void run(int loop_count)
{
	rig = (struct rig){0};
	const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(rig.root, sizeof(rig.root), "%s/correio-groups-XXXXXX", folder);
	ck_assert_ptr_nonnull(mkdtemp(rig.root));
	diag_set_sink(quiet, NULL);
	build(loop_count);
	ck_assert_int_eq(loop_group_start(rig.group), STATUS_OK);
	loop_timer_init(&rig.timer, "look", look);
	lead_all();
	event_loop_run(rig.main);
	for (int i = 0; i < MEMBERS; i++) {
		ck_assert_int_eq(rig.members[i].committed, ROUNDS - 1);
		arena_fini(&rig.members[i].arena);
	}
	take_apart();
	ck_assert_int_eq(nftw(rig.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(groups_on_one_loop)
{
	run(1);
}
END_TEST

START_TEST(groups_on_four_loops)
{
	run(4);
}
END_TEST

UNIT_MAIN("group_threads", groups_on_one_loop, groups_on_four_loops)
