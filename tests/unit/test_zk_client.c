/* One suite for both implementations of zk_client. */
#include "tests/unit/unit.h"
#include "tests/unit/zk_fixture.h"

static const struct slice null_data = {0};

START_TEST(zk_client_create_and_get_give_data_and_stat)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/basic");
	struct zk_client *c = zk_fixture_open(f, NULL);
	struct zk_answer *made = zk_do_create(f, c, "/a", "one", ZK_CREATE_PERSISTENT);
	ck_assert_int_eq(made->status, STATUS_OK);
	ck_assert_str_eq(made->path, "/a");
	ck_assert_int_gt(made->stat.czxid, 0);
	ck_assert_int_eq(made->stat.version, 0);
	struct zk_answer *got = zk_do_get(f, c, "/a", NULL);
	ck_assert_int_eq(got->status, STATUS_OK);
	ck_assert_str_eq(got->data, "one");
	ck_assert_int_eq(got->stat.czxid, made->stat.czxid);
	ck_assert_int_eq(got->stat.data_length, 3);
	ck_assert_int_eq(got->stat.ephemeral_owner, 0);
	ck_assert_int_gt(got->stat.ctime_ms, 1000000000000);
	ck_assert_int_eq(zk_do_create(f, c, "/a", "two", 0)->status, STATUS_EXISTS);
	ck_assert_int_eq(zk_do_create(f, c, "/x/y", "two", 0)->status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_do_get(f, c, "/x", NULL)->status, STATUS_NOT_FOUND);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_versions_guard_set_and_delete)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/versions");
	struct zk_client *c = zk_fixture_open(f, NULL);
	zk_do_create(f, c, "/a", "0", 0);
	struct zk_answer *set = zk_do_set(f, c, "/a", "1", 0);
	ck_assert_int_eq(set->status, STATUS_OK);
	ck_assert_int_eq(set->stat.version, 1);
	ck_assert_int_gt(set->stat.mzxid, set->stat.czxid);
	ck_assert_int_eq(zk_do_set(f, c, "/a", "2", 0)->status, STATUS_BAD_VERSION);
	ck_assert_int_eq(zk_do_set(f, c, "/a", "2", ZK_ANY_VERSION)->stat.version, 2);
	ck_assert_int_eq(zk_do_set(f, c, "/b", "2", ZK_ANY_VERSION)->status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_do_delete(f, c, "/a", 1)->status, STATUS_BAD_VERSION);
	ck_assert_int_eq(zk_do_delete(f, c, "/a", 2)->status, STATUS_OK);
	ck_assert_int_eq(zk_do_delete(f, c, "/a", 2)->status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_do_exists(f, c, "/a", NULL)->status, STATUS_NOT_FOUND);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_null_and_empty_data_stay_apart)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/null");
	struct zk_client *c = zk_fixture_open(f, NULL);
	zk_do_create(f, c, "/null", NULL, 0);
	zk_do_create(f, c, "/empty", "", 0);
	struct zk_answer *null = zk_do_get(f, c, "/null", NULL), *empty = zk_do_get(f, c, "/empty", NULL);
	ck_assert(null->status == STATUS_OK && null->null_data);
	ck_assert(empty->status == STATUS_OK && !empty->null_data && empty->stat.data_length == 0);
	zk_do_set(f, c, "/empty", NULL, ZK_ANY_VERSION);
	zk_do_set(f, c, "/null", "", ZK_ANY_VERSION);
	ck_assert(zk_do_get(f, c, "/empty", NULL)->null_data);
	ck_assert(!zk_do_get(f, c, "/null", NULL)->null_data);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_children_and_sequence_numbers)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/children");
	struct zk_client *c = zk_fixture_open(f, NULL);
	zk_do_create(f, c, "/d", NULL, 0);
	ck_assert_uint_eq(zk_do_children(f, c, "/d", NULL)->count, 0);
	ck_assert_str_eq(zk_do_create(f, c, "/d/n_", "x", ZK_CREATE_SEQUENTIAL)->path, "/d/n_0000000000");
	ck_assert_int_eq(zk_do_delete(f, c, "/d/n_0000000000", 0)->status, STATUS_OK);
	struct zk_answer *second = zk_do_create(f, c, "/d/n_", "x", ZK_CREATE_SEQUENTIAL);
	ck_assert_str_eq(second->path, "/d/n_0000000001");
	zk_do_create(f, c, "/d/m", "x", 0);
	struct zk_answer *all = zk_do_children(f, c, "/d", NULL);
	ck_assert_str_eq(all->names, "m,n_0000000001");
	ck_assert_int_eq(all->stat.num_children, 2);
	ck_assert_int_eq(all->stat.cversion, 4);
	ck_assert_int_gt(all->stat.pzxid, second->stat.czxid);
	ck_assert_str_eq(zk_do_create(f, c, "/d/n_", "x", ZK_CREATE_SEQUENTIAL)->path, "/d/n_0000000003");
	ck_assert_int_eq(zk_do_delete(f, c, "/d", ZK_ANY_VERSION)->status, STATUS_NOT_EMPTY);
	ck_assert_int_eq(zk_do_children(f, c, "/nowhere", NULL)->status, STATUS_NOT_FOUND);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_watches_fire_once_and_before_later_reads)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/watches");
	struct zk_client *c = zk_fixture_open(f, NULL), *other = zk_fixture_open(f, NULL);
	struct zk_recorder exists, data, children;
	zk_recorder_init(&exists);
	zk_recorder_init(&data);
	zk_recorder_init(&children);
	ck_assert_int_eq(zk_do_exists(f, c, "/a", &exists.watcher)->status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_do_children(f, c, "/", &children.watcher)->status, STATUS_OK);
	ck_assert_int_eq(zk_do_get(f, c, "/a", &data.watcher)->status, STATUS_NOT_FOUND);
	zk_do_create(f, other, "/a", "x", 0);
	ck_assert_str_eq(zk_do_get(f, c, "/a", &data.watcher)->data, "x");
	ck_assert_str_eq(exists.heard, "created:/a ");
	ck_assert_str_eq(children.heard, "children:/ ");
	zk_do_set(f, other, "/a", "y", ZK_ANY_VERSION);
	ck_assert_str_eq(zk_do_get(f, c, "/a", NULL)->data, "y");
	ck_assert_str_eq(data.heard, "changed:/a ");
	zk_do_set(f, other, "/a", "z", ZK_ANY_VERSION);
	ck_assert_str_eq(zk_do_get(f, c, "/a", NULL)->data, "z");
	ck_assert_str_eq(data.heard, "changed:/a ");
	ck_assert_str_eq(exists.heard, "created:/a ");
	zk_do_create(f, other, "/b", "x", 0);
	zk_fixture_settle(f, c);
	ck_assert_str_eq(children.heard, "children:/ ");
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_deletion_fires_both_kinds_of_watch)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/deletion");
	struct zk_client *c = zk_fixture_open(f, NULL);
	struct zk_recorder data, children, both;
	zk_recorder_init(&data);
	zk_recorder_init(&children);
	zk_recorder_init(&both);
	zk_do_create(f, c, "/a", NULL, 0);
	zk_do_get(f, c, "/a", &data.watcher);
	zk_do_exists(f, c, "/a", &data.watcher);
	zk_do_children(f, c, "/a", &children.watcher);
	zk_do_children(f, c, "/a", &both.watcher);
	zk_do_get(f, c, "/a", &both.watcher);
	zk_do_delete(f, c, "/a", 0);
	zk_fixture_settle(f, c);
	ck_assert_str_eq(data.heard, "deleted:/a ");
	ck_assert_str_eq(children.heard, "deleted:/a ");
	ck_assert_str_eq(both.heard, "deleted:/a ");
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_forgotten_watcher_stays_silent)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/forget");
	struct zk_client *c = zk_fixture_open(f, NULL);
	struct zk_recorder armed, under_way, kept;
	zk_recorder_init(&armed);
	zk_recorder_init(&under_way);
	zk_recorder_init(&kept);
	zk_do_create(f, c, "/a", NULL, 0);
	zk_do_get(f, c, "/a", &armed.watcher);
	zk_do_get(f, c, "/a", &kept.watcher);
	struct zk_answer *set = zk_answer_new(f), *get = zk_answer_new(f);
	zk_get(c, "/a", &under_way.watcher, zk_answer_data, get);
	zk_set(c, "/a", slice_of_str("x"), ZK_ANY_VERSION, zk_answer_stat, set);
	zk_forget(c, &under_way.watcher);
	zk_forget(c, &armed.watcher);
	zk_fixture_wait(f, &set->done);
	zk_fixture_settle(f, c);
	ck_assert_str_eq(armed.heard, "");
	ck_assert_str_eq(under_way.heard, "");
	ck_assert_str_eq(kept.heard, "changed:/a ");
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_ephemerals_vanish_when_the_session_closes)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/ephemeral");
	struct zk_client *c = zk_fixture_open(f, NULL), *other = zk_fixture_open(f, NULL);
	struct zk_recorder r;
	zk_recorder_init(&r);
	struct zk_answer *made = zk_do_create(f, other, "/e", "x", ZK_CREATE_EPHEMERAL);
	ck_assert_int_eq(made->stat.ephemeral_owner, other->session_id);
	ck_assert_int_ne(zk_do_create(f, other, "/e/child", "x", 0)->status, STATUS_OK);
	ck_assert_str_eq(zk_do_create(f, other, "/s", "x", ZK_CREATE_EPHEMERAL | ZK_CREATE_SEQUENTIAL)->path,
		"/s0000000001");
	ck_assert_int_eq(zk_do_exists(f, c, "/e", &r.watcher)->status, STATUS_OK);
	zk_fixture_close(f, other);
	int64_t until_us = clock_monotonic_us(clock_system()) + 5000000;
	while (r.heard[0] == '\0' && clock_monotonic_us(clock_system()) < until_us)
		zk_fixture_settle(f, c);
	ck_assert_str_eq(r.heard, "deleted:/e ");
	ck_assert_int_eq(zk_do_exists(f, c, "/s0000000001", NULL)->status, STATUS_NOT_FOUND);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_multi_is_done_whole)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/multi");
	struct zk_client *c = zk_fixture_open(f, NULL);
	zk_do_create(f, c, "/epoch", "7", 0);
	const struct zk_op ops[] = {
		{.kind = ZK_OP_CHECK, .path = "/epoch", .version = 0},
		{.kind = ZK_OP_CREATE, .path = "/id", .data = null_data, .flags = ZK_CREATE_EPHEMERAL},
		{.kind = ZK_OP_SET, .path = "/id", .data = slice_of_str("me"), .version = 0},
		{.kind = ZK_OP_CREATE, .path = "/n_", .data = null_data, .flags = ZK_CREATE_SEQUENTIAL},
		{.kind = ZK_OP_DELETE, .path = "/epoch", .version = 0},
	};
	struct zk_answer *a = zk_do_multi(f, c, ops, 5);
	ck_assert_int_eq(a->status, STATUS_OK);
	ck_assert_uint_eq(a->count, 5);
	ck_assert_str_eq(a->created[1], "/id");
	ck_assert_str_eq(a->created[3], "/n_0000000002");
	ck_assert_int_eq(a->results[2].stat.version, 1);
	struct zk_answer *got = zk_do_get(f, c, "/id", NULL);
	ck_assert_str_eq(got->data, "me");
	ck_assert_int_eq(got->stat.czxid, a->results[2].stat.czxid);
	ck_assert_int_eq(got->stat.version, 1);
	ck_assert_int_eq(got->stat.ephemeral_owner, c->session_id);
	ck_assert_int_eq(zk_do_exists(f, c, "/epoch", NULL)->status, STATUS_NOT_FOUND);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_multi_that_fails_changes_nothing)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/multifail");
	struct zk_client *c = zk_fixture_open(f, NULL);
	struct zk_recorder r;
	zk_recorder_init(&r);
	zk_do_create(f, c, "/a", "old", 0);
	zk_do_create(f, c, "/gone", "kept", ZK_CREATE_EPHEMERAL);
	zk_do_children(f, c, "/", &r.watcher);
	const struct zk_op ops[] = {
		{.kind = ZK_OP_SET, .path = "/a", .data = slice_of_str("new"), .version = 0},
		{.kind = ZK_OP_CREATE, .path = "/b", .data = null_data},
		{.kind = ZK_OP_DELETE, .path = "/gone", .version = 0},
		{.kind = ZK_OP_CHECK, .path = "/a", .version = 5},
		{.kind = ZK_OP_CREATE, .path = "/c", .data = null_data},
	};
	struct zk_answer *before = zk_do_exists(f, c, "/", NULL);
	struct zk_answer *a = zk_do_multi(f, c, ops, 5);
	ck_assert_int_eq(a->status, STATUS_BAD_VERSION);
	ck_assert_int_eq(a->results[0].status, STATUS_OK);
	ck_assert_int_eq(a->results[2].status, STATUS_OK);
	ck_assert_int_eq(a->results[3].status, STATUS_BAD_VERSION);
	ck_assert_int_eq(a->results[4].status, STATUS_CANCELLED);
	struct zk_answer *got = zk_do_get(f, c, "/a", NULL);
	ck_assert_str_eq(got->data, "old");
	ck_assert_int_eq(got->stat.version, 0);
	ck_assert_int_eq(zk_do_exists(f, c, "/b", NULL)->status, STATUS_NOT_FOUND);
	ck_assert_str_eq(zk_do_get(f, c, "/gone", NULL)->data, "kept");
	ck_assert_int_eq(zk_do_exists(f, c, "/", NULL)->stat.cversion, before->stat.cversion);
	ck_assert_str_eq(r.heard, "");
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_expiry_tells_watchers_and_reconnect_opens_a_new_session)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/expiry");
	struct zk_client *c = zk_fixture_open(f, NULL);
	struct zk_recorder r;
	zk_recorder_init(&r);
	zk_do_create(f, c, "/e", "x", ZK_CREATE_EPHEMERAL);
	zk_do_get(f, c, "/e", &r.watcher);
	zk_do_children(f, c, "/", &r.watcher);
	int64_t old = c->session_id;
	zk_fixture_expire(f, c);
	ck_assert_int_eq(strncmp(r.heard, "lost:", 5), 0);
	ck_assert_ptr_null(strstr(r.heard + 1, "lost:"));
	ck_assert_int_eq(zk_do_exists(f, c, "/e", NULL)->status, STATUS_SESSION_EXPIRED);
	zk_client_reconnect(c);
	ck_assert_int_eq(c->state, ZK_STATE_CONNECTING);
	struct zk_answer *waited = zk_do_exists(f, c, "/e", NULL);
	ck_assert_int_eq(waited->status, STATUS_NOT_FOUND);
	ck_assert_int_eq(c->state, ZK_STATE_CONNECTED);
	ck_assert_int_ne(c->session_id, old);
	ck_assert_int_eq(c->previous_session_id, old);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_digest_protects_what_it_creates)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/acl");
	struct zk_client *owner = zk_fixture_open(f, "correio:secret"), *stranger = zk_fixture_open(f, "correio:guess"),
			 *nobody = zk_fixture_open(f, NULL);
	zk_do_create(f, owner, "/config", NULL, 0);
	zk_do_create(f, owner, "/config/users", NULL, 0);
	zk_do_create(f, owner, "/config/users/alice", "s", 0);
	zk_do_create(f, owner, "/consumers", NULL, 0);
	ck_assert_int_eq(zk_do_set(f, nobody, "/config", "x", ZK_ANY_VERSION)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_set(f, stranger, "/config", "x", ZK_ANY_VERSION)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_create(f, stranger, "/config/x", "x", 0)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_get(f, nobody, "/config", NULL)->status, STATUS_OK);
	ck_assert_int_eq(zk_do_children(f, nobody, "/config", NULL)->status, STATUS_OK);
	ck_assert_int_eq(zk_do_get(f, nobody, "/config/users/alice", NULL)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_children(f, stranger, "/config/users", NULL)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_delete(f, stranger, "/config/users/alice", 0)->status, STATUS_NO_AUTH);
	ck_assert_int_eq(zk_do_create(f, nobody, "/consumers/g", "x", 0)->status, STATUS_OK);
	ck_assert_int_eq(zk_do_set(f, owner, "/config/users/alice", "t", 0)->status, STATUS_OK);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_bad_requests_are_refused_before_they_are_sent)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/bad");
	struct zk_client *c = zk_fixture_open(f, NULL);
	static const char *const bad[] = {"", "a", "/a/", "//", "/a//b", "/.", "/a/../b", "/a\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(zk_do_create(f, c, bad[i], "x", 0)->status, STATUS_INVALID_ARGUMENT);
	char long_path[ZK_PATH_MAX + 8];
	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[ZK_PATH_MAX - 1] = '\0';
	ck_assert_int_eq(zk_do_create(f, c, long_path, "x", 0)->status, STATUS_INVALID_ARGUMENT);
	uint8_t *big = check_calloc(1, ZK_DATA_MAX + 1);
	struct zk_answer *a = zk_answer_new(f), *b = zk_answer_new(f);
	zk_create(c, "/big", slice_of(big, ZK_DATA_MAX + 1), 0, zk_answer_create, a);
	zk_create(c, "/fits", slice_of(big, ZK_DATA_MAX), 0, zk_answer_create, b);
	ck_assert(!a->done && !b->done);
	zk_fixture_wait(f, &a->done);
	zk_fixture_wait(f, &b->done);
	free(big);
	ck_assert_int_eq(a->status, STATUS_TOO_LARGE);
	ck_assert_int_eq(b->status, STATUS_OK);
	ck_assert_int_eq(zk_do_multi(f, c, NULL, 0)->status, STATUS_INVALID_ARGUMENT);
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_requests_before_the_connection_wait_for_it)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/early");
	struct zk_client *c = zk_fixture_begin(f, NULL);
	struct zk_answer *make = zk_answer_new(f), *set = zk_answer_new(f), *get = zk_answer_new(f);
	zk_create(c, "/a", slice_of_str("1"), 0, zk_answer_create, make);
	zk_set(c, "/a", slice_of_str("2"), 0, zk_answer_stat, set);
	zk_get(c, "/a", NULL, zk_answer_data, get);
	zk_fixture_wait(f, &get->done);
	ck_assert(make->done && set->done);
	ck_assert_int_eq(set->status, STATUS_OK);
	ck_assert_str_eq(get->data, "2");
	zk_fixture_free(f);
}
END_TEST

