#include "coordinator-client/broker_config_admin.h"
#include "service_fixture.h"
#include "unit.h"

#include "service/admin_service.h"
#include "service/metadata_service.h"

static struct service_fixture fixture;
static struct zk_client zk;

/* --- topic_admin, faked: calls are kept until the test answers them ---------- */

enum { CALLS_MAX = 128 };
static struct call {
	char topic[64];
	int32_t partitions, replication_factor;
	topic_create_done_fn created;
	topic_done_fn done;
	topic_describe_done_fn described;
	void *arg;
} calls[CALLS_MAX];
static size_t call_count;

static struct call *new_call(const char *topic, void *arg)
{
	ck_assert_uint_lt(call_count, CALLS_MAX);
	struct call *c = &calls[call_count++];
	*c = (struct call){.arg = arg};
	snprintf(c->topic, sizeof(c->topic), "%s", topic == NULL ? "*" : topic);
	return c;
}

void topic_admin_create(struct zk_client *client, const struct topic_create_request *r, topic_create_done_fn done, void *arg)
{
	(void)client;
	struct call *c = new_call(r->topic, arg);
	c->created = done;
	c->partitions = r->partitions;
	c->replication_factor = r->replication_factor;
}

void topic_admin_delete(struct zk_client *client, const char *topic, topic_done_fn done, void *arg)
{
	(void)client;
	new_call(topic, arg)->done = done;
}

void topic_admin_add_partitions(struct zk_client *client, const char *topic, int32_t total,
	const struct partition_assignment *new_assignment, size_t new_count, bool validate_only, topic_done_fn done, void *arg)
{
	(void)client;
	(void)new_assignment;
	(void)new_count;
	(void)validate_only;
	struct call *c = new_call(topic, arg);
	c->done = done;
	c->partitions = total;
}

void topic_admin_alter_configs(struct zk_client *client, const char *topic, const struct topic_config_entry *entries,
	size_t count, bool replace, topic_done_fn done, void *arg)
{
	(void)client;
	(void)entries;
	(void)count;
	(void)replace;
	new_call(topic, arg)->done = done;
}

void broker_config_admin_alter(struct zk_client *client, const char *entity, const struct topic_config_entry *entries, size_t count,
	bool replace, topic_done_fn done, void *arg)
{
	topic_admin_alter_configs(client, entity, entries, count, replace, done, arg);
}

void topic_admin_describe(struct zk_client *client, const char *topic, topic_describe_done_fn done, void *arg)
{
	(void)client;
	new_call(topic, arg)->described = done;
}

static void answer_created(size_t index, enum status s, const struct uuid *id)
{
	struct failure f = {.status = s};
	calls[index].created(calls[index].arg, &f, false, id);
	(void)manual_scheduler_run(fixture.manual);
}

static void answer_done(size_t index, enum status s)
{
	struct failure f = {.status = s};
	calls[index].done(calls[index].arg, &f);
	(void)manual_scheduler_run(fixture.manual);
}

/* --- the rig -------------------------------------------------------------- */

static unsigned done_count;
static void count_done(struct admin_request *r)
{
	(void)r;
	done_count++;
}
static void count_described(struct admin_describe_request *r)
{
	(void)r;
	done_count++;
}

static void set_up(void)
{
	service_fixture_init(&fixture);
	zk = (struct zk_client){.scheduler = fixture.scheduler, .state = ZK_STATE_CONNECTED};
	struct admin_service_options o = {.zk = &zk, .scheduler = fixture.scheduler, .settings = &fixture.settings};
	fixture.service->admin = admin_service_new(&o);
	call_count = 0;
	done_count = 0;
}

static void tear_down(void)
{
	admin_service_free(fixture.service->admin);
	service_fixture_fini(&fixture);
}

static struct admin_request request_of(enum admin_kind kind, struct admin_item *items, size_t count)
{
	return (struct admin_request){.service = fixture.service, .kind = kind, .items = items, .item_count = count,
		.timeout_ms = 3000, .done = count_done};
}

static void start(struct admin_request *r)
{
	admin_service_start(r);
	(void)manual_scheduler_run(fixture.manual);
}

static const struct uuid orders_id = {.b = {1}}, keys_id = {.b = {2}}, other_id = {.b = {9}};

