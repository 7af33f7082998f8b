/* Nodes under /config and their change notifications. */
#include "coordinator-client/zk_schema_internal.h"

void zk_schema_config_fini(struct zk_schema_config *c)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		free(c->entries[i].key);
		free(c->entries[i].value);
	}
	free(c->entries);
	free(c->unknown);
	*c = (struct zk_schema_config){0};
}

void zk_schema_text_put_config(struct schema_text *t, const struct zk_schema_config *c)
{
	zk_schema_text_put(t, "{");
	for (size_t i = 0; i < c->entry_count; i++) {
		zk_schema_text_put(t, "%s", i > 0 ? "," : "");
		zk_schema_text_put_string(t, c->entries[i].key);
		zk_schema_text_put(t, ":");
		zk_schema_text_put_string(t, c->entries[i].value);
	}
	zk_schema_text_put(t, "}");
}

char *zk_schema_config_encode(const struct zk_schema_config *c)
{
	struct schema_text t;
	zk_schema_text_init(&t);
	zk_schema_text_put(&t, "{\"version\":1,\"config\":");
	zk_schema_text_put_config(&t, c);
	zk_schema_text_put_unknown(&t, c->unknown);
	zk_schema_text_put(&t, "}");
	return zk_schema_text_take(&t);
}

void zk_schema_reader_config(struct schema_reader *r, struct zk_schema_config *config)
{
	json_t *map = zk_schema_reader_member(r, "config", JSON_OBJECT, SCHEMA_OPTIONAL);
	if (map == NULL || !zk_schema_reader_ok(r))
		return;
	config->entries = check_calloc(json_object_size(map) + 1, sizeof *config->entries);
	const char *key;
	json_t *value;
	json_object_foreach(map, key, value) {
		if (!json_is_string(value)) {
			zk_schema_reader_fail(r, "has a configuration value that is not a string");
			return;
		}
		config->entries[config->entry_count++] = (struct zk_schema_config_entry){
			.key = check_strdup(key), .value = check_strdup(json_string_value(value))};
	}
}

enum status zk_schema_config_decode(const char *path, struct slice data, struct zk_schema_config *ret_config,
	struct failure *ret_failure)
{
	static const char *const known[] = {"version", "config", NULL};
	struct zk_schema_config c = {0};
	if (zk_schema_is_null(data)) {
		*ret_config = c;
		return STATUS_OK;
	}
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	zk_schema_reader_config(&r, &c);
	c.unknown = zk_schema_reader_unknown(&r, known);
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		zk_schema_config_fini(&c);
		return s;
	}
	*ret_config = c;
	return STATUS_OK;
}

const char *zk_schema_config_get(const struct zk_schema_config *c, const char *key)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		if (strcmp(c->entries[i].key, key) == 0)
			return c->entries[i].value;
	}
	return NULL;
}

static void config_remove_at(struct zk_schema_config *c, size_t at)
{
	expect(at < c->entry_count);
	free(c->entries[at].key);
	free(c->entries[at].value);
	memmove(&c->entries[at], &c->entries[at + 1], (c->entry_count - at - 1) * sizeof c->entries[0]);
	c->entry_count--;
}

void zk_schema_config_put(struct zk_schema_config *c, const char *key, const char *value)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		if (strcmp(c->entries[i].key, key) != 0)
			continue;
		if (value == NULL) {
			config_remove_at(c, i);
			return;
		}
		char *copy = check_strdup(value);
		free(c->entries[i].value);
		c->entries[i].value = copy;
		return;
	}
	if (value == NULL)
		return;
	c->entries = check_realloc(c->entries, (c->entry_count + 1) * sizeof *c->entries);
	c->entries[c->entry_count++] =
		(struct zk_schema_config_entry){.key = check_strdup(key), .value = check_strdup(value)};
}

char *zk_schema_config_change_encode(const char *entity_path)
{
	struct schema_text t;
	zk_schema_text_init(&t);
	zk_schema_text_put(&t, "{\"version\":2,\"entity_path\":");
	zk_schema_text_put_string(&t, entity_path);
	zk_schema_text_put(&t, "}");
	return zk_schema_text_take(&t);
}

enum status zk_schema_config_change_decode(const char *path, struct slice data, char **ret_entity_path,
	struct failure *ret_failure)
{
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	int32_t version = zk_schema_reader_i32(&r, "version", SCHEMA_REQUIRED, 0);
	char *entity = NULL;
	if (version == 1) {
		char *type = zk_schema_reader_string(&r, "entity_type", SCHEMA_REQUIRED);
		char *name = zk_schema_reader_string(&r, "entity_name", SCHEMA_REQUIRED);
		if (type != NULL && name != NULL)
			entity = check_asprintf("%s/%s", type, name);
		free(type);
		free(name);
	} else {
		entity = zk_schema_reader_string(&r, "entity_path", SCHEMA_REQUIRED);
	}
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		free(entity);
		return s;
	}
	*ret_entity_path = entity;
	return STATUS_OK;
}
