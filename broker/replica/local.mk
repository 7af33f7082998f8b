noinst_LIBRARIES += libreplica.a
libreplica_a_CFLAGS = $(AM_CFLAGS)
libreplica_a_SOURCES =
