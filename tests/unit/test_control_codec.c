#include "control.pb-c.h"
#include "tests/unit/unit.h"
#include "wire/control_codec.h"

/* Through the message, its bytes, and back. */
static struct control_request round_trip(const struct control_request *r)
{
	struct arena arena;
	arena_init(&arena, 1 << 20);
	Correio__ControlRequest *m;
	ck_assert_int_eq(control_codec_request_to_message(r, &arena, &m), STATUS_OK);
	size_t n = correio__control_request__get_packed_size(m);
	uint8_t *bytes = check_alloc(n);
	ck_assert_uint_eq(correio__control_request__pack(m, bytes), n);
	Correio__ControlRequest *back = correio__control_request__unpack(NULL, n, bytes);
	ck_assert_ptr_nonnull(back);
	struct control_request result;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_message(back, &result, &f), STATUS_OK);
	correio__control_request__free_unpacked(back, NULL);
	free(bytes);
	arena_fini(&arena);
	return result;
}

static struct control_topic topic_of_two(int32_t *isr, int32_t *replicas, struct control_partition partitions[2])
{
	partitions[0] = (struct control_partition){.partition = 0, .leader = 2, .leader_epoch = 7, .partition_epoch = 9,
		.controller_epoch = 3, .is_new = true, .isr = isr, .isr_count = 2, .replicas = replicas, .replica_count = 3};
	partitions[1] = (struct control_partition){.partition = 5, .leader = -2, .leader_epoch = -2};
	struct control_topic t = {.name = (char[]){"some.topic"}, .partitions = partitions, .partition_count = 2};
	memset(t.id.b, 0xab, sizeof t.id.b);
	return t;
}

START_TEST(control_codec_leader_and_isr_round_trips)
{
	int32_t isr[] = {2, 1}, replicas[] = {1, 2, 3};
	struct control_partition partitions[2];
	struct control_topic t = topic_of_two(isr, replicas, partitions);
	char name[] = "some.topic";
	t.name = name;
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr = (struct leader_and_isr_request){.header = {4, 3, 1LL << 40}, .topics = &t, .topic_count = 1};
	struct control_request back = round_trip(&r);
	ck_assert_int_eq(back.kind, CONTROL_LEADER_AND_ISR);
	ck_assert_int_eq(back.header.broker_epoch, 1LL << 40);
	ck_assert_int_eq(back.header.controller_id, 4);
	ck_assert_uint_eq(back.leader_and_isr.topic_count, 1);
	const struct control_topic *bt = &back.leader_and_isr.topics[0];
	ck_assert_str_eq(bt->name, "some.topic");
	ck_assert(uuid_equal(&bt->id, &t.id));
	ck_assert_uint_eq(bt->partition_count, 2);
	ck_assert_int_eq(bt->partitions[0].leader_epoch, 7);
	ck_assert_int_eq(bt->partitions[0].partition_epoch, 9);
	ck_assert(bt->partitions[0].is_new && !bt->partitions[1].is_new);
	ck_assert_uint_eq(bt->partitions[0].replica_count, 3);
	ck_assert_int_eq(bt->partitions[0].isr[1], 1);
	ck_assert_int_eq(bt->partitions[1].leader, -2);
	control_request_fini(&back);
}
END_TEST

START_TEST(control_codec_other_requests_round_trip)
{
	char listener[] = "PLAINTEXT", host[] = "::1", rack[] = "r";
	struct control_endpoint endpoint = {.listener = listener, .host = host, .port = 9092};
	struct control_broker brokers[] = {{.id = 1, .epoch = 5, .rack = rack, .endpoints = &endpoint, .endpoint_count = 1},
		{.id = 2, .epoch = 6}};
	struct control_request r = {.kind = CONTROL_UPDATE_METADATA};
	r.update_metadata = (struct update_metadata_request){.header = {1, 2, -1}, .full = true, .brokers = brokers,
		.broker_count = 2};
	struct control_request back = round_trip(&r);
	ck_assert(back.update_metadata.full);
	ck_assert_uint_eq(back.update_metadata.broker_count, 2);
	ck_assert_str_eq(back.update_metadata.brokers[0].endpoints[0].host, "::1");
	ck_assert_str_eq(back.update_metadata.brokers[0].rack, "r");
	ck_assert_ptr_null(back.update_metadata.brokers[1].rack);
	control_request_fini(&back);

	struct stop_replica_partition stop = {.tp = {.topic = "t", .partition = 3}, .leader_epoch = -2, .delete_log = true};
	r = (struct control_request){.kind = CONTROL_STOP_REPLICA};
	r.stop_replica = (struct stop_replica_request){.partitions = &stop, .partition_count = 1};
	back = round_trip(&r);
	ck_assert_int_eq(back.stop_replica.partitions[0].leader_epoch, -2);
	ck_assert(back.stop_replica.partitions[0].delete_log);
	ck_assert_str_eq(back.stop_replica.partitions[0].tp.topic, "t");
	control_request_fini(&back);

	char topic[] = "t", key[] = "retention.ms", value[] = "1";
	struct control_config_entry entry = {.key = key, .value = value};
	struct control_topic_config config = {.topic = topic, .entries = &entry, .entry_count = 1};
	r = (struct control_request){.kind = CONTROL_UPDATE_CONFIGS};
	r.update_configs = (struct update_configs_request){.topics = &config, .topic_count = 1};
	back = round_trip(&r);
	ck_assert_str_eq(back.update_configs.topics[0].entries[0].key, "retention.ms");
	control_request_fini(&back);
}
END_TEST

