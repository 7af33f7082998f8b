/* Services over real loops, 1 and 4 of them: many connections spread produce and fetch requests over partitions of all loops; each
 * request is answered once, and each connection's batches reach a partition in the order they were sent. The replica layer is
 * faked: it notes the order on the owner's loop and sends the part home. For ThreadSanitizer. */
#include "unit.h"

#include "runtime/loop_group.h"
#include "service/fetch_service.h"
#include "service/produce_service.h"

enum {
	LOOPS_MAX = 4,
	PARTITIONS = 6,
	CONNECTIONS = 8,
	REQUESTS = 60,      /* of each connection, every one to each partition */
	WINDOW = 3,         /* requests of a connection under way */
	FETCH_EVERY = 4,
};

/* --- the fakes: each runs on the owner's loop ----------------------------- */

struct replica_manager {
	struct scheduler *scheduler;
	int appended[CONNECTIONS][PARTITIONS]; /* sequence numbers seen so far */
};

static void go_home(struct task *t)
{
	struct produce_part *p = CONTAINER_OF(t, struct produce_part, task);
	p->done(p);
}

static void append_here(struct task *t)
{
	struct produce_part *p = CONTAINER_OF(t, struct produce_part, task);
	struct replica_manager *m = p->owner;
	expect_on_loop(m->scheduler);
	/* The producer id carries the connection, the base sequence the number of its request. */
	int64_t connection = p->batch->producer_id;
	ck_assert_int_eq(p->batch->base_sequence, m->appended[connection][p->tp.partition]);
	m->appended[connection][p->tp.partition]++;
	record_batch_stamp((uint8_t *)(uintptr_t)p->batch->data.p, p->batch->base_sequence, 1);
	p->status = STATUS_OK;
	p->base_offset = p->batch->base_sequence;
	p->log_append_time_ms = -1;
	task_init(&p->task, "produced", go_home);
	scheduler_post(p->home, &p->task);
}

void replica_manager_append(struct replica_manager *owner, struct produce_part *part)
{
	part->owner = owner;
	task_init(&part->task, "append", append_here);
	if (owner->scheduler == part->home)
		append_here(&part->task);
	else
		scheduler_post(owner->scheduler, &part->task);
}

static void answer_fetch(struct task *t)
{
	struct delayed_fetch *f = CONTAINER_OF(t, struct delayed_fetch, wake_task);
	for (size_t i = 0; i < f->part_count; i++) {
		iobuf_init(&f->parts[i].records);
		iobuf_append_copy(&f->parts[i].records, slice_of_str("xyz"));
		f->parts[i].record_bytes = 3;
	}
	f->done(f);
}

void delayed_fetch_start(struct delayed_fetch *f)
{
	task_init(&f->wake_task, "fetched", answer_fetch);
	scheduler_post(f->home, &f->wake_task);
}

void delayed_fetch_hurry(struct delayed_fetch *f)
{
	(void)f;
}

void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part)
{
	(void)owner;
	(void)part;
	ck_abort_msg("nobody lists offsets here");
}

/* --- the cluster under test ----------------------------------------------- */

static struct rig {
	struct loop_group *group;
	int loop_count;
	struct settings settings;
	struct replica_manager managers[LOOPS_MAX];
	struct replica_manager *manager_list[LOOPS_MAX];
	struct replica_router router;
	struct cluster_image_holder *holders[LOOPS_MAX];
	struct service_loop *services[LOOPS_MAX];
	struct event_loop *main;
	struct task finished[CONNECTIONS];
	int finished_count;
} rig;

struct connection_under_test {
	int id;
	struct service_loop *service;
	struct task start;
	int sent, answered;
	struct slot {
		struct connection_under_test *connection;
		struct arena arena;
		struct produce_request produce;
		struct produce_entry entries[PARTITIONS];
		struct fetch_request fetch;
		struct fetch_entry fetches[PARTITIONS];
	} slots[WINDOW];
};
static struct connection_under_test connections[CONNECTIONS];

static void connection_finished(struct task *t)
{
	(void)t;
	if (++rig.finished_count == CONNECTIONS)
		event_loop_stop(rig.main);
}

static void send_next(struct slot *s);

static void answered(struct slot *s)
{
	struct connection_under_test *c = s->connection;
	expect_on_loop(c->service->scheduler);
	arena_reset(&s->arena);
	s->arena.limit_bytes = 1024 * 1024;
	if (++c->answered == REQUESTS) {
		task_init(&rig.finished[c->id], "finished", connection_finished);
		scheduler_post(event_loop_scheduler(rig.main), &rig.finished[c->id]);
	} else {
		send_next(s);
	}
}

static void produced(struct produce_request *r)
{
	struct slot *s = r->arg;
	for (int p = 0; p < PARTITIONS; p++) {
		ck_assert_int_eq(s->entries[p].status, STATUS_OK);
		ck_assert_int_eq(s->entries[p].base_offset, s->entries[0].base_offset);
	}
	answered(s);
}

static void fetched(struct fetch_request *r)
{
	struct slot *s = r->arg;
	ck_assert_uint_eq(r->records.size_bytes, 3 * PARTITIONS);
	iobuf_fini(&r->records);
	answered(s);
}

static void send_fetch(struct slot *s)
{
	for (int p = 0; p < PARTITIONS; p++)
		s->fetches[p] = (struct fetch_entry){.topic = "t", .partition = p, .max_bytes = 100, .current_leader_epoch = -1};
	s->fetch = (struct fetch_request){.service = s->connection->service, .arena = &s->arena, .listener = "PLAINTEXT",
		.min_bytes = 1, .max_bytes = 1000, .max_wait_ms = 10, .entries = s->fetches, .entry_count = PARTITIONS, .done = fetched,
		.arg = s};
	ck_assert_int_eq(fetch_service_start(&s->fetch), STATUS_OK);
}

