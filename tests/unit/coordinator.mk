COORDINATOR_TEST_LIBS = libcoordinator.a libwire.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm

UNIT_TESTS += tests/unit/test_group_records
tests_unit_test_group_records_SOURCES = tests/unit/test_group_records.c tests/unit/unit.h
tests_unit_test_group_records_LDADD = $(COORDINATOR_TEST_LIBS)
COORDINATOR_FIXTURE = tests/unit/coordinator_fixture.c tests/unit/coordinator_fixture.h tests/unit/unit.h
UNIT_TESTS += tests/unit/test_group_coordinator
tests_unit_test_group_coordinator_SOURCES = tests/unit/test_group_coordinator.c $(COORDINATOR_FIXTURE)
tests_unit_test_group_coordinator_LDADD = libsimulation.a $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_group_offsets
tests_unit_test_group_offsets_SOURCES = tests/unit/test_group_offsets.c tests/unit/unit.h
tests_unit_test_group_offsets_LDADD = libcoordinator.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm
UNIT_TESTS += tests/unit/test_group_coordinator_crash
tests_unit_test_group_coordinator_crash_SOURCES = tests/unit/test_group_coordinator_crash.c $(COORDINATOR_FIXTURE)
tests_unit_test_group_coordinator_crash_LDADD = libsimulation.a $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_group_adoption
tests_unit_test_group_adoption_SOURCES = tests/unit/test_group_adoption.c $(COORDINATOR_FIXTURE)
tests_unit_test_group_adoption_LDADD = libsimulation.a $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_consumer_assignor
tests_unit_test_consumer_assignor_SOURCES = tests/unit/test_consumer_assignor.c tests/unit/unit.h
tests_unit_test_consumer_assignor_LDADD = $(COORDINATOR_TEST_LIBS)

check_PROGRAMS += tests/simulation/test_consumer_groups
TESTS += tests/simulation/test_consumer_groups
tests_simulation_test_consumer_groups_SOURCES = tests/simulation/test_consumer_groups.c
tests_simulation_test_consumer_groups_LDADD = libcoordinator.a libwire.a libbase.a $(ISAL_LIBS) -lm
UNIT_TESTS += tests/unit/test_group_threads
tests_unit_test_group_threads_SOURCES = tests/unit/test_group_threads.c tests/unit/unit.h
tests_unit_test_group_threads_LDADD = $(UNIT_LIBS)
THREADED_TESTS += tests/unit/test_group_threads
