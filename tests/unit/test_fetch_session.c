#include "replica/fetch_session.h"

#include "unit.h"
#include <stdio.h>

enum { SLOTS = 3, PARTITIONS_MAX = 40 };

static struct fetch_session_cache *make(void)
{
	const struct fetch_session_cache_options o = {
		.slots = SLOTS, .partitions_max = PARTITIONS_MAX, .id_first = 1, .id_step = 4, .seed = 7};
	return fetch_session_cache_new(&o);
}

static enum status put(struct fetch_session_cache *c, struct fetch_session *s, const char *topic, int32_t partition, int64_t offset)
{
	const struct fetch_session_key key = {.name = topic};
	const struct fetch_session_request asked = {.offset = offset, .max_bytes = 100, .current_leader_epoch = -1, .last_fetched_epoch = -1};
	struct fetch_session_partition *p = NULL;
	enum status status = fetch_session_put(c, s, &key, partition, &asked, &p);
	if (status == STATUS_OK) {
		ck_assert_int_eq(p->partition, partition);
		ck_assert_int_eq(p->request.offset, offset);
	}
	return status;
}

/* A session of this many partitions of topic t, no longer in use. */
static int32_t create(struct fetch_session_cache *c, bool privileged, int partitions, int64_t now_ms)
{
	struct fetch_session *s = fetch_session_cache_create(c, privileged, (size_t)partitions, false, now_ms);
	if (s == NULL)
		return FETCH_SESSION_NONE;
	for (int i = 0; i < partitions; i++)
		ck_assert_int_eq(put(c, s, "t", i, 0), STATUS_OK);
	int32_t id = fetch_session_id(s);
	fetch_session_cache_release(c, s);
	return id;
}

/* Partitions in the order of the next answer: "a0 b1 ". */
static const char *order_of(struct fetch_session *s)
{
	static char text[200];
	size_t n = 0;
	text[0] = '\0';
	for (struct fetch_session_partition *p = fetch_session_first(s); p != NULL; p = fetch_session_next(s, p))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d ", fetch_session_topic_name(p->topic), p->partition);
	return text;
}

START_TEST(fetch_session_is_resumed_by_id_and_epoch)
{
	struct fetch_session_cache *c = make();
	struct fetch_session *s = NULL;
	int32_t id = create(c, false, 2, 0);
	ck_assert_int_gt(id, 0);
	ck_assert_int_eq(id % 4, 1);
	ck_assert_int_eq(fetch_session_cache_resume(c, id + 4, 1, false, &s), STATUS_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 2, false, &s), STATUS_INVALID_FETCH_SESSION_EPOCH);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, true, &s), STATUS_FETCH_SESSION_TOPIC_ID_ERROR);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, false, &s), STATUS_OK);
	ck_assert(fetch_session_cache_advance(c, s, 5));
	ck_assert_int_eq(fetch_session_epoch(s), 2);
	fetch_session_cache_release(c, s);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, false, &s), STATUS_INVALID_FETCH_SESSION_EPOCH);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_epoch_goes_from_the_largest_to_1)
{
	ck_assert_int_eq(fetch_session_next_epoch(FETCH_SESSION_EPOCH_INITIAL), 1);
	ck_assert_int_eq(fetch_session_next_epoch(1), 2);
	ck_assert_int_eq(fetch_session_next_epoch(INT32_MAX), 1);
	ck_assert_int_eq(fetch_session_next_epoch(FETCH_SESSION_EPOCH_FINAL), FETCH_SESSION_EPOCH_FINAL);
}
END_TEST

