#include "service/produce_service.h"

#include "base/metrics.h"
#include "service/service_message.h"
#include "service/topic_settings_cache.h"
#include "storage/record_rewrite.h"

MAGIC(produce_request, 0x50524f44);

static void fail(struct produce_entry *e, enum status s, char *message)
{
	expect(s != STATUS_OK);
	e->status = s;
	e->message = message;
	e->base_offset = e->log_append_time_ms = e->log_start_offset = -1;
}

static struct record_batch_limits limits_of(struct produce_entry *e, const struct topic_settings *t)
{
	struct service_loop *s = e->request->service;
	return (struct record_batch_limits){
		.max_message_bytes = (size_t)t->max_message_bytes,
		.max_inflated_bytes = topic_settings_cache_inflated_max(t),
		.compacted = (t->cleanup_policy & CLEANUP_compact) != 0,
		.now_ms = clock_wall_ms(s->scheduler->clock),
		.timestamp_before_max_ms = t->message_timestamp_before_max_ms,
		.timestamp_after_max_ms = t->message_timestamp_after_max_ms,
		.log_append_time = t->message_timestamp_type == TIMESTAMP_LogAppendTime,
	};
}

/* Names the batch's fault: which record, which limit. */
static char *explain(struct produce_entry *e, enum status s, const struct record_batch_limits *l, int32_t first_bad)
{
	struct arena *a = e->request->arena;
	if (s == STATUS_MESSAGE_TOO_LARGE)
		return service_message_format(a,
			"%s-%d: the batch of %zu bytes is larger than max.message.bytes=%zu of the topic; make smaller batches or raise it",
			e->topic, e->partition, e->records.n, l->max_message_bytes);
	if (first_bad >= 0)
		return service_message_format(a, "%s-%d: record %d of the batch: %s", e->topic, e->partition, first_bad,
			status_text(s));
	return service_message_partition(a, &e->part.tp, s);
}

static void drop_rewritten(struct produce_entry *e)
{
	if (e->rewritten != NULL)
		iobuf_block_shared_unref(e->rewritten);
	e->rewritten = NULL;
}

static enum status recompress(struct produce_entry *e, const struct topic_settings *t, const struct record_batch_limits *l)
{
	struct record_batch rewritten;
	TRY(record_rewrite_batch(&e->batch, t->compression_type, l->max_inflated_bytes, &e->rewritten, &rewritten));
	e->batch = rewritten;
	if (rewritten.data.n <= l->max_message_bytes)
		return STATUS_OK;
	drop_rewritten(e);
	return STATUS_MESSAGE_TOO_LARGE;
}

static enum status validate(struct produce_entry *e, const struct image_topic *topic)
{
	struct produce_request *r = e->request;
	const struct topic_settings *t =
		topic_settings_cache_get(r->service->topic_settings, service_loop_image(r->service), topic);
	struct record_batch_limits limits = limits_of(e, t);
	int32_t first_bad = -1;
	enum status s = record_batch_validate(e->records, &limits, &e->batch, &first_bad);
	if (s == STATUS_OK && record_rewrite_needed(&e->batch, t->compression_type))
		s = recompress(e, t, &limits);
	if (s != STATUS_OK)
		fail(e, s, explain(e, s, &limits, first_bad));
	return s;
}

static void find_leader(struct produce_entry *e)
{
	struct produce_part *p = &e->part;
	const struct cluster_image *image = service_loop_image(e->request->service);
	e->leader = leader_hint_find(image, &p->tp, p->leader, p->leader_epoch_now, e->request->listener);
}

static void entry_done(struct produce_part *p)
{
	struct produce_entry *e = p->arg;
	struct produce_request *r = CAST(produce_request, e->request);
	size_t stored_bytes = e->batch.data.n;
	drop_rewritten(e);
	if (p->status == STATUS_OK) {
		e->status = STATUS_OK;
		e->base_offset = p->base_offset;
		e->log_append_time_ms = p->log_append_time_ms;
		e->log_start_offset = p->log_start_offset;
		if (!p->duplicate) {
			metrics_add(METRIC_records_in, e->batch.record_count);
			metrics_add(METRIC_bytes_in, (int64_t)stored_bytes);
		}
	} else {
		enum status s = p->status;
		/* The image knows the partition, or it would not have been asked. */
		if (s == STATUS_UNKNOWN_TOPIC_OR_PARTITION)
			s = STATUS_NOT_LEADER_OR_FOLLOWER;
		fail(e, s, service_message_partition(r->arena, &p->tp, s));
		if (s == STATUS_NOT_LEADER_OR_FOLLOWER)
			find_leader(e);
	}
	gather_done(&r->gather);
}

static bool acks_are_known(int32_t acks)
{
	return acks == 0 || acks == 1 || acks == -1;
}

/* Ends in e->status, now or in entry_done. */
static void start_entry(struct produce_request *r, struct produce_entry *e)
{
	struct service_partition found;
	char *message = NULL;
	e->request = r;
	e->rewritten = NULL;
	e->part = (struct produce_part){.home = r->service->scheduler, .leader = -1, .leader_epoch_now = -1};
	e->leader = (struct leader_hint){.broker_id = -1, .leader_epoch = -1};
	if (!acks_are_known(r->acks)) {
		fail(e, STATUS_INVALID_REQUIRED_ACKS, service_message_format(r->arena, "acks=%d: %s", r->acks,
			status_text(STATUS_INVALID_REQUIRED_ACKS)));
		return;
	}
	enum status s = topic_partition_set(&e->part.tp, slice_of_str(e->topic), e->partition);
	if (s != STATUS_OK) {
		fail(e, s, NULL);
		return;
	}
	s = service_loop_find(r->service, r->arena, &e->part.tp, &found, &message);
	if (s != STATUS_OK) {
		fail(e, s, message);
		return;
	}
	if (validate(e, found.topic) != STATUS_OK)
		return;
	e->part.batch = &e->batch;
	e->part.acks = (int16_t)r->acks;
	e->part.timeout_ms = r->timeout_ms;
	e->part.leader_epoch = -1;
	e->part.done = entry_done;
	e->part.arg = e;
	gather_add(&r->gather);
	replica_manager_append(replica_router_owner(r->service->router, &e->part.tp), &e->part);
}

static void all_done(struct gather *g)
{
	struct produce_request *r = CAST(produce_request, CONTAINER_OF(g, struct produce_request, gather));
	r->magic = 0;
	r->done(r);
}

void produce_service_start(struct produce_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->done != NULL);
	r->magic = produce_request_magic;
	gather_init(&r->gather, all_done);
	for (size_t i = 0; i < r->entry_count; i++)
		if (!r->entries[i].answered)
			start_entry(r, &r->entries[i]);
	gather_seal(&r->gather);
}
