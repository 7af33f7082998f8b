/* What brokers ask of the controller, on its way from a connection to the controller of this process, which lives on the cluster loop,
 * and back. */
#ifndef SERVICE_CONTROLLER_SERVICE_H
#define SERVICE_CONTROLLER_SERVICE_H

#include "controller/controller.h"

struct producer_ids;

enum controller_call_kind { CONTROLLER_CALL_ALTER, CONTROLLER_CALL_SHUTDOWN, CONTROLLER_CALL_PRODUCER_IDS };
/* A range of producer ids for the broker that asks. */
struct controller_call_ids {
	enum status status;
	int64_t first;
	int32_t count;
};
struct controller_call {
	struct scheduler *home;    /* the asking loop */
	struct scheduler *cluster; /* the controller's */
	/* On the cluster loop; NULL: this process has no controller. */
	struct controller *(*controller)(void *arg);
	void *controller_arg;
	struct producer_ids *producer_ids; /* PRODUCER_IDS: on the same loop */
	enum controller_call_kind kind;
	union {
		struct alter_partition_request alter; /* its content is taken by start */
		struct controlled_shutdown_request shutdown;
	};
	union { /* valid in done; freed afterwards */
		struct alter_partition_response altered;
		struct controlled_shutdown_response shut_down;
		struct controller_call_ids ids;
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
