noinst_LIBRARIES += libwire.a
libwire_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libwire_a_CFLAGS = $(AM_CFLAGS)
libwire_a_SOURCES = \
	broker/wire/kafka_codec.c broker/wire/kafka_codec.h broker/wire/kafka_codec_internal.h \
	broker/wire/kafka_codec_decode.c broker/wire/kafka_codec_encode.c \
	broker/wire/kafka_messages.c broker/wire/kafka_messages.h broker/wire/kafka_table.h \
	broker/wire/control_codec.c broker/wire/control_codec.h broker/wire/control_codec_internal.h \
	broker/wire/control_codec_decode.c \
	broker/wire/controller_codec.c broker/wire/controller_codec.h \
	broker/wire/native_codec.c broker/wire/native_codec.h
