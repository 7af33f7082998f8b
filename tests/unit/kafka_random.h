/* Random messages of any table, and their comparison. */
#ifndef TESTS_UNIT_KAFKA_RANDOM_H
#define TESTS_UNIT_KAFKA_RANDOM_H

#include "base/arena.h"
#include "base/iobuf.h"
#include "wire/kafka_messages.h"

struct kafka_random {
	uint64_t seed;
	struct arena *arena;
	int16_t version;
	int depth;
};
uint32_t kafka_random_next(struct kafka_random *r, uint32_t below);
/* Fields the version has get random values, nulls and empty arrays among them; the others their default. */
void kafka_random_fill(struct kafka_random *r, const struct kafka_struct *s, void *ret_message);
/* The path of the first field that differs, or NULL. */
const char *kafka_random_difference(const struct kafka_struct *s, const void *a, const void *b);
/* All bytes of b, which holds no file ranges; in the arena. */
struct slice kafka_random_gather(struct arena *a, const struct iobuf *b);

#endif
