/* A broker of the native protocol in this process, for tests of the client: threads, loopback sockets, batches in memory.
 * Written against proto/native/ alone; it shares no code with the client. One topic, "t"; two listeners, broker 1 and 2. */
#ifndef TESTS_UNIT_NATIVE_PEER_H
#define TESTS_UNIT_NATIVE_PEER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct native_peer;

struct native_peer *native_peer_start(int32_t partitions);
void native_peer_stop(struct native_peer *p);
/* "127.0.0.1:port" of broker 1; lives as long as the peer. */
const char *native_peer_bootstrap(const struct native_peer *p);

/* The next `count` produce entries are refused with this code. */
void native_peer_fail_produce(struct native_peer *p, int count, int32_t code);
/* The next `count` produce requests are stored, but the connection is closed instead of an answer. */
void native_peer_drop_answers(struct native_peer *p, int count);
/* The next InitProducer is refused with this code; with 35 (a broker that does not know it) all are. */
void native_peer_refuse_ids(struct native_peer *p, int32_t code);
/* Producers that were given an id. */
int native_peer_producers(struct native_peer *p);
/* While held, produce requests are read but neither stored nor answered. */
void native_peer_hold(struct native_peer *p, bool hold);
/* Batches above this are refused with MESSAGE_TOO_LARGE. */
void native_peer_set_max_batch(struct native_peer *p, size_t bytes);
/* Moves leadership of all partitions to broker 1 or 2; the other answers NOT_LEADER (with or without a hint). */
void native_peer_set_leader(struct native_peer *p, int32_t broker, bool hint);
/* More partitions than at the start. */
void native_peer_set_partitions(struct native_peer *p, int32_t partitions);
/* Drops everything below `offset` (offset must be a batch border). */
void native_peer_set_log_start(struct native_peer *p, int32_t partition, int64_t offset);
/* Flips a bit in the records of the n-th stored batch. */
void native_peer_damage(struct native_peer *p, int32_t partition, size_t batch);

int64_t native_peer_end_offset(struct native_peer *p, int32_t partition);
size_t native_peer_batch_count(struct native_peer *p, int32_t partition);
int native_peer_produce_requests(struct native_peer *p);
/* Waits until that many produce requests have been read. */
void native_peer_wait_produce_requests(struct native_peer *p, int count);
/* Largest number of produce requests seen waiting at once for one partition (held ones). */
int native_peer_max_overlap(struct native_peer *p);
#endif
