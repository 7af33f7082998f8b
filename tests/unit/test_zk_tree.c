/* The tree's own: journal, paths, watch table. Its semantics are proved by test_zk_client. */
#include "tests/unit/unit.h"
#include "coordinator-client/zk_path.h"
#include "coordinator-client/zk_tree.h"

static struct manual_clock the_clock(void)
{
	struct manual_clock c;
	manual_clock_init(&c, 0, 1700000000000);
	return c;
}

static struct zk_tree *tree_open(struct zk_memory_journal *j, struct manual_clock *clock)
{
	struct zk_tree *t = NULL;
	struct failure f;
	ck_assert_int_eq(zk_tree_open(&j->journal, &clock->clock, &t, &f), STATUS_OK);
	return t;
}

static enum status change(struct zk_tree_session *s, enum zk_op_kind kind, const char *path, const char *data, int flags,
	int32_t version)
{
	const struct zk_op op = {.kind = kind, .path = path,
		.data = data == NULL ? (struct slice){0} : slice_of_str(data), .flags = flags, .version = version};
	struct zk_tree_op o = {.op = &op};
	enum status status = zk_tree_apply(s, &o, 1);
	free(o.created_path);
	return status;
}

static enum status create(struct zk_tree_session *s, const char *path, const char *data, int flags)
{
	return change(s, ZK_OP_CREATE, path, data, flags, 0);
}

