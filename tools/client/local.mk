# The library as the tree links it: its own objects.
noinst_LIBRARIES += libclient.a
libclient_a_CFLAGS = $(AM_CFLAGS)
# As system headers: what the macros of protoc-c expand to is not ours to warn about.
libclient_a_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libclient_a_SOURCES = \
	tools/client/correio.h \
	tools/client/admin.c tools/client/admin_internal.h \
	tools/client/admin_configs.c \
	tools/client/admin_group_offsets.c \
	tools/client/admin_groups.c \
	tools/client/admin_topics.c \
	tools/client/assignor.c tools/client/assignor.h \
	tools/client/client_cluster.c tools/client/client_cluster.h \
	tools/client/client_config.c tools/client/client_config.h tools/client/options.def \
	tools/client/client_connection.c tools/client/client_connection.h \
	tools/client/client_error.c tools/client/client_error.h \
	tools/client/client_request.c tools/client/client_request.h \
	tools/client/consumer.c tools/client/consumer_internal.h \
	tools/client/consumer_commit.c \
	tools/client/consumer_fetch.c \
	tools/client/consumer_group.c tools/client/consumer_group.h \
	tools/client/consumer_group_requests.c \
	tools/client/consumer_protocol.c tools/client/consumer_protocol.h \
	tools/client/partitioner.c tools/client/partitioner.h \
	tools/client/producer.c tools/client/producer_internal.h \
	tools/client/producer_batches.c \
	tools/client/producer_identity.c \
	tools/client/producer_sender.c
include_HEADERS += tools/client/correio.h
CLIENT_LIBS = libclient.a libstorage.a libproto.a libconfig.a libbase.a
CLIENT_SYSTEM_LIBS = $(PROTOBUF_C_LIBS) $(ZLIB_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(SNAPPY_LIBS) $(ISAL_LIBS) -lm

# The library as it is installed: one object with all it needs of ours, in which only correio_* can be seen.
clientlibdir = $(libdir)
clientlib_DATA = tools/client/libcorreio.a
CLEANFILES += tools/client/libcorreio.a tools/client/libcorreio.o
tools/client/libcorreio.a: $(CLIENT_LIBS)
	$(AM_V_GEN)$(MKDIR_P) tools/client && \
	$(LD) -r -o tools/client/libcorreio.o --whole-archive libclient.a --no-whole-archive \
		libstorage.a libproto.a libconfig.a libbase.a && \
	$(OBJCOPY) --wildcard --keep-global-symbol='correio_*' tools/client/libcorreio.o && \
	rm -f $@ && $(AR) cr $@ tools/client/libcorreio.o && $(RANLIB) $@
$(libclient_a_OBJECTS): $(PROTO_H)
