/* The controller's requests on their way from a connection to cluster_state, which lives on the cluster loop, and back. */
#ifndef SERVICE_CONTROL_SERVICE_H
#define SERVICE_CONTROL_SERVICE_H

#include "cluster/cluster_state.h"

struct control_call {
	struct scheduler *home;    /* the asking loop */
	struct scheduler *cluster; /* cluster_state's loop */
	struct cluster_state *state;
	struct control_request request; /* its content is taken by start */
	struct control_response response; /* valid in done; freed afterwards */
	/* Exactly once, on home; never within start. The controller sees "done" only when every role has been taken. */
	void (*done)(struct control_call *c);
	void *arg;

	/* private */
	unsigned magic;
	struct task task;
};
void control_service_start(struct control_call *c);

#endif
