noinst_LIBRARIES += libconfig.a
libconfig_a_CFLAGS = $(AM_CFLAGS)
libconfig_a_SOURCES =
