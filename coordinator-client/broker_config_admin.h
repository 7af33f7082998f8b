/* Settings of brokers that are changed while they run, written to /config/brokers with the change notification, as Kafka's config
 * tool does. Answered once, on the client's scheduler. Kafka: AdminZkClient.changeBrokerConfig (KIP-226). */
#ifndef COORDINATOR_CLIENT_BROKER_CONFIG_ADMIN_H
#define COORDINATOR_CLIENT_BROKER_CONFIG_ADMIN_H

#include "coordinator-client/topic_admin.h"

/* entity: a broker's id, or "" for the default of all. Entries with value NULL are removed; replace: so are those not named. Checked
 * against the settings that can change (INVALID_CONFIG). Conditional on what was read: two writers do not undo each other. */
void broker_config_admin_alter(struct zk_client *zk, const char *entity, const struct topic_config_entry *entries, size_t count,
	bool replace, topic_done_fn done, void *arg);

#endif
