#include "coordinator_fixture.h"

#include "base/metrics.h"
#include "unit.h"

static struct coordinator_fixture f;

static void begin(void)
{
	coordinator_fixture_init(&f, 1);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
}

static void end(void)
{
	coordinator_fixture_fini(&f);
}

/* --- roles ---------------------------------------------------------------- */

START_TEST(group_coordinator_without_the_partition_is_none)
{
	coordinator_fixture_init(&f, 1);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 1), STATUS_NOT_COORDINATOR);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 1), STATUS_OK);
	coordinator_fixture_follow(&f);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 2), STATUS_NOT_COORDINATOR);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 1);
	end();
}
END_TEST

START_TEST(group_coordinator_is_loading_until_all_is_read)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 1), STATUS_OK);
	coordinator_fixture_lead(&f); /* in a new epoch: read again */
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, "g");
	struct coordinator_call *h = coordinator_call_new(GROUP_REQUEST_HEARTBEAT, "g");
	struct coordinator_call *s = coordinator_call_new(GROUP_REQUEST_SYNC, "g");
	while (manual_scheduler_step(f.manual) && c->done == 0) {
		if (c->r.owner == NULL) {
			coordinator_call_send(&f, c);
			coordinator_call_send(&f, h);
			coordinator_call_send(&f, s);
		}
	}
	coordinator_fixture_run(&f);
	ck_assert_int_eq(c->r.status, STATUS_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(h->r.status, STATUS_OK);
	ck_assert_int_eq(s->r.status, STATUS_REBALANCE_IN_PROGRESS);
	coordinator_call_free(c);
	coordinator_call_free(h);
	coordinator_call_free(s);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 1);
	end();
}
END_TEST

START_TEST(group_coordinator_loss_answers_the_parked_once)
{
	begin();
	f.settings.group_initial_rebalance_delay_ms = 3000;
	coordinator_fixture_stop(&f);
	coordinator_fixture_start(&f);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
	static const struct group_named_bytes range = {.name = "range"};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_JOIN, "g");
	c->r.join = (struct group_request_join){.member_id = "", .client_id = "app", .client_host = "/h", .session_timeout_ms = 10000,
		.rebalance_timeout_ms = -1, .protocol_type = "consumer", .protocols = &range, .protocol_count = 1};
	coordinator_call_send(&f, c);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(c->done, 0);
	coordinator_fixture_follow(&f);
	coordinator_fixture_run(&f);
	ck_assert_int_eq(c->done, 1);
	ck_assert_int_eq(c->r.status, STATUS_NOT_COORDINATOR);
	coordinator_call_free(c);
	end();
}
END_TEST

/* --- offsets -------------------------------------------------------------- */

START_TEST(group_coordinator_commit_is_seen_when_it_is_durable)
{
	begin();
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	struct group_request_offset o[] = {
		{.topic = "t", .partition = 1, .offset = 11, .leader_epoch = 2, .metadata = "here", .commit_timestamp = -1},
		{.topic = "t", .partition = 2, .offset = 22, .leader_epoch = -1, .commit_timestamp = -1, .status = STATUS_UNKNOWN_TOPIC_OR_PARTITION},
		{.topic = "u", .partition = 0, .offset = 33, .leader_epoch = -1, .commit_timestamp = 77},
	};
	c->r.commit = (struct group_request_commit){.member_id = "", .generation = -1, .retention_ms = -1, .offsets = o, .offset_count = 3};
	uint64_t syncs = sim_disk_calls(f.disk, SIM_DISK_FDATASYNC);
	coordinator_call_send(&f, c);
	while (c->done == 0) {
		if (sim_disk_calls(f.disk, SIM_DISK_FDATASYNC) == syncs) {
			struct coordinator_call *x = coordinator_call_new(GROUP_REQUEST_FETCH, "g");
			struct group_request_offset seen = {.topic = "t", .partition = 1};
			x->r.fetch = (struct group_request_fetch){.require_stable = true, .member_epoch = -1, .offsets = &seen, .offset_count = 1};
			coordinator_call_send(&f, x);
			/* taken within the call: the commit is under way */
			while (x->done == 0)
				ck_assert(manual_scheduler_step(f.manual));
			if (c->done == 0)
				ck_assert_int_eq(seen.status, STATUS_UNSTABLE_OFFSET_COMMIT);
			coordinator_call_free(x);
		}
		if (c->done == 0)
			ck_assert(manual_scheduler_step(f.manual));
	}
	ck_assert_uint_gt(sim_disk_calls(f.disk, SIM_DISK_FDATASYNC), syncs);
	ck_assert_int_eq(c->r.status, STATUS_OK);
	ck_assert_int_eq(o[0].status, STATUS_OK);
	ck_assert_int_eq(o[1].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	coordinator_call_free(c);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 11);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 2), -1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "u", 0), 33);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 11);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "u", 0), 33);
	end();
}
END_TEST

