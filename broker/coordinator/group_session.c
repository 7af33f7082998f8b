/* Who is still there: Heartbeat, LeaveGroup, the check of OffsetCommit, and everything that happens because time passes. */
#include "base/diag.h"
#include "coordinator/group_internal.h"

static enum status heartbeat(struct group *g, const struct group_identity *who, int64_t now_ms)
{
	struct group_member *m = NULL;
	if (g->state == GROUP_DEAD)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	TRY(group_member_check(g, who->member_id, who->instance_id, &m));
	if (who->generation != g->generation)
		return STATUS_ILLEGAL_GENERATION;
	group_member_session_restart(g, m, now_ms);
	return g->state == GROUP_PREPARING_REBALANCE ? STATUS_REBALANCE_IN_PROGRESS : STATUS_OK;
}

enum status group_heartbeat(struct group *g, const struct group_identity *who, int64_t now_ms)
{
	group_enter(g);
	enum status s = heartbeat(g, who, now_ms);
	group_settle(g, now_ms);
	return s;
}

/* --- leaving -------------------------------------------------------------- */

static void remove_member(struct group *g, struct group_member *m, const char *why, int64_t now_ms)
{
	group_member_remove(g, m);
	group_rebalance_begin(g, why, now_ms);
}

static enum status leave(struct group *g, const struct group_leave_member *l, int64_t now_ms)
{
	struct group_member *m = NULL;
	if (l->member_id.n == 0) {
		m = group_member_find_instance(g, l->instance_id);
		if (m == NULL)
			return STATUS_UNKNOWN_MEMBER_ID;
	} else {
		struct group_pending_id *pending = group_pending_find(g, l->member_id);
		if (pending != NULL) {
			group_pending_remove(g, pending);
			return STATUS_OK;
		}
		TRY(group_member_check(g, l->member_id, l->instance_id, &m));
	}
	remove_member(g, m, "a member leaves", now_ms);
	return STATUS_OK;
}

enum status group_leave(struct group *g, struct group_leave_member *members, size_t count, int64_t now_ms)
{
	group_enter(g);
	if (g->state == GROUP_DEAD)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	for (size_t i = 0; i < count; i++)
		members[i].status = leave(g, &members[i], now_ms);
	group_settle(g, now_ms);
	return STATUS_OK;
}

/* --- commits -------------------------------------------------------------- */

static enum status check_commit(struct group *g, const struct group_identity *who, bool transactional, int64_t now_ms)
{
	struct group_member *m = NULL;
	if (g->state == GROUP_DEAD)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	/* Offsets kept by somebody who does not use groups, or set by an administrator. */
	if (who->generation < 0 && g->state == GROUP_EMPTY)
		return STATUS_OK;
	if (who->generation < 0 && who->member_id.n == 0 && who->instance_id.p == NULL)
		return transactional ? STATUS_OK : STATUS_UNKNOWN_MEMBER_ID;
	TRY(group_member_check(g, who->member_id, who->instance_id, &m));
	if (who->generation != g->generation)
		return STATUS_ILLEGAL_GENERATION;
	group_member_session_restart(g, m, now_ms);
	/* It has its new generation, but not yet what to read in it: these offsets are from before. */
	if (!transactional && g->state == GROUP_COMPLETING_REBALANCE)
		return STATUS_REBALANCE_IN_PROGRESS;
	return STATUS_OK;
}

enum status group_check_commit(struct group *g, const struct group_identity *who, bool transactional, int64_t now_ms)
{
	group_enter(g);
	enum status s = check_commit(g, who, transactional, now_ms);
	group_settle(g, now_ms);
	return s;
}

/* --- time ----------------------------------------------------------------- */

static void session_ended(struct group *g, struct group_member *m, int64_t now_ms)
{
	group_timer_disarm(g, &m->session);
	/* Who waits for us is not late; its session starts again with the answer. A new member is different: if it does not
	 * wait any more it will come back under another id, and this one would be in the way for ever. */
	if (!m->is_new && (m->joining || m->syncing))
		return;
	diag_info("group_member_expired", "group=%.*s member=%.*s session_timeout_ms=%d", (int)g->id.n, g->id.p,
		(int)m->id.n, m->id.p, m->session_timeout_ms);
	g->counts.members_expired++;
	remove_member(g, m, "a member's session ended", now_ms);
}

static void timer_due(struct group *g, struct group_timer *t, int64_t now_ms)
{
	if (t->pending_id)
		group_pending_remove(g, CONTAINER_OF(t, struct group_pending_id, timer));
	else
		session_ended(g, CONTAINER_OF(t, struct group_member, session), now_ms);
}

static int64_t first_timer_ms(const struct group *g)
{
	const struct group_timer *t = group_timer_first(g);
	return t == NULL ? GROUP_NEVER_MS : t->at_ms;
}

int64_t group_next_deadline(const struct group *g)
{
	CHECK_MAGIC(group, g);
	int64_t at_ms = first_timer_ms(g);
	if (g->join_deadline_ms < at_ms)
		at_ms = g->join_deadline_ms;
	return g->sync_deadline_ms < at_ms ? g->sync_deadline_ms : at_ms;
}

void group_expire(struct group *g, int64_t now_ms)
{
	group_enter(g);
	/* In the order of the deadlines, as if each had been met in time. Each step removes a member or an id, or puts off
	 * the deadline it met. */
	for (int64_t at_ms = group_next_deadline(g); at_ms <= now_ms; at_ms = group_next_deadline(g)) {
		if (first_timer_ms(g) == at_ms)
			timer_due(g, group_timer_first(g), now_ms);
		else if (g->join_deadline_ms == at_ms)
			group_rebalance_deadline(g, now_ms);
		else
			group_sync_deadline(g, now_ms);
	}
	group_settle(g, now_ms);
}
