# Scripted tests of pure machines. One program per machine; it finds its files by its own name.
check_PROGRAMS += tests/scripted/script_controller
TESTS += tests/scripted/script_controller
tests_scripted_script_controller_SOURCES = tests/scripted/script_controller.c tests/scripted/script_runner.c \
	tests/scripted/script_runner.h
tests_scripted_script_controller_CPPFLAGS = $(AM_CPPFLAGS) -DSCRIPT_FOLDER='"$(abs_top_srcdir)/tests/scripted"'
tests_scripted_script_controller_LDADD = $(CONTROLLER_TEST_LIBS)
EXTRA_DIST += tests/scripted/controller
