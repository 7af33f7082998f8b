#include "service/topic_settings_cache.h"

#include "base/diag.h"

#include <uthash.h>

struct cached_topic {
	char *name;
	struct topic_settings settings;
	UT_hash_handle hh;
};
struct topic_settings_cache {
	const struct topic_settings *defaults;
	int64_t version; /* of the image the entries were made from; -1 none */
	struct cached_topic *topics;
};

struct topic_settings_cache *topic_settings_cache_new(const struct topic_settings *defaults)
{
	expect(defaults != NULL);
	struct topic_settings_cache *c = check_calloc(1, sizeof(*c));
	c->defaults = defaults;
	c->version = -1;
	return c;
}

static void clear(struct topic_settings_cache *c)
{
	struct cached_topic *t, *next;
	HASH_ITER(hh, c->topics, t, next)
	{
		HASH_DEL(c->topics, t);
		free(t->name);
		free(t);
	}
	c->version = -1;
}

void topic_settings_cache_free(struct topic_settings_cache *c)
{
	if (c == NULL)
		return;
	clear(c);
	free(c);
}

static const struct topic_settings *defaults_of(const struct topic_settings_cache *c, const struct cluster_image *image)
{
	return image->broker_configs != NULL ? &image->broker_configs->topic_defaults : c->defaults;
}

static struct cached_topic *add(struct topic_settings_cache *c, const struct cluster_image *image, const struct image_topic *topic)
{
	struct cached_topic *t = check_calloc(1, sizeof(*t));
	struct failure f;
	t->name = check_strdup(topic->name);
	t->settings = *defaults_of(c, image);
	for (size_t i = 0; i < topic->config_count; i++)
		if (topic_settings_apply(&t->settings, topic->configs[i].key, topic->configs[i].value, &f) != STATUS_OK)
			diag_warn("topic_config_ignored", "topic=%s %s", topic->name, f.text);
	HASH_ADD_KEYPTR(hh, c->topics, t->name, strlen(t->name), t);
	return t;
}

const struct topic_settings *topic_settings_cache_get(struct topic_settings_cache *c, const struct cluster_image *image,
	const struct image_topic *topic)
{
	struct cached_topic *t;
	if (topic->config_count == 0)
		return defaults_of(c, image);
	if (image->version != c->version) {
		clear(c);
		c->version = image->version;
	}
	HASH_FIND_STR(c->topics, topic->name, t);
	return t != NULL ? &t->settings : &add(c, image, topic)->settings;
}

/* What a compressed batch may grow to while it is checked, whatever max.message.bytes says. */
enum { INFLATED_FACTOR = 16, INFLATED_AT_LEAST = 64 << 20, INFLATED_AT_MOST = 512 << 20 };

size_t topic_settings_cache_inflated_max(const struct topic_settings *t)
{
	size_t max = (size_t)t->max_message_bytes * INFLATED_FACTOR;
	if (max > INFLATED_AT_MOST)
		return INFLATED_AT_MOST;
	return max < INFLATED_AT_LEAST ? INFLATED_AT_LEAST : max;
}
