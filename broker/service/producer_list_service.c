#include "service/producer_list_service.h"

#include "service/service_message.h"

MAGIC(producer_list_request, 0x504c5354);

static void entry_done(struct describe_producers_part *p)
{
	struct producer_list_entry *e = p->arg;
	struct producer_list_request *r = CAST(producer_list_request, e->request);
	e->status = p->status;
	/* The image knows the partition: another broker leads it. */
	if (e->status == STATUS_UNKNOWN_TOPIC_OR_PARTITION)
		e->status = STATUS_NOT_LEADER_OR_FOLLOWER;
	if (e->status != STATUS_OK)
		e->message = service_message_partition(r->arena, &p->tp, e->status);
	e->producers = p->producers;
	e->count = p->count;
	gather_done(&r->gather);
}

static void start_entry(struct producer_list_request *r, struct producer_list_entry *e)
{
	struct service_partition found;
	e->request = r;
	e->part = (struct describe_producers_part){.home = r->service->scheduler, .done = entry_done, .arg = e};
	e->status = topic_partition_set(&e->part.tp, slice_of_str(e->topic), e->partition);
	if (e->status == STATUS_OK)
		e->status = service_loop_find(r->service, r->arena, &e->part.tp, &found, &e->message);
	if (e->status != STATUS_OK)
		return;
	gather_add(&r->gather);
	replica_manager_describe_producers(replica_router_owner(r->service->router, &e->part.tp), &e->part);
}

static void all_done(struct gather *g)
{
	struct producer_list_request *r = CAST(producer_list_request, CONTAINER_OF(g, struct producer_list_request, gather));
	r->magic = 0;
	r->done(r);
}

void producer_list_service_start(struct producer_list_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->done != NULL);
	r->magic = producer_list_request_magic;
	gather_init(&r->gather, all_done);
	for (size_t i = 0; i < r->entry_count; i++)
		start_entry(r, &r->entries[i]);
	gather_seal(&r->gather);
}
