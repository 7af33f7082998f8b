/* Shared by the log_manager*.c files alone. */
#ifndef STORAGE_LOG_MANAGER_INTERNAL_H
#define STORAGE_LOG_MANAGER_INTERNAL_H

#include "storage/log_directory.h"
#include "storage/log_manager.h"
#include "storage/partition_directory.h"
#include <uthash.h>

enum log_entry_state {
	LOG_ENTRY_FOUND,  /* a directory on disk, not opened yet */
	LOG_ENTRY_OPEN,
	LOG_ENTRY_BUSY,   /* being opened, created or deleted */
	LOG_ENTRY_FAILED, /* would not open; tried again when asked for */
};
struct log_waiter;
/* One partition directory. */
struct log_entry {
	UT_hash_handle hh;
	struct topic_partition tp;
	struct log_dir *dir;
	char *path;
	enum log_entry_state state;
	enum status status; /* why FAILED */
	struct partition_log *log;
	bool is_new;     /* its directory was made by us and may not be durable yet */
	bool handed_out; /* its owner closes it */
	bool has_topic_id;
	struct uuid topic_id;
	int64_t recovery_point, start_offset, high_watermark, cleaner_offset;
	struct log_waiter *waiters; /* requests that came while BUSY, oldest first */
	char name[TOPIC_PARTITION_TEXT];
};
struct log_dir {
	char *path;
	struct disk_file *lock;
	bool online, clean, has_meta;
	size_t partitions;
	/* For any thread. */
	_Atomic bool failed;
	_Atomic int64_t free_bytes, total_bytes;
};
struct log_load;
struct log_space;
struct log_purge;
struct log_checkpoint_write;
struct log_manager {
	unsigned magic;
	struct log_manager_options o;
	struct log_environment env;
	struct log_dir *dirs;
	size_t dir_count;
	char *cluster_id;
	int32_t broker_id;
	struct log_entry *entries; /* by name */
	struct random random;
	struct log_load *load;             /* under way */
	size_t requests;                   /* not answered yet */
	struct log_space *space;           /* the check under way */
	struct loop_timer space_timer, purge_timer;
	_Atomic bool disk_full;
	struct log_purge *purges;          /* waiting for their time, or under way */
	struct log_checkpoint_write *writes; /* oldest first; the first is under way */
};
MAGIC(log_manager, 0x4c4d4752);

struct log_entry *log_manager_entry(const struct log_manager *m, const struct topic_partition *tp);
struct log_entry *log_manager_add_entry(struct log_manager *m, const struct topic_partition *tp, struct log_dir *dir);
void log_manager_remove_entry(struct log_manager *m, struct log_entry *e);
/* Opens e's log from its directory; on a pool thread. Only e is touched. */
void log_manager_open_entry(const struct log_manager *m, struct log_entry *e, const struct topic_settings *settings);
/* After log_manager_open_entry, on the loop: the failure of a whole directory. */
void log_manager_entry_opened(struct log_manager *m, struct log_entry *e);
void log_manager_dir_failed(struct log_manager *m, struct log_dir *dir, enum status why);
/* The file <directory>/<name> as a string the caller frees. */
char *log_manager_path(const struct log_dir *dir, const char *name);

/* log_manager_space.c; the first looks at once, in this thread */
void log_manager_check_space(struct log_manager *m);
void log_manager_start_timers(struct log_manager *m);
void log_manager_stop_timers(struct log_manager *m);
/* Directory <dir>/<name> is unlinked after delay_ms. */
void log_manager_schedule_purge(struct log_manager *m, struct log_dir *dir, const char *name, int64_t delay_ms);
/* log_manager_checkpoints.c */
void log_manager_read_checkpoints(struct log_manager *m, struct log_dir *dir);
MUST_CHECK enum status log_manager_store_checkpoints(struct log_manager *m, const struct log_checkpoint_entry *entries,
	size_t count);
void log_manager_forget_writes(struct log_manager *m);
#endif
