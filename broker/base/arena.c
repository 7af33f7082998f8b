#include "base/arena.h"

#include <stdalign.h>

enum { ARENA_FIRST_BLOCK = 4096 - 64, ARENA_BLOCK_MAX = 256 * 1024, ARENA_ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	alignas(ARENA_ALIGN) uint8_t data[];
};

void arena_init(struct arena *a, size_t limit_bytes)
{
	*a = (struct arena){.limit_bytes = limit_bytes};
}

void arena_fini(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
	a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_block *kept = NULL;
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		if (kept == NULL && b->size == ARENA_FIRST_BLOCK)
			kept = b;
		else
			free(b);
	}
	if (kept != NULL) {
		kept->next = NULL;
		kept->used = 0;
	}
	a->blocks = kept;
	a->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *a, size_t at_least)
{
	size_t size = ARENA_FIRST_BLOCK;
	if (a->blocks != NULL && a->blocks->size < ARENA_BLOCK_MAX)
		size = a->blocks->size * 2;
	if (size < at_least)
		size = at_least;
	struct arena_block *b = malloc(sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	b->size = size;
	b->used = 0;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > a->limit_bytes || a->used_bytes > a->limit_bytes - size)
		return NULL;
	size_t rounded = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (rounded < size)
		return NULL;
	struct arena_block *b = a->blocks;
	if (b == NULL || rounded > b->size - b->used) {
		b = add_block(a, rounded);
		if (b == NULL)
			return NULL;
	}
	void *p = b->data + b->used;
	b->used += rounded;
	a->used_bytes += rounded;
	return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	void *p = arena_alloc(a, total);
	if (p != NULL)
		memset(p, 0, total);
	return p;
}

char *arena_strdup(struct arena *a, struct slice s)
{
	char *copy = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);
	if (copy == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}
