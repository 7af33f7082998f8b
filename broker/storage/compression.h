/* The codecs of record batches by name and number. Inflating: storage/inflater.h; deflating: storage/deflater.h. */
#ifndef STORAGE_COMPRESSION_H
#define STORAGE_COMPRESSION_H
#include "base/bytes.h"

/* Numbers as in the batch attributes. */
enum compression_type { COMPRESSION_none, COMPRESSION_gzip, COMPRESSION_snappy, COMPRESSION_lz4, COMPRESSION_zstd, COMPRESSION_COUNT };

/* "zstd" */
const char *compression_name(enum compression_type type);
/* STATUS_UNSUPPORTED_COMPRESSION_TYPE unless one of the names. */
MUST_CHECK enum status compression_parse(struct slice name, enum compression_type *ret_type);

/* Snappy as Java clients frame it ("xerial"): this magic, two version numbers, then blocks each behind its length. */
enum { XERIAL_MAGIC_SIZE = 8, XERIAL_HEADER_SIZE = 16, XERIAL_BLOCK_SIZE = 32768 };
extern const uint8_t compression_xerial_magic[XERIAL_MAGIC_SIZE];
#endif