START_TEST(group_coordinator_fetch_all_gives_everything)
{
	begin();
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(coordinator_commit(&f, "g", i % 2 == 0 ? "t" : "u", i, 100 + i), STATUS_OK);
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, "g");
	c->r.fetch = (struct group_request_fetch){.all = true, .member_epoch = -1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_uint_eq(c->r.fetch.offset_count, 30);
	for (size_t i = 0; i < 30; i++) {
		const struct group_request_offset *o = &c->r.fetch.offsets[i];
		ck_assert_int_eq(o->offset, 100 + o->partition);
		ck_assert_str_eq(o->topic, o->partition % 2 == 0 ? "t" : "u");
		ck_assert_str_eq(o->metadata, "note");
		ck_assert_int_eq(o->leader_epoch, 3);
	}
	coordinator_call_free(c);
	c = coordinator_call_new(GROUP_REQUEST_FETCH, "nobody");
	c->r.fetch = (struct group_request_fetch){.all = true, .member_epoch = -1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_uint_eq(c->r.fetch.offset_count, 0);
	coordinator_call_free(c);
	end();
}
END_TEST

START_TEST(group_coordinator_refuses_what_does_not_fit)
{
	begin();
	char *text = check_alloc(5001);
	memset(text, 'x', 5000);
	text[5000] = '\0';
	struct group_request_offset o = {.topic = "t", .offset = 1, .metadata = text, .commit_timestamp = -1};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = "", .generation = -1, .retention_ms = -1, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_int_eq(o.status, STATUS_OFFSET_METADATA_TOO_LARGE);
	coordinator_call_free(c);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0); /* a group made for nothing is forgotten */
	/* more than one batch may hold */
	enum { MANY = 400 };
	text[4000] = '\0';
	struct group_request_offset *many = check_calloc(MANY, sizeof(*many));
	for (int i = 0; i < MANY; i++)
		many[i] = (struct group_request_offset){.topic = "t", .partition = i, .offset = 1, .metadata = text, .commit_timestamp = -1};
	c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = "", .generation = -1, .retention_ms = -1, .offsets = many, .offset_count = MANY};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_int_eq(many[0].status, STATUS_INVALID_COMMIT_OFFSET_SIZE);
	coordinator_call_free(c);
	free(many);
	free(text);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 1), STATUS_OK);
	end();
}
END_TEST

START_TEST(group_coordinator_commit_of_an_unknown_generation_is_refused)
{
	begin();
	struct group_request_offset o = {.topic = "t", .offset = 1, .commit_timestamp = -1};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = "m", .generation = 4, .retention_ms = -1, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_ILLEGAL_GENERATION);
	coordinator_call_free(c);
	struct coordinator_call *j = coordinator_join_alone(&f, "g");
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 1), STATUS_UNKNOWN_MEMBER_ID);
	c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = j->r.join.ret_member_id, .generation = 1, .retention_ms = -1,
		.offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_int_eq(o.status, STATUS_OK);
	coordinator_call_free(c);
	coordinator_call_free(j);
	end();
}
END_TEST

