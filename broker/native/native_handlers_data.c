/* Produce, Fetch, ListOffsets, InitProducer. Entries of a request are kept flat, in the order of the message. */
#include "native/native_call.h"
#include "native/native_handlers.h"
#include "service/fetch_service.h"
#include "service/produce_service.h"
#include "service/producer_id_service.h"

/* --- produce ------------------------------------------------------------- */

struct native_produce {
	struct native_call *call;
	struct produce_request request;
};

static size_t produce_count(const Correio__ProduceRequest *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->n_topics; i++)
		n += m->topics[i]->n_partitions;
	return n;
}

static enum status produce_entries(struct native_call *c, struct produce_entry *entries)
{
	const Correio__ProduceRequest *m = c->header->produce;
	struct native_payload payload = {.left = c->payload};
	for (size_t i = 0; i < m->n_topics; i++) {
		const Correio__ProduceTopic *t = m->topics[i];
		for (size_t k = 0; k < t->n_partitions; k++, entries++) {
			entries->topic = t->name;
			entries->partition = t->partitions[k]->partition;
			TRY(native_payload_take(&payload, t->partitions[k]->records_bytes, &entries->records));
		}
	}
	return native_payload_end(&payload);
}

static bool fill_produce_result(struct native_call *c, const struct produce_entry *e, Correio__ProducePartitionResult *p)
{
	correio__produce_partition_result__init(p);
	p->partition = e->partition;
	p->error_code = status_code(e->status);
	p->error_message = native_call_message(e->status, e->message);
	p->base_offset = e->base_offset;
	p->log_append_time_ms = e->log_append_time_ms;
	p->log_start_offset = e->log_start_offset;
	if (e->leader.broker_id < 0)
		return true;
	p->leader = native_call_array(c, 1, sizeof(*p->leader));
	if (p->leader == NULL)
		return false;
	native_call_fill_hint(&e->leader, p->leader);
	return true;
}

static bool fill_produce_response(struct native_call *c, const struct produce_request *r, Correio__ProduceResponse *m)
{
	const Correio__ProduceRequest *asked = c->header->produce;
	const struct produce_entry *e = r->entries;
	correio__produce_response__init(m);
	m->n_topics = asked->n_topics;
	m->topics = (Correio__ProduceTopicResult **)native_call_list(c, asked->n_topics, sizeof(**m->topics));
	if (m->topics == NULL)
		return false;
	for (size_t i = 0; i < asked->n_topics; i++) {
		Correio__ProduceTopicResult *t = m->topics[i];
		size_t count = asked->topics[i]->n_partitions;
		correio__produce_topic_result__init(t);
		t->name = asked->topics[i]->name;
		t->n_partitions = count;
		t->partitions = (Correio__ProducePartitionResult **)native_call_list(c, count, sizeof(**t->partitions));
		if (t->partitions == NULL)
			return false;
		for (size_t k = 0; k < count; k++)
			if (!fill_produce_result(c, e++, t->partitions[k]))
				return false;
	}
	return true;
}

/* acks=0 is not answered; an error then closes the connection, so that the client looks for the leader again (Kafka does
 * the same). */
static void produced_silently(struct native_call *c, const struct produce_request *r)
{
	struct request *request = c->request;
	enum status failed = STATUS_OK;
	for (size_t i = 0; i < r->entry_count; i++)
		if (r->entries[i].status != STATUS_OK)
			failed = r->entries[i].status;
	c->magic = 0;
	if (failed == STATUS_OK)
		request_complete_silent(request);
	else
		request_abort(request, status_text(failed));
}

