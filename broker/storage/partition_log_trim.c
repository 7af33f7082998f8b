/* Taking away: truncation at the end, retention at the start, the unlinking of what was taken. */
#include "base/diag.h"
#include "base/metrics.h"
#include "storage/partition_log_internal.h"

enum { US_PER_MS = 1000 };

/* --- files on their way out ---------------------------------------------------------------------------------- */

/* Owns itself until done. */
struct purge {
	unsigned magic;
	struct job job;
	struct disk *disk;
	struct log_place place; /* a copy of the directory's name */
	char *directory;
	struct log_retired *files;
	int64_t cut_base, cut_end; /* what Kafka left beside the segment that was cut; -1: nothing */
};
MAGIC(purge, 0x50555247);

void partition_log_retired_free(struct log_retired *r)
{
	while (r != NULL) {
		struct log_retired *next = r->next;
		for (size_t i = 0; i < r->files.count; i++)
			free(r->files.paths[i]);
		free(r);
		r = next;
	}
}

static void purge_work(struct job *j)
{
	struct purge *p = CONTAINER_OF(j, struct purge, job);
	CHECK_MAGIC(purge, p);
	for (struct log_retired *r = p->files; r != NULL; r = r->next) {
		for (size_t i = 0; i < r->files.count; i++)
			(void)!disk_unlink(p->disk, r->files.paths[i]); /* the next start removes it otherwise */
	}
	if (p->cut_base >= 0) {
		(void)!partition_directory_cut_transactions(&p->place, p->cut_base, p->cut_end);
	}
}

static void purge_done(struct job *j)
{
	struct purge *p = CONTAINER_OF(j, struct purge, job);
	CHECK_MAGIC(purge, p);
	partition_log_retired_free(p->files);
	free(p->directory);
	p->magic = 0;
	free(p);
}

static void submit_purge(struct partition_log *log, struct log_retired *files, int64_t cut_base)
{
	struct purge *p = check_calloc(1, sizeof(*p));
	p->magic = purge_magic;
	p->disk = log->env.disk;
	p->directory = check_strdup(log->directory);
	p->place = (struct log_place){.disk = p->disk, .directory = p->directory};
	p->files = files;
	p->cut_base = cut_base;
	p->cut_end = log->end_offset;
	expect(log->env.scheduler != NULL);
	job_init(&p->job, "log purge", log->env.scheduler, purge_work, purge_done);
	background_submit(log->env.background, &p->job);
}

/* Sends off what is due and arms the timer for the next. */
void partition_log_purge_due(struct partition_log *log)
{
	struct log_retired *due = NULL, **at = &log->retired;
	int64_t now = clock_monotonic_us(log->env.clock), next = INT64_MAX;
	if (log->env.scheduler == NULL || log->closing)
		return; /* the next start removes them */
	while (*at != NULL) {
		struct log_retired *r = *at;
		if (r->due_us <= now) {
			*at = r->next;
			r->next = due;
			due = r;
		} else {
			next = r->due_us < next ? r->due_us : next;
			at = &r->next;
		}
	}
	if (due != NULL)
		submit_purge(log, due, -1);
	if (next != INT64_MAX)
		scheduler_timer_arm(log->env.scheduler, &log->purge_timer, next - now);
}

void partition_log_purge_timer_fired(struct loop_timer *t)
{
	struct partition_log *log = CONTAINER_OF(t, struct partition_log, purge_timer);
	CHECK_MAGIC(partition_log, log);
	partition_log_purge_due(log);
}

void partition_log_retired_add(struct partition_log *log, struct log_retired *r, int64_t delay_ms)
{
	int64_t delay_max_ms = INT64_MAX / US_PER_MS / 4;
	r->due_us = clock_monotonic_us(log->env.clock) + (delay_ms > delay_max_ms ? delay_max_ms : delay_ms) * US_PER_MS;
	r->next = log->retired;
	log->retired = r;
	log->directory_changed = true;
}

