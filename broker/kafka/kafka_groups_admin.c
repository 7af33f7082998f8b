/* FindCoordinator, DescribeGroups, ListGroups, DeleteGroups. */
#include "kafka/kafka_groups.h"
#include "kafka/kafka_handlers.h"

#include <stdlib.h>

enum {
	MIB = 1024 * 1024,
	FIND_WITH_KEYS = 4,
	KEY_GROUP = 0,
	KEY_TRANSACTION = 1,
	DESCRIBE_BUDGET = 128 * MIB,
	DELETE_BUDGET = 4 * MIB,
	/* Read, delete, describe: what every client may do to a group without an authorizer (AclEntry.supportedOperations). */
	GROUP_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8,
};

/* --- find ------------------------------------------------------------------ */

struct kafka_find {
	struct kafka_call *call;
	struct coordinator_lookup lookup;
};

static void fill_coordinator(const struct coordinator_lookup_key *k, struct kafka_find_coordinator_response_coordinator *to)
{
	bool found = k->status == STATUS_OK;
	to->key = k->key;
	to->error_code = status_code(k->status);
	to->error_message = found ? "" : kafka_call_message(k->status, k->message);
	to->node_id = found ? k->coordinator.broker_id : -1;
	to->host = found ? kafka_groups_text(k->coordinator.host) : "";
	to->port = found ? k->coordinator.port : -1;
}

/* Before version 4 the one coordinator is the message. The message of success is "NONE", as in Kafka. */
static void flatten_coordinator(const struct kafka_find_coordinator_response_coordinator *from, struct kafka_find_coordinator_response *m)
{
	m->error_code = from->error_code;
	m->error_message = from->error_code == 0 ? "NONE" : from->error_message;
	m->node_id = from->node_id;
	m->host = from->host;
	m->port = from->port;
}

