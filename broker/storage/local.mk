noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS)
libstorage_a_SOURCES =
