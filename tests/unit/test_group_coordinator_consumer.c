/* Consumer groups (KIP-848) in the coordinator: what is answered is durable, what is durable comes back, and what a group's type is. */
#include "coordinator_fixture.h"

#include "unit.h"

static struct coordinator_fixture f;
enum { LEAVE_EPOCH = -1 };
static const char *const topics[] = {"orders", "other"};

static void begin(void)
{
	coordinator_fixture_init(&f, 1);
	coordinator_fixture_topics(&f, topics, 2);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
}

static void end(void)
{
	coordinator_fixture_fini(&f);
}

static struct group_request_consumer_heartbeat joining(const char *member_id)
{
	return (struct group_request_consumer_heartbeat){.member_id = member_id, .client_id = "app", .client_host = "/127.0.0.1",
		.rebalance_timeout_ms = 30000, .topic_names = topics, .topic_name_count = 1, .owned = {.present = true},
		.member_generates_id = true};
}

static struct coordinator_call *beat(const char *group, struct group_request_consumer_heartbeat h)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_CONSUMER_HEARTBEAT, group);
	c->r.consumer_heartbeat = h;
	(void)coordinator_call_answer(&f, c);
	return c;
}

static enum status beat_status(const char *group, struct group_request_consumer_heartbeat h)
{
	struct coordinator_call *c = beat(group, h);
	enum status s = c->r.status;
	ck_assert(s == STATUS_OK || s == STATUS_COORDINATOR_NOT_AVAILABLE || s == STATUS_NOT_COORDINATOR || c->r.message != NULL);
	coordinator_call_free(c);
	return s;
}

/* A heartbeat that says nothing new. */
static struct group_request_consumer_heartbeat staying(const char *member_id, int32_t epoch)
{
	return (struct group_request_consumer_heartbeat){.member_id = member_id, .client_id = "app", .client_host = "/127.0.0.1",
		.member_epoch = epoch, .rebalance_timeout_ms = -1, .member_generates_id = true};
}

static size_t partitions_of(const struct group_request_topics *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->count; i++)
		n += t->topics[i].partition_count;
	return n;
}

static void expect_group(const char *group, const char *state, int32_t epoch, size_t members)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_CONSUMER_DESCRIBE, group);
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_str_eq(c->r.consumer_describe.state, state);
	ck_assert_int_eq(c->r.consumer_describe.group_epoch, epoch);
	ck_assert_uint_eq(c->r.consumer_describe.member_count, members);
	ck_assert_str_eq(c->r.consumer_describe.assignor, "uniform");
	coordinator_call_free(c);
}

START_TEST(a_join_is_answered_when_it_is_durable)
{
	begin();
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_CONSUMER_HEARTBEAT, "g");
	c->r.consumer_heartbeat = joining("one");
	uint64_t syncs = sim_disk_calls(f.disk, SIM_DISK_FDATASYNC);
	coordinator_call_send(&f, c);
	while (c->done == 0) {
		ck_assert(manual_scheduler_step(f.manual));
		ck_assert(c->done == 0 || sim_disk_calls(f.disk, SIM_DISK_FDATASYNC) > syncs);
	}
	ck_assert_int_eq(c->r.status, STATUS_OK);
	const struct group_request_consumer_heartbeat *h = &c->r.consumer_heartbeat;
	ck_assert_str_eq(h->ret_member_id, "one");
	ck_assert_int_eq(h->ret_member_epoch, 1);
	ck_assert_int_eq(h->heartbeat_interval_ms, 5000);
	ck_assert_uint_eq(partitions_of(&h->assignment), 10);
	coordinator_call_free(c);
	expect_group("g", "Stable", 1, 1);
	end();
}
END_TEST

START_TEST(groups_come_back_after_a_crash)
{
	begin();
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK);
	ck_assert_int_eq(beat_status("g", joining("two")), STATUS_OK);
	coordinator_fixture_crash(&f);
	coordinator_fixture_topics(&f, topics, 2);
	expect_group("g", "Reconciling", 2, 2);
	struct coordinator_call *c = beat("g", staying("one", 1)); /* is told what to give up */
	ck_assert_int_eq(c->r.status, STATUS_OK);
	ck_assert_int_eq(c->r.consumer_heartbeat.ret_member_epoch, 1);
	ck_assert_uint_eq(partitions_of(&c->r.consumer_heartbeat.assignment), 5);
	struct group_request_consumer_heartbeat given_up = staying("one", 1);
	given_up.owned = c->r.consumer_heartbeat.assignment;
	ck_assert_int_eq(beat_status("g", given_up), STATUS_OK);
	coordinator_call_free(c);
	c = beat("g", staying("two", 2));
	ck_assert_uint_eq(partitions_of(&c->r.consumer_heartbeat.assignment), 5);
	coordinator_call_free(c);
	expect_group("g", "Stable", 2, 2);
	end();
}
END_TEST

