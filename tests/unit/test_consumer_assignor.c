/* The server-side assignors: complete, exclusive, balanced, and who has a partition keeps it. */
#include "base/random.h"
#include "coordinator/consumer_assignor.h"
#include "tests/unit/unit.h"

enum { MEMBERS_MAX = 12, TOPICS_MAX = 6, PARTITIONS_MAX = 9, ROUNDS = 400 };

/* A world of members and topics; ids sort by number. */
struct world {
	struct consumer_assignor_topic topics[TOPICS_MAX];
	struct consumer_assignor_member members[MEMBERS_MAX];
	struct partition_set had[MEMBERS_MAX];
	char ids[MEMBERS_MAX][8];
	size_t subscriptions[MEMBERS_MAX][TOPICS_MAX];
	size_t topic_count, member_count;
};

static void add_topic(struct world *w, int32_t partitions)
{
	struct consumer_assignor_topic *t = &w->topics[w->topic_count++];
	*t = (struct consumer_assignor_topic){.partition_count = partitions};
	t->id.b[0] = (uint8_t)w->topic_count;
}

/* mask: bit t is set when it subscribes to topic t. */
static struct consumer_assignor_member *add_member(struct world *w, unsigned mask, const char *instance_id)
{
	size_t i = w->member_count++;
	struct consumer_assignor_member *m = &w->members[i];
	(void)snprintf(w->ids[i], sizeof(w->ids[i]), "m%02zu", i);
	*m = (struct consumer_assignor_member){
		.id = w->ids[i], .instance_id = instance_id, .topics = w->subscriptions[i], .previous = &w->had[i]};
	for (size_t t = 0; t < w->topic_count; t++)
		if ((mask >> t & 1) != 0)
			w->subscriptions[i][m->topic_count++] = t;
	return m;
}

static void assign(struct world *w, enum consumer_assignor a)
{
	const struct consumer_assignor_input in = {w->topics, w->topic_count, w->members, w->member_count};
	consumer_assignor_assign(a, &in);
}

/* What was assigned is what they have now. */
static void settle(struct world *w)
{
	for (size_t i = 0; i < w->member_count; i++)
		partition_set_copy(&w->members[i].target, &w->had[i]);
}

static void world_fini(struct world *w)
{
	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		partition_set_fini(&w->members[i].target);
		partition_set_fini(&w->had[i]);
	}
}

static size_t topic_of(const struct world *w, const struct uuid *id)
{
	for (size_t t = 0; t < w->topic_count; t++)
		if (uuid_equal(&w->topics[t].id, id))
			return t;
	ck_abort_msg("no such topic");
}

static bool subscribes(const struct consumer_assignor_member *m, size_t topic)
{
	for (size_t k = 0; k < m->topic_count; k++)
		if (m->topics[k] == topic)
			return true;
	return false;
}

/* Every partition of every subscribed topic has exactly one member, who subscribes to it. */
static void check_complete(const struct world *w)
{
	int taken[TOPICS_MAX][PARTITIONS_MAX + 1] = {{0}};
	for (size_t i = 0; i < w->member_count; i++) {
		const struct partition_set *s = &w->members[i].target;
		for (size_t k = 0; k < s->count; k++) {
			size_t t = topic_of(w, &s->items[k].topic_id);
			ck_assert(subscribes(&w->members[i], t));
			ck_assert_int_lt(s->items[k].partition, w->topics[t].partition_count);
			ck_assert_int_eq(taken[t][s->items[k].partition]++, 0);
		}
	}
	for (size_t t = 0; t < w->topic_count; t++) {
		bool wanted = false;
		for (size_t i = 0; i < w->member_count; i++)
			wanted = wanted || subscribes(&w->members[i], t);
		for (int32_t p = 0; p < w->topics[t].partition_count; p++)
			ck_assert_int_eq(taken[t][p], wanted ? 1 : 0);
	}
}

/* No partition could move to somebody who subscribes to it and has at least two fewer. */
static void check_balanced(const struct world *w)
{
	for (size_t i = 0; i < w->member_count; i++)
		for (size_t k = 0; k < w->members[i].target.count; k++) {
			size_t t = topic_of(w, &w->members[i].target.items[k].topic_id);
			for (size_t j = 0; j < w->member_count; j++)
				ck_assert(!subscribes(&w->members[j], t) ||
					w->members[i].target.count < w->members[j].target.count + 2);
		}
}

static size_t moved(const struct world *w)
{
	size_t n = 0;
	struct partition_set lost = {0};
	for (size_t i = 0; i < w->member_count; i++) {
		partition_set_subtract(&w->had[i], &w->members[i].target, &lost);
		n += lost.count;
	}
	partition_set_fini(&lost);
	return n;
}

static void random_world(struct world *w, struct random *r, bool same)
{
	size_t topics = 1 + random_below(r, TOPICS_MAX), members = 1 + random_below(r, MEMBERS_MAX);
	unsigned mask = (unsigned)random_u64(r);
	*w = (struct world){0};
	for (size_t t = 0; t < topics; t++)
		add_topic(w, (int32_t)random_below(r, PARTITIONS_MAX + 1));
	for (size_t i = 0; i < members; i++)
		(void)add_member(w, same ? mask : (unsigned)random_u64(r), NULL);
}

