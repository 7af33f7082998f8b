#include "kafka/kafka_call.h"

#include "base/metrics.h"

static void observe(const struct kafka_call *c)
{
	int64_t took_us = clock_monotonic_us(c->service->scheduler->clock) - c->request->received_us;
	if (c->api->key == kafka_messages_api(KAFKA_API_produce)->key)
		metrics_observe_us(METRIC_produce_us, took_us);
	else if (c->api->key == kafka_messages_api(KAFKA_API_fetch)->key)
		metrics_observe_us(METRIC_fetch_us, took_us);
}

/* The last look at c: it lies in the request's arena. */
static struct request *end(struct kafka_call *c)
{
	struct request *r = c->request;
	if (c->release != NULL)
		c->release(c);
	c->magic = 0;
	return r;
}

void kafka_call_answer(struct kafka_call *c, const void *body, struct iobuf *payload)
{
	CHECK_MAGIC(kafka_call, c);
	struct request *r = c->request;
	enum status s = kafka_codec_encode_response(c->api, &c->header, body, payload, &r->response);
	if (s != STATUS_OK) {
		if (payload != NULL)
			iobuf_fini(payload);
		kafka_call_abort(c, "the answer does not fit one frame");
		return;
	}
	observe(c);
	request_complete(end(c));
}

void kafka_call_silent(struct kafka_call *c)
{
	CHECK_MAGIC(kafka_call, c);
	observe(c);
	request_complete_silent(end(c));
}

void kafka_call_abort(struct kafka_call *c, const char *why)
{
	CHECK_MAGIC(kafka_call, c);
	request_abort(end(c), why);
}

void kafka_call_abort_memory(struct kafka_call *c)
{
	kafka_call_abort(c, "the request or its answer needs more memory than one request may have");
}

void *kafka_call_array(struct kafka_call *c, size_t count, size_t size)
{
	return arena_calloc(&c->request->arena, count + 1, size);
}

void *kafka_call_parts(struct kafka_call *c, const struct kafka_struct *s, int32_t count)
{
	expect(count >= 0);
	uint8_t *parts = kafka_call_array(c, (size_t)count, s->size);
	for (size_t i = 0; parts != NULL && i < (size_t)count; i++)
		kafka_messages_init(s, &parts[i * s->size]);
	return parts;
}

const char *kafka_call_message(enum status s, const char *message)
{
	if (s == STATUS_OK)
		return NULL;
	return message == NULL || message[0] == '\0' ? status_text(s) : message;
}

int16_t kafka_call_data_code(enum status s, bool knows_storage_errors)
{
	int16_t code = status_code(s);
	if (!knows_storage_errors && code == status_code(STATUS_KAFKA_STORAGE_ERROR))
		return status_code(STATUS_NOT_LEADER_OR_FOLLOWER);
	return code;
}
