/* See partition.h. Everything that may move the high watermark ends in advance(); everything that ends a role ends in
 * let_waiters_go(). Answers to waiters are posted, never given within the call that caused them, so a part's done cannot come
 * back into a partition that is in the middle of something. */
#include "replica/partition.h"
#include "base/diag.h"
#include "base/metrics.h"
#include "replica/in_sync_replicas.h"

struct follower {
	int32_t broker_id;
	int64_t end_offset; /* as its last fetch told in this epoch; IN_SYNC_REPLICAS_END_UNKNOWN */
};

struct partition {
	unsigned magic;
	struct partition_environment *env;
	struct topic_partition tp;
	struct partition_log *log;
	struct topic_settings settings;
	const struct partition_watcher *watcher; /* NULL: nobody */

	enum partition_role role;
	int32_t leader; /* broker id, -1 none */
	int32_t leader_epoch, partition_epoch;
	size_t replica_count;
	size_t isr_count;      /* this replica included, if it is in it */
	int64_t *isr_ends;     /* of the other members: how far each has come in this epoch */
	size_t isr_ends_count;
	int64_t epoch_start_offset;
	bool epoch_unwritten; /* the disk was full: nothing is appended before the epoch is in the log's cache */
	int64_t high_watermark;

	/* Circular lists with a sentinel. Produces in offset order. */
	struct produce_waiter produces;
	struct fetch_waiter fetches;
};
MAGIC(partition, 0x50415254);

static void check(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	expect_on_loop(p->env->scheduler);
	expect(p->high_watermark >= 0);
}

/* --- waiters ------------------------------------------------------------------------------------------------------------- */

static void produce_link(struct partition *p, struct produce_waiter *w)
{
	/* New batches belong at the end; one sent again waits where it was stored. */
	struct produce_waiter *before = p->produces.previous;
	while (before != &p->produces && before->last_offset > w->last_offset)
		before = before->previous;
	w->partition = p;
	w->next = before->next;
	w->previous = before;
	w->next->previous = w;
	before->next = w;
}

static void produce_unlink(struct produce_waiter *w)
{
	w->previous->next = w->next;
	w->next->previous = w->previous;
	w->next = w->previous = NULL;
	w->partition = NULL;
}

static void produce_complete(struct partition *p, struct produce_waiter *w, enum status s)
{
	delayed_requests_remove(p->env->delayed, w);
	produce_unlink(w);
	replica_parts_answer_produce(CONTAINER_OF(w, struct produce_part, waiter), p->env->scheduler, s, true);
}

static void fetch_link(struct partition *p, struct fetch_waiter *w)
{
	w->partition = p;
	w->next = &p->fetches;
	w->previous = p->fetches.previous;
	w->previous->next = w;
	p->fetches.previous = w;
}

void partition_unwait(struct fetch_waiter *w)
{
	if (w->partition == NULL)
		return;
	w->previous->next = w->next;
	w->next->previous = w->previous;
	w->next = w->previous = NULL;
	w->partition = NULL;
}

static void wake_fetches(struct partition *p)
{
	while (p->fetches.next != &p->fetches) {
		struct fetch_waiter *w = p->fetches.next;
		partition_unwait(w);
		delayed_fetch_progress(w, INT64_MAX);
	}
}

static void let_waiters_go(struct partition *p, enum status s)
{
	while (p->produces.next != &p->produces)
		produce_complete(p, p->produces.next, s);
	wake_fetches(p);
}

/* What the waiter has not been told yet of the bytes up to the high watermark. */
static void count_towards(struct partition *p, struct fetch_waiter *w)
{
	if (p->high_watermark <= w->counted_from)
		return;
	const struct fetch_part *part = CONTAINER_OF(w, struct fetch_part, waiter);
	int64_t bytes = partition_log_bytes_between(p->log, w->counted_from, p->high_watermark);
	if (bytes < 1)
		bytes = 1; /* an estimate; there is at least something */
	if ((uint64_t)bytes > part->max_bytes)
		bytes = part->max_bytes > 0 ? (int64_t)part->max_bytes : 1;
	if (bytes <= w->counted_bytes)
		return;
	int64_t news = bytes - w->counted_bytes;
	w->counted_bytes = bytes;
	delayed_fetch_progress(w, news);
}

