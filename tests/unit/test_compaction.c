/* The parts of compaction that touch no file: the map of keys, the plan, what becomes of one batch. */
#include "storage/compaction_filter.h"
#include "storage/compaction_plan.h"
#include "tests/unit/unit.h"
#include <stdio.h>

/* --- the map ------------------------------------------------------------------------------------------------- */

START_TEST(siphash_matches_its_published_vectors)
{
	/* Key 00 01 .. 0f; the reference implementation's vectors_sip128. */
	const uint64_t key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	uint8_t in[64];
	uint64_t hash[2];
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	bytes_siphash(slice_of(in, 0), key, hash);
	ck_assert(hash[0] == 0xe6a825ba047f81a3ull && hash[1] == 0x930255c71472f66dull);
	bytes_siphash(slice_of(in, 1), key, hash);
	ck_assert(hash[0] == 0x44af996bd8c187daull && hash[1] == 0x45fc229b11597634ull);
}
END_TEST

START_TEST(compaction_map_keeps_the_last_offset_of_each_key_until_full)
{
	struct compaction_map *m = compaction_map_new(64 * COMPACTION_MAP_SLOT_BYTES, 0.9, 1000);
	char key[16];
	size_t max = compaction_map_capacity(m);
	ck_assert_uint_eq(max, 57);
	for (size_t i = 0; i < max; i++) {
		(void)snprintf(key, sizeof(key), "key-%zu", i);
		ck_assert(compaction_map_put(m, slice_of_str(key), (int64_t)i));
	}
	ck_assert(!compaction_map_put(m, slice_of_str("one more"), 100));
	ck_assert(compaction_map_put(m, slice_of_str("key-3"), 101)); /* known: needs no room */
	ck_assert_int_eq(compaction_map_get(m, slice_of_str("key-3")), 101);
	ck_assert_int_eq(compaction_map_get(m, slice_of_str("key-4")), 4);
	ck_assert_int_eq(compaction_map_get(m, slice_of_str("one more")), -1);
	ck_assert_uint_eq(compaction_map_count(m), max);
	compaction_map_free(m);
	/* No more memory than the keys need. */
	m = compaction_map_new(1 << 30, 0.9, 100);
	ck_assert_uint_ge(compaction_map_capacity(m), 100);
	ck_assert_uint_lt(compaction_map_capacity(m), 200);
	ck_assert(compaction_map_put(m, slice_of("", 0), 0)); /* an empty key is a key */
	ck_assert_int_eq(compaction_map_get(m, slice_of("", 0)), 0);
	compaction_map_free(m);
}
END_TEST

/* --- the plan ------------------------------------------------------------------------------------------------ */

enum { NOW = 1000000 };
static struct compaction_segment segments[] = {
	{.base_offset = 0, .size_bytes = 100, .first_append_ms = 1000, .last_append_ms = 2000, .synced = true},
	{.base_offset = 10, .size_bytes = 100, .first_append_ms = 2000, .last_append_ms = 3000, .synced = true},
	{.base_offset = 20, .size_bytes = 200, .first_append_ms = 3000, .last_append_ms = 4000, .synced = true},
	{.base_offset = 40, .size_bytes = 50, .first_append_ms = 4000, .last_append_ms = 5000, .synced = true},
};

static struct compaction_view view(void)
{
	return (struct compaction_view){
		.segments = segments,
		.count = 4,
		.log_end_offset = 45,
		.stable_offset = 45,
		.first_dirty_offset = 10,
		.now_ms = NOW,
		.max_lag_ms = INT64_MAX,
		.min_dirty_ratio = 0.5,
	};
}

START_TEST(compaction_plan_counts_dirty_bytes_up_to_the_active_segment)
{
	struct compaction_view v = view();
	struct compaction_plan p;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.first_dirty_offset, 10);
	ck_assert_int_eq(p.end_offset, 40);
	ck_assert_uint_eq(p.end_segment, 3);
	ck_assert_int_eq(p.clean_bytes, 100);
	ck_assert_int_eq(p.dirty_bytes, 300);
	ck_assert(p.due && p.dirty_ratio > 0.74 && p.dirty_ratio < 0.76);
	v.min_dirty_ratio = 0.75; /* more than, not as much as */
	compaction_plan_make(&v, &p);
	ck_assert(!p.due);
	v.max_lag_ms = NOW - 2000;
	compaction_plan_make(&v, &p);
	ck_assert(!p.due);
	v.max_lag_ms--; /* the oldest dirty record is from 2000 */
	compaction_plan_make(&v, &p);
	ck_assert(p.due);
}
END_TEST

