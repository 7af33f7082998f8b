#include "replica/replica_checkpoints.h"
#include "base/diag.h"

struct replica_checkpoints {
	unsigned magic;
	struct replica_checkpoints_options o;
	struct loop_timer timer;
	struct checkpoint_part *parts; /* one per manager */
	size_t pending;
	bool round_under_way; /* collecting, or writing */
	bool failed_before;   /* an error is logged when it begins, not every round */
	bool collected_changes_unwritten;
	struct log_checkpoint_entry *entries;
	size_t count;

	bool stopping;
	void (*stopped)(void *arg, const struct log_checkpoint_entry *entries, size_t count);
	void *stopped_arg;
};
MAGIC(replica_checkpoints, 0x52434850);

static void stop_managers(struct replica_checkpoints *c);

static void end_round(struct replica_checkpoints *c)
{
	free(c->entries);
	c->entries = NULL;
	c->count = 0;
	c->round_under_way = false;
	if (c->stopping)
		stop_managers(c);
	else
		scheduler_timer_arm(c->o.scheduler, &c->timer, c->o.interval_ms * 1000);
}

/* One array of what every loop reported; true if anything changed. */
static bool merge(struct replica_checkpoints *c)
{
	size_t total = 0;
	bool changed = false;
	for (size_t i = 0; i < c->o.manager_count; i++) {
		total += c->parts[i].count;
		changed = changed || c->parts[i].changed;
	}
	expect(c->entries == NULL);
	c->entries = check_calloc(total + 1, sizeof(*c->entries));
	c->count = 0;
	for (size_t i = 0; i < c->o.manager_count; i++) {
		struct checkpoint_part *p = &c->parts[i];
		if (p->count > 0)
			memcpy(c->entries + c->count, p->entries, p->count * sizeof(*p->entries));
		c->count += p->count;
		free(p->entries);
		p->entries = NULL;
	}
	expect(c->count == total);
	return changed;
}

static void replica_checkpoints_written(void *arg, enum status s)
{
	struct replica_checkpoints *c = CAST(replica_checkpoints, arg);
	expect_on_loop(c->o.scheduler);
	c->collected_changes_unwritten = s != STATUS_OK;
	if (s != STATUS_OK && !c->failed_before)
		diag_error("checkpoint_failed", "why=%s text=\"%s; the next start may take longer\"", status_name(s),
			status_text(s));
	c->failed_before = s != STATUS_OK;
	end_round(c);
}

static void replica_checkpoints_collected(struct checkpoint_part *p)
{
	struct replica_checkpoints *c = CAST(replica_checkpoints, p->arg);
	expect_on_loop(c->o.scheduler);
	expect(c->pending > 0);
	if (--c->pending > 0)
		return;
	if (!merge(c) && !c->collected_changes_unwritten)
		end_round(c);
	else
		log_manager_write_checkpoints(c->o.logs, c->entries, c->count, replica_checkpoints_written, c);
}

static void replica_checkpoints_due(struct loop_timer *t)
{
	struct replica_checkpoints *c = CONTAINER_OF(t, struct replica_checkpoints, timer);
	CHECK_MAGIC(replica_checkpoints, c);
	expect(!c->round_under_way && !c->stopping);
	c->round_under_way = true;
	c->pending = c->o.manager_count;
	for (size_t i = 0; i < c->o.manager_count; i++) {
		c->parts[i] = (struct checkpoint_part){
			.home = c->o.scheduler, .done = replica_checkpoints_collected, .arg = c};
		replica_manager_collect(c->o.managers[i], &c->parts[i]);
	}
}

static void replica_checkpoints_manager_stopped(struct checkpoint_part *p)
{
	struct replica_checkpoints *c = CAST(replica_checkpoints, p->arg);
	expect(c->pending > 0);
	if (--c->pending > 0)
		return;
	(void)merge(c);
	c->stopped(c->stopped_arg, c->entries, c->count);
}

static void stop_managers(struct replica_checkpoints *c)
{
	c->pending = c->o.manager_count;
	for (size_t i = 0; i < c->o.manager_count; i++) {
		c->parts[i] = (struct checkpoint_part){
			.home = c->o.scheduler, .done = replica_checkpoints_manager_stopped, .arg = c};
		replica_manager_stop(c->o.managers[i], &c->parts[i]);
	}
}

struct replica_checkpoints *replica_checkpoints_new(const struct replica_checkpoints_options *o)
{
	expect(o->manager_count > 0 && o->interval_ms > 0);
	struct replica_checkpoints *c = check_calloc(1, sizeof(*c));
	c->magic = replica_checkpoints_magic;
	c->o = *o;
	if (c->o.interval_ms > INT64_MAX / 1000)
		c->o.interval_ms = INT64_MAX / 1000;
	c->parts = check_calloc(o->manager_count, sizeof(*c->parts));
	loop_timer_init(&c->timer, "checkpoints", replica_checkpoints_due);
	return c;
}

void replica_checkpoints_start(struct replica_checkpoints *c)
{
	CHECK_MAGIC(replica_checkpoints, c);
	expect_on_loop(c->o.scheduler);
	expect(!c->stopping);
	scheduler_timer_arm(c->o.scheduler, &c->timer, c->o.interval_ms * 1000);
}

void replica_checkpoints_stop(struct replica_checkpoints *c,
	void (*done)(void *arg, const struct log_checkpoint_entry *entries, size_t count), void *arg)
{
	CHECK_MAGIC(replica_checkpoints, c);
	expect_on_loop(c->o.scheduler);
	expect(!c->stopping);
	c->stopping = true;
	c->stopped = done;
	c->stopped_arg = arg;
	scheduler_timer_cancel(c->o.scheduler, &c->timer);
	if (!c->round_under_way)
		stop_managers(c);
}

void replica_checkpoints_free(struct replica_checkpoints *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(replica_checkpoints, c);
	expect(!c->round_under_way && c->pending == 0);
	scheduler_timer_cancel(c->o.scheduler, &c->timer);
	free(c->entries);
	free(c->parts);
	c->magic = 0;
	free(c);
}