START_TEST(uniform_is_complete_balanced_and_still)
{
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct world w;
		struct random r;
		random_seed(&r, seed);
		random_world(&w, &r, seed % 2 == 0);
		assign(&w, CONSUMER_ASSIGNOR_UNIFORM);
		check_complete(&w);
		check_balanced(&w);
		settle(&w);
		assign(&w, CONSUMER_ASSIGNOR_UNIFORM); /* nothing has changed: nothing moves */
		ck_assert_uint_eq(moved(&w), 0);
		world_fini(&w);
	}
}
END_TEST

/* With equal subscriptions, one more or one fewer member moves as little as balance allows. */
START_TEST(uniform_moves_no_more_than_it_must)
{
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct world w;
		struct random r;
		random_seed(&r, seed);
		random_world(&w, &r, true);
		if (w.member_count == MEMBERS_MAX)
			w.member_count--;
		assign(&w, CONSUMER_ASSIGNOR_UNIFORM);
		settle(&w);
		unsigned mask = 0;
		for (size_t k = 0; k < w.members[0].topic_count; k++)
			mask |= 1u << w.members[0].topics[k];
		struct consumer_assignor_member *new = add_member(&w, mask, NULL);
		assign(&w, CONSUMER_ASSIGNOR_UNIFORM);
		check_complete(&w);
		check_balanced(&w);
		ck_assert_uint_eq(moved(&w), new->target.count);
		settle(&w);
		w.member_count--; /* and it goes again */
		assign(&w, CONSUMER_ASSIGNOR_UNIFORM);
		check_complete(&w);
		ck_assert_uint_eq(moved(&w), 0);
		w.member_count++;
		world_fini(&w);
	}
}
END_TEST

START_TEST(uniform_drops_what_nobody_may_have)
{
	struct world w = {0};
	add_topic(&w, 3);
	add_topic(&w, 2);
	(void)add_member(&w, 1, NULL);
	partition_set_append(&w.had[0], &w.topics[0].id, 7);  /* no such partition any more */
	partition_set_append(&w.had[0], &w.topics[0].id, -1);
	partition_set_append(&w.had[0], &w.topics[1].id, 0);  /* no longer subscribed */
	partition_set_append(&w.had[0], &(struct uuid){{99}}, 0);
	partition_set_sort(&w.had[0]);
	assign(&w, CONSUMER_ASSIGNOR_UNIFORM);
	check_complete(&w);
	ck_assert_uint_eq(w.members[0].target.count, 3);
	world_fini(&w);
}
END_TEST

static void expect_range(const struct consumer_assignor_member *m, const struct uuid *id, int32_t from, int32_t to)
{
	for (int32_t p = 0; p < PARTITIONS_MAX; p++)
		ck_assert_int_eq(partition_set_has(&m->target, &(struct partition_of_topic){*id, p}), p >= from && p < to);
}

START_TEST(range_gives_contiguous_pieces_static_members_first)
{
	struct world w = {0};
	add_topic(&w, 3);
	add_topic(&w, 3);
	struct consumer_assignor_member *dynamic = add_member(&w, 3, NULL), *second = add_member(&w, 3, "b"),
					*first = add_member(&w, 3, "a");
	w.member_count = 3;
	assign(&w, CONSUMER_ASSIGNOR_RANGE);
	check_complete(&w);
	for (size_t t = 0; t < 2; t++) {
		expect_range(first, &w.topics[t].id, 0, 1);
		expect_range(second, &w.topics[t].id, 1, 2);
		expect_range(dynamic, &w.topics[t].id, 2, 3);
	}
	w.member_count = 2; /* 3 partitions for 2: the surplus goes to the first */
	assign(&w, CONSUMER_ASSIGNOR_RANGE);
	expect_range(second, &w.topics[0].id, 0, 2);
	expect_range(dynamic, &w.topics[0].id, 2, 3);
	w.member_count = 3;
	world_fini(&w);
}
END_TEST

START_TEST(range_is_complete)
{
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct world w;
		struct random r;
		random_seed(&r, seed);
		random_world(&w, &r, seed % 2 == 0);
		assign(&w, CONSUMER_ASSIGNOR_RANGE);
		check_complete(&w);
		world_fini(&w);
	}
}
END_TEST

START_TEST(assignors_are_found_by_name)
{
	enum consumer_assignor a;
	ck_assert(consumer_assignor_find("range", &a));
	ck_assert_int_eq(a, CONSUMER_ASSIGNOR_RANGE);
	ck_assert(consumer_assignor_find("uniform", &a));
	ck_assert(!consumer_assignor_find("cooperative-sticky", &a));
	assign(&(struct world){0}, CONSUMER_ASSIGNOR_UNIFORM); /* nobody: nothing */
}
END_TEST

UNIT_MAIN("consumer_assignor", uniform_is_complete_balanced_and_still, uniform_moves_no_more_than_it_must,
	uniform_drops_what_nobody_may_have, range_gives_contiguous_pieces_static_members_first, range_is_complete,
	assignors_are_found_by_name)
