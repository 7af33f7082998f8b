/* What always holds of a group between two calls, as a program. */
#include "coordinator/group_internal.h"

static void check_timers(const struct group *g)
{
	expect(g->timer_count == 0 || g->timer_count < g->timer_room);
	for (size_t slot = 1; slot <= g->timer_count; slot++) {
		expect(g->timers[slot]->slot == slot);
		expect(slot == 1 || g->timers[slot / 2]->at_ms <= g->timers[slot]->at_ms);
	}
}

static void check_member(const struct group *g, const struct group_member *m)
{
	expect(group_member_find(g, m->id) == m);
	expect(m->instance_id.p == NULL || group_member_find_instance(g, m->instance_id) == m);
	expect(m->protocol_count > 0 && m->protocol_count <= GROUP_PROTOCOLS_MAX);
	/* Nobody is here for ever: a session runs, or an answer of ours ends the wait. */
	expect(m->session.slot != 0 || m->joining || m->syncing);
	expect(m->session.slot != 0 || !m->is_new);
	expect(!m->syncing || g->state == GROUP_COMPLETING_REBALANCE);
	expect(!m->joining || g->state == GROUP_PREPARING_REBALANCE || m->replacement != GROUP_REPLACEMENT_NONE);
	expect(m->replacement == GROUP_REPLACEMENT_NONE || (m->joining && g->state == GROUP_STABLE));
	expect(!m->sync_owed || g->state == GROUP_COMPLETING_REBALANCE || g->state == GROUP_STABLE);
}

static void check_members(const struct group *g)
{
	size_t joining = 0, owed = 0, named = 0, bytes = 0, supported = 0;
	bool leader_here = g->leader == NULL;
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		check_member(g, m);
		joining += m->joining;
		owed += m->sync_owed;
		named += m->instance_id.p != NULL;
		bytes += group_member_bytes(m);
		supported += m->protocol_count;
		leader_here |= m == g->leader;
	}
	for (const struct group_candidate *c = g->candidates; c != NULL; c = c->hh.next) {
		expect(c->supporters > 0 && c->supporters <= supported);
		supported -= c->supporters;
	}
	expect(joining == g->joining_count && owed == g->sync_owed_count && bytes == g->bytes && supported == 0);
	expect(named == HASH_CNT(by_instance, g->by_instance));
	expect(leader_here && (g->leader == NULL) == (g->members == NULL));
}

void group_check(const struct group *g)
{
	CHECK_MAGIC(group, g);
	expect(!g->answering);
	check_timers(g);
	check_members(g);
	bool generation_on = g->state == GROUP_COMPLETING_REBALANCE || g->state == GROUP_STABLE;
	expect(!generation_on || (g->members != NULL && g->protocol.p != NULL && g->protocol_type.p != NULL));
	expect(g->members == NULL || generation_on || g->state == GROUP_PREPARING_REBALANCE);
	expect((g->state == GROUP_PREPARING_REBALANCE) == (g->join_deadline_ms != GROUP_NEVER_MS));
	expect((g->sync_owed_count > 0) == (g->sync_deadline_ms != GROUP_NEVER_MS));
	/* What is wanted is being done, unless something is being written already. */
	expect(g->persist_wanted == GROUP_PERSIST_NONE || g->persist_running != GROUP_PERSIST_NONE);
	expect(g->state != GROUP_PREPARING_REBALANCE || !group_rebalance_all_joined(g));
	expect(g->state != GROUP_DEAD || (g->timer_count == 0 && g->pending_ids == NULL));
}
