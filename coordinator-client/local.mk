noinst_LIBRARIES += libzk.a
libzk_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libzk_a_CFLAGS = $(AM_CFLAGS)
libzk_a_SOURCES = \
	coordinator-client/zk_schema.c coordinator-client/zk_schema.h coordinator-client/zk_schema_internal.h \
	coordinator-client/zk_schema_broker.c coordinator-client/zk_schema_config.c coordinator-client/zk_schema_json.c \
	coordinator-client/zk_schema_topic.c
