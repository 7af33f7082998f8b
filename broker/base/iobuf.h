/* Bytes on their way to a socket: a chain of fragments, each a reference into a block of memory or a range of a file.
 * Copies nothing. A chain belongs to one loop; blocks and files are shared between loops by atomic reference. */
#ifndef BASE_IOBUF_H
#define BASE_IOBUF_H

#include "base/bytes.h"
#include <stdatomic.h>
#include <sys/uio.h>

/* A block of memory with `size` usable bytes at data. */
struct iobuf_block {
	_Atomic int refs;
	uint32_t size;
	void (*free)(struct iobuf_block *b); /* NULL: free() */
	void *owner;                         /* for free() of pools */
	uint8_t data[];
};
/* One reference for the caller. NULL when memory of that size is not to be had. */
struct iobuf_block *iobuf_block_new(size_t size) MUST_CHECK;
struct iobuf_block *iobuf_block_shared_ref(struct iobuf_block *b);
void iobuf_block_shared_unref(struct iobuf_block *b);

/* An open file that may be sent from; embedded in its owner (a log segment). */
struct iobuf_file {
	_Atomic int refs;
	int fd; /* -1 under the simulator */
	void (*free)(struct iobuf_file *f);
};
struct iobuf_file *iobuf_file_shared_ref(struct iobuf_file *f);
void iobuf_file_shared_unref(struct iobuf_file *f);

struct iobuf_fragment {
	struct iobuf_block *block; /* memory: block and p; else file */
	const uint8_t *p;
	struct iobuf_file *file;
	int64_t position; /* in the file */
	size_t n;
};

struct iobuf {
	struct iobuf_fragment *fragments; /* [first, first+count) hold bytes not yet consumed */
	uint32_t first, count, capacity;
	size_t size_bytes;
};
void iobuf_init(struct iobuf *b);
/* Drops every reference. */
void iobuf_fini(struct iobuf *b);
/* Copies s to the end (into the last block's free tail or a new block of at least 512 bytes). For headers. */
void iobuf_append_copy(struct iobuf *b, struct slice s);
/* Room for n contiguous bytes at the end, zeroed; for encoders. */
uint8_t *iobuf_append_space(struct iobuf *b, size_t n);
/* Adds its own reference to the block; p..p+n lies within it. */
void iobuf_append_block(struct iobuf *b, struct iobuf_block *block, const uint8_t *p, size_t n);
/* Adds its own reference to the file. */
void iobuf_append_file(struct iobuf *b, struct iobuf_file *file, int64_t position, size_t n);
/* Moves all of `from` to the end of b; from is empty afterwards. */
void iobuf_append_iobuf(struct iobuf *b, struct iobuf *from);
/* Moves the first n bytes of `from` (n <= its size) to the end of b. */
void iobuf_move(struct iobuf *b, struct iobuf *from, size_t n);
/* Removes n bytes from the front (n <= size_bytes). */
void iobuf_consume(struct iobuf *b, size_t n);
/* Leading memory fragments as iovecs, at most max and stopping before a file range; returns how many. */
int iobuf_peek_iov(const struct iobuf *b, struct iovec *iov, int max);
/* The first fragment if it is a file range, else NULL. */
const struct iobuf_fragment *iobuf_peek_file(const struct iobuf *b);
#endif
