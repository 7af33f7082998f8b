/* What brokers ask of each other: frames in, decoded answers out, between a faked connection, a faked cluster_state and a faked
 * controller. */
#include "kafka_connection.h"
#include "service_fixture.h"
#include "unit.h"

#include "controller/controller.h"
#include "coordinator/producer_ids.h"
#include "kafka/kafka_dispatch.h"
#include "service/control_service.h"
#include "wire/kafka_codec.h"

static struct service_fixture fixture;
static struct kafka_dispatch *dispatch;
static struct service_loop *loops[1];

/* --- cluster_state and the controller, faked ---------------------------------------------------------------------------- */

static struct control_request obeyed; /* the last one */
static int obeyed_count, asked_count;
static bool has_controller;

void cluster_state_control(struct cluster_state *s, struct control_request *taken, cluster_state_done_fn done, void *arg)
{
	static struct control_partition_result results[] = {{{.topic = "t", .partition = 0}, STATUS_OK},
		{{.topic = "t", .partition = 1}, STATUS_KAFKA_STORAGE_ERROR}};
	(void)s;
	if (obeyed_count++ > 0)
		control_request_fini(&obeyed);
	obeyed = *taken;
	*taken = (struct control_request){.kind = taken->kind};
	struct control_response response = {.results = results, .result_count = obeyed.kind == CONTROL_UPDATE_METADATA ? 0 : 2};
	if (obeyed.header.controller_epoch == 1)
		response = (struct control_response){.status = STATUS_STALE_CONTROLLER_EPOCH};
	done(arg, &response);
}
void controller_alter_partition(struct controller *c, const struct alter_partition_request *r, controller_alter_partition_fn done, void *arg)
{
	int32_t isr[] = {1, 2};
	struct alter_partition_result result = {.topic_id = r->items[0].topic_id, .tp = r->items[0].tp, .leader = 1, .leader_epoch = 3,
		.partition_epoch = r->items[0].partition_epoch + 1, .isr = isr, .isr_count = 2};
	(void)c;
	asked_count++;
	ck_assert_uint_eq(r->item_count, 1);
	done(arg, &(struct alter_partition_response){.items = &result, .item_count = 1});
}
void controller_controlled_shutdown(struct controller *c, const struct controlled_shutdown_request *r, controller_controlled_shutdown_fn done,
	void *arg)
{
	struct topic_partition left = {.topic = "t", .partition = 4};
	(void)c;
	asked_count++;
	ck_assert_int_eq(r->broker_id, 2);
	done(arg, &(struct controlled_shutdown_response){.remaining = &left, .remaining_count = 1});
}
bool controller_is_active(const struct controller *c)
{
	return c != NULL;
}
enum status producer_ids_take(struct producer_ids *p, int64_t *ret_first, int32_t *ret_count)
{
	ck_assert_ptr_nonnull(p);
	*ret_first = 5000;
	*ret_count = 700;
	return STATUS_OK;
}
enum status producer_ids_next(struct producer_ids *p, int64_t *ret_producer_id)
{
	(void)p;
	(void)ret_producer_id;
	return STATUS_COORDINATOR_LOAD_IN_PROGRESS;
}
struct scheduler *producer_ids_scheduler(const struct producer_ids *p)
{
	(void)p;
	return fixture.scheduler;
}
static struct controller *controller_of(void *arg)
{
	return has_controller ? arg : NULL;
}

static void set_up(void)
{
	service_fixture_init(&fixture);
	loops[0] = fixture.service;
	struct kafka_dispatch_options o = {.loops = loops, .loop_count = 1, .settings = &fixture.settings, .cluster_id = "c",
		.state = (struct cluster_state *)(void *)&fixture, .cluster = fixture.scheduler, .controller = controller_of,
		.controller_arg = &fixture};
	dispatch = kafka_dispatch_new(&o);
	kafka_connection_begin();
	obeyed_count = asked_count = 0;
	has_controller = true;
}

