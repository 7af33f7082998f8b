noinst_LIBRARIES += libnative.a
libnative_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libnative_a_CFLAGS = $(AM_CFLAGS)
libnative_a_SOURCES = \
	broker/native/native_call.c broker/native/native_call.h \
	broker/native/native_dispatch.c broker/native/native_dispatch.h \
	broker/native/native_groups.c broker/native/native_groups.h \
	broker/native/native_handlers.h \
	broker/native/native_handlers_configs.c \
	broker/native/native_handlers_data.c \
	broker/native/native_handlers_group_admin.c \
	broker/native/native_handlers_groups.c \
	broker/native/native_handlers_metadata.c \
	broker/native/native_handlers_offsets.c \
	broker/native/native_handlers_topics.c
