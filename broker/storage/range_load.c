#include "storage/range_load.h"

#include "storage/disk.h"

/* One fragment to `to`, which has room for it. */
static enum status load_fragment(const struct iobuf_fragment *f, uint8_t *to)
{
	if (f->block != NULL) {
		memcpy(to, f->p, f->n);
		return STATUS_OK;
	}
	struct disk_file *file = CONTAINER_OF(f->file, struct disk_file, shared);
	return disk_file_pread_all(file, to, f->n, f->position);
}

enum status range_load_now(const struct iobuf *ranges, uint8_t *to, size_t *ret_n)
{
	size_t n = 0;
	enum status s = STATUS_OK;
	for (uint32_t i = 0; i < ranges->count && s == STATUS_OK; i++) {
		const struct iobuf_fragment *f = &ranges->fragments[ranges->first + i];
		expect(f->n <= ranges->size_bytes - n);
		s = load_fragment(f, to + n);
		if (s == STATUS_OK)
			n += f->n;
	}
	*ret_n = n;
	return s;
}

static void load(struct job *j)
{
	struct range_load *l = CONTAINER_OF(j, struct range_load, job);
	size_t n = 0;
	expect(l->ranges.size_bytes <= l->block->size);
	l->status = range_load_now(&l->ranges, l->block->data, &n);
	l->bytes = slice_of(l->block->data, n);
}

static void loaded(struct job *j)
{
	struct range_load *l = CONTAINER_OF(j, struct range_load, job);
	expect_on_loop(j->home);
	iobuf_fini(&l->ranges);
	l->done(l); /* l may be gone now */
}

/* A block of l's own with room for n bytes. */
static bool reserve(struct range_load *l, size_t n)
{
	/* Somebody else may still read what was loaded before. */
	bool own = l->block != NULL && atomic_load_explicit(&l->block->refs, memory_order_acquire) == 1;
	if (own && l->block->size >= n)
		return true;
	range_load_fini(l);
	l->block = iobuf_block_new(n);
	return l->block != NULL;
}

enum status range_load_start(struct range_load *l, struct background *bg, struct scheduler *home, struct iobuf *ranges)
{
	expect_on_loop(home);
	expect(l->done != NULL && l->ranges.count == 0);
	if (ranges->size_bytes > RANGE_LOAD_BYTES_MAX || !reserve(l, ranges->size_bytes))
		return STATUS_TOO_LARGE;
	iobuf_init(&l->ranges);
	iobuf_append_iobuf(&l->ranges, ranges);
	l->bytes = slice_of(NULL, 0);
	job_init(&l->job, "range_load", home, load, loaded);
	background_submit(bg, &l->job);
	return STATUS_OK;
}

void range_load_fini(struct range_load *l)
{
	expect(l->ranges.count == 0);
	struct iobuf_block *b = range_load_take_block(l);
	if (b != NULL)
		iobuf_block_shared_unref(b);
}

struct iobuf_block *range_load_take_block(struct range_load *l)
{
	struct iobuf_block *b = l->block;
	l->block = NULL;
	l->bytes = slice_of(NULL, 0);
	return b;
}
