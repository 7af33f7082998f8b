/* Ids given out by MEMBER_ID_REQUIRED: the member is expected back with it within its session timeout (KIP-394). */
#include "coordinator/group_internal.h"

struct group_pending_id *group_pending_find(const struct group *g, struct slice id)
{
	struct group_pending_id *p = NULL;
	if (id.n > 0)
		HASH_FIND(hh, g->pending_ids, id.p, (unsigned)id.n, p);
	return p;
}

void group_pending_add(struct group *g, struct slice id, int64_t until_ms)
{
	expect(group_pending_find(g, id) == NULL && group_member_find(g, id) == NULL);
	/* A client that never comes back with its id must not fill the memory. Who is forgotten too early is told
	 * UNKNOWN_MEMBER_ID and asks again. */
	if (HASH_COUNT(g->pending_ids) >= GROUP_PENDING_IDS_MAX)
		group_pending_remove(g, g->pending_ids);
	struct group_pending_id *p = check_calloc(1, sizeof *p);
	p->id = group_text_copy(id);
	p->timer.pending_id = true;
	HASH_ADD_KEYPTR(hh, g->pending_ids, p->id.p, (unsigned)p->id.n, p);
	group_timer_arm(g, &p->timer, until_ms);
}

void group_pending_remove(struct group *g, struct group_pending_id *p)
{
	expect(p != NULL);
	group_timer_disarm(g, &p->timer);
	HASH_DEL(g->pending_ids, p);
	group_text_free(&p->id);
	free(p);
}

void group_pending_free_all(struct group *g)
{
	while (g->pending_ids != NULL)
		group_pending_remove(g, g->pending_ids);
}
