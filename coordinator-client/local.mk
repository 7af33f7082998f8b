noinst_LIBRARIES += libzk.a
libzk_a_CFLAGS = $(AM_CFLAGS)
libzk_a_SOURCES =