START_TEST(fetch_session_changes_keep_the_order)
{
	struct fetch_session_cache *c = make();
	struct fetch_session *s = fetch_session_cache_create(c, false, 4, false, 0);
	ck_assert_int_eq(put(c, s, "a", 0, 10), STATUS_OK);
	ck_assert_int_eq(put(c, s, "b", 0, 20), STATUS_OK);
	ck_assert_int_eq(put(c, s, "a", 1, 30), STATUS_OK);
	ck_assert_str_eq(order_of(s), "a0 b0 a1 ");
	ck_assert_int_eq(put(c, s, "a", 0, 11), STATUS_OK); /* asked for another offset: its place stays */
	ck_assert_str_eq(order_of(s), "a0 b0 a1 ");
	ck_assert_int_eq(fetch_session_first(s)->request.offset, 11);
	const struct fetch_session_key b = {.name = "b"}, none = {.name = "none"};
	fetch_session_forget(c, s, &b, 0);
	fetch_session_forget(c, s, &b, 7);
	fetch_session_forget(c, s, &none, 0);
	ck_assert_str_eq(order_of(s), "a0 a1 ");
	ck_assert_int_eq(put(c, s, "b", 0, 0), STATUS_OK);
	ck_assert_str_eq(order_of(s), "a0 a1 b0 ");
	ck_assert_uint_eq(fetch_session_partition_count(s), 3);
	ck_assert_uint_eq(fetch_session_cache_partition_count(c), 3);
	fetch_session_cache_release(c, s);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_answers_only_news_and_served_partitions_go_to_the_end)
{
	struct fetch_session_cache *c = make();
	struct fetch_session *s = fetch_session_cache_create(c, false, 2, false, 0);
	ck_assert_int_eq(put(c, s, "a", 0, 0), STATUS_OK);
	ck_assert_int_eq(put(c, s, "b", 0, 0), STATUS_OK);
	struct fetch_session_partition *p = fetch_session_first(s);
	struct fetch_session_result r = {.high_watermark = 5, .log_start_offset = 0};
	ck_assert(fetch_session_answer(s, p, &r)); /* never told before */
	ck_assert(!fetch_session_answer(s, p, &r));
	r.high_watermark = 6;
	ck_assert(fetch_session_answer(s, p, &r));
	r.log_start_offset = 1;
	ck_assert(fetch_session_answer(s, p, &r));
	ck_assert(!fetch_session_answer(s, p, &r));
	ck_assert_str_eq(order_of(s), "a0 b0 ");
	r.has_records = true;
	ck_assert(fetch_session_answer(s, p, &r));
	ck_assert_str_eq(order_of(s), "b0 a0 ");
	ck_assert(fetch_session_answer(s, p, &r)); /* records are always news */
	r.has_records = false;
	r.diverges = true;
	ck_assert(fetch_session_answer(s, p, &r));
	r.diverges = false;
	const struct fetch_session_result failed = {.failed = true, .high_watermark = -1, .log_start_offset = -1};
	ck_assert(fetch_session_answer(s, p, &failed));
	ck_assert(fetch_session_answer(s, p, &failed)); /* told until it is over */
	ck_assert(fetch_session_answer(s, p, &r));      /* and so is its end */
	ck_assert(!fetch_session_answer(s, p, &r));
	fetch_session_cache_release(c, s);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_by_topic_id_learns_the_name)
{
	struct fetch_session_cache *c = make();
	struct fetch_session *s = fetch_session_cache_create(c, false, 2, true, 0);
	const struct fetch_session_request asked = {.offset = 1};
	const struct fetch_session_key one = {.id = {.b = {1}}}, two = {.id = {.b = {2}}};
	struct fetch_session_partition *p = NULL, *same = NULL, *other = NULL;
	ck_assert_int_eq(fetch_session_put(c, s, &one, 0, &asked, &p), STATUS_OK);
	ck_assert_int_eq(fetch_session_put(c, s, &one, 0, &asked, &same), STATUS_OK);
	ck_assert_int_eq(fetch_session_put(c, s, &two, 0, &asked, &other), STATUS_OK);
	ck_assert_ptr_eq(p, same);
	ck_assert_ptr_ne(p, other);
	ck_assert_ptr_null(fetch_session_topic_name(p->topic));
	ck_assert(uuid_equal(fetch_session_topic_id(other->topic), &two.id));
	fetch_session_topic_resolve(p->topic, "one");
	ck_assert_str_eq(fetch_session_topic_name(p->topic), "one");
	fetch_session_cache_release(c, s);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_without_partitions_is_closed_but_stays_for_who_uses_it)
{
	struct fetch_session_cache *c = make();
	struct fetch_session *s = NULL, *again = NULL;
	int32_t id = create(c, false, 1, 0);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, false, &s), STATUS_OK);
	const struct fetch_session_key t = {.name = "t"};
	fetch_session_forget(c, s, &t, 0);
	ck_assert(!fetch_session_cache_advance(c, s, 1));
	ck_assert_uint_eq(fetch_session_cache_count(c), 0);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, false, &again), STATUS_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(fetch_session_id(s), id);
	fetch_session_cache_release(c, s);
	id = create(c, false, 1, 0);
	ck_assert_int_eq(fetch_session_cache_resume(c, id, 1, false, &s), STATUS_OK);
	fetch_session_cache_close(c, id);
	fetch_session_cache_close(c, id); /* harmless */
	ck_assert_str_eq(order_of(s), "t0 ");
	fetch_session_cache_release(c, s);
	ck_assert_uint_eq(fetch_session_cache_partition_count(c), 0);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_slots_go_to_who_is_worth_more_once_others_are_old)
{
	struct fetch_session_cache *c = make();
	int64_t late = FETCH_SESSION_EVICTION_MS + 1;
	struct fetch_session *s = NULL;
	int32_t first = create(c, false, 2, 0), second = create(c, false, 1, 10), third = create(c, false, 3, 20);
	ck_assert_int_eq(create(c, false, 9, 30), FETCH_SESSION_NONE); /* all are young */
	/* All in use lately; created long ago. */
	const int32_t ids[] = {first, second, third};
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fetch_session_cache_resume(c, ids[i], 1, false, &s), STATUS_OK);
		ck_assert(fetch_session_cache_advance(c, s, late));
		fetch_session_cache_release(c, s);
	}
	ck_assert_int_eq(create(c, false, 1, late + 30), FETCH_SESSION_NONE); /* not worth more than the least */
	ck_assert_int_ne(create(c, false, 2, late + 30), FETCH_SESSION_NONE);
	ck_assert_int_eq(fetch_session_cache_resume(c, second, 2, false, &s), STATUS_FETCH_SESSION_ID_NOT_FOUND);
	/* Unused for long: goes first, whatever it is worth. */
	int64_t later = 2 * late;
	ck_assert_int_eq(fetch_session_cache_resume(c, first, 2, false, &s), STATUS_OK);
	ck_assert(fetch_session_cache_advance(c, s, later));
	fetch_session_cache_release(c, s);
	ck_assert_int_ne(create(c, false, 1, later + 1), FETCH_SESSION_NONE);
	ck_assert_int_eq(fetch_session_cache_resume(c, third, 2, false, &s), STATUS_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(fetch_session_cache_resume(c, first, 3, false, &s), STATUS_OK);
	fetch_session_cache_release(c, s);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_followers_push_consumers_out_but_not_each_other)
{
	struct fetch_session_cache *c = make();
	for (int i = 0; i < SLOTS; i++)
		ck_assert_int_ne(create(c, false, 5, i), FETCH_SESSION_NONE);
	for (int i = 0; i < SLOTS; i++)
		ck_assert_int_ne(create(c, true, 1, 10), FETCH_SESSION_NONE);
	ck_assert_int_eq(create(c, true, 9, 20), FETCH_SESSION_NONE);
	ck_assert_int_eq(create(c, false, 9, 20), FETCH_SESSION_NONE);
	ck_assert_uint_eq(fetch_session_cache_count(c), SLOTS);
	fetch_session_cache_free(c);
}
END_TEST

