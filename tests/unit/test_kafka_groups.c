/* Kafka's group requests between a faked connection and a faked coordinator: frames in, decoded answers out. */
#include "kafka_connection.h"
#include "service_fixture.h"
#include "unit.h"

#include "coordinator/group_coordinator.h"
#include "kafka/kafka_dispatch.h"
#include "service/admin_service.h"
#include "wire/kafka_codec.h"

static struct service_fixture fixture;
static struct kafka_dispatch *dispatch;
static struct service_loop *loops[1];

/* --- the coordinator, faked: keeps what it is asked until the test answers ------- */

static struct group_request *asked[64];
static size_t asked_count;
static struct group_coordinator *const coordinators[] = {NULL};

void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	(void)owner;
	ck_assert_uint_lt(asked_count, 64);
	asked[asked_count++] = r;
}
void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	static struct group_list_entry entry = {.group_id = "g", .protocol_type = "consumer", .state = "Stable", .type = "classic"};
	(void)owner;
	r->groups = &entry;
	r->group_count = r->state_count == 0 || strcmp(r->states[0], "Stable") == 0 ? 1 : 0;
	r->done(r);
}
int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	(void)group_id;
	ck_assert_int_eq(count, 1);
	return 0;
}

static void finish(size_t i, enum status s)
{
	ck_assert_uint_lt(i, asked_count);
	asked[i]->status = s;
	asked[i]->done(asked[i]);
}

static void set_up(void)
{
	service_fixture_init(&fixture);
	service_fixture_add_groups(&fixture, coordinators);
	loops[0] = fixture.service;
	struct kafka_dispatch_options o = {.loops = loops, .loop_count = 1, .settings = &fixture.settings, .cluster_id = "c"};
	dispatch = kafka_dispatch_new(&o);
	asked_count = 0;
	kafka_connection_begin();
}

static void tear_down(void)
{
	kafka_dispatch_free(dispatch);
	service_fixture_fini(&fixture);
}

static void send_request(enum kafka_api_id id, int16_t version, const void *body)
{
	kafka_connection_send(dispatch, fixture.scheduler, id, version, body);
}

static const void *answer(enum kafka_api_id id, int16_t version)
{
	return kafka_connection_answer(&fixture.arena, id, version);
}

#define MESSAGE_OF(type, name) struct kafka_##type name; kafka_messages_init(&kafka_struct_##type, &name)

/* --- members ---------------------------------------------------------------- */

static void send_join(int16_t version, struct kafka_join_group_request_protocol *protocols, int32_t count, const char *instance_id)
{
	MESSAGE_OF(join_group_request, m);
	m.group_id = "g";
	m.session_timeout_ms = 6000;
	m.rebalance_timeout_ms = 9000;
	m.member_id = "";
	m.group_instance_id = instance_id;
	m.protocol_type = "consumer";
	m.protocols = protocols;
	m.protocols_count = count;
	send_request(KAFKA_API_join_group, version, &m);
}

START_TEST(kafka_groups_join_says_what_its_version_can)
{
	for (int16_t v = 0; v <= 9; v++) {
		struct kafka_join_group_request_protocol p[] = {{.name = "range", .metadata = slice_of_str("bytes")}, {.name = "empty"}};
		set_up();
		send_join(v, p, 2, v >= 5 ? "i" : NULL);
		const struct group_request_join *j = &asked[0]->join;
		ck_assert_uint_eq(kafka_connection.released, 1);
		ck_assert_int_eq(j->rebalance_timeout_ms, v == 0 ? 6000 : 9000);
		ck_assert(j->must_know_member_id == (v == 4)); /* from 5 on it has an instance id here */
		ck_assert(j->can_skip_assignment == (v == 9));
		ck_assert_str_eq(j->client_host, "/::1");
		ck_assert_str_eq(j->client_id, "me");
		ck_assert(slice_equal(j->protocols[0].bytes, slice_of_str("bytes")));
		ck_assert_uint_eq(j->protocols[1].bytes.n, 0);
		const struct group_request_member members[] = {{.member_id = "m", .instance_id = "i", .metadata = slice_of_str("bytes")}};
		asked[0]->join.generation = 3;
		asked[0]->join.ret_protocol_type = "consumer";
		asked[0]->join.protocol = "range";
		asked[0]->join.leader = asked[0]->join.ret_member_id = "m";
		asked[0]->join.members = members;
		asked[0]->join.member_count = 1;
		finish(0, STATUS_OK);
		const struct kafka_join_group_response *m = answer(KAFKA_API_join_group, v);
		ck_assert_int_eq(m->generation_id, 3);
		ck_assert_str_eq(m->protocol_name, "range");
		ck_assert_int_eq(m->members_count, 1);
		ck_assert(slice_equal(m->members[0].metadata, slice_of_str("bytes")));
		tear_down();
	}
}
END_TEST

