/* Every file call of the broker behind one table: real, simulated (lost and torn writes), or failing by countdown.
 * The only place that calls open/pwrite/fsync/rename. errno becomes a status here, logged once with the path. */
#ifndef STORAGE_DISK_H
#define STORAGE_DISK_H

#include "base/iobuf.h"
#include <sys/uio.h>

struct disk;
/* An open file. Reads and writes may come from any thread; the owner orders them. */
struct disk_file {
	const struct disk_file_ops *ops;
	struct iobuf_file shared; /* for sendfile; the file closes when the last reference goes */
	char *path;
};

enum disk_open_flags {
	DISK_READ = 0,
	DISK_WRITE = 1,      /* read and write */
	DISK_CREATE = 2,     /* with DISK_WRITE */
	DISK_EXCLUSIVE = 4,  /* with DISK_CREATE: STATUS_EXISTS if there */
	DISK_TRUNCATE = 8,
};

struct disk_stat {
	int64_t size_bytes;
	int64_t mtime_ms;
	bool is_directory; /* of what a symlink points to */
	bool is_symlink;
};

struct disk_file_ops {
	enum status (*pread)(struct disk_file *f, void *p, size_t n, int64_t position, size_t *ret_n);
	enum status (*pwritev)(struct disk_file *f, const struct iovec *iov, int count, int64_t position);
	enum status (*fdatasync)(struct disk_file *f);
	enum status (*truncate)(struct disk_file *f, int64_t size);
	enum status (*size)(struct disk_file *f, int64_t *ret_size);
	/* Starts write-back of a range without waiting; a hint. */
	void (*start_writeback)(struct disk_file *f, int64_t position, int64_t n);
	enum status (*set_mtime)(struct disk_file *f, int64_t wall_ms);
};
struct disk_ops {
	enum status (*open)(struct disk *d, const char *path, int flags, struct disk_file **ret_file);
	enum status (*rename)(struct disk *d, const char *from, const char *to);
	enum status (*unlink)(struct disk *d, const char *path);
	enum status (*mkdir)(struct disk *d, const char *path); /* STATUS_EXISTS if there */
	enum status (*rmdir)(struct disk *d, const char *path);
	enum status (*sync_directory)(struct disk *d, const char *path);
	enum status (*stat)(struct disk *d, const char *path, struct disk_stat *ret_stat);
	/* Names except . and .., in no order; entry() returns false to stop. */
	enum status (*list)(struct disk *d, const char *path, bool (*entry)(void *arg, const char *name), void *arg);
	/* Of the file system path lies on: what we may still write, and all. */
	enum status (*space)(struct disk *d, const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes);
	/* flock on path (created if missing), held until the file is closed. STATUS_EXISTS if another process holds it. */
	enum status (*lock)(struct disk *d, const char *path, struct disk_file **ret_file);
};
struct disk {
	const struct disk_ops *ops;
};

/* The real one. Opening a file never follows a symlink in the last component (STATUS_PERMISSION); calls on directories
 * do, since an operator's log.dir may well be one: entries found inside are to be asked for is_symlink. */
struct disk *disk_system(void);

/* Short reads at the end of the file: ret_n < n and OK. Thread-safe. */
MUST_CHECK enum status disk_file_pread(struct disk_file *f, void *p, size_t n, int64_t position, size_t *ret_n);
/* Exactly n bytes, else STATUS_CORRUPT. */
MUST_CHECK enum status disk_file_pread_all(struct disk_file *f, void *p, size_t n, int64_t position);
/* All or, on error, an unknown prefix: the caller truncates. STATUS_NO_SPACE, STATUS_IO. */
MUST_CHECK enum status disk_file_pwritev(struct disk_file *f, const struct iovec *iov, int count, int64_t position);
MUST_CHECK enum status disk_file_pwrite(struct disk_file *f, const void *p, size_t n, int64_t position);
MUST_CHECK enum status disk_file_fdatasync(struct disk_file *f);
MUST_CHECK enum status disk_file_truncate(struct disk_file *f, int64_t size);
MUST_CHECK enum status disk_file_size(struct disk_file *f, int64_t *ret_size);
void disk_file_start_writeback(struct disk_file *f, int64_t position, int64_t n);
MUST_CHECK enum status disk_file_set_mtime(struct disk_file *f, int64_t wall_ms);
/* Drops the owner's reference. */
void disk_file_close(struct disk_file *f);

MUST_CHECK enum status disk_open(struct disk *d, const char *path, int flags, struct disk_file **ret_file);
MUST_CHECK enum status disk_rename(struct disk *d, const char *from, const char *to);
MUST_CHECK enum status disk_unlink(struct disk *d, const char *path);
MUST_CHECK enum status disk_mkdir(struct disk *d, const char *path);
MUST_CHECK enum status disk_rmdir(struct disk *d, const char *path);
MUST_CHECK enum status disk_sync_directory(struct disk *d, const char *path);
MUST_CHECK enum status disk_stat(struct disk *d, const char *path, struct disk_stat *ret_stat);
MUST_CHECK enum status disk_list(struct disk *d, const char *path, bool (*entry)(void *arg, const char *name), void *arg);
MUST_CHECK enum status disk_free_bytes(struct disk *d, const char *path, int64_t *ret_bytes);
MUST_CHECK enum status disk_space(struct disk *d, const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes);
MUST_CHECK enum status disk_lock(struct disk *d, const char *path, struct disk_file **ret_file);
/* Whole small file (<= max, else STATUS_TOO_LARGE) into a NUL-terminated allocation. */
MUST_CHECK enum status disk_read_file(struct disk *d, const char *path, size_t max, char **ret_text, size_t *ret_n);
/* Crash-safe replacement: path.tmp, fsync, rename, fsync of the directory. */
MUST_CHECK enum status disk_replace_file(struct disk *d, const char *path, struct slice content);
#endif
