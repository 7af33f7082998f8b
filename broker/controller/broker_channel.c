#include "controller/broker_channel.h"
#include "base/diag.h"
#include <stdlib.h>

struct channel_request {
	struct channel_request *next;
	struct control_request request;
	size_t bytes;
};
struct broker_channel {
	unsigned magic;
	struct broker_channel_options options;
	char *host;
	struct control_link *link;
	struct channel_request *head, **tail; /* head is under way when calling */
	size_t count, bytes;
	bool calling;
	struct loop_timer retry_timer, overrun_timer;
	int64_t retry_us;
	bool failing; /* said so already */
};
MAGIC(broker_channel, 0x4348414e);

static void channel_pump(struct broker_channel *c);

/* --- size ----------------------------------------------------------------- */

static size_t topics_bytes(const struct control_topic *topics, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++) {
		bytes += sizeof topics[i] + strlen(topics[i].name);
		for (size_t j = 0; j < topics[i].partition_count; j++) {
			const struct control_partition *p = &topics[i].partitions[j];
			bytes += sizeof *p + (p->isr_count + p->replica_count) * sizeof(int32_t);
		}
	}
	return bytes;
}

size_t broker_channel_request_bytes(const struct control_request *r)
{
	size_t bytes = sizeof *r;
	switch (r->kind) {
	case CONTROL_UPDATE_METADATA:
		bytes += r->update_metadata.broker_count * 256;
		return bytes + topics_bytes(r->update_metadata.topics, r->update_metadata.topic_count);
	case CONTROL_LEADER_AND_ISR:
		return bytes + topics_bytes(r->leader_and_isr.topics, r->leader_and_isr.topic_count);
	case CONTROL_STOP_REPLICA:
		return bytes + r->stop_replica.partition_count * sizeof(struct stop_replica_partition);
	default:
		unreachable("a control request of no kind");
	}
}

/* --- queue ---------------------------------------------------------------- */

static void request_free(struct channel_request *q)
{
	control_request_fini(&q->request);
	free(q);
}

static struct channel_request *queue_pop(struct broker_channel *c)
{
	struct channel_request *q = c->head;
	expect(q != NULL && c->count > 0 && c->bytes >= q->bytes);
	c->head = q->next;
	if (c->head == NULL)
		c->tail = &c->head;
	c->count--;
	c->bytes -= q->bytes;
	return q;
}

/* All that wait and for which drop() holds; the one under way stays. */
static void queue_drop(struct broker_channel *c, bool (*drop)(const struct control_request *r))
{
	struct channel_request **at = &c->head;
	if (c->calling)
		at = &c->head->next;
	while (*at != NULL) {
		struct channel_request *q = *at;
		if (!drop(&q->request)) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		c->count--;
		c->bytes -= q->bytes;
		request_free(q);
	}
	c->tail = at;
}

static bool is_metadata(const struct control_request *r)
{
	return r->kind == CONTROL_UPDATE_METADATA;
}

static bool is_anything(const struct control_request *r)
{
	(void)r;
	return true;
}

/* --- calling -------------------------------------------------------------- */

static void channel_retry(struct loop_timer *t)
{
	struct broker_channel *c = CONTAINER_OF(t, struct broker_channel, retry_timer);
	CHECK_MAGIC(broker_channel, c);
	channel_pump(c);
}

static void channel_failed(struct broker_channel *c, enum status s)
{
	if (!c->failing)
		diag_warn("broker_unreachable", "broker=%d host=%s port=%d status=%s", c->options.link.broker_id, c->host,
			c->options.link.port, status_name(s));
	c->failing = true;
	scheduler_timer_arm(c->options.scheduler, &c->retry_timer, c->retry_us);
	c->retry_us *= 2;
	if (c->retry_us > BROKER_CHANNEL_RETRY_MAX_US)
		c->retry_us = BROKER_CHANNEL_RETRY_MAX_US;
}

