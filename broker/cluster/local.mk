noinst_LIBRARIES += libcluster.a
libcluster_a_CFLAGS = $(AM_CFLAGS)
libcluster_a_SOURCES = \
	broker/cluster/broker_overrides.c broker/cluster/broker_overrides.h \
	broker/cluster/broker_registration.c broker/cluster/broker_registration.h \
	broker/cluster/cluster_identity.c broker/cluster/cluster_identity.h \
	broker/cluster/cluster_image.c broker/cluster/cluster_image.h \
	broker/cluster/cluster_image_holder.c broker/cluster/cluster_image_holder.h \
	broker/cluster/cluster_state.c broker/cluster/cluster_state.h \
	broker/cluster/config_changes.c broker/cluster/config_changes.h \
	broker/cluster/control_messages.c broker/cluster/control_messages.h \
	broker/cluster/controller_channel.c broker/cluster/controller_channel.h \
	broker/cluster/controller_peer.c broker/cluster/controller_peer.h \
	broker/cluster/kafka_peer.c broker/cluster/kafka_peer.h \
	broker/cluster/image_barrier.c broker/cluster/image_barrier.h \
	broker/cluster/image_configs.c broker/cluster/image_configs.h \
	broker/cluster/replica_host.h \
	broker/cluster/role_orders.c broker/cluster/role_orders.h \
	broker/cluster/topic_overrides.c broker/cluster/topic_overrides.h
EXTRA_DIST += broker/cluster/README.md
