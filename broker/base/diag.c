#include "base/diag.h"
#include "base/bytes.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, REPEAT_SLOTS = 64, REPEAT_PER_WINDOW = 10 };
#define REPEAT_WINDOW_US ((int64_t)10 * 1000 * 1000)

/* The diagnostics sink: the one mutable global of the process. */
static struct {
	pthread_mutex_t lock;
	_Atomic int level;
	int fd;
	char *path;
	void (*sink)(void *arg, enum diag_level level, const char *line);
	void *sink_arg;
	struct {
		uint64_t event;
		int64_t window_start_us;
		unsigned count, dropped;
	} repeats[REPEAT_SLOTS];
} diag = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = DIAG_INFO, .fd = STDERR_FILENO};

static _Thread_local const char *thread_name = "main";

static const char *const level_names[] = {"error", "warn", "info", "debug"};

bool diag_enabled(enum diag_level level)
{
	return (int)level <= atomic_load_explicit(&diag.level, memory_order_relaxed);
}

void diag_set_level(enum diag_level level)
{
	atomic_store_explicit(&diag.level, (int)level, memory_order_relaxed);
}

void diag_set_thread_name(const char *name)
{
	thread_name = name;
}

void diag_set_sink(void (*sink)(void *, enum diag_level, const char *), void *arg)
{
	pthread_mutex_lock(&diag.lock);
	diag.sink = sink;
	diag.sink_arg = arg;
	pthread_mutex_unlock(&diag.lock);
}

/* Under the lock. */
static bool open_path(void)
{
	int fd = open(diag.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	if (diag.fd != STDERR_FILENO)
		close(diag.fd);
	diag.fd = fd;
	return true;
}

bool diag_set_file(const char *path)
{
	pthread_mutex_lock(&diag.lock);
	free(diag.path);
	diag.path = path == NULL ? NULL : check_strdup(path);
	bool ok = true;
	if (path != NULL) {
		ok = open_path();
	} else if (diag.fd != STDERR_FILENO) {
		close(diag.fd);
		diag.fd = STDERR_FILENO;
	}
	pthread_mutex_unlock(&diag.lock);
	return ok;
}

void diag_reopen(void)
{
	pthread_mutex_lock(&diag.lock);
	/* On failure the old file goes on being written: better than silence. */
	if (diag.path != NULL && !open_path())
		dprintf(diag.fd, "level=error event=diag_reopen_failed path=%s errno=%d\n", diag.path, errno);
	pthread_mutex_unlock(&diag.lock);
}

/* Under the lock. At most REPEAT_PER_WINDOW lines of one event per window; what was dropped is told afterwards. */
static bool may_pass(enum diag_level level, const char *event, unsigned *ret_dropped)
{
	*ret_dropped = 0;
	if (level == DIAG_DEBUG || level == DIAG_INFO)
		return true;
	uint64_t hash = bytes_hash64(slice_of_str(event), 0);
	unsigned slot = (unsigned)(hash % REPEAT_SLOTS);
	int64_t now_us = clock_monotonic_us(clock_system());
	if (diag.repeats[slot].event != hash || now_us - diag.repeats[slot].window_start_us > REPEAT_WINDOW_US) {
		*ret_dropped = diag.repeats[slot].event == hash ? diag.repeats[slot].dropped : 0;
		diag.repeats[slot].event = hash;
		diag.repeats[slot].window_start_us = now_us;
		diag.repeats[slot].count = 0;
		diag.repeats[slot].dropped = 0;
	}
	if (diag.repeats[slot].count++ < REPEAT_PER_WINDOW)
		return true;
	diag.repeats[slot].dropped++;
	return false;
}

static size_t format_prefix(char *line, size_t size, enum diag_level level, const char *event)
{
	int64_t wall_ms = clock_wall_ms(clock_system());
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	char stamp[32];
	size_t stamped = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
	expect(stamped > 0);
	int n = snprintf(line, size, "%s.%03dZ level=%s thread=%s event=%s", stamp, (int)(wall_ms % 1000),
		level_names[level], thread_name, event);
	expect(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void write_line(enum diag_level level, char *line, size_t n)
{
	if (diag.sink != NULL) {
		diag.sink(diag.sink_arg, level, line);
		return;
	}
	line[n++] = '\n';
	/* A full or closed log must not stop the broker. */
	ssize_t written = write(diag.fd, line, n);
	(void)written;
}

void diag_emit(enum diag_level level, const char *event, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES + 2];
	if (!diag_enabled(level))
		return;
	size_t n = format_prefix(line, LINE_MAX_BYTES, level, event);
	if (*fmt != '\0') {
		line[n++] = ' ';
		va_list args;
		va_start(args, fmt);
		int added = vsnprintf(line + n, LINE_MAX_BYTES - n, fmt, args);
		va_end(args);
		expect(added >= 0);
		n += (size_t)added < LINE_MAX_BYTES - n ? (size_t)added : LINE_MAX_BYTES - n - 1;
	}
	/* One event is one line, whatever a peer put into a name. */
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	}
	line[n] = '\0';
	unsigned dropped;
	pthread_mutex_lock(&diag.lock);
	if (may_pass(level, event, &dropped)) {
		if (dropped > 0 && n < LINE_MAX_BYTES - 32)
			n += (size_t)snprintf(line + n, LINE_MAX_BYTES - n, " repeats_dropped=%u", dropped);
		write_line(level, line, n);
	}
	pthread_mutex_unlock(&diag.lock);
}
