/* What a log has under way in the pool: one job at a time, which makes data durable (group commit), writes index entries
 * and leader epochs, starts write-back early and makes the next segment's file. */
#include "base/diag.h"
#include "base/metrics.h"
#include "storage/partition_log_internal.h"

enum {
	WRITEBACK_BYTES = 1024 * 1024,
	PREPARE_SEGMENT_MIN = 1024 * 1024, /* smaller segments roll so often that a spare file is not worth it */
	US_PER_MS = 1000,
};
static const int64_t flush_ms_never = (int64_t)365 * 24 * 3600 * 1000;

/* --- on the pool's thread ------------------------------------------------------------------------------------ */

static void keep_first(enum status *status, enum status s)
{
	if (*status == STATUS_OK)
		*status = s;
}

static void run_item(struct log_job_item *item, struct disk *d, enum status *status)
{
	if (item->set_mtime && disk_file_set_mtime(item->file, item->mtime_ms) != STATUS_OK)
		item->set_mtime = false; /* only retention by time loses some precision */
	if (item->sync)
		keep_first(status, disk_file_fdatasync(item->file));
	for (size_t i = 0; i < 2; i++)
		log_index_write_run(&item->indexes[i], d);
}

static void prepare_next(struct log_job *job, struct disk *d)
{
	if (disk_open(d, job->prepare_path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &job->prepared) != STATUS_OK)
		job->prepared = NULL;
}

static void job_work(struct job *j)
{
	struct partition_log *log = CONTAINER_OF(j, struct partition_log, job.job);
	struct log_job *job = &log->job;
	struct disk *d = log->env.disk;
	int64_t started = clock_monotonic_us(log->env.clock);
	job->status = STATUS_OK;
	job->epochs_status = STATUS_OK;
	if (job->epochs_text != NULL) {
		char *path = check_asprintf("%s/" PARTITION_EPOCHS_NAME, log->directory);
		job->epochs_status = disk_replace_file(d, path, slice_of(job->epochs_text, job->epochs_size));
		free(path);
	}
	if (job->writeback_bytes > 0)
		disk_file_start_writeback(job->items[job->count - 1].file, job->writeback_from, job->writeback_bytes);
	for (size_t i = 0; i < job->count; i++)
		run_item(&job->items[i], d, &job->status);
	if (job->snapshot != NULL)
		partition_log_write_snapshot(log);
	if (job->sync_directory)
		keep_first(&job->status, disk_sync_directory(d, log->directory));
	if (job->sync_new)
		keep_first(&job->status, partition_directory_sync_new(&log->place));
	if (job->remove_limit && job->status == STATUS_OK)
		keep_first(&job->status, partition_offset_file_remove(&log->place, PARTITION_RECOVERY_LIMIT_NAME));
	if (job->kind == LOG_JOB_CLOSE && log->close_sync && (log->fenced || job->status != STATUS_OK))
		/* The marker of a clean stop does not hold for this log. */
		(void)!partition_offset_file_write(&log->place, PARTITION_RECOVERY_LIMIT_NAME, log->flushed_offset);
	if (job->prepare_path != NULL)
		prepare_next(job, d);
	if (job->remove_prepared) {
		char *path = check_asprintf("%s/" PARTITION_NEXT_SEGMENT_NAME, log->directory);
		(void)!disk_unlink(d, path); /* the next start removes it otherwise */
		free(path);
	}
	if (job->kind == LOG_JOB_SYNC) {
		metrics_add(METRIC_fsyncs, 1);
		metrics_observe_us(METRIC_fsync_us, clock_monotonic_us(log->env.clock) - started);
	}
}

/* --- putting a job together ---------------------------------------------------------------------------------- */

