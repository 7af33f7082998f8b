/* Assignors and the bytes members of a group exchange. */
#include "tools/client/assignor.h"
#include "unit.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 64 * 1024 * 1024);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

static struct assignor_member member(const char *id, const char *const *topics, size_t count)
{
	struct assignor_member m = {.member_id = id, .subscription = {.topic_count = count, .generation = -1}};
	m.subscription.topics = arena_calloc(&arena, count + 1, sizeof(char *));
	ck_assert_ptr_nonnull(m.subscription.topics);
	for (size_t i = 0; i < count; i++)
		m.subscription.topics[i] = topics[i];
	return m;
}

static void assign(enum assignor a, struct assignor_member *m, size_t members, struct assignor_topic *t, size_t topics)
{
	ck_assert_int_eq(assignor_assign(a, &arena, m, members, t, topics), STATUS_OK);
}

static size_t load(const struct assignor_member *m)
{
	return partition_sets_count(&m->assignment);
}

/* "0 1 2" */
static void expect_set(const struct assignor_member *m, const char *topic, const char *text)
{
	char got[256] = "";
	size_t at = 0;
	for (int32_t p = 0; p < 1000; p++)
		if (partition_sets_have(&m->assignment, topic, p))
			at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%d", at > 0 ? " " : "", p);
	ck_assert_msg(strcmp(got, text) == 0, "%s of %s: %s, not %s", m->member_id, topic, got, text);
}

static const char *const only_t[] = {"t"}, *const t_and_u[] = {"t", "u"};

START_TEST(assignor_range_gives_neighbours_per_topic)
{
	set_up();
	struct assignor_member m[] = {member("b", t_and_u, 2), member("a", t_and_u, 2), member("c", only_t, 1)};
	struct assignor_topic t[] = {{"u", 3}, {"t", 7}};
	assign(ASSIGNOR_RANGE, m, 3, t, 2);
	expect_set(&m[0], "t", "0 1 2"); /* sorted: a, b, c */
	expect_set(&m[1], "t", "3 4");
	expect_set(&m[2], "t", "5 6");
	expect_set(&m[0], "u", "0 1");
	expect_set(&m[1], "u", "2");
	tear_down();
}
END_TEST

START_TEST(assignor_range_puts_static_members_first)
{
	set_up();
	struct assignor_member m[] = {member("a", only_t, 1), member("z", only_t, 1)};
	m[1].instance_id = "i";
	struct assignor_topic t[] = {{"t", 2}};
	assign(ASSIGNOR_RANGE, m, 2, t, 1);
	ck_assert_str_eq(m[0].member_id, "z");
	expect_set(&m[0], "t", "0");
	tear_down();
}
END_TEST

START_TEST(assignor_round_robin_goes_over_topics)
{
	set_up();
	struct assignor_member m[] = {member("a", t_and_u, 2), member("b", only_t, 1)};
	struct assignor_topic t[] = {{"t", 3}, {"u", 2}};
	assign(ASSIGNOR_ROUNDROBIN, m, 2, t, 2);
	expect_set(&m[0], "t", "0 2");
	expect_set(&m[1], "t", "1");
	expect_set(&m[0], "u", "0 1");
	tear_down();
}
END_TEST

START_TEST(assignor_without_subscribers_or_topics_gives_nothing)
{
	set_up();
	for (int a = 0; a < ASSIGNOR_COUNT; a++) {
		struct assignor_member m[] = {member("a", t_and_u, 2), member("b", NULL, 0)};
		struct assignor_topic t[] = {{"t", 0}, {"x", 5}};
		assign((enum assignor)a, m, 2, t, 2);
		ck_assert_uint_eq(load(&m[0]) + load(&m[1]), 0);
		assign((enum assignor)a, m, 2, t, 0);
		assign((enum assignor)a, NULL, 0, t, 2);
	}
	tear_down();
}
END_TEST

/* What each got, it says to own in the next round. */
static void own(struct assignor_member *m, size_t count, int32_t generation)
{
	for (size_t i = 0; i < count; i++) {
		m[i].subscription.owned = m[i].assignment;
		m[i].subscription.generation = generation;
	}
}

