#include "coordinator/group_log.h"

#include "coordinator/group_coordinator.h"
#include "replica/replica_manager.h"

enum { BATCH_SIZE_HINT = 4096, SPARE_BYTES_MAX = 64 * 1024 };

/* One batch: being collected, or on its way. */
struct group_append {
	unsigned magic;
	struct group_log *log;
	struct group_append *next, *previous;
	struct record_batch_builder *builder;
	struct record_batch batch;
	struct produce_part part;
	struct group_write *writes, **tail;
};
MAGIC(group_append, 0x47415050);

void group_log_init(struct group_log *l, struct scheduler *scheduler, struct replica_manager *replicas,
	const struct settings *settings, int32_t partition)
{
	*l = (struct group_log){.scheduler = scheduler, .replicas = replicas, .settings = settings, .leader_epoch = -1};
	expect(topic_partition_set(&l->tp, slice_of_str(GROUP_COORDINATOR_TOPIC), partition) == STATUS_OK);
}

/* --- batches -------------------------------------------------------------------------------------------------------------- */

static struct group_append *append_new(struct group_log *l)
{
	struct group_append *a = check_calloc(1, sizeof(*a));
	a->magic = group_append_magic;
	a->log = l;
	a->tail = &a->writes;
	a->builder = l->spare;
	l->spare = NULL;
	if (a->builder == NULL)
		a->builder = record_batch_builder_new(
			(enum compression_type)l->settings->offsets_topic_compression_codec, 0, BATCH_SIZE_HINT);
	return a;
}

static void append_free(struct group_append *a)
{
	struct group_log *l = a->log;
	expect(a->writes == NULL && a->next == NULL);
	if (l->spare == NULL && record_batch_builder_size(a->builder) <= SPARE_BYTES_MAX) {
		record_batch_builder_reset(a->builder);
		l->spare = a->builder;
	} else {
		record_batch_builder_free(a->builder);
	}
	a->magic = 0;
	free(a);
}

static void link_in_flight(struct group_log *l, struct group_append *a)
{
	if (l->in_flight == NULL) {
		a->next = a->previous = l->in_flight = a;
		return;
	}
	a->next = l->in_flight;
	a->previous = l->in_flight->previous;
	a->previous->next = a;
	a->next->previous = a;
}

static void unlink_in_flight(struct group_log *l, struct group_append *a)
{
	if (l->in_flight == a)
		l->in_flight = a->next == a ? NULL : a->next;
	a->previous->next = a->next;
	a->next->previous = a->previous;
	a->next = a->previous = NULL;
}

/* A write's owner may be gone after done, and may write again. */
static void answer_writes(struct group_append *a, enum status s, int64_t base_offset)
{
	struct group_write *next = a->writes;
	a->writes = NULL;
	a->tail = &a->writes;
	while (next != NULL) {
		struct group_write *w = next;
		next = w->next;
		w->done(w, s, s == STATUS_OK ? base_offset + w->first : -1);
	}
}

static void appended(struct produce_part *part)
{
	struct group_append *a = CAST(group_append, part->arg);
	expect_on_loop(a->log->scheduler);
	unlink_in_flight(a->log, a);
	answer_writes(a, part->status, part->base_offset);
	append_free(a);
}

static enum status finish_batch(struct group_log *l, struct group_append *a)
{
	struct slice bytes;
	TRY(record_batch_builder_finish(a->builder, &bytes));
	if (bytes.n > l->batch_bytes_max)
		return STATUS_MESSAGE_TOO_LARGE;
	return record_batch_parse(bytes, &a->batch);
}

static void send(struct group_log *l, struct group_append *a)
{
	enum status s = finish_batch(l, a);
	if (s != STATUS_OK) {
		answer_writes(a, s, -1);
		append_free(a);
		return;
	}
	a->part = (struct produce_part){
		.home = l->scheduler,
		.tp = l->tp,
		.batch = &a->batch,
		.acks = (int16_t)l->settings->offsets_commit_required_acks,
		.timeout_ms = l->settings->offsets_commit_timeout_ms,
		.leader_epoch = l->leader_epoch,
		.done = appended,
		.arg = a,
	};
	link_in_flight(l, a);
	replica_manager_append(l->replicas, &a->part);
}

