#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"
#include "coordinator-client/zk_request.h"

struct answer {
	int times;
	enum status status;
	struct zk_stat stat;
	struct zk_op_result results[4];
	size_t count;
	char data[64];
};

static void status_came(void *arg, enum status s)
{
	struct answer *a = arg;
	a->times++;
	a->status = s;
}
static void stat_came(void *arg, enum status s, const struct zk_stat *stat)
{
	struct answer *a = arg;
	status_came(a, s);
	if (stat != NULL)
		a->stat = *stat;
}
static void created_came(void *arg, enum status s, const char *path, const struct zk_stat *stat)
{
	ck_assert_int_eq(path == NULL, s != STATUS_OK);
	stat_came(arg, s, stat);
}
static void data_came(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct answer *a = arg;
	stat_came(a, s, stat);
	snprintf(a->data, sizeof(a->data), "%.*s", (int)data.n, data.n == 0 ? "" : (const char *)data.p);
}
static void names_came(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	struct answer *a = arg;
	stat_came(a, s, stat);
	a->count = count;
	ck_assert(count == 0 || names[0] != NULL);
}
static void multi_came(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct answer *a = arg;
	status_came(a, s);
	a->count = count;
	ck_assert_uint_le(count, 4);
	for (size_t i = 0; i < count; i++)
		a->results[i] = results[i];
}

/* Every request is cut off as it arrives, once done and once not; the answer must be the truth in both cases. */
static void run_cut(struct zk_manual *m)
{
	zk_manual_run(m);
	zk_manual_advance(m, 200);
	zk_standalone_connect(m->client);
	zk_manual_advance(m, 3000);
}

START_TEST(zk_request_create_whose_answer_was_lost_is_done_once)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_create(r, "/a", slice_of_str("x"), ZK_CREATE_EPHEMERAL, created_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_int_eq(a.stat.ephemeral_owner, m.client->session_id);
	ck_assert_str_eq(zk_manual_get(&m, "/a").data, "x");
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_create_of_anothers_node_says_exists)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	ck_assert_int_eq(zk_manual_create(&m, "/a", "y", 0), STATUS_OK);
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_create(r, "/a", slice_of_str("x"), 0, created_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_EXISTS);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_set_whose_answer_was_lost_is_done_once)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	zk_manual_create(&m, "/a", "old", 0);
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_set(r, "/a", slice_of_str("new"), 0, stat_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_int_eq(a.stat.version, 1);
	ck_assert_int_eq(zk_manual_get(&m, "/a").stat.version, 1);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_set_overtaken_by_another_says_bad_version)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	zk_manual_create(&m, "/a", "old", 0);
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_set(r, "/a", slice_of_str("new"), 0, stat_came, &a);
	zk_manual_run(&m);
	ck_assert_int_eq(zk_manual_set(&m, "/a", "theirs"), STATUS_OK);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_BAD_VERSION);
	ck_assert_str_eq(zk_manual_get(&m, "/a").data, "theirs");
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_delete_whose_answer_was_lost_is_ok)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0}, missing = {0};
	zk_manual_create(&m, "/a", "old", 0);
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_delete(r, "/a", 0, status_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_OK);
	zk_request_delete(r, "/never", 0, status_came, &missing);
	zk_manual_run(&m);
	ck_assert_int_eq(missing.status, STATUS_NOT_FOUND);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_multi_whose_answer_was_lost_is_done_once)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	zk_manual_create(&m, "/epoch", "7", 0);
	zk_manual_create(&m, "/gone", "7", 0);
	const struct zk_op ops[] = {
		{.kind = ZK_OP_CREATE, .path = "/id", .flags = ZK_CREATE_EPHEMERAL},
		{.kind = ZK_OP_SET, .path = "/id", .data = slice_of_str("me"), .version = 0},
		{.kind = ZK_OP_SET, .path = "/epoch", .data = slice_of_str("8"), .version = 0},
		{.kind = ZK_OP_DELETE, .path = "/gone", .version = 0},
	};
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_multi(r, ops, 4, multi_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_uint_eq(a.count, 4);
	struct zk_manual_node id = zk_manual_get(&m, "/id"), epoch = zk_manual_get(&m, "/epoch");
	ck_assert_str_eq(id.data, "me");
	ck_assert_int_eq(a.results[1].stat.czxid, id.stat.czxid);
	ck_assert_int_eq(a.results[2].stat.version, 1);
	ck_assert_int_eq(epoch.stat.version, 1);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_fenced_tells_another_controller)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	zk_manual_create(&m, "/controller_epoch", "1", 0);
	zk_manual_create(&m, "/state", "s", 0);
	const struct zk_fence fence = {.path = "/controller_epoch", .version = 0};
	const struct zk_op op = {.kind = ZK_OP_SET, .path = "/state", .data = slice_of_str("t"), .version = 0};
	struct answer ok = {0}, stale = {0}, fenced = {0};
	zk_request_fenced(r, &fence, &op, 1, multi_came, &ok);
	zk_manual_run(&m);
	ck_assert_int_eq(ok.status, STATUS_OK);
	ck_assert_uint_eq(ok.count, 1);
	ck_assert_int_eq(ok.results[0].stat.version, 1);
	zk_request_fenced(r, &fence, &op, 1, multi_came, &stale);
	zk_manual_run(&m);
	ck_assert_int_eq(stale.status, STATUS_BAD_VERSION);
	zk_manual_set(&m, "/controller_epoch", "2");
	zk_standalone_cut_at(m.client, 1, _i);
	zk_request_fenced(r, &fence, &op, 1, multi_came, &fenced);
	run_cut(&m);
	ck_assert_int_eq(fenced.times, 1);
	ck_assert_int_eq(fenced.status, STATUS_FENCED);
	ck_assert_int_eq(zk_manual_get(&m, "/state").stat.version, 1);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_ensure_makes_only_what_is_missing)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	static const char *const paths[] = {"/brokers/ids", "/brokers/topics", "/admin/delete_topics", "/config"};
	struct answer a = {0}, again = {0};
	zk_manual_create(&m, "/config", "kept", 0);
	zk_standalone_cut_at(m.client, (unsigned)_i + 1, _i % 2 == 0);
	zk_request_ensure(r, paths, 4, status_came, &a);
	run_cut(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_str_eq(zk_manual_get(&m, "/config").data, "kept");
	ck_assert(zk_manual_get(&m, "/brokers/topics").null_data);
	ck_assert_int_eq(zk_manual_get(&m, "/admin/delete_topics").status, STATUS_OK);
	int64_t before = zk_tree_zxid(m.tree);
	zk_standalone_cut_at(m.client, 0, false);
	zk_request_ensure(r, paths, 4, status_came, &again);
	zk_manual_run(&m);
	ck_assert_int_eq(again.status, STATUS_OK);
	ck_assert_int_eq(zk_tree_zxid(m.tree), before);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_reads_are_asked_again)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer get = {0}, exists = {0}, children = {0};
	zk_manual_create(&m, "/a", "x", 0);
	zk_standalone_cut_at(m.client, (unsigned)_i + 1, false);
	zk_request_get(r, "/a", data_came, &get);
	zk_request_exists(r, "/a", stat_came, &exists);
	zk_request_children(r, "/", names_came, &children);
	run_cut(&m);
	ck_assert(get.times == 1 && exists.times == 1 && children.times == 1);
	ck_assert(get.status == STATUS_OK && exists.status == STATUS_OK && children.status == STATUS_OK);
	ck_assert_str_eq(get.data, "x");
	ck_assert_uint_eq(children.count, 1);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_gives_up_at_its_deadline)
{
	struct zk_manual m;
	zk_manual_init(&m);
	zk_standalone_set_timeout(m.client, 600000);
	struct zk_requester *r = zk_requester_new(m.client, 3000);
	struct answer a = {0};
	/* Each attempt is lost with its connection. */
	zk_request_get(r, "/a", data_came, &a);
	for (int i = 0; i < 100 && a.times == 0; i++) {
		zk_standalone_cut_at(m.client, 1, false);
		zk_manual_run(&m);
		zk_standalone_connect(m.client);
		zk_standalone_cut_at(m.client, 1, false);
		zk_manual_advance(&m, 100);
	}
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_CONNECTION_LOSS);
	ck_assert_int_le(m.clock.us, 1000000 + 3200 * 1000);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_of_an_expired_session_is_not_repeated)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a = {0};
	zk_request_create(r, "/a", slice_of_str("x"), ZK_CREATE_EPHEMERAL, created_came, &a);
	zk_standalone_expire(m.client);
	zk_manual_run(&m);
	ck_assert_int_eq(a.times, 1);
	ck_assert_int_eq(a.status, STATUS_SESSION_EXPIRED);
	ck_assert_int_eq(zk_manual_get(&m, "/a").status, STATUS_NOT_FOUND);
	zk_requester_free(r);
	zk_manual_fini(&m);
}
END_TEST

