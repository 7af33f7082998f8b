/* InitProducerId, DescribeProducers. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/producer_id_service.h"
#include "service/producer_list_service.h"

enum { NO_PRODUCER = -1 };

struct kafka_producer_id {
	struct kafka_call *call;
	struct producer_id_request request;
};

static void answer_id(struct kafka_call *c, enum status s, int64_t producer_id, int16_t producer_epoch)
{
	struct kafka_init_producer_id_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(s);
	m.producer_id = producer_id;
	m.producer_epoch = producer_epoch;
	kafka_call_answer(c, &m, NULL);
}

static void given(struct producer_id_request *r)
{
	struct kafka_producer_id *k = r->arg;
	struct kafka_call *c = CAST(kafka_call, k->call);
	answer_id(c, r->status, r->producer_id, r->producer_epoch);
}

void kafka_producers_init_producer_id(struct kafka_call *c)
{
	const struct kafka_init_producer_id_request *m = c->body;
	/* Without a transactional id an id that the client names is not looked at: it gets a new one. But both or none. */
	if ((m->producer_id == NO_PRODUCER) != (m->producer_epoch == NO_PRODUCER)) {
		answer_id(c, STATUS_INVALID_REQUEST, NO_PRODUCER, NO_PRODUCER);
		return;
	}
	struct kafka_producer_id *k = kafka_call_array(c, 1, sizeof(*k));
	if (k == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	k->call = c;
	k->request = (struct producer_id_request){
		.service = c->service,
		.transactional_id = m->transactional_id,
		.done = given,
		.arg = k,
	};
	producer_id_service_start(&k->request);
}

/* --- DescribeProducers ------------------------------------------------------------------------------------------------------ */

struct kafka_producer_list {
	struct kafka_call *call;
	struct producer_list_request request;
};

static bool fill_partition(struct kafka_call *c, const struct producer_list_entry *e,
	struct kafka_describe_producers_response_topic_partition *p)
{
	p->partition_index = e->partition;
	p->error_code = status_code(e->status);
	p->error_message = kafka_call_message(e->status, e->message);
	p->active_producers_count = (int32_t)e->count;
	p->active_producers = KAFKA_CALL_NEW(c, describe_producers_response_topic_partition_active_producer, (int32_t)e->count);
	if (p->active_producers == NULL)
		return false;
	for (size_t i = 0; i < e->count; i++) {
		const struct producer_info *from = &e->producers[i];
		struct kafka_describe_producers_response_topic_partition_active_producer *to = &p->active_producers[i];
		to->producer_id = from->producer_id;
		to->producer_epoch = from->epoch;
		to->last_sequence = from->last_sequence;
		to->last_timestamp = from->last_timestamp;
		to->coordinator_epoch = from->coordinator_epoch;
		to->current_txn_start_offset = from->transaction_first_offset;
	}
	return true;
}

static bool fill_list(struct kafka_call *c, const struct producer_list_entry *e, struct kafka_describe_producers_response *m)
{
	const struct kafka_describe_producers_request *asked = c->body;
	kafka_messages_init(c->api->response, m);
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, describe_producers_response_topic, asked->topics_count);
	if (m->topics == NULL)
		return false;
	for (int32_t i = 0; i < asked->topics_count; i++) {
		struct kafka_describe_producers_response_topic *t = &m->topics[i];
		t->name = asked->topics[i].name;
		t->partitions_count = asked->topics[i].partition_indexes_count;
		t->partitions = KAFKA_CALL_NEW(c, describe_producers_response_topic_partition, t->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t k = 0; k < t->partitions_count; k++) {
			if (!fill_partition(c, e++, &t->partitions[k]))
				return false;
		}
	}
	return true;
}

static void listed(struct producer_list_request *r)
{
	struct kafka_producer_list *l = r->arg;
	struct kafka_call *c = CAST(kafka_call, l->call);
	struct kafka_describe_producers_response m;
	bool filled = fill_list(c, r->entries, &m);
	for (size_t i = 0; i < r->entry_count; i++)
		free(r->entries[i].producers);
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

static size_t fill_entries(const struct kafka_describe_producers_request *m, struct producer_list_entry *entries)
{
	size_t count = 0;
	for (int32_t i = 0; i < m->topics_count; i++) {
		for (int32_t k = 0; k < m->topics[i].partition_indexes_count; k++)
			entries[count++] = (struct producer_list_entry){
				.topic = m->topics[i].name, .partition = m->topics[i].partition_indexes[k]};
	}
	return count;
}

void kafka_producers_describe(struct kafka_call *c)
{
	const struct kafka_describe_producers_request *m = c->body;
	size_t count = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		count += (size_t)m->topics[i].partition_indexes_count;
	struct kafka_producer_list *l = kafka_call_array(c, 1, sizeof(*l));
	struct producer_list_entry *entries = kafka_call_array(c, count, sizeof(*entries));
	if (l == NULL || entries == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	l->call = c;
	l->request = (struct producer_list_request){
		.service = c->service,
		.arena = &c->request->arena,
		.entries = entries,
		.entry_count = fill_entries(m, entries),
		.done = listed,
		.arg = l,
	};
	producer_list_service_start(&l->request);
}