/* Commits of one turn share a batch, and one sync. */
START_TEST(group_coordinator_commits_of_one_turn_share_an_append)
{
	enum { MANY = 100 };
	begin();
	static struct coordinator_call *calls[MANY];
	static struct group_request_offset offsets[MANY];
	uint64_t writes = sim_disk_calls(f.disk, SIM_DISK_PWRITEV);
	for (int i = 0; i < MANY; i++) {
		offsets[i] = (struct group_request_offset){.topic = "t", .partition = i, .offset = i, .commit_timestamp = -1};
		calls[i] = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
		calls[i]->r.commit = (struct group_request_commit){.member_id = "", .generation = -1, .retention_ms = -1, .offsets = &offsets[i], .offset_count = 1};
		coordinator_call_send(&f, calls[i]);
	}
	coordinator_fixture_run(&f);
	ck_assert_uint_le(sim_disk_calls(f.disk, SIM_DISK_PWRITEV) - writes, 2);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(offsets[i].status, STATUS_OK);
		coordinator_call_free(calls[i]);
		ck_assert_int_eq(coordinator_fetch(&f, "g", "t", i), i);
	}
	end();
}
END_TEST

/* --- groups --------------------------------------------------------------- */

static enum status heartbeat(const char *group, const char *member, int32_t generation)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_HEARTBEAT, group);
	c->r.heartbeat = (struct group_request_heartbeat){.member_id = member, .generation = generation};
	enum status s = coordinator_call_answer(&f, c);
	coordinator_call_free(c);
	return s;
}

static char *state_of(const char *group, size_t *ret_members)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DESCRIBE, group);
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	char *state = check_strdup(c->r.describe.state);
	*ret_members = c->r.describe.member_count;
	coordinator_call_free(c);
	return state;
}

static void check_state(const char *group, const char *expected, size_t expected_members)
{
	size_t members;
	char *state = state_of(group, &members);
	ck_assert_str_eq(state, expected);
	ck_assert_uint_eq(members, expected_members);
	free(state);
}

START_TEST(group_coordinator_group_survives_a_crash)
{
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "g");
	ck_assert_int_eq(coordinator_commit(&f, "other", "t", 0, 5), STATUS_OK);
	check_state("g", "Stable", 1);
	ck_assert_int_eq(metrics_read(METRIC_groups), 2);
	ck_assert_int_eq(metrics_read(METRIC_group_members), 1);
	coordinator_fixture_crash(&f);
	check_state("g", "Stable", 1);
	ck_assert_int_eq(metrics_read(METRIC_groups), 2);
	ck_assert_int_eq(metrics_read(METRIC_group_members), 1);
	ck_assert_int_eq(heartbeat("g", j->r.join.ret_member_id, 1), STATUS_OK);
	ck_assert_int_eq(coordinator_fetch(&f, "other", "t", 0), 5);
	/* Nobody comes back: the session ends, and the group is empty. */
	coordinator_fixture_advance_ms(&f, 10001);
	check_state("g", "Empty", 0);
	ck_assert_int_eq(heartbeat("g", j->r.join.ret_member_id, 1), STATUS_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(metrics_read(METRIC_group_members), 0);
	coordinator_fixture_crash(&f);
	check_state("g", "Empty", 0);
	coordinator_call_free(j);
	end();
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	ck_assert_int_eq(metrics_read(METRIC_group_offsets), 0);
}
END_TEST

START_TEST(group_coordinator_heartbeats_keep_the_member)
{
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "g");
	for (int i = 0; i < 10; i++) {
		coordinator_fixture_advance_ms(&f, 9000);
		ck_assert_int_eq(heartbeat("g", j->r.join.ret_member_id, 1), STATUS_OK);
	}
	struct coordinator_call *l = coordinator_call_new(GROUP_REQUEST_LEAVE, "g");
	struct group_request_leaver leaver = {.member_id = j->r.join.ret_member_id};
	l->r.leave = (struct group_request_leave){.members = &leaver, .member_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, l), STATUS_OK);
	ck_assert_int_eq(leaver.status, STATUS_OK);
	check_state("g", "Empty", 0);
	coordinator_call_free(l);
	coordinator_call_free(j);
	end();
}
END_TEST

