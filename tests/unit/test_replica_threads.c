/* The whole of cluster/ and replica/ over real logs, loops and threads: every loop produces to and reads from partitions of every
 * other, while the cluster loop changes metadata and settings, writes checkpoints, and deletes and re-creates a partition. Then a
 * clean stop, and what was acknowledged is looked for after opening again. For ThreadSanitizer above all. */
#include "base/diag.h"
#include "cluster/cluster_state.h"
#include "coordinator-client/zk_standalone.h"
#include "replica/replica_checkpoints.h"
#include "runtime/blocking_pool.h"
#include "runtime/loop_group.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <unistd.h>

enum {
	LOOPS_MAX = 4,
	PARTITIONS = 8,
	DELETED = 7, /* goes and comes back during the run */
	BATCHES = 150, /* each loop sends */
	IN_FLIGHT = 4,
	DISTURBANCES = 30,
};

struct broker;
/* What one loop does, and has seen. */
struct driver {
	struct broker *broker;
	struct scheduler *loop;
	int index;
	struct task start_task, fetch_task, done_task;
	struct record_batch_builder *builder;
	struct sender {
		struct driver *driver;
		struct produce_part part;
		struct record_batch batch;
		uint8_t *bytes;
	} senders[IN_FLIGHT];
	int sent, senders_done;
	int64_t acked[PARTITIONS][BATCHES]; /* base offsets */
	int acked_count[PARTITIONS];
	struct delayed_fetch fetch;
	struct fetch_part parts[PARTITIONS];
	int64_t next_offset[PARTITIONS];
	int fetches;
	bool fetch_over;
};

struct broker {
	char root[64];
	struct settings settings;
	int loop_count;
	struct loop_group *group;
	struct event_loop *cluster;
	struct blocking_pool *pool;
	struct replica_manager *managers[LOOPS_MAX];
	struct replica_host hosts[LOOPS_MAX];
	struct cluster_image_holder *holders[LOOPS_MAX];
	struct replica_router router;
	struct cluster_state *state;
	struct zk_tree *tree;
	struct zk_client *zk;
	struct log_manager *logs;
	struct replica_checkpoints *checkpoints;
	struct driver *drivers;
	int drivers_done, disturbances;
	int32_t leader_epoch;
	bool traffic, disturbing;
	int64_t ends[PARTITIONS]; /* what the first life left; -1 unknown */
};

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

/* --- drivers -------------------------------------------------------------------------------------------------------------- */

static void driver_check_done(struct driver *d);

static void send_next(struct sender *s)
{
	struct driver *d = s->driver;
	if (d->sent == BATCHES) {
		d->senders_done++;
		driver_check_done(d);
		return;
	}
	int32_t partition = (d->sent * 5 + d->index) % PARTITIONS;
	struct slice batch;
	record_batch_builder_reset(d->builder);
	for (int i = 0; i < 3; i++)
		record_batch_builder_add(d->builder, 1000 + i, slice_of_str("k"), slice_of_str("value"), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(d->builder, &batch), STATUS_OK);
	free(s->bytes);
	s->bytes = check_alloc(batch.n);
	memcpy(s->bytes, batch.p, batch.n);
	ck_assert_int_eq(record_batch_parse(slice_of(s->bytes, batch.n), &s->batch), STATUS_OK);
	s->part.batch = &s->batch;
	s->part.tp = (struct topic_partition){.topic = "t", .partition = partition};
	s->part.acks = d->sent % 3 == 0 ? 1 : -1;
	d->sent++;
	replica_manager_append(replica_router_owner(&d->broker->router, &s->part.tp), &s->part);
}

