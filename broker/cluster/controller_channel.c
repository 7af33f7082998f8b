#include "cluster/controller_channel.h"
#include "base/diag.h"
#include <stdlib.h>

enum {
	BATCH_MAX = 2000, /* partitions in one request */
	RETRY_MIN_US = 50 * 1000,
	RETRY_MAX_US = 1000 * 1000,
};

struct controller_channel {
	unsigned magic;
	struct controller_channel_options o;
	struct controller_link *link; /* NULL: none */
	struct controller_address to; /* of link; its host is ours */
	char *host;
	struct loop_timer retry_timer;
	int64_t retry_us;
	bool failing; /* said so already */
	bool stopped;

	struct alter_partition_call *waiting, **waiting_end;
	struct alter_partition_request request;   /* under way when calling */
	struct alter_partition_call **batch;      /* one per item; NULL: it was given up meanwhile */
	bool calling;

	struct loop_timer shutdown_deadline;
	struct controlled_shutdown_request shutdown_request;
	bool shutting_down, shutdown_calling;
	void (*shutdown_done)(void *arg, enum status s, const struct controlled_shutdown_response *response);
	void *shutdown_arg;
};
MAGIC(controller_channel, 0x43484e4c);

static void pump(struct controller_channel *c);

/* --- calls ------------------------------------------------------------------------------------------------------------------ */

static void told(struct task *t)
{
	struct alter_partition_call *call = CONTAINER_OF(t, struct alter_partition_call, task);
	int32_t *isr = call->result.isr;
	call->done(call, call->status, call->status == STATUS_OK ? &call->result : NULL); /* call may be gone */
	free(isr);
}

/* result (NULL: none) gives up its list. */
static void finish(struct controller_channel *c, struct alter_partition_call *call, enum status s, struct alter_partition_result *result)
{
	scheduler_timer_cancel(c->o.scheduler, &call->deadline);
	call->status = s;
	call->result = (struct alter_partition_result){0};
	if (result != NULL) {
		call->result = *result;
		call->result.tp = call->item.tp;
		result->isr = NULL;
	}
	task_init(&call->task, "alter_partition_answered", told);
	scheduler_post(call->home, &call->task);
}

static void put_last(struct controller_channel *c, struct alter_partition_call *call)
{
	call->next = NULL;
	call->prev = c->waiting_end;
	*c->waiting_end = call;
	c->waiting_end = &call->next;
}

static void take_out(struct controller_channel *c, struct alter_partition_call *call)
{
	*call->prev = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	else
		c->waiting_end = call->prev;
}

static void forget_batch(struct controller_channel *c)
{
	control_alter_request_fini(&c->request);
	free(c->batch);
	c->batch = NULL;
	c->calling = false;
}

/* What has no answer is asked again. */
static void put_back(struct controller_channel *c)
{
	for (size_t i = 0; i < c->request.item_count; i++) {
		if (c->batch[i] == NULL)
			continue;
		c->batch[i]->sent = false;
		put_last(c, c->batch[i]);
	}
	forget_batch(c);
}

static void call_overdue(struct loop_timer *t)
{
	struct alter_partition_call *call = CONTAINER_OF(t, struct alter_partition_call, deadline);
	struct controller_channel *c = CAST(controller_channel, call->channel);
	if (call->sent)
		c->batch[call->index] = NULL;
	else
		take_out(c, call);
	finish(c, call, STATUS_REQUEST_TIMED_OUT, NULL);
}

static void arrived(struct task *t)
{
	struct alter_partition_call *call = CONTAINER_OF(t, struct alter_partition_call, task);
	struct controller_channel *c = CAST(controller_channel, call->channel);
	loop_timer_init(&call->deadline, "alter_partition_deadline", call_overdue);
	call->sent = false;
	if (c->stopped) {
		finish(c, call, STATUS_CANCELLED, NULL);
		return;
	}
	if (call->timeout_us > 0)
		scheduler_timer_arm(c->o.scheduler, &call->deadline, call->timeout_us);
	put_last(c, call);
	pump(c);
}

