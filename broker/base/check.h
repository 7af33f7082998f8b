/* What must hold, checked in release builds too. For bugs only: the outside world (network, disk, ZooKeeper,
 * configuration) gets an enum status. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Prints the condition, place and a backtrace to stderr with async-signal-safe calls only, then aborts. */
_Noreturn void check_failed(const char *cond, const char *file, int line, const char *func);

#define expect(cond) (__builtin_expect(!!(cond), 1) ? (void)0 : check_failed(#cond, __FILE__, __LINE__, __func__))
#define unreachable(why) check_failed("unreachable: " why, __FILE__, __LINE__, __func__)

/* Every heap object that crosses a callback starts with `unsigned magic`.
 *     MAGIC(partition, 0x50415254);
 *     struct partition *p = CAST(partition, arg); */
#define MAGIC(type, value) enum { type##_magic = (value) }
#define CAST(type, ptr)                                                                                                \
	({                                                                                                             \
		struct type *cast_ = (struct type *)(ptr);                                                             \
		expect(cast_ != NULL && cast_->magic == (unsigned)type##_magic);                                       \
		cast_;                                                                                                 \
	})
#define CHECK_MAGIC(type, ptr) expect((ptr) != NULL && (ptr)->magic == (unsigned)type##_magic)

/* The object that contains `member` at address ptr. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Small allocations: never NULL; the process stops with a message when memory is gone. */
void *check_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *check_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *check_realloc(void *p, size_t size) __attribute__((returns_nonnull, alloc_size(2)));
char *check_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *check_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
/* printf into a new string, owned by the caller. */
char *check_asprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));

/* Installs handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL that print a backtrace before the default action. */
void check_install_crash_handlers(void);

#endif
