#include "base/diag.h"
#include "controller/controller_term_internal.h"

/* --- events --------------------------------------------------------------- */

/* Groups are numbered from 1 in each decision; here they must not meet those of another. */
static void renumber_groups(struct controller_term *t, struct controller_decision *d)
{
	for (size_t i = 0; i < d->write_count; i++) {
		if (d->writes[i].group != 0)
			d->writes[i].group += t->groups;
	}
	t->groups += d->groups;
}

void controller_term_decide(struct controller_term *t, const struct controller_event *e)
{
	CHECK_MAGIC(controller_term, t);
	if (t->fenced)
		return;
	expect(!t->deciding); /* one event after the other */
	struct controller_decision d;
	controller_decision_init(&d);
	t->deciding = true;
	controller_decide(&t->state, e, &d);
	t->deciding = false;
	renumber_groups(t, &d);
	controller_term_write(t, d.writes, d.write_count);
	d.write_count = 0;
	controller_term_send(t, d.sends, d.send_count);
	d.send_count = 0;
	for (size_t i = 0; i < d.read_count; i++)
		controller_term_read_state(t, &d.reads[i].tp);
	if (d.list_topics > 0)
		controller_term_list_topics(t, d.list_topics);
	controller_decision_fini(&d);
}

void controller_term_loaded_one(struct controller_term *t)
{
	expect(!t->started && t->loading > 0);
	if (--t->loading > 0)
		return;
	t->started = true;
	diag_info("controller_loaded", "controller_epoch=%d brokers=%u topics=%u", t->options.controller_epoch,
		HASH_COUNT(t->brokers), HASH_COUNT(t->topics));
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_START});
	scheduler_timer_arm(t->scheduler, &t->tick, TERM_TICK_US);
	t->ticking = true;
	t->options.started(t->options.arg);
}

void controller_term_read_failed(struct controller_term *t, enum status s, const char *path)
{
	/* SESSION_EXPIRED and CANCELLED: the seat is lost, and the owner hears of it from the election. */
	if (s != STATUS_SESSION_EXPIRED && s != STATUS_CANCELLED)
		diag_error("controller_read_failed", "path=%s status=%s controller_epoch=%d", path, status_name(s),
			t->options.controller_epoch);
}

static void term_tick(struct loop_timer *timer)
{
	struct controller_term *t = CONTAINER_OF(timer, struct controller_term, tick);
	CHECK_MAGIC(controller_term, t);
	scheduler_timer_arm(t->scheduler, &t->tick, TERM_TICK_US);
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_TICK});
}

/* --- reads ---------------------------------------------------------------- */

struct term_read *controller_term_read_new(struct controller_term *t, const char *path)
{
	struct term_read *r = check_calloc(1, sizeof *r);
	*r = (struct term_read){.magic = term_read_magic, .term = t, .path = check_strdup(path), .next = t->reads,
		.at = &t->reads};
	if (r->next != NULL)
		r->next->at = &r->next;
	t->reads = r;
	return r;
}

void controller_term_read_free(struct term_read *r)
{
	CHECK_MAGIC(term_read, r);
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	free(r->path);
	r->magic = 0;
	free(r);
}

/* --- beginning and end ---------------------------------------------------- */

static void ensured(void *arg, enum status s)
{
	struct controller_term *t = CAST(controller_term, arg);
	if (s != STATUS_OK)
		controller_term_read_failed(t, s, "/");
}

static void feature_created(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	(void)created_path;
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	if (s != STATUS_OK && s != STATUS_EXISTS)
		controller_term_read_failed(t, s, ZK_SCHEMA_FEATURE);
}

/* What a broker of ours or Kafka's would have made at its start; correio-controller may be there first. */
static void ensure_layout(struct controller_term *t)
{
	size_t count = 0;
	while (zk_schema_persistent_paths[count] != NULL)
		count++;
	zk_request_ensure(t->requester, zk_schema_persistent_paths, count, ensured, t);
	char *feature = zk_schema_feature_encode();
	zk_request_create(t->requester, ZK_SCHEMA_FEATURE, slice_of_str(feature), ZK_CREATE_PERSISTENT, feature_created, t);
	free(feature);
}

struct controller_term *controller_term_new(const struct controller_term_options *o)
{
	struct controller_term *t = check_calloc(1, sizeof *t);
	*t = (struct controller_term){.magic = controller_term_magic, .options = *o, .scheduler = o->zk->scheduler,
		.fence = {.path = ZK_SCHEMA_CONTROLLER_EPOCH, .version = o->epoch_zk_version}, .last_change = -1};
	t->writes_tail = &t->writes;
	t->reading_tail = &t->reading;
	controller_state_init(&t->state);
	t->state.broker_id = o->broker_id;
	t->state.controller_epoch = o->controller_epoch;
	t->state.inter_broker_listener = o->settings->inter_broker_listener_name;
	t->state.delete_topic_enable = o->settings->delete_topic_enable;
	t->state.unclean_election_default = o->settings->topic_defaults.unclean_leader_election_enable;
	random_seed_system(&t->state.random);
	t->requester = zk_requester_new(o->zk, INT32_MAX); /* until the session ends */
	loop_timer_init(&t->tick, "controller_tick", term_tick);
	/* Watches before reads: nothing is missed in between. The changes' watch stands before any configuration is read. */
	t->loading = 1;
	ensure_layout(t);
	controller_term_watch_orders(t);
	controller_term_watch_brokers(t);
	controller_term_watch_topics(t);
	controller_term_loaded_one(t); /* never the last: each list is still to come */
	return t;
}

void controller_term_free(struct controller_term *t)
{
	if (t == NULL)
		return;
	CHECK_MAGIC(controller_term, t);
	expect(!t->deciding);
	scheduler_timer_cancel(t->scheduler, &t->tick);
	zk_requester_free(t->requester);
	controller_term_free_orders(t);
	controller_term_free_brokers(t);
	controller_term_free_topics(t);
	while (t->reads != NULL)
		controller_term_read_free(t->reads);
	controller_state_fini(&t->state);
	controller_term_free_writes(t); /* frees t, now or when its posted task has run */
}

bool controller_term_is_started(const struct controller_term *t)
{
	return t->started && !t->fenced;
}