static void found(struct coordinator_lookup *l)
{
	struct kafka_find *f = l->arg;
	struct kafka_call *c = CAST(kafka_call, f->call);
	struct kafka_find_coordinator_response m;
	kafka_messages_init(c->api->response, &m);
	struct kafka_find_coordinator_response_coordinator *list =
		KAFKA_CALL_NEW(c, find_coordinator_response_coordinator, (int32_t)l->key_count);
	if (list == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (size_t i = 0; i < l->key_count; i++)
		fill_coordinator(&l->keys[i], &list[i]);
	if (c->header.api_version >= FIND_WITH_KEYS) {
		m.coordinators = list;
		m.coordinators_count = (int32_t)l->key_count;
	} else {
		flatten_coordinator(&list[0], &m);
	}
	kafka_call_answer(c, &m, NULL);
}

void kafka_groups_find_coordinator(struct kafka_call *c)
{
	const struct kafka_find_coordinator_request *m = c->body;
	bool many = c->header.api_version >= FIND_WITH_KEYS;
	struct kafka_find *f = kafka_call_array(c, 1, sizeof(*f));
	size_t count = many ? (size_t)m->coordinator_keys_count : 1;
	struct coordinator_lookup_key *keys = kafka_call_array(c, count, sizeof(*keys));
	if (f == NULL || keys == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct coordinator_lookup_key){
			.key = many ? m->coordinator_keys[i] : m->key,
			.coordinator = {.broker_id = -1, .leader_epoch = -1, .port = -1},
		};
	f->call = c;
	f->lookup = (struct coordinator_lookup){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.kind = m->key_type == KEY_TRANSACTION ? COORDINATOR_KEY_TRANSACTION : COORDINATOR_KEY_GROUP,
		.keys = keys,
		.key_count = count,
		.done = found,
		.arg = f,
	};
	if (m->key_type == KEY_GROUP || m->key_type == KEY_TRANSACTION) {
		group_service_find(&f->lookup);
		return;
	}
	for (size_t i = 0; i < count; i++)
		keys[i].status = STATUS_INVALID_REQUEST;
	found(&f->lookup);
}

/* --- describe --------------------------------------------------------------- */

static bool fill_described(struct kafka_call *c, const struct group_request *r, struct kafka_describe_groups_response_group *g)
{
	const struct kafka_describe_groups_request *asked = c->body;
	const struct group_request_describe *d = &r->describe;
	g->group_id = r->group_id;
	g->error_code = status_code(r->status);
	if (r->status != STATUS_OK)
		return true;
	g->group_state = kafka_groups_text(d->state);
	g->protocol_type = kafka_groups_text(d->protocol_type);
	g->protocol_data = kafka_groups_text(d->protocol);
	if (asked->include_authorized_operations)
		g->authorized_operations = GROUP_OPERATIONS;
	g->members_count = (int32_t)d->member_count;
	g->members = KAFKA_CALL_NEW(c, describe_groups_response_group_member, g->members_count);
	for (size_t i = 0; g->members != NULL && i < d->member_count; i++) {
		const struct group_request_member *from = &d->members[i];
		g->members[i] = (struct kafka_describe_groups_response_group_member){
			.member_id = kafka_groups_text(from->member_id),
			.group_instance_id = from->instance_id,
			.client_id = kafka_groups_text(from->client_id),
			.client_host = kafka_groups_text(from->client_host),
			.member_metadata = from->metadata,
			.member_assignment = from->assignment,
		};
	}
	return g->members != NULL;
}

static void described(struct group_fan *f)
{
	struct kafka_call *c = CAST(kafka_call, f->arg);
	struct kafka_describe_groups_response m;
	kafka_messages_init(c->api->response, &m);
	m.groups_count = (int32_t)f->count;
	m.groups = KAFKA_CALL_NEW(c, describe_groups_response_group, m.groups_count);
	bool filled = m.groups != NULL;
	for (size_t i = 0; filled && i < f->count; i++)
		filled = fill_described(c, &f->parts[i].request, &m.groups[i]);
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_groups_describe(struct kafka_call *c)
{
	const struct kafka_describe_groups_request *m = c->body;
	struct group_fan *f = kafka_groups_fan(c, (size_t)m->groups_count, DESCRIBE_BUDGET);
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		f->parts[i].request.kind = GROUP_REQUEST_DESCRIBE;
		f->parts[i].request.group_id = m->groups[i];
	}
	f->done = described;
	group_fan_start(f);
}

/* --- list ------------------------------------------------------------------ */

struct kafka_list {
	struct kafka_call *call;
	struct group_service_list list;
};

static void listed(struct group_service_list *l)
{
	struct kafka_list *k = l->arg;
	struct kafka_call *c = CAST(kafka_call, k->call);
	struct kafka_list_groups_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(l->list.status);
	m.groups_count = (int32_t)l->list.group_count;
	m.groups = KAFKA_CALL_NEW(c, list_groups_response_group, m.groups_count);
	if (m.groups == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (size_t i = 0; i < l->list.group_count; i++) {
		const struct group_list_entry *from = &l->list.groups[i];
		m.groups[i] = (struct kafka_list_groups_response_group){
			.group_id = from->group_id,
			.protocol_type = kafka_groups_text(from->protocol_type),
			.group_state = from->state,
			.group_type = from->type,
		};
	}
	kafka_call_answer(c, &m, NULL);
}

void kafka_groups_list(struct kafka_call *c)
{
	const struct kafka_list_groups_request *m = c->body;
	struct kafka_list *k = kafka_call_array(c, 1, sizeof(*k));
	if (k == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	k->call = c;
	k->list = (struct group_service_list){
		.service = c->service,
		.list = {
			.arena = &c->request->arena,
			.states = m->states_filter,
			.state_count = (size_t)m->states_filter_count,
			.types = m->types_filter,
			.type_count = (size_t)m->types_filter_count,
		},
		.done = listed,
		.arg = k,
	};
	group_service_list(&k->list);
}

/* --- delete ---------------------------------------------------------------- */

static void deleted(struct group_fan *f)
{
	struct kafka_call *c = CAST(kafka_call, f->arg);
	struct kafka_delete_groups_response m;
	kafka_messages_init(c->api->response, &m);
	m.results_count = (int32_t)f->count;
	m.results = KAFKA_CALL_NEW(c, delete_groups_response_result, m.results_count);
	if (m.results == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		m.results[i].group_id = f->parts[i].request.group_id;
		m.results[i].error_code = status_code(f->parts[i].request.status);
	}
	kafka_call_answer(c, &m, NULL);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A group named twice is deleted, and answered, once: the answer is a map. Returns how many are left, sorted. */
static size_t distinct(const char **names, size_t count)
{
	size_t n = 0;
	if (count > 1)
		qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++)
		if (n == 0 || strcmp(names[i], names[n - 1]) != 0)
			names[n++] = names[i];
	return n;
}

void kafka_groups_delete(struct kafka_call *c)
{
	const struct kafka_delete_groups_request *m = c->body;
	const char **names = kafka_call_array(c, (size_t)m->groups_names_count, sizeof(*names));
	if (names == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < m->groups_names_count; i++)
		names[i] = m->groups_names[i];
	struct group_fan *f = kafka_groups_fan(c, distinct(names, (size_t)m->groups_names_count), DELETE_BUDGET);
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		f->parts[i].request.kind = GROUP_REQUEST_DELETE;
		f->parts[i].request.group_id = names[i];
	}
	f->done = deleted;
	group_fan_start(f);
}
