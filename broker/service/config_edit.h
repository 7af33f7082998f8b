/* Changes of settings as clients ask for them (set, delete, append, subtract) become what is written: plain values and removals.
 * Kafka: ConfigAdminManager.prepareIncrementalConfigs. */
#ifndef SERVICE_CONFIG_EDIT_H
#define SERVICE_CONFIG_EDIT_H

#include "coordinator-client/topic_admin.h"
#include "service/service_loop.h"

enum config_edit_op { CONFIG_EDIT_SET, CONFIG_EDIT_DELETE, CONFIG_EDIT_APPEND, CONFIG_EDIT_SUBTRACT };
struct config_edit {
	const char *key, *value; /* value NULL: only with DELETE */
	enum config_edit_op op;
};

/* ret_entries: one per edit, in the arena. INVALID_REQUEST: a key twice, no value, no such operation; INVALID_CONFIG: an unknown key,
 * a value that is not allowed, lists changed that are none. UNKNOWN_TOPIC_OR_PARTITION. TOO_LARGE: the arena is full. */
MUST_CHECK enum status config_edit_topic(struct service_loop *s, struct arena *a, const char *topic, const struct config_edit *edits,
	size_t count, const struct topic_config_entry **ret_entries, char **ret_message);
/* The same for settings of brokers that can change while they run. entity: a broker's id, "" for all brokers' default. */
MUST_CHECK enum status config_edit_broker(struct service_loop *s, struct arena *a, const char *entity, const struct config_edit *edits,
	size_t count, const struct topic_config_entry **ret_entries, char **ret_message);

#endif
