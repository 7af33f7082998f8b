#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"
#include "coordinator-client/zk_watch.h"

struct heard {
	char text[512];
	struct zk_watch *free_on_report;
	int times;
};

static void add(struct heard *h, const char *what)
{
	size_t n = strlen(h->text);
	snprintf(h->text + n, sizeof(h->text) - n, "%s ", what);
	h->times++;
	if (h->free_on_report != NULL)
		zk_watch_free(h->free_on_report);
	h->free_on_report = NULL;
}

static void node_heard(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	char text[64] = "-";
	ck_assert_int_eq(present, stat != NULL);
	if (present)
		snprintf(text, sizeof(text), "%.*s", data.p == NULL ? 4 : (int)data.n,
			data.p == NULL ? "null" : (const char *)data.p);
	add(arg, text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void children_heard(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	const char *sorted[16];
	char text[64] = "-";
	ck_assert_int_eq(present, stat != NULL);
	ck_assert_uint_le(count, 16);
	for (size_t i = 0; i < count; i++)
		sorted[i] = names[i];
	qsort(sorted, count, sizeof(sorted[0]), by_name);
	size_t n = present ? (size_t)snprintf(text, sizeof(text), "[") : 1;
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i == 0 ? "" : ",", sorted[i]);
	if (present)
		snprintf(text + n, sizeof(text) - n, "]");
	add(arg, text);
}

START_TEST(zk_watch_node_reports_every_change)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard h = {0};
	struct zk_watch *w = zk_watch_node(m.client, "/a", node_heard, &h);
	zk_manual_run(&m);
	zk_manual_create(&m, "/a", "1", 0);
	zk_manual_set(&m, "/a", "2");
	zk_manual_set(&m, "/a", "2");
	zk_manual_delete(&m, "/a");
	zk_manual_create(&m, "/a", NULL, 0);
	ck_assert_str_eq(h.text, "- 1 2 2 - null ");
	ck_assert_str_eq(zk_watch_path(w), "/a");
	zk_watch_free(w);
	zk_manual_set(&m, "/a", "3");
	ck_assert_int_eq(h.times, 6);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_children_reports_every_change)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard h = {0};
	struct zk_watch *w = zk_watch_children(m.client, "/d", children_heard, &h);
	zk_manual_run(&m);
	zk_manual_create(&m, "/d", NULL, 0);
	zk_manual_create(&m, "/d/a", NULL, 0);
	zk_manual_create(&m, "/d/b", NULL, 0);
	zk_manual_set(&m, "/d", "data does not matter");
	zk_manual_delete(&m, "/d/a");
	zk_manual_delete(&m, "/d/b");
	zk_manual_delete(&m, "/d");
	ck_assert_str_eq(h.text, "- [] [a] [a,b] [b] [] - ");
	zk_watch_free(w);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_misses_nothing_over_a_lost_connection)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard h = {0};
	zk_manual_create(&m, "/a", "1", 0);
	/* At the first read, at the one after the change, and at those after the next connection. */
	zk_standalone_cut_at(m.client, (unsigned)_i + 1, false);
	struct zk_watch *w = zk_watch_node(m.client, "/a", node_heard, &h);
	zk_manual_run(&m);
	zk_manual_set(&m, "/a", "2");
	zk_standalone_disconnect(m.client);
	zk_manual_run(&m);
	zk_manual_set(&m, "/a", "3");
	for (int i = 0; i < 3; i++) {
		zk_standalone_connect(m.client);
		zk_manual_advance(&m, 1000);
	}
	zk_manual_set(&m, "/a", "4");
	zk_standalone_connect(m.client);
	zk_manual_advance(&m, 1000);
	ck_assert_int_eq(strcmp(h.text + strlen(h.text) - 4, "3 4 "), 0);
	zk_watch_free(w);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_goes_on_in_a_new_session_and_reports_only_changes)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard same = {0}, changed = {0}, absent = {0};
	zk_manual_create(&m, "/same", "1", 0);
	zk_manual_create(&m, "/changed", "1", 0);
	struct zk_watch *ws = zk_watch_node(m.client, "/same", node_heard, &same),
			*wc = zk_watch_node(m.client, "/changed", node_heard, &changed),
			*wa = zk_watch_node(m.client, "/absent", node_heard, &absent);
	zk_manual_run(&m);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_manual_set(&m, "/changed", "2");
	zk_client_reconnect(m.client);
	zk_manual_advance(&m, 1000);
	zk_manual_set(&m, "/same", "2");
	zk_manual_create(&m, "/absent", "1", 0);
	ck_assert_str_eq(same.text, "1 2 ");
	ck_assert_str_eq(changed.text, "1 2 ");
	ck_assert_str_eq(absent.text, "- 1 ");
	zk_watch_refresh(ws);
	zk_manual_run(&m);
	ck_assert_str_eq(same.text, "1 2 2 ");
	zk_watch_free(ws);
	zk_watch_free(wc);
	zk_watch_free(wa);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_expiry_while_reading_is_survived)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard h = {0};
	struct zk_watch *w = zk_watch_node(m.client, "/a", node_heard, &h);
	for (int i = 0; i < _i; i++)
		manual_scheduler_step(m.loop);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_client_reconnect(m.client);
	zk_manual_advance(&m, 1000);
	zk_manual_create(&m, "/a", "1", 0);
	ck_assert_str_eq(h.text, "- 1 ");
	zk_watch_free(w);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_may_be_freed_while_it_reports_or_reads)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard h = {0}, c = {0}, never = {0};
	zk_manual_create(&m, "/a", "1", 0);
	h.free_on_report = zk_watch_node(m.client, "/a", node_heard, &h);
	c.free_on_report = zk_watch_children(m.client, "/", children_heard, &c);
	struct zk_watch *w = zk_watch_node(m.client, "/a", node_heard, &never);
	zk_watch_free(w);
	zk_manual_run(&m);
	zk_manual_set(&m, "/a", "2");
	zk_manual_create(&m, "/b", "2", 0);
	ck_assert_str_eq(h.text, "1 ");
	ck_assert_str_eq(c.text, "[a] ");
	ck_assert_int_eq(never.times, 0);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_watch_thousands_of_nodes)
{
	enum { NODES = 5000 };
	struct zk_manual m;
	zk_manual_init(&m);
	struct heard *h = check_calloc(NODES, sizeof(*h));
	struct zk_watch **w = check_calloc(NODES, sizeof(struct zk_watch *));
	for (int i = 0; i < NODES; i++) {
		char path[32];
		enum status s = STATUS_OK;
		snprintf(path, sizeof(path), "/n%d", i);
		zk_create(m.other, path, slice_of_str("1"), 0, zk_manual_created, &s);
		zk_manual_run(&m);
		w[i] = zk_watch_node(m.client, path, node_heard, &h[i]);
	}
	zk_manual_run(&m);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	zk_client_reconnect(m.client);
	zk_manual_advance(&m, 100);
	zk_manual_set(&m, "/n4711", "2");
	for (int i = 0; i < NODES; i++) {
		ck_assert_str_eq(h[i].text, i == 4711 ? "1 2 " : "1 ");
		zk_watch_free(w[i]);
	}
	free(w);
	free(h);
	zk_manual_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zk_watch");
	TCase *tc = tcase_create("zk_watch");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, zk_watch_node_reports_every_change);
	tcase_add_test(tc, zk_watch_children_reports_every_change);
	tcase_add_loop_test(tc, zk_watch_misses_nothing_over_a_lost_connection, 0, 4);
	tcase_add_test(tc, zk_watch_goes_on_in_a_new_session_and_reports_only_changes);
	tcase_add_loop_test(tc, zk_watch_expiry_while_reading_is_survived, 0, 6);
	tcase_add_test(tc, zk_watch_may_be_freed_while_it_reports_or_reads);
	tcase_add_test(tc, zk_watch_thousands_of_nodes);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
