UNIT_TESTS += tests/unit/test_zk_client
tests_unit_test_zk_client_SOURCES = tests/unit/test_zk_client.c tests/unit/zk_fixture.c tests/unit/zk_fixture.h tests/unit/unit.h
tests_unit_test_zk_client_LDADD = $(UNIT_LIBS)
