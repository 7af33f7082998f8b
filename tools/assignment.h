/* Replica assignments as typed: "0:1,1:2" is partition 0 on brokers 0 and 1, partition 1 on 1 and 2. */
#ifndef TOOLS_ASSIGNMENT_H
#define TOOLS_ASSIGNMENT_H
#include "tools/cli.h"
struct assignment {
	struct correio_replicas *partitions;
	int32_t count;
};
/* False: ret_why says what is wrong. */
bool assignment_parse(const char *text, struct assignment *ret_assignment, char *ret_why, size_t why_size);
void assignment_free(struct assignment *a);
#endif
