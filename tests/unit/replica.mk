REPLICA_TEST_LIBS = libreplica.a libcluster.a libzk.a libruntime.a libconfig.a libbase.a $(SYSTEM_LIBS) $(CHECK_LIBS)
FAKE_LOG = tests/unit/fake_log.c tests/unit/fake_log.h
REPLICA_FIXTURE = tests/unit/replica_fixture.c tests/unit/replica_fixture.h $(FAKE_LOG)

UNIT_TESTS += tests/unit/test_cluster_image
tests_unit_test_cluster_image_SOURCES = tests/unit/test_cluster_image.c tests/unit/unit.h
tests_unit_test_cluster_image_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_partition
tests_unit_test_partition_SOURCES = tests/unit/test_partition.c tests/unit/unit.h $(REPLICA_FIXTURE)
tests_unit_test_partition_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_delayed_fetch
tests_unit_test_delayed_fetch_SOURCES = tests/unit/test_delayed_fetch.c tests/unit/unit.h $(REPLICA_FIXTURE)
tests_unit_test_delayed_fetch_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_replica_manager
tests_unit_test_replica_manager_SOURCES = tests/unit/test_replica_manager.c tests/unit/unit.h $(REPLICA_FIXTURE)
tests_unit_test_replica_manager_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_broker_registration
tests_unit_test_broker_registration_SOURCES = tests/unit/test_broker_registration.c tests/unit/unit.h
tests_unit_test_broker_registration_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_cluster_state
tests_unit_test_cluster_state_SOURCES = tests/unit/test_cluster_state.c tests/unit/unit.h $(REPLICA_FIXTURE)
tests_unit_test_cluster_state_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_replica_threads
tests_unit_test_replica_threads_SOURCES = tests/unit/test_replica_threads.c tests/unit/unit.h
tests_unit_test_replica_threads_LDADD = libreplica.a libcluster.a libstorage.a libzk.a libruntime.a libconfig.a libbase.a \
	$(SYSTEM_LIBS) $(CHECK_LIBS)
THREADED_TESTS += tests/unit/test_replica_threads
UNIT_TESTS += tests/unit/test_fetch_session
tests_unit_test_fetch_session_SOURCES = tests/unit/test_fetch_session.c tests/unit/unit.h
tests_unit_test_fetch_session_LDADD = $(REPLICA_TEST_LIBS)

UNIT_TESTS += tests/unit/test_replica_cleaner
tests_unit_test_replica_cleaner_SOURCES = tests/unit/test_replica_cleaner.c tests/unit/unit.h $(REPLICA_FIXTURE)
tests_unit_test_replica_cleaner_LDADD = $(REPLICA_TEST_LIBS)
