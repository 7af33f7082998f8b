/* All log directories of a broker: lock, meta.properties, checkpoints, loading in parallel at start, creating and trashing
 * partition directories, free space. Lives on one loop (the cluster loop); logs are handed to their owners. */
#ifndef STORAGE_LOG_MANAGER_H
#define STORAGE_LOG_MANAGER_H

#include "config/settings.h"
#include "storage/partition_log.h"

struct log_manager;

struct log_manager_options {
	struct disk *disk;
	struct clock *clock;
	struct background *background;
	struct scheduler *scheduler; /* the manager's own loop */
	const struct settings *settings;
	/* Effective settings of a topic (broker defaults under /config/topics overrides); called on the manager's loop. */
	void (*topic_settings)(void *arg, const char *topic, struct topic_settings *ret_settings);
	/* A directory has failed; its partitions are offline. */
	void (*directory_failed)(void *arg, const char *directory, enum status why);
	void *arg;
};
/* Locks each directory, reads meta.properties. A directory that fails is offline; none left: the failure. Duplicate
 * partitions in two directories, a foreign broker.id: failure. Sleeps: called before the loops serve. */
MUST_CHECK enum status log_manager_open(const struct log_manager_options *o, struct log_manager **ret_manager,
	struct failure *ret_failure);
/* cluster.id and broker.id as found in meta.properties: NULL and -1 when no directory has them yet. */
const char *log_manager_cluster_id(const struct log_manager *m);
int32_t log_manager_broker_id(const struct log_manager *m);
/* Writes meta.properties (v0) where missing; STATUS_INCONSISTENT_CLUSTER_ID when one differs. */
MUST_CHECK enum status log_manager_set_identity(struct log_manager *m, const char *cluster_id, int32_t broker_id,
	struct failure *ret_failure);
/* Opens every partition found, many at a time in the pool, removing the clean-shutdown marker first; progress is logged.
 * done runs on the manager's loop. Leftover -delete directories are scheduled for purging. */
void log_manager_load(struct log_manager *m, void (*done)(void *arg, enum status s), void *arg);

/* The log of a partition already on disk, or NULL. Its directory and high watermark from the checkpoint (0 if none).
 * Ownership stays; the caller adopts it onto its owner loop. */
struct partition_log *log_manager_find(struct log_manager *m, const struct topic_partition *tp, int64_t *ret_high_watermark);
/* Finds it or creates the directory (in the live directory with the fewest partitions), partition.metadata with the topic id
 * included. In the pool; opened runs on the manager's loop. STATUS_INCONSISTENT_TOPIC_ID when the log on disk has another
 * id. STATUS_KAFKA_STORAGE_ERROR when no directory is usable, or when is_new is false and a directory is offline. */
void log_manager_get_or_create(struct log_manager *m, const struct topic_partition *tp, const struct uuid *topic_id,
	bool is_new, void (*opened)(void *arg, enum status s, struct partition_log *log, int64_t high_watermark), void *arg);
/* Closes the log, renames its directory to <tp>.<uuid>-delete, purges after file.delete.delay.ms. The owner must have let
 * go of it. */
void log_manager_delete(struct log_manager *m, const struct topic_partition *tp, void (*done)(void *arg, enum status s),
	void *arg);
/* Every partition directory known (hosted or stray). */
void log_manager_each(struct log_manager *m, void (*each)(void *arg, const struct topic_partition *tp,
	struct partition_log *log), void *arg);

/* One partition's numbers for the checkpoint files, gathered from the owners. */
struct log_checkpoint_entry {
	struct topic_partition tp;
	int64_t recovery_point, log_start_offset, high_watermark;
	int64_t cleaner_offset; /* 0: never compacted */
};
/* Writes the four checkpoint files of each directory in the pool. entries are copied. */
void log_manager_write_checkpoints(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count,
	void (*done)(void *arg, enum status s), void *arg);
/* Least free bytes over live directories is refreshed each second in the pool; any thread may ask. */
bool log_manager_disk_full(const struct log_manager *m);
/* The directories of log.dirs as last seen; their number and paths never change. Any thread may ask. */
struct log_directory_info {
	const char *path;
	bool online;
	int64_t free_bytes, total_bytes; /* of its file system */
};
size_t log_manager_directory_count(const struct log_manager *m);
struct log_directory_info log_manager_directory_info(const struct log_manager *m, size_t i);
/* Clean stop: every log handed out has been closed by its owner with sync=true; the others are closed here. Writes
 * checkpoints and the markers, unlocks, frees m whatever it returns. Sleeps. */
MUST_CHECK enum status log_manager_close_clean(struct log_manager *m, const struct log_checkpoint_entry *entries, size_t count);
/* A file of this directory (of a log dir, or a partition's in it) could not be read or written: the log dir goes offline. */
void log_manager_directory_failed(struct log_manager *m, const char *directory, enum status why);
/* Without a marker (crash in tests, or failed start). */
void log_manager_free(struct log_manager *m);
/* Both are called on the manager's loop, or once it has stopped, with every request answered; what else is still in the
 * pool outlives the manager safely. */

#endif
