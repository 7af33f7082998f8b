/* Memory of one request, freed whole. First block inline-sized, then doubling, up to a limit. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "base/bytes.h"

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used_bytes;  /* handed out so far */
	size_t limit_bytes; /* arena_alloc returns NULL beyond */
};
void arena_init(struct arena *a, size_t limit_bytes);
void arena_fini(struct arena *a);
/* As fini and init again, but keeps one first block for the next use. */
void arena_reset(struct arena *a);
/* Aligned to 16, not zeroed. NULL when the limit would be passed: foreign input decides the size. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;
void *arena_calloc(struct arena *a, size_t count, size_t size) MUST_CHECK;
/* NUL-terminated copy. */
char *arena_strdup(struct arena *a, struct slice s) MUST_CHECK;
#endif
