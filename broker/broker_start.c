/* The start, step by step. Each step's answer comes on the cluster loop and begins the next. */
#include "broker_internal.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "broker_controller.h"
#include "broker_controller_link.h"
#include "broker_probe.h"
#include "coordinator/group_coordinator.h"
#include "coordinator/producer_ids.h"
#include "service/group_lag.h"

enum { CONNECT_WARN_US = 2 * 1000 * 1000 };

/* --- main thread, before the loops run ----------------------------------- */

static int place(void *arg, const struct topic_partition *tp)
{
	return loop_group_place(arg, tp);
}

static bool disk_full(void *arg)
{
	struct broker *b = CAST(broker, arg);
	return b->logs != NULL && log_manager_disk_full(b->logs);
}

/* A replica lost its log on its own loop; which directory that was is known on the cluster loop. */
struct broker_failed_log {
	struct task task;
	struct broker *broker;
	struct topic_partition tp;
	enum status why;
};

static void log_failed(struct task *t)
{
	struct broker_failed_log *f = CONTAINER_OF(t, struct broker_failed_log, task);
	int64_t high_watermark;
	struct log_manager *logs = f->broker->logs;
	struct partition_log *log = logs == NULL ? NULL : log_manager_find(logs, &f->tp, &high_watermark);
	if (log != NULL)
		log_manager_directory_failed(logs, partition_log_directory(log), f->why);
	free(f);
}

static void partition_failed(void *arg, const struct topic_partition *tp, enum status why)
{
	struct broker *b = CAST(broker, arg);
	diag_error("partition_offline", "topic=%s partition=%d cause=%s", tp->topic, tp->partition, status_name(why));
	if (why != STATUS_IO && why != STATUS_FENCED_LOG)
		return; /* damage of one log says nothing of its disk */
	struct broker_failed_log *f = check_calloc(1, sizeof(*f));
	*f = (struct broker_failed_log){.broker = b, .tp = *tp, .why = why};
	task_init(&f->task, "log_failed", log_failed);
	scheduler_post(b->cluster, &f->task);
}

static void directory_failed(void *arg, const char *directory, enum status why)
{
	(void)arg;
	diag_error("log_directory_offline", "directory=%s cause=%s next=\"replace the disk; the broker goes on with the others\"",
		directory, status_name(why));
}

/* One manager per loop, and the table by which cluster_state reaches them. */
static void make_replicas(struct broker *b)
{
	size_t n = (size_t)b->loop_count;
	replica_cleaner_slots_init(&b->cleaner_slots, b->settings);
	b->managers = check_calloc(n, sizeof(struct replica_manager *));
	b->hosts = check_calloc(n, sizeof(*b->hosts));
	b->holders = check_calloc(n + BROKER_MAIN_HOLDERS, sizeof(struct cluster_image_holder *));
	for (int i = 0; i < b->loop_count; i++) {
		struct scheduler *scheduler = loop_group_scheduler(b->loops, i);
		struct replica_manager_options o = {
			.scheduler = scheduler,
			.settings = b->settings,
			.broker_id = b->settings->broker_id,
			.cleaner_slots = &b->cleaner_slots,
			.disk_full = disk_full,
			.partition_failed = partition_failed,
			.arg = b,
		};
		b->managers[i] = replica_manager_new(&o);
		b->hosts[i] = (struct replica_host){
			.scheduler = scheduler, .execute = replica_manager_execute, .arg = b->managers[i]};
		b->holders[i] = cluster_image_holder_new(scheduler);
	}
	b->holders[b->loop_count] = cluster_image_holder_new(b->main);
	b->router = (struct replica_router){.managers = b->managers, .manager_count = n, .place = place, .arg = b->loops};
}

static void make_state(struct broker *b)
{
	struct cluster_state_options o = {
		.scheduler = b->cluster,
		.settings = b->settings,
		.hosts = {.hosts = b->hosts, .count = b->loop_count, .place = place, .place_arg = b->loops},
		.holders = b->holders,
		.holder_count = (size_t)b->loop_count + BROKER_MAIN_HOLDERS,
		.controller_changed = broker_controller_link_changed,
		.arg = b,
	};
	b->state = cluster_state_new(&o);
}

static enum status open_standalone(struct broker *b, struct failure *f)
{
	enum status made = disk_mkdir(disk_system(), b->options->standalone_directory);
	if (made != STATUS_OK && made != STATUS_EXISTS)
		return failure_set(f, STATUS_INVALID_CONFIG, "--standalone %s: the folder cannot be made: %s",
			b->options->standalone_directory, status_text(made));
	char *path = check_asprintf("%s/coordinator.journal", b->options->standalone_directory);
	b->journal = broker_journal_new(disk_system(), path);
	free(path);
	TRY(zk_tree_open(broker_journal_table(b->journal), clock_system(), &b->tree, f));
	b->zk = zk_standalone_open(b->tree, b->cluster, NULL, NULL, broker_start_zk_state, b);
	return STATUS_OK;
}

