/* Compaction of a log in use: one run at a time, its steps in the pool, its changes of names here on the owner's loop, so that
 * whatever else happens to the log finds it in a known state. For each group of segments:
 *
 *     copy      <base>.*.cleaned written and synced with their names     the pool; a crash: the next start removes them
 *     swap      renamed .swap, directory synced                          a crash: the next start finishes what follows
 *     retire    the old .log files renamed .deleted, directory synced    readers go on with the open files
 *     place     .swap becomes final, old segments leave the log          one turn of the loop
 *
 * Each directory sync lies between two steps that must not be seen in the other order. Kafka: Log.replaceSegments. */
#include "base/diag.h"
#include "base/metrics.h"
#include "storage/log_compaction.h"
#include "storage/partition_log_internal.h"

enum { US_PER_S = 1000 * 1000, PAUSE_MAX_US = 10 * 1000 * 1000 };

enum run_phase {
	RUN_STEP,
	RUN_SWAPPED, /* .swap names are being synced */
	RUN_RETIRED, /* .deleted names are being synced */
	RUN_DISCARD, /* what is unfinished is being removed */
};
struct compaction_run {
	unsigned magic;
	struct partition_log *log;
	struct log_compaction *compaction;
	struct job job;
	struct loop_timer pause;
	enum run_phase phase;
	bool cancelled, placed;
	int64_t bytes; /* of the step */
	enum status status;
	int64_t bytes_per_second, end_offset, started_us;
	struct log_segment *cleaned; /* from swap to place */
	size_t first, count;         /* of the group, among the compaction's segments */
	void (*done)(void *arg, enum status s);
	void *arg;
};
MAGIC(compaction_run, 0x434f4d50);

/* --- planning ------------------------------------------------------------------------------------------------ */

static struct compaction_segment *describe_segments(const struct partition_log *log)
{
	struct compaction_segment *list = check_calloc(log->count, sizeof(list[0]));
	for (size_t i = 0; i < log->count; i++) {
		const struct log_segment *s = log->segments[i];
		list[i] = (struct compaction_segment){
			.base_offset = s->base_offset,
			.size_bytes = s->size_bytes,
			.offset_index_bytes = (int64_t)log_index_count(&s->offset_index) * log_index_entry_size(&s->offset_index),
			.time_index_bytes = (int64_t)log_index_count(&s->time_index) * log_index_entry_size(&s->time_index),
			.first_append_ms = s->created_ms,
			.last_append_ms = s->appended_ms,
			.synced = !log_segment_is_dirty(s, false),
		};
	}
	return list;
}

static void make_plan(const struct partition_log *log, int64_t stable_offset, const struct compaction_segment *segments,
	struct compaction_plan *ret_plan)
{
	const struct compaction_view view = {
		.segments = segments,
		.count = log->count,
		.log_start_offset = log->start_offset,
		.log_end_offset = log->end_offset,
		.stable_offset = stable_offset,
		.first_dirty_offset = log->cleaner_offset,
		.now_ms = clock_wall_ms(log->env.clock),
		.min_lag_ms = log->settings.min_compaction_lag_ms,
		.max_lag_ms = log->settings.max_compaction_lag_ms,
		.min_dirty_ratio = log->settings.min_cleanable_dirty_ratio,
	};
	compaction_plan_make(&view, ret_plan);
}

static bool may_compact(const struct partition_log *log)
{
	bool wanted = (log->settings.cleanup_policy & CLEANUP_compact) != 0;
	return wanted && !log->fenced && !log->closing && !log->uncleanable && log->compaction == NULL && log->count > 1;
}

bool partition_log_compaction_due(const struct partition_log *log, int64_t stable_offset, double *ret_dirty_ratio)
{
	struct compaction_plan plan;
	partition_log_check(log);
	if (!may_compact(log))
		return false;
	struct compaction_segment *segments = describe_segments(log);
	make_plan(log, stable_offset, segments, &plan);
	free(segments);
	*ret_dirty_ratio = plan.dirty_ratio;
	return plan.due;
}

int64_t partition_log_cleaner_offset(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	return log->cleaner_offset;
}

bool partition_log_is_uncleanable(const struct partition_log *log)
{
	CHECK_MAGIC(partition_log, log);
	return log->uncleanable;
}

/* --- steps in the pool --------------------------------------------------------------------------------------- */

