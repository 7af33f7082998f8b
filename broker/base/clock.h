/* Time behind a table: real in production, stepped in tests and in the simulator. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>

struct clock {
	int64_t (*monotonic_us)(struct clock *c);
	int64_t (*wall_ms)(struct clock *c);
};
/* CLOCK_MONOTONIC and CLOCK_REALTIME. Thread-safe. */
struct clock *clock_system(void);

static inline int64_t clock_monotonic_us(struct clock *c)
{
	return c->monotonic_us(c);
}
static inline int64_t clock_wall_ms(struct clock *c)
{
	return c->wall_ms(c);
}

/* A clock that moves only when told to. */
struct manual_clock {
	struct clock clock;
	int64_t us;
	int64_t wall_offset_ms;
};
void manual_clock_init(struct manual_clock *m, int64_t start_us, int64_t start_wall_ms);
void manual_clock_advance_us(struct manual_clock *m, int64_t us);
#endif
