/* Key -> the last offset it has in the dirty part of a log, in memory of fixed size: a key is stood for by 128 bits of
 * keyed hash (24 bytes with the offset), whatever its length. Kafka: SkimpyOffsetMap. */
#ifndef STORAGE_COMPACTION_MAP_H
#define STORAGE_COMPACTION_MAP_H

#include "base/bytes.h"

enum { COMPACTION_MAP_SLOT_BYTES = 24 };

struct compaction_map;
/* Takes keys_wanted of them if size_bytes allow; beyond load_factor (below 1) of its slots it counts as full. NULL: no memory. */
struct compaction_map *compaction_map_new(size_t size_bytes, double load_factor, int64_t keys_wanted);
void compaction_map_free(struct compaction_map *m);
/* Offsets come in ascending order: the last one counts. False, with nothing done, when the map is full. */
MUST_CHECK bool compaction_map_put(struct compaction_map *m, struct slice key, int64_t offset);
/* -1: the key is not there. */
int64_t compaction_map_get(const struct compaction_map *m, struct slice key);
size_t compaction_map_count(const struct compaction_map *m);
size_t compaction_map_capacity(const struct compaction_map *m);
#endif
