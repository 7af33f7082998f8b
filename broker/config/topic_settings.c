#include "config/settings_internal.h"

#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct setting_row topic_rows[] = {
#define SETTING(kind, key, field, def, min, max, unit, flags, text)                                                    \
	{key, SETTING_KIND_##kind, flags, offsetof(struct topic_settings, field), def, min, max, unit, text},
#include "config/topic.def"
#undef SETTING
};

static const struct setting_row foreign_rows[] = {
#define SETTING(kind, key, def, min, max, unit, text) {key, SETTING_KIND_##kind, SETTING_RELOADABLE, 0, def, min, max, unit, text},
#include "config/topic_foreign.def"
#undef SETTING
};

const struct config_table *topic_settings_table(void)
{
	static const struct config_table table = {topic_rows, ROW_COUNT(topic_rows)};
	return &table;
}

const struct config_table *topic_settings_table_foreign(void)
{
	static const struct config_table table = {foreign_rows, ROW_COUNT(foreign_rows)};
	return &table;
}

void topic_settings_init_defaults(struct topic_settings *s)
{
	*s = (struct topic_settings){0};
	config_table_set_defaults(topic_settings_table(), s);
}

const char *topic_settings_nearest_key(const char *key)
{
	struct config_nearest nearest;
	config_nearest_init(&nearest, key);
	for (size_t i = 0; i < ROW_COUNT(topic_rows); i++)
		config_nearest_consider(&nearest, topic_rows[i].key);
	for (size_t i = 0; i < ROW_COUNT(foreign_rows); i++)
		config_nearest_consider(&nearest, foreign_rows[i].key);
	return nearest.found;
}

/* message.timestamp.difference.max.ms stands for both limits where the newer keys left them open (KIP-937). */
static void apply_timestamp_difference(struct topic_settings *s, const char *value)
{
	struct slice text = config_trim(slice_of_str(value));
	int64_t difference = 0;
	expect(bytes_parse_i64(text, &difference) == STATUS_OK); /* it was checked */
	if (s->message_timestamp_before_max_ms == INT64_MAX)
		s->message_timestamp_before_max_ms = difference;
	if (s->message_timestamp_after_max_ms == INT64_MAX)
		s->message_timestamp_after_max_ms = difference;
}

enum status topic_settings_apply(struct topic_settings *s, const char *key, const char *value, struct failure *ret_failure)
{
	expect(s != NULL && key != NULL && value != NULL);
	const struct setting_row *row = config_table_find(topic_settings_table(), key);
	if (row != NULL)
		return config_table_set(row, s, key, value, ret_failure);
	row = config_table_find(topic_settings_table_foreign(), key);
	if (row != NULL) {
		TRY(config_table_check(row, key, value, ret_failure));
		if (strcmp(key, "message.timestamp.difference.max.ms") == 0)
			apply_timestamp_difference(s, value);
		return STATUS_OK;
	}
	const char *nearest = topic_settings_nearest_key(key);
	return failure_set(ret_failure, STATUS_INVALID_CONFIG, "%.120s: no such topic setting%s%s%s", key,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

char *topic_settings_format(const struct topic_settings *s, const char *key)
{
	const struct setting_row *row = config_table_find(topic_settings_table(), key);
	return row == NULL ? NULL : config_table_format(row, s);
}

void topic_settings_each(const struct topic_settings *s, void (*each)(void *arg, const struct setting_view *v), void *arg)
{
	for (size_t i = 0; i < ROW_COUNT(topic_rows); i++) {
		const struct setting_row *row = &topic_rows[i];
		char *value = config_table_format(row, s);
		const struct setting_view view = {.key = row->key, .value = value, .default_value = row->default_value,
			.kind = row->kind, .flags = row->flags, .unit = row->unit, .text = row->text};
		each(arg, &view);
		free(value);
	}
	for (size_t i = 0; i < ROW_COUNT(foreign_rows); i++) {
		const struct setting_row *row = &foreign_rows[i];
		const struct setting_view view = {.key = row->key, .value = row->default_value,
			.default_value = row->default_value, .kind = row->kind, .flags = row->flags, .unit = row->unit,
			.text = row->text};
		each(arg, &view);
	}
}
