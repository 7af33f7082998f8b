/* An id for an idempotent producer. Kafka: KafkaApis.handleInitProducerIdRequest, TransactionCoordinator. */
#ifndef SERVICE_PRODUCER_ID_SERVICE_H
#define SERVICE_PRODUCER_ID_SERVICE_H

#include "service/service_loop.h"

/* All memory is the caller's and lives until done; fill the first block, zero the rest. */
struct producer_id_request {
	struct service_loop *service;
	const char *transactional_id; /* NULL: none */
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct producer_id_request *r);
	void *arg;

	/* OK; COORDINATOR_LOAD_IN_PROGRESS: none at hand, ask again; INVALID_REQUEST: an empty transactional id;
	 * COORDINATOR_NOT_AVAILABLE: with a transactional id, as long as no transaction coordinator runs here */
	enum status status;
	int64_t producer_id; /* -1 on errors */
	int16_t producer_epoch;

	/* private */
	struct task task;
};
void producer_id_service_start(struct producer_id_request *r);

#endif
