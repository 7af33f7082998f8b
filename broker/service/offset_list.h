/* Offsets of a group, flat, as requests carry them; answers group them by topic. */
#ifndef SERVICE_OFFSET_LIST_H
#define SERVICE_OFFSET_LIST_H

#include "coordinator/group_request.h"

/* By topic, then partition. */
void offset_list_sort(struct group_request_offset *offsets, size_t count);
/* How many topics there are, where those of one topic are neighbours. */
size_t offset_list_topics(const struct group_request_offset *offsets, size_t count);
/* What became of an entry when its request is done: its own status, else that of the whole. */
static inline enum status offset_list_status(const struct group_request_offset *o, enum status whole)
{
	return o->status != STATUS_OK ? o->status : whole;
}

#endif