static void run_work(struct job *j)
{
	struct compaction_run *r = CONTAINER_OF(j, struct compaction_run, job);
	CHECK_MAGIC(compaction_run, r);
	r->status = STATUS_OK;
	switch (r->phase) {
	case RUN_STEP:
		r->bytes = log_compaction_step(r->compaction);
		break;
	case RUN_SWAPPED:
	case RUN_RETIRED:
		r->status = disk_sync_directory(r->log->env.disk, r->log->directory);
		break;
	case RUN_DISCARD:
		r->status = log_compaction_discard(r->compaction);
		break;
	default:
		unreachable("phase of a compaction");
	}
}

static void run_done(struct job *j);

static void submit(struct compaction_run *r, enum run_phase phase)
{
	r->phase = phase;
	job_init(&r->job, "log compaction", r->log->env.scheduler, run_work, run_done);
	background_submit(r->log->env.background, &r->job);
}

static void pause_over(struct loop_timer *t)
{
	struct compaction_run *r = CONTAINER_OF(t, struct compaction_run, pause);
	CHECK_MAGIC(compaction_run, r);
	submit(r, RUN_STEP);
}

/* The next step, once the bytes of the last one are paid for. */
static void go_on(struct compaction_run *r)
{
	int64_t wait_us = r->bytes_per_second > 0 ? (int64_t)((double)r->bytes * US_PER_S / (double)r->bytes_per_second) : 0;
	if (wait_us <= 0 || r->cancelled)
		submit(r, RUN_STEP);
	else
		scheduler_timer_arm(r->log->env.scheduler, &r->pause, wait_us < PAUSE_MAX_US ? wait_us : PAUSE_MAX_US);
}

/* --- the end of a run ---------------------------------------------------------------------------------------- */

static void report(const struct compaction_run *r)
{
	struct log_compaction_totals t = log_compaction_totals(r->compaction);
	metrics_add(METRIC_compactions, 1);
	metrics_add(METRIC_compaction_bytes_read, t.bytes_before);
	metrics_add(METRIC_compaction_bytes_written, t.bytes_after);
	diag_info("log_compacted", "log=%s to=%lld segments=%zu->%zu bytes=%lld->%lld records_dropped=%lld ms=%lld",
		r->log->directory, (long long)r->log->cleaner_offset, t.segments_before, t.segments_after, (long long)t.bytes_before,
		(long long)t.bytes_after, (long long)t.records_dropped,
		(long long)((clock_monotonic_us(r->log->env.clock) - r->started_us) / 1000));
}

/* Others go on without it. Tried again after a restart. */
static void quarantine(struct partition_log *log, enum status why)
{
	log->uncleanable = true;
	metrics_add(METRIC_partitions_uncleanable, 1);
	diag_error("log_uncleanable",
		"log=%s status=%s text=\"it is not compacted any more until a restart, and grows; `correio log dump` shows the damage\"",
		log->directory, status_name(why));
}

static void finish(struct compaction_run *r, enum status s)
{
	struct partition_log *log = r->log;
	expect(log->compaction == r && r->cleaned == NULL);
	log->compaction = NULL;
	if (s == STATUS_OK) {
		log->cleaner_offset = log_compaction_end_offset(r->compaction);
		report(r);
	} else if (s != STATUS_CANCELLED && s != STATUS_NO_SPACE && !log->fenced) {
		quarantine(log, s);
	}
	void (*done)(void *arg, enum status s) = r->done;
	void *arg = r->arg;
	log_compaction_free(r->compaction);
	r->magic = 0;
	free(r);
	if (done != NULL)
		done(arg, s);
	log->flush_wanted = log->flush_wanted || (log->directory_changed && !log->fenced);
	partition_log_pump(log); /* it may be waiting to close */
}

static void discard(struct compaction_run *r)
{
	log_segment_free(r->cleaned);
	r->cleaned = NULL;
	submit(r, RUN_DISCARD);
}

static enum status why_discarded(const struct compaction_run *r)
{
	if (r->cancelled)
		return STATUS_CANCELLED;
	return log_compaction_state(r->compaction) == LOG_COMPACTION_FAILED ? log_compaction_status(r->compaction) : STATUS_IO;
}

/* --- names --------------------------------------------------------------------------------------------------- */

static enum status rename_suffix(const struct partition_log *log, int64_t base, const char *extension, const char *from,
	const char *to)
{
	char *from_path = log_segment_path(log->directory, base, extension, from);
	char *to_path = log_segment_path(log->directory, base, extension, to);
	enum status s = disk_rename(log->env.disk, from_path, to_path);
	free(from_path);
	free(to_path);
	return s;
}

/* All of a cleaned segment's files; it need not have a transaction index. */
static enum status rename_cleaned(const struct compaction_run *r, const char *from, const char *to)
{
	for (size_t i = 0; i < LOG_COMPACTION_FILES; i++) {
		const char *extension = log_compaction_extensions[i];
		enum status s = rename_suffix(r->log, r->cleaned->base_offset, extension, from, to);
		if (s != STATUS_OK && (s != STATUS_NOT_FOUND || strcmp(extension, "txnindex") != 0))
			return s;
	}
	return STATUS_OK;
}

