/* Dice: one generator per owner, seeded, so that a run can be repeated (xoshiro256**). Not for secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
#include "base/bytes.h"
struct random {
	uint64_t s[4];
};
void random_seed(struct random *r, uint64_t seed);
/* Seeds from the kernel (getrandom). */
void random_seed_system(struct random *r);
uint64_t random_u64(struct random *r);
/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);
double random_unit(struct random *r);
/* A version 4 UUID whose text does not begin with '-' (Kafka: Uuid.randomUuid). */
void random_uuid(struct random *r, struct uuid *ret_uuid);
#endif
