/* Shared by the tests of the client: handles on a peer, numbered records in and out. */
#ifndef TESTS_UNIT_CLIENT_FIXTURE_H
#define TESTS_UNIT_CLIENT_FIXTURE_H
#include "native_peer.h"
#include "tools/client/correio.h"
#include "unit.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct reports {
	_Atomic int records, failed, batches;
	_Atomic int last_code;
	_Atomic int64_t opaque_sum;
	_Atomic int out_of_order; /* opaques of one partition must grow */
	int64_t last_opaque[64];
};
/* pairs: key, value, ..., NULL */
struct correio_config *fixture_config(struct native_peer *peer, const char *const *pairs);
struct correio_producer *fixture_producer(struct native_peer *peer, struct reports *reports, const char *const *pairs);
struct correio_consumer *fixture_consumer(struct native_peer *peer, const char *const *pairs);
/* Topic "t", value "value-<number>", timestamp 1000 + number, the number as opaque. */
int fixture_send(struct correio_producer *p, int32_t partition, intptr_t number, struct correio_error *err);
/* [from, to) */
void fixture_send_all(struct correio_producer *p, int32_t partition, int from, int to);
/* Next `count` records must be value-<first>, value-<first+1>, ... */
void fixture_expect(struct correio_consumer *c, int first, int count);
/* The same by a consumer of its own from the beginning of the partition. */
void fixture_expect_stored(struct native_peer *peer, int32_t partition, int first, int count);
#endif