START_TEST(group_coordinator_knows_no_such_group)
{
	begin();
	ck_assert_int_eq(heartbeat("g", "m", 1), STATUS_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(heartbeat("", "m", 1), STATUS_INVALID_GROUP_ID);
	check_state("g", "Dead", 0);
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DELETE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_GROUP_ID_NOT_FOUND);
	coordinator_call_free(c);
	c = coordinator_call_new(GROUP_REQUEST_LEAVE, "g");
	struct group_request_leaver leaver = {.member_id = "m"};
	c->r.leave = (struct group_request_leave){.members = &leaver, .member_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_int_eq(leaver.status, STATUS_UNKNOWN_MEMBER_ID);
	coordinator_call_free(c);
	static const struct group_named_bytes range = {.name = "range"};
	c = coordinator_call_new(GROUP_REQUEST_JOIN, "g");
	c->r.join = (struct group_request_join){.member_id = "who", .client_id = "app", .client_host = "/h", .session_timeout_ms = 10000,
		.rebalance_timeout_ms = -1, .protocol_type = "consumer", .protocols = &range, .protocol_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_UNKNOWN_MEMBER_ID);
	coordinator_call_free(c);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	end();
}
END_TEST

static void listed(struct group_list_request *r)
{
	*(bool *)r->arg = true;
}

START_TEST(group_coordinator_lists_by_state)
{
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "live");
	ck_assert_int_eq(coordinator_commit(&f, "simple", "t", 0, 5), STATUS_OK);
	const char *const empty[] = {"empty"};
	struct arena arena;
	arena_init(&arena, 1 << 20);
	bool done = false;
	struct group_list_request l = {.arena = &arena, .home = f.scheduler, .done = listed, .arg = &done};
	group_coordinator_list(f.coordinator, &l);
	coordinator_fixture_run(&f);
	ck_assert(done && l.status == STATUS_OK);
	ck_assert_uint_eq(l.group_count, 2);
	l = (struct group_list_request){.arena = &arena, .home = f.scheduler, .states = empty, .state_count = 1, .done = listed, .arg = &done};
	group_coordinator_list(f.coordinator, &l);
	coordinator_fixture_run(&f);
	ck_assert_uint_eq(l.group_count, 1);
	ck_assert_str_eq(l.groups[0].group_id, "simple");
	ck_assert_str_eq(l.groups[0].state, "Empty");
	ck_assert_str_eq(l.groups[0].protocol_type, "");
	ck_assert_str_eq(l.groups[0].type, "classic");
	arena_fini(&arena);
	coordinator_call_free(j);
	end();
}
END_TEST

/* --- removal -------------------------------------------------------------- */

START_TEST(group_coordinator_deleted_group_stays_deleted)
{
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "g");
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DELETE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_NON_EMPTY_GROUP);
	coordinator_call_free(c);
	coordinator_fixture_advance_ms(&f, 10001);
	for (int i = 0; i < 700; i++)
		ck_assert_int_eq(coordinator_commit(&f, "g", "t", i, 5), STATUS_OK);
	c = coordinator_call_new(GROUP_REQUEST_DELETE, "g");
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	check_state("g", "Dead", 0);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	coordinator_fixture_crash(&f);
	check_state("g", "Dead", 0);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 699), -1);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	coordinator_call_free(j);
	end();
}
END_TEST

START_TEST(group_coordinator_deletes_listed_offsets)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 1, 6), STATUS_OK);
	struct group_request_offset o[] = {{.topic = "t", .partition = 0}, {.topic = "t", .partition = 9}, {.topic = "x", .status = STATUS_UNKNOWN_TOPIC_OR_PARTITION}};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DELETE_OFFSETS, "g");
	c->r.delete_offsets = (struct group_request_delete_offsets){.offsets = o, .offset_count = 3};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	ck_assert_int_eq(o[0].status, STATUS_OK);
	ck_assert_int_eq(o[1].status, STATUS_OK);
	ck_assert_int_eq(o[2].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	coordinator_call_free(c);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 6);
	end();
}
END_TEST

