/* The broker's way to the controller, over a transport in the test's hands; and its requests in every version of Kafka's. */
#include "base/diag.h"
#include "cluster/controller_channel.h"
#include "tests/unit/kafka_random.h"
#include "tests/unit/unit.h"
#include "wire/controller_codec.h"
#include "wire/kafka_codec.h"

enum { CALLS = 2100 };

struct rig {
	struct manual_clock clock;
	struct manual_scheduler *loop;
	struct controller_transport transport;
	struct controller_channel *channel;
	struct controller_address controller;
	bool known;
	int opened, closed;
	const struct alter_partition_request *alter;
	void (*altered)(void *arg, enum status s, const struct alter_partition_response *response);
	void *altered_arg;
	const struct controlled_shutdown_request *shutdown;
	void (*shut_down)(void *arg, enum status s, const struct controlled_shutdown_response *response);
	void *shut_down_arg;
	int shutdowns_done;
	enum status shutdown_status;
	size_t shutdown_left;
};

static struct call {
	struct alter_partition_call call;
	struct isr_member isr[2];
	int done;
	enum status status;
	struct alter_partition_result result;
	int32_t isr_seen;
} calls[CALLS];

static struct controller_link *link_open(void *arg, const struct controller_address *to)
{
	struct rig *r = arg;
	r->opened++;
	ck_assert_str_eq(to->host, r->controller.host);
	return arg;
}

static void link_alter(struct controller_link *l, const struct alter_partition_request *request,
	void (*done)(void *arg, enum status s, const struct alter_partition_response *response), void *arg)
{
	struct rig *r = (struct rig *)(void *)l;
	ck_assert_ptr_null(r->alter); /* one at a time */
	r->alter = request;
	r->altered = done;
	r->altered_arg = arg;
}

static void link_shutdown(struct controller_link *l, const struct controlled_shutdown_request *request,
	void (*done)(void *arg, enum status s, const struct controlled_shutdown_response *response), void *arg)
{
	struct rig *r = (struct rig *)(void *)l;
	ck_assert_ptr_null(r->shutdown);
	r->shutdown = request;
	r->shut_down = done;
	r->shut_down_arg = arg;
}

static void link_close(struct controller_link *l)
{
	struct rig *r = (struct rig *)(void *)l;
	r->closed++;
	r->alter = NULL;
	r->shutdown = NULL;
}

static bool locate(void *arg, struct controller_address *ret_controller)
{
	const struct rig *r = arg;
	*ret_controller = r->controller;
	return r->known;
}

static void self(void *arg, int32_t *ret_broker_id, int64_t *ret_broker_epoch)
{
	(void)arg;
	*ret_broker_id = 4;
	*ret_broker_epoch = 77;
}

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void rig_init(struct rig *r)
{
	diag_set_sink(quiet, NULL);
	*r = (struct rig){.known = true, .controller = {.controller_id = 1, .controller_epoch = 5, .host = "c1", .port = 9}};
	memset(calls, 0, sizeof(calls));
	manual_clock_init(&r->clock, 1000, 1000);
	r->loop = manual_scheduler_new(&r->clock);
	r->transport = (struct controller_transport){.open = link_open, .alter_partition = link_alter, .controlled_shutdown = link_shutdown,
		.close = link_close, .arg = r};
	struct controller_channel_options o = {.scheduler = manual_scheduler_scheduler(r->loop), .transport = &r->transport,
		.locate = locate, .self = self, .arg = r};
	r->channel = controller_channel_new(&o);
}

static void rig_fini(struct rig *r)
{
	controller_channel_stop(r->channel);
	manual_scheduler_run(r->loop);
	controller_channel_free(r->channel);
	manual_scheduler_free(r->loop);
	ck_assert_int_eq(r->opened, r->closed);
}

static void call_done(struct alter_partition_call *a, enum status s, const struct alter_partition_result *result)
{
	struct call *c = CONTAINER_OF(a, struct call, call);
	c->done++;
	c->status = s;
	ck_assert((s == STATUS_OK) == (result != NULL));
	if (result != NULL) {
		c->result = *result;
		c->isr_seen = result->isr_count > 0 ? result->isr[0] : -1;
	}
}

