/* Free space, looked at each second, and deleted partitions' directories, removed after their delay. */
#include "base/diag.h"
#include "storage/log_manager_internal.h"
#include <stdatomic.h>

enum { SPACE_CHECK_US = 1000 * 1000, US_PER_MS = 1000 };

/* --- free space ---------------------------------------------------------------------------------------------- */

struct log_space {
	unsigned magic;
	struct log_manager *m; /* NULL: it has gone */
	struct disk *disk;
	struct job job;
	size_t count;
	struct {
		char *path; /* NULL: offline */
		enum status status;
		int64_t free_bytes, total_bytes;
	} dirs[];
};
MAGIC(log_space, 0x53504143);

static void space_work(struct job *j)
{
	struct log_space *s = CONTAINER_OF(j, struct log_space, job);
	CHECK_MAGIC(log_space, s);
	for (size_t i = 0; i < s->count; i++) {
		if (s->dirs[i].path != NULL)
			s->dirs[i].status =
				disk_space(s->disk, s->dirs[i].path, &s->dirs[i].free_bytes, &s->dirs[i].total_bytes);
	}
}

enum { SPACE_TIGHT_BYTES = 4 * 1024 * 1024 };

static void purge_all_now(struct log_manager *m);

static void take_space(struct log_manager *m, const struct log_space *s)
{
	int64_t least = INT64_MAX;
	for (size_t i = 0; i < s->count; i++) {
		if (s->dirs[i].path == NULL)
			continue;
		if (s->dirs[i].status == STATUS_OK) {
			atomic_store(&m->dirs[i].free_bytes, s->dirs[i].free_bytes);
			atomic_store(&m->dirs[i].total_bytes, s->dirs[i].total_bytes);
		}
		if (s->dirs[i].status != STATUS_OK)
			log_manager_dir_failed(m, &m->dirs[i], s->dirs[i].status);
		else if (s->dirs[i].free_bytes < least)
			least = s->dirs[i].free_bytes;
	}
	bool full = least < m->o.settings->log_dirs_min_free_bytes;
	if (full != atomic_exchange(&m->disk_full, full)) {
		if (full)
			diag_error("disk_full", "free_bytes=%lld produce is refused until log.dirs.min.free.bytes=%lld are free; "
						"delete topics, lower retention, or grow the disk",
				(long long)least, (long long)m->o.settings->log_dirs_min_free_bytes);
		else
			diag_info("disk_has_space", "free_bytes=%lld", (long long)least);
	}
	/* Space comes before the delay, also where log.dirs.min.free.bytes asks for none. */
	if (full || least < SPACE_TIGHT_BYTES)
		purge_all_now(m);
}

static void space_free(struct log_space *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->dirs[i].path);
	s->magic = 0;
	free(s);
}

static void space_done(struct job *j)
{
	struct log_space *s = CONTAINER_OF(j, struct log_space, job);
	CHECK_MAGIC(log_space, s);
	struct log_manager *m = s->m;
	if (m != NULL) {
		CHECK_MAGIC(log_manager, m);
		m->space = NULL;
		take_space(m, s);
		scheduler_timer_arm(m->o.scheduler, &m->space_timer, SPACE_CHECK_US);
	}
	space_free(s);
}

static struct log_space *space_new(struct log_manager *m)
{
	struct log_space *s = check_calloc(1, sizeof(*s) + m->dir_count * sizeof(s->dirs[0]));
	s->magic = log_space_magic;
	s->m = m;
	s->disk = m->o.disk;
	s->count = m->dir_count;
	for (size_t i = 0; i < m->dir_count; i++)
		s->dirs[i].path = m->dirs[i].online ? check_strdup(m->dirs[i].path) : NULL;
	return s;
}

static void space_timer_fired(struct loop_timer *t)
{
	struct log_manager *m = CONTAINER_OF(t, struct log_manager, space_timer);
	CHECK_MAGIC(log_manager, m);
	expect(m->space == NULL);
	m->space = space_new(m);
	job_init(&m->space->job, "free space", m->o.scheduler, space_work, space_done);
	background_submit(m->o.background, &m->space->job);
}

void log_manager_check_space(struct log_manager *m)
{
	struct log_space *s = space_new(m);
	space_work(&s->job);
	take_space(m, s);
	space_free(s);
}

bool log_manager_disk_full(const struct log_manager *m)
{
	return atomic_load_explicit(&m->disk_full, memory_order_relaxed);
}

size_t log_manager_directory_count(const struct log_manager *m)
{
	return m->dir_count;
}

