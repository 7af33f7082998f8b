#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"
#include "coordinator-client/zk_election.h"

struct candidate {
	struct zk_client *zk;
	struct zk_election *election;
	char heard[512];
	int32_t epoch, epoch_zk_version;
	bool elected, resigned;
};

static void note(struct candidate *c, const char *what, int32_t n)
{
	size_t at = strlen(c->heard);
	snprintf(c->heard + at, sizeof(c->heard) - at, "%s%d ", what, n);
}
static void elected(void *arg, int32_t controller_epoch, int32_t epoch_zk_version)
{
	struct candidate *c = arg;
	ck_assert(!c->elected);
	c->elected = true;
	c->epoch = controller_epoch;
	c->epoch_zk_version = epoch_zk_version;
	note(c, "elected", controller_epoch);
}
static void lost(void *arg)
{
	struct candidate *c = arg;
	ck_assert(c->elected);
	c->elected = false;
	note(c, "lost", c->epoch);
}
static void seen(void *arg, int32_t id)
{
	note(arg, "seen", id);
}
static void resigned(void *arg)
{
	((struct candidate *)arg)->resigned = true;
}

static void candidate_init(struct candidate *c, struct zk_client *zk, int32_t id)
{
	*c = (struct candidate){.zk = zk};
	const struct zk_election_events events = {.elected = elected, .lost = lost, .seen = seen, .arg = c};
	c->election = zk_election_new(zk, id, &events);
}

/* What must hold whatever happened: the elected one owns the seat and the epoch is the one it was told. */
static void check_seat(struct zk_manual *m, const struct candidate *c)
{
	struct zk_manual_node seat = zk_manual_get(m, "/controller"), epoch = zk_manual_get(m, "/controller_epoch");
	char text[16];
	ck_assert(c->elected && zk_election_is_elected(c->election));
	ck_assert_int_eq(seat.status, STATUS_OK);
	ck_assert_int_eq(seat.stat.ephemeral_owner, c->zk->session_id);
	snprintf(text, sizeof(text), "%d", c->epoch);
	ck_assert_str_eq(epoch.data, text);
	ck_assert_int_eq(epoch.stat.version, c->epoch_zk_version);
}

