#include "replica/replica_manager.h"
#include "base/diag.h"
#include "replica/partition.h"
#include "replica/replica_cleaner.h"

#include <uthash.h>

/* Then other work of the loop gets its turn. */
enum { RETENTION_PARTITIONS_PER_TURN = 16, EXPIRY_PARTITIONS_PER_TURN = 16 };

struct hosted {
	struct partition *partition;
	struct replica_manager *manager;
	struct hosted *next, *previous; /* circular, sentinel in the manager: stable order for retention */
	/* While the manager stops. */
	struct log_checkpoint_entry entry;
	int64_t log_end_offset;
	UT_hash_handle hh;
	size_t key_size;
	uint8_t key[TOPIC_NAME_MAX + sizeof(int32_t)];
};

struct replica_manager {
	unsigned magic;
	struct scheduler *scheduler;
	const struct settings *settings;
	struct partition_environment env;
	struct delayed_requests delayed;
	bool (*disk_full)(void *arg);
	void (*partition_failed)(void *arg, const struct topic_partition *tp, enum status why);
	void *arg;

	struct hosted *by_name;
	struct hosted all;

	struct loop_timer retention_timer;
	struct task retention_task;
	struct hosted *retention_next; /* the sentinel: no round under way */
	bool retention_posted;

	struct replica_cleaner *cleaner; /* NULL: none */
	struct hosted *cleaner_next;

	struct loop_timer expiry_timer; /* of idempotent producers */
	struct hosted *expiry_next;     /* the sentinel: no round under way */

	bool stopping;
	struct checkpoint_part *stop_part;
	size_t closing;
};
MAGIC(replica_manager, 0x524d4752);

static void check(const struct replica_manager *m)
{
	CHECK_MAGIC(replica_manager, m);
	expect_on_loop(m->scheduler);
}

/* --- by name -------------------------------------------------------------------------------------------------------------- */

static size_t make_key(const struct topic_partition *tp, uint8_t key[static TOPIC_NAME_MAX + sizeof(int32_t)])
{
	size_t n = strnlen(tp->topic, TOPIC_NAME_MAX);
	memcpy(key, &tp->partition, sizeof(tp->partition));
	memcpy(key + sizeof(tp->partition), tp->topic, n);
	return n + sizeof(tp->partition);
}

static struct hosted *find(const struct replica_manager *m, const struct topic_partition *tp)
{
	uint8_t key[TOPIC_NAME_MAX + sizeof(int32_t)];
	size_t n = make_key(tp, key);
	struct hosted *h;
	HASH_FIND(hh, m->by_name, key, n, h);
	return h;
}

static struct hosted *host(struct replica_manager *m, const struct replica_command *c)
{
	struct hosted *h = check_calloc(1, sizeof(*h));
	h->manager = m;
	h->key_size = make_key(&c->tp, h->key);
	h->partition = partition_new(&m->env, &c->tp, c->log, c->high_watermark, &c->settings);
	HASH_ADD(hh, m->by_name, key, h->key_size, h);
	h->next = &m->all;
	h->previous = m->all.previous;
	h->previous->next = h;
	m->all.previous = h;
	return h;
}

static void unhost(struct replica_manager *m, struct hosted *h)
{
	if (m->retention_next == h)
		m->retention_next = h->next;
	if (m->cleaner_next == h)
		m->cleaner_next = h->next;
	if (m->cleaner != NULL && h->partition != NULL)
		replica_cleaner_forget(m->cleaner, h->partition);
	if (m->expiry_next == h)
		m->expiry_next = h->next;
	h->previous->next = h->next;
	h->next->previous = h->previous;
	HASH_DELETE(hh, m->by_name, h);
	if (h->partition != NULL)
		partition_free(h->partition);
	free(h);
}

static void closed_one(struct replica_manager *m);

/* --- retention ------------------------------------------------------------------------------------------------------------ */

static void arm_retention(struct replica_manager *m)
{
	int64_t interval_ms = m->settings->log_retention_check_interval_ms;
	scheduler_timer_arm(m->scheduler, &m->retention_timer,
		interval_ms > INT64_MAX / 1000 ? INT64_MAX : interval_ms * 1000);
}

