#include "service/config_service.h"

#include "cluster/image_configs.h"
#include "coordinator-client/topic_admin.h"
#include "service/service_message.h"
#include "service/topic_settings_cache.h"

struct collect {
	struct arena *arena;
	const struct settings *settings;
	const struct image_topic *topic;            /* NULL: of a broker */
	const struct image_broker_configs *changed; /* NULL: nothing is known of changes */
	struct config_rows *rows;
	size_t room; /* of rows */
	const char *static_value; /* of a broker's row: what the settings file says */
	bool full;
};

const char *config_source_name(enum config_source s)
{
	static const char *const names[] = {"topic", "dynamic-broker", "dynamic-default", "broker", "default"};
	expect(s < CONFIG_SOURCE_COUNT);
	return names[s];
}

static void count_row(void *arg, const struct setting_view *v)
{
	size_t *count = arg;
	(void)v;
	(*count)++;
}

/* In the arena, since what it is copied from goes with the image or the call. */
static void add_synonym(struct collect *c, struct config_row *row, const char *key, const char *value, enum config_source source)
{
	if (value == NULL || key == NULL || c->full)
		return;
	char *copy = arena_strdup(c->arena, slice_of_str(value));
	c->full = copy == NULL;
	expect(row->synonym_count < CONFIG_SOURCE_COUNT);
	row->synonyms[row->synonym_count++] = (struct config_synonym){.key = key, .value = copy, .source = source};
}

/* What the settings file has, if it differs from the default. */
static void add_static(struct collect *c, struct config_row *row, const struct setting_view *v, const char *broker_key)
{
	char *inherited = c->topic == NULL ? NULL : topic_settings_format(&c->settings->topic_defaults, v->key);
	const char *value = c->topic == NULL ? c->static_value : inherited;
	if (value != NULL && v->default_value != NULL && strcmp(value, v->default_value) != 0)
		add_synonym(c, row, broker_key, value, CONFIG_SOURCE_STATIC);
	free(inherited);
}

static void add_synonyms(struct collect *c, struct config_row *row, const struct setting_view *v)
{
	const char *broker_key = c->topic == NULL ? v->key : settings_broker_key_of(v->key);
	if (c->topic != NULL)
		add_synonym(c, row, v->key, image_configs_value(c->topic->configs, c->topic->config_count, v->key), CONFIG_SOURCE_TOPIC);
	if (c->changed != NULL && broker_key != NULL) {
		add_synonym(c, row, broker_key, image_configs_value(c->changed->ours, c->changed->our_count, broker_key),
			CONFIG_SOURCE_DYNAMIC_BROKER);
		add_synonym(c, row, broker_key, image_configs_value(c->changed->all, c->changed->all_count, broker_key),
			CONFIG_SOURCE_DYNAMIC_DEFAULT);
	}
	add_static(c, row, v, broker_key);
	add_synonym(c, row, broker_key == NULL ? v->key : broker_key, v->default_value, CONFIG_SOURCE_DEFAULT);
}

/* A topic key without a field of its own (kept for other versions) has no value but what was set. */
static const char *value_of(const struct config_row *row, const struct setting_view *v)
{
	if (row->synonym_count > 0 && row->synonyms[0].source == CONFIG_SOURCE_TOPIC)
		return row->synonyms[0].value;
	return v->value == NULL ? "" : v->value;
}

static void add_row(void *arg, const struct setting_view *v)
{
	struct collect *c = arg;
	if (c->full || c->rows->count == c->room) {
		c->full = true;
		return;
	}
	struct config_row *row = &c->rows->rows[c->rows->count];
	*row = (struct config_row){.key = v->key, .text = v->text, .kind = v->kind, .sensitive = v->value == NULL,
		.source = CONFIG_SOURCE_DEFAULT};
	if (!row->sensitive)
		add_synonyms(c, row, v);
	row->value = arena_strdup(c->arena, slice_of_str(value_of(row, v)));
	c->full = c->full || row->value == NULL;
	if (c->full)
		return;
	c->rows->count++;
	row->source = row->synonym_count > 0 ? row->synonyms[0].source : CONFIG_SOURCE_STATIC;
	row->is_default = row->source == CONFIG_SOURCE_DEFAULT;
	row->read_only = c->topic == NULL && !settings_is_dynamic(v->key);
}

