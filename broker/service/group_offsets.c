#include "service/group_offsets.h"

#include <stdlib.h>

bool group_offsets_init(struct group_offsets *o, struct arena *a, size_t room)
{
	*o = (struct group_offsets){.room = room};
	o->known = arena_calloc(a, room + 1, sizeof(*o->known));
	o->entries = arena_calloc(a, room + 1, sizeof(*o->entries));
	return o->known != NULL && o->entries != NULL;
}

static bool exists(const struct cluster_image *image, const char *name, int32_t partition)
{
	const struct image_topic *t = cluster_image_topic(image, slice_of_str(name));
	return t != NULL && image_topic_partition(t, partition) != NULL;
}

void group_offsets_add(struct group_offsets *o, const struct cluster_image *image, const struct group_request_offset *entry)
{
	expect(o->entry_count < o->room);
	size_t i = o->entry_count++;
	if (!exists(image, entry->topic, entry->partition))
		return;
	struct group_request_offset *known = &o->known[o->known_count++];
	*known = *entry;
	o->entries[i] = known;
}

enum status group_offsets_status(const struct group_offsets *o, size_t i, enum status whole)
{
	expect(i < o->entry_count);
	if (o->entries[i] == NULL)
		return STATUS_UNKNOWN_TOPIC_OR_PARTITION;
	return whole != STATUS_OK ? whole : o->entries[i]->status;
}

static int compare(const void *a, const void *b)
{
	const struct group_request_offset *x = a, *y = b;
	int by_topic = strcmp(x->topic, y->topic);
	if (by_topic != 0)
		return by_topic;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

void group_offsets_sort(struct group_request_offset *offsets, size_t count)
{
	if (count > 1)
		qsort(offsets, count, sizeof(*offsets), compare);
}