START_TEST(zk_client_close_cancels_what_is_pending)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/close");
	struct zk_client *c = zk_fixture_begin(f, NULL);
	struct zk_answer *a = zk_answer_new(f), *b = zk_answer_new(f);
	zk_get(c, "/a", NULL, zk_answer_data, a);
	zk_create(c, "/a", null_data, 0, zk_answer_create, b);
	zk_fixture_close(f, c);
	ck_assert(a->done && b->done);
	ck_assert_int_eq(a->status, STATUS_CANCELLED);
	ck_assert_int_eq(b->status, STATUS_CANCELLED);
	zk_fixture_free(f);
}
END_TEST

struct listening {
	struct zk_listener listener;
	char heard[256];
};
static void listening_heard(struct zk_listener *l, enum zk_state state)
{
	struct listening *me = CONTAINER_OF(l, struct listening, listener);
	size_t n = strlen(me->heard);
	snprintf(me->heard + n, sizeof(me->heard) - n, "%s ", zk_state_name(state));
}

START_TEST(zk_client_listeners_hear_every_state)
{
	struct zk_fixture *f = zk_fixture_new(_i, "/listen");
	struct zk_client *c = zk_fixture_begin(f, NULL);
	struct listening a = {.listener.state_changed = listening_heard}, b = a;
	zk_client_add_listener(c, &a.listener);
	zk_client_add_listener(c, &b.listener);
	zk_fixture_wait_state(f, c, ZK_STATE_CONNECTED);
	zk_client_remove_listener(c, &a.listener);
	zk_fixture_expire(f, c);
	zk_client_reconnect(c);
	zk_fixture_wait_state(f, c, ZK_STATE_CONNECTED);
	zk_fixture_close(f, c);
	ck_assert_str_eq(a.heard, "connected ");
	/* A real session may lose its connection once or twice on the way. */
	ck_assert_int_eq(strncmp(b.heard, "connected ", 10), 0);
	ck_assert_ptr_nonnull(strstr(b.heard, " expired connecting connected closed "));
	zk_fixture_free(f);
}
END_TEST

