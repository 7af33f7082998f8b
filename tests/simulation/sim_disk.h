/* A disk in memory that forgets what was not synced, as unkindly as a real one may: at a crash each unsynced write is
 * lost, kept, torn at a byte or by sectors, or leaves zeros; names made, renamed or removed are kept or not until their
 * directory was synced; after a failed fdatasync a later one succeeds without having written anything.
 * Everything follows from the seed. One thread. */
#ifndef TESTS_SIMULATION_SIM_DISK_H
#define TESTS_SIMULATION_SIM_DISK_H
#include "base/clock.h"
#include "storage/disk.h"

/* The calls of the table, to count them and to make them fail. */
enum sim_disk_call {
	SIM_DISK_PREAD,
	SIM_DISK_PWRITEV,
	SIM_DISK_FDATASYNC,
	SIM_DISK_TRUNCATE,
	SIM_DISK_SIZE,
	SIM_DISK_SET_MTIME,
	SIM_DISK_OPEN,
	SIM_DISK_RENAME,
	SIM_DISK_UNLINK,
	SIM_DISK_MKDIR,
	SIM_DISK_RMDIR,
	SIM_DISK_SYNC_DIRECTORY,
	SIM_DISK_STAT,
	SIM_DISK_LIST,
	SIM_DISK_FREE_BYTES,
	SIM_DISK_LOCK,
	SIM_DISK_ANY, /* each of the above */
	SIM_DISK_CALL_COUNT,
};

struct sim_disk;
/* clock gives modification times; NULL: they stay 0. Only "/" exists. */
struct sim_disk *sim_disk_new(uint64_t seed, struct clock *clock);
/* Files still open stay valid to close, and to nothing else. */
void sim_disk_free(struct sim_disk *d);
struct disk *sim_disk_disk(struct sim_disk *d);
/* Makes the directory and its parents, durably. */
void sim_disk_prepare_directory(struct sim_disk *d, const char *path);

/* Power loss and restart: files open until now fail every call with STATUS_IO, locks are gone, and the disk holds what
 * survived, all of it durable. Faults and power_off are disarmed. */
void sim_disk_crash(struct sim_disk *d);

/* The nth such call from now returns s and does nothing, except that a failed pwritev may write a part and a failed
 * fdatasync forgets what it should have written. */
void sim_disk_fail(struct sim_disk *d, enum sim_disk_call call, uint64_t nth, enum status s);
/* From the nth call on (of any kind) all fail with STATUS_IO, until sim_disk_crash. */
void sim_disk_power_off(struct sim_disk *d, uint64_t nth);
void sim_disk_disarm(struct sim_disk *d);
/* Has the fault armed last been met? */
bool sim_disk_fault_hit(const struct sim_disk *d);
uint64_t sim_disk_calls(const struct sim_disk *d, enum sim_disk_call call);

/* Bytes files may take together; beyond, writes end with STATUS_NO_SPACE. INT64_MAX at first. */
void sim_disk_set_capacity(struct sim_disk *d, int64_t bytes);
int64_t sim_disk_used_bytes(const struct sim_disk *d);
#endif
