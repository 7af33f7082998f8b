#include "replica_fixture.h"

static int place(void *arg, const struct topic_partition *tp)
{
	(void)arg;
	return tp->partition % FIXTURE_LOOPS;
}

static bool is_disk_full(void *arg)
{
	struct replica_fixture *f = arg;
	return f->disk_full;
}

static void partition_failed(void *arg, const struct topic_partition *tp, enum status why)
{
	struct replica_fixture *f = arg;
	expect(tp->topic[0] != '\0' && why != STATUS_OK);
	f->failed++;
}

void replica_fixture_init(struct replica_fixture *f)
{
	*f = (struct replica_fixture){0};
	manual_clock_init(&f->clock, 1000 * 1000, 1000);
	f->settings.log_retention_check_interval_ms = 300 * 1000;
	f->topic = (struct topic_settings){
		.log_flush_policy = FLUSH_commit, .min_insync_replicas = 1, .flush_ms = 1000, .flush_messages = INT64_MAX};
	for (int i = 0; i < FIXTURE_LOOPS; i++) {
		f->loops[i] = manual_scheduler_new(&f->clock);
		f->managers[i] = replica_manager_new(&(struct replica_manager_options){
			.scheduler = manual_scheduler_scheduler(f->loops[i]),
			.settings = &f->settings,
			.broker_id = FIXTURE_BROKER,
			.disk_full = is_disk_full,
			.partition_failed = partition_failed,
			.arg = f,
		});
	}
	f->router = (struct replica_router){.managers = f->managers, .place = place};
}

void replica_fixture_fini(struct replica_fixture *f)
{
	for (int i = 0; i < FIXTURE_LOOPS; i++)
		replica_manager_free(f->managers[i]);
	for (int i = 0; i < FIXTURE_LOOPS; i++)
		manual_scheduler_free(f->loops[i]);
}

struct scheduler *replica_fixture_home(struct replica_fixture *f)
{
	return manual_scheduler_scheduler(f->loops[0]);
}

void replica_fixture_run(struct replica_fixture *f)
{
	unsigned steps;
	do {
		steps = 0;
		for (int i = 0; i < FIXTURE_LOOPS; i++)
			steps += manual_scheduler_run(f->loops[i]);
	} while (steps > 0);
}

void replica_fixture_advance_ms(struct replica_fixture *f, int64_t ms)
{
	for (int64_t i = 0; i < ms; i++) {
		manual_clock_advance_us(&f->clock, 1000);
		replica_fixture_run(f);
	}
}

static void ordered(struct replica_command *c)
{
	bool *done = c->arg;
	*done = true;
}

enum status replica_fixture_order(struct replica_fixture *f, enum replica_command_kind kind, struct partition_log *log,
	const struct order_options *o)
{
	static const int32_t brokers[] = {1, 2, 3, 4, 5};
	bool done = false;
	struct replica_command c = {
		.kind = kind,
		.tp = log->tp,
		.leader = o->leader,
		.leader_epoch = o->leader_epoch,
		.replicas = brokers,
		.replica_count = o->replica_count,
		.isr = brokers,
		.isr_count = o->isr_count,
		.settings = f->topic,
		.log = log,
		.high_watermark = o->high_watermark,
		.done = ordered,
		.home = replica_fixture_home(f),
		.arg = &done,
	};
	replica_manager_execute(replica_router_owner(&f->router, &log->tp), &c);
	replica_fixture_run(f);
	expect(done);
	return c.status;
}

struct partition_log *replica_fixture_lead(struct replica_fixture *f, int32_t partition)
{
	struct partition_log *log = fake_log_new("t", partition);
	enum status s = replica_fixture_order(
		f, REPLICA_BECOME, log, &(struct order_options){.leader = FIXTURE_BROKER, .replica_count = 1, .isr_count = 1});
	expect(s == STATUS_OK);
	return log;
}

static void produced(struct produce_part *p)
{
	struct produce_call *c = CONTAINER_OF(p, struct produce_call, part);
	c->done++;
}

void replica_fixture_produce(struct replica_fixture *f, struct produce_call *c, int32_t partition, int16_t acks, int32_t records)
{
	*c = (struct produce_call){.batch = {.record_count = records, .base_timestamp = 1000}};
	c->part = (struct produce_part){
		.home = replica_fixture_home(f),
		.tp = {.topic = "t", .partition = partition},
		.batch = &c->batch,
		.acks = acks,
		.timeout_ms = 100,
		.leader_epoch = -1,
		.done = produced,
	};
	replica_manager_append(replica_router_owner(&f->router, &c->part.tp), &c->part);
}

static void fetched(struct delayed_fetch *fetch)
{
	struct fetch_call *c = CONTAINER_OF(fetch, struct fetch_call, fetch);
	c->done++;
}

void replica_fixture_fetch(struct replica_fixture *f, struct fetch_call *c, size_t count, int64_t offset, size_t min_bytes,
	int64_t max_wait_ms)
{
	*c = (struct fetch_call){0};
	for (size_t i = 0; i < count; i++) {
		struct fetch_part *p = &c->parts[i];
		p->tp = (struct topic_partition){.topic = "t", .partition = (int32_t)i};
		p->owner = replica_router_owner(&f->router, &p->tp);
		p->offset = offset;
		p->max_bytes = 1000;
		p->current_leader_epoch = -1;
	}
	c->fetch = (struct delayed_fetch){
		.home = replica_fixture_home(f),
		.parts = c->parts,
		.part_count = count,
		.min_bytes = min_bytes,
		.max_bytes = 10000,
		.max_wait_ms = max_wait_ms,
		.done = fetched,
	};
}

void fetch_call_fini(struct fetch_call *c)
{
	for (size_t i = 0; i < c->fetch.part_count; i++)
		iobuf_fini(&c->parts[i].records);
}

static void listed(struct list_offsets_part *p)
{
	struct list_offsets_call *c = CONTAINER_OF(p, struct list_offsets_call, part);
	c->done++;
}

enum status replica_fixture_list_offsets(struct replica_fixture *f, int32_t partition, int64_t timestamp, int64_t *ret_offset)
{
	struct list_offsets_call c = {.part = {
					      .home = replica_fixture_home(f),
					      .tp = {.topic = "t", .partition = partition},
					      .timestamp_ms = timestamp,
					      .current_leader_epoch = -1,
					      .done = listed,
				      }};
	replica_manager_list_offsets(replica_router_owner(&f->router, &c.part.tp), &c.part);
	replica_fixture_run(f);
	expect(c.done == 1);
	*ret_offset = c.part.offset;
	return c.part.status;
}
