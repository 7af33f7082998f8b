#include "service/group_fan.h"

/* What is left of the budget, shared out among those that may run now. */
static size_t next_share(const struct group_fan *f)
{
	size_t room = GROUP_FAN_WIDTH - f->in_flight, waiting = f->count - f->next;
	expect(room > 0 && waiting > 0);
	return f->budget_bytes / (waiting < room ? waiting : room);
}

static void start_some(struct group_fan *f);

static void part_done(struct group_request *r)
{
	struct group_fan_part *p = r->arg;
	struct group_fan *f = p->fan;
	expect_on_loop(f->service->scheduler);
	expect(f->in_flight > 0);
	size_t used = p->arena.used_bytes < p->share_bytes ? p->arena.used_bytes : p->share_bytes;
	f->budget_bytes += p->share_bytes - used;
	f->in_flight--;
	start_some(f);
	gather_done(&f->gather); /* f may be gone now */
}

static void start_part(struct group_fan *f, struct group_fan_part *p)
{
	p->fan = f;
	p->share_bytes = next_share(f);
	f->budget_bytes -= p->share_bytes;
	f->in_flight++;
	f->next++;
	arena_init(&p->arena, p->share_bytes);
	p->request.arena = &p->arena;
	p->request.done = part_done;
	p->request.arg = p;
	group_service_start(f->service, &p->request);
}

/* A part may be done within its start: the loop that runs goes on, none is begun inside it. */
static void start_some(struct group_fan *f)
{
	if (f->starting)
		return;
	f->starting = true;
	while (f->next < f->count && f->in_flight < GROUP_FAN_WIDTH)
		start_part(f, &f->parts[f->next]);
	f->starting = false;
}

static void all_done(struct gather *g)
{
	struct group_fan *f = CONTAINER_OF(g, struct group_fan, gather);
	expect(f->next == f->count && f->in_flight == 0);
	f->done(f);
}

void group_fan_start(struct group_fan *f)
{
	CHECK_MAGIC(service_loop, f->service);
	expect_on_loop(f->service->scheduler);
	expect(f->next == 0 && f->done != NULL);
	gather_init(&f->gather, all_done);
	for (size_t i = 0; i < f->count; i++)
		gather_add(&f->gather);
	start_some(f);
	gather_seal(&f->gather);
}

void group_fan_fini(struct group_fan *f)
{
	expect(f->in_flight == 0);
	for (size_t i = 0; i < f->next; i++)
		arena_fini(&f->parts[i].arena);
	f->next = 0;
}
