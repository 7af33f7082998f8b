#include "coordinator/group_offsets.h"

#include <stdlib.h>
#include <uthash.h>

struct group_offset_topic {
	UT_hash_handle hh;
	struct group_offset *slots; /* sorted by partition */
	size_t count, capacity;
	char name[];
};

void group_offsets_init(struct group_offsets *o)
{
	*o = (struct group_offsets){0};
}

static void drop_topic(struct group_offsets *o, struct group_offset_topic *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->slots[i].metadata);
	HASH_DELETE(hh, o->topics, t);
	free(t->slots);
	free(t);
}

void group_offsets_fini(struct group_offsets *o)
{
	struct group_offset_topic *t, *next;
	HASH_ITER(hh, o->topics, t, next)
		drop_topic(o, t);
	o->slots = o->committed = 0;
}

static struct group_offset_topic *find_topic(const struct group_offsets *o, const char *name)
{
	struct group_offset_topic *t;
	HASH_FIND_STR(o->topics, name, t);
	return t;
}

static struct group_offset_topic *make_topic(struct group_offsets *o, const char *name)
{
	struct group_offset_topic *t = find_topic(o, name);
	if (t != NULL)
		return t;
	size_t n = strlen(name);
	t = check_calloc(1, sizeof(*t) + n + 1);
	memcpy(t->name, name, n + 1);
	HASH_ADD_STR(o->topics, name, t);
	return t;
}

/* Where the partition is, or would be. */
static size_t place_of(const struct group_offset_topic *t, int32_t partition)
{
	size_t low = 0, high = t->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (t->slots[middle].partition < partition)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct group_offset *find_slot(const struct group_offset_topic *t, int32_t partition)
{
	if (t == NULL)
		return NULL;
	size_t at = place_of(t, partition);
	return at < t->count && t->slots[at].partition == partition ? &t->slots[at] : NULL;
}

static struct group_offset *make_slot(struct group_offsets *o, const char *topic, int32_t partition)
{
	struct group_offset_topic *t = make_topic(o, topic);
	size_t at = place_of(t, partition);
	if (at < t->count && t->slots[at].partition == partition)
		return &t->slots[at];
	if (t->count == t->capacity) {
		t->capacity = t->capacity == 0 ? 1 : t->capacity * 2;
		t->slots = check_realloc(t->slots, t->capacity * sizeof(*t->slots));
	}
	memmove(&t->slots[at + 1], &t->slots[at], (t->count - at) * sizeof(*t->slots));
	t->count++;
	o->slots++;
	t->slots[at] = (struct group_offset){
		.offset = -1, .log_offset = -1, .expire_timestamp_ms = -1, .leader_epoch = -1, .partition = partition};
	return &t->slots[at];
}

/* A slot that says nothing goes, and its topic with the last. */
static void tidy(struct group_offsets *o, const char *topic, int32_t partition)
{
	struct group_offset_topic *t = find_topic(o, topic);
	struct group_offset *slot = find_slot(t, partition);
	if (slot == NULL || group_offset_is_committed(slot) || slot->pending > 0)
		return;
	size_t at = (size_t)(slot - t->slots);
	expect(o->slots > 0 && slot->metadata == NULL);
	memmove(&t->slots[at], &t->slots[at + 1], (t->count - at - 1) * sizeof(*t->slots));
	t->count--;
	o->slots--;
	if (t->count == 0)
		drop_topic(o, t);
}

static char *copy_metadata(const char *metadata)
{
	return metadata == NULL || metadata[0] == '\0' ? NULL : check_strdup(metadata);
}

void group_offsets_put(struct group_offsets *o, const char *topic, int32_t partition, const struct group_offset_value *v,
	int64_t log_offset)
{
	expect(log_offset >= 0);
	struct group_offset *slot = make_slot(o, topic, partition);
	if (slot->log_offset >= log_offset)
		return;
	o->committed += group_offset_is_committed(slot) ? 0 : 1;
	free(slot->metadata);
	slot->offset = v->offset;
	slot->leader_epoch = v->leader_epoch;
	slot->commit_timestamp_ms = v->commit_timestamp_ms;
	slot->expire_timestamp_ms = v->expire_timestamp_ms;
	slot->log_offset = log_offset;
	slot->metadata = copy_metadata(v->metadata);
}

void group_offsets_remove(struct group_offsets *o, const char *topic, int32_t partition, int64_t log_offset)
{
	struct group_offset *slot = find_slot(find_topic(o, topic), partition);
	if (slot == NULL || !group_offset_is_committed(slot) || slot->log_offset >= log_offset)
		return;
	expect(o->committed > 0);
	o->committed--;
	free(slot->metadata);
	slot->metadata = NULL;
	slot->offset = slot->log_offset = slot->expire_timestamp_ms = -1;
	slot->leader_epoch = -1;
	tidy(o, topic, partition);
}

void group_offsets_begin(struct group_offsets *o, const char *topic, int32_t partition)
{
	make_slot(o, topic, partition)->pending++;
}

void group_offsets_end(struct group_offsets *o, const char *topic, int32_t partition)
{
	struct group_offset *slot = find_slot(find_topic(o, topic), partition);
	expect(slot != NULL && slot->pending > 0);
	slot->pending--;
	tidy(o, topic, partition);
}

const struct group_offset *group_offsets_find(const struct group_offsets *o, const char *topic, int32_t partition)
{
	return find_slot(find_topic(o, topic), partition);
}

void group_offsets_each(const struct group_offsets *o,
	void (*each)(void *arg, const char *topic, const struct group_offset *slot), void *arg)
{
	for (const struct group_offset_topic *t = o->topics; t != NULL; t = t->hh.next)
		for (size_t i = 0; i < t->count; i++)
			each(arg, t->name, &t->slots[i]);
}

bool group_offsets_has_topic(const struct group_offsets *o, const char *topic)
{
	return find_topic(o, topic) != NULL;
}
