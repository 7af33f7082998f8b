/* One native request on its way through a handler. Handlers end it exactly once with native_call_answer or one of the fails; the
 * call and everything in its arena is gone then. */
#ifndef NATIVE_NATIVE_CALL_H
#define NATIVE_NATIVE_CALL_H

#include "native/native_dispatch.h"
#include "service/leader_hint.h"
#include "wire/native_codec.h"

#include "frame.pb-c.h"

struct native_call;
struct native_method {
	const char *name;
	Correio__RequestHeader__RequestCase request;
	size_t memory_estimate; /* bytes the handler may take of the arena, on top of the decoded header */
	void (*handle)(struct native_call *c);
};
struct native_call {
	unsigned magic;
	struct request *request;
	const struct native_dispatch *dispatch;
	const struct native_method *method;
	struct service_loop *service;
	const Correio__RequestHeader *header;
	struct slice payload;
	/* Set by handlers that wait for something other than disks: the peer has gone, end the wait. NULL: it ends soon anyway. */
	void (*abandoned)(struct native_call *c);
	void *waiting; /* for abandoned */
	/* Set by handlers that hold memory outside of the request's arena: the call ends, and its answer is encoded. */
	void (*release)(struct native_call *c);
	void *held; /* for release */
};
MAGIC(native_call, 0x4e43414c);

struct native_dispatch {
	unsigned magic;
	struct native_dispatch_options options;
	char *cluster_id;
	struct connection_front front;
};
MAGIC(native_dispatch, 0x4e444953);

/* header: its correlation id is filled in here. payload NULL: none; moved. */
void native_call_answer(struct native_call *c, Correio__ResponseHeader *header, struct iobuf *payload);
/* The request as a whole failed: what, which, what to do. */
void native_call_fail(struct native_call *c, enum status s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The handler's arena is full. */
void native_call_fail_memory(struct native_call *c);
/* Zeroed memory for count elements that lives as long as the call; NULL: native_call_fail_memory. */
void *native_call_array(struct native_call *c, size_t count, size_t size) MUST_CHECK;
/* An array of count pointers to count elements of that size, as protobuf-c wants it. */
void **native_call_list(struct native_call *c, size_t count, size_t size) MUST_CHECK;

/* protobuf-c's structs want writable text; packing only reads it. */
static inline char *native_call_text(const char *s)
{
	return (char *)(uintptr_t)s;
}
/* NULL stays NULL: the field is left out. */
void native_call_fill_hint(const struct leader_hint *h, Correio__LeaderHint *ret_hint);
/* message, or the status's own sentence. */
char *native_call_message(enum status s, char *message);

#endif
