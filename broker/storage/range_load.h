/* The bytes behind file ranges (as partition_log_read gives them) in one block of memory: for whoever must look into records
 * instead of sending them on. Reads in the pool; the loop that asked never waits for a disk. */
#ifndef STORAGE_RANGE_LOAD_H
#define STORAGE_RANGE_LOAD_H

#include "base/iobuf.h"
#include "base/scheduler.h"

enum { RANGE_LOAD_BYTES_MAX = 256 << 20 }; /* of one load; callers ask for far less */

/* Embedded in its owner, which lives until done. Zero it before its first use and set done; it may be started again once done. */
struct range_load {
	struct job job;
	/* On the loop that asked, exactly once, never within start. */
	void (*done)(struct range_load *l);
	void *arg;

	enum status status;        /* IO; CORRUPT: a file ends before its range does (it was cut after the ranges were taken) */
	struct slice bytes;        /* what was loaded, in block; on an error what came before it */
	struct iobuf_block *block; /* kept and used again by the next start if it is large enough */

	struct iobuf ranges;
};
/* Moves `ranges` (file ranges and memory, in any order); it is empty afterwards, and the files are let go of before done.
 * STATUS_TOO_LARGE: more than RANGE_LOAD_BYTES_MAX, or no memory; done is not called and `ranges` is untouched. */
MUST_CHECK enum status range_load_start(struct range_load *l, struct background *bg, struct scheduler *home, struct iobuf *ranges);
/* For whoever is in the pool already: the same at once, into memory with room for ranges->size_bytes. ret_n is set on errors too. */
MUST_CHECK enum status range_load_now(const struct iobuf *ranges, uint8_t *to, size_t *ret_n);
/* Drops the block. Not while a load is under way. */
void range_load_fini(struct range_load *l);
/* Gives the block away (one reference; NULL if there is none): `bytes` lies in it. */
struct iobuf_block *range_load_take_block(struct range_load *l);

#endif