/* Some history, synced after each change: every entry is one. */
static void write_history(struct zk_memory_journal *j, struct manual_clock *clock)
{
	struct zk_tree *t = tree_open(j, clock);
	struct zk_tree_session *s = zk_tree_session_open(t, "u:p", NULL);
	ck_assert_int_eq(create(s, "/a", "1", 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	ck_assert_int_eq(change(s, ZK_OP_SET, "/a", "2", 0, 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	ck_assert_int_eq(create(s, "/a/seq_", NULL, ZK_CREATE_SEQUENTIAL), STATUS_OK);
	ck_assert_int_eq(create(s, "/a/seq_", "", ZK_CREATE_SEQUENTIAL), STATUS_OK);
	ck_assert_int_eq(change(s, ZK_OP_DELETE, "/a/seq_0000000000", NULL, 0, 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	ck_assert_int_eq(create(s, "/e", "gone", ZK_CREATE_EPHEMERAL), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	zk_tree_session_close(s);
	/* Not synced: the process died. */
	zk_tree_free(t);
}

START_TEST(zk_tree_journal_brings_everything_back_but_ephemerals)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal j;
	zk_memory_journal_init(&j);
	write_history(&j, &clock);
	int64_t zxid = 0;
	for (int i = 0; i < 3; i++) { /* replayed, compacted, replayed... */
		struct zk_tree *t = tree_open(&j, &clock);
		struct zk_tree_session *s = zk_tree_session_open(t, NULL, NULL);
		struct zk_tree_view v = {0};
		struct zk_stat st = {0};
		ck_assert_int_eq(zk_tree_get(s, "/a", false, &v), STATUS_OK);
		ck_assert(slice_equal(v.data, slice_of_str("2")));
		ck_assert_int_eq(v.stat.version, 1);
		ck_assert_int_eq(v.stat.num_children, 1);
		ck_assert_int_eq(v.stat.cversion, 3);
		ck_assert_int_eq(v.stat.ctime_ms, 1700000000000);
		ck_assert_int_lt(v.stat.czxid, v.stat.mzxid);
		ck_assert_int_eq(zk_tree_get(s, "/a/seq_0000000001", false, &v), STATUS_OK);
		ck_assert(v.data.p != NULL && v.data.n == 0);
		ck_assert_int_eq(zk_tree_exists(s, "/e", false, &st), STATUS_NOT_FOUND);
		ck_assert_int_gt(zk_tree_zxid(t), zxid);
		zxid = zk_tree_zxid(t);
		zk_tree_session_close(s);
		zk_tree_free(t);
	}
	struct zk_tree *t = tree_open(&j, &clock);
	struct zk_tree_session *s = zk_tree_session_open(t, NULL, NULL);
	struct zk_stat st;
	ck_assert_int_eq(create(s, "/a/seq_", NULL, ZK_CREATE_SEQUENTIAL), STATUS_OK);
	ck_assert_int_eq(zk_tree_exists(s, "/a/seq_0000000002", false, &st), STATUS_OK);
	zk_tree_session_close(s);
	zk_tree_free(t);
	zk_memory_journal_fini(&j);
}
END_TEST

/* Cut anywhere, the journal opens to a prefix of its entries. */
START_TEST(zk_tree_journal_torn_anywhere_opens_to_a_prefix)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal whole, torn;
	zk_memory_journal_init(&whole);
	write_history(&whole, &clock);
	int states = 0, last = -1;
	for (size_t n = 0; n <= whole.n; n++) {
		zk_memory_journal_init(&torn);
		ck_assert_int_eq(torn.journal.append(&torn.journal, slice_of(whole.data, n)), STATUS_OK);
		struct zk_tree *t = tree_open(&torn, &clock);
		struct zk_tree_session *s = zk_tree_session_open(t, NULL, NULL);
		struct zk_tree_view v = {0};
		int state = 0;
		if (zk_tree_get(s, "/a", false, &v) == STATUS_OK)
			state = 1 + v.stat.version + (v.stat.cversion == 3 ? 1 : 0);
		ck_assert_int_ge(state, last);
		states += state != last;
		last = state;
		zk_tree_session_close(s);
		zk_tree_free(t);
		zk_memory_journal_fini(&torn);
	}
	ck_assert_int_eq(states, 4);
	zk_memory_journal_fini(&whole);
}
END_TEST

START_TEST(zk_tree_journal_damaged_in_the_middle_is_refused)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal j;
	zk_memory_journal_init(&j);
	write_history(&j, &clock);
	j.data[12] ^= 1;
	struct zk_tree *t = NULL;
	struct failure f;
	ck_assert_int_eq(zk_tree_open(&j.journal, &clock.clock, &t, &f), STATUS_CORRUPT);
	ck_assert_ptr_null(t);
	ck_assert_ptr_nonnull(strstr(f.text, "journal is damaged"));
	zk_memory_journal_fini(&j);
}
END_TEST

/* Every single bit flipped: never a crash, never more than was written. */
START_TEST(zk_tree_journal_any_bit_flipped_is_survived)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal whole;
	zk_memory_journal_init(&whole);
	write_history(&whole, &clock);
	for (size_t bit = 0; bit < whole.n * 8; bit++) {
		struct zk_memory_journal j;
		struct failure f;
		struct zk_tree *t = NULL;
		zk_memory_journal_init(&j);
		ck_assert_int_eq(j.journal.append(&j.journal, slice_of(whole.data, whole.n)), STATUS_OK);
		j.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum status s = zk_tree_open(&j.journal, &clock.clock, &t, &f);
		ck_assert(s == STATUS_OK || s == STATUS_CORRUPT);
		if (s == STATUS_OK)
			zk_tree_free(t);
		zk_memory_journal_fini(&j);
	}
	zk_memory_journal_fini(&whole);
}
END_TEST

START_TEST(zk_tree_journal_that_fails_acknowledges_nothing_more)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal j;
	zk_memory_journal_init(&j);
	struct zk_tree *t = tree_open(&j, &clock);
	struct zk_tree_session *s = zk_tree_session_open(t, NULL, NULL);
	j.fail_after = 2;
	ck_assert_int_eq(create(s, "/a", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	ck_assert_int_eq(create(s, "/b", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_IO);
	ck_assert_int_eq(create(s, "/c", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_IO);
	zk_tree_session_close(s);
	zk_tree_free(t);
	t = tree_open(&j, &clock);
	s = zk_tree_session_open(t, NULL, NULL);
	struct zk_stat st;
	ck_assert_int_eq(zk_tree_exists(s, "/a", false, &st), STATUS_OK);
	ck_assert_int_eq(zk_tree_exists(s, "/c", false, &st), STATUS_NOT_FOUND);
	zk_tree_session_close(s);
	zk_tree_free(t);
	zk_memory_journal_fini(&j);
}
END_TEST

/* 64 MiB of changes to one node must not make 64 MiB of journal. */
START_TEST(zk_tree_journal_is_compacted_while_running)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal j;
	zk_memory_journal_init(&j);
	struct zk_tree *t = tree_open(&j, &clock);
	struct zk_tree_session *s = zk_tree_session_open(t, NULL, NULL);
	char *big = check_calloc(1, 256 * 1024);
	memset(big, 'x', 256 * 1024 - 1);
	ck_assert_int_eq(create(s, "/a", "0", 0), STATUS_OK);
	for (int i = 0; i < 256; i++) {
		ck_assert_int_eq(change(s, ZK_OP_SET, "/a", big, 0, i), STATUS_OK);
		ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
		ck_assert_uint_lt(j.n, 20 * 1024 * 1024);
	}
	zk_tree_session_close(s);
	zk_tree_free(t);
	t = tree_open(&j, &clock);
	s = zk_tree_session_open(t, NULL, NULL);
	struct zk_stat st = {0};
	ck_assert_int_eq(zk_tree_exists(s, "/a", false, &st), STATUS_OK);
	ck_assert_int_eq(st.version, 256);
	zk_tree_session_close(s);
	zk_tree_free(t);
	free(big);
	zk_memory_journal_fini(&j);
}
END_TEST

START_TEST(zk_tree_protection_survives_the_journal)
{
	struct manual_clock clock = the_clock();
	struct zk_memory_journal j;
	zk_memory_journal_init(&j);
	struct zk_tree *t = tree_open(&j, &clock);
	struct zk_tree_session *s = zk_tree_session_open(t, "u:p", NULL);
	const struct zk_op op = {.kind = ZK_OP_CREATE, .path = "/secret", .data = slice_of_str("s")};
	struct zk_tree_op o = {.op = &op, .protection = ZK_PROTECTION_CREATOR};
	ck_assert_int_eq(zk_tree_apply(s, &o, 1), STATUS_OK);
	free(o.created_path);
	ck_assert_int_eq(zk_tree_sync(t), STATUS_OK);
	zk_tree_session_close(s);
	zk_tree_free(t);
	for (size_t i = 0; i + 3 < j.n; i++)
		ck_assert_int_ne(memcmp(j.data + i, "u:p", 3), 0); /* no password on disk */
	for (int i = 0; i < 2; i++) {
		struct zk_tree_view v;
		t = tree_open(&j, &clock);
		struct zk_tree_session *owner = zk_tree_session_open(t, "u:p", NULL),
				       *other = zk_tree_session_open(t, "u:q", NULL);
		ck_assert_int_eq(zk_tree_get(owner, "/secret", false, &v), STATUS_OK);
		ck_assert_int_eq(zk_tree_get(other, "/secret", false, &v), STATUS_NO_AUTH);
		zk_tree_session_close(owner);
		zk_tree_session_close(other);
		zk_tree_free(t);
	}
	zk_memory_journal_fini(&j);
}
END_TEST

START_TEST(zk_path_pieces)
{
	char p[ZK_PATH_MAX];
	ck_assert(zk_path_parent("/a/b", p) && strcmp(p, "/a") == 0);
	ck_assert(zk_path_parent("/a", p) && strcmp(p, "/") == 0);
	ck_assert(!zk_path_parent("/", p));
	ck_assert_str_eq(zk_path_name("/a/b"), "b");
	ck_assert(zk_path_within("/a/b", "/a") && zk_path_within("/a", "/a") && zk_path_within("/x", "/"));
	ck_assert(!zk_path_within("/ab", "/a"));
	ck_assert(zk_path_join("/", "a", p) == STATUS_OK && strcmp(p, "/a") == 0);
	ck_assert(zk_path_join("/a", "b", p) == STATUS_OK && strcmp(p, "/a/b") == 0);
	ck_assert_int_eq(zk_path_protection("/config/users/alice", true), ZK_PROTECTION_CREATOR);
	ck_assert_int_eq(zk_path_protection("/config/usersx", true), ZK_PROTECTION_WORLD_READ);
	ck_assert_int_eq(zk_path_protection("/consumers/g", true), ZK_PROTECTION_OPEN);
	ck_assert_int_eq(zk_path_protection("/config/users", false), ZK_PROTECTION_OPEN);
}
END_TEST

UNIT_MAIN("zk_tree", zk_tree_journal_brings_everything_back_but_ephemerals, zk_tree_journal_torn_anywhere_opens_to_a_prefix,
	zk_tree_journal_damaged_in_the_middle_is_refused, zk_tree_journal_any_bit_flipped_is_survived,
	zk_tree_journal_that_fails_acknowledges_nothing_more, zk_tree_journal_is_compacted_while_running,
	zk_tree_protection_survives_the_journal, zk_path_pieces)
