#include "controller/partition_states.h"

static const struct {
	const char *name;
	bool may_move[PARTITION_STATE_COUNT];
} states[PARTITION_STATE_COUNT] = {
	[PARTITION_ABSENT] = {"absent", {[PARTITION_NEW] = true}},
	[PARTITION_NEW] = {"new", {[PARTITION_ONLINE] = true, [PARTITION_OFFLINE] = true}},
	[PARTITION_ONLINE] = {"online", {[PARTITION_OFFLINE] = true}},
	[PARTITION_OFFLINE] = {"offline", {[PARTITION_ONLINE] = true, [PARTITION_ABSENT] = true}},
};

const char *partition_states_name(enum partition_state s)
{
	expect((unsigned)s < PARTITION_STATE_COUNT);
	return states[s].name;
}

bool partition_states_may_move(enum partition_state from, enum partition_state to)
{
	expect((unsigned)from < PARTITION_STATE_COUNT && (unsigned)to < PARTITION_STATE_COUNT);
	return states[from].may_move[to];
}

void partition_states_move(enum partition_state *state, enum partition_state to)
{
	if (*state == to)
		return;
	expect(partition_states_may_move(*state, to));
	*state = to;
}
