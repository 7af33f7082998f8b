/* OffsetForLeaderEpoch: where an epoch ends here, so that a reader finds out whether what it has was cut (KIP-320). */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/fetch_service.h"

struct kafka_epochs {
	struct kafka_call *call;
	struct offsets_request request;
};

static void fill_entries(const struct kafka_offset_for_leader_epoch_request *m, struct offsets_entry *e)
{
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_offset_for_leader_epoch_request_topic *t = &m->topics[i];
		for (int32_t k = 0; k < t->partitions_count; k++)
			*e++ = (struct offsets_entry){
				.topic = t->topic,
				.partition = t->partitions[k].partition,
				.by = LIST_OFFSETS_BY_EPOCH,
				.asked_epoch = t->partitions[k].leader_epoch,
				.current_leader_epoch = t->partitions[k].current_leader_epoch,
			};
	}
}

static bool fill_response(struct kafka_call *c, const struct offsets_entry *e, struct kafka_offset_for_leader_epoch_response *m)
{
	const struct kafka_offset_for_leader_epoch_request *asked = c->body;
	kafka_messages_init(c->api->response, m);
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, offset_for_leader_epoch_response_topic, asked->topics_count);
	if (m->topics == NULL)
		return false;
	for (int32_t i = 0; i < asked->topics_count; i++) {
		struct kafka_offset_for_leader_epoch_response_topic *t = &m->topics[i];
		t->topic = asked->topics[i].topic;
		t->partitions_count = asked->topics[i].partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, offset_for_leader_epoch_response_topic_partition, t->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t k = 0; k < t->partitions_count; k++, e++) {
			t->partitions[k].partition = e->partition;
			t->partitions[k].error_code = status_code(e->status);
			t->partitions[k].leader_epoch = e->leader_epoch;
			t->partitions[k].end_offset = e->offset;
		}
	}
	return true;
}

static void found(struct offsets_request *r)
{
	struct kafka_epochs *e = r->arg;
	struct kafka_call *c = CAST(kafka_call, e->call);
	struct kafka_offset_for_leader_epoch_response m;
	if (fill_response(c, r->entries, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_data_offset_for_leader_epoch(struct kafka_call *c)
{
	const struct kafka_offset_for_leader_epoch_request *m = c->body;
	size_t count = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		count += (size_t)m->topics[i].partitions_count;
	struct kafka_epochs *e = kafka_call_array(c, 1, sizeof(*e));
	struct offsets_entry *entries = kafka_call_array(c, count, sizeof(*entries));
	if (e == NULL || entries == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	fill_entries(m, entries);
	e->call = c;
	e->request = (struct offsets_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.entries = entries,
		.entry_count = count,
		.done = found,
		.arg = e,
	};
	fetch_service_list_offsets(&e->request);
}
