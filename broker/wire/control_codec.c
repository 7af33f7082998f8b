#include "wire/control_codec.h"
#include "wire/control_codec_internal.h"

const struct kafka_api *control_codec_api(enum control_kind kind)
{
	switch (kind) {
	case CONTROL_UPDATE_METADATA:
		return kafka_messages_api(KAFKA_API_update_metadata);
	case CONTROL_LEADER_AND_ISR:
		return kafka_messages_api(KAFKA_API_leader_and_isr);
	case CONTROL_STOP_REPLICA:
		return kafka_messages_api(KAFKA_API_stop_replica);
	}
	unreachable("a control request of no kind");
}

int16_t control_codec_version(const struct control_request *request, int16_t newest)
{
	int16_t last = control_codec_api(request->kind)->last;
	int16_t version = newest < last ? newest : last;
	if (request->kind != CONTROL_LEADER_AND_ISR || version < CONTROL_ROLES_BY_ID)
		return version;
	for (size_t i = 0; i < request->leader_and_isr.topic_count; i++)
		if (uuid_is_zero(&request->leader_and_isr.topics[i].id))
			return CONTROL_ROLES_BY_ID - 1;
	return version;
}

/* Elements with every field at its default. NULL: the arena is full. */
static void *parts(struct arena *a, const struct kafka_struct *s, size_t count)
{
	uint8_t *items = count > INT32_MAX ? NULL : arena_calloc(a, count + 1, s->size);
	for (size_t i = 0; items != NULL && i < count; i++)
		kafka_messages_init(s, &items[i * s->size]);
	return items;
}
#define PARTS(arena, type, count) ((struct kafka_##type *)parts(arena, &kafka_struct_##type, count))

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static void roles_partition(const char *topic, const struct control_partition *p, struct kafka_leader_and_isr_request_partition_state *m)
{
	m->topic_name = topic;
	m->partition_index = p->partition;
	m->controller_epoch = p->controller_epoch;
	m->leader = p->leader;
	m->leader_epoch = p->leader_epoch;
	m->isr = p->isr;
	m->isr_count = (int32_t)p->isr_count;
	m->partition_epoch = p->partition_epoch;
	m->replicas = p->replicas;
	m->replicas_count = (int32_t)p->replica_count;
	m->adding_replicas = p->adding;
	m->adding_replicas_count = (int32_t)p->adding_count;
	m->removing_replicas = p->removing;
	m->removing_replicas_count = (int32_t)p->removing_count;
	m->is_new = p->is_new;
	m->leader_recovery_state = p->leader_recovery_state;
}

static size_t partitions_in(const struct control_topic *topics, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += topics[i].partition_count;
	return n;
}

static enum status roles_topics(const struct leader_and_isr_request *r, int16_t version, struct arena *a,
	struct kafka_leader_and_isr_request *m)
{
	size_t at = 0;
	struct kafka_leader_and_isr_request_partition_state *all =
		PARTS(a, leader_and_isr_request_partition_state, partitions_in(r->topics, r->topic_count));
	struct kafka_leader_and_isr_request_topic_state *topics = PARTS(a, leader_and_isr_request_topic_state, r->topic_count);
	if (all == NULL || topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->topic_count; i++) {
		const struct control_topic *t = &r->topics[i];
		topics[i].topic_name = t->name;
		topics[i].topic_id = t->id;
		topics[i].partition_states = &all[at];
		topics[i].partition_states_count = (int32_t)t->partition_count;
		for (size_t k = 0; k < t->partition_count; k++)
			roles_partition(t->name, &t->partitions[k], &all[at++]);
	}
	if (version < CONTROL_ROLES_BY_TOPIC) {
		m->ungrouped_partition_states = all;
		m->ungrouped_partition_states_count = (int32_t)at;
	} else {
		m->topic_states = topics;
		m->topic_states_count = (int32_t)r->topic_count;
	}
	return STATUS_OK;
}

