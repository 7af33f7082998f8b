#include "service/fetch_service.h"

#include "base/metrics.h"
#include "service/service_message.h"
#include "service/topic_settings_cache.h"

MAGIC(fetch_request, 0x46455443);
MAGIC(offsets_request, 0x4f465354);

/* A replica this broker does not host although the image knows the partition: another one leads it. */
static enum status status_seen_by_client(enum status s)
{
	return s == STATUS_UNKNOWN_TOPIC_OR_PARTITION ? STATUS_NOT_LEADER_OR_FOLLOWER : s;
}

static bool needs_hint(enum status s)
{
	return s == STATUS_NOT_LEADER_OR_FOLLOWER || s == STATUS_FENCED_LEADER_EPOCH;
}

/* --- fetch --------------------------------------------------------------- */

static void fail(struct fetch_entry *e, enum status s, char *message)
{
	expect(s != STATUS_OK);
	e->status = s;
	e->message = message;
	e->high_watermark = e->log_start_offset = -1;
	e->record_bytes = 0;
}

static void fail_part(struct fetch_request *r, struct fetch_entry *e)
{
	struct fetch_part *p = e->part;
	enum status s = status_seen_by_client(p->status);
	if (s == STATUS_OFFSET_OUT_OF_RANGE)
		fail(e, s, service_message_format(r->arena,
			"%s-%d: offset %lld is out of range; the log begins at %lld and ends at or after %lld", e->topic,
			e->partition, (long long)e->offset, (long long)p->log_start_offset, (long long)p->high_watermark));
	else
		fail(e, s, service_message_partition(r->arena, &p->tp, s));
	/* Told along with the error: where a reader can go on. */
	e->high_watermark = p->high_watermark;
	e->log_start_offset = p->log_start_offset;
	if (needs_hint(s))
		e->leader = leader_hint_find(service_loop_image(r->service), &p->tp, p->leader, p->leader_epoch, r->listener);
}

static void finish(struct fetch_request *r)
{
	metrics_add(METRIC_bytes_out, (int64_t)r->records.size_bytes);
	r->magic = 0;
	r->done(r);
}

static void converted(struct fetch_conversion *c)
{
	struct fetch_request *r = CAST(fetch_request, c->arg);
	const struct fetch_conversion_part *p = c->parts;
	for (size_t i = 0; i < r->entry_count; i++) {
		struct fetch_entry *e = &r->entries[i];
		if (e->status != STATUS_OK)
			continue;
		e->record_bytes = p->bytes;
		if (p->status != STATUS_OK)
			fail(e, p->status, service_message_partition(r->arena, &e->part->tp, p->status));
		p++;
	}
	expect(p == c->parts + c->part_count);
	iobuf_append_iobuf(&r->records, &c->records);
	iobuf_fini(&c->records);
	r->converting = false;
	finish(r);
}

/* For a reader of old. False: no memory. */
static bool start_conversion(struct fetch_request *r)
{
	struct fetch_conversion_part *p = arena_calloc(r->arena, r->entry_count, sizeof(*p));
	if (p == NULL)
		return false;
	r->conversion = (struct fetch_conversion){.parts = p, .max_bytes = r->delayed.max_bytes, .done = converted, .arg = r};
	for (size_t i = 0; i < r->entry_count; i++) {
		const struct fetch_entry *e = &r->entries[i];
		if (e->status != STATUS_OK)
			continue;
		*p++ = (struct fetch_conversion_part){
			.target = {
				.magic = r->old_magic,
				.first_offset = e->offset,
				.max_bytes = e->max_bytes,
				.max_inflated_bytes = e->inflated_max,
			},
			.stored_bytes = e->record_bytes,
		};
		r->conversion.part_count++;
	}
	iobuf_init(&r->conversion.records);
	iobuf_append_iobuf(&r->conversion.records, &r->records);
	r->converting = true;
	fetch_conversion_start(&r->conversion, r->service->background, r->service->scheduler);
	return true;
}

/* Nothing can be sent of what was read. */
static void drop_records(struct fetch_request *r)
{
	iobuf_fini(&r->records);
	iobuf_init(&r->records);
	for (size_t i = 0; i < r->entry_count; i++)
		r->entries[i].record_bytes = 0;
}

