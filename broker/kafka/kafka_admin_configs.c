/* DescribeConfigs. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/config_service.h"
#include "service/service_message.h"

/* Kafka: ConfigResource.Type, DescribeConfigsResponse.ConfigSource and ConfigType. */
enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum { TYPE_BOOLEAN = 1, TYPE_STRING = 2, TYPE_INT = 3, TYPE_LONG = 5, TYPE_DOUBLE = 6, TYPE_LIST = 7 };

int8_t kafka_admin_config_source(enum config_source source)
{
	static const int8_t codes[] = {[CONFIG_SOURCE_TOPIC] = 1, [CONFIG_SOURCE_DYNAMIC_BROKER] = 2, [CONFIG_SOURCE_DYNAMIC_DEFAULT] = 3,
		[CONFIG_SOURCE_STATIC] = 4, [CONFIG_SOURCE_DEFAULT] = 5};
	expect(source < CONFIG_SOURCE_COUNT);
	return codes[source];
}

static int8_t type_of(enum setting_kind kind)
{
	switch (kind) {
	case SETTING_KIND_bool:
		return TYPE_BOOLEAN;
	case SETTING_KIND_i32:
		return TYPE_INT;
	case SETTING_KIND_i64:
		return TYPE_LONG;
	case SETTING_KIND_f64:
		return TYPE_DOUBLE;
	case SETTING_KIND_list:
	case SETTING_KIND_cleanup_policy:
		return TYPE_LIST;
	case SETTING_KIND_string:
	case SETTING_KIND_flush_policy:
	case SETTING_KIND_timestamp_type:
	case SETTING_KIND_topic_compression:
	default:
		return TYPE_STRING;
	}
}

/* No list, or an empty one, asks for every key. */
static bool is_wanted(const struct kafka_describe_configs_request_resource *asked, const char *key)
{
	for (int32_t i = 0; i < asked->configuration_keys_count; i++)
		if (strcmp(asked->configuration_keys[i], key) == 0)
			return true;
	return asked->configuration_keys_count <= 0;
}

static bool fill_synonyms(struct kafka_call *c, const struct config_row *from, struct kafka_describe_configs_response_result_config *to)
{
	to->synonyms_count = (int32_t)from->synonym_count;
	to->synonyms = KAFKA_CALL_NEW(c, describe_configs_response_result_config_synonym, to->synonyms_count);
	for (int32_t i = 0; to->synonyms != NULL && i < to->synonyms_count; i++) {
		to->synonyms[i].name = from->synonyms[i].key;
		to->synonyms[i].value = from->synonyms[i].value;
		to->synonyms[i].source = kafka_admin_config_source(from->synonyms[i].source);
	}
	return to->synonyms != NULL;
}

static bool fill_config(struct kafka_call *c, const struct config_row *from, struct kafka_describe_configs_response_result_config *to)
{
	const struct kafka_describe_configs_request *asked = c->body;
	to->name = from->key;
	to->value = from->sensitive ? NULL : from->value;
	to->read_only = from->read_only;
	to->is_default = from->is_default;
	to->config_source = kafka_admin_config_source(from->source);
	to->is_sensitive = from->sensitive;
	to->config_type = type_of(from->kind);
	to->documentation = asked->include_documentation ? from->text : NULL;
	return !asked->include_synonyms || fill_synonyms(c, from, to);
}

static bool fill_rows(struct kafka_call *c, const struct kafka_describe_configs_request_resource *asked, const struct config_rows *rows,
	struct kafka_describe_configs_response_result *to)
{
	to->configs = KAFKA_CALL_NEW(c, describe_configs_response_result_config, (int32_t)rows->count);
	if (to->configs == NULL)
		return false;
	for (size_t i = 0; i < rows->count; i++)
		if (is_wanted(asked, rows->rows[i].key) && !fill_config(c, &rows->rows[i], &to->configs[to->configs_count++]))
			return false;
	return true;
}

static enum status describe(struct kafka_call *c, const struct kafka_describe_configs_request_resource *asked,
	struct config_rows *ret_rows, char **ret_message)
{
	struct arena *a = &c->request->arena;
	int32_t id = -1;
	*ret_rows = (struct config_rows){0};
	if (asked->resource_type == RESOURCE_TOPIC)
		return config_service_describe_topic(c->service, a, asked->resource_name, ret_rows, ret_message);
	if (asked->resource_type != RESOURCE_BROKER) {
		*ret_message = service_message_format(a, "resources of type %d cannot be described here; use topic (2) or broker (4)",
			asked->resource_type);
		return STATUS_INVALID_REQUEST;
	}
	if (asked->resource_name[0] == '\0')
		return config_service_describe_all_brokers(c->service, a, ret_rows);
	if (bytes_parse_i32(slice_of_str(asked->resource_name), &id) == STATUS_OK && id == c->service->broker_id)
		return config_service_describe_broker(c->service, a, ret_rows);
	*ret_message = service_message_format(a, "broker \"%.64s\": ask that broker itself; this one is %d", asked->resource_name,
		c->service->broker_id);
	return STATUS_INVALID_REQUEST;
}

/* False: no memory. */
static bool fill_result(struct kafka_call *c, const struct kafka_describe_configs_request_resource *asked,
	struct kafka_describe_configs_response_result *to)
{
	struct config_rows rows;
	char *message = NULL;
	enum status s = describe(c, asked, &rows, &message);
	to->error_code = status_code(s);
	to->error_message = kafka_call_message(s, message);
	to->resource_type = asked->resource_type;
	to->resource_name = asked->resource_name;
	if (s == STATUS_TOO_LARGE)
		return false;
	return s != STATUS_OK || fill_rows(c, asked, &rows, to);
}

void kafka_admin_describe_configs(struct kafka_call *c)
{
	const struct kafka_describe_configs_request *asked = c->body;
	struct kafka_describe_configs_response m;
	kafka_messages_init(c->api->response, &m);
	m.results_count = asked->resources_count;
	m.results = KAFKA_CALL_NEW(c, describe_configs_response_result, asked->resources_count);
	bool filled = m.results != NULL;
	for (int32_t i = 0; filled && i < asked->resources_count; i++)
		filled = fill_result(c, &asked->resources[i], &m.results[i]);
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}