static void refused(Correio__ControlTopic *topic)
{
	Correio__ControlRequest m;
	Correio__LeaderAndIsr l;
	correio__control_request__init(&m);
	correio__leader_and_isr__init(&l);
	l.topics = &topic;
	l.n_topics = 1;
	m.message_case = CORREIO__CONTROL_REQUEST__MESSAGE_LEADER_AND_ISR;
	m.leader_and_isr = &l;
	struct control_request r;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_message(&m, &r, &f), STATUS_INVALID_REQUEST);
}

START_TEST(control_codec_hostile_messages_are_refused)
{
	char good[] = "t", bad[] = "../t";
	uint8_t id[3] = {1, 2, 3};
	int32_t negative[] = {1, -1};
	Correio__ControlTopic topic;
	Correio__ControlPartition partition, *partitions[] = {&partition};
	correio__control_topic__init(&topic);
	correio__control_partition__init(&partition);
	topic.name = bad;
	refused(&topic);
	topic.name = good;
	topic.topic_id = (ProtobufCBinaryData){.data = id, .len = sizeof id};
	refused(&topic);
	topic.topic_id.len = 0;
	topic.partitions = partitions;
	topic.n_partitions = 1;
	partition.partition = -1;
	refused(&topic);
	partition.partition = 0;
	partition.leader = -3;
	refused(&topic);
	partition.leader = 1;
	partition.isr = negative;
	partition.n_isr = 2;
	refused(&topic);

	Correio__ControlRequest none;
	correio__control_request__init(&none);
	struct control_request r;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_message(&none, &r, &f), STATUS_UNSUPPORTED_VERSION);
}
END_TEST

START_TEST(control_codec_responses_round_trip)
{
	struct control_partition_result results[] = {{.tp = {.topic = "t", .partition = 1}, .status = STATUS_OK},
		{.tp = {.topic = "t", .partition = 2}, .status = STATUS_KAFKA_STORAGE_ERROR}};
	struct control_response response = {.results = results, .result_count = 2}, back;
	struct arena arena;
	arena_init(&arena, 1 << 16);
	Correio__ControlResponse *m;
	ck_assert_int_eq(control_codec_response_to_message(&response, &arena, &m), STATUS_OK);
	ck_assert_int_eq(control_codec_response_from_message(m, 0, &back), STATUS_OK);
	ck_assert_uint_eq(back.result_count, 2);
	ck_assert_int_eq(back.results[1].status, STATUS_KAFKA_STORAGE_ERROR);
	control_response_fini(&back);
	m->results[0]->topic = (char[]){"a/b"};
	ck_assert_int_eq(control_codec_response_from_message(m, 0, &back), STATUS_INVALID_REQUEST);
	arena_fini(&arena);
	ck_assert_int_eq(control_codec_response_from_message(NULL, 77, &back), STATUS_OK);
	ck_assert_int_eq(back.status, STATUS_STALE_BROKER_EPOCH);
	ck_assert_int_eq(control_codec_response_from_message(NULL, 0, &back), STATUS_INVALID_REQUEST);
	ck_assert_int_eq(control_codec_response_from_message(NULL, 1 << 20, &back), STATUS_INVALID_REQUEST);
}
END_TEST

START_TEST(control_codec_says_when_the_arena_is_full)
{
	int32_t isr[] = {2, 1}, replicas[] = {1, 2, 3};
	struct control_partition partitions[2];
	struct control_topic t = topic_of_two(isr, replicas, partitions);
	char name[] = "t";
	t.name = name;
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr = (struct leader_and_isr_request){.topics = &t, .topic_count = 1};
	struct arena arena;
	arena_init(&arena, 300);
	Correio__ControlRequest *m;
	ck_assert_int_eq(control_codec_request_to_message(&r, &arena, &m), STATUS_TOO_LARGE);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("control_codec", control_codec_leader_and_isr_round_trips, control_codec_other_requests_round_trip,
	control_codec_hostile_messages_are_refused, control_codec_responses_round_trip,
	control_codec_says_when_the_arena_is_full)
