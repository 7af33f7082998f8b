/* A loop without a thread, see scheduler.h. Order: posted tasks first in, first out; a job's work() takes one turn and its
 * done() another; timers by due time, then by order of arming. */
#include "base/scheduler.h"
#include "base/bytes.h"

struct armed_timer {
	struct loop_timer *timer;
	int64_t due_us;
	uint64_t order;
};

struct manual_scheduler {
	unsigned magic;
	struct scheduler scheduler;
	struct background background;
	struct manual_clock *clock;
	struct task *head, **tail;
	struct armed_timer *timers;
	size_t timer_count, timer_capacity;
	uint64_t next_order;
};
MAGIC(manual_scheduler, 0x4d534348);

static struct manual_scheduler *of_scheduler(struct scheduler *s)
{
	struct manual_scheduler *m = CONTAINER_OF(s, struct manual_scheduler, scheduler);
	CHECK_MAGIC(manual_scheduler, m);
	return m;
}

static void post(struct scheduler *s, struct task *t)
{
	struct manual_scheduler *m = of_scheduler(s);
	expect(t->run != NULL);
	t->next = NULL;
	*m->tail = t;
	m->tail = &t->next;
}

static void cancel(struct scheduler *s, struct loop_timer *t)
{
	struct manual_scheduler *m = of_scheduler(s);
	for (size_t i = 0; t->armed && i < m->timer_count; i++) {
		if (m->timers[i].timer == t) {
			m->timers[i] = m->timers[--m->timer_count];
			t->armed = false;
		}
	}
}

static void arm(struct scheduler *s, struct loop_timer *t, int64_t delay_us)
{
	struct manual_scheduler *m = of_scheduler(s);
	expect(delay_us >= 0);
	cancel(s, t);
	if (m->timer_count == m->timer_capacity) {
		m->timer_capacity = m->timer_capacity == 0 ? 16 : m->timer_capacity * 2;
		m->timers = check_realloc(m->timers, m->timer_capacity * sizeof(*m->timers));
	}
	int64_t due_us = delay_us > INT64_MAX - m->clock->us ? INT64_MAX : m->clock->us + delay_us;
	m->timers[m->timer_count++] = (struct armed_timer){.timer = t, .due_us = due_us, .order = m->next_order++};
	t->armed = true;
}

static bool here(struct scheduler *s)
{
	return of_scheduler(s) != NULL;
}

static void job_done(struct task *t)
{
	struct job *j = CONTAINER_OF(t, struct job, task);
	j->done(j);
}

static void job_work(struct task *t)
{
	struct job *j = CONTAINER_OF(t, struct job, task);
	j->work(j);
	j->task.run = job_done;
	scheduler_post(j->home, &j->task);
}

static void submit(struct background *b, struct job *j)
{
	struct manual_scheduler *m = CONTAINER_OF(b, struct manual_scheduler, background);
	CHECK_MAGIC(manual_scheduler, m);
	j->task.run = job_work;
	post(&m->scheduler, &j->task);
}

struct manual_scheduler *manual_scheduler_new(struct manual_clock *clock)
{
	struct manual_scheduler *m = check_calloc(1, sizeof(*m));
	m->magic = manual_scheduler_magic;
	m->clock = clock;
	m->scheduler = (struct scheduler){
		.clock = &clock->clock,
		.post = post,
		.timer_arm = arm,
		.timer_cancel = cancel,
		.here = here,
	};
	m->background.submit = submit;
	m->tail = &m->head;
	return m;
}

void manual_scheduler_free(struct manual_scheduler *m)
{
	CHECK_MAGIC(manual_scheduler, m);
	free(m->timers);
	m->magic = 0;
	free(m);
}

struct scheduler *manual_scheduler_scheduler(struct manual_scheduler *m)
{
	return &m->scheduler;
}

struct background *manual_scheduler_background(struct manual_scheduler *m)
{
	return &m->background;
}

/* The timer due first, or -1. */
static ssize_t earliest(const struct manual_scheduler *m)
{
	ssize_t best = -1;
	for (size_t i = 0; i < m->timer_count; i++) {
		const struct armed_timer *a = &m->timers[i];
		if (best < 0 || a->due_us < m->timers[best].due_us ||
			(a->due_us == m->timers[best].due_us && a->order < m->timers[best].order))
			best = (ssize_t)i;
	}
	return best;
}

bool manual_scheduler_step(struct manual_scheduler *m)
{
	if (m->head != NULL) {
		struct task *t = m->head;
		m->head = t->next;
		if (m->head == NULL)
			m->tail = &m->head;
		t->next = NULL;
		t->run(t);
		return true;
	}
	ssize_t i = earliest(m);
	if (i < 0 || m->timers[i].due_us > m->clock->us)
		return false;
	struct loop_timer *t = m->timers[i].timer;
	m->timers[i] = m->timers[--m->timer_count];
	t->armed = false;
	t->fired(t);
	return true;
}

unsigned manual_scheduler_run(struct manual_scheduler *m)
{
	unsigned steps = 0;
	while (manual_scheduler_step(m)) {
		steps++;
		expect(steps < 100u * 1000 * 1000); /* something re-arms itself at once, for ever */
	}
	return steps;
}

void manual_scheduler_advance_us(struct manual_scheduler *m, int64_t us)
{
	int64_t end_us = m->clock->us + us;
	manual_scheduler_run(m);
	for (ssize_t i = earliest(m); i >= 0 && m->timers[i].due_us <= end_us; i = earliest(m)) {
		if (m->timers[i].due_us > m->clock->us)
			m->clock->us = m->timers[i].due_us;
		manual_scheduler_run(m);
	}
	m->clock->us = end_us;
}

void manual_scheduler_drop_all(struct manual_scheduler *m)
{
	m->head = NULL;
	m->tail = &m->head;
	for (size_t i = 0; i < m->timer_count; i++)
		m->timers[i].timer->armed = false;
	m->timer_count = 0;
}
