#include "service/offset_list.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct group_request_offset *x = a, *y = b;
	int by_topic = strcmp(x->topic, y->topic);
	if (by_topic != 0)
		return by_topic;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

void offset_list_sort(struct group_request_offset *offsets, size_t count)
{
	if (count > 1)
		qsort(offsets, count, sizeof(*offsets), compare);
}

size_t offset_list_topics(const struct group_request_offset *offsets, size_t count)
{
	size_t topics = 0;
	for (size_t i = 0; i < count; i++)
		topics += i == 0 || strcmp(offsets[i].topic, offsets[i - 1].topic) != 0;
	return topics;
}