static void tear_down(void)
{
	if (obeyed_count > 0)
		control_request_fini(&obeyed);
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

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

static struct kafka_leader_and_isr_request_partition_state states[] = {{.topic_name = ""}, {.topic_name = "", .partition_index = 1}};
static struct kafka_leader_and_isr_request_topic_state topic = {.topic_name = "t", .topic_id = {.b = {7}}, .partition_states = states,
	.partition_states_count = 2};

static struct kafka_leader_and_isr_request roles(int32_t controller_epoch)
{
	return (struct kafka_leader_and_isr_request){.controller_epoch = controller_epoch, .broker_epoch = 5, .topic_states = &topic,
		.topic_states_count = 1};
}

START_TEST(kafka_interbroker_obeys_the_controller)
{
	set_up();
	struct kafka_leader_and_isr_request m = roles(2);
	send_request(KAFKA_API_leader_and_isr, 7, &m);
	manual_scheduler_run(fixture.manual);
	const struct kafka_leader_and_isr_response *r = answer(KAFKA_API_leader_and_isr, 7);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->topics_count, 1);
	ck_assert_int_eq(r->topics[0].topic_id.b[0], 7);
	ck_assert_int_eq(r->topics[0].partition_errors[1].error_code, 56);
	ck_assert_uint_eq(obeyed.leader_and_isr.topics[0].partition_count, 2);
	ck_assert_int_eq(obeyed.header.broker_epoch, 5);
	ck_assert_uint_eq(kafka_connection.released, 1);

	m = roles(1);
	send_request(KAFKA_API_leader_and_isr, 4, &m);
	manual_scheduler_run(fixture.manual);
	r = answer(KAFKA_API_leader_and_isr, 4);
	ck_assert_int_eq(r->error_code, 11);
	ck_assert_int_eq(r->partition_errors_count, 0);

	struct kafka_update_metadata_request picture = {.controller_epoch = 2};
	send_request(KAFKA_API_update_metadata, 8, &picture);
	manual_scheduler_run(fixture.manual);
	const struct kafka_update_metadata_response *u = answer(KAFKA_API_update_metadata, 8);
	ck_assert_int_eq(u->error_code, 0);
	ck_assert_int_eq(obeyed.kind, CONTROL_UPDATE_METADATA);

	const int32_t indexes[] = {0, 1};
	struct kafka_stop_replica_request_topic stopped = {.name = "t", .partition_indexes = indexes, .partition_indexes_count = 2};
	struct kafka_stop_replica_request stop = {.controller_epoch = 2, .delete_partitions = true, .topics = &stopped, .topics_count = 1};
	send_request(KAFKA_API_stop_replica, 1, &stop);
	manual_scheduler_run(fixture.manual);
	const struct kafka_stop_replica_response *s = answer(KAFKA_API_stop_replica, 1);
	ck_assert_int_eq(s->partition_errors_count, 2);
	ck_assert_str_eq(s->partition_errors[1].topic_name, "t");
	ck_assert(obeyed.stop_replica.partitions[1].delete_log);
	tear_down();
}
END_TEST

START_TEST(kafka_interbroker_refuses_strangers)
{
	set_up();
	char internal[] = "INTERNAL";
	char *before = fixture.settings.inter_broker_listener_name;
	fixture.settings.inter_broker_listener_name = internal;
	struct kafka_leader_and_isr_request m = roles(2);
	send_request(KAFKA_API_leader_and_isr, 7, &m);
	const struct kafka_leader_and_isr_response *r = answer(KAFKA_API_leader_and_isr, 7);
	ck_assert_int_eq(r->error_code, 31);
	struct kafka_alter_partition_request alter = {.broker_id = 1};
	send_request(KAFKA_API_alter_partition, 3, &alter);
	const struct kafka_alter_partition_response *a = answer(KAFKA_API_alter_partition, 3);
	ck_assert_int_eq(a->error_code, 31);
	struct kafka_controlled_shutdown_request shutdown = {.broker_id = 2};
	send_request(KAFKA_API_controlled_shutdown, 3, &shutdown);
	const struct kafka_controlled_shutdown_response *c = answer(KAFKA_API_controlled_shutdown, 3);
	ck_assert_int_eq(c->error_code, 31);
	ck_assert_int_eq(obeyed_count + asked_count, 0);
	kafka_connection.listener = "internal"; /* names of listeners know no case */
	send_request(KAFKA_API_leader_and_isr, 7, &m);
	manual_scheduler_run(fixture.manual);
	r = answer(KAFKA_API_leader_and_isr, 7);
	ck_assert_int_eq(r->error_code, 0);
	fixture.settings.inter_broker_listener_name = before;

	topic.topic_name = "a/b";
	send_request(KAFKA_API_leader_and_isr, 7, &m);
	r = answer(KAFKA_API_leader_and_isr, 7);
	ck_assert_int_eq(r->error_code, 42);
	topic.topic_name = "t";
	m.is_kraft_controller = true;
	send_request(KAFKA_API_leader_and_isr, 7, &m);
	r = answer(KAFKA_API_leader_and_isr, 7);
	ck_assert_int_eq(r->error_code, 42);
	ck_assert_int_eq(obeyed_count, 1);
	tear_down();
}
END_TEST