START_TEST(kafka_groups_join_refused_is_empty)
{
	for (int16_t v = 0; v <= 9; v++) {
		set_up();
		send_join(v, NULL, 0, NULL);
		asked[0]->join.ret_member_id = v >= 4 ? "fresh" : NULL;
		finish(0, STATUS_MEMBER_ID_REQUIRED);
		const struct kafka_join_group_response *m = answer(KAFKA_API_join_group, v);
		ck_assert_int_eq(m->error_code, 79);
		ck_assert_int_eq(m->generation_id, -1);
		ck_assert_str_eq(m->member_id, v >= 4 ? "fresh" : "");
		ck_assert_str_eq(m->leader, "");
		if (v >= 7)
			ck_assert_ptr_null(m->protocol_name);
		else
			ck_assert_str_eq(m->protocol_name, "");
		tear_down();
	}
}
END_TEST

START_TEST(kafka_groups_join_of_a_leader_of_many_fits)
{
	enum { MEMBERS = 600, METADATA = 1000 };
	static struct group_request_member members[MEMBERS];
	static uint8_t metadata[METADATA];
	set_up();
	send_join(7, NULL, 0, NULL);
	for (size_t i = 0; i < MEMBERS; i++)
		members[i] = (struct group_request_member){
			.member_id = "consumer-some-group-1-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", .metadata = slice_of(metadata, METADATA)};
	asked[0]->join.members = members;
	asked[0]->join.member_count = MEMBERS;
	finish(0, STATUS_OK);
	fixture.arena.limit_bytes = 16 * 1024 * 1024;
	const struct kafka_join_group_response *m = answer(KAFKA_API_join_group, 7);
	ck_assert_int_eq(m->members_count, MEMBERS);
	ck_assert_uint_eq(m->members[MEMBERS - 1].metadata.n, METADATA);
	tear_down();
}
END_TEST

START_TEST(kafka_groups_sync_checks_names_from_5_on)
{
	set_up();
	MESSAGE_OF(sync_group_request, m);
	m.group_id = "g";
	m.member_id = "m";
	m.generation_id = 4;
	send_request(KAFKA_API_sync_group, 5, &m);
	ck_assert_uint_eq(asked_count, 0);
	ck_assert_int_eq(((const struct kafka_sync_group_response *)answer(KAFKA_API_sync_group, 5))->error_code, 23);
	struct kafka_sync_group_request_assignment a = {.member_id = "m", .assignment = slice_of_str("yours")};
	m.assignments = &a;
	m.assignments_count = 1;
	send_request(KAFKA_API_sync_group, 4, &m);
	ck_assert_int_eq(asked[0]->sync.generation, 4);
	ck_assert_ptr_null(asked[0]->sync.protocol);
	ck_assert(slice_equal(asked[0]->sync.assignments[0].bytes, slice_of_str("yours")));
	asked[0]->sync.assignment = slice_of_str("yours");
	finish(0, STATUS_OK);
	ck_assert(slice_equal(((const struct kafka_sync_group_response *)answer(KAFKA_API_sync_group, 4))->assignment,
		slice_of_str("yours")));
	tear_down();
}
END_TEST