START_TEST(admin_service_creation_waits_for_leaders_of_all_partitions)
{
	set_up();
	/* "orders" has a partition without leader in the image; "keys" is whole. */
	struct admin_item items[] = {{.topic = "orders", .partitions = 3, .replication_factor = 2},
		{.topic = "keys", .partitions = -1, .replication_factor = -1}};
	struct admin_request r = request_of(ADMIN_CREATE_TOPIC, items, 2);
	start(&r);
	ck_assert_uint_eq(call_count, 2);
	ck_assert_int_eq(calls[1].partitions, fixture.settings.num_partitions);
	ck_assert_int_eq(calls[1].replication_factor, fixture.settings.default_replication_factor);
	answer_created(0, STATUS_OK, &orders_id);
	answer_created(1, STATUS_OK, &keys_id);
	ck_assert_uint_eq(done_count, 0);
	service_fixture_move_leader(&fixture, 2, 6); /* partition 2 is still without */
	ck_assert_uint_eq(done_count, 0);
	manual_scheduler_advance_us(fixture.manual, 3100 * 1000);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(items[0].failure.status, STATUS_REQUEST_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(items[0].failure.text, "orders"));
	ck_assert_int_eq(items[1].failure.status, STATUS_OK);
	tear_down();
}
END_TEST

START_TEST(admin_service_topic_of_the_same_name_and_another_id_is_not_the_new_one)
{
	set_up();
	struct admin_item item = {.topic = "keys", .partitions = 1, .replication_factor = 1};
	struct admin_request r = request_of(ADMIN_CREATE_TOPIC, &item, 1);
	start(&r);
	answer_created(0, STATUS_OK, &other_id);
	ck_assert_uint_eq(done_count, 0);
	manual_scheduler_advance_us(fixture.manual, 3100 * 1000);
	ck_assert_int_eq(item.failure.status, STATUS_REQUEST_TIMED_OUT);
	tear_down();
}
END_TEST

START_TEST(admin_service_does_not_wait_when_told_so_or_refused)
{
	set_up();
	struct admin_item item = {.topic = "new", .partitions = 1, .replication_factor = 1}, refused = item;
	struct admin_request r = request_of(ADMIN_CREATE_TOPIC, &item, 1), r2 = request_of(ADMIN_CREATE_TOPIC, &refused, 1);
	r.timeout_ms = 0;
	start(&r);
	answer_created(0, STATUS_OK, &other_id);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(item.failure.status, STATUS_OK);
	start(&r2);
	answer_created(1, STATUS_TOPIC_ALREADY_EXISTS, NULL);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_int_eq(refused.failure.status, STATUS_TOPIC_ALREADY_EXISTS);
	tear_down();
}
END_TEST

START_TEST(admin_service_sends_few_calls_at_a_time)
{
	set_up();
	enum { TOPICS = 100 };
	static struct admin_item items[TOPICS];
	for (size_t i = 0; i < TOPICS; i++)
		items[i] = (struct admin_item){.topic = "many", .partitions = 1, .replication_factor = 1};
	struct admin_request r = request_of(ADMIN_CREATE_TOPIC, items, TOPICS);
	r.timeout_ms = 0;
	start(&r);
	ck_assert_uint_le(call_count, 32);
	ck_assert_uint_gt(call_count, 0);
	for (size_t i = 0; i < TOPICS; i++) {
		ck_assert_uint_lt(i, call_count);
		ck_assert_uint_le(call_count - i, 32);
		answer_created(i, STATUS_OK, &other_id);
	}
	ck_assert_uint_eq(call_count, TOPICS);
	ck_assert_uint_eq(done_count, 1);
	tear_down();
}
END_TEST

START_TEST(admin_service_deletion_waits_until_the_topic_is_gone_or_a_stop)
{
	set_up();
	struct admin_item item = {.topic = "keys"}, unknown = {.topic = "nobody"};
	struct admin_request r = request_of(ADMIN_DELETE_TOPIC, &item, 1), r2 = request_of(ADMIN_DELETE_TOPIC, &unknown, 1);
	start(&r2);
	answer_done(0, STATUS_OK);
	ck_assert_uint_eq(done_count, 1); /* the image does not have it: nothing to wait for */
	start(&r);
	answer_done(1, STATUS_OK);
	ck_assert_uint_eq(done_count, 1);
	service_loop_hurry(fixture.service);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_int_eq(item.failure.status, STATUS_REQUEST_TIMED_OUT);
	tear_down();
}
END_TEST

START_TEST(admin_service_deletion_can_be_disabled)
{
	set_up();
	fixture.settings.delete_topic_enable = false;
	struct admin_item items[] = {{.topic = "keys"}, {.topic = "orders"}};
	struct admin_request r = request_of(ADMIN_DELETE_TOPIC, items, 2);
	start(&r);
	ck_assert_uint_eq(call_count, 0);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(items[1].failure.status, STATUS_TOPIC_DELETION_DISABLED);
	tear_down();
}
END_TEST

