# One Check program per module: tests/unit/test_<module>.c
AM_TESTS_ENVIRONMENT = CK_FORK=yes;
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
TESTS += $(TIDY_TESTS)
TIDY_TESTS = tests/tidy/layers.sh tests/tidy/functions.sh tests/tidy/words.sh tests/tidy/symbols.sh
# Folders go into a release whole.
EXTRA_DIST += tests/tidy tests/system tests/clients tests/bench tests/run tests/zk_fixture.sh tests/kafka-jars deploy .clang-tidy .clang-format \
	README.md ARCHITECTURE.md CONTRIBUTING.md LICENSE proto/README.md
UNIT_TESTS =
# What TSan is to look at: the programs that use threads.
THREADED_TESTS =
UNIT_LIBS = $(BROKER_LIBS) $(SYSTEM_LIBS) $(CHECK_LIBS)
include tests/simulation/local.mk
include tests/scripted/local.mk
include tests/unit/local.mk
include tests/fuzz/local.mk

print-threaded-tests:
	@echo $(THREADED_TESTS)
print-cppflags:
	@echo $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) $(EVENT_CFLAGS) $(PROTOBUF_C_CFLAGS) $(JANSSON_CFLAGS) -I$(abs_builddir)/proto/native
check-programs: $(check_PROGRAMS)
fuzz-targets: $(FUZZ_TARGETS)
.PHONY: check-programs print-threaded-tests print-cppflags fuzz-targets
