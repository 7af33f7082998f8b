/* Cuts a stream of bytes into frames: u32 length, big-endian, then that many bytes. Small frames that came together are
 * read in one go into a scratch buffer shared by all connections of a loop and copied out; the rest of a frame that is
 * only partly there is read straight into its block. Between two frames nothing is held. */
#ifndef NET_FRAME_INPUT_H
#define NET_FRAME_INPUT_H

#include "net/block_pool.h"

enum { FRAME_LENGTH_BYTES = 4, FRAME_HEAD_BYTES = 8 };

struct frame_input {
	struct block_pool *pool;
	size_t max_frame_bytes;
	/* The frame under way, length included: block->data[0, have) of need. */
	struct iobuf_block *block;
	size_t have, need;
	/* Bytes not looked at: in the scratch, or in kept_block while the reader is paused. */
	struct slice pending;
	struct iobuf_block *kept_block;
	uint8_t head[FRAME_HEAD_BYTES]; /* a beginning too short to tell anything */
	size_t head_n;
};

enum frame_result {
	FRAME_READY,
	FRAME_MORE,       /* needs more bytes; nothing is pending */
	FRAME_BAD_LENGTH, /* zero, negative or above max_frame_bytes */
	FRAME_NO_MEMORY,
};

void frame_input_init(struct frame_input *f, struct block_pool *pool, size_t max_frame_bytes);
void frame_input_fini(struct frame_input *f);
/* Is a frame with a known length partly there? */
bool frame_input_partial(const struct frame_input *f);
/* May bytes be read? Not while some are still pending. */
bool frame_input_empty(const struct frame_input *f);
/* Where the next bytes go, at most `most` of them; returns the number of iovecs (1 or 2). */
int frame_input_iov(struct frame_input *f, struct iovec scratch, size_t most, struct iovec iov[2]);
/* n bytes were read there. Afterwards frame_input_next until it wants more, or frame_input_park. */
void frame_input_filled(struct frame_input *f, struct iovec scratch, size_t n);
/* The next frame; ret_block: the caller's reference, frame in data[0, *ret_n), length included. */
enum frame_result frame_input_next(struct frame_input *f, struct iobuf_block **ret_block, size_t *ret_n);
/* The reader pauses: pending bytes leave the scratch. False: no memory. */
bool frame_input_park(struct frame_input *f) MUST_CHECK;
/* Drops n pending bytes from the front. */
void frame_input_skip(struct frame_input *f, size_t n);
/* Keeps the pending bytes (fewer than FRAME_HEAD_BYTES) until more have come. */
void frame_input_hold(struct frame_input *f);
/* The length of the frame that was refused with FRAME_BAD_LENGTH. */
int32_t frame_input_bad_length(const struct frame_input *f);

#endif
