UNIT_TESTS += tests/unit/test_zk_schema
tests_unit_test_zk_schema_SOURCES = tests/unit/test_zk_schema.c tests/unit/unit.h
tests_unit_test_zk_schema_LDADD = $(UNIT_LIBS)
