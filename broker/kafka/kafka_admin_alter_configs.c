/* AlterConfigs (replaces everything) and IncrementalAlterConfigs (changes what is named), of topics and brokers. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/admin_service.h"
#include "service/config_edit.h"
#include "service/service_message.h"

/* Kafka: ConfigResource.Type. */
enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum { WAIT_MS = 5000 };

/* One resource of either request. */
struct change {
	int8_t type;
	const char *name;
	const struct config_edit *edits;
	size_t edit_count;
	enum status status;
	const char *message;           /* with a status that is not OK */
	const struct admin_item *item; /* where the outcome will be; NULL: settled already */
};
struct alteration {
	struct kafka_call *call;
	struct change *changes;
	int32_t count;
	bool replace, validate_only;
	void (*answer)(struct alteration *a);
	struct admin_request requests[2]; /* topics, brokers */
	size_t next;
};

static struct alteration *new_alteration(struct kafka_call *c, int32_t count)
{
	struct alteration *a = kafka_call_array(c, 1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->call = c;
	a->count = count;
	a->changes = kafka_call_array(c, (size_t)count, sizeof(*a->changes));
	for (size_t i = 0; i < 2; i++)
		a->requests[i].items = kafka_call_array(c, (size_t)count, sizeof(struct admin_item));
	bool complete = a->changes != NULL && a->requests[0].items != NULL && a->requests[1].items != NULL;
	return complete ? a : NULL;
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *const *x = a, *const *y = b;
	int by_type = (*x)->type - (*y)->type;
	return by_type != 0 ? by_type : strcmp((*x)->name, (*y)->name);
}

/* Sorted, so that a resource that comes twice is found in any number of them. False: no memory. */
static bool refuse_twins(struct alteration *a)
{
	struct change **sorted = kafka_call_array(a->call, (size_t)a->count, sizeof(struct change *));
	if (sorted == NULL)
		return false;
	for (int32_t i = 0; i < a->count; i++)
		sorted[i] = &a->changes[i];
	qsort(sorted, (size_t)a->count, sizeof(struct change *), compare_changes);
	for (int32_t i = 1; i < a->count; i++) {
		if (compare_changes(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		sorted[i]->status = sorted[i - 1]->status = STATUS_INVALID_REQUEST;
		sorted[i]->message = sorted[i - 1]->message = "the request names this resource more than once";
	}
	return true;
}

/* False: no memory. */
static bool take(struct alteration *a, struct change *change)
{
	struct arena *arena = &a->call->request->arena;
	const struct topic_config_entry *entries = NULL;
	char *message = NULL;
	bool topic = change->type == RESOURCE_TOPIC;
	if (change->status != STATUS_OK)
		return true;
	if (topic) {
		change->status = config_edit_topic(a->call->service, arena, change->name, change->edits, change->edit_count, &entries, &message);
	} else if (change->type == RESOURCE_BROKER) {
		change->status = config_edit_broker(a->call->service, arena, change->name, change->edits, change->edit_count, &entries, &message);
	} else {
		change->status = STATUS_INVALID_REQUEST;
		message = service_message_format(arena, "resources of type %d cannot be changed here; use topic (2) or broker (4)", change->type);
	}
	change->message = message;
	if (change->status != STATUS_OK || a->validate_only)
		return change->status != STATUS_TOO_LARGE;
	struct admin_request *r = &a->requests[topic ? 0 : 1];
	struct admin_item *item = &r->items[r->item_count++];
	*item = (struct admin_item){.topic = change->name, .configs = entries, .config_count = change->edit_count, .replace = a->replace};
	change->item = item;
	return true;
}

static enum status outcome(const struct change *change, const char **ret_text)
{
	enum status s = change->item == NULL ? change->status : change->item->failure.status;
	/* Written is what counts; a broker that has not heard of it yet will. */
	if (s == STATUS_REQUEST_TIMED_OUT && change->item != NULL)
		s = STATUS_OK;
	*ret_text = kafka_call_message(s, change->item == NULL ? change->message : change->item->failure.text);
	return s;
}

static void go_on(struct alteration *a);

static void written(struct admin_request *r)
{
	go_on(r->arg);
}

static void abandoned(struct kafka_call *c)
{
	struct alteration *a = c->waiting;
	admin_service_hurry(&a->requests[a->next - 1]);
}

/* Topics, then brokers, then the answer. */
static void go_on(struct alteration *a)
{
	struct kafka_call *c = CAST(kafka_call, a->call);
	c->abandoned = NULL;
	while (a->next < 2) {
		struct admin_request *r = &a->requests[a->next++];
		if (r->item_count == 0)
			continue;
		r->service = c->service;
		r->kind = r == &a->requests[0] ? ADMIN_ALTER_CONFIGS : ADMIN_ALTER_BROKER_CONFIGS;
		r->timeout_ms = WAIT_MS;
		r->done = written;
		r->arg = a;
		c->waiting = a;
		c->abandoned = abandoned;
		admin_service_start(r);
		return;
	}
	a->answer(a);
}

static void start(struct alteration *a)
{
	struct kafka_call *c = a->call;
	if (c->service->admin == NULL) {
		kafka_call_abort(c, "this process administers no settings");
		return;
	}
	bool taken = refuse_twins(a);
	for (int32_t i = 0; taken && i < a->count; i++)
		taken = take(a, &a->changes[i]);
	if (taken)
		go_on(a);
	else
		kafka_call_abort_memory(c);
}

/* --- AlterConfigs -------------------------------------------------------- */

static void answer_replaced(struct alteration *a)
{
	struct kafka_call *c = a->call;
	struct kafka_alter_configs_response m;
	kafka_messages_init(c->api->response, &m);
	m.responses_count = a->count;
	m.responses = KAFKA_CALL_NEW(c, alter_configs_response_response, a->count);
	if (m.responses == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < a->count; i++) {
		m.responses[i].error_code = status_code(outcome(&a->changes[i], &m.responses[i].error_message));
		m.responses[i].resource_type = a->changes[i].type;
		m.responses[i].resource_name = a->changes[i].name;
	}
	kafka_call_answer(c, &m, NULL);
}

void kafka_admin_alter_configs(struct kafka_call *c)
{
	const struct kafka_alter_configs_request *m = c->body;
	struct alteration *a = new_alteration(c, m->resources_count);
	for (int32_t i = 0; a != NULL && i < m->resources_count; i++) {
		const struct kafka_alter_configs_request_resource *from = &m->resources[i];
		struct config_edit *edits = kafka_call_array(c, (size_t)from->configs_count, sizeof(*edits));
		for (int32_t k = 0; edits != NULL && k < from->configs_count; k++)
			edits[k] = (struct config_edit){.key = from->configs[k].name, .value = from->configs[k].value};
		a->changes[i] = (struct change){.type = from->resource_type, .name = from->resource_name, .edits = edits,
			.edit_count = (size_t)from->configs_count};
		if (edits == NULL)
			a = NULL;
	}
	if (a == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	a->replace = true;
	a->validate_only = m->validate_only;
	a->answer = answer_replaced;
	start(a);
}

/* --- IncrementalAlterConfigs --------------------------------------------- */

static void answer_changed(struct alteration *a)
{
	struct kafka_call *c = a->call;
	struct kafka_incremental_alter_configs_response m;
	kafka_messages_init(c->api->response, &m);
	m.responses_count = a->count;
	m.responses = KAFKA_CALL_NEW(c, incremental_alter_configs_response_response, a->count);
	if (m.responses == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < a->count; i++) {
		m.responses[i].error_code = status_code(outcome(&a->changes[i], &m.responses[i].error_message));
		m.responses[i].resource_type = a->changes[i].type;
		m.responses[i].resource_name = a->changes[i].name;
	}
	kafka_call_answer(c, &m, NULL);
}

/* The codes on the wire are those of config_edit_op; what is none is refused there. */
static enum config_edit_op op_of(int8_t code)
{
	return code < 0 ? CONFIG_EDIT_SUBTRACT + 1 : (enum config_edit_op)code;
}

void kafka_admin_incremental_alter_configs(struct kafka_call *c)
{
	const struct kafka_incremental_alter_configs_request *m = c->body;
	struct alteration *a = new_alteration(c, m->resources_count);
	for (int32_t i = 0; a != NULL && i < m->resources_count; i++) {
		const struct kafka_incremental_alter_configs_request_resource *from = &m->resources[i];
		struct config_edit *edits = kafka_call_array(c, (size_t)from->configs_count, sizeof(*edits));
		for (int32_t k = 0; edits != NULL && k < from->configs_count; k++)
			edits[k] = (struct config_edit){.key = from->configs[k].name, .value = from->configs[k].value,
				.op = op_of(from->configs[k].config_operation)};
		a->changes[i] = (struct change){.type = from->resource_type, .name = from->resource_name, .edits = edits,
			.edit_count = (size_t)from->configs_count};
		if (edits == NULL)
			a = NULL;
	}
	if (a == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	a->validate_only = m->validate_only;
	a->answer = answer_changed;
	start(a);
}
