#include "service/controller_service.h"
#include "coordinator/producer_ids.h"
#include <stdlib.h>

MAGIC(controller_call, 0x43434c4c);

static void answered(struct task *task)
{
	struct controller_call *c = CAST(controller_call, CONTAINER_OF(task, struct controller_call, task));
	struct alter_partition_response altered = {0};
	struct controlled_shutdown_response shut_down = {0};
	if (c->kind == CONTROLLER_CALL_ALTER)
		altered = c->altered;
	else if (c->kind == CONTROLLER_CALL_SHUTDOWN)
		shut_down = c->shut_down;
	c->magic = 0;
	c->done(c); /* c is gone now */
	control_alter_response_fini(&altered);
	controlled_shutdown_response_fini(&shut_down);
}

static void go_home(struct controller_call *c)
{
	task_init(&c->task, "controller_answered", answered);
	scheduler_post(c->home, &c->task);
}

/* The response is borrowed for this call only: it is copied for the way home. */
static void controller_service_altered(void *arg, const struct alter_partition_response *response)
{
	struct controller_call *c = CAST(controller_call, arg);
	struct alter_partition_response *r = &c->altered;
	*r = (struct alter_partition_response){.status = response->status, .item_count = response->item_count};
	r->items = check_calloc(response->item_count + 1, sizeof(*r->items));
	for (size_t i = 0; i < response->item_count; i++) {
		const struct alter_partition_result *from = &response->items[i];
		r->items[i] = *from;
		r->items[i].isr = check_calloc(from->isr_count + 1, sizeof(int32_t));
		if (from->isr_count > 0)
			memcpy(r->items[i].isr, from->isr, from->isr_count * sizeof(int32_t));
	}
	go_home(c);
}

static void controller_service_shut_down(void *arg, const struct controlled_shutdown_response *response)
{
	struct controller_call *c = CAST(controller_call, arg);
	struct controlled_shutdown_response *r = &c->shut_down;
	*r = (struct controlled_shutdown_response){.status = response->status, .remaining_count = response->remaining_count};
	r->remaining = check_calloc(response->remaining_count + 1, sizeof(*r->remaining));
	if (response->remaining_count > 0)
		memcpy(r->remaining, response->remaining, response->remaining_count * sizeof(*r->remaining));
	go_home(c);
}

/* Any broker could take a block from ZooKeeper; Kafka's ask the controller, and no other. */
static void give_ids(struct controller_call *c, const struct controller *controller)
{
	bool active = controller != NULL && controller_is_active(controller) && c->producer_ids != NULL;
	c->ids = (struct controller_call_ids){.status = STATUS_NOT_CONTROLLER};
	if (active)
		c->ids.status = producer_ids_take(c->producer_ids, &c->ids.first, &c->ids.count);
	go_home(c);
}

static void on_cluster_loop(struct task *task)
{
	struct controller_call *c = CAST(controller_call, CONTAINER_OF(task, struct controller_call, task));
	struct controller *controller = c->controller(c->controller_arg);
	if (c->kind == CONTROLLER_CALL_PRODUCER_IDS) {
		give_ids(c, controller);
		return;
	}
	if (c->kind == CONTROLLER_CALL_SHUTDOWN) {
		if (controller != NULL)
			controller_controlled_shutdown(controller, &c->shutdown, controller_service_shut_down, c);
		else
			controller_service_shut_down(c, &(struct controlled_shutdown_response){.status = STATUS_NOT_CONTROLLER});
		return;
	}
	struct alter_partition_request request = c->alter;
	if (controller != NULL)
		controller_alter_partition(controller, &request, controller_service_altered, c);
	else
		controller_service_altered(c, &(struct alter_partition_response){.status = STATUS_NOT_CONTROLLER});
	control_alter_request_fini(&request);
}

void controller_service_start(struct controller_call *c)
{
	expect(c->done != NULL && c->controller != NULL);
	expect_on_loop(c->home);
	c->magic = controller_call_magic;
	task_init(&c->task, "controller_call", on_cluster_loop);
	scheduler_post(c->cluster, &c->task);
}