START_TEST(assignor_sticky_moves_only_what_it_must_in_two_rounds)
{
	set_up();
	struct assignor_member m[] = {member("a", only_t, 1), member("b", only_t, 1), member("c", only_t, 1)};
	struct assignor_topic t[] = {{"t", 9}};
	assign(ASSIGNOR_COOPERATIVE_STICKY, m, 1, t, 1);
	ck_assert_uint_eq(load(&m[0]), 9);
	own(m, 1, 1);
	assign(ASSIGNOR_COOPERATIVE_STICKY, m, 3, t, 1);
	/* a keeps three; the six that move are given to nobody yet. */
	ck_assert_uint_eq(load(&m[0]), 3);
	ck_assert_uint_eq(load(&m[1]) + load(&m[2]), 0);
	own(m, 3, 2);
	struct partition_sets kept = m[0].assignment;
	assign(ASSIGNOR_COOPERATIVE_STICKY, m, 3, t, 1);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(load(&m[i]), 3);
	for (int32_t p = 0; p < 9; p++)
		if (partition_sets_have(&kept, "t", p))
			ck_assert(partition_sets_have(&m[0].assignment, "t", p));
	tear_down();
}
END_TEST

START_TEST(assignor_sticky_believes_the_latest_generation)
{
	set_up();
	int32_t zero[] = {0}, one[] = {1};
	struct partition_set zero_set = {"t", zero, 1}, one_set = {"t", one, 1};
	struct assignor_member m[] = {member("a", only_t, 1), member("b", only_t, 1), member("c", only_t, 1)};
	struct assignor_topic t[] = {{"t", 2}};
	/* a was away: what it says to own is b's now. Of c and b, both of generation 5, neither owns 1. */
	m[0].subscription.owned = (struct partition_sets){&zero_set, 1};
	m[0].subscription.generation = 3;
	struct partition_set both[] = {zero_set, one_set};
	m[1].subscription.owned = (struct partition_sets){both, 2};
	m[1].subscription.generation = 5;
	m[2].subscription.owned = (struct partition_sets){&one_set, 1};
	m[2].subscription.generation = 5;
	assign(ASSIGNOR_COOPERATIVE_STICKY, m, 3, t, 1);
	ck_assert(partition_sets_have(&m[1].assignment, "t", 0));
	ck_assert_uint_eq(load(&m[0]), 0); /* 1 is claimed by others: not given to a in this round */
	tear_down();
}
END_TEST

START_TEST(assignor_sticky_balances_unequal_subscriptions)
{
	set_up();
	struct assignor_member m[] = {member("a", only_t, 1), member("b", t_and_u, 2), member("c", t_and_u, 2)};
	struct assignor_topic t[] = {{"t", 4}, {"u", 5}};
	assign(ASSIGNOR_COOPERATIVE_STICKY, m, 3, t, 2);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(load(&m[i]), 3);
	ck_assert(!partition_sets_have(&m[0].assignment, "u", 0));
	tear_down();
}
END_TEST

START_TEST(assignor_every_partition_has_one_reader_whatever_is_claimed)
{
	enum { MEMBERS = 7, PARTITIONS = 40 };
	uint32_t dice = 12345;
	for (int round = 0; round < 200; round++) {
		set_up();
		struct assignor_member m[MEMBERS];
		static const char *const ids[MEMBERS] = {"a", "b", "c", "d", "e", "f", "g"};
		for (size_t i = 0; i < MEMBERS; i++) {
			m[i] = member(ids[i], only_t, 1);
			struct partition_set *set = arena_calloc(&arena, 1, sizeof(*set));
			int32_t *numbers = arena_calloc(&arena, PARTITIONS, sizeof(*numbers));
			ck_assert(set != NULL && numbers != NULL);
			*set = (struct partition_set){"t", numbers, 0};
			for (int32_t p = -1; p < PARTITIONS + 1; p++) {
				dice = dice * 1664525 + 1013904223;
				if (dice >> 30 == 0 && set->count < PARTITIONS)
					numbers[set->count++] = p; /* some that do not exist */
			}
			m[i].subscription.owned = (struct partition_sets){set, 1};
			m[i].subscription.generation = (int32_t)(dice >> 8) % 3;
		}
		struct assignor_topic t[] = {{"t", PARTITIONS}};
		for (int turn = 0; turn < 3; turn++) {
			assign(ASSIGNOR_COOPERATIVE_STICKY, m, MEMBERS, t, 1);
			own(m, MEMBERS, 10 + turn);
		}
		size_t total = 0, least = SIZE_MAX, most = 0;
		for (size_t i = 0; i < MEMBERS; i++) {
			total += load(&m[i]);
			least = load(&m[i]) < least ? load(&m[i]) : least;
			most = load(&m[i]) > most ? load(&m[i]) : most;
		}
		ck_assert_uint_eq(total, PARTITIONS);
		ck_assert_uint_le(most - least, 1);
		tear_down();
	}
}
END_TEST

