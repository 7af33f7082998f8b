#include "service/control_service.h"

MAGIC(control_call, 0x43544c43);

static void answered(struct task *task)
{
	struct control_call *c = CAST(control_call, CONTAINER_OF(task, struct control_call, task));
	struct control_response response = c->response;
	c->magic = 0;
	c->done(c); /* c is gone now */
	control_response_fini(&response);
}

/* The response is borrowed for this call only: its results are copied for the way home. */
static void obeyed(void *arg, const struct control_response *response)
{
	struct control_call *c = CAST(control_call, arg);
	c->response = *response;
	c->response.results = check_calloc(response->result_count + 1, sizeof(*response->results));
	if (response->result_count > 0)
		memcpy(c->response.results, response->results, response->result_count * sizeof(*response->results));
	task_init(&c->task, "control_answered", answered);
	scheduler_post(c->home, &c->task);
}

static void on_cluster_loop(struct task *task)
{
	struct control_call *c = CAST(control_call, CONTAINER_OF(task, struct control_call, task));
	cluster_state_control(c->state, &c->request, obeyed, c);
}

void control_service_start(struct control_call *c)
{
	expect(c->done != NULL && c->state != NULL);
	expect_on_loop(c->home);
	c->magic = control_call_magic;
	task_init(&c->task, "control", on_cluster_loop);
	scheduler_post(c->cluster, &c->task);
}
