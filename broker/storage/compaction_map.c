#include "storage/compaction_map.h"
#include "base/random.h"
#include <assert.h>
#include <stdlib.h>

struct slot {
	uint64_t hash[2];
	int64_t next_offset; /* one more than the key's offset; 0: the slot is free, as memory comes */
};
static_assert(sizeof(struct slot) == COMPACTION_MAP_SLOT_BYTES, "size of a slot");

struct compaction_map {
	struct slot *slots;
	size_t slot_count, key_count, key_max;
	uint64_t secret[2];
};

enum { SLOTS_MIN = 16 };

struct compaction_map *compaction_map_new(size_t size_bytes, double load_factor, int64_t keys_wanted)
{
	expect(load_factor > 0 && load_factor < 1 && keys_wanted >= 0);
	struct compaction_map *m = check_calloc(1, sizeof(*m));
	size_t most = size_bytes / COMPACTION_MAP_SLOT_BYTES;
	double wanted = (double)keys_wanted / load_factor + 2;
	m->slot_count = wanted < (double)most ? (size_t)wanted : most;
	if (m->slot_count < SLOTS_MIN)
		m->slot_count = SLOTS_MIN;
	/* Untouched pages of it cost nothing. */
	m->slots = calloc(m->slot_count, sizeof(m->slots[0]));
	if (m->slots == NULL) {
		free(m);
		return NULL;
	}
	m->key_max = (size_t)((double)m->slot_count * load_factor);
	struct random r;
	random_seed_system(&r);
	m->secret[0] = random_u64(&r);
	m->secret[1] = random_u64(&r);
	expect(m->key_max > 0 && m->key_max < m->slot_count);
	return m;
}

void compaction_map_free(struct compaction_map *m)
{
	if (m == NULL)
		return;
	free(m->slots);
	free(m);
}

/* The key's slot, or the free one where it would be. */
static struct slot *find(const struct compaction_map *m, const uint64_t hash[static 2])
{
	size_t i = (size_t)((unsigned __int128)hash[0] * m->slot_count >> 64);
	for (;;) {
		struct slot *s = &m->slots[i];
		if (s->next_offset == 0 || (s->hash[0] == hash[0] && s->hash[1] == hash[1]))
			return s;
		i = i + 1 < m->slot_count ? i + 1 : 0;
	}
}

bool compaction_map_put(struct compaction_map *m, struct slice key, int64_t offset)
{
	uint64_t hash[2];
	expect(offset >= 0 && offset < INT64_MAX);
	bytes_siphash(key, m->secret, hash);
	struct slot *s = find(m, hash);
	if (s->next_offset == 0) {
		if (m->key_count == m->key_max)
			return false;
		m->key_count++;
		s->hash[0] = hash[0];
		s->hash[1] = hash[1];
	}
	if (offset + 1 > s->next_offset)
		s->next_offset = offset + 1;
	return true;
}

int64_t compaction_map_get(const struct compaction_map *m, struct slice key)
{
	uint64_t hash[2];
	bytes_siphash(key, m->secret, hash);
	return find(m, hash)->next_offset - 1;
}

size_t compaction_map_count(const struct compaction_map *m)
{
	return m->key_count;
}

size_t compaction_map_capacity(const struct compaction_map *m)
{
	return m->key_max;
}
