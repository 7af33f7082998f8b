#include "tools/topic_store.h"

struct topic_store *topic_store_open(const struct cli_common *common, int *ret_status)
{
	if (common->zookeeper == NULL)
		return topic_store_broker_open(common, ret_status);
	if (common->bootstrap != NULL) {
		*ret_status = CLI_USAGE;
		(void)cli_fail_text("give --bootstrap-server or --zookeeper, not both");
		return NULL;
	}
	return topic_store_zk_open(common, ret_status);
}

void topic_store_close(struct topic_store *s)
{
	if (s != NULL)
		s->ops->close(s);
}

void topic_set_free(struct topic_set *set)
{
	if (set->release != NULL)
		set->release(set);
	*set = (struct topic_set){.count = 0};
}

void topic_store_suggest(struct topic_store *s, const char *topic, struct correio_error *err)
{
	if (err->code != CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION || strstr(err->message, "did you mean") != NULL)
		return;
	struct topic_set all;
	if (s->ops->describe(s, NULL, &all, NULL) != CORREIO_OK)
		return;
	const char **names = (const char **)check_calloc(all.count + 1, sizeof(const char *));
	for (size_t i = 0; i < all.count; i++)
		names[i] = all.topics[i].name;
	const char *nearest = cli_nearest(topic, names, all.count);
	size_t n = strlen(err->message);
	if (nearest != NULL)
		(void)snprintf(err->message + n, sizeof(err->message) - n, "; did you mean %s?", nearest);
	free(names);
	topic_set_free(&all);
}

void topic_store_suggest_config(const struct correio_entry *entries, size_t count, struct correio_error *err)
{
	static const char *const keys[] = {
#define SETTING(kind, key, field, def, min, max, unit, flags, text) key,
#include "config/topic.def"
#undef SETTING
	};
	enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };
	if (err->code != CORREIO_ERR_INVALID_CONFIG || strstr(err->message, "did you mean") != NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		bool known = false;
		for (size_t k = 0; k < KEY_COUNT; k++)
			known = known || strcmp(keys[k], entries[i].key) == 0;
		const char *nearest = known ? NULL : cli_nearest(entries[i].key, keys, KEY_COUNT);
		if (nearest == NULL)
			continue;
		size_t n = strlen(err->message);
		(void)snprintf(err->message + n, sizeof(err->message) - n, "; did you mean %s?", nearest);
		return;
	}
}

int32_t topic_replication_factor(const struct correio_topic *t)
{
	if (t->pending)
		return t->wanted_replication_factor;
	int32_t factor = 0;
	for (int32_t i = 0; i < t->partition_count; i++)
		if (t->partitions[i].replicas.count > factor)
			factor = t->partitions[i].replicas.count;
	return factor;
}
