#include "base/check.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

enum { BACKTRACE_FRAMES = 64 };

static void put(const char *s)
{
	/* Nothing can be done about a failing stderr. */
	ssize_t n = write(STDERR_FILENO, s, strlen(s));
	(void)n;
}

static void put_number(int n)
{
	char text[12];
	size_t at = sizeof(text);
	text[--at] = '\0';
	unsigned rest = (unsigned)n;
	do {
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	put(&text[at]);
}

static void put_backtrace(void)
{
	void *frames[BACKTRACE_FRAMES];
	int n = backtrace(frames, BACKTRACE_FRAMES);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
}

_Noreturn void check_failed(const char *cond, const char *file, int line, const char *func)
{
	put("level=error event=check_failed cond=\"");
	put(cond);
	put("\" at=");
	put(file);
	put(":");
	put_number(line);
	put(" function=");
	put(func);
	put("\n");
	put_backtrace();
	abort();
}

static void crash_handler(int signal_number)
{
	put("level=error event=crashed signal=");
	put_number(signal_number);
	put("\n");
	put_backtrace();
	/* SA_RESETHAND restored the default action: a core, or the supervisor's restart. */
	raise(signal_number);
}

void check_install_crash_handlers(void)
{
	void *warm_up[1];
	backtrace(warm_up, 1); /* loads libgcc now: dlopen is not signal-safe */
	struct sigaction action = {.sa_flags = (int)SA_RESETHAND};
	action.sa_handler = crash_handler;
	const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		expect(sigaction(signals[i], &action, NULL) == 0);
}

void *check_alloc(size_t size)
{
	void *p = malloc(size == 0 ? 1 : size);
	expect(p != NULL);
	return p;
}

void *check_calloc(size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
	expect(p != NULL);
	return p;
}

void *check_realloc(void *p, size_t size)
{
	void *q = realloc(p, size == 0 ? 1 : size);
	expect(q != NULL);
	return q;
}

char *check_strdup(const char *s)
{
	return check_strndup(s, strlen(s));
}

char *check_strndup(const char *s, size_t n)
{
	size_t length = strnlen(s, n);
	char *copy = check_alloc(length + 1);
	memcpy(copy, s, length);
	copy[length] = '\0';
	return copy;
}

char *check_asprintf(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	char *text = NULL;
	int n = vasprintf(&text, fmt, args);
	va_end(args);
	expect(n >= 0 && text != NULL);
	return text;
}