START_TEST(kafka_groups_heartbeat_is_its_status)
{
	for (int16_t v = 0; v <= 4; v++) {
		set_up();
		MESSAGE_OF(heartbeat_request, m);
		m.group_id = "g";
		m.member_id = "m";
		m.generation_id = 2;
		send_request(KAFKA_API_heartbeat, v, &m);
		ck_assert_int_eq(asked[0]->heartbeat.generation, 2);
		finish(0, STATUS_REBALANCE_IN_PROGRESS);
		ck_assert_int_eq(((const struct kafka_heartbeat_response *)answer(KAFKA_API_heartbeat, v))->error_code, 27);
		tear_down();
	}
}
END_TEST

START_TEST(kafka_groups_leave_error_stands_where_its_version_has_it)
{
	set_up();
	MESSAGE_OF(leave_group_request, m);
	m.group_id = "g";
	m.member_id = "m";
	send_request(KAFKA_API_leave_group, 2, &m);
	ck_assert_uint_eq(asked[0]->leave.member_count, 1);
	asked[0]->leave.members[0].status = STATUS_UNKNOWN_MEMBER_ID;
	finish(0, STATUS_OK);
	ck_assert_int_eq(((const struct kafka_leave_group_response *)answer(KAFKA_API_leave_group, 2))->error_code, 25);
	struct kafka_leave_group_request_member members[] = {{.member_id = "a"}, {.member_id = "", .group_instance_id = "i"}};
	m.members = members;
	m.members_count = 2;
	send_request(KAFKA_API_leave_group, 4, &m);
	asked[1]->leave.members[1].status = STATUS_FENCED_INSTANCE_ID;
	finish(1, STATUS_OK);
	const struct kafka_leave_group_response *left = answer(KAFKA_API_leave_group, 4);
	ck_assert_int_eq(left->error_code, 0);
	ck_assert_int_eq(left->members[0].error_code, 0);
	ck_assert_int_eq(left->members[1].error_code, 82);
	ck_assert_str_eq(left->members[1].group_instance_id, "i");
	send_request(KAFKA_API_leave_group, 4, &m);
	finish(2, STATUS_NOT_COORDINATOR);
	left = answer(KAFKA_API_leave_group, 4);
	ck_assert_int_eq(left->error_code, 16);
	ck_assert_int_eq(left->members_count, 0);
	tear_down();
}
END_TEST

/* --- offsets ---------------------------------------------------------------- */

static struct kafka_offset_commit_request_topic_partition commits[] = {
	{.partition_index = 0, .committed_offset = 5, .committed_leader_epoch = -1, .commit_timestamp = -1},
	{.partition_index = 77, .committed_offset = 6, .committed_leader_epoch = -1, .commit_timestamp = -1}};
static struct kafka_offset_commit_request_topic commit_topics[] = {{.name = "orders", .partitions = commits, .partitions_count = 2}};

START_TEST(kafka_groups_commit_tells_unknown_partitions_apart)
{
	for (int16_t v = 1; v <= 9; v++) {
		set_up();
		MESSAGE_OF(offset_commit_request, m);
		m.group_id = "g";
		m.member_id = "m";
		m.generation_id_or_member_epoch = 8;
		m.topics = commit_topics;
		m.topics_count = 1;
		send_request(KAFKA_API_offset_commit, v, &m);
		ck_assert_int_eq(asked[0]->commit.generation, 8);
		ck_assert_int_eq((int)asked[0]->commit.retention_ms, -1);
		finish(0, v == 9 ? STATUS_ILLEGAL_GENERATION : STATUS_OK);
		const struct kafka_offset_commit_response *r = answer(KAFKA_API_offset_commit, v);
		ck_assert_int_eq(r->topics[0].partitions[0].error_code, v == 9 ? 22 : 0);
		ck_assert_int_eq(r->topics[0].partitions[1].partition_index, 77);
		ck_assert_int_eq(r->topics[0].partitions[1].error_code, 3);
		tear_down();
	}
}
END_TEST

