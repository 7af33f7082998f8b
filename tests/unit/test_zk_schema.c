#include "coordinator-client/zk_schema.h"
#include "unit.h"

/* Payloads as Kafka 3.9.1 wrote them. */
#define BROKER_V5                                                                                                      \
	"{\"features\":{},\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\",\"SASL_PLAINTEXT\":"         \
	"\"SASL_PLAINTEXT\"},\"endpoints\":[\"PLAINTEXT://127.0.0.1:23092\",\"SASL_PLAINTEXT://127.0.0.1:23094\"],"    \
	"\"rack\":\"rack-a\",\"jmx_port\":-1,\"port\":23092,\"host\":\"127.0.0.1\",\"version\":5,"                     \
	"\"timestamp\":\"1795316746732\"}"
#define TOPIC_V3                                                                                                       \
	"{\"partitions\":{\"0\":[2,1],\"1\":[1,2],\"2\":[2,1]},\"topic_id\":\"sECGlIQWS_KI2L-pWWe1Bw\","               \
	"\"adding_replicas\":{},\"removing_replicas\":{},\"version\":3}"
#define TOPIC_MOVING                                                                                                   \
	"{\"partitions\":{\"0\":[2,1],\"1\":[2]},\"topic_id\":\"Hf8qk3HsRjqpEhFyzPXduA\","                             \
	"\"adding_replicas\":{\"0\":[2]},\"removing_replicas\":{\"0\":[1]},\"version\":3}"
#define STATE "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":0,\"isr\":[2,1]}"
#define CONFIG                                                                                                         \
	"{\"version\":1,\"config\":{\"compression.type\":\"producer\",\"cleanup.policy\":\"compact\","                 \
	"\"segment.bytes\":\"104857600\"}}"

static struct slice text(const char *s)
{
	return slice_of_str(s);
}

START_TEST(zk_schema_broker_v5_round_trips_byte_for_byte)
{
	struct zk_schema_broker b;
	struct failure f;
	ck_assert_int_eq(zk_schema_broker_decode("/brokers/ids/1", text(BROKER_V5), &b, &f), STATUS_OK);
	ck_assert_int_eq(b.version, 5);
	ck_assert_uint_eq(b.endpoint_count, 2);
	ck_assert_str_eq(b.endpoints[1].listener, "SASL_PLAINTEXT");
	ck_assert_str_eq(b.endpoints[1].security_protocol, "SASL_PLAINTEXT");
	ck_assert_str_eq(b.endpoints[1].host, "127.0.0.1");
	ck_assert_int_eq(b.endpoints[1].port, 23094);
	ck_assert_str_eq(b.rack, "rack-a");
	ck_assert_int_eq(b.timestamp_ms, 1795316746732);
	char *out = zk_schema_broker_encode(&b);
	ck_assert_str_eq(out, BROKER_V5);
	free(out);
	zk_schema_broker_fini(&b);
}
END_TEST

START_TEST(zk_schema_broker_reads_old_versions_and_ipv6)
{
	static const struct {
		const char *json;
		const char *host;
		int port;
	} cases[] = {
		{"{\"version\":1,\"host\":\"h\",\"port\":9092,\"jmx_port\":-1,\"timestamp\":\"5\"}", "h", 9092},
		{"{\"version\":2,\"host\":\"h\",\"port\":9092,\"endpoints\":[\"PLAINTEXT://x:1\"],\"timestamp\":5}", "x", 1},
		{"{\"version\":3,\"endpoints\":[\"PLAINTEXT://[::1]:9\"],\"rack\":\"r\",\"timestamp\":\"5\"}", "::1", 9},
		{"{\"version\":4,\"listener_security_protocol_map\":{\"IN\":\"PLAINTEXT\"},\"endpoints\":[\"IN://:7\"]}", "", 7},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct zk_schema_broker b;
		struct failure f;
		ck_assert_int_eq(zk_schema_broker_decode("/b", text(cases[i].json), &b, &f), STATUS_OK);
		ck_assert_str_eq(b.endpoints[0].host, cases[i].host);
		ck_assert_int_eq(b.endpoints[0].port, cases[i].port);
		ck_assert_str_eq(b.endpoints[0].security_protocol, "PLAINTEXT");
		zk_schema_broker_fini(&b);
	}
}
END_TEST

START_TEST(zk_schema_broker_without_plaintext_has_null_host)
{
	struct zk_schema_endpoint e = {.listener = check_strdup("SECURE"), .security_protocol = check_strdup("SSL"),
		.host = check_strdup("::1"), .port = 9093};
	struct zk_schema_broker b = {.endpoints = check_alloc(sizeof e), .endpoint_count = 1, .jmx_port = -1,
		.timestamp_ms = 7};
	b.endpoints[0] = e;
	char *out = zk_schema_broker_encode(&b);
	ck_assert_str_eq(out, "{\"features\":{},\"listener_security_protocol_map\":{\"SECURE\":\"SSL\"},\"endpoints\":"
			      "[\"SECURE://[::1]:9093\"],\"jmx_port\":-1,\"port\":-1,\"host\":null,\"version\":5,"
			      "\"timestamp\":\"7\"}");
	free(out);
	zk_schema_broker_fini(&b);
}
END_TEST