START_TEST(compaction_plan_stops_at_what_may_not_be_touched)
{
	struct compaction_view v = view();
	struct compaction_plan p;
	v.stable_offset = 39;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.end_offset, 20);
	v.stable_offset = 40;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.end_offset, 40);
	v.min_lag_ms = NOW - 3500; /* the third is too young, the second not */
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.end_offset, 20);
	v.min_lag_ms = NOW - 1; /* all are; the clean part is no matter */
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.end_offset, 10);
	ck_assert(!p.due);
	v.min_lag_ms = 0;
	segments[1].synced = false;
	compaction_plan_make(&v, &p);
	segments[1].synced = true;
	ck_assert_int_eq(p.end_offset, 10);
}
END_TEST

START_TEST(compaction_plan_puts_an_impossible_offset_right)
{
	struct compaction_view v = view();
	struct compaction_plan p;
	v.log_start_offset = 12;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.first_dirty_offset, 12); /* deleted up to there */
	v.first_dirty_offset = 46;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.first_dirty_offset, 12); /* beyond the end */
	v.first_dirty_offset = -1;
	v.log_start_offset = 0;
	compaction_plan_make(&v, &p);
	ck_assert_int_eq(p.first_dirty_offset, 0);
}
END_TEST

START_TEST(compaction_groups_stay_within_every_limit)
{
	struct compaction_group_limits l = {.segment_bytes = 400, .index_bytes = 1000, .end_offset = 40};
	ck_assert_uint_eq(compaction_plan_group(segments, 3, &l), 3);
	l.segment_bytes = 399;
	ck_assert_uint_eq(compaction_plan_group(segments, 3, &l), 2);
	l.segment_bytes = 50; /* one that is too large already stays alone */
	ck_assert_uint_eq(compaction_plan_group(segments, 3, &l), 1);
	l.segment_bytes = 400;
	l.end_offset = (int64_t)INT32_MAX + 2; /* an offset too far from the base */
	ck_assert_uint_eq(compaction_plan_group(segments, 3, &l), 2);
	l.end_offset = 40;
	segments[1].time_index_bytes = 1001;
	ck_assert_uint_eq(compaction_plan_group(segments, 3, &l), 1);
	segments[1].time_index_bytes = 0;
}
END_TEST

/* --- one batch ----------------------------------------------------------------------------------------------- */

enum { RETENTION_MS = 5000 };

struct bench {
	struct compaction_map *map;
	struct aborted_list aborted;
	struct compaction_filter *filter;
	int64_t last_of_producer; /* offset; -1 none */
	uint8_t batch[4096];
};

static bool is_last_of_producer(void *arg, const struct record_batch *b)
{
	const struct bench *w = arg;
	return record_batch_last_offset(b) == w->last_of_producer;
}

static void set_up(struct bench *w, int64_t map_end)
{
	if (w->map == NULL) {
		*w = (struct bench){.last_of_producer = -1};
		w->map = compaction_map_new(1 << 16, 0.9, 100);
	}
	compaction_filter_free(w->filter);
	const struct compaction_filter_options o = {
		.map = w->map,
		.map_end = map_end,
		.now_ms = NOW,
		.delete_retention_ms = RETENTION_MS,
		.keeps_producer = is_last_of_producer,
		.arg = w,
	};
	w->filter = compaction_filter_new(&o, transaction_walk_new(&w->aborted, 0));
}

static void tear_down(struct bench *w)
{
	compaction_filter_free(w->filter);
	compaction_map_free(w->map);
	transaction_index_fini(&w->aborted);
}

struct kv {
	const char *key, *value; /* NULL: null */
};

static struct slice text(const char *s)
{
	return s == NULL ? slice_of(NULL, 0) : slice_of_str(s);
}

static void reseal(struct slice batch)
{
	/* Stamping what is there already recomputes the checksum. */
	uint8_t *p = (uint8_t *)(uintptr_t)batch.p;
	record_batch_stamp_time(p, batch.n, bytes_get_i64(p + 35), (bytes_get_i16(p + 21) & RECORD_BATCH_LOG_APPEND_TIME) != 0);
}

