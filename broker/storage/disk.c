#include "storage/disk.h"

#include "base/diag.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Records may hold anything: not for the world to read. */
enum { FILE_MODE = 0640, DIRECTORY_MODE = 0750 };

/* --- errno becomes a status, here and nowhere else ------------------------------------------------------------- */

static bool disk_errno_is_answer(int error)
{
	return error == ENOENT || error == EEXIST || error == ENOTEMPTY || error == EWOULDBLOCK;
}

/* The outcomes a caller asks about (is it there already?) are not worth a line; everything else is said once here,
 * since the status alone no longer names the path. */
static enum status disk_status(int error, const char *operation, const char *path)
{
	expect(error != 0);
	if (!disk_errno_is_answer(error)) {
		char text[128];
		diag_error("disk_call_failed", "call=%s path=%s error=\"%s\"", operation, path,
			strerror_r(error, text, sizeof(text)));
	}
	switch (error) {
	case ENOENT:
		return STATUS_NOT_FOUND;
	case EEXIST:
	case EWOULDBLOCK:
		return STATUS_EXISTS;
	case ENOTEMPTY:
		return STATUS_NOT_EMPTY;
	case ENOSPC:
	case EDQUOT:
		return STATUS_NO_SPACE;
	case EACCES:
	case EPERM:
	case ELOOP: /* a symlink where a file was expected */
		return STATUS_PERMISSION;
	case ENAMETOOLONG:
	case EINVAL:
		return STATUS_INVALID_ARGUMENT;
	default:
		return STATUS_IO;
	}
}

/* --- one open file --------------------------------------------------------------------------------------------- */

static enum status system_pread(struct disk_file *f, void *p, size_t n, int64_t position, size_t *ret_n)
{
	size_t done = 0;
	uint8_t *to = p;
	while (done < n) {
		ssize_t got = pread(f->shared.fd, to + done, n - done, position + (int64_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return disk_status(errno, "pread", f->path);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return STATUS_OK;
}

/* The kernel may write less than asked, anywhere within a vector: `skip` bytes of iov[i] are then already down. */
static enum status system_pwritev(struct disk_file *f, const struct iovec *iov, int count, int64_t position)
{
	size_t skip = 0;
	for (int i = 0; i < count;) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			i++;
			continue;
		}
		int left = count - i < IOV_MAX ? count - i : IOV_MAX;
		ssize_t put = skip > 0 ? pwrite(f->shared.fd, (const uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip, position)
				       : pwritev(f->shared.fd, &iov[i], left, position);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return disk_status(put < 0 ? errno : EIO, "pwrite", f->path);
		position += put;
		skip += (size_t)put;
	}
	return STATUS_OK;
}

static enum status system_fdatasync(struct disk_file *f)
{
	int rc;
	do
		rc = fdatasync(f->shared.fd);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? STATUS_OK : disk_status(errno, "fdatasync", f->path);
}

static enum status system_truncate(struct disk_file *f, int64_t size)
{
	int rc;
	do
		rc = ftruncate(f->shared.fd, size);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? STATUS_OK : disk_status(errno, "ftruncate", f->path);
}

static enum status system_size(struct disk_file *f, int64_t *ret_size)
{
	struct stat st;
	if (fstat(f->shared.fd, &st) != 0)
		return disk_status(errno, "fstat", f->path);
	*ret_size = st.st_size;
	return STATUS_OK;
}

static void system_start_writeback(struct disk_file *f, int64_t position, int64_t n)
{
	/* A hint: file systems without it (tmpfs, overlay) refuse, and nothing is lost. */
	(void)sync_file_range(f->shared.fd, position, n, SYNC_FILE_RANGE_WRITE);
}

static enum status system_set_mtime(struct disk_file *f, int64_t wall_ms)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = (time_t)(wall_ms / 1000), .tv_nsec = (wall_ms % 1000) * 1000000},
	};
	if (futimens(f->shared.fd, times) != 0)
		return disk_status(errno, "futimens", f->path);
	return STATUS_OK;
}

