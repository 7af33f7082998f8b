noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
libnet_a_SOURCES = \
	broker/net/address.c broker/net/address.h \
	broker/net/block_pool.c broker/net/block_pool.h \
	broker/net/connection.c broker/net/connection.h broker/net/connection_internal.h \
	broker/net/connection_read.c \
	broker/net/connection_write.c \
	broker/net/frame_input.c broker/net/frame_input.h \
	broker/net/listener.c broker/net/listener.h \
	broker/net/net_loop.c \
	broker/net/peer_connection.c broker/net/peer_connection.h \
	broker/net/request_budget.c broker/net/request_budget.h \
	broker/net/server.c broker/net/server.h \
	broker/net/stream.c broker/net/stream.h
EXTRA_DIST += broker/net/README.md