static struct record_batch make_batch(struct bench *w, enum compression_type codec, int64_t base, const struct kv *list, size_t n)
{
	struct record_batch_builder *builder = record_batch_builder_new(codec, 0, 1024);
	struct record_header h = {.key = slice_of_str("h"), .value_null = true};
	struct slice bytes;
	struct record_batch b;
	for (size_t i = 0; i < n; i++)
		record_batch_builder_add(builder, 500 + (int64_t)i, text(list[i].key), text(list[i].value), &h, 1);
	ck_assert_int_eq(record_batch_builder_finish(builder, &bytes), STATUS_OK);
	ck_assert_uint_le(bytes.n, sizeof(w->batch));
	memcpy(w->batch, bytes.p, bytes.n);
	record_batch_stamp(w->batch, base, 7);
	ck_assert_int_eq(record_batch_parse(slice_of(w->batch, bytes.n), &b), STATUS_OK);
	record_batch_builder_free(builder);
	return b;
}

static struct record_batch of_producer(struct bench *w, struct record_batch b, int64_t producer_id, int16_t attributes)
{
	struct record_batch again;
	bytes_put_i16(w->batch + 21, (int16_t)(b.attributes | attributes));
	bytes_put_i64(w->batch + 43, producer_id);
	bytes_put_i16(w->batch + 51, 3);
	bytes_put_i32(w->batch + 53, (attributes & RECORD_BATCH_CONTROL) != 0 ? -1 : 40);
	reseal(b.data);
	ck_assert_int_eq(record_batch_parse(b.data, &again), STATUS_OK);
	return again;
}

static struct record_batch make_marker(struct bench *w, int64_t base, int64_t producer_id, int16_t type)
{
	uint8_t key[4] = {0, 0, 0, (uint8_t)type}, value[6] = {0};
	struct record_batch_builder *builder = record_batch_builder_new(COMPRESSION_none, 0, 128);
	struct slice bytes;
	struct record_batch b;
	record_batch_builder_add(builder, 600, slice_of(key, 4), slice_of(value, 6), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(builder, &bytes), STATUS_OK);
	memcpy(w->batch, bytes.p, bytes.n);
	record_batch_stamp(w->batch, base, 7);
	ck_assert_int_eq(record_batch_parse(slice_of(w->batch, bytes.n), &b), STATUS_OK);
	record_batch_builder_free(builder);
	return of_producer(w, b, producer_id, RECORD_BATCH_TRANSACTIONAL | RECORD_BATCH_CONTROL);
}

static struct compaction_verdict run_filter(struct bench *w, const struct record_batch *b, bool keep_offset)
{
	struct compaction_verdict v;
	ck_assert_int_eq(compaction_filter_batch(w->filter, b, keep_offset, &v), STATUS_OK);
	return v;
}

static struct record_batch parsed(struct slice bytes)
{
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(bytes, &b), STATUS_OK);
	ck_assert_uint_eq(b.data.n, bytes.n);
	ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
	return b;
}

static void put(struct bench *w, const char *key, int64_t offset)
{
	ck_assert(compaction_map_put(w->map, slice_of_str(key), offset));
}

static void survivors_keep_their_places(enum compression_type codec)
{
	static const struct kv list[] = {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", "4"}};
	struct bench w = {0};
	set_up(&w, 200);
	put(&w, "a", 102);
	put(&w, "b", 150); /* newer elsewhere */
	put(&w, "c", 103);
	struct record_batch b = make_batch(&w, codec, 100, list, 4);
	struct compaction_verdict v = run_filter(&w, &b, false);
	ck_assert_int_eq(v.records_dropped, 2);
	struct record_batch out = parsed(v.bytes);
	ck_assert_int_eq(out.base_offset, 100);
	ck_assert_int_eq(record_batch_last_offset(&out), 103);
	ck_assert_int_eq(out.record_count, 2);
	ck_assert_int_eq(out.leader_epoch, 7);
	ck_assert_int_eq(record_batch_codec(&out), codec);
	ck_assert_int_eq(out.base_timestamp, 502);
	ck_assert_int_eq(out.max_timestamp, 503);
	struct record_iterator it;
	struct record r;
	ck_assert_int_eq(record_iterator_init(&it, &out, 4096), STATUS_OK);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
	ck_assert(r.offset == 102 && r.timestamp == 502 && slice_equal(r.value, slice_of_str("3")) && r.header_count == 1);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
	ck_assert(r.offset == 103 && slice_equal(r.key, slice_of_str("c")));
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_NOT_FOUND);
	record_iterator_fini(&it);
	tear_down(&w);
}