/* --- the controller --------------------------------------------------------------------------------------------------------- */

static void drop_link(struct controller_channel *c)
{
	if (c->link != NULL)
		c->o.transport->close(c->link);
	c->link = NULL;
	free(c->host);
	c->host = NULL;
	if (c->calling)
		put_back(c);
	c->shutdown_calling = false;
}

static bool find_controller(struct controller_channel *c)
{
	struct controller_address now = {0};
	if (!c->o.locate(c->o.arg, &now)) {
		drop_link(c);
		return false;
	}
	bool same = c->link != NULL && c->to.controller_id == now.controller_id && c->to.controller_epoch == now.controller_epoch &&
		c->to.port == now.port && strcmp(c->host, now.host) == 0;
	if (same)
		return true;
	drop_link(c);
	c->host = check_strdup(now.host);
	c->to = now;
	c->to.host = c->host;
	c->link = c->o.transport->open(c->o.transport->arg, &c->to);
	return true;
}

static void retry_later(struct controller_channel *c, const char *request, enum status why)
{
	if (!c->failing)
		diag_warn("controller_does_not_answer", "controller=%d host=%s port=%d request=%s status=%s action=\"asked again\"",
			c->link == NULL ? -1 : c->to.controller_id, c->link == NULL ? "-" : c->host, c->link == NULL ? 0 : c->to.port, request,
			status_name(why));
	c->failing = true;
	scheduler_timer_arm(c->o.scheduler, &c->retry_timer, c->retry_us);
	c->retry_us = c->retry_us * 2 < RETRY_MAX_US ? c->retry_us * 2 : RETRY_MAX_US;
}

static void went_well(struct controller_channel *c)
{
	if (c->failing)
		diag_info("controller_answers", "controller=%d", c->to.controller_id);
	c->failing = false;
	c->retry_us = RETRY_MIN_US;
}

static void retry(struct loop_timer *t)
{
	pump(CAST(controller_channel, CONTAINER_OF(t, struct controller_channel, retry_timer)));
}

/* --- AlterPartition --------------------------------------------------------------------------------------------------------- */

static int compare_calls(const void *a, const void *b)
{
	const struct alter_partition_call *const *x = a, *const *y = b;
	if ((*x)->item.tp.partition != (*y)->item.tp.partition)
		return (*x)->item.tp.partition < (*y)->item.tp.partition ? -1 : 1;
	return memcmp((*x)->item.topic_id.b, (*y)->item.topic_id.b, sizeof((*x)->item.topic_id.b));
}

static struct alter_partition_call *find_call(struct alter_partition_call **sorted, size_t count, const struct alter_partition_result *r)
{
	if (!uuid_is_zero(&r->topic_id)) {
		struct alter_partition_call key = {.item = {.tp.partition = r->tp.partition, .topic_id = r->topic_id}}, *wanted = &key;
		struct alter_partition_call **found = bsearch(&wanted, sorted, count, sizeof(*sorted), compare_calls);
		return found == NULL ? NULL : *found;
	}
	for (size_t i = 0; i < count; i++) {
		if (sorted[i]->item.tp.partition == r->tp.partition && strcmp(sorted[i]->item.tp.topic, r->tp.topic) == 0)
			return sorted[i];
	}
	return NULL;
}

/* Kafka's controllers say so of a partition when the epochs asked with are newer than they know: a change of controllers. */
static bool is_definite(enum status s)
{
	return s != STATUS_NOT_CONTROLLER;
}

