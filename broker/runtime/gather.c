#include "runtime/gather.h"

void gather_init(struct gather *g, void (*complete)(struct gather *))
{
	expect(g != NULL && complete != NULL);
	*g = (struct gather){.complete = complete};
}

void gather_add(struct gather *g)
{
	expect(!g->sealed && g->pending >= 0);
	g->pending++;
}

void gather_seal(struct gather *g)
{
	expect(!g->sealed && g->pending >= 0);
	g->sealed = true;
	if (g->pending == 0)
		g->complete(g); /* g may be gone now */
}

void gather_done(struct gather *g)
{
	expect(g->pending > 0);
	g->pending--;
	if (g->sealed && g->pending == 0)
		g->complete(g); /* g may be gone now */
}
