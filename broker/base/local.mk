noinst_LIBRARIES += libbase.a
libbase_a_CFLAGS = $(AM_CFLAGS)
libbase_a_SOURCES = \
	broker/base/banned.h \
	broker/base/arena.c broker/base/arena.h \
	broker/base/bytes.c broker/base/bytes.h \
	broker/base/check.c broker/base/check.h \
	broker/base/clock.c broker/base/clock.h \
	broker/base/crc32c.c broker/base/crc32c.h \
	broker/base/diag.c broker/base/diag.h \
	broker/base/iobuf.c broker/base/iobuf.h \
	broker/base/manual_scheduler.c \
	broker/base/metrics.c broker/base/metrics.h broker/base/metrics.def \
	broker/base/random.c broker/base/random.h \
	broker/base/scheduler.h \
	broker/base/status.c broker/base/status.h broker/base/status.def \
	broker/base/topic_partition.c broker/base/topic_partition.h
