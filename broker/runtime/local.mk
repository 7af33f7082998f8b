noinst_LIBRARIES += libruntime.a
libruntime_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
libruntime_a_SOURCES = \
	broker/runtime/blocking_pool.c broker/runtime/blocking_pool.h \
	broker/runtime/event_loop.c broker/runtime/event_loop.h \
	broker/runtime/gather.c broker/runtime/gather.h \
	broker/runtime/loop_group.c broker/runtime/loop_group.h
EXTRA_DIST += broker/runtime/README.md
