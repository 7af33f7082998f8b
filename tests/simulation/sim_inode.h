/* One file or directory of the simulated disk: what programs see now, what would be there after a crash at the least, and
 * the operations between the two. */
#ifndef TESTS_SIMULATION_SIM_INODE_H
#define TESTS_SIMULATION_SIM_INODE_H
#include "base/random.h"
#include <sys/uio.h>

enum { SIM_SECTOR_SIZE = 512 };

struct sim_bytes {
	uint8_t *p;
	size_t n, capacity;
};

/* A write or a truncation not synced yet. */
struct sim_operation {
	bool is_truncate;
	size_t position; /* truncate: the new size */
	size_t n;
	uint8_t *bytes;
};

struct sim_inode;
struct sim_entry {
	char *name;
	struct sim_inode *inode;
};
struct sim_entries {
	struct sim_entry *list;
	size_t count, capacity;
};

struct sim_inode {
	struct sim_inode *next; /* all of the disk */
	bool is_directory;
	bool reachable; /* scratch of the collector */
	bool locked;
	unsigned open_count;
	int64_t mtime_ms;
	/* A file. */
	struct sim_bytes seen, durable;
	struct sim_operation *operations;
	size_t operation_count, operation_capacity;
	/* A directory. */
	struct sim_entries names_seen, names_durable;
};

struct sim_inode *sim_inode_new(bool is_directory);
void sim_inode_free(struct sim_inode *i);

/* A file's content. */
void sim_inode_write(struct sim_inode *i, size_t position, const struct iovec *iov, int count, size_t limit);
void sim_inode_truncate(struct sim_inode *i, size_t size);
void sim_inode_sync(struct sim_inode *i);
/* What a failed sync leaves: pages count as clean, so that the next sync has nothing to write (fsyncgate). What the
 * medium got of them is drawn now. */
void sim_inode_sync_failed(struct sim_inode *i, struct random *dice);
/* Draws the fate of each operation; the result is both seen and durable. */
void sim_inode_crash(struct sim_inode *i, struct random *dice);

/* A directory's names. */
struct sim_inode *sim_entries_get(const struct sim_entries *e, const char *name, size_t name_n);
/* inode NULL removes. */
void sim_entries_set(struct sim_entries *e, const char *name, struct sim_inode *inode);
void sim_entries_copy(struct sim_entries *to, const struct sim_entries *from);
void sim_entries_clear(struct sim_entries *e);
#endif