START_TEST(kafka_interbroker_asks_the_controller)
{
	set_up();
	struct kafka_alter_partition_request_topic_partition p = {.partition_epoch = 8};
	struct kafka_alter_partition_request_topic t = {.topic_name = "", .topic_id = {.b = {7}}, .partitions = &p, .partitions_count = 1};
	struct kafka_alter_partition_request alter = {.broker_id = 1, .topics = &t, .topics_count = 1};
	send_request(KAFKA_API_alter_partition, 3, &alter);
	manual_scheduler_run(fixture.manual);
	const struct kafka_alter_partition_response *a = answer(KAFKA_API_alter_partition, 3);
	ck_assert_int_eq(a->topics[0].topic_id.b[0], 7);
	ck_assert_int_eq(a->topics[0].partitions[0].partition_epoch, 9);
	ck_assert_int_eq(a->topics[0].partitions[0].isr_count, 2);
	struct kafka_controlled_shutdown_request shutdown = {.broker_id = 2, .broker_epoch = -1};
	send_request(KAFKA_API_controlled_shutdown, 2, &shutdown);
	manual_scheduler_run(fixture.manual);
	const struct kafka_controlled_shutdown_response *c = answer(KAFKA_API_controlled_shutdown, 2);
	ck_assert_int_eq(c->remaining_partitions[0].partition_index, 4);
	ck_assert_int_eq(asked_count, 2);

	struct kafka_allocate_producer_ids_request ids = {.broker_id = 2};
	fixture.service->producer_ids = (struct producer_ids *)(void *)&fixture;
	send_request(KAFKA_API_allocate_producer_ids, 0, &ids);
	manual_scheduler_run(fixture.manual);
	const struct kafka_allocate_producer_ids_response *given = answer(KAFKA_API_allocate_producer_ids, 0);
	ck_assert_int_eq(given->error_code, 0);
	ck_assert_int_eq(given->producer_id_start, 5000);
	ck_assert_int_eq(given->producer_id_len, 700);

	has_controller = false;
	send_request(KAFKA_API_allocate_producer_ids, 0, &ids);
	manual_scheduler_run(fixture.manual);
	given = answer(KAFKA_API_allocate_producer_ids, 0);
	ck_assert_int_eq(given->error_code, 41);
	send_request(KAFKA_API_alter_partition, 3, &alter);
	manual_scheduler_run(fixture.manual);
	a = answer(KAFKA_API_alter_partition, 3);
	ck_assert_int_eq(a->error_code, 41);
	send_request(KAFKA_API_controlled_shutdown, 3, &shutdown);
	manual_scheduler_run(fixture.manual);
	c = answer(KAFKA_API_controlled_shutdown, 3);
	ck_assert_int_eq(c->error_code, 41);
	tear_down();
}
END_TEST

/* What the controller does not decide yet is not advertised: nobody shall count on it. */
START_TEST(kafka_interbroker_advertises_what_works)
{
	bool advertised[128] = {false};
	for (size_t i = 0; i < kafka_dispatch_count(); i++) {
		struct kafka_dispatch_range r = kafka_dispatch_range(i);
		if (r.key < 128)
			advertised[r.key] = true;
	}
	ck_assert(advertised[67] && advertised[4] && advertised[5] && advertised[6]);
	ck_assert(!advertised[7] && !advertised[56]);
}
END_TEST

UNIT_MAIN("kafka_interbroker", kafka_interbroker_obeys_the_controller, kafka_interbroker_refuses_strangers,
	kafka_interbroker_asks_the_controller, kafka_interbroker_advertises_what_works)
