#include "base/clock.h"
#include "base/check.h"

static int64_t read_us(clockid_t id)
{
	struct timespec t;
	expect(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t system_monotonic_us(struct clock *c)
{
	(void)c;
	return read_us(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(struct clock *c)
{
	(void)c;
	return read_us(CLOCK_REALTIME) / 1000;
}

struct clock *clock_system(void)
{
	static struct clock system = {.monotonic_us = system_monotonic_us, .wall_ms = system_wall_ms};
	return &system;
}

static int64_t manual_monotonic_us(struct clock *c)
{
	return CONTAINER_OF(c, struct manual_clock, clock)->us;
}

static int64_t manual_wall_ms(struct clock *c)
{
	struct manual_clock *m = CONTAINER_OF(c, struct manual_clock, clock);
	return m->wall_offset_ms + m->us / 1000;
}

void manual_clock_init(struct manual_clock *m, int64_t start_us, int64_t start_wall_ms)
{
	*m = (struct manual_clock){
		.clock = {.monotonic_us = manual_monotonic_us, .wall_ms = manual_wall_ms},
		.us = start_us,
		.wall_offset_ms = start_wall_ms - start_us / 1000,
	};
}

void manual_clock_advance_us(struct manual_clock *m, int64_t us)
{
	expect(us >= 0);
	m->us += us;
}
