#include "base/diag.h"
#include "coordinator/group_internal.h"

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

/* --- life ----------------------------------------------------------------- */

struct group *group_new(struct slice id, const struct group_owner *owner, int64_t now_ms)
{
	expect(id.n <= GROUP_NAME_BYTES_MAX && owner->settings != NULL && owner->random != NULL);
	expect(owner->callbacks->joined != NULL && owner->callbacks->synced != NULL && owner->callbacks->persist != NULL);
	struct group *g = check_calloc(1, sizeof *g);
	g->magic = group_magic;
	g->owner = *owner;
	g->id = group_text_copy(id);
	g->state = GROUP_EMPTY;
	g->state_since_ms = now_ms;
	g->join_deadline_ms = g->sync_deadline_ms = GROUP_NEVER_MS;
	return g;
}

void group_free(struct group *g)
{
	if (g == NULL)
		return;
	CHECK_MAGIC(group, g);
	expect(!g->answering);
	group_member_free_all(g);
	group_pending_free_all(g);
	expect(g->timer_count == 0 && g->candidates == NULL);
	free(g->timers);
	group_text_free(&g->id);
	group_text_free(&g->protocol_type);
	group_text_free(&g->protocol);
	g->magic = 0;
	free(g);
}

void group_unload(struct group *g, enum status status)
{
	group_enter(g);
	expect(status != STATUS_OK);
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (m->joining)
			group_refuse_join(g, group_member_unpark_join(g, m), m->id, status);
		if (m->syncing) {
			m->syncing = false;
			group_answer_sync(g, m->sync_ticket, &(struct group_sync_answer){.status = status});
		}
	}
	group_member_free_all(g);
	group_pending_free_all(g);
	g->join_deadline_ms = g->sync_deadline_ms = GROUP_NEVER_MS;
	g->persist_running = GROUP_PERSIST_NONE;
	group_move(g, GROUP_DEAD, g->state_since_ms);
	expect(g->timer_count == 0 && g->joining_count == 0);
}

/* --- states --------------------------------------------------------------- */

static bool may_move(enum group_state from, enum group_state to)
{
	static const unsigned allowed[GROUP_STATE_COUNT] = {
		[GROUP_EMPTY] = 1u << GROUP_PREPARING_REBALANCE | 1u << GROUP_DEAD,
		[GROUP_PREPARING_REBALANCE] = 1u << GROUP_COMPLETING_REBALANCE | 1u << GROUP_EMPTY | 1u << GROUP_DEAD,
		[GROUP_COMPLETING_REBALANCE] = 1u << GROUP_STABLE | 1u << GROUP_PREPARING_REBALANCE | 1u << GROUP_DEAD,
		[GROUP_STABLE] = 1u << GROUP_PREPARING_REBALANCE | 1u << GROUP_DEAD,
		[GROUP_DEAD] = 1u << GROUP_DEAD,
	};
	expect(from < GROUP_STATE_COUNT && to < GROUP_STATE_COUNT);
	return (allowed[from] & 1u << to) != 0;
}

void group_move(struct group *g, enum group_state to, int64_t now_ms)
{
	expect(may_move(g->state, to));
	diag_debug("group_state", "group=%.*s from=%s to=%s", (int)g->id.n, g->id.p, group_state_name(g->state),
		group_state_name(to));
	g->state = to;
	g->state_since_ms = now_ms;
	g->persist_wanted = GROUP_PERSIST_NONE; /* it was of the state before */
}

void group_enter(const struct group *g)
{
	CHECK_MAGIC(group, g);
	expect(!g->answering); /* joined() and synced() may not call back */
}

void group_settle(struct group *g, int64_t now_ms)
{
	if (g->state == GROUP_PREPARING_REBALANCE && group_rebalance_all_joined(g))
		group_rebalance_complete(g, now_ms);
	if (g->persist_wanted != GROUP_PERSIST_NONE && g->persist_running == GROUP_PERSIST_NONE) {
		group_sync_persist_start(g);
		/* Nothing of the group is touched after this: the owner may report the write done at once. */
		g->owner.callbacks->persist(g->owner.arg, g);
	}
}

/* --- answers -------------------------------------------------------------- */

void group_answer_join(struct group *g, void *ticket, const struct group_join_answer *answer)
{
	expect(!g->answering);
	g->answering = true;
	g->owner.callbacks->joined(g->owner.arg, ticket, answer);
	g->answering = false;
}

void group_refuse_join(struct group *g, void *ticket, struct slice member_id, enum status status)
{
	expect(status != STATUS_OK);
	struct group_join_answer answer = {
		.status = status,
		.generation = -1,
		.leader = slice_of("", 0),
		.member_id = member_id,
	};
	group_answer_join(g, ticket, &answer);
}

void group_answer_sync(struct group *g, void *ticket, const struct group_sync_answer *answer)
{
	expect(!g->answering);
	g->answering = true;
	g->owner.callbacks->synced(g->owner.arg, ticket, answer);
	g->answering = false;
}

/* --- owned text ----------------------------------------------------------- */

struct slice group_text_copy(struct slice s)
{
	if (s.p == NULL)
		return (struct slice){0};
	uint8_t *p = check_alloc(s.n > 0 ? s.n : 1);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return slice_of(p, s.n);
}

void group_text_set(struct slice *text, struct slice to)
{
	struct slice copy = group_text_copy(to);
	group_text_free(text);
	*text = copy;
}

void group_text_free(struct slice *text)
{
	free((void *)(uintptr_t)text->p);
	*text = (struct slice){0};
}