static void replica_manager_retention_turn(struct task *t)
{
	struct replica_manager *m = CONTAINER_OF(t, struct replica_manager, retention_task);
	check(m);
	m->retention_posted = false;
	if (m->stopping) {
		closed_one(m);
		return;
	}
	for (int i = 0; i < RETENTION_PARTITIONS_PER_TURN && m->retention_next != &m->all; i++) {
		struct hosted *h = m->retention_next;
		m->retention_next = h->next;
		partition_apply_retention(h->partition);
	}
	if (m->retention_next != &m->all) {
		m->retention_posted = true;
		scheduler_post(m->scheduler, &m->retention_task);
	} else {
		arm_retention(m);
	}
}

static void replica_manager_retention_due(struct loop_timer *t)
{
	struct replica_manager *m = CONTAINER_OF(t, struct replica_manager, retention_timer);
	check(m);
	expect(!m->retention_posted && m->retention_next == &m->all);
	m->retention_next = m->all.next;
	m->retention_posted = true;
	scheduler_post(m->scheduler, &m->retention_task);
}

static void arm_expiry(struct replica_manager *m)
{
	int64_t interval_ms = m->settings->producer_id_expiration_check_interval_ms;
	if (interval_ms > 0)
		scheduler_timer_arm(m->scheduler, &m->expiry_timer, interval_ms > INT64_MAX / 1000 ? INT64_MAX : interval_ms * 1000);
}

