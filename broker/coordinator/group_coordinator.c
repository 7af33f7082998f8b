#include "coordinator/group_coordinator.h"

#include "replica/partition.h"

struct group_coordinator {
	unsigned magic;
	struct group_coordinator_options options;
	bool stopped;
};
MAGIC(group_coordinator, 0x47524343);

struct group_coordinator *group_coordinator_new(const struct group_coordinator_options *o)
{
	expect(o->scheduler != NULL && o->settings != NULL);
	struct group_coordinator *c = check_calloc(1, sizeof(*c));
	c->magic = group_coordinator_magic;
	c->options = *o;
	return c;
}

void group_coordinator_free(struct group_coordinator *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(group_coordinator, c);
	c->magic = 0;
	free(c);
}

int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	expect(count > 0);
	int32_t hash = bytes_java_hash(slice_of_str(group_id));
	return hash == INT32_MIN ? 0 : (hash < 0 ? -hash : hash) % count;
}

static void go_home(struct task *t)
{
	struct group_request *r = CONTAINER_OF(t, struct group_request, task);
	expect_on_loop(r->home);
	r->done(r);
}

static void take(struct task *t)
{
	struct group_request *r = CONTAINER_OF(t, struct group_request, task);
	struct group_coordinator *c = CAST(group_coordinator, r->owner);
	expect_on_loop(c->options.scheduler);
	r->status = c->stopped ? STATUS_NOT_COORDINATOR : STATUS_COORDINATOR_NOT_AVAILABLE;
	task_init(&r->task, "group_answer", go_home);
	scheduler_post(r->home, &r->task);
}

void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	CHECK_MAGIC(group_coordinator, owner);
	expect_on_loop(r->home);
	r->owner = owner;
	task_init(&r->task, "group_request", take);
	if (r->home == owner->options.scheduler)
		take(&r->task);
	else
		scheduler_post(owner->options.scheduler, &r->task);
}

static void list_home(struct task *t)
{
	struct group_list_request *r = CONTAINER_OF(t, struct group_list_request, task);
	expect_on_loop(r->home);
	r->done(r);
}

static void list_here(struct task *t)
{
	struct group_list_request *r = CONTAINER_OF(t, struct group_list_request, task);
	struct group_coordinator *c = CAST(group_coordinator, r->owner);
	expect_on_loop(c->options.scheduler);
	task_init(&r->task, "group_listed", list_home);
	scheduler_post(r->home, &r->task);
}

void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	CHECK_MAGIC(group_coordinator, owner);
	expect_on_loop(r->home);
	r->owner = owner;
	task_init(&r->task, "group_list", list_here);
	scheduler_post(owner->options.scheduler, &r->task);
}

void group_coordinator_stop(struct group_coordinator *c)
{
	CHECK_MAGIC(group_coordinator, c);
	expect_on_loop(c->options.scheduler);
	c->stopped = true;
}
