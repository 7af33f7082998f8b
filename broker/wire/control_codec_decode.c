/* The other way: bodies that came over the network to structs. */
#include "wire/control_codec.h"
#include "wire/control_codec_internal.h"
#include <stdlib.h>

/* Kafka's SecurityProtocol, by code: what listeners were called before they had names. */
static const char *const protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
enum { PROTOCOL_COUNT = sizeof(protocols) / sizeof(protocols[0]), PORT_MAX = 65535, LEADER_LOWEST = -2, EPOCH_LOWEST = -2, STOPS_MAX = 200 * 1000 };

static size_t counted(int32_t count)
{
	return count > 0 ? (size_t)count : 0;
}

static enum status ids_from(const int32_t *ids, int32_t count, int32_t **ret_ids, size_t *ret_count)
{
	for (size_t i = 0; i < counted(count); i++)
		if (ids[i] < 0)
			return STATUS_INVALID_REQUEST;
	*ret_ids = check_alloc(counted(count) * sizeof(int32_t) + 1);
	if (counted(count) > 0)
		memcpy(*ret_ids, ids, counted(count) * sizeof(int32_t));
	*ret_count = counted(count);
	return STATUS_OK;
}

static enum status check_partition(int32_t partition, int32_t leader, int32_t leader_epoch)
{
	bool possible = partition >= 0 && leader >= LEADER_LOWEST && leader_epoch >= EPOCH_LOWEST;
	return possible ? STATUS_OK : STATUS_INVALID_REQUEST;
}

/* Topics grow one partition at a time; counts tell what is whole, so that it can be freed after a failure. */
struct topic_list {
	struct control_topic *items;
	size_t count, capacity, partition_capacity; /* the last: of the newest topic */
};

static enum status topic_begin(struct topic_list *l, const char *name, const struct uuid *id)
{
	TRY(topic_name_check(slice_of_str(name)));
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 16 : 2 * l->capacity;
		l->items = check_realloc(l->items, l->capacity * sizeof(*l->items));
	}
	l->items[l->count] = (struct control_topic){.name = check_strdup(name)};
	if (id != NULL)
		l->items[l->count].id = *id;
	l->count++;
	l->partition_capacity = 0;
	return STATUS_OK;
}

/* Of old versions, where each partition names its topic: those that follow each other share an entry. */
static enum status topic_follow(struct topic_list *l, const char *name)
{
	if (l->count > 0 && strcmp(l->items[l->count - 1].name, name) == 0)
		return STATUS_OK;
	return topic_begin(l, name, NULL);
}

static struct control_partition *topic_add(struct topic_list *l)
{
	expect(l->count > 0);
	struct control_topic *t = &l->items[l->count - 1];
	if (t->partition_count == l->partition_capacity) {
		l->partition_capacity = l->partition_capacity == 0 ? 4 : 2 * l->partition_capacity;
		t->partitions = check_realloc(t->partitions, l->partition_capacity * sizeof(*t->partitions));
	}
	struct control_partition *p = &t->partitions[t->partition_count++];
	*p = (struct control_partition){0};
	return p;
}

/* --- LeaderAndIsr --------------------------------------------------------------------------------------------------------- */

static enum status roles_partition(struct topic_list *l, const struct kafka_leader_and_isr_request_partition_state *m)
{
	TRY(check_partition(m->partition_index, m->leader, m->leader_epoch));
	struct control_partition *p = topic_add(l);
	p->partition = m->partition_index;
	p->leader = m->leader;
	p->leader_epoch = m->leader_epoch;
	p->partition_epoch = m->partition_epoch;
	p->controller_epoch = m->controller_epoch;
	p->is_new = m->is_new;
	p->leader_recovery_state = m->leader_recovery_state;
	TRY(ids_from(m->isr, m->isr_count, &p->isr, &p->isr_count));
	TRY(ids_from(m->replicas, m->replicas_count, &p->replicas, &p->replica_count));
	TRY(ids_from(m->adding_replicas, m->adding_replicas_count, &p->adding, &p->adding_count));
	return ids_from(m->removing_replicas, m->removing_replicas_count, &p->removing, &p->removing_count);
}

static enum status roles_topics(struct topic_list *l, int16_t version, const struct kafka_leader_and_isr_request *m)
{
	if (version < CONTROL_ROLES_BY_TOPIC) {
		for (size_t i = 0; i < counted(m->ungrouped_partition_states_count); i++) {
			TRY(topic_follow(l, m->ungrouped_partition_states[i].topic_name));
			TRY(roles_partition(l, &m->ungrouped_partition_states[i]));
		}
		return STATUS_OK;
	}
	for (size_t i = 0; i < counted(m->topic_states_count); i++) {
		const struct kafka_leader_and_isr_request_topic_state *t = &m->topic_states[i];
		TRY(topic_begin(l, t->topic_name, &t->topic_id));
		for (size_t k = 0; k < counted(t->partition_states_count); k++)
			TRY(roles_partition(l, &t->partition_states[k]));
	}
	return STATUS_OK;
}

