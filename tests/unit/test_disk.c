#include "storage/disk.h"

#include "base/diag.h"
#include "unit.h"
#include <sys/stat.h>
#include <unistd.h>

/* Lines of diag_error seen; the disk says once what it then returns as a status. */
static int errors_logged;
static char last_line[512];

static void count_errors(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	if (level != DIAG_ERROR)
		return;
	errors_logged++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

/* A fresh folder for each case (each runs in a process of its own). */
static const char *folder(void)
{
	static char path[64];
	snprintf(path, sizeof(path), "/tmp/test_disk.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	diag_set_sink(count_errors, NULL);
	return path;
}

static const char *in(const char *dir, const char *name)
{
	static char paths[32][256];
	static unsigned next;
	char *p = paths[next++ % 32];
	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static bool remove_entry(void *arg, const char *name)
{
	const char *path = in(arg, name);
	if (unlink(path) != 0)
		ck_assert_int_eq(rmdir(path), 0);
	return true;
}

static void clean(const char *dir)
{
	union {
		const char *in;
		void *out;
	} arg = {.in = dir};
	ck_assert_int_eq(disk_list(disk_system(), dir, remove_entry, arg.out), STATUS_OK);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct disk_file *open_or_die(const char *path, int flags)
{
	struct disk_file *f = NULL;
	ck_assert_int_eq(disk_open(disk_system(), path, flags, &f), STATUS_OK);
	return f;
}

START_TEST(disk_written_bytes_are_read_back)
{
	const char *dir = folder();
	struct disk_file *f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE);
	char x[] = "hello", y[] = " world";
	struct iovec iov[3] = {{x, 5}, {x, 0}, {y, 6}};
	ck_assert_int_eq(disk_file_pwritev(f, iov, 3, 7), STATUS_OK);
	ck_assert_int_eq(disk_file_fdatasync(f), STATUS_OK);
	disk_file_start_writeback(f, 0, 100);
	char back[32] = {0};
	size_t n = 0;
	ck_assert_int_eq(disk_file_pread(f, back, sizeof(back), 7, &n), STATUS_OK);
	ck_assert_uint_eq(n, 11); /* short at the end of the file, and no error */
	ck_assert_mem_eq(back, "hello world", 11);
	int64_t size = 0;
	ck_assert_int_eq(disk_file_size(f, &size), STATUS_OK);
	ck_assert_int_eq(size, 18);
	ck_assert_int_eq(disk_file_pread_all(f, back, 11, 8), STATUS_CORRUPT);
	ck_assert_int_eq(disk_file_pread_all(f, back, 10, 8), STATUS_OK);
	ck_assert_int_eq(disk_file_truncate(f, 9), STATUS_OK);
	ck_assert_int_eq(disk_file_pread(f, back, 10, 7, &n), STATUS_OK);
	ck_assert_uint_eq(n, 2);
	disk_file_close(f);
	clean(dir);
}
END_TEST

START_TEST(disk_vector_longer_than_the_kernel_takes_is_written_whole)
{
	const char *dir = folder();
	struct disk_file *f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE);
	enum { COUNT = 3000 }; /* IOV_MAX is 1024 */
	static uint8_t bytes[COUNT], back[COUNT];
	static struct iovec iov[COUNT];
	for (int i = 0; i < COUNT; i++) {
		bytes[i] = (uint8_t)(i * 7);
		iov[i] = (struct iovec){&bytes[i], 1};
	}
	ck_assert_int_eq(disk_file_pwritev(f, iov, COUNT, 0), STATUS_OK);
	ck_assert_int_eq(disk_file_pread_all(f, back, COUNT, 0), STATUS_OK);
	ck_assert_mem_eq(back, bytes, COUNT);
	disk_file_close(f);
	clean(dir);
}
END_TEST

START_TEST(disk_open_flags_mean_what_they_say)
{
	const char *dir = folder();
	struct disk *d = disk_system();
	struct disk_file *f = NULL;
	ck_assert_int_eq(disk_open(d, in(dir, "none"), DISK_READ, &f), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_open(d, in(dir, "none"), DISK_WRITE, &f), STATUS_NOT_FOUND);
	f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE);
	ck_assert_int_eq(disk_file_pwrite(f, "abc", 3, 0), STATUS_OK);
	disk_file_close(f);
	ck_assert_int_eq(disk_open(d, in(dir, "a"), DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, &f), STATUS_EXISTS);
	f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE | DISK_TRUNCATE);
	int64_t size = -1;
	ck_assert_int_eq(disk_file_size(f, &size), STATUS_OK);
	ck_assert_int_eq(size, 0);
	disk_file_close(f);
	ck_assert_int_eq(errors_logged, 0); /* answers, not troubles */
	clean(dir);
}
END_TEST

