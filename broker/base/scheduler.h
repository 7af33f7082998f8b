/* What every module above runtime/ knows of threads: post a task to the loop that owns something, arm a timer on it,
 * run a call that may sleep elsewhere. runtime/event_loop and runtime/blocking_pool implement the tables; so do the
 * simulator and the unit tests. */
#ifndef BASE_SCHEDULER_H
#define BASE_SCHEDULER_H

#include "base/check.h"
#include "base/clock.h"
#include <stdint.h>

/* A letter. Embedded in the object that travels, so posting never allocates and never fails. A task may be posted
 * again once it runs; not while it waits. */
struct task {
	struct task *next;
	void (*run)(struct task *t);
	const char *name; /* for the stall watchdog; static string */
};
static inline void task_init(struct task *t, const char *name, void (*run)(struct task *))
{
	*t = (struct task){.run = run, .name = name};
}

/* A timer belongs to one scheduler and is used on its loop only. One-shot. */
struct loop_timer {
	void (*fired)(struct loop_timer *t);
	const char *name;
	void *impl; /* the scheduler's own */
	bool armed;
};

struct scheduler {
	struct clock *clock;
	/* From any thread; tasks of one sender keep their order. */
	void (*post)(struct scheduler *s, struct task *t);
	/* On the loop only. (Re)arms to fire once after delay_us (>= 0). */
	void (*timer_arm)(struct scheduler *s, struct loop_timer *t, int64_t delay_us);
	/* On the loop only. Afterwards the timer's memory may go. Harmless when not armed. */
	void (*timer_cancel)(struct scheduler *s, struct loop_timer *t);
	/* Is the caller on this scheduler's loop? */
	bool (*here)(struct scheduler *s);
};

static inline void scheduler_post(struct scheduler *s, struct task *t)
{
	s->post(s, t);
}
static inline void loop_timer_init(struct loop_timer *t, const char *name, void (*fired)(struct loop_timer *))
{
	*t = (struct loop_timer){.fired = fired, .name = name};
}
static inline void scheduler_timer_arm(struct scheduler *s, struct loop_timer *t, int64_t delay_us)
{
	s->timer_arm(s, t, delay_us);
}
static inline void scheduler_timer_cancel(struct scheduler *s, struct loop_timer *t)
{
	s->timer_cancel(s, t);
}
#define expect_on_loop(sched) expect((sched)->here(sched))

/* A call that may sleep: work() runs on a pool thread, then done() on `home`. Owned by the caller until done. */
struct job {
	struct task task;
	void (*work)(struct job *j);
	void (*done)(struct job *j);
	struct scheduler *home;
};
struct background {
	void (*submit)(struct background *b, struct job *j);
};
static inline void job_init(struct job *j, const char *name, struct scheduler *home, void (*work)(struct job *),
	void (*done)(struct job *))
{
	*j = (struct job){.work = work, .done = done, .home = home};
	j->task.name = name;
}
static inline void background_submit(struct background *b, struct job *j)
{
	b->submit(b, j);
}

/* One thread, no thread at all: runs everything when told to, on a manual clock. For unit tests and the simulator.
 * Also implements struct background by running work() when the job's turn comes. */
struct manual_scheduler;
struct manual_scheduler *manual_scheduler_new(struct manual_clock *clock);
void manual_scheduler_free(struct manual_scheduler *m);
struct scheduler *manual_scheduler_scheduler(struct manual_scheduler *m);
struct background *manual_scheduler_background(struct manual_scheduler *m);
/* Runs one posted task, job half or due timer; false if nothing is due. */
bool manual_scheduler_step(struct manual_scheduler *m);
/* Runs until nothing is due at the present time; returns the number of steps. */
unsigned manual_scheduler_run(struct manual_scheduler *m);
/* Moves the clock to each timer in turn, up to now + us, running all that comes due. */
void manual_scheduler_advance_us(struct manual_scheduler *m, int64_t us);
/* Drops everything not yet run (a crash). */
void manual_scheduler_drop_all(struct manual_scheduler *m);

#endif
