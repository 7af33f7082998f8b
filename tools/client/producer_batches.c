#include "tools/client/producer_internal.h"

enum {
	BUILDER_HINT = 4096,          /* grows as it fills */
	SPLIT_INFLATED_MAX = 1 << 28, /* of a batch we built ourselves */
};

struct producer_topic *producer_find_topic(struct correio_producer *p, const char *name)
{
	struct producer_topic *t = p->last_topic;
	if (t != NULL && (t->name == name || strcmp(t->name, name) == 0))
		return t;
	for (t = p->topics; t != NULL; t = t->next)
		if (strcmp(t->name, name) == 0)
			break;
	if (t == NULL) {
		t = (struct producer_topic *)check_calloc(1, sizeof(*t));
		t->name = check_strdup(name);
		t->name_size = strlen(name);
		t->sticky = -1;
		t->asked_us = producer_now_us();
		t->next = p->topics;
		p->topics = t;
		p->topics_changed = true;
	}
	p->last_topic = t;
	return t;
}

/* Partitions are only ever added: the structs stay where they are. */
void producer_topic_set_count(struct correio_producer *p, struct producer_topic *t, int32_t count)
{
	(void)p;
	if (count <= t->partition_count)
		return;
	t->partitions = (struct producer_partition **)check_realloc(t->partitions,
		(size_t)count * sizeof(struct producer_partition *));
	for (int32_t i = t->partition_count; i < count; i++) {
		struct producer_partition *partition = (struct producer_partition *)check_calloc(1, sizeof(*partition));
		partition->topic = t;
		partition->partition = i;
		partition->last = &partition->first;
		partition->producer_id = -1;
		t->partitions[i] = partition;
	}
	t->partition_count = count;
}

void producer_topic_free(struct producer_topic *t)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		expect(t->partitions[i]->open == NULL && t->partitions[i]->first == NULL);
		expect(t->partitions[i]->in_flight == NULL);
		free(t->partitions[i]->last_error);
		free(t->partitions[i]);
	}
	free(t->partitions);
	free(t->name);
	free(t);
}

void producer_pending_add(struct correio_producer *p, struct producer_partition *partition)
{
	if (partition->pending)
		return;
	partition->pending = true;
	partition->next_pending = NULL;
	*p->pending_last = partition;
	p->pending_last = &partition->next_pending;
}

static struct producer_batch *batch_new(struct correio_producer *p)
{
	struct producer_batch *b = p->pool;
	if (b != NULL) {
		p->pool = b->next;
		p->pool_bytes -= b->bytes_max;
		record_batch_builder_reset(b->builder);
		free(b->opaques);
		*b = (struct producer_batch){.builder = b->builder, .bytes_max = b->bytes_max};
	} else {
		b = (struct producer_batch *)check_calloc(1, sizeof(*b));
		b->builder = record_batch_builder_new(p->options->compression_type, -1, BUILDER_HINT);
	}
	b->bytes = RECORD_BATCH_HEADER_SIZE;
	return b;
}

/* Puts b into the list of unreported batches behind `after` (NULL: as the newest). */
static void batch_link(struct correio_producer *p, struct producer_batch *b, struct producer_batch *after)
{
	b->older = after != NULL ? after : p->newest;
	b->newer = after != NULL ? after->newer : NULL;
	if (b->older != NULL)
		b->older->newer = b;
	else
		p->oldest = b;
	if (b->newer != NULL)
		b->newer->older = b;
	else
		p->newest = b;
}

struct producer_batch *producer_batch_open(struct correio_producer *p, struct producer_partition *partition)
{
	expect(partition->open == NULL);
	struct producer_batch *b = batch_new(p);
	b->id = p->next_batch_id++;
	b->created_us = producer_now_us();
	batch_link(p, b, NULL);
	p->buffered_bytes += b->bytes;
	partition->open = b;
	producer_pending_add(p, partition);
	return b;
}

void producer_batch_close(struct producer_partition *partition)
{
	struct producer_batch *b = partition->open;
	expect(b != NULL && b->record_count > 0);
	partition->open = NULL;
	b->next = NULL;
	*partition->last = b;
	partition->last = &b->next;
}

struct producer_batch *producer_batch_take(struct producer_partition *partition)
{
	expect(partition->in_flight == NULL);
	if (partition->first == NULL)
		producer_batch_close(partition);
	struct producer_batch *b = partition->first;
	expect(b != NULL);
	partition->first = b->next;
	if (partition->first == NULL)
		partition->last = &partition->first;
	b->next = NULL;
	return b;
}

void producer_batch_push_front(struct producer_partition *partition, struct producer_batch *b)
{
	b->next = partition->first;
	partition->first = b;
	if (b->next == NULL)
		partition->last = &b->next;
}

