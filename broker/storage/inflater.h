/* Decompression as a stream with a cap: whatever a batch claims, memory stays within INFLATER_MEMORY_MAX or, for snappy
 * (whose blocks cannot be streamed), within 22 times the input. One context serves batch after batch without
 * allocating. */
#ifndef STORAGE_INFLATER_H
#define STORAGE_INFLATER_H
#include "storage/compression.h"

enum {
	/* What one inflater may hold, about: zstd's window or lz4's block buffers. */
	INFLATER_MEMORY_MAX = 16 << 20,
	/* What it keeps between batches; larger buffers go at inflater_end. */
	INFLATER_MEMORY_KEPT = 4 << 20,
};

struct inflater;
struct inflater *inflater_new(void);
void inflater_free(struct inflater *i);
/* The calling thread's own, made on first use and freed with the thread: validation runs on every loop, and a context
 * per batch would cost more than the batch. Not reentrant: begin and end pair up. */
struct inflater *inflater_of_thread(void);

/* type is not COMPRESSION_none. `in` is borrowed until inflater_end. STATUS_CORRUPT_MESSAGE: not a payload of that codec
 * that Kafka's own clients could read. */
MUST_CHECK enum status inflater_begin(struct inflater *i, enum compression_type type, struct slice in, size_t max_bytes);
/* The same for the value of a message of format 0, whose lz4 header checksums mean nothing. */
MUST_CHECK enum status inflater_begin_magic_0(struct inflater *i, enum compression_type type, struct slice in, size_t max_bytes);
/* Fills all of out; less only at the end of the stream. STATUS_CORRUPT_MESSAGE: damaged, cut, followed by something else,
 * or more than max_bytes. */
MUST_CHECK enum status inflater_read(struct inflater *i, void *out, size_t n, size_t *ret_n);
/* All that is left, into an allocation that doubles as it fills: free() it. Errors as inflater_read. */
MUST_CHECK enum status inflater_read_all(struct inflater *i, uint8_t **ret_bytes, size_t *ret_n);
void inflater_end(struct inflater *i);

/* A buffer of INFLATER_SCRATCH_SIZE bytes that goes with the context, for whoever walks its output. */
enum { INFLATER_SCRATCH_SIZE = 65536 };
uint8_t *inflater_scratch(struct inflater *i);
#endif
