/* Produce. Entries of a request are kept flat, in the order of the message. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/produce_conversion.h"

enum { FIRST_WITH_BATCHES = 3, FIRST_WITH_STORAGE_ERRORS = 4, FIRST_WITH_ZSTD = 7, ATTRIBUTES_AT = 22 /* the byte with the codec */ };

struct kafka_produce {
	struct kafka_call *call;
	struct produce_request request;
	struct produce_conversion conversion; /* of the versions before record batches */
};

static size_t entry_count(const struct kafka_produce_request *m)
{
	size_t n = 0;
	for (int32_t i = 0; i < m->topic_data_count; i++)
		n += (size_t)m->topic_data[i].partition_data_count;
	return n;
}

static void fill_entries(const struct kafka_produce_request *m, struct produce_entry *entries)
{
	for (int32_t i = 0; i < m->topic_data_count; i++) {
		const struct kafka_produce_request_topic *t = &m->topic_data[i];
		for (int32_t k = 0; k < t->partition_data_count; k++, entries++) {
			entries->topic = t->name;
			entries->partition = t->partition_data[k].index;
			entries->records = t->partition_data[k].records.bytes;
		}
	}
}

/* What a batch may be in this version (Kafka: ProduceRequest.validateRecords). Older versions never checked, and take what comes. */
static enum status check_records(struct slice records, int16_t version)
{
	if (version < FIRST_WITH_BATCHES)
		return STATUS_OK;
	if (records.n == 0 || record_convert_is_old(records))
		return STATUS_INVALID_RECORD;
	bool zstd = records.n > ATTRIBUTES_AT && (records.p[ATTRIBUTES_AT] & RECORD_BATCH_CODEC_MASK) == COMPRESSION_zstd;
	return zstd && version < FIRST_WITH_ZSTD ? STATUS_UNSUPPORTED_COMPRESSION_TYPE : STATUS_OK;
}

static void answer_entry(struct produce_entry *e, enum status s, char *message)
{
	e->answered = true;
	e->status = s;
	e->message = message;
	e->base_offset = e->log_append_time_ms = e->log_start_offset = -1;
	e->leader.broker_id = -1;
}

static void fill_partition(const struct kafka_call *c, const struct produce_entry *e,
	struct kafka_produce_response_topic_partition *p)
{
	p->index = e->partition;
	p->error_code = kafka_call_data_code(e->status, c->header.api_version >= FIRST_WITH_STORAGE_ERRORS);
	p->error_message = kafka_call_message(e->status, e->message);
	p->base_offset = e->base_offset;
	p->log_append_time_ms = e->log_append_time_ms;
	p->log_start_offset = e->log_start_offset;
	if (e->leader.broker_id < 0)
		return;
	p->current_leader.leader_id = e->leader.broker_id;
	p->current_leader.leader_epoch = e->leader.leader_epoch;
}

static bool fill_response(struct kafka_call *c, const struct produce_entry *e, struct kafka_produce_response *m)
{
	const struct kafka_produce_request *asked = c->body;
	kafka_messages_init(c->api->response, m);
	m->responses_count = asked->topic_data_count;
	m->responses = KAFKA_CALL_NEW(c, produce_response_topic, asked->topic_data_count);
	if (m->responses == NULL)
		return false;
	for (int32_t i = 0; i < asked->topic_data_count; i++) {
		struct kafka_produce_response_topic *t = &m->responses[i];
		int32_t count = asked->topic_data[i].partition_data_count;
		t->name = asked->topic_data[i].name;
		t->partition_responses_count = count;
		t->partition_responses = KAFKA_CALL_NEW(c, produce_response_topic_partition, count);
		if (t->partition_responses == NULL)
			return false;
		for (int32_t k = 0; k < count; k++)
			fill_partition(c, e++, &t->partition_responses[k]);
	}
	return true;
}

static void answer(struct kafka_call *c, const struct produce_entry *entries)
{
	struct kafka_produce_response m;
	if (fill_response(c, entries, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* acks=0 is not answered; an error then closes the connection, so that the client looks for the leader again. */
static void answer_silently(struct kafka_call *c, const struct produce_entry *entries, size_t count)
{
	enum status failed = STATUS_OK;
	for (size_t i = 0; i < count; i++)
		if (entries[i].status != STATUS_OK)
			failed = entries[i].status;
	if (failed == STATUS_OK)
		kafka_call_silent(c);
	else
		kafka_call_abort(c, status_text(failed));
}

static void finish(struct kafka_call *c, const struct produce_entry *entries, size_t count)
{
	const struct kafka_produce_request *m = c->body;
	if (m->acks == 0)
		answer_silently(c, entries, count);
	else
		answer(c, entries);
}

static void produced(struct produce_request *r)
{
	struct kafka_produce *p = r->arg;
	produce_conversion_fini(&p->conversion);
	finish(CAST(kafka_call, p->call), r->entries, r->entry_count);
}

static void refuse_all(struct kafka_call *c, struct produce_entry *entries, size_t count, enum status s, char *message)
{
	for (size_t i = 0; i < count; i++)
		answer_entry(&entries[i], s, message);
	finish(c, entries, count);
}

void kafka_data_produce(struct kafka_call *c)
{
	static char no_transactions[] = "this broker does not serve transactions yet; produce without transactional.id";
	const struct kafka_produce_request *m = c->body;
	size_t count = entry_count(m);
	struct kafka_produce *p = kafka_call_array(c, 1, sizeof(*p));
	struct produce_entry *entries = kafka_call_array(c, count, sizeof(*entries));
	if (p == NULL || entries == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	fill_entries(m, entries);
	if (m->transactional_id != NULL) {
		refuse_all(c, entries, count, STATUS_INVALID_REQUEST, no_transactions);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		enum status s = check_records(entries[i].records, c->header.api_version);
		if (s != STATUS_OK)
			answer_entry(&entries[i], s, NULL);
	}
	p->call = c;
	p->request = (struct produce_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.acks = m->acks,
		.timeout_ms = m->timeout_ms > 0 ? m->timeout_ms : 0,
		.entries = entries,
		.entry_count = count,
		.done = produced,
		.arg = p,
	};
	if (c->header.api_version >= FIRST_WITH_BATCHES) {
		produce_service_start(&p->request);
		return;
	}
	p->conversion.request = &p->request;
	p->conversion.connection = c->request->connection;
	if (produce_conversion_start(&p->conversion) != STATUS_OK)
		kafka_call_abort_memory(c);
}