static const struct disk_file_ops system_file_ops = {
	.pread = system_pread,
	.pwritev = system_pwritev,
	.fdatasync = system_fdatasync,
	.truncate = system_truncate,
	.size = system_size,
	.start_writeback = system_start_writeback,
	.set_mtime = system_set_mtime,
};

static void system_file_free(struct iobuf_file *shared)
{
	struct disk_file *f = CONTAINER_OF(shared, struct disk_file, shared);
	expect(f->ops == &system_file_ops && f->shared.fd >= 0);
	/* Errors of write-back were reported by fdatasync; close on Linux releases the descriptor whatever it says. */
	(void)close(f->shared.fd);
	free(f->path);
	free(f);
}

/* --- names ----------------------------------------------------------------------------------------------------- */

static enum status system_open_raw(const char *path, int flags, struct disk_file **ret_file)
{
	int fd;
	do
		fd = openat(AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, FILE_MODE);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return disk_status(errno, "open", path);
	struct disk_file *f = check_calloc(1, sizeof(*f));
	f->ops = &system_file_ops;
	f->shared.fd = fd;
	f->shared.free = system_file_free;
	atomic_init(&f->shared.refs, 1);
	f->path = check_strdup(path);
	*ret_file = f;
	return STATUS_OK;
}

static enum status system_open(struct disk *d, const char *path, int flags, struct disk_file **ret_file)
{
	(void)d;
	int os_flags = (flags & DISK_WRITE) ? O_RDWR : O_RDONLY;
	os_flags |= (flags & DISK_CREATE) ? O_CREAT : 0;
	os_flags |= (flags & DISK_EXCLUSIVE) ? O_EXCL : 0;
	os_flags |= (flags & DISK_TRUNCATE) ? O_TRUNC : 0;
	return system_open_raw(path, os_flags, ret_file);
}

static enum status system_rename(struct disk *d, const char *from, const char *to)
{
	(void)d;
	return rename(from, to) == 0 ? STATUS_OK : disk_status(errno, "rename", from);
}

static enum status system_unlink(struct disk *d, const char *path)
{
	(void)d;
	return unlink(path) == 0 ? STATUS_OK : disk_status(errno, "unlink", path);
}

static enum status system_mkdir(struct disk *d, const char *path)
{
	(void)d;
	return mkdir(path, DIRECTORY_MODE) == 0 ? STATUS_OK : disk_status(errno, "mkdir", path);
}

static enum status system_rmdir(struct disk *d, const char *path)
{
	(void)d;
	return rmdir(path) == 0 ? STATUS_OK : disk_status(errno, "rmdir", path);
}

static enum status system_sync_directory(struct disk *d, const char *path)
{
	(void)d;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return disk_status(errno, "open", path);
	int rc = fsync(fd);
	int error = errno;
	(void)close(fd);
	return rc == 0 ? STATUS_OK : disk_status(error, "fsync", path);
}

static enum status system_stat(struct disk *d, const char *path, struct disk_stat *ret_stat)
{
	(void)d;
	struct stat st;
	if (lstat(path, &st) != 0)
		return disk_status(errno, "lstat", path);
	bool is_symlink = S_ISLNK(st.st_mode);
	if (is_symlink && stat(path, &st) != 0)
		return disk_status(errno, "stat", path);
	*ret_stat = (struct disk_stat){
		.size_bytes = st.st_size,
		.mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
		.is_directory = S_ISDIR(st.st_mode),
		.is_symlink = is_symlink,
	};
	return STATUS_OK;
}

static enum status system_list(struct disk *d, const char *path, bool (*entry)(void *arg, const char *name), void *arg)
{
	(void)d;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return disk_status(errno, "opendir", path);
	enum status s = STATUS_OK;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (e == NULL) {
			s = errno == 0 ? STATUS_OK : disk_status(errno, "readdir", path);
			break;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!entry(arg, e->d_name))
			break;
	}
	(void)closedir(dir);
	return s;
}

static int64_t blocks_to_bytes(uint64_t blocks, uint64_t block_size)
{
	uint64_t bytes;
	return __builtin_mul_overflow(blocks, block_size, &bytes) || bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
}

