# One Check program per module: tests/unit/test_<module>.c
AM_TESTS_ENVIRONMENT = CK_FORK=yes;
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
UNIT_TESTS =
UNIT_LIBS = $(BROKER_LIBS) $(SYSTEM_LIBS) $(CHECK_LIBS)
include tests/unit/local.mk