START_TEST(kafka_groups_commit_of_nothing_known_needs_no_coordinator)
{
	set_up();
	struct kafka_offset_commit_request_topic topics[] = {{.name = "missing", .partitions = commits, .partitions_count = 1}};
	MESSAGE_OF(offset_commit_request, m);
	m.group_id = "g";
	m.topics = topics;
	m.topics_count = 1;
	send_request(KAFKA_API_offset_commit, 2, &m);
	ck_assert_uint_eq(asked_count, 0);
	const struct kafka_offset_commit_response *r = answer(KAFKA_API_offset_commit, 2);
	ck_assert_int_eq(r->topics[0].partitions[0].error_code, 3);
	tear_down();
}
END_TEST

static void send_fetch(int16_t v, bool all)
{
	static const int32_t numbers[] = {0, 1};
	static struct kafka_offset_fetch_request_topic old[] = {{.name = "orders", .partition_indexes = numbers, .partition_indexes_count = 2}};
	static struct kafka_offset_fetch_request_group_topic now[] = {
		{.name = "orders", .partition_indexes = numbers, .partition_indexes_count = 2}};
	static struct kafka_offset_fetch_request_group groups[2];
	MESSAGE_OF(offset_fetch_request, m);
	m.group_id = "g";
	m.topics = all ? NULL : old;
	m.topics_count = all ? -1 : 1;
	for (size_t i = 0; i < 2; i++) {
		kafka_messages_init(&kafka_struct_offset_fetch_request_group, &groups[i]);
		groups[i].group_id = i == 0 ? "g" : "h";
		groups[i].topics = all ? NULL : now;
		groups[i].topics_count = all ? -1 : 1;
	}
	m.groups = groups;
	m.groups_count = 2;
	m.require_stable = v >= 7;
	send_request(KAFKA_API_offset_fetch, v, &m);
}

START_TEST(kafka_groups_fetch_of_one_group)
{
	for (int16_t v = 1; v <= 7; v++) {
		set_up();
		send_fetch(v, false);
		struct group_request_fetch *f = &asked[0]->fetch;
		ck_assert(f->require_stable == (v == 7));
		ck_assert_uint_eq(f->offset_count, 2);
		ck_assert_int_eq((int)f->offsets[0].offset, -1);
		f->offsets[0].offset = 11;
		f->offsets[0].leader_epoch = 2;
		f->offsets[0].metadata = "note";
		f->offsets[1].status = v == 7 ? STATUS_UNSTABLE_OFFSET_COMMIT : STATUS_OK;
		finish(0, STATUS_OK);
		const struct kafka_offset_fetch_response *r = answer(KAFKA_API_offset_fetch, v);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_eq((int)r->topics[0].partitions[0].committed_offset, 11);
		ck_assert_int_eq(r->topics[0].partitions[0].committed_leader_epoch, v >= 5 ? 2 : -1);
		ck_assert_str_eq(r->topics[0].partitions[0].metadata, "note");
		ck_assert_int_eq((int)r->topics[0].partitions[1].committed_offset, -1);
		ck_assert_int_eq(r->topics[0].partitions[1].error_code, v == 7 ? 88 : 0);
		tear_down();
	}
}
END_TEST

START_TEST(kafka_groups_fetch_error_stands_where_its_version_has_it)
{
	set_up();
	send_fetch(1, false);
	finish(0, STATUS_NOT_COORDINATOR);
	const struct kafka_offset_fetch_response *r = answer(KAFKA_API_offset_fetch, 1);
	ck_assert_int_eq(r->topics[0].partitions[1].error_code, 16);
	send_fetch(2, true);
	ck_assert(asked[1]->fetch.all);
	finish(1, STATUS_NOT_COORDINATOR);
	r = answer(KAFKA_API_offset_fetch, 2);
	ck_assert_int_eq(r->error_code, 16);
	ck_assert_int_eq(r->topics_count, 0);
	tear_down();
}
END_TEST

