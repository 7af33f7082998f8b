#include "controller/leader_election.h"
#include "controller/partition_states.h"
#include "tests/unit/unit.h"
#include <string.h>

/* assignment "1+ 2- 3+": live or not. */
struct text_input {
	struct election_input in;
	struct election_replica assignment[8];
	int32_t isr[8];
};

static struct election_input *input(struct text_input *t, const char *assignment, int32_t leader, const char *isr)
{
	*t = (struct text_input){.in = {.leader = leader}};
	for (const char *p = assignment; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		t->assignment[t->in.assignment_count++] = (struct election_replica){.id = *p - '0', .live = p[1] == '+'};
		p++;
	}
	for (const char *p = isr; *p != '\0'; p++)
		t->isr[t->in.isr_count++] = *p - '0';
	t->in.assignment = t->assignment;
	t->in.isr = t->isr;
	return &t->in;
}

static void expect_result(struct election_result r, bool changed, int32_t leader, const char *isr)
{
	ck_assert_int_eq(r.changed, changed);
	if (!changed)
		return;
	ck_assert_int_eq(r.leader, leader);
	ck_assert_uint_eq(r.isr_count, strlen(isr));
	for (size_t i = 0; i < r.isr_count; i++)
		ck_assert_int_eq(r.isr[i], isr[i] - '0');
}

START_TEST(leader_election_new_takes_the_live_in_assignment_order)
{
	struct text_input t;
	expect_result(leader_election_new(input(&t, "1+ 2+ 3+", -1, "")), true, 1, "123");
	expect_result(leader_election_new(input(&t, "3- 1+ 2+", -1, "")), true, 1, "12");
	expect_result(leader_election_new(input(&t, "3- 1- 2-", -1, "")), false, 0, "");
	expect_result(leader_election_new(input(&t, "", -1, "")), false, 0, "");
}
END_TEST

START_TEST(leader_election_offline_follows_kafkas_rules)
{
	static const struct {
		const char *assignment;
		int32_t leader;
		const char *isr;
		bool changed;
		int32_t new_leader;
		const char *new_isr;
	} cases[] = {
		{"1+ 2+", 1, "12", false, 0, ""},      /* nothing happened */
		{"1- 2+", 1, "12", true, 2, "2"},      /* the leader died */
		{"1+ 2-", 1, "12", true, 1, "1"},      /* a follower died */
		{"1+ 2-", 1, "1", false, 0, ""},       /* one that was not in sync */
		{"1- 2+", 1, "1", true, -1, "1"},      /* the last in sync died: nobody else may lead */
		{"1- 2-", 1, "12", true, -1, "12"},    /* all died at once */
		{"1- 2-", -1, "12", false, 0, ""},     /* and stay away */
		{"1- 2+", -1, "12", true, 2, "2"},     /* one comes back */
		{"1+ 2+", -1, "1", true, 1, "1"},      /* the last in sync comes back */
		{"3+ 1+ 2+", -1, "21", true, 1, "21"}, /* assignment order among the in sync, ISR in its own */
		{"1+", -1, "", false, 0, ""},          /* an empty ISR elects nobody */
		{"1+ 2+", 7, "7", true, -1, "7"},      /* a leader that is no longer assigned */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text_input t;
		expect_result(leader_election_offline(input(&t, cases[i].assignment, cases[i].leader, cases[i].isr)),
			cases[i].changed, cases[i].new_leader, cases[i].new_isr);
	}
}
END_TEST

START_TEST(leader_election_unclean_only_when_nobody_in_sync_is_left)
{
	struct text_input t;
	input(&t, "1- 2+ 3+", 1, "1");
	t.in.unclean_allowed = true;
	struct election_result r = leader_election_offline(&t.in);
	expect_result(r, true, 2, "2");
	ck_assert(r.unclean);
	input(&t, "1- 2+ 3+", 1, "13");
	t.in.unclean_allowed = true;
	r = leader_election_offline(&t.in);
	expect_result(r, true, 3, "3");
	ck_assert(!r.unclean);
}
END_TEST

