#include "runtime/blocking_pool.h"

#include "base/diag.h"

#include <pthread.h>
#include <signal.h>

enum {
	THREADS_MAX = 64,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	POOL_STACK_BYTES = 1024 * 1024, /* instrumented frames are larger */
#else
	POOL_STACK_BYTES = 256 * 1024,
#endif
};

struct blocking_pool {
	unsigned magic;
	struct background background;
	int threads_max;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work;
	struct task *first, **last;
	int threads, idle; /* idle: waiting for work and not yet promised a job */
	bool stopping;
	pthread_t ids[THREADS_MAX];
};
MAGIC(blocking_pool, 0x424c504f);

static void job_done(struct task *t)
{
	struct job *j = CONTAINER_OF(t, struct job, task);
	j->done(j);
}

/* With the lock held; NULL when the pool stops and nothing is left. */
static struct job *pool_take(struct blocking_pool *p)
{
	while (p->first == NULL) {
		if (p->stopping)
			return NULL;
		p->idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	struct task *t = p->first;
	p->first = t->next;
	if (p->first == NULL)
		p->last = &p->first;
	return CONTAINER_OF(t, struct job, task);
}

static void *pool_thread(void *arg)
{
	struct blocking_pool *p = CAST(blocking_pool, arg);
	diag_set_thread_name("pool");
	pthread_mutex_lock(&p->lock);
	struct job *j;
	while ((j = pool_take(p)) != NULL) {
		pthread_mutex_unlock(&p->lock);
		j->work(j);
		j->task.run = job_done;
		scheduler_post(j->home, &j->task); /* j belongs to its home from here on */
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* With the lock held. */
static int pool_add_thread(struct blocking_pool *p)
{
	expect(p->threads < p->threads_max);
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, POOL_STACK_BYTES);
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&p->ids[p->threads], &attr, pool_thread, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0) {
		pthread_setname_np(p->ids[p->threads], "pool");
		p->threads++;
	}
	return rc;
}

static void pool_submit(struct background *b, struct job *j)
{
	struct blocking_pool *p = CAST(blocking_pool, CONTAINER_OF(b, struct blocking_pool, background));
	expect(j->work != NULL && j->done != NULL && j->home != NULL);
	int rc = 0;
	pthread_mutex_lock(&p->lock);
	expect(!p->stopping);
	j->task.next = NULL;
	*p->last = &j->task;
	p->last = &j->task.next;
	/* An idle thread that was signalled but does not run yet still counts as idle: the queue tells. */
	bool more_work_than_idle = p->idle == 0 || p->first->next != NULL;
	if (more_work_than_idle && p->threads < p->threads_max)
		rc = pool_add_thread(p);
	pthread_cond_signal(&p->work);
	int threads = p->threads;
	pthread_mutex_unlock(&p->lock);
	/* Not fatal: the threads there are do the work, later. */
	if (rc != 0)
		diag_warn("blocking_pool_thread_failed", "threads=%d errno=%d", threads, rc);
}

enum status blocking_pool_new(int threads, struct blocking_pool **ret_pool)
{
	expect(threads >= 1 && threads <= THREADS_MAX && ret_pool != NULL);
	struct blocking_pool *p = check_calloc(1, sizeof(*p));
	p->magic = blocking_pool_magic;
	p->background.submit = pool_submit;
	p->threads_max = threads;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_mutex_lock(&p->lock);
	int rc = pool_add_thread(p); /* one from the start: submit can then never fail */
	pthread_mutex_unlock(&p->lock);
	if (rc != 0) {
		diag_error("blocking_pool_failed", "errno=%d cause=\"no thread: raise the limit of processes\"", rc);
		blocking_pool_free(p);
		return STATUS_IO;
	}
	*ret_pool = p;
	return STATUS_OK;
}

void blocking_pool_free(struct blocking_pool *p)
{
	if (p == NULL)
		return;
	CHECK_MAGIC(blocking_pool, p);
	pthread_mutex_lock(&p->lock);
	expect(!p->stopping);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	int threads = p->threads; /* grows no more: submitting to a stopping pool is refused */
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < threads; i++)
		pthread_join(p->ids[i], NULL);
	expect(p->first == NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	p->magic = 0;
	free(p);
}

struct background *blocking_pool_background(struct blocking_pool *p)
{
	CHECK_MAGIC(blocking_pool, p);
	return &p->background;
}
