/* The whole controller over the in-process coordinator: election, loading, writes, channels. Brokers are a transport that
 * obeys, and that remembers what it was told. */
#include "controller/controller.h"
#include "coordinator-client/topic_admin.h"
#include "coordinator-client/zk_schema.h"
#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"

enum { BROKERS_MAX = 4, HEARD_MAX = 1024 };

struct fake_broker {
	char heard[HEARD_MAX]; /* "L" roles, "M" picture, "F" full picture, "S" stop, "C" configurations */
	size_t led;            /* roles in which it leads, all told */
	int32_t controller_epoch;
	bool mute; /* does not answer */
};
struct rig {
	struct zk_manual zk;
	struct fake_broker brokers[BROKERS_MAX];
	struct control_transport transport;
	struct settings settings;
	struct controller *controllers[2];
	size_t calls;
};

struct control_link {
	struct rig *rig;
	int32_t broker_id;
	struct task task;
	bool closed, posted;
	const struct control_request *request;
	void (*done)(void *done_arg, enum status s, const struct control_response *response);
	void *done_arg;
};

static void broker_obey(struct fake_broker *b, const struct control_link *l, struct control_response *response)
{
	static const char letters[] = {'M', 'L', 'S'};
	const struct control_request *r = l->request;
	size_t n = strlen(b->heard);
	bool full = r->kind == CONTROL_UPDATE_METADATA && r->update_metadata.full;
	if (n + 1 < HEARD_MAX)
		b->heard[n] = full ? 'F' : letters[r->kind];
	b->controller_epoch = r->header.controller_epoch;
	size_t room = 1;
	for (size_t i = 0; r->kind == CONTROL_LEADER_AND_ISR && i < r->leader_and_isr.topic_count; i++)
		room += r->leader_and_isr.topics[i].partition_count;
	room += r->kind == CONTROL_STOP_REPLICA ? r->stop_replica.partition_count : 0;
	response->results = check_calloc(room, sizeof *response->results);
	for (size_t i = 0; r->kind == CONTROL_LEADER_AND_ISR && i < r->leader_and_isr.topic_count; i++) {
		const struct control_topic *t = &r->leader_and_isr.topics[i];
		for (size_t j = 0; j < t->partition_count; j++) {
			b->led += t->partitions[j].leader == l->broker_id;
			ck_assert_int_eq(topic_partition_set(&response->results[response->result_count++].tp, slice_of_str(t->name),
						 t->partitions[j].partition),
				STATUS_OK);
		}
	}
	for (size_t i = 0; r->kind == CONTROL_STOP_REPLICA && i < r->stop_replica.partition_count; i++)
		response->results[response->result_count++].tp = r->stop_replica.partitions[i].tp;
}

static void link_run(struct task *t)
{
	struct control_link *l = CONTAINER_OF(t, struct control_link, task);
	l->posted = false;
	if (l->closed) {
		free(l);
		return;
	}
	struct fake_broker *b = &l->rig->brokers[l->broker_id];
	if (b->mute)
		return;
	struct control_response response = {0};
	broker_obey(b, l, &response);
	l->done(l->done_arg, STATUS_OK, &response);
	control_response_fini(&response);
}

static struct control_link *link_open(void *arg, const struct control_link_options *o)
{
	struct control_link *l = check_calloc(1, sizeof *l);
	*l = (struct control_link){.rig = arg, .broker_id = o->broker_id};
	ck_assert_int_lt(o->broker_id, BROKERS_MAX);
	task_init(&l->task, "fake_link", link_run);
	return l;
}

static void link_call(struct control_link *l, const struct control_request *request,
	void (*done)(void *done_arg, enum status s, const struct control_response *response), void *done_arg)
{
	l->request = request;
	l->done = done;
	l->done_arg = done_arg;
	l->posted = true;
	l->rig->calls++;
	scheduler_post(l->rig->zk.client->scheduler, &l->task);
}

static void link_close(struct control_link *l)
{
	l->closed = true;
	if (!l->posted)
		free(l);
}

/* --- rig ------------------------------------------------------------------ */

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	zk_manual_init(&r->zk);
	r->transport = (struct control_transport){.open = link_open, .call = link_call, .close = link_close, .arg = r};
	settings_init_defaults(&r->settings);
}