/* The group's place in the log; false when part of it has gone since: deleted by retention, or cut. */
static bool find_group(const struct compaction_run *r, size_t *ret_at)
{
	const struct partition_log *log = r->log;
	size_t at = 0;
	while (at < log->count && log->segments[at]->file != log_compaction_file(r->compaction, r->first))
		at++;
	for (size_t i = 0; i < r->count; i++) {
		if (at + i + 1 >= log->count || log->segments[at + i]->file != log_compaction_file(r->compaction, r->first + i))
			return false;
	}
	*ret_at = at;
	return true;
}

static void begin_swap(struct compaction_run *r)
{
	size_t at;
	r->cleaned = log_compaction_take(r->compaction, &r->first, &r->count);
	r->placed = false;
	if (!find_group(r, &at)) {
		r->cancelled = true;
		discard(r);
		return;
	}
	if (rename_cleaned(r, ".cleaned", ".swap") != STATUS_OK)
		discard(r);
	else
		submit(r, RUN_SWAPPED);
}

/* From here on there is no way back but forward. */
static void retire_logs(struct compaction_run *r)
{
	struct partition_log *log = r->log;
	size_t at = 0;
	bool there = find_group(r, &at);
	expect(there); /* nothing takes segments away while names are swapped */
	for (size_t i = r->count; i-- > 0;) {
		enum status s = rename_suffix(log, log->segments[at + i]->base_offset, "log", "", ".deleted");
		if (s != STATUS_OK) {
			partition_log_fence(log, s, "replacing segments by their compacted form failed; a restart finishes it");
			break;
		}
	}
	submit(r, RUN_RETIRED);
}

/* The other files of a replaced segment; those of the new one's name make room for its own. */
static void retire_rest(struct partition_log *log, struct log_segment *s, bool same_base)
{
	struct log_retired *gone = check_calloc(1, sizeof(*gone));
	bool all_kinds = log->snapshots.count > 0 || log->has_transaction_index;
	if (!same_base) {
		(void)!partition_directory_retire_segment(&log->place, s->base_offset, true, all_kinds, &gone->files);
		producer_snapshots_forget(&log->snapshots, s->base_offset);
	} else if (log->has_transaction_index && rename_suffix(log, s->base_offset, "txnindex", "", ".deleted") == STATUS_OK) {
		gone->files.paths[gone->files.count++] = log_segment_path(log->directory, s->base_offset, "txnindex", ".deleted");
	}
	expect(gone->files.count < PARTITION_SEGMENT_FILES);
	gone->files.paths[gone->files.count++] = log_segment_path(log->directory, s->base_offset, "log", ".deleted");
	partition_log_retired_add(log, gone, log->settings.file_delete_delay_ms);
	log_segment_free(s); /* readers keep the file itself */
}

static void place(struct compaction_run *r)
{
	struct partition_log *log = r->log;
	size_t at = 0;
	bool there = find_group(r, &at);
	expect(there && !log->fenced);
	for (size_t i = 0; i < r->count; i++)
		retire_rest(log, log->segments[at + i], log->segments[at + i]->base_offset == r->cleaned->base_offset);
	enum status s = rename_cleaned(r, ".swap", "");
	log->segments[at] = r->cleaned;
	r->cleaned = NULL;
	log->count -= r->count - 1;
	memmove(&log->segments[at + 1], &log->segments[at + r->count], (log->count - at - 1) * sizeof(log->segments[0]));
	partition_log_forget_cursors(log);
	log->directory_changed = true;
	r->placed = true;
	if (s != STATUS_OK)
		partition_log_fence(log, s, "naming a compacted segment failed; a restart finishes it");
	partition_log_purge_due(log);
}

/* --- a run --------------------------------------------------------------------------------------------------- */

static void step_done(struct compaction_run *r)
{
	enum log_compaction_state state = log_compaction_state(r->compaction);
	if (r->cancelled || state == LOG_COMPACTION_FAILED)
		discard(r);
	else if (state == LOG_COMPACTION_READY)
		begin_swap(r);
	else if (state == LOG_COMPACTION_DONE)
		finish(r, STATUS_OK);
	else
		go_on(r);
}