static enum status system_space(struct disk *d, const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes)
{
	(void)d;
	struct statvfs v;
	if (statvfs(path, &v) != 0)
		return disk_status(errno, "statvfs", path);
	*ret_free_bytes = blocks_to_bytes(v.f_bavail, v.f_frsize);
	*ret_total_bytes = blocks_to_bytes(v.f_blocks, v.f_frsize);
	return STATUS_OK;
}

static enum status system_lock(struct disk *d, const char *path, struct disk_file **ret_file)
{
	(void)d;
	struct disk_file *f = NULL;
	TRY(system_open_raw(path, O_RDWR | O_CREAT, &f));
	if (flock(f->shared.fd, LOCK_EX | LOCK_NB) != 0) {
		enum status s = disk_status(errno, "flock", path);
		disk_file_close(f);
		return s;
	}
	*ret_file = f;
	return STATUS_OK;
}

static const struct disk_ops system_ops = {
	.open = system_open,
	.rename = system_rename,
	.unlink = system_unlink,
	.mkdir = system_mkdir,
	.rmdir = system_rmdir,
	.sync_directory = system_sync_directory,
	.stat = system_stat,
	.list = system_list,
	.space = system_space,
	.lock = system_lock,
};

struct disk *disk_system(void)
{
	static struct disk system = {.ops = &system_ops};
	return &system;
}

/* --- calls through the table ----------------------------------------------------------------------------------- */

enum status disk_file_pread(struct disk_file *f, void *p, size_t n, int64_t position, size_t *ret_n)
{
	expect(f != NULL && position >= 0);
	return f->ops->pread(f, p, n, position, ret_n);
}

enum status disk_file_pread_all(struct disk_file *f, void *p, size_t n, int64_t position)
{
	size_t got = 0;
	TRY(disk_file_pread(f, p, n, position, &got));
	return got == n ? STATUS_OK : STATUS_CORRUPT;
}

enum status disk_file_pwritev(struct disk_file *f, const struct iovec *iov, int count, int64_t position)
{
	expect(f != NULL && count >= 0);
	expect(position >= 0);
	return f->ops->pwritev(f, iov, count, position);
}

enum status disk_file_pwrite(struct disk_file *f, const void *p, size_t n, int64_t position)
{
	union {
		const void *in;
		void *out;
	} base = {.in = p}; /* struct iovec has no const */
	struct iovec iov = {.iov_base = base.out, .iov_len = n};
	return disk_file_pwritev(f, &iov, 1, position);
}

enum status disk_file_fdatasync(struct disk_file *f)
{
	expect(f != NULL);
	return f->ops->fdatasync(f);
}

enum status disk_file_truncate(struct disk_file *f, int64_t size)
{
	expect(f != NULL && size >= 0);
	return f->ops->truncate(f, size);
}

enum status disk_file_size(struct disk_file *f, int64_t *ret_size)
{
	expect(f != NULL);
	return f->ops->size(f, ret_size);
}

void disk_file_start_writeback(struct disk_file *f, int64_t position, int64_t n)
{
	expect(f != NULL && position >= 0 && n >= 0);
	f->ops->start_writeback(f, position, n);
}

enum status disk_file_set_mtime(struct disk_file *f, int64_t wall_ms)
{
	expect(f != NULL && wall_ms >= 0);
	return f->ops->set_mtime(f, wall_ms);
}

void disk_file_close(struct disk_file *f)
{
	if (f != NULL)
		iobuf_file_shared_unref(&f->shared);
}

enum status disk_open(struct disk *d, const char *path, int flags, struct disk_file **ret_file)
{
	expect(d != NULL && path != NULL);
	/* Creating or cutting needs write access; "exclusive" means nothing without creation. */
	expect((flags & (DISK_CREATE | DISK_TRUNCATE)) == 0 || (flags & DISK_WRITE) != 0);
	expect((flags & DISK_EXCLUSIVE) == 0 || (flags & DISK_CREATE) != 0);
	return d->ops->open(d, path, flags, ret_file);
}