START_TEST(leader_election_preferred_needs_a_live_replica_in_sync)
{
	struct text_input t;
	expect_result(leader_election_preferred(input(&t, "1+ 2+", 2, "21")), true, 1, "21");
	expect_result(leader_election_preferred(input(&t, "1+ 2+", 1, "12")), false, 0, "");
	expect_result(leader_election_preferred(input(&t, "1- 2+", 2, "21")), false, 0, "");
	expect_result(leader_election_preferred(input(&t, "1+ 2+", 2, "2")), false, 0, "");
	expect_result(leader_election_none(input(&t, "1+ 2+", 2, "21")), true, -1, "21");
	expect_result(leader_election_none(input(&t, "1+ 2+", -1, "21")), false, 0, "");
}
END_TEST

/* Every input of three replicas: what must hold of any answer. */
START_TEST(leader_election_invariants_hold_for_every_small_input)
{
	for (unsigned bits = 0; bits < 8 * 8 * 5 * 2; bits++) {
		struct text_input t = {.in = {.assignment_count = 3}};
		t.in.assignment = t.assignment;
		t.in.isr = t.isr;
		for (int i = 0; i < 3; i++) {
			t.assignment[i] = (struct election_replica){.id = i + 1, .live = (bits >> i & 1) != 0};
			if ((bits >> (3 + i) & 1) != 0)
				t.isr[t.in.isr_count++] = i + 1;
		}
		t.in.leader = (int32_t)(bits / 64 % 5) - 1;
		t.in.unclean_allowed = bits / 320 != 0;
		struct election_result r = leader_election_offline(&t.in);
		if (!r.changed)
			continue;
		ck_assert(t.in.isr_count == 0 || r.isr_count > 0);
		bool leader_live = r.leader >= 1 && r.leader <= 3 && t.assignment[r.leader - 1].live, leader_in = false;
		for (size_t i = 0; i < r.isr_count; i++)
			leader_in |= r.isr[i] == r.leader;
		ck_assert(r.leader == -1 || leader_live);
		ck_assert(r.leader == -1 || leader_in || r.leader == t.in.leader);
		ck_assert(!r.unclean || t.in.unclean_allowed);
	}
}
END_TEST

START_TEST(partition_states_moves_are_the_drawn_ones)
{
	static const bool legal[PARTITION_STATE_COUNT][PARTITION_STATE_COUNT] = {
		[PARTITION_ABSENT] = {[PARTITION_NEW] = true},
		[PARTITION_NEW] = {[PARTITION_ONLINE] = true, [PARTITION_OFFLINE] = true},
		[PARTITION_ONLINE] = {[PARTITION_OFFLINE] = true},
		[PARTITION_OFFLINE] = {[PARTITION_ONLINE] = true, [PARTITION_ABSENT] = true},
	};
	for (int from = 0; from < PARTITION_STATE_COUNT; from++) {
		for (int to = 0; to < PARTITION_STATE_COUNT; to++)
			ck_assert_int_eq(partition_states_may_move((enum partition_state)from, (enum partition_state)to),
				legal[from][to]);
	}
	enum partition_state s = PARTITION_NEW;
	partition_states_move(&s, PARTITION_NEW);
	partition_states_move(&s, PARTITION_ONLINE);
	ck_assert_str_eq(partition_states_name(s), "online");
}
END_TEST

UNIT_MAIN("leader_election", leader_election_new_takes_the_live_in_assignment_order,
	leader_election_offline_follows_kafkas_rules, leader_election_unclean_only_when_nobody_in_sync_is_left,
	leader_election_preferred_needs_a_live_replica_in_sync, leader_election_invariants_hold_for_every_small_input,
	partition_states_moves_are_the_drawn_ones)