START_TEST(zk_election_first_candidate_takes_the_seat)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	ck_assert_str_eq(a.heard, "seen-1 elected1 seen1 ");
	check_seat(&m, &a);
	struct zk_manual_node seat = zk_manual_get(&m, "/controller");
	ck_assert_ptr_nonnull(strstr(seat.data, "\"brokerid\":1"));
	ck_assert_ptr_nonnull(strstr(seat.data, "\"kraftControllerEpoch\":-1"));
	candidate_init(&b, m.other, 2);
	zk_manual_run(&m);
	ck_assert_str_eq(b.heard, "seen1 ");
	ck_assert_int_eq(zk_election_controller_id(b.election), 1);
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_successor_raises_the_epoch)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	zk_manual_create(&m, "/controller_epoch", "41", 0);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	candidate_init(&b, m.other, 2);
	zk_manual_run(&m);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	ck_assert_str_eq(a.heard, "seen-1 elected42 seen1 lost42 ");
	ck_assert_str_eq(b.heard, "seen1 seen-1 elected43 seen2 ");
	check_seat(&m, &b);
	zk_client_reconnect(m.client);
	zk_manual_run(&m);
	ck_assert_str_eq(a.heard, "seen-1 elected42 seen1 lost42 seen2 ");
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_expired_winner_contends_again_in_its_new_session)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	ck_assert(!a.elected);
	zk_client_reconnect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(a.epoch, 2);
	check_seat(&m, &a);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_cut_off_at_any_request_settles)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_standalone_cut_at(m.client, (unsigned)_i / 2 + 1, _i % 2 == 1);
	for (int i = 0; i < 4; i++) {
		zk_manual_advance(&m, 500);
		zk_standalone_connect(m.client);
		zk_manual_advance(&m, 500);
	}
	check_seat(&m, &a);
	/* One win, one epoch: a lost answer never costs another election. */
	ck_assert_int_eq(a.epoch, 1);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_expiry_at_any_step_settles)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	candidate_init(&b, m.other, 2);
	for (int i = 0; i < _i; i++)
		manual_scheduler_step(m.loop);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_client_reconnect(m.client);
	zk_manual_advance(&m, 10000);
	ck_assert_int_ne(a.elected, b.elected);
	check_seat(&m, a.elected ? &a : &b);
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_silence_for_the_timeout_loses_the_seat)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	candidate_init(&b, m.other, 2);
	zk_manual_run(&m);
	zk_standalone_disconnect(m.client);
	zk_manual_advance(&m, ZK_STANDALONE_TIMEOUT_MS - 1);
	ck_assert(a.elected);
	zk_manual_advance(&m, 2);
	ck_assert(!a.elected && b.elected);
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_resigned_seat_goes_to_another)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	candidate_init(&b, m.other, 2);
	zk_manual_run(&m);
	zk_election_resign(a.election, resigned, &a);
	ck_assert(!a.elected && !a.resigned);
	zk_manual_run(&m);
	ck_assert(a.resigned && b.elected);
	check_seat(&m, &b);
	ck_assert_int_eq(b.epoch, 2);
	zk_election_resign(b.election, NULL, NULL);
	zk_manual_run(&m);
	ck_assert_int_eq(zk_manual_get(&m, "/controller").status, STATUS_NOT_FOUND);
	zk_election_rejoin(a.election);
	zk_manual_run(&m);
	ck_assert_int_eq(a.epoch, 3);
	check_seat(&m, &a);
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_resigning_at_any_step_leaves_no_seat_behind)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	for (int i = 0; i < _i / 2; i++)
		manual_scheduler_step(m.loop);
	zk_election_resign(a.election, resigned, &a);
	if (_i % 2 == 1) {
		zk_standalone_disconnect(m.client);
		zk_manual_advance(&m, 500);
		zk_standalone_connect(m.client);
	}
	zk_manual_advance(&m, 5000);
	ck_assert(a.resigned && !a.elected);
	ck_assert_int_eq(zk_manual_get(&m, "/controller").status, STATUS_NOT_FOUND);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_dead_controllers_seat_is_taken_over)
{
	struct zk_manual m;
	struct candidate a, b;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	candidate_init(&b, m.other, 2);
	zk_manual_run(&m);
	zk_election_take_over(b.election, 7); /* has not the seat */
	zk_manual_run(&m);
	ck_assert(a.elected && !b.elected);
	zk_election_take_over(b.election, 1);
	zk_manual_run(&m);
	ck_assert(!a.elected);
	ck_assert_int_eq(b.epoch, 2);
	check_seat(&m, &b);
	ck_assert_ptr_nonnull(strstr(a.heard, "lost1"));
	zk_election_free(a.election);
	zk_election_free(b.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_seat_that_vanishes_is_lost_and_contended_for)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	ck_assert_int_eq(zk_manual_delete(&m, "/controller"), STATUS_OK);
	ck_assert_str_eq(a.heard, "seen-1 elected1 seen1 lost1 seen-1 elected2 seen1 ");
	check_seat(&m, &a);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_kraft_controller_is_left_alone)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	zk_manual_create(&m, "/controller",
		"{\"version\":2,\"brokerid\":3000,\"timestamp\":\"1\",\"kraftControllerEpoch\":5}", 0);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	zk_election_take_over(a.election, 3000);
	zk_manual_advance(&m, 60000);
	ck_assert_str_eq(a.heard, "seen3000 ");
	ck_assert_int_eq(zk_manual_get(&m, "/controller_epoch").status, STATUS_NOT_FOUND);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_unreadable_nodes_stop_the_contest_until_they_are_mended)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	zk_manual_create(&m, "/controller_epoch", "twelve", 0);
	candidate_init(&a, m.client, 1);
	zk_manual_advance(&m, 20000);
	ck_assert_str_eq(a.heard, "seen-1 ");
	zk_manual_set(&m, "/controller_epoch", "12");
	zk_manual_advance(&m, 10000);
	ck_assert_int_eq(a.epoch, 13);
	check_seat(&m, &a);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_election_own_seat_of_the_session_before_is_cleared)
{
	struct zk_manual m;
	struct candidate a;
	zk_manual_init(&m);
	int64_t old = m.client->session_id;
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_client_reconnect(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(m.client->previous_session_id, old);
	/* The present session's own left-over, from an attempt nobody remembers. */
	enum status s = STATUS_COUNT;
	zk_create(m.client, "/controller", slice_of_str("{\"version\":1,\"brokerid\":1,\"timestamp\":\"1\"}"),
		ZK_CREATE_EPHEMERAL, zk_manual_created, &s);
	zk_manual_run(&m);
	ck_assert_int_eq(s, STATUS_OK);
	candidate_init(&a, m.client, 1);
	zk_manual_run(&m);
	check_seat(&m, &a);
	zk_election_free(a.election);
	zk_manual_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zk_election");
	TCase *tc = tcase_create("zk_election");
	tcase_add_test(tc, zk_election_first_candidate_takes_the_seat);
	tcase_add_test(tc, zk_election_successor_raises_the_epoch);
	tcase_add_test(tc, zk_election_expired_winner_contends_again_in_its_new_session);
	tcase_add_loop_test(tc, zk_election_cut_off_at_any_request_settles, 0, 20);
	tcase_add_loop_test(tc, zk_election_expiry_at_any_step_settles, 0, 40);
	tcase_add_test(tc, zk_election_silence_for_the_timeout_loses_the_seat);
	tcase_add_test(tc, zk_election_resigned_seat_goes_to_another);
	tcase_add_loop_test(tc, zk_election_resigning_at_any_step_leaves_no_seat_behind, 0, 40);
	tcase_add_test(tc, zk_election_dead_controllers_seat_is_taken_over);
	tcase_add_test(tc, zk_election_seat_that_vanishes_is_lost_and_contended_for);
	tcase_add_test(tc, zk_election_kraft_controller_is_left_alone);
	tcase_add_test(tc, zk_election_unreadable_nodes_stop_the_contest_until_they_are_mended);
	tcase_add_test(tc, zk_election_own_seat_of_the_session_before_is_cleared);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
