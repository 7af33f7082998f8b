/* The turn is driven here, not by event_base_dispatch: mailbox and turn's end then have a fixed place in it, and a loop
 * that is awake is never written to. */
#include "runtime/event_loop.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	TIMER_SLOTS_KEPT = 256,
	LOOP_STACK_BYTES = 1024 * 1024,
};
/* Owner of a loop whose thread has been started but does not run yet: equal to no pthread_t. */
#define OWNER_STARTING ((uintptr_t)1)

/* An armed timer's libevent half. Kept apart from struct loop_timer so that this one may go as soon as it fired. */
struct timer_slot {
	LIST_ENTRY(timer_slot) link;
	struct event *event;
	struct event_loop *loop;
	struct loop_timer *timer;
	int64_t due_us;
};
LIST_HEAD(timer_slots, timer_slot);

struct task_list {
	struct task *first, **last;
};

struct event_loop {
	unsigned magic;
	struct scheduler scheduler;
	const char *name;
	int index;
	struct event_base *base;
	struct event *wake_event;
	int wake_fd;
	pthread_t thread;
	bool started; /* there is a thread to join */
	bool ending;
	_Atomic uintptr_t owner; /* pthread_t of the thread that runs the loop; 0: none */
	struct task stop_task;
	atomic_bool stop_posted;
	struct task_list turn_end;
	struct timer_slots armed, spare;
	unsigned spare_count;
	_Atomic(const char *) running;
	_Atomic int64_t running_since_us;
	pthread_mutex_t lock; /* guards what follows */
	struct task_list mailbox;
	bool asleep; /* sleeps or is about to: the next sender wakes it */
};
MAGIC(event_loop, 0x4c4f4f50);