/* True: every one has its answer. The rest waits again. */
static bool take_results(struct controller_channel *c, const struct alter_partition_response *response)
{
	struct alter_partition_call **sorted = check_calloc(c->request.item_count + 1, sizeof(struct alter_partition_call *));
	size_t count = 0, left;
	for (size_t i = 0; i < c->request.item_count; i++)
		if (c->batch[i] != NULL)
			sorted[count++] = c->batch[i];
	if (count > 1)
		qsort(sorted, count, sizeof(*sorted), compare_calls);
	left = count;
	for (size_t i = 0; i < response->item_count; i++) {
		struct alter_partition_result r = response->items[i];
		struct alter_partition_call *call = find_call(sorted, count, &r);
		if (call == NULL || c->batch[call->index] != call || !is_definite(r.status))
			continue; /* nobody's, answered twice, or no answer */
		c->batch[call->index] = NULL;
		r.isr = check_alloc(r.isr_count * sizeof(int32_t) + 1);
		if (r.isr_count > 0)
			memcpy(r.isr, response->items[i].isr, r.isr_count * sizeof(int32_t));
		call->sent = false;
		finish(c, call, STATUS_OK, &r);
		left--;
	}
	free(sorted);
	put_back(c);
	return left == 0;
}

static void controller_channel_altered(void *arg, enum status s, const struct alter_partition_response *response)
{
	struct controller_channel *c = CAST(controller_channel, arg);
	expect(c->calling);
	enum status whole = s == STATUS_OK ? response->status : s;
	bool all = false;
	if (whole == STATUS_OK)
		all = take_results(c, response);
	else
		put_back(c);
	if (all)
		went_well(c);
	else
		retry_later(c, "AlterPartition", whole == STATUS_OK ? STATUS_NOT_CONTROLLER : whole);
	pump(c);
}

static void copy_item(struct alter_partition_item *to, const struct alter_partition_item *from)
{
	*to = *from;
	to->isr = check_calloc(from->isr_count + 1, sizeof(*to->isr));
	if (from->isr_count > 0)
		memcpy(to->isr, from->isr, from->isr_count * sizeof(*to->isr));
}

static void send_alter(struct controller_channel *c)
{
	c->request.items = check_calloc(BATCH_MAX, sizeof(*c->request.items));
	c->batch = check_calloc(BATCH_MAX, sizeof(struct alter_partition_call *));
	c->o.self(c->o.arg, &c->request.broker_id, &c->request.broker_epoch);
	while (c->waiting != NULL && c->request.item_count < BATCH_MAX) {
		struct alter_partition_call *call = c->waiting;
		take_out(c, call);
		call->sent = true;
		call->index = c->request.item_count;
		c->batch[call->index] = call;
		copy_item(&c->request.items[c->request.item_count++], &call->item);
	}
	c->calling = true;
	c->o.transport->alter_partition(c->link, &c->request, controller_channel_altered, c);
}

/* --- ControlledShutdown ----------------------------------------------------------------------------------------------------- */

static void shutdown_finish(struct controller_channel *c, enum status s, const struct controlled_shutdown_response *response)
{
	scheduler_timer_cancel(c->o.scheduler, &c->shutdown_deadline);
	c->shutting_down = false;
	c->shutdown_done(c->shutdown_arg, s, response);
}

static void controller_channel_shut_down(void *arg, enum status s, const struct controlled_shutdown_response *response)
{
	struct controller_channel *c = CAST(controller_channel, arg);
	expect(c->shutdown_calling);
	c->shutdown_calling = false;
	enum status whole = s == STATUS_OK ? response->status : s;
	if (!c->shutting_down)
		return; /* its time was over */
	if (s == STATUS_OK && whole != STATUS_NOT_CONTROLLER && whole != STATUS_STALE_BROKER_EPOCH) {
		went_well(c);
		shutdown_finish(c, STATUS_OK, response);
	} else {
		retry_later(c, "ControlledShutdown", whole);
	}
	pump(c);
}

static void shutdown_overdue(struct loop_timer *t)
{
	struct controller_channel *c = CAST(controller_channel, CONTAINER_OF(t, struct controller_channel, shutdown_deadline));
	shutdown_finish(c, STATUS_REQUEST_TIMED_OUT, NULL);
}

