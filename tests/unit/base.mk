BASE_TEST_LIBS = libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm
UNIT_TESTS += tests/unit/test_bytes
tests_unit_test_bytes_SOURCES = tests/unit/test_bytes.c tests/unit/unit.h
tests_unit_test_bytes_LDADD = $(BASE_TEST_LIBS)

UNIT_TESTS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/unit.h
tests_unit_test_base_LDADD = $(BASE_TEST_LIBS)

UNIT_TESTS += tests/unit/test_iobuf
tests_unit_test_iobuf_SOURCES = tests/unit/test_iobuf.c tests/unit/unit.h
tests_unit_test_iobuf_LDADD = $(BASE_TEST_LIBS)
