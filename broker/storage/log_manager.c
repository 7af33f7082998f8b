#include "storage/log_manager.h"
#include "base/diag.h"
#include "storage/log_manager_internal.h"
#include "storage/name_list.h"
#include <stdatomic.h>
#include <unistd.h>

enum { PROGRESS_US = 5 * 1000 * 1000 };

/* --- entries ------------------------------------------------------------------------------------------------- */

char *log_manager_path(const struct log_dir *dir, const char *name)
{
	return check_asprintf("%s/%s", dir->path, name);
}

struct log_entry *log_manager_entry(const struct log_manager *m, const struct topic_partition *tp)
{
	char name[TOPIC_PARTITION_TEXT];
	struct log_entry *e;
	topic_partition_format(tp, name);
	HASH_FIND_STR(m->entries, name, e);
	return e;
}

struct log_entry *log_manager_add_entry(struct log_manager *m, const struct topic_partition *tp, struct log_dir *dir)
{
	struct log_entry *e = check_calloc(1, sizeof(*e));
	e->tp = *tp;
	e->dir = dir;
	e->start_offset = -1;
	topic_partition_format(tp, e->name);
	e->path = log_manager_path(dir, e->name);
	HASH_ADD_STR(m->entries, name, e);
	dir->partitions++;
	return e;
}

void log_manager_remove_entry(struct log_manager *m, struct log_entry *e)
{
	expect(e->waiters == NULL && e->dir->partitions > 0);
	e->dir->partitions--;
	HASH_DEL(m->entries, e);
	free(e->path);
	free(e);
}

/* --- opening ------------------------------------------------------------------------------------------------- */

static void add_dir(struct log_manager *m, const char *p, size_t n)
{
	while (n > 0 && p[0] == ' ') {
		p++;
		n--;
	}
	while (n > 1 && (p[n - 1] == ' ' || p[n - 1] == '/'))
		n--;
	if (n == 0)
		return;
	m->dirs = check_realloc(m->dirs, (m->dir_count + 1) * sizeof(m->dirs[0]));
	m->dirs[m->dir_count++] = (struct log_dir){.path = check_strndup(p, n), .online = true};
}

static void add_dirs(struct log_manager *m)
{
	const struct settings *s = m->o.settings;
	for (const char *p = s->log_dirs; *p != '\0';) {
		size_t n = strcspn(p, ",");
		add_dir(m, p, n);
		p += n + (p[n] == ',');
	}
	if (m->dir_count == 0)
		add_dir(m, s->log_dir, strlen(s->log_dir));
}

static enum status compare_meta(struct log_manager *m, const struct log_dir *dir, const struct log_directory_meta *meta,
	struct failure *ret_failure)
{
	int32_t configured = m->o.settings->broker_id;
	if (meta->version != 0)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG,
			"%s/" LOG_DIRECTORY_META " has version %d: a KRaft directory; only ZooKeeper-mode directories (version 0) can be "
			"adopted", dir->path, meta->version);
	if (meta->broker_id >= 0 && configured >= 0 && meta->broker_id != configured)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG,
			"%s belongs to broker %d, but broker.id is %d: set broker.id=%d or use another log.dirs", dir->path,
			meta->broker_id, configured, meta->broker_id);
	if (meta->broker_id >= 0 && m->broker_id >= 0 && meta->broker_id != m->broker_id)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "%s belongs to broker %d, another of log.dirs to broker %d",
			dir->path, meta->broker_id, m->broker_id);
	if (meta->cluster_id != NULL && m->cluster_id != NULL && strcmp(meta->cluster_id, m->cluster_id) != 0)
		return failure_set(ret_failure, STATUS_INCONSISTENT_CLUSTER_ID,
			"%s belongs to cluster %s, another of log.dirs to cluster %s", dir->path, meta->cluster_id, m->cluster_id);
	return STATUS_OK;
}