static void produced(struct produce_part *p)
{
	struct sender *s = CONTAINER_OF(p, struct sender, part);
	struct driver *d = s->driver;
	int32_t partition = p->tp.partition;
	if (p->status == STATUS_OK) {
		ck_assert_int_ge(p->base_offset, 0);
		if (partition != DELETED)
			d->acked[partition][d->acked_count[partition]++] = p->base_offset;
	} else {
		ck_assert_int_eq(partition, DELETED);
		ck_assert(p->status == STATUS_NOT_LEADER_OR_FOLLOWER || p->status == STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	}
	send_next(s);
}

static void fetch_again(struct driver *d);

static void fetched(struct delayed_fetch *f)
{
	struct driver *d = f->arg;
	d->fetches++;
	for (int p = 0; p < PARTITIONS; p++) {
		struct fetch_part *part = &d->parts[p];
		if (part->status == STATUS_OK) {
			ck_assert_uint_eq(part->records.size_bytes, part->record_bytes);
			ck_assert_int_ge(part->high_watermark, p == DELETED ? 0 : d->next_offset[p]);
			if (part->record_bytes > 0)
				d->next_offset[p] = part->high_watermark;
		} else {
			ck_assert_int_eq(p, DELETED);
			d->next_offset[p] = 0;
		}
		iobuf_fini(&part->records);
	}
	scheduler_post(d->loop, &d->fetch_task); /* not from within: a fetch that fails is done at once */
}

static void fetch_again(struct driver *d)
{
	if (d->senders_done == IN_FLIGHT) {
		d->fetch_over = true;
		driver_check_done(d);
		return;
	}
	for (int32_t p = 0; p < PARTITIONS; p++) {
		struct fetch_part *part = &d->parts[p];
		*part = (struct fetch_part){.tp = {.topic = "t", .partition = p}};
		part->owner = replica_router_owner(&d->broker->router, &part->tp);
		part->offset = d->next_offset[p];
		part->max_bytes = 1 << 20;
		part->current_leader_epoch = -1;
	}
	d->fetch = (struct delayed_fetch){
		.home = d->loop,
		.parts = d->parts,
		.part_count = PARTITIONS,
		.min_bytes = d->fetches % 4 == 0 ? 2000 : 1,
		.max_bytes = 8 << 20,
		.max_wait_ms = 3,
		.done = fetched,
		.arg = d,
	};
	delayed_fetch_start(&d->fetch);
}

static void fetch_turn(struct task *t)
{
	fetch_again(CONTAINER_OF(t, struct driver, fetch_task));
}

static void all_done(struct task *t);

static void driver_check_done(struct driver *d)
{
	if (d->senders_done < IN_FLIGHT || !d->fetch_over)
		return;
	task_init(&d->done_task, "driver_done", all_done);
	scheduler_post(event_loop_scheduler(d->broker->cluster), &d->done_task);
}

static void driver_start(struct task *t)
{
	struct driver *d = CONTAINER_OF(t, struct driver, start_task);
	task_init(&d->fetch_task, "driver_fetch", fetch_turn);
	fetch_again(d);
	for (int i = 0; i < IN_FLIGHT; i++) {
		d->senders[i].driver = d;
		d->senders[i].part = (struct produce_part){
			.home = d->loop, .timeout_ms = 30000, .leader_epoch = -1, .done = produced};
		send_next(&d->senders[i]);
	}
}

/* --- cluster loop --------------------------------------------------------------------------------------------------------- */

static struct control_topic *whole_topic(struct broker *b, int32_t first, size_t count)
{
	struct control_topic *t = check_calloc(1, sizeof(*t));
	t->name = check_strdup("t");
	t->id = (struct uuid){.b = {5}};
	t->partition_count = count;
	t->partitions = check_calloc(count, sizeof(*t->partitions));
	for (size_t i = 0; i < count; i++) {
		t->partitions[i] = (struct control_partition){
			.partition = first + (int32_t)i,
			.leader = 1,
			.leader_epoch = b->leader_epoch,
			.is_new = true,
			.isr = check_calloc(1, sizeof(int32_t)),
			.isr_count = 1,
			.replicas = check_calloc(1, sizeof(int32_t)),
			.replica_count = 1,
		};
		t->partitions[i].isr[0] = t->partitions[i].replicas[0] = 1;
	}
	return t;
}

static const struct control_header controller = {.controller_id = 1, .controller_epoch = 1, .broker_epoch = 7};

static void disturb(struct broker *b);

static void stop_session_closed(void *arg)
{
	struct broker *b = arg;
	event_loop_stop(b->cluster);
}

static void stop_closed(void *arg, const struct log_checkpoint_entry *entries, size_t count)
{
	struct broker *b = arg;
	ck_assert_uint_eq(count, PARTITIONS);
	for (size_t i = 0; i < count && !b->traffic; i++) {
		int64_t end = b->ends[entries[i].tp.partition];
		ck_assert(end == -1 || entries[i].high_watermark == end);
	}
	ck_assert_int_eq(log_manager_close_clean(b->logs, entries, count), STATUS_OK);
	b->logs = NULL;
	cluster_state_leave_zk(b->state);
	zk_client_close(b->zk, stop_session_closed, b);
}

static void stop_stopped(void *arg)
{
	struct broker *b = arg;
	replica_checkpoints_stop(b->checkpoints, stop_closed, b);
}

static void stop_if_over(struct broker *b)
{
	if (b->drivers_done == b->loop_count && !b->disturbing)
		cluster_state_stop(b->state, stop_stopped, b);
}

static void all_done(struct task *t)
{
	struct broker *b = CONTAINER_OF(t, struct driver, done_task)->broker;
	b->drivers_done++;
	stop_if_over(b);
}

static void disturbed(void *arg, const struct control_response *response)
{
	struct broker *b = arg;
	ck_assert_int_eq(response->status, STATUS_OK);
	for (size_t i = 0; i < response->result_count; i++)
		ck_assert_int_eq(response->results[i].status, STATUS_OK);
	disturb(b);
}

static struct control_request stop_request(void)
{
	struct stop_replica_partition *p = check_calloc(1, sizeof(*p));
	*p = (struct stop_replica_partition){
		.tp = {.topic = "t", .partition = DELETED}, .leader_epoch = -2, .delete_log = true};
	return (struct control_request){
		.kind = CONTROL_STOP_REPLICA, .stop_replica = {.header = controller, .partitions = p, .partition_count = 1}};
}

static void config_written(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	(void)results;
	(void)count;
	ck_assert_int_eq(s, STATUS_OK);
	disturb(arg);
}

/* Every replica hears of it, some time. */
static void change_config(struct broker *b, int n)
{
	const char *payload = n % 2 == 0 ? "{\"version\":1,\"config\":{\"log.flush.policy\":\"background\"}}"
					 : "{\"version\":1,\"config\":{\"log.flush.policy\":\"commit\"}}";
	struct zk_op ops[] = {
		{.kind = ZK_OP_SET, .path = "/config/topics/t", .data = slice_of_str(payload), .version = -1},
		{.kind = ZK_OP_CREATE, .path = "/config/changes/config_change_", .flags = ZK_CREATE_SEQUENTIAL,
			.data = slice_of_str("{\"version\":2,\"entity_path\":\"topics/t\"}")},
	};
	zk_multi(b->zk, ops, sizeof(ops) / sizeof(ops[0]), config_written, b);
}

static void disturb(struct broker *b)
{
	struct control_request r = {0};
	int n = b->disturbances++;
	if (n >= DISTURBANCES) {
		b->disturbing = false;
		stop_if_over(b);
		return;
	}
	switch (n % 4) {
	case 0:
		r = (struct control_request){.kind = CONTROL_UPDATE_METADATA,
			.update_metadata = {.header = controller, .topics = whole_topic(b, 0, PARTITIONS), .topic_count = 1}};
		break;
	case 1:
		change_config(b, n / 4);
		return;
	case 2:
		r = stop_request();
		break;
	case 3:
		b->leader_epoch++;
		r = (struct control_request){.kind = CONTROL_LEADER_AND_ISR,
			.leader_and_isr = {.header = controller, .topics = whole_topic(b, DELETED, 1), .topic_count = 1}};
		break;
	}
	cluster_state_control(b->state, &r, disturbed, b);
}

static void led(void *arg, const struct control_response *response)
{
	struct broker *b = arg;
	ck_assert_uint_eq(response->result_count, PARTITIONS);
	for (size_t i = 0; i < response->result_count; i++)
		ck_assert_int_eq(response->results[i].status, STATUS_OK);
	b->disturbing = true;
	for (int i = 0; i < b->loop_count; i++) {
		task_init(&b->drivers[i].start_task, "driver_start", driver_start);
		scheduler_post(b->drivers[i].loop, &b->drivers[i].start_task);
	}
	disturb(b);
}

static void hosted(void *arg, enum status s)
{
	struct broker *b = arg;
	ck_assert_int_eq(s, STATUS_OK);
	replica_checkpoints_start(b->checkpoints);
	cluster_state_set_broker_epoch(b->state, 7);
	if (!b->traffic) {
		cluster_state_stop(b->state, stop_stopped, b);
		return;
	}
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR,
		.leader_and_isr = {.header = controller, .topics = whole_topic(b, 0, PARTITIONS), .topic_count = 1}};
	cluster_state_control(b->state, &r, led, b);
}

