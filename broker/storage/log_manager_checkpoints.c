/* The four checkpoint files of each directory: read at start, written in the pool, one round at a time. */
#include "base/diag.h"
#include "storage/log_manager_internal.h"

static const char *const names[] = {LOG_DIRECTORY_RECOVERY_POINTS, LOG_DIRECTORY_START_OFFSETS, LOG_DIRECTORY_HIGH_WATERMARKS,
	LOG_DIRECTORY_CLEANER_OFFSETS};
enum { FILES = 4 };

struct reading {
	struct log_manager *m;
	const struct log_dir *dir;
	size_t file;
};

static void take_line(void *arg, const struct topic_partition *tp, int64_t offset)
{
	struct reading *r = arg;
	struct log_entry *e = log_manager_entry(r->m, tp);
	if (e == NULL || e->dir != r->dir)
		return; /* deleted since */
	if (r->file == 0)
		e->recovery_point = offset;
	else if (r->file == 1)
		e->start_offset = offset;
	else if (r->file == 2)
		e->high_watermark = offset;
	else
		e->cleaner_offset = offset;
}

void log_manager_read_checkpoints(struct log_manager *m, struct log_dir *dir)
{
	for (size_t i = 0; i < FILES; i++) {
		struct reading r = {m, dir, i};
		enum status s = log_directory_read_checkpoint(m->o.disk, dir->path, names[i], take_line, &r);
		/* Without one, everything is checked, starts at its first segment, and waits for its replicas. */
		if (s != STATUS_OK && s != STATUS_NOT_FOUND)
			diag_warn("checkpoint_ignored", "path=%s/%s status=%s", dir->path, names[i], status_name(s));
	}
}

/* The contents of one directory's files. */
struct dir_files {
	char *path; /* NULL: offline */
	struct checkpoint_writer writers[FILES];
	enum status status;
};
struct log_checkpoint_write {
	unsigned magic;
	struct log_checkpoint_write *next;
	struct log_manager *m; /* NULL: it has gone */
	struct disk *disk;
	struct job job;
	struct dir_files *dirs;
	size_t dir_count;
	void (*done)(void *arg, enum status s);
	void *arg;
};
MAGIC(log_checkpoint_write, 0x4c4d4357);

static void take_entries(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct log_entry *e = log_manager_entry(m, &entries[i].tp);
		if (e == NULL)
			continue; /* deleted meanwhile */
		e->recovery_point = entries[i].recovery_point;
		e->start_offset = entries[i].log_start_offset;
		e->high_watermark = entries[i].high_watermark;
		e->cleaner_offset = entries[i].cleaner_offset;
	}
}

/* Everything known goes in, also logs without an owner or that did not open: they keep their old values. */
static struct dir_files *make_files(struct log_manager *m)
{
	struct dir_files *files = check_calloc(m->dir_count, sizeof(files[0]));
	for (size_t i = 0; i < m->dir_count; i++)
		files[i].path = m->dirs[i].online ? check_strdup(m->dirs[i].path) : NULL;
	for (struct log_entry *e = m->entries; e != NULL; e = e->hh.next) {
		struct dir_files *f = &files[e->dir - m->dirs];
		checkpoint_writer_add(&f->writers[0], &e->tp, e->recovery_point);
		if (e->start_offset > 0)
			checkpoint_writer_add(&f->writers[1], &e->tp, e->start_offset);
		checkpoint_writer_add(&f->writers[2], &e->tp, e->high_watermark);
		if (e->cleaner_offset > 0)
			checkpoint_writer_add(&f->writers[3], &e->tp, e->cleaner_offset);
	}
	return files;
}

static void write_files(struct dir_files *files, size_t count, struct disk *d)
{
	for (size_t i = 0; i < count; i++) {
		struct dir_files *f = &files[i];
		for (size_t k = 0; f->path != NULL && k < FILES && f->status == STATUS_OK; k++)
			f->status = checkpoint_writer_store(&f->writers[k], d, f->path, names[k]);
	}
}

static enum status free_files(struct dir_files *files, size_t count)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		if (files[i].status != STATUS_OK)
			status = files[i].status;
		for (size_t k = 0; k < FILES; k++)
			checkpoint_writer_fini(&files[i].writers[k]);
		free(files[i].path);
	}
	free(files);
	return status;
}

static void write_work(struct job *j)
{
	struct log_checkpoint_write *w = CONTAINER_OF(j, struct log_checkpoint_write, job);
	CHECK_MAGIC(log_checkpoint_write, w);
	write_files(w->dirs, w->dir_count, w->disk);
}

static void write_done(struct job *j);

static void start_write(struct log_checkpoint_write *w)
{
	struct log_manager *m = w->m;
	w->dirs = make_files(m);
	w->dir_count = m->dir_count;
	w->disk = m->o.disk;
	job_init(&w->job, "checkpoints", m->o.scheduler, write_work, write_done);
	background_submit(m->o.background, &w->job);
}

static void write_done(struct job *j)
{
	struct log_checkpoint_write *w = CONTAINER_OF(j, struct log_checkpoint_write, job);
	CHECK_MAGIC(log_checkpoint_write, w);
	struct log_manager *m = w->m;
	if (m != NULL) {
		CHECK_MAGIC(log_manager, m);
		expect(m->writes == w);
		m->writes = w->next;
		for (size_t i = 0; i < w->dir_count; i++) {
			if (w->dirs[i].status == STATUS_IO)
				log_manager_dir_failed(m, &m->dirs[i], STATUS_IO);
		}
	}
	enum status s = free_files(w->dirs, w->dir_count);
	void (*done)(void *arg, enum status s) = w->done;
	void *arg = w->arg;
	w->magic = 0;
	free(w);
	if (m == NULL)
		return;
	if (m->writes != NULL)
		start_write(m->writes);
	done(arg, s);
}

void log_manager_write_checkpoints(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count,
	void (*done)(void *arg, enum status s), void *arg)
{
	CHECK_MAGIC(log_manager, m);
	expect(entries != NULL || count == 0);
	take_entries(m, entries, count);
	struct log_checkpoint_write *w = check_calloc(1, sizeof(*w));
	w->magic = log_checkpoint_write_magic;
	w->m = m;
	w->done = done;
	w->arg = arg;
	struct log_checkpoint_write **last = &m->writes;
	while (*last != NULL)
		last = &(*last)->next;
	*last = w;
	if (m->writes == w)
		start_write(w);
}

enum status log_manager_store_checkpoints(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count)
{
	take_entries(m, entries, count);
	struct dir_files *files = make_files(m);
	write_files(files, m->dir_count, m->o.disk);
	return free_files(files, m->dir_count);
}

void log_manager_forget_writes(struct log_manager *m)
{
	struct log_checkpoint_write *w = m->writes;
	if (w == NULL)
		return;
	struct log_checkpoint_write *waiting = w->next;
	w->m = NULL; /* under way: frees itself */
	w->next = NULL;
	m->writes = NULL;
	while (waiting != NULL) {
		struct log_checkpoint_write *next = waiting->next;
		free(waiting);
		waiting = next;
	}
}
