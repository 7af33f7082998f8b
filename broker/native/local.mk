noinst_LIBRARIES += libnative.a
libnative_a_CFLAGS = $(AM_CFLAGS)
libnative_a_SOURCES =
