/* Control requests through Kafka's frames and back, in every version; what strangers may send instead. */
#include "tests/unit/kafka_random.h"
#include "tests/unit/unit.h"
#include "wire/control_codec.h"
#include "wire/kafka_codec.h"

enum { MEMORY = 4 << 20, LENGTH_BYTES = 4 };

static struct arena arena;

/* As it comes out at the other end of a connection. */
static void *over_the_wire(const struct kafka_api *api, int16_t version, const void *body, bool is_request)
{
	struct iobuf out;
	struct kafka_header header = {.api_key = api->key, .api_version = version, .correlation_id = 7}, back;
	void *result = NULL;
	int32_t correlation_id;
	iobuf_init(&out);
	enum status s = is_request ? kafka_codec_encode_request(api, &header, body, NULL, &out)
				   : kafka_codec_encode_response(api, &header, body, NULL, &out);
	ck_assert_int_eq(s, STATUS_OK);
	struct slice frame = kafka_random_gather(&arena, &out);
	frame = slice_sub(frame, LENGTH_BYTES, frame.n - LENGTH_BYTES);
	s = is_request ? kafka_codec_decode_request(&arena, frame, api, &back, &result)
		       : kafka_codec_decode_response(&arena, frame, api, version, &correlation_id, &result);
	ck_assert_int_eq(s, STATUS_OK);
	iobuf_fini(&out);
	return result;
}

static struct control_request there(const struct control_request *r, int16_t version)
{
	void *body;
	struct control_request back;
	struct failure f;
	ck_assert_int_eq(control_codec_request_to_body(r, version, &arena, &body), STATUS_OK);
	body = over_the_wire(control_codec_api(r->kind), version, body, true);
	ck_assert_int_eq(control_codec_request_from_body(r->kind, version, body, &back, &f), STATUS_OK);
	ck_assert_int_eq(back.header.controller_id, r->header.controller_id);
	ck_assert_int_eq(back.header.controller_epoch, r->header.controller_epoch);
	return back;
}

static struct control_response and_back(const struct control_request *r, int16_t version, const struct control_response *response)
{
	void *request_body, *body;
	struct control_response back;
	ck_assert_int_eq(control_codec_request_to_body(r, version, &arena, &request_body), STATUS_OK);
	ck_assert_int_eq(control_codec_response_to_body(r->kind, version, request_body, response, &arena, &body), STATUS_OK);
	body = over_the_wire(control_codec_api(r->kind), version, body, false);
	ck_assert_int_eq(control_codec_response_from_body(r, version, body, &back), STATUS_OK);
	ck_assert_int_eq(back.status, response->status);
	return back;
}

static int32_t isr[] = {2, 1}, replicas[] = {1, 2, 3}, adding[] = {3}, removing[] = {1}, offline[] = {3};
static char first_name[] = "some.topic", second_name[] = "other", host[] = "::1", listener[] = "INTERNAL", rack[] = "r";
static struct control_partition partitions[] = {
	{.partition = 0, .leader = 2, .leader_epoch = 7, .partition_epoch = 9, .controller_epoch = 3, .is_new = true,
		.leader_recovery_state = LEADER_RECOVERING, .isr = isr, .isr_count = 2, .replicas = replicas, .replica_count = 3,
		.adding = adding, .adding_count = 1, .removing = removing, .removing_count = 1, .offline = offline, .offline_count = 1},
	{.partition = 5, .leader = -2, .leader_epoch = -2},
	{.partition = 1, .leader = -1, .leader_epoch = 4},
};
static struct control_topic topics[] = {
	{.name = first_name, .id = {.b = {1, 2}}, .partitions = partitions, .partition_count = 2},
	{.name = second_name, .id = {.b = {3, 4}}, .partitions = &partitions[2], .partition_count = 1},
};
static const struct control_header header = {4, 3, 1LL << 40};

static void check_topics(const struct control_topic *back, size_t count, bool with_ids)
{
	ck_assert_uint_eq(count, 2);
	for (size_t i = 0; i < count; i++) {
		ck_assert_str_eq(back[i].name, topics[i].name);
		ck_assert(with_ids ? uuid_equal(&back[i].id, &topics[i].id) : uuid_is_zero(&back[i].id));
		ck_assert_uint_eq(back[i].partition_count, topics[i].partition_count);
		for (size_t k = 0; k < back[i].partition_count; k++) {
			const struct control_partition *a = &topics[i].partitions[k], *b = &back[i].partitions[k];
			ck_assert_int_eq(b->partition, a->partition);
			ck_assert_int_eq(b->leader, a->leader);
			ck_assert_int_eq(b->leader_epoch, a->leader_epoch);
			ck_assert_int_eq(b->partition_epoch, a->partition_epoch);
			ck_assert_int_eq(b->controller_epoch, a->controller_epoch);
			ck_assert_uint_eq(b->isr_count, a->isr_count);
			ck_assert_uint_eq(b->replica_count, a->replica_count);
		}
	}
	ck_assert_int_eq(back[0].partitions[0].isr[1], 1);
	ck_assert_int_eq(back[0].partitions[0].replicas[2], 3);
}