static void add_item(struct partition_log *log, struct log_segment *s, bool active, bool sync)
{
	struct log_job *job = &log->job;
	struct log_job_item *item = &job->items[job->count++];
	bool final = !active || job->kind == LOG_JOB_CLOSE;
	(void)iobuf_file_shared_ref(&s->file->shared);
	*item = (struct log_job_item){
		.base_offset = s->base_offset,
		.file = s->file,
		.size_bytes = s->size_bytes,
		.mtime_ms = s->appended_ms,
		.cuts = s->cuts,
		.sync = sync && (s->sync_needed || s->synced_bytes < s->size_bytes),
		.set_mtime = s->mtime_pending && final && sync,
	};
	/* The active segment's index need not be durable, since recovery checks it, but what was cut must stay cut. */
	struct log_index *indexes[2] = {&s->offset_index, &s->time_index};
	for (size_t i = 0; i < 2; i++)
		log_index_write_take(indexes[i], log->directory, final && sync, sync && (final || indexes[i]->cut_pending),
			&item->indexes[i]);
}

/* Dirty segments are the last ones, since only the active one is written to. */
static void add_items(struct partition_log *log, bool sync)
{
	struct log_job *job = &log->job;
	size_t first = log->count - 1;
	while (sync && first > 0 && log_segment_is_dirty(log->segments[first - 1], false))
		first--;
	job->items = check_calloc(log->count - first, sizeof(job->items[0]));
	for (size_t i = first; i < log->count; i++)
		add_item(log, log->segments[i], i + 1 == log->count, sync);
}

static void add_epochs(struct partition_log *log)
{
	struct log_job *job = &log->job;
	if (log->epochs_version == log->epochs_saved_version)
		return;
	job->epochs_text = leader_epoch_cache_format(&log->epochs, &job->epochs_size);
	job->epochs_version = log->epochs_version;
}

static void add_snapshot(struct partition_log *log)
{
	struct log_job *job = &log->job;
	job->snapshot = log->snapshot_next;
	job->snapshot_size = log->snapshot_next_size;
	job->snapshot_offset = log->snapshot_next_offset;
	log->snapshot_next = NULL;
}

static void add_prepare(struct partition_log *log)
{
	int64_t limit = log->settings.segment_bytes;
	if (limit < PREPARE_SEGMENT_MIN || log->prepared != NULL || log->prepare_failed ||
		partition_log_active(log)->size_bytes < limit / 2)
		return;
	log->job.prepare_path = check_asprintf("%s/" PARTITION_NEXT_SEGMENT_NAME, log->directory);
}

static void add_writeback(struct partition_log *log)
{
	int64_t size = partition_log_active(log)->size_bytes;
	if (size < log->writeback_position)
		log->writeback_position = size;
	log->job.writeback_from = log->writeback_position;
	log->job.writeback_bytes = size - log->writeback_position;
	log->writeback_position = size;
}

static void job_done(struct job *j);

static void prepare_job(struct partition_log *log, enum log_job_kind kind)
{
	struct log_job *job = &log->job;
	expect(!job->running);
	*job = (struct log_job){.kind = kind, .running = true, .target_offset = log->end_offset};
	job_init(&job->job, "log sync", log->env.scheduler, job_work, job_done);
	bool sync = kind == LOG_JOB_SYNC || (kind == LOG_JOB_CLOSE && log->close_sync);
	add_items(log, sync && !log->fenced);
	if (sync && !log->fenced) {
		add_epochs(log);
		add_snapshot(log);
		job->sync_directory = log->directory_changed;
		job->sync_new = log->directory_new;
		log->directory_changed = false;
		/* After a clean stop the checkpoint is written anew. Until then the limit costs a longer scan at most. */
		job->remove_limit = log->has_recovery_limit && kind == LOG_JOB_CLOSE;
	}
	if (kind == LOG_JOB_WRITE)
		add_writeback(log);
	else
		log->writeback_position = partition_log_active(log)->size_bytes;
	if (kind == LOG_JOB_SYNC)
		log->flush_wanted = false;
	if (kind != LOG_JOB_CLOSE)
		add_prepare(log);
	else
		job->remove_prepared = log->prepared != NULL;
}

