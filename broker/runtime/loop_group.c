#include "runtime/loop_group.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

enum {
	LOOPS_MAX = 64,
	PING_PERIOD_US = 1000 * 1000,
};

/* The watchdog's letter to one loop. */
struct ping {
	struct task task;
	atomic_bool answered;
	int64_t sent_us;
	bool reported; /* this stall has been logged */
};

struct loop_group {
	unsigned magic;
	int count;
	struct event_loop *loops[LOOPS_MAX];
	char names[LOOPS_MAX][8];
	struct clock *clock;
	/* the watchdog's, on `main` */
	struct scheduler *main;
	struct loop_timer tick;
	struct ping pings[LOOPS_MAX];
	int64_t period_us, stall_us, panic_us, last_tick_us;
};
MAGIC(loop_group, 0x4c475250);

enum status loop_group_new(int n, struct clock *clock, struct loop_group **ret_group)
{
	expect(n >= 1 && n <= LOOPS_MAX);
	struct loop_group *g = check_calloc(1, sizeof(*g));
	g->magic = loop_group_magic;
	g->clock = clock;
	for (int i = 0; i < n; i++) {
		snprintf(g->names[i], sizeof(g->names[i]), "loop%d", i);
		enum status s = event_loop_new(g->names[i], i, clock, &g->loops[i]);
		if (s != STATUS_OK) {
			loop_group_free(g);
			return s;
		}
		g->count++;
	}
	*ret_group = g;
	return STATUS_OK;
}

enum status loop_group_start(struct loop_group *g)
{
	CHECK_MAGIC(loop_group, g);
	for (int i = 0; i < g->count; i++) {
		enum status s = event_loop_start(g->loops[i]);
		if (s != STATUS_OK) {
			loop_group_stop(g);
			return s;
		}
	}
	return STATUS_OK;
}

void loop_group_stop(struct loop_group *g)
{
	CHECK_MAGIC(loop_group, g);
	if (g->main != NULL)
		scheduler_timer_cancel(g->main, &g->tick);
	g->main = NULL;
	for (int i = 0; i < g->count; i++)
		event_loop_stop(g->loops[i]);
	for (int i = 0; i < g->count; i++)
		event_loop_join(g->loops[i]);
}

void loop_group_free(struct loop_group *g)
{
	if (g == NULL)
		return;
	CHECK_MAGIC(loop_group, g);
	expect(g->main == NULL); /* stopped, or never watched */
	for (int i = 0; i < g->count; i++)
		event_loop_free(g->loops[i]);
	g->magic = 0;
	free(g);
}

int loop_group_count(const struct loop_group *g)
{
	CHECK_MAGIC(loop_group, g);
	return g->count;
}

struct event_loop *loop_group_loop(struct loop_group *g, int index)
{
	CHECK_MAGIC(loop_group, g);
	expect(index >= 0 && index < g->count);
	return g->loops[index];
}

struct scheduler *loop_group_scheduler(struct loop_group *g, int index)
{
	return event_loop_scheduler(loop_group_loop(g, index));
}

int loop_group_place(const struct loop_group *g, const struct topic_partition *tp)
{
	CHECK_MAGIC(loop_group, g);
	expect(tp->partition >= 0);
	uint64_t topic = bytes_hash64(slice_of_str(tp->topic), 0);
	return (int)((topic + (uint64_t)tp->partition) % (uint64_t)g->count);
}

/* ---- watchdog ---- */

static void ping_arrived(struct task *t)
{
	struct ping *p = CONTAINER_OF(t, struct ping, task);
	atomic_store_explicit(&p->answered, true, memory_order_release);
}

static void ping_send(struct loop_group *g, int index, int64_t now_us)
{
	struct ping *p = &g->pings[index];
	p->sent_us = now_us;
	p->reported = false;
	atomic_store_explicit(&p->answered, false, memory_order_relaxed);
	scheduler_post(loop_group_scheduler(g, index), &p->task);
}

static void ping_overdue(struct loop_group *g, int index, int64_t now_us)
{
	struct ping *p = &g->pings[index];
	int64_t waited_us = now_us - p->sent_us, since_us = 0;
	if (waited_us < g->stall_us)
		return;
	const char *name = event_loop_running(g->loops[index], &since_us);
	bool panic = waited_us >= g->panic_us;
	if (!p->reported || panic) {
		p->reported = true;
		metrics_add(METRIC_loop_stalls, 1);
		diag_emit(panic ? DIAG_ERROR : DIAG_WARN, "loop_stalled",
			"loop=%s silent_ms=%" PRId64 " task=%s task_ms=%" PRId64, g->names[index], waited_us / 1000,
			name != NULL ? name : "none", name != NULL ? (now_us - since_us) / 1000 : 0);
	}
	/* A process with a dead loop must not keep its ZooKeeper session alive. */
	if (panic)
		unreachable("an event loop does not answer (see loop_stalled above)");
}

static void watch_tick(struct loop_timer *t)
{
	struct loop_group *g = CAST(loop_group, CONTAINER_OF(t, struct loop_group, tick));
	int64_t now_us = clock_monotonic_us(g->clock);
	/* If this thread itself was held up (the process was stopped, the machine is starved) silence proves nothing. */
	bool late = now_us - g->last_tick_us > 2 * g->period_us;
	for (int i = 0; i < g->count; i++) {
		struct ping *p = &g->pings[i];
		if (atomic_load_explicit(&p->answered, memory_order_acquire)) {
			if (p->reported)
				diag_info("loop_recovered", "loop=%s", g->names[i]);
			ping_send(g, i, now_us);
		} else if (late) {
			p->sent_us = now_us;
		} else {
			ping_overdue(g, i, now_us);
		}
	}
	g->last_tick_us = now_us;
	scheduler_timer_arm(g->main, &g->tick, g->period_us);
}

void loop_group_watch(struct loop_group *g, struct scheduler *main, int64_t stall_ms, int64_t panic_ms)
{
	CHECK_MAGIC(loop_group, g);
	expect_on_loop(main);
	expect(g->main == NULL && stall_ms > 0 && panic_ms > stall_ms);
	g->main = main;
	g->stall_us = stall_ms * 1000;
	g->panic_us = panic_ms * 1000;
	g->period_us = g->stall_us / 2 < PING_PERIOD_US ? g->stall_us / 2 : PING_PERIOD_US;
	g->last_tick_us = clock_monotonic_us(g->clock);
	for (int i = 0; i < g->count; i++) {
		task_init(&g->pings[i].task, "watchdog_ping", ping_arrived);
		ping_send(g, i, g->last_tick_us);
	}
	loop_timer_init(&g->tick, "watchdog", watch_tick);
	scheduler_timer_arm(main, &g->tick, g->period_us);
}