/* --- high watermark -------------------------------------------------------------------------------------------------------- */

static int32_t effective_min(const struct partition *p)
{
	return in_sync_replicas_effective_min(p->settings.min_insync_replicas, p->replica_count);
}

static bool commits_by_flush(const struct partition *p)
{
	return p->settings.log_flush_policy == FLUSH_commit;
}

/* How far this replica's own copy counts. */
static int64_t own_end(const struct partition *p)
{
	return commits_by_flush(p) ? partition_log_flushed_offset(p->log) : partition_log_end_offset(p->log);
}

/* Answers the produces the high watermark has passed. */
static void complete_produces(struct partition *p)
{
	enum status s = STATUS_OK;
	if (!in_sync_replicas_enough(p->isr_count, effective_min(p)))
		s = STATUS_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
	while (p->produces.next != &p->produces && p->produces.next->last_offset < p->high_watermark)
		produce_complete(p, p->produces.next, s);
}

/* --- news for the watcher -------------------------------------------------------------------------------------------------- */

static const struct partition_watcher *watcher_of(const struct partition_environment *env, const char *topic)
{
	const struct partition_watcher *w = env->watchers;
	while (w != NULL && strcmp(w->topic, topic) != 0)
		w = w->next;
	return w;
}

static void tell_leads(struct partition *p)
{
	if (p->watcher != NULL)
		p->watcher->leads(p->watcher->arg, p->tp.partition, p);
}

/* The role that ends was `from`. */
static void tell_lost(struct partition *p, enum partition_role from)
{
	if (p->watcher != NULL && from == PARTITION_LEADER)
		p->watcher->lost(p->watcher->arg, p->tp.partition);
}

static void advance(struct partition *p)
{
	if (p->role != PARTITION_LEADER)
		return;
	int64_t next = in_sync_replicas_high_watermark(&(struct in_sync_view){
		.leader_end = own_end(p),
		.follower_ends = p->isr_ends,
		.follower_count = p->isr_ends_count,
		.effective_min = effective_min(p),
		.high_watermark = p->high_watermark,
	});
	expect(next >= p->high_watermark && next <= partition_log_end_offset(p->log));
	if (next == p->high_watermark)
		return;
	p->high_watermark = next;
	p->env->changed = true;
	(void)partition_log_last_stable_offset(p->log, next); /* transactions that are over need not be remembered */
	complete_produces(p);
	for (struct fetch_waiter *w = p->fetches.next; w != &p->fetches; w = w->next)
		count_towards(p, w); /* wakes by letter: the list does not change here */
	if (p->watcher != NULL)
		p->watcher->advanced(p->watcher->arg, p->tp.partition);
}

static void go_offline(struct partition *p, enum status why)
{
	if (p->role == PARTITION_OFFLINE)
		return;
	diag_error("partition_offline", "partition=%s-%d why=%s text=\"%s; the replica serves again after a restart\"",
		p->tp.topic, (int)p->tp.partition, status_name(why), status_text(why));
	if (p->role == PARTITION_LEADER)
		metrics_add(METRIC_partitions_led, -1);
	metrics_add(METRIC_partitions_offline, 1);
	enum partition_role from = p->role;
	p->role = PARTITION_OFFLINE;
	tell_lost(p, from);
	let_waiters_go(p, STATUS_KAFKA_STORAGE_ERROR);
	if (p->env->failed != NULL)
		p->env->failed(p->env->arg, &p->tp, why);
}

/* --- flushing --------------------------------------------------------------------------------------------------------------- */

static void partition_flushed(void *arg, enum status s)
{
	struct partition *p = CAST(partition, arg);
	check(p);
	if (s != STATUS_OK || partition_log_is_fenced(p->log)) {
		go_offline(p, s != STATUS_OK ? s : STATUS_FENCED_LOG);
		return;
	}
	p->env->changed = true; /* the recovery point moved */
	advance(p);
}

/* After an append, and whenever the policy or the role changes. With log.flush.policy=background the log flushes by itself, as
 * flush.ms and flush.messages say. */