static enum status open_session(struct broker *b, struct failure *f)
{
	const struct settings *s = b->settings;
	struct zk_session_options o = {
		.connect = s->zookeeper_connect,
		.session_timeout_ms = s->zookeeper_session_timeout_ms,
		.digest = s->zookeeper_digest[0] == '\0' ? NULL : s->zookeeper_digest,
		.set_acl = s->zookeeper_set_acl,
		.state_changed = broker_start_zk_state,
		.state_arg = b,
	};
	return zk_session_open(b->cluster, &o, &b->zk, f);
}

static enum status open_logs(struct broker *b, struct failure *f)
{
	struct log_manager_options o = {
		.disk = disk_system(),
		.clock = clock_system(),
		.background = blocking_pool_background(b->pool),
		.scheduler = b->cluster,
		.settings = b->settings,
		.topic_settings = cluster_state_topic_settings,
		.directory_failed = directory_failed,
		.arg = b->state,
	};
	return log_manager_open(&o, &b->logs, f);
}

/* --- waiting for ZooKeeper ----------------------------------------------- */

static void connect_waited(struct loop_timer *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, connect_timer));
	if (broker_phase_of(b) != BROKER_CONNECTING || b->stop_requested)
		return;
	int64_t left_us = b->connect_deadline_us - clock_monotonic_us(b->cluster->clock);
	if (left_us > 0) {
		diag_warn("zookeeper_unreachable", "connect=%s next=\"trying on; is ZooKeeper running there?\"",
			b->settings->zookeeper_connect);
		scheduler_timer_arm(b->cluster, t, left_us < CONNECT_WARN_US ? left_us : CONNECT_WARN_US);
		return;
	}
	struct failure f;
	(void)failure_set(&f, STATUS_REQUEST_TIMED_OUT, "no answer from ZooKeeper at %s within "
		"zookeeper.connection.timeout.ms: check zookeeper.connect and that the ensemble runs", b->settings->zookeeper_connect);
	broker_stop_fail(b, BROKER_EXIT_FAILED, "zookeeper_unreachable", f.text);
}

static void wait_for_zookeeper(struct broker *b)
{
	int64_t timeout_ms = b->settings->zookeeper_connection_timeout_ms;
	if (timeout_ms == 0)
		timeout_ms = b->settings->zookeeper_session_timeout_ms;
	loop_timer_init(&b->connect_timer, "connect_wait", connect_waited);
	b->connect_deadline_us = clock_monotonic_us(b->cluster->clock) + timeout_ms * 1000;
	int64_t first_us = timeout_ms * 1000 < CONNECT_WARN_US ? timeout_ms * 1000 : CONNECT_WARN_US;
	scheduler_timer_arm(b->cluster, &b->connect_timer, first_us);
}

enum status broker_start_prepare(struct broker *b, struct failure *ret_failure)
{
	make_replicas(b);
	make_state(b);
	/* The session is being made while the directories are looked at. */
	wait_for_zookeeper(b);
	if (b->options->standalone_directory != NULL)
		TRY(open_standalone(b, ret_failure));
	else
		TRY(open_session(b, ret_failure));
	return open_logs(b, ret_failure);
}

/* --- registration -------------------------------------------------------- */

static void registered(void *arg, int64_t broker_epoch)
{
	struct broker *b = CAST(broker, arg);
	cluster_state_set_broker_epoch(b->state, broker_epoch);
	broker_controller_claim_id(b);
	if (broker_phase_of(b) != BROKER_REGISTERING)
		return;
	broker_move(b, BROKER_SERVING);
	broker_controller_registered(b);
	scheduler_post(b->main, &b->registered_task);
}

static void registration_failed(void *arg, const struct failure *f)
{
	broker_stop_fail(CAST(broker, arg), BROKER_EXIT_FAILED, "registration_refused", f->text);
}

static void probe(void *arg, const char *host, int32_t port, void (*done)(void *done_arg, enum probe_result r), void *done_arg)
{
	struct broker *b = CAST(broker, arg);
	broker_probe_start(blocking_pool_background(b->pool), b->cluster, host, port, done, done_arg);
}

static void register_broker(struct broker *b)
{
	struct registration_endpoint endpoints[SETTINGS_LISTENERS_MAX];
	broker_listeners_endpoints(&b->listeners, endpoints);
	struct broker_registration_options o = {
		.zk = b->zk,
		.broker_id = b->broker_id,
		.endpoints = endpoints,
		.endpoint_count = b->listeners.advertised_count,
		.rack = b->settings->broker_rack,
		.endpoints_bound = broker_listeners_are_own(&b->listeners),
		.probe = probe,
		.registered = registered,
		.failed = registration_failed,
		.arg = b,
	};
	b->registration = broker_registration_new(&o);
	broker_registration_start(b->registration);
}

