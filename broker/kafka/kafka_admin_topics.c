/* CreateTopics, DeleteTopics, CreatePartitions: taken by any broker, not only the controller. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/admin_service.h"
#include "service/config_service.h"

enum { CREATE_WITH_CONFIGS = 5, DELETE_WITH_IDS = 6 };

/* What became of one topic of the request: refused here, or an item of the service's request. */
struct outcome {
	struct admin_item *item; /* NULL: refused */
	enum status status;
	const char *text;
};
struct kafka_admin {
	struct kafka_call *call;
	struct outcome *outcomes;
	struct admin_request request;
};

static void admin_abandoned(struct kafka_call *c)
{
	struct kafka_admin *a = c->waiting;
	admin_service_hurry(&a->request);
}

/* Room for count topics, or NULL after the call was aborted. */
static struct kafka_admin *new_admin(struct kafka_call *c, enum admin_kind kind, int32_t count)
{
	struct kafka_admin *a = kafka_call_array(c, 1, sizeof(*a));
	size_t room = count > 0 ? (size_t)count : 0;
	if (a != NULL) {
		a->outcomes = kafka_call_array(c, room, sizeof(*a->outcomes));
		a->request.items = kafka_call_array(c, room, sizeof(*a->request.items));
	}
	if (a == NULL || a->outcomes == NULL || a->request.items == NULL) {
		kafka_call_abort_memory(c);
		return NULL;
	}
	a->call = c;
	a->request.service = c->service;
	a->request.kind = kind;
	a->request.arg = a;
	return a;
}

static void refuse(struct outcome *o, enum status s, const char *text)
{
	expect(s != STATUS_OK && o->item == NULL);
	o->status = s;
	o->text = text;
}

static struct admin_item *accept(struct kafka_admin *a, struct outcome *o, const char *topic)
{
	o->item = &a->request.items[a->request.item_count++];
	o->item->topic = topic;
	return o->item;
}

static void start(struct kafka_admin *a, int32_t timeout_ms, bool validate_only, void (*done)(struct admin_request *r))
{
	struct kafka_call *c = a->call;
	if (c->service->admin == NULL) {
		kafka_call_abort(c, "this process administers no topics");
		return;
	}
	a->request.timeout_ms = timeout_ms;
	a->request.validate_only = validate_only;
	a->request.done = done;
	c->abandoned = admin_abandoned;
	c->waiting = a;
	admin_service_start(&a->request);
}

static enum status outcome_status(const struct outcome *o)
{
	return o->item == NULL ? o->status : o->item->failure.status;
}

static const char *outcome_text(const struct outcome *o)
{
	return kafka_call_message(outcome_status(o), o->item == NULL ? o->text : o->item->failure.text);
}

/* Names, sorted, so that one that comes twice is found in any number of them. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_twice(const char *const *sorted, size_t count, const char *name)
{
	const char *const *found = bsearch(&name, sorted, count, sizeof(*sorted), compare_names);
	expect(found != NULL);
	size_t i = (size_t)(found - sorted);
	return (i > 0 && strcmp(sorted[i - 1], name) == 0) || (i + 1 < count && strcmp(sorted[i + 1], name) == 0);
}

static int32_t *writable(const int32_t *list)
{
	return (int32_t *)(uintptr_t)list; /* in our arena; services only read it */
}

/* --- create -------------------------------------------------------------- */

static bool fill_configs(struct kafka_call *c, const char *topic, struct kafka_create_topics_response_topic *to)
{
	struct config_rows rows;
	char *message = NULL;
	to->configs_count = -1;
	if (config_service_describe_topic(c->service, &c->request->arena, topic, &rows, &message) != STATUS_OK)
		return true; /* not here yet: null, as to one who may not see them */
	to->configs = KAFKA_CALL_NEW(c, create_topics_response_topic_config, (int32_t)rows.count);
	if (to->configs == NULL)
		return false;
	to->configs_count = (int32_t)rows.count;
	for (size_t i = 0; i < rows.count; i++) {
		to->configs[i].name = rows.rows[i].key;
		to->configs[i].value = rows.rows[i].sensitive ? NULL : rows.rows[i].value;
		to->configs[i].read_only = rows.rows[i].read_only;
		to->configs[i].config_source = kafka_admin_config_source(rows.rows[i].source);
		to->configs[i].is_sensitive = rows.rows[i].sensitive;
	}
	return true;
}

static bool fill_created(struct kafka_call *c, const struct outcome *o, const char *name,
	struct kafka_create_topics_response_topic *to)
{
	to->name = name;
	to->error_code = status_code(outcome_status(o));
	to->error_message = outcome_text(o);
	if (to->error_code != 0)
		return true;
	to->topic_id = o->item->topic_id;
	to->num_partitions = o->item->ret_partitions;
	to->replication_factor = (int16_t)o->item->ret_replication_factor;
	return c->header.api_version < CREATE_WITH_CONFIGS || fill_configs(c, name, to);
}

