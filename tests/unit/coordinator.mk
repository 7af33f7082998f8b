COORDINATOR_TEST_LIBS = libcoordinator.a libwire.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm

UNIT_TESTS += tests/unit/test_group_records
tests_unit_test_group_records_SOURCES = tests/unit/test_group_records.c tests/unit/unit.h
tests_unit_test_group_records_LDADD = $(COORDINATOR_TEST_LIBS)
