/* cluster_state over fake logs and real replica managers on three loops, told by hand-made control requests. */
#include "base/diag.h"
#include "cluster/cluster_state.h"
#include "config/settings.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_standalone.h"
#include "tests/unit/replica_fixture.h"
#include "tests/unit/unit.h"

static struct replica_fixture f;
static struct replica_host hosts[FIXTURE_LOOPS];
static struct cluster_image_holder *holders[FIXTURE_LOOPS];
static struct log_manager *logs;
static struct cluster_state *state;
static const struct uuid topic_id = {.b = {1, 2, 3}};

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void hosted(void *arg, enum status s)
{
	ck_assert_int_eq(s, STATUS_OK);
	*(bool *)arg = true;
}

/* start: hosts what is in the fake log manager. */
static void begin(void)
{
	diag_set_sink(quiet, NULL);
	replica_fixture_init(&f);
	topic_settings_init_defaults(&f.settings.topic_defaults);
	for (int i = 0; i < FIXTURE_LOOPS; i++) {
		struct scheduler *s = manual_scheduler_scheduler(f.loops[i]);
		hosts[i] = (struct replica_host){.scheduler = s, .execute = replica_manager_execute, .arg = f.managers[i]};
		holders[i] = cluster_image_holder_new(s);
	}
	state = cluster_state_new(&(struct cluster_state_options){
		.scheduler = replica_fixture_home(&f),
		.settings = &f.settings,
		.hosts = {.hosts = hosts, .count = FIXTURE_LOOPS, .place = f.router.place},
		.holders = holders,
		.holder_count = FIXTURE_LOOPS,
	});
	cluster_state_set_identity(state, "cluster", FIXTURE_BROKER);
	logs = fake_log_manager_new(replica_fixture_home(&f));
}

static void start(int64_t broker_epoch)
{
	bool done = false;
	cluster_state_host_logs(state, logs, hosted, &done);
	replica_fixture_run(&f);
	ck_assert(done);
	if (broker_epoch >= 0)
		cluster_state_set_broker_epoch(state, broker_epoch);
}

static void stopped(void *arg)
{
	*(bool *)arg = true;
}

static void finish(void)
{
	cluster_state_free(state);
	for (int i = 0; i < FIXTURE_LOOPS; i++)
		cluster_image_holder_free(holders[i]);
	replica_fixture_fini(&f);
	fake_log_manager_free(logs);
}

