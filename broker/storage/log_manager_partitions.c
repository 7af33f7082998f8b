/* Partitions come and go: created in the pool, deleted by renaming their directory. A request that meets another one under
 * way on the same partition waits for it. */
#include "base/diag.h"
#include "storage/log_manager_internal.h"

enum waiter_kind { WAITER_OPEN, WAITER_DELETE };
/* One request, from the call to its answer. */
struct log_waiter {
	unsigned magic;
	struct log_waiter *next;
	enum waiter_kind kind;
	struct log_manager *m;
	struct topic_partition tp;
	struct log_entry *entry; /* while under way */
	bool has_topic_id, is_new, create, write_metadata;
	struct uuid topic_id;
	struct topic_settings settings;
	struct task task;
	struct job job;
	enum status status;
	char *deleted_path;
	char deleted_name[LOG_DIRECTORY_NAME_SIZE];
	void (*opened)(void *arg, enum status s, struct partition_log *log, int64_t high_watermark);
	void (*deleted)(void *arg, enum status s);
	void *arg;
};
MAGIC(log_waiter, 0x4c4d5754);

static void begin(struct log_waiter *w);

static void begin_task(struct task *t)
{
	struct log_waiter *w = CONTAINER_OF(t, struct log_waiter, task);
	CHECK_MAGIC(log_waiter, w);
	begin(w);
}

static void answer(struct log_waiter *w, enum status s, struct log_entry *e)
{
	expect(w->m->requests > 0);
	w->m->requests--;
	if (w->kind == WAITER_DELETE) {
		w->deleted(w->arg, s);
	} else if (s == STATUS_OK) {
		expect(e != NULL);
		e->handed_out = true;
		w->opened(w->arg, s, e->log, e->high_watermark);
	} else {
		w->opened(w->arg, s, NULL, 0);
	}
	free(w->deleted_path);
	w->magic = 0;
	free(w);
}

/* Takes the requests that waited off the entry. */
static struct log_waiter *take_waiters(struct log_entry *e)
{
	struct log_waiter *first = e->waiters;
	e->waiters = NULL;
	return first;
}

/* They begin anew: by now the partition may exist, or no longer. The first to need the disk makes the others wait again. */
static void wake_all(struct log_waiter *first)
{
	while (first != NULL) {
		struct log_waiter *next = first->next;
		first->next = NULL;
		begin(first);
		first = next;
	}
}

/* --- opening and creating ------------------------------------------------------------------------------------ */

static struct log_dir *choose_dir(struct log_manager *m)
{
	struct log_dir *best = NULL;
	for (size_t i = 0; i < m->dir_count; i++) {
		if (m->dirs[i].online && (best == NULL || m->dirs[i].partitions < best->partitions))
			best = &m->dirs[i];
	}
	return best;
}

static bool any_dir_offline(const struct log_manager *m)
{
	for (size_t i = 0; i < m->dir_count; i++) {
		if (!m->dirs[i].online)
			return true;
	}
	return false;
}

static enum status make_directory(const struct log_waiter *w)
{
	const struct log_entry *e = w->entry;
	struct log_place place = {.disk = w->m->o.disk, .directory = e->path};
	enum status s = disk_mkdir(place.disk, e->path);
	if (s != STATUS_OK && s != STATUS_EXISTS)
		return s;
	if (w->has_topic_id)
		TRY(partition_metadata_write_new(&place, &w->topic_id));
	return STATUS_OK; /* durable with the log's first flush, so with its first record */
}

static void open_work(struct job *j)
{
	struct log_waiter *w = CONTAINER_OF(j, struct log_waiter, job);
	CHECK_MAGIC(log_waiter, w);
	struct log_entry *e = w->entry;
	w->status = w->create ? make_directory(w) : STATUS_OK;
	e->is_new = w->create;
	if (w->status == STATUS_OK && e->log == NULL) {
		log_manager_open_entry(w->m, e, &w->settings);
		w->status = e->status;
	}
	if (w->status == STATUS_OK && w->write_metadata) {
		struct log_place place = {.disk = w->m->o.disk, .directory = e->path};
		w->status = partition_metadata_write(&place, &w->topic_id);
	}
	/* A creation that failed leaves nothing behind. */
	if (w->status != STATUS_OK && w->create)
		(void)!log_directory_remove(w->m->o.disk, e->path);
}