static void start_job(struct partition_log *log, enum log_job_kind kind)
{
	expect(log->env.scheduler != NULL);
	prepare_job(log, kind);
	background_submit(log->env.background, &log->job.job);
}

/* --- back on the loop ---------------------------------------------------------------------------------------- */

static struct log_segment *segment_of(struct partition_log *log, const struct log_job_item *item)
{
	struct log_segment *s = log->segments[partition_log_segment_at(log, item->base_offset)];
	return s->base_offset == item->base_offset && s->file == item->file ? s : NULL;
}

static void settle_items(struct partition_log *log)
{
	struct log_job *job = &log->job;
	for (size_t i = 0; i < job->count; i++) {
		struct log_job_item *item = &job->items[i];
		struct log_segment *s = segment_of(log, item);
		log_index_write_done(&item->indexes[0], s == NULL ? NULL : &s->offset_index);
		log_index_write_done(&item->indexes[1], s == NULL ? NULL : &s->time_index);
		if (s != NULL && s->cuts == item->cuts && item->sync && job->status == STATUS_OK) {
			s->synced_bytes = item->size_bytes;
			s->sync_needed = false;
		}
		if (s != NULL && item->set_mtime && s->appended_ms == item->mtime_ms)
			s->mtime_pending = false;
		iobuf_file_shared_unref(&item->file->shared);
	}
	free(job->items);
	job->items = NULL;
	job->count = 0;
}

static void settle_epochs(struct partition_log *log)
{
	struct log_job *job = &log->job;
	if (job->epochs_text == NULL)
		return;
	free(job->epochs_text);
	job->epochs_text = NULL;
	if (job->epochs_status != STATUS_OK) {
		/* Batches carry their epochs: recovery finds them again, as long as the recovery point stays behind. */
		diag_warn("leader_epochs_unsaved", "log=%s status=%s", log->directory, status_name(job->epochs_status));
		return;
	}
	log->epochs_saved_version = job->epochs_version;
	if (log->epochs_version == job->epochs_version)
		log->epochs_unsaved_from = INT64_MAX;
}

static void settle_prepared(struct partition_log *log)
{
	struct log_job *job = &log->job;
	if (job->prepare_path == NULL)
		return;
	free(job->prepare_path);
	job->prepare_path = NULL;
	expect(log->prepared == NULL);
	log->prepared = job->prepared;
	log->prepare_failed = job->prepared == NULL; /* rolling tries it directly */
}

static void settle_sync(struct partition_log *log)
{
	struct log_job *job = &log->job;
	enum status status = log->fenced ? STATUS_FENCED_LOG : job->status;
	if (job->status != STATUS_OK)
		partition_log_fence(log, job->status, "an fsync failed");
	if (status == STATUS_OK) {
		log->directory_new = log->directory_new && !job->sync_new;
		if (job->target_offset > log->flushed_offset)
			log->flushed_offset = job->target_offset;
		if (job->sync_directory && !log->directory_changed)
			log->segment_unsynced = false;
	}
	if (log->flushed_offset == log->end_offset)
		log->unflushed_records = 0;
	partition_log_expire_next(log);
	if (log->flushed != NULL)
		log->flushed(log->flushed_arg, status);
}

static enum status settle_close(struct partition_log *log)
{
	enum status status = log->close_sync && log->fenced ? STATUS_FENCED_LOG : log->job.status;
	settle_items(log);
	settle_epochs(log);
	settle_prepared(log);
	partition_log_settle_snapshot(log);
	log->job.running = false;
	partition_log_free(log);
	return status;
}