static enum status start(struct collect *c)
{
	*c->rows = (struct config_rows){.rows = arena_calloc(c->arena, c->room + 1, sizeof(struct config_row))};
	return c->rows->rows == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status config_service_describe_topic(struct service_loop *s, struct arena *a, const char *topic,
	struct config_rows *ret_rows, char **ret_message)
{
	const struct cluster_image *image = service_loop_image(s);
	const struct image_topic *t = cluster_image_topic(image, slice_of_str(topic));
	if (t == NULL) {
		*ret_message = service_loop_unknown_topic(s, a, topic);
		return STATUS_UNKNOWN_TOPIC_OR_PARTITION;
	}
	struct collect c = {.arena = a, .settings = s->settings, .topic = t, .changed = image->broker_configs, .rows = ret_rows};
	const struct topic_settings *settings = topic_settings_cache_get(s->topic_settings, image, t);
	topic_settings_each(settings, count_row, &c.room);
	TRY(start(&c));
	topic_settings_each(settings, add_row, &c);
	return c.full ? STATUS_TOO_LARGE : STATUS_OK;
}

static void find_default(void *arg, const struct setting_view *v)
{
	struct setting_view *wanted = arg;
	if (strcmp(v->key, wanted->key) == 0 && wanted->value == NULL)
		wanted->value = check_strdup(v->value);
}

/* As it is now: what topics inherit may have been changed since the file was read. */
static void add_broker_row(void *arg, const struct setting_view *v)
{
	struct collect *c = arg;
	c->static_value = v->value;
	if (c->changed == NULL || v->value == NULL || !settings_is_dynamic(v->key)) {
		add_row(c, v);
		return;
	}
	struct setting_view now = *v;
	now.value = NULL;
	settings_each_topic_default(&c->changed->topic_defaults, find_default, &now);
	union {
		const char *text;
		void *memory;
	} found = {.text = now.value};
	if (now.value == NULL)
		now.value = v->value;
	add_row(c, &now);
	free(found.memory);
}

enum status config_service_describe_broker(struct service_loop *s, struct arena *a, struct config_rows *ret_rows)
{
	struct collect c = {.arena = a, .settings = s->settings, .changed = service_loop_image(s)->broker_configs, .rows = ret_rows};
	settings_each(s->settings, count_row, &c.room);
	TRY(start(&c));
	settings_each(s->settings, add_broker_row, &c);
	return c.full ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status config_service_describe_all_brokers(struct service_loop *s, struct arena *a, struct config_rows *ret_rows)
{
	const struct image_broker_configs *changed = service_loop_image(s)->broker_configs;
	struct collect c = {.arena = a, .settings = s->settings, .changed = changed, .rows = ret_rows,
		.room = changed == NULL ? 0 : changed->all_count};
	TRY(start(&c));
	for (size_t i = 0; i < c.room && !c.full; i++) {
		struct config_row *row = &ret_rows->rows[ret_rows->count++];
		*row = (struct config_row){.key = arena_strdup(a, slice_of_str(changed->all[i].key)), .kind = SETTING_KIND_string,
			.source = CONFIG_SOURCE_DYNAMIC_DEFAULT, .text = ""};
		c.full = row->key == NULL;
		add_synonym(&c, row, row->key, changed->all[i].value, CONFIG_SOURCE_DYNAMIC_DEFAULT);
		row->value = row->synonyms[0].value;
	}
	return c.full ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status config_service_check_topic(const struct topic_config_entry *entries, size_t count, struct failure *ret_failure)
{
	struct topic_settings scratch;
	topic_settings_init_defaults(&scratch);
	for (size_t i = 0; i < count; i++)
		if (entries[i].value != NULL)
			TRY(topic_settings_apply(&scratch, entries[i].key, entries[i].value, ret_failure));
	return STATUS_OK;
}
