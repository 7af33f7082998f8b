bin_PROGRAMS += broker/correio-broker
broker_correio_broker_SOURCES = broker/main.c
# Order: fronts first, base last (static libraries resolve left to right).
BROKER_LIBS = libadmin.a libnative.a libservice.a libcontroller.a libreplica.a libcluster.a libstorage.a libzk.a libnet.a \
	libwire.a libruntime.a libproto.a libconfig.a libbase.a
SYSTEM_LIBS = $(EVENT_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(SNAPPY_LIBS) \
	$(ZOOKEEPER_LIBS) $(ISAL_LIBS) $(OPENSSL_LIBS) -lm
broker_correio_broker_LDADD = $(BROKER_LIBS) $(SYSTEM_LIBS)