static void created(struct admin_request *r)
{
	struct kafka_admin *a = r->arg;
	struct kafka_call *c = CAST(kafka_call, a->call);
	const struct kafka_create_topics_request *asked = c->body;
	struct kafka_create_topics_response m;
	kafka_messages_init(c->api->response, &m);
	m.topics_count = asked->topics_count;
	m.topics = KAFKA_CALL_NEW(c, create_topics_response_topic, asked->topics_count);
	bool filled = m.topics != NULL;
	for (int32_t i = 0; filled && i < asked->topics_count; i++)
		filled = fill_created(c, &a->outcomes[i], asked->topics[i].name, &m.topics[i]);
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* Partitions may come in any order, but each once, from 0 on. NULL: they do not, or there is no memory. */
static const struct partition_assignment *assignment_of(struct kafka_call *c, const struct kafka_create_topics_request_topic *t)
{
	struct partition_assignment *list = kafka_call_array(c, (size_t)t->assignments_count, sizeof(*list));
	for (int32_t i = 0; list != NULL && i < t->assignments_count; i++) {
		const struct kafka_create_topics_request_topic_assignment *from = &t->assignments[i];
		int32_t partition = from->partition_index;
		if (partition < 0 || partition >= t->assignments_count || list[partition].count > 0 || from->broker_ids_count == 0)
			return NULL;
		list[partition] = (struct partition_assignment){writable(from->broker_ids), from->broker_ids_count};
	}
	return list;
}

static bool fill_overrides(struct kafka_call *c, const struct kafka_create_topics_request_topic *t, struct admin_item *item)
{
	struct topic_config_entry *configs = kafka_call_array(c, (size_t)t->configs_count, sizeof(*configs));
	for (int32_t i = 0; configs != NULL && i < t->configs_count; i++)
		configs[i] = (struct topic_config_entry){.key = t->configs[i].name, .value = t->configs[i].value};
	item->configs = configs;
	item->config_count = (size_t)t->configs_count;
	return configs != NULL;
}

static bool has_null_value(const struct kafka_create_topics_request_topic *t)
{
	for (int32_t i = 0; i < t->configs_count; i++)
		if (t->configs[i].value == NULL)
			return true;
	return false;
}

/* False: no memory. */
static bool take_creation(struct kafka_admin *a, const struct kafka_create_topics_request_topic *t, struct outcome *o)
{
	const struct partition_assignment *assignment = NULL;
	if (has_null_value(t)) {
		refuse(o, STATUS_INVALID_CONFIG, "a setting has no value; leave it out or give one");
		return true;
	}
	if (t->assignments_count > 0) {
		if (t->num_partitions != -1 || t->replication_factor != -1) {
			refuse(o, STATUS_INVALID_REQUEST, "give either the assignment of replicas or the numbers of partitions and "
				"replicas, not both");
			return true;
		}
		assignment = assignment_of(a->call, t);
		if (assignment == NULL) {
			refuse(o, STATUS_INVALID_REPLICA_ASSIGNMENT, "the assignment must name each partition once, from 0 on, with at "
				"least one broker");
			return true;
		}
	}
	struct admin_item *item = accept(a, o, t->name);
	item->partitions = t->num_partitions;
	item->replication_factor = t->replication_factor;
	item->assignment = assignment;
	item->assignment_count = (size_t)t->assignments_count;
	return fill_overrides(a->call, t, item);
}

void kafka_admin_create_topics(struct kafka_call *c)
{
	const struct kafka_create_topics_request *m = c->body;
	struct kafka_admin *a = new_admin(c, ADMIN_CREATE_TOPIC, m->topics_count);
	if (a == NULL)
		return;
	const char **names = kafka_call_array(c, (size_t)m->topics_count, sizeof(*names));
	for (int32_t i = 0; names != NULL && i < m->topics_count; i++)
		names[i] = m->topics[i].name;
	if (names != NULL)
		qsort(names, (size_t)m->topics_count, sizeof(*names), compare_names);
	bool taken = names != NULL;
	for (int32_t i = 0; taken && i < m->topics_count; i++) {
		if (is_twice(names, (size_t)m->topics_count, m->topics[i].name))
			refuse(&a->outcomes[i], STATUS_INVALID_REQUEST, "the request names the topic more than once");
		else
			taken = take_creation(a, &m->topics[i], &a->outcomes[i]);
	}
	if (taken)
		start(a, m->timeout_ms, m->validate_only, created);
	else
		kafka_call_abort_memory(c);
}

/* --- delete -------------------------------------------------------------- */

static int32_t deletion_count(const struct kafka_call *c)
{
	const struct kafka_delete_topics_request *m = c->body;
	return c->header.api_version >= DELETE_WITH_IDS ? m->topics_count : m->topic_names_count;
}

static void deleted(struct admin_request *r)
{
	struct kafka_admin *a = r->arg;
	struct kafka_call *c = CAST(kafka_call, a->call);
	const struct kafka_delete_topics_request *asked = c->body;
	struct kafka_delete_topics_response m;
	kafka_messages_init(c->api->response, &m);
	m.responses_count = deletion_count(c);
	m.responses = KAFKA_CALL_NEW(c, delete_topics_response_topic, m.responses_count);
	if (m.responses == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < m.responses_count; i++) {
		const struct outcome *o = &a->outcomes[i];
		struct kafka_delete_topics_response_topic *to = &m.responses[i];
		to->error_code = status_code(outcome_status(o));
		to->error_message = outcome_text(o);
		to->name = o->item == NULL ? NULL : o->item->topic;
		if (c->header.api_version >= DELETE_WITH_IDS)
			to->topic_id = asked->topics[i].topic_id;
	}
	kafka_call_answer(c, &m, NULL);
}

/* By name or by id. False: no memory. */
static bool take_deletion(struct kafka_admin *a, const struct kafka_delete_topics_request_topic *t, struct outcome *o)
{
	struct kafka_call *c = a->call;
	const char *name = t->name;
	if (name == NULL) {
		const struct image_topic *found = cluster_image_topic_by_id(service_loop_image(c->service), &t->topic_id);
		if (found == NULL) {
			refuse(o, STATUS_UNKNOWN_TOPIC_ID, NULL);
			return true;
		}
		name = arena_strdup(&c->request->arena, slice_of_str(found->name));
	}
	if (name != NULL)
		(void)accept(a, o, name);
	return name != NULL;
}

void kafka_admin_delete_topics(struct kafka_call *c)
{
	const struct kafka_delete_topics_request *m = c->body;
	int32_t count = deletion_count(c);
	struct kafka_admin *a = new_admin(c, ADMIN_DELETE_TOPIC, count);
	if (a == NULL)
		return;
	for (int32_t i = 0; i < count; i++) {
		if (c->header.api_version < DELETE_WITH_IDS)
			(void)accept(a, &a->outcomes[i], m->topic_names[i]);
		else if (!take_deletion(a, &m->topics[i], &a->outcomes[i])) {
			kafka_call_abort_memory(c);
			return;
		}
	}
	start(a, m->timeout_ms, false, deleted);
}

/* --- create partitions --------------------------------------------------- */

static void partitions_created(struct admin_request *r)
{
	struct kafka_admin *a = r->arg;
	struct kafka_call *c = CAST(kafka_call, a->call);
	const struct kafka_create_partitions_request *asked = c->body;
	struct kafka_create_partitions_response m;
	kafka_messages_init(c->api->response, &m);
	m.results_count = asked->topics_count;
	m.results = KAFKA_CALL_NEW(c, create_partitions_response_result, asked->topics_count);
	if (m.results == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < asked->topics_count; i++) {
		m.results[i].name = asked->topics[i].name;
		m.results[i].error_code = status_code(outcome_status(&a->outcomes[i]));
		m.results[i].error_message = outcome_text(&a->outcomes[i]);
	}
	kafka_call_answer(c, &m, NULL);
}

/* False: no memory. */
static bool take_partitions(struct kafka_admin *a, const struct kafka_create_partitions_request_topic *t, struct outcome *o)
{
	struct admin_item *item = accept(a, o, t->name);
	item->partitions = t->count;
	if (t->assignments_count <= 0)
		return true;
	struct partition_assignment *list = kafka_call_array(a->call, (size_t)t->assignments_count, sizeof(*list));
	for (int32_t i = 0; list != NULL && i < t->assignments_count; i++)
		list[i] = (struct partition_assignment){writable(t->assignments[i].broker_ids), t->assignments[i].broker_ids_count};
	item->assignment = list;
	item->assignment_count = (size_t)t->assignments_count;
	return list != NULL;
}

void kafka_admin_create_partitions(struct kafka_call *c)
{
	const struct kafka_create_partitions_request *m = c->body;
	struct kafka_admin *a = new_admin(c, ADMIN_ADD_PARTITIONS, m->topics_count);
	if (a == NULL)
		return;
	for (int32_t i = 0; i < m->topics_count; i++) {
		if (take_partitions(a, &m->topics[i], &a->outcomes[i]))
			continue;
		kafka_call_abort_memory(c);
		return;
	}
	start(a, m->timeout_ms, m->validate_only, partitions_created);
}
