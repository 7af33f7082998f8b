/* The protocols (assignors) members support: which all have in common, and which of those the members vote for. */
#include "coordinator/group_internal.h"

static struct group_candidate *find(const struct group *g, struct slice name)
{
	struct group_candidate *c = NULL;
	HASH_FIND(hh, g->candidates, name.p, (unsigned)name.n, c);
	return c;
}

void group_candidates_add(struct group *g, const struct group_member *m)
{
	for (size_t i = 0; i < m->protocol_count; i++) {
		struct group_candidate *c = find(g, m->protocols[i].name);
		if (c == NULL) {
			c = check_calloc(1, sizeof *c);
			c->name = group_text_copy(m->protocols[i].name);
			HASH_ADD_KEYPTR(hh, g->candidates, c->name.p, (unsigned)c->name.n, c);
		}
		c->supporters++;
		expect(c->supporters <= HASH_COUNT(g->members) + 1);
	}
}

void group_candidates_remove(struct group *g, const struct group_member *m)
{
	for (size_t i = 0; i < m->protocol_count; i++) {
		struct group_candidate *c = find(g, m->protocols[i].name);
		expect(c != NULL && c->supporters > 0);
		if (--c->supporters > 0)
			continue;
		HASH_DEL(g->candidates, c);
		group_text_free(&c->name);
		free(c);
	}
}

bool group_candidates_support(const struct group *g, const struct group_join *join)
{
	if (g->state == GROUP_EMPTY)
		return join->protocol_type.n > 0 && join->protocol_count > 0;
	if (g->protocol_type.p == NULL || !slice_equal(g->protocol_type, join->protocol_type))
		return false;
	for (size_t i = 0; i < join->protocol_count; i++) {
		const struct group_candidate *c = find(g, join->protocols[i].name);
		if ((c == NULL ? 0 : c->supporters) == HASH_COUNT(g->members))
			return true;
	}
	return false;
}

struct slice group_candidates_select(struct group *g)
{
	size_t member_count = HASH_COUNT(g->members);
	expect(member_count > 0);
	struct group_candidate *c, *next;
	HASH_ITER(hh, g->candidates, c, next)
		c->votes = 0;
	const struct group_candidate *best = NULL;
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		c = NULL;
		for (size_t i = 0; i < m->protocol_count && (c == NULL || c->supporters < member_count); i++)
			c = find(g, m->protocols[i].name);
		expect(c != NULL && c->supporters == member_count); /* nobody joins without one in common */
		c->votes++;
		/* Of equals, the one that was ahead first: every run of the same joins chooses alike. */
		if (best == NULL || c->votes > best->votes)
			best = c;
	}
	expect(best != NULL);
	return best->name;
}
