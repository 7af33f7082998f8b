#include "broker_internal.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "broker_controller.h"
#include "broker_controller_link.h"
#include "broker_notify.h"
#include "coordinator/group_coordinator.h"
#include "coordinator/producer_ids.h"
#include "service/group_lag.h"
#include "service/metadata_service.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

enum { STALL_MS = 1000, PANIC_MS = 60 * 1000, ROLES_WAIT_MS = 10 * 1000, ROLES_POLL_US = 2000 };

static const char *const phase_texts[BROKER_PHASE_COUNT] = {
	[BROKER_CONNECTING] = "waiting for ZooKeeper",
	[BROKER_IDENTIFYING] = "settling the cluster's and the broker's id",
	[BROKER_CONFIGURING] = "reading the settings of topics",
	[BROKER_LOADING] = "opening the logs",
	[BROKER_HOSTING] = "handing the logs to their loops",
	[BROKER_REGISTERING] = "registering in ZooKeeper",
	[BROKER_SERVING] = "serving",
	[BROKER_STOPPING] = "stopping",
	[BROKER_STOPPED] = "stopped",
};

const char *broker_phase_text(enum broker_phase p)
{
	expect(p < BROKER_PHASE_COUNT);
	return phase_texts[p];
}

enum broker_phase broker_phase_of(const struct broker *b)
{
	return (enum broker_phase)atomic_load(&b->phase);
}

void broker_move(struct broker *b, enum broker_phase to)
{
	enum broker_phase from = broker_phase_of(b);
	/* One step, or into the stop. */
	expect(to == from + 1 || (to == BROKER_STOPPING && from < BROKER_STOPPING));
	atomic_store(&b->phase, (int)to);
	int64_t ms = (clock_monotonic_us(b->cluster->clock) - b->options->started_us) / 1000;
	diag_info("broker_phase", "after_ms=%lld now=\"%s\"", (long long)ms, broker_phase_text(to));
}

/* --- ready (main loop) --------------------------------------------------- */

static const struct cluster_image *main_image(const struct broker *b)
{
	return cluster_image_holder_image(b->holders[b->loop_count]);
}

/* Registered, and the controller has told us of the cluster. */
static const char *why_not_ready(const struct broker *b)
{
	enum broker_phase p = broker_phase_of(b);
	if (p != BROKER_SERVING)
		return broker_phase_text(p);
	const struct cluster_image *image = main_image(b);
	if (image->controller_id < 0)
		return "no controller has spoken yet: does a process with the controller role run?";
	if (cluster_image_broker(image, b->broker_id) == NULL)
		return "the controller does not know this broker yet";
	return NULL;
}

/* The image may be a moment ahead of the roles: a producer that comes at "ready" is not to be sent away. */
static bool roles_taken(const struct broker *b)
{
	int64_t waited_us = clock_monotonic_us(b->main->clock) - b->ready_since_us;
	struct metadata_totals totals = metadata_service_totals(main_image(b), b->broker_id);
	return metrics_read(METRIC_partitions_led) >= totals.led_by || waited_us > ROLES_WAIT_MS * 1000;
}

static int64_t resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size_pages = 0, resident_pages = 0;
	if (f == NULL)
		return 0;
	if (fscanf(f, "%ld %ld", &size_pages, &resident_pages) != 2)
		resident_pages = 0;
	(void)fclose(f);
	return (int64_t)resident_pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void announce_when_ready(struct broker *b)
{
	if (b->announced || !b->registered || why_not_ready(b) != NULL)
		return;
	if (b->ready_since_us == 0)
		b->ready_since_us = clock_monotonic_us(b->main->clock);
	if (!roles_taken(b)) {
		scheduler_timer_arm(b->main, &b->ready_timer, ROLES_POLL_US);
		return;
	}
	b->announced = true;
	scheduler_timer_cancel(b->main, &b->ready_timer);
	cluster_image_holder_unwatch(b->holders[b->loop_count], &b->ready_watcher);
	int64_t ms = (clock_monotonic_us(b->main->clock) - b->options->started_us) / 1000;
	diag_info("broker_ready", "text=\"broker ready\" broker=%d cluster=%s listener=%s://%s:%d start_ms=%lld rss_kib=%lld",
		b->broker_id, b->cluster_id, b->listeners.bound[0].name, b->listeners.bound[0].host, b->listeners.bound[0].port,
		(long long)ms, (long long)resident_kib());
	broker_notify_send("READY=1");
}

static void look_again(struct loop_timer *t)
{
	announce_when_ready(CAST(broker, CONTAINER_OF(t, struct broker, ready_timer)));
}

static void image_changed(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	(void)image;
	announce_when_ready(CAST(broker, CONTAINER_OF(w, struct broker, ready_watcher)));
}

static void registered_on_main(struct task *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, registered_task));
	b->registered = true;
	loop_group_watch(b->loops, b->main, STALL_MS, PANIC_MS);
	announce_when_ready(b);
}

/* --- status page (main loop) --------------------------------------------- */

