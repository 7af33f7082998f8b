/* A partition of __consumer_offsets into memory, when this broker comes to lead it: from the log's start to the end it has at that
 * moment. Bytes are read in the pool, some MiB at a time; records are applied on the loop, some at a time; then groups are made of
 * their newest records. What is in the log above the high watermark will be committed if this broker stays the leader: the groups
 * are served once the high watermark has come as far, so nobody sees what could still be lost. Nothing found in a record fails a
 * load. Kafka: GroupMetadataManager.doLoadGroupsAndOffsets. */
#include "coordinator/group_coordinator_internal.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "storage/legacy_message.h"
#include "storage/range_load.h"

enum {
	APPLY_BYTES_PER_TURN = 128 * 1024, /* whole batches; then other work of the loop gets its turn */
	IMPORT_GROUPS_PER_TURN = 64,
	INFLATED_BYTES_MAX = 64 * 1024 * 1024,
	RETRY_US = 1000 * 1000,
	READERS_MAX = 2, /* partitions of this loop read at a time: each holds offsets.load.buffer.size */
	MARKER_COMMIT = 1,
};

/* An offset committed within a transaction that is not decided yet. */
struct transaction_offset {
	struct transaction_offset *next;
	struct group_entry *entry; /* held */
	struct group_offset_value value;
	char *metadata; /* of value; owned */
	int64_t log_offset;
	int32_t partition;
	char topic[];
};
struct group_transaction {
	struct group_transaction *next;
	int64_t producer_id;
	struct transaction_offset *offsets;
};

struct group_load {
	unsigned magic;
	struct group_load *next; /* of the coordinator's */
	struct group_coordinator *coordinator;
	struct group_partition *gp; /* NULL: nobody is interested any more */
	struct range_load bytes;
	bool reading; /* bytes are under way */
	bool queued;  /* for its turn to read */
	bool reader;  /* it is one of READERS_MAX */
	int64_t next_offset, end_offset;
	int64_t read_offset; /* next_offset when the last read began */
	size_t at; /* in bytes.bytes */
	struct group_entry *import_next;
	bool waiting; /* for the high watermark */
	struct task task;
	bool posted;
	struct loop_timer retry_timer;
	int64_t started_us;
	size_t records, skipped, damaged;
};
MAGIC(group_load, 0x474c4f44);

/* --- transactions --------------------------------------------------------------------------------------------------------- */

static struct group_transaction *transaction_of(struct group_partition *gp, int64_t producer_id)
{
	for (struct group_transaction *t = gp->transactions; t != NULL; t = t->next)
		if (t->producer_id == producer_id)
			return t;
	struct group_transaction *t = check_calloc(1, sizeof(*t));
	t->producer_id = producer_id;
	t->next = gp->transactions;
	gp->transactions = t;
	return t;
}

static void transaction_add(struct group_partition *gp, int64_t producer_id, struct group_entry *e,
	const struct kafka_offset_commit_key *key, const struct group_offset_value *v, int64_t log_offset)
{
	struct group_transaction *t = transaction_of(gp, producer_id);
	size_t n = strlen(key->topic);
	struct transaction_offset *o = check_calloc(1, sizeof(*o) + n + 1);
	memcpy(o->topic, key->topic, n + 1);
	o->entry = e;
	o->partition = key->partition;
	o->log_offset = log_offset;
	o->metadata = check_strdup(v->metadata == NULL ? "" : v->metadata);
	o->value = *v;
	o->value.metadata = o->metadata;
	o->next = t->offsets;
	t->offsets = o;
	group_coordinator_hold(e);
	group_offsets_begin(&e->offsets, o->topic, o->partition);
}

static void transaction_end(struct group_partition *gp, struct group_transaction *t, bool commit)
{
	struct group_transaction **link = &gp->transactions;
	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	for (struct transaction_offset *o = t->offsets, *next; o != NULL; o = next) {
		next = o->next;
		if (commit && !o->entry->gone)
			group_offsets_put(&o->entry->offsets, o->topic, o->partition, &o->value, o->log_offset);
		group_offsets_end(&o->entry->offsets, o->topic, o->partition);
		group_coordinator_release(o->entry);
		free(o->metadata);
		free(o);
	}
	free(t);
}

