/* Does anything listen at an address? For registration: an older entry under our id may be of a dead process. */
#ifndef BROKER_PROBE_H
#define BROKER_PROBE_H

#include "base/scheduler.h"
#include "cluster/broker_registration.h"

/* Looks the host up and connects, in the pool; done on home, within about a second and the resolver's time. */
void broker_probe_start(struct background *background, struct scheduler *home, const char *host, int32_t port,
	void (*done)(void *arg, enum probe_result r), void *arg);

#endif