START_TEST(admin_service_alteration_waits_until_the_image_has_the_values)
{
	set_up();
	const struct topic_config_entry same = {.key = "max.message.bytes", .value = "500"}, other = {.key = "max.message.bytes", .value = "501"},
					 removed = {.key = "retention.ms", .value = NULL};
	struct admin_item items[] = {{.topic = "keys", .configs = &same, .config_count = 1}, {.topic = "keys", .configs = &removed, .config_count = 1}};
	struct admin_item late = {.topic = "keys", .configs = &other, .config_count = 1};
	struct admin_request r = request_of(ADMIN_ALTER_CONFIGS, items, 2), r2 = request_of(ADMIN_ALTER_CONFIGS, &late, 1);
	start(&r);
	answer_done(0, STATUS_OK);
	answer_done(1, STATUS_OK);
	ck_assert_uint_eq(done_count, 1);
	start(&r2);
	answer_done(2, STATUS_OK);
	ck_assert_uint_eq(done_count, 1);
	admin_service_hurry(&r2); /* its client has gone */
	ck_assert_uint_eq(done_count, 2);
	tear_down();
}
END_TEST

/* Another loop is behind: who is told "done" must find it done there too. */
START_TEST(admin_service_waits_for_every_loop)
{
	set_up();
	struct cluster_image_holder *slow = cluster_image_holder_new(fixture.scheduler);
	struct cluster_image_holder *const holders[] = {fixture.images, slow};
	struct admin_service *before = fixture.service->admin;
	struct admin_service_options o = {.zk = &zk, .scheduler = fixture.scheduler, .settings = &fixture.settings, .holders = holders,
		.holder_count = 2};
	fixture.service->admin = admin_service_new(&o);
	const struct topic_config_entry same = {.key = "max.message.bytes", .value = "500"};
	struct admin_item item = {.topic = "keys", .configs = &same, .config_count = 1};
	struct admin_request r = request_of(ADMIN_ALTER_CONFIGS, &item, 1);
	start(&r);
	answer_done(0, STATUS_OK);
	ck_assert_uint_eq(done_count, 0);
	admin_service_hurry(&r); /* on its way already */
	ck_assert_uint_eq(done_count, 0);
	cluster_image_holder_post(slow, cluster_image_new(&(struct cluster_image_draft){.version = 0})); /* still too old */
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 0);
	cluster_image_holder_post(slow, cluster_image_shared_ref(cluster_image_holder_image(fixture.images)));
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(item.failure.status, STATUS_OK);
	cluster_image_holder_free(slow);
	admin_service_free(before);
	tear_down();
}
END_TEST

START_TEST(admin_service_enlarged_topic_must_show_all_partitions)
{
	set_up();
	struct admin_item item = {.topic = "keys", .partitions = 2};
	struct admin_request r = request_of(ADMIN_ADD_PARTITIONS, &item, 1);
	start(&r);
	ck_assert_int_eq(calls[0].partitions, 2);
	answer_done(0, STATUS_OK);
	ck_assert_uint_eq(done_count, 0);
	manual_scheduler_advance_us(fixture.manual, 3100 * 1000);
	ck_assert_int_eq(item.failure.status, STATUS_REQUEST_TIMED_OUT);
	tear_down();
}
END_TEST

/* --- describe ------------------------------------------------------------- */

static struct admin_describe_request describe_of(const char *const *names, size_t count)
{
	return (struct admin_describe_request){.service = fixture.service, .arena = &fixture.arena, .names = names,
		.name_count = count, .done = count_described};
}

