#include "coordinator-client/topic_admin.h"
#include "coordinator-client/zk_schema.h"
#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"

struct answer {
	struct failure f;
	bool done, pending;
	struct uuid id;
	size_t count;
	char described[16384];
};
/* Of the operation made last. */
static struct answer last;
static struct zk_manual m;

static bool starts_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void created(void *arg, const struct failure *f, bool pending, const struct uuid *id)
{
	struct answer *a = arg;
	ck_assert(!a->done);
	a->f = *f;
	a->done = true;
	a->pending = pending;
	a->id = *id;
}

static void edited(void *arg, const struct failure *f)
{
	struct answer *a = arg;
	ck_assert(!a->done);
	a->f = *f;
	a->done = true;
}

static void described(void *arg, const struct failure *f, const struct topic_description *topics, size_t count)
{
	struct answer *a = arg;
	ck_assert(!a->done);
	a->f = *f;
	a->done = true;
	a->count = count;
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		const struct topic_description *t = &topics[i];
		n += (size_t)snprintf(a->described + n, sizeof a->described - n, "%s%s%s", t->topic, t->pending ? " pending" : "",
			t->marked_for_deletion ? " marked" : "");
		if (t->pending)
			n += (size_t)snprintf(a->described + n, sizeof a->described - n, " %dx%d", t->wanted_partitions,
				t->wanted_replication_factor);
		for (size_t p = 0; p < t->partition_count; p++)
			n += (size_t)snprintf(a->described + n, sizeof a->described - n, " %d:%d/%d", t->partitions[p].partition,
				t->partitions[p].leader, t->partitions[p].replicas.count);
		for (size_t c = 0; c < t->config_count; c++)
			n += (size_t)snprintf(a->described + n, sizeof a->described - n, " %s=%s", t->configs[c].key,
				t->configs[c].value);
		n += (size_t)snprintf(a->described + n, sizeof a->described - n, ";");
	}
}

static enum status create(const struct topic_create_request *r)
{
	last = (struct answer){0};
	topic_admin_create(m.client, r, created, &last);
	zk_manual_run(&m);
	ck_assert(last.done);
	return last.f.status;
}

static enum status create_plain(const char *topic, int32_t partitions, int32_t factor)
{
	return create(&(struct topic_create_request){.topic = topic, .partitions = partitions,
				 .replication_factor = factor});
}

static enum status alter(const char *topic, const char *key, const char *value, bool replace)
{
	last = (struct answer){0};
	topic_admin_alter_configs(m.client, topic, &(struct topic_config_entry){key, value}, 1, replace, edited, &last);
	zk_manual_run(&m);
	ck_assert(last.done);
	return last.f.status;
}

static enum status add(const char *topic, int32_t total)
{
	last = (struct answer){0};
	topic_admin_add_partitions(m.client, topic, total, NULL, 0, false, edited, &last);
	zk_manual_run(&m);
	ck_assert(last.done);
	return last.f.status;
}

static enum status delete(const char *topic)
{
	last = (struct answer){0};
	topic_admin_delete(m.client, topic, edited, &last);
	zk_manual_run(&m);
	ck_assert(last.done);
	return last.f.status;
}

static enum status describe(const char *topic)
{
	last = (struct answer){0};
	topic_admin_describe(m.client, topic, described, &last);
	zk_manual_run(&m);
	ck_assert(last.done);
	return last.f.status;
}

/* An ensemble with the layout and live brokers 1..n. */
static void with_brokers(int n)
{
	zk_manual_init(&m);
	for (size_t i = 0; zk_schema_persistent_paths[i] != NULL; i++)
		ck_assert_int_eq(zk_manual_create(&m, zk_schema_persistent_paths[i], NULL, 0), STATUS_OK);
	for (int i = 1; i <= n; i++) {
		char path[ZK_PATH_MAX];
		zk_schema_path_broker(i, path);
		ck_assert_int_eq(zk_manual_create(&m, path, "{}", ZK_CREATE_EPHEMERAL), STATUS_OK);
	}
}

