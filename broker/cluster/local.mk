noinst_LIBRARIES += libcluster.a
libcluster_a_CFLAGS = $(AM_CFLAGS)
libcluster_a_SOURCES = \
	broker/cluster/control_messages.c broker/cluster/control_messages.h \
	broker/cluster/cluster_image.c broker/cluster/cluster_image.h \
	broker/cluster/cluster_image_holder.c broker/cluster/cluster_image_holder.h
