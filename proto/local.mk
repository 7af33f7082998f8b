# protoc-c writes beside the build; its code is a library of its own with plain -Wall.
PROTO_FILES = proto/native/frame.proto proto/native/data.proto proto/native/metadata.proto proto/native/admin.proto \
	proto/native/groups.proto
PROTO_C = $(PROTO_FILES:.proto=.pb-c.c)
PROTO_H = $(PROTO_FILES:.proto=.pb-c.h)
EXTRA_DIST += $(PROTO_FILES)
BUILT_SOURCES += $(PROTO_H)
CLEANFILES += $(PROTO_C) $(PROTO_H)

proto/native/%.pb-c.c proto/native/%.pb-c.h: $(top_srcdir)/proto/native/%.proto
	@$(MKDIR_P) proto/native
	$(AM_V_GEN)$(PROTOC_C) --proto_path=$(top_srcdir)/proto/native --c_out=proto/native $<

noinst_LIBRARIES += libproto.a
libproto_a_CFLAGS = $(GENERATED_CFLAGS)
libproto_a_CPPFLAGS = -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
nodist_libproto_a_SOURCES = proto/native/frame.pb-c.c proto/native/data.pb-c.c proto/native/metadata.pb-c.c \
	proto/native/admin.pb-c.c proto/native/groups.pb-c.c

# Tables, included by broker/wire/kafka_messages.[ch] and tests.
EXTRA_DIST += proto/kafka/all.def proto/kafka/api_versions.def proto/kafka/create_partitions.def proto/kafka/create_topics.def \
	proto/kafka/delete_topics.def proto/kafka/describe_cluster.def proto/kafka/describe_configs.def proto/kafka/fetch.def \
	proto/kafka/list_offsets.def proto/kafka/metadata.def proto/kafka/produce.def \
	proto/kafka/find_coordinator.def \
	proto/kafka/join_group.def \
	proto/kafka/sync_group.def \
	proto/kafka/heartbeat.def \
	proto/kafka/leave_group.def \
	proto/kafka/offset_commit.def \
	proto/kafka/offset_fetch.def \
	proto/kafka/offset_delete.def \
	proto/kafka/describe_groups.def \
	proto/kafka/list_groups.def \
	proto/kafka/delete_groups.def \
	proto/kafka/consumer_group_heartbeat.def \
	proto/kafka/consumer_group_describe.def \
	proto/kafka/init_producer_id.def \
	proto/kafka/describe_producers.def \
	proto/kafka/offset_for_leader_epoch.def \
	proto/kafka/delete_records.def \
	proto/kafka/alter_configs.def \
	proto/kafka/incremental_alter_configs.def \
	proto/kafka/describe_log_dirs.def \
	proto/kafka/leader_and_isr.def \
	proto/kafka/stop_replica.def \
	proto/kafka/update_metadata.def \
	proto/kafka/controlled_shutdown.def \
	proto/kafka/allocate_producer_ids.def \
	proto/kafka/alter_partition.def

# Tables of the coordinators' records, included by broker/coordinator/group_records.[ch].
EXTRA_DIST += proto/storage/internal_topics.def
