# What the controller's pure parts need, and nothing above them.
CONTROLLER_TEST_LIBS = libcontroller.a libcluster.a libwire.a libzk.a libproto.a libconfig.a libbase.a $(PROTOBUF_C_LIBS) \
	$(JANSSON_LIBS) $(ISAL_LIBS) $(CHECK_LIBS) -lm
UNIT_TESTS += tests/unit/test_zk_schema
tests_unit_test_zk_schema_SOURCES = tests/unit/test_zk_schema.c tests/unit/unit.h
tests_unit_test_zk_schema_LDADD = $(CONTROLLER_TEST_LIBS)
UNIT_TESTS += tests/unit/test_controller
tests_unit_test_controller_SOURCES = tests/unit/test_controller.c tests/unit/zk_manual.h tests/unit/unit.h
tests_unit_test_controller_LDADD = $(UNIT_LIBS)