static void loaded(void *arg, enum status s)
{
	struct broker *b = arg;
	ck_assert_int_eq(s, STATUS_OK);
	cluster_state_host_logs(b->state, b->logs, hosted, b);
}

static void configured(void *arg, enum status s)
{
	struct broker *b = arg;
	ck_assert_int_eq(s, STATUS_OK);
	log_manager_load(b->logs, loaded, b);
}

static void znodes_made(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct broker *b = arg;
	(void)results;
	(void)count;
	ck_assert_int_eq(s, STATUS_OK);
	cluster_state_load_configs(b->state, b->zk, configured, b);
}

struct begin {
	struct task task;
	struct broker *broker;
};

static void begin_here(struct task *t)
{
	struct broker *b = CONTAINER_OF(t, struct begin, task)->broker;
	cluster_state_set_identity(b->state, "c", 1);
	ck_assert_int_eq(zk_tree_open(NULL, clock_system(), &b->tree, NULL), STATUS_OK);
	b->zk = zk_standalone_open(b->tree, event_loop_scheduler(b->cluster), NULL, NULL, NULL, NULL);
	static const char *const paths[] = {"/config", "/config/changes", "/config/topics", "/config/topics/t", "/brokers", "/brokers/topics"};
	struct zk_op ops[sizeof(paths) / sizeof(paths[0])];
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		ops[i] = (struct zk_op){.kind = ZK_OP_CREATE, .path = paths[i]};
	zk_multi(b->zk, ops, sizeof(paths) / sizeof(paths[0]), znodes_made, b);
}

