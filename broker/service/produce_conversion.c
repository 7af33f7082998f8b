#include "service/produce_conversion.h"

#include "service/service_message.h"
#include "service/topic_settings_cache.h"

enum {
	ATTRIBUTES_AT = 17,       /* of a message */
	AT_ONCE_BYTES = 16 * 1024, /* uncompressed sets up to this take less time than a letter to the pool */
};

static bool fill_part(struct produce_request *r, struct produce_entry *e, struct produce_conversion_part *p)
{
	struct topic_partition tp;
	struct service_partition found;
	char *message = NULL;
	*p = (struct produce_conversion_part){0};
	if (!record_convert_is_old(e->records) && e->records.n > RECORD_BATCH_MAGIC_AT)
		return false;
	/* What is not found is for produce_service to tell. */
	if (topic_partition_set(&tp, slice_of_str(e->topic), e->partition) != STATUS_OK ||
		service_loop_find(r->service, r->arena, &tp, &found, &message) != STATUS_OK)
		return false;
	const struct topic_settings *t =
		topic_settings_cache_get(r->service->topic_settings, service_loop_image(r->service), found.topic);
	p->entry = e;
	p->limits.max_message_bytes = (size_t)t->max_message_bytes;
	p->limits.max_inflated_bytes = topic_settings_cache_inflated_max(t);
	return true;
}

static void convert_part(struct produce_conversion_part *p)
{
	struct slice batch;
	if (p->entry == NULL)
		return;
	p->status = record_convert_up(p->entry->records, &p->limits, &p->block, &batch, &p->first_bad);
	if (p->status == STATUS_OK)
		p->entry->records = batch;
}

static void convert(struct job *j)
{
	struct produce_conversion *c = CONTAINER_OF(j, struct produce_conversion, job);
	for (size_t i = 0; i < c->request->entry_count; i++)
		convert_part(&c->parts[i]);
}

/* Answers in the entry what cannot be appended. */
static void settle_part(struct produce_conversion *c, const struct produce_conversion_part *p)
{
	struct produce_entry *e = p->entry;
	if (e == NULL || p->status == STATUS_OK)
		return;
	e->answered = true;
	e->base_offset = e->log_append_time_ms = e->log_start_offset = -1;
	e->leader = (struct leader_hint){.broker_id = -1, .leader_epoch = -1};
	/* A set without a whole message is taken for an empty one, as Kafka does. */
	e->status = p->status == STATUS_NOT_FOUND ? STATUS_OK : p->status;
	if (e->status == STATUS_TOO_LARGE)
		e->status = STATUS_MESSAGE_TOO_LARGE;
	if (p->first_bad >= 0)
		e->message = service_message_format(c->request->arena, "%s-%d: record %d of the message set: %s", e->topic,
			e->partition, p->first_bad, status_text(e->status));
}

/* Hands over what is ready and has nothing of its connection before it. */
static bool hand_over_next(struct service_loop *s)
{
	for (struct produce_conversion **at = &s->conversions; *at != NULL; at = &(*at)->next) {
		struct produce_conversion *c = *at;
		const struct produce_conversion *before = s->conversions;
		while (before != c && before->connection != c->connection)
			before = before->next;
		if (before != c || !c->converted)
			continue;
		*at = c->next;
		for (size_t i = 0; i < c->request->entry_count; i++)
			settle_part(c, &c->parts[i]);
		produce_service_start(c->request); /* c may be gone now */
		return true;
	}
	return false;
}

static void converted(struct job *j)
{
	struct produce_conversion *c = CONTAINER_OF(j, struct produce_conversion, job);
	struct service_loop *s = c->request->service;
	expect_on_loop(s->scheduler);
	c->converted = true;
	while (hand_over_next(s))
		;
}

static bool is_small(const struct produce_conversion *c)
{
	size_t bytes = 0;
	for (size_t i = 0; i < c->request->entry_count; i++) {
		const struct slice *records = &c->request->entries[i].records;
		if (c->parts[i].entry == NULL)
			continue;
		bytes += records->n;
		/* One that is compressed stands alone, so the first message tells. */
		if (records->n > ATTRIBUTES_AT && (records->p[ATTRIBUTES_AT] & RECORD_BATCH_CODEC_MASK) != 0)
			return false;
	}
	return bytes <= AT_ONCE_BYTES;
}

enum status produce_conversion_start(struct produce_conversion *c)
{
	struct produce_request *r = c->request;
	struct service_loop *s = r->service;
	CHECK_MAGIC(service_loop, s);
	expect_on_loop(s->scheduler);
	c->parts = arena_calloc(r->arena, r->entry_count + 1, sizeof(*c->parts));
	if (c->parts == NULL)
		return STATUS_TOO_LARGE;
	bool any = false;
	for (size_t i = 0; i < r->entry_count; i++)
		any |= fill_part(r, &r->entries[i], &c->parts[i]);
	struct produce_conversion **end = &s->conversions;
	while (*end != NULL)
		end = &(*end)->next;
	*end = c;
	job_init(&c->job, "produce_conversion", s->scheduler, convert, converted);
	if (any && s->background != NULL && !is_small(c)) {
		background_submit(s->background, &c->job);
		return STATUS_OK;
	}
	convert(&c->job);
	converted(&c->job);
	return STATUS_OK;
}

void produce_conversion_fini(struct produce_conversion *c)
{
	for (size_t i = 0; c->parts != NULL && i < c->request->entry_count; i++)
		if (c->parts[i].block != NULL)
			iobuf_block_shared_unref(c->parts[i].block);
	c->parts = NULL;
}
