noinst_LIBRARIES += libzk.a
libzk_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libzk_a_CFLAGS = $(AM_CFLAGS)
libzk_a_SOURCES = \
	coordinator-client/zk_schema.c coordinator-client/zk_schema.h coordinator-client/zk_schema_internal.h \
	coordinator-client/zk_schema_broker.c coordinator-client/zk_schema_config.c coordinator-client/zk_schema_json.c \
	coordinator-client/zk_schema_topic.c \
	coordinator-client/topic_admin.c coordinator-client/topic_admin.h coordinator-client/topic_admin_configs.c \
	coordinator-client/topic_admin_create.c \
	coordinator-client/topic_admin_describe.c coordinator-client/topic_admin_edit.c \
	coordinator-client/topic_admin_internal.h