static enum status roles_from_body(int16_t version, const struct kafka_leader_and_isr_request *m, struct leader_and_isr_request *r)
{
	struct topic_list topics = {0};
	r->header = (struct control_header){m->controller_id, m->controller_epoch, m->broker_epoch};
	enum status s = m->is_kraft_controller ? STATUS_INVALID_REQUEST : roles_topics(&topics, version, m);
	r->topics = topics.items;
	r->topic_count = topics.count;
	TRY(s);
	r->live_leaders = check_calloc(counted(m->live_leaders_count) + 1, sizeof(*r->live_leaders));
	for (size_t i = 0; i < counted(m->live_leaders_count); i++) {
		const struct kafka_leader_and_isr_request_live_leader *b = &m->live_leaders[i];
		if (b->broker_id < 0 || b->port < 0 || b->port > PORT_MAX)
			return STATUS_INVALID_REQUEST;
		r->live_leaders[i] = (struct control_leader){.id = b->broker_id, .host = check_strdup(b->host_name), .port = b->port};
		r->live_leader_count = i + 1;
	}
	return STATUS_OK;
}

/* --- UpdateMetadata ------------------------------------------------------------------------------------------------------- */

static enum status picture_partition(struct topic_list *l, const struct kafka_update_metadata_request_partition_state *m)
{
	TRY(check_partition(m->partition_index, m->leader, m->leader_epoch));
	struct control_partition *p = topic_add(l);
	p->partition = m->partition_index;
	p->leader = m->leader;
	p->leader_epoch = m->leader_epoch;
	p->partition_epoch = m->zk_version;
	p->controller_epoch = m->controller_epoch;
	TRY(ids_from(m->isr, m->isr_count, &p->isr, &p->isr_count));
	TRY(ids_from(m->replicas, m->replicas_count, &p->replicas, &p->replica_count));
	return ids_from(m->offline_replicas, m->offline_replicas_count, &p->offline, &p->offline_count);
}

static enum status picture_topics(struct topic_list *l, int16_t version, const struct kafka_update_metadata_request *m)
{
	if (version < CONTROL_PICTURE_BY_TOPIC) {
		for (size_t i = 0; i < counted(m->ungrouped_partition_states_count); i++) {
			TRY(topic_follow(l, m->ungrouped_partition_states[i].topic_name));
			TRY(picture_partition(l, &m->ungrouped_partition_states[i]));
		}
		return STATUS_OK;
	}
	for (size_t i = 0; i < counted(m->topic_states_count); i++) {
		const struct kafka_update_metadata_request_topic_state *t = &m->topic_states[i];
		TRY(topic_begin(l, t->topic_name, &t->topic_id));
		for (size_t k = 0; k < counted(t->partition_states_count); k++)
			TRY(picture_partition(l, &t->partition_states[k]));
	}
	return STATUS_OK;
}

static enum status endpoint_from(const char *host, int32_t port, int16_t security, const char *listener, struct control_broker *b)
{
	if (port < 0 || port > PORT_MAX || security < 0 || security >= PROTOCOL_COUNT || host[0] == '\0')
		return STATUS_INVALID_REQUEST;
	b->endpoints[b->endpoint_count++] = (struct control_endpoint){
		.listener = check_strdup(listener[0] == '\0' ? protocols[security] : listener),
		.host = check_strdup(host),
		.port = port,
		.security = security,
	};
	return STATUS_OK;
}

static enum status broker_from(int16_t version, const struct kafka_update_metadata_request_live_broker *m, struct control_broker *b)
{
	if (m->id < 0)
		return STATUS_INVALID_REQUEST;
	b->id = m->id;
	b->epoch = -1; /* is not on the wire */
	b->rack = m->rack == NULL || m->rack[0] == '\0' ? NULL : check_strdup(m->rack);
	b->endpoints = check_calloc(counted(m->endpoints_count) + 1, sizeof(*b->endpoints));
	if (version < CONTROL_PICTURE_ENDPOINTS)
		return endpoint_from(m->v0_host, m->v0_port, CONTROL_SECURITY_PLAINTEXT, "", b);
	for (size_t i = 0; i < counted(m->endpoints_count); i++) {
		const struct kafka_update_metadata_request_live_broker_endpoint *e = &m->endpoints[i];
		const char *listener = version < CONTROL_PICTURE_LISTENERS ? "" : e->listener;
		TRY(endpoint_from(e->host, e->port, e->security_protocol, listener, b));
	}
	return STATUS_OK;
}

