#include "coordinator/partition_set.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 8 };

int partition_of_topic_compare(const struct partition_of_topic *a, const struct partition_of_topic *b)
{
	int by_topic = memcmp(a->topic_id.b, b->topic_id.b, sizeof(a->topic_id.b));
	if (by_topic != 0)
		return by_topic;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

static int compare_items(const void *a, const void *b)
{
	return partition_of_topic_compare(a, b);
}

void partition_set_fini(struct partition_set *s)
{
	free(s->items);
	*s = (struct partition_set){0};
}

void partition_set_clear(struct partition_set *s)
{
	s->count = 0;
}

static void append(struct partition_set *s, const struct partition_of_topic *p)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity == 0 ? FIRST_CAPACITY : s->capacity * 2;
		s->items = check_realloc(s->items, s->capacity * sizeof(*s->items));
	}
	s->items[s->count++] = *p;
}

void partition_set_append(struct partition_set *s, const struct uuid *topic_id, int32_t partition)
{
	append(s, &(struct partition_of_topic){*topic_id, partition});
}

void partition_set_sort(struct partition_set *s)
{
	size_t kept = 0;
	if (s->count == 0)
		return;
	qsort(s->items, s->count, sizeof(*s->items), compare_items);
	for (size_t i = 1; i < s->count; i++)
		if (partition_of_topic_compare(&s->items[kept], &s->items[i]) != 0)
			s->items[++kept] = s->items[i];
	s->count = kept + 1;
}

bool partition_set_has(const struct partition_set *s, const struct partition_of_topic *p)
{
	return s->count > 0 && bsearch(p, s->items, s->count, sizeof(*s->items), compare_items) != NULL;
}

bool partition_set_equal(const struct partition_set *a, const struct partition_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (partition_of_topic_compare(&a->items[i], &b->items[i]) != 0)
			return false;
	return true;
}

/* --- merges: each walks both sets once ---------------------------------- */

enum wanted { ONLY_A = 1, BOTH = 2 };

/* Appends to ret_set (NULL: only counts) what of a is wanted. */
static size_t merge(const struct partition_set *a, const struct partition_set *b, enum wanted wanted,
	struct partition_set *ret_set)
{
	size_t n = 0;
	expect(ret_set == NULL || (ret_set != a && ret_set != b));
	if (ret_set != NULL)
		ret_set->count = 0;
	for (size_t i = 0, k = 0; i < a->count; i++) {
		while (k < b->count && partition_of_topic_compare(&b->items[k], &a->items[i]) < 0)
			k++;
		bool in_both = k < b->count && partition_of_topic_compare(&b->items[k], &a->items[i]) == 0;
		if ((in_both ? BOTH : ONLY_A) != wanted)
			continue;
		n++;
		if (ret_set != NULL)
			append(ret_set, &a->items[i]);
	}
	return n;
}

bool partition_set_within(const struct partition_set *a, const struct partition_set *b)
{
	return merge(a, b, ONLY_A, NULL) == 0;
}

bool partition_set_overlap(const struct partition_set *a, const struct partition_set *b)
{
	return merge(a, b, BOTH, NULL) > 0;
}

void partition_set_intersect(const struct partition_set *a, const struct partition_set *b, struct partition_set *ret_set)
{
	(void)merge(a, b, BOTH, ret_set);
}

void partition_set_subtract(const struct partition_set *a, const struct partition_set *b, struct partition_set *ret_set)
{
	(void)merge(a, b, ONLY_A, ret_set);
}

void partition_set_copy(const struct partition_set *a, struct partition_set *ret_set)
{
	expect(a != ret_set);
	ret_set->count = 0;
	for (size_t i = 0; i < a->count; i++)
		append(ret_set, &a->items[i]);
}

void partition_set_swap(struct partition_set *a, struct partition_set *b)
{
	struct partition_set s = *a;
	*a = *b;
	*b = s;
}

size_t partition_set_topic_end(const struct partition_set *s, size_t from)
{
	size_t end = from;
	expect(from < s->count);
	while (end < s->count && uuid_equal(&s->items[end].topic_id, &s->items[from].topic_id))
		end++;
	return end;
}
