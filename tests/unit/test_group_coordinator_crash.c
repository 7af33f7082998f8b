/* The power fails at every call to the disk, one after the other, while groups commit, form and go. What was acknowledged is there
 * afterwards; what was not may be. */
#include "coordinator_fixture.h"

#include "base/diag.h"
#include "unit.h"

enum { GROUPS = 3, COMMITS = 8, SEEDS = 3, CALLS_MAX = 2000 };

struct promise {
	int64_t acknowledged; /* -1: nothing */
	int64_t attempted;    /* newest */
	bool removal_tried, removed;
};
struct history {
	struct promise offsets[GROUPS];
	bool grouped; /* the member got its assignment */
};

static const char *const names[GROUPS] = {"g0", "g1", "g2"};

static void commit(struct coordinator_fixture *f, struct history *h, int group, int64_t offset)
{
	struct promise *p = &h->offsets[group];
	p->attempted = offset;
	if (coordinator_commit(f, names[group], "t", 0, offset) == STATUS_OK) {
		p->acknowledged = offset;
		p->removed = p->removal_tried = false;
	}
}

static void delete(struct coordinator_fixture *f, struct history *h, int group)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DELETE, names[group]);
	enum status s = coordinator_call_answer(f, c);
	coordinator_call_free(c);
	h->offsets[group].removal_tried = true;
	h->offsets[group].removed = s == STATUS_OK;
}

static bool form_group(struct coordinator_fixture *f)
{
	static const struct group_named_bytes range = {.name = "range"};
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_JOIN, "formed");
	c->r.join = (struct group_request_join){.member_id = "", .client_id = "app", .client_host = "/127.0.0.1",
		.session_timeout_ms = 600000, .rebalance_timeout_ms = 60000, .protocol_type = "consumer", .protocols = &range,
		.protocol_count = 1};
	enum status s = coordinator_call_answer(f, c);
	if (s == STATUS_OK) {
		struct coordinator_call *y = coordinator_call_new(GROUP_REQUEST_SYNC, "formed");
		const struct group_named_bytes assignment = {.name = c->r.join.ret_member_id, .bytes = slice_of_str("x")};
		y->r.sync = (struct group_request_sync){.member_id = c->r.join.ret_member_id, .generation = c->r.join.generation,
			.assignments = &assignment, .assignment_count = 1};
		s = coordinator_call_answer(f, y);
		coordinator_call_free(y);
	}
	coordinator_call_free(c);
	return s == STATUS_OK;
}

static void live(struct coordinator_fixture *f, struct history *h)
{
	for (int i = 0; i < GROUPS; i++)
		h->offsets[i] = (struct promise){.acknowledged = -1, .attempted = -1};
	for (int i = 0; i < COMMITS; i++) {
		commit(f, h, i % GROUPS, 10 + i);
		if (i == COMMITS / 2) {
			h->grouped = form_group(f);
			delete(f, h, 0);
		}
	}
}

static void check(struct coordinator_fixture *f, const struct history *h, uint64_t seed, uint64_t nth)
{
	for (int i = 0; i < GROUPS; i++) {
		const struct promise *p = &h->offsets[i];
		int64_t found = coordinator_fetch(f, names[i], "t", 0);
		bool later = found > p->acknowledged && found <= p->attempted;
		bool kept = found == p->acknowledged && !p->removed;
		bool gone = found == -1 && (p->removal_tried || p->acknowledged == -1);
		ck_assert_msg(later || kept || gone, "seed %llu, call %llu, %s: found %lld, acknowledged %lld, attempted %lld",
			(unsigned long long)seed, (unsigned long long)nth, names[i], (long long)found, (long long)p->acknowledged,
			(long long)p->attempted);
	}
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DESCRIBE, "formed");
	ck_assert_int_eq(coordinator_call_answer(f, c), STATUS_OK);
	ck_assert_msg(!h->grouped || c->r.describe.member_count == 1, "seed %llu, call %llu: the group is %s",
		(unsigned long long)seed, (unsigned long long)nth, c->r.describe.state);
	coordinator_call_free(c);
}

/* False: the scenario ended before the nth call. */
static bool fail_at(uint64_t seed, uint64_t nth)
{
	static struct coordinator_fixture f;
	struct history h = {0};
	coordinator_fixture_init(&f, seed);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
	sim_disk_power_off(f.disk, nth);
	live(&f, &h);
	bool hit = sim_disk_fault_hit(f.disk);
	coordinator_fixture_crash(&f);
	check(&f, &h, seed, nth);
	coordinator_fixture_crash(&f); /* nor does a second one take anything */
	check(&f, &h, seed, nth);
	coordinator_fixture_fini(&f);
	return hit;
}

START_TEST(group_coordinator_crash_keeps_what_was_acknowledged)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t nth = 1;
		while (fail_at(seed, nth))
			ck_assert_uint_lt(++nth, CALLS_MAX);
		ck_assert_uint_gt(nth, 2 * COMMITS);
	}
}
END_TEST

UNIT_MAIN("group_coordinator_crash", group_coordinator_crash_keeps_what_was_acknowledged)