static enum status picture_from_body(int16_t version, const struct kafka_update_metadata_request *m, struct update_metadata_request *r)
{
	struct topic_list topics = {0};
	r->header = (struct control_header){m->controller_id, m->controller_epoch, m->broker_epoch};
	r->full = m->type == CONTROL_TYPE_FULL;
	enum status s = m->is_kraft_controller ? STATUS_INVALID_REQUEST : picture_topics(&topics, version, m);
	r->topics = topics.items;
	r->topic_count = topics.count;
	TRY(s);
	r->brokers = check_calloc(counted(m->live_brokers_count) + 1, sizeof(*r->brokers));
	for (size_t i = 0; i < counted(m->live_brokers_count); i++) {
		r->broker_count = i + 1;
		TRY(broker_from(version, &m->live_brokers[i], &r->brokers[i]));
	}
	return STATUS_OK;
}

/* --- StopReplica ---------------------------------------------------------------------------------------------------------- */

static size_t stop_count(int16_t version, const struct kafka_stop_replica_request *m)
{
	size_t n = 0;
	if (version < CONTROL_STOP_BY_TOPIC)
		return counted(m->ungrouped_partitions_count);
	for (size_t i = 0; version < CONTROL_STOP_BY_STATE && i < counted(m->topics_count); i++)
		n += counted(m->topics[i].partition_indexes_count);
	for (size_t i = 0; version >= CONTROL_STOP_BY_STATE && i < counted(m->topic_states_count); i++)
		n += counted(m->topic_states[i].partition_states_count);
	return n;
}

static enum status stop_add(struct stop_replica_request *r, const char *topic, int32_t partition, int32_t leader_epoch, bool delete_log)
{
	struct stop_replica_partition *p = &r->partitions[r->partition_count++];
	TRY(topic_partition_set(&p->tp, slice_of_str(topic), partition));
	if (leader_epoch < EPOCH_LOWEST)
		return STATUS_INVALID_REQUEST;
	p->leader_epoch = leader_epoch;
	p->delete_log = delete_log;
	return STATUS_OK;
}

static enum status stop_partitions(int16_t version, const struct kafka_stop_replica_request *m, struct stop_replica_request *r)
{
	const int32_t unchecked = -1;
	for (size_t i = 0; version < CONTROL_STOP_BY_TOPIC && i < counted(m->ungrouped_partitions_count); i++) {
		const struct kafka_stop_replica_request_ungrouped_partition *p = &m->ungrouped_partitions[i];
		TRY(stop_add(r, p->topic_name, p->partition_index, unchecked, m->delete_partitions));
	}
	bool by_topic = version >= CONTROL_STOP_BY_TOPIC && version < CONTROL_STOP_BY_STATE;
	for (size_t i = 0; by_topic && i < counted(m->topics_count); i++) {
		const struct kafka_stop_replica_request_topic *t = &m->topics[i];
		for (size_t k = 0; k < counted(t->partition_indexes_count); k++)
			TRY(stop_add(r, t->name, t->partition_indexes[k], unchecked, m->delete_partitions));
	}
	for (size_t i = 0; version >= CONTROL_STOP_BY_STATE && i < counted(m->topic_states_count); i++) {
		const struct kafka_stop_replica_request_topic_state *t = &m->topic_states[i];
		for (size_t k = 0; k < counted(t->partition_states_count); k++) {
			const struct kafka_stop_replica_request_topic_state_partition_state *p = &t->partition_states[k];
			TRY(stop_add(r, t->topic_name, p->partition_index, p->leader_epoch, p->delete_partition));
		}
	}
	return STATUS_OK;
}

static enum status stop_from_body(int16_t version, const struct kafka_stop_replica_request *m, struct stop_replica_request *r)
{
	r->header = (struct control_header){m->controller_id, m->controller_epoch, m->broker_epoch};
	if (m->is_kraft_controller || stop_count(version, m) > STOPS_MAX) /* each is many times its bytes on the wire */
		return STATUS_INVALID_REQUEST;
	r->partitions = check_calloc(stop_count(version, m) + 1, sizeof(*r->partitions));
	return stop_partitions(version, m, r);
}

/* --- all of them ---------------------------------------------------------------------------------------------------------- */