START_TEST(zk_schema_topic_round_trips_byte_for_byte)
{
	static const char *const cases[] = {TOPIC_V3, TOPIC_MOVING,
		"{\"partitions\":{},\"adding_replicas\":{},\"removing_replicas\":{},\"version\":3,\"later\":{\"a\":[1,null]}}"};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct zk_schema_topic t;
		struct failure f;
		ck_assert_int_eq(zk_schema_topic_decode("/t", text(cases[i]), &t, &f), STATUS_OK);
		char *out = zk_schema_topic_encode(&t);
		ck_assert_str_eq(out, cases[i]);
		free(out);
		zk_schema_topic_fini(&t);
	}
}
END_TEST

START_TEST(zk_schema_topic_v1_has_no_id_and_sorts_partitions)
{
	struct zk_schema_topic t;
	struct failure f;
	ck_assert_int_eq(zk_schema_topic_decode("/t", text("{\"version\":1,\"partitions\":{\"10\":[1],\"2\":[3,1]}}"), &t,
				 &f),
		STATUS_OK);
	ck_assert(uuid_is_zero(&t.id));
	ck_assert_uint_eq(t.partition_count, 2);
	ck_assert_int_eq(t.partitions[0].partition, 2);
	ck_assert_int_eq(t.partitions[0].replicas[0], 3);
	ck_assert_int_eq(t.partitions[1].partition, 10);
	zk_schema_topic_fini(&t);
}
END_TEST

START_TEST(zk_schema_state_round_trips_and_keeps_unknown_members)
{
	struct zk_schema_state s;
	struct failure f;
	ck_assert_int_eq(zk_schema_state_decode("/s", text(STATE), &s, &f), STATUS_OK);
	ck_assert_int_eq(s.leader, 2);
	ck_assert_uint_eq(s.isr_count, 2);
	char *out = zk_schema_state_encode(&s);
	ck_assert_str_eq(out, STATE);
	free(out);
	zk_schema_state_fini(&s);
	const char *json = "{\"x\":\"\\\"\\u0001\",\"leader\":-1,\"leader_epoch\":4,\"isr\":[],\"controller_epoch\":9,"
			   "\"leader_recovery_state\":1,\"version\":1}";
	ck_assert_int_eq(zk_schema_state_decode("/s", text(json), &s, &f), STATUS_OK);
	out = zk_schema_state_encode(&s);
	ck_assert_str_eq(out, "{\"controller_epoch\":9,\"leader\":-1,\"version\":1,\"leader_epoch\":4,\"isr\":[],"
			      "\"leader_recovery_state\":1,\"x\":\"\\\"\\u0001\"}");
	free(out);
	zk_schema_state_fini(&s);
}
END_TEST

START_TEST(zk_schema_config_round_trips_and_edits)
{
	struct zk_schema_config c;
	struct failure f;
	ck_assert_int_eq(zk_schema_config_decode("/c", text(CONFIG), &c, &f), STATUS_OK);
	char *out = zk_schema_config_encode(&c);
	ck_assert_str_eq(out, CONFIG);
	free(out);
	zk_schema_config_put(&c, "cleanup.policy", NULL);
	zk_schema_config_put(&c, "absent", NULL);
	zk_schema_config_put(&c, "segment.bytes", "1\n");
	zk_schema_config_put(&c, "retention.ms", "-1");
	ck_assert_str_eq(zk_schema_config_get(&c, "retention.ms"), "-1");
	ck_assert_ptr_null(zk_schema_config_get(&c, "cleanup.policy"));
	out = zk_schema_config_encode(&c);
	ck_assert_str_eq(out, "{\"version\":1,\"config\":{\"compression.type\":\"producer\",\"segment.bytes\":\"1\\u000a\","
			      "\"retention.ms\":\"-1\"}}");
	free(out);
	zk_schema_config_fini(&c);
	ck_assert_int_eq(zk_schema_config_decode("/c", (struct slice){0}, &c, &f), STATUS_OK);
	ck_assert_uint_eq(c.entry_count, 0);
	out = zk_schema_config_encode(&c);
	ck_assert_str_eq(out, "{\"version\":1,\"config\":{}}");
	free(out);
	zk_schema_config_fini(&c);
}
END_TEST

