/* correio-controller: the cluster manager as a program of its own, for clusters that keep management off the data path. It reads
 * a broker's settings file, stands for election under broker.id, and registers nowhere else. One thread runs everything. */
#include "base/clock.h"
#include "base/diag.h"
#include "config/settings.h"
#include "controller/control_peer.h"
#include "controller/controller.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_session.h"
#include "runtime/blocking_pool.h"
#include "runtime/event_loop.h"
#include <argp.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/stat.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_CONFIG = 78 };
enum { OVERRIDES_MAX = 256, SIGNALS = 3, STOP_DEADLINE_US = 10 * 1000 * 1000 };

struct manager_arguments {
	const char *properties_path;
	const char *overrides[OVERRIDES_MAX];
	size_t override_count;
	bool check_config;
};

struct cluster_manager {
	unsigned magic;
	struct settings settings;
	struct event_loop *loop;
	struct scheduler *scheduler;
	struct blocking_pool *pool;
	struct zk_client *zk;
	struct controller *controller;
	struct control_peer_options peers;
	struct control_transport transport;
	char client_id[32];
	struct event *signals[SIGNALS];
	struct loop_timer connect_timer, stop_timer;
	bool connected, stopping;
	int exit_status;
};
MAGIC(cluster_manager, 0x4d414e41);

/* --- the end -------------------------------------------------------------- */

static void manager_zk_closed(void *arg)
{
	struct cluster_manager *m = CAST(cluster_manager, arg);
	event_loop_stop(m->loop);
}

static void manager_resigned(void *arg)
{
	struct cluster_manager *m = CAST(cluster_manager, arg);
	zk_client_close(m->zk, manager_zk_closed, m);
}

static void manager_stop(struct cluster_manager *m, int exit_status)
{
	if (m->stopping)
		return;
	m->stopping = true;
	m->exit_status = exit_status;
	scheduler_timer_cancel(m->scheduler, &m->connect_timer);
	scheduler_timer_arm(m->scheduler, &m->stop_timer, STOP_DEADLINE_US);
	if (m->controller != NULL)
		controller_stop(m->controller, manager_resigned, m);
	else
		manager_resigned(m);
}

/* The ensemble does not answer: the session will time out there by itself. */
static void manager_stop_overdue(struct loop_timer *t)
{
	struct cluster_manager *m = CONTAINER_OF(t, struct cluster_manager, stop_timer);
	CHECK_MAGIC(cluster_manager, m);
	diag_warn("stop_overdue", "waited_ms=%d", STOP_DEADLINE_US / 1000);
	event_loop_stop(m->loop);
}

/* --- the beginning -------------------------------------------------------- */

static void manager_role_changed(void *arg, bool active, int32_t controller_epoch)
{
	const struct cluster_manager *m = CAST(cluster_manager, arg);
	diag_info("controller_role", "controller_id=%d active=%s controller_epoch=%d", m->settings.broker_id,
		active ? "true" : "false", controller_epoch);
}

/* /controller names its owner by a broker's id: two processes under one id could not be told apart. */
static void manager_id_checked(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	struct cluster_manager *m = CAST(cluster_manager, arg);
	if (m->stopping || m->controller != NULL)
		return;
	if (s == STATUS_OK) {
		diag_error("id_taken", "broker.id=%d path=" ZK_SCHEMA_BROKER_IDS
			"/%d hint=\"a live broker has this id: give correio-controller a broker.id of its own\"",
			m->settings.broker_id, m->settings.broker_id);
		manager_stop(m, EXIT_CONFIG);
		return;
	}
	if (s != STATUS_NOT_FOUND)
		return; /* asked again when connected again */
	struct controller_options o = {.zk = m->zk, .settings = &m->settings, .broker_id = m->settings.broker_id,
		.transport = &m->transport, .role_changed = manager_role_changed, .arg = m};
	m->controller = controller_new(&o);
	controller_start(m->controller);
	diag_info("controller ready", "controller_id=%d zookeeper.connect=%s", m->settings.broker_id,
		m->settings.zookeeper_connect);
}

static void manager_connected(struct cluster_manager *m)
{
	m->connected = true;
	scheduler_timer_cancel(m->scheduler, &m->connect_timer);
	if (m->controller != NULL || m->stopping)
		return;
	char path[ZK_PATH_MAX];
	zk_schema_path_broker(m->settings.broker_id, path);
	zk_exists(m->zk, path, NULL, manager_id_checked, m);
}