START_TEST(disk_symlink_is_not_followed)
{
	const char *dir = folder();
	struct disk_file *f = NULL;
	ck_assert_int_eq(symlink("/etc/passwd", in(dir, "link")), 0);
	ck_assert_int_eq(disk_open(disk_system(), in(dir, "link"), DISK_READ, &f), STATUS_PERMISSION);
	ck_assert_int_eq(disk_open(disk_system(), in(dir, "link"), DISK_WRITE | DISK_CREATE, &f), STATUS_PERMISSION);
	ck_assert_int_eq(errors_logged, 2);
	ck_assert_ptr_nonnull(strstr(last_line, "/link"));
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(disk_system(), in(dir, "link"), &st), STATUS_OK);
	ck_assert(st.is_symlink && !st.is_directory);
	clean(dir);
}
END_TEST

START_TEST(disk_directory_behind_a_symlink_is_served)
{
	const char *dir = folder();
	struct disk *d = disk_system();
	ck_assert_int_eq(disk_mkdir(d, in(dir, "real")), STATUS_OK);
	ck_assert_int_eq(symlink("real", in(dir, "link")), 0);
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(d, in(dir, "link"), &st), STATUS_OK);
	ck_assert(st.is_symlink && st.is_directory);
	ck_assert_int_eq(disk_sync_directory(d, in(dir, "link")), STATUS_OK);
	clean(dir);
}
END_TEST

static bool count_entry(void *arg, const char *name)
{
	(void)name;
	return ++*(int *)arg < 2;
}

START_TEST(disk_directories_are_made_listed_and_removed)
{
	const char *dir = folder();
	struct disk *d = disk_system();
	const char *sub = in(dir, "sub");
	ck_assert_int_eq(disk_mkdir(d, sub), STATUS_OK);
	ck_assert_int_eq(disk_mkdir(d, sub), STATUS_EXISTS);
	int n = 0;
	ck_assert_int_eq(disk_list(d, sub, count_entry, &n), STATUS_OK);
	ck_assert_int_eq(n, 0); /* neither . nor .. */
	for (int i = 0; i < 3; i++) {
		char name[64];
		snprintf(name, sizeof(name), "sub/%d", i);
		disk_file_close(open_or_die(in(dir, name), DISK_WRITE | DISK_CREATE));
	}
	ck_assert_int_eq(disk_list(d, sub, count_entry, &n), STATUS_OK);
	ck_assert_int_eq(n, 2); /* stopped when told to */
	ck_assert_int_eq(disk_rmdir(d, sub), STATUS_NOT_EMPTY);
	ck_assert_int_eq(disk_rename(d, in(dir, "sub/0"), in(dir, "moved")), STATUS_OK);
	ck_assert_int_eq(disk_rename(d, in(dir, "sub/0"), in(dir, "moved")), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(d, in(dir, "sub/1")), STATUS_OK);
	ck_assert_int_eq(disk_unlink(d, in(dir, "sub/1")), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_unlink(d, in(dir, "sub/2")), STATUS_OK);
	ck_assert_int_eq(disk_rmdir(d, sub), STATUS_OK);
	ck_assert_int_eq(disk_list(d, sub, count_entry, &n), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_sync_directory(d, dir), STATUS_OK);
	clean(dir);
}
END_TEST

START_TEST(disk_stat_tells_size_and_time)
{
	const char *dir = folder();
	struct disk *d = disk_system();
	struct disk_file *f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE);
	ck_assert_int_eq(disk_file_pwrite(f, "abc", 3, 0), STATUS_OK);
	ck_assert_int_eq(disk_file_set_mtime(f, 1700000000123), STATUS_OK);
	disk_file_close(f);
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(d, in(dir, "a"), &st), STATUS_OK);
	ck_assert_int_eq(st.size_bytes, 3);
	ck_assert_int_eq(st.mtime_ms, 1700000000123);
	ck_assert(!st.is_directory && !st.is_symlink);
	ck_assert_int_eq(disk_stat(d, in(dir, "b"), &st), STATUS_NOT_FOUND);
	int64_t bytes = -1;
	ck_assert_int_eq(disk_free_bytes(d, dir, &bytes), STATUS_OK);
	ck_assert_int_gt(bytes, 0);
	clean(dir);
}
END_TEST

