/* One round: from the wish to rebalance to the answers that begin a generation. Kafka: prepareRebalance, onCompleteJoin,
 * DelayedJoin, InitialDelayedJoin. */
#include "base/diag.h"
#include "coordinator/group_internal.h"

int32_t group_rebalance_timeout(const struct group *g)
{
	/* Never 0: a deadline that is due at once would be due again at once. */
	int32_t timeout_ms = 1;
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (m->rebalance_timeout_ms > timeout_ms)
			timeout_ms = m->rebalance_timeout_ms;
	}
	return timeout_ms;
}

static void forget_owed_syncs(struct group *g)
{
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		m->sync_owed = false;
		/* A join that waited for its new id to be written is an ordinary one of this round. */
		m->replacement = GROUP_REPLACEMENT_NONE;
	}
	g->sync_owed_count = 0;
	g->sync_deadline_ms = GROUP_NEVER_MS;
}

void group_rebalance_begin(struct group *g, const char *why, int64_t now_ms)
{
	if (g->state == GROUP_PREPARING_REBALANCE || g->state == GROUP_DEAD)
		return;
	if (g->state == GROUP_COMPLETING_REBALANCE)
		group_sync_answer_all(g, STATUS_REBALANCE_IN_PROGRESS, now_ms);
	forget_owed_syncs(g);
	int64_t timeout_ms = group_rebalance_timeout(g), delay_ms = g->owner.settings->initial_rebalance_delay_ms;
	g->initial_delay = g->state == GROUP_EMPTY;
	g->initial_until_ms = now_ms + (timeout_ms > delay_ms ? timeout_ms : delay_ms);
	g->member_added = false;
	g->join_deadline_ms = now_ms + (g->initial_delay ? delay_ms : timeout_ms);
	group_move(g, GROUP_PREPARING_REBALANCE, now_ms);
	g->counts.rebalances_begun++;
	diag_info("group_rebalance_begun", "group=%.*s generation=%d members=%u why=\"%s\"", (int)g->id.n, g->id.p,
		g->generation, HASH_COUNT(g->members), why);
}

bool group_rebalance_all_joined(const struct group *g)
{
	return !g->initial_delay && g->joining_count == HASH_COUNT(g->members) && g->pending_ids == NULL;
}

static void remove_absent(struct group *g)
{
	struct group_member *m, *next;
	HASH_ITER(hh, g->members, m, next) {
		/* A static member may be restarting: it stays until its session ends. */
		if (!m->joining && m->instance_id.p == NULL) {
			g->counts.members_expired++;
			group_member_remove(g, m);
		}
	}
}

/* The leader stays if it has joined. False: nobody has. */
static bool elect_leader(struct group *g)
{
	expect(g->leader != NULL);
	if (g->leader->joining)
		return true;
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (m->joining) {
			g->leader = m;
			return true;
		}
	}
	return false;
}

void group_rebalance_answer(
	const struct group *g, const struct group_member *m, bool with_members, struct group_join_answer *ret_answer)
{
	struct group_join_member *members = NULL;
	size_t count = 0;
	expect(g->leader != NULL && g->protocol.p != NULL);
	if (with_members) {
		members = check_calloc(HASH_COUNT(g->members), sizeof(*members));
		for (const struct group_member *o = g->members; o != NULL; o = o->hh.next) {
			members[count++] = (struct group_join_member){
				.member_id = o->id,
				.instance_id = o->instance_id,
				.metadata = group_member_metadata(g, o),
			};
		}
	}
	*ret_answer = (struct group_join_answer){
		.status = STATUS_OK,
		.generation = g->generation,
		.protocol_type = g->protocol_type,
		.protocol = g->protocol,
		.leader = g->leader->id,
		.member_id = m->id,
		.members = members,
		.member_count = count,
	};
}

static void begin_generation(struct group *g, int64_t now_ms)
{
	group_text_set(&g->protocol, group_candidates_select(g));
	group_move(g, GROUP_COMPLETING_REBALANCE, now_ms);
	g->assignments_received = false;
	g->sync_deadline_ms = now_ms + group_rebalance_timeout(g);
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		m->sync_owed = true;
		g->sync_owed_count++;
		m->is_new = false;
		if (m->joining) {
			struct group_join_answer answer;
			group_rebalance_answer(g, m, m == g->leader, &answer);
			group_answer_join(g, group_member_unpark_join(g, m), &answer);
			free((void *)(uintptr_t)answer.members);
		}
		group_member_session_restart(g, m, now_ms);
	}
	expect(g->sync_owed_count == HASH_COUNT(g->members) && g->joining_count == 0);
	diag_info("group_generation", "group=%.*s generation=%d members=%u protocol=%.*s", (int)g->id.n, g->id.p,
		g->generation, HASH_COUNT(g->members), (int)g->protocol.n, g->protocol.p);
}

void group_rebalance_complete(struct group *g, int64_t now_ms)
{
	expect(g->state == GROUP_PREPARING_REBALANCE);
	g->initial_delay = false;
	remove_absent(g);
	if (g->members != NULL && !elect_leader(g)) {
		/* Static members only, none of them here: their sessions decide. */
		g->join_deadline_ms = now_ms + group_rebalance_timeout(g);
		return;
	}
	g->join_deadline_ms = GROUP_NEVER_MS;
	g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
	g->counts.rebalances_completed++;
	if (g->members != NULL) {
		begin_generation(g, now_ms);
		return;
	}
	group_text_free(&g->protocol);
	group_move(g, GROUP_EMPTY, now_ms);
	g->persist_wanted = GROUP_PERSIST_EMPTY;
	diag_info("group_empty", "group=%.*s generation=%d", (int)g->id.n, g->id.p, g->generation);
}

void group_rebalance_deadline(struct group *g, int64_t now_ms)
{
	expect(g->state == GROUP_PREPARING_REBALANCE);
	if (g->initial_delay && g->member_added && now_ms < g->initial_until_ms) {
		int64_t next_ms = now_ms + g->owner.settings->initial_rebalance_delay_ms;
		g->member_added = false;
		g->join_deadline_ms = next_ms < g->initial_until_ms ? next_ms : g->initial_until_ms;
		return;
	}
	group_rebalance_complete(g, now_ms);
}
