# A fuzz target X: tests/fuzz/fuzz_X.c with LLVMFuzzerTestOneInput (fuzz.h), seeds in tests/fuzz/corpus/X, and here
#   FUZZ_TARGETS += tests/fuzz/fuzz_X
#   tests_fuzz_fuzz_X_SOURCES = tests/fuzz/fuzz_X.c $(FUZZ_MAIN)
#   tests_fuzz_fuzz_X_LDADD = $(FUZZ_LIBS)
#   tests_fuzz_fuzz_X_LDFLAGS = $(FUZZ_LINK)
# `make check` replays the seeds. To fuzz: ../configure --enable-fuzzing CC=clang-14 && make fuzz-targets, then
#   tests/fuzz/fuzz_X -max_total_time=30 FOUND_DIR ../tests/fuzz/corpus/X
FUZZ_TARGETS =
FUZZ_LIBS = $(BROKER_LIBS) $(SYSTEM_LIBS)
FUZZ_LINK = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
EXTRA_DIST += tests/fuzz/corpus
check_PROGRAMS += $(FUZZ_TARGETS)
if FUZZING
FUZZ_MAIN = tests/fuzz/fuzz.h
else
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay_main.c
TESTS += $(FUZZ_TARGETS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_record_batch
tests_fuzz_fuzz_record_batch_SOURCES = tests/fuzz/fuzz_record_batch.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_batch_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_record_batch_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_native_frame
tests_fuzz_fuzz_native_frame_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/proto/native $(PROTOBUF_C_CFLAGS)
tests_fuzz_fuzz_native_frame_SOURCES = tests/fuzz/fuzz_native_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_native_frame_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_native_frame_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_zk_payload
tests_fuzz_fuzz_zk_payload_SOURCES = tests/fuzz/fuzz_zk_payload.c $(FUZZ_MAIN)
tests_fuzz_fuzz_zk_payload_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_zk_payload_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += tests/fuzz/fuzz_kafka_request
tests_fuzz_fuzz_kafka_request_SOURCES = tests/fuzz/fuzz_kafka_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_kafka_request_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_kafka_request_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_log_recovery
tests_fuzz_fuzz_log_recovery_SOURCES = tests/fuzz/fuzz_log_recovery.c $(FUZZ_MAIN)
tests_fuzz_fuzz_log_recovery_LDADD = libsimulation.a $(FUZZ_LIBS)
tests_fuzz_fuzz_log_recovery_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_record_convert
tests_fuzz_fuzz_record_convert_SOURCES = tests/fuzz/fuzz_record_convert.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_convert_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_record_convert_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_group_records
tests_fuzz_fuzz_group_records_SOURCES = tests/fuzz/fuzz_group_records.c $(FUZZ_MAIN)
tests_fuzz_fuzz_group_records_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_group_records_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_kafka_front
tests_fuzz_fuzz_kafka_front_SOURCES = tests/fuzz/fuzz_kafka_front.c $(FUZZ_MAIN)
tests_fuzz_fuzz_kafka_front_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_kafka_front_LDFLAGS = $(FUZZ_LINK)

FUZZ_TARGETS += tests/fuzz/fuzz_producer_snapshot
tests_fuzz_fuzz_producer_snapshot_SOURCES = tests/fuzz/fuzz_producer_snapshot.c $(FUZZ_MAIN)
tests_fuzz_fuzz_producer_snapshot_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_producer_snapshot_LDFLAGS = $(FUZZ_LINK)
