#include "fake_log.h"

struct partition_log *fake_log_new(const char *topic, int32_t partition)
{
	struct partition_log *log = check_calloc(1, sizeof(*log));
	expect(topic_partition_set(&log->tp, slice_of_str(topic), partition) == STATUS_OK);
	log->retention_high_watermark = -1;
	return log;
}

void fake_log_free(struct partition_log *log)
{
	free(log);
}

void fake_log_finish_flush(struct partition_log *log, int64_t offset, enum status s)
{
	if (s == STATUS_OK)
		log->flushed = offset;
	else
		log->fenced = true;
	if (log->flushed_fn != NULL)
		log->flushed_fn(log->flushed_arg, s);
}

void partition_log_adopt(struct partition_log *log, struct scheduler *scheduler)
{
	log->owner = scheduler;
}

void partition_log_close(struct partition_log *log, bool sync, void (*done)(void *arg, enum status s), void *arg)
{
	expect(!log->closed);
	log->closed = true;
	log->close_synced = sync;
	if (sync && !log->fenced)
		log->flushed = log->end;
	done(arg, log->fenced ? STATUS_FENCED_LOG : STATUS_OK);
}

enum status partition_log_append(struct partition_log *log, struct record_batch *batch, int32_t leader_epoch,
	struct log_append_info *ret_info)
{
	expect_on_loop(log->owner);
	expect(log->epoch_count > 0 && log->epochs[log->epoch_count - 1] == leader_epoch);
	if (log->append_status != STATUS_OK)
		return log->append_status;
	if (log->duplicate.duplicate) {
		*ret_info = log->duplicate;
		log->duplicate.duplicate = false;
		return STATUS_OK;
	}
	expect(log->end + batch->record_count <= FAKE_RECORDS_MAX);
	ret_info->duplicate = false;
	ret_info->base_offset = log->end;
	for (int32_t i = 0; i < batch->record_count; i++)
		log->timestamps[log->end++] = batch->base_timestamp + i;
	ret_info->last_offset = log->end - 1;
	ret_info->log_append_time_ms = -1;
	ret_info->log_start_offset = log->start;
	return STATUS_OK;
}

int64_t partition_log_last_stable_offset(struct partition_log *log, int64_t high_watermark)
{
	expect_on_loop(log->owner);
	return high_watermark;
}

struct producer_info *partition_log_list_producers(const struct partition_log *log, size_t *ret_count)
{
	expect_on_loop(log->owner);
	*ret_count = log->producer.producer_id > 0 ? 1 : 0;
	if (*ret_count == 0)
		return NULL;
	struct producer_info *list = check_calloc(1, sizeof(*list));
	*list = log->producer;
	return list;
}

size_t partition_log_expire_producers(struct partition_log *log)
{
	size_t n = log->silent_producers;
	expect_on_loop(log->owner);
	log->silent_producers = 0;
	return n;
}

enum status partition_log_read(struct partition_log *log, int64_t offset, int64_t end_offset, size_t max_bytes,
	bool at_least_one, struct iobuf *out, size_t *ret_bytes)
{
	expect_on_loop(log->owner);
	expect(offset >= log->start && end_offset <= log->end);
	size_t n = (size_t)(end_offset - offset) * FAKE_RECORD_BYTES;
	if (n > max_bytes)
		n = max_bytes - max_bytes % FAKE_RECORD_BYTES;
	if (n == 0 && at_least_one)
		n = FAKE_RECORD_BYTES;
	memset(iobuf_append_space(out, n), 'r', n);
	*ret_bytes = n;
	return STATUS_OK;
}

int64_t partition_log_bytes_between(struct partition_log *log, int64_t offset, int64_t end_offset)
{
	expect_on_loop(log->owner);
	return end_offset > offset ? (end_offset - offset) * FAKE_RECORD_BYTES : 0;
}

enum status partition_log_offset_for_time(struct partition_log *log, int64_t timestamp_ms, int64_t *ret_offset,
	int64_t *ret_timestamp)
{
	*ret_offset = *ret_timestamp = -1;
	for (int64_t i = log->start; i < log->end; i++) {
		if (log->timestamps[i] >= timestamp_ms) {
			*ret_offset = i;
			*ret_timestamp = log->timestamps[i];
			break;
		}
	}
	return STATUS_OK;
}

/* As if a segment began every ten records, and all were written long ago. */
size_t partition_log_segment_starts(struct partition_log *log, int64_t timestamp_ms, int64_t *ret_offsets, size_t max)
{
	size_t n = 0;
	(void)timestamp_ms;
	if (n < max)
		ret_offsets[n++] = log->end;
	for (int64_t start = log->end - 1 - (log->end - 1) % 10; start >= 0 && n < max; start -= 10)
		ret_offsets[n++] = start;
	return n;
}

void partition_log_end_offset_for_epoch(struct partition_log *log, int32_t leader_epoch, int32_t *ret_epoch, int64_t *ret_end_offset)
{
	*ret_epoch = -1;
	*ret_end_offset = -1;
	for (int i = 0; i < log->epoch_count && log->epochs[i] <= leader_epoch; i++) {
		*ret_epoch = log->epochs[i];
		*ret_end_offset = i + 1 < log->epoch_count ? log->epoch_starts[i + 1] : log->end;
	}
}

