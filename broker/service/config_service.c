#include "service/config_service.h"

#include "coordinator-client/topic_admin.h"
#include "service/service_message.h"
#include "service/topic_settings_cache.h"

struct collect {
	struct arena *arena;
	const struct image_topic *topic; /* NULL: of a broker */
	struct config_rows *rows;
	size_t room; /* of rows */
	bool full;
};

static void count_row(void *arg, const struct setting_view *v)
{
	size_t *count = arg;
	(void)v;
	(*count)++;
}

static bool overridden(const struct image_topic *t, const char *key)
{
	for (size_t i = 0; t != NULL && i < t->config_count; i++)
		if (strcmp(t->configs[i].key, key) == 0)
			return true;
	return false;
}

static const char *source_of(const struct collect *c, const struct setting_view *v, bool same_as_default)
{
	if (overridden(c->topic, v->key))
		return "topic";
	return same_as_default ? "default" : "broker";
}

static void add_row(void *arg, const struct setting_view *v)
{
	struct collect *c = arg;
	if (c->full || c->rows->count == c->room) {
		c->full = true;
		return;
	}
	const char *value = v->value == NULL ? "" : arena_strdup(c->arena, slice_of_str(v->value));
	if (value == NULL) {
		c->full = true;
		return;
	}
	bool same = v->value != NULL && v->default_value != NULL && strcmp(v->value, v->default_value) == 0;
	const char *source = source_of(c, v, same);
	c->rows->rows[c->rows->count++] = (struct config_row){
		.key = v->key,
		.value = value,
		.source = source,
		.text = v->text,
		.kind = v->kind,
		.sensitive = v->value == NULL,
		.is_default = strcmp(source, "topic") != 0 && same,
		.read_only = c->topic == NULL, /* a broker's settings are its file's */
	};
}

static enum status start(struct collect *c)
{
	expect(c->room > 0);
	*c->rows = (struct config_rows){.rows = arena_calloc(c->arena, c->room, sizeof(struct config_row))};
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
	struct collect c = {.arena = a, .topic = t, .rows = ret_rows};
	const struct topic_settings *settings = topic_settings_cache_get(s->topic_settings, image, t);
	topic_settings_each(settings, count_row, &c.room);
	TRY(start(&c));
	topic_settings_each(settings, add_row, &c);
	return c.full ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status config_service_describe_broker(struct service_loop *s, struct arena *a, struct config_rows *ret_rows)
{
	struct collect c = {.arena = a, .rows = ret_rows};
	settings_each(s->settings, count_row, &c.room);
	TRY(start(&c));
	settings_each(s->settings, add_row, &c);
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
