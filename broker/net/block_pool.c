#include "net/block_pool.h"

#include <sys/mman.h>

enum {
	CLASS_SMALLEST = 512,
	CLASSES = 27, /* 512, 768, 1024, 1536, ... 4 MiB */
	MAP_FROM = 64 * 1024,
	TRIM_PERIOD_US = 1000 * 1000,
};

struct size_class {
	size_t size;
	struct iobuf_block *spare; /* linked by owner */
	unsigned count, least;     /* spare now; fewest since the last trim: those were not needed */
};

struct block_pool {
	unsigned magic;
	struct scheduler *loop;
	struct loop_timer trim;
	size_t spare_bytes, spare_bytes_max;
	struct size_class classes[CLASSES];
	_Atomic int refs; /* the owner's, and one per block in use */
	atomic_bool closed;
};
MAGIC(block_pool, 0x424c504c);

static size_t class_size(int index)
{
	size_t power = (size_t)CLASS_SMALLEST << (index / 2);
	return index % 2 == 0 ? power : power + power / 2;
}

/* NULL: larger than every class. */
static struct size_class *class_of(struct block_pool *p, size_t n)
{
	for (int i = 0; i < CLASSES; i++)
		if (n <= p->classes[i].size)
			return &p->classes[i];
	return NULL;
}

static struct iobuf_block *memory_get(size_t size)
{
	size_t total = sizeof(struct iobuf_block) + size;
	if (size > UINT32_MAX)
		return NULL;
	struct iobuf_block *b;
	if (size >= MAP_FROM) {
		b = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (b == MAP_FAILED)
			return NULL;
	} else {
		b = malloc(total);
		if (b == NULL)
			return NULL;
	}
	b->size = (uint32_t)size;
	return b;
}

static void memory_put(struct iobuf_block *b)
{
	if (b->size >= MAP_FROM)
		munmap(b, sizeof(*b) + b->size);
	else
		free(b);
}

static void pool_unref(struct block_pool *p)
{
	int before = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);
	expect(before > 0);
	if (before == 1) {
		p->magic = 0;
		free(p);
	}
}

static void class_drop(struct block_pool *p, struct size_class *c, unsigned n)
{
	expect(n <= c->count);
	for (; n > 0; n--) {
		struct iobuf_block *b = c->spare;
		c->spare = b->owner;
		c->count--;
		p->spare_bytes -= c->size;
		memory_put(b);
	}
}

static void pool_trim(struct loop_timer *t)
{
	struct block_pool *p = CAST(block_pool, CONTAINER_OF(t, struct block_pool, trim));
	for (int i = 0; i < CLASSES; i++) {
		struct size_class *c = &p->classes[i];
		class_drop(p, c, c->least);
		c->least = c->count;
	}
	if (p->spare_bytes > 0)
		scheduler_timer_arm(p->loop, &p->trim, TRIM_PERIOD_US);
}

/* The block's last reference went, on whatever thread. */
static void pool_block_unused(struct iobuf_block *b)
{
	struct block_pool *p = CAST(block_pool, b->owner);
	struct size_class *c = class_of(p, b->size);
	bool keep = !atomic_load_explicit(&p->closed, memory_order_acquire) && p->loop->here(p->loop) && c != NULL &&
		p->spare_bytes + c->size <= p->spare_bytes_max;
	if (keep) {
		b->owner = c->spare;
		c->spare = b;
		c->count++;
		p->spare_bytes += c->size;
		if (!p->trim.armed)
			scheduler_timer_arm(p->loop, &p->trim, TRIM_PERIOD_US);
	} else {
		memory_put(b);
	}
	pool_unref(p);
}

struct block_pool *block_pool_new(struct scheduler *loop, size_t spare_bytes_max)
{
	expect(loop != NULL);
	struct block_pool *p = check_calloc(1, sizeof(*p));
	p->magic = block_pool_magic;
	p->loop = loop;
	p->spare_bytes_max = spare_bytes_max;
	atomic_init(&p->refs, 1);
	loop_timer_init(&p->trim, "block_pool_trim", pool_trim);
	for (int i = 0; i < CLASSES; i++)
		p->classes[i].size = class_size(i);
	return p;
}

void block_pool_free(struct block_pool *p)
{
	if (p == NULL)
		return;
	CHECK_MAGIC(block_pool, p);
	if (p->trim.armed)
		scheduler_timer_cancel(p->loop, &p->trim);
	for (int i = 0; i < CLASSES; i++)
		class_drop(p, &p->classes[i], p->classes[i].count);
	expect(p->spare_bytes == 0);
	atomic_store_explicit(&p->closed, true, memory_order_release);
	pool_unref(p);
}

struct iobuf_block *block_pool_get(struct block_pool *p, size_t n)
{
	CHECK_MAGIC(block_pool, p);
	struct size_class *c = class_of(p, n);
	struct iobuf_block *b;
	if (c != NULL && c->spare != NULL) {
		b = c->spare;
		c->spare = b->owner;
		c->count--;
		if (c->count < c->least)
			c->least = c->count;
		p->spare_bytes -= c->size;
	} else {
		b = memory_get(c != NULL ? c->size : n);
		if (b == NULL)
			return NULL;
	}
	atomic_init(&b->refs, 1);
	b->free = pool_block_unused;
	b->owner = p;
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return b;
}

size_t block_pool_spare_bytes(const struct block_pool *p)
{
	CHECK_MAGIC(block_pool, p);
	return p->spare_bytes;
}
