/* The faults of zk_standalone, on which the tests of everything above rely. */
#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"

static void set_done(void *arg, enum status s, const struct zk_stat *stat)
{
	ck_assert_int_eq(s == STATUS_OK, stat != NULL);
	*(enum status *)arg = s;
}

/* Four requests under way, `applied` of them done: all are told that the connection was lost. */
START_TEST(zk_standalone_cut_does_the_first_requests_and_answers_none)
{
	struct zk_manual m;
	enum status s[4];
	static const char *const data[] = {"1", "2", "3", "4"};
	zk_manual_init(&m);
	zk_manual_create(&m, "/a", "0", 0);
	for (int i = 0; i < 4; i++) {
		s[i] = STATUS_COUNT;
		zk_set(m.client, "/a", slice_of_str(data[i]), ZK_ANY_VERSION, set_done, &s[i]);
	}
	zk_standalone_cut(m.client, (size_t)_i);
	zk_manual_run(&m);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(s[i], STATUS_CONNECTION_LOSS);
	ck_assert_int_eq(m.client->state, ZK_STATE_CONNECTING);
	ck_assert_int_eq(zk_manual_get(&m, "/a").stat.version, _i);
	zk_standalone_connect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(m.client->state, ZK_STATE_CONNECTED);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_standalone_answer_on_its_way_is_lost_with_the_connection)
{
	struct zk_manual m;
	enum status s = STATUS_COUNT;
	zk_manual_init(&m);
	zk_manual_create(&m, "/a", "0", 0);
	zk_set(m.client, "/a", slice_of_str("1"), 0, set_done, &s);
	ck_assert(manual_scheduler_step(m.loop)); /* taken in; not yet answered */
	zk_standalone_disconnect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(s, STATUS_CONNECTION_LOSS);
	ck_assert_str_eq(zk_manual_get(&m, "/a").data, "1");
	zk_manual_fini(&m);
}
END_TEST

struct fired {
	struct zk_watcher watcher;
	int times;
	enum zk_event event;
};
static void fired(struct zk_watcher *w, enum zk_event event, const char *path)
{
	struct fired *f = CONTAINER_OF(w, struct fired, watcher);
	ck_assert_str_eq(path, "/a");
	f->times++;
	f->event = event;
}

