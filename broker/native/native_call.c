#include "native/native_call.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <stdarg.h>

static void observe(const struct native_call *c, bool failed)
{
	int64_t took_us = clock_monotonic_us(c->service->scheduler->clock) - c->request->received_us;
	if (failed)
		metrics_add(METRIC_request_errors, 1);
	if (c->header->request_case == CORREIO__REQUEST_HEADER__REQUEST_PRODUCE)
		metrics_observe_us(METRIC_produce_us, took_us);
	else if (c->header->request_case == CORREIO__REQUEST_HEADER__REQUEST_FETCH)
		metrics_observe_us(METRIC_fetch_us, took_us);
}

void native_call_answer(struct native_call *c, Correio__ResponseHeader *header, struct iobuf *payload)
{
	CHECK_MAGIC(native_call, c);
	struct request *r = c->request;
	header->correlation_id = c->header->correlation_id;
	enum status s = native_codec_encode_response(header, payload, &r->response);
	if (s != STATUS_OK) {
		if (payload != NULL)
			iobuf_fini(payload);
		native_call_fail(c, s, "%s: the answer does not fit one frame; ask for less at a time", c->method->name);
		return;
	}
	observe(c, header->error_code != 0);
	if (c->release != NULL)
		c->release(c);
	c->magic = 0;
	request_complete(r);
}

void native_call_fail(struct native_call *c, enum status s, const char *fmt, ...)
{
	Correio__ResponseHeader header;
	char text[512];
	va_list args;
	expect(s != STATUS_OK);
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	expect(n >= 0);
	correio__response_header__init(&header);
	header.error_code = status_code(s);
	header.error_message = text;
	diag_debug("request_failed", "peer=%s request=%s status=%s", request_peer(c->request), c->method->name, status_name(s));
	native_call_answer(c, &header, NULL);
}

void native_call_fail_memory(struct native_call *c)
{
	native_call_fail(c, STATUS_TOO_LARGE, "%s: the request or its answer needs more memory than one request may have; ask for "
		"less at a time", c->method->name);
}

void *native_call_array(struct native_call *c, size_t count, size_t size)
{
	return arena_calloc(&c->request->arena, count + 1, size);
}

void **native_call_list(struct native_call *c, size_t count, size_t size)
{
	void **list = native_call_array(c, count, sizeof(*list));
	uint8_t *elements = native_call_array(c, count, size);
	if (list == NULL || elements == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		list[i] = &elements[i * size];
	return list;
}

void native_call_fill_hint(const struct leader_hint *h, Correio__LeaderHint *ret_hint)
{
	correio__leader_hint__init(ret_hint);
	ret_hint->broker_id = h->broker_id;
	ret_hint->leader_epoch = h->leader_epoch;
	ret_hint->host = native_call_text(h->host);
	ret_hint->port = h->port;
}

char *native_call_message(enum status s, char *message)
{
	if (s == STATUS_OK || message != NULL)
		return message;
	return native_call_text(status_text(s));
}