static void flush(struct group_log *l)
{
	struct group_append *a = l->open;
	l->open = NULL; /* whoever is answered within send() may begin the next */
	if (a != NULL)
		send(l, a);
}

static void group_log_turn_ends(struct task *t)
{
	struct group_log *l = CONTAINER_OF(t, struct group_log, flush_task);
	expect_on_loop(l->scheduler);
	l->flush_posted = false;
	flush(l);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

void group_log_open(struct group_log *l, int32_t leader_epoch, size_t batch_bytes_max)
{
	expect(l->open == NULL);
	l->leader_epoch = leader_epoch;
	l->batch_bytes_max = batch_bytes_max;
}

void group_log_abandon(struct group_log *l, enum status s)
{
	struct group_append *a = l->open;
	expect(s != STATUS_OK);
	l->open = NULL;
	if (a != NULL) {
		answer_writes(a, s, -1);
		append_free(a);
	}
	a = l->in_flight;
	for (; a != NULL; a = a->next == l->in_flight ? NULL : a->next)
		answer_writes(a, s, -1);
}

void group_log_fini(struct group_log *l)
{
	expect(l->open == NULL);
	while (l->in_flight != NULL) { /* the loop has ended before their answers came */
		struct group_append *a = l->in_flight;
		unlink_in_flight(l, a);
		append_free(a);
	}
	record_batch_builder_free(l->spare);
	l->spare = NULL;
}

/* --- writes --------------------------------------------------------------------------------------------------------------- */

static size_t size_of(const struct group_log *l, const struct group_record_bytes *records, size_t count)
{
	size_t total = 0;
	struct group_append *a = l->open;
	for (size_t i = 0; i < count; i++)
		total += record_batch_builder_size_with(a->builder, records[i].key.n, records[i].value.n, 0) -
			record_batch_builder_size(a->builder);
	return total;
}

void group_log_write(struct group_log *l, struct group_write *w, const struct group_record_bytes *records, size_t count)
{
	expect_on_loop(l->scheduler);
	expect(count > 0 && w->done != NULL && l->leader_epoch >= 0);
	if (l->open == NULL)
		l->open = append_new(l);
	/* Only a write that is too large by itself makes a batch that is: it is refused alone. */
	if (l->open->writes != NULL &&
		record_batch_builder_size(l->open->builder) + size_of(l, records, count) > l->batch_bytes_max) {
		flush(l);
		if (l->open == NULL)
			l->open = append_new(l);
	}
	struct group_append *a = l->open;
	int64_t now_ms = clock_wall_ms(l->scheduler->clock);
	w->first = record_batch_builder_count(a->builder);
	w->next = NULL;
	for (size_t i = 0; i < count; i++)
		record_batch_builder_add(a->builder, now_ms, records[i].key, records[i].value, NULL, 0);
	*a->tail = w;
	a->tail = &w->next;
	if (!l->flush_posted) {
		l->flush_posted = true;
		task_init(&l->flush_task, "group_log_append", group_log_turn_ends);
		scheduler_post(l->scheduler, &l->flush_task);
	}
}

/* Kafka: GroupMetadataManager.createPutCacheCallback. */
enum status group_log_commit_status(enum status s)
{
	switch ((int)s) {
	case STATUS_UNKNOWN_TOPIC_OR_PARTITION:
	case STATUS_NOT_ENOUGH_REPLICAS:
	case STATUS_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case STATUS_NO_SPACE: /* another coordinator would not have more */
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	case STATUS_NOT_LEADER_OR_FOLLOWER:
	case STATUS_KAFKA_STORAGE_ERROR:
	case STATUS_FENCED_LEADER_EPOCH:
	case STATUS_UNKNOWN_LEADER_EPOCH:
		return STATUS_NOT_COORDINATOR;
	case STATUS_MESSAGE_TOO_LARGE:
	case STATUS_RECORD_LIST_TOO_LARGE:
	case STATUS_TOO_LARGE:
		return STATUS_INVALID_COMMIT_OFFSET_SIZE;
	default:
		return s;
	}
}

/* Kafka: GroupMetadataManager.storeGroup. */
enum status group_log_metadata_status(enum status s)
{
	s = group_log_commit_status(s);
	if (s == STATUS_REQUEST_TIMED_OUT)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	return s == STATUS_INVALID_COMMIT_OFFSET_SIZE ? STATUS_UNKNOWN_SERVER_ERROR : s;
}
