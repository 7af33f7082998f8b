/* What the controller has to say to one life of one broker: a bounded queue, one request under way, each repeated until it is
 * answered or the broker is gone. Control requests are idempotent, so repeating is safe. On the controller's loop. */
#ifndef CONTROLLER_BROKER_CHANNEL_H
#define CONTROLLER_BROKER_CHANNEL_H

#include "base/scheduler.h"
#include "controller/control_transport.h"

enum {
	BROKER_CHANNEL_QUEUE_MAX = 4096,
	BROKER_CHANNEL_BYTES_MAX = 64 << 20,
	BROKER_CHANNEL_RETRY_MIN_US = 50 * 1000,
	BROKER_CHANNEL_RETRY_MAX_US = 1000 * 1000,
};

struct broker_channel;
struct broker_channel_options {
	struct scheduler *scheduler;
	const struct control_transport *transport;
	struct control_link_options link;
	/* request and response are borrowed for the call. */
	void (*answered)(void *arg, int32_t broker_id, const struct control_request *request,
		const struct control_response *response);
	/* The queue ran over (a broker that answers nothing) and was emptied: the broker must be told everything again. Not
	 * called from within broker_channel_send. */
	void (*overrun)(void *arg, int32_t broker_id);
	void *arg;
};
struct broker_channel *broker_channel_new(const struct broker_channel_options *o);
/* Drops what waits. Not from within its callbacks. */
void broker_channel_free(struct broker_channel *c);
/* Takes what the request holds. A full UpdateMetadata takes the place of those that wait. */
void broker_channel_send(struct broker_channel *c, struct control_request *request);
size_t broker_channel_queued(const struct broker_channel *c);
/* Roughly what a request takes, in memory and on the wire. */
size_t broker_channel_request_bytes(const struct control_request *r);
#endif
