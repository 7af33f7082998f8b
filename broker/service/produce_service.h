/* Produce, free of any protocol: each batch is checked on the connection's loop, appended on its partition's, and the request is
 * answered when every partition has. Kafka: KafkaApis.handleProduceRequest, ReplicaManager.appendRecords. */
#ifndef SERVICE_PRODUCE_SERVICE_H
#define SERVICE_PRODUCE_SERVICE_H

#include "runtime/gather.h"
#include "service/leader_hint.h"
#include "service/service_loop.h"

struct produce_request;

/* One batch for one partition. The caller fills the first block. */
struct produce_entry {
	const char *topic;
	int32_t partition;
	struct slice records; /* one batch; writable memory that lives until done: it is stamped in place */

	bool answered; /* set by the caller: the answer stands below already, nothing is appended */
	enum status status;
	char *message; /* in the arena; NULL: status_text() */
	int64_t base_offset, log_append_time_ms, log_start_offset; /* -1 on errors */
	struct leader_hint leader; /* with NOT_LEADER_OR_FOLLOWER; valid in done */

	/* private */
	struct produce_request *request;
	struct record_batch batch;
	struct iobuf_block *rewritten; /* holds batch; NULL: it is the one that arrived */
	struct produce_part part;
};
struct produce_request {
	struct service_loop *service;
	struct arena *arena;  /* lives until done */
	const char *listener; /* name of the one the request came in by */
	int32_t acks;         /* 0, 1, -1 */
	int64_t timeout_ms;
	struct produce_entry *entries;
	size_t entry_count;
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct produce_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct gather gather;
};
/* Requests started in order on one loop are appended in that order. */
void produce_service_start(struct produce_request *r);

#endif
