#include "config/settings.h"
#include "coordinator-client/topic_admin_internal.h"

enum status topic_admin_check_configs(const char *topic, const struct zk_schema_config *config, struct failure *f)
{
	struct topic_settings settings;
	struct failure why;
	topic_settings_init_defaults(&settings);
	for (size_t i = 0; i < config->entry_count; i++) {
		enum status s = topic_settings_apply(&settings, config->entries[i].key, config->entries[i].value, &why);
		if (s != STATUS_OK)
			return failure_set(f, STATUS_INVALID_CONFIG, "topic %s: %s", topic, why.text);
	}
	return STATUS_OK;
}
