UNIT_TESTS += tests/unit/test_event_loop tests/unit/test_loop_group
tests_unit_test_event_loop_SOURCES = tests/unit/test_event_loop.c tests/unit/unit.h
tests_unit_test_event_loop_LDADD = $(UNIT_LIBS)
tests_unit_test_loop_group_SOURCES = tests/unit/test_loop_group.c tests/unit/unit.h
tests_unit_test_loop_group_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_net_connection
tests_unit_test_net_connection_SOURCES = tests/unit/test_net_connection.c tests/unit/net_rig.h tests/unit/unit.h
tests_unit_test_net_connection_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_net_input tests/unit/test_peer_connection
tests_unit_test_net_input_SOURCES = tests/unit/test_net_input.c tests/unit/unit.h
tests_unit_test_net_input_LDADD = $(UNIT_LIBS)
tests_unit_test_peer_connection_SOURCES = tests/unit/test_peer_connection.c tests/unit/net_rig.h tests/unit/unit.h
tests_unit_test_peer_connection_LDADD = $(UNIT_LIBS)

THREADED_TESTS += tests/unit/test_event_loop tests/unit/test_loop_group tests/unit/test_net_connection \
	tests/unit/test_peer_connection

UNIT_TESTS += tests/unit/test_kafka_peer
tests_unit_test_kafka_peer_SOURCES = tests/unit/test_kafka_peer.c tests/unit/unit.h
tests_unit_test_kafka_peer_LDADD = $(UNIT_LIBS)
