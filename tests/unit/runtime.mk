UNIT_TESTS += tests/unit/test_event_loop tests/unit/test_loop_group
tests_unit_test_event_loop_SOURCES = tests/unit/test_event_loop.c tests/unit/unit.h
tests_unit_test_event_loop_LDADD = $(UNIT_LIBS)
tests_unit_test_loop_group_SOURCES = tests/unit/test_loop_group.c tests/unit/unit.h
tests_unit_test_loop_group_LDADD = $(UNIT_LIBS)
