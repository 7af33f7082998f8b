#include "native/native_groups.h"

struct native_group_call *native_groups_new(struct native_call *c, enum group_request_kind kind, const char *group_id)
{
	struct native_group_call *g = native_call_array(c, 1, sizeof(*g));
	if (g == NULL) {
		native_call_fail_memory(c);
		return NULL;
	}
	g->call = c;
	g->request.kind = kind;
	g->request.group_id = group_id;
	g->request.arena = &c->request->arena;
	g->request.arg = g;
	return g;
}

void native_groups_start(struct native_group_call *g, void (*answer)(struct group_request *r))
{
	expect(answer != NULL && g->request.arg == g);
	g->request.done = answer;
	group_service_start(g->call->service, &g->request);
}

struct native_call *native_groups_call(const struct group_request *r)
{
	struct native_group_call *g = r->arg;
	expect(&g->request == r);
	return CAST(native_call, g->call);
}

void native_groups_fail(struct native_call *c, const struct group_request *r)
{
	native_call_fail(c, r->status, "group %s: %s", r->group_id, native_call_message(r->status, r->message));
}

static void release_fan(struct native_call *c)
{
	group_fan_fini(c->held);
}

struct group_fan *native_groups_fan(struct native_call *c, size_t count, size_t budget_bytes)
{
	struct group_fan *f = native_call_array(c, 1, sizeof(*f));
	struct group_fan_part *parts = native_call_array(c, count, sizeof(*parts));
	if (f == NULL || parts == NULL) {
		native_call_fail_memory(c);
		return NULL;
	}
	*f = (struct group_fan){
		.service = c->service,
		.parts = parts,
		.count = count,
		.budget_bytes = budget_bytes,
		.arg = c,
	};
	c->release = release_fan;
	c->held = f;
	return f;
}
