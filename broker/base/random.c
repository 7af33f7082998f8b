#include "base/random.h"

#include <sys/random.h>

static uint64_t rotate(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void random_seed(struct random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

void random_seed_system(struct random *r)
{
	uint64_t seed = 0;
	ssize_t n = getrandom(&seed, sizeof(seed), 0);
	expect(n == (ssize_t)sizeof(seed));
	random_seed(r, seed);
}

uint64_t random_u64(struct random *r)
{
	/* xoshiro256** by Blackman and Vigna, public domain. */
	uint64_t result = rotate(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;
	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotate(r->s[3], 45);
	return result;
}

uint64_t random_below(struct random *r, uint64_t bound)
{
	expect(bound > 0);
	/* Values below the threshold would favour small results. */
	uint64_t threshold = (0 - bound) % bound;
	for (;;) {
		uint64_t v = random_u64(r);
		if (v >= threshold)
			return v % bound;
	}
}

double random_unit(struct random *r)
{
	return (double)(random_u64(r) >> 11) * 0x1.0p-53;
}

void random_uuid(struct random *r, struct uuid *ret_uuid)
{
	char text[UUID_TEXT_SIZE];
	do {
		uint64_t hi = random_u64(r), lo = random_u64(r);
		bytes_put_i64(ret_uuid->b, (int64_t)hi);
		bytes_put_i64(ret_uuid->b + 8, (int64_t)lo);
		ret_uuid->b[6] = (uint8_t)((ret_uuid->b[6] & 0x0f) | 0x40);
		ret_uuid->b[8] = (uint8_t)((ret_uuid->b[8] & 0x3f) | 0x80);
		uuid_format(ret_uuid, text);
	} while (text[0] == '-'); /* would look like an option on a command line */
}
