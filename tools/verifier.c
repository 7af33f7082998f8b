#include "tools/verifier.h"

enum {
	PARTITIONS_MAX = 1000000,
	GAPS_MAX = 4096, /* per partition; what is lost beyond is still counted as missing */
};

struct gap {
	int64_t from, to; /* [from, to) has not been seen */
};
struct verified_partition {
	int64_t next;
	struct gap *gaps;
	size_t gap_count;
};
struct verifier {
	struct verified_partition *partitions;
	int32_t partition_count;
	struct verifier_result result;
};

void verifier_write_id(uint8_t *value, int32_t partition, int64_t number)
{
	bytes_put_i32(value, partition);
	bytes_put_i64(value + 4, number);
}

struct verifier *verifier_new(void)
{
	return (struct verifier *)check_calloc(1, sizeof(struct verifier));
}

void verifier_free(struct verifier *v)
{
	if (v == NULL)
		return;
	for (int32_t i = 0; i < v->partition_count; i++)
		free(v->partitions[i].gaps);
	free(v->partitions);
	free(v);
}

static struct verified_partition *partition_of(struct verifier *v, int32_t partition)
{
	expect(partition >= 0 && partition < PARTITIONS_MAX);
	if (partition >= v->partition_count) {
		size_t n = (size_t)partition + 1;
		v->partitions = (struct verified_partition *)check_realloc(v->partitions, n * sizeof(*v->partitions));
		for (int32_t i = v->partition_count; i <= partition; i++)
			v->partitions[i] = (struct verified_partition){.next = 0};
		v->partition_count = partition + 1;
	}
	return &v->partitions[partition];
}

static void add_gap(struct verified_partition *p, int64_t from, int64_t to)
{
	if (p->gap_count == GAPS_MAX)
		return;
	p->gaps = (struct gap *)check_realloc(p->gaps, (p->gap_count + 1) * sizeof(*p->gaps));
	p->gaps[p->gap_count++] = (struct gap){from, to};
}

/* Takes number out of the gap that holds it; false: it has been seen before. */
static bool fill_gap(struct verified_partition *p, int64_t number)
{
	for (size_t i = 0; i < p->gap_count; i++) {
		struct gap *g = &p->gaps[i];
		if (number < g->from || number >= g->to)
			continue;
		int64_t to = g->to;
		g->to = number;
		if (g->from == g->to)
			*g = p->gaps[--p->gap_count];
		if (number + 1 < to)
			add_gap(p, number + 1, to);
		return true;
	}
	return false;
}

void verifier_add(struct verifier *v, int32_t partition, struct slice value)
{
	v->result.records++;
	struct byte_reader r;
	byte_reader_init(&r, value);
	int32_t sent_to = byte_reader_i32(&r);
	int64_t number = byte_reader_i64(&r);
	if (r.status != STATUS_OK || sent_to != partition || number < 0) {
		v->result.misplaced++;
		return;
	}
	struct verified_partition *p = partition_of(v, partition);
	if (number >= p->next) {
		if (number > p->next) {
			add_gap(p, p->next, number);
			v->result.missing += (uint64_t)(number - p->next);
		}
		p->next = number + 1;
		v->result.unique++;
	} else if (fill_gap(p, number)) {
		v->result.out_of_order++;
		v->result.missing--;
		v->result.unique++;
	} else {
		v->result.duplicates++;
	}
}

struct verifier_result verifier_result(const struct verifier *v)
{
	return v->result;
}
