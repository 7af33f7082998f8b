noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS)
libstorage_a_SOURCES = \
	broker/storage/checkpoint_text.c broker/storage/checkpoint_text.h \
	broker/storage/compaction_filter.c broker/storage/compaction_filter.h \
	broker/storage/compaction_map.c broker/storage/compaction_map.h \
	broker/storage/compaction_plan.c broker/storage/compaction_plan.h \
	broker/storage/compression.c broker/storage/compression.h \
	broker/storage/deflater.c broker/storage/deflater.h \
	broker/storage/disk.c broker/storage/disk.h \
	broker/storage/inflater.c broker/storage/inflater.h \
	broker/storage/leader_epoch_cache.c broker/storage/leader_epoch_cache.h \
	broker/storage/legacy_message.c broker/storage/legacy_message.h \
	broker/storage/log_compaction.c broker/storage/log_compaction.h \
	broker/storage/log_directory.c broker/storage/log_directory.h \
	broker/storage/log_index.c broker/storage/log_index.h \
	broker/storage/log_manager.c broker/storage/log_manager.h \
	broker/storage/log_manager_checkpoints.c \
	broker/storage/log_manager_internal.h \
	broker/storage/log_manager_partitions.c \
	broker/storage/log_manager_space.c \
	broker/storage/log_recovery.c broker/storage/log_recovery.h \
	broker/storage/log_scan.c broker/storage/log_scan.h \
	broker/storage/log_segment.c broker/storage/log_segment.h \
	broker/storage/lz4_header.c broker/storage/lz4_header.h \
	broker/storage/name_list.c broker/storage/name_list.h \
	broker/storage/partition_directory.c broker/storage/partition_directory.h \
	broker/storage/partition_log.c broker/storage/partition_log.h \
	broker/storage/partition_log_compact.c \
	broker/storage/partition_log_internal.h \
	broker/storage/partition_log_read.c \
	broker/storage/partition_log_sync.c \
	broker/storage/partition_log_trim.c \
	broker/storage/range_load.c broker/storage/range_load.h \
	broker/storage/partition_log_producers.c \
	broker/storage/producer_snapshots.c broker/storage/producer_snapshots.h \
	broker/storage/producer_state.c broker/storage/producer_state.h \
	broker/storage/record_batch.c broker/storage/record_batch.h \
	broker/storage/record_batch_builder.c \
	broker/storage/record_batch_validate.c \
	broker/storage/record_convert.c broker/storage/record_convert.h \
	broker/storage/record_convert_down.c \
	broker/storage/record_iterator.c \
	broker/storage/record_rewrite.c broker/storage/record_rewrite.h \
	broker/storage/transaction_index.c broker/storage/transaction_index.h