enum status partition_log_retire_files(struct partition_log *log, struct log_segment *s, bool log_replaced, int64_t delay_ms)
{
	struct log_retired *r = check_calloc(1, sizeof(*r));
	enum status status = partition_directory_retire_segment(&log->place, s->base_offset, log_replaced,
		log->snapshots.count > 0 || log->has_transaction_index, &r->files);
	if (status != STATUS_OK) {
		free(r);
		return status;
	}
	if (!log_replaced)
		producer_snapshots_forget(&log->snapshots, s->base_offset);
	partition_log_retired_add(log, r, delay_ms);
	log_segment_free(s); /* readers keep the file itself */
	return STATUS_OK;
}

enum status partition_log_retire_last(struct partition_log *log, bool log_replaced)
{
	expect(log->count > 0);
	TRY(partition_log_retire_files(log, log->segments[log->count - 1], log_replaced, 0));
	log->count--;
	return STATUS_OK;
}

/* The first `count` of the expired segments have been retired. */
static void forget_expired(struct partition_log *log, size_t count)
{
	expect(count <= log->expired_count);
	log->expired_count -= count;
	if (log->expired_count > 0)
		memmove(log->expired, log->expired + count, log->expired_count * sizeof(log->expired[0]));
}

/* --- truncation ---------------------------------------------------------------------------------------------- */

void partition_log_forget_cursors(struct partition_log *log)
{
	memset(log->cursors, 0, sizeof(log->cursors));
}

/* A checkpoint may hold a recovery point above the cut; new records up to there must not pass for synced ones after a
 * crash. Sleeps, but is needed only where a truncation goes below the high watermark: after an unclean election. */
static enum status limit_recovery_point(struct partition_log *log, int64_t offset)
{
	int64_t limit;
	if (offset >= log->recovery_point_max)
		return STATUS_OK;
	if (log->has_recovery_limit && partition_offset_file_read(&log->place, PARTITION_RECOVERY_LIMIT_NAME, &limit) == STATUS_OK && limit <= offset)
		return STATUS_OK;
	TRY(partition_offset_file_write(&log->place, PARTITION_RECOVERY_LIMIT_NAME, offset));
	log->has_recovery_limit = true;
	return STATUS_OK;
}

/* Everything behind segment `keep` goes, from the end, each durably before the next and before the rest is cut: none may
 * come back behind a hole, or beside new records of the same offsets. Rarely more than one. */
static enum status drop_segments_behind(struct partition_log *log, size_t keep)
{
	while (log->count > keep + 1) {
		TRY(partition_log_retire_last(log, false));
		TRY(disk_sync_directory(log->env.disk, log->directory));
	}
	return STATUS_OK;
}

static void set_end(struct partition_log *log, int64_t end)
{
	log->end_offset = end;
	if (log->flushed_offset > end)
		log->flushed_offset = end;
	if (log->job.running && log->job.target_offset > end)
		log->job.target_offset = end;
	if (log->start_offset > end)
		log->start_offset = end;
	if (leader_epoch_cache_truncate_end(&log->epochs, end))
		partition_log_epochs_changed(log, end);
	if (log->cleaner_offset > end)
		log->cleaner_offset = end;
	partition_log_forget_cursors(log);
}

/* Cuts the active segment and goes on in a new one, even where nothing but a little is cut:
 * - readers may still send what lies behind the cut: they meet the end of the file and fail, never other records;
 * - until the next flush a crash may undo the cut: the old records are then seen to reach into the next segment, and are
 *   cut again. Written over in place, old and new ones could mix. */
static enum status cut_active(struct partition_log *log, int64_t position, int64_t end)
{
	struct log_segment *s = partition_log_active(log);
	if (position == 0) {
		enum status status = partition_log_replace_segments(log, log->count - 1, s->base_offset);
		if (status != STATUS_NO_SPACE)
			return status;
	}
	TRY(log_segment_truncate(s, &log->place, position, end));
	/* On a full disk the old segment has to do. */
	if (end == s->base_offset)
		return STATUS_OK;
	enum status status = partition_log_add_segment(log, end);
	if (status == STATUS_OK)
		log_segment_finish_time_index(s);
	return status == STATUS_NO_SPACE ? STATUS_OK : status;
}

/* Where a truncation to `offset` cuts: a batch that holds it goes whole, and so does a gap before it. */
struct cut {
	size_t keep; /* the segment that becomes the last */
	int64_t position, end;
};