START_TEST(sessions_begin_anew_after_a_load_and_end)
{
	begin();
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK);
	coordinator_fixture_advance_ms(&f, 40000);
	coordinator_fixture_crash(&f);
	coordinator_fixture_topics(&f, topics, 2);
	coordinator_fixture_advance_ms(&f, 40000);
	expect_group("g", "Stable", 1, 1);
	coordinator_fixture_advance_ms(&f, 6000);
	expect_group("g", "Empty", 2, 0);
	ck_assert_int_eq(beat_status("g", staying("one", 1)), STATUS_UNKNOWN_MEMBER_ID);
	coordinator_fixture_crash(&f);
	expect_group("g", "Empty", 2, 0);
	end();
}
END_TEST

START_TEST(offsets_are_for_members_of_the_epoch)
{
	begin();
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK);
	ck_assert_int_eq(coordinator_commit(&f, "g", "orders", 0, 5), STATUS_UNKNOWN_MEMBER_ID); /* from outside */
	for (int32_t epoch = 0; epoch < 3; epoch++) {
		struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
		struct group_request_offset o = {.topic = "orders", .partition = 0, .offset = 7, .commit_timestamp = -1};
		c->r.commit = (struct group_request_commit){
			.member_id = "one", .generation = epoch, .retention_ms = -1, .offsets = &o, .offset_count = 1};
		ck_assert_int_eq(coordinator_call_answer(&f, c), epoch == 1 ? STATUS_OK : STATUS_STALE_MEMBER_EPOCH);
		coordinator_call_free(c);
	}
	ck_assert_int_eq(coordinator_fetch(&f, "g", "orders", 0), 7);
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, "g");
	struct group_request_offset o = {.topic = "orders", .partition = 0};
	c->r.fetch = (struct group_request_fetch){.member_id = "one", .member_epoch = 4, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_STALE_MEMBER_EPOCH);
	coordinator_call_free(c);
	end();
}
END_TEST

START_TEST(expressions_follow_the_topics)
{
	begin();
	struct group_request_consumer_heartbeat h = joining("one");
	h.topic_names = NULL;
	h.topic_name_count = 0;
	h.topic_regex = "o.*s";
	struct coordinator_call *c = beat("g", h);
	ck_assert_int_eq(c->r.status, STATUS_OK);
	ck_assert_uint_eq(c->r.consumer_heartbeat.assignment.count, 1);
	coordinator_call_free(c);
	static const char *const more[] = {"orders", "oranges", "other", "__offsets"};
	coordinator_fixture_topics(&f, more, 4);
	c = beat("g", staying("one", 1));
	ck_assert_int_eq(c->r.consumer_heartbeat.ret_member_epoch, 2);
	ck_assert_uint_eq(partitions_of(&c->r.consumer_heartbeat.assignment), 20);
	coordinator_call_free(c);
	h.topic_regex = "(";
	ck_assert_int_eq(beat_status("new", h), STATUS_INVALID_REGULAR_EXPRESSION);
	h.topic_regex = "(a+)+[bx]";
	ck_assert_int_eq(beat_status("g", h), STATUS_OK); /* nothing matches, quickly */
	end();
}
END_TEST

START_TEST(a_group_has_one_protocol_at_a_time)
{
	begin();
	struct coordinator_call *classic = coordinator_join_alone(&f, "g");
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_GROUP_ID_NOT_FOUND);
	struct coordinator_call *l = coordinator_call_new(GROUP_REQUEST_LEAVE, "g");
	struct group_request_leaver leaver = {.member_id = classic->r.join.ret_member_id};
	l->r.leave = (struct group_request_leave){.members = &leaver, .member_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, l), STATUS_OK);
	coordinator_call_free(l);
	coordinator_call_free(classic);
	ck_assert_int_eq(coordinator_commit(&f, "g", "orders", 0, 5), STATUS_OK);
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK); /* empty: it changes */
	ck_assert_int_eq(coordinator_fetch(&f, "g", "orders", 0), 5);
	coordinator_fixture_crash(&f);
	coordinator_fixture_topics(&f, topics, 2);
	expect_group("g", "Stable", 1, 1);
	struct group_request_consumer_heartbeat leaving = staying("one", LEAVE_EPOCH);
	ck_assert_int_eq(beat_status("g", leaving), STATUS_OK);
	coordinator_call_free(coordinator_join_alone(&f, "g")); /* and back */
	ck_assert_int_eq(coordinator_fetch(&f, "g", "orders", 0), 5);
	coordinator_fixture_crash(&f);
	struct coordinator_call *d = coordinator_call_new(GROUP_REQUEST_CONSUMER_DESCRIBE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_GROUP_ID_NOT_FOUND);
	coordinator_call_free(d);
	d = coordinator_call_new(GROUP_REQUEST_DESCRIBE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_OK);
	ck_assert_str_eq(d->r.describe.state, "Stable");
	coordinator_call_free(d);
	end();
}
END_TEST

