CLIENT_TEST_LIBS = $(CLIENT_LIBS) $(CLIENT_SYSTEM_LIBS) $(CHECK_LIBS)
CLIENT_TEST_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
NATIVE_PEER = tests/unit/native_peer.c tests/unit/native_peer.h tests/unit/unit.h

UNIT_TESTS += tests/unit/test_producer
tests_unit_test_producer_SOURCES = tests/unit/test_producer.c $(NATIVE_PEER)
tests_unit_test_producer_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_producer_LDADD = $(CLIENT_TEST_LIBS)
THREADED_TESTS += tests/unit/test_producer
