# Scripted tests of pure machines. One program per machine; it finds its files by its own name.
check_PROGRAMS += tests/scripted/script_controller
TESTS += tests/scripted/script_controller
tests_scripted_script_controller_SOURCES = tests/scripted/script_controller.c tests/scripted/script_runner.c \
	tests/scripted/script_runner.h
tests_scripted_script_controller_CPPFLAGS = $(AM_CPPFLAGS) -DSCRIPT_FOLDER='"$(abs_top_srcdir)/tests/scripted"'
tests_scripted_script_controller_LDADD = $(CONTROLLER_TEST_LIBS)
EXTRA_DIST += tests/scripted/controller
check_PROGRAMS += tests/scripted/script_group
TESTS += tests/scripted/script_group
tests_scripted_script_group_SOURCES = tests/scripted/script_group.c tests/scripted/script_runner.c \
	tests/scripted/script_runner.h
tests_scripted_script_group_CPPFLAGS = $(AM_CPPFLAGS) -DSCRIPT_FOLDER='"$(abs_top_srcdir)/tests/scripted"'
# It must link with base alone.
tests_scripted_script_group_LDADD = libcoordinator.a libbase.a $(ISAL_LIBS) -lm
EXTRA_DIST += tests/scripted/group
check_PROGRAMS += tests/scripted/script_consumer_group
TESTS += tests/scripted/script_consumer_group
tests_scripted_script_consumer_group_SOURCES = tests/scripted/script_consumer_group.c tests/scripted/script_runner.c \
	tests/scripted/script_runner.h
tests_scripted_script_consumer_group_CPPFLAGS = $(AM_CPPFLAGS) -DSCRIPT_FOLDER='"$(abs_top_srcdir)/tests/scripted"'
# It must link with base alone.
tests_scripted_script_consumer_group_LDADD = libcoordinator.a libbase.a $(ISAL_LIBS) -lm
EXTRA_DIST += tests/scripted/consumer_group
