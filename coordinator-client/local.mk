noinst_LIBRARIES += libzk.a
libzk_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
libzk_a_CFLAGS = $(AM_CFLAGS)
libzk_a_SOURCES = \
	coordinator-client/broker_config_admin.c coordinator-client/broker_config_admin.h \
	coordinator-client/zk_schema.c coordinator-client/zk_schema.h coordinator-client/zk_schema_internal.h \
	coordinator-client/zk_schema_broker.c coordinator-client/zk_schema_config.c coordinator-client/zk_schema_json.c \
	coordinator-client/zk_schema_topic.c \
	coordinator-client/topic_admin.c coordinator-client/topic_admin.h coordinator-client/topic_admin_configs.c \
	coordinator-client/topic_admin_create.c \
	coordinator-client/topic_admin_describe.c coordinator-client/topic_admin_edit.c \
	coordinator-client/topic_admin_internal.h
libzk_a_SOURCES += \
	coordinator-client/zk_call.c coordinator-client/zk_call.h \
	coordinator-client/zk_client.h \
	coordinator-client/zk_election.c coordinator-client/zk_election.h \
	coordinator-client/zk_flight.c coordinator-client/zk_session.c coordinator-client/zk_session.h \
	coordinator-client/zk_session_internal.h \
	coordinator-client/zk_path.c coordinator-client/zk_path.h \
	coordinator-client/zk_request.c coordinator-client/zk_request.h \
	coordinator-client/zk_standalone.c coordinator-client/zk_standalone.h \
	coordinator-client/zk_tree.c coordinator-client/zk_tree.h \
	coordinator-client/zk_tree_internal.h coordinator-client/zk_tree_store.c \
	coordinator-client/zk_tree_journal.c coordinator-client/zk_tree_journal.h \
	coordinator-client/zk_watch.c coordinator-client/zk_watch.h \
	coordinator-client/zk_watch_table.c coordinator-client/zk_watch_table.h
