LOG_FIXTURE = tests/unit/log_fixture.c tests/unit/log_fixture.h tests/unit/unit.h
UNIT_TESTS += tests/unit/test_partition_log
tests_unit_test_partition_log_SOURCES = tests/unit/test_partition_log.c $(LOG_FIXTURE)
tests_unit_test_partition_log_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_log_manager
tests_unit_test_log_manager_SOURCES = tests/unit/test_log_manager.c $(LOG_FIXTURE)
tests_unit_test_log_manager_LDADD = $(UNIT_LIBS)