START_TEST(disk_lock_is_held_by_one)
{
	const char *dir = folder();
	struct disk_file *first = NULL, *second = NULL;
	ck_assert_int_eq(disk_lock(disk_system(), in(dir, ".lock"), &first), STATUS_OK);
	ck_assert_int_eq(disk_lock(disk_system(), in(dir, ".lock"), &second), STATUS_EXISTS);
	disk_file_close(first);
	ck_assert_int_eq(disk_lock(disk_system(), in(dir, ".lock"), &second), STATUS_OK);
	disk_file_close(second);
	clean(dir);
}
END_TEST

START_TEST(disk_file_stays_open_while_a_range_of_it_is_being_sent)
{
	const char *dir = folder();
	struct disk_file *f = open_or_die(in(dir, "a"), DISK_WRITE | DISK_CREATE);
	ck_assert_int_eq(disk_file_pwrite(f, "abc", 3, 0), STATUS_OK);
	struct iobuf out;
	iobuf_init(&out);
	iobuf_append_file(&out, &f->shared, 0, 3);
	int fd = f->shared.fd;
	disk_file_close(f);
	char back[3];
	ck_assert_int_eq(pread(fd, back, 3, 0), 3);
	iobuf_fini(&out);
	ck_assert_int_eq(pread(fd, back, 3, 0), -1);
	clean(dir);
}
END_TEST

START_TEST(disk_replace_file_leaves_one_whole_file)
{
	const char *dir = folder();
	struct disk *d = disk_system();
	const char *path = in(dir, "checkpoint");
	char *text = NULL;
	size_t n = 0;
	ck_assert_int_eq(disk_read_file(d, path, 100, &text, &n), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_replace_file(d, path, slice_of_str("0\n1\nlonger\n")), STATUS_OK);
	ck_assert_int_eq(disk_replace_file(d, path, slice_of_str("0\n0\n")), STATUS_OK);
	ck_assert_int_eq(disk_read_file(d, path, 100, &text, &n), STATUS_OK);
	ck_assert_str_eq(text, "0\n0\n");
	ck_assert_uint_eq(n, 4);
	free(text);
	ck_assert_int_eq(disk_read_file(d, path, 3, &text, &n), STATUS_TOO_LARGE);
	ck_assert_int_eq(disk_replace_file(d, path, slice_of(NULL, 0)), STATUS_OK);
	ck_assert_int_eq(disk_read_file(d, path, 3, &text, &n), STATUS_OK);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(text, "");
	free(text);
	struct disk_stat st;
	ck_assert_int_eq(disk_stat(d, in(dir, "checkpoint.tmp"), &st), STATUS_NOT_FOUND);
	ck_assert_int_eq(disk_replace_file(d, in(dir, "no/such"), slice_of_str("x")), STATUS_NOT_FOUND);
	clean(dir);
}
END_TEST

START_TEST(disk_full_device_is_no_space_said_with_its_path)
{
	(void)folder();
	struct disk_file *f = open_or_die("/dev/full", DISK_WRITE);
	ck_assert_int_eq(disk_file_pwrite(f, "abc", 3, 0), STATUS_NO_SPACE);
	ck_assert_int_eq(errors_logged, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "call=pwrite path=/dev/full"));
	disk_file_close(f);
}
END_TEST

UNIT_MAIN("disk", disk_written_bytes_are_read_back, disk_vector_longer_than_the_kernel_takes_is_written_whole,
	disk_open_flags_mean_what_they_say, disk_symlink_is_not_followed, disk_directory_behind_a_symlink_is_served,
	disk_directories_are_made_listed_and_removed, disk_stat_tells_size_and_time, disk_lock_is_held_by_one,
	disk_file_stays_open_while_a_range_of_it_is_being_sent, disk_replace_file_leaves_one_whole_file,
	disk_full_device_is_no_space_said_with_its_path)