static enum status find_cut(struct partition_log *log, int64_t offset, struct cut *ret_cut)
{
	struct cut c = {.keep = partition_log_segment_at(log, offset), .end = offset};
	struct log_segment *s = log->segments[c.keep];
	struct log_batch_info b;
	enum status status = log_segment_find(s, &log->place, offset, &b);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	c.position = status == STATUS_OK ? b.position : s->size_bytes;
	/* Behind the last batch that stays: where compaction has left a gap, only batches tell where the log ends. */
	TRY(log_segment_end_before(s, &log->place, c.position, &c.end));
	expect(c.end <= offset);
	*ret_cut = c;
	return STATUS_OK;
}

static enum status truncate_at(struct partition_log *log, const struct cut *c)
{
	TRY(drop_segments_behind(log, c->keep));
	TRY(cut_active(log, c->position, c->end));
	set_end(log, c->end);
	return STATUS_OK;
}

enum status partition_log_truncate(struct partition_log *log, int64_t offset)
{
	struct cut cut;
	partition_log_check(log);
	expect(offset >= 0);
	if (offset >= log->end_offset)
		return STATUS_OK;
	if (log->fenced)
		return STATUS_FENCED_LOG;
	if (offset < log->segments[0]->base_offset)
		return partition_log_truncate_fully(log, offset);
	TRY(partition_log_settle_compaction(log, offset)); /* it may exchange segments */
	TRY(find_cut(log, offset, &cut));
	if (cut.end < log->start_offset) /* only a gap was left of it */
		return partition_log_truncate_fully(log, offset < log->start_offset ? offset : log->start_offset);
	diag_info("log_truncated", "log=%s from=%lld to=%lld", log->directory, (long long)log->end_offset, (long long)cut.end);
	TRY(limit_recovery_point(log, cut.end));
	TRY(partition_log_drop_snapshots(log, cut.end));
	int64_t cut_base = log->segments[cut.keep]->base_offset;
	enum status status = truncate_at(log, &cut);
	if (status == STATUS_OK)
		status = partition_log_reload_producers(log);
	if (status != STATUS_OK) {
		/* Half done, what is on disk is known again only after a restart. */
		partition_log_fence(log, status, "a truncation failed");
		log->flushed_offset = log->flushed_offset < cut.end ? log->flushed_offset : cut.end;
		return status;
	}
	if (log->has_transaction_index && log->env.scheduler != NULL)
		submit_purge(log, NULL, cut_base);
	partition_log_purge_due(log);
	partition_log_flush(log);
	return STATUS_OK;
}

/* The new segment may get the name of one of them. */
static void expire_all(struct partition_log *log)
{
	size_t done = 0;
	while (done < log->expired_count && partition_log_retire_files(log, log->expired[done], false, 0) == STATUS_OK)
		done++;
	forget_expired(log, done);
}

static enum status begin_anew(struct partition_log *log, int64_t offset)
{
	expire_all(log);
	TRY(partition_log_replace_segments(log, 0, offset));
	/* Gone durably before anything new counts as flushed: the next flush syncs the directory. */
	return partition_offset_file_remove(&log->place, PARTITION_RESTART_NAME);
}

enum status partition_log_truncate_fully(struct partition_log *log, int64_t offset)
{
	partition_log_check(log);
	expect(offset >= 0);
	if (log->fenced)
		return STATUS_FENCED_LOG;
	TRY(partition_log_settle_compaction(log, -1));
	diag_info("log_restarted", "log=%s end=%lld at=%lld", log->directory, (long long)log->end_offset, (long long)offset);
	TRY(limit_recovery_point(log, offset));
	/* From here on a crash finds the log empty at offset, not half of its segments. */
	enum status status = partition_offset_file_write(&log->place, PARTITION_RESTART_NAME, offset);
	if (status == STATUS_NO_SPACE)
		return status;
	if (status == STATUS_OK)
		status = partition_log_drop_snapshots(log, -1);
	if (status == STATUS_OK)
		status = begin_anew(log, offset);
	if (status != STATUS_OK) {
		partition_log_fence(log, status, "removing all segments failed");
		return status;
	}
	leader_epoch_cache_clear(&log->epochs);
	partition_log_epochs_changed(log, 0);
	producer_state_clear(log->producers);
	set_end(log, offset);
	log->start_offset = log->flushed_offset = offset;
	partition_log_purge_due(log);
	partition_log_flush(log);
	return STATUS_OK;
}