enum status partition_log_max_timestamp(struct partition_log *log, int64_t *ret_offset, int64_t *ret_timestamp)
{
	*ret_offset = *ret_timestamp = -1;
	for (int64_t i = log->start; i < log->end; i++) {
		if (log->timestamps[i] > *ret_timestamp) {
			*ret_offset = i;
			*ret_timestamp = log->timestamps[i];
		}
	}
	return STATUS_OK;
}

int64_t partition_log_start_offset(const struct partition_log *log)
{
	return log->start;
}

int64_t partition_log_end_offset(const struct partition_log *log)
{
	return log->end;
}

int64_t partition_log_flushed_offset(const struct partition_log *log)
{
	return log->flushed;
}

int64_t partition_log_recovery_point(struct partition_log *log, int64_t high_watermark)
{
	return log->flushed < high_watermark ? log->flushed : high_watermark;
}

int32_t partition_log_latest_epoch(const struct partition_log *log)
{
	return log->epoch_count == 0 ? -1 : log->epochs[log->epoch_count - 1];
}

bool partition_log_is_fenced(const struct partition_log *log)
{
	return log->fenced;
}

void partition_log_flush(struct partition_log *log)
{
	expect_on_loop(log->owner);
	log->flushes_asked++;
	if (log->flush_at_once)
		fake_log_finish_flush(log, log->end, STATUS_OK);
}

void partition_log_on_flushed(struct partition_log *log, void (*flushed)(void *arg, enum status s), void *arg)
{
	log->flushed_fn = flushed;
	log->flushed_arg = arg;
}

enum status partition_log_start_leader_epoch(struct partition_log *log, int32_t leader_epoch)
{
	if (log->epoch_status != STATUS_OK)
		return log->epoch_status;
	if (leader_epoch < partition_log_latest_epoch(log))
		return STATUS_FENCED_LEADER_EPOCH;
	log->epochs[log->epoch_count] = leader_epoch;
	log->epoch_starts[log->epoch_count++] = log->end;
	return STATUS_OK;
}

enum status partition_log_roll_if_due(struct partition_log *log)
{
	log->rolls++;
	return STATUS_OK;
}

unsigned partition_log_apply_retention(struct partition_log *log, int64_t high_watermark)
{
	unsigned removed = log->retention_removes;
	log->retention_high_watermark = high_watermark;
	log->start += removed;
	log->retention_removes = 0;
	return removed;
}

void partition_log_update_settings(struct partition_log *log, const struct topic_settings *settings)
{
	log->settings = *settings;
}

/* --- manager -------------------------------------------------------------------------------------------------------------- */

struct fake_entry {
	struct partition_log *log;
	struct uuid topic_id;
	int64_t high_watermark, checkpointed;
	struct fake_entry *next;
};
struct log_manager {
	struct scheduler *scheduler;
	struct fake_entry *entries;
	enum status fail_next;
	int created, deleted, checkpoints_written;
};
/* An answer on its way. */
struct fake_answer {
	struct task task;
	enum status status;
	struct partition_log *log;
	int64_t high_watermark;
	void (*opened)(void *arg, enum status s, struct partition_log *log, int64_t high_watermark);
	void (*done)(void *arg, enum status s);
	void *arg;
};

static void fake_answered(struct task *t)
{
	struct fake_answer *a = CONTAINER_OF(t, struct fake_answer, task);
	if (a->opened != NULL)
		a->opened(a->arg, a->status, a->log, a->high_watermark);
	else
		a->done(a->arg, a->status);
	free(a);
}

static void answer(struct log_manager *m, const struct fake_answer *from)
{
	struct fake_answer *a = check_alloc(sizeof(*a));
	*a = *from;
	task_init(&a->task, "fake_answer", fake_answered);
	scheduler_post(m->scheduler, &a->task);
}

struct log_manager *fake_log_manager_new(struct scheduler *scheduler)
{
	struct log_manager *m = check_calloc(1, sizeof(*m));
	m->scheduler = scheduler;
	return m;
}

void fake_log_manager_free(struct log_manager *m)
{
	while (m->entries != NULL) {
		struct fake_entry *e = m->entries;
		m->entries = e->next;
		fake_log_free(e->log);
		free(e);
	}
	free(m);
}

void fake_log_manager_fail_next(struct log_manager *m, enum status s)
{
	m->fail_next = s;
}

int fake_log_manager_created(const struct log_manager *m)
{
	return m->created;
}

int fake_log_manager_deleted(const struct log_manager *m)
{
	return m->deleted;
}

int fake_log_manager_checkpoints_written(const struct log_manager *m)
{
	return m->checkpoints_written;
}

static struct fake_entry **find(struct log_manager *m, const struct topic_partition *tp)
{
	struct fake_entry **e = &m->entries;
	while (*e != NULL && !topic_partition_equal(&(*e)->log->tp, tp))
		e = &(*e)->next;
	return e;
}

int64_t fake_log_manager_checkpointed(const struct log_manager *m, const struct topic_partition *tp)
{
	for (const struct fake_entry *e = m->entries; e != NULL; e = e->next) {
		if (topic_partition_equal(&e->log->tp, tp))
			return e->checkpointed;
	}
	return -1;
}

struct partition_log *fake_log_manager_put(struct log_manager *m, const char *topic, int32_t partition, int64_t high_watermark)
{
	struct fake_entry *e = check_calloc(1, sizeof(*e));
	e->log = fake_log_new(topic, partition);
	e->log->flush_at_once = true;
	e->high_watermark = high_watermark;
	e->checkpointed = -1;
	e->next = m->entries;
	m->entries = e;
	return e->log;
}

struct partition_log *log_manager_find(struct log_manager *m, const struct topic_partition *tp, int64_t *ret_high_watermark)
{
	struct fake_entry *e = *find(m, tp);
	if (e == NULL)
		return NULL;
	*ret_high_watermark = e->high_watermark;
	return e->log;
}

void log_manager_get_or_create(struct log_manager *m, const struct topic_partition *tp, const struct uuid *topic_id, bool is_new,
	void (*opened)(void *arg, enum status s, struct partition_log *log, int64_t high_watermark), void *arg)
{
	struct fake_answer a = {.opened = opened, .arg = arg, .status = m->fail_next};
	(void)is_new;
	m->fail_next = STATUS_OK;
	struct fake_entry *e = *find(m, tp);
	if (e != NULL && !uuid_is_zero(&e->topic_id) && !uuid_equal(&e->topic_id, topic_id))
		a.status = STATUS_INCONSISTENT_TOPIC_ID;
	if (a.status == STATUS_OK && e == NULL) {
		(void)fake_log_manager_put(m, tp->topic, tp->partition, 0);
		e = m->entries;
		e->topic_id = *topic_id;
		m->created++;
	}
	if (a.status == STATUS_OK && e != NULL) {
		a.log = e->log;
		a.high_watermark = e->high_watermark;
	}
	answer(m, &a);
}

void log_manager_delete(struct log_manager *m, const struct topic_partition *tp, void (*done)(void *arg, enum status s), void *arg)
{
	struct fake_entry **at = find(m, tp), *e = *at;
	expect(e != NULL && e->log->flushed_fn == NULL); /* its owner has let go */
	*at = e->next;
	fake_log_free(e->log);
	free(e);
	m->deleted++;
	answer(m, &(struct fake_answer){.done = done, .arg = arg, .status = STATUS_OK});
}

void log_manager_each(struct log_manager *m, void (*each)(void *arg, const struct topic_partition *tp, struct partition_log *log),
	void *arg)
{
	for (struct fake_entry *e = m->entries; e != NULL; e = e->next)
		each(arg, &e->log->tp, e->log);
}

void log_manager_write_checkpoints(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count,
	void (*done)(void *arg, enum status s), void *arg)
{
	struct fake_answer a = {.done = done, .arg = arg, .status = m->fail_next};
	m->fail_next = STATUS_OK;
	for (size_t i = 0; a.status == STATUS_OK && i < count; i++) {
		struct fake_entry *e = *find(m, &entries[i].tp);
		expect(e != NULL);
		e->checkpointed = entries[i].high_watermark;
	}
	m->checkpoints_written++;
	answer(m, &a);
}

enum status partition_log_set_start_offset(struct partition_log *log, int64_t offset)
{
	if (offset > log->end)
		return STATUS_OFFSET_OUT_OF_RANGE;
	if (offset > log->start)
		log->start = offset;
	return STATUS_OK;
}

int64_t partition_log_size_bytes(const struct partition_log *log)
{
	return (log->end - log->start) * FAKE_RECORD_BYTES;
}

const char *partition_log_directory(const struct partition_log *log)
{
	(void)log;
	return "/logs/t-0";
}

/* Dirty until it was compacted once; a compaction ends when the test says so. */
bool partition_log_compaction_due(const struct partition_log *log, int64_t stable_offset, double *ret_dirty_ratio)
{
	*ret_dirty_ratio = log->dirty_ratio;
	return log->dirty_ratio > 0 && !log->compacting && stable_offset > 0;
}

void partition_log_compact(struct partition_log *log, int64_t stable_offset, const struct log_compaction_limits *limits,
	void (*done)(void *arg, enum status s), void *arg)
{
	expect(!log->compacting && limits->map_bytes > 0 && stable_offset > 0);
	log->compacting = true;
	log->compacted = done;
	log->compacted_arg = arg;
}

void fake_log_end_compaction(struct partition_log *log, enum status s)
{
	expect(log->compacting);
	log->compacting = false;
	log->dirty_ratio = 0;
	log->compacted(log->compacted_arg, s);
}

int64_t partition_log_cleaner_offset(const struct partition_log *log)
{
	(void)log;
	return 0;
}

size_t log_manager_directory_count(const struct log_manager *m)
{
	(void)m;
	return 1;
}

struct log_directory_info log_manager_directory_info(const struct log_manager *m, size_t i)
{
	(void)m;
	expect(i == 0);
	return (struct log_directory_info){"/logs", true, 1000, 5000};
}
