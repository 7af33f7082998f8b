noinst_LIBRARIES += libreplica.a
libreplica_a_CFLAGS = $(AM_CFLAGS)
libreplica_a_SOURCES = \
	broker/replica/delayed_fetch.c broker/replica/delayed_fetch.h \
	broker/replica/delayed_requests.c broker/replica/delayed_requests.h \
	broker/replica/fetch_session.c broker/replica/fetch_session.h \
	broker/replica/in_sync_replicas.c broker/replica/in_sync_replicas.h \
	broker/replica/partition.c broker/replica/partition.h \
	broker/replica/replica_cleaner.c broker/replica/replica_cleaner.h \
	broker/replica/replica_checkpoints.c broker/replica/replica_checkpoints.h \
	broker/replica/replica_manager.c broker/replica/replica_manager.h \
	broker/replica/replica_parts.c broker/replica/replica_parts.h
EXTRA_DIST += broker/replica/README.md