static struct controller *rig_controller(struct rig *r, int at, struct zk_client *zk, int32_t id)
{
	struct controller_options o = {.zk = zk, .settings = &r->settings, .broker_id = id, .transport = &r->transport};
	r->controllers[at] = controller_new(&o);
	controller_start(r->controllers[at]);
	zk_manual_run(&r->zk);
	return r->controllers[at];
}

static void stopped(void *arg)
{
	*(bool *)arg = true;
}

static void rig_fini(struct rig *r)
{
	for (int i = 0; i < 2; i++) {
		if (r->controllers[i] != NULL)
			controller_free(r->controllers[i]);
	}
	zk_manual_fini(&r->zk);
	settings_fini(&r->settings);
}

/* A registration by a session that is not the controller's. */
static void rig_register(struct rig *r, int32_t id)
{
	struct zk_schema_endpoint e = {.listener = (char[]){"PLAINTEXT"}, .security_protocol = (char[]){"PLAINTEXT"},
		.host = (char[]){"localhost"}, .port = 9092};
	struct zk_schema_broker b = {.endpoints = &e, .endpoint_count = 1, .jmx_port = -1, .timestamp_ms = 1};
	char path[ZK_PATH_MAX];
	zk_schema_path_broker(id, path);
	char *text = zk_schema_broker_encode(&b);
	ck_assert_int_eq(zk_manual_create(&r->zk, path, text, ZK_CREATE_EPHEMERAL), STATUS_OK);
	free(text);
}

static void rig_unregister(struct rig *r, int32_t id)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_broker(id, path);
	ck_assert_int_eq(zk_manual_delete(&r->zk, path), STATUS_OK);
}

struct answer {
	struct failure f;
	bool done, pending;
	struct uuid id;
};

static void created(void *arg, const struct failure *f, bool pending, const struct uuid *id)
{
	*(struct answer *)arg = (struct answer){.f = *f, .done = true, .pending = pending, .id = *id};
}

static void edited(void *arg, const struct failure *f)
{
	*(struct answer *)arg = (struct answer){.f = *f, .done = true};
}

static struct answer rig_create(struct rig *r, const char *topic, int32_t partitions, int32_t factor, bool pend)
{
	struct topic_create_request request = {.topic = topic, .partitions = partitions, .replication_factor = factor,
		.pend_if_short = pend};
	struct answer a = {0};
	topic_admin_create(r->zk.other, &request, created, &a);
	zk_manual_run(&r->zk);
	ck_assert(a.done);
	return a;
}

static struct answer rig_delete(struct rig *r, const char *topic)
{
	struct answer a = {0};
	topic_admin_delete(r->zk.other, topic, edited, &a);
	zk_manual_run(&r->zk);
	ck_assert(a.done);
	return a;
}

static int32_t leader_of(struct rig *r, const char *topic, int32_t partition, int32_t *ret_epoch)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_state(topic, partition, path);
	struct zk_manual_node n = zk_manual_get(&r->zk, path);
	if (n.status != STATUS_OK)
		return -2;
	struct zk_schema_state s;
	ck_assert_int_eq(zk_schema_state_decode(path, slice_of_str(n.data), &s, NULL), STATUS_OK);
	int32_t leader = s.leader;
	*ret_epoch = s.leader_epoch;
	zk_schema_state_fini(&s);
	return leader;
}

/* --- cases ---------------------------------------------------------------- */

START_TEST(controller_elected_on_an_empty_ensemble_lays_kafkas_paths)
{
	static struct rig r;
	rig_init(&r);
	struct controller *c = rig_controller(&r, 0, r.zk.client, 1);
	ck_assert(controller_is_active(c));
	for (size_t i = 0; zk_schema_persistent_paths[i] != NULL; i++) {
		struct zk_manual_node n = zk_manual_get(&r.zk, zk_schema_persistent_paths[i]);
		ck_assert_msg(n.status == STATUS_OK && n.null_data, "%s", zk_schema_persistent_paths[i]);
	}
	struct zk_manual_node n = zk_manual_get(&r.zk, "/feature");
	ck_assert_str_eq(n.data, "{\"features\":{},\"version\":2,\"status\":1}");
	ck_assert_str_eq(zk_manual_get(&r.zk, "/controller_epoch").data, "1");
	rig_fini(&r);
}
END_TEST

