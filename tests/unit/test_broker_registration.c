/* cluster_identity and broker_registration on the in-process ZooKeeper: who may be whom. */
#include "base/diag.h"
#include "cluster/broker_registration.h"
#include "cluster/cluster_identity.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_standalone.h"
#include "tests/unit/unit.h"

static struct manual_clock clock_;
static struct manual_scheduler *loop;
static struct zk_tree *tree;
static struct random dice;

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void run(void)
{
	manual_scheduler_run(loop);
}

static void advance_ms(int64_t ms)
{
	manual_scheduler_advance_us(loop, ms * 1000);
}

/* One process: its session, renewed after expiry as the composition root does, and its registration. */
struct process {
	struct zk_client *zk;
	struct broker_registration *registration;
	int registrations;
	int64_t broker_epoch;
	struct failure failure;
	int failures;
	enum probe_result probe;
	int probes;
	char probed[64];
	bool stopped;
};

static void state_changed(void *arg, enum zk_state state)
{
	struct process *p = arg;
	if (state == ZK_STATE_EXPIRED)
		zk_client_reconnect(p->zk);
}

static void connect_process(struct process *p)
{
	*p = (struct process){.broker_epoch = -1, .probe = PROBE_ALIVE};
	p->zk = zk_standalone_open(tree, manual_scheduler_scheduler(loop), NULL, NULL, state_changed, p);
	run();
	ck_assert_int_eq(p->zk->state, ZK_STATE_CONNECTED);
}

static void begin(void)
{
	diag_set_sink(quiet, NULL);
	random_seed(&dice, 3);
	manual_clock_init(&clock_, 1000 * 1000, 1700000000000);
	loop = manual_scheduler_new(&clock_);
	ck_assert_int_eq(zk_tree_open(NULL, &clock_.clock, &tree, NULL), STATUS_OK);
}

static void closed(void *arg)
{
	*(bool *)arg = true;
}

static void disconnect_process(struct process *p)
{
	bool done = false;
	zk_client_close(p->zk, closed, &done);
	run();
	ck_assert(done);
	broker_registration_free(p->registration);
	zk_standalone_free(p->zk);
}

static void end(void)
{
	zk_tree_free(tree);
	manual_scheduler_free(loop);
}

/* --- identity ------------------------------------------------------------------------------------------------------------- */

struct settled {
	int calls;
	struct failure failure;
	char cluster_id[64];
	int32_t broker_id;
};

static void settled(void *arg, const struct failure *f, const char *cluster_id, int32_t broker_id)
{
	struct settled *s = arg;
	s->calls++;
	s->failure = *f;
	s->broker_id = broker_id;
	snprintf(s->cluster_id, sizeof(s->cluster_id), "%s", cluster_id == NULL ? "" : cluster_id);
}

static struct settled settle(struct process *p, const char *found_cluster_id, int32_t found, int32_t configured)
{
	struct settled s = {0};
	cluster_identity_settle(
		&(struct cluster_identity_options){
			.zk = p->zk,
			.random = &dice,
			.connect = "zk:2181/c",
			.found_cluster_id = found_cluster_id,
			.found_broker_id = found,
			.configured_broker_id = configured,
			.broker_id_generation_enable = true,
			.reserved_broker_max_id = 1000,
			.timeout_ms = 30000,
		},
		settled, &s);
	advance_ms(1000);
	ck_assert_int_eq(s.calls, 1);
	return s;
}

struct got {
	bool done;
	enum status status;
	char data[512];
	struct zk_stat stat;
};

static void got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct got *g = arg;
	g->done = true;
	g->status = s;
	if (s == STATUS_OK) {
		snprintf(g->data, sizeof(g->data), "%.*s", (int)data.n, data.p == NULL ? "" : (const char *)data.p);
		g->stat = *stat;
	}
}

