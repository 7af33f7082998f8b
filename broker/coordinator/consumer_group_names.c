#include "coordinator/consumer_group_internal.h"

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void consumer_group_names_set(struct consumer_group_names *n, const char *const *names, size_t count)
{
	struct consumer_group_names set = {.names = check_calloc(count + 1, sizeof(char *))};
	for (size_t i = 0; i < count; i++)
		set.names[i] = check_strdup(names[i]);
	qsort(set.names, count, sizeof(char *), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (set.count > 0 && strcmp(set.names[set.count - 1], set.names[i]) == 0)
			free(set.names[i]);
		else
			set.names[set.count++] = set.names[i];
	}
	consumer_group_names_fini(n);
	*n = set;
}

void consumer_group_names_fini(struct consumer_group_names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->names[i]);
	free(n->names);
	*n = (struct consumer_group_names){0};
}

bool consumer_group_names_equal(const struct consumer_group_names *a, const struct consumer_group_names *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

bool consumer_group_names_has(const struct consumer_group_names *n, const char *name)
{
	return n->count > 0 && bsearch(&name, n->names, n->count, sizeof(char *), compare_names) != NULL;
}