START_TEST(controller_gives_a_created_topic_its_leaders)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	ck_assert_str_eq(r.brokers[1].heard, "F");
	ck_assert_int_eq(rig_create(&r, "t", 3, 1, false).f.status, STATUS_OK);
	ck_assert_str_eq(r.brokers[1].heard, "FLM");
	ck_assert_uint_eq(r.brokers[1].led, 3);
	ck_assert_int_eq(leader_of(&r, "t", 2, &epoch), 1);
	ck_assert_int_eq(epoch, 0);
	struct zk_manual_node n = zk_manual_get(&r.zk, "/brokers/topics/t/partitions/0/state");
	ck_assert_str_eq(n.data, "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1]}");
	ck_assert_int_eq(n.stat.version, 0);
	ck_assert(zk_manual_get(&r.zk, "/brokers/topics/t/partitions").null_data);
	ck_assert_str_eq(zk_manual_get(&r.zk, "/config/topics/t").data, "{\"version\":1,\"config\":{}}");
	rig_fini(&r);
}
END_TEST

START_TEST(controller_makes_a_thousand_partitions_in_a_handful_of_multis)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	ck_assert_int_eq(rig_create(&r, "big", 1000, 1, false).f.status, STATUS_OK);
	ck_assert_uint_eq(r.brokers[1].led, 1000);
	ck_assert_uint_le(r.calls, 1 + 2 * 5); /* 2001 nodes, 500 to a multi; each brings roles and picture */
	ck_assert_int_eq(leader_of(&r, "big", 999, &epoch), 1);
	ck_assert_int_eq(rig_delete(&r, "big").f.status, STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/brokers/topics/big").status, STATUS_NOT_FOUND);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_takes_leadership_off_a_dead_broker_and_gives_it_back)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	(void)rig_create(&r, "t", 1, 1, false);
	rig_unregister(&r, 1);
	ck_assert_int_eq(leader_of(&r, "t", 0, &epoch), -1);
	ck_assert_int_eq(epoch, 1);
	r.brokers[1].heard[0] = '\0';
	rig_register(&r, 1);
	ck_assert_int_eq(leader_of(&r, "t", 0, &epoch), 1);
	ck_assert_int_eq(epoch, 2);
	ck_assert_msg(strncmp(r.brokers[1].heard, "FL", 2) == 0, "%s", r.brokers[1].heard);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_deletes_a_topic_to_the_last_znode)
{
	static struct rig r;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	rig_register(&r, 2);
	(void)rig_create(&r, "t", 2, 2, false);
	rig_unregister(&r, 2);
	ck_assert_int_eq(rig_delete(&r, "t").f.status, STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/admin/delete_topics/t").status, STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/brokers/topics/t").status, STATUS_OK);
	rig_register(&r, 2);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/admin/delete_topics/t").status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/brokers/topics/t").status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/config/topics/t").status, STATUS_NOT_FOUND);
	/* The name is free again, and is another topic. */
	ck_assert_int_eq(rig_create(&r, "t", 1, 1, false).f.status, STATUS_OK);
	int32_t epoch;
	ck_assert_int_ge(leader_of(&r, "t", 0, &epoch), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_places_a_pending_topic_when_enough_brokers_joined)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	/* Asked for before any process of the cluster has ever run. */
	struct answer a = rig_create(&r, "t", 2, 2, true);
	ck_assert(a.f.status == STATUS_OK && a.pending);
	(void)rig_controller(&r, 0, r.zk.client, 9);
	rig_register(&r, 1);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/brokers/topics/t").status, STATUS_NOT_FOUND);
	rig_register(&r, 2);
	ck_assert_int_eq(zk_manual_get(&r.zk, "/correio/pending_topics/t").status, STATUS_NOT_FOUND);
	ck_assert_int_ge(leader_of(&r, "t", 0, &epoch), 1);
	ck_assert_uint_eq(r.brokers[1].led + r.brokers[2].led, 2);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_purges_old_changes_of_configuration)
{
	static struct rig r;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	(void)rig_create(&r, "t", 1, 1, false);
	r.brokers[1].heard[0] = '\0';
	memset(r.brokers[1].heard, 0, HEARD_MAX);
	struct topic_config_entry entry = {.key = "retention.ms", .value = "1000"};
	for (int i = 0; i < 2; i++) {
		struct answer a = {0};
		topic_admin_alter_configs(r.zk.other, "t", &entry, 1, false, edited, &a);
		zk_manual_run(&r.zk);
		ck_assert(a.done && a.f.status == STATUS_OK);
		if (i == 0)
			zk_manual_advance(&r.zk, 16 * 60 * 1000);
	}
	ck_assert_str_eq(r.brokers[1].heard, ""); /* brokers see for themselves */
	ck_assert_int_eq(zk_manual_get(&r.zk, "/config/changes/config_change_0000000000").status, STATUS_NOT_FOUND);
	ck_assert_str_eq(zk_manual_get(&r.zk, "/config/changes/config_change_0000000001").data,
		"{\"version\":2,\"entity_path\":\"topics/t\"}");
	rig_fini(&r);
}
END_TEST

