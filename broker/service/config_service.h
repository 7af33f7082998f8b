/* Settings as clients see them: of a topic (the image's overrides over the broker's defaults), of this broker. Kafka:
 * ConfigHelper. What was changed at run time counts before the file. */
#ifndef SERVICE_CONFIG_SERVICE_H
#define SERVICE_CONFIG_SERVICE_H

#include "service/service_loop.h"

/* Where a value may come from; the first that has one counts. Kafka: ConfigSource. */
enum config_source { CONFIG_SOURCE_TOPIC, CONFIG_SOURCE_DYNAMIC_BROKER, CONFIG_SOURCE_DYNAMIC_DEFAULT, CONFIG_SOURCE_STATIC,
	CONFIG_SOURCE_DEFAULT, CONFIG_SOURCE_COUNT };
/* "topic", "dynamic-broker", "dynamic-default", "broker", "default" */
const char *config_source_name(enum config_source s);

struct config_synonym {
	const char *key, *value;
	enum config_source source;
};
struct config_row {
	const char *key, *value; /* value "" for sensitive keys */
	enum config_source source;
	/* Every source that has a value, the one that counts first. */
	struct config_synonym synonyms[CONFIG_SOURCE_COUNT];
	size_t synonym_count;
	const char *text;
	enum setting_kind kind;
	bool is_default, read_only, sensitive;
};
struct config_rows {
	struct config_row *rows;
	size_t count;
};
/* All in the arena, sorted as the tables. UNKNOWN_TOPIC_OR_PARTITION with a sentence; TOO_LARGE: the arena is full. */
MUST_CHECK enum status config_service_describe_topic(struct service_loop *s, struct arena *a, const char *topic,
	struct config_rows *ret_rows, char **ret_message);
MUST_CHECK enum status config_service_describe_broker(struct service_loop *s, struct arena *a, struct config_rows *ret_rows);
/* Only what was changed at run time for all brokers. */
MUST_CHECK enum status config_service_describe_all_brokers(struct service_loop *s, struct arena *a, struct config_rows *ret_rows);
/* Are these keys and values those of topic overrides? value NULL removes. INVALID_CONFIG names the first that is not. */
struct topic_config_entry;
MUST_CHECK enum status config_service_check_topic(const struct topic_config_entry *entries, size_t count,
	struct failure *ret_failure);

#endif