/* A directory's own trouble leaves it offline and is no failure of ours. */
static enum status read_meta(struct log_manager *m, struct log_dir *dir, struct failure *ret_failure, enum status *ret_trouble)
{
	struct log_directory_meta meta;
	enum status s = log_directory_read_meta(m->o.disk, dir->path, &meta);
	*ret_trouble = STATUS_OK;
	if (s == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (s != STATUS_OK) {
		*ret_trouble = s;
		return STATUS_OK;
	}
	s = compare_meta(m, dir, &meta, ret_failure);
	if (s == STATUS_OK) {
		dir->has_meta = true;
		if (meta.broker_id >= 0)
			m->broker_id = meta.broker_id;
		if (m->cluster_id == NULL && meta.cluster_id != NULL)
			m->cluster_id = check_strdup(meta.cluster_id);
	}
	log_directory_meta_fini(&meta);
	return s;
}

static enum status find_partitions(struct log_manager *m, struct log_dir *dir, const struct name_list *names,
	struct failure *ret_failure)
{
	for (size_t i = 0; i < names->count; i++) {
		struct topic_partition tp;
		enum log_directory_entry kind = log_directory_classify(names->names[i], &tp);
		if (kind == LOG_ENTRY_DELETED)
			log_manager_schedule_purge(m, dir, names->names[i], m->o.settings->topic_defaults.file_delete_delay_ms);
		if (kind == LOG_ENTRY_FOREIGN)
			diag_warn("directory_left_alone", "path=%s/%s", dir->path, names->names[i]);
		if (kind != LOG_ENTRY_PARTITION)
			continue;
		const struct log_entry *other = log_manager_entry(m, &tp);
		if (other != NULL)
			return failure_set(ret_failure, STATUS_INVALID_CONFIG,
				"%s is in %s and in %s: move one of them away, keeping the one with the newer records",
				names->names[i], other->dir->path, dir->path);
		(void)log_manager_add_entry(m, &tp, dir);
	}
	return STATUS_OK;
}

/* ret_trouble: why the directory stays offline. */
static enum status open_dir(struct log_manager *m, struct log_dir *dir, struct failure *ret_failure, enum status *ret_trouble)
{
	struct name_list names;
	char *lock = log_manager_path(dir, LOG_DIRECTORY_LOCK);
	enum status s = log_directory_make(m->o.disk, dir->path);
	if (s == STATUS_OK)
		s = disk_lock(m->o.disk, lock, &dir->lock);
	free(lock);
	*ret_trouble = s;
	if (s == STATUS_EXISTS)
		return failure_set(ret_failure, s, "%s is in use by another process: stop it, or give each broker its own log.dirs",
			dir->path);
	if (s != STATUS_OK)
		return STATUS_OK;
	TRY(read_meta(m, dir, ret_failure, ret_trouble));
	if (*ret_trouble != STATUS_OK)
		return STATUS_OK;
	*ret_trouble = name_list_read(m->o.disk, dir->path, &names);
	s = *ret_trouble == STATUS_OK ? find_partitions(m, dir, &names, ret_failure) : STATUS_OK;
	name_list_fini(&names);
	if (s == STATUS_OK && *ret_trouble == STATUS_OK)
		log_manager_read_checkpoints(m, dir);
	return s;
}

static enum status open_dirs(struct log_manager *m, struct failure *ret_failure)
{
	enum status last = STATUS_OK;
	size_t online = 0;
	for (size_t i = 0; i < m->dir_count; i++) {
		enum status trouble;
		TRY(open_dir(m, &m->dirs[i], ret_failure, &trouble));
		if (trouble == STATUS_OK) {
			online++;
			continue;
		}
		last = failure_set(ret_failure, trouble, "log directory %s cannot be used: %s", m->dirs[i].path,
			status_text(trouble));
		log_manager_dir_failed(m, &m->dirs[i], trouble);
	}
	return online > 0 ? STATUS_OK : last;
}

enum status log_manager_open(const struct log_manager_options *o, struct log_manager **ret_manager,
	struct failure *ret_failure)
{
	struct log_manager *m = check_calloc(1, sizeof(*m));
	m->magic = log_manager_magic;
	m->o = *o;
	m->broker_id = -1;
	m->env = (struct log_environment){.disk = o->disk, .clock = o->clock, .background = o->background,
		.producer_expiration_ms = o->settings->producer_id_expiration_ms};
	random_seed_system(&m->random);
	add_dirs(m);
	enum status s = m->dir_count > 0 ? open_dirs(m, ret_failure) :
					   failure_set(ret_failure, STATUS_INVALID_CONFIG, "log.dirs names no directory");
	if (s != STATUS_OK) {
		log_manager_free(m);
		return s;
	}
	log_manager_check_space(m);
	*ret_manager = m;
	return STATUS_OK;
}

const char *log_manager_cluster_id(const struct log_manager *m)
{
	return m->cluster_id;
}

int32_t log_manager_broker_id(const struct log_manager *m)
{
	return m->broker_id;
}

enum status log_manager_set_identity(struct log_manager *m, const char *cluster_id, int32_t broker_id,
	struct failure *ret_failure)
{
	CHECK_MAGIC(log_manager, m);
	expect(cluster_id != NULL && broker_id >= 0);
	if (m->cluster_id != NULL && strcmp(m->cluster_id, cluster_id) != 0)
		return failure_set(ret_failure, STATUS_INCONSISTENT_CLUSTER_ID,
			"log.dirs hold data of cluster %s, but the ensemble's cluster is %s: nothing was changed; check "
			"zookeeper.connect, or use empty log.dirs", m->cluster_id, cluster_id);
	if (m->broker_id >= 0 && m->broker_id != broker_id)
		return failure_set(ret_failure, STATUS_INVALID_CONFIG, "log.dirs belong to broker %d, not %d", m->broker_id,
			broker_id);
	for (size_t i = 0; i < m->dir_count; i++) {
		struct log_dir *dir = &m->dirs[i];
		if (!dir->online || dir->has_meta)
			continue;
		enum status s = log_directory_write_meta(m->o.disk, dir->path, cluster_id, broker_id,
			clock_wall_ms(m->o.clock));
		if (s != STATUS_OK)
			return failure_set(ret_failure, s, "writing %s/" LOG_DIRECTORY_META " failed: %s", dir->path,
				status_text(s));
		dir->has_meta = true;
	}
	free(m->cluster_id);
	m->cluster_id = check_strdup(cluster_id);
	m->broker_id = broker_id;
	return STATUS_OK;
}

/* --- a directory fails --------------------------------------------------------------------------------------- */

void log_manager_dir_failed(struct log_manager *m, struct log_dir *dir, enum status why)
{
	if (!dir->online)
		return;
	dir->online = false;
	atomic_store(&dir->failed, true);
	diag_error("log_directory_offline",
		"path=%s status=%s its partitions are offline until a restart; the other directories go on", dir->path,
		status_name(why));
	if (m->o.directory_failed != NULL)
		m->o.directory_failed(m->o.arg, dir->path, why);
}

void log_manager_directory_failed(struct log_manager *m, const char *directory, enum status why)
{
	CHECK_MAGIC(log_manager, m);
	for (size_t i = 0; i < m->dir_count; i++) {
		size_t n = strlen(m->dirs[i].path);
		if (strncmp(directory, m->dirs[i].path, n) == 0 && (directory[n] == '\0' || directory[n] == '/'))
			log_manager_dir_failed(m, &m->dirs[i], why);
	}
}

/* --- loading ------------------------------------------------------------------------------------------------- */

struct load_item {
	struct log_entry *entry;
	struct topic_settings settings;
};
struct load_worker {
	struct job job;
	struct log_load *load;
};
struct log_load {
	unsigned magic;
	struct log_manager *m;
	struct load_item *items;
	size_t count;
	_Atomic size_t next, loaded;
	struct load_worker *workers;
	size_t worker_count, running;
	struct job markers; /* first of all: after a crash while loading everything is checked again */
	enum status *marker_status;
	struct loop_timer progress;
	int64_t started_us;
	void (*done)(void *arg, enum status s);
	void *arg;
};
MAGIC(log_load, 0x4c4f4144);

void log_manager_open_entry(const struct log_manager *m, struct log_entry *e, const struct topic_settings *settings)
{
	struct failure failure;
	struct log_place place = {.disk = m->o.disk, .directory = e->path};
	struct log_open_options o = {
		.directory = e->path,
		.tp = e->tp,
		.settings = settings,
		.clean = e->dir->clean,
		.recovery_point = e->recovery_point,
		.log_start_offset = e->start_offset,
		.cleaner_offset = e->cleaner_offset,
		.is_new = e->is_new,
	};
	e->status = partition_log_open(&m->env, &o, &e->log, &failure);
	if (e->status != STATUS_OK) {
		e->log = NULL;
		diag_error("log_not_opened", "path=%s status=%s why=\"%s\"", e->path, status_name(e->status), failure.text);
		return;
	}
	enum status s = partition_metadata_read(&place, &e->topic_id);
	e->has_topic_id = s == STATUS_OK;
	if (s == STATUS_CORRUPT)
		diag_warn("partition_metadata_damaged", "path=%s it is written anew when the topic's id is known", e->path);
}

void log_manager_entry_opened(struct log_manager *m, struct log_entry *e)
{
	e->state = e->status == STATUS_OK ? LOG_ENTRY_OPEN : LOG_ENTRY_FAILED;
	if (e->status == STATUS_IO)
		log_manager_dir_failed(m, e->dir, e->status);
}

static void load_work(struct job *j)
{
	struct load_worker *w = CONTAINER_OF(j, struct load_worker, job);
	struct log_load *l = w->load;
	CHECK_MAGIC(log_load, l);
	for (size_t i = atomic_fetch_add(&l->next, 1); i < l->count; i = atomic_fetch_add(&l->next, 1)) {
		log_manager_open_entry(l->m, l->items[i].entry, &l->items[i].settings);
		atomic_fetch_add(&l->loaded, 1);
	}
}

static void load_finish(struct log_load *l)
{
	struct log_manager *m = l->m;
	size_t failed = 0;
	scheduler_timer_cancel(m->o.scheduler, &l->progress);
	for (size_t i = 0; i < l->count; i++) {
		log_manager_entry_opened(m, l->items[i].entry);
		failed += l->items[i].entry->status != STATUS_OK;
	}
	diag_info("logs_loaded", "count=%zu failed=%zu ms=%lld", l->count, failed,
		(long long)((clock_monotonic_us(m->o.clock) - l->started_us) / 1000));
	void (*done)(void *arg, enum status s) = l->done;
	void *arg = l->arg;
	m->load = NULL;
	free(l->items);
	free(l->workers);
	free(l->marker_status);
	l->magic = 0;
	free(l);
	log_manager_start_timers(m);
	done(arg, STATUS_OK);
}

static void load_worker_done(struct job *j)
{
	struct log_load *l = CONTAINER_OF(j, struct load_worker, job)->load;
	CHECK_MAGIC(log_load, l);
	expect(l->running > 0);
	if (--l->running == 0)
		load_finish(l);
}

static void load_progress(struct loop_timer *t)
{
	struct log_load *l = CONTAINER_OF(t, struct log_load, progress);
	CHECK_MAGIC(log_load, l);
	diag_info("loading_logs", "loaded=%zu of=%zu", (size_t)atomic_load(&l->loaded), l->count);
	scheduler_timer_arm(l->m->o.scheduler, t, PROGRESS_US);
}

static void markers_work(struct job *j)
{
	struct log_load *l = CONTAINER_OF(j, struct log_load, markers);
	struct log_manager *m = l->m;
	for (size_t i = 0; i < m->dir_count; i++) {
		if (m->dirs[i].online)
			l->marker_status[i] = log_directory_take_marker(m->o.disk, m->dirs[i].path, &m->dirs[i].clean);
	}
}

static void take_items(struct log_load *l)
{
	struct log_manager *m = l->m;
	l->items = check_calloc(HASH_COUNT(m->entries) + 1, sizeof(l->items[0]));
	for (struct log_entry *e = m->entries; e != NULL; e = e->hh.next) {
		if (!e->dir->online) {
			e->state = LOG_ENTRY_FAILED;
			e->status = STATUS_KAFKA_STORAGE_ERROR;
			continue;
		}
		struct load_item *item = &l->items[l->count++];
		item->entry = e;
		m->o.topic_settings(m->o.arg, e->tp.topic, &item->settings);
	}
}

static size_t worker_count(const struct log_load *l)
{
	size_t n = (size_t)l->m->o.settings->num_recovery_threads_per_data_dir * l->m->dir_count;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	if (cores > 0 && n < (size_t)cores)
		n = (size_t)cores;
	if (n > l->count)
		n = l->count;
	return n == 0 ? 1 : n;
}

static void markers_done(struct job *j)
{
	struct log_load *l = CONTAINER_OF(j, struct log_load, markers);
	CHECK_MAGIC(log_load, l);
	struct log_manager *m = l->m;
	for (size_t i = 0; i < m->dir_count; i++) {
		if (l->marker_status[i] != STATUS_OK)
			log_manager_dir_failed(m, &m->dirs[i], l->marker_status[i]);
	}
	take_items(l);
	l->worker_count = l->running = worker_count(l);
	l->workers = check_calloc(l->worker_count, sizeof(l->workers[0]));
	for (size_t i = 0; i < l->worker_count; i++) {
		l->workers[i].load = l;
		job_init(&l->workers[i].job, "load logs", m->o.scheduler, load_work, load_worker_done);
		background_submit(m->o.background, &l->workers[i].job);
	}
}

void log_manager_load(struct log_manager *m, void (*done)(void *arg, enum status s), void *arg)
{
	CHECK_MAGIC(log_manager, m);
	expect(m->load == NULL);
	struct log_load *l = check_calloc(1, sizeof(*l));
	l->magic = log_load_magic;
	l->m = m;
	l->done = done;
	l->arg = arg;
	l->started_us = clock_monotonic_us(m->o.clock);
	l->marker_status = check_calloc(m->dir_count, sizeof(l->marker_status[0]));
	m->load = l;
	loop_timer_init(&l->progress, "loading logs", load_progress);
	scheduler_timer_arm(m->o.scheduler, &l->progress, PROGRESS_US);
	job_init(&l->markers, "clean-shutdown markers", m->o.scheduler, markers_work, markers_done);
	background_submit(m->o.background, &l->markers);
}

/* --- what is there ------------------------------------------------------------------------------------------- */

struct partition_log *log_manager_find(struct log_manager *m, const struct topic_partition *tp, int64_t *ret_high_watermark)
{
	CHECK_MAGIC(log_manager, m);
	struct log_entry *e = log_manager_entry(m, tp);
	if (e == NULL || e->state != LOG_ENTRY_OPEN || !e->dir->online)
		return NULL;
	e->handed_out = true;
	*ret_high_watermark = e->high_watermark;
	return e->log;
}

void log_manager_each(struct log_manager *m, void (*each)(void *arg, const struct topic_partition *tp,
	struct partition_log *log), void *arg)
{
	CHECK_MAGIC(log_manager, m);
	struct log_entry *e, *next;
	HASH_ITER(hh, m->entries, e, next) {
		if (e->state == LOG_ENTRY_OPEN && e->dir->online)
			each(arg, &e->tp, e->log);
	}
}

/* --- the end ------------------------------------------------------------------------------------------------- */

/* Logs nobody took are ours to close. */
static enum status close_ours(struct log_manager *m, bool sync)
{
	enum status status = STATUS_OK;
	struct log_entry *e, *next;
	HASH_ITER(hh, m->entries, e, next) {
		if (e->state != LOG_ENTRY_OPEN || e->handed_out)
			continue;
		int64_t end = partition_log_end_offset(e->log);
		enum status s = partition_log_close_now(e->log, sync && e->dir->online);
		e->log = NULL;
		e->state = LOG_ENTRY_FOUND;
		if (s == STATUS_OK)
			e->recovery_point = end;
		else
			e->dir->online = false; /* no marker for its directory */
		status = s != STATUS_OK ? s : status;
	}
	return status;
}

enum status log_manager_close_clean(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count)
{
	CHECK_MAGIC(log_manager, m);
	enum status s = close_ours(m, true);
	enum status stored = log_manager_store_checkpoints(m, entries, count);
	s = s != STATUS_OK ? s : stored;
	for (size_t i = 0; i < m->dir_count; i++) {
		if (!m->dirs[i].online)
			continue;
		/* A full disk: the next start checks the logs' ends, nothing else is lost. */
		enum status marked = log_directory_write_marker(m->o.disk, m->dirs[i].path);
		if (marked != STATUS_OK)
			diag_warn("clean_marker_not_written", "path=%s status=%s", m->dirs[i].path, status_name(marked));
		s = s != STATUS_OK ? s : marked;
	}
	log_manager_free(m);
	return s;
}

void log_manager_free(struct log_manager *m)
{
	if (m == NULL)
		return;
	CHECK_MAGIC(log_manager, m);
	expect(m->load == NULL && m->requests == 0);
	log_manager_stop_timers(m);
	log_manager_forget_writes(m);
	(void)!close_ours(m, false);
	struct log_entry *e, *next;
	HASH_ITER(hh, m->entries, e, next) {
		log_manager_remove_entry(m, e);
	}
	for (size_t i = 0; i < m->dir_count; i++) {
		if (m->dirs[i].lock != NULL)
			disk_file_close(m->dirs[i].lock);
		free(m->dirs[i].path);
	}
	free(m->dirs);
	free(m->cluster_id);
	m->magic = 0;
	free(m);
}
