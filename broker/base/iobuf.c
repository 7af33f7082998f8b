#include "base/iobuf.h"

enum { COPY_BLOCK_SIZE = 512 };

struct iobuf_block *iobuf_block_new(size_t size)
{
	if (size > UINT32_MAX)
		return NULL;
	struct iobuf_block *b = malloc(sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	atomic_init(&b->refs, 1);
	b->size = (uint32_t)size;
	b->free = NULL;
	b->owner = NULL;
	return b;
}

struct iobuf_block *iobuf_block_shared_ref(struct iobuf_block *b)
{
	int before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	expect(before > 0);
	return b;
}

void iobuf_block_shared_unref(struct iobuf_block *b)
{
	int before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	expect(before > 0);
	if (before > 1)
		return;
	if (b->free != NULL)
		b->free(b);
	else
		free(b);
}

struct iobuf_file *iobuf_file_shared_ref(struct iobuf_file *f)
{
	int before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	expect(before > 0);
	return f;
}

void iobuf_file_shared_unref(struct iobuf_file *f)
{
	int before = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);
	expect(before > 0);
	if (before == 1)
		f->free(f);
}

void iobuf_init(struct iobuf *b)
{
	*b = (struct iobuf){0};
}

static void drop_fragment(struct iobuf_fragment *f)
{
	if (f->block != NULL)
		iobuf_block_shared_unref(f->block);
	else
		iobuf_file_shared_unref(f->file);
}

void iobuf_fini(struct iobuf *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		drop_fragment(&b->fragments[b->first + i]);
	free(b->fragments);
	iobuf_init(b);
}

/* A new fragment at the end, to be filled by the caller. */
static struct iobuf_fragment *push(struct iobuf *b)
{
	if (b->first + b->count == b->capacity) {
		if (b->first > 0) {
			memmove(b->fragments, b->fragments + b->first, b->count * sizeof(*b->fragments));
			b->first = 0;
		}
		if (b->count == b->capacity) {
			b->capacity = b->capacity == 0 ? 4 : b->capacity * 2;
			b->fragments = check_realloc(b->fragments, b->capacity * sizeof(*b->fragments));
		}
	}
	struct iobuf_fragment *f = &b->fragments[b->first + b->count++];
	*f = (struct iobuf_fragment){0};
	return f;
}

static struct iobuf_fragment *last_fragment(struct iobuf *b)
{
	return b->count == 0 ? NULL : &b->fragments[b->first + b->count - 1];
}

/* The last fragment, if this chain alone may write behind it; *ret_room: how much. */
static struct iobuf_fragment *writable_tail(struct iobuf *b, size_t *ret_room)
{
	struct iobuf_fragment *f = last_fragment(b);
	*ret_room = 0;
	if (f == NULL || f->block == NULL || f->block->owner != (void *)b)
		return NULL;
	/* Another reference may mean another chain that ends in the same block. */
	if (atomic_load_explicit(&f->block->refs, memory_order_acquire) != 1)
		return NULL;
	*ret_room = f->block->size - ((size_t)(f->p - f->block->data) + f->n);
	return f;
}

/* Where the fragment's next byte would go. */
static uint8_t *end_of(struct iobuf_fragment *f)
{
	return f->block->data + (size_t)(f->p - f->block->data) + f->n;
}

static struct iobuf_fragment *add_own_block(struct iobuf *b, size_t at_least)
{
	size_t size = at_least < COPY_BLOCK_SIZE ? COPY_BLOCK_SIZE : at_least;
	struct iobuf_block *block = iobuf_block_new(size);
	expect(block != NULL);
	block->owner = b;
	struct iobuf_fragment *f = push(b);
	f->block = block;
	f->p = block->data;
	return f;
}

