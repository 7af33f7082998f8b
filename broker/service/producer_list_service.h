/* What leaders know of the idempotent producers of their partitions. Kafka: KafkaApis.handleDescribeProducersRequest. */
#ifndef SERVICE_PRODUCER_LIST_SERVICE_H
#define SERVICE_PRODUCER_LIST_SERVICE_H

#include "runtime/gather.h"
#include "service/service_loop.h"

struct producer_list_request;

struct producer_list_entry {
	const char *topic;
	int32_t partition;

	enum status status;
	char *message; /* in the arena; NULL: status_text() */
	struct producer_info *producers; /* freed by the caller */
	size_t count;

	/* private */
	struct producer_list_request *request;
	struct describe_producers_part part;
};
struct producer_list_request {
	struct service_loop *service;
	struct arena *arena; /* lives until done */
	struct producer_list_entry *entries;
	size_t entry_count;
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct producer_list_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct gather gather;
};
void producer_list_service_start(struct producer_list_request *r);

#endif
