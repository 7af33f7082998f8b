/* Ids for idempotent producers, never given twice in a cluster: taken from ZooKeeper in blocks of 1000, the next block before
 * the present one is used up. While ZooKeeper is away they go on until the block ends. A restart wastes what is left of one.
 * One per broker, on the cluster loop. Kafka: ZkProducerIdManager, ProducerIdsBlock. */
#ifndef COORDINATOR_PRODUCER_IDS_H
#define COORDINATOR_PRODUCER_IDS_H

#include "coordinator-client/zk_client.h"

struct producer_ids;
/* zk and broker_id: of this broker. */
struct producer_ids *producer_ids_new(struct zk_client *zk, int32_t broker_id);
/* NULL: nothing. zk's requests of ours are answered, or it is closed. */
void producer_ids_free(struct producer_ids *p);
/* Takes the first block; on the loop, once. */
void producer_ids_start(struct producer_ids *p);
/* Asks ZooKeeper for nothing any more. */
void producer_ids_stop(struct producer_ids *p);

/* Any thread. */
struct scheduler *producer_ids_scheduler(const struct producer_ids *p);
/* STATUS_COORDINATOR_LOAD_IN_PROGRESS: there is none at hand; another block is on its way. */
MUST_CHECK enum status producer_ids_next(struct producer_ids *p, int64_t *ret_producer_id);

/* A range for another broker to give out, as large as there is at hand; on the loop. The same statuses. */
MUST_CHECK enum status producer_ids_take(struct producer_ids *p, int64_t *ret_first, int32_t *ret_count);

/* Ids at hand: for tests. */
int64_t producer_ids_left(const struct producer_ids *p);

#endif