/* Records follow in the order of the entries, as the header will announce them. */
static void collect(struct delayed_fetch *f)
{
	struct fetch_request *r = CAST(fetch_request, f->arg);
	for (size_t i = 0; i < r->entry_count; i++) {
		struct fetch_entry *e = &r->entries[i];
		struct fetch_part *p = e->part;
		if (p == NULL)
			continue;
		if (p->status == STATUS_OK) {
			expect(p->records.size_bytes == p->record_bytes);
			e->status = STATUS_OK;
			e->high_watermark = p->high_watermark;
			e->log_start_offset = p->log_start_offset;
			e->record_bytes = p->record_bytes;
			e->diverges = p->diverges;
			e->diverging_epoch = p->diverging_epoch;
			e->diverging_end_offset = p->diverging_end_offset;
			iobuf_append_iobuf(&r->records, &p->records);
		} else {
			fail_part(r, e);
		}
		iobuf_fini(&p->records);
	}
	service_loop_unwait(&r->waiting);
	if (r->old_formats && r->records.size_bytes > 0) {
		if (start_conversion(r))
			return;
		drop_records(r);
	}
	finish(r);
}

static void hurry(struct service_waiting *w)
{
	struct fetch_request *r = CAST(fetch_request, CONTAINER_OF(w, struct fetch_request, waiting));
	delayed_fetch_hurry(&r->delayed);
}

/* What the topic's settings keep from old readers. */
static enum status check_old_reader(struct fetch_request *r, struct fetch_entry *e, const struct image_topic *topic)
{
	const struct topic_settings *t =
		topic_settings_cache_get(r->service->topic_settings, service_loop_image(r->service), topic);
	e->inflated_max = topic_settings_cache_inflated_max(t);
	if (t->compression_type == TOPIC_COMPRESSION_zstd)
		return STATUS_UNSUPPORTED_COMPRESSION_TYPE;
	return r->old_formats && !t->message_downconversion_enable ? STATUS_UNSUPPORTED_VERSION : STATUS_OK;
}

/* Fills *p when the entry is to be read, else answers it. */
static bool start_entry(struct fetch_request *r, struct fetch_entry *e, struct fetch_part *p)
{
	struct service_partition found;
	char *message = NULL;
	e->part = NULL;
	e->diverges = false;
	e->leader = (struct leader_hint){.broker_id = -1, .leader_epoch = -1};
	*p = (struct fetch_part){.leader = -1, .leader_epoch = -1};
	enum status s = topic_partition_set(&p->tp, slice_of_str(e->topic), e->partition);
	if (s == STATUS_OK)
		s = service_loop_find(r->service, r->arena, &p->tp, &found, &message);
	if (s == STATUS_OK && (r->old_formats || r->without_zstd))
		s = check_old_reader(r, e, found.topic);
	if (s != STATUS_OK) {
		fail(e, s, message);
		return false;
	}
	p->owner = replica_router_owner(r->service->router, &p->tp);
	p->offset = e->offset;
	p->max_bytes = e->max_bytes;
	p->current_leader_epoch = e->current_leader_epoch;
	p->check_epoch = e->check_epoch;
	p->last_fetched_epoch = e->last_fetched_epoch;
	e->part = p;
	return true;
}

enum status fetch_service_start(struct fetch_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->done != NULL && (!r->old_formats || r->old_magic < 2));
	struct fetch_part *parts = arena_alloc(r->arena, (r->entry_count + 1) * sizeof(*parts));
	if (parts == NULL)
		return STATUS_TOO_LARGE;
	r->magic = fetch_request_magic;
	r->waiting = (struct service_waiting){0};
	r->converting = false;
	iobuf_init(&r->records);
	size_t count = 0;
	for (size_t i = 0; i < r->entry_count; i++)
		count += start_entry(r, &r->entries[i], &parts[count]) ? 1 : 0;
	size_t cap = (size_t)r->service->settings->fetch_max_bytes;
	r->delayed = (struct delayed_fetch){
		.magic = delayed_fetch_magic,
		.home = r->service->scheduler,
		.parts = parts,
		.part_count = count,
		/* An error is told at once (Kafka: ReplicaManager.fetchMessages). */
		.min_bytes = count == r->entry_count && !r->service->hurried ? r->min_bytes : 0,
		.max_bytes = r->max_bytes < cap ? r->max_bytes : cap,
		.max_wait_ms = r->max_wait_ms < FETCH_SERVICE_WAIT_MAX_MS ? r->max_wait_ms : FETCH_SERVICE_WAIT_MAX_MS,
		.done = collect,
		.arg = r,
	};
	if (count == 0) {
		collect(&r->delayed);
		return STATUS_OK;
	}
	r->waiting = (struct service_waiting){.hurry = hurry};
	if (r->delayed.min_bytes > 0)
		service_loop_wait(r->service, &r->waiting);
	delayed_fetch_start(&r->delayed); /* r may be gone now */
	return STATUS_OK;
}

