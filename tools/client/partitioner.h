/* Which partition a record goes to. Kafka: BuiltInPartitioner. */
#ifndef CLIENT_PARTITIONER_H
#define CLIENT_PARTITIONER_H
#include "base/bytes.h"
/* murmur2, sign bit dropped, modulo: the same as Kafka's clients. count > 0. */
int32_t partitioner_of_key(struct slice key, int32_t count);
/* Another partition than `last` (-1: any), evenly by the dice. */
int32_t partitioner_next_sticky(int32_t last, int32_t count, uint64_t dice);
#endif
