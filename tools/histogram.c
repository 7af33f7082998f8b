#include "tools/histogram.h"
#include "base/check.h"
#include <stdio.h>

/* Values below SUB have a bucket each; above, SUB buckets per power of two. */
static size_t bucket_of(int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;
	if (v < HISTOGRAM_SUB)
		return (size_t)v;
	unsigned power = 63U - (unsigned)__builtin_clzll(v); /* >= 5 */
	unsigned shift = power - 5;
	size_t bucket = (size_t)(shift + 1) * HISTOGRAM_SUB + (size_t)((v >> shift) - HISTOGRAM_SUB);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of the bucket. */
static int64_t top_of(size_t bucket)
{
	if (bucket < HISTOGRAM_SUB)
		return (int64_t)bucket;
	size_t shift = bucket / HISTOGRAM_SUB - 1;
	return (int64_t)(((bucket % HISTOGRAM_SUB + HISTOGRAM_SUB + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t us)
{
	h->counts[bucket_of(us)]++;
	h->total++;
	h->sum += us;
	if (us > h->max)
		h->max = us;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
	expect(q >= 0 && q <= 1);
	uint64_t wanted = (uint64_t)(q * (double)h->total + 0.5), seen = 0;
	if (wanted == 0)
		wanted = 1;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS && h->total > 0; i++) {
		seen += h->counts[i];
		if (seen >= wanted)
			return top_of(i) < h->max ? top_of(i) : h->max;
	}
	return h->max;
}

json_t *histogram_json(const struct histogram *h)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "count", (json_int_t)h->total, "mean",
		(json_int_t)(h->total > 0 ? h->sum / (int64_t)h->total : 0), "p50", (json_int_t)histogram_quantile(h, 0.5),
		"p95", (json_int_t)histogram_quantile(h, 0.95), "p99", (json_int_t)histogram_quantile(h, 0.99), "p999",
		(json_int_t)histogram_quantile(h, 0.999), "max", (json_int_t)h->max);
}

void histogram_print(const struct histogram *h, const char *name)
{
	static const struct {
		const char *name;
		double q;
	} points[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}};
	(void)printf("%-14s", name);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		(void)printf(" %s %.3f ms ", points[i].name, (double)histogram_quantile(h, points[i].q) / 1000);
	(void)printf(" max %.3f ms\n", (double)h->max / 1000);
}
