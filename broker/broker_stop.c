/* The stop, in one total deadline: accept nothing new, give the controller's seat up, answer what is owed, sync and close the
 * logs with the clean marker, close the ZooKeeper session (which takes the registration away), end. */
#include "broker_internal.h"

#include "base/diag.h"
#include "broker_controller.h"
#include "broker_controller_link.h"
#include "broker_notify.h"
#include "coordinator/group_coordinator.h"
#include "coordinator/producer_ids.h"

#include <unistd.h>

enum {
	STOP_DEADLINE_MS = 30 * 1000,
	CONNECTIONS_DEADLINE_MS = 5 * 1000,
	BACKSTOP_S = STOP_DEADLINE_MS / 1000 + 5, /* should the cluster loop itself be stuck */
};

/* --- failures ------------------------------------------------------------ */

static void failed_on_main(struct task *t)
{
	broker_stop_begin(CAST(broker, CONTAINER_OF(t, struct broker, fail_task)));
}

void broker_stop_fail(struct broker *b, int exit_status, const char *event, const char *text)
{
	CHECK_MAGIC(broker, b);
	int none = BROKER_EXIT_OK;
	diag_error(event, "%s", text);
	/* The first failure decides; those that follow from it do not. */
	if (!atomic_compare_exchange_strong(&b->exit_status, &none, exit_status))
		return;
	task_init(&b->fail_task, "broker_failed", failed_on_main);
	scheduler_post(b->main, &b->fail_task);
}

/* --- the end of it: main loop -------------------------------------------- */

static void stopped_on_main(struct task *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, stopped_task));
	event_loop_stop(b->main_loop);
}

/* --- cluster loop -------------------------------------------------------- */

static void session_closed(void *arg)
{
	struct broker *b = CAST(broker, arg);
	scheduler_timer_cancel(b->cluster, &b->stop_timer);
	scheduler_timer_cancel(b->cluster, &b->connect_timer);
	broker_move(b, BROKER_STOPPED);
	task_init(&b->stopped_task, "broker_stopped", stopped_on_main);
	scheduler_post(b->main, &b->stopped_task);
}

static void close_session(struct broker *b)
{
	if (b->producer_ids != NULL)
		producer_ids_stop(b->producer_ids);
	if (b->zk == NULL)
		session_closed(b);
	else
		b->zk->ops->close(b->zk, session_closed, b);
}

static void logs_stopped(void *arg, const struct log_checkpoint_entry *entries, size_t count)
{
	struct broker *b = CAST(broker, arg);
	struct log_manager *logs = b->logs;
	b->logs = NULL; /* freed by the call */
	if (log_manager_close_clean(logs, entries, count) != STATUS_OK) {
		int none = BROKER_EXIT_OK;
		(void)atomic_compare_exchange_strong(&b->exit_status, &none, BROKER_EXIT_FAILED);
		diag_error("stop_not_clean", "next=\"the next start recovers the logs\"");
	}
	close_session(b);
}

/* No log is opened or given a role any more: all may be closed. */
static void roles_settled(void *arg)
{
	struct broker *b = CAST(broker, arg);
	broker_controller_link_stop(b);
	if (b->checkpoints != NULL)
		replica_checkpoints_stop(b->checkpoints, logs_stopped, b);
	else
		close_session(b);
}

static void connections_drained(struct task *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, drained_task));
	cluster_state_stop(b->state, roles_settled, b);
}

/* --- main loop: the connections ------------------------------------------ */

/* Blocks, as closing the connections does; their loops run on. */
static void drain_connections(struct task *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, stop_task));
	if (b->server != NULL && b->loops_started) {
		size_t cut = net_server_close_connections(b->server, CONNECTIONS_DEADLINE_MS);
		if (cut > 0)
			diag_warn("connections_cut", "count=%zu cause=\"their answers were not ready in time\"", cut);
	}
	task_init(&b->drained_task, "broker_drained", connections_drained);
	scheduler_post(b->cluster, &b->drained_task);
}

static void hurried(struct task *t)
{
	struct broker_hurry *h = CONTAINER_OF(t, struct broker_hurry, task);
	service_loop_hurry(h->service);
	group_coordinator_stop(h->coordinator);
	if (atomic_fetch_sub(&h->broker->hurrying, 1) == 1)
		scheduler_post(h->broker->main, &h->broker->stop_task);
}

/* Long polls, waits for the image and members waiting for their group would hold the stop up. */
static void hurry_requests(struct broker *b)
{
	task_init(&b->stop_task, "broker_drain", drain_connections);
	if (b->services == NULL || !b->loops_started) {
		scheduler_post(b->main, &b->stop_task);
		return;
	}
	b->hurries = check_calloc((size_t)b->loop_count, sizeof(*b->hurries));
	atomic_store(&b->hurrying, b->loop_count);
	for (int i = 0; i < b->loop_count; i++) {
		struct broker_hurry *h = &b->hurries[i];
		*h = (struct broker_hurry){.broker = b, .service = b->services[i], .coordinator = b->coordinators[i]};
		task_init(&h->task, "broker_hurry", hurried);
		scheduler_post(b->services[i]->scheduler, &h->task);
	}
}

static void deadline_passed(struct loop_timer *t)
{
	(void)CAST(broker, CONTAINER_OF(t, struct broker, stop_timer));
	diag_error("stop_deadline", "after_ms=%d next=\"ending at once; the next start recovers the logs\"", STOP_DEADLINE_MS);
	_exit(BROKER_EXIT_FAILED);
}

/* A step that waits only for ZooKeeper is not waited for: closing the session answers it. */
static bool may_stop_now(const struct broker *b)
{
	enum broker_phase p = broker_phase_of(b);
	return p != BROKER_LOADING && p != BROKER_HOSTING;
}

static void proceed(struct broker *b)
{
	broker_move(b, BROKER_STOPPING);
	broker_controller_stop(b, hurry_requests);
}

static void stop_on_cluster(struct task *t)
{
	struct broker *b = CAST(broker, CONTAINER_OF(t, struct broker, stop_task));
	b->stop_requested = true;
	if (b->server != NULL)
		net_server_stop_accepting(b->server);
	loop_timer_init(&b->stop_timer, "stop_deadline", deadline_passed);
	scheduler_timer_arm(b->cluster, &b->stop_timer, (int64_t)STOP_DEADLINE_MS * 1000);
	if (may_stop_now(b))
		proceed(b);
}

bool broker_stop_wanted(struct broker *b)
{
	if (!b->stop_requested)
		return false;
	if (broker_phase_of(b) < BROKER_STOPPING)
		proceed(b);
	return true;
}

void broker_stop_begin(struct broker *b)
{
	CHECK_MAGIC(broker, b);
	expect_on_loop(b->main);
	if (b->stop_begun)
		return;
	b->stop_begun = true;
	broker_notify_send("STOPPING=1");
	diag_info("broker_stopping", "deadline_ms=%d", STOP_DEADLINE_MS);
	(void)alarm(BACKSTOP_S);
	task_init(&b->stop_task, "broker_stop", stop_on_cluster);
	scheduler_post(b->cluster, &b->stop_task);
}