static void open_done(struct job *j)
{
	struct log_waiter *w = CONTAINER_OF(j, struct log_waiter, job);
	CHECK_MAGIC(log_waiter, w);
	struct log_manager *m = w->m;
	struct log_entry *e = w->entry;
	enum status s = w->status;
	struct log_waiter *waiters = take_waiters(e);
	expect(e->state == LOG_ENTRY_BUSY);
	if (s == STATUS_OK && w->has_topic_id && (w->create || w->write_metadata)) {
		e->topic_id = w->topic_id;
		e->has_topic_id = true;
	}
	if (w->create && s != STATUS_OK) {
		if (s == STATUS_IO)
			log_manager_dir_failed(m, e->dir, s);
		log_manager_remove_entry(m, e);
		answer(w, s, NULL);
	} else {
		if (e->log != NULL)
			e->status = STATUS_OK;
		log_manager_entry_opened(m, e);
		if (s == STATUS_OK && w->has_topic_id && e->has_topic_id && !uuid_equal(&e->topic_id, &w->topic_id))
			s = STATUS_INCONSISTENT_TOPIC_ID;
		answer(w, s == STATUS_CORRUPT ? STATUS_KAFKA_STORAGE_ERROR : s, e);
	}
	wake_all(waiters);
}

static void submit_open(struct log_waiter *w, struct log_entry *e)
{
	w->entry = e;
	e->state = LOG_ENTRY_BUSY;
	w->m->o.topic_settings(w->m->o.arg, e->tp.topic, &w->settings);
	job_init(&w->job, "open log", w->m->o.scheduler, open_work, open_done);
	background_submit(w->m->o.background, &w->job);
}

static void begin_open(struct log_waiter *w)
{
	struct log_manager *m = w->m;
	struct log_entry *e = log_manager_entry(m, &w->tp);
	if (e == NULL) {
		struct log_dir *dir = choose_dir(m);
		/* It may well lie in the directory that is offline: an empty one in its place would pass for it. */
		if (dir == NULL || (!w->is_new && any_dir_offline(m))) {
			answer(w, STATUS_KAFKA_STORAGE_ERROR, NULL);
			return;
		}
		w->create = true;
		submit_open(w, log_manager_add_entry(m, &w->tp, dir));
		return;
	}
	if (!e->dir->online) {
		answer(w, STATUS_KAFKA_STORAGE_ERROR, NULL);
		return;
	}
	bool known = e->state == LOG_ENTRY_OPEN;
	if (known && w->has_topic_id && e->has_topic_id && !uuid_equal(&e->topic_id, &w->topic_id)) {
		answer(w, STATUS_INCONSISTENT_TOPIC_ID, NULL);
		return;
	}
	w->write_metadata = known && w->has_topic_id && !e->has_topic_id;
	if (known && !w->write_metadata)
		answer(w, STATUS_OK, e);
	else
		submit_open(w, e);
}

/* --- deleting ------------------------------------------------------------------------------------------------ */

static void delete_work(struct job *j)
{
	struct log_waiter *w = CONTAINER_OF(j, struct log_waiter, job);
	CHECK_MAGIC(log_waiter, w);
	struct disk *d = w->m->o.disk;
	w->status = disk_rename(d, w->entry->path, w->deleted_path);
	if (w->status == STATUS_OK)
		w->status = disk_sync_directory(d, w->entry->dir->path);
}

static void delete_done(struct job *j)
{
	struct log_waiter *w = CONTAINER_OF(j, struct log_waiter, job);
	CHECK_MAGIC(log_waiter, w);
	struct log_manager *m = w->m;
	struct log_entry *e = w->entry;
	struct log_waiter *waiters = take_waiters(e);
	expect(e->state == LOG_ENTRY_BUSY && e->log == NULL);
	if (w->status == STATUS_OK) {
		log_manager_schedule_purge(m, e->dir, w->deleted_name, w->settings.file_delete_delay_ms);
		log_manager_remove_entry(m, e);
	} else {
		e->state = LOG_ENTRY_FAILED;
		e->status = w->status;
	}
	answer(w, w->status, NULL);
	wake_all(waiters);
}

