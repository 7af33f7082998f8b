#include "kafka/kafka_groups.h"

struct kafka_group_call *kafka_groups_new(struct kafka_call *c, enum group_request_kind kind, const char *group_id)
{
	struct kafka_group_call *g = kafka_call_array(c, 1, sizeof(*g));
	if (g == NULL) {
		kafka_call_abort_memory(c);
		return NULL;
	}
	g->call = c;
	g->request.kind = kind;
	g->request.group_id = group_id;
	g->request.arena = &c->request->arena;
	g->request.arg = g;
	return g;
}

void kafka_groups_start(struct kafka_group_call *g, void (*answer)(struct group_request *r))
{
	expect(answer != NULL && g->request.arg == g);
	g->request.done = answer;
	group_service_start(g->call->service, &g->request);
}

struct kafka_call *kafka_groups_call(const struct group_request *r)
{
	struct kafka_group_call *g = r->arg;
	expect(&g->request == r);
	return CAST(kafka_call, g->call);
}

static void release_fan(struct kafka_call *c)
{
	group_fan_fini(c->held);
}

struct group_fan *kafka_groups_fan(struct kafka_call *c, size_t count, size_t budget_bytes)
{
	struct group_fan *f = kafka_call_array(c, 1, sizeof(*f));
	struct group_fan_part *parts = kafka_call_array(c, count, sizeof(*parts));
	if (f == NULL || parts == NULL) {
		kafka_call_abort_memory(c);
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