START_TEST(compaction_filter_keeps_survivors_in_their_places)
{
	for (int codec = COMPRESSION_none; codec < COMPRESSION_COUNT; codec++)
		survivors_keep_their_places((enum compression_type)codec);
}
END_TEST

START_TEST(compaction_filter_leaves_whole_batches_and_newer_records_alone)
{
	static const struct kv list[] = {{"a", "1"}, {"b", "2"}, {NULL, "no key"}};
	struct bench w = {0};
	set_up(&w, 100);
	put(&w, "a", 150); /* of a batch that filled the map: beyond map_end */
	struct record_batch b = make_batch(&w, COMPRESSION_none, 100, list, 3);
	struct compaction_verdict v = run_filter(&w, &b, false);
	ck_assert_ptr_eq(v.bytes.p, b.data.p);
	ck_assert_int_eq(v.records_dropped, 0);
	set_up(&w, 200); /* now the record without a key goes: it is from before */
	v = run_filter(&w, &b, false);
	ck_assert_int_eq(v.records_dropped, 2);
	ck_assert_int_eq(parsed(v.bytes).record_count, 1);
	tear_down(&w);
}
END_TEST

START_TEST(compaction_filter_drops_or_empties_a_batch_without_survivors)
{
	static const struct kv list[] = {{"a", "1"}, {"a", "2"}};
	struct bench w = {0};
	set_up(&w, 200);
	put(&w, "a", 150);
	struct record_batch b = of_producer(&w, make_batch(&w, COMPRESSION_zstd, 100, list, 2), 9, 0);
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, 0);
	struct record_batch out = parsed(run_filter(&w, &b, true).bytes);
	ck_assert(out.record_count == 0 && out.data.n == RECORD_BATCH_HEADER_SIZE);
	ck_assert(out.base_offset == 100 && record_batch_last_offset(&out) == 101 && out.producer_id == 9);
	ck_assert(out.producer_epoch == 3 && out.base_sequence == 40 && out.max_timestamp == 501 && out.base_timestamp == -1);
	ck_assert_int_eq(out.attributes, 0); /* not compressed */
	w.last_of_producer = 101;
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, RECORD_BATCH_HEADER_SIZE);
	/* Emptied once, it is met again. */
	memcpy(w.batch, out.data.p, out.data.n);
	b = parsed(slice_of(w.batch, RECORD_BATCH_HEADER_SIZE));
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, RECORD_BATCH_HEADER_SIZE);
	w.last_of_producer = 150;
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, 0);
	tear_down(&w);
}
END_TEST

START_TEST(compaction_filter_gives_tombstones_a_horizon_and_drops_them_after_it)
{
	static const struct kv list[] = {{"a", "1"}, {"b", NULL}, {"c", "3"}};
	struct bench w = {0};
	set_up(&w, 200);
	put(&w, "a", 100);
	put(&w, "b", 101);
	put(&w, "c", 102);
	struct record_batch b = make_batch(&w, COMPRESSION_lz4, 100, list, 3);
	struct record_batch out = parsed(run_filter(&w, &b, false).bytes);
	ck_assert_int_eq(out.record_count, 3);
	ck_assert((out.attributes & RECORD_BATCH_DELETE_HORIZON) != 0);
	ck_assert_int_eq(out.base_timestamp, NOW + RETENTION_MS);
	ck_assert_int_eq(out.max_timestamp, 502);
	struct record_iterator it;
	struct record r;
	ck_assert_int_eq(record_iterator_init(&it, &out, 4096), STATUS_OK);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
	ck_assert_int_eq(r.timestamp, 500);
	record_iterator_fini(&it);
	/* Not due: as it is. */
	memcpy(w.batch, out.data.p, out.data.n);
	b = parsed(slice_of(w.batch, out.data.n));
	struct compaction_verdict v = run_filter(&w, &b, false);
	ck_assert_ptr_eq(v.bytes.p, b.data.p);
	/* Due: the tombstone goes, the horizon stays with the batch. */
	bytes_put_i64(w.batch + 27, NOW);
	reseal(b.data);
	b = parsed(b.data);
	v = run_filter(&w, &b, false);
	ck_assert_int_eq(v.records_dropped, 1);
	out = parsed(v.bytes);
	ck_assert_int_eq(out.record_count, 2);
	ck_assert_int_eq(out.base_timestamp, NOW);
	tear_down(&w);
}
END_TEST