/* Remembers the opaque of the record just added. */
void producer_batch_opaque(struct producer_batch *b, void *opaque)
{
	expect(b->record_count > 0);
	if (opaque == NULL && b->opaques == NULL)
		return;
	if (b->record_count > b->opaque_capacity) {
		int32_t capacity = b->opaque_capacity;
		while (capacity < b->record_count)
			capacity = capacity == 0 ? 64 : capacity * 2;
		b->opaques = (void **)check_realloc(b->opaques, (size_t)capacity * sizeof(void *));
		memset(b->opaques + b->opaque_capacity, 0, (size_t)(capacity - b->opaque_capacity) * sizeof(void *));
		b->opaque_capacity = capacity;
	}
	b->opaques[b->record_count - 1] = opaque;
}

static void batch_unlink(struct correio_producer *p, struct producer_batch *b)
{
	if (b->older != NULL)
		b->older->newer = b->newer;
	else
		p->oldest = b->newer;
	if (b->newer != NULL)
		b->newer->older = b->older;
	else
		p->newest = b->older;
}

void producer_batch_free(struct producer_batch *b)
{
	record_batch_builder_free(b->builder);
	free(b->opaques);
	free(b);
}

void producer_batch_release(struct correio_producer *p, struct producer_batch *b)
{
	batch_unlink(p, b);
	expect(p->buffered_bytes >= b->bytes);
	p->buffered_bytes -= b->bytes;
	if (p->waiting_for_room > 0)
		(void)pthread_cond_broadcast(&p->room);
	if (p->flushing > 0)
		(void)pthread_cond_broadcast(&p->reported);
	if (b->bytes > b->bytes_max)
		b->bytes_max = b->bytes;
	/* Builders keep their memory; the pool holds no more than buffer.memory. */
	if (p->pool_bytes + b->bytes_max > (size_t)p->options->buffer_memory) {
		producer_batch_free(b);
		return;
	}
	p->pool_bytes += b->bytes_max;
	b->next = p->pool;
	p->pool = b;
}

static enum status copy_records(struct record_iterator *it, int32_t count, struct producer_batch *to)
{
	for (int32_t i = 0; i < count; i++) {
		struct record record;
		TRY(record_iterator_next(it, &record));
		size_t headers_count = (size_t)record.header_count;
		struct record_header *headers =
			(struct record_header *)check_calloc(headers_count + 1, sizeof(*headers));
		enum status s = STATUS_OK;
		for (size_t h = 0; h < headers_count && s == STATUS_OK; h++)
			s = record_next_header(&record.headers, &headers[h]);
		if (s == STATUS_OK)
			record_batch_builder_add(to->builder, record.timestamp, record.key, record.value, headers,
				record.header_count);
		free(headers);
		TRY(s);
		to->record_count++;
		to->bytes += record.key.n + record.value.n + record.headers.n + PRODUCER_RECORD_OVERHEAD;
	}
	return STATUS_OK;
}

static void move_opaques(struct producer_batch *b, struct producer_batch *first, struct producer_batch *second)
{
	if (b->opaques == NULL)
		return;
	int32_t keep = first->record_count;
	int32_t rest = second->record_count;
	second->opaques = (void **)check_calloc((size_t)rest, sizeof(void *));
	second->opaque_capacity = rest;
	memcpy(second->opaques, b->opaques + keep, (size_t)rest * sizeof(void *));
}

enum status producer_batch_split(struct correio_producer *p, struct producer_batch *b,
	struct producer_batch **ret_second)
{
	if (b->record_count < 2)
		return STATUS_TOO_LARGE;
	struct record_batch view;
	TRY(record_batch_parse(b->encoded, &view));
	struct record_iterator it;
	TRY(record_iterator_init(&it, &view, SPLIT_INFLATED_MAX));
	struct producer_batch *first = batch_new(p), *second = batch_new(p);
	enum status s = copy_records(&it, b->record_count / 2, first);
	if (s == STATUS_OK)
		s = copy_records(&it, b->record_count - b->record_count / 2, second);
	record_iterator_fini(&it);
	if (s != STATUS_OK) {
		producer_batch_free(first);
		producer_batch_free(second);
		return s;
	}
	move_opaques(b, first, second);
	second->id = b->id;
	second->created_us = b->created_us;
	batch_link(p, second, b);
	/* b goes on as the first half: it takes over the new builder. */
	p->buffered_bytes = p->buffered_bytes - b->bytes + first->bytes + second->bytes;
	struct record_batch_builder *old = b->builder;
	b->builder = first->builder;
	b->record_count = first->record_count;
	b->bytes = first->bytes;
	b->encoded = (struct slice){.p = NULL};
	record_batch_builder_free(old);
	free(first->opaques);
	free(first);
	*ret_second = second;
	return STATUS_OK;
}
