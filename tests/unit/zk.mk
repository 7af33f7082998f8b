UNIT_TESTS += tests/unit/test_zk_client
tests_unit_test_zk_client_SOURCES = tests/unit/test_zk_client.c tests/unit/zk_fixture.c tests/unit/zk_fixture.h tests/unit/unit.h
tests_unit_test_zk_client_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_request
tests_unit_test_zk_request_SOURCES = tests/unit/test_zk_request.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_zk_request_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_watch
tests_unit_test_zk_watch_SOURCES = tests/unit/test_zk_watch.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_zk_watch_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_election
tests_unit_test_zk_election_SOURCES = tests/unit/test_zk_election.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_zk_election_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_session
tests_unit_test_zk_session_SOURCES = tests/unit/test_zk_session.c tests/unit/zk_fixture.c tests/unit/zk_fixture.h tests/unit/unit.h
tests_unit_test_zk_session_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_tree
tests_unit_test_zk_tree_SOURCES = tests/unit/test_zk_tree.c tests/unit/unit.h
tests_unit_test_zk_tree_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_zk_standalone
tests_unit_test_zk_standalone_SOURCES = tests/unit/test_zk_standalone.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_zk_standalone_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/zk_fixture.sh

THREADED_TESTS += tests/unit/test_zk_session tests/unit/test_zk_client
UNIT_TESTS += tests/unit/test_producer_ids
tests_unit_test_producer_ids_SOURCES = tests/unit/test_producer_ids.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_producer_ids_LDADD = libcoordinator.a libzk.a libconfig.a libbase.a $(JANSSON_LIBS) $(ISAL_LIBS) $(OPENSSL_LIBS) \
	$(CHECK_LIBS) -lm