static void channel_called(void *arg, enum status s, const struct control_response *response)
{
	struct broker_channel *c = CAST(broker_channel, arg);
	expect(c->calling);
	c->calling = false;
	if (s == STATUS_TOO_LARGE) { /* would never pass */
		diag_error("control_request_too_large", "broker=%d kind=%d", c->options.link.broker_id,
			(int)c->head->request.kind);
		request_free(queue_pop(c));
	} else if (s != STATUS_OK) {
		channel_failed(c, s);
		return;
	} else {
		struct channel_request *q = queue_pop(c);
		if (c->failing)
			diag_info("broker_reachable", "broker=%d", c->options.link.broker_id);
		c->failing = false;
		c->retry_us = BROKER_CHANNEL_RETRY_MIN_US;
		channel_pump(c); /* before the answer is acted on: what follows is on its way meanwhile */
		c->options.answered(c->options.arg, c->options.link.broker_id, &q->request, response);
		request_free(q);
		return;
	}
	channel_pump(c);
}

static void channel_pump(struct broker_channel *c)
{
	if (c->calling || c->head == NULL || c->retry_timer.armed)
		return;
	c->calling = true;
	c->options.transport->call(c->link, &c->head->request, channel_called, c);
}

static void channel_overrun(struct loop_timer *t)
{
	struct broker_channel *c = CONTAINER_OF(t, struct broker_channel, overrun_timer);
	CHECK_MAGIC(broker_channel, c);
	c->options.overrun(c->options.arg, c->options.link.broker_id);
}

/* --- public --------------------------------------------------------------- */

struct broker_channel *broker_channel_new(const struct broker_channel_options *o)
{
	struct broker_channel *c = check_calloc(1, sizeof *c);
	*c = (struct broker_channel){.magic = broker_channel_magic, .options = *o, .host = check_strdup(o->link.host),
		.retry_us = BROKER_CHANNEL_RETRY_MIN_US};
	c->tail = &c->head;
	c->options.link.host = c->host;
	loop_timer_init(&c->retry_timer, "broker_channel_retry", channel_retry);
	loop_timer_init(&c->overrun_timer, "broker_channel_overrun", channel_overrun);
	c->link = o->transport->open(o->transport->arg, &c->options.link);
	return c;
}

void broker_channel_free(struct broker_channel *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(broker_channel, c);
	scheduler_timer_cancel(c->options.scheduler, &c->retry_timer);
	scheduler_timer_cancel(c->options.scheduler, &c->overrun_timer);
	c->options.transport->close(c->link);
	while (c->head != NULL)
		request_free(queue_pop(c));
	free(c->host);
	c->magic = 0;
	free(c);
}

void broker_channel_send(struct broker_channel *c, struct control_request *request)
{
	CHECK_MAGIC(broker_channel, c);
	if (request->kind == CONTROL_UPDATE_METADATA && request->update_metadata.full)
		queue_drop(c, is_metadata);
	struct channel_request *q = check_calloc(1, sizeof *q);
	q->request = *request;
	q->bytes = broker_channel_request_bytes(request);
	*request = (struct control_request){0};
	*c->tail = q;
	c->tail = &q->next;
	c->count++;
	c->bytes += q->bytes;
	if (c->count > BROKER_CHANNEL_QUEUE_MAX || c->bytes > BROKER_CHANNEL_BYTES_MAX) {
		diag_warn("broker_channel_overrun", "broker=%d requests=%zu bytes=%zu", c->options.link.broker_id, c->count,
			c->bytes);
		queue_drop(c, is_anything);
		/* Told when the broker may have had time to come back: a full picture is not cheap. */
		if (!c->overrun_timer.armed)
			scheduler_timer_arm(c->options.scheduler, &c->overrun_timer, BROKER_CHANNEL_RETRY_MAX_US);
		if (!c->calling)
			return;
	}
	channel_pump(c);
}

size_t broker_channel_queued(const struct broker_channel *c)
{
	return c->count;
}
