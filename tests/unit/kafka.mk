UNIT_TESTS += tests/unit/test_kafka_codec
tests_unit_test_kafka_codec_SOURCES = tests/unit/test_kafka_codec.c tests/unit/kafka_random.c tests/unit/kafka_random.h \
	tests/unit/unit.h
tests_unit_test_kafka_codec_LDADD = libwire.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm
