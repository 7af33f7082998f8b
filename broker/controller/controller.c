#include "controller/controller.h"
#include "base/diag.h"
#include "base/metrics.h"
#include "controller/controller_term.h"
#include "coordinator-client/zk_election.h"
#include <stdlib.h>

struct controller {
	unsigned magic;
	struct controller_options options;
	struct zk_election *election; /* NULL: not started */
	struct controller_term *term; /* NULL: standing by */
	int32_t controller_epoch;
	int32_t seen_id; /* who has the seat; -1 nobody, or not known */
	bool id_claimed;
	bool stopped;
	bool announced; /* role_changed(true) has been called */
	struct task fenced_task;
	bool fenced_posted, dead;
	void (*stop_done)(void *arg);
	void *stop_arg;
};
MAGIC(controller, 0x434f4e54);

/* --- the term ------------------------------------------------------------- */

static void drop_term(struct controller *c)
{
	if (c->term == NULL)
		return;
	diag_info("controller_resigned", "controller_epoch=%d", c->controller_epoch);
	controller_term_free(c->term);
	c->term = NULL;
	if (!c->announced)
		return;
	c->announced = false;
	metrics_add(METRIC_controller_active, -1);
	if (c->options.role_changed != NULL)
		c->options.role_changed(c->options.arg, false, c->controller_epoch);
}

static void term_started(void *arg)
{
	struct controller *c = CAST(controller, arg);
	diag_info("controller_active", "controller_id=%d controller_epoch=%d", c->options.broker_id, c->controller_epoch);
	c->announced = true;
	metrics_add(METRIC_controller_active, 1);
	if (c->options.role_changed != NULL)
		c->options.role_changed(c->options.arg, true, c->controller_epoch);
}

static void fenced_run(struct task *t)
{
	struct controller *c = CONTAINER_OF(t, struct controller, fenced_task);
	CHECK_MAGIC(controller, c);
	c->fenced_posted = false;
	if (c->dead) {
		c->magic = 0;
		free(c);
		return;
	}
	drop_term(c);
}

/* Comes from within the term: it is freed in the next turn. */
static void term_fenced(void *arg)
{
	struct controller *c = CAST(controller, arg);
	if (c->fenced_posted)
		return;
	c->fenced_posted = true;
	task_init(&c->fenced_task, "controller_fenced", fenced_run);
	scheduler_post(c->options.zk->scheduler, &c->fenced_task);
}

/* --- election ------------------------------------------------------------- */

static void election_won(void *arg, int32_t controller_epoch, int32_t epoch_zk_version)
{
	struct controller *c = CAST(controller, arg);
	drop_term(c);
	metrics_add(METRIC_controller_elections, 1);
	c->controller_epoch = controller_epoch;
	struct controller_term_options o = {.zk = c->options.zk, .settings = c->options.settings,
		.transport = c->options.transport, .broker_id = c->options.broker_id, .controller_epoch = controller_epoch,
		.epoch_zk_version = epoch_zk_version, .started = term_started, .fenced = term_fenced, .arg = c};
	c->term = controller_term_new(&o);
}

static void election_lost(void *arg)
{
	drop_term(CAST(controller, arg));
}

static void take_over_from_predecessor(struct controller *c)
{
	if (!c->id_claimed || c->stopped || c->election == NULL || c->seen_id != c->options.broker_id
		|| zk_election_is_elected(c->election))
		return;
	diag_info("controller_predecessor_is_dead", "controller_id=%d", c->seen_id);
	zk_election_take_over(c->election, c->seen_id);
}

static void election_seen(void *arg, int32_t controller_id)
{
	struct controller *c = CAST(controller, arg);
	c->seen_id = controller_id;
	take_over_from_predecessor(c);
}

/* --- public --------------------------------------------------------------- */

struct controller *controller_new(const struct controller_options *o)
{
	expect(o->broker_id >= 0 && o->zk != NULL && o->settings != NULL && o->transport != NULL);
	struct controller *c = check_calloc(1, sizeof *c);
	*c = (struct controller){.magic = controller_magic, .options = *o, .seen_id = -1};
	return c;
}

void controller_start(struct controller *c)
{
	CHECK_MAGIC(controller, c);
	expect(c->election == NULL && !c->stopped);
	struct zk_election_events events = {.elected = election_won, .lost = election_lost, .seen = election_seen,
		.arg = c};
	c->election = zk_election_new(c->options.zk, c->options.broker_id, &events);
}

void controller_claim_id(struct controller *c)
{
	CHECK_MAGIC(controller, c);
	c->id_claimed = true;
	take_over_from_predecessor(c);
}

void controller_zk_state(struct controller *c, enum zk_state state)
{
	CHECK_MAGIC(controller, c);
	/* The election says so too; not a moment later than this may anything be decided. */
	if (state == ZK_STATE_EXPIRED || state == ZK_STATE_CLOSED || state == ZK_STATE_AUTH_FAILED)
		drop_term(c);
}

static void resigned(void *arg)
{
	struct controller *c = CAST(controller, arg);
	void (*done)(void *) = c->stop_done;
	c->stop_done = NULL;
	if (done != NULL)
		done(c->stop_arg);
}

void controller_stop(struct controller *c, void (*done)(void *arg), void *arg)
{
	CHECK_MAGIC(controller, c);
	expect(!c->stopped);
	c->stopped = true;
	c->stop_done = done;
	c->stop_arg = arg;
	drop_term(c); /* before the seat: whoever takes it finds nobody else deciding */
	if (c->election == NULL)
		resigned(c);
	else
		zk_election_resign(c->election, resigned, c);
}

void controller_free(struct controller *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(controller, c);
	drop_term(c);
	if (c->election != NULL)
		zk_election_free(c->election);
	c->election = NULL;
	if (c->fenced_posted) {
		c->dead = true; /* a posted task cannot be called back: it frees us */
		return;
	}
	c->magic = 0;
	free(c);
}

bool controller_is_active(const struct controller *c)
{
	CHECK_MAGIC(controller, c);
	return c->term != NULL && controller_term_is_started(c->term);
}

/* Deciding them comes with replication; until then nothing is advertised that leads here, and nobody is told that it was done. */
static enum status controller_refusal(const struct controller *c)
{
	return controller_is_active(c) ? STATUS_UNSUPPORTED_VERSION : STATUS_NOT_CONTROLLER;
}

void controller_alter_partition(struct controller *c, const struct alter_partition_request *request,
	controller_alter_partition_fn done, void *arg)
{
	CHECK_MAGIC(controller, c);
	expect(request != NULL && done != NULL);
	done(arg, &(struct alter_partition_response){.status = controller_refusal(c)});
}

void controller_controlled_shutdown(struct controller *c, const struct controlled_shutdown_request *request,
	controller_controlled_shutdown_fn done, void *arg)
{
	CHECK_MAGIC(controller, c);
	expect(request != NULL && done != NULL);
	done(arg, &(struct controlled_shutdown_response){.status = controller_refusal(c)});
}