static const char *zookeeper_text(const struct broker *b)
{
	switch ((enum zk_state)atomic_load(&b->zk_state)) {
	case ZK_STATE_CONNECTING:
		return "connecting";
	case ZK_STATE_CONNECTED:
		return "connected";
	case ZK_STATE_EXPIRED:
		return "expired";
	case ZK_STATE_AUTH_FAILED:
		return "credentials refused";
	case ZK_STATE_CLOSED:
		return "closed";
	}
	unreachable("ZooKeeper state");
}

static bool hosts(const struct image_partition *p, int32_t broker_id)
{
	for (size_t i = 0; i < p->replica_count; i++)
		if (p->replicas[i] == broker_id)
			return true;
	return false;
}

static void count_partitions(struct broker *b, const struct cluster_image *image)
{
	struct topic_partition tp;
	for (size_t i = 0; i < image->topic_count; i++) {
		const struct image_topic *t = image->topics[i];
		for (size_t k = 0; k < t->partition_count; k++)
			if (hosts(&t->partitions[k], b->broker_id) &&
				topic_partition_set(&tp, slice_of_str(t->name), t->partitions[k].partition) == STATUS_OK)
				b->http_loops[loop_group_place(b->loops, &tp)].partitions++;
	}
}

static void fill_loops(struct broker *b, const struct cluster_image *image)
{
	int64_t now_us = clock_monotonic_us(b->main->clock), since_us = 0;
	for (int i = 0; i < b->loop_count; i++) {
		struct event_loop *l = loop_group_loop(b->loops, i);
		struct admin_http_loop *to = &b->http_loops[i];
		*to = (struct admin_http_loop){.name = event_loop_name(l)};
		to->running = event_loop_running(l, &since_us);
		to->running_us = to->running == NULL ? 0 : now_us - since_us;
	}
	count_partitions(b, image);
}

static void http_state(void *arg, struct admin_http_state *ret_state)
{
	struct broker *b = CAST(broker, arg);
	const struct cluster_image *image = main_image(b);
	struct metadata_totals totals = metadata_service_totals(image, b->broker_id);
	bool serving = broker_phase_of(b) >= BROKER_REGISTERING;
	fill_loops(b, image);
	*ret_state = (struct admin_http_state){
		.not_ready = b->announced || why_not_ready(b) != NULL ? why_not_ready(b) : "taking over partitions",
		.version = PACKAGE_VERSION,
		.cluster_id = serving ? b->cluster_id : NULL,
		.broker_id = serving ? b->broker_id : b->settings->broker_id,
		.controller_id = image->controller_id,
		.controller_epoch = image->controller_epoch,
		.zookeeper = zookeeper_text(b),
		.topics = totals.topics,
		.partitions_led = totals.led_by,
		.partitions_hosted = totals.hosted_by,
		.partitions_offline = (uint32_t)metrics_read(METRIC_partitions_offline),
		.connections = serving ? net_server_connection_count(b->server) : 0,
		.request_bytes = serving ? net_server_request_bytes(b->server) : 0,
		.uptime_ms = (clock_monotonic_us(b->main->clock) - b->options->started_us) / 1000,
		.loops = b->http_loops,
		.loop_count = (size_t)b->loop_count,
	};
}

static enum status open_http(struct broker *b, struct failure *f)
{
	if (b->settings->admin_listener[0] == '\0')
		return STATUS_OK;
	b->http_loops = check_calloc((size_t)b->loop_count, sizeof(*b->http_loops));
	struct admin_http_options o = {
		.base = event_loop_base(b->main_loop),
		.listener = b->settings->admin_listener,
		.state = http_state,
		.arg = b,
	};
	return admin_http_new(&o, &b->http, f);
}

/* --- signals (main loop) ------------------------------------------------- */

static void signalled(evutil_socket_t signal_number, short what, void *arg)
{
	struct broker *b = CAST(broker, arg);
	(void)what;
	if (signal_number == SIGHUP) {
		diag_reopen();
		diag_info("logs_reopened", "signal=HUP");
		return;
	}
	broker_stop_begin(b);
}

static void watch_signals(struct broker *b)
{
	const int numbers[BROKER_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < BROKER_SIGNALS; i++) {
		b->signals[i] = evsignal_new(event_loop_base(b->main_loop), numbers[i], signalled, b);
		expect(b->signals[i] != NULL && event_add(b->signals[i], NULL) == 0);
	}
}

/* --- building and taking apart ------------------------------------------- */

static enum status make_threads(struct broker *b, struct failure *f)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned cores = online < 1 ? 1 : (unsigned)online;
	struct clock *clock = clock_system();
	b->loop_count = settings_network_threads(b->settings, cores);
	bool made = event_loop_new("main", -1, clock, &b->main_loop) == STATUS_OK &&
		event_loop_new("cluster", -1, clock, &b->cluster_loop) == STATUS_OK &&
		loop_group_new(b->loop_count, clock, &b->loops) == STATUS_OK &&
		blocking_pool_new(settings_io_threads(b->settings, cores), &b->pool) == STATUS_OK;
	if (!made)
		return failure_set(f, STATUS_UNKNOWN_SERVER_ERROR, "the event loops could not be made; raise the limit of open files "
			"(ulimit -n)");
	b->main = event_loop_scheduler(b->main_loop);
	b->cluster = event_loop_scheduler(b->cluster_loop);
	return STATUS_OK;
}