START_TEST(control_codec_leader_and_isr_in_every_version)
{
	arena_init(&arena, MEMORY);
	struct control_leader leader = {.id = 2, .host = host, .port = 9092};
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr = (struct leader_and_isr_request){.header = header, .topics = topics, .topic_count = 2, .live_leaders = &leader,
		.live_leader_count = 1};
	for (int16_t v = 0; v <= 7; v++) {
		struct control_request back = there(&r, v);
		const struct leader_and_isr_request *l = &back.leader_and_isr;
		check_topics(l->topics, l->topic_count, v >= 5);
		ck_assert_int_eq(back.header.broker_epoch, v >= 2 ? 1LL << 40 : -1);
		const struct control_partition *p = &l->topics[0].partitions[0];
		ck_assert_int_eq(p->is_new, v >= 1);
		ck_assert_uint_eq(p->adding_count, v >= 3 ? 1 : 0);
		ck_assert_uint_eq(p->removing_count, v >= 3 ? 1 : 0);
		ck_assert_int_eq(p->leader_recovery_state, v >= 6 ? LEADER_RECOVERING : LEADER_RECOVERED);
		ck_assert_uint_eq(l->live_leader_count, 1);
		ck_assert_str_eq(l->live_leaders[0].host, "::1");
		control_request_fini(&back);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(control_codec_update_metadata_in_every_version)
{
	arena_init(&arena, MEMORY);
	struct control_endpoint endpoints[] = {{listener, host, 9093, CONTROL_SECURITY_SASL_SSL}, {rack, host, 9092, CONTROL_SECURITY_PLAINTEXT}};
	struct control_broker brokers[] = {{.id = 1, .epoch = 5, .rack = rack, .endpoints = endpoints, .endpoint_count = 2},
		{.id = 2, .endpoints = &endpoints[1], .endpoint_count = 1}};
	struct control_request r = {.kind = CONTROL_UPDATE_METADATA};
	r.update_metadata = (struct update_metadata_request){.header = header, .full = true, .brokers = brokers, .broker_count = 2,
		.topics = topics, .topic_count = 2};
	for (int16_t v = 0; v <= 8; v++) {
		struct control_request back = there(&r, v);
		const struct update_metadata_request *u = &back.update_metadata;
		check_topics(u->topics, u->topic_count, v >= 7);
		ck_assert_int_eq(u->full, v >= 8);
		ck_assert_uint_eq(u->topics[0].partitions[0].offline_count, v >= 4 ? 1 : 0);
		ck_assert_uint_eq(u->broker_count, 2);
		ck_assert_uint_eq(u->brokers[0].endpoint_count, v >= 1 ? 2 : 1);
		const struct control_endpoint *e = &u->brokers[0].endpoints[0];
		ck_assert_int_eq(e->port, v >= 1 ? 9093 : 9092); /* once there was one address, without protection */
		ck_assert_str_eq(e->listener, v >= 3 ? "INTERNAL" : v >= 1 ? "SASL_SSL" : "PLAINTEXT");
		ck_assert_int_eq(u->brokers[0].epoch, -1);
		ck_assert(v >= 2 ? strcmp(u->brokers[0].rack, "r") == 0 : u->brokers[0].rack == NULL);
		ck_assert_ptr_null(u->brokers[1].rack);
		control_request_fini(&back);
		struct control_response done = and_back(&r, v, &(struct control_response){.status = STATUS_STALE_BROKER_EPOCH});
		control_response_fini(&done);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(control_codec_stop_replica_in_every_version)
{
	arena_init(&arena, MEMORY);
	struct stop_replica_partition stop[] = {{.tp = {.topic = "t", .partition = 3}, .leader_epoch = -2, .delete_log = true},
		{.tp = {.topic = "t", .partition = 4}, .leader_epoch = 5, .delete_log = true},
		{.tp = {.topic = "u", .partition = 0}, .leader_epoch = 6, .delete_log = true}};
	struct control_request r = {.kind = CONTROL_STOP_REPLICA};
	r.stop_replica = (struct stop_replica_request){.header = header, .partitions = stop, .partition_count = 3};
	struct control_partition_result results[] = {{{.topic = "t", .partition = 3}, STATUS_OK},
		{{.topic = "t", .partition = 4}, STATUS_KAFKA_STORAGE_ERROR}, {{.topic = "u"}, STATUS_STALE_CONTROLLER_EPOCH}};
	for (int16_t v = 0; v <= 4; v++) {
		struct control_request back = there(&r, v);
		ck_assert_uint_eq(back.stop_replica.partition_count, 3);
		ck_assert_str_eq(back.stop_replica.partitions[2].tp.topic, "u");
		ck_assert_int_eq(back.stop_replica.partitions[1].tp.partition, 4);
		ck_assert_int_eq(back.stop_replica.partitions[0].leader_epoch, v >= 3 ? -2 : -1);
		ck_assert(back.stop_replica.partitions[1].delete_log);
		control_request_fini(&back);
		struct control_response done = and_back(&r, v, &(struct control_response){.results = results, .result_count = 3});
		ck_assert_uint_eq(done.result_count, 3);
		ck_assert_int_eq(done.results[1].status, STATUS_KAFKA_STORAGE_ERROR);
		ck_assert_int_eq(done.results[2].status, v >= 3 ? STATUS_FENCED_LEADER_EPOCH : STATUS_STALE_CONTROLLER_EPOCH);
		control_response_fini(&done);
	}
	stop[1].delete_log = false; /* old versions have one flag for all */
	void *body;
	ck_assert_int_eq(control_codec_request_to_body(&r, 2, &arena, &body), STATUS_UNSUPPORTED_VERSION);
	struct control_request back = there(&r, 3);
	ck_assert(!back.stop_replica.partitions[1].delete_log && back.stop_replica.partitions[2].delete_log);
	control_request_fini(&back);
	arena_fini(&arena);
}
END_TEST

START_TEST(control_codec_results_find_their_topics)
{
	arena_init(&arena, MEMORY);
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr = (struct leader_and_isr_request){.header = header, .topics = topics, .topic_count = 2};
	struct control_partition_result results[] = {{{.topic = "some.topic", .partition = 0}, STATUS_OK},
		{{.topic = "some.topic", .partition = 5}, STATUS_STALE_CONTROLLER_EPOCH},
		{{.topic = "other", .partition = 1}, STATUS_KAFKA_STORAGE_ERROR}};
	for (int16_t v = 0; v <= 7; v++) {
		struct control_response done = and_back(&r, v, &(struct control_response){.results = results, .result_count = 3});
		ck_assert_uint_eq(done.result_count, 3);
		for (size_t i = 0; i < 3; i++) {
			ck_assert_str_eq(done.results[i].tp.topic, results[i].tp.topic);
			ck_assert_int_eq(done.results[i].tp.partition, results[i].tp.partition);
			ck_assert_int_eq(done.results[i].status, results[i].status);
		}
		control_response_fini(&done);
		done = and_back(&r, v, &(struct control_response){.status = STATUS_STALE_CONTROLLER_EPOCH});
		ck_assert_uint_eq(done.result_count, 0);
		control_response_fini(&done);
	}
	/* An answer by id cannot be told apart for topics without one. */
	ck_assert_int_eq(control_codec_version(&r, 3), 3);
	ck_assert_int_eq(control_codec_version(&r, 99), 7);
	struct control_topic nameless[] = {topics[0], topics[1]};
	memset(&nameless[1].id, 0, sizeof(nameless[1].id));
	r.leader_and_isr.topics = nameless;
	ck_assert_int_eq(control_codec_version(&r, 7), 4);
	/* A topic nobody asked about. */
	struct kafka_leader_and_isr_response_partition_error error = {.partition_index = 1};
	struct kafka_leader_and_isr_response_topic stranger = {.topic_id = {.b = {9}}, .partition_errors = &error, .partition_errors_count = 1};
	struct kafka_leader_and_isr_response m = {.topics = &stranger, .topics_count = 1};
	struct control_response done;
	ck_assert_int_eq(control_codec_response_from_body(&r, 7, &m, &done), STATUS_OK);
	ck_assert_uint_eq(done.result_count, 0);
	control_response_fini(&done);
	arena_fini(&arena);
}
END_TEST

static void refused(enum control_kind kind, int16_t version, const void *body)
{
	struct control_request r;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_body(kind, version, body, &r, &f), STATUS_INVALID_REQUEST);
}

START_TEST(control_codec_hostile_roles_are_refused)
{
	arena_init(&arena, MEMORY);
	const int32_t negative[] = {1, -1};
	struct kafka_leader_and_isr_request_partition_state p = {.topic_name = "t"};
	struct kafka_leader_and_isr_request_topic_state t = {.topic_name = "t", .partition_states = &p, .partition_states_count = 1};
	struct kafka_leader_and_isr_request m = {.topic_states = &t, .topic_states_count = 1, .ungrouped_partition_states = &p,
		.ungrouped_partition_states_count = 1};
	struct control_request good;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_body(CONTROL_LEADER_AND_ISR, 7, &m, &good, &f), STATUS_OK);
	control_request_fini(&good);
#define REFUSED(change, restore)                                                                                       \
	do {                                                                                                           \
		change;                                                                                                \
		refused(CONTROL_LEADER_AND_ISR, 7, &m);                                                                \
		restore;                                                                                               \
	} while (0)
	REFUSED(t.topic_name = "../t", t.topic_name = "t");
	REFUSED(p.partition_index = -1, p.partition_index = 0);
	REFUSED(p.leader = -3, p.leader = 1);
	REFUSED(p.leader_epoch = -3, p.leader_epoch = 0);
	REFUSED((p.isr = negative, p.isr_count = 2), p.isr_count = 0);
	REFUSED((p.replicas = negative, p.replicas_count = 2), p.replicas_count = 0);
	REFUSED((p.adding_replicas = negative, p.adding_replicas_count = 2), p.adding_replicas_count = 0);
	REFUSED((p.removing_replicas = negative, p.removing_replicas_count = 2), p.removing_replicas_count = 0);
	REFUSED(m.is_kraft_controller = true, m.is_kraft_controller = false);
	REFUSED(m.controller_id = -1, m.controller_id = 0);
	REFUSED(m.controller_epoch = -1, m.controller_epoch = 0);
	struct kafka_leader_and_isr_request_live_leader l = {.broker_id = 1, .host_name = "h", .port = 65536};
	REFUSED((m.live_leaders = &l, m.live_leaders_count = 1), m.live_leaders_count = 0);
#undef REFUSED
	p.topic_name = "";
	refused(CONTROL_LEADER_AND_ISR, 1, &m);
	arena_fini(&arena);
}
END_TEST

START_TEST(control_codec_hostile_pictures_and_stops_are_refused)
{
	arena_init(&arena, MEMORY);
	struct kafka_update_metadata_request_live_broker_endpoint e = {.port = 1, .host = "h", .listener = ""};
	struct kafka_update_metadata_request_live_broker b = {.id = 1, .v0_host = "", .endpoints = &e, .endpoints_count = 1};
	struct kafka_update_metadata_request m = {.live_brokers = &b, .live_brokers_count = 1};
	struct control_request good;
	struct failure f;
	ck_assert_int_eq(control_codec_request_from_body(CONTROL_UPDATE_METADATA, 8, &m, &good, &f), STATUS_OK);
	ck_assert_str_eq(good.update_metadata.brokers[0].endpoints[0].listener, "PLAINTEXT");
	control_request_fini(&good);
	refused(CONTROL_UPDATE_METADATA, 0, &m); /* version 0 has its own host, and that is empty */
	e.security_protocol = 4;
	refused(CONTROL_UPDATE_METADATA, 8, &m);
	e.security_protocol = 0;
	e.port = -1;
	refused(CONTROL_UPDATE_METADATA, 8, &m);
	e.port = 1;
	e.host = "";
	refused(CONTROL_UPDATE_METADATA, 8, &m);
	e.host = "h";
	b.id = -1;
	refused(CONTROL_UPDATE_METADATA, 8, &m);

	struct kafka_stop_replica_request_topic_state_partition_state p = {.partition_index = -1};
	struct kafka_stop_replica_request_topic_state t = {.topic_name = "t", .partition_states = &p, .partition_states_count = 1};
	struct kafka_stop_replica_request stop = {.topic_states = &t, .topic_states_count = 1};
	refused(CONTROL_STOP_REPLICA, 4, &stop);
	p.partition_index = 0;
	p.leader_epoch = -3;
	refused(CONTROL_STOP_REPLICA, 4, &stop);
	p.leader_epoch = -2;
	t.topic_name = "..";
	refused(CONTROL_STOP_REPLICA, 4, &stop);
	t.topic_name = "t";
	stop.is_kraft_controller = true;
	refused(CONTROL_STOP_REPLICA, 4, &stop);
	arena_fini(&arena);
}
END_TEST

/* A body that does not fit its memory. */
START_TEST(control_codec_full_arena)
{
	arena_init(&arena, MEMORY);
	struct arena small;
	void *body;
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr = (struct leader_and_isr_request){.header = header, .topics = topics, .topic_count = 2};
	arena_init(&small, 64);
	ck_assert_int_eq(control_codec_request_to_body(&r, 7, &small, &body), STATUS_TOO_LARGE);
	arena_fini(&small);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("control_codec", control_codec_leader_and_isr_in_every_version, control_codec_update_metadata_in_every_version,
	control_codec_stop_replica_in_every_version, control_codec_results_find_their_topics,
	control_codec_hostile_roles_are_refused, control_codec_hostile_pictures_and_stops_are_refused, control_codec_full_arena)
