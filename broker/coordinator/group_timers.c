/* A binary heap of deadlines: a heartbeat moves its session in O(log members), and the next one due is at the top. */
#include "coordinator/group_internal.h"

static void place(struct group *g, size_t slot, struct group_timer *t)
{
	expect(slot >= 1 && slot <= g->timer_count);
	g->timers[slot] = t;
	t->slot = slot;
}

static void sift_up(struct group *g, struct group_timer *t, size_t slot)
{
	for (; slot > 1 && g->timers[slot / 2]->at_ms > t->at_ms; slot /= 2)
		place(g, slot, g->timers[slot / 2]);
	place(g, slot, t);
}

static void sift_down(struct group *g, struct group_timer *t, size_t slot)
{
	for (;;) {
		size_t child = slot * 2;
		if (child > g->timer_count)
			break;
		if (child < g->timer_count && g->timers[child + 1]->at_ms < g->timers[child]->at_ms)
			child++;
		if (g->timers[child]->at_ms >= t->at_ms)
			break;
		place(g, slot, g->timers[child]);
		slot = child;
	}
	place(g, slot, t);
}

/* t fits its slot from above or from below. */
static void settle(struct group *g, struct group_timer *t, size_t slot)
{
	if (slot > 1 && g->timers[slot / 2]->at_ms > t->at_ms)
		sift_up(g, t, slot);
	else
		sift_down(g, t, slot);
}

void group_timer_arm(struct group *g, struct group_timer *t, int64_t at_ms)
{
	t->at_ms = at_ms;
	if (t->slot != 0) {
		expect(t->slot <= g->timer_count && g->timers[t->slot] == t);
		settle(g, t, t->slot);
		return;
	}
	if (g->timer_count + 1 >= g->timer_room) {
		g->timer_room = g->timer_room == 0 ? 8 : g->timer_room * 2;
		g->timers = check_realloc(g->timers, g->timer_room * sizeof(struct group_timer *));
	}
	g->timer_count++;
	sift_up(g, t, g->timer_count);
}

void group_timer_disarm(struct group *g, struct group_timer *t)
{
	if (t->slot == 0)
		return;
	expect(t->slot <= g->timer_count && g->timers[t->slot] == t);
	size_t slot = t->slot;
	struct group_timer *last = g->timers[g->timer_count];
	t->slot = 0;
	g->timer_count--;
	if (last != t)
		settle(g, last, slot);
}

struct group_timer *group_timer_first(const struct group *g)
{
	return g->timer_count == 0 ? NULL : g->timers[1];
}