START_TEST(zk_schema_small_nodes_are_as_kafka_writes_them)
{
	struct failure f;
	struct zk_schema_controller c = {.broker_id = 1, .timestamp_ms = 1795316746838, .kraft_controller_epoch = -1};
	char *out = zk_schema_controller_encode(&c);
	ck_assert_str_eq(out, "{\"version\":2,\"brokerid\":1,\"timestamp\":\"1795316746838\",\"kraftControllerEpoch\":-1}");
	struct zk_schema_controller back;
	ck_assert_int_eq(zk_schema_controller_decode(text(out), &back, &f), STATUS_OK);
	ck_assert_int_eq(back.timestamp_ms, c.timestamp_ms);
	free(out);
	ck_assert_int_eq(zk_schema_controller_decode(text("{\"version\":1,\"brokerid\":3}"), &back, &f), STATUS_OK);
	ck_assert_int_eq(back.kraft_controller_epoch, -1);

	int32_t epoch;
	ck_assert_int_eq(zk_schema_controller_epoch_decode(text("12"), &epoch, &f), STATUS_OK);
	ck_assert_int_eq(epoch, 12);
	ck_assert_int_eq(zk_schema_controller_epoch_decode(text("-1"), &epoch, &f), STATUS_CORRUPT);
	ck_assert_int_eq(zk_schema_controller_epoch_decode((struct slice){0}, &epoch, &f), STATUS_CORRUPT);

	out = zk_schema_cluster_id_encode("2huY6jUHSG2InUgMNW91Mw");
	ck_assert_str_eq(out, "{\"version\":\"1\",\"id\":\"2huY6jUHSG2InUgMNW91Mw\"}");
	char *id;
	ck_assert_int_eq(zk_schema_cluster_id_decode(text(out), &id, &f), STATUS_OK);
	ck_assert_str_eq(id, "2huY6jUHSG2InUgMNW91Mw");
	free(id);
	free(out);

	out = zk_schema_config_change_encode("topics/plain");
	ck_assert_str_eq(out, "{\"version\":2,\"entity_path\":\"topics/plain\"}");
	free(out);
	out = zk_schema_feature_encode();
	ck_assert_str_eq(out, "{\"features\":{},\"version\":2,\"status\":1}");
	free(out);
}
END_TEST

START_TEST(zk_schema_config_change_reads_both_versions)
{
	char *entity;
	struct failure f;
	ck_assert_int_eq(zk_schema_config_change_decode("/c",
				 text("{\"version\":1,\"entity_type\":\"topics\",\"entity_name\":\"t\"}"), &entity, &f),
		STATUS_OK);
	ck_assert_str_eq(entity, "topics/t");
	free(entity);
	ck_assert_int_eq(zk_schema_config_change_decode("/c",
				 text("{\"version\":2,\"entity_path\":\"users/alice/clients/app%201\"}"), &entity, &f),
		STATUS_OK);
	ck_assert_str_eq(entity, "users/alice/clients/app%201");
	free(entity);
	ck_assert_int_eq(zk_schema_config_change_decode("/c", text("not json"), &entity, &f), STATUS_CORRUPT);
}
END_TEST

START_TEST(zk_schema_pending_topic_round_trips)
{
	struct zk_schema_pending_topic t = {.partitions = 3, .replication_factor = 2};
	zk_schema_config_put(&t.config, "retention.ms", "1");
	char *out = zk_schema_pending_topic_encode(&t);
	zk_schema_pending_topic_fini(&t);
	ck_assert_str_eq(out,
		"{\"version\":1,\"partitions\":3,\"replication_factor\":2,\"config\":{\"retention.ms\":\"1\"}}");
	struct failure f;
	ck_assert_int_eq(zk_schema_pending_topic_decode("/p", text(out), &t, &f), STATUS_OK);
	ck_assert_int_eq(t.replication_factor, 2);
	ck_assert_str_eq(zk_schema_config_get(&t.config, "retention.ms"), "1");
	zk_schema_pending_topic_fini(&t);
	free(out);
}
END_TEST