void iobuf_append_copy(struct iobuf *b, struct slice s)
{
	if (s.n == 0)
		return;
	size_t room;
	struct iobuf_fragment *f = writable_tail(b, &room);
	b->size_bytes += s.n;
	if (f != NULL && room > 0) {
		size_t fits = room < s.n ? room : s.n;
		memcpy(end_of(f), s.p, fits);
		f->n += fits;
		s = slice_sub(s, fits, s.n - fits);
	}
	if (s.n > 0) {
		f = add_own_block(b, s.n);
		memcpy(f->block->data, s.p, s.n);
		f->n = s.n;
	}
}

uint8_t *iobuf_append_space(struct iobuf *b, size_t n)
{
	size_t room;
	struct iobuf_fragment *f = writable_tail(b, &room);
	if (f == NULL || room < n)
		f = add_own_block(b, n);
	uint8_t *space = end_of(f);
	memset(space, 0, n);
	f->n += n;
	b->size_bytes += n;
	return space;
}

void iobuf_append_block(struct iobuf *b, struct iobuf_block *block, const uint8_t *p, size_t n)
{
	expect(p >= block->data && n <= block->size && (size_t)(p - block->data) <= block->size - n);
	if (n == 0)
		return;
	struct iobuf_fragment *f = push(b);
	f->block = iobuf_block_shared_ref(block);
	f->p = p;
	f->n = n;
	b->size_bytes += n;
}

void iobuf_append_file(struct iobuf *b, struct iobuf_file *file, int64_t position, size_t n)
{
	expect(position >= 0);
	if (n == 0)
		return;
	struct iobuf_fragment *f = push(b);
	f->file = iobuf_file_shared_ref(file);
	f->position = position;
	f->n = n;
	b->size_bytes += n;
}

void iobuf_append_iobuf(struct iobuf *b, struct iobuf *from)
{
	expect(b != from);
	for (uint32_t i = 0; i < from->count; i++)
		*push(b) = from->fragments[from->first + i];
	b->size_bytes += from->size_bytes;
	free(from->fragments);
	iobuf_init(from);
}

void iobuf_move(struct iobuf *b, struct iobuf *from, size_t n)
{
	expect(b != from && n <= from->size_bytes);
	size_t left = n;
	while (left > 0 && from->fragments[from->first].n <= left) {
		struct iobuf_fragment *f = push(b);
		*f = from->fragments[from->first++]; /* with its reference */
		from->count--;
		left -= f->n;
	}
	b->size_bytes += n - left;
	from->size_bytes -= n - left;
	if (from->count == 0)
		from->first = 0;
	if (left == 0)
		return;
	const struct iobuf_fragment *f = &from->fragments[from->first];
	if (f->block != NULL)
		iobuf_append_block(b, f->block, f->p, left);
	else
		iobuf_append_file(b, f->file, f->position, left);
	iobuf_consume(from, left);
}

void iobuf_consume(struct iobuf *b, size_t n)
{
	expect(n <= b->size_bytes);
	b->size_bytes -= n;
	while (n > 0) {
		struct iobuf_fragment *f = &b->fragments[b->first];
		size_t part = n < f->n ? n : f->n;
		f->n -= part;
		n -= part;
		if (f->block != NULL)
			f->p += part;
		else
			f->position += (int64_t)part;
		if (f->n == 0) {
			drop_fragment(f);
			b->first++;
			b->count--;
		}
	}
	if (b->count == 0)
		b->first = 0;
}

int iobuf_peek_iov(const struct iobuf *b, struct iovec *iov, int max)
{
	int n = 0;
	for (uint32_t i = 0; i < b->count && n < max; i++) {
		const struct iobuf_fragment *f = &b->fragments[b->first + i];
		if (f->block == NULL)
			break;
		if (f->n == 0)
			continue;
		iov[n].iov_base = (void *)(uintptr_t)f->p;
		iov[n].iov_len = f->n;
		n++;
	}
	return n;
}

const struct iobuf_fragment *iobuf_peek_file(const struct iobuf *b)
{
	if (b->count == 0 || b->fragments[b->first].block != NULL)
		return NULL;
	return &b->fragments[b->first];
}
