CLIENT_TEST_LIBS = $(CLIENT_LIBS) $(CLIENT_SYSTEM_LIBS) $(CHECK_LIBS)
CLIENT_TEST_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
# A broker of the protocol in the test's own process.
NATIVE_PEER = tests/unit/native_peer.c tests/unit/native_peer.h tests/unit/client_fixture.c tests/unit/client_fixture.h \
	tests/unit/unit.h

UNIT_TESTS += tests/unit/test_producer
tests_unit_test_producer_SOURCES = tests/unit/test_producer.c $(NATIVE_PEER)
tests_unit_test_producer_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_producer_LDADD = $(CLIENT_TEST_LIBS)
UNIT_TESTS += tests/unit/test_consumer
tests_unit_test_consumer_SOURCES = tests/unit/test_consumer.c $(NATIVE_PEER)
tests_unit_test_consumer_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_consumer_LDADD = $(CLIENT_TEST_LIBS)
UNIT_TESTS += tests/unit/test_assignor
tests_unit_test_assignor_SOURCES = tests/unit/test_assignor.c tests/unit/unit.h
tests_unit_test_assignor_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_assignor_LDADD = $(CLIENT_TEST_LIBS)
UNIT_TESTS += tests/unit/test_client_config
tests_unit_test_client_config_SOURCES = tests/unit/test_client_config.c tests/unit/unit.h
tests_unit_test_client_config_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS)
tests_unit_test_client_config_LDADD = $(CLIENT_TEST_LIBS)
UNIT_TESTS += tests/unit/test_tools
tests_unit_test_tools_SOURCES = tests/unit/test_tools.c tests/unit/unit.h
tests_unit_test_tools_CPPFLAGS = $(CLIENT_TEST_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_tools_LDADD = $(TOOLS_LIBS) $(CHECK_LIBS)
THREADED_TESTS += tests/unit/test_producer tests/unit/test_consumer