struct log_directory_info log_manager_directory_info(const struct log_manager *m, size_t i)
{
	CHECK_MAGIC(log_manager, m);
	expect(i < m->dir_count);
	const struct log_dir *d = &m->dirs[i];
	return (struct log_directory_info){d->path, !atomic_load(&d->failed), atomic_load(&d->free_bytes), atomic_load(&d->total_bytes)};
}

/* --- purging ------------------------------------------------------------------------------------------------- */

struct log_purge {
	unsigned magic;
	struct log_purge *next;
	struct log_manager *m; /* NULL: it has gone */
	struct disk *disk;
	struct job job;
	char *path;
	int64_t due_us;
	bool running;
	enum status status;
};
MAGIC(log_purge, 0x4c4d5055);

static void purge_work(struct job *j)
{
	struct log_purge *p = CONTAINER_OF(j, struct log_purge, job);
	CHECK_MAGIC(log_purge, p);
	p->status = log_directory_remove(p->disk, p->path);
}

static void purge_free(struct log_purge *p)
{
	free(p->path);
	p->magic = 0;
	free(p);
}

static void purge_done(struct job *j)
{
	struct log_purge *p = CONTAINER_OF(j, struct log_purge, job);
	CHECK_MAGIC(log_purge, p);
	if (p->status != STATUS_OK)
		diag_warn("purge_failed", "path=%s status=%s the next start tries again", p->path, status_name(p->status));
	if (p->m != NULL) {
		struct log_purge **at = &p->m->purges;
		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
	}
	purge_free(p);
}

/* Starts what is due (all, with now = INT64_MAX), and arms the timer for the next. */
static void purge_due(struct log_manager *m, int64_t now)
{
	int64_t next = INT64_MAX;
	for (struct log_purge *p = m->purges; p != NULL; p = p->next) {
		if (p->running)
			continue;
		if (p->due_us > now) {
			next = p->due_us < next ? p->due_us : next;
			continue;
		}
		p->running = true;
		job_init(&p->job, "purge", m->o.scheduler, purge_work, purge_done);
		background_submit(m->o.background, &p->job);
	}
	if (next != INT64_MAX)
		scheduler_timer_arm(m->o.scheduler, &m->purge_timer, next - now);
}

static void purge_timer_fired(struct loop_timer *t)
{
	struct log_manager *m = CONTAINER_OF(t, struct log_manager, purge_timer);
	CHECK_MAGIC(log_manager, m);
	purge_due(m, clock_monotonic_us(m->o.clock));
}

static void purge_all_now(struct log_manager *m)
{
	if (m->purge_timer.fired != NULL) /* not before the manager runs */
		purge_due(m, INT64_MAX);
}

void log_manager_schedule_purge(struct log_manager *m, struct log_dir *dir, const char *name, int64_t delay_ms)
{
	struct log_purge *p = check_calloc(1, sizeof(*p));
	int64_t now = clock_monotonic_us(m->o.clock), delay_max_ms = INT64_MAX / US_PER_MS / 4;
	p->magic = log_purge_magic;
	p->m = m;
	p->disk = m->o.disk;
	p->path = log_manager_path(dir, name);
	p->due_us = now + (delay_ms < delay_max_ms ? delay_ms : delay_max_ms) * US_PER_MS;
	p->next = m->purges;
	m->purges = p;
	if (m->purge_timer.fired != NULL)
		purge_due(m, now);
}

/* --- timers -------------------------------------------------------------------------------------------------- */

void log_manager_start_timers(struct log_manager *m)
{
	loop_timer_init(&m->space_timer, "free space", space_timer_fired);
	loop_timer_init(&m->purge_timer, "purge", purge_timer_fired);
	scheduler_timer_arm(m->o.scheduler, &m->space_timer, SPACE_CHECK_US);
	purge_due(m, clock_monotonic_us(m->o.clock));
}

void log_manager_stop_timers(struct log_manager *m)
{
	if (m->space_timer.armed)
		scheduler_timer_cancel(m->o.scheduler, &m->space_timer);
	if (m->purge_timer.armed)
		scheduler_timer_cancel(m->o.scheduler, &m->purge_timer);
	if (m->space != NULL)
		m->space->m = NULL;
	m->space = NULL;
	while (m->purges != NULL) {
		struct log_purge *p = m->purges;
		m->purges = p->next;
		if (p->running)
			p->m = NULL; /* frees itself */
		else
			purge_free(p);
	}
}
