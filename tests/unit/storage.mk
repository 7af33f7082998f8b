UNIT_TESTS += tests/unit/test_disk tests/unit/test_compression tests/unit/test_record_batch
tests_unit_test_disk_SOURCES = tests/unit/test_disk.c tests/unit/unit.h
tests_unit_test_disk_LDADD = $(UNIT_LIBS)
tests_unit_test_compression_SOURCES = tests/unit/test_compression.c tests/unit/unit.h
tests_unit_test_compression_LDADD = $(UNIT_LIBS)
tests_unit_test_record_batch_SOURCES = tests/unit/test_record_batch.c tests/unit/unit.h
tests_unit_test_record_batch_LDADD = $(UNIT_LIBS)
