#include "service/producer_id_service.h"

#include "coordinator/producer_ids.h"

static void answer(struct producer_id_request *r, enum status s)
{
	r->status = s;
	if (s != STATUS_OK)
		r->producer_id = r->producer_epoch = -1;
	r->done(r);
}

static void producer_id_service_back(struct task *t)
{
	struct producer_id_request *r = CONTAINER_OF(t, struct producer_id_request, task);
	expect_on_loop(r->service->scheduler);
	answer(r, r->status);
}

static void producer_id_service_take(struct task *t)
{
	struct producer_id_request *r = CONTAINER_OF(t, struct producer_id_request, task);
	r->producer_epoch = 0;
	r->status = producer_ids_next(r->service->producer_ids, &r->producer_id);
	task_init(&r->task, "producer_id_back", producer_id_service_back);
	scheduler_post(r->service->scheduler, &r->task);
}

void producer_id_service_start(struct producer_id_request *r)
{
	const struct service_loop *s = CAST(service_loop, r->service);
	struct producer_ids *ids = s->producer_ids;
	expect_on_loop(s->scheduler);
	expect(r->done != NULL);
	if (r->transactional_id != NULL && r->transactional_id[0] == '\0') {
		answer(r, STATUS_INVALID_REQUEST);
	} else if (r->transactional_id != NULL || ids == NULL) {
		answer(r, STATUS_COORDINATOR_NOT_AVAILABLE);
	} else {
		task_init(&r->task, "producer_id", producer_id_service_take);
		scheduler_post(producer_ids_scheduler(ids), &r->task);
	}
}
