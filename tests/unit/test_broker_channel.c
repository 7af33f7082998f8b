#include "controller/broker_channel.h"
#include "tests/unit/unit.h"

/* A broker that answers when the test says so. */
struct rig {
	struct manual_clock clock;
	struct manual_scheduler *loop;
	struct control_transport transport;
	struct broker_channel *channel;
	char called[8192];   /* every call begun: M picture, F full picture, L roles, S stop */
	char answered[8192];
	int overruns, closes;
	const struct control_request *request;
	void (*done)(void *done_arg, enum status s, const struct control_response *response);
	void *done_arg;
};

static char letter(const struct control_request *r)
{
	if (r->kind == CONTROL_UPDATE_METADATA)
		return r->update_metadata.full ? 'F' : 'M';
	return r->kind == CONTROL_LEADER_AND_ISR ? 'L' : 'S';
}

static struct control_link *link_open(void *arg, const struct control_link_options *o)
{
	ck_assert_str_eq(o->host, "localhost");
	return arg; /* the rig stands for the link */
}

static void link_call(struct control_link *l, const struct control_request *request,
	void (*done)(void *done_arg, enum status s, const struct control_response *response), void *done_arg)
{
	struct rig *r = (struct rig *)(void *)l;
	ck_assert_ptr_null(r->done); /* one at a time */
	size_t n = strlen(r->called);
	if (n + 1 < sizeof r->called)
		r->called[n] = letter(request);
	r->request = request;
	r->done = done;
	r->done_arg = done_arg;
}

static void link_close(struct control_link *l)
{
	((struct rig *)(void *)l)->closes++;
}

static void answered(void *arg, int32_t broker_id, const struct control_request *request,
	const struct control_response *response)
{
	struct rig *r = arg;
	ck_assert_int_eq(broker_id, 7);
	ck_assert_ptr_nonnull(response);
	size_t n = strlen(r->answered);
	if (n + 1 < sizeof r->answered)
		r->answered[n] = letter(request);
}

static void overrun(void *arg, int32_t broker_id)
{
	ck_assert_int_eq(broker_id, 7);
	((struct rig *)arg)->overruns++;
}

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	manual_clock_init(&r->clock, 1000, 1000);
	r->loop = manual_scheduler_new(&r->clock);
	r->transport = (struct control_transport){.open = link_open, .call = link_call, .close = link_close, .arg = r};
	struct broker_channel_options o = {.scheduler = manual_scheduler_scheduler(r->loop), .transport = &r->transport,
		.link = {.broker_id = 7, .host = "localhost", .port = 1}, .answered = answered, .overrun = overrun, .arg = r};
	r->channel = broker_channel_new(&o);
}

static void rig_fini(struct rig *r)
{
	broker_channel_free(r->channel);
	ck_assert_int_eq(r->closes, 1);
	manual_scheduler_free(r->loop);
}

static void send(struct rig *r, enum control_kind kind, bool full)
{
	struct control_request q = {.kind = kind};
	if (kind == CONTROL_UPDATE_METADATA)
		q.update_metadata.full = full;
	broker_channel_send(r->channel, &q);
}

static void answer(struct rig *r, enum status s)
{
	void (*done)(void *, enum status, const struct control_response *) = r->done;
	struct control_response response = {0};
	ck_assert_ptr_nonnull(done);
	r->done = NULL;
	done(r->done_arg, s, s == STATUS_OK ? &response : NULL);
}

START_TEST(broker_channel_sends_one_at_a_time_in_order)
{
	static struct rig r;
	rig_init(&r);
	send(&r, CONTROL_STOP_REPLICA, false);
	send(&r, CONTROL_UPDATE_METADATA, true);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	ck_assert_str_eq(r.called, "S");
	answer(&r, STATUS_OK);
	ck_assert_str_eq(r.called, "SF");
	answer(&r, STATUS_OK);
	answer(&r, STATUS_OK);
	ck_assert_str_eq(r.answered, "SFL");
	ck_assert_uint_eq(broker_channel_queued(r.channel), 0);
	rig_fini(&r);
}
END_TEST

START_TEST(broker_channel_repeats_with_back_off_until_answered)
{
	static struct rig r;
	rig_init(&r);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	int64_t begin_us = r.clock.us;
	for (int i = 0; i < 8; i++) {
		answer(&r, STATUS_NETWORK_EXCEPTION);
		ck_assert_ptr_null(r.done); /* not at once */
		while (r.done == NULL)
			manual_scheduler_advance_us(r.loop, 10 * 1000);
	}
	ck_assert_str_eq(r.called, "LLLLLLLLL");
	ck_assert_str_eq(r.answered, "");
	/* 50 + 100 + 200 + 400 + 800 + 3 x 1000 ms */
	ck_assert_int_ge(r.clock.us - begin_us, 4550 * 1000);
	ck_assert_int_le(r.clock.us - begin_us, 4700 * 1000);
	answer(&r, STATUS_OK);
	ck_assert_str_eq(r.answered, "L");
	rig_fini(&r);
}
END_TEST

START_TEST(broker_channel_full_picture_replaces_those_that_wait)
{
	static struct rig r;
	rig_init(&r);
	send(&r, CONTROL_UPDATE_METADATA, false); /* under way: stays */
	send(&r, CONTROL_UPDATE_METADATA, true);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	send(&r, CONTROL_UPDATE_METADATA, false);
	send(&r, CONTROL_UPDATE_METADATA, true);
	ck_assert_uint_eq(broker_channel_queued(r.channel), 3);
	while (r.done != NULL)
		answer(&r, STATUS_OK);
	ck_assert_str_eq(r.answered, "MLF");
	rig_fini(&r);
}
END_TEST

START_TEST(broker_channel_overrun_empties_the_queue_and_says_so_later)
{
	static struct rig r;
	rig_init(&r);
	for (int i = 0; i <= BROKER_CHANNEL_QUEUE_MAX; i++)
		send(&r, CONTROL_LEADER_AND_ISR, false);
	ck_assert_uint_eq(broker_channel_queued(r.channel), 1); /* the one under way */
	ck_assert_int_eq(r.overruns, 0);
	manual_scheduler_advance_us(r.loop, BROKER_CHANNEL_RETRY_MAX_US);
	ck_assert_int_eq(r.overruns, 1);
	send(&r, CONTROL_UPDATE_METADATA, true);
	answer(&r, STATUS_OK);
	answer(&r, STATUS_OK);
	ck_assert_str_eq(r.answered, "LF");
	rig_fini(&r);
}
END_TEST

START_TEST(broker_channel_drops_what_can_never_pass)
{
	static struct rig r;
	rig_init(&r);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	send(&r, CONTROL_STOP_REPLICA, false);
	answer(&r, STATUS_TOO_LARGE);
	ck_assert_str_eq(r.called, "LS");
	answer(&r, STATUS_OK);
	ck_assert_str_eq(r.answered, "S");
	rig_fini(&r);
}
END_TEST

START_TEST(broker_channel_freed_with_a_call_under_way_is_silent)
{
	static struct rig r;
	rig_init(&r);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	send(&r, CONTROL_LEADER_AND_ISR, false);
	rig_fini(&r);
	ck_assert_str_eq(r.answered, "");
}
END_TEST

UNIT_MAIN("broker_channel", broker_channel_sends_one_at_a_time_in_order,
	broker_channel_repeats_with_back_off_until_answered, broker_channel_full_picture_replaces_those_that_wait,
	broker_channel_overrun_empties_the_queue_and_says_so_later, broker_channel_drops_what_can_never_pass,
	broker_channel_freed_with_a_call_under_way_is_silent)