/* --- one life ------------------------------------------------------------------------------------------------------------- */

static void build(struct broker *b)
{
	ck_assert_int_eq(blocking_pool_new(2, &b->pool), STATUS_OK);
	ck_assert_int_eq(loop_group_new(b->loop_count, clock_system(), &b->group), STATUS_OK);
	ck_assert_int_eq(event_loop_new("cluster", -1, clock_system(), &b->cluster), STATUS_OK);
	for (int i = 0; i < b->loop_count; i++) {
		struct scheduler *s = loop_group_scheduler(b->group, i);
		b->managers[i] = replica_manager_new(
			&(struct replica_manager_options){.scheduler = s, .settings = &b->settings, .broker_id = 1});
		b->hosts[i] = (struct replica_host){.scheduler = s, .execute = replica_manager_execute, .arg = b->managers[i]};
		b->holders[i] = cluster_image_holder_new(s);
		b->drivers[i].broker = b;
		b->drivers[i].loop = s;
		b->drivers[i].index = i;
		b->drivers[i].builder = record_batch_builder_new(COMPRESSION_none, -1, 256);
	}
	b->router = (struct replica_router){.managers = b->managers, .place = place, .arg = b->group};
	struct scheduler *cluster = event_loop_scheduler(b->cluster);
	b->state = cluster_state_new(&(struct cluster_state_options){
		.scheduler = cluster,
		.settings = &b->settings,
		.hosts = {.hosts = b->hosts, .count = b->loop_count, .place = place, .place_arg = b->group},
		.holders = b->holders,
		.holder_count = (size_t)b->loop_count,
	});
	struct failure failure;
	struct log_manager_options o = {
		.disk = disk_system(),
		.clock = clock_system(),
		.background = blocking_pool_background(b->pool),
		.scheduler = cluster,
		.settings = &b->settings,
		.topic_settings = cluster_state_topic_settings,
		.arg = b->state,
	};
	enum status s = log_manager_open(&o, &b->logs, &failure);
	ck_assert_msg(s == STATUS_OK, "%s", failure.text);
	ck_assert_int_eq(log_manager_set_identity(b->logs, "c", 1, &failure), STATUS_OK);
	b->checkpoints = replica_checkpoints_new(&(struct replica_checkpoints_options){
		.scheduler = cluster,
		.logs = b->logs,
		.managers = b->managers,
		.manager_count = (size_t)b->loop_count,
		.interval_ms = 5,
	});
}