static void send_produce(struct slot *s, int32_t sequence)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 256);
	struct slice batch;
	record_batch_builder_add(b, 1700000000000, slice_of_str("k"), slice_of_str("value"), NULL, 0);
	record_batch_builder_set_producer(b, s->connection->id, 0, sequence);
	ck_assert_int_eq(record_batch_builder_finish(b, &batch), STATUS_OK);
	for (int p = 0; p < PARTITIONS; p++) {
		uint8_t *copy = arena_alloc(&s->arena, batch.n);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, batch.p, batch.n);
		s->entries[p] = (struct produce_entry){.topic = "t", .partition = p, .records = slice_of(copy, batch.n)};
	}
	record_batch_builder_free(b);
	s->produce = (struct produce_request){.service = s->connection->service, .arena = &s->arena, .listener = "PLAINTEXT",
		.acks = 1, .timeout_ms = 1000, .entries = s->entries, .entry_count = PARTITIONS, .done = produced, .arg = s};
	produce_service_start(&s->produce);
}

static void send_next(struct slot *s)
{
	struct connection_under_test *c = s->connection;
	if (c->sent == REQUESTS)
		return;
	int n = c->sent++;
	if (n % FETCH_EVERY == FETCH_EVERY - 1)
		send_fetch(s);
	else
		send_produce(s, n - n / FETCH_EVERY);
}

static void start_connection(struct task *t)
{
	struct connection_under_test *c = CONTAINER_OF(t, struct connection_under_test, start);
	for (int i = 0; i < WINDOW; i++)
		send_next(&c->slots[i]);
}

static struct cluster_image *make_image(void)
{
	static const int32_t me[] = {1};
	struct image_partition partitions[PARTITIONS];
	for (int p = 0; p < PARTITIONS; p++)
		partitions[p] = (struct image_partition){
			.partition = p, .leader = 1, .leader_epoch = 1, .replicas = me, .isr = me, .replica_count = 1, .isr_count = 1};
	/* An override, so that the cache of settings is used on every loop. */
	const struct image_config config = {.key = "max.message.bytes", .value = "5000"};
	struct image_topic t = {.name = "t", .id = {.b = {1}}, .partitions = partitions, .partition_count = PARTITIONS,
		.configs = &config, .config_count = 1};
	struct image_topic *topics[] = {image_topic_new(&t)};
	struct cluster_image_draft draft = {.version = 1, .cluster_id = "c", .controller_id = 1, .topics = topics, .topic_count = 1};
	return cluster_image_new(&draft);
}

static int place(void *arg, const struct topic_partition *tp)
{
	return loop_group_place(arg, tp);
}

static void rig_start(int loop_count)
{
	rig = (struct rig){.loop_count = loop_count};
	settings_init_defaults(&rig.settings);
	ck_assert_int_eq(event_loop_new("main", -1, clock_system(), &rig.main), STATUS_OK);
	ck_assert_int_eq(loop_group_new(loop_count, clock_system(), &rig.group), STATUS_OK);
	rig.router = (struct replica_router){.managers = rig.manager_list, .place = place, .arg = rig.group};
	struct cluster_image *image = make_image();
	for (int i = 0; i < loop_count; i++) {
		struct scheduler *s = loop_group_scheduler(rig.group, i);
		rig.managers[i] = (struct replica_manager){.scheduler = s};
		rig.manager_list[i] = &rig.managers[i];
		rig.holders[i] = cluster_image_holder_new(s);
		cluster_image_holder_post(rig.holders[i], cluster_image_shared_ref(image));
		struct service_loop_options o = {.scheduler = s, .images = rig.holders[i], .router = &rig.router,
			.settings = &rig.settings, .broker_id = 1};
		rig.services[i] = service_loop_new(&o);
	}
	cluster_image_shared_unref(image);
}

static void rig_end(void)
{
	loop_group_stop(rig.group);
	for (int i = 0; i < rig.loop_count; i++) {
		service_loop_free(rig.services[i]);
		cluster_image_holder_free(rig.holders[i]);
	}
	loop_group_free(rig.group);
	event_loop_free(rig.main);
	settings_fini(&rig.settings);
}

static void run(int loop_count)
{
	rig_start(loop_count);
	ck_assert_int_eq(loop_group_start(rig.group), STATUS_OK);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection_under_test *c = &connections[i];
		*c = (struct connection_under_test){.id = i, .service = rig.services[i % loop_count]};
		for (int k = 0; k < WINDOW; k++) {
			c->slots[k].connection = c;
			arena_init(&c->slots[k].arena, 1024 * 1024);
		}
		task_init(&c->start, "start", start_connection);
		scheduler_post(c->service->scheduler, &c->start);
	}
	event_loop_run(rig.main);
	rig_end();
	int total = 0;
	for (int i = 0; i < loop_count; i++)
		for (int c = 0; c < CONNECTIONS; c++)
			for (int p = 0; p < PARTITIONS; p++)
				total += rig.managers[i].appended[c][p];
	ck_assert_int_eq(total, CONNECTIONS * PARTITIONS * (REQUESTS - REQUESTS / FETCH_EVERY));
	for (int i = 0; i < CONNECTIONS; i++)
		for (int k = 0; k < WINDOW; k++)
			arena_fini(&connections[i].slots[k].arena);
}

START_TEST(services_keep_order_on_one_loop)
{
	run(1);
}
END_TEST

START_TEST(services_keep_order_on_four_loops)
{
	run(4);
}
END_TEST

UNIT_MAIN("service_threads", services_keep_order_on_one_loop, services_keep_order_on_four_loops)
