/* Leader epochs of one partition: (epoch, start offset), both increasing. Pure memory; the text form is Kafka's
 * leader-epoch-checkpoint. Kafka: LeaderEpochFileCache; KIP-101, KIP-279. */
#ifndef STORAGE_LEADER_EPOCH_CACHE_H
#define STORAGE_LEADER_EPOCH_CACHE_H

#include "base/bytes.h"

struct leader_epoch_entry {
	int32_t epoch;
	int64_t start_offset;
};
struct leader_epoch_cache {
	struct leader_epoch_entry *entries;
	size_t count, capacity;
};
void leader_epoch_cache_init(struct leader_epoch_cache *c);
void leader_epoch_cache_fini(struct leader_epoch_cache *c);
void leader_epoch_cache_clear(struct leader_epoch_cache *c);
/* -1 when empty. */
int32_t leader_epoch_cache_latest(const struct leader_epoch_cache *c);
/* Adds (epoch, start), removing entries it contradicts (epoch >= or start >=). True if anything changed; a repetition of
 * the latest epoch changes nothing. */
bool leader_epoch_cache_assign(struct leader_epoch_cache *c, int32_t epoch, int64_t start_offset);
/* The log now ends at `end`: entries starting there or later go. */
bool leader_epoch_cache_truncate_end(struct leader_epoch_cache *c, int64_t end);
/* The log now starts at `start`: only the entry covering it stays of the older ones, moved up to it. */
bool leader_epoch_cache_truncate_start(struct leader_epoch_cache *c, int64_t start);
/* KIP-279: the largest epoch <= `epoch` and where it ends; (-1,-1) if that cannot be known. */
void leader_epoch_cache_end_offset(const struct leader_epoch_cache *c, int32_t epoch, int64_t log_end,
	int32_t *ret_epoch, int64_t *ret_end_offset);

/* Text of leader-epoch-checkpoint; owned by the caller. */
char *leader_epoch_cache_format(const struct leader_epoch_cache *c, size_t *ret_size);
/* STATUS_CORRUPT when the text is not a whole, ordered checkpoint: c is then empty. */
MUST_CHECK enum status leader_epoch_cache_parse(struct leader_epoch_cache *c, struct slice text);
#endif