/* Partition n of topic "t". */
static void ask(struct rig *r, int n, int64_t timeout_us)
{
	struct call *c = &calls[n];
	*c = (struct call){.isr = {{1, 11}, {2, -1}}};
	c->call = (struct alter_partition_call){.home = manual_scheduler_scheduler(r->loop), .timeout_us = timeout_us, .done = call_done};
	c->call.item = (struct alter_partition_item){.tp = {.topic = "t", .partition = n}, .topic_id = {.b = {1}}, .leader_epoch = 3,
		.partition_epoch = n, .isr = c->isr, .isr_count = 2};
	controller_channel_alter_partition(r->channel, &c->call);
	manual_scheduler_run(r->loop);
}

/* The controller's answer: every item with this status, in reverse order, named as version 2 on does; those from `missing` on left out. */
static void answer(struct rig *r, enum status whole, enum status each, size_t missing)
{
	int32_t isr[] = {9};
	void (*done)(void *, enum status, const struct alter_partition_response *) = r->altered;
	const struct alter_partition_request *request = r->alter;
	ck_assert_ptr_nonnull(request);
	struct alter_partition_response response = {.status = whole};
	response.items = check_calloc(request->item_count + 1, sizeof(*response.items));
	for (size_t i = request->item_count; whole == STATUS_OK && i-- > 0;)
		if (i < missing)
			response.items[response.item_count++] = (struct alter_partition_result){.tp.partition = request->items[i].tp.partition,
				.topic_id = request->items[i].topic_id, .status = each, .leader = 4, .leader_epoch = 3,
				.partition_epoch = request->items[i].partition_epoch + 1, .isr = isr, .isr_count = 1};
	r->alter = NULL;
	done(r->altered_arg, STATUS_OK, &response);
	free(response.items);
	manual_scheduler_run(r->loop);
}

static void lose(struct rig *r, enum status s)
{
	ck_assert_ptr_nonnull(r->alter);
	r->alter = NULL;
	r->altered(r->altered_arg, s, NULL);
	manual_scheduler_run(r->loop);
}

START_TEST(controller_channel_batches_what_waits)
{
	static struct rig r;
	rig_init(&r);
	for (int i = 0; i < CALLS; i++)
		ask(&r, i, 0);
	ck_assert_uint_eq(r.alter->item_count, 1); /* the first went at once */
	ck_assert_int_eq(r.alter->broker_id, 4);
	ck_assert_int_eq(r.alter->broker_epoch, 77);
	ck_assert_int_eq(r.alter->items[0].isr[0].broker_epoch, 11);
	answer(&r, STATUS_OK, STATUS_OK, SIZE_MAX);
	ck_assert_int_eq(calls[0].done, 1);
	ck_assert_int_eq(calls[0].isr_seen, 9);
	ck_assert_uint_eq(r.alter->item_count, 2000); /* bounded */
	answer(&r, STATUS_OK, STATUS_INVALID_UPDATE_VERSION, SIZE_MAX);
	ck_assert_uint_eq(r.alter->item_count, CALLS - 2001);
	answer(&r, STATUS_OK, STATUS_OK, SIZE_MAX);
	for (int i = 0; i < CALLS; i++) {
		ck_assert_int_eq(calls[i].done, 1);
		ck_assert_int_eq(calls[i].status, STATUS_OK);
		ck_assert_str_eq(calls[i].result.tp.topic, "t");
		ck_assert_int_eq(calls[i].result.partition_epoch, i + 1);
		ck_assert_int_eq(calls[i].result.status, i >= 1 && i <= 2000 ? STATUS_INVALID_UPDATE_VERSION : STATUS_OK);
	}
	ck_assert_int_eq(r.opened, 1);
	rig_fini(&r);
}
END_TEST

