/* One request fanned out over loops, answered exactly once, on the loop that asked. */
#ifndef RUNTIME_GATHER_H
#define RUNTIME_GATHER_H
#include "base/scheduler.h"
/* Embedded in the request that waits. Counts parts on the home loop only. */
struct gather {
	int pending;
	bool sealed;
	void (*complete)(struct gather *g);
};
void gather_init(struct gather *g, void (*complete)(struct gather *));
/* On the home loop, once per part sent. */
void gather_add(struct gather *g);
/* On the home loop: every part has been added; completes at once when all are done. */
void gather_seal(struct gather *g);
/* On the home loop, once per part that came back. */
void gather_done(struct gather *g);
#endif
