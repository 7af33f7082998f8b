KAFKA_CONNECTION = tests/unit/kafka_connection.c tests/unit/kafka_connection.h
UNIT_TESTS += tests/unit/test_kafka_codec
tests_unit_test_kafka_codec_SOURCES = tests/unit/test_kafka_codec.c tests/unit/kafka_random.c tests/unit/kafka_random.h \
	tests/unit/unit.h
tests_unit_test_kafka_codec_LDADD = libwire.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm

UNIT_TESTS += tests/unit/test_kafka_recorded
tests_unit_test_kafka_recorded_CPPFLAGS = $(AM_CPPFLAGS) -DRECORDED_FRAMES=\"$(abs_top_srcdir)/tests/unit/recorded/kafka_frames.txt\"
tests_unit_test_kafka_recorded_SOURCES = tests/unit/test_kafka_recorded.c tests/unit/kafka_random.c tests/unit/kafka_random.h
tests_unit_test_kafka_recorded_LDADD = libwire.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm
EXTRA_DIST += tests/unit/recorded/kafka_frames.txt
# The connection and the coordinator are faked by the test.
UNIT_TESTS += tests/unit/test_kafka_groups
tests_unit_test_kafka_groups_SOURCES = tests/unit/test_kafka_groups.c $(KAFKA_CONNECTION) $(SERVICE_FIXTURE)
tests_unit_test_kafka_groups_LDADD = $(UNIT_LIBS)
# The connection, cluster_state and the controller are faked by the test.
UNIT_TESTS += tests/unit/test_kafka_interbroker
tests_unit_test_kafka_interbroker_SOURCES = tests/unit/test_kafka_interbroker.c $(KAFKA_CONNECTION) $(SERVICE_FIXTURE)
tests_unit_test_kafka_interbroker_LDADD = $(UNIT_LIBS)