static void flush_as_due(struct partition *p)
{
	if (commits_by_flush(p) && partition_log_flushed_offset(p->log) < partition_log_end_offset(p->log))
		partition_log_flush(p->log);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

/* Within what the log holds: a checkpoint may be older or, after a crash, newer than the log. */
static int64_t within_log(const struct partition *p, int64_t offset)
{
	int64_t start = partition_log_start_offset(p->log), end = partition_log_end_offset(p->log);
	return offset < start ? start : offset > end ? end : offset;
}

struct partition *partition_new(struct partition_environment *env, const struct topic_partition *tp, struct partition_log *log,
	int64_t high_watermark, const struct topic_settings *settings)
{
	expect_on_loop(env->scheduler);
	struct partition *p = check_calloc(1, sizeof(*p));
	p->magic = partition_magic;
	p->env = env;
	p->tp = *tp;
	p->log = log;
	p->settings = *settings;
	p->watcher = watcher_of(env, tp->topic);
	p->leader = p->leader_epoch = p->partition_epoch = -1;
	p->produces.next = p->produces.previous = &p->produces;
	p->fetches.next = p->fetches.previous = &p->fetches;
	partition_log_adopt(log, env->scheduler);
	partition_log_on_flushed(log, partition_flushed, p);
	partition_log_update_settings(log, settings);
	p->high_watermark = within_log(p, high_watermark);
	env->changed = true;
	metrics_add(METRIC_partitions_hosted, 1);
	if (partition_log_is_fenced(log))
		go_offline(p, STATUS_FENCED_LOG);
	return p;
}

void partition_free(struct partition *p)
{
	check(p);
	tell_lost(p, p->role);
	let_waiters_go(p, STATUS_NOT_LEADER_OR_FOLLOWER);
	partition_log_on_flushed(p->log, NULL, NULL);
	metrics_add(METRIC_partitions_hosted, -1);
	if (p->role == PARTITION_LEADER)
		metrics_add(METRIC_partitions_led, -1);
	if (p->role == PARTITION_OFFLINE)
		metrics_add(METRIC_partitions_offline, -1);
	p->env->changed = true;
	free(p->isr_ends);
	p->magic = 0;
	free(p);
}

static void set_in_sync(struct partition *p, const struct replica_command *c)
{
	free(p->isr_ends);
	p->isr_ends = check_calloc(c->isr_count + 1, sizeof(*p->isr_ends));
	p->isr_ends_count = 0;
	for (size_t i = 0; i < c->isr_count; i++) {
		if (c->isr[i] != p->env->broker_id)
			p->isr_ends[p->isr_ends_count++] = IN_SYNC_REPLICAS_END_UNKNOWN;
	}
	p->isr_count = c->isr_count;
	p->replica_count = c->replica_count;
}

static enum status become_leader(struct partition *p, const struct replica_command *c)
{
	enum status s = partition_log_start_leader_epoch(p->log, c->leader_epoch);
	if (s == STATUS_FENCED_LEADER_EPOCH) {
		diag_error("leader_epoch_behind_log",
			"partition=%s-%d leader_epoch=%d log_leader_epoch=%d text=\"the log is newer than the partition's state in "
			"ZooKeeper: was it wiped or restored from a backup?\"",
			p->tp.topic, (int)p->tp.partition, (int)c->leader_epoch, (int)partition_log_latest_epoch(p->log));
		return s;
	}
	if (s != STATUS_OK && s != STATUS_NO_SPACE) {
		go_offline(p, s);
		return STATUS_KAFKA_STORAGE_ERROR;
	}
	p->epoch_unwritten = s == STATUS_NO_SPACE; /* a full disk must not keep readers out */
	if (p->role != PARTITION_LEADER)
		metrics_add(METRIC_partitions_led, 1);
	p->role = PARTITION_LEADER;
	p->epoch_start_offset = partition_log_end_offset(p->log);
	p->high_watermark = within_log(p, p->high_watermark);
	return STATUS_OK;
}

static void become_follower(struct partition *p)
{
	if (p->role == PARTITION_LEADER)
		metrics_add(METRIC_partitions_led, -1);
	tell_lost(p, p->role);
	p->role = PARTITION_FOLLOWER;
	while (p->produces.next != &p->produces)
		produce_complete(p, p->produces.next, STATUS_NOT_LEADER_OR_FOLLOWER);
}

enum status partition_become(struct partition *p, const struct replica_command *c)
{
	check(p);
	expect(p->env->broker_id >= 0);
	if (p->role == PARTITION_OFFLINE)
		return STATUS_KAFKA_STORAGE_ERROR;
	if (c->leader_epoch <= p->leader_epoch)
		return STATUS_STALE_CONTROLLER_EPOCH;
	bool leads = c->leader == p->env->broker_id;
	if (leads)
		TRY(become_leader(p, c));
	else
		become_follower(p);
	p->leader = c->leader >= 0 ? c->leader : -1;
	p->leader_epoch = c->leader_epoch;
	p->partition_epoch = c->partition_epoch;
	set_in_sync(p, c);
	partition_configure(p, &c->settings);
	p->env->changed = true;
	diag_info(leads ? "partition_leader" : "partition_follower",
		"partition=%s-%d leader=%d leader_epoch=%d isr_count=%zu high_watermark=%lld log_end=%lld", p->tp.topic,
		(int)p->tp.partition, (int)p->leader, (int)p->leader_epoch, p->isr_count, (long long)p->high_watermark,
		(long long)partition_log_end_offset(p->log));
	wake_fetches(p); /* their leader epoch has to be checked again */
	if (p->role == PARTITION_LEADER)
		tell_leads(p);
	return STATUS_OK;
}

enum status partition_stop(struct partition *p, int32_t leader_epoch)
{
	check(p);
	if (leader_epoch >= 0 && leader_epoch < p->leader_epoch)
		return STATUS_FENCED_LEADER_EPOCH;
	if (p->role == PARTITION_OFFLINE)
		return STATUS_OK;
	if (p->role == PARTITION_LEADER)
		metrics_add(METRIC_partitions_led, -1);
	tell_lost(p, p->role);
	p->role = PARTITION_NONE;
	p->leader = -1;
	if (leader_epoch > p->leader_epoch)
		p->leader_epoch = leader_epoch;
	let_waiters_go(p, STATUS_NOT_LEADER_OR_FOLLOWER);
	return STATUS_OK;
}

void partition_configure(struct partition *p, const struct topic_settings *settings)
{
	check(p);
	p->settings = *settings;
	partition_log_update_settings(p->log, settings);
	if (p->role == PARTITION_OFFLINE)
		return;
	flush_as_due(p);
	advance(p);
}

/* --- requests --------------------------------------------------------------------------------------------------------------- */

/* May this replica serve as leader to a request that knows `leader_epoch` (-1: unchecked)? */
static enum status check_leader(const struct partition *p, int32_t leader_epoch)
{
	if (p->role == PARTITION_OFFLINE)
		return STATUS_KAFKA_STORAGE_ERROR;
	if (leader_epoch >= 0 && leader_epoch < p->leader_epoch)
		return STATUS_FENCED_LEADER_EPOCH;
	if (leader_epoch >= 0 && leader_epoch > p->leader_epoch)
		return STATUS_UNKNOWN_LEADER_EPOCH;
	return p->role == PARTITION_LEADER ? STATUS_OK : STATUS_NOT_LEADER_OR_FOLLOWER;
}

static enum status may_append(const struct partition *p, const struct produce_part *part)
{
	TRY(check_leader(p, part->leader_epoch));
	if (part->acks < -1 || part->acks > 1)
		return STATUS_INVALID_REQUIRED_ACKS;
	if (part->acks == -1 && !in_sync_replicas_enough(p->isr_count, effective_min(p)))
		return STATUS_NOT_ENOUGH_REPLICAS;
	if (p->env->disk_full != NULL && p->env->disk_full(p->env->arg)) {
		metrics_add(METRIC_disk_full_refusals, 1);
		return STATUS_NO_SPACE;
	}
	return STATUS_OK;
}

/* The disk was full when the leader epoch began. */
static enum status write_epoch_late(struct partition *p)
{
	enum status s = partition_log_start_leader_epoch(p->log, p->leader_epoch);
	p->epoch_unwritten = s != STATUS_OK;
	if (s == STATUS_OK || s == STATUS_NO_SPACE)
		return s;
	go_offline(p, s);
	return STATUS_KAFKA_STORAGE_ERROR;
}

static enum status append(struct partition *p, struct produce_part *part, int64_t *ret_last_offset)
{
	TRY(may_append(p, part));
	if (p->epoch_unwritten)
		TRY(write_epoch_late(p));
	struct log_append_info info;
	enum status s = partition_log_append(p->log, part->batch, p->leader_epoch, &info);
	if (s != STATUS_OK) {
		if (s == STATUS_NO_SPACE)
			metrics_add(METRIC_disk_full_refusals, 1);
		if (partition_log_is_fenced(p->log))
			go_offline(p, s);
		return s == STATUS_IO || s == STATUS_FENCED_LOG ? STATUS_KAFKA_STORAGE_ERROR : s;
	}
	expect(info.last_offset >= info.base_offset && info.last_offset < partition_log_end_offset(p->log));
	part->base_offset = info.base_offset;
	part->log_append_time_ms = info.log_append_time_ms;
	part->log_start_offset = info.log_start_offset;
	part->duplicate = info.duplicate;
	*ret_last_offset = info.last_offset;
	if (!info.duplicate)
		p->env->changed = true;
	else
		metrics_add(METRIC_duplicate_batches, 1);
	return STATUS_OK;
}

static void wait_for_acks(struct partition *p, struct produce_part *part, int64_t last_offset)
{
	struct produce_waiter *w = &part->waiter;
	int64_t timeout_ms = part->timeout_ms < 0 ? 0 : part->timeout_ms;
	int64_t now_us = clock_monotonic_us(p->env->scheduler->clock);
	w->last_offset = last_offset;
	w->deadline_us = timeout_ms > (INT64_MAX - now_us) / 1000 ? INT64_MAX : now_us + timeout_ms * 1000;
	produce_link(p, w);
	delayed_requests_add(p->env->delayed, w);
}

void partition_append(struct partition *p, struct produce_part *part)
{
	check(p);
	int64_t last_offset = -1;
	part->leader = p->leader;
	part->leader_epoch_now = p->leader_epoch;
	part->waiter = (struct produce_waiter){0};
	enum status s = append(p, part, &last_offset);
	if (s != STATUS_OK) {
		replica_parts_answer_produce(part, p->env->scheduler, s, false);
		return;
	}
	/* A batch sent again waits for what the first one waits for. */
	bool waits = part->acks == -1 && last_offset >= p->high_watermark;
	if (waits)
		wait_for_acks(p, part, last_offset);
	flush_as_due(p);
	advance(p);
	if (!waits)
		replica_parts_answer_produce(part, p->env->scheduler, STATUS_OK, false);
}

void partition_expire_produce(struct produce_waiter *w)
{
	struct partition *p = CAST(partition, w->partition);
	check(p);
	produce_unlink(w);
	replica_parts_answer_produce(
		CONTAINER_OF(w, struct produce_part, waiter), p->env->scheduler, STATUS_REQUEST_TIMED_OUT, true);
}

/* Has the reader records of an epoch that went on differently here? It must cut them first. KIP-595; Kafka: Partition.readRecords. */
static enum status check_divergence(struct partition *p, struct fetch_part *part)
{
	int32_t epoch;
	int64_t end;
	partition_log_end_offset_for_epoch(p->log, part->last_fetched_epoch, &epoch, &end);
	if (epoch < 0 || end < 0 || part->offset < part->log_start_offset)
		return STATUS_OFFSET_OUT_OF_RANGE;
	part->diverges = epoch < part->last_fetched_epoch || end < part->offset;
	if (part->diverges) {
		part->diverging_epoch = epoch;
		part->diverging_end_offset = end;
	}
	return STATUS_OK;
}

static enum status read_records(struct partition *p, struct fetch_part *part)
{
	TRY(check_leader(p, part->current_leader_epoch));
	int64_t start = partition_log_start_offset(p->log), end = partition_log_end_offset(p->log);
	part->high_watermark = p->high_watermark;
	part->log_start_offset = start;
	if (part->check_epoch)
		TRY(check_divergence(p, part));
	if (part->diverges)
		return STATUS_OK;
	if (part->offset < start || part->offset > end)
		return STATUS_OFFSET_OUT_OF_RANGE;
	if (part->offset >= p->high_watermark)
		return STATUS_OK; /* the end, or not committed yet: nothing, and no error */
	size_t max_bytes = part->max_bytes < part->fetch->max_bytes ? part->max_bytes : part->fetch->max_bytes;
	enum status s = partition_log_read(
		p->log, part->offset, p->high_watermark, max_bytes, true, &part->records, &part->record_bytes);
	return s == STATUS_IO ? STATUS_KAFKA_STORAGE_ERROR : s;
}

void partition_read(struct partition *p, struct fetch_part *part)
{
	check(p);
	partition_unwait(&part->waiter);
	part->leader = p->leader;
	part->leader_epoch = p->leader_epoch;
	part->high_watermark = part->log_start_offset = -1;
	part->record_bytes = 0;
	part->diverges = false;
	part->status = read_records(p, part);
	expect(part->status == STATUS_OK || part->record_bytes == 0);
}

void partition_wait(struct partition *p, struct fetch_part *part)
{
	check(p);
	struct fetch_waiter *w = &part->waiter;
	expect(w->partition == NULL);
	if (part->status != STATUS_OK || part->leader_epoch != p->leader_epoch || p->role != PARTITION_LEADER) {
		delayed_fetch_progress(w, INT64_MAX);
		return;
	}
	w->counted_from = part->offset > part->high_watermark ? part->offset : part->high_watermark;
	w->counted_bytes = 0;
	fetch_link(p, w);
	count_towards(p, w);
}

/* Starts above the high watermark count as the high watermark. Kafka: Partition.legacyFetchOffsetsForTimestamp. */
static void list_segments(struct partition *p, struct list_offsets_part *part)
{
	int64_t *starts = part->starts;
	size_t n = partition_log_segment_starts(p->log, part->timestamp_ms, starts, part->starts_max), above = 0;
	while (above < n && starts[above] > p->high_watermark)
		above++;
	if (above > 0) {
		starts[0] = p->high_watermark;
		for (size_t i = above; i < n; i++)
			starts[1 + i - above] = starts[i];
		n = 1 + n - above;
	}
	part->starts_count = n;
}

static enum status list_offsets(struct partition *p, struct list_offsets_part *part)
{
	TRY(check_leader(p, part->current_leader_epoch));
	part->offset = part->timestamp = part->epoch = -1;
	part->starts_count = 0;
	if (part->by == LIST_OFFSETS_OF_SEGMENTS) {
		list_segments(p, part);
		return STATUS_OK;
	}
	if (part->by == LIST_OFFSETS_BY_EPOCH) {
		partition_log_end_offset_for_epoch(p->log, part->asked_epoch, &part->epoch, &part->offset);
		return STATUS_OK;
	}
	if (part->timestamp_ms == LIST_OFFSETS_EARLIEST) {
		part->offset = partition_log_start_offset(p->log);
		return STATUS_OK;
	}
	/* KIP-207: a new leader's high watermark may lag behind what clients saw; nobody may see the end go back. */
	if (p->high_watermark < p->epoch_start_offset)
		return STATUS_OFFSET_NOT_AVAILABLE;
	if (part->timestamp_ms == LIST_OFFSETS_LATEST) {
		part->offset = p->high_watermark;
		return STATUS_OK;
	}
	if (part->timestamp_ms == LIST_OFFSETS_MAX_TIMESTAMP)
		TRY(partition_log_max_timestamp(p->log, &part->offset, &part->timestamp));
	else if (part->timestamp_ms >= 0)
		TRY(partition_log_offset_for_time(p->log, part->timestamp_ms, &part->offset, &part->timestamp));
	else
		return STATUS_INVALID_REQUEST;
	if (part->offset >= p->high_watermark)
		part->offset = part->timestamp = -1; /* not committed: as if it were not there */
	return STATUS_OK;
}

void partition_list_offsets(struct partition *p, struct list_offsets_part *part)
{
	check(p);
	part->leader = p->leader;
	part->leader_epoch = p->leader_epoch;
	enum status s = list_offsets(p, part);
	replica_parts_answer_list_offsets(part, p->env->scheduler, s == STATUS_IO ? STATUS_KAFKA_STORAGE_ERROR : s);
}

static enum status delete_records(struct partition *p, struct delete_records_part *part)
{
	TRY(check_leader(p, -1));
	if ((p->settings.cleanup_policy & CLEANUP_delete) == 0)
		return STATUS_POLICY_VIOLATION;
	int64_t to = part->offset == DELETE_RECORDS_TO_HIGH_WATERMARK ? p->high_watermark : part->offset;
	if (to < 0 || to > p->high_watermark)
		return STATUS_OFFSET_OUT_OF_RANGE;
	TRY(partition_log_set_start_offset(p->log, to));
	(void)partition_log_apply_retention(p->log, p->high_watermark);
	p->env->changed = true; /* log-start-offset-checkpoint */
	part->low_watermark = partition_log_start_offset(p->log);
	return STATUS_OK;
}

void partition_delete_records(struct partition *p, struct delete_records_part *part)
{
	check(p);
	part->leader = p->leader;
	part->leader_epoch = p->leader_epoch;
	replica_parts_answer_delete_records(part, p->env->scheduler, delete_records(p, part));
}

void partition_describe_producers(struct partition *p, struct describe_producers_part *part)
{
	check(p);
	enum status s = check_leader(p, -1);
	if (s == STATUS_OK)
		part->producers = partition_log_list_producers(p->log, &part->count);
	replica_parts_answer_describe_producers(part, p->env->scheduler, s);
}

/* --- facts and upkeep --------------------------------------------------------------------------------------------------------- */

const char *partition_topic(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return p->tp.topic;
}

const struct topic_partition *partition_name(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return &p->tp;
}

enum partition_role partition_role(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return p->role;
}

int32_t partition_leader_epoch(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return p->leader_epoch;
}

int64_t partition_high_watermark(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return p->high_watermark;
}

struct partition_log *partition_get_log(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return p->log;
}

const struct topic_settings *partition_settings(const struct partition *p)
{
	CHECK_MAGIC(partition, p);
	return &p->settings;
}

void partition_checkpoint(const struct partition *p, struct log_checkpoint_entry *ret_entry)
{
	CHECK_MAGIC(partition, p);
	*ret_entry = (struct log_checkpoint_entry){
		.tp = p->tp,
		.recovery_point = partition_log_recovery_point(p->log, p->high_watermark),
		.log_start_offset = partition_log_start_offset(p->log),
		.high_watermark = p->high_watermark,
		.cleaner_offset = partition_log_cleaner_offset(p->log),
	};
}

void partition_apply_retention(struct partition *p)
{
	check(p);
	if (p->role != PARTITION_LEADER && p->role != PARTITION_FOLLOWER)
		return;
	enum status s = partition_log_roll_if_due(p->log);
	if (s != STATUS_OK) {
		if (partition_log_is_fenced(p->log))
			go_offline(p, s);
		return; /* a full disk: logged by the log, tried again at the next check */
	}
	if (partition_log_apply_retention(p->log, p->high_watermark) > 0) {
		p->high_watermark = within_log(p, p->high_watermark);
		p->env->changed = true;
	}
}

void partition_expire_producers(struct partition *p)
{
	check(p);
	size_t n = partition_log_expire_producers(p->log);
	if (n == 0)
		return;
	metrics_add(METRIC_producers_expired, (int64_t)n);
	diag_info("producers_expired", "partition=%s-%d count=%zu", p->tp.topic, (int)p->tp.partition, n);
}

bool partition_compaction_due(struct partition *p, double *ret_dirty_ratio)
{
	check(p);
	if (p->role != PARTITION_LEADER && p->role != PARTITION_FOLLOWER)
		return false;
	int64_t stable = partition_log_last_stable_offset(p->log, p->high_watermark);
	return partition_log_compaction_due(p->log, stable, ret_dirty_ratio);
}

bool partition_compact(struct partition *p, const struct log_compaction_limits *limits, void (*done)(void *arg, enum status s),
	void *arg)
{
	double ratio;
	if (!partition_compaction_due(p, &ratio))
		return false;
	partition_log_compact(p->log, partition_log_last_stable_offset(p->log, p->high_watermark), limits, done, arg);
	p->env->changed = true; /* in time, how far it is compacted */
	return true;
}