START_TEST(kafka_groups_fetch_of_many_groups)
{
	set_up();
	send_fetch(9, true);
	ck_assert_uint_eq(asked_count, 2);
	struct group_request_offset offsets[] = {{.topic = "b", .offset = 2}, {.topic = "a", .partition = 1, .offset = 1}, {.topic = "a", .offset = 0}};
	asked[1]->fetch.offsets = offsets;
	asked[1]->fetch.offset_count = 3;
	finish(1, STATUS_OK);
	finish(0, STATUS_COORDINATOR_LOAD_IN_PROGRESS);
	const struct kafka_offset_fetch_response *r = answer(KAFKA_API_offset_fetch, 9);
	ck_assert_int_eq(r->groups_count, 2);
	ck_assert_int_eq(r->groups[0].error_code, 14);
	ck_assert_int_eq(r->groups[0].topics_count, 0);
	ck_assert_str_eq(r->groups[1].group_id, "h");
	ck_assert_int_eq(r->groups[1].topics_count, 2);
	ck_assert_str_eq(r->groups[1].topics[0].name, "a");
	ck_assert_int_eq(r->groups[1].topics[0].partitions_count, 2);
	ck_assert_int_eq((int)r->groups[1].topics[1].partitions[0].committed_offset, 2);
	tear_down();
}
END_TEST

START_TEST(kafka_groups_offset_deletion_error_stands_alone)
{
	set_up();
	struct kafka_offset_delete_request_topic_partition partitions[] = {{.partition_index = 0}, {.partition_index = 50}};
	struct kafka_offset_delete_request_topic topics[] = {{.name = "orders", .partitions = partitions, .partitions_count = 2}};
	MESSAGE_OF(offset_delete_request, m);
	m.group_id = "g";
	m.topics = topics;
	m.topics_count = 1;
	send_request(KAFKA_API_offset_delete, 0, &m);
	asked[0]->delete_offsets.offsets[0].status = STATUS_GROUP_SUBSCRIBED_TO_TOPIC;
	finish(0, STATUS_OK);
	const struct kafka_offset_delete_response *r = answer(KAFKA_API_offset_delete, 0);
	ck_assert_int_eq(r->topics[0].partitions[0].error_code, 86);
	ck_assert_int_eq(r->topics[0].partitions[1].error_code, 3);
	send_request(KAFKA_API_offset_delete, 0, &m);
	finish(1, STATUS_GROUP_ID_NOT_FOUND);
	r = answer(KAFKA_API_offset_delete, 0);
	ck_assert_int_eq(r->error_code, 69);
	ck_assert_int_eq(r->topics_count, 0);
	tear_down();
}
END_TEST

/* --- administration ---------------------------------------------------------- */

START_TEST(kafka_groups_find_coordinator_in_both_shapes)
{
	const char *const keys[] = {"g", "h"};
	set_up();
	MESSAGE_OF(find_coordinator_request, m);
	m.key = "g";
	m.coordinator_keys = keys;
	m.coordinator_keys_count = 2;
	for (int16_t v = 0; v <= 5; v++) {
		send_request(KAFKA_API_find_coordinator, v, &m);
		const struct kafka_find_coordinator_response *r = answer(KAFKA_API_find_coordinator, v);
		ck_assert_int_eq(v < 4 ? r->node_id : r->coordinators[1].node_id, 1);
		ck_assert_str_eq(v < 4 ? r->host : r->coordinators[1].host, "one");
		if (v >= 1 && v < 4)
			ck_assert_str_eq(r->error_message, "NONE");
		if (v >= 4)
			ck_assert_int_eq(r->coordinators_count, 2);
	}
	static const struct {
		int8_t type;
		int16_t code;
	} others[] = {{1, 15}, {2, 42}, {9, 42}};
	for (size_t i = 0; i < 3; i++) {
		m.key_type = others[i].type;
		send_request(KAFKA_API_find_coordinator, 3, &m);
		const struct kafka_find_coordinator_response *r = answer(KAFKA_API_find_coordinator, 3);
		ck_assert_int_eq(r->error_code, others[i].code);
		ck_assert_int_eq(r->node_id, -1);
		ck_assert_int_eq(r->port, -1);
	}
	tear_down();
}
END_TEST