/* Asked again until there is a definite answer: lost, not the controller, not said of this partition. */
START_TEST(controller_channel_asks_until_answered)
{
	static struct rig r;
	rig_init(&r);
	ask(&r, 0, 0);
	ask(&r, 1, 0);
	lose(&r, STATUS_NETWORK_EXCEPTION);
	ck_assert_ptr_null(r.alter); /* not at once */
	manual_scheduler_advance_us(r.loop, 50 * 1000);
	ck_assert_uint_eq(r.alter->item_count, 2);
	answer(&r, STATUS_NOT_CONTROLLER, STATUS_OK, SIZE_MAX);
	manual_scheduler_advance_us(r.loop, 100 * 1000);
	answer(&r, STATUS_STALE_BROKER_EPOCH, STATUS_OK, SIZE_MAX);
	manual_scheduler_advance_us(r.loop, 200 * 1000);
	answer(&r, STATUS_OK, STATUS_NOT_CONTROLLER, SIZE_MAX);
	manual_scheduler_advance_us(r.loop, 400 * 1000);
	ck_assert_int_eq(calls[0].done + calls[1].done, 0);
	answer(&r, STATUS_OK, STATUS_OK, 1);
	ck_assert_int_eq(calls[0].done + calls[1].done, 1);
	manual_scheduler_advance_us(r.loop, 1000 * 1000);
	ck_assert_uint_eq(r.alter->item_count, 1);
	answer(&r, STATUS_OK, STATUS_FENCED_LEADER_EPOCH, SIZE_MAX);
	ck_assert_int_eq(calls[0].done, 1);
	ck_assert_int_eq(calls[1].done, 1);
	rig_fini(&r);
}
END_TEST

/* What is under way to a controller that was replaced goes to its successor, without waiting for the old one's deadline. */
START_TEST(controller_channel_follows_the_controller)
{
	static struct rig r;
	rig_init(&r);
	r.known = false;
	ask(&r, 0, 0);
	ck_assert_int_eq(r.opened, 0);
	r.known = true;
	controller_channel_look_again(r.channel);
	ck_assert_uint_eq(r.alter->item_count, 1);
	controller_channel_look_again(r.channel); /* nothing has changed */
	ck_assert_int_eq(r.closed, 0);
	r.controller = (struct controller_address){.controller_id = 2, .controller_epoch = 6, .host = "c2", .port = 9};
	controller_channel_look_again(r.channel);
	ck_assert_int_eq(r.closed, 1);
	ck_assert_int_eq(r.opened, 2);
	ck_assert_uint_eq(r.alter->item_count, 1);
	answer(&r, STATUS_OK, STATUS_OK, SIZE_MAX);
	ck_assert_int_eq(calls[0].done, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_channel_deadlines_and_the_stop)
{
	static struct rig r;
	rig_init(&r);
	ask(&r, 0, 1000 * 1000); /* goes out */
	ask(&r, 1, 1000 * 1000); /* waits */
	ask(&r, 2, 0);
	manual_scheduler_advance_us(r.loop, 1000 * 1000);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(calls[i].done, 1);
		ck_assert_int_eq(calls[i].status, STATUS_REQUEST_TIMED_OUT);
	}
	answer(&r, STATUS_OK, STATUS_OK, SIZE_MAX); /* too late for the first */
	ck_assert_int_eq(calls[0].done, 1);
	ck_assert_uint_eq(r.alter->item_count, 1);
	ask(&r, 3, 0);
	controller_channel_stop(r.channel);
	ask(&r, 4, 0);
	for (int i = 2; i < 5; i++) {
		ck_assert_int_eq(calls[i].done, 1);
		ck_assert_int_eq(calls[i].status, STATUS_CANCELLED);
	}
	rig_fini(&r);
}
END_TEST

static void shutdown_done(void *arg, enum status s, const struct controlled_shutdown_response *response)
{
	struct rig *r = arg;
	r->shutdowns_done++;
	r->shutdown_status = s;
	r->shutdown_left = response == NULL ? 0 : response->remaining_count;
}

START_TEST(controller_channel_moves_leaderships_away)
{
	static struct rig r;
	struct topic_partition left = {.topic = "t", .partition = 1};
	rig_init(&r);
	controller_channel_controlled_shutdown(r.channel, 10 * 1000 * 1000, shutdown_done, &r);
	ck_assert_int_eq(r.shutdown->broker_epoch, 77);
	r.shutdown = NULL;
	r.shut_down(r.shut_down_arg, STATUS_OK, &(struct controlled_shutdown_response){.status = STATUS_NOT_CONTROLLER});
	ck_assert_int_eq(r.shutdowns_done, 0);
	manual_scheduler_advance_us(r.loop, 60 * 1000);
	ck_assert_ptr_nonnull(r.shutdown);
	r.shutdown = NULL;
	r.shut_down(r.shut_down_arg, STATUS_OK, &(struct controlled_shutdown_response){.remaining = &left, .remaining_count = 1});
	ck_assert_int_eq(r.shutdowns_done, 1);
	ck_assert_uint_eq(r.shutdown_left, 1);
	controller_channel_controlled_shutdown(r.channel, 1000 * 1000, shutdown_done, &r);
	manual_scheduler_advance_us(r.loop, 1000 * 1000);
	ck_assert_int_eq(r.shutdowns_done, 2);
	ck_assert_int_eq(r.shutdown_status, STATUS_REQUEST_TIMED_OUT);
	r.shutdown = NULL;
	r.shut_down(r.shut_down_arg, STATUS_OK, &(struct controlled_shutdown_response){0}); /* too late */
	ck_assert_int_eq(r.shutdowns_done, 2);
	controller_channel_controlled_shutdown(r.channel, 1000 * 1000, shutdown_done, &r);
	controller_channel_stop(r.channel);
	ck_assert_int_eq(r.shutdown_status, STATUS_CANCELLED);
	rig_fini(&r);
}
END_TEST