static void replica_manager_expiry_due(struct loop_timer *t)
{
	struct replica_manager *m = CONTAINER_OF(t, struct replica_manager, expiry_timer);
	check(m);
	expect(!m->stopping);
	if (m->expiry_next == &m->all)
		m->expiry_next = m->all.next;
	for (int i = 0; i < EXPIRY_PARTITIONS_PER_TURN && m->expiry_next != &m->all; i++) {
		struct hosted *h = m->expiry_next;
		m->expiry_next = h->next;
		partition_expire_producers(h->partition);
	}
	if (m->expiry_next != &m->all)
		scheduler_timer_arm(m->scheduler, &m->expiry_timer, 0);
	else
		arm_expiry(m);
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

static struct partition *next_to_clean(void *arg, bool first)
{
	struct replica_manager *m = CAST(replica_manager, arg);
	struct hosted *h = first ? m->all.next : m->cleaner_next;
	m->cleaner_next = h == &m->all ? h : h->next;
	return h == &m->all ? NULL : h->partition;
}

static void produce_expired(struct delayed_requests *d, struct produce_waiter *w)
{
	(void)d;
	partition_expire_produce(w);
}

static bool is_disk_full(void *arg)
{
	struct replica_manager *m = CAST(replica_manager, arg);
	return m->disk_full != NULL && m->disk_full(m->arg);
}

static void partition_has_failed(void *arg, const struct topic_partition *tp, enum status why)
{
	struct replica_manager *m = CAST(replica_manager, arg);
	if (m->partition_failed != NULL)
		m->partition_failed(m->arg, tp, why);
}

struct replica_manager *replica_manager_new(const struct replica_manager_options *o)
{
	expect(o->scheduler != NULL && o->settings != NULL);
	struct replica_manager *m = check_calloc(1, sizeof(*m));
	m->magic = replica_manager_magic;
	m->scheduler = o->scheduler;
	m->settings = o->settings;
	m->disk_full = o->disk_full;
	m->partition_failed = o->partition_failed;
	m->arg = o->arg;
	m->env = (struct partition_environment){
		.scheduler = o->scheduler,
		.delayed = &m->delayed,
		.broker_id = o->broker_id,
		.disk_full = is_disk_full,
		.failed = partition_has_failed,
		.arg = m,
	};
	delayed_requests_init(&m->delayed, o->scheduler, produce_expired);
	m->all.next = m->all.previous = &m->all;
	m->retention_next = m->cleaner_next = &m->all;
	if (o->cleaner_slots != NULL) {
		const struct replica_cleaner_options cleaner = {
			.scheduler = o->scheduler, .settings = o->settings, .slots = o->cleaner_slots, .next = next_to_clean, .arg = m};
		m->cleaner = replica_cleaner_new(&cleaner);
	}
	m->expiry_next = &m->all;
	loop_timer_init(&m->expiry_timer, "producer expiry", replica_manager_expiry_due);
	loop_timer_init(&m->retention_timer, "retention", replica_manager_retention_due);
	task_init(&m->retention_task, "retention", replica_manager_retention_turn);
	return m;
}

void replica_manager_free(struct replica_manager *m)
{
	if (m == NULL)
		return;
	CHECK_MAGIC(replica_manager, m);
	expect(m->closing == 0 && !m->retention_posted);
	while (m->all.next != &m->all)
		unhost(m, m->all.next);
	scheduler_timer_cancel(m->scheduler, &m->retention_timer);
	scheduler_timer_cancel(m->scheduler, &m->expiry_timer);
	replica_cleaner_free(m->cleaner);
	m->cleaner = NULL;
	delayed_requests_fini(&m->delayed);
	m->magic = 0;
	free(m);
}

void replica_manager_set_broker_id(struct replica_manager *m, int32_t broker_id)
{
	CHECK_MAGIC(replica_manager, m);
	expect(broker_id >= 0);
	m->env.broker_id = broker_id;
}

void replica_manager_watch(struct replica_manager *m, struct partition_watcher *w)
{
	CHECK_MAGIC(replica_manager, m);
	expect(m->all.next == &m->all && w->topic != NULL);
	w->next = m->env.watchers;
	m->env.watchers = w;
}

struct scheduler *replica_manager_scheduler(const struct replica_manager *m)
{
	CHECK_MAGIC(replica_manager, m);
	return m->scheduler;
}

size_t replica_manager_partition_count(const struct replica_manager *m)
{
	CHECK_MAGIC(replica_manager, m);
	return HASH_COUNT(m->by_name);
}

/* --- orders ---------------------------------------------------------------------------------------------------------------- */

static void configure(struct replica_manager *m, const struct replica_command *c)
{
	for (struct hosted *h = m->all.next; h != &m->all; h = h->next) {
		if (strcmp(partition_topic(h->partition), c->tp.topic) == 0)
			partition_configure(h->partition, &c->settings);
	}
}

static enum status obey(struct replica_manager *m, struct replica_command *c)
{
	if (m->stopping)
		return STATUS_CANCELLED; /* the logs are being closed */
	struct hosted *h = find(m, &c->tp);
	switch (c->kind) {
	case REPLICA_HOST:
	case REPLICA_BECOME:
		if (h == NULL) {
			expect(c->log != NULL);
			h = host(m, c);
			if (!m->retention_timer.armed && !m->retention_posted)
				arm_retention(m);
			if (m->cleaner != NULL)
				replica_cleaner_start(m->cleaner);
			if (!m->expiry_timer.armed)
				arm_expiry(m);
		}
		expect(c->log == NULL || partition_get_log(h->partition) == c->log);
		return c->kind == REPLICA_HOST ? STATUS_OK : partition_become(h->partition, c);
	case REPLICA_STOP:
		return h == NULL ? STATUS_OK : partition_stop(h->partition, c->leader_epoch);
	case REPLICA_LET_GO:
		if (h == NULL)
			return STATUS_OK;
		TRY(partition_stop(h->partition, c->leader_epoch));
		unhost(m, h);
		return STATUS_OK;
	case REPLICA_CONFIGURE:
		configure(m, c);
		return STATUS_OK;
	}
	unreachable("replica command kind");
}

static void replica_manager_execute_back(struct task *t)
{
	struct replica_command *c = CONTAINER_OF(t, struct replica_command, task);
	expect_on_loop(c->home);
	c->done(c);
}

void replica_manager_execute(void *arg, struct replica_command *c)
{
	struct replica_manager *m = CAST(replica_manager, arg);
	check(m);
	c->status = obey(m, c);
	task_init(&c->task, "replica_command_back", replica_manager_execute_back);
	scheduler_post(c->home, &c->task);
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

/* What a request for a partition gets that is not here to ask. */
static enum status absent(const struct replica_manager *m)
{
	return m->stopping ? STATUS_NOT_LEADER_OR_FOLLOWER : STATUS_UNKNOWN_TOPIC_OR_PARTITION;
}

static struct partition *serving(const struct replica_manager *m, const struct topic_partition *tp)
{
	const struct hosted *h = m->stopping ? NULL : find(m, tp);
	return h == NULL ? NULL : h->partition;
}

static void append_here(struct task *t)
{
	struct produce_part *part = CONTAINER_OF(t, struct produce_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	struct partition *p = serving(m, &part->tp);
	if (p != NULL) {
		partition_append(p, part);
		return;
	}
	part->leader = part->leader_epoch_now = -1;
	part->waiter = (struct produce_waiter){0};
	replica_parts_answer_produce(part, m->scheduler, absent(m), false);
}

void replica_manager_append(struct replica_manager *owner, struct produce_part *part)
{
	CHECK_MAGIC(replica_manager, owner);
	expect_on_loop(part->home);
	expect(part->done != NULL && part->batch != NULL);
	part->owner = owner;
	task_init(&part->task, "append", append_here);
	if (part->home == owner->scheduler)
		append_here(&part->task);
	else
		scheduler_post(owner->scheduler, &part->task);
}

static void list_offsets_here(struct task *t)
{
	struct list_offsets_part *part = CONTAINER_OF(t, struct list_offsets_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	struct partition *p = serving(m, &part->tp);
	if (p != NULL) {
		partition_list_offsets(p, part);
		return;
	}
	part->leader = part->leader_epoch = -1;
	replica_parts_answer_list_offsets(part, m->scheduler, absent(m));
}

void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part)
{
	CHECK_MAGIC(replica_manager, owner);
	expect_on_loop(part->home);
	expect(part->done != NULL);
	part->owner = owner;
	task_init(&part->task, "list_offsets", list_offsets_here);
	if (part->home == owner->scheduler)
		list_offsets_here(&part->task);
	else
		scheduler_post(owner->scheduler, &part->task);
}

static void describe_producers_here(struct task *t)
{
	struct describe_producers_part *part = CONTAINER_OF(t, struct describe_producers_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	struct partition *p = serving(m, &part->tp);
	if (p != NULL)
		partition_describe_producers(p, part);
	else
		replica_parts_answer_describe_producers(part, m->scheduler, absent(m));
}

void replica_manager_describe_producers(struct replica_manager *owner, struct describe_producers_part *part)
{
	CHECK_MAGIC(replica_manager, owner);
	expect_on_loop(part->home);
	expect(part->done != NULL && part->producers == NULL);
	part->owner = owner;
	task_init(&part->task, "describe_producers", describe_producers_here);
	if (part->home == owner->scheduler)
		describe_producers_here(&part->task);
	else
		scheduler_post(owner->scheduler, &part->task);
}

void replica_manager_read(struct replica_manager *owner, struct fetch_part *part)
{
	check(owner);
	struct partition *p = serving(owner, &part->tp);
	if (p != NULL) {
		partition_read(p, part);
		return;
	}
	expect(part->waiter.partition == NULL); /* a partition that goes lets its waiters go */
	part->status = absent(owner);
	part->high_watermark = part->log_start_offset = -1;
	part->leader = part->leader_epoch = -1;
	part->record_bytes = 0;
	part->diverges = false;
}

void replica_manager_wait(struct replica_manager *owner, struct fetch_part *part)
{
	check(owner);
	struct partition *p = serving(owner, &part->tp);
	if (p != NULL)
		partition_wait(p, part);
	else
		delayed_fetch_progress(&part->waiter, INT64_MAX);
}

static void delete_records_here(struct task *t)
{
	struct delete_records_part *part = CONTAINER_OF(t, struct delete_records_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	struct partition *p = serving(m, &part->tp);
	if (p != NULL) {
		partition_delete_records(p, part);
		return;
	}
	part->leader = part->leader_epoch = -1;
	replica_parts_answer_delete_records(part, m->scheduler, absent(m));
}

void replica_manager_delete_records(struct replica_manager *owner, struct delete_records_part *part)
{
	CHECK_MAGIC(replica_manager, owner);
	expect_on_loop(part->home);
	expect(part->done != NULL);
	part->owner = owner;
	task_init(&part->task, "delete_records", delete_records_here);
	if (part->home == owner->scheduler)
		delete_records_here(&part->task);
	else
		scheduler_post(owner->scheduler, &part->task);
}

/* Which of the part's directories a log lies in. */
static size_t directory_of(const struct log_sizes_part *part, const char *path)
{
	for (size_t i = 0; i < part->directory_count; i++) {
		size_t n = strlen(part->directories[i]);
		if (strncmp(path, part->directories[i], n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL)
			return i;
	}
	return part->directory_count;
}

static void log_sizes_here(struct task *t)
{
	struct log_sizes_part *part = CONTAINER_OF(t, struct log_sizes_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	part->count = 0;
	part->sizes = NULL;
	if (!m->stopping && m->all.next != &m->all) {
		part->sizes = check_calloc(HASH_COUNT(m->by_name), sizeof(*part->sizes));
		for (struct hosted *h = m->all.next; h != &m->all; h = h->next) {
			const struct partition_log *log = partition_get_log(h->partition);
			part->sizes[part->count++] = (struct log_size){
				.tp = *partition_name(h->partition),
				.directory = directory_of(part, partition_log_directory(log)),
				.size_bytes = partition_log_size_bytes(log),
			};
		}
	}
	replica_parts_answer_log_sizes(part, m->scheduler);
}

void replica_manager_log_sizes(struct replica_manager *owner, struct log_sizes_part *part)
{
	CHECK_MAGIC(replica_manager, owner);
	expect_on_loop(part->home);
	part->owner = owner;
	task_init(&part->task, "log_sizes", log_sizes_here);
	scheduler_post(owner->scheduler, &part->task);
}

/* --- checkpoints and the end ----------------------------------------------------------------------------------------------- */

static void collect_here(struct task *t)
{
	struct checkpoint_part *part = CONTAINER_OF(t, struct checkpoint_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	part->changed = m->env.changed;
	m->env.changed = false;
	part->count = 0;
	part->entries = NULL;
	if (!m->stopping && m->all.next != &m->all) {
		part->entries = check_calloc(HASH_COUNT(m->by_name), sizeof(*part->entries));
		for (struct hosted *h = m->all.next; h != &m->all; h = h->next)
			partition_checkpoint(h->partition, &part->entries[part->count++]);
	}
	replica_parts_answer_checkpoint(part, m->scheduler);
}

void replica_manager_collect(struct replica_manager *m, struct checkpoint_part *part)
{
	CHECK_MAGIC(replica_manager, m);
	expect_on_loop(part->home);
	part->owner = m;
	task_init(&part->task, "collect_checkpoints", collect_here);
	scheduler_post(m->scheduler, &part->task);
}

/* Every log is closed: the last word of each goes into the part. */
static void stopped(struct replica_manager *m)
{
	struct checkpoint_part *part = m->stop_part;
	m->stop_part = NULL;
	part->entries = check_calloc(HASH_COUNT(m->by_name) + 1, sizeof(*part->entries));
	part->count = 0;
	part->changed = true;
	while (m->all.next != &m->all) {
		part->entries[part->count++] = m->all.next->entry;
		unhost(m, m->all.next);
	}
	replica_parts_answer_checkpoint(part, m->scheduler);
}

static void closed_one(struct replica_manager *m)
{
	expect(m->stopping && m->closing > 0);
	if (--m->closing == 0)
		stopped(m);
}

static void replica_manager_stop_log_closed(void *arg, enum status s)
{
	struct hosted *h = arg;
	struct replica_manager *m = h->manager;
	check(m);
	if (s != STATUS_OK)
		diag_error("log_close_failed", "partition=%s-%d why=%s text=\"its tail is checked at the next start\"",
			h->entry.tp.topic, (int)h->entry.tp.partition, status_name(s));
	else
		h->entry.recovery_point = /* never above the high watermark: what is above may still be truncated */
			h->log_end_offset < h->entry.high_watermark ? h->log_end_offset : h->entry.high_watermark;
	closed_one(m);
}

static void stop_here(struct task *t)
{
	struct checkpoint_part *part = CONTAINER_OF(t, struct checkpoint_part, task);
	struct replica_manager *m = part->owner;
	check(m);
	expect(!m->stopping);
	m->stopping = true;
	m->stop_part = part;
	scheduler_timer_cancel(m->scheduler, &m->retention_timer);
	if (m->cleaner != NULL)
		replica_cleaner_stop(m->cleaner);
	scheduler_timer_cancel(m->scheduler, &m->expiry_timer);
	m->retention_next = &m->all;
	m->closing = m->retention_posted ? 2 : 1; /* this function is one, a letter of ours still under way another */
	for (struct hosted *h = m->all.next; h != &m->all; h = h->next) {
		struct partition_log *log = partition_get_log(h->partition);
		partition_checkpoint(h->partition, &h->entry);
		h->log_end_offset = partition_log_end_offset(log);
		partition_free(h->partition);
		h->partition = NULL;
		m->closing++;
		partition_log_close(log, true, replica_manager_stop_log_closed, h);
	}
	closed_one(m);
}

void replica_manager_stop(struct replica_manager *m, struct checkpoint_part *part)
{
	CHECK_MAGIC(replica_manager, m);
	expect_on_loop(part->home);
	expect(part->done != NULL);
	part->owner = m;
	task_init(&part->task, "stop_replicas", stop_here);
	scheduler_post(m->scheduler, &part->task);
}
