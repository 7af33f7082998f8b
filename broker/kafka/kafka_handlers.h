/* Kafka's requests to and from service requests; each handler decodes, calls, encodes. Rows of kafka_dispatch's table. */
#ifndef KAFKA_KAFKA_HANDLERS_H
#define KAFKA_KAFKA_HANDLERS_H

#include "base/status.h"
#include "service/config_service.h"

struct kafka_call;

/* kafka_data_*.c */
void kafka_data_produce(struct kafka_call *c);
void kafka_data_fetch(struct kafka_call *c);
void kafka_data_list_offsets(struct kafka_call *c);
void kafka_data_offset_for_leader_epoch(struct kafka_call *c);
/* kafka_metadata.c */
void kafka_metadata_api_versions(struct kafka_call *c);
void kafka_metadata_metadata(struct kafka_call *c);
void kafka_metadata_describe_cluster(struct kafka_call *c);
/* kafka_admin_topics.c */
void kafka_admin_create_topics(struct kafka_call *c);
void kafka_admin_delete_topics(struct kafka_call *c);
void kafka_admin_create_partitions(struct kafka_call *c);
/* kafka_admin_logs.c */
void kafka_admin_delete_records(struct kafka_call *c);
void kafka_admin_describe_log_dirs(struct kafka_call *c);
/* kafka_admin_configs.c */
void kafka_admin_describe_configs(struct kafka_call *c);
/* kafka_admin_alter_configs.c */
void kafka_admin_alter_configs(struct kafka_call *c);
void kafka_admin_incremental_alter_configs(struct kafka_call *c);
/* kafka_producers.c */
void kafka_producers_init_producer_id(struct kafka_call *c);
void kafka_producers_describe(struct kafka_call *c);
/* Codes of where a value comes from (Kafka: ConfigSource). */
int8_t kafka_admin_config_source(enum config_source source);
/* kafka_groups_members.c */
void kafka_groups_join(struct kafka_call *c);
void kafka_groups_sync(struct kafka_call *c);
void kafka_groups_heartbeat(struct kafka_call *c);
void kafka_groups_leave(struct kafka_call *c);
/* kafka_groups_consumer.c */
void kafka_groups_consumer_heartbeat(struct kafka_call *c);
void kafka_groups_consumer_describe(struct kafka_call *c);
/* kafka_groups_offsets.c */
void kafka_groups_offset_commit(struct kafka_call *c);
void kafka_groups_offset_fetch(struct kafka_call *c);
void kafka_groups_offset_delete(struct kafka_call *c);
/* kafka_groups_admin.c */
void kafka_groups_find_coordinator(struct kafka_call *c);
void kafka_groups_describe(struct kafka_call *c);
void kafka_groups_list(struct kafka_call *c);
void kafka_groups_delete(struct kafka_call *c);
/* kafka_interbroker.c */
void kafka_interbroker_leader_and_isr(struct kafka_call *c);
void kafka_interbroker_stop_replica(struct kafka_call *c);
void kafka_interbroker_update_metadata(struct kafka_call *c);
void kafka_interbroker_alter_partition(struct kafka_call *c);
void kafka_interbroker_controlled_shutdown(struct kafka_call *c);
void kafka_interbroker_allocate_producer_ids(struct kafka_call *c);

#endif
