#include "net/frame_input.h"

void frame_input_init(struct frame_input *f, struct block_pool *pool, size_t max_frame_bytes)
{
	expect(pool != NULL);
	*f = (struct frame_input){.pool = pool, .max_frame_bytes = max_frame_bytes};
}

void frame_input_fini(struct frame_input *f)
{
	if (f->block != NULL)
		iobuf_block_shared_unref(f->block);
	if (f->kept_block != NULL)
		iobuf_block_shared_unref(f->kept_block);
	frame_input_init(f, f->pool, f->max_frame_bytes);
}

bool frame_input_partial(const struct frame_input *f)
{
	return f->block != NULL && f->have < f->need;
}

bool frame_input_empty(const struct frame_input *f)
{
	return f->pending.n == 0 && (f->block == NULL || f->have < f->need);
}

int frame_input_iov(struct frame_input *f, struct iovec scratch, size_t most, struct iovec iov[2])
{
	expect(frame_input_empty(f) && most > 0 && scratch.iov_len > FRAME_HEAD_BYTES);
	if (f->block == NULL) {
		memcpy(scratch.iov_base, f->head, f->head_n);
		size_t room = scratch.iov_len - f->head_n;
		iov[0].iov_base = (uint8_t *)scratch.iov_base + f->head_n;
		iov[0].iov_len = room < most ? room : most;
		return 1;
	}
	expect(f->head_n == 0);
	size_t missing = f->need - f->have;
	iov[0].iov_base = f->block->data + f->have;
	iov[0].iov_len = missing < most ? missing : most;
	if (missing >= most)
		return 1;
	size_t rest = most - missing;
	iov[1].iov_base = scratch.iov_base;
	iov[1].iov_len = rest < scratch.iov_len ? rest : scratch.iov_len;
	return 2;
}

void frame_input_filled(struct frame_input *f, struct iovec scratch, size_t n)
{
	if (f->block == NULL) {
		f->pending = slice_of(scratch.iov_base, f->head_n + n);
		f->head_n = 0;
		return;
	}
	size_t missing = f->need - f->have;
	size_t part = n < missing ? n : missing;
	f->have += part;
	f->pending = slice_of(scratch.iov_base, n - part);
}

static void pending_used_up(struct frame_input *f)
{
	f->pending = (struct slice){0};
	if (f->kept_block != NULL)
		iobuf_block_shared_unref(f->kept_block);
	f->kept_block = NULL;
}

void frame_input_skip(struct frame_input *f, size_t n)
{
	f->pending = slice_sub(f->pending, n, f->pending.n - n);
	if (f->pending.n == 0)
		pending_used_up(f);
}

void frame_input_hold(struct frame_input *f)
{
	expect(f->pending.n < FRAME_HEAD_BYTES && f->head_n == 0 && f->block == NULL);
	if (f->pending.n > 0)
		memcpy(f->head, f->pending.p, f->pending.n);
	f->head_n = f->pending.n;
	pending_used_up(f);
}

enum frame_result frame_input_next(struct frame_input *f, struct iobuf_block **ret_block, size_t *ret_n)
{
	if (f->block == NULL) {
		if (f->pending.n < FRAME_LENGTH_BYTES) {
			frame_input_hold(f);
			return FRAME_MORE;
		}
		int32_t length = bytes_get_i32(f->pending.p);
		if (length <= 0 || (size_t)length > f->max_frame_bytes)
			return FRAME_BAD_LENGTH;
		f->need = FRAME_LENGTH_BYTES + (size_t)length;
		f->block = block_pool_get(f->pool, f->need);
		if (f->block == NULL)
			return FRAME_NO_MEMORY;
		f->have = f->pending.n < f->need ? f->pending.n : f->need;
		memcpy(f->block->data, f->pending.p, f->have);
		frame_input_skip(f, f->have);
	}
	if (f->have < f->need) {
		expect(f->pending.n == 0);
		return FRAME_MORE;
	}
	*ret_block = f->block;
	*ret_n = f->need;
	f->block = NULL;
	f->have = f->need = 0;
	return FRAME_READY;
}

bool frame_input_park(struct frame_input *f)
{
	if (f->pending.n == 0 || f->kept_block != NULL)
		return true;
	struct iobuf_block *b = block_pool_get(f->pool, f->pending.n);
	if (b == NULL)
		return false;
	memcpy(b->data, f->pending.p, f->pending.n);
	f->pending = slice_of(b->data, f->pending.n);
	f->kept_block = b;
	return true;
}

int32_t frame_input_bad_length(const struct frame_input *f)
{
	return f->pending.n < FRAME_LENGTH_BYTES ? 0 : bytes_get_i32(f->pending.p);
}
