/* The Kafka front: a frame becomes a call, a row of the table says which versions are served, by whom, and what it may cost. */
#ifndef KAFKA_KAFKA_DISPATCH_H
#define KAFKA_KAFKA_DISPATCH_H

#include "net/connection.h"
#include "service/service_loop.h"

struct kafka_dispatch;
struct cluster_state;
struct controller;

struct kafka_dispatch_options {
	struct service_loop *const *loops; /* borrowed; one per event loop */
	size_t loop_count;
	const struct settings *settings;
	const char *cluster_id; /* copied */
	struct cluster_state *state; /* NULL: the controller's requests are refused */
	struct scheduler *cluster;   /* state's loop, and the controller's */
	/* The controller of this process, on its loop; NULL: there is none. May be NULL where state is. */
	struct controller *(*controller)(void *arg);
	void *controller_arg;
};
struct kafka_dispatch *kafka_dispatch_new(const struct kafka_dispatch_options *o);
/* No request may be under way. */
void kafka_dispatch_free(struct kafka_dispatch *d);
/* For the server: the front of connections that speak Kafka's protocol. Lives as long as d. */
const struct connection_front *kafka_dispatch_front(const struct kafka_dispatch *d);

/* What is advertised: the rows of the table. */
struct kafka_dispatch_range {
	int16_t key, min, max;
};
size_t kafka_dispatch_count(void);
struct kafka_dispatch_range kafka_dispatch_range(size_t index);

#endif
