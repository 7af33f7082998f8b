#include "controller/leader_election.h"
#include <string.h>

static bool is_live(const struct election_input *in, int32_t id)
{
	for (size_t i = 0; i < in->assignment_count; i++) {
		if (in->assignment[i].id == id)
			return in->assignment[i].live;
	}
	return false; /* no longer assigned */
}

static bool in_isr(const struct election_input *in, int32_t id)
{
	for (size_t i = 0; i < in->isr_count; i++) {
		if (in->isr[i] == id)
			return true;
	}
	return false;
}

static void input_check(const struct election_input *in)
{
	expect(in->assignment_count <= LEADER_ELECTION_REPLICAS_MAX && in->isr_count <= LEADER_ELECTION_REPLICAS_MAX);
	expect(in->leader >= -1);
}

static struct election_result keep_isr(const struct election_input *in, int32_t leader)
{
	struct election_result r = {.changed = true, .leader = leader, .isr_count = in->isr_count};
	if (in->isr_count > 0)
		memcpy(r.isr, in->isr, in->isr_count * sizeof r.isr[0]);
	return r;
}

/* The live members of the ISR, in its order; if none is live, all of it: nothing was committed without them. */
static struct election_result shrink_isr(const struct election_input *in, int32_t leader)
{
	struct election_result r = {.changed = true, .leader = leader};
	for (size_t i = 0; i < in->isr_count; i++) {
		if (is_live(in, in->isr[i]))
			r.isr[r.isr_count++] = in->isr[i];
	}
	return r.isr_count > 0 ? r : keep_isr(in, leader);
}

struct election_result leader_election_new(const struct election_input *in)
{
	input_check(in);
	struct election_result r = {.leader = -1};
	for (size_t i = 0; i < in->assignment_count; i++) {
		if (in->assignment[i].live)
			r.isr[r.isr_count++] = in->assignment[i].id;
	}
	r.changed = r.isr_count > 0;
	if (r.changed)
		r.leader = r.isr[0];
	return r;
}

static int32_t first_live(const struct election_input *in, bool in_sync)
{
	for (size_t i = 0; i < in->assignment_count; i++) {
		if (in->assignment[i].live && (!in_sync || in_isr(in, in->assignment[i].id)))
			return in->assignment[i].id;
	}
	return -1;
}

struct election_result leader_election_offline(const struct election_input *in)
{
	input_check(in);
	int32_t leader = in->leader;
	if (leader < 0 || !is_live(in, leader))
		leader = first_live(in, true);
	if (leader < 0 && in->unclean_allowed) {
		leader = first_live(in, false);
		if (leader >= 0)
			return (struct election_result){.changed = true, .unclean = true, .leader = leader, .isr = {leader},
				.isr_count = 1};
	}
	struct election_result r = shrink_isr(in, leader);
	r.changed = leader != in->leader || r.isr_count != in->isr_count;
	return r;
}

struct election_result leader_election_preferred(const struct election_input *in)
{
	input_check(in);
	if (in->assignment_count == 0)
		return (struct election_result){.changed = false};
	int32_t preferred = in->assignment[0].id;
	if (in->leader == preferred || !in->assignment[0].live || !in_isr(in, preferred))
		return (struct election_result){.changed = false};
	return keep_isr(in, preferred);
}

struct election_result leader_election_none(const struct election_input *in)
{
	input_check(in);
	if (in->leader < 0)
		return (struct election_result){.changed = false};
	return keep_isr(in, -1);
}
