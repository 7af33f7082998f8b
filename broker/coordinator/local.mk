noinst_LIBRARIES += libcoordinator.a
libcoordinator_a_CFLAGS = $(AM_CFLAGS)
libcoordinator_a_SOURCES = \
	broker/coordinator/group.c broker/coordinator/group.h broker/coordinator/group_request.h