/* --- retention ----------------------------------------------------------------------------------------------- */

/* May segment i go, given the bytes of all segments from it on? Kafka: UnifiedLog.deleteOldSegments; time is when the
 * broker appended, not what producers wrote. */
static bool expired(const struct partition_log *log, size_t i, int64_t bytes_from_here, int64_t now_ms)
{
	const struct topic_settings *t = &log->settings;
	const struct log_segment *s = log->segments[i];
	if (partition_log_segment_end(log, i) <= log->start_offset)
		return true;
	if ((t->cleanup_policy & CLEANUP_delete) == 0)
		return false;
	if (t->retention_ms >= 0 && now_ms - s->appended_ms > t->retention_ms)
		return true;
	return t->retention_bytes >= 0 && bytes_from_here - s->size_bytes >= t->retention_bytes;
}

static size_t expired_count(const struct partition_log *log, int64_t high_watermark)
{
	int64_t bytes = partition_log_size_bytes(log), now_ms = clock_wall_ms(log->env.clock);
	size_t n = 0;
	while (n < log->count && partition_log_segment_end(log, n) <= high_watermark) {
		bool empty_active = n + 1 == log->count && log->segments[n]->size_bytes == 0;
		if (empty_active || !expired(log, n, bytes, now_ms))
			break;
		bytes -= log->segments[n]->size_bytes;
		n++;
	}
	return n;
}

void partition_log_expire_next(struct partition_log *log)
{
	if (log->expired_count == 0 || log->fenced || log->closing)
		return;
	/* One at a time, and only when the names so far are durable: a crash must leave neither a hole among the oldest
	 * segments nor, all being expired, none at all. */
	if (!log->directory_changed && !(log->job.running && log->job.sync_directory)) {
		if (partition_log_retire_files(log, log->expired[0], false, log->settings.file_delete_delay_ms) != STATUS_OK)
			return; /* tried again at the next check */
		forget_expired(log, 1);
		partition_log_purge_due(log);
	}
	log->flush_wanted = true; /* comes back here */
	partition_log_pump(log);
}

unsigned partition_log_apply_retention(struct partition_log *log, int64_t high_watermark)
{
	partition_log_check(log);
	if (log->fenced || partition_log_is_swapping(log))
		return 0;
	size_t n = expired_count(log, high_watermark);
	if (n == log->count && partition_log_roll(log, log->end_offset) != STATUS_OK)
		n--;
	if (n == 0) {
		partition_log_expire_next(log);
		return 0;
	}
	log->expired = check_realloc(log->expired, (log->expired_count + n) * sizeof(log->expired[0]));
	memcpy(log->expired + log->expired_count, log->segments, n * sizeof(log->segments[0]));
	log->expired_count += n;
	log->count -= n;
	memmove(log->segments, log->segments + n, log->count * sizeof(log->segments[0]));
	if (log->segments[0]->base_offset > log->start_offset)
		log->start_offset = log->segments[0]->base_offset;
	if (leader_epoch_cache_truncate_start(&log->epochs, log->start_offset))
		partition_log_epochs_changed(log, log->end_offset);
	metrics_add(METRIC_segments_deleted, (int64_t)n);
	diag_info("segments_deleted", "log=%s count=%zu start_offset=%lld", log->directory, n, (long long)log->start_offset);
	partition_log_expire_next(log);
	return (unsigned)n;
}

enum status partition_log_set_start_offset(struct partition_log *log, int64_t offset)
{
	partition_log_check(log);
	if (offset > log->end_offset)
		return STATUS_OFFSET_OUT_OF_RANGE;
	if (offset <= log->start_offset)
		return STATUS_OK;
	log->start_offset = offset;
	if (leader_epoch_cache_truncate_start(&log->epochs, offset))
		partition_log_epochs_changed(log, log->end_offset);
	return STATUS_OK;
}
