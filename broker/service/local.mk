noinst_LIBRARIES += libservice.a
libservice_a_CFLAGS = $(AM_CFLAGS)
libservice_a_SOURCES =
