/* Blocks of memory for frames, used again instead of going to malloc or mmap and back for each; what a loop does not
 * need for a second is given back to the system. One pool per loop; blocks may be dropped on any thread. */
#ifndef NET_BLOCK_POOL_H
#define NET_BLOCK_POOL_H

#include "base/iobuf.h"
#include "base/scheduler.h"

struct block_pool;

/* spare_bytes_max: kept for the next use. */
struct block_pool *block_pool_new(struct scheduler *loop, size_t spare_bytes_max);
/* On the loop, or when it has stopped. Blocks still in use outlive the pool. */
void block_pool_free(struct block_pool *p);
/* On the loop. At least n usable bytes, contents undefined, one reference. Large ones come straight from the kernel, so
 * that bytes never written cost nothing. NULL: no memory. */
struct iobuf_block *block_pool_get(struct block_pool *p, size_t n) MUST_CHECK;
size_t block_pool_spare_bytes(const struct block_pool *p);

#endif