/* --- on the wire ------------------------------------------------------------------------------------------------------------ */

static void *over_the_wire(struct arena *a, enum kafka_api_id id, int16_t version, const void *body, bool is_request)
{
	const struct kafka_api *api = kafka_messages_api(id);
	struct kafka_header header = {.api_key = api->key, .api_version = version}, back;
	struct iobuf out;
	void *result = NULL;
	int32_t correlation_id;
	iobuf_init(&out);
	enum status s = is_request ? kafka_codec_encode_request(api, &header, body, NULL, &out)
				   : kafka_codec_encode_response(api, &header, body, NULL, &out);
	ck_assert_int_eq(s, STATUS_OK);
	struct slice frame = kafka_random_gather(a, &out);
	frame = slice_sub(frame, 4, frame.n - 4);
	s = is_request ? kafka_codec_decode_request(a, frame, api, &back, &result)
		       : kafka_codec_decode_response(a, frame, api, version, &correlation_id, &result);
	ck_assert_int_eq(s, STATUS_OK);
	iobuf_fini(&out);
	return result;
}

START_TEST(controller_codec_alter_partition_in_every_version)
{
	struct arena a;
	struct isr_member isr[] = {{1, 5}, {2, -1}};
	int32_t ids[] = {1, 2};
	struct alter_partition_item items[] = {
		{.tp = {.topic = "t", .partition = 1}, .topic_id = {.b = {1}}, .leader_epoch = 4, .partition_epoch = 6, .isr = isr, .isr_count = 2,
			.leader_recovery_state = LEADER_RECOVERING},
		{.tp = {.topic = "t", .partition = 2}, .topic_id = {.b = {1}}, .isr = isr, .isr_count = 1},
		{.tp = {.topic = "u", .partition = 1}, .topic_id = {.b = {2}}}};
	struct alter_partition_request r = {.broker_id = 3, .broker_epoch = 9, .items = items, .item_count = 3};
	struct alter_partition_result results[] = {
		{.tp = {.topic = "t", .partition = 1}, .topic_id = {.b = {1}}, .leader = 1, .leader_epoch = 4, .partition_epoch = 7, .isr = ids,
			.isr_count = 2, .leader_recovery_state = LEADER_RECOVERING},
		{.tp = {.topic = "u", .partition = 1}, .topic_id = {.b = {2}}, .status = STATUS_INELIGIBLE_REPLICA}};
	struct alter_partition_response answered = {.items = results, .item_count = 2};
	for (int16_t v = 0; v <= 3; v++) {
		void *body;
		struct alter_partition_request back;
		struct alter_partition_response answer_back;
		arena_init(&a, 1 << 20);
		ck_assert_int_eq(controller_codec_alter_to_body(&r, &a, &body), STATUS_OK);
		body = over_the_wire(&a, KAFKA_API_alter_partition, v, body, true);
		ck_assert_int_eq(controller_codec_alter_from_body(v, body, &back), STATUS_OK);
		ck_assert_uint_eq(back.item_count, 3);
		ck_assert_int_eq(back.broker_epoch, 9);
		ck_assert_str_eq(back.items[1].tp.topic, v < 2 ? "t" : "");
		ck_assert_int_eq(back.items[2].topic_id.b[0], v < 2 ? 0 : 2);
		ck_assert_int_eq(back.items[0].isr[0].broker_epoch, v < 3 ? -1 : 5);
		ck_assert_int_eq(back.items[0].isr[1].broker_id, 2);
		ck_assert_int_eq(back.items[0].leader_recovery_state, v < 1 ? LEADER_RECOVERED : LEADER_RECOVERING);
		ck_assert_int_eq(back.items[0].partition_epoch, 6);
		control_alter_request_fini(&back);
		ck_assert_int_eq(controller_codec_altered_to_body(&answered, &a, &body), STATUS_OK);
		body = over_the_wire(&a, KAFKA_API_alter_partition, v, body, false);
		ck_assert_int_eq(controller_codec_altered_from_body(v, body, &answer_back), STATUS_OK);
		ck_assert_uint_eq(answer_back.item_count, 2);
		ck_assert_int_eq(answer_back.items[1].status, STATUS_INELIGIBLE_REPLICA);
		ck_assert_int_eq(answer_back.items[0].isr[1], 2);
		ck_assert_int_eq(answer_back.items[0].partition_epoch, 7);
		control_alter_response_fini(&answer_back);
		arena_fini(&a);
	}
	ck_assert_int_eq(controller_codec_alter_version(&r, 9), 3);
	items[1].topic_id = (struct uuid){0};
	ck_assert_int_eq(controller_codec_alter_version(&r, 9), 1);
	ck_assert_int_eq(controller_codec_alter_version(&r, 0), 0);
}
END_TEST

