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
/* kafka_metadata.c */
void kafka_metadata_api_versions(struct kafka_call *c);
void kafka_metadata_metadata(struct kafka_call *c);
void kafka_metadata_describe_cluster(struct kafka_call *c);
/* kafka_admin_topics.c */
void kafka_admin_create_topics(struct kafka_call *c);
void kafka_admin_delete_topics(struct kafka_call *c);
void kafka_admin_create_partitions(struct kafka_call *c);
/* kafka_admin_configs.c */
void kafka_admin_describe_configs(struct kafka_call *c);
/* kafka_admin_alter_configs.c */
void kafka_admin_alter_configs(struct kafka_call *c);
void kafka_admin_incremental_alter_configs(struct kafka_call *c);
/* Codes of where a value comes from (Kafka: ConfigSource). */
int8_t kafka_admin_config_source(enum config_source source);

#endif