static void live(struct broker *b, bool traffic)
{
	struct begin begin = {.broker = b};
	b->traffic = traffic;
	b->drivers = check_calloc((size_t)b->loop_count, sizeof(*b->drivers));
	build(b);
	ck_assert_int_eq(loop_group_start(b->group), STATUS_OK);
	task_init(&begin.task, "begin", begin_here);
	scheduler_post(event_loop_scheduler(b->cluster), &begin.task);
	event_loop_run(b->cluster);
	blocking_pool_free(b->pool);
	loop_group_stop(b->group);
	replica_checkpoints_free(b->checkpoints);
	cluster_state_free(b->state);
	zk_standalone_free(b->zk);
	zk_tree_free(b->tree);
	for (int i = 0; i < b->loop_count; i++) {
		replica_manager_free(b->managers[i]);
		cluster_image_holder_free(b->holders[i]);
		record_batch_builder_free(b->drivers[i].builder);
		for (int k = 0; k < IN_FLIGHT; k++)
			free(b->drivers[i].senders[k].bytes);
	}
	event_loop_free(b->cluster);
	loop_group_free(b->group);
}

static int compare_offsets(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* No offset was given twice, and none is missing: batches of three records from 0 on. Returns the partition's end. */
static int64_t check_acked(struct broker *b, int partition)
{
	int64_t *all = check_calloc(LOOPS_MAX * BATCHES, sizeof(*all));
	size_t n = 0;
	for (int i = 0; i < b->loop_count; i++) {
		for (int k = 0; k < b->drivers[i].acked_count[partition]; k++)
			all[n++] = b->drivers[i].acked[partition][k];
	}
	qsort(all, n, sizeof(*all), compare_offsets);
	for (size_t k = 0; k < n; k++)
		ck_assert_int_eq(all[k], (int64_t)k * 3);
	free(all);
	return (int64_t)n * 3;
}

START_TEST(replica_threads_nothing_is_lost_or_doubled)
{
	static const int loop_counts[] = {1, 4};
	struct broker b = {.root = "/tmp/test_replica_XXXXXX", .loop_count = loop_counts[_i]};
	diag_set_sink(quiet, NULL);
	ck_assert_ptr_nonnull(mkdtemp(b.root));
	settings_init_defaults(&b.settings);
	free(b.settings.log_dirs);
	b.settings.log_dirs = check_asprintf("%s/data", b.root);
	b.settings.log_retention_check_interval_ms = 7;
	b.settings.topic_defaults.file_delete_delay_ms = 1;
	live(&b, true);
	for (int p = 0; p < PARTITIONS; p++)
		b.ends[p] = p == DELETED ? -1 : check_acked(&b, p);
	ck_assert_int_gt(b.ends[0], 0);
	free(b.drivers);
	live(&b, false);
	free(b.drivers);
	settings_fini(&b.settings);
	ck_assert_int_eq(nftw(b.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replica_threads");
	TCase *tc = tcase_create("replica_threads");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, replica_threads_nothing_is_lost_or_doubled, 0, 2);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
