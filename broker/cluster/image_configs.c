#include "cluster/image_configs.h"

static struct image_config copy_of(const char *key, const char *value)
{
	return (struct image_config){.key = check_strdup(key), .value = check_strdup(value)};
}

struct image_config *image_configs_copy(const struct image_config *from, size_t count)
{
	struct image_config *configs = check_calloc(count + 1, sizeof(*configs));
	for (size_t i = 0; i < count; i++)
		configs[i] = copy_of(from[i].key, from[i].value);
	return configs;
}

struct image_config *image_configs_of_znode(const struct zk_schema_config *from)
{
	struct image_config *configs = check_calloc(from->entry_count + 1, sizeof(*configs));
	for (size_t i = 0; i < from->entry_count; i++)
		configs[i] = copy_of(from->entries[i].key, from->entries[i].value);
	return configs;
}

/* Owned texts are read through const pointers; here their owner lets go of them. */
static void free_text(const char *text)
{
	union {
		const char *text;
		void *memory;
	} u = {.text = text};
	free(u.memory);
}

void image_configs_free(struct image_config *configs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free_text(configs[i].key);
		free_text(configs[i].value);
	}
	free(configs);
}

const char *image_configs_value(const struct image_config *configs, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(configs[i].key, key) == 0)
			return configs[i].value;
	return NULL;
}
