/* Proof that records came through: each carries its partition and its number in it. None lost, none twice, in order. */
#ifndef TOOLS_VERIFIER_H
#define TOOLS_VERIFIER_H
#include "base/bytes.h"

/* First bytes of a record: partition (i32), number within it (i64), big-endian. */
enum { VERIFIER_ID_SIZE = 12 };
void verifier_write_id(uint8_t *value, int32_t partition, int64_t number);

struct verifier;
struct verifier *verifier_new(void);
void verifier_free(struct verifier *v);
/* A record as read from `partition`. */
void verifier_add(struct verifier *v, int32_t partition, struct slice value);

struct verifier_result {
	uint64_t records;      /* all that came */
	uint64_t unique;       /* without those that came again */
	uint64_t missing;      /* numbers left out below the highest seen of their partition */
	uint64_t duplicates;
	uint64_t out_of_order; /* came after a higher number, for the first time */
	uint64_t misplaced;    /* in another partition than they were sent to, or without an id */
};
struct verifier_result verifier_result(const struct verifier *v);
#endif
