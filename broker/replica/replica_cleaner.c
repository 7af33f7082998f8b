#include "replica/replica_cleaner.h"
#include "base/diag.h"

enum {
	PARTITIONS_PER_TURN = 64,       /* then other work of the loop gets its turn */
	NO_SLOT_US = 1000 * 1000,       /* another loop compacts */
	US_PER_MS = 1000,
};

struct replica_cleaner {
	unsigned magic;
	struct replica_cleaner_options o;
	struct log_compaction_limits limits;
	struct loop_timer timer;
	bool stopped, in_round;
	unsigned running;
	struct partition *best; /* of the round so far */
	double best_ratio;
};
MAGIC(replica_cleaner, 0x52434c4e);

void replica_cleaner_slots_init(struct replica_cleaner_slots *s, const struct settings *settings)
{
	expect(settings->log_cleaner_threads > 0);
	atomic_init(&s->free, settings->log_cleaner_enable ? settings->log_cleaner_threads : 0);
}

static bool take_slot(struct replica_cleaner_slots *s)
{
	int free = atomic_load(&s->free);
	while (free > 0) {
		if (atomic_compare_exchange_weak(&s->free, &free, free - 1))
			return true;
	}
	return false;
}

static void cleaner_turn(struct loop_timer *t);

static double load_factor(const struct settings *s)
{
	double f = s->log_cleaner_io_buffer_load_factor;
	return f < 0.01 ? 0.01 : f > 0.99 ? 0.99 : f; /* a full table has no end to a search */
}

struct replica_cleaner *replica_cleaner_new(const struct replica_cleaner_options *o)
{
	const struct settings *s = o->settings;
	expect(o->slots != NULL && o->next != NULL);
	struct replica_cleaner *c = check_calloc(1, sizeof(*c));
	double per_second = s->log_cleaner_io_max_bytes_per_second / s->log_cleaner_threads;
	c->magic = replica_cleaner_magic;
	c->o = *o;
	c->limits = (struct log_compaction_limits){
		.map_bytes = (size_t)(s->log_cleaner_dedupe_buffer_size / s->log_cleaner_threads),
		.map_load_factor = load_factor(s),
		.bytes_per_second = per_second < 1 ? 1 : per_second < (double)(INT64_MAX / 2) ? (int64_t)per_second : 0,
	};
	loop_timer_init(&c->timer, "log cleaner", cleaner_turn);
	return c;
}

void replica_cleaner_free(struct replica_cleaner *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(replica_cleaner, c);
	expect(c->running == 0);
	scheduler_timer_cancel(c->o.scheduler, &c->timer);
	c->magic = 0;
	free(c);
}

static void arm(struct replica_cleaner *c, int64_t delay_us)
{
	if (!c->stopped)
		scheduler_timer_arm(c->o.scheduler, &c->timer, delay_us);
}

static int64_t backoff_us(const struct replica_cleaner *c)
{
	int64_t ms = c->o.settings->log_cleaner_backoff_ms;
	return ms > INT64_MAX / US_PER_MS ? INT64_MAX : ms * US_PER_MS;
}

static void compacted(void *arg, enum status s)
{
	struct replica_cleaner *c = CAST(replica_cleaner, arg);
	expect(c->running > 0);
	c->running--;
	(void)atomic_fetch_add(&c->o.slots->free, 1);
	/* As long as there is something to do, at once; a full disk or a log that changes is not pressed. */
	if (!c->in_round)
		arm(c, s == STATUS_OK ? 0 : backoff_us(c));
}

/* The round is over. */
static void compact_best(struct replica_cleaner *c)
{
	struct partition *p = c->best;
	c->best = NULL;
	c->in_round = false;
	if (p == NULL) {
		arm(c, backoff_us(c));
	} else if (!take_slot(c->o.slots)) {
		arm(c, backoff_us(c) < NO_SLOT_US ? backoff_us(c) : NO_SLOT_US);
	} else if (!partition_compact(p, &c->limits, compacted, c)) {
		(void)atomic_fetch_add(&c->o.slots->free, 1); /* no longer due */
		arm(c, 0);
	} else {
		c->running++;
	}
}

static void cleaner_turn(struct loop_timer *t)
{
	struct replica_cleaner *c = CONTAINER_OF(t, struct replica_cleaner, timer);
	CHECK_MAGIC(replica_cleaner, c);
	for (int i = 0; i < PARTITIONS_PER_TURN; i++) {
		double ratio;
		struct partition *p = c->o.next(c->o.arg, !c->in_round);
		c->in_round = true;
		if (p == NULL) {
			compact_best(c);
			return;
		}
		if (partition_compaction_due(p, &ratio) && (c->best == NULL || ratio > c->best_ratio)) {
			c->best = p;
			c->best_ratio = ratio;
		}
	}
	arm(c, 0);
}

void replica_cleaner_start(struct replica_cleaner *c)
{
	CHECK_MAGIC(replica_cleaner, c);
	if (c->o.settings->log_cleaner_enable && !c->timer.armed && !c->in_round && c->running == 0)
		arm(c, backoff_us(c));
}

void replica_cleaner_stop(struct replica_cleaner *c)
{
	CHECK_MAGIC(replica_cleaner, c);
	c->stopped = true;
	c->best = NULL;
	scheduler_timer_cancel(c->o.scheduler, &c->timer);
}

void replica_cleaner_forget(struct replica_cleaner *c, const struct partition *p)
{
	if (c->best == p)
		c->best = NULL;
}
