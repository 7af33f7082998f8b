bin_PROGRAMS += broker/correio-broker
broker_correio_broker_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
broker_correio_broker_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
broker_correio_broker_SOURCES = broker/main.c \
	broker/broker.c broker/broker.h broker/broker_internal.h \
	broker/broker_arguments.c broker/broker_arguments.h \
	broker/broker_controller.c broker/broker_controller.h \
	broker/broker_controller_link.c broker/broker_controller_link.h \
	broker/broker_journal.c broker/broker_journal.h \
	broker/broker_listeners.c broker/broker_listeners.h \
	broker/broker_notify.c broker/broker_notify.h \
	broker/broker_probe.c broker/broker_probe.h \
	broker/broker_start.c \
	broker/broker_stop.c
# Order: fronts first, base last (static libraries resolve left to right).
BROKER_LIBS = libadmin.a libkafka.a libnative.a libservice.a libcoordinator.a libcontroller.a libreplica.a libcluster.a libstorage.a libzk.a libnet.a \
	libwire.a libruntime.a libproto.a libconfig.a libbase.a
SYSTEM_LIBS = $(EVENT_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(SNAPPY_LIBS) $(PCRE2_LIBS) \
	$(ZOOKEEPER_LIBS) $(ISAL_LIBS) $(OPENSSL_LIBS) -lm
broker_correio_broker_LDADD = $(BROKER_LIBS) $(SYSTEM_LIBS)
EXTRA_DIST += broker/README.md broker/wire/README.md broker/service/README.md broker/native/README.md broker/admin/README.md proto/README.md