static void job_done(struct job *j)
{
	struct partition_log *log = CONTAINER_OF(j, struct partition_log, job.job);
	CHECK_MAGIC(partition_log, log);
	expect(log->job.running);
	if (log->job.kind == LOG_JOB_CLOSE) {
		void (*done)(void *arg, enum status s) = log->close_done;
		void *arg = log->close_arg;
		enum status status = settle_close(log);
		if (done != NULL)
			done(arg, status);
		return;
	}
	log->job.running = false;
	settle_items(log);
	settle_epochs(log);
	settle_prepared(log);
	partition_log_settle_snapshot(log);
	if (log->job.kind == LOG_JOB_SYNC)
		settle_sync(log);
	partition_log_pump(log);
}

/* --- deciding ------------------------------------------------------------------------------------------------ */

static bool worth_writing(const struct partition_log *log)
{
	const struct log_segment *s = partition_log_active(log);
	return s->size_bytes - log->writeback_position >= WRITEBACK_BYTES ||
		s->offset_index.pending_count * log_index_entry_size(&s->offset_index) >= LOG_INDEX_WRITE_BYTES;
}

void partition_log_pump(struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	if (log->job.running || log->env.scheduler == NULL)
		return;
	if (log->closing && log->compaction != NULL)
		return; /* it comes back here */
	if (log->closing)
		start_job(log, LOG_JOB_CLOSE);
	else if (log->flush_wanted)
		start_job(log, LOG_JOB_SYNC);
	else if (!log->fenced && worth_writing(log))
		start_job(log, LOG_JOB_WRITE);
}

void partition_log_flush_timer_fired(struct loop_timer *t)
{
	struct partition_log *log = CONTAINER_OF(t, struct partition_log, flush_timer);
	CHECK_MAGIC(partition_log, log);
	bool under_way = log->job.running && log->job.kind == LOG_JOB_SYNC && log->job.target_offset == log->end_offset;
	if (log->flushed_offset < log->end_offset && !log->fenced && !under_way)
		partition_log_flush(log);
}

static void arm_flush_timer(struct partition_log *log)
{
	if (log->env.scheduler == NULL || log->flush_timer.armed || log->settings.flush_ms > flush_ms_never)
		return;
	scheduler_timer_arm(log->env.scheduler, &log->flush_timer, log->settings.flush_ms * US_PER_MS);
}

void partition_log_appended(struct partition_log *log, int64_t records)
{
	expect(records >= 0);
	log->unflushed_records += records;
	if (log->unflushed_records >= log->settings.flush_messages) {
		log->unflushed_records = 0;
		log->flush_wanted = true;
	}
	arm_flush_timer(log);
	partition_log_pump(log);
}

void partition_log_flush(struct partition_log *log)
{
	partition_log_check(log);
	log->flush_wanted = true;
	partition_log_pump(log);
}

void partition_log_on_flushed(struct partition_log *log, void (*flushed)(void *arg, enum status s), void *arg)
{
	partition_log_check(log);
	log->flushed = flushed;
	log->flushed_arg = arg;
}

void partition_log_close(struct partition_log *log, bool sync, void (*done)(void *arg, enum status s), void *arg)
{
	partition_log_check(log);
	expect(log->env.scheduler != NULL);
	log->closing = true;
	log->close_sync = sync;
	log->close_done = done;
	log->close_arg = arg;
	log->flushed = NULL;
	partition_log_cancel_compaction(log);
	scheduler_timer_cancel(log->env.scheduler, &log->flush_timer);
	scheduler_timer_cancel(log->env.scheduler, &log->purge_timer);
	log_segment_finish_time_index(partition_log_active(log));
	if (sync)
		partition_log_take_snapshot(log, log->end_offset);
	partition_log_pump(log);
}

enum status partition_log_close_now(struct partition_log *log, bool sync)
{
	partition_log_check(log);
	expect(log->env.scheduler == NULL && !log->job.running && log->env.clock != NULL);
	log->closing = true;
	log->close_sync = sync;
	log_segment_finish_time_index(partition_log_active(log));
	if (sync)
		partition_log_take_snapshot(log, log->end_offset);
	prepare_job(log, LOG_JOB_CLOSE);
	job_work(&log->job.job);
	return settle_close(log);
}