/* --- fronts -------------------------------------------------------------- */

static void make_coordinators(struct broker *b)
{
	b->coordinators = check_calloc((size_t)b->loop_count, sizeof(struct group_coordinator *));
	for (int i = 0; i < b->loop_count; i++) {
		struct group_coordinator_options o = {
			.scheduler = loop_group_scheduler(b->loops, i),
			.replicas = b->managers[i],
			.images = b->holders[i],
			.background = blocking_pool_background(b->pool),
			.settings = b->settings,
		};
		b->coordinators[i] = group_coordinator_new(&o);
	}
}

static void make_services(struct broker *b)
{
	struct admin_service_options admin = {.zk = b->zk, .scheduler = b->cluster, .settings = b->settings,
		.holders = b->holders, .holder_count = (size_t)b->loop_count};
	b->admin = admin_service_new(&admin);
	b->producer_ids = producer_ids_new(b->zk, b->broker_id);
	b->services = check_calloc((size_t)b->loop_count, sizeof(struct service_loop *));
	for (int i = 0; i < b->loop_count; i++) {
		struct service_loop_options o = {
			.scheduler = loop_group_scheduler(b->loops, i),
			.images = b->holders[i],
			.router = &b->router,
			.coordinators = b->coordinators,
			.coordinator_count = (size_t)b->loop_count,
			.settings = b->settings,
			.admin = b->admin,
			.logs = b->logs,
			.producer_ids = b->producer_ids,
			.background = blocking_pool_background(b->pool),
			.broker_id = b->broker_id,
		};
		b->services[i] = service_loop_new(&o);
	}
	b->lag = group_lag_new(b->services[0]);
	struct native_dispatch_options native = {
		.loops = b->services,
		.loop_count = (size_t)b->loop_count,
		.settings = b->settings,
		.cluster_id = b->cluster_id,
		.broker_id = b->broker_id,
	};
	b->native = native_dispatch_new(&native);
	struct kafka_dispatch_options kafka = {
		.loops = b->services,
		.loop_count = (size_t)b->loop_count,
		.settings = b->settings,
		.cluster_id = b->cluster_id,
		.state = b->state,
		.cluster = b->cluster,
		.controller = broker_controller_of,
		.controller_arg = b,
	};
	b->kafka = kafka_dispatch_new(&kafka);
}

static enum status make_server(struct broker *b, struct failure *f)
{
	const struct settings *s = b->settings;
	struct net_listener_spec specs[SETTINGS_LISTENERS_MAX];
	broker_listeners_specs(&b->listeners, specs);
	struct net_server_options o = {
		.loops = b->loops,
		.native_front = native_dispatch_front(b->native),
		.kafka_front = kafka_dispatch_front(b->kafka),
		.limits =
			{
				.max_connections = (size_t)s->max_connections,
				.queued_max_request_bytes = s->queued_max_request_bytes < 0
					? 16 * 1024 * 1024
					: (size_t)s->queued_max_request_bytes,
				.idle_timeout_ms = s->connections_max_idle_ms,
				.socket_send_buffer_bytes = s->socket_send_buffer_bytes,
				.socket_receive_buffer_bytes = s->socket_receive_buffer_bytes,
			},
		.listeners = specs,
		.listener_count = (int)b->listeners.bound_count,
	};
	TRY(net_server_new(&o, f, &b->server));
	broker_listeners_resolve(&b->listeners, b->server);
	return STATUS_OK;
}

/* --- the steps ----------------------------------------------------------- */

static void hosted(void *arg, enum status s)
{
	struct broker *b = CAST(broker, arg);
	if (broker_stop_wanted(b))
		return;
	if (s != STATUS_OK) {
		broker_stop_fail(b, BROKER_EXIT_FAILED, "start_failed", status_text(s));
		return;
	}
	struct replica_checkpoints_options o = {
		.scheduler = b->cluster,
		.logs = b->logs,
		.managers = b->managers,
		.manager_count = (size_t)b->loop_count,
		.interval_ms = b->settings->replica_high_watermark_checkpoint_interval_ms,
	};
	b->checkpoints = replica_checkpoints_new(&o);
	replica_checkpoints_start(b->checkpoints);
	net_server_start(b->server);
	broker_move(b, BROKER_REGISTERING);
	register_broker(b);
	broker_controller_start(b);
}