/* On the manager's loop, the log closed or never opened. */
static void rename_task(struct task *t)
{
	struct log_waiter *w = CONTAINER_OF(t, struct log_waiter, task);
	CHECK_MAGIC(log_waiter, w);
	struct uuid id;
	random_uuid(&w->m->random, &id);
	w->entry->log = NULL;
	w->entry->handed_out = false;
	log_directory_deleted_name(&w->tp, &id, w->deleted_name);
	w->deleted_path = log_manager_path(w->entry->dir, w->deleted_name);
	job_init(&w->job, "delete log", w->m->o.scheduler, delete_work, delete_done);
	background_submit(w->m->o.background, &w->job);
}

static void log_closed(void *arg, enum status s)
{
	struct log_waiter *w = CAST(log_waiter, arg);
	(void)s; /* its files go anyway */
	task_init(&w->task, "delete log", rename_task);
	scheduler_post(w->m->o.scheduler, &w->task);
}

/* On the loop the log was given to. */
static void close_task(struct task *t)
{
	struct log_waiter *w = CONTAINER_OF(t, struct log_waiter, task);
	CHECK_MAGIC(log_waiter, w);
	/* By now the topic's overrides may be gone from the cluster's picture; the log still knows them. */
	w->settings.file_delete_delay_ms = partition_log_file_delete_delay_ms(w->entry->log);
	partition_log_close(w->entry->log, false, log_closed, w);
}

static void begin_delete(struct log_waiter *w)
{
	struct log_entry *e = log_manager_entry(w->m, &w->tp);
	if (e == NULL || !e->dir->online) {
		answer(w, e == NULL ? STATUS_NOT_FOUND : STATUS_KAFKA_STORAGE_ERROR, NULL);
		return;
	}
	w->entry = e;
	w->m->o.topic_settings(w->m->o.arg, e->tp.topic, &w->settings);
	struct scheduler *owner = e->log == NULL ? NULL : partition_log_owner(e->log);
	e->state = LOG_ENTRY_BUSY;
	if (owner != NULL) {
		task_init(&w->task, "close log", close_task);
		scheduler_post(owner, &w->task);
		return;
	}
	if (e->log != NULL)
		(void)!partition_log_close_now(e->log, false);
	task_init(&w->task, "delete log", rename_task);
	rename_task(&w->task);
}

/* --- requests ------------------------------------------------------------------------------------------------ */

static void begin(struct log_waiter *w)
{
	struct log_entry *e = log_manager_entry(w->m, &w->tp);
	if (e != NULL && (e->state == LOG_ENTRY_BUSY || e->state == LOG_ENTRY_FOUND)) {
		struct log_waiter **last = &e->waiters;
		while (*last != NULL)
			last = &(*last)->next;
		*last = w;
		return;
	}
	if (w->kind == WAITER_OPEN)
		begin_open(w);
	else
		begin_delete(w);
}

static struct log_waiter *waiter_new(struct log_manager *m, enum waiter_kind kind, const struct topic_partition *tp, void *arg)
{
	CHECK_MAGIC(log_manager, m);
	struct log_waiter *w = check_calloc(1, sizeof(*w));
	w->magic = log_waiter_magic;
	w->kind = kind;
	w->m = m;
	w->tp = *tp;
	w->arg = arg;
	m->requests++;
	return w;
}

/* Never answered within the call. */
static void post(struct log_waiter *w)
{
	task_init(&w->task, "log request", begin_task);
	scheduler_post(w->m->o.scheduler, &w->task);
}

void log_manager_get_or_create(struct log_manager *m, const struct topic_partition *tp, const struct uuid *topic_id,
	bool is_new, void (*opened)(void *arg, enum status s, struct partition_log *log, int64_t high_watermark), void *arg)
{
	struct log_waiter *w = waiter_new(m, WAITER_OPEN, tp, arg);
	w->has_topic_id = topic_id != NULL && !uuid_is_zero(topic_id);
	if (w->has_topic_id)
		w->topic_id = *topic_id;
	w->is_new = is_new;
	w->opened = opened;
	post(w);
}

void log_manager_delete(struct log_manager *m, const struct topic_partition *tp, void (*done)(void *arg, enum status s),
	void *arg)
{
	struct log_waiter *w = waiter_new(m, WAITER_DELETE, tp, arg);
	w->deleted = done;
	post(w);
}
