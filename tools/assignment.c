#include "tools/assignment.h"

enum { PARTITIONS_MAX = 100000, REPLICAS_MAX = 1000 };

/* "0:1:2" up to the comma. */
static bool parse_replicas(struct slice text, struct correio_replicas *ret_replicas)
{
	int32_t *ids = (int32_t *)check_calloc(text.n + 1, sizeof(*ids));
	int32_t count = 0;
	size_t at = 0;
	while (at <= text.n) {
		size_t to = at;
		while (to < text.n && text.p[to] != ':')
			to++;
		int32_t id;
		if (bytes_parse_i32(slice_sub(text, at, to - at), &id) != STATUS_OK || id < 0 || count == REPLICAS_MAX) {
			free(ids);
			return false;
		}
		ids[count++] = id;
		at = to + 1;
	}
	*ret_replicas = (struct correio_replicas){.ids = ids, .count = count};
	return true;
}

static bool has_duplicates(const struct correio_replicas *r)
{
	for (int32_t i = 0; i < r->count; i++)
		for (int32_t k = i + 1; k < r->count; k++)
			if (r->ids[i] == r->ids[k])
				return true;
	return false;
}

void assignment_free(struct assignment *a)
{
	for (int32_t i = 0; i < a->count; i++) {
		union {
			const int32_t *c;
			int32_t *v;
		} ids = {.c = a->partitions[i].ids};
		free(ids.v);
	}
	free(a->partitions);
	*a = (struct assignment){.count = 0};
}

bool assignment_parse(const char *text, struct assignment *ret_assignment, char *ret_why, size_t why_size)
{
	struct assignment a = {.count = 0};
	const char *at = text;
	for (;;) {
		size_t n = strcspn(at, ",");
		a.partitions = (struct correio_replicas *)check_realloc(a.partitions,
			((size_t)a.count + 1) * sizeof(*a.partitions));
		struct correio_replicas *r = &a.partitions[a.count];
		bool good = a.count < PARTITIONS_MAX && parse_replicas(slice_of(at, n), r);
		if (!good)
			(void)snprintf(ret_why, why_size, "'%.*s' is not broker ids separated by ':'", (int)n, at);
		a.count += good ? 1 : 0;
		if (good && has_duplicates(r)) {
			(void)snprintf(ret_why, why_size,
				"Partition replica lists may not contain duplicate entries: '%.*s'", (int)n, at);
			good = false;
		}
		if (good && r->count != a.partitions[0].count) {
			(void)snprintf(ret_why, why_size, "Partition %d has different replication factor: %d, not %d",
				(int)a.count - 1, (int)r->count, (int)a.partitions[0].count);
			good = false;
		}
		if (!good) {
			assignment_free(&a);
			return false;
		}
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	*ret_assignment = a;
	return true;
}