START_TEST(admin_service_descriptions_are_copied)
{
	set_up();
	const char *const names[] = {"waits", "no/name", "order"};
	struct admin_describe_request r = describe_of(names, 3);
	admin_service_describe(&r);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(call_count, 2);
	char name[] = "waits";
	struct topic_config_entry config = {.key = name, .value = name};
	struct topic_description d = {.topic = name, .pending = true, .wanted_partitions = 4, .configs = &config, .config_count = 1};
	struct failure ok = {.status = STATUS_OK}, unknown = {.status = STATUS_UNKNOWN_TOPIC_OR_PARTITION};
	calls[0].described(calls[0].arg, &ok, &d, 1);
	calls[1].described(calls[1].arg, &unknown, NULL, 0);
	memset(name, 'x', sizeof(name) - 1);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(r.topics[0].status, STATUS_OK);
	ck_assert_str_eq(r.topics[0].description->topic, "waits");
	ck_assert_str_eq(r.topics[0].description->configs[0].key, "waits");
	ck_assert_int_eq(r.topics[0].description->wanted_partitions, 4);
	ck_assert_int_eq(r.topics[1].status, STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(r.topics[2].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(r.topics[2].message, "did you mean orders?"));
	tear_down();
}
END_TEST

START_TEST(admin_service_describes_from_the_image_while_zookeeper_is_away)
{
	set_up();
	zk.state = ZK_STATE_CONNECTING;
	struct admin_describe_request r = describe_of(NULL, 0);
	admin_service_describe(&r);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(call_count, 0);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(r.topic_count, 3);
	ck_assert_str_eq(r.topics[1].name, "orders");
	ck_assert_uint_eq(r.topics[1].description->partition_count, 3);
	ck_assert_int_eq(r.topics[1].description->partitions[1].leader, 2);
	ck_assert_int_eq(r.topics[1].description->partitions[1].replicas.count, 2);
	/* It goes away in the middle. */
	zk.state = ZK_STATE_CONNECTED;
	struct admin_describe_request r2 = describe_of(NULL, 0);
	admin_service_describe(&r2);
	(void)manual_scheduler_run(fixture.manual);
	struct failure lost = {.status = STATUS_CONNECTION_LOSS};
	calls[0].described(calls[0].arg, &lost, NULL, 0);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_uint_eq(r2.topic_count, 3);
	ck_assert_int_eq(r2.topics[0].status, STATUS_OK);
	tear_down();
}
END_TEST

START_TEST(admin_service_description_that_does_not_fit_says_so)
{
	set_up();
	zk.state = ZK_STATE_CONNECTING;
	struct admin_describe_request r = describe_of(NULL, 0);
	fixture.arena.limit_bytes = fixture.arena.used_bytes + 100;
	admin_service_describe(&r);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(r.failure.status, STATUS_TOO_LARGE);
	tear_down();
}
END_TEST

/* --- metadata ------------------------------------------------------------- */

static struct metadata_request *answered_metadata;
static void metadata_done(struct metadata_request *r)
{
	answered_metadata = r;
	done_count++;
}

START_TEST(metadata_service_creates_unknown_topics_where_that_is_enabled)
{
	set_up();
	const char *const names[] = {"fresh", "orders", "__consumer_offsets", "a/b"};
	struct metadata_request r = {.service = fixture.service, .arena = &fixture.arena, .names = names, .name_count = 4, .done = metadata_done};
	ck_assert_int_eq(metadata_service_start(&r), STATUS_OK);
	ck_assert_uint_eq(done_count, 1); /* disabled: answered at once */
	ck_assert_int_eq(r.topics[0].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(r.topics[1].topic);
	fixture.settings.auto_create_topics_enable = true;
	struct metadata_request again = r;
	ck_assert_int_eq(metadata_service_start(&again), STATUS_OK);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(call_count, 1); /* not the internal one, not the illegal one */
	ck_assert_str_eq(calls[0].topic, "fresh");
	answer_created(0, STATUS_INVALID_REPLICATION_FACTOR, NULL);
	ck_assert_uint_eq(done_count, 2);
	ck_assert_int_eq(again.topics[0].status, STATUS_LEADER_NOT_AVAILABLE);
	ck_assert_int_eq(again.topics[3].status, STATUS_INVALID_TOPIC_EXCEPTION);
	tear_down();
}
END_TEST

START_TEST(metadata_service_counts_what_is_where)
{
	set_up();
	struct metadata_totals t = metadata_service_totals(service_loop_image(fixture.service), 1);
	ck_assert_uint_eq(t.topics, 3);
	ck_assert_uint_eq(t.partitions, 5);
	ck_assert_uint_eq(t.offline, 1);
	ck_assert_uint_eq(t.led_by, 3);
	ck_assert_uint_eq(t.hosted_by, 5);
	tear_down();
}
END_TEST

UNIT_MAIN("admin_service", admin_service_creation_waits_for_leaders_of_all_partitions,
	admin_service_topic_of_the_same_name_and_another_id_is_not_the_new_one, admin_service_does_not_wait_when_told_so_or_refused,
	admin_service_sends_few_calls_at_a_time, admin_service_deletion_waits_until_the_topic_is_gone_or_a_stop,
	admin_service_deletion_can_be_disabled, admin_service_alteration_waits_until_the_image_has_the_values,
	admin_service_waits_for_every_loop, admin_service_enlarged_topic_must_show_all_partitions, admin_service_descriptions_are_copied,
	admin_service_describes_from_the_image_while_zookeeper_is_away, admin_service_description_that_does_not_fit_says_so,
	metadata_service_creates_unknown_topics_where_that_is_enabled, metadata_service_counts_what_is_where)