START_TEST(zk_schema_partition_list_leaves_out_what_is_not_legal)
{
	struct topic_partition *list;
	size_t count;
	struct failure f;
	const char *json = "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":1},{\"topic\":\"../x\","
			   "\"partition\":0},{\"topic\":\"t\",\"partition\":-1},7,{\"topic\":\"u\",\"partition\":0}]}";
	ck_assert_int_eq(zk_schema_partition_list_decode("/p", text(json), &list, &count, &f), STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(list[1].topic, "u");
	free(list);
}
END_TEST

START_TEST(zk_schema_hostile_payloads_are_refused_and_name_the_node)
{
	static const char *const topics[] = {"", "7", "[]", "{", "null", "{\"partitions\":7}", "{\"partitions\":{\"x\":[1]}}",
		"{\"partitions\":{\"-1\":[1]}}", "{\"partitions\":{\"0\":[1,1]}}", "{\"partitions\":{\"0\":[-1]}}",
		"{\"partitions\":{\"0\":[2147483648]}}", "{\"partitions\":{\"0\":{}}}", "{\"partitions\":{\"0\":[\"1\"]}}",
		"{\"partitions\":{\"1\":[1],\"01\":[2]}}", "{\"partitions\":{\"0\":[1]},\"topic_id\":\"short\"}",
		"{\"partitions\":{\"0\":[1]},\"partitions\":{}}", "{\"partitions\":{\"0\":[1]}}\xff",
		"{\"version\":99999999999,\"partitions\":{}}", "{\"version\":1.5,\"partitions\":{}}"};
	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
		struct zk_schema_topic t;
		struct failure f = {0};
		ck_assert_msg(zk_schema_topic_decode("/brokers/topics/t", text(topics[i]), &t, &f) == STATUS_CORRUPT,
			"accepted %s", topics[i]);
		ck_assert_msg(strstr(f.text, "/brokers/topics/t") != NULL, "%s", f.text);
	}
	static const char *const states[] = {"{}", "{\"leader\":1}",
		"{\"leader\":-2,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":[]}",
		"{\"leader\":1,\"leader_epoch\":-1,\"controller_epoch\":1,\"isr\":[]}",
		"{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":{}}"};
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct zk_schema_state s;
		struct failure f;
		ck_assert_int_eq(zk_schema_state_decode("/s", text(states[i]), &s, &f), STATUS_CORRUPT);
	}
	static const char *const brokers[] = {"{}", "{\"version\":0}", "{\"version\":5}", "{\"version\":5,\"endpoints\":[]}",
		"{\"version\":5,\"endpoints\":[\"nonsense\"]}", "{\"version\":5,\"endpoints\":[\"A://b:99999\"]}",
		"{\"version\":5,\"endpoints\":[\"A://b:1\",7]}", "{\"version\":1,\"host\":\"h\",\"port\":-5}",
		"{\"version\":5,\"endpoints\":[\"://b:1\"]}", "{\"version\":1,\"host\":null,\"port\":1}"};
	for (size_t i = 0; i < sizeof brokers / sizeof brokers[0]; i++) {
		struct zk_schema_broker b;
		struct failure f;
		ck_assert_msg(zk_schema_broker_decode("/b", text(brokers[i]), &b, &f) == STATUS_CORRUPT, "accepted %s",
			brokers[i]);
	}
}
END_TEST

START_TEST(zk_schema_oversized_and_deep_payloads_are_refused)
{
	struct zk_schema_config c;
	struct failure f;
	size_t n = ZK_SCHEMA_PAYLOAD_MAX + 1;
	char *big = check_alloc(n);
	memset(big, ' ', n);
	ck_assert_int_eq(zk_schema_config_decode("/c", slice_of(big, n), &c, &f), STATUS_CORRUPT);
	memset(big, '[', 1 << 20);
	ck_assert_int_eq(zk_schema_config_decode("/c", slice_of(big, 1 << 20), &c, &f), STATUS_CORRUPT);
	free(big);
}
END_TEST

START_TEST(zk_schema_paths)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_state("t", 12, path);
	ck_assert_str_eq(path, "/brokers/topics/t/partitions/12/state");
	ck_assert_int_eq(zk_schema_path_child("/a", "b/c", path), STATUS_INVALID_ARGUMENT);
	ck_assert_int_eq(zk_schema_path_child("/a", "", path), STATUS_INVALID_ARGUMENT);
	ck_assert_int_eq(zk_schema_path_child("/a", "b", path), STATUS_OK);
	ck_assert_str_eq(path, "/a/b");
	int64_t n;
	ck_assert_int_eq(zk_schema_sequence_parse("config_change_0000000012", "config_change_", &n), STATUS_OK);
	ck_assert_int_eq(n, 12);
	ck_assert_int_eq(zk_schema_sequence_parse("config_change_x", "config_change_", &n), STATUS_INVALID_ARGUMENT);
}
END_TEST

UNIT_MAIN("zk_schema", zk_schema_broker_v5_round_trips_byte_for_byte, zk_schema_broker_reads_old_versions_and_ipv6,
	zk_schema_broker_without_plaintext_has_null_host, zk_schema_topic_round_trips_byte_for_byte,
	zk_schema_topic_v1_has_no_id_and_sorts_partitions, zk_schema_state_round_trips_and_keeps_unknown_members,
	zk_schema_config_round_trips_and_edits, zk_schema_small_nodes_are_as_kafka_writes_them,
	zk_schema_config_change_reads_both_versions, zk_schema_pending_topic_round_trips,
	zk_schema_partition_list_leaves_out_what_is_not_legal, zk_schema_hostile_payloads_are_refused_and_name_the_node,
	zk_schema_oversized_and_deep_payloads_are_refused, zk_schema_paths)