void fetch_service_hurry(struct fetch_request *r)
{
	CHECK_MAGIC(fetch_request, r);
	if (!r->converting) /* else it waits for nothing but a disk */
		delayed_fetch_hurry(&r->delayed);
}

/* --- list offsets -------------------------------------------------------- */

static void fail_offsets(struct offsets_entry *e, enum status s, char *message)
{
	expect(s != STATUS_OK);
	e->status = s;
	e->message = message;
	e->offset = e->timestamp = -1;
	e->leader_epoch = -1;
	e->starts_count = 0;
}

static void offsets_entry_done(struct list_offsets_part *p)
{
	struct offsets_entry *e = p->arg;
	struct offsets_request *r = CAST(offsets_request, e->request);
	enum status s = status_seen_by_client(p->status);
	if (s == STATUS_OK) {
		e->status = s;
		e->offset = p->offset;
		e->timestamp = p->timestamp;
		/* By time, the epoch is that of a record found. */
		if (p->by == LIST_OFFSETS_BY_EPOCH)
			e->leader_epoch = p->epoch;
		else
			e->leader_epoch = p->offset < 0 ? -1 : p->leader_epoch;
		e->starts_count = p->starts_count;
	} else {
		fail_offsets(e, s, service_message_partition(r->arena, &p->tp, s));
		if (needs_hint(s))
			e->leader = leader_hint_find(service_loop_image(r->service), &p->tp, p->leader, p->leader_epoch,
				r->listener);
	}
	gather_done(&r->gather);
}

static void start_offsets_entry(struct offsets_request *r, struct offsets_entry *e)
{
	struct service_partition found;
	struct list_offsets_part *p = &e->part;
	char *message = NULL;
	e->request = r;
	e->leader = (struct leader_hint){.broker_id = -1, .leader_epoch = -1};
	*p = (struct list_offsets_part){.home = r->service->scheduler, .leader = -1, .leader_epoch = -1};
	enum status s = topic_partition_set(&p->tp, slice_of_str(e->topic), e->partition);
	if (s == STATUS_OK)
		s = service_loop_find(r->service, r->arena, &p->tp, &found, &message);
	if (s == STATUS_OK && e->by == LIST_OFFSETS_BY_TIME && e->timestamp_ms < LIST_OFFSETS_MAX_TIMESTAMP) {
		s = STATUS_INVALID_REQUEST;
		message = service_message_format(r->arena, "%s-%d: timestamp %lld: use a time in ms, -1, -2 or -3", e->topic,
			e->partition, (long long)e->timestamp_ms);
	}
	if (s != STATUS_OK) {
		fail_offsets(e, s, message);
		return;
	}
	p->by = e->by;
	p->timestamp_ms = e->timestamp_ms;
	p->asked_epoch = e->asked_epoch;
	p->starts = e->starts;
	p->starts_max = e->starts_max;
	p->current_leader_epoch = e->current_leader_epoch;
	p->done = offsets_entry_done;
	p->arg = e;
	gather_add(&r->gather);
	replica_manager_list_offsets(replica_router_owner(r->service->router, &p->tp), p);
}

static void offsets_done(struct gather *g)
{
	struct offsets_request *r = CAST(offsets_request, CONTAINER_OF(g, struct offsets_request, gather));
	r->magic = 0;
	r->done(r);
}

void fetch_service_list_offsets(struct offsets_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	r->magic = offsets_request_magic;
	gather_init(&r->gather, offsets_done);
	for (size_t i = 0; i < r->entry_count; i++)
		start_offsets_entry(r, &r->entries[i]);
	gather_seal(&r->gather);
}
