noinst_LIBRARIES += libcoordinator.a
libcoordinator_a_CFLAGS = $(AM_CFLAGS)
libcoordinator_a_SOURCES = \
	broker/coordinator/producer_ids.c broker/coordinator/producer_ids.h \
	broker/coordinator/group.c broker/coordinator/group.h broker/coordinator/group_internal.h \
	broker/coordinator/group_request.h \
	broker/coordinator/group_candidates.c \
	broker/coordinator/group_check.c \
	broker/coordinator/group_coordinator.c broker/coordinator/group_coordinator.h \
	broker/coordinator/group_coordinator_internal.h \
	broker/coordinator/group_coordinator_answers.c \
	broker/coordinator/group_coordinator_classic.c \
	broker/coordinator/group_coordinator_consumer.c \
	broker/coordinator/group_coordinator_load.c \
	broker/coordinator/group_coordinator_offsets.c \
	broker/coordinator/group_coordinator_removal.c \
	broker/coordinator/group_coordinator_topics.c \
	broker/coordinator/group_join.c \
	broker/coordinator/group_log.c broker/coordinator/group_log.h \
	broker/coordinator/group_member.c \
	broker/coordinator/group_offsets.c broker/coordinator/group_offsets.h \
	broker/coordinator/group_pending.c \
	broker/coordinator/group_rebalance.c \
	broker/coordinator/group_record.c \
	broker/coordinator/group_session.c \
	broker/coordinator/group_sync.c \
	broker/coordinator/group_timers.c \
	broker/coordinator/group_records.c broker/coordinator/group_records.h \
	broker/coordinator/partition_set.c broker/coordinator/partition_set.h \
	broker/coordinator/topic_regex.c broker/coordinator/topic_regex.h \
	broker/coordinator/consumer_assignor.c broker/coordinator/consumer_assignor.h \
	broker/coordinator/consumer_group.c broker/coordinator/consumer_group.h broker/coordinator/consumer_group_internal.h \
	broker/coordinator/consumer_group_heartbeat.c \
	broker/coordinator/consumer_group_member.c \
	broker/coordinator/consumer_group_names.c \
	broker/coordinator/consumer_group_reconcile.c \
	broker/coordinator/consumer_group_records.c broker/coordinator/consumer_group_records.h \
	broker/coordinator/consumer_group_target.c
EXTRA_DIST += broker/coordinator/README.md
