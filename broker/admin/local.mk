noinst_LIBRARIES += libadmin.a
libadmin_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
libadmin_a_SOURCES = \
	broker/admin/admin_http.c broker/admin/admin_http.h
