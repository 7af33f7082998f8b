noinst_LIBRARIES += libcontroller.a
libcontroller_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
libcontroller_a_CFLAGS = $(AM_CFLAGS)
libcontroller_a_SOURCES = \
	broker/controller/broker_channel.c broker/controller/broker_channel.h \
	broker/controller/control_peer.c broker/controller/control_peer.h broker/controller/control_transport.h \
	broker/controller/controller.c broker/controller/controller.h \
	broker/controller/controller_decide.c broker/controller/controller_decide.h \
	broker/controller/controller_decide_deletion.c broker/controller/controller_decide_internal.h \
	broker/controller/controller_decide_partition.c broker/controller/controller_decide_pending.c \
	broker/controller/controller_decision.c broker/controller/controller_decision.h \
	broker/controller/controller_requests.c broker/controller/controller_requests.h \
	broker/controller/controller_state.c broker/controller/controller_state.h \
	broker/controller/controller_term.c broker/controller/controller_term.h broker/controller/controller_term_internal.h \
	broker/controller/controller_term_brokers.c broker/controller/controller_term_orders.c \
	broker/controller/controller_term_topics.c broker/controller/controller_term_writes.c \
	broker/controller/leader_election.c broker/controller/leader_election.h \
	broker/controller/partition_states.c broker/controller/partition_states.h
EXTRA_DIST += broker/controller/README.md
bin_PROGRAMS += broker/correio-controller
broker_correio_controller_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
broker_correio_controller_SOURCES = broker/controller/cluster_manager.c
broker_correio_controller_LDADD = libcontroller.a libcluster.a libzk.a libnet.a libwire.a libruntime.a libproto.a libconfig.a \
	libbase.a $(SYSTEM_LIBS)