static enum status prepare(struct broker *b, struct failure *f)
{
	TRY(broker_listeners_parse(b->settings, &b->listeners, f));
	TRY(make_threads(b, f));
	random_seed_system(&b->random);
	watch_signals(b);
	TRY(open_http(b, f));
	TRY(broker_start_prepare(b, f));
	task_init(&b->registered_task, "broker_registered", registered_on_main);
	loop_timer_init(&b->ready_timer, "ready_look", look_again);
	b->ready_watcher.changed = image_changed;
	cluster_image_holder_watch(b->holders[b->loop_count], &b->ready_watcher);
	if (event_loop_start(b->cluster_loop) != STATUS_OK)
		return failure_set(f, STATUS_UNKNOWN_SERVER_ERROR, "the cluster thread could not be started; raise the limit of "
			"processes (ulimit -u)");
	b->cluster_started = true;
	return STATUS_OK;
}

static void free_fronts(struct broker *b)
{
	admin_http_free(b->http);
	free(b->http_loops);
	if (b->server != NULL)
		net_server_free(b->server);
	native_dispatch_free(b->native);
	kafka_dispatch_free(b->kafka);
	group_lag_free(b->lag);
	for (int i = 0; b->services != NULL && i < b->loop_count; i++)
		service_loop_free(b->services[i]);
	for (int i = 0; b->coordinators != NULL && i < b->loop_count; i++)
		group_coordinator_free(b->coordinators[i]);
	free(b->services);
	free(b->coordinators);
	free(b->hurries);
	admin_service_free(b->admin);
	producer_ids_free(b->producer_ids);
}

static void free_coordination(struct broker *b)
{
	if (b->state != NULL)
		cluster_state_leave_zk(b->state);
	broker_controller_free(b);
	broker_controller_link_free(b);
	if (b->registration != NULL)
		broker_registration_free(b->registration);
	if (b->zk != NULL && b->tree != NULL)
		zk_standalone_free(b->zk);
	else if (b->zk != NULL)
		zk_session_free(b->zk);
	if (b->tree != NULL)
		zk_tree_free(b->tree);
	broker_journal_free(b->journal);
}

static void free_replicas(struct broker *b)
{
	if (b->checkpoints != NULL)
		replica_checkpoints_free(b->checkpoints);
	if (b->state != NULL)
		cluster_state_free(b->state);
	for (int i = 0; b->managers != NULL && i < b->loop_count; i++)
		replica_manager_free(b->managers[i]);
	if (b->logs != NULL)
		log_manager_free(b->logs);
	if (b->holders != NULL) {
		cluster_image_holder_unwatch(b->holders[b->loop_count], &b->ready_watcher);
		for (int i = 0; i < b->loop_count + BROKER_MAIN_HOLDERS; i++)
			cluster_image_holder_free(b->holders[i]);
	}
	free(b->holders);
	free(b->managers);
	free(b->hosts);
	free(b->cluster_id);
}

static void free_threads(struct broker *b)
{
	for (size_t i = 0; i < BROKER_SIGNALS; i++)
		if (b->signals[i] != NULL)
			event_free(b->signals[i]);
	if (b->loops != NULL)
		loop_group_free(b->loops);
	if (b->cluster_loop != NULL)
		event_loop_free(b->cluster_loop);
	if (b->main_loop != NULL)
		event_loop_free(b->main_loop);
}

/* Every thread has ended, or never began; then nothing runs beside this one. */
static void take_apart(struct broker *b)
{
	if (b->loops_started)
		loop_group_stop(b->loops);
	if (b->cluster_started) {
		event_loop_stop(b->cluster_loop);
		event_loop_join(b->cluster_loop);
	}
	if (b->pool != NULL)
		blocking_pool_free(b->pool);
	free_fronts(b);
	free_coordination(b);
	free_replicas(b);
	free_threads(b);
	b->magic = 0;
}

int broker_run(const struct broker_options *o)
{
	struct broker *b = check_calloc(1, sizeof(*b));
	struct failure f = {0};
	b->magic = broker_magic;
	b->options = o;
	b->settings = o->settings;
	b->broker_id = o->settings->broker_id;
	diag_set_thread_name("main");
	if (prepare(b, &f) != STATUS_OK) {
		diag_error("start_failed", "%s", f.text);
		int status = f.status == STATUS_INVALID_CONFIG || f.status == STATUS_INCONSISTENT_CLUSTER_ID ? BROKER_EXIT_CONFIG
													: BROKER_EXIT_FAILED;
		/* Half built, nothing served and nothing written: the process's end takes it apart. */
		_exit(status);
	}
	event_loop_run(b->main_loop);
	int status = atomic_load(&b->exit_status);
	take_apart(b);
	free(b);
	diag_info("broker_stopped", "status=%d", status);
	return status;
}
