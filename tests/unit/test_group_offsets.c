#include "unit.h"

#include "coordinator/group_offsets.h"

static void put(struct group_offsets *o, const char *topic, int32_t partition, int64_t offset, int64_t log_offset)
{
	const struct group_offset_value v = {.offset = offset, .commit_timestamp_ms = 5, .expire_timestamp_ms = -1, .leader_epoch = 1,
		.metadata = "m"};
	group_offsets_put(o, topic, partition, &v, log_offset);
}

START_TEST(group_offsets_later_record_wins_in_any_order)
{
	struct group_offsets o;
	group_offsets_init(&o);
	put(&o, "t", 3, 30, 7);
	put(&o, "t", 3, 20, 6);
	ck_assert_int_eq(group_offsets_find(&o, "t", 3)->offset, 30);
	group_offsets_remove(&o, "t", 3, 5);
	ck_assert_ptr_nonnull(group_offsets_find(&o, "t", 3));
	put(&o, "t", 3, 40, 8);
	ck_assert_int_eq(group_offsets_find(&o, "t", 3)->offset, 40);
	ck_assert_str_eq(group_offsets_find(&o, "t", 3)->metadata, "m");
	ck_assert_uint_eq(o.committed, 1);
	group_offsets_remove(&o, "t", 3, 9);
	ck_assert_ptr_null(group_offsets_find(&o, "t", 3));
	ck_assert_uint_eq(o.slots, 0);
	ck_assert_ptr_null(o.topics);
	group_offsets_fini(&o);
}
END_TEST

START_TEST(group_offsets_pending_is_found_and_not_committed)
{
	struct group_offsets o;
	group_offsets_init(&o);
	group_offsets_begin(&o, "t", 0);
	group_offsets_begin(&o, "t", 0);
	ck_assert(!group_offset_is_committed(group_offsets_find(&o, "t", 0)));
	ck_assert_uint_eq(o.slots, 1);
	group_offsets_end(&o, "t", 0);
	put(&o, "t", 0, 1, 1);
	group_offsets_remove(&o, "t", 0, 2);
	ck_assert_uint_eq(group_offsets_find(&o, "t", 0)->pending, 1); /* a tombstone does not end what is under way */
	group_offsets_end(&o, "t", 0);
	ck_assert_ptr_null(group_offsets_find(&o, "t", 0));
	group_offsets_fini(&o);
}
END_TEST

struct walk {
	char last_topic[8];
	int32_t last_partition;
	size_t topics, slots;
};

static void walk_slot(void *arg, const char *topic, const struct group_offset *slot)
{
	struct walk *w = arg;
	if (strcmp(topic, w->last_topic) != 0) {
		w->topics++;
		w->last_partition = -1;
		(void)snprintf(w->last_topic, sizeof(w->last_topic), "%s", topic);
	}
	ck_assert_int_gt(slot->partition, w->last_partition);
	w->last_partition = slot->partition;
	w->slots++;
}

START_TEST(group_offsets_each_goes_topic_by_topic_in_order)
{
	struct group_offsets o;
	struct walk w = {.last_partition = -1};
	group_offsets_init(&o);
	for (int i = 0; i < 100; i++) {
		put(&o, "a", (i * 37) % 100, i, i);
		put(&o, "b", (i * 41) % 100, i, i);
	}
	group_offsets_each(&o, walk_slot, &w);
	ck_assert_uint_eq(w.topics, 2);
	ck_assert_uint_eq(w.slots, 200);
	ck_assert_uint_eq(o.slots, 200);
	ck_assert(group_offsets_has_topic(&o, "a") && !group_offsets_has_topic(&o, "c"));
	group_offsets_fini(&o);
}
END_TEST

UNIT_MAIN("group_offsets", group_offsets_later_record_wins_in_any_order, group_offsets_pending_is_found_and_not_committed,
	group_offsets_each_goes_topic_by_topic_in_order)
