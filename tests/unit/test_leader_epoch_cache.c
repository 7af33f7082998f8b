#include "storage/leader_epoch_cache.h"
#include "tests/unit/unit.h"

static void assign(struct leader_epoch_cache *c, int32_t epoch, int64_t start)
{
	(void)leader_epoch_cache_assign(c, epoch, start);
}

static void ends(const struct leader_epoch_cache *c, int32_t asked, int32_t epoch, int64_t end)
{
	int32_t e;
	int64_t o;
	leader_epoch_cache_end_offset(c, asked, 100, &e, &o);
	ck_assert_int_eq(e, epoch);
	ck_assert_int_eq(o, end);
}

START_TEST(leader_epoch_cache_end_offsets_follow_kip_279)
{
	struct leader_epoch_cache c;
	leader_epoch_cache_init(&c);
	ck_assert_int_eq(leader_epoch_cache_latest(&c), -1);
	ends(&c, 0, -1, -1);
	assign(&c, 2, 10);
	assign(&c, 3, 20);
	assign(&c, 7, 50);
	ends(&c, 1, 1, 10);  /* before the first: it ended where the first begins */
	ends(&c, 2, 2, 20);
	ends(&c, 3, 3, 50);
	ends(&c, 5, 3, 50);  /* unknown between two: the one below */
	ends(&c, 7, 7, 100); /* the latest */
	ends(&c, 8, -1, -1);
	leader_epoch_cache_fini(&c);
}
END_TEST

START_TEST(leader_epoch_cache_assign_removes_what_it_contradicts)
{
	struct leader_epoch_cache c;
	leader_epoch_cache_init(&c);
	assign(&c, 1, 0);
	assign(&c, 2, 10);
	ck_assert(!leader_epoch_cache_assign(&c, 2, 15));
	assign(&c, 4, 30);
	ck_assert(leader_epoch_cache_assign(&c, 3, 20));
	ck_assert_uint_eq(c.count, 3);
	ck_assert_int_eq(c.entries[2].epoch, 3);
	ck_assert(leader_epoch_cache_assign(&c, 9, 10));
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.entries[1].epoch, 9);
	leader_epoch_cache_fini(&c);
}
END_TEST

START_TEST(leader_epoch_cache_truncates_at_both_ends)
{
	struct leader_epoch_cache c;
	leader_epoch_cache_init(&c);
	for (int i = 0; i < 5; i++)
		assign(&c, i, i * 10);
	ck_assert(!leader_epoch_cache_truncate_end(&c, 41));
	ck_assert(leader_epoch_cache_truncate_end(&c, 40));
	ck_assert_int_eq(leader_epoch_cache_latest(&c), 3);
	ck_assert(leader_epoch_cache_truncate_start(&c, 15));
	ck_assert_uint_eq(c.count, 3);
	ck_assert_int_eq(c.entries[0].epoch, 1);
	ck_assert_int_eq(c.entries[0].start_offset, 15);
	ck_assert(leader_epoch_cache_truncate_start(&c, 20));
	ck_assert_int_eq(c.entries[0].epoch, 2);
	ck_assert(!leader_epoch_cache_truncate_start(&c, 20));
	ck_assert(leader_epoch_cache_truncate_start(&c, 500));
	ck_assert_uint_eq(c.count, 1);
	leader_epoch_cache_fini(&c);
}
END_TEST

START_TEST(leader_epoch_cache_text_survives_and_cut_text_is_refused)
{
	struct leader_epoch_cache c, d;
	size_t n;
	leader_epoch_cache_init(&c);
	leader_epoch_cache_init(&d);
	assign(&c, 0, 0);
	assign(&c, 12, 3456789);
	char *text = leader_epoch_cache_format(&c, &n);
	ck_assert_str_eq(text, "0\n2\n0 0\n12 3456789\n");
	ck_assert_uint_eq(n, strlen(text));
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(leader_epoch_cache_parse(&d, slice_of(text, cut)), STATUS_CORRUPT);
	ck_assert_int_eq(leader_epoch_cache_parse(&d, slice_of(text, n)), STATUS_OK);
	ck_assert_uint_eq(d.count, 2);
	ck_assert_int_eq(d.entries[1].start_offset, 3456789);
	static const char *const bad[] = {"1\n0\n", "0\n-1\n", "0\n1\n1 2 3\n", "0\n2\n1 5\n1 6\n", "0\n2\n1 5\n2 5\n", "0\n1\n-1 5\n",
		"0\n0\nx\n", "0\n99999999999999999999\n", "0\n1\n1  5\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(leader_epoch_cache_parse(&d, slice_of_str(bad[i])) == STATUS_CORRUPT, "%s", bad[i]);
	ck_assert_uint_eq(d.count, 0);
	free(text);
	leader_epoch_cache_fini(&c);
	leader_epoch_cache_fini(&d);
}
END_TEST

UNIT_MAIN("leader_epoch_cache", leader_epoch_cache_end_offsets_follow_kip_279, leader_epoch_cache_assign_removes_what_it_contradicts,
	leader_epoch_cache_truncates_at_both_ends, leader_epoch_cache_text_survives_and_cut_text_is_refused)
