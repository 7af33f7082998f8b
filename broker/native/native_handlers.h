/* Protobuf requests to and from service requests; each handler decodes, calls, encodes. Rows of native_dispatch's table. */
#ifndef NATIVE_NATIVE_HANDLERS_H
#define NATIVE_NATIVE_HANDLERS_H

struct native_call;

/* native_handlers_data.c */
void native_handlers_produce(struct native_call *c);
void native_handlers_fetch(struct native_call *c);
void native_handlers_list_offsets(struct native_call *c);
void native_handlers_init_producer(struct native_call *c);
/* native_handlers_metadata.c */
void native_handlers_hello(struct native_call *c);
void native_handlers_metadata(struct native_call *c);
void native_handlers_describe_cluster(struct native_call *c);
/* native_handlers_topics.c */
void native_handlers_create_topics(struct native_call *c);
void native_handlers_delete_topics(struct native_call *c);
void native_handlers_create_partitions(struct native_call *c);
void native_handlers_describe_topics(struct native_call *c);
/* native_handlers_configs.c */
void native_handlers_describe_configs(struct native_call *c);
void native_handlers_alter_configs(struct native_call *c);

/* native_handlers_groups.c */
void native_handlers_find_coordinators(struct native_call *c);
void native_handlers_join_group(struct native_call *c);
void native_handlers_sync_group(struct native_call *c);
void native_handlers_heartbeat(struct native_call *c);
void native_handlers_leave_group(struct native_call *c);
/* native_handlers_offsets.c */
void native_handlers_commit_offsets(struct native_call *c);
void native_handlers_fetch_offsets(struct native_call *c);
void native_handlers_delete_offsets(struct native_call *c);
/* native_handlers_group_admin.c */
void native_handlers_describe_groups(struct native_call *c);
void native_handlers_list_groups(struct native_call *c);
void native_handlers_delete_groups(struct native_call *c);

#endif
