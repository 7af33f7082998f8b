/* Compression of one block of records at a time; the context is kept for the next one. */
#ifndef STORAGE_DEFLATER_H
#define STORAGE_DEFLATER_H
#include "storage/compression.h"

struct deflater;
/* level 0: the codec's default. Others are brought into the codec's range (snappy has none). */
struct deflater *deflater_new(enum compression_type type, int level);
void deflater_free(struct deflater *d);
/* Most bytes n bytes can become. */
size_t deflater_bound(const struct deflater *d, size_t n);
/* Writes the payload of a batch: gzip member, xerial snappy stream, lz4 frame of independent 64 KiB blocks, zstd frame.
 * out_size >= deflater_bound(in.n). STATUS_UNKNOWN_SERVER_ERROR when the library fails (no memory). */
MUST_CHECK enum status deflater_run(struct deflater *d, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n);
#endif