/* A marker's key: version, then 0 abort or 1 commit. */
static void apply_marker(struct group_partition *gp, const struct record_batch *b, const struct record *r)
{
	struct byte_reader key;
	byte_reader_init(&key, r->key);
	(void)byte_reader_i16(&key);
	int16_t type = byte_reader_i16(&key);
	if (key.status != STATUS_OK)
		return;
	for (struct group_transaction *t = gp->transactions; t != NULL; t = t->next) {
		if (t->producer_id == b->producer_id) {
			transaction_end(gp, t, type == MARKER_COMMIT);
			return;
		}
	}
}

/* --- records -------------------------------------------------------------------------------------------------------------- */

static struct group_entry *entry_of(struct group_partition *gp, const char *name)
{
	struct group_entry *e = group_coordinator_find(gp, name);
	return e != NULL ? e : group_coordinator_add(gp, name);
}

static void apply_offset(struct group_partition *gp, const struct record_batch *b, const struct record *r,
	const struct group_record_view *view)
{
	const struct kafka_offset_commit_key *key = view->offset_key;
	const struct kafka_offset_commit_value *value = view->offset;
	struct group_entry *e = entry_of(gp, key->group);
	if (value == NULL) {
		group_offsets_remove(&e->offsets, key->topic, key->partition, r->offset);
		return;
	}
	const struct group_offset_value v = {
		.offset = value->offset,
		.commit_timestamp_ms = value->commit_timestamp,
		.expire_timestamp_ms = value->expire_timestamp,
		.leader_epoch = value->leader_epoch,
		.metadata = value->metadata,
	};
	if ((b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0)
		transaction_add(gp, b->producer_id, e, key, &v, r->offset);
	else
		group_offsets_put(&e->offsets, key->topic, key->partition, &v, r->offset);
}

/* Only the newest counts: its bytes are kept until the end. */
static void apply_group(struct group_partition *gp, const struct record *r, const struct group_record_view *view)
{
	struct group_entry *e = entry_of(gp, view->group_key->group);
	free((uint8_t *)(uintptr_t)e->loaded.p);
	e->loaded = slice_of(NULL, 0);
	if (view->group == NULL)
		return;
	uint8_t *copy = check_alloc(r->value.n + 1);
	memcpy(copy, r->value.p, r->value.n);
	e->loaded = slice_of(copy, r->value.n);
}

/* Of a group that is nowhere else yet, tombstones alone say nothing. */
static void apply_consumer_group(struct group_partition *gp, const struct group_record_view *view)
{
	const char *name = group_records_group_of(view);
	struct group_entry *e = view->value == NULL ? group_coordinator_find(gp, name) : entry_of(gp, name);
	if (e != NULL)
		group_coordinator_consumer_replay(e, view);
}

static void apply_record(struct group_load *l, const struct record_batch *b, const struct record *r)
{
	struct group_partition *gp = l->gp;
	struct group_record_view view;
	l->records++;
	if ((b->attributes & RECORD_BATCH_CONTROL) != 0) {
		apply_marker(gp, b, r);
		return;
	}
	enum status s = group_records_decode(&l->coordinator->scratch, r->key, r->value, &view);
	if (s == STATUS_OK && view.kind == GROUP_RECORD_OFFSET)
		apply_offset(gp, b, r, &view);
	else if (s == STATUS_OK && view.kind == GROUP_RECORD_GROUP)
		apply_group(gp, r, &view);
	else if (s == STATUS_OK && group_records_group_of(&view)[0] != '\0')
		apply_consumer_group(gp, &view);
	else
		l->skipped++; /* of a kind or version nobody here knows, or not meant for us */
	if (s != STATUS_OK && s != STATUS_NOT_FOUND)
		diag_warn("group_record_skipped", "partition=%s-%d offset=%lld why=%s", GROUP_COORDINATOR_TOPIC, (int)gp->number,
			(long long)r->offset, status_name(s));
	arena_reset(&l->coordinator->scratch);
}

static enum status apply_records(struct group_load *l, const struct record_batch *b)
{
	struct record_iterator it;
	struct record r;
	TRY(record_batch_check_crc(b));
	TRY(record_iterator_init(&it, b, INFLATED_BYTES_MAX));
	enum status s = record_iterator_next(&it, &r);
	for (; s == STATUS_OK; s = record_iterator_next(&it, &r))
		apply_record(l, b, &r);
	record_iterator_fini(&it);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* From before Kafka 0.11: no transactions, no control records. */
static enum status apply_message(struct group_load *l, struct slice bytes)
{
	static const struct record_batch plain = {.producer_id = -1};
	struct legacy_message m;
	struct legacy_iterator it;
	struct record r;
	TRY(legacy_message_parse(bytes, &m));
	TRY(legacy_message_check_crc(&m));
	TRY(legacy_iterator_init(&it, &m, INFLATED_BYTES_MAX));
	enum status s = legacy_iterator_next(&it, &r);
	for (; s == STATUS_OK; s = legacy_iterator_next(&it, &r))
		apply_record(l, &plain, &r);
	legacy_iterator_fini(&it);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* Where to go on after the batch: its last offset may be what is damaged. */
static void go_past(struct group_load *l, int64_t base_offset, int64_t last_offset)
{
	int64_t last = last_offset >= base_offset && last_offset < l->end_offset ? last_offset : base_offset;
	if (last >= l->next_offset && last < l->end_offset)
		l->next_offset = last + 1;
}

/* The batch at l->at; false: there is none. */
static bool apply_batch(struct group_load *l)
{
	struct slice rest = slice_sub(l->bytes.bytes, l->at, l->bytes.bytes.n - l->at);
	struct record_batch b;
	size_t size;
	if (record_batch_peek_size(rest, RANGE_LOAD_BYTES_MAX, &size) != STATUS_OK || size > rest.n)
		return false;
	l->at += size;
	int64_t base_offset = bytes_get_i64(rest.p);
	enum status s = record_batch_parse(slice_sub(rest, 0, size), &b);
	go_past(l, base_offset, s == STATUS_OK ? record_batch_last_offset(&b) : base_offset);
	if (s == STATUS_OK)
		s = apply_records(l, &b);
	else if (s == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		s = apply_message(l, slice_sub(rest, 0, size));
	if (s != STATUS_OK) {
		l->damaged++;
		diag_error("group_batch_skipped", "partition=%s-%d offset=%lld why=%s text=\"its groups and offsets are as the "
			"records before and after say\"", GROUP_COORDINATOR_TOPIC, (int)l->gp->number, (long long)base_offset,
			status_name(s));
	}
	return true;
}

/* --- the steps ------------------------------------------------------------------------------------------------------------ */

static void read_next(struct group_load *l);

static void post(struct group_load *l)
{
	if (l->posted)
		return;
	l->posted = true;
	scheduler_post(l->coordinator->options.scheduler, &l->task);
}

/* Whoever waits for its turn may read, if there is room. */
static void wake_queued(struct group_coordinator *c)
{
	struct group_load *l = c->loads;
	while (l != NULL && (!l->queued || l->posted || l->gp == NULL))
		l = l->next;
	if (l != NULL && c->load_readers < READERS_MAX)
		post(l);
}

/* Done with reading, or with everything. */
static void stop_being_reader(struct group_load *l)
{
	struct group_coordinator *c = l->coordinator;
	range_load_fini(&l->bytes);
	if (l->reader) {
		expect(c->load_readers > 0);
		c->load_readers--;
	}
	l->reader = l->queued = false;
	wake_queued(c);
}

static void load_free(struct group_load *l)
{
	struct group_load **link = &l->coordinator->loads;
	while (*link != l)
		link = &(*link)->next;
	*link = l->next;
	expect(!l->reading && !l->posted);
	scheduler_timer_cancel(l->coordinator->options.scheduler, &l->retry_timer);
	stop_being_reader(l);
	l->magic = 0;
	free(l);
}

static void finish(struct group_load *l)
{
	struct group_partition *gp = l->gp;
	int64_t took_us = clock_monotonic_us(l->coordinator->options.scheduler->clock) - l->started_us;
	size_t groups = HASH_COUNT(gp->by_name);
	metrics_observe_us(METRIC_group_load_us, took_us);
	if (l->records > 0)
		diag_info("groups_loaded", "partition=%s-%d groups=%zu records=%zu skipped=%zu damaged_batches=%zu ms=%lld",
			GROUP_COORDINATOR_TOPIC, (int)gp->number, groups, l->records, l->skipped, l->damaged,
			(long long)(took_us / 1000));
	gp->load = NULL;
	load_free(l);
	group_coordinator_loaded(gp);
}

/* Everything is read. Members' sessions begin with the import, so that comes last. */
static void import_or_wait(struct group_load *l)
{
	expect(l->gp->replica != NULL && l->import_next == NULL);
	stop_being_reader(l);
	l->waiting = partition_high_watermark(l->gp->replica) < l->end_offset;
	if (l->waiting)
		return;
	l->import_next = l->gp->all.next;
	post(l);
}

/* The group as its newest record says. */
static void import(struct group_load *l, struct group_entry *e)
{
	struct group_coordinator *c = l->coordinator;
	struct group_record_view view;
	/* The key is of no interest here: any group's will do. */
	static const uint8_t key[] = {0, 2, 0, 0};
	if (group_coordinator_consumer_loaded(e)) {
		free((uint8_t *)(uintptr_t)e->loaded.p); /* of the time when it was a classic one */
		e->loaded = slice_of(NULL, 0);
		return;
	}
	if (e->loaded.p == NULL && e->offsets.slots == 0 && e->held == 0) {
		group_coordinator_drop(e, STATUS_NOT_COORDINATOR); /* all of it has been deleted */
		return;
	}
	group_coordinator_classic_init(e);
	if (e->loaded.p == NULL)
		return;
	enum status s = group_records_decode(&c->scratch, slice_of(key, sizeof(key)), e->loaded, &view);
	if (s == STATUS_OK)
		s = group_coordinator_classic_import(e, view.group);
	if (s != STATUS_OK)
		diag_error("group_record_skipped", "group=\"%.200s\" why=%s text=\"its members have to join again\"", e->name,
			status_name(s));
	arena_reset(&c->scratch);
	free((uint8_t *)(uintptr_t)e->loaded.p);
	e->loaded = slice_of(NULL, 0);
}

static void import_some(struct group_load *l)
{
	const struct group_entry *end = &l->gp->all;
	for (int i = 0; i < IMPORT_GROUPS_PER_TURN && l->import_next != end; i++) {
		struct group_entry *e = l->import_next;
		l->import_next = e->next;
		import(l, e);
	}
	if (l->import_next != end)
		post(l);
	else
		finish(l);
}

static void apply_some(struct group_load *l)
{
	size_t from = l->at;
	bool more = true;
	while (more && l->at - from < APPLY_BYTES_PER_TURN)
		more = apply_batch(l);
	if (more) {
		post(l);
		return;
	}
	if (l->next_offset == l->read_offset)
		l->next_offset++; /* nothing of what was read says where it ends */
	read_next(l);
}

static void begin_reading(struct group_load *l)
{
	struct group_coordinator *c = l->coordinator;
	l->queued = c->load_readers == READERS_MAX;
	if (l->queued)
		return;
	l->reader = true;
	c->load_readers++;
	read_next(l);
}

static void group_load_turn(struct task *t)
{
	struct group_load *l = CAST(group_load, CONTAINER_OF(t, struct group_load, task));
	l->posted = false;
	if (l->gp == NULL)
		load_free(l);
	else if (l->gp->replica == NULL)
		return; /* lost: the news is on its way, and ends this */
	else if (l->import_next != NULL)
		import_some(l);
	else if (l->queued)
		begin_reading(l);
	else
		apply_some(l);
}

static void retry_later(struct group_load *l, enum status s)
{
	diag_error("groups_not_loaded", "partition=%s-%d offset=%lld why=%s text=\"%s\" next=\"tried again in a second\"",
		GROUP_COORDINATOR_TOPIC, (int)l->gp->number, (long long)l->next_offset, status_name(s), status_text(s));
	scheduler_timer_arm(l->coordinator->options.scheduler, &l->retry_timer, RETRY_US);
}

static void group_load_retry(struct loop_timer *t)
{
	struct group_load *l = CAST(group_load, CONTAINER_OF(t, struct group_load, retry_timer));
	expect(l->gp != NULL);
	if (l->gp->replica != NULL)
		read_next(l);
}

static void group_load_read(struct range_load *r)
{
	struct group_load *l = CAST(group_load, r->arg);
	l->reading = false;
	if (l->gp == NULL) {
		load_free(l);
		return;
	}
	if (l->gp->replica == NULL)
		return;
	if (r->status != STATUS_OK && r->bytes.n == 0) {
		retry_later(l, r->status);
		return;
	}
	l->at = 0;
	l->read_offset = l->next_offset;
	apply_some(l);
}

static enum status start_reading(struct group_load *l)
{
	struct partition_log *log = partition_get_log(l->gp->replica);
	size_t max = (size_t)l->coordinator->options.settings->offsets_load_buffer_size, size = 0;
	struct iobuf ranges;
	if (l->next_offset < partition_log_start_offset(log))
		l->next_offset = partition_log_start_offset(log);
	iobuf_init(&ranges);
	enum status s = l->next_offset >= l->end_offset
		? STATUS_NOT_FOUND
		: partition_log_read(log, l->next_offset, l->end_offset, max, true, &ranges, &size);
	if (s == STATUS_OK && size == 0)
		s = STATUS_NOT_FOUND;
	if (s == STATUS_OK)
		s = range_load_start(&l->bytes, l->coordinator->options.background, l->coordinator->options.scheduler, &ranges);
	l->reading = s == STATUS_OK;
	iobuf_fini(&ranges);
	return s;
}

static void read_next(struct group_load *l)
{
	enum status s = start_reading(l);
	if (s == STATUS_OK)
		return;
	if (s != STATUS_NOT_FOUND) {
		retry_later(l, s);
		return;
	}
	import_or_wait(l);
}

void group_coordinator_load(struct group_partition *gp)
{
	struct group_coordinator *c = gp->coordinator;
	struct partition_log *log = partition_get_log(gp->replica);
	expect(gp->load == NULL && gp->by_name == NULL && gp->transactions == NULL);
	struct group_load *l = check_calloc(1, sizeof(*l));
	*l = (struct group_load){
		.magic = group_load_magic,
		.next = c->loads,
		.coordinator = c,
		.gp = gp,
		.bytes = {.done = group_load_read, .arg = l},
		.next_offset = partition_log_start_offset(log),
		.end_offset = partition_log_end_offset(log),
		.started_us = clock_monotonic_us(c->options.scheduler->clock),
	};
	task_init(&l->task, "group_load", group_load_turn);
	loop_timer_init(&l->retry_timer, "group_load_retry", group_load_retry);
	c->loads = l;
	gp->load = l;
	begin_reading(l);
}

void group_coordinator_load_advanced(struct group_partition *gp)
{
	struct group_load *l = gp->load;
	if (l == NULL || !l->waiting || gp->replica == NULL || partition_high_watermark(gp->replica) < l->end_offset)
		return;
	l->waiting = false;
	l->import_next = gp->all.next;
	post(l);
}

void group_coordinator_load_cancel(struct group_partition *gp)
{
	struct group_load *l = gp->load;
	while (gp->transactions != NULL)
		transaction_end(gp, gp->transactions, false);
	gp->load = NULL;
	if (l == NULL)
		return;
	l->gp = NULL;
	scheduler_timer_cancel(l->coordinator->options.scheduler, &l->retry_timer);
	if (!l->reading && !l->posted)
		load_free(l);
}

void group_coordinator_load_fini(struct group_coordinator *c)
{
	for (struct group_load *l = c->loads; l != NULL; l = l->next)
		l->queued = false; /* no turn will come */
	while (c->loads != NULL) {
		struct group_load *l = c->loads;
		iobuf_fini(&l->bytes.ranges);
		l->reading = l->posted = false;
		load_free(l);
	}
}