int main(void)
{
	const TTest *cases[] = {
		zk_client_create_and_get_give_data_and_stat,
		zk_client_versions_guard_set_and_delete,
		zk_client_null_and_empty_data_stay_apart,
		zk_client_children_and_sequence_numbers,
		zk_client_watches_fire_once_and_before_later_reads,
		zk_client_deletion_fires_both_kinds_of_watch,
		zk_client_forgotten_watcher_stays_silent,
		zk_client_ephemerals_vanish_when_the_session_closes,
		zk_client_multi_is_done_whole,
		zk_client_multi_that_fails_changes_nothing,
		zk_client_expiry_tells_watchers_and_reconnect_opens_a_new_session,
		zk_client_digest_protects_what_it_creates,
		zk_client_bad_requests_are_refused_before_they_are_sent,
		zk_client_requests_before_the_connection_wait_for_it,
		zk_client_close_cancels_what_is_pending,
		zk_client_listeners_hear_every_state,
	};
	Suite *suite = suite_create("zk_client");
	TCase *tc = tcase_create("zk_client");
	tcase_set_timeout(tc, 60);
	int kinds = zk_fixture_real() == NULL ? ZK_FIXTURE_STANDALONE + 1 : ZK_FIXTURE_SESSION + 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		tcase_add_loop_test(tc, cases[i], ZK_FIXTURE_STANDALONE, kinds);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