static void manager_zk_state(void *arg, enum zk_state state)
{
	struct cluster_manager *m = CAST(cluster_manager, arg);
	if (state == ZK_STATE_AUTH_FAILED && !m->stopping) {
		diag_error("zookeeper_auth_failed", "zookeeper.connect=%s hint=\"check zookeeper.digest\"",
			m->settings.zookeeper_connect);
		manager_stop(m, EXIT_FAILED);
	}
	if (state == ZK_STATE_EXPIRED && !m->stopping)
		zk_client_reconnect(m->zk);
	if (m->controller != NULL)
		controller_zk_state(m->controller, state);
	if (state == ZK_STATE_CONNECTED)
		manager_connected(m);
}

static void manager_connect_overdue(struct loop_timer *t)
{
	struct cluster_manager *m = CONTAINER_OF(t, struct cluster_manager, connect_timer);
	CHECK_MAGIC(cluster_manager, m);
	diag_error("zookeeper_unreachable", "zookeeper.connect=%s hint=\"is the ensemble up? zookeeper.connection.timeout.ms bounds the wait\"",
		m->settings.zookeeper_connect);
	manager_stop(m, EXIT_FAILED);
}

/* --- signals -------------------------------------------------------------- */

static void manager_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	struct cluster_manager *m = CAST(cluster_manager, arg);
	if (number == SIGHUP) {
		diag_reopen();
		return;
	}
	diag_info("signal", "number=%d", (int)number);
	manager_stop(m, EXIT_OK);
}

static void manager_watch_signals(struct cluster_manager *m)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
	for (int i = 0; i < SIGNALS; i++) {
		m->signals[i] = evsignal_new(event_loop_base(m->loop), numbers[i], manager_signal, m);
		expect(m->signals[i] != NULL && event_add(m->signals[i], NULL) == 0);
	}
}

/* --- running -------------------------------------------------------------- */

static enum status manager_open(struct cluster_manager *m, struct failure *f)
{
	m->magic = cluster_manager_magic;
	if (event_loop_new("cluster", 0, clock_system(), &m->loop) != STATUS_OK)
		return failure_set(f, STATUS_IO, "the event loop could not be made: too few file descriptors?");
	m->scheduler = event_loop_scheduler(m->loop);
	if (blocking_pool_new(1, &m->pool) != STATUS_OK)
		return failure_set(f, STATUS_IO, "a thread could not be started");
	(void)snprintf(m->client_id, sizeof m->client_id, "controller-%d", m->settings.broker_id);
	m->peers = (struct control_peer_options){.loop = m->loop, .resolver = blocking_pool_background(m->pool),
		.client_id = m->client_id};
	m->transport = control_peer_transport(&m->peers);
	loop_timer_init(&m->connect_timer, "connect_deadline", manager_connect_overdue);
	loop_timer_init(&m->stop_timer, "stop_deadline", manager_stop_overdue);
	manager_watch_signals(m);
	struct zk_session_options o = {.connect = m->settings.zookeeper_connect,
		.session_timeout_ms = m->settings.zookeeper_session_timeout_ms,
		.digest = m->settings.zookeeper_digest[0] == '\0' ? NULL : m->settings.zookeeper_digest,
		.set_acl = m->settings.zookeeper_set_acl, .state_changed = manager_zk_state, .state_arg = m};
	TRY(zk_session_open(m->scheduler, &o, &m->zk, f));
	int64_t wait_ms = m->settings.zookeeper_connection_timeout_ms > 0 ? m->settings.zookeeper_connection_timeout_ms
		: m->settings.zookeeper_session_timeout_ms;
	scheduler_timer_arm(m->scheduler, &m->connect_timer, wait_ms * 1000);
	return STATUS_OK;
}

static void manager_close(struct cluster_manager *m)
{
	if (m->controller != NULL)
		controller_free(m->controller);
	for (int i = 0; i < SIGNALS; i++) {
		if (m->signals[i] != NULL)
			event_free(m->signals[i]);
	}
	if (m->pool != NULL)
		blocking_pool_free(m->pool);
	/* A session whose close never came back belongs to its own threads still, and so does the loop they post to: the
	 * process ends now anyway. */
	if (m->zk != NULL && m->zk->state != ZK_STATE_CLOSED)
		return;
	if (m->zk != NULL)
		zk_session_free(m->zk);
	if (m->loop != NULL)
		event_loop_free(m->loop);
}

