/* Settings that can change while brokers run: those a topic inherits. Kafka: DynamicBrokerConfig, DynamicLogConfig. */
#include "config/settings_internal.h"

static const struct settings_inherited *find_inherited(const char *key)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].broker_key, key) == 0)
			return &rows[i];
	return NULL;
}

bool settings_is_dynamic(const char *key)
{
	return find_inherited(key) != NULL;
}

enum status settings_check_dynamic(const char *key, const char *value, struct failure *ret_failure)
{
	const struct settings_inherited *inherited = find_inherited(key);
	if (inherited != NULL) {
		struct topic_settings scratch;
		topic_settings_init_defaults(&scratch);
		return value == NULL ? STATUS_OK : settings_apply_inherited(inherited, &scratch, value, ret_failure);
	}
	if (config_table_find(settings_table_broker(), key) != NULL || settings_table_ignored(key) != SETTINGS_NOT_IGNORED)
		return failure_set(ret_failure, STATUS_INVALID_REQUEST, "%.120s: cannot be changed while the broker runs; change it in "
			"its settings file and restart it", key);
	const char *nearest = settings_nearest_key(key);
	return failure_set(ret_failure, STATUS_INVALID_CONFIG, "%.120s: no such broker setting%s%s%s", key,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

/* From the last to the first, so that the one that takes precedence is written last. */
void settings_apply_dynamic(struct topic_settings *defaults, const char *(*value_of)(void *arg, const char *key), void *arg)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = count; i > 0; i--) {
		struct failure f = {0};
		const char *value = value_of(arg, rows[i - 1].broker_key);
		if (value != NULL && settings_apply_inherited(&rows[i - 1], defaults, value, &f) != STATUS_OK)
			continue; /* it was looked at when it was written; a foreign tool's mistake counts as absent */
	}
}

void settings_each_topic_default(const struct topic_settings *defaults, void (*each)(void *arg, const struct setting_view *v),
	void *arg)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++) {
		if (!settings_table_inherited_leads(&rows[i]))
			continue;
		struct setting_row row = settings_table_inherited_row(&rows[i]);
		char *value = config_table_format(&row, defaults);
		const struct setting_view view = {.key = row.key, .value = value, .default_value = row.default_value, .kind = row.kind,
			.flags = row.flags, .unit = row.unit, .text = row.text};
		each(arg, &view);
		free(value);
	}
}

const char *settings_broker_key_of(const char *topic_key)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].topic_key, topic_key) == 0)
			return rows[i].broker_key;
	return NULL;
}
