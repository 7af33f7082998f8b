/* zk_session against servers that stop, fall silent and come back. Needs ZooKeeper: CORREIO_TEST_ZK_FIXTURE names
 * tests/zk_fixture.sh; without it only what needs no server is run. */
#include "tests/unit/unit.h"
#include "tests/unit/zk_fixture.h"
#include "coordinator-client/zk_session.h"
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *script(void)
{
	return getenv("CORREIO_TEST_ZK_FIXTURE");
}

/* An ensemble of the test's own. */
struct ensemble {
	char dir[64], connect[256];
};

static void run(const struct ensemble *z, const char *command, const char *more)
{
	char line[512];
	snprintf(line, sizeof(line), "%s %s %s %s > %s/out", script(), command, z->dir, more, z->dir);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static void ensemble_start(struct ensemble *z, const char *servers)
{
	snprintf(z->dir, sizeof(z->dir), "/tmp/correio-zk-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(z->dir));
	run(z, "start", servers);
	char path[128];
	snprintf(path, sizeof(path), "%s/connect", z->dir);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(z->connect, sizeof(z->connect), f));
	fclose(f);
	z->connect[strcspn(z->connect, "\n")] = '\0';
}

static void ensemble_stop(const struct ensemble *z)
{
	char line[128];
	run(z, "stop", "");
	snprintf(line, sizeof(line), "rm -r %s", z->dir);
	ck_assert_int_eq(system(line), 0);
}

static int64_t now_ms(void)
{
	return clock_monotonic_us(clock_system()) / 1000;
}

START_TEST(zk_session_connect_strings_are_checked)
{
	struct failure f;
	static const char *const good[] = {"h:1", "h1:2181,h2:2181/a/b", "[::1]:2181/", "127.0.0.1:2181/kafka"};
	static const char *const bad[] = {"", "h", "h:", "h:0", "h:65536", ":1", "h:1,", "h:1/a/", "h:1//a", "h 1:2",
		"h:1,/a"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(zk_session_check_connect(good[i], &f), STATUS_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(zk_session_check_connect(bad[i], &f), STATUS_INVALID_CONFIG);
		ck_assert_ptr_nonnull(strstr(f.text, "zookeeper.connect="));
	}
}
END_TEST

START_TEST(zk_session_options_are_checked)
{
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = NULL;
	struct failure f;
	const struct zk_session_options acl = {.connect = "127.0.0.1:1", .session_timeout_ms = 4000, .set_acl = true};
	const struct zk_session_options digest = {.connect = "127.0.0.1:1", .session_timeout_ms = 4000, .digest = "nocolon"};
	const struct zk_session_options timeout = {.connect = "127.0.0.1:1", .session_timeout_ms = 0};
	ck_assert_int_eq(zk_session_open(zk_fixture_scheduler(x), &acl, &c, &f), STATUS_INVALID_CONFIG);
	ck_assert_int_eq(zk_session_open(zk_fixture_scheduler(x), &digest, &c, &f), STATUS_INVALID_CONFIG);
	ck_assert_int_eq(zk_session_open(zk_fixture_scheduler(x), &timeout, &c, &f), STATUS_INVALID_CONFIG);
	ck_assert_ptr_null(c);
	zk_fixture_free(x);
}
END_TEST

/* Nobody listens there. */
START_TEST(zk_session_without_a_server_keeps_trying_and_closes)
{
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = zk_fixture_begin_at(x, "127.0.0.1:1/chroot", 400);
	struct zk_answer *overdue = zk_answer_new(x), *pending = zk_answer_new(x);
	zk_get(c, "/a", NULL, zk_answer_data, overdue);
	zk_fixture_wait(x, &overdue->done);
	ck_assert_int_eq(overdue->status, STATUS_CONNECTION_LOSS);
	ck_assert_int_eq(c->state, ZK_STATE_CONNECTING);
	zk_get(c, "/a", NULL, zk_answer_data, pending);
	int64_t from = now_ms();
	zk_fixture_close(x, c);
	ck_assert_int_eq(pending->status, STATUS_CANCELLED);
	ck_assert_int_lt(now_ms() - from, 5000);
	zk_fixture_free(x);
}
END_TEST

START_TEST(zk_session_unresolvable_name_does_not_hold_the_loop_up)
{
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	int64_t from = now_ms();
	struct zk_client *c = zk_fixture_begin_at(x, "no-such-host.invalid:2181", 400);
	ck_assert_int_lt(now_ms() - from, 200);
	struct zk_answer *a = zk_answer_new(x);
	zk_get(c, "/a", NULL, zk_answer_data, a);
	zk_fixture_wait(x, &a->done);
	ck_assert_int_eq(a->status, STATUS_CONNECTION_LOSS);
	zk_fixture_free(x);
}
END_TEST

START_TEST(zk_session_connects_at_once)
{
	struct ensemble z;
	ensemble_start(&z, "1");
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	int64_t best_us = INT64_MAX, first_us = 0;
	char connect[300];
	snprintf(connect, sizeof(connect), "%s/kafka", z.connect);
	for (int i = 0; i < 10; i++) {
		int64_t from_us = clock_monotonic_us(clock_system());
		struct zk_client *c = zk_fixture_begin_at(x, connect, 18000);
		zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
		int64_t took_us = clock_monotonic_us(clock_system()) - from_us;
		first_us = i == 0 ? took_us : first_us;
		best_us = took_us < best_us ? took_us : best_us;
		zk_fixture_close(x, c);
	}
	printf("connected: first %.1f ms (with the chroot made), best of 10 %.1f ms\n", (double)first_us / 1000,
		(double)best_us / 1000);
	ck_assert_int_lt(best_us, 500000);
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

START_TEST(zk_session_survives_a_restart_of_its_server)
{
	struct ensemble z;
	ensemble_start(&z, "1");
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = zk_fixture_begin_at(x, z.connect, 18000);
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	struct zk_recorder r;
	zk_recorder_init(&r);
	zk_do_create(x, c, "/e", "1", ZK_CREATE_EPHEMERAL);
	zk_do_get(x, c, "/e", &r.watcher);
	int64_t id = c->session_id;
	run(&z, "stop", "1");
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTING);
	struct zk_answer *waiting = zk_answer_new(x);
	zk_get(c, "/e", NULL, zk_answer_data, waiting);
	run(&z, "restart", "1");
	int64_t from = now_ms();
	zk_fixture_wait(x, &waiting->done);
	printf("answered %lld ms after the server was back\n", (long long)(now_ms() - from));
	ck_assert_int_eq(waiting->status, STATUS_OK);
	ck_assert_int_eq(c->session_id, id);
	ck_assert_int_lt(now_ms() - from, 3000);
	/* Not before: two handles of the library that lose their connections at once write one static buffer of its log. */
	struct zk_client *other = zk_fixture_begin_at(x, z.connect, 18000);
	zk_do_set(x, other, "/e", "2", ZK_ANY_VERSION);
	zk_fixture_settle(x, c);
	ck_assert_str_eq(r.heard, "changed:/e ");
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

START_TEST(zk_session_fences_itself_when_the_server_is_silent)
{
	struct ensemble z;
	ensemble_start(&z, "1");
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = zk_fixture_begin_at(x, z.connect, 2000);
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	ck_assert_int_eq(c->negotiated_timeout_ms, 2000);
	struct zk_recorder r;
	zk_recorder_init(&r);
	zk_do_create(x, c, "/e", "1", ZK_CREATE_EPHEMERAL);
	zk_do_get(x, c, "/e", &r.watcher);
	run(&z, "pause", "1");
	int64_t from = now_ms();
	struct zk_answer *pending = zk_answer_new(x);
	zk_set(c, "/e", slice_of_str("2"), 0, zk_answer_stat, pending);
	zk_fixture_wait_state(x, c, ZK_STATE_EXPIRED);
	int64_t took = now_ms() - from;
	printf("fenced after %lld ms of silence, session timeout 2000 ms\n", (long long)took);
	/* Contact was at the last answer, just before the pause. */
	ck_assert_int_le(took, 2300);
	ck_assert_int_ge(took, 1400);
	zk_fixture_wait(x, &pending->done);
	ck_assert_int_ne(pending->status, STATUS_OK);
	ck_assert_str_eq(r.heard, "lost:/e ");
	int64_t old = c->session_id;
	zk_client_reconnect(c);
	run(&z, "resume", "1");
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	ck_assert_int_ne(c->session_id, old);
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

/* Connections are taken by the kernel, and nobody ever answers. */
static int silent_server(int *ret_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

START_TEST(zk_session_tries_another_server_when_the_first_is_silent)
{
	struct ensemble z;
	int port;
	ensemble_start(&z, "1");
	int fd = silent_server(&port);
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	char connect[300];
	snprintf(connect, sizeof(connect), "127.0.0.1:%d,%s", port, z.connect);
	int64_t worst = 0;
	for (int i = 0; i < 4; i++) {
		int64_t from = now_ms();
		struct zk_client *c = zk_fixture_begin_at(x, connect, 18000);
		zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
		worst = now_ms() - from > worst ? now_ms() - from : worst;
		zk_fixture_close(x, c);
	}
	printf("with a silent server of two: connected after at most %lld ms\n", (long long)worst);
	ck_assert_int_lt(worst, 5000);
	close(fd);
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

START_TEST(zk_session_lets_go_of_a_silent_server_in_its_session)
{
	struct ensemble z;
	int port;
	ensemble_start(&z, "1");
	int fd = silent_server(&port);
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	char connect[300];
	snprintf(connect, sizeof(connect), "127.0.0.1:%d,%s", port, z.connect);
	struct zk_client *c = zk_fixture_begin_at(x, connect, 18000);
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	int64_t id = c->session_id;
	run(&z, "stop", "1");
	run(&z, "restart", "1");
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTING); /* and the library went on to the silent one */
	int64_t from = now_ms();
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	printf("let go of a silent server after %lld ms\n", (long long)(now_ms() - from));
	ck_assert_int_lt(now_ms() - from, 8000);
	ck_assert_int_eq(c->session_id, id);
	ck_assert_int_eq(zk_do_exists(x, c, "/", NULL)->status, STATUS_OK);
	close(fd);
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

START_TEST(zk_session_many_requests_are_answered_in_order)
{
	enum { MANY = 5000 };
	struct ensemble z;
	ensemble_start(&z, "1");
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = zk_fixture_begin_at(x, z.connect, 18000);
	struct zk_answer **a = check_calloc(MANY, sizeof(struct zk_answer *));
	int64_t from = now_ms();
	for (int i = 0; i < MANY; i++) {
		char path[32];
		a[i] = zk_answer_new(x);
		snprintf(path, sizeof(path), "/n%d", i);
		zk_create(c, path, slice_of_str("x"), 0, zk_answer_create, a[i]);
	}
	zk_fixture_wait(x, &a[MANY - 1]->done);
	printf("%d creations in %lld ms\n", MANY, (long long)(now_ms() - from));
	for (int i = 0; i < MANY; i++) {
		ck_assert(a[i]->done && a[i]->status == STATUS_OK);
		ck_assert(i == 0 || a[i]->stat.czxid > a[i - 1]->stat.czxid);
	}
	free(a);
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

START_TEST(zk_session_moves_to_another_server_of_the_ensemble)
{
	struct ensemble z;
	ensemble_start(&z, "3");
	struct zk_fixture *x = zk_fixture_new(ZK_FIXTURE_SESSION, "");
	struct zk_client *c = zk_fixture_begin_at(x, z.connect, 18000);
	zk_fixture_wait_state(x, c, ZK_STATE_CONNECTED);
	int64_t id = c->session_id;
	ck_assert_int_eq(zk_do_create(x, c, "/e", "1", ZK_CREATE_EPHEMERAL)->status, STATUS_OK);
	static const char *const servers[] = {"1", "2", "3"};
	for (int i = 0; i < 3; i++) {
		run(&z, "stop", servers[i]);
		int64_t from = now_ms();
		struct zk_answer *got = zk_do_get(x, c, "/e", NULL);
		while (got->status == STATUS_CONNECTION_LOSS)
			got = zk_do_get(x, c, "/e", NULL);
		printf("server %d of 3 stopped: read after %lld ms\n", i + 1, (long long)(now_ms() - from));
		ck_assert_int_eq(got->status, STATUS_OK);
		ck_assert_int_eq(c->session_id, id);
		run(&z, "restart", servers[i]);
	}
	zk_fixture_free(x);
	ensemble_stop(&z);
}
END_TEST

/* Each in a case of its own: CK_RUN_CASE=<name> runs one. */
static void add(Suite *suite, const TTest *test)
{
	TCase *tc = tcase_create(test->name);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("zk_session");
	add(suite, zk_session_connect_strings_are_checked);
	add(suite, zk_session_options_are_checked);
	add(suite, zk_session_without_a_server_keeps_trying_and_closes);
	if (script() != NULL) {
		add(suite, zk_session_unresolvable_name_does_not_hold_the_loop_up);
		add(suite, zk_session_connects_at_once);
		add(suite, zk_session_survives_a_restart_of_its_server);
		add(suite, zk_session_fences_itself_when_the_server_is_silent);
		add(suite, zk_session_tries_another_server_when_the_first_is_silent);
		add(suite, zk_session_lets_go_of_a_silent_server_in_its_session);
		add(suite, zk_session_many_requests_are_answered_in_order);
		add(suite, zk_session_moves_to_another_server_of_the_ensemble);
	}
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
