noinst_LIBRARIES += libruntime.a
libruntime_a_CFLAGS = $(AM_CFLAGS)
libruntime_a_SOURCES =