START_TEST(kafka_groups_described_with_operations_when_asked)
{
	const char *const names[] = {"g", "gone"};
	set_up();
	for (int16_t v = 0; v <= 5; v++) {
		MESSAGE_OF(describe_groups_request, m);
		m.groups = names;
		m.groups_count = 2;
		m.include_authorized_operations = v >= 3;
		asked_count = 0;
		send_request(KAFKA_API_describe_groups, v, &m);
		const struct group_request_member member = {.member_id = "m", .client_id = "c", .client_host = "/h", .metadata = slice_of_str("x"),
			.assignment = slice_of_str("y")};
		asked[0]->describe = (struct group_request_describe){
			.state = "Stable", .protocol_type = "consumer", .protocol = "range", .members = &member, .member_count = 1};
		asked[1]->describe.state = "Dead";
		finish(0, STATUS_OK);
		finish(1, STATUS_OK);
		const struct kafka_describe_groups_response *r = answer(KAFKA_API_describe_groups, v);
		ck_assert_str_eq(r->groups[0].group_state, "Stable");
		ck_assert_int_eq(r->groups[0].authorized_operations, v >= 3 ? 0x148 : INT32_MIN);
		ck_assert(slice_equal(r->groups[0].members[0].member_assignment, slice_of_str("y")));
		ck_assert_ptr_null(r->groups[0].members[0].group_instance_id);
		ck_assert_str_eq(r->groups[1].group_state, "Dead");
		ck_assert_str_eq(r->groups[1].protocol_type, "");
	}
	tear_down();
}
END_TEST

START_TEST(kafka_groups_listed_by_state)
{
	const char *const states[] = {"Empty"};
	set_up();
	MESSAGE_OF(list_groups_request, m);
	send_request(KAFKA_API_list_groups, 5, &m);
	const struct kafka_list_groups_response *r = answer(KAFKA_API_list_groups, 5);
	ck_assert_int_eq(r->groups_count, 1);
	ck_assert_str_eq(r->groups[0].group_state, "Stable");
	ck_assert_str_eq(r->groups[0].group_type, "classic");
	m.states_filter = states;
	m.states_filter_count = 1;
	send_request(KAFKA_API_list_groups, 4, &m);
	r = answer(KAFKA_API_list_groups, 4);
	ck_assert_int_eq(r->groups_count, 0);
	tear_down();
}
END_TEST

START_TEST(kafka_groups_deleted_each_once)
{
	const char *const names[] = {"b", "a", "b"};
	set_up();
	MESSAGE_OF(delete_groups_request, m);
	m.groups_names = names;
	m.groups_names_count = 3;
	send_request(KAFKA_API_delete_groups, 2, &m);
	ck_assert_uint_eq(asked_count, 2);
	finish(1, STATUS_NON_EMPTY_GROUP);
	finish(0, STATUS_OK);
	const struct kafka_delete_groups_response *r = answer(KAFKA_API_delete_groups, 2);
	ck_assert_int_eq(r->results_count, 2);
	ck_assert_str_eq(r->results[1].group_id, "b");
	ck_assert_int_eq(r->results[1].error_code, 68);
	m.groups_names_count = 0;
	send_request(KAFKA_API_delete_groups, 0, &m);
	r = answer(KAFKA_API_delete_groups, 0);
	ck_assert_int_eq(r->results_count, 0);
	tear_down();
}
END_TEST

UNIT_MAIN("kafka_groups", kafka_groups_join_says_what_its_version_can, kafka_groups_join_refused_is_empty,
	kafka_groups_join_of_a_leader_of_many_fits, kafka_groups_sync_checks_names_from_5_on, kafka_groups_heartbeat_is_its_status,
	kafka_groups_leave_error_stands_where_its_version_has_it, kafka_groups_commit_tells_unknown_partitions_apart,
	kafka_groups_commit_of_nothing_known_needs_no_coordinator, kafka_groups_fetch_of_one_group,
	kafka_groups_fetch_error_stands_where_its_version_has_it, kafka_groups_fetch_of_many_groups,
	kafka_groups_offset_deletion_error_stands_alone, kafka_groups_find_coordinator_in_both_shapes,
	kafka_groups_described_with_operations_when_asked, kafka_groups_listed_by_state, kafka_groups_deleted_each_once)