static void produced(struct produce_request *r)
{
	struct native_produce *p = r->arg;
	struct native_call *c = CAST(native_call, p->call);
	Correio__ResponseHeader header;
	Correio__ProduceResponse m;
	if (r->acks == 0) {
		produced_silently(c, r);
		return;
	}
	if (!fill_produce_response(c, r, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_PRODUCE;
	header.produce = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_produce(struct native_call *c)
{
	const Correio__ProduceRequest *m = c->header->produce;
	size_t count = produce_count(m);
	struct native_produce *p = native_call_array(c, 1, sizeof(*p));
	struct produce_entry *entries = native_call_array(c, count, sizeof(*entries));
	if (p == NULL || entries == NULL) {
		native_call_fail_memory(c);
		return;
	}
	enum status s = produce_entries(c, entries);
	if (s != STATUS_OK) {
		native_call_fail(c, STATUS_INVALID_REQUEST, "Produce: the records_bytes of %zu entries do not add up to the payload "
			"of %zu bytes", count, c->payload.n);
		return;
	}
	p->call = c;
	p->request = (struct produce_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.acks = m->acks,
		.timeout_ms = m->timeout_ms,
		.entries = entries,
		.entry_count = count,
		.done = produced,
		.arg = p,
	};
	produce_service_start(&p->request);
}

/* --- fetch --------------------------------------------------------------- */

struct native_fetch {
	struct native_call *call;
	struct fetch_request request;
};

static size_t fetch_count(const Correio__FetchRequest *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->n_topics; i++)
		n += m->topics[i]->n_partitions;
	return n;
}

/* 0 means no limit of its own. */
static size_t or_unlimited(uint32_t bytes)
{
	return bytes == 0 ? INT32_MAX : bytes;
}

static void fetch_entries(const Correio__FetchRequest *m, struct fetch_entry *entries)
{
	for (size_t i = 0; i < m->n_topics; i++) {
		const Correio__FetchTopic *t = m->topics[i];
		for (size_t k = 0; k < t->n_partitions; k++) {
			const Correio__FetchPartition *p = t->partitions[k];
			*entries++ = (struct fetch_entry){
				.topic = t->name,
				.partition = p->partition,
				.offset = p->fetch_offset,
				.max_bytes = or_unlimited(p->max_bytes),
				.current_leader_epoch = p->current_leader_epoch,
			};
		}
	}
}

static bool fill_fetch_result(struct native_call *c, const struct fetch_entry *e, Correio__FetchPartitionResult *p)
{
	correio__fetch_partition_result__init(p);
	p->partition = e->partition;
	p->error_code = status_code(e->status);
	p->error_message = native_call_message(e->status, e->message);
	p->high_watermark = e->high_watermark;
	p->log_start_offset = e->log_start_offset;
	p->records_bytes = (uint32_t)e->record_bytes;
	if (e->leader.broker_id < 0)
		return true;
	p->leader = native_call_array(c, 1, sizeof(*p->leader));
	if (p->leader == NULL)
		return false;
	native_call_fill_hint(&e->leader, p->leader);
	return true;
}

static bool fill_fetch_response(struct native_call *c, const struct fetch_request *r, Correio__FetchResponse *m)
{
	const Correio__FetchRequest *asked = c->header->fetch;
	const struct fetch_entry *e = r->entries;
	correio__fetch_response__init(m);
	m->n_topics = asked->n_topics;
	m->topics = (Correio__FetchTopicResult **)native_call_list(c, asked->n_topics, sizeof(**m->topics));
	if (m->topics == NULL)
		return false;
	for (size_t i = 0; i < asked->n_topics; i++) {
		Correio__FetchTopicResult *t = m->topics[i];
		size_t count = asked->topics[i]->n_partitions;
		correio__fetch_topic_result__init(t);
		t->name = asked->topics[i]->name;
		t->n_partitions = count;
		t->partitions = (Correio__FetchPartitionResult **)native_call_list(c, count, sizeof(**t->partitions));
		if (t->partitions == NULL)
			return false;
		for (size_t k = 0; k < count; k++)
			if (!fill_fetch_result(c, e++, t->partitions[k]))
				return false;
	}
	return true;
}

static void fetched(struct fetch_request *r)
{
	struct native_fetch *f = r->arg;
	struct native_call *c = CAST(native_call, f->call);
	Correio__ResponseHeader header;
	Correio__FetchResponse m;
	struct iobuf records = r->records;
	if (!fill_fetch_response(c, r, &m)) {
		iobuf_fini(&records);
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_FETCH;
	header.fetch = &m;
	native_call_answer(c, &header, &records);
	iobuf_fini(&records);
}

static void fetch_abandoned(struct native_call *c)
{
	struct native_fetch *f = c->waiting;
	fetch_service_hurry(&f->request);
}

void native_handlers_fetch(struct native_call *c)
{
	const Correio__FetchRequest *m = c->header->fetch;
	size_t count = fetch_count(m);
	struct native_fetch *f = native_call_array(c, 1, sizeof(*f));
	struct fetch_entry *entries = native_call_array(c, count, sizeof(*entries));
	if (f == NULL || entries == NULL) {
		native_call_fail_memory(c);
		return;
	}
	fetch_entries(m, entries);
	f->call = c;
	f->request = (struct fetch_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.max_wait_ms = m->max_wait_ms,
		.min_bytes = m->min_bytes,
		.max_bytes = or_unlimited(m->max_bytes),
		.entries = entries,
		.entry_count = count,
		.done = fetched,
		.arg = f,
	};
	c->abandoned = fetch_abandoned;
	c->waiting = f;
	/* Names were copied by the decoder; a long poll must not hold the frame. */
	request_release_frame(c->request);
	c->payload = (struct slice){0};
	if (fetch_service_start(&f->request) != STATUS_OK)
		native_call_fail_memory(c);
}

/* --- list offsets -------------------------------------------------------- */

struct native_offsets {
	struct native_call *call;
	struct offsets_request request;
};

static size_t offsets_count(const Correio__ListOffsetsRequest *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->n_topics; i++)
		n += m->topics[i]->n_partitions;
	return n;
}

static void offsets_entries(const Correio__ListOffsetsRequest *m, struct offsets_entry *entries)
{
	for (size_t i = 0; i < m->n_topics; i++) {
		const Correio__ListOffsetsTopic *t = m->topics[i];
		for (size_t k = 0; k < t->n_partitions; k++, entries++) {
			entries->topic = t->name;
			entries->partition = t->partitions[k]->partition;
			entries->timestamp_ms = t->partitions[k]->timestamp;
			entries->current_leader_epoch = t->partitions[k]->current_leader_epoch;
		}
	}
}

static bool fill_offsets_result(struct native_call *c, const struct offsets_entry *e, Correio__ListOffsetsPartitionResult *p)
{
	correio__list_offsets_partition_result__init(p);
	p->partition = e->partition;
	p->error_code = status_code(e->status);
	p->error_message = native_call_message(e->status, e->message);
	p->offset = e->offset;
	p->timestamp = e->timestamp;
	p->leader_epoch = e->leader_epoch;
	if (e->leader.broker_id < 0)
		return true;
	p->leader = native_call_array(c, 1, sizeof(*p->leader));
	if (p->leader == NULL)
		return false;
	native_call_fill_hint(&e->leader, p->leader);
	return true;
}

static bool fill_offsets_response(struct native_call *c, const struct offsets_request *r, Correio__ListOffsetsResponse *m)
{
	const Correio__ListOffsetsRequest *asked = c->header->list_offsets;
	const struct offsets_entry *e = r->entries;
	correio__list_offsets_response__init(m);
	m->n_topics = asked->n_topics;
	m->topics = (Correio__ListOffsetsTopicResult **)native_call_list(c, asked->n_topics, sizeof(**m->topics));
	if (m->topics == NULL)
		return false;
	for (size_t i = 0; i < asked->n_topics; i++) {
		Correio__ListOffsetsTopicResult *t = m->topics[i];
		size_t count = asked->topics[i]->n_partitions;
		correio__list_offsets_topic_result__init(t);
		t->name = asked->topics[i]->name;
		t->n_partitions = count;
		t->partitions = (Correio__ListOffsetsPartitionResult **)native_call_list(c, count, sizeof(**t->partitions));
		if (t->partitions == NULL)
			return false;
		for (size_t k = 0; k < count; k++)
			if (!fill_offsets_result(c, e++, t->partitions[k]))
				return false;
	}
	return true;
}

static void offsets_listed(struct offsets_request *r)
{
	struct native_offsets *o = r->arg;
	struct native_call *c = CAST(native_call, o->call);
	Correio__ResponseHeader header;
	Correio__ListOffsetsResponse m;
	if (!fill_offsets_response(c, r, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_LIST_OFFSETS;
	header.list_offsets = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_list_offsets(struct native_call *c)
{
	const Correio__ListOffsetsRequest *m = c->header->list_offsets;
	size_t count = offsets_count(m);
	struct native_offsets *o = native_call_array(c, 1, sizeof(*o));
	struct offsets_entry *entries = native_call_array(c, count, sizeof(*entries));
	if (o == NULL || entries == NULL) {
		native_call_fail_memory(c);
		return;
	}
	offsets_entries(m, entries);
	o->call = c;
	o->request = (struct offsets_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.entries = entries,
		.entry_count = count,
		.done = offsets_listed,
		.arg = o,
	};
	fetch_service_list_offsets(&o->request);
}

/* --- init producer ------------------------------------------------------- */

struct native_init_producer {
	struct native_call *call;
	struct producer_id_request request;
};

static void initialised(struct producer_id_request *r)
{
	struct native_init_producer *i = r->arg;
	struct native_call *c = CAST(native_call, i->call);
	Correio__ResponseHeader header;
	Correio__InitProducerResponse m;
	if (r->status != STATUS_OK) {
		native_call_fail(c, r->status, "InitProducer: %s%s", status_text(r->status),
			r->transactional_id != NULL ? "; transactions are not there yet: leave transactional_id empty" : "");
		return;
	}
	correio__response_header__init(&header);
	correio__init_producer_response__init(&m);
	m.producer_id = r->producer_id;
	m.producer_epoch = r->producer_epoch;
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_INIT_PRODUCER;
	header.init_producer = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_init_producer(struct native_call *c)
{
	struct native_init_producer *i = native_call_array(c, 1, sizeof(*i));
	if (i == NULL) {
		native_call_fail_memory(c);
		return;
	}
	const char *id = c->header->init_producer->transactional_id;
	i->call = c;
	i->request = (struct producer_id_request){
		.service = c->service,
		.transactional_id = id[0] == '\0' ? NULL : id,
		.done = initialised,
		.arg = i,
	};
	producer_id_service_start(&i->request);
}