static void retired_done(struct compaction_run *r)
{
	struct partition_log *log = r->log;
	if (r->status != STATUS_OK)
		partition_log_fence(log, r->status, "an fsync of the directory failed");
	if (!r->placed && !log->fenced)
		place(r);
	log_segment_free(r->cleaned); /* a log that failed keeps its old segments: their files are open */
	r->cleaned = NULL;
	if (log->fenced || r->cancelled) {
		finish(r, log->fenced ? STATUS_FENCED_LOG : STATUS_CANCELLED);
		return;
	}
	log_compaction_next(r->compaction);
	r->bytes = 0;
	if (log_compaction_state(r->compaction) == LOG_COMPACTION_DONE)
		finish(r, STATUS_OK);
	else
		submit(r, RUN_STEP);
}

static void run_done(struct job *j)
{
	struct compaction_run *r = CONTAINER_OF(j, struct compaction_run, job);
	CHECK_MAGIC(compaction_run, r);
	expect(r->log->compaction == r);
	r->cancelled = r->cancelled || r->log->closing;
	switch (r->phase) {
	case RUN_STEP:
		step_done(r);
		break;
	case RUN_SWAPPED:
		if (r->cancelled || r->status != STATUS_OK)
			discard(r);
		else
			retire_logs(r);
		break;
	case RUN_RETIRED:
		retired_done(r);
		break;
	case RUN_DISCARD:
		/* What could not be removed now, the next start removes or, were it swapped, finishes. */
		finish(r, why_discarded(r));
		break;
	default:
		unreachable("phase of a compaction");
	}
}

void partition_log_compact(struct partition_log *log, int64_t stable_offset, const struct log_compaction_limits *limits,
	void (*done)(void *arg, enum status s), void *arg)
{
	struct compaction_plan plan;
	partition_log_check(log);
	expect(may_compact(log) && log->env.scheduler != NULL);
	struct compaction_segment *segments = describe_segments(log);
	make_plan(log, stable_offset, segments, &plan);
	expect(plan.due);
	struct compaction_run *r = check_calloc(1, sizeof(*r));
	struct disk_file **files = check_calloc(plan.end_segment, sizeof(struct disk_file *));
	for (size_t i = 0; i < plan.end_segment; i++) {
		files[i] = log->segments[i]->file;
		(void)iobuf_file_shared_ref(&files[i]->shared);
	}
	const struct log_compaction_input in = {
		.place = log->place,
		.name = log->directory,
		.segments = segments,
		.files = files,
		.plan = plan,
		.now_ms = clock_wall_ms(log->env.clock),
		.delete_retention_ms = log->settings.delete_retention_ms,
		.segment_bytes = log->settings.segment_bytes,
		.index_bytes = log->settings.segment_index_bytes,
		.index_interval_bytes = log->settings.index_interval_bytes,
		.has_transaction_index = log->has_transaction_index,
		.producers = producer_state_list(log->producers),
		.producer_count = producer_state_count(log->producers),
		.map_bytes = limits->map_bytes,
		.map_load_factor = limits->map_load_factor,
	};
	r->magic = compaction_run_magic;
	r->log = log;
	r->compaction = log_compaction_new(&in);
	r->bytes_per_second = limits->bytes_per_second;
	r->end_offset = plan.end_offset;
	r->started_us = clock_monotonic_us(log->env.clock);
	r->done = done;
	r->arg = arg;
	loop_timer_init(&r->pause, "log compaction", pause_over);
	free(files);
	free(segments);
	log->compaction = r;
	submit(r, RUN_STEP);
}

/* --- when something else happens to the log ------------------------------------------------------------------- */

bool partition_log_is_swapping(const struct partition_log *log)
{
	const struct compaction_run *r = log->compaction;
	return r != NULL && (r->phase == RUN_SWAPPED || (r->phase == RUN_RETIRED && !r->placed));
}

void partition_log_cancel_compaction(struct partition_log *log)
{
	struct compaction_run *r = log->compaction;
	if (r == NULL)
		return;
	r->cancelled = true;
	if (r->pause.armed) { /* nothing of it is in the pool */
		scheduler_timer_cancel(log->env.scheduler, &r->pause);
		discard(r);
	}
}

/* Sleeps where names are half changed: rare twice over, since nothing below the high watermark is compacted. */
enum status partition_log_settle_compaction(struct partition_log *log, int64_t from_offset)
{
	struct compaction_run *r = log->compaction;
	if (r == NULL || from_offset >= r->end_offset)
		return STATUS_OK;
	if (r->phase == RUN_SWAPPED)
		TRY(log_compaction_discard(r->compaction));
	if (r->phase == RUN_RETIRED && !r->placed) {
		TRY(disk_sync_directory(log->env.disk, log->directory));
		if (log->fenced)
			return STATUS_FENCED_LOG;
		place(r);
	}
	partition_log_cancel_compaction(log);
	return STATUS_OK;
}
