NATIVE_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
UNIT_TESTS += tests/unit/test_native_codec
tests_unit_test_native_codec_SOURCES = tests/unit/test_native_codec.c tests/unit/unit.h
tests_unit_test_native_codec_CPPFLAGS = $(NATIVE_TEST_CPPFLAGS)
tests_unit_test_native_codec_LDADD = libwire.a libproto.a libbase.a $(PROTOBUF_C_LIBS) $(ISAL_LIBS) $(CHECK_LIBS) -lm

# The replica layer is faked by the tests: libreplica is not linked.
SERVICE_TEST_LIBS = libservice.a libcluster.a libstorage.a libzk.a libruntime.a libconfig.a libbase.a $(SYSTEM_LIBS) $(CHECK_LIBS)
SERVICE_FIXTURE = tests/unit/service_fixture.c tests/unit/service_fixture.h tests/unit/unit.h
UNIT_TESTS += tests/unit/test_produce_service tests/unit/test_fetch_service
tests_unit_test_produce_service_SOURCES = tests/unit/test_produce_service.c $(SERVICE_FIXTURE)
tests_unit_test_produce_service_LDADD = $(SERVICE_TEST_LIBS)
tests_unit_test_fetch_service_SOURCES = tests/unit/test_fetch_service.c $(SERVICE_FIXTURE)
tests_unit_test_fetch_service_LDADD = $(SERVICE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_metadata_service
tests_unit_test_metadata_service_SOURCES = tests/unit/test_metadata_service.c $(SERVICE_FIXTURE)
tests_unit_test_metadata_service_LDADD = $(SERVICE_TEST_LIBS)
UNIT_TESTS += tests/unit/test_service_threads
tests_unit_test_service_threads_SOURCES = tests/unit/test_service_threads.c tests/unit/unit.h
tests_unit_test_service_threads_LDADD = $(SERVICE_TEST_LIBS)
THREADED_TESTS += tests/unit/test_service_threads
# topic_admin is faked by the test: libzk is not linked.
UNIT_TESTS += tests/unit/test_admin_service
tests_unit_test_admin_service_SOURCES = tests/unit/test_admin_service.c $(SERVICE_FIXTURE)
tests_unit_test_admin_service_LDADD = libservice.a libcluster.a libstorage.a libruntime.a libconfig.a libbase.a $(SYSTEM_LIBS) $(CHECK_LIBS)
# The connection, the replica layer, cluster_state and topic_admin are faked by the test.
UNIT_TESTS += tests/unit/test_native_front
tests_unit_test_native_front_SOURCES = tests/unit/test_native_front.c $(SERVICE_FIXTURE)
tests_unit_test_native_front_CPPFLAGS = $(NATIVE_TEST_CPPFLAGS)
tests_unit_test_native_front_LDADD = libnative.a libservice.a libcluster.a libstorage.a libwire.a libproto.a libruntime.a \
	libconfig.a libbase.a $(SYSTEM_LIBS) $(CHECK_LIBS)
# The coordinators and admin_service are faked by the test.
UNIT_TESTS += tests/unit/test_group_service
tests_unit_test_group_service_SOURCES = tests/unit/test_group_service.c $(SERVICE_FIXTURE)
tests_unit_test_group_service_LDADD = $(SERVICE_TEST_LIBS)
# The coordinator and the replica layer are faked by the test.
UNIT_TESTS += tests/unit/test_group_lag
tests_unit_test_group_lag_SOURCES = tests/unit/test_group_lag.c $(SERVICE_FIXTURE)
tests_unit_test_group_lag_LDADD = $(SERVICE_TEST_LIBS)
