#include "wire/control_codec.h"
#include "control.pb-c.h"
#include <stdlib.h>

/* An array of `count` message pointers and, behind each, a zeroed message. NULL when the arena is full. */
#define ARENA_MESSAGES(arena, count, type, ret_pointers, ret_items)                                                    \
	((ret_pointers = arena_calloc(arena, (count) + 1, sizeof(type *))) != NULL &&                                  \
		(ret_items = arena_calloc(arena, (count) + 1, sizeof(type))) != NULL)

static char *text_of(const char *s)
{
	return s == NULL ? (char *)(uintptr_t)protobuf_c_empty_string : (char *)(uintptr_t)s;
}

/* --- struct to message ---------------------------------------------------- */

static enum status partitions_to_message(const struct control_topic *t, struct arena *arena, Correio__ControlTopic *m)
{
	Correio__ControlPartition *items;
	if (!ARENA_MESSAGES(arena, t->partition_count, Correio__ControlPartition, m->partitions, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct control_partition *p = &t->partitions[i];
		correio__control_partition__init(&items[i]);
		items[i].partition = p->partition;
		items[i].leader = p->leader;
		items[i].leader_epoch = p->leader_epoch;
		items[i].partition_epoch = p->partition_epoch;
		items[i].controller_epoch = p->controller_epoch;
		items[i].is_new = p->is_new;
		items[i].isr = p->isr;
		items[i].n_isr = p->isr_count;
		items[i].replicas = p->replicas;
		items[i].n_replicas = p->replica_count;
		m->partitions[i] = &items[i];
	}
	m->n_partitions = t->partition_count;
	return STATUS_OK;
}

static enum status topics_to_message(const struct control_topic *topics, size_t count, struct arena *arena,
	Correio__ControlTopic ***ret_topics)
{
	Correio__ControlTopic **pointers, *items;
	if (!ARENA_MESSAGES(arena, count, Correio__ControlTopic, pointers, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		correio__control_topic__init(&items[i]);
		items[i].name = text_of(topics[i].name);
		items[i].topic_id.data = (uint8_t *)(uintptr_t)topics[i].id.b;
		items[i].topic_id.len = sizeof topics[i].id.b;
		TRY(partitions_to_message(&topics[i], arena, &items[i]));
		pointers[i] = &items[i];
	}
	*ret_topics = pointers;
	return STATUS_OK;
}

static enum status broker_to_message(const struct control_broker *b, struct arena *arena, Correio__ControlBroker *m)
{
	Correio__ControlEndpoint *items;
	correio__control_broker__init(m);
	if (!ARENA_MESSAGES(arena, b->endpoint_count, Correio__ControlEndpoint, m->endpoints, items))
		return STATUS_TOO_LARGE;
	m->id = b->id;
	m->epoch = b->epoch;
	m->rack = text_of(b->rack);
	for (size_t i = 0; i < b->endpoint_count; i++) {
		correio__control_endpoint__init(&items[i]);
		items[i].listener = text_of(b->endpoints[i].listener);
		items[i].host = text_of(b->endpoints[i].host);
		items[i].port = b->endpoints[i].port;
		m->endpoints[i] = &items[i];
	}
	m->n_endpoints = b->endpoint_count;
	return STATUS_OK;
}

static enum status metadata_to_message(const struct update_metadata_request *r, struct arena *arena,
	Correio__ControlRequest *m)
{
	Correio__UpdateMetadata *u = arena_calloc(arena, 1, sizeof *u);
	if (u == NULL)
		return STATUS_TOO_LARGE;
	correio__update_metadata__init(u);
	Correio__ControlBroker *items;
	if (!ARENA_MESSAGES(arena, r->broker_count, Correio__ControlBroker, u->brokers, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->broker_count; i++) {
		TRY(broker_to_message(&r->brokers[i], arena, &items[i]));
		u->brokers[i] = &items[i];
	}
	u->n_brokers = r->broker_count;
	u->full = r->full;
	TRY(topics_to_message(r->topics, r->topic_count, arena, &u->topics));
	u->n_topics = r->topic_count;
	m->message_case = CORREIO__CONTROL_REQUEST__MESSAGE_UPDATE_METADATA;
	m->update_metadata = u;
	return STATUS_OK;
}

static enum status leader_and_isr_to_message(const struct leader_and_isr_request *r, struct arena *arena,
	Correio__ControlRequest *m)
{
	Correio__LeaderAndIsr *l = arena_calloc(arena, 1, sizeof *l);
	if (l == NULL)
		return STATUS_TOO_LARGE;
	correio__leader_and_isr__init(l);
	TRY(topics_to_message(r->topics, r->topic_count, arena, &l->topics));
	l->n_topics = r->topic_count;
	m->message_case = CORREIO__CONTROL_REQUEST__MESSAGE_LEADER_AND_ISR;
	m->leader_and_isr = l;
	return STATUS_OK;
}

static enum status stop_replica_to_message(const struct stop_replica_request *r, struct arena *arena,
	Correio__ControlRequest *m)
{
	Correio__StopReplica *s = arena_calloc(arena, 1, sizeof *s);
	Correio__StopReplicaEntry *items;
	if (s == NULL)
		return STATUS_TOO_LARGE;
	correio__stop_replica__init(s);
	if (!ARENA_MESSAGES(arena, r->partition_count, Correio__StopReplicaEntry, s->partitions, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->partition_count; i++) {
		correio__stop_replica_entry__init(&items[i]);
		items[i].topic = text_of(r->partitions[i].tp.topic);
		items[i].partition = r->partitions[i].tp.partition;
		items[i].leader_epoch = r->partitions[i].leader_epoch;
		items[i].delete_log = r->partitions[i].delete_log;
		s->partitions[i] = &items[i];
	}
	s->n_partitions = r->partition_count;
	m->message_case = CORREIO__CONTROL_REQUEST__MESSAGE_STOP_REPLICA;
	m->stop_replica = s;
	return STATUS_OK;
}

static enum status config_to_message(const struct control_topic_config *c, struct arena *arena,
	Correio__ControlTopicConfig *m)
{
	Correio__ControlConfigEntry *items;
	correio__control_topic_config__init(m);
	if (!ARENA_MESSAGES(arena, c->entry_count, Correio__ControlConfigEntry, m->entries, items))
		return STATUS_TOO_LARGE;
	m->topic = text_of(c->topic);
	for (size_t i = 0; i < c->entry_count; i++) {
		correio__control_config_entry__init(&items[i]);
		items[i].key = text_of(c->entries[i].key);
		items[i].value = text_of(c->entries[i].value);
		m->entries[i] = &items[i];
	}
	m->n_entries = c->entry_count;
	return STATUS_OK;
}

static enum status configs_to_message(const struct update_configs_request *r, struct arena *arena,
	Correio__ControlRequest *m)
{
	Correio__UpdateConfigs *u = arena_calloc(arena, 1, sizeof *u);
	Correio__ControlTopicConfig *items;
	if (u == NULL)
		return STATUS_TOO_LARGE;
	correio__update_configs__init(u);
	if (!ARENA_MESSAGES(arena, r->topic_count, Correio__ControlTopicConfig, u->topics, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->topic_count; i++) {
		TRY(config_to_message(&r->topics[i], arena, &items[i]));
		u->topics[i] = &items[i];
	}
	u->n_topics = r->topic_count;
	m->message_case = CORREIO__CONTROL_REQUEST__MESSAGE_UPDATE_CONFIGS;
	m->update_configs = u;
	return STATUS_OK;
}

enum status control_codec_request_to_message(const struct control_request *request, struct arena *arena,
	struct Correio__ControlRequest **ret_message)
{
	Correio__ControlRequest *m = arena_calloc(arena, 1, sizeof *m);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	correio__control_request__init(m);
	m->controller_id = request->header.controller_id;
	m->controller_epoch = request->header.controller_epoch;
	m->broker_epoch = request->header.broker_epoch;
	switch (request->kind) {
	case CONTROL_UPDATE_METADATA:
		TRY(metadata_to_message(&request->update_metadata, arena, m));
		break;
	case CONTROL_LEADER_AND_ISR:
		TRY(leader_and_isr_to_message(&request->leader_and_isr, arena, m));
		break;
	case CONTROL_STOP_REPLICA:
		TRY(stop_replica_to_message(&request->stop_replica, arena, m));
		break;
	case CONTROL_UPDATE_CONFIGS:
		TRY(configs_to_message(&request->update_configs, arena, m));
		break;
	default:
		unreachable("a control request of no kind");
	}
	*ret_message = m;
	return STATUS_OK;
}

/* --- message to struct ---------------------------------------------------- */

static enum status ids_from_message(const int32_t *ids, size_t count, int32_t **ret_ids, size_t *ret_count)
{
	for (size_t i = 0; i < count; i++) {
		if (ids[i] < 0)
			return STATUS_INVALID_REQUEST;
	}
	*ret_ids = check_alloc(count * sizeof *ids + 1);
	if (count > 0)
		memcpy(*ret_ids, ids, count * sizeof *ids);
	*ret_count = count;
	return STATUS_OK;
}

static enum status partition_from_message(const Correio__ControlPartition *m, struct control_partition *p)
{
	if (m->partition < 0 || m->leader < -2 || m->leader_epoch < -2)
		return STATUS_INVALID_REQUEST;
	p->partition = m->partition;
	p->leader = m->leader;
	p->leader_epoch = m->leader_epoch;
	p->partition_epoch = m->partition_epoch;
	p->controller_epoch = m->controller_epoch;
	p->is_new = m->is_new;
	TRY(ids_from_message(m->isr, m->n_isr, &p->isr, &p->isr_count));
	return ids_from_message(m->replicas, m->n_replicas, &p->replicas, &p->replica_count);
}

/* Counts grow as entries become whole, so that what was made before a failure can be freed. */
static enum status topic_from_message(const Correio__ControlTopic *m, struct control_topic *t)
{
	TRY(topic_name_check(slice_of_str(m->name)));
	if (m->topic_id.len != 0 && m->topic_id.len != sizeof t->id.b)
		return STATUS_INVALID_REQUEST;
	t->name = check_strdup(m->name);
	if (m->topic_id.len != 0)
		memcpy(t->id.b, m->topic_id.data, sizeof t->id.b);
	t->partitions = check_calloc(m->n_partitions + 1, sizeof *t->partitions);
	for (size_t i = 0; i < m->n_partitions; i++) {
		t->partition_count = i + 1;
		TRY(partition_from_message(m->partitions[i], &t->partitions[i]));
	}
	return STATUS_OK;
}

static enum status topics_from_message(Correio__ControlTopic *const *m, size_t count, struct control_topic **topics,
	size_t *topic_count)
{
	*topics = check_calloc(count + 1, sizeof **topics);
	for (size_t i = 0; i < count; i++) {
		*topic_count = i + 1;
		TRY(topic_from_message(m[i], &(*topics)[i]));
	}
	return STATUS_OK;
}

static enum status broker_from_message(const Correio__ControlBroker *m, struct control_broker *b)
{
	if (m->id < 0)
		return STATUS_INVALID_REQUEST;
	b->id = m->id;
	b->epoch = m->epoch;
	b->rack = m->rack[0] == '\0' ? NULL : check_strdup(m->rack);
	b->endpoints = check_calloc(m->n_endpoints + 1, sizeof *b->endpoints);
	for (size_t i = 0; i < m->n_endpoints; i++) {
		const Correio__ControlEndpoint *e = m->endpoints[i];
		if (e->port < 0 || e->port > 65535)
			return STATUS_INVALID_REQUEST;
		b->endpoints[i].listener = check_strdup(e->listener);
		b->endpoints[i].host = check_strdup(e->host);
		b->endpoints[i].port = e->port;
		b->endpoint_count = i + 1;
	}
	return STATUS_OK;
}

static enum status metadata_from_message(const Correio__UpdateMetadata *m, struct update_metadata_request *r)
{
	r->full = m->full;
	r->brokers = check_calloc(m->n_brokers + 1, sizeof *r->brokers);
	for (size_t i = 0; i < m->n_brokers; i++) {
		r->broker_count = i + 1;
		TRY(broker_from_message(m->brokers[i], &r->brokers[i]));
	}
	return topics_from_message(m->topics, m->n_topics, &r->topics, &r->topic_count);
}

static enum status stop_replica_from_message(const Correio__StopReplica *m, struct stop_replica_request *r)
{
	r->partitions = check_calloc(m->n_partitions + 1, sizeof *r->partitions);
	for (size_t i = 0; i < m->n_partitions; i++) {
		const Correio__StopReplicaEntry *e = m->partitions[i];
		TRY(topic_partition_set(&r->partitions[i].tp, slice_of_str(e->topic), e->partition));
		r->partitions[i].leader_epoch = e->leader_epoch;
		r->partitions[i].delete_log = e->delete_log;
	}
	r->partition_count = m->n_partitions;
	return STATUS_OK;
}

static enum status configs_from_message(const Correio__UpdateConfigs *m, struct update_configs_request *r)
{
	r->topics = check_calloc(m->n_topics + 1, sizeof *r->topics);
	for (size_t i = 0; i < m->n_topics; i++) {
		const Correio__ControlTopicConfig *c = m->topics[i];
		TRY(topic_name_check(slice_of_str(c->topic)));
		r->topics[i].topic = check_strdup(c->topic);
		r->topics[i].entries = check_calloc(c->n_entries + 1, sizeof *r->topics[i].entries);
		for (size_t j = 0; j < c->n_entries; j++) {
			r->topics[i].entries[j].key = check_strdup(c->entries[j]->key);
			r->topics[i].entries[j].value = check_strdup(c->entries[j]->value);
		}
		r->topics[i].entry_count = c->n_entries;
		r->topic_count = i + 1;
	}
	return STATUS_OK;
}

static enum status body_from_message(const Correio__ControlRequest *m, struct control_request *r)
{
	switch ((int)m->message_case) { /* protobuf-c adds enumerators of its own */
	case CORREIO__CONTROL_REQUEST__MESSAGE_UPDATE_METADATA:
		r->kind = CONTROL_UPDATE_METADATA;
		return metadata_from_message(m->update_metadata, &r->update_metadata);
	case CORREIO__CONTROL_REQUEST__MESSAGE_LEADER_AND_ISR:
		r->kind = CONTROL_LEADER_AND_ISR;
		return topics_from_message(m->leader_and_isr->topics, m->leader_and_isr->n_topics, &r->leader_and_isr.topics,
			&r->leader_and_isr.topic_count);
	case CORREIO__CONTROL_REQUEST__MESSAGE_STOP_REPLICA:
		r->kind = CONTROL_STOP_REPLICA;
		return stop_replica_from_message(m->stop_replica, &r->stop_replica);
	case CORREIO__CONTROL_REQUEST__MESSAGE_UPDATE_CONFIGS:
		r->kind = CONTROL_UPDATE_CONFIGS;
		return configs_from_message(m->update_configs, &r->update_configs);
	case CORREIO__CONTROL_REQUEST__MESSAGE__NOT_SET:
	default:
		return STATUS_UNSUPPORTED_VERSION;
	}
}

enum status control_codec_request_from_message(const struct Correio__ControlRequest *message,
	struct control_request *ret_request, struct failure *ret_failure)
{
	struct control_request r = {0};
	enum status s = body_from_message(message, &r);
	r.header = (struct control_header){.controller_id = message->controller_id,
		.controller_epoch = message->controller_epoch, .broker_epoch = message->broker_epoch};
	if (s == STATUS_OK) {
		*ret_request = r;
		return STATUS_OK;
	}
	control_request_fini(&r);
	if (s == STATUS_UNSUPPORTED_VERSION)
		return failure_set(ret_failure, s, "control request of a kind this broker does not know: upgrade the broker");
	return failure_set(ret_failure, STATUS_INVALID_REQUEST,
		"control request of controller %d: a topic name, partition, broker id, port or topic id is not possible",
		message->controller_id);
}

/* --- responses ------------------------------------------------------------ */

enum status control_codec_response_to_message(const struct control_response *response, struct arena *arena,
	struct Correio__ControlResponse **ret_message)
{
	Correio__ControlResponse *m = arena_calloc(arena, 1, sizeof *m);
	Correio__ControlPartitionResult *items;
	if (m == NULL)
		return STATUS_TOO_LARGE;
	correio__control_response__init(m);
	if (!ARENA_MESSAGES(arena, response->result_count, Correio__ControlPartitionResult, m->results, items))
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < response->result_count; i++) {
		correio__control_partition_result__init(&items[i]);
		items[i].topic = text_of(response->results[i].tp.topic);
		items[i].partition = response->results[i].tp.partition;
		items[i].error_code = status_code(response->results[i].status);
		m->results[i] = &items[i];
	}
	m->n_results = response->result_count;
	*ret_message = m;
	return STATUS_OK;
}

enum status control_codec_response_from_message(const struct Correio__ControlResponse *message,
	int32_t error_code, struct control_response *ret_response)
{
	if (error_code < INT16_MIN || error_code > INT16_MAX)
		return STATUS_INVALID_REQUEST;
	struct control_response r = {.status = status_from_code((int16_t)error_code)};
	if (message == NULL) {
		if (r.status == STATUS_OK)
			return STATUS_INVALID_REQUEST;
		*ret_response = r;
		return STATUS_OK;
	}
	r.results = check_calloc(message->n_results + 1, sizeof *r.results);
	for (size_t i = 0; i < message->n_results; i++) {
		const Correio__ControlPartitionResult *m = message->results[i];
		enum status s = topic_partition_set(&r.results[i].tp, slice_of_str(m->topic), m->partition);
		if (s != STATUS_OK || m->error_code < INT16_MIN || m->error_code > INT16_MAX) {
			free(r.results);
			return STATUS_INVALID_REQUEST;
		}
		r.results[i].status = status_from_code((int16_t)m->error_code);
	}
	r.result_count = message->n_results;
	*ret_response = r;
	return STATUS_OK;
}
