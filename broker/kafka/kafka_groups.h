/* What the handlers of group requests share. */
#ifndef KAFKA_KAFKA_GROUPS_H
#define KAFKA_KAFKA_GROUPS_H

#include "kafka/kafka_call.h"
#include "service/group_fan.h"

/* A request to one group. Zeroed, its arena the call's; NULL: the call was aborted. */
struct kafka_group_call {
	struct kafka_call *call;
	struct group_request request;
};
MUST_CHECK struct kafka_group_call *kafka_groups_new(struct kafka_call *c, enum group_request_kind kind, const char *group_id);
/* answer fills in and sends the response; it finds the kafka_group_call in the request's arg. */
void kafka_groups_start(struct kafka_group_call *g, void (*answer)(struct group_request *r));
struct kafka_call *kafka_groups_call(const struct group_request *r);

/* "" for null. */
static inline const char *kafka_groups_text(const char *s)
{
	return s == NULL ? "" : s;
}

/* Parts for so many groups, their answers together within budget_bytes; released when the call ends. fan->arg is the call. NULL: the
 * call was aborted. */
MUST_CHECK struct group_fan *kafka_groups_fan(struct kafka_call *c, size_t count, size_t budget_bytes);

#endif