START_TEST(fetch_session_partitions_are_bounded)
{
	struct fetch_session_cache *c = make();
	ck_assert_int_eq(create(c, false, PARTITIONS_MAX, 0), FETCH_SESSION_NONE);
	struct fetch_session *s = fetch_session_cache_create(c, false, 1, false, 0);
	int held = 0;
	while (put(c, s, "t", held, 0) == STATUS_OK)
		held++;
	ck_assert_int_eq(put(c, s, "t", held, 0), STATUS_TOO_LARGE);
	ck_assert_int_gt(held, PARTITIONS_MAX - 3);
	ck_assert_int_le(held, PARTITIONS_MAX);
	ck_assert_int_eq(put(c, s, "t", 0, 9), STATUS_OK); /* what is there may change */
	fetch_session_cache_close(c, fetch_session_id(s));
	fetch_session_cache_release(c, s);
	ck_assert_int_ne(create(c, false, 10, 0), FETCH_SESSION_NONE); /* the room is free again */
	fetch_session_cache_free(c);
}
END_TEST

UNIT_MAIN("fetch_session", fetch_session_is_resumed_by_id_and_epoch, fetch_session_epoch_goes_from_the_largest_to_1,
	fetch_session_changes_keep_the_order, fetch_session_answers_only_news_and_served_partitions_go_to_the_end,
	fetch_session_by_topic_id_learns_the_name, fetch_session_without_partitions_is_closed_but_stays_for_who_uses_it,
	fetch_session_slots_go_to_who_is_worth_more_once_others_are_old, fetch_session_followers_push_consumers_out_but_not_each_other,
	fetch_session_partitions_are_bounded)