static int manager_run(struct cluster_manager *m)
{
	struct failure f;
	if (manager_open(m, &f) == STATUS_OK) {
		event_loop_run(m->loop);
	} else {
		fprintf(stderr, "correio-controller: %s\n", f.text);
		m->exit_status = EXIT_FAILED;
	}
	manager_close(m);
	diag_info("controller_stopped", "status=%d", m->exit_status);
	return m->exit_status;
}

/* --- arguments ------------------------------------------------------------ */

enum { KEY_OVERRIDE = 256, KEY_CHECK };

static error_t manager_take_argument(int key, char *value, struct argp_state *state)
{
	struct manager_arguments *a = state->input;
	switch (key) {
	case KEY_OVERRIDE:
		if (a->override_count == OVERRIDES_MAX)
			argp_error(state, "at most %d overrides: put them into the file", OVERRIDES_MAX);
		a->overrides[a->override_count++] = value;
		return 0;
	case KEY_CHECK:
		a->check_config = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->properties_path != NULL)
			argp_error(state, "one settings file, not \"%s\" and \"%s\"", a->properties_path, value);
		a->properties_path = value;
		return 0;
	case ARGP_KEY_END:
		if (a->properties_path == NULL)
			argp_error(state, "a settings file is missing, e.g. deploy/broker.properties");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void manager_parse(int argc, char **argv, struct manager_arguments *ret_arguments)
{
	static const struct argp_option options[] = {
		{"override", KEY_OVERRIDE, "KEY=VALUE", 0, "Set a key over the file; may be given again", 0},
		{"check-config", KEY_CHECK, NULL, 0, "Check the settings, then exit: 0, or 78 with every error", 0},
		{0},
	};
	static const struct argp parser = {.options = options, .parser = manager_take_argument,
		.args_doc = "FILE.properties",
		.doc = "correio-controller: the cluster manager alone, for brokers with process.roles=broker. Any number stand by; "
		       "ZooKeeper elects one. broker.id must not be that of a broker.\v"
		       "Signals: TERM and INT resign and stop, HUP reopens the log file.\n"
		       "Exit status: 0 stopped, 1 failed, 64 wrong use, 78 settings do not fit."};
	argp_program_version = "correio-controller " PACKAGE_VERSION;
	argp_err_exit_status = EXIT_USAGE;
	*ret_arguments = (struct manager_arguments){0};
	(void)argp_parse(&parser, argc, argv, 0, NULL, ret_arguments);
}

static void manager_print_lines(const struct settings_lines *lines, const char *what)
{
	for (size_t i = 0; i < lines->count; i++)
		fprintf(stderr, "correio-controller: %s: %s\n", what, lines->list[i]);
}

static enum status manager_load(const struct manager_arguments *a, struct settings *ret_settings)
{
	struct settings_load_options o = {.path = a->properties_path, .overrides = a->overrides,
		.override_count = a->override_count};
	struct settings_report report = {0};
	enum status s = settings_load(ret_settings, &o, &report);
	manager_print_lines(&report.errors, "error");
	manager_print_lines(&report.warnings, "warning");
	settings_report_fini(&report);
	if (s == STATUS_OK && ret_settings->broker_id < 0) {
		fprintf(stderr, "correio-controller: error: broker.id is needed: any id that no broker has\n");
		settings_fini(ret_settings);
		return STATUS_INVALID_CONFIG;
	}
	return s;
}

int main(int argc, char **argv)
{
	struct manager_arguments arguments;
	struct cluster_manager manager = {0};
	manager_parse(argc, argv, &arguments);
	check_install_crash_handlers();
	diag_set_thread_name("cluster");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(027);
	if (manager_load(&arguments, &manager.settings) != STATUS_OK)
		return EXIT_CONFIG;
	int status = EXIT_OK;
	if (arguments.check_config)
		fprintf(stderr, "correio-controller: settings are valid\n");
	else
		status = manager_run(&manager);
	settings_fini(&manager.settings);
	return status;
}
