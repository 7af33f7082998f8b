/* ListOffsets. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/fetch_service.h"

enum {
	EARLIEST_LOCAL = -4, /* of the log on disk; there is no other here */
	LATEST_TIERED = -5,  /* nothing is tiered: none */
	FIRST_WITH_MAX_TIMESTAMP = 7,
	FIRST_WITH_EARLIEST_LOCAL = 8,
	FIRST_WITH_LATEST_TIERED = 9,
	SEGMENTS_MAX = 1000, /* of one partition, version 0 */
};

struct kafka_offsets {
	struct kafka_call *call;
	struct offsets_request request;
};

/* Is the entry asked of the service? If not, *ret_status is the answer. */
static bool is_lookup(const struct kafka_call *c, int64_t timestamp, enum status *ret_status)
{
	int16_t v = c->header.api_version;
	*ret_status = STATUS_OK;
	if (v == 0)
		return true; /* times, end or start of segments; there is nothing else */
	if (timestamp == LATEST_TIERED && v >= FIRST_WITH_LATEST_TIERED)
		return false;
	if (timestamp < LIST_OFFSETS_EARLIEST && v < FIRST_WITH_MAX_TIMESTAMP)
		*ret_status = STATUS_UNSUPPORTED_VERSION;
	else if (timestamp == EARLIEST_LOCAL && v < FIRST_WITH_EARLIEST_LOCAL)
		*ret_status = STATUS_UNSUPPORTED_VERSION;
	else if (timestamp <= LATEST_TIERED)
		*ret_status = STATUS_UNSUPPORTED_VERSION;
	return *ret_status == STATUS_OK;
}

/* Version 0 asks for several offsets. False: no memory. */
static bool add_starts(struct kafka_call *c, int32_t max_num_offsets, struct offsets_entry *e)
{
	if (c->header.api_version > 0)
		return true;
	e->by = LIST_OFFSETS_OF_SEGMENTS;
	e->starts_max = max_num_offsets < 0 ? 0 : (size_t)max_num_offsets;
	if (e->starts_max > SEGMENTS_MAX)
		e->starts_max = SEGMENTS_MAX;
	e->starts = kafka_call_array(c, e->starts_max, sizeof(*e->starts));
	return e->starts != NULL;
}

/* False: no memory. */
static bool fill_entries(struct kafka_call *c, struct offsets_entry *entries, size_t *ret_count)
{
	const struct kafka_list_offsets_request *m = c->body;
	size_t count = 0;
	enum status s;
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_list_offsets_request_topic *t = &m->topics[i];
		for (int32_t k = 0; k < t->partitions_count; k++) {
			int64_t timestamp = t->partitions[k].timestamp;
			if (!is_lookup(c, timestamp, &s))
				continue;
			entries[count] = (struct offsets_entry){
				.topic = t->name,
				.partition = t->partitions[k].partition_index,
				.timestamp_ms = timestamp == EARLIEST_LOCAL ? LIST_OFFSETS_EARLIEST : timestamp,
				.current_leader_epoch = t->partitions[k].current_leader_epoch,
			};
			if (!add_starts(c, t->partitions[k].max_num_offsets, &entries[count++]))
				return false;
		}
	}
	*ret_count = count;
	return true;
}

/* Takes the next entry if this partition was asked of the service. */
static const struct offsets_entry *fill_partition(const struct kafka_call *c,
	const struct kafka_list_offsets_request_topic_partition *from, const struct offsets_entry *e,
	struct kafka_list_offsets_response_topic_partition *p)
{
	enum status s;
	p->partition_index = from->partition_index;
	if (!is_lookup(c, from->timestamp, &s)) {
		p->error_code = status_code(s);
		return e;
	}
	p->error_code = status_code(e->status);
	p->offset = e->offset;
	p->timestamp = e->timestamp;
	p->leader_epoch = e->leader_epoch;
	p->old_style_offsets = e->starts;
	p->old_style_offsets_count = (int32_t)e->starts_count;
	return e + 1;
}

static bool fill_response(struct kafka_call *c, const struct offsets_entry *e, struct kafka_list_offsets_response *m)
{
	const struct kafka_list_offsets_request *asked = c->body;
	kafka_messages_init(c->api->response, m);
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, list_offsets_response_topic, asked->topics_count);
	if (m->topics == NULL)
		return false;
	for (int32_t i = 0; i < asked->topics_count; i++) {
		const struct kafka_list_offsets_request_topic *from = &asked->topics[i];
		struct kafka_list_offsets_response_topic *t = &m->topics[i];
		t->name = from->name;
		t->partitions_count = from->partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, list_offsets_response_topic_partition, from->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t k = 0; k < from->partitions_count; k++)
			e = fill_partition(c, &from->partitions[k], e, &t->partitions[k]);
	}
	return true;
}

static void listed(struct offsets_request *r)
{
	struct kafka_offsets *o = r->arg;
	struct kafka_call *c = CAST(kafka_call, o->call);
	struct kafka_list_offsets_response m;
	if (fill_response(c, r->entries, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_data_list_offsets(struct kafka_call *c)
{
	const struct kafka_list_offsets_request *m = c->body;
	size_t count = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		count += (size_t)m->topics[i].partitions_count;
	struct kafka_offsets *o = kafka_call_array(c, 1, sizeof(*o));
	struct offsets_entry *entries = kafka_call_array(c, count, sizeof(*entries));
	if (o == NULL || entries == NULL || !fill_entries(c, entries, &count)) {
		kafka_call_abort_memory(c);
		return;
	}
	o->call = c;
	o->request = (struct offsets_request){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.entries = entries,
		.entry_count = count,
		.done = listed,
		.arg = o,
	};
	fetch_service_list_offsets(&o->request);
}
