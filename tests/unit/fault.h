/* A countdown: the nth call from now fails. Tests step n from 1 upwards until a scenario passes without the fault being
 * hit, and have then failed each of its calls once. */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H
#include "base/status.h"

struct fault {
	uint64_t countdown; /* 0: not armed */
	enum status status;
	bool for_good; /* all calls after it fail too */
	bool hit;
};

static inline void fault_arm(struct fault *f, uint64_t nth, enum status s, bool for_good)
{
	*f = (struct fault){.countdown = nth, .status = s, .for_good = for_good};
}
static inline void fault_disarm(struct fault *f)
{
	*f = (struct fault){0};
}
/* One call; what it is to return instead of doing its work, or STATUS_OK. */
static inline enum status fault_step(struct fault *f)
{
	if (f->hit && f->for_good)
		return f->status;
	if (f->countdown == 0 || --f->countdown > 0)
		return STATUS_OK;
	f->hit = true;
	return f->status;
}
#endif