START_TEST(zk_request_owner_who_left_is_not_called)
{
	struct zk_manual m;
	zk_manual_init(&m);
	struct zk_requester *r = zk_requester_new(m.client, 10000);
	struct answer a[4] = {0};
	static const char *const paths[] = {"/x/y", "/z"};
	const struct zk_op op = {.kind = ZK_OP_SET, .path = "/a", .data = slice_of_str("t"), .version = 0};
	zk_request_create(r, "/a", slice_of_str("x"), 0, created_came, &a[0]);
	zk_request_get(r, "/a", data_came, &a[1]);
	zk_request_ensure(r, paths, 2, status_came, &a[2]);
	zk_request_multi(r, &op, 1, multi_came, &a[3]);
	if (_i == 0) /* under way */
		zk_requester_free(r);
	else
		zk_standalone_cut(m.client, 2);
	zk_manual_run(&m);
	if (_i == 1) /* waiting for another try */
		zk_requester_free(r);
	run_cut(&m);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(a[i].times, 0);
	zk_manual_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zk_request");
	TCase *tc = tcase_create("zk_request");
	tcase_add_loop_test(tc, zk_request_create_whose_answer_was_lost_is_done_once, 0, 2);
	tcase_add_loop_test(tc, zk_request_create_of_anothers_node_says_exists, 0, 2);
	tcase_add_loop_test(tc, zk_request_set_whose_answer_was_lost_is_done_once, 0, 2);
	tcase_add_loop_test(tc, zk_request_set_overtaken_by_another_says_bad_version, 0, 2);
	tcase_add_loop_test(tc, zk_request_delete_whose_answer_was_lost_is_ok, 0, 2);
	tcase_add_loop_test(tc, zk_request_multi_whose_answer_was_lost_is_done_once, 0, 2);
	tcase_add_loop_test(tc, zk_request_fenced_tells_another_controller, 0, 2);
	tcase_add_loop_test(tc, zk_request_ensure_makes_only_what_is_missing, 0, 12);
	tcase_add_loop_test(tc, zk_request_reads_are_asked_again, 0, 3);
	tcase_add_test(tc, zk_request_gives_up_at_its_deadline);
	tcase_add_test(tc, zk_request_of_an_expired_session_is_not_repeated);
	tcase_add_loop_test(tc, zk_request_owner_who_left_is_not_called, 0, 2);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
