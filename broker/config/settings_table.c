#include "config/settings_internal.h"

#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct setting_row broker_rows[] = {
#define SETTING(kind, key, field, def, min, max, unit, flags, text)                                                    \
	{key, SETTING_KIND_##kind, flags, offsetof(struct settings, field), def, min, max, unit, text},
#include "config/broker.def"
#undef SETTING
};

static const struct settings_inherited inherited_rows[] = {
#define INHERITED(broker_key, topic_key, multiplier) {broker_key, topic_key, multiplier},
#include "config/inherited.def"
#undef INHERITED
};

static const struct {
	const char *key;
	enum settings_ignored why;
	bool is_prefix;
} ignored_rows[] = {
#define IGNORED(key, why) {key, SETTINGS_IGNORED_##why, false},
#define IGNORED_PREFIX(key, why) {key, SETTINGS_IGNORED_##why, true},
#include "config/ignored.def"
#undef IGNORED_PREFIX
#undef IGNORED
};

const struct config_table *settings_table_broker(void)
{
	static const struct config_table table = {broker_rows, ROW_COUNT(broker_rows)};
	return &table;
}

const struct settings_inherited *settings_table_inherited(size_t *ret_count)
{
	*ret_count = ROW_COUNT(inherited_rows);
	return inherited_rows;
}

struct setting_row settings_table_inherited_row(const struct settings_inherited *inherited)
{
	const struct setting_row *found = config_table_find(topic_settings_table(), inherited->topic_key);
	expect(found != NULL);
	struct setting_row row = *found;
	row.key = inherited->broker_key;
	if (inherited->multiplier > 1) {
		row.kind = SETTING_KIND_i32;
		row.min = row.min < 0 ? -1 : (row.min + inherited->multiplier - 1) / inherited->multiplier;
		row.max = INT32_MAX;
		row.unit = inherited->multiplier == 60000 ? "minutes" : "hours";
	}
	return row;
}

bool settings_table_inherited_leads(const struct settings_inherited *inherited)
{
	for (const struct settings_inherited *i = inherited_rows; i < inherited; i++)
		if (strcmp(i->topic_key, inherited->topic_key) == 0)
			return false;
	return true;
}

enum settings_ignored settings_table_ignored(const char *key)
{
	for (size_t i = 0; i < ROW_COUNT(ignored_rows); i++) {
		size_t n = strlen(ignored_rows[i].key);
		if (strncmp(key, ignored_rows[i].key, n) == 0 && (ignored_rows[i].is_prefix || key[n] == '\0'))
			return ignored_rows[i].why;
	}
	return SETTINGS_NOT_IGNORED;
}

const char *settings_nearest_key(const char *key)
{
	struct config_nearest nearest;
	config_nearest_init(&nearest, key);
	for (size_t i = 0; i < ROW_COUNT(broker_rows); i++)
		config_nearest_consider(&nearest, broker_rows[i].key);
	for (size_t i = 0; i < ROW_COUNT(inherited_rows); i++)
		config_nearest_consider(&nearest, inherited_rows[i].broker_key);
	for (size_t i = 0; i < ROW_COUNT(ignored_rows); i++)
		if (!ignored_rows[i].is_prefix)
			config_nearest_consider(&nearest, ignored_rows[i].key);
	return nearest.found;
}
