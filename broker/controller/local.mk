noinst_LIBRARIES += libcontroller.a
libcontroller_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libcontroller_a_CFLAGS = $(AM_CFLAGS)
libcontroller_a_SOURCES = \
	broker/controller/controller_state.c broker/controller/controller_state.h \
	broker/controller/leader_election.c broker/controller/leader_election.h \
	broker/controller/partition_states.c broker/controller/partition_states.h
