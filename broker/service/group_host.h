/* How a group's members are shown to live: "/10.0.0.1", as Java writes an address and Kafka's tools show it. */
#ifndef SERVICE_GROUP_HOST_H
#define SERVICE_GROUP_HOST_H

#include "base/arena.h"

/* peer: "10.0.0.1:5678" or "[::1]:5678". NULL: the arena is full. */
char *group_host_of(struct arena *a, const char *peer) MUST_CHECK;

#endif