START_TEST(controller_adds_partitions)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	(void)rig_create(&r, "t", 1, 1, false);
	struct answer a = {0};
	topic_admin_add_partitions(r.zk.other, "t", 3, NULL, 0, false, edited, &a);
	zk_manual_run(&r.zk);
	ck_assert(a.done && a.f.status == STATUS_OK);
	ck_assert_int_eq(leader_of(&r, "t", 2, &epoch), 1);
	ck_assert_uint_eq(r.brokers[1].led, 3);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_hands_over_to_a_stand_by_that_reads_everything)
{
	static struct rig r;
	rig_init(&r);
	struct controller *first = rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	(void)rig_create(&r, "t", 2, 1, false);
	struct zk_client *standby = zk_manual_open(&r.zk);
	zk_manual_run(&r.zk);
	struct controller *second = rig_controller(&r, 1, standby, 2);
	ck_assert(!controller_is_active(second));
	memset(&r.brokers[1], 0, sizeof r.brokers[1]);
	bool done = false;
	controller_stop(first, stopped, &done);
	zk_manual_run(&r.zk);
	ck_assert(done && !controller_is_active(first) && controller_is_active(second));
	ck_assert_str_eq(r.brokers[1].heard, "FL");
	ck_assert_int_eq(r.brokers[1].controller_epoch, 2);
	ck_assert_uint_eq(r.brokers[1].led, 2);
	controller_free(second);
	r.controllers[1] = NULL;
	zk_manual_close(&r.zk, standby);
	rig_fini(&r);
}
END_TEST