static void task_list_init(struct task_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void task_list_push(struct task_list *list, struct task *t)
{
	expect(t != NULL && t->run != NULL);
	t->next = NULL;
	*list->last = t;
	list->last = &t->next;
}

static struct task *task_list_take_all(struct task_list *list)
{
	struct task *first = list->first;
	task_list_init(list);
	return first;
}

struct event_loop *event_loop_of(struct scheduler *s)
{
	expect(s != NULL);
	return CAST(event_loop, CONTAINER_OF(s, struct event_loop, scheduler));
}

static bool event_loop_here(struct scheduler *s)
{
	struct event_loop *l = event_loop_of(s);
	uintptr_t owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
	return owner == 0 || owner == (uintptr_t)pthread_self();
}

void event_loop_set_running(struct event_loop *l, const char *name)
{
	if (name != NULL)
		atomic_store_explicit(
			&l->running_since_us, clock_monotonic_us(l->scheduler.clock), memory_order_relaxed);
	atomic_store_explicit(&l->running, name, memory_order_release);
}

const char *event_loop_running(struct event_loop *l, int64_t *ret_since_us)
{
	CHECK_MAGIC(event_loop, l);
	const char *name = atomic_load_explicit(&l->running, memory_order_acquire);
	*ret_since_us = atomic_load_explicit(&l->running_since_us, memory_order_relaxed);
	return name;
}

static void run_tasks(struct event_loop *l, struct task *t)
{
	if (t == NULL)
		return;
	while (t != NULL) {
		struct task *next = t->next; /* t may be posted again or freed by its run() */
		event_loop_set_running(l, t->name != NULL ? t->name : "task");
		t->run(t);
		t = next;
	}
	event_loop_set_running(l, NULL);
}

/* ---- mailbox ---- */

static void event_loop_wake(struct event_loop *l)
{
	const uint64_t one = 1;
	ssize_t n;
	do {
		n = write(l->wake_fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is at its maximum, so the loop is awake anyway. */
	expect(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

/* Once the lock is given back the loop may handle the task, end and be freed (the last letter of a detached thread): nothing
 * of it is touched after that. */
static void event_loop_post(struct scheduler *s, struct task *t)
{
	struct event_loop *l = event_loop_of(s);
	bool here = event_loop_here(s);
	pthread_mutex_lock(&l->lock);
	task_list_push(&l->mailbox, t);
	if (l->asleep)
		event_loop_wake(l);
	l->asleep = false;
	pthread_mutex_unlock(&l->lock);
	if (!here)
		metrics_add(METRIC_mailbox_tasks, 1);
}

static void wake_fd_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct event_loop *l = CAST(event_loop, arg);
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));
	expect(fd == l->wake_fd && (n == (ssize_t)sizeof(count) || errno == EAGAIN || errno == EINTR));
}

/* Takes what is there now; what is posted meanwhile waits for the next turn. */
static void mailbox_turn(struct event_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->asleep = false;
	struct task *first = task_list_take_all(&l->mailbox);
	pthread_mutex_unlock(&l->lock);
	run_tasks(l, first);
}

/* True if the loop may sleep until a socket, timer or sender wakes it. */
static bool mailbox_may_sleep(struct event_loop *l)
{
	pthread_mutex_lock(&l->lock);
	bool may_sleep = l->mailbox.first == NULL && l->turn_end.first == NULL;
	l->asleep = may_sleep;
	pthread_mutex_unlock(&l->lock);
	return may_sleep;
}

void event_loop_at_turn_end(struct event_loop *l, struct task *t)
{
	expect_on_loop(&l->scheduler);
	task_list_push(&l->turn_end, t);
}

/* ---- timers ---- */

static void timer_slot_release(struct timer_slot *slot)
{
	struct event_loop *l = slot->loop;
	LIST_REMOVE(slot, link);
	slot->timer = NULL;
	if (l->spare_count < TIMER_SLOTS_KEPT) {
		LIST_INSERT_HEAD(&l->spare, slot, link);
		l->spare_count++;
		return;
	}
	event_free(slot->event);
	free(slot);
}

static void timer_slot_add(struct timer_slot *slot, int64_t delay_us)
{
	struct timeval tv = {.tv_sec = delay_us / 1000000, .tv_usec = delay_us % 1000000};
	int rc = event_add(slot->event, &tv);
	expect(rc == 0);
}

static void timer_slot_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct timer_slot *slot = arg;
	struct event_loop *l = slot->loop;
	struct loop_timer *t = slot->timer;
	expect(t != NULL && t->armed && t->impl == slot);
	/* libevent reads a coarse and cached clock: it may be some milliseconds early. Callers compare with the exact one. */
	int64_t early_us = slot->due_us - clock_monotonic_us(clock_system());
	if (early_us > 0) {
		timer_slot_add(slot, early_us);
		return;
	}
	t->impl = NULL;
	t->armed = false;
	timer_slot_release(slot);
	event_loop_set_running(l, t->name != NULL ? t->name : "timer");
	t->fired(t);
	event_loop_set_running(l, NULL);
}

static struct timer_slot *timer_slot_get(struct event_loop *l)
{
	struct timer_slot *slot = LIST_FIRST(&l->spare);
	if (slot != NULL) {
		LIST_REMOVE(slot, link);
		l->spare_count--;
	} else {
		slot = check_calloc(1, sizeof(*slot));
		slot->loop = l;
		slot->event = event_new(l->base, -1, 0, timer_slot_due, slot);
		expect(slot->event != NULL);
	}
	LIST_INSERT_HEAD(&l->armed, slot, link);
	return slot;
}

static void event_loop_timer_arm(struct scheduler *s, struct loop_timer *t, int64_t delay_us)
{
	struct event_loop *l = event_loop_of(s);
	expect_on_loop(s);
	expect(t->fired != NULL && delay_us >= 0);
	struct timer_slot *slot = t->armed ? t->impl : timer_slot_get(l);
	expect(slot->loop == l);
	slot->timer = t;
	slot->due_us = clock_monotonic_us(clock_system()) + delay_us;
	t->impl = slot;
	t->armed = true;
	timer_slot_add(slot, delay_us);
}

static void event_loop_timer_cancel(struct scheduler *s, struct loop_timer *t)
{
	expect_on_loop(s);
	if (!t->armed)
		return;
	struct timer_slot *slot = t->impl;
	expect(slot != NULL && slot->loop == event_loop_of(s) && slot->timer == t);
	event_del(slot->event);
	t->impl = NULL;
	t->armed = false;
	timer_slot_release(slot);
}

/* ---- life ---- */

static void event_loop_stop_now(struct task *t)
{
	CAST(event_loop, CONTAINER_OF(t, struct event_loop, stop_task))->ending = true;
}

static struct event_base *event_loop_new_base(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return NULL;
	/* Each base is used by its own thread alone: no locks inside libevent. */
	struct event_base *base = NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

enum status event_loop_new(const char *name, int index, struct clock *clock, struct event_loop **ret_loop)
{
	expect(name != NULL && clock != NULL && ret_loop != NULL);
	struct event_loop *l = check_calloc(1, sizeof(*l));
	l->magic = event_loop_magic;
	l->name = name;
	l->index = index;
	l->scheduler = (struct scheduler){.clock = clock,
		.post = event_loop_post,
		.timer_arm = event_loop_timer_arm,
		.timer_cancel = event_loop_timer_cancel,
		.here = event_loop_here};
	task_init(&l->stop_task, "event_loop_stop", event_loop_stop_now);
	task_list_init(&l->mailbox);
	task_list_init(&l->turn_end);
	LIST_INIT(&l->armed);
	LIST_INIT(&l->spare);
	pthread_mutex_init(&l->lock, NULL);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->base = event_loop_new_base();
	if (l->wake_fd >= 0 && l->base != NULL)
		l->wake_event = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, wake_fd_readable, l);
	if (l->wake_event == NULL || event_add(l->wake_event, NULL) != 0) {
		diag_error("event_loop_failed", "loop=%s errno=%d cause=\"no epoll or event descriptor: raise the limit of open files\"",
			name, errno);
		event_loop_free(l);
		return STATUS_IO;
	}
	*ret_loop = l;
	return STATUS_OK;
}

static void timer_slots_free(struct timer_slots *slots)
{
	struct timer_slot *slot;
	while ((slot = LIST_FIRST(slots)) != NULL) {
		LIST_REMOVE(slot, link);
		event_free(slot->event);
		free(slot);
	}
}

void event_loop_free(struct event_loop *l)
{
	if (l == NULL)
		return;
	CHECK_MAGIC(event_loop, l);
	expect(!l->started && atomic_load(&l->owner) == 0);
	timer_slots_free(&l->armed);
	timer_slots_free(&l->spare);
	if (l->wake_event != NULL)
		event_free(l->wake_event);
	if (l->base != NULL)
		event_base_free(l->base);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_mutex_destroy(&l->lock);
	l->magic = 0;
	free(l);
}

/* sendfile knows no MSG_NOSIGNAL. */
static void block_sigpipe(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void event_loop_run(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	uintptr_t before = atomic_load(&l->owner);
	expect(before == 0 || before == OWNER_STARTING);
	atomic_store(&l->owner, (uintptr_t)pthread_self());
	diag_set_thread_name(l->name);
	block_sigpipe();
	while (!l->ending) {
		int flags = mailbox_may_sleep(l) ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK;
		int rc = event_base_loop(l->base, flags);
		expect(rc >= 0);
		mailbox_turn(l);
		run_tasks(l, task_list_take_all(&l->turn_end));
	}
	/* A thread of the loop's own leaves the mark to the one that joins it: until then nobody else may touch the loop. */
	if (!l->started)
		atomic_store(&l->owner, 0);
}

static void *event_loop_thread(void *arg)
{
	struct event_loop *l = CAST(event_loop, arg);
	event_loop_run(l);
	return NULL;
}

enum status event_loop_start(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	expect(!l->started && atomic_load(&l->owner) == 0);
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, LOOP_STACK_BYTES);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&l->owner, OWNER_STARTING);
	l->started = true;
	int rc = pthread_create(&l->thread, &attr, event_loop_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		l->started = false;
		atomic_store(&l->owner, 0);
		diag_error("event_loop_failed", "loop=%s errno=%d cause=\"no thread: raise the limit of processes\"", l->name, rc);
		return STATUS_IO;
	}
	char short_name[16];
	snprintf(short_name, sizeof(short_name), "%s", l->name);
	pthread_setname_np(l->thread, short_name);
	return STATUS_OK;
}

void event_loop_stop(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	if (!atomic_exchange(&l->stop_posted, true))
		event_loop_post(&l->scheduler, &l->stop_task);
}

void event_loop_join(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	if (!l->started)
		return;
	expect(atomic_load(&l->stop_posted));
	int rc = pthread_join(l->thread, NULL);
	expect(rc == 0);
	l->started = false;
	atomic_store(&l->owner, 0);
}

struct scheduler *event_loop_scheduler(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	return &l->scheduler;
}

struct event_base *event_loop_base(struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	return l->base;
}

int event_loop_index(const struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	return l->index;
}

const char *event_loop_name(const struct event_loop *l)
{
	CHECK_MAGIC(event_loop, l);
	return l->name;
}
