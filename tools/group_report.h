/* How far a group is: for each partition it has committed or reads, its offset, the partition's end, and the lag between, in records and
 * in seconds (the age of the first record not consumed). */
#ifndef TOOLS_GROUP_REPORT_H
#define TOOLS_GROUP_REPORT_H
#include "tools/cli.h"

enum { GROUP_REPORT_NONE = -1 }; /* of offsets, lag and seconds: not known, or there is none */

struct group_row {
	const char *topic;
	int32_t partition;
	int64_t committed, end, lag;
	int64_t lag_ms;
	const struct correio_group_member *member; /* who reads it; NULL: nobody */
};
struct group_report {
	struct correio_group *group;
	struct correio_group_offsets *offsets;
	struct group_row *rows; /* by topic and partition */
	size_t row_count;
	int64_t total_lag;
};
/* config: of the client. */
int group_report_collect(struct correio_admin *admin, const struct correio_config *config, const char *group, struct group_report *ret,
	struct correio_error *err);
/* The error for a group that is not there; names a similar one. */
void group_report_missing(struct correio_admin *admin, const char *group, struct correio_error *ret_error);
void group_report_free(struct group_report *r);
#endif
