#include "coordinator/group.h"

const char *group_state_name(enum group_state s)
{
	static const char *const names[GROUP_STATE_COUNT] = {
		[GROUP_EMPTY] = "Empty",
		[GROUP_PREPARING_REBALANCE] = "PreparingRebalance",
		[GROUP_COMPLETING_REBALANCE] = "CompletingRebalance",
		[GROUP_STABLE] = "Stable",
		[GROUP_DEAD] = "Dead",
	};
	expect(s < GROUP_STATE_COUNT);
	return names[s];
}