START_TEST(topic_admin_create_writes_what_kafka_writes)
{
	with_brokers(1);
	struct topic_config_entry configs[] = {{"retention.ms", "86400000"}, {"cleanup.policy", "delete"}};
	(void)create(&(struct topic_create_request){.topic = "user_activity", .partitions = 3,
						.replication_factor = 1, .configs = configs, .config_count = 2});
	ck_assert_int_eq(last.f.status, STATUS_OK);
	char id[UUID_TEXT_SIZE], wanted[512];
	uuid_format(&last.id, id);
	ck_assert(id[0] != '-');
	snprintf(wanted, sizeof wanted,
		"{\"partitions\":{\"0\":[1],\"1\":[1],\"2\":[1]},\"topic_id\":\"%s\",\"adding_replicas\":{},"
		"\"removing_replicas\":{},\"version\":3}",
		id);
	struct zk_manual_node topic = zk_manual_get(&m, "/brokers/topics/user_activity");
	struct zk_manual_node config = zk_manual_get(&m, "/config/topics/user_activity");
	ck_assert_str_eq(topic.data, wanted);
	ck_assert_int_eq(topic.stat.version, 0);
	ck_assert_str_eq(config.data,
		"{\"version\":1,\"config\":{\"retention.ms\":\"86400000\",\"cleanup.policy\":\"delete\"}}");
	ck_assert_int_le(config.stat.czxid, topic.stat.czxid);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_create_refusals_name_the_cause)
{
	with_brokers(1);
	ck_assert_int_eq(create_plain("a.b", 1, 1), STATUS_OK);
	ck_assert_int_eq(create_plain("a.b", 1, 1), STATUS_TOPIC_ALREADY_EXISTS);
	ck_assert_int_eq(create_plain("a_b", 1, 1), STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_plain("../x", 1, 1), STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_plain("t", 0, 1), STATUS_INVALID_PARTITIONS);
	ck_assert_int_eq(create_plain("t", INT32_MAX, 1), STATUS_INVALID_PARTITIONS);
	ck_assert_int_eq(create_plain("t", 1, 0), STATUS_INVALID_REPLICATION_FACTOR);
	(void)create_plain("t", 1, 2);
	ck_assert_int_eq(last.f.status, STATUS_INVALID_REPLICATION_FACTOR);
	ck_assert_msg(strstr(last.f.text, "2") != NULL && strstr(last.f.text, "1") != NULL, "%s", last.f.text);
	struct topic_config_entry bad = {"retention.mss", "1"}, worse = {"retention.ms", "soon"};
	(void)create(&(struct topic_create_request){.topic = "t", .partitions = 1, .replication_factor = 1, .configs = &bad,
			       .config_count = 1});
	ck_assert_int_eq(last.f.status, STATUS_INVALID_CONFIG);
	ck_assert_msg(strstr(last.f.text, "retention.mss") != NULL, "%s", last.f.text);
	(void)create(&(struct topic_create_request){.topic = "t", .partitions = 1, .replication_factor = 1, .configs = &worse,
			       .config_count = 1});
	ck_assert_int_eq(last.f.status, STATUS_INVALID_CONFIG);
	/* 200,000 partitions of 64 replicas are legal numbers but no znode. */
	int32_t replicas[3] = {1000001, 1000002, 1000003};
	struct partition_assignment *many = check_calloc(60000, sizeof *many);
	for (int i = 0; i < 60000; i++)
		many[i] = (struct partition_assignment){replicas, 3};
	(void)create(&(struct topic_create_request){.topic = "t", .assignment = many, .assignment_count = 60000});
	ck_assert_int_eq(last.f.status, STATUS_INVALID_PARTITIONS);
	free(many);
	ck_assert_int_eq(zk_manual_get(&m, "/brokers/topics/t").status, STATUS_NOT_FOUND);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_create_with_assignment_needs_no_broker)
{
	zk_manual_init(&m); /* an ensemble nobody ever joined */
	int32_t first[] = {2, 1}, second[] = {1, 2}, twice[] = {1, 1}, one[] = {1};
	struct partition_assignment assignment[] = {{first, 2}, {second, 2}};
	(void)create(&(struct topic_create_request){.topic = "t", .partitions = -1, .replication_factor = -1,
						.assignment = assignment, .assignment_count = 2});
	ck_assert_int_eq(last.f.status, STATUS_OK);
	ck_assert_msg(starts_with(zk_manual_get(&m, "/brokers/topics/t").data, "{\"partitions\":{\"0\":[2,1],\"1\":[1,2]}"),
		"%s", zk_manual_get(&m, "/brokers/topics/t").data);
	assignment[1] = (struct partition_assignment){twice, 2};
	(void)create(&(struct topic_create_request){.topic = "u", .assignment = assignment, .assignment_count = 2});
	ck_assert_int_eq(last.f.status, STATUS_INVALID_REPLICA_ASSIGNMENT);
	assignment[1] = (struct partition_assignment){one, 1};
	(void)create(&(struct topic_create_request){.topic = "u", .assignment = assignment, .assignment_count = 2});
	ck_assert_int_eq(last.f.status, STATUS_INVALID_REPLICA_ASSIGNMENT);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_validate_only_changes_nothing)
{
	with_brokers(1);
	struct topic_create_request r = {.topic = "t", .partitions = 1, .replication_factor = 1, .validate_only = true};
	(void)create(&r);
	ck_assert(last.f.status == STATUS_OK && uuid_is_zero(&last.id));
	ck_assert_int_eq(zk_manual_get(&m, "/brokers/topics/t").status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_manual_get(&m, "/config/topics/t").status, STATUS_NOT_FOUND);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_create_overwrites_a_left_over_configuration)
{
	with_brokers(1);
	ck_assert_int_eq(zk_manual_create(&m, "/config/topics/t", "{\"version\":1,\"config\":{\"retention.ms\":\"5\"}}", 0),
		STATUS_OK);
	ck_assert_int_eq(create_plain("t", 1, 1), STATUS_OK);
	ck_assert_str_eq(zk_manual_get(&m, "/config/topics/t").data, "{\"version\":1,\"config\":{}}");
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_pending_topic_waits_is_altered_and_cancelled)
{
	zk_manual_init(&m);
	struct topic_create_request r = {.topic = "t", .partitions = 3, .replication_factor = 2, .pend_if_short = true};
	(void)create(&r);
	ck_assert(last.f.status == STATUS_OK && last.pending && uuid_is_zero(&last.id));
	ck_assert_str_eq(zk_manual_get(&m, "/correio/pending_topics/t").data,
		"{\"version\":1,\"partitions\":3,\"replication_factor\":2,\"config\":{}}");
	ck_assert_int_eq(create(&r), STATUS_TOPIC_ALREADY_EXISTS);
	ck_assert_int_eq(alter("t", "retention.ms", "7", false), STATUS_OK);
	ck_assert_int_eq(add("t", 2), STATUS_INVALID_PARTITIONS);
	ck_assert_int_eq(add("t", 5), STATUS_OK);
	ck_assert_int_eq(describe(NULL), STATUS_OK);
	ck_assert_str_eq(last.described, "t pending 5x2 retention.ms=7;");
	ck_assert_int_eq(delete("t"), STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&m, "/correio/pending_topics/t").status, STATUS_NOT_FOUND);
	ck_assert_int_eq(delete("t"), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_delete_leaves_a_null_marker_once)
{
	with_brokers(1);
	(void)create_plain("t", 1, 1);
	ck_assert_int_eq(delete("t"), STATUS_OK);
	ck_assert_int_eq(delete("t"), STATUS_OK);
	struct zk_manual_node n = zk_manual_get(&m, "/admin/delete_topics/t");
	ck_assert(n.status == STATUS_OK && n.null_data);
	ck_assert_int_eq(describe("t"), STATUS_OK);
	ck_assert_str_eq(last.described, "t marked 0:-2/1;");
	ck_assert_int_eq(add("t", 2), STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(delete("../t"), STATUS_INVALID_TOPIC_EXCEPTION);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_add_partitions_keeps_what_is_there)
{
	with_brokers(3);
	int32_t only[] = {2};
	struct partition_assignment assignment = {only, 1};
	(void)create(&(struct topic_create_request){.topic = "t", .assignment = &assignment, .assignment_count = 1});
	char before[512];
	snprintf(before, sizeof before, "%s", zk_manual_get(&m, "/brokers/topics/t").data);
	ck_assert_int_eq(add("t", 1), STATUS_INVALID_PARTITIONS);
	ck_assert_int_eq(add("t", 4), STATUS_OK);
	struct zk_manual_node n = zk_manual_get(&m, "/brokers/topics/t");
	/* Kafka: from the broker behind the first one that leads partition 0, in turn. */
	ck_assert_msg(starts_with(n.data, "{\"partitions\":{\"0\":[2],\"1\":[3],\"2\":[1],\"3\":[2]}"), "%s", n.data);
	ck_assert_ptr_nonnull(strstr(n.data, strstr(before, "\"topic_id\"")));
	int32_t dead[] = {9};
	struct partition_assignment more = {dead, 1};
	last = (struct answer){0};
	topic_admin_add_partitions(m.client, "t", 5, &more, 1, false, edited, &last);
	zk_manual_run(&m);
	ck_assert_int_eq(last.f.status, STATUS_INVALID_REPLICA_ASSIGNMENT);
	ck_assert_int_eq(zk_manual_set(&m, "/brokers/topics/t",
				 "{\"partitions\":{\"0\":[2,1]},\"adding_replicas\":{\"0\":[1]},\"removing_replicas\":{}}"),
		STATUS_OK);
	ck_assert_int_eq(add("t", 2), STATUS_REASSIGNMENT_IN_PROGRESS);
	ck_assert_int_eq(add("unknown", 2), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_alter_configs_merges_and_notifies)
{
	with_brokers(1);
	(void)create_plain("t", 1, 1);
	ck_assert_int_eq(zk_manual_set(&m, "/config/topics/t",
				 "{\"version\":1,\"config\":{\"from.another.version\":\"x\"},\"later\":[1]}"),
		STATUS_OK);
	ck_assert_int_eq(alter("t", "retention.ms", "7", false), STATUS_OK);
	ck_assert_str_eq(zk_manual_get(&m, "/config/topics/t").data,
		"{\"version\":1,\"config\":{\"from.another.version\":\"x\",\"retention.ms\":\"7\"},\"later\":[1]}");
	ck_assert_str_eq(zk_manual_get(&m, "/config/changes/config_change_0000000000").data,
		"{\"version\":2,\"entity_path\":\"topics/t\"}");
	ck_assert_int_eq(alter("t", "retention.ms", NULL, false), STATUS_OK);
	ck_assert_int_eq(alter("t", "cleanup.policy", "compact", true), STATUS_OK);
	ck_assert_str_eq(zk_manual_get(&m, "/config/topics/t").data,
		"{\"version\":1,\"config\":{\"cleanup.policy\":\"compact\"},\"later\":[1]}");
	ck_assert_int_eq(alter("t", "cleanup.policy", "burn", false), STATUS_INVALID_CONFIG);
	ck_assert_int_eq(alter("unknown", "cleanup.policy", "compact", false),
		STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_describe_reads_states_sorted_and_in_bulk)
{
	with_brokers(1);
	(void)create_plain("zebra", 1, 1);
	(void)create_plain("ant", 600, 1); /* more than are read at a time */
	ck_assert_int_eq(zk_manual_create(&m, "/brokers/topics/zebra/partitions", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&m, "/brokers/topics/zebra/partitions/0", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&m, "/brokers/topics/zebra/partitions/0/state",
				 "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1]}", 0),
		STATUS_OK);
	last = (struct answer){0};
	topic_admin_describe(m.client, NULL, described, &last);
	zk_manual_run(&m);
	ck_assert(last.done && last.f.status == STATUS_OK);
	ck_assert_uint_eq(last.count, 2);
	ck_assert_msg(starts_with(last.described, "ant 0:-2/1 1:-2/1"), "%.40s", last.described);
	ck_assert_int_eq(describe("zebra"), STATUS_OK);
	ck_assert_str_eq(last.described, "zebra 0:1/1;");
	ck_assert_int_eq(describe("none"), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(describe("../none"), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(zk_manual_set(&m, "/brokers/topics/zebra", "damaged"), STATUS_OK);
	ck_assert_int_eq(describe("zebra"), STATUS_CORRUPT);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(topic_admin_create_is_done_once_whenever_the_connection_breaks)
{
	for (unsigned steps = 0; steps < 30; steps++) {
			with_brokers(1);
		last = (struct answer){0};
		topic_admin_create(m.client, &(struct topic_create_request){.topic = "t", .partitions = 2, .replication_factor = 1},
			created, &last);
		for (unsigned i = 0; i < steps && manual_scheduler_step(m.loop); i++)
			;
		zk_standalone_disconnect(m.client);
		zk_manual_advance(&m, 200);
		zk_standalone_connect(m.client);
		zk_manual_advance(&m, 5000);
		ck_assert_msg(last.done && last.f.status == STATUS_OK, "step %u: %s", steps, last.f.text);
		char id[UUID_TEXT_SIZE];
		uuid_format(&last.id, id);
		ck_assert_ptr_nonnull(strstr(zk_manual_get(&m, "/brokers/topics/t").data, id));
		zk_manual_fini(&m);
	}
}
END_TEST

START_TEST(topic_assignment_place_is_kafkas)
{
	/* AdminUtils' example: ten partitions, factor 3, five brokers, from the first. */
	static const int32_t wanted[10][3] = {{0, 1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 0}, {4, 0, 1}, {0, 2, 3}, {1, 3, 4},
		{2, 4, 0}, {3, 0, 1}, {4, 1, 2}};
	int32_t brokers[] = {0, 1, 2, 3, 4};
	struct partition_assignment *a = check_calloc(10, sizeof *a);
	ck_assert_int_eq(topic_assignment_place(brokers, 5, 0, 10, 3, 0, 0, a), STATUS_OK);
	for (int p = 0; p < 10; p++) {
		ck_assert_int_eq(a[p].count, 3);
		for (int r = 0; r < 3; r++)
			ck_assert_int_eq(a[p].replicas[r], wanted[p][r]);
	}
	topic_assignment_free(a, 10);
	struct partition_assignment one;
	ck_assert_int_eq(topic_assignment_place(brokers, 1, 0, 1, 2, 0, 0, &one), STATUS_INVALID_REPLICATION_FACTOR);
	ck_assert_int_eq(topic_assignment_place(brokers, 1, 0, 0, 1, 0, 0, &one), STATUS_INVALID_PARTITIONS);
}
END_TEST

UNIT_MAIN("topic_admin", topic_admin_create_writes_what_kafka_writes, topic_admin_create_refusals_name_the_cause,
	topic_admin_create_with_assignment_needs_no_broker, topic_admin_validate_only_changes_nothing,
	topic_admin_create_overwrites_a_left_over_configuration,
	topic_admin_pending_topic_waits_is_altered_and_cancelled, topic_admin_delete_leaves_a_null_marker_once,
	topic_admin_add_partitions_keeps_what_is_there, topic_admin_alter_configs_merges_and_notifies,
	topic_admin_describe_reads_states_sorted_and_in_bulk,
	topic_admin_create_is_done_once_whenever_the_connection_breaks, topic_assignment_place_is_kafkas)
