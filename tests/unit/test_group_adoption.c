/* Groups as Kafka 3.9.1 left them in __consumer_offsets, offsets committed in transactions and tombstones included, are what Kafka
 * itself says they are. CORREIO_FIXTURES: the folder of the sample cluster; without it there is nothing to do. */
#include "coordinator_fixture.h"

#include "unit.h"

#include <jansson.h>
#include <unistd.h>

static void check_offset(const struct group_request_fetch *all, const char *group, const char *name, json_t *expected)
{
	struct topic_partition tp;
	ck_assert_int_eq(topic_partition_parse(slice_of_str(name), &tp), STATUS_OK);
	for (size_t i = 0; i < all->offset_count; i++) {
		const struct group_request_offset *o = &all->offsets[i];
		if (strcmp(o->topic, tp.topic) != 0 || o->partition != tp.partition)
			continue;
		ck_assert_int_eq(o->offset, json_integer_value(json_object_get(expected, "offset")));
		ck_assert_int_eq(o->leader_epoch, json_integer_value(json_object_get(expected, "leaderEpoch")));
		ck_assert_str_eq(o->metadata, json_string_value(json_object_get(expected, "metadata")));
		return;
	}
	ck_abort_msg("%s has no offset of %s", group, name);
}

static void check_offsets(struct coordinator_fixture *f, const char *group, json_t *expected)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, group);
	c->r.fetch = (struct group_request_fetch){.all = true, .member_epoch = -1};
	ck_assert_int_eq(coordinator_call_answer(f, c), STATUS_OK);
	ck_assert_uint_eq(c->r.fetch.offset_count, json_object_size(expected));
	const char *name;
	json_t *value;
	json_object_foreach(expected, name, value)
		check_offset(&c->r.fetch, group, name, value);
	coordinator_call_free(c);
}

static void check_members(const struct group_request_describe *d, json_t *expected)
{
	size_t i;
	json_t *member;
	ck_assert_uint_eq(d->member_count, json_array_size(expected));
	json_array_foreach(expected, i, member) {
		const char *instance = json_string_value(json_object_get(member, "groupInstanceId"));
		ck_assert_str_eq(d->members[i].client_id, json_string_value(json_object_get(member, "clientId")));
		ck_assert_str_eq(d->members[i].client_host, json_string_value(json_object_get(member, "host")));
		ck_assert_str_eq(d->members[i].instance_id == NULL ? "" : d->members[i].instance_id, instance == NULL ? "" : instance);
		ck_assert_uint_gt(d->members[i].assignment.n, 0);
	}
}

static void check_group(struct coordinator_fixture *f, const char *group, json_t *expected)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_DESCRIBE, group);
	ck_assert_int_eq(coordinator_call_answer(f, c), STATUS_OK);
	ck_assert_str_eq(c->r.describe.state, json_string_value(json_object_get(expected, "state")));
	ck_assert_str_eq(c->r.describe.protocol_type, json_string_value(json_object_get(expected, "protocolType")));
	ck_assert_str_eq(c->r.describe.protocol, json_string_value(json_object_get(expected, "assignor")));
	check_members(&c->r.describe, json_object_get(expected, "members"));
	coordinator_call_free(c);
	check_offsets(f, group, json_object_get(expected, "offsets"));
}

static void listed(struct group_list_request *r)
{
	*(bool *)r->arg = true;
}

static size_t count_groups(struct coordinator_fixture *f)
{
	struct arena arena;
	bool done = false;
	arena_init(&arena, 1 << 20);
	struct group_list_request l = {.arena = &arena, .home = f->scheduler, .done = listed, .arg = &done};
	group_coordinator_list(f->coordinator, &l);
	coordinator_fixture_run(f);
	ck_assert(done && l.status == STATUS_OK);
	arena_fini(&arena);
	return l.group_count;
}

static void adopt(const char *archive)
{
	static struct coordinator_fixture f;
	char root[] = "/tmp/correio-adoption-XXXXXX", command[512], data[128];
	ck_assert_ptr_nonnull(mkdtemp(root));
	(void)snprintf(command, sizeof(command), "tar xzf '%s/%s' -C %s", getenv("CORREIO_FIXTURES"), archive, root);
	ck_assert_int_eq(system(command), 0);
	(void)snprintf(command, sizeof(command), "%s/expected/cluster.json", getenv("CORREIO_FIXTURES"));
	json_t *cluster = json_load_file(command, 0, NULL);
	ck_assert_ptr_nonnull(cluster);
	(void)snprintf(data, sizeof(data), "%s/broker-1/data", root);
	coordinator_fixture_init_at(&f, data, 50);
	f.leader_epoch = 1000;
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
	const char *group;
	json_t *expected, *groups = json_object_get(cluster, "groups");
	ck_assert_uint_eq(count_groups(&f), json_object_size(groups));
	json_object_foreach(groups, group, expected)
		check_group(&f, group, expected);
	coordinator_fixture_fini(&f);
	json_decref(cluster);
	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(group_adoption_after_a_clean_stop)
{
	adopt("log-dirs.tar.gz");
}
END_TEST

START_TEST(group_adoption_after_a_crash)
{
	adopt("log-dirs-crash.tar.gz");
}
END_TEST

int main(void)
{
	if (getenv("CORREIO_FIXTURES") == NULL) {
		puts("CORREIO_FIXTURES is not set: skipped");
		return 77;
	}
	Suite *suite = suite_create("group_adoption");
	TCase *tc = tcase_create("group_adoption");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, group_adoption_after_a_clean_stop);
	tcase_add_test(tc, group_adoption_after_a_crash);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
