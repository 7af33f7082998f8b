noinst_LIBRARIES += libwire.a
libwire_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libwire_a_CFLAGS = $(AM_CFLAGS)
libwire_a_SOURCES = \
	broker/wire/control_codec.c broker/wire/control_codec.h \
	broker/wire/native_codec.c broker/wire/native_codec.h
