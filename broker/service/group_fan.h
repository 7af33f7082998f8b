/* One request about many groups (describe, fetch offsets, delete), asked of each group's coordinator. At most GROUP_FAN_WIDTH at a time,
 * each in an arena of its own, since two coordinators cannot share one; together they stay within a budget. */
#ifndef SERVICE_GROUP_FAN_H
#define SERVICE_GROUP_FAN_H

#include "runtime/gather.h"
#include "service/group_service.h"

enum { GROUP_FAN_WIDTH = 8 };

struct group_fan;
struct group_fan_part {
	struct group_request request; /* the caller fills group_id, kind and its part */
	/* private */
	struct arena arena;
	struct group_fan *fan;
	size_t share_bytes;
};
struct group_fan {
	struct service_loop *service;
	struct group_fan_part *parts;
	size_t count;
	size_t budget_bytes; /* of all answers */
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct group_fan *f);
	void *arg;

	/* private */
	struct gather gather;
	size_t next, in_flight;
	bool starting;
};
void group_fan_start(struct group_fan *f);
/* When what the answers point to is no longer needed. Harmless before start. */
void group_fan_fini(struct group_fan *f);

#endif
