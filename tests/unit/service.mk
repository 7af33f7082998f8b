NATIVE_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
UNIT_TESTS += tests/unit/test_native_codec
tests_unit_test_native_codec_SOURCES = tests/unit/test_native_codec.c tests/unit/unit.h
tests_unit_test_native_codec_CPPFLAGS = $(NATIVE_TEST_CPPFLAGS)
tests_unit_test_native_codec_LDADD = libwire.a libproto.a libbase.a $(PROTOBUF_C_LIBS) $(ISAL_LIBS) $(CHECK_LIBS) -lm
