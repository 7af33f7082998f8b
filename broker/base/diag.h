/* Diagnostics: levelled lines "event key=value ...". Repeats are rate-limited; nothing per request at info. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H
#include "base/check.h"

enum diag_level { DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

/* Event name first, then key=value: diag_info("leader_changed", "topic=%s partition=%d", ...). fmt may be "". */
void diag_emit(enum diag_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define diag_error(event, ...) diag_emit(DIAG_ERROR, event, __VA_ARGS__)
#define diag_warn(event, ...) diag_emit(DIAG_WARN, event, __VA_ARGS__)
#define diag_info(event, ...) diag_emit(DIAG_INFO, event, __VA_ARGS__)
#define diag_debug(event, ...)                                                                                         \
	do {                                                                                                           \
		if (diag_enabled(DIAG_DEBUG))                                                                          \
			diag_emit(DIAG_DEBUG, event, __VA_ARGS__);                                                     \
	} while (0)

bool diag_enabled(enum diag_level level);
void diag_set_level(enum diag_level level);
/* Lines go to this file (append); NULL: stderr. Thread-safe; SIGHUP calls diag_reopen. */
bool diag_set_file(const char *path);
void diag_reopen(void);
/* Name of the calling thread in its lines ("loop0", "cluster"); a static string. */
void diag_set_thread_name(const char *name);
/* Tests: every line goes to sink(arg, line) instead. NULL restores. */
void diag_set_sink(void (*sink)(void *arg, enum diag_level level, const char *line), void *arg);
#endif