static void send_shutdown(struct controller_channel *c)
{
	c->o.self(c->o.arg, &c->shutdown_request.broker_id, &c->shutdown_request.broker_epoch);
	c->shutdown_calling = true;
	c->o.transport->controlled_shutdown(c->link, &c->shutdown_request, controller_channel_shut_down, c);
}

/* --- all -------------------------------------------------------------------------------------------------------------------- */

static void pump(struct controller_channel *c)
{
	bool alter = c->waiting != NULL && !c->calling, shutdown = c->shutting_down && !c->shutdown_calling;
	if (c->stopped || c->retry_timer.armed || (!alter && !shutdown))
		return;
	if (!find_controller(c)) {
		retry_later(c, "none", STATUS_NOT_CONTROLLER);
		return;
	}
	if (c->waiting != NULL && !c->calling)
		send_alter(c);
	if (c->shutting_down && !c->shutdown_calling)
		send_shutdown(c);
}

struct controller_channel *controller_channel_new(const struct controller_channel_options *o)
{
	expect(o->scheduler != NULL && o->transport != NULL && o->locate != NULL && o->self != NULL);
	struct controller_channel *c = check_calloc(1, sizeof(*c));
	c->magic = controller_channel_magic;
	c->o = *o;
	c->retry_us = RETRY_MIN_US;
	c->waiting_end = &c->waiting;
	loop_timer_init(&c->retry_timer, "controller_channel_retry", retry);
	loop_timer_init(&c->shutdown_deadline, "controlled_shutdown_deadline", shutdown_overdue);
	return c;
}

void controller_channel_look_again(struct controller_channel *c)
{
	CHECK_MAGIC(controller_channel, c);
	expect_on_loop(c->o.scheduler);
	if (c->stopped)
		return;
	if (c->link != NULL)
		(void)find_controller(c); /* what is under way to one that was replaced goes to the new one */
	scheduler_timer_cancel(c->o.scheduler, &c->retry_timer);
	c->retry_us = RETRY_MIN_US;
	pump(c);
}

void controller_channel_stop(struct controller_channel *c)
{
	CHECK_MAGIC(controller_channel, c);
	expect_on_loop(c->o.scheduler);
	if (c->stopped)
		return;
	c->stopped = true;
	scheduler_timer_cancel(c->o.scheduler, &c->retry_timer);
	drop_link(c);
	while (c->waiting != NULL) {
		struct alter_partition_call *call = c->waiting;
		take_out(c, call);
		finish(c, call, STATUS_CANCELLED, NULL);
	}
	if (c->shutting_down)
		shutdown_finish(c, STATUS_CANCELLED, NULL);
}

void controller_channel_free(struct controller_channel *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(controller_channel, c);
	expect(c->stopped && c->waiting == NULL && !c->calling);
	c->magic = 0;
	free(c);
}

void controller_channel_alter_partition(struct controller_channel *c, struct alter_partition_call *call)
{
	CHECK_MAGIC(controller_channel, c);
	expect(call->done != NULL && call->timeout_us >= 0);
	expect_on_loop(call->home);
	call->channel = c;
	task_init(&call->task, "alter_partition", arrived);
	scheduler_post(c->o.scheduler, &call->task);
}

void controller_channel_controlled_shutdown(struct controller_channel *c, int64_t timeout_us,
	void (*done)(void *arg, enum status s, const struct controlled_shutdown_response *response), void *arg)
{
	CHECK_MAGIC(controller_channel, c);
	expect_on_loop(c->o.scheduler);
	expect(!c->shutting_down && !c->stopped && timeout_us > 0);
	c->shutting_down = true;
	c->shutdown_done = done;
	c->shutdown_arg = arg;
	scheduler_timer_arm(c->o.scheduler, &c->shutdown_deadline, timeout_us);
	pump(c);
}