static struct got get(struct process *p, const char *path)
{
	struct got g = {0};
	zk_get(p->zk, path, NULL, got, &g);
	for (int i = 0; i < 10 && !g.done; i++) {
		run();
		if (p->zk->state != ZK_STATE_CONNECTED)
			zk_standalone_connect(p->zk); /* a cut the test had planned */
		advance_ms(100);
	}
	ck_assert(g.done);
	return g;
}

START_TEST(cluster_identity_first_broker_makes_it_and_the_next_reads_it)
{
	begin();
	struct process p;
	connect_process(&p);
	struct settled first = settle(&p, NULL, -1, 1);
	ck_assert_int_eq(first.failure.status, STATUS_OK);
	ck_assert_int_eq(first.broker_id, 1);
	ck_assert_uint_eq(strlen(first.cluster_id), 22);
	char payload[96];
	snprintf(payload, sizeof(payload), "{\"version\":\"1\",\"id\":\"%s\"}", first.cluster_id);
	ck_assert_str_eq(get(&p, "/cluster/id").data, payload);
	for (size_t i = 0; zk_schema_persistent_paths[i] != NULL; i++)
		ck_assert_int_eq(get(&p, zk_schema_persistent_paths[i]).status, STATUS_OK);
	struct settled next = settle(&p, NULL, -1, 2);
	ck_assert_str_eq(next.cluster_id, first.cluster_id);
	struct settled again = settle(&p, first.cluster_id, 1, 1);
	ck_assert_int_eq(again.failure.status, STATUS_OK);
	ck_assert_int_eq(again.broker_id, 1);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(cluster_identity_wiped_ensemble_is_refused_and_left_alone)
{
	begin();
	struct process p;
	connect_process(&p);
	struct settled s = settle(&p, "AAAAAAAAAAAAAAAAAAAAAA", 1, 1);
	ck_assert_int_eq(s.failure.status, STATUS_INCONSISTENT_CLUSTER_ID);
	ck_assert_ptr_nonnull(strstr(s.failure.text, "AAAAAAAAAAAAAAAAAAAAAA"));
	ck_assert_ptr_nonnull(strstr(s.failure.text, "zk:2181/c"));
	ck_assert_int_eq(get(&p, "/cluster").status, STATUS_NOT_FOUND);
	ck_assert_int_eq(get(&p, "/brokers").status, STATUS_NOT_FOUND);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(cluster_identity_other_cluster_is_refused)
{
	begin();
	struct process p;
	connect_process(&p);
	struct settled theirs = settle(&p, NULL, -1, 1);
	struct settled s = settle(&p, "AAAAAAAAAAAAAAAAAAAAAA", 1, 1);
	ck_assert_int_eq(s.failure.status, STATUS_INCONSISTENT_CLUSTER_ID);
	ck_assert_ptr_nonnull(strstr(s.failure.text, theirs.cluster_id));
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(cluster_identity_broker_ids)
{
	begin();
	struct process p;
	connect_process(&p);
	ck_assert_int_eq(settle(&p, NULL, -1, -1).broker_id, 1001);
	ck_assert_int_eq(settle(&p, NULL, -1, -1).broker_id, 1002);
	ck_assert_int_eq(settle(&p, NULL, 7, -1).broker_id, 7);
	struct settled s = settle(&p, NULL, 7, 8);
	ck_assert_int_eq(s.failure.status, STATUS_INVALID_CONFIG);
	ck_assert_int_eq(s.broker_id, -1);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(cluster_identity_survives_lost_connections)
{
	for (unsigned at = 1; at < 60; at += 3) {
		begin();
		struct process p;
		connect_process(&p);
		struct settled s = {0};
		zk_standalone_cut_at(p.zk, at, at % 2 == 0);
		cluster_identity_settle(
			&(struct cluster_identity_options){.zk = p.zk, .random = &dice, .found_broker_id = -1,
				.configured_broker_id = 4, .timeout_ms = 10000},
			settled, &s);
		run();
		zk_standalone_connect(p.zk);
		advance_ms(2000);
		ck_assert_int_eq(s.calls, 1);
		ck_assert_int_eq(s.failure.status, STATUS_OK);
		ck_assert_int_eq(s.broker_id, 4);
		ck_assert_int_eq(get(&p, "/correio/pending_topics").status, STATUS_OK);
		disconnect_process(&p);
		end();
	}
}
END_TEST

START_TEST(cluster_identity_gives_up_without_an_ensemble)
{
	begin();
	struct process p;
	connect_process(&p);
	zk_standalone_disconnect(p.zk);
	struct settled s = {0};
	cluster_identity_settle(
		&(struct cluster_identity_options){.zk = p.zk, .random = &dice, .connect = "zk:2181", .found_broker_id = -1,
			.configured_broker_id = 4, .timeout_ms = 1000},
		settled, &s);
	advance_ms(60 * 1000);
	ck_assert_int_eq(s.calls, 1);
	ck_assert_int_eq(s.failure.status, STATUS_REQUEST_TIMED_OUT);
	disconnect_process(&p);
	end();
}
END_TEST

/* --- registration --------------------------------------------------------------------------------------------------------- */

static void registered(void *arg, int64_t broker_epoch)
{
	struct process *p = arg;
	p->registrations++;
	p->broker_epoch = broker_epoch;
}

static void failed(void *arg, const struct failure *f)
{
	struct process *p = arg;
	p->failures++;
	p->failure = *f;
}

static void probe(void *arg, const char *host, int32_t port, void (*done)(void *done_arg, enum probe_result r), void *done_arg)
{
	struct process *p = arg;
	p->probes++;
	snprintf(p->probed, sizeof(p->probed), "%s:%d", host, (int)port);
	done(done_arg, p->probe);
}

static void prepare(struct process *p, int32_t broker_id, int32_t port, bool bound)
{
	struct registration_endpoint endpoint = {"PLAINTEXT", "PLAINTEXT", "127.0.0.1", port};
	p->registration = broker_registration_new(&(struct broker_registration_options){
		.zk = p->zk,
		.broker_id = broker_id,
		.endpoints = &endpoint,
		.endpoint_count = 1,
		.rack = "r1",
		.endpoints_bound = bound,
		.probe = probe,
		.registered = registered,
		.failed = failed,
		.arg = p,
	});
}

static void start(struct process *p, int32_t broker_id, int32_t port, bool bound)
{
	connect_process(p);
	ck_assert_int_eq(settle(p, NULL, -1, broker_id).failure.status, STATUS_OK);
	prepare(p, broker_id, port, bound);
	broker_registration_start(p->registration);
	advance_ms(300);
}

START_TEST(broker_registration_writes_kafkas_node_and_learns_its_epoch)
{
	begin();
	struct process p;
	start(&p, 1, 9092, true);
	ck_assert_int_eq(p.registrations, 1);
	struct got g = get(&p, "/brokers/ids/1");
	ck_assert_str_eq(g.data,
		"{\"features\":{},\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},\"endpoints\":[\"PLAINTEXT://"
		"127.0.0.1:9092\"],\"rack\":\"r1\",\"jmx_port\":-1,\"port\":9092,\"host\":\"127.0.0.1\",\"version\":5,"
		"\"timestamp\":\"1700000001000\"}");
	ck_assert_int_eq(g.stat.czxid, p.broker_epoch);
	ck_assert_int_eq(g.stat.version, 1);
	ck_assert_int_eq(g.stat.ephemeral_owner, p.zk->session_id);
	advance_ms(60 * 1000);
	ck_assert_int_eq(p.registrations, 1);

	broker_registration_stop(p.registration, closed, &p.stopped);
	run();
	ck_assert(p.stopped);
	ck_assert_int_eq(get(&p, "/brokers/ids/1").status, STATUS_NOT_FOUND);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(broker_registration_comes_back_after_each_expiry)
{
	begin();
	struct process p;
	start(&p, 1, 9092, true);
	for (int i = 0; i < 20; i++) {
		int64_t before = p.broker_epoch;
		zk_standalone_expire(p.zk);
		advance_ms(1000);
		ck_assert_int_eq(p.registrations, i + 2);
		ck_assert_int_gt(p.broker_epoch, before);
		ck_assert_int_eq(get(&p, "/brokers/ids/1").stat.czxid, p.broker_epoch);
	}
	ck_assert_int_eq(p.failures, 0);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(broker_registration_survives_lost_connections)
{
	for (unsigned at = 1; at < 8; at++) {
		for (int applied = 0; applied < 2; applied++) {
			begin();
			struct process p;
			connect_process(&p);
			ck_assert_int_eq(settle(&p, NULL, -1, 1).failure.status, STATUS_OK);
			prepare(&p, 1, 9092, true);
			zk_standalone_cut_at(p.zk, at, applied == 1);
			broker_registration_start(p.registration);
			run();
			zk_standalone_connect(p.zk);
			advance_ms(1000);
			for (int i = 0; i < 8; i++)
				(void)get(&p, "/"); /* the cut comes at the latest now */
			advance_ms(1000);
			ck_assert_int_ge(p.registrations, 1);
			ck_assert_int_eq(p.failures, 0);
			ck_assert_int_eq(get(&p, "/brokers/ids/1").stat.czxid, p.broker_epoch);
			disconnect_process(&p);
			end();
		}
	}
}
END_TEST

/* A process that died; its session lives on for a while. */
static int64_t die_registered(int32_t broker_id, int32_t port)
{
	struct process p;
	start(&p, broker_id, port, true);
	ck_assert_int_eq(p.registrations, 1);
	int64_t session = p.zk->session_id;
	manual_scheduler_drop_all(loop);
	broker_registration_free(p.registration);
	zk_standalone_crash(p.zk);
	return session;
}

START_TEST(broker_registration_replaces_a_dead_predecessor_at_once)
{
	for (int bound = 0; bound < 2; bound++) {
		begin();
		int64_t session = die_registered(1, 9092);
		struct process p;
		connect_process(&p);
		p.probe = PROBE_REFUSED;
		prepare(&p, 1, bound ? 9092 : 9099, bound == 1);
		broker_registration_start(p.registration);
		run(); /* no time passes */
		ck_assert_int_eq(p.registrations, 1);
		ck_assert_int_eq(p.probes, bound ? 0 : 1);
		if (!bound)
			ck_assert_str_eq(p.probed, "127.0.0.1:9092");
		zk_standalone_expire_session(tree, session);
		advance_ms(1000);
		ck_assert_int_eq(get(&p, "/brokers/ids/1").stat.ephemeral_owner, p.zk->session_id);
		disconnect_process(&p);
		end();
	}
}
END_TEST

START_TEST(broker_registration_refuses_to_replace_a_live_broker)
{
	begin();
	struct process a, b;
	start(&a, 1, 9092, true);
	start(&b, 1, 9099, true);
	ck_assert_int_eq(b.failures, 1);
	ck_assert_int_eq(b.failure.status, STATUS_EXISTS);
	ck_assert_ptr_nonnull(strstr(b.failure.text, "127.0.0.1:9092"));
	ck_assert_int_eq(b.registrations, 0);
	advance_ms(1000);
	ck_assert_int_eq(a.registrations, 1);
	ck_assert_int_eq(get(&a, "/brokers/ids/1").stat.czxid, a.broker_epoch);
	disconnect_process(&b);
	disconnect_process(&a);
	end();
}
END_TEST

START_TEST(broker_registration_waits_for_one_that_cannot_be_asked)
{
	for (int expires = 0; expires < 2; expires++) {
		begin();
		int64_t session = die_registered(1, 9092);
		struct process p;
		connect_process(&p);
		p.probe = PROBE_UNKNOWN;
		prepare(&p, 1, 9099, true);
		broker_registration_start(p.registration);
		advance_ms(5000);
		ck_assert_int_eq(p.registrations + p.failures, 0);
		if (expires)
			zk_standalone_expire_session(tree, session);
		advance_ms(ZK_STANDALONE_TIMEOUT_MS * 2);
		ck_assert_int_eq(p.registrations, expires);
		ck_assert_int_eq(p.failures, 1 - expires);
		disconnect_process(&p);
		zk_standalone_expire_session(tree, session);
		end();
	}
}
END_TEST

START_TEST(broker_registration_refuses_an_endpoint_of_another_broker)
{
	begin();
	struct process a, b;
	start(&a, 1, 9092, true);
	start(&b, 2, 9092, false);
	ck_assert_int_eq(b.registrations + b.failures, 0); /* perhaps it is about to vanish */
	advance_ms(ZK_STANDALONE_TIMEOUT_MS * 2);
	ck_assert_int_eq(b.failures, 1);
	ck_assert_ptr_nonnull(strstr(b.failure.text, "broker 1"));
	ck_assert_int_eq(get(&a, "/brokers/ids/2").status, STATUS_NOT_FOUND);
	disconnect_process(&b);
	disconnect_process(&a);
	end();
}
END_TEST

START_TEST(broker_registration_stops_when_it_was_replaced)
{
	begin();
	struct process a, b;
	start(&a, 1, 9092, true);
	start(&b, 1, 9092, true); /* claims the same address: the later one wins, the earlier one must not fight back */
	advance_ms(1000);
	ck_assert_int_eq(b.registrations, 1);
	ck_assert_int_eq(a.failures, 1);
	ck_assert_int_eq(a.failure.status, STATUS_EXISTS);
	advance_ms(60 * 1000);
	ck_assert_int_eq(get(&a, "/brokers/ids/1").stat.ephemeral_owner, b.zk->session_id);
	ck_assert_int_eq(a.registrations, 1);
	disconnect_process(&b);
	disconnect_process(&a);
	end();
}
END_TEST

static void removed(void *arg, enum status s)
{
	*(bool *)arg = s == STATUS_OK;
}

START_TEST(broker_registration_writes_a_node_somebody_deleted_again)
{
	begin();
	struct process p;
	start(&p, 1, 9092, true);
	bool done = false;
	int64_t before = p.broker_epoch;
	zk_delete(p.zk, "/brokers/ids/1", ZK_ANY_VERSION, removed, &done);
	advance_ms(1000);
	ck_assert(done);
	ck_assert_int_eq(p.registrations, 2);
	ck_assert_int_gt(p.broker_epoch, before);
	disconnect_process(&p);
	end();
}
END_TEST

START_TEST(broker_registration_stopped_while_trying_leaves_nothing)
{
	for (unsigned steps = 0; steps < 12; steps++) {
		begin();
		struct process p;
		connect_process(&p);
		ck_assert_int_eq(settle(&p, NULL, -1, 1).failure.status, STATUS_OK);
		prepare(&p, 1, 9092, true);
		broker_registration_start(p.registration);
		for (unsigned i = 0; i < steps; i++)
			(void)manual_scheduler_step(loop);
		broker_registration_stop(p.registration, closed, &p.stopped);
		run();
		ck_assert(p.stopped);
		ck_assert_int_eq(get(&p, "/brokers/ids/1").status, STATUS_NOT_FOUND);
		disconnect_process(&p);
		end();
	}
}
END_TEST

UNIT_MAIN("broker_registration", cluster_identity_first_broker_makes_it_and_the_next_reads_it,
	cluster_identity_wiped_ensemble_is_refused_and_left_alone, cluster_identity_other_cluster_is_refused,
	cluster_identity_broker_ids, cluster_identity_survives_lost_connections, cluster_identity_gives_up_without_an_ensemble,
	broker_registration_writes_kafkas_node_and_learns_its_epoch, broker_registration_comes_back_after_each_expiry,
	broker_registration_survives_lost_connections, broker_registration_replaces_a_dead_predecessor_at_once,
	broker_registration_refuses_to_replace_a_live_broker, broker_registration_waits_for_one_that_cannot_be_asked,
	broker_registration_refuses_an_endpoint_of_another_broker, broker_registration_stops_when_it_was_replaced,
	broker_registration_writes_a_node_somebody_deleted_again, broker_registration_stopped_while_trying_leaves_nothing)
