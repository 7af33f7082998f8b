# For each module X:
#   UNIT_TESTS += tests/unit/test_X
#   tests_unit_test_X_SOURCES = tests/unit/test_X.c tests/unit/unit.h
#   tests_unit_test_X_LDADD = $(UNIT_LIBS)
include tests/unit/base.mk
include tests/unit/config.mk
include tests/unit/runtime.mk
include tests/unit/storage.mk
include tests/unit/log.mk
include tests/unit/zk.mk
include tests/unit/controller.mk
include tests/unit/replica.mk
include tests/unit/service.mk
include tests/unit/tools.mk
include tests/unit/kafka.mk
include tests/unit/coordinator.mk
include tests/unit/consumer_groups.mk
include tests/unit/group.mk
