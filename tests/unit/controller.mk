# What the controller's pure parts need, and nothing above them.
CONTROLLER_TEST_LIBS = libcontroller.a libcluster.a libwire.a libzk.a libproto.a libconfig.a libbase.a $(PROTOBUF_C_LIBS) \
	$(JANSSON_LIBS) $(ISAL_LIBS) $(OPENSSL_LIBS) $(CHECK_LIBS) -lm
UNIT_TESTS += tests/unit/test_zk_schema
tests_unit_test_zk_schema_SOURCES = tests/unit/test_zk_schema.c tests/unit/unit.h
tests_unit_test_zk_schema_LDADD = $(CONTROLLER_TEST_LIBS)
UNIT_TESTS += tests/unit/test_controller
tests_unit_test_controller_SOURCES = tests/unit/test_controller.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_controller_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_leader_election
tests_unit_test_leader_election_SOURCES = tests/unit/test_leader_election.c tests/unit/unit.h
# It must link with base alone.
tests_unit_test_leader_election_LDADD = libcontroller.a libbase.a $(ISAL_LIBS) $(CHECK_LIBS) -lm

UNIT_TESTS += tests/unit/test_control_codec
tests_unit_test_control_codec_SOURCES = tests/unit/test_control_codec.c tests/unit/kafka_random.c tests/unit/kafka_random.h tests/unit/unit.h
tests_unit_test_control_codec_LDADD = libwire.a $(CONTROLLER_TEST_LIBS)

UNIT_TESTS += tests/unit/test_topic_admin
tests_unit_test_topic_admin_SOURCES = tests/unit/test_topic_admin.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_topic_admin_LDADD = $(CONTROLLER_TEST_LIBS)

UNIT_TESTS += tests/unit/test_broker_channel
tests_unit_test_broker_channel_SOURCES = tests/unit/test_broker_channel.c tests/unit/unit.h
tests_unit_test_broker_channel_LDADD = $(CONTROLLER_TEST_LIBS)

UNIT_TESTS += tests/unit/test_controller_channel
tests_unit_test_controller_channel_SOURCES = tests/unit/test_controller_channel.c tests/unit/kafka_random.c tests/unit/kafka_random.h \
	tests/unit/unit.h
tests_unit_test_controller_channel_LDADD = libwire.a $(CONTROLLER_TEST_LIBS)