START_TEST(group_coordinator_last_offset_takes_the_empty_group_along)
{
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "g");
	struct group_request_offset o = {.topic = "t", .offset = 1, .commit_timestamp = -1};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = j->r.join.ret_member_id, .generation = 1, .retention_ms = -1, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	coordinator_fixture_advance_ms(&f, 600 * 1000); /* the member's session ends */
	ck_assert_int_eq(metrics_read(METRIC_groups), 1);
	c = coordinator_call_new(GROUP_REQUEST_DELETE_OFFSETS, "g");
	c->r.delete_offsets = (struct group_request_delete_offsets){.offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	coordinator_call_free(j);
	end();
}
END_TEST

START_TEST(group_coordinator_offsets_expire)
{
	enum { WEEK_MS = 7 * 24 * 3600 * 1000, CHECK_MS = 600 * 1000 };
	begin();
	struct coordinator_call *j = coordinator_join_alone(&f, "g"); /* leaves by its session's end */
	struct group_request_offset o = {.topic = "t", .offset = 1, .commit_timestamp = -1};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_COMMIT, "g");
	c->r.commit = (struct group_request_commit){.member_id = j->r.join.ret_member_id, .generation = 1, .retention_ms = -1, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	ck_assert_int_eq(coordinator_commit(&f, "simple", "t", 0, 5), STATUS_OK);
	/* asked for an hour only, as clients did before 2.1 */
	c = coordinator_call_new(GROUP_REQUEST_COMMIT, "short");
	c->r.commit = (struct group_request_commit){.member_id = "", .generation = -1, .retention_ms = 3600 * 1000, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	coordinator_fixture_advance_ms(&f, 3600 * 1000 + CHECK_MS);
	ck_assert_int_eq(coordinator_fetch(&f, "short", "t", 0), -1);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "short", "t", 0), -1);
	coordinator_fixture_advance_ms(&f, WEEK_MS - 2 * 3600 * 1000);
	ck_assert_int_eq(coordinator_fetch(&f, "simple", "t", 0), 5);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 1);
	coordinator_fixture_advance_ms(&f, 2 * 3600 * 1000 + CHECK_MS);
	ck_assert_int_eq(coordinator_fetch(&f, "simple", "t", 0), -1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	check_state("g", "Dead", 0);
	ck_assert_int_eq(metrics_read(METRIC_groups), 0);
	coordinator_call_free(j);
	end();
}
END_TEST

START_TEST(group_coordinator_offsets_go_with_their_topic)
{
	const char *const both[] = {"t", "u"}, *const one[] = {"u"};
	begin();
	coordinator_fixture_topics(&f, both, 2);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	ck_assert_int_eq(coordinator_commit(&f, "g", "u", 0, 6), STATUS_OK);
	coordinator_fixture_topics(&f, one, 1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "u", 0), 6);
	coordinator_fixture_crash(&f);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "u", 0), 6);
	end();
}
END_TEST

START_TEST(group_coordinator_partition_is_kafkas)
{
	ck_assert_int_eq(group_coordinator_partition("grp-static", 50), 12);
	ck_assert_int_eq(group_coordinator_partition("polygenelubricants", 50), 0); /* hash INT_MIN */
}
END_TEST

UNIT_MAIN("group_coordinator", group_coordinator_without_the_partition_is_none, group_coordinator_is_loading_until_all_is_read,
	group_coordinator_loss_answers_the_parked_once, group_coordinator_commit_is_seen_when_it_is_durable,
	group_coordinator_fetch_all_gives_everything, group_coordinator_refuses_what_does_not_fit,
	group_coordinator_commit_of_an_unknown_generation_is_refused, group_coordinator_commits_of_one_turn_share_an_append,
	group_coordinator_group_survives_a_crash, group_coordinator_heartbeats_keep_the_member, group_coordinator_knows_no_such_group,
	group_coordinator_lists_by_state, group_coordinator_deleted_group_stays_deleted, group_coordinator_deletes_listed_offsets,
	group_coordinator_offsets_expire,
	group_coordinator_last_offset_takes_the_empty_group_along, group_coordinator_offsets_go_with_their_topic, group_coordinator_partition_is_kafkas)
