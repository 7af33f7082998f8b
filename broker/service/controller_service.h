/* What brokers ask of the controller, on its way from a connection to the controller of this process, which lives on the cluster loop,
 * and back. */
#ifndef SERVICE_CONTROLLER_SERVICE_H
#define SERVICE_CONTROLLER_SERVICE_H

#include "controller/controller.h"

enum controller_call_kind { CONTROLLER_CALL_ALTER, CONTROLLER_CALL_SHUTDOWN };
struct controller_call {
	struct scheduler *home;    /* the asking loop */
	struct scheduler *cluster; /* the controller's */
	/* On the cluster loop; NULL: this process has no controller. */
	struct controller *(*controller)(void *arg);
	void *controller_arg;
	enum controller_call_kind kind;
	union {
		struct alter_partition_request alter; /* its content is taken by start */
		struct controlled_shutdown_request shutdown;
	};
	union { /* valid in done; freed afterwards */
		struct alter_partition_response altered;
		struct controlled_shutdown_response shut_down;
	};
	/* Exactly once, on home; never within start. Without a controller: NOT_CONTROLLER. */
	void (*done)(struct controller_call *c);
	void *arg;

	/* private */
	unsigned magic;
	struct task task;
};
void controller_service_start(struct controller_call *c);

#endif
