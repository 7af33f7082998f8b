/* The native front: a frame becomes a call, a row of the table says who handles it and what it may cost. */
#ifndef NATIVE_NATIVE_DISPATCH_H
#define NATIVE_NATIVE_DISPATCH_H

#include "net/connection.h"
#include "service/service_loop.h"

struct native_dispatch;

struct native_dispatch_options {
	struct service_loop *const *loops; /* borrowed; one per event loop */
	size_t loop_count;
	const struct settings *settings;
	const char *cluster_id;      /* copied */
	int32_t broker_id;
};
struct native_dispatch *native_dispatch_new(const struct native_dispatch_options *o);
/* No request may be under way. */
void native_dispatch_free(struct native_dispatch *d);
/* Field numbers of the requests in the table, for HelloResponse; returns how many were written. */
size_t native_dispatch_supported(uint32_t *ret_fields, size_t room);
/* For the server: the front of connections that speak the native protocol. Lives as long as d. */
const struct connection_front *native_dispatch_front(const struct native_dispatch *d);

#endif
