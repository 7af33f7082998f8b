/* Compaction of one loop's partitions: every log.cleaner.backoff.ms it looks for the dirtiest log that is due, and has it
 * compacted if one of the process's log.cleaner.threads is free; then looks again. Kafka: LogCleanerManager. */
#ifndef REPLICA_REPLICA_CLEANER_H
#define REPLICA_REPLICA_CLEANER_H

#include "config/settings.h"
#include "replica/partition.h"
#include <stdatomic.h>

/* How many compactions may be under way in the process; shared by all loops. */
struct replica_cleaner_slots {
	_Atomic int free;
};
void replica_cleaner_slots_init(struct replica_cleaner_slots *s, const struct settings *settings);

struct replica_cleaner;
struct replica_cleaner_options {
	struct scheduler *scheduler;
	const struct settings *settings;
	struct replica_cleaner_slots *slots;
	/* The loop's partitions: the first, or the one behind the last one given; NULL when the round is over. */
	struct partition *(*next)(void *arg, bool first);
	void *arg;
};
struct replica_cleaner *replica_cleaner_new(const struct replica_cleaner_options *o);
/* No compaction may be under way. */
void replica_cleaner_free(struct replica_cleaner *c);
/* Begins to look, if it does not already. */
void replica_cleaner_start(struct replica_cleaner *c);
/* Looks no more. A compaction under way ends when its log is closed. */
void replica_cleaner_stop(struct replica_cleaner *c);
/* The partition is about to go. */
void replica_cleaner_forget(struct replica_cleaner *c, const struct partition *p);
#endif
