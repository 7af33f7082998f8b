/* One request on its way to a broker: the packed header, borrowed payload slices, and who is to be told. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H
#include "base/iobuf.h"
#include "frame.pb-c.h"
#include "tools/client/client_error.h"

enum { CLIENT_FRAME_PREFIX = 8 }; /* frame length, header length */

struct client_response {
	Correio__ResponseHeader *header; /* NULL: it failed, see error. With acks=0 NULL and error.code 0: it was sent */
	bool header_taken;               /* set by who keeps it: to be freed with correio__response_header__free_unpacked */
	struct correio_error error;
	struct iobuf_block *block; /* holds payload; take a shared_ref to keep it */
	struct slice payload;
};
typedef void (*client_response_fn)(void *arg, struct client_response *response);

struct client_request {
	unsigned magic;
	struct client_request *next;
	uint64_t correlation_id;
	Correio__RequestHeader__RequestCase kind;
	int64_t deadline_us;
	bool silent; /* acks=0: no answer comes */
	client_response_fn done;
	void *arg;
	/* What goes out: parts[0] is the prefix and header, owned; the payload is borrowed until done. */
	struct iovec *parts;
	int part_count, part; /* parts[part] is being sent, its first part_at bytes are gone */
	size_t part_at;
};
MAGIC(client_request, 0x434c5251);

/* protobuf-c's fields know no const; packing does not write. */
static inline char *client_text(const char *s)
{
	union {
		const char *c;
		char *v;
	} u = {.c = s};
	return u.v;
}

/* Packs header with that correlation id. payload is borrowed until done was called. */
struct client_request *client_request_new(Correio__RequestHeader *header, uint64_t correlation_id,
	const struct slice *payload, size_t payload_count);
void client_request_free(struct client_request *r);
/* Calls done and frees. */
void client_request_fail(struct client_request *r, const struct correio_error *why);
/* What is left to send as iovecs, at most max; returns how many, 0 when all is gone. */
int client_request_peek_iov(const struct client_request *r, struct iovec *iov, int max);
/* n bytes of it were written; returns how many of them belong to later requests. */
size_t client_request_advance(struct client_request *r, size_t n);
#endif