/* --- bytes ---------------------------------------------------------------- */

START_TEST(consumer_protocol_is_kafkas)
{
	/* ConsumerProtocol.serializeSubscription of Kafka 3.9: version 3, [t], no data, owned t: [1], generation 5, no rack. */
	static const uint8_t kafkas[] = {0, 3, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 1,
		0, 0, 0, 5, 0xff, 0xff};
	static const uint8_t assignment[] = {0, 3, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
	set_up();
	int32_t one[] = {1};
	struct partition_set set = {"t", one, 1};
	const char *topics[] = {"t"};
	struct subscription s = {.topics = topics, .topic_count = 1, .owned = {&set, 1}, .generation = 5};
	struct slice bytes;
	ck_assert_int_eq(consumer_protocol_write_subscription(&arena, &s, false, &bytes), STATUS_OK);
	ck_assert(slice_equal(bytes, slice_of(kafkas, sizeof(kafkas))));
	struct subscription back;
	ck_assert_int_eq(consumer_protocol_read_subscription(&arena, bytes, &back), STATUS_OK);
	ck_assert_str_eq(back.topics[0], "t");
	ck_assert(partition_sets_have(&back.owned, "t", 1));
	ck_assert_int_eq(back.generation, 5);
	ck_assert_int_eq(consumer_protocol_write_assignment(&arena, &s.owned, &bytes), STATUS_OK);
	ck_assert(slice_equal(bytes, slice_of(assignment, sizeof(assignment))));
	tear_down();
}
END_TEST

START_TEST(consumer_protocol_reads_old_versions_and_refuses_damage)
{
	static const uint8_t version_0[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff};
	static const uint8_t sticky_1[] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0};
	struct subscription s;
	struct partition_sets p;
	set_up();
	ck_assert_int_eq(consumer_protocol_read_subscription(&arena, slice_of(version_0, sizeof(version_0)), &s), STATUS_OK);
	ck_assert_int_eq(s.generation, -1);
	ck_assert_uint_eq(s.owned.count, 0);
	ck_assert_int_eq(consumer_protocol_read_subscription(&arena, slice_of(sticky_1, sizeof(sticky_1)), &s), STATUS_OK);
	ck_assert_int_eq(s.generation, 9);
	for (size_t n = 0; n < sizeof(version_0); n++)
		ck_assert_int_ne(consumer_protocol_read_subscription(&arena, slice_of(version_0, n), &s), STATUS_OK);
	static const uint8_t many[] = {0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1, 't'};
	ck_assert_int_ne(consumer_protocol_read_subscription(&arena, slice_of(many, sizeof(many)), &s), STATUS_OK);
	ck_assert_int_ne(consumer_protocol_read_assignment(&arena, slice_of(many, sizeof(many)), &p), STATUS_OK);
	ck_assert_int_eq(consumer_protocol_read_assignment(&arena, (struct slice){0}, &p), STATUS_OK);
	tear_down();
}
END_TEST

UNIT_MAIN("assignor", assignor_range_gives_neighbours_per_topic, assignor_range_puts_static_members_first,
	assignor_round_robin_goes_over_topics, assignor_without_subscribers_or_topics_gives_nothing,
	assignor_sticky_moves_only_what_it_must_in_two_rounds, assignor_sticky_believes_the_latest_generation,
	assignor_sticky_balances_unequal_subscriptions, assignor_every_partition_has_one_reader_whatever_is_claimed,
	consumer_protocol_is_kafkas, consumer_protocol_reads_old_versions_and_refuses_damage)