START_TEST(zk_standalone_missed_watch_event_comes_with_the_next_connection)
{
	struct zk_manual m;
	struct fired f = {.watcher.fired = fired};
	enum status s = STATUS_COUNT;
	zk_manual_init(&m);
	zk_exists(m.client, "/a", &f.watcher, set_done, &s);
	zk_manual_run(&m);
	zk_standalone_disconnect(m.client);
	zk_manual_create(&m, "/a", "0", 0);
	ck_assert_int_eq(f.times, 0);
	zk_standalone_connect(m.client);
	zk_manual_run(&m);
	ck_assert(f.times == 1 && f.event == ZK_EVENT_CREATED);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_standalone_waiting_request_is_sent_or_overdue)
{
	struct zk_manual m;
	enum status sent = STATUS_COUNT, overdue = STATUS_COUNT;
	zk_manual_init(&m);
	zk_standalone_set_timeout(m.client, 5000);
	zk_manual_create(&m, "/a", "0", 0);
	zk_standalone_disconnect(m.client);
	zk_manual_run(&m);
	zk_set(m.client, "/a", slice_of_str("1"), ZK_ANY_VERSION, set_done, &sent);
	zk_manual_advance(&m, 4000);
	ck_assert_int_eq(sent, STATUS_COUNT);
	zk_standalone_connect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(sent, STATUS_OK);
	/* A session that never connected at all: its requests do not wait for ever. */
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_standalone_disconnect(m.client);
	zk_client_reconnect(m.client);
	zk_set(m.client, "/a", slice_of_str("2"), ZK_ANY_VERSION, set_done, &overdue);
	zk_manual_advance(&m, 5001);
	ck_assert_int_eq(overdue, STATUS_CONNECTION_LOSS);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_standalone_waiting_requests_are_bounded)
{
	struct zk_manual m;
	enum status s = STATUS_COUNT, last = STATUS_COUNT;
	zk_manual_init(&m);
	zk_standalone_disconnect(m.client);
	zk_manual_run(&m);
	for (int i = 0; i < ZK_WAITING_MAX; i++)
		zk_exists(m.client, "/a", NULL, set_done, &s);
	zk_exists(m.client, "/a", NULL, set_done, &last);
	zk_manual_run(&m);
	ck_assert_int_eq(s, STATUS_COUNT);
	ck_assert_int_eq(last, STATUS_CONNECTION_LOSS);
	zk_standalone_connect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(s, STATUS_NOT_FOUND);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_standalone_crashed_client_leaves_its_session_behind)
{
	struct zk_manual m;
	enum status s = STATUS_COUNT, never = STATUS_COUNT;
	zk_manual_init(&m);
	struct manual_scheduler *loop = manual_scheduler_new(&m.clock);
	struct zk_client *c =
		zk_standalone_open(m.tree, manual_scheduler_scheduler(loop), NULL, NULL, NULL, NULL);
	manual_scheduler_run(loop);
	int64_t id = c->session_id;
	zk_create(c, "/e", slice_of_str("x"), ZK_CREATE_EPHEMERAL, zk_manual_created, &s);
	manual_scheduler_run(loop);
	ck_assert_int_eq(s, STATUS_OK);
	zk_create(c, "/f", slice_of_str("x"), ZK_CREATE_EPHEMERAL, zk_manual_created, &never);
	manual_scheduler_drop_all(loop);
	zk_standalone_crash(c);
	manual_scheduler_free(loop);
	ck_assert_int_eq(never, STATUS_COUNT);
	ck_assert_int_eq(zk_manual_get(&m, "/e").stat.ephemeral_owner, id);
	zk_standalone_expire_session(m.tree, id);
	zk_standalone_expire_session(m.tree, id);
	ck_assert_int_eq(zk_manual_get(&m, "/e").status, STATUS_NOT_FOUND);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_standalone_change_that_cannot_be_made_durable_is_not_acknowledged)
{
	struct manual_clock clock;
	struct zk_memory_journal j;
	struct zk_tree *tree;
	enum status s = STATUS_COUNT;
	bool closed = false;
	manual_clock_init(&clock, 0, 1700000000000);
	zk_memory_journal_init(&j);
	struct manual_scheduler *loop = manual_scheduler_new(&clock);
	ck_assert_int_eq(zk_tree_open(&j.journal, &clock.clock, &tree, NULL), STATUS_OK);
	struct zk_client *c = zk_standalone_open(tree, manual_scheduler_scheduler(loop), "/c", NULL, NULL, NULL);
	manual_scheduler_run(loop);
	j.fail_after = 1;
	zk_create(c, "/a", slice_of_str("x"), 0, zk_manual_created, &s);
	manual_scheduler_run(loop);
	ck_assert_int_eq(s, STATUS_CONNECTION_LOSS);
	zk_client_close(c, zk_manual_closed, &closed);
	manual_scheduler_run(loop);
	ck_assert(closed);
	zk_standalone_free(c);
	zk_tree_free(tree);
	manual_scheduler_free(loop);
	zk_memory_journal_fini(&j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zk_standalone");
	TCase *tc = tcase_create("zk_standalone");
	tcase_add_loop_test(tc, zk_standalone_cut_does_the_first_requests_and_answers_none, 0, 5);
	tcase_add_test(tc, zk_standalone_answer_on_its_way_is_lost_with_the_connection);
	tcase_add_test(tc, zk_standalone_missed_watch_event_comes_with_the_next_connection);
	tcase_add_test(tc, zk_standalone_waiting_request_is_sent_or_overdue);
	tcase_add_test(tc, zk_standalone_waiting_requests_are_bounded);
	tcase_add_test(tc, zk_standalone_crashed_client_leaves_its_session_behind);
	tcase_add_test(tc, zk_standalone_change_that_cannot_be_made_durable_is_not_acknowledged);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