static enum status roles_to_body(const struct leader_and_isr_request *r, int16_t version, struct arena *a, void **ret_body)
{
	struct kafka_leader_and_isr_request *m = PARTS(a, leader_and_isr_request, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->controller_id = r->header.controller_id;
	m->controller_epoch = r->header.controller_epoch;
	m->broker_epoch = r->header.broker_epoch;
	m->live_leaders = PARTS(a, leader_and_isr_request_live_leader, r->live_leader_count);
	if (m->live_leaders == NULL)
		return STATUS_TOO_LARGE;
	m->live_leaders_count = (int32_t)r->live_leader_count;
	for (size_t i = 0; i < r->live_leader_count; i++) {
		m->live_leaders[i].broker_id = r->live_leaders[i].id;
		m->live_leaders[i].host_name = r->live_leaders[i].host;
		m->live_leaders[i].port = r->live_leaders[i].port;
	}
	TRY(roles_topics(r, version, a, m));
	*ret_body = m;
	return STATUS_OK;
}

static enum status picture_broker(const struct control_broker *b, struct arena *a, struct kafka_update_metadata_request_live_broker *m)
{
	m->id = b->id;
	m->rack = b->rack;
	m->endpoints = PARTS(a, update_metadata_request_live_broker_endpoint, b->endpoint_count);
	if (m->endpoints == NULL)
		return STATUS_TOO_LARGE;
	m->endpoints_count = (int32_t)b->endpoint_count;
	for (size_t i = 0; i < b->endpoint_count; i++) {
		m->endpoints[i].port = b->endpoints[i].port;
		m->endpoints[i].host = b->endpoints[i].host;
		m->endpoints[i].listener = b->endpoints[i].listener;
		m->endpoints[i].security_protocol = b->endpoints[i].security;
		bool plain = b->endpoints[i].security == CONTROL_SECURITY_PLAINTEXT;
		if (plain && m->v0_host[0] == '\0') { /* version 0 knew one address, without protection */
			m->v0_host = b->endpoints[i].host;
			m->v0_port = b->endpoints[i].port;
		}
	}
	return STATUS_OK;
}

static void picture_partition(const char *topic, const struct control_partition *p, struct kafka_update_metadata_request_partition_state *m)
{
	m->topic_name = topic;
	m->partition_index = p->partition;
	m->controller_epoch = p->controller_epoch;
	m->leader = p->leader;
	m->leader_epoch = p->leader_epoch;
	m->isr = p->isr;
	m->isr_count = (int32_t)p->isr_count;
	m->zk_version = p->partition_epoch;
	m->replicas = p->replicas;
	m->replicas_count = (int32_t)p->replica_count;
	m->offline_replicas = p->offline;
	m->offline_replicas_count = (int32_t)p->offline_count;
}

static enum status picture_topics(const struct update_metadata_request *r, int16_t version, struct arena *a,
	struct kafka_update_metadata_request *m)
{
	size_t at = 0;
	struct kafka_update_metadata_request_partition_state *all =
		PARTS(a, update_metadata_request_partition_state, partitions_in(r->topics, r->topic_count));
	struct kafka_update_metadata_request_topic_state *topics = PARTS(a, update_metadata_request_topic_state, r->topic_count);
	if (all == NULL || topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->topic_count; i++) {
		const struct control_topic *t = &r->topics[i];
		topics[i].topic_name = t->name;
		topics[i].topic_id = t->id;
		topics[i].partition_states = &all[at];
		topics[i].partition_states_count = (int32_t)t->partition_count;
		for (size_t k = 0; k < t->partition_count; k++)
			picture_partition(t->name, &t->partitions[k], &all[at++]);
	}
	if (version < CONTROL_PICTURE_BY_TOPIC) {
		m->ungrouped_partition_states = all;
		m->ungrouped_partition_states_count = (int32_t)at;
	} else {
		m->topic_states = topics;
		m->topic_states_count = (int32_t)r->topic_count;
	}
	return STATUS_OK;
}

static enum status picture_to_body(const struct update_metadata_request *r, int16_t version, struct arena *a, void **ret_body)
{
	struct kafka_update_metadata_request *m = PARTS(a, update_metadata_request, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->controller_id = r->header.controller_id;
	m->controller_epoch = r->header.controller_epoch;
	m->broker_epoch = r->header.broker_epoch;
	m->type = r->full ? CONTROL_TYPE_FULL : CONTROL_TYPE_UNKNOWN;
	m->live_brokers = PARTS(a, update_metadata_request_live_broker, r->broker_count);
	if (m->live_brokers == NULL)
		return STATUS_TOO_LARGE;
	m->live_brokers_count = (int32_t)r->broker_count;
	for (size_t i = 0; i < r->broker_count; i++)
		TRY(picture_broker(&r->brokers[i], a, &m->live_brokers[i]));
	TRY(picture_topics(r, version, a, m));
	*ret_body = m;
	return STATUS_OK;
}

/* One topic after the other; a topic whose partitions do not stand together comes more than once. */
static enum status stop_states(const struct stop_replica_request *r, struct arena *a, struct kafka_stop_replica_request *m)
{
	struct kafka_stop_replica_request_topic_state *t = PARTS(a, stop_replica_request_topic_state, r->partition_count);
	struct kafka_stop_replica_request_topic_state_partition_state *all =
		PARTS(a, stop_replica_request_topic_state_partition_state, r->partition_count);
	if (t == NULL || all == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->partition_count; i++) {
		const struct stop_replica_partition *p = &r->partitions[i];
		all[i].partition_index = p->tp.partition;
		all[i].leader_epoch = p->leader_epoch;
		all[i].delete_partition = p->delete_log;
		int32_t last = m->topic_states_count - 1;
		if (last < 0 || strcmp(t[last].topic_name, p->tp.topic) != 0) {
			last = m->topic_states_count++;
			t[last].topic_name = p->tp.topic;
			t[last].partition_states = &all[i];
		}
		t[last].partition_states_count++;
	}
	m->topic_states = t;
	return STATUS_OK;
}

/* Versions 0 to 2: one flag for all. */
static enum status stop_flat(const struct stop_replica_request *r, struct arena *a, struct kafka_stop_replica_request *m)
{
	struct kafka_stop_replica_request_ungrouped_partition *u = PARTS(a, stop_replica_request_ungrouped_partition, r->partition_count);
	struct kafka_stop_replica_request_topic *t = PARTS(a, stop_replica_request_topic, r->partition_count);
	if (u == NULL || t == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->partition_count; i++) {
		const struct stop_replica_partition *p = &r->partitions[i];
		if (p->delete_log != r->partitions[0].delete_log)
			return STATUS_UNSUPPORTED_VERSION;
		u[i].topic_name = p->tp.topic;
		u[i].partition_index = p->tp.partition;
		t[i].name = p->tp.topic;
		t[i].partition_indexes = &p->tp.partition;
		t[i].partition_indexes_count = 1;
	}
	m->delete_partitions = r->partition_count > 0 && r->partitions[0].delete_log;
	m->ungrouped_partitions = u;
	m->ungrouped_partitions_count = (int32_t)r->partition_count;
	m->topics = t;
	m->topics_count = (int32_t)r->partition_count;
	return STATUS_OK;
}

static enum status stop_to_body(const struct stop_replica_request *r, int16_t version, struct arena *a, void **ret_body)
{
	struct kafka_stop_replica_request *m = PARTS(a, stop_replica_request, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->controller_id = r->header.controller_id;
	m->controller_epoch = r->header.controller_epoch;
	m->broker_epoch = r->header.broker_epoch;
	TRY(version < CONTROL_STOP_BY_STATE ? stop_flat(r, a, m) : stop_states(r, a, m));
	*ret_body = m;
	return STATUS_OK;
}

enum status control_codec_request_to_body(const struct control_request *request, int16_t version, struct arena *arena, void **ret_body)
{
	switch (request->kind) {
	case CONTROL_UPDATE_METADATA:
		return picture_to_body(&request->update_metadata, version, arena, ret_body);
	case CONTROL_LEADER_AND_ISR:
		return roles_to_body(&request->leader_and_isr, version, arena, ret_body);
	case CONTROL_STOP_REPLICA:
		return stop_to_body(&request->stop_replica, version, arena, ret_body);
	}
	unreachable("a control request of no kind");
}

/* --- responses ------------------------------------------------------------------------------------------------------------ */

/* Version 5 on: topics by the ids of the request, whose partitions the results follow in order. */
static enum status roles_results_by_id(const struct kafka_leader_and_isr_request *request, const struct control_response *response,
	struct arena *a, struct kafka_leader_and_isr_response *m)
{
	size_t at = 0, topics = request->topic_states_count > 0 ? (size_t)request->topic_states_count : 0;
	struct kafka_leader_and_isr_response_partition_error *all =
		PARTS(a, leader_and_isr_response_partition_error, response->result_count);
	m->topics = PARTS(a, leader_and_isr_response_topic, topics);
	if (m->topics == NULL || all == NULL)
		return STATUS_TOO_LARGE;
	if (response->result_count == 0)
		return STATUS_OK;
	for (size_t i = 0; i < topics; i++) {
		const struct kafka_leader_and_isr_request_topic_state *t = &request->topic_states[i];
		m->topics[i].topic_id = t->topic_id;
		m->topics[i].partition_errors = &all[at];
		for (int32_t k = 0; k < t->partition_states_count; k++, at++) {
			expect(at < response->result_count);
			all[at].partition_index = t->partition_states[k].partition_index;
			all[at].error_code = status_code(response->results[at].status);
			m->topics[i].partition_errors_count++;
		}
	}
	m->topics_count = (int32_t)topics;
	return STATUS_OK;
}

static enum status roles_response(int16_t version, const void *request_body, const struct control_response *response,
	struct arena *a, void **ret_body)
{
	struct kafka_leader_and_isr_response *m = PARTS(a, leader_and_isr_response, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->error_code = status_code(response->status);
	*ret_body = m;
	if (version >= CONTROL_ROLES_BY_ID)
		return roles_results_by_id(request_body, response, a, m);
	m->partition_errors = PARTS(a, leader_and_isr_response_partition_error, response->result_count);
	if (m->partition_errors == NULL)
		return STATUS_TOO_LARGE;
	m->partition_errors_count = (int32_t)response->result_count;
	for (size_t i = 0; i < response->result_count; i++) {
		m->partition_errors[i].topic_name = response->results[i].tp.topic;
		m->partition_errors[i].partition_index = response->results[i].tp.partition;
		m->partition_errors[i].error_code = status_code(response->results[i].status);
	}
	return STATUS_OK;
}

/* Kafka says FENCED_LEADER_EPOCH here for what LeaderAndIsr calls STALE_CONTROLLER_EPOCH. */
static int16_t stop_code(enum status s, int16_t version)
{
	bool fenced = s == STATUS_STALE_CONTROLLER_EPOCH && version >= CONTROL_STOP_BY_STATE;
	return status_code(fenced ? STATUS_FENCED_LEADER_EPOCH : s);
}

static enum status stop_response(int16_t version, const struct control_response *response, struct arena *a, void **ret_body)
{
	struct kafka_stop_replica_response *m = PARTS(a, stop_replica_response, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->error_code = status_code(response->status);
	m->partition_errors = PARTS(a, stop_replica_response_partition_error, response->result_count);
	if (m->partition_errors == NULL)
		return STATUS_TOO_LARGE;
	m->partition_errors_count = (int32_t)response->result_count;
	for (size_t i = 0; i < response->result_count; i++) {
		m->partition_errors[i].topic_name = response->results[i].tp.topic;
		m->partition_errors[i].partition_index = response->results[i].tp.partition;
		m->partition_errors[i].error_code = stop_code(response->results[i].status, version);
	}
	*ret_body = m;
	return STATUS_OK;
}

enum status control_codec_response_to_body(enum control_kind kind, int16_t version, const void *request_body,
	const struct control_response *response, struct arena *arena, void **ret_body)
{
	struct kafka_update_metadata_response *m;
	switch (kind) {
	case CONTROL_LEADER_AND_ISR:
		return roles_response(version, request_body, response, arena, ret_body);
	case CONTROL_STOP_REPLICA:
		return stop_response(version, response, arena, ret_body);
	case CONTROL_UPDATE_METADATA:
		m = PARTS(arena, update_metadata_response, 1);
		if (m == NULL)
			return STATUS_TOO_LARGE;
		m->error_code = status_code(response->status);
		*ret_body = m;
		return STATUS_OK;
	}
	unreachable("a control request of no kind");
}