enum status control_codec_request_from_body(enum control_kind kind, int16_t version, const void *body, struct control_request *ret_request,
	struct failure *ret_failure)
{
	struct control_request r = {.kind = kind};
	enum status s = STATUS_INVALID_REQUEST;
	switch (kind) {
	case CONTROL_UPDATE_METADATA:
		s = picture_from_body(version, body, &r.update_metadata);
		break;
	case CONTROL_LEADER_AND_ISR:
		s = roles_from_body(version, body, &r.leader_and_isr);
		break;
	case CONTROL_STOP_REPLICA:
		s = stop_from_body(version, body, &r.stop_replica);
		break;
	}
	if (s == STATUS_OK && r.header.controller_id >= 0 && r.header.controller_epoch >= 0) {
		*ret_request = r;
		return STATUS_OK;
	}
	int32_t controller = r.header.controller_id;
	control_request_fini(&r);
	return failure_set(ret_failure, STATUS_INVALID_REQUEST, "request of controller %d: it is a KRaft controller, or a topic name, "
		"partition, epoch, broker id, host or port is not possible", controller);
}

static int compare_ids(const void *a, const void *b)
{
	const struct control_topic *const *x = a, *const *y = b;
	return memcmp((*x)->id.b, (*y)->id.b, sizeof((*x)->id.b));
}

/* Sorted by id; the caller's to free. */
static const struct control_topic **topics_by_id(const struct leader_and_isr_request *r)
{
	const struct control_topic **sorted = check_calloc(r->topic_count + 1, sizeof(*sorted));
	for (size_t i = 0; i < r->topic_count; i++)
		sorted[i] = &r->topics[i];
	if (r->topic_count > 1)
		qsort(sorted, r->topic_count, sizeof(*sorted), compare_ids);
	return sorted;
}

static const char *name_of(const struct control_topic **sorted, size_t count, const struct uuid *id)
{
	const struct control_topic key = {.id = *id}, *wanted = &key;
	const struct control_topic **found = bsearch(&wanted, sorted, count, sizeof(*sorted), compare_ids);
	return found == NULL ? "" : (*found)->name;
}

static void result_add(struct control_response *r, const char *topic, int32_t partition, int16_t code)
{
	struct control_partition_result *p = &r->results[r->result_count];
	if (topic_partition_set(&p->tp, slice_of_str(topic), partition) != STATUS_OK)
		return;
	p->status = status_from_code(code);
	r->result_count++;
}

static void roles_results(const struct leader_and_isr_request *request, int16_t version, const struct kafka_leader_and_isr_response *m,
	struct control_response *r)
{
	size_t n = counted(m->partition_errors_count);
	for (size_t i = 0; i < counted(m->topics_count); i++)
		n += counted(m->topics[i].partition_errors_count);
	r->status = status_from_code(m->error_code);
	r->results = check_calloc(n + 1, sizeof(*r->results));
	for (size_t i = 0; version < CONTROL_ROLES_BY_ID && i < counted(m->partition_errors_count); i++)
		result_add(r, m->partition_errors[i].topic_name, m->partition_errors[i].partition_index, m->partition_errors[i].error_code);
	if (version < CONTROL_ROLES_BY_ID)
		return;
	const struct control_topic **sorted = topics_by_id(request);
	for (size_t i = 0; i < counted(m->topics_count); i++) {
		const struct kafka_leader_and_isr_response_topic *t = &m->topics[i];
		const char *name = name_of(sorted, request->topic_count, &t->topic_id);
		for (size_t k = 0; k < counted(t->partition_errors_count); k++)
			result_add(r, name, t->partition_errors[k].partition_index, t->partition_errors[k].error_code);
	}
	free(sorted);
}

static void stop_results(const struct kafka_stop_replica_response *m, struct control_response *r)
{
	r->status = status_from_code(m->error_code);
	r->results = check_calloc(counted(m->partition_errors_count) + 1, sizeof(*r->results));
	for (size_t i = 0; i < counted(m->partition_errors_count); i++)
		result_add(r, m->partition_errors[i].topic_name, m->partition_errors[i].partition_index, m->partition_errors[i].error_code);
}

enum status control_codec_response_from_body(const struct control_request *request, int16_t version, const void *body,
	struct control_response *ret_response)
{
	const struct kafka_update_metadata_response *m;
	*ret_response = (struct control_response){0};
	switch (request->kind) {
	case CONTROL_LEADER_AND_ISR:
		roles_results(&request->leader_and_isr, version, body, ret_response);
		return STATUS_OK;
	case CONTROL_STOP_REPLICA:
		stop_results(body, ret_response);
		return STATUS_OK;
	case CONTROL_UPDATE_METADATA:
		m = body;
		ret_response->status = status_from_code(m->error_code);
		return STATUS_OK;
	}
	unreachable("a control request of no kind");
}