static void loaded(void *arg, enum status s)
{
	struct broker *b = CAST(broker, arg);
	if (broker_stop_wanted(b))
		return;
	if (s != STATUS_OK) {
		broker_stop_fail(b, BROKER_EXIT_FAILED, "logs_not_loaded", status_text(s));
		return;
	}
	broker_move(b, BROKER_HOSTING);
	cluster_state_host_logs(b->state, b->logs, hosted, b);
}

static void configured(void *arg, enum status s)
{
	struct broker *b = CAST(broker, arg);
	if (broker_stop_wanted(b))
		return;
	if (s != STATUS_OK) {
		broker_stop_fail(b, BROKER_EXIT_FAILED, "topic_configs_not_read", status_text(s));
		return;
	}
	broker_move(b, BROKER_LOADING);
	log_manager_load(b->logs, loaded, b);
}

static enum status take_identity(struct broker *b, const char *cluster_id, int32_t broker_id, struct failure *f)
{
	b->cluster_id = check_strdup(cluster_id);
	b->broker_id = broker_id;
	TRY(log_manager_set_identity(b->logs, cluster_id, broker_id, f));
	cluster_state_set_identity(b->state, cluster_id, broker_id);
	for (int i = 0; i < b->loop_count; i++)
		replica_manager_set_broker_id(b->managers[i], broker_id);
	make_coordinators(b);
	broker_controller_link_make(b);
	make_services(b);
	TRY(make_server(b, f));
	if (loop_group_start(b->loops) != STATUS_OK)
		return failure_set(f, STATUS_UNKNOWN_SERVER_ERROR, "the threads of the loops could not be started; raise the limit of "
			"processes (ulimit -u)");
	b->loops_started = true;
	return STATUS_OK;
}

static int exit_status_of(enum status s)
{
	return s == STATUS_INCONSISTENT_CLUSTER_ID || s == STATUS_INVALID_CONFIG ? BROKER_EXIT_CONFIG : BROKER_EXIT_FAILED;
}

static void identified(void *arg, const struct failure *f, const char *cluster_id, int32_t broker_id)
{
	struct broker *b = CAST(broker, arg);
	struct failure own = {0};
	if (broker_stop_wanted(b))
		return;
	if (f->status != STATUS_OK) {
		broker_stop_fail(b, exit_status_of(f->status), "identity_refused", f->text);
		return;
	}
	if (take_identity(b, cluster_id, broker_id, &own) != STATUS_OK) {
		broker_stop_fail(b, exit_status_of(own.status), "start_failed", own.text);
		return;
	}
	diag_info("identity", "cluster=%s broker=%d", b->cluster_id, b->broker_id);
	producer_ids_start(b->producer_ids);
	broker_move(b, BROKER_CONFIGURING);
	cluster_state_load_configs(b->state, b->zk, configured, b);
}

static void identify(struct broker *b)
{
	const struct settings *s = b->settings;
	scheduler_timer_cancel(b->cluster, &b->connect_timer);
	broker_move(b, BROKER_IDENTIFYING);
	struct cluster_identity_options o = {
		.zk = b->zk,
		.random = &b->random,
		.connect = b->options->standalone_directory == NULL ? s->zookeeper_connect : b->options->standalone_directory,
		.found_cluster_id = log_manager_cluster_id(b->logs),
		.found_broker_id = log_manager_broker_id(b->logs),
		.configured_broker_id = s->broker_id,
		.broker_id_generation_enable = s->broker_id_generation_enable,
		.reserved_broker_max_id = s->reserved_broker_max_id,
	};
	cluster_identity_settle(&o, identified, b);
}

/* --- the session's ups and downs ----------------------------------------- */

static void session_expired(struct broker *b)
{
	metrics_add(METRIC_zk_session_expirations, 1);
	diag_warn("zookeeper_session_expired", "next=\"a new session; the broker goes on serving and registers again\"");
	zk_client_reconnect(b->zk);
}

void broker_start_zk_state(void *arg, enum zk_state state)
{
	struct broker *b = CAST(broker, arg);
	if (state == ZK_STATE_CONNECTING && atomic_load(&b->zk_state) == ZK_STATE_CONNECTED)
		metrics_add(METRIC_zk_disconnects, 1);
	atomic_store(&b->zk_state, (int)state);
	if (b->stop_requested || broker_phase_of(b) >= BROKER_STOPPING)
		return;
	if (state == ZK_STATE_AUTH_FAILED) {
		broker_stop_fail(b, BROKER_EXIT_CONFIG, "zookeeper_refused", "ZooKeeper refused the credentials: check zookeeper.digest");
		return;
	}
	if (state == ZK_STATE_EXPIRED)
		session_expired(b);
	if (state == ZK_STATE_CONNECTED && broker_phase_of(b) == BROKER_CONNECTING)
		identify(b);
	broker_controller_zk_state(b, state);
}
