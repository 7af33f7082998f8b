/* The files of one data directory beside its partitions: meta.properties, the checkpoints, the clean-shutdown marker; and
 * the meaning of its entries' names. Everything here may sleep. Kafka: MetaProperties, OffsetCheckpointFile. */
#ifndef STORAGE_LOG_DIRECTORY_H
#define STORAGE_LOG_DIRECTORY_H

#include "base/topic_partition.h"
#include "storage/disk.h"

#define LOG_DIRECTORY_LOCK ".lock"
#define LOG_DIRECTORY_META "meta.properties"
#define LOG_DIRECTORY_CLEAN_MARKER ".kafka_cleanshutdown"
#define LOG_DIRECTORY_RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define LOG_DIRECTORY_START_OFFSETS "log-start-offset-checkpoint"
#define LOG_DIRECTORY_HIGH_WATERMARKS "replication-offset-checkpoint"
#define LOG_DIRECTORY_CLEANER_OFFSETS "cleaner-offset-checkpoint"

/* Makes the directory and missing parents. */
MUST_CHECK enum status log_directory_make(struct disk *d, const char *path);

struct log_directory_meta {
	char *cluster_id;   /* NULL: not said */
	int32_t broker_id;  /* -1: not said */
	int32_t version;    /* 0; 1 is a KRaft directory */
};
/* STATUS_NOT_FOUND: a new directory. STATUS_CORRUPT. ret_meta is to be freed after success. */
MUST_CHECK enum status log_directory_read_meta(struct disk *d, const char *path, struct log_directory_meta *ret_meta);
void log_directory_meta_fini(struct log_directory_meta *m);
MUST_CHECK enum status log_directory_write_meta(struct disk *d, const char *path, const char *cluster_id, int32_t broker_id,
	int64_t now_ms);

/* Calls entry() for each line of a checkpoint; a damaged file gives STATUS_CORRUPT, and none of its lines. */
MUST_CHECK enum status log_directory_read_checkpoint(struct disk *d, const char *path, const char *name,
	void (*entry)(void *arg, const struct topic_partition *tp, int64_t offset), void *arg);

/* The text of a checkpoint, line by line. */
struct checkpoint_writer {
	char *lines;
	size_t size, capacity, count;
};
void checkpoint_writer_add(struct checkpoint_writer *w, const struct topic_partition *tp, int64_t offset);
MUST_CHECK enum status checkpoint_writer_store(struct checkpoint_writer *w, struct disk *d, const char *path, const char *name);
void checkpoint_writer_fini(struct checkpoint_writer *w);

/* Was the marker there? It is gone afterwards, durably. */
MUST_CHECK enum status log_directory_take_marker(struct disk *d, const char *path, bool *ret_clean);
MUST_CHECK enum status log_directory_write_marker(struct disk *d, const char *path);

enum log_directory_entry {
	LOG_ENTRY_PARTITION,
	LOG_ENTRY_DELETED,  /* <topic>-<n>.<32 hex>-delete */
	LOG_ENTRY_FOREIGN,  /* -future and -stray: not ours to touch */
	LOG_ENTRY_OTHER,
};
/* ret_tp is set for LOG_ENTRY_PARTITION. */
enum log_directory_entry log_directory_classify(const char *name, struct topic_partition *ret_tp);
/* "<topic>-<n>.<uuid>-delete", the topic cut so that the name fits 255 bytes; out needs LOG_DIRECTORY_NAME_SIZE. */
enum { LOG_DIRECTORY_NAME_SIZE = 256 };
void log_directory_deleted_name(const struct topic_partition *tp, const struct uuid *id, char out[LOG_DIRECTORY_NAME_SIZE]);
/* Removes a directory and the files in it (no directories). */
MUST_CHECK enum status log_directory_remove(struct disk *d, const char *path);
#endif