START_TEST(controller_codec_hostile_requests_are_refused)
{
	const int32_t isr[] = {-1};
	struct kafka_alter_partition_request_topic_partition_new_isr_with_epoch member = {.broker_id = 1, .broker_epoch = -2};
	struct kafka_alter_partition_request_topic_partition p = {.new_isr = isr, .new_isr_with_epochs = &member};
	struct kafka_alter_partition_request_topic t = {.topic_name = "t", .partitions = &p, .partitions_count = 1};
	struct kafka_alter_partition_request m = {.topics = &t, .topics_count = 1};
	struct alter_partition_request r;
	ck_assert_int_eq(controller_codec_alter_from_body(3, &m, &r), STATUS_OK);
	control_alter_request_fini(&r);
#define REFUSED(version, change, restore)                                                                              \
	do {                                                                                                           \
		change;                                                                                                \
		ck_assert_int_eq(controller_codec_alter_from_body(version, &m, &r), STATUS_INVALID_REQUEST);          \
		restore;                                                                                               \
	} while (0)
	REFUSED(3, p.new_isr_with_epochs_count = 1, p.new_isr_with_epochs_count = 0);
	REFUSED(2, p.new_isr_count = 1, p.new_isr_count = 0);
	REFUSED(3, p.partition_index = -1, p.partition_index = 0);
	REFUSED(3, p.leader_epoch = -1, p.leader_epoch = 0);
	REFUSED(3, p.partition_epoch = -1, p.partition_epoch = 0);
	REFUSED(3, p.leader_recovery_state = 2, p.leader_recovery_state = 0);
	REFUSED(1, t.topic_name = "a/b", t.topic_name = "t");
	REFUSED(3, m.broker_id = -1, m.broker_id = 0);
#undef REFUSED
	struct controlled_shutdown_request shutdown;
	ck_assert_int_eq(controller_codec_shutdown_from_body(&(struct kafka_controlled_shutdown_request){.broker_id = -1}, &shutdown),
		STATUS_INVALID_REQUEST);
	struct kafka_controlled_shutdown_response_remaining_partition left = {.topic_name = "..", .partition_index = 0};
	struct kafka_controlled_shutdown_response remaining = {.remaining_partitions = &left, .remaining_partitions_count = 1};
	struct controlled_shutdown_response back;
	ck_assert_int_eq(controller_codec_shut_down_from_body(&remaining, &back), STATUS_INVALID_REQUEST);
	left.topic_name = "t";
	ck_assert_int_eq(controller_codec_shut_down_from_body(&remaining, &back), STATUS_OK);
	ck_assert_uint_eq(back.remaining_count, 1);
	controlled_shutdown_response_fini(&back);
}
END_TEST

UNIT_MAIN("controller_channel", controller_channel_batches_what_waits, controller_channel_asks_until_answered,
	controller_channel_follows_the_controller, controller_channel_deadlines_and_the_stop, controller_channel_moves_leaderships_away,
	controller_codec_alter_partition_in_every_version, controller_codec_hostile_requests_are_refused)