enum status disk_rename(struct disk *d, const char *from, const char *to)
{
	expect(d != NULL && from != NULL && to != NULL);
	return d->ops->rename(d, from, to);
}

enum status disk_unlink(struct disk *d, const char *path)
{
	expect(d != NULL && path != NULL);
	return d->ops->unlink(d, path);
}

enum status disk_mkdir(struct disk *d, const char *path)
{
	expect(d != NULL && path != NULL);
	return d->ops->mkdir(d, path);
}

enum status disk_rmdir(struct disk *d, const char *path)
{
	expect(d != NULL && path != NULL);
	return d->ops->rmdir(d, path);
}

enum status disk_sync_directory(struct disk *d, const char *path)
{
	expect(d != NULL && path != NULL);
	return d->ops->sync_directory(d, path);
}

enum status disk_stat(struct disk *d, const char *path, struct disk_stat *ret_stat)
{
	expect(d != NULL && path != NULL);
	return d->ops->stat(d, path, ret_stat);
}

enum status disk_list(struct disk *d, const char *path, bool (*entry)(void *arg, const char *name), void *arg)
{
	expect(d != NULL && path != NULL && entry != NULL);
	return d->ops->list(d, path, entry, arg);
}

enum status disk_free_bytes(struct disk *d, const char *path, int64_t *ret_bytes)
{
	expect(d != NULL && path != NULL);
	int64_t total;
	return d->ops->space(d, path, ret_bytes, &total);
}

enum status disk_space(struct disk *d, const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes)
{
	return d->ops->space(d, path, ret_free_bytes, ret_total_bytes);
}

enum status disk_lock(struct disk *d, const char *path, struct disk_file **ret_file)
{
	expect(d != NULL && path != NULL);
	return d->ops->lock(d, path, ret_file);
}

/* --- whole small files ----------------------------------------------------------------------------------------- */

static enum status disk_read_open_file(struct disk_file *f, size_t max, char **ret_text, size_t *ret_n)
{
	int64_t size = 0;
	TRY(disk_file_size(f, &size));
	if (size < 0 || (uint64_t)size > max)
		return STATUS_TOO_LARGE;
	char *text = check_alloc((size_t)size + 1);
	size_t n = 0;
	enum status s = disk_file_pread(f, text, (size_t)size, 0, &n);
	if (s != STATUS_OK) {
		free(text);
		return s;
	}
	text[n] = '\0';
	*ret_text = text;
	*ret_n = n;
	return STATUS_OK;
}

enum status disk_read_file(struct disk *d, const char *path, size_t max, char **ret_text, size_t *ret_n)
{
	expect(max < INT32_MAX);
	struct disk_file *f = NULL;
	TRY(disk_open(d, path, DISK_READ, &f));
	enum status s = disk_read_open_file(f, max, ret_text, ret_n);
	disk_file_close(f);
	return s;
}

static enum status disk_write_new_file(struct disk *d, const char *path, struct slice content)
{
	struct disk_file *f = NULL;
	TRY(disk_open(d, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f));
	enum status s = disk_file_pwrite(f, content.p, content.n, 0);
	if (s == STATUS_OK)
		s = disk_file_fdatasync(f);
	disk_file_close(f);
	return s;
}

static enum status disk_sync_parent(struct disk *d, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return disk_sync_directory(d, ".");
	char *parent = slash == path ? check_strdup("/") : check_strndup(path, (size_t)(slash - path));
	enum status s = disk_sync_directory(d, parent);
	free(parent);
	return s;
}

enum status disk_replace_file(struct disk *d, const char *path, struct slice content)
{
	expect(d != NULL && path != NULL);
	char *temporary = check_asprintf("%s.tmp", path);
	enum status s = disk_write_new_file(d, temporary, content);
	if (s == STATUS_OK)
		s = disk_rename(d, temporary, path);
	if (s != STATUS_OK) {
		/* Best effort: the first error is the one to report, and a leftover .tmp is overwritten next time. */
		enum status ignored = disk_unlink(d, temporary);
		(void)ignored;
	}
	free(temporary);
	return s == STATUS_OK ? disk_sync_parent(d, path) : s;
}