static void end(void)
{
	bool done = false;
	cluster_state_stop(state, stopped, &done);
	replica_fixture_run(&f);
	ck_assert(done);
	finish();
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

struct answer {
	int calls;
	enum status status;
	size_t count;
	struct {
		enum status status;
		int32_t partition;
	} results[8];
};

static void answered(void *arg, const struct control_response *response)
{
	struct answer *a = arg;
	a->calls++;
	a->status = response->status;
	a->count = response->result_count;
	for (size_t i = 0; i < response->result_count; i++) {
		a->results[i].status = response->results[i].status;
		a->results[i].partition = response->results[i].tp.partition;
	}
}

static int32_t *ids(size_t count)
{
	int32_t *list = check_calloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = (int32_t)i + 1;
	return list;
}

/* One topic with `count` partitions from 0 on. */
static struct control_topic *one_topic(const char *name, size_t count, int32_t leader, int32_t leader_epoch)
{
	struct control_topic *t = check_calloc(1, sizeof(*t));
	t->name = check_strdup(name);
	t->id = topic_id;
	t->partition_count = count;
	t->partitions = check_calloc(count + 1, sizeof(*t->partitions));
	for (size_t i = 0; i < count; i++) {
		t->partitions[i] = (struct control_partition){
			.partition = (int32_t)i,
			.leader = leader,
			.leader_epoch = leader_epoch,
			.is_new = true,
			.isr = ids(1),
			.isr_count = 1,
			.replicas = ids(1),
			.replica_count = 1,
		};
	}
	return t;
}

static struct control_header header(int32_t controller_epoch, int64_t broker_epoch)
{
	return (struct control_header){.controller_id = 9, .controller_epoch = controller_epoch, .broker_epoch = broker_epoch};
}

static struct control_request roles(struct control_header h, struct control_topic *t)
{
	return (struct control_request){
		.kind = CONTROL_LEADER_AND_ISR, .leader_and_isr = {.header = h, .topics = t, .topic_count = 1}};
}

static struct control_request metadata(struct control_header h, bool full, struct control_topic *t)
{
	struct control_broker *b = check_calloc(1, sizeof(*b));
	*b = (struct control_broker){.id = 1, .epoch = 5, .endpoint_count = 1};
	b->endpoints = check_calloc(1, sizeof(*b->endpoints));
	b->endpoints[0] = (struct control_endpoint){check_strdup("PLAINTEXT"), check_strdup("h"), 9092, 0};
	return (struct control_request){.kind = CONTROL_UPDATE_METADATA,
		.update_metadata = {.header = h, .full = full, .brokers = b, .broker_count = 1, .topics = t,
			.topic_count = t == NULL ? 0 : 1}};
}

static struct control_request stop(struct control_header h, const char *topic, int32_t partition, int32_t leader_epoch,
	bool delete_log)
{
	struct stop_replica_partition *p = check_calloc(1, sizeof(*p));
	expect(topic_partition_set(&p->tp, slice_of_str(topic), partition) == STATUS_OK);
	p->leader_epoch = leader_epoch;
	p->delete_log = delete_log;
	return (struct control_request){
		.kind = CONTROL_STOP_REPLICA, .stop_replica = {.header = h, .partitions = p, .partition_count = 1}};
}

static struct answer tell(struct control_request request)
{
	struct answer a = {0};
	cluster_state_control(state, &request, answered, &a);
	replica_fixture_run(&f);
	ck_assert_int_eq(a.calls, 1);
	return a;
}

static enum status produce(int32_t partition)
{
	struct produce_call c;
	replica_fixture_produce(&f, &c, partition, -1, 1);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	return c.part.status;
}

/* --- cases ---------------------------------------------------------------------------------------------------------------- */

START_TEST(cluster_state_gives_roles_on_every_loop)
{
	begin();
	start(5);
	struct answer a = tell(roles(header(1, 5), one_topic("t", 5, 1, 0)));
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_uint_eq(a.count, 5);
	for (int32_t p = 0; p < 5; p++) {
		ck_assert_int_eq(a.results[p].status, STATUS_OK);
		ck_assert_int_eq(a.results[p].partition, p);
		ck_assert_int_eq(produce(p), STATUS_OK);
	}
	ck_assert_int_eq(fake_log_manager_created(logs), 5);
	ck_assert_uint_eq(replica_manager_partition_count(f.managers[0]), 2);
	ck_assert_uint_eq(replica_manager_partition_count(f.managers[2]), 1);
	a = tell(roles(header(1, 5), one_topic("t", 5, 1, 0)));
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_int_eq(a.results[4].status, STATUS_STALE_CONTROLLER_EPOCH); /* no larger leader epoch */
	ck_assert_int_eq(produce(4), STATUS_OK);
	end();
}
END_TEST

START_TEST(cluster_state_logs_found_at_start_have_no_role)
{
	begin();
	struct partition_log *log = fake_log_manager_put(logs, "t", 1, 4);
	log->end = log->flushed = 6;
	start(5);
	ck_assert_int_eq(produce(1), STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(produce(2), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	struct answer a = tell(roles(header(1, 5), one_topic("t", 2, 1, 3)));
	ck_assert_int_eq(a.results[1].status, STATUS_OK);
	ck_assert_int_eq(produce(1), STATUS_OK);
	ck_assert_int_eq(log->end, 7);
	ck_assert_int_eq(fake_log_manager_created(logs), 1);
	end();
}
END_TEST

START_TEST(cluster_state_refuses_stale_epochs)
{
	begin();
	start(50);
	ck_assert_int_eq(tell(metadata(header(7, 50), true, NULL)).status, STATUS_OK);
	ck_assert_int_eq(tell(metadata(header(6, 50), true, NULL)).status, STATUS_STALE_CONTROLLER_EPOCH);
	ck_assert_int_eq(tell(metadata(header(7, 49), true, NULL)).status, STATUS_STALE_BROKER_EPOCH);
	ck_assert_int_eq(tell(metadata(header(7, -1), true, NULL)).status, STATUS_OK);
	ck_assert_int_eq(tell(metadata(header(7, 51), true, NULL)).status, STATUS_OK); /* it heard of our new epoch first */
	struct answer a = tell(roles(header(6, 50), one_topic("t", 1, 1, 0)));
	ck_assert_int_eq(a.status, STATUS_STALE_CONTROLLER_EPOCH);
	ck_assert_uint_eq(a.count, 0);
	ck_assert_int_eq(fake_log_manager_created(logs), 0);
	ck_assert_int_eq(cluster_state_image(state)->controller_epoch, 7);
	ck_assert_int_eq(cluster_state_image(state)->version, 3);
	cluster_state_set_broker_epoch(state, 60);
	ck_assert_int_eq(tell(metadata(header(8, 50), true, NULL)).status, STATUS_STALE_BROKER_EPOCH);
	end();
}
END_TEST

START_TEST(cluster_state_holds_requests_until_it_is_registered)
{
	begin();
	start(-1);
	struct answer old = {0}, new = {0};
	struct control_request r = stop(header(1, 40), "t", 0, -2, true); /* for an earlier life */
	cluster_state_control(state, &r, answered, &old);
	r = roles(header(1, 50), one_topic("t", 1, 1, 0));
	cluster_state_control(state, &r, answered, &new);
	replica_fixture_run(&f);
	ck_assert_int_eq(old.calls + new.calls, 0);
	cluster_state_set_broker_epoch(state, 50);
	replica_fixture_run(&f);
	ck_assert_int_eq(old.status, STATUS_STALE_BROKER_EPOCH);
	ck_assert_int_eq(new.status, STATUS_OK);
	ck_assert_int_eq(produce(0), STATUS_OK);
	end();
}
END_TEST

START_TEST(cluster_state_carries_requests_out_one_after_the_other)
{
	begin();
	start(5);
	struct answer a[3] = {0};
	struct control_request r = roles(header(1, 5), one_topic("t", 3, 1, 0));
	cluster_state_control(state, &r, answered, &a[0]);
	r = stop(header(1, 5), "t", 1, -2, true);
	cluster_state_control(state, &r, answered, &a[1]);
	r = metadata(header(1, 5), false, one_topic("t", 3, 1, 0));
	cluster_state_control(state, &r, answered, &a[2]);
	ck_assert_int_eq(a[2].calls, 0); /* though it could be done at once */
	replica_fixture_run(&f);
	ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls, 3);
	ck_assert_int_eq(a[1].results[0].status, STATUS_OK);
	ck_assert_int_eq(fake_log_manager_deleted(logs), 1);
	ck_assert_int_eq(produce(1), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(produce(2), STATUS_OK);
	end();
}
END_TEST

START_TEST(cluster_state_stops_and_deletes_replicas)
{
	begin();
	start(5);
	(void)tell(roles(header(1, 5), one_topic("t", 2, 1, 3)));
	struct answer a = tell(stop(header(1, 5), "t", 0, 2, false));
	ck_assert_int_eq(a.results[0].status, STATUS_FENCED_LEADER_EPOCH);
	a = tell(stop(header(1, 5), "t", 0, 4, false));
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(produce(0), STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(fake_log_manager_deleted(logs), 0);
	a = tell(stop(header(1, 5), "t", 0, -2, true));
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(fake_log_manager_deleted(logs), 1);
	a = tell(stop(header(1, 5), "t", 0, -2, true)); /* repeated by a new controller */
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(fake_log_manager_deleted(logs), 1);
	/* created again under the same name: a new log, epochs from the start */
	a = tell(roles(header(1, 5), one_topic("t", 1, 1, 0)));
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(produce(0), STATUS_OK);
	end();
}
END_TEST

START_TEST(cluster_state_reports_what_failed_per_partition)
{
	begin();
	start(5);
	fake_log_manager_fail_next(logs, STATUS_KAFKA_STORAGE_ERROR);
	struct answer a = tell(roles(header(1, 5), one_topic("t", 2, 1, 0)));
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_int_eq(a.results[0].status, STATUS_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(a.results[1].status, STATUS_OK);
	struct control_topic *t = one_topic("t", 2, 1, 1);
	t->id = (struct uuid){.b = {7}};
	a = tell(roles(header(1, 5), t));
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(a.results[1].status, STATUS_INCONSISTENT_TOPIC_ID);
	a = tell(roles(header(1, 5), one_topic("../etc", 1, 1, 1)));
	ck_assert_int_eq(a.results[0].status, STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(fake_log_manager_created(logs), 2);
	end();
}
END_TEST

START_TEST(cluster_state_builds_the_image_every_loop_sees)
{
	begin();
	start(5);
	(void)tell(metadata(header(1, 5), true, one_topic("b", 2, 1, 0)));
	(void)tell(metadata(header(1, 5), false, one_topic("a", 1, 1, 0)));
	for (int i = 0; i < FIXTURE_LOOPS; i++) {
		const struct cluster_image *image = cluster_image_holder_image(holders[i]);
		ck_assert_uint_eq(image->topic_count, 2);
		ck_assert_str_eq(image->cluster_id, "cluster");
		ck_assert_int_eq(image->controller_id, 9);
		ck_assert_int_eq(image_broker_endpoint(cluster_image_broker(image, 1), "PLAINTEXT")->port, 9092);
	}
	struct cluster_image *image = cluster_image_shared_ref(cluster_image_holder_image(holders[1]));
	const struct image_topic *b = cluster_image_topic(image, slice_of_str("b"));
	ck_assert_uint_eq(b->partition_count, 2);

	/* one partition changes: the rest of the topic stays, the other topic is shared */
	struct control_topic *t = one_topic("b", 2, 2, 4);
	t->partitions[0].partition = 7; /* out of order, and new */
	(void)tell(metadata(header(1, 5), false, t));
	const struct cluster_image *next = cluster_image_holder_image(holders[1]);
	b = cluster_image_topic(next, slice_of_str("b"));
	ck_assert_uint_eq(b->partition_count, 3);
	ck_assert_int_eq(image_topic_partition(b, 0)->leader, 1);
	ck_assert_int_eq(image_topic_partition(b, 1)->leader_epoch, 4);
	ck_assert_int_eq(image_topic_partition(b, 7)->leader, 2);
	ck_assert_ptr_eq(cluster_image_topic(next, slice_of_str("a")), cluster_image_topic(image, slice_of_str("a")));
	ck_assert_int_eq(cluster_image_topic(image, slice_of_str("b"))->partitions[1].leader_epoch, 0); /* never edited */
	cluster_image_shared_unref(image);

	(void)tell(metadata(header(1, 5), false, one_topic("a", 1, -2, 5)));
	ck_assert_ptr_null(cluster_image_topic(cluster_state_image(state), slice_of_str("a")));
	/* deleted and created again: nothing of the old topic is left */
	t = one_topic("b", 1, 1, 0);
	t->id = (struct uuid){.b = {9}};
	(void)tell(metadata(header(1, 5), false, t));
	ck_assert_uint_eq(cluster_image_topic(cluster_state_image(state), slice_of_str("b"))->partition_count, 1);
	(void)tell(metadata(header(1, 5), true, one_topic("c", 1, 1, 0)));
	ck_assert_uint_eq(cluster_state_image(state)->topic_count, 1);
	end();
}
END_TEST

START_TEST(cluster_state_stop_finishes_the_request_under_way)
{
	begin();
	start(5);
	struct answer a = {0}, b = {0}, c = {0};
	struct control_request r = roles(header(1, 5), one_topic("t", 1, 1, 0));
	cluster_state_control(state, &r, answered, &a);
	r = roles(header(1, 5), one_topic("u", 1, 1, 0));
	cluster_state_control(state, &r, answered, &b);
	end();
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_uint_eq(a.count, 1);
	ck_assert_int_eq(b.calls, 1);
	ck_assert_int_eq(b.status, STATUS_CANCELLED);
	ck_assert_int_eq(c.calls, 0);
}
END_TEST

/* --- overrides from ZooKeeper --------------------------------------------------------------------------------------------- */

static void made(void *arg, enum status s, const char *path, const struct zk_stat *stat)
{
	(void)path;
	(void)stat;
	ck_assert_int_eq(s, STATUS_OK);
	++*(int *)arg;
}

static void loaded(void *arg, enum status s)
{
	*(enum status *)arg = s;
}

static void closed(void *arg)
{
	*(bool *)arg = true;
}

static void set(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	made(arg, s, NULL, NULL);
}

/* An ensemble in this process. */
struct ensemble {
	struct zk_tree *tree;
	struct zk_client *zk;
	int asked, made;
};

static void ensemble_put(struct ensemble *e, const char *path, const char *text)
{
	e->asked++;
	zk_create(e->zk, path, text == NULL ? (struct slice){0} : slice_of_str(text), 0, made, &e->made);
}

static void ensemble_open(struct ensemble *e)
{
	*e = (struct ensemble){0};
	ck_assert_int_eq(zk_tree_open(NULL, &f.clock.clock, &e->tree, NULL), STATUS_OK);
	e->zk = zk_standalone_open(e->tree, replica_fixture_home(&f), NULL, NULL, NULL, NULL);
	const char *const folders[] = {"/config", "/config/topics", "/config/brokers", "/config/changes", "/brokers", "/brokers/topics"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ensemble_put(e, folders[i], NULL);
	replica_fixture_run(&f);
	ck_assert_int_eq(e->made, e->asked);
}

static void ensemble_load(struct ensemble *e)
{
	enum status s = STATUS_COUNT;
	cluster_state_load_configs(state, e->zk, loaded, &s);
	replica_fixture_run(&f);
	ck_assert_int_eq(s, STATUS_OK);
}

static const char *config_text(const char *key, const char *value)
{
	static char text[128];
	if (key == NULL)
		snprintf(text, sizeof(text), "{\"version\":1,\"config\":{}}");
	else
		snprintf(text, sizeof(text), "{\"version\":1,\"config\":{\"%s\":\"%s\"}}", key, value);
	return text;
}

static void ensemble_set_quietly(struct ensemble *e, const char *topic, const char *key, const char *value)
{
	char path[64];
	snprintf(path, sizeof(path), "/config/topics/%s", topic);
	e->asked++;
	zk_set(e->zk, path, slice_of_str(config_text(key, value)), -1, set, &e->made);
}

/* As any tool does: the node, then the notice of it. */
static void ensemble_set(struct ensemble *e, const char *topic, const char *key, const char *value)
{
	char text[64];
	ensemble_set_quietly(e, topic, key, value);
	snprintf(text, sizeof(text), "{\"version\":2,\"entity_path\":\"topics/%s\"}", topic);
	e->asked++;
	zk_create(e->zk, "/config/changes/config_change_", slice_of_str(text), ZK_CREATE_SEQUENTIAL, made, &e->made);
	replica_fixture_run(&f);
	ck_assert_int_eq(e->made, e->asked);
}

static void ensemble_close(struct ensemble *e)
{
	bool done = false;
	cluster_state_leave_zk(state);
	zk_client_close(e->zk, closed, &done);
	replica_fixture_run(&f);
	ck_assert(done);
	zk_standalone_free(e->zk);
	zk_tree_free(e->tree);
}

static int64_t retention_ms(const char *topic)
{
	struct topic_settings effective;
	cluster_state_topic_settings(state, topic, &effective);
	return effective.retention_ms;
}

static struct partition_log *log_of(const char *topic, int32_t partition)
{
	struct topic_partition tp;
	int64_t high_watermark;
	ck_assert_int_eq(topic_partition_set(&tp, slice_of_str(topic), partition), STATUS_OK);
	struct partition_log *log = log_manager_find(logs, &tp, &high_watermark);
	ck_assert_ptr_nonnull(log);
	return log;
}

static void begin_with(struct ensemble *e)
{
	begin();
	ensemble_open(e);
}

/* A new topic's overrides are read before its log is opened, and followed from then on. */
START_TEST(cluster_state_reads_the_overrides_of_a_new_topic_first)
{
	struct ensemble e;
	begin_with(&e);
	ensemble_load(&e);
	start(5);
	ensemble_put(&e, "/config/topics/t", config_text("retention.ms", "1234"));
	(void)tell(roles(header(1, 5), one_topic("t", 2, 1, 0)));
	struct partition_log *log = log_of("t", 1);
	ck_assert_int_eq(log->settings.retention_ms, 1234);
	(void)tell(metadata(header(1, 5), false, one_topic("t", 2, 1, 0)));
	const struct image_topic *t = cluster_image_topic(cluster_state_image(state), slice_of_str("t"));
	ck_assert_uint_eq(t->config_count, 1);
	ck_assert_str_eq(t->configs[0].value, "1234");

	ensemble_set(&e, "t", "retention.ms", "99");
	ck_assert_int_eq(log->settings.retention_ms, 99);
	ck_assert_int_eq(retention_ms("t"), 99);
	t = cluster_image_topic(cluster_state_image(state), slice_of_str("t"));
	ck_assert_str_eq(t->configs[0].value, "99");
	int64_t version = cluster_state_image(state)->version;
	ensemble_set(&e, "t", "retention.ms", "99"); /* nothing changed: nobody hears */
	ck_assert_int_eq(cluster_state_image(state)->version, version);
	ensemble_set(&e, "t", NULL, NULL);
	ck_assert_int_eq(log->settings.retention_ms, f.settings.topic_defaults.retention_ms);
	ck_assert_uint_eq(cluster_image_topic(cluster_state_image(state), slice_of_str("t"))->config_count, 0);

	ensemble_set(&e, "t", "retention.ms", "7");
	(void)tell(metadata(header(1, 5), false, one_topic("t", 2, -2, 0))); /* a deleted topic takes its overrides along */
	ck_assert_int_eq(retention_ms("t"), f.settings.topic_defaults.retention_ms);
	ensemble_close(&e);
	end();
}
END_TEST

/* Another topic of the same name: what was known of the old one does not count, though nobody gave notice. */
START_TEST(cluster_state_reads_the_overrides_of_a_topic_made_again)
{
	struct ensemble e;
	begin_with(&e);
	ensemble_put(&e, "/brokers/topics/t", "{}");
	ensemble_put(&e, "/config/topics/t", config_text("retention.ms", "1"));
	ensemble_put(&e, "/config/topics/left.over", config_text("retention.ms", "2")); /* of a creation that did not end */
	ensemble_load(&e);
	start(5);
	(void)tell(metadata(header(1, 5), true, one_topic("t", 1, 1, 0)));
	ck_assert_int_eq(retention_ms("t"), 1);
	ensemble_set_quietly(&e, "t", "retention.ms", "3");
	ensemble_set_quietly(&e, "left.over", "retention.ms", "4");
	struct control_topic *again = one_topic("t", 1, 1, 0);
	again->id = (struct uuid){.b = {9}};
	(void)tell(roles(header(1, 5), again));
	ck_assert_int_eq(log_of("t", 0)->settings.retention_ms, 3);
	(void)tell(roles(header(1, 5), one_topic("left.over", 1, 1, 0)));
	ck_assert_int_eq(log_of("left.over", 0)->settings.retention_ms, 4);
	ensemble_close(&e);
	end();
}
END_TEST

/* Roles do not wait for ever: the defaults count until the ensemble can be asked. */
START_TEST(cluster_state_opens_logs_without_the_ensemble_in_the_end)
{
	struct ensemble e;
	begin_with(&e);
	ensemble_load(&e);
	start(5);
	ensemble_put(&e, "/config/topics/t", config_text("retention.ms", "1234"));
	replica_fixture_run(&f);
	zk_standalone_set_timeout(e.zk, 60 * 1000);
	zk_standalone_disconnect(e.zk);
	struct answer a = {0};
	struct control_request r = roles(header(1, 5), one_topic("t", 1, 1, 0));
	cluster_state_control(state, &r, answered, &a);
	replica_fixture_advance_ms(&f, 4900);
	ck_assert_int_eq(a.calls, 0);
	replica_fixture_advance_ms(&f, 200);
	ck_assert_int_eq(a.calls, 1);
	ck_assert_int_eq(a.results[0].status, STATUS_OK);
	ck_assert_int_eq(log_of("t", 0)->settings.retention_ms, f.settings.topic_defaults.retention_ms);
	zk_standalone_connect(e.zk);
	replica_fixture_advance_ms(&f, 3000);
	ck_assert_int_eq(log_of("t", 0)->settings.retention_ms, 1234);
	ensemble_close(&e);
	end();
}
END_TEST

/* A session that ended may have missed notices: everything is read again. */
START_TEST(cluster_state_reads_all_again_in_a_new_session)
{
	struct ensemble e;
	begin_with(&e);
	ensemble_put(&e, "/brokers/topics/t", "{}");
	ensemble_put(&e, "/config/topics/t", config_text("retention.ms", "1"));
	ensemble_load(&e);
	start(5);
	(void)tell(roles(header(1, 5), one_topic("t", 1, 1, 0)));
	ensemble_set_quietly(&e, "t", "retention.ms", "2");
	replica_fixture_run(&f);
	ck_assert_int_eq(retention_ms("t"), 1); /* no notice, no news */
	zk_standalone_expire(e.zk);
	replica_fixture_run(&f);
	zk_client_reconnect(e.zk);
	replica_fixture_advance_ms(&f, 1000);
	ck_assert_int_eq(retention_ms("t"), 2);
	ck_assert_int_eq(log_of("t", 0)->settings.retention_ms, 2);
	ensemble_close(&e);
	end();
}
END_TEST

/* A stop while overrides are being read: the request is not carried out. */
START_TEST(cluster_state_stops_while_it_learns)
{
	struct ensemble e;
	begin_with(&e);
	ensemble_load(&e);
	start(5);
	zk_standalone_disconnect(e.zk);
	struct answer a = {0};
	struct control_request r = roles(header(1, 5), one_topic("t", 1, 1, 0));
	cluster_state_control(state, &r, answered, &a);
	replica_fixture_run(&f);
	ck_assert_int_eq(a.calls, 0);
	bool done = false;
	cluster_state_stop(state, stopped, &done);
	ck_assert(done);
	ck_assert_int_eq(a.status, STATUS_CANCELLED);
	ck_assert_int_eq(fake_log_manager_created(logs), 0);
	ensemble_close(&e);
	finish();
}
END_TEST

/* Cut the connection at each request in turn: everything is read in the end. */
START_TEST(cluster_state_loads_overrides_pipelined_and_again_when_cut)
{
	enum { TOPICS = 150 };
	for (unsigned cut_at = 0; cut_at <= 160; cut_at += 20) {
		begin();
		struct zk_tree *tree;
		ck_assert_int_eq(zk_tree_open(NULL, &f.clock.clock, &tree, NULL), STATUS_OK);
		struct zk_client *zk = zk_standalone_open(tree, replica_fixture_home(&f), NULL, NULL, NULL, NULL);
		replica_fixture_run(&f);
		int count = 0;
		const char *const folders[] = {"/config", "/config/topics", "/brokers", "/brokers/topics", "/brokers/topics/broken", "/brokers/topics/odd"};
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
			zk_create(zk, folders[i], (struct slice){0}, 0, made, &count);
		for (int i = 0; i < TOPICS; i++) {
			char path[64], payload[96];
			snprintf(path, sizeof(path), "/config/topics/t%d", i);
			snprintf(payload, sizeof(payload), "{\"version\":1,\"config\":{\"retention.ms\":\"%d\"}}", 1000 + i);
			zk_create(zk, path, slice_of_str(payload), 0, made, &count);
			snprintf(path, sizeof(path), "/brokers/topics/t%d", i);
			zk_create(zk, path, slice_of_str("{}"), 0, made, &count);
		}
		zk_create(zk, "/config/topics/broken", slice_of_str("{"), 0, made, &count);
		zk_create(zk, "/config/topics/odd", slice_of_str("{\"version\":1,\"config\":{\"no.such.key\":\"1\"}}"), 0, made, &count);
		replica_fixture_run(&f);
		ck_assert_int_eq(count, 2 * TOPICS + 8);
		enum status s = STATUS_COUNT;
		if (cut_at > 0)
			zk_standalone_cut_at(zk, cut_at, false);
		cluster_state_load_configs(state, zk, loaded, &s);
		replica_fixture_run(&f);
		if (zk->state != ZK_STATE_CONNECTED)
			zk_standalone_connect(zk);
		replica_fixture_advance_ms(&f, 600);
		ck_assert_int_eq(s, STATUS_OK);
		for (int i = 0; i < TOPICS; i++) {
			char topic[16];
			struct topic_settings effective;
			snprintf(topic, sizeof(topic), "t%d", i);
			cluster_state_topic_settings(state, topic, &effective);
			ck_assert_int_eq(effective.retention_ms, 1000 + i);
		}
		start(1);
		bool done = false;
		cluster_state_leave_zk(state);
		zk_client_close(zk, closed, &done);
		replica_fixture_run(&f);
		ck_assert(done);
		zk_standalone_free(zk);
		zk_tree_free(tree);
		end();
	}
}
END_TEST

START_TEST(cluster_state_loads_overrides_of_an_empty_ensemble)
{
	begin();
	struct zk_tree *tree;
	ck_assert_int_eq(zk_tree_open(NULL, &f.clock.clock, &tree, NULL), STATUS_OK);
	struct zk_client *zk = zk_standalone_open(tree, replica_fixture_home(&f), NULL, NULL, NULL, NULL);
	enum status s = STATUS_COUNT;
	cluster_state_load_configs(state, zk, loaded, &s);
	replica_fixture_run(&f);
	ck_assert_int_eq(s, STATUS_OK);
	bool done = false;
	cluster_state_leave_zk(state);
	zk_client_close(zk, closed, &done);
	replica_fixture_run(&f);
	ck_assert(done);
	zk_standalone_free(zk);
	zk_tree_free(tree);
	start(1);
	end();
}
END_TEST

/* The node of all brokers lies over the file, that of this broker over both, a topic's own over all. */
START_TEST(cluster_state_follows_changes_of_broker_settings)
{
	begin();
	struct zk_tree *tree;
	ck_assert_int_eq(zk_tree_open(NULL, &f.clock.clock, &tree, NULL), STATUS_OK);
	struct zk_client *zk = zk_standalone_open(tree, replica_fixture_home(&f), NULL, NULL, NULL, NULL);
	int count = 0;
	const char *const folders[] = {"/config", "/config/topics", "/config/brokers"};
	for (size_t i = 0; i < 3; i++)
		zk_create(zk, folders[i], (struct slice){0}, 0, made, &count);
	zk_create(zk, "/config/brokers/<default>",
		slice_of_str("{\"version\":1,\"config\":{\"log.retention.hours\":\"2\",\"num.io.threads\":\"3\"}}"), 0, made, &count);
	enum status s = STATUS_COUNT;
	cluster_state_load_configs(state, zk, loaded, &s);
	replica_fixture_run(&f);
	ck_assert_int_eq(s, STATUS_OK); /* known before any log is opened */
	ck_assert_int_eq(retention_ms("t"), 7200000);
	start(5);
	zk_create(zk, "/config/topics/t", slice_of_str(config_text(NULL, NULL)), 0, made, &count);
	zk_create(zk, "/config/topics/own", slice_of_str(config_text("retention.ms", "1234")), 0, made, &count);
	(void)tell(metadata(header(1, 5), false, one_topic("own", 1, 1, 0)));
	(void)tell(roles(header(1, 5), one_topic("t", 1, 1, 0)));
	(void)tell(metadata(header(1, 5), false, one_topic("t", 1, 1, 0)));
	struct topic_partition tp = {.topic = "t", .partition = 0};
	int64_t high_watermark;
	struct partition_log *log = log_manager_find(logs, &tp, &high_watermark);
	ck_assert_int_eq(log->settings.retention_ms, 7200000);

	zk_create(zk, "/config/brokers/1", slice_of_str("{\"version\":1,\"config\":{\"log.retention.ms\":\"77\"}}"), 0, made, &count);
	replica_fixture_run(&f);
	ck_assert_int_eq(log->settings.retention_ms, 77);
	ck_assert_int_eq(retention_ms("own"), 1234);
	const struct image_broker_configs *now = cluster_state_image(state)->broker_configs;
	ck_assert_uint_eq(now->all_count, 2);
	ck_assert_str_eq(now->ours[0].value, "77");
	ck_assert_int_eq(now->topic_defaults.retention_ms, 77);

	zk_set(zk, "/config/brokers/1", slice_of_str("{"), -1, set, &count); /* unreadable: what was known stays */
	replica_fixture_run(&f);
	ck_assert_int_eq(retention_ms("t"), 77);
	zk_set(zk, "/config/brokers/1", slice_of_str("{\"version\":1,\"config\":{}}"), -1, set, &count);
	replica_fixture_run(&f);
	ck_assert_int_eq(log->settings.retention_ms, 7200000);
	bool done = false;
	cluster_state_leave_zk(state);
	zk_client_close(zk, closed, &done);
	replica_fixture_run(&f);
	ck_assert(done);
	zk_standalone_free(zk);
	zk_tree_free(tree);
	end();
}
END_TEST

UNIT_MAIN("cluster_state", cluster_state_gives_roles_on_every_loop, cluster_state_logs_found_at_start_have_no_role,
	cluster_state_refuses_stale_epochs, cluster_state_holds_requests_until_it_is_registered,
	cluster_state_carries_requests_out_one_after_the_other, cluster_state_stops_and_deletes_replicas,
	cluster_state_reports_what_failed_per_partition, cluster_state_builds_the_image_every_loop_sees,
	cluster_state_reads_the_overrides_of_a_new_topic_first, cluster_state_reads_the_overrides_of_a_topic_made_again,
	cluster_state_opens_logs_without_the_ensemble_in_the_end, cluster_state_reads_all_again_in_a_new_session,
	cluster_state_stops_while_it_learns, cluster_state_stop_finishes_the_request_under_way,
	cluster_state_loads_overrides_pipelined_and_again_when_cut, cluster_state_loads_overrides_of_an_empty_ensemble, cluster_state_follows_changes_of_broker_settings)
