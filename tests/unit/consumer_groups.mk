UNIT_TESTS += tests/unit/test_consumer_assignor
tests_unit_test_consumer_assignor_SOURCES = tests/unit/test_consumer_assignor.c tests/unit/unit.h
tests_unit_test_consumer_assignor_LDADD = $(COORDINATOR_TEST_LIBS)

check_PROGRAMS += tests/simulation/test_consumer_groups
TESTS += tests/simulation/test_consumer_groups
tests_simulation_test_consumer_groups_SOURCES = tests/simulation/test_consumer_groups.c
tests_simulation_test_consumer_groups_LDADD = libcoordinator.a libwire.a libbase.a $(ISAL_LIBS) -lm

UNIT_TESTS += tests/unit/test_topic_regex
tests_unit_test_topic_regex_SOURCES = tests/unit/test_topic_regex.c tests/unit/unit.h
tests_unit_test_topic_regex_LDADD = $(COORDINATOR_TEST_LIBS) $(PCRE2_LIBS)

UNIT_TESTS += tests/unit/test_group_coordinator_consumer
tests_unit_test_group_coordinator_consumer_SOURCES = tests/unit/test_group_coordinator_consumer.c $(COORDINATOR_FIXTURE)
tests_unit_test_group_coordinator_consumer_LDADD = libsimulation.a $(UNIT_LIBS)
