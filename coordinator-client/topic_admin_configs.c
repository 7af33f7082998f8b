#include "coordinator-client/topic_admin_internal.h"

/* Kafka's topic keys that have no meaning to our logs but are legal to set, and needed when moving replicas. */
static const char *const other_keys[] = {"leader.replication.throttled.replicas",
	"follower.replication.throttled.replicas", "message.format.version", "remote.storage.enable", NULL};

static const char *const topic_keys[] = {
#define SETTING(kind, key, field, def, min, max, unit, flags, text) key,
#include "config/topic.def"
#undef SETTING
	NULL,
};

static bool is_in(const char *const *keys, const char *key)
{
	for (; *keys != NULL; keys++) {
		if (strcmp(*keys, key) == 0)
			return true;
	}
	return false;
}

enum status topic_admin_check_configs(const char *topic, const struct zk_schema_config *config, struct failure *f)
{
	for (size_t i = 0; i < config->entry_count; i++) {
		const char *key = config->entries[i].key;
		if (!is_in(topic_keys, key) && !is_in(other_keys, key))
			return failure_set(f, STATUS_INVALID_CONFIG, "topic %s: there is no topic configuration %.64s", topic,
				key);
	}
	return STATUS_OK;
}