/* Stopped at every point of a creation, from the first step on: the next controller finishes it. */
START_TEST(controller_killed_anywhere_in_a_creation_is_finished_by_the_next)
{
	for (unsigned steps = 0; steps < 200; steps += 3) {
		static struct rig r;
		int32_t epoch;
		rig_init(&r);
		struct zk_client *mortal = zk_manual_open(&r.zk);
		zk_manual_run(&r.zk);
		(void)rig_controller(&r, 0, mortal, 1);
		rig_register(&r, 1);
		struct topic_create_request request = {.topic = "t", .partitions = 5, .replication_factor = 1};
		struct answer a = {0};
		topic_admin_create(r.zk.other, &request, created, &a);
		for (unsigned i = 0; i < steps && manual_scheduler_step(r.zk.loop); i++)
			;
		zk_standalone_expire(mortal);
		controller_free(r.controllers[0]);
		r.controllers[0] = NULL;
		zk_manual_run(&r.zk);
		(void)rig_controller(&r, 0, r.zk.client, 2);
		zk_manual_advance(&r.zk, 5000);
		ck_assert(a.done && a.f.status == STATUS_OK);
		for (int32_t p = 0; p < 5; p++)
			ck_assert_msg(leader_of(&r, "t", p, &epoch) == 1, "step %u partition %d", steps, p);
		zk_manual_close(&r.zk, mortal);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(controller_killed_anywhere_in_a_deletion_is_finished_by_the_next)
{
	for (unsigned steps = 0; steps < 200; steps += 3) {
		static struct rig r;
		rig_init(&r);
		struct zk_client *mortal = zk_manual_open(&r.zk);
		zk_manual_run(&r.zk);
		(void)rig_controller(&r, 0, mortal, 1);
		rig_register(&r, 1);
		(void)rig_create(&r, "t", 3, 1, false);
		struct answer a = {0};
		topic_admin_delete(r.zk.other, "t", edited, &a);
		for (unsigned i = 0; i < steps && manual_scheduler_step(r.zk.loop); i++)
			;
		zk_standalone_expire(mortal);
		controller_free(r.controllers[0]);
		r.controllers[0] = NULL;
		zk_manual_run(&r.zk);
		(void)rig_controller(&r, 0, r.zk.client, 2);
		zk_manual_advance(&r.zk, 5000);
		ck_assert(a.done && a.f.status == STATUS_OK);
		ck_assert_msg(zk_manual_get(&r.zk, "/brokers/topics/t").status == STATUS_NOT_FOUND, "step %u", steps);
		ck_assert_msg(zk_manual_get(&r.zk, "/admin/delete_topics/t").status == STATUS_NOT_FOUND, "step %u", steps);
		ck_assert_msg(zk_manual_get(&r.zk, "/config/topics/t").status == STATUS_NOT_FOUND, "step %u", steps);
		zk_manual_close(&r.zk, mortal);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(controller_that_lost_its_seat_unknowingly_changes_nothing)
{
	static struct rig r;
	rig_init(&r);
	struct controller *c = rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	/* Another took the epoch; our watch has not told us. */
	enum status set = STATUS_COUNT;
	zk_set(r.zk.other, "/controller_epoch", slice_of_str("9"), ZK_ANY_VERSION, zk_manual_set_done, &set);
	struct topic_create_request request = {.topic = "t", .partitions = 1, .replication_factor = 1};
	struct answer a = {0};
	topic_admin_create(r.zk.other, &request, created, &a);
	zk_manual_run(&r.zk);
	int32_t epoch;
	ck_assert(set == STATUS_OK && a.done && a.f.status == STATUS_OK);
	ck_assert_int_eq(leader_of(&r, "t", 0, &epoch), -2);
	ck_assert(!controller_is_active(c));
	rig_fini(&r);
}
END_TEST

START_TEST(controller_survives_lost_connections_at_any_step)
{
	for (unsigned steps = 0; steps < 120; steps += 5) {
		static struct rig r;
		int32_t epoch;
		rig_init(&r);
		(void)rig_controller(&r, 0, r.zk.client, 1);
		rig_register(&r, 1);
		struct topic_create_request request = {.topic = "t", .partitions = 4, .replication_factor = 1};
		struct answer a = {0};
		topic_admin_create(r.zk.other, &request, created, &a);
		for (unsigned i = 0; i < steps && manual_scheduler_step(r.zk.loop); i++)
			;
		zk_standalone_disconnect(r.zk.client);
		zk_manual_advance(&r.zk, 500);
		zk_standalone_connect(r.zk.client);
		zk_manual_advance(&r.zk, 20000);
		ck_assert(controller_is_active(r.controllers[0]));
		for (int32_t p = 0; p < 4; p++)
			ck_assert_msg(leader_of(&r, "t", p, &epoch) == 1, "step %u partition %d", steps, p);
		ck_assert_uint_ge(r.brokers[1].led, 4);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(controller_resigns_at_once_when_its_session_expires)
{
	static struct rig r;
	rig_init(&r);
	struct zk_client *mortal = zk_manual_open(&r.zk);
	zk_manual_run(&r.zk);
	struct controller *c = rig_controller(&r, 0, mortal, 1);
	ck_assert(controller_is_active(c));
	zk_standalone_expire(mortal);
	zk_manual_run(&r.zk);
	ck_assert(!controller_is_active(c));
	zk_client_reconnect(mortal);
	zk_manual_advance(&r.zk, 5000);
	ck_assert(controller_is_active(c));
	ck_assert_str_eq(zk_manual_get(&r.zk, "/controller_epoch").data, "2");
	controller_free(c);
	r.controllers[0] = NULL;
	zk_manual_close(&r.zk, mortal);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_takes_the_seat_of_its_own_dead_predecessor)
{
	static struct rig r;
	rig_init(&r);
	struct zk_client *dead = zk_manual_open(&r.zk);
	zk_manual_run(&r.zk);
	struct controller *before = rig_controller(&r, 0, dead, 1);
	controller_free(before); /* killed: its session lives on */
	struct controller *c = rig_controller(&r, 0, r.zk.client, 1);
	zk_manual_advance(&r.zk, 1000);
	ck_assert(!controller_is_active(c)); /* it could be another process of that id, alive */
	controller_claim_id(c);
	zk_manual_run(&r.zk);
	ck_assert(controller_is_active(c));
	ck_assert_str_eq(zk_manual_get(&r.zk, "/controller_epoch").data, "2");
	zk_manual_close(&r.zk, dead);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_honours_the_legacy_election_order_and_deletes_it)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	(void)rig_create(&r, "t", 1, 1, false);
	ck_assert_int_eq(zk_manual_create(&r.zk, ZK_SCHEMA_PREFERRED_ELECTION,
				 "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}", 0),
		STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, ZK_SCHEMA_PREFERRED_ELECTION).status, STATUS_NOT_FOUND);
	ck_assert_int_eq(leader_of(&r, "t", 0, &epoch), 1);
	ck_assert_int_eq(epoch, 0);
	ck_assert_int_eq(zk_manual_create(&r.zk, ZK_SCHEMA_PREFERRED_ELECTION, "garbage", 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, ZK_SCHEMA_PREFERRED_ELECTION).status, STATUS_NOT_FOUND);
	ck_assert_int_eq(zk_manual_create(&r.zk, ZK_SCHEMA_REASSIGN_PARTITIONS, "{}", 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_get(&r.zk, ZK_SCHEMA_REASSIGN_PARTITIONS).status, STATUS_OK);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_skips_what_it_cannot_read_and_serves_the_rest)
{
	static struct rig r;
	int32_t epoch;
	rig_init(&r);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/topics", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/ids", NULL, 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/topics/broken", "{\"partitions\":7}", 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/topics/no,name", "{}", 0), STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/topics/good", "{\"version\":1,\"partitions\":{\"0\":[1]}}", 0),
		STATUS_OK);
	ck_assert_int_eq(zk_manual_create(&r.zk, "/brokers/ids/3", "rubbish", ZK_CREATE_EPHEMERAL), STATUS_OK);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	ck_assert(controller_is_active(r.controllers[0]));
	rig_register(&r, 1);
	ck_assert_int_eq(leader_of(&r, "good", 0, &epoch), 1);
	/* It had no id. */
	struct zk_manual_node n = zk_manual_get(&r.zk, "/brokers/topics/good");
	ck_assert_msg(strstr(n.data, "topic_id") != NULL && n.stat.version == 1, "%s", n.data);
	/* Mended, it is served as well. */
	ck_assert_int_eq(zk_manual_set(&r.zk, "/brokers/topics/broken", "{\"version\":1,\"partitions\":{\"0\":[1]}}"),
		STATUS_OK);
	ck_assert_int_eq(leader_of(&r, "broken", 0, &epoch), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(controller_does_not_drown_in_a_broker_that_answers_nothing)
{
	static struct rig r;
	rig_init(&r);
	(void)rig_controller(&r, 0, r.zk.client, 1);
	rig_register(&r, 1);
	rig_register(&r, 2);
	r.brokers[2].mute = true;
	for (int i = 0; i < 2500; i++) { /* each topic is two requests at least */
		char name[32];
		snprintf(name, sizeof name, "topic-%d", i);
		ck_assert_int_eq(rig_create(&r, name, 1, 1, false).f.status, STATUS_OK);
	}
	ck_assert_uint_ge(r.brokers[1].led, 1000);
	rig_fini(&r);
}
END_TEST

UNIT_MAIN("controller", controller_elected_on_an_empty_ensemble_lays_kafkas_paths,
	controller_gives_a_created_topic_its_leaders, controller_makes_a_thousand_partitions_in_a_handful_of_multis,
	controller_takes_leadership_off_a_dead_broker_and_gives_it_back, controller_deletes_a_topic_to_the_last_znode,
	controller_places_a_pending_topic_when_enough_brokers_joined,
	controller_purges_old_changes_of_configuration, controller_adds_partitions,
	controller_hands_over_to_a_stand_by_that_reads_everything,
	controller_killed_anywhere_in_a_creation_is_finished_by_the_next,
	controller_killed_anywhere_in_a_deletion_is_finished_by_the_next,
	controller_that_lost_its_seat_unknowingly_changes_nothing, controller_survives_lost_connections_at_any_step,
	controller_resigns_at_once_when_its_session_expires, controller_takes_the_seat_of_its_own_dead_predecessor, controller_honours_the_legacy_election_order_and_deletes_it,
	controller_skips_what_it_cannot_read_and_serves_the_rest,
	controller_does_not_drown_in_a_broker_that_answers_nothing)
