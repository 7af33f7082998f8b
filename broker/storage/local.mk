noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS)
libstorage_a_SOURCES = \
	broker/storage/compression.c broker/storage/compression.h \
	broker/storage/deflater.c broker/storage/deflater.h \
	broker/storage/disk.c broker/storage/disk.h \
	broker/storage/inflater.c broker/storage/inflater.h \
	broker/storage/record_batch.c broker/storage/record_batch.h \
	broker/storage/record_batch_builder.c \
	broker/storage/record_batch_validate.c \
	broker/storage/record_iterator.c
