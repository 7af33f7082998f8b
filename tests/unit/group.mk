# They must link with base alone.
GROUP_TEST_LIBS = libcoordinator.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm
check_PROGRAMS += tests/simulation/test_groups
TESTS += tests/simulation/test_groups
tests_simulation_test_groups_SOURCES = tests/simulation/test_groups.c
tests_simulation_test_groups_LDADD = $(GROUP_TEST_LIBS)
UNIT_TESTS += tests/unit/test_group
tests_unit_test_group_SOURCES = tests/unit/test_group.c tests/unit/unit.h
tests_unit_test_group_LDADD = $(GROUP_TEST_LIBS)