START_TEST(compaction_filter_drops_aborted_records_and_later_their_marker)
{
	static const struct kv list[] = {{"a", "1"}};
	struct bench w = {0};
	set_up(&w, 200);
	transaction_index_add(&w.aborted, &(struct aborted_transaction){9, 100, 101, 101});
	set_up(&w, 200);
	put(&w, "a", 100);
	struct record_batch b = of_producer(&w, make_batch(&w, COMPRESSION_none, 100, list, 1), 9, RECORD_BATCH_TRANSACTIONAL);
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, 0);
	b = make_marker(&w, 101, 9, TRANSACTION_ABORT);
	struct compaction_verdict v = run_filter(&w, &b, false);
	ck_assert_ptr_eq(v.bytes.p, b.data.p); /* readers that saw the records need it */
	ck_assert(v.keep_aborted && v.aborted.first_offset == 100);
	/* The next time there are no records before it: it gets a horizon, and goes when that is due. */
	set_up(&w, 200);
	v = run_filter(&w, &b, false);
	ck_assert(!v.keep_aborted);
	struct record_batch out = parsed(v.bytes);
	ck_assert((out.attributes & RECORD_BATCH_DELETE_HORIZON) != 0 && out.base_timestamp == NOW + RETENTION_MS);
	memcpy(w.batch, out.data.p, out.data.n);
	bytes_put_i64(w.batch + 27, NOW - 1);
	reseal(slice_of(w.batch, out.data.n));
	b = parsed(slice_of(w.batch, out.data.n));
	set_up(&w, 200);
	ck_assert_uint_eq(run_filter(&w, &b, false).bytes.n, 0);
	w.last_of_producer = 101;
	set_up(&w, 200);
	out = parsed(run_filter(&w, &b, false).bytes);
	ck_assert(out.record_count == 0 && (out.attributes & RECORD_BATCH_CONTROL) != 0);
	tear_down(&w);
}
END_TEST

START_TEST(compaction_filter_keeps_a_commit_while_its_records_are_there)
{
	static const struct kv list[] = {{"a", "1"}};
	struct bench w = {0};
	set_up(&w, 200);
	put(&w, "a", 100);
	struct record_batch b = of_producer(&w, make_batch(&w, COMPRESSION_none, 100, list, 1), 9, RECORD_BATCH_TRANSACTIONAL);
	ck_assert_ptr_eq(run_filter(&w, &b, false).bytes.p, b.data.p);
	b = make_marker(&w, 101, 9, TRANSACTION_COMMIT);
	ck_assert_ptr_eq(run_filter(&w, &b, false).bytes.p, b.data.p);
	struct compaction_verdict v = run_filter(&w, &b, false); /* another, of nothing */
	ck_assert(v.bytes.p != b.data.p && (parsed(v.bytes).attributes & RECORD_BATCH_DELETE_HORIZON) != 0);
	tear_down(&w);
}
END_TEST

START_TEST(compaction_filter_refuses_records_it_cannot_read)
{
	static const struct kv list[] = {{"a", "1"}, {"b", "2"}};
	struct bench w = {0};
	struct compaction_verdict v;
	set_up(&w, 200);
	struct record_batch b = make_batch(&w, COMPRESSION_none, 100, list, 2);
	w.batch[RECORD_BATCH_HEADER_SIZE] = 0x7f; /* the first record's length */
	ck_assert_int_eq(compaction_filter_batch(w.filter, &b, false, &v), STATUS_CORRUPT);
	tear_down(&w);
}
END_TEST

UNIT_MAIN("compaction", siphash_matches_its_published_vectors, compaction_map_keeps_the_last_offset_of_each_key_until_full,
	compaction_plan_counts_dirty_bytes_up_to_the_active_segment, compaction_plan_stops_at_what_may_not_be_touched,
	compaction_plan_puts_an_impossible_offset_right, compaction_groups_stay_within_every_limit,
	compaction_filter_keeps_survivors_in_their_places, compaction_filter_leaves_whole_batches_and_newer_records_alone,
	compaction_filter_drops_or_empties_a_batch_without_survivors,
	compaction_filter_gives_tombstones_a_horizon_and_drops_them_after_it,
	compaction_filter_drops_aborted_records_and_later_their_marker,
	compaction_filter_keeps_a_commit_while_its_records_are_there, compaction_filter_refuses_records_it_cannot_read)
