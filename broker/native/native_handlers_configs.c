/* DescribeConfigs, AlterConfigs. */
#include "native/native_call.h"
#include "native/native_handlers.h"
#include "service/admin_service.h"
#include "service/config_edit.h"
#include "service/config_service.h"

enum { ALTER_WAIT_MS = 5000 };

/* Is `name` the id of this broker, or "", all brokers? Settings of another can only be asked there. */
static bool names_this_broker(const struct native_call *c, const char *name)
{
	int32_t id;
	if (name[0] == '\0')
		return true;
	return bytes_parse_i32(slice_of_str(name), &id) == STATUS_OK && id == c->service->broker_id;
}

static void answer_rows(struct native_call *c, const struct config_rows *rows)
{
	Correio__ResponseHeader header;
	Correio__DescribeConfigsResponse m;
	correio__response_header__init(&header);
	correio__describe_configs_response__init(&m);
	m.n_configs = rows->count;
	m.configs = (Correio__ConfigDescription **)native_call_list(c, rows->count, sizeof(**m.configs));
	if (m.configs == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < rows->count; i++) {
		const struct config_row *from = &rows->rows[i];
		Correio__ConfigDescription *to = m.configs[i];
		correio__config_description__init(to);
		to->key = native_call_text(from->key);
		to->value = native_call_text(from->value);
		to->source = native_call_text(config_source_name(from->source));
		to->documentation = native_call_text(from->text);
		to->is_default = from->is_default;
		to->read_only = from->read_only;
	}
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_CONFIGS;
	header.describe_configs = &m;
	native_call_answer(c, &header, NULL);
}

static enum status describe(struct native_call *c, struct config_rows *ret_rows, char **ret_message)
{
	const Correio__DescribeConfigsRequest *m = c->header->describe_configs;
	struct arena *a = &c->request->arena;
	if (m->type == CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC)
		return config_service_describe_topic(c->service, a, m->name, ret_rows, ret_message);
	if (m->name[0] == '\0')
		return config_service_describe_all_brokers(c->service, a, ret_rows);
	return config_service_describe_broker(c->service, a, ret_rows);
}

void native_handlers_describe_configs(struct native_call *c)
{
	const Correio__DescribeConfigsRequest *m = c->header->describe_configs;
	struct config_rows rows;
	char *message = NULL;
	if (m->type == CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_BROKER && !names_this_broker(c, m->name)) {
		native_call_fail(c, STATUS_INVALID_REQUEST, "broker \"%.64s\": ask that broker itself; this one is %d", m->name,
			c->service->broker_id);
		return;
	}
	if (m->type != CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_BROKER &&
		m->type != CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC) {
		native_call_fail(c, STATUS_INVALID_REQUEST, "DescribeConfigs: type %d: use topic (2) or broker (4)", (int)m->type);
		return;
	}
	enum status s = describe(c, &rows, &message);
	if (s == STATUS_OK)
		answer_rows(c, &rows);
	else
		native_call_fail(c, s, "%s", native_call_message(s, message));
}

/* --- alter --------------------------------------------------------------- */

static void answer_altered(struct native_call *c)
{
	Correio__ResponseHeader header;
	Correio__AlterConfigsResponse m;
	correio__response_header__init(&header);
	correio__alter_configs_response__init(&m);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_ALTER_CONFIGS;
	header.alter_configs = &m;
	native_call_answer(c, &header, NULL);
}

/* Written is what counts; a broker that has not heard of it yet will. */
static void altered(struct admin_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	const struct failure *f = &r->items[0].failure;
	if (f->status == STATUS_OK || f->status == STATUS_REQUEST_TIMED_OUT)
		answer_altered(c);
	else
		native_call_fail(c, f->status, "%s", f->text);
}

static const struct config_edit *edits_of(struct native_call *c, size_t *ret_count)
{
	const Correio__AlterConfigsRequest *m = c->header->alter_configs;
	size_t count = m->n_set + m->n_remove;
	struct config_edit *edits = native_call_array(c, count, sizeof(*edits));
	for (size_t i = 0; edits != NULL && i < m->n_set; i++)
		edits[i] = (struct config_edit){.key = m->set[i]->key, .value = m->set[i]->value, .op = CONFIG_EDIT_SET};
	for (size_t i = 0; edits != NULL && i < m->n_remove; i++)
		edits[m->n_set + i] = (struct config_edit){.key = m->remove[i], .op = CONFIG_EDIT_DELETE};
	*ret_count = count;
	return edits;
}

static bool is_of_topic(const struct native_call *c)
{
	return c->header->alter_configs->type == CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC;
}

static void start_alteration(struct native_call *c, const struct topic_config_entry *entries, size_t count)
{
	struct admin_request *r = native_call_array(c, 1, sizeof(*r));
	struct admin_item *item = native_call_array(c, 1, sizeof(*item));
	if (r == NULL || item == NULL) {
		native_call_fail_memory(c);
		return;
	}
	*item = (struct admin_item){.topic = c->header->alter_configs->name, .configs = entries, .config_count = count};
	*r = (struct admin_request){
		.service = c->service,
		.kind = is_of_topic(c) ? ADMIN_ALTER_CONFIGS : ADMIN_ALTER_BROKER_CONFIGS,
		.items = item,
		.item_count = 1,
		.timeout_ms = ALTER_WAIT_MS,
		.done = altered,
		.arg = c,
	};
	admin_service_start(r);
}

void native_handlers_alter_configs(struct native_call *c)
{
	const Correio__AlterConfigsRequest *m = c->header->alter_configs;
	const struct topic_config_entry *entries = NULL;
	char *message = NULL;
	size_t count = 0;
	bool known = is_of_topic(c) || m->type == CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_BROKER;
	if (!known || c->service->admin == NULL) {
		native_call_fail(c, STATUS_INVALID_REQUEST, "AlterConfigs: type %d: use topic (2) or broker (4)", (int)m->type);
		return;
	}
	const struct config_edit *edits = edits_of(c, &count);
	if (edits == NULL) {
		native_call_fail_memory(c);
		return;
	}
	struct arena *a = &c->request->arena;
	enum status s = is_of_topic(c) ? config_edit_topic(c->service, a, m->name, edits, count, &entries, &message)
				       : config_edit_broker(c->service, a, m->name, edits, count, &entries, &message);
	if (s != STATUS_OK)
		native_call_fail(c, s, "%s", native_call_message(s, message));
	else if (m->validate_only)
		answer_altered(c);
	else
		start_alteration(c, entries, count);
}