START_TEST(refused_heartbeats_leave_no_group_behind)
{
	begin();
	ck_assert_int_eq(beat_status("g", staying("one", 3)), STATUS_GROUP_ID_NOT_FOUND);
	struct group_request_consumer_heartbeat h = joining("one");
	h.server_assignor = "sticky";
	ck_assert_int_eq(beat_status("g", h), STATUS_UNSUPPORTED_ASSIGNOR);
	h = joining("");
	ck_assert_int_eq(beat_status("g", h), STATUS_INVALID_REQUEST);
	struct coordinator_call *d = coordinator_call_new(GROUP_REQUEST_CONSUMER_DESCRIBE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_GROUP_ID_NOT_FOUND);
	coordinator_call_free(d);
	end();
}
END_TEST

START_TEST(empty_groups_are_deleted_for_good)
{
	begin();
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK);
	struct coordinator_call *d = coordinator_call_new(GROUP_REQUEST_DELETE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_NON_EMPTY_GROUP);
	coordinator_call_free(d);
	ck_assert_int_eq(beat_status("g", staying("one", LEAVE_EPOCH)), STATUS_OK);
	ck_assert_int_eq(coordinator_commit(&f, "g", "orders", 0, 5), STATUS_OK);
	d = coordinator_call_new(GROUP_REQUEST_DELETE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_OK);
	coordinator_call_free(d);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "orders", 0), -1);
	d = coordinator_call_new(GROUP_REQUEST_CONSUMER_DESCRIBE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_GROUP_ID_NOT_FOUND);
	coordinator_call_free(d);
	end();
}
END_TEST

START_TEST(our_own_tools_see_a_group_of_either_protocol)
{
	static const char wanted[] = "\0\0\0\0\0\1\0\6orders\0\0\0\x0a";
	begin();
	ck_assert_int_eq(beat_status("g", joining("one")), STATUS_OK);
	struct coordinator_call *d = coordinator_call_new(GROUP_REQUEST_DESCRIBE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_OK);
	ck_assert_str_eq(d->r.describe.state, "Dead");
	coordinator_call_free(d);
	d = coordinator_call_new(GROUP_REQUEST_DESCRIBE, "g");
	d->r.describe.any_type = true;
	ck_assert_int_eq(coordinator_call_answer(&f, d), STATUS_OK);
	ck_assert_str_eq(d->r.describe.state, "Stable");
	ck_assert_str_eq(d->r.describe.protocol, "uniform");
	ck_assert_uint_eq(d->r.describe.member_count, 1);
	struct slice a = d->r.describe.members[0].assignment;
	ck_assert_uint_eq(a.n, sizeof(wanted) - 1 + sizeof(int32_t) * 11);
	ck_assert_mem_eq(a.p, wanted, sizeof(wanted) - 1);
	ck_assert_int_eq(bytes_get_i32(a.p + a.n - 8), 9);
	ck_assert_int_eq(bytes_get_i32(a.p + a.n - 4), -1);
	coordinator_call_free(d);
	end();
}
END_TEST

START_TEST(the_parked_are_answered_when_the_partition_goes)
{
	begin();
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_CONSUMER_HEARTBEAT, "g");
	c->r.consumer_heartbeat = joining("one");
	coordinator_call_send(&f, c); /* its write is under way */
	coordinator_fixture_follow(&f);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(c->done, 1);
	ck_assert_int_eq(c->r.status, STATUS_NOT_COORDINATOR);
	coordinator_call_free(c);
	end();
}
END_TEST

/* More members than one batch holds: the write is cut, and loads whole. */
START_TEST(a_large_group_is_written_in_pieces)
{
	enum { MEMBERS = 60, ID_BYTES = 20000 };
	begin();
	char *id = calloc(1, ID_BYTES + 1);
	ck_assert_ptr_nonnull(id);
	for (int i = 0; i < MEMBERS; i++) {
		memset(id, 'x', ID_BYTES);
		id[0] = (char)('A' + i);
		struct group_request_consumer_heartbeat h = joining(id);
		h.member_generates_id = false;
		ck_assert_int_eq(beat_status("g", h), STATUS_OK);
	}
	coordinator_fixture_crash(&f);
	coordinator_fixture_topics(&f, topics, 2);
	expect_group("g", "Reconciling", MEMBERS, MEMBERS);
	coordinator_fixture_advance_ms(&f, 50000); /* all sessions end in one write */
	expect_group("g", "Empty", MEMBERS + 1, 0);
	coordinator_fixture_crash(&f);
	expect_group("g", "Empty", MEMBERS + 1, 0);
	free(id);
	end();
}
END_TEST

UNIT_MAIN("group_coordinator_consumer", our_own_tools_see_a_group_of_either_protocol, a_join_is_answered_when_it_is_durable, groups_come_back_after_a_crash,
	sessions_begin_anew_after_a_load_and_end, offsets_are_for_members_of_the_epoch, expressions_follow_the_topics,
	a_group_has_one_protocol_at_a_time, refused_heartbeats_leave_no_group_behind, empty_groups_are_deleted_for_good,
	the_parked_are_answered_when_the_partition_goes, a_large_group_is_written_in_pieces)
