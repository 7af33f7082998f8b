/* Log-linear histogram of microseconds: within 1/32 (3 %) at any size, 15 KiB. */
#ifndef TOOLS_HISTOGRAM_H
#define TOOLS_HISTOGRAM_H
#include <jansson.h>
#include <stdint.h>

enum { HISTOGRAM_SUB = 32, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 60 };
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	int64_t max, sum;
};
void histogram_add(struct histogram *h, int64_t us);
/* The value below or at which a share q (0 to 1) of the observations lies; 0 when empty. */
int64_t histogram_quantile(const struct histogram *h, double q);
/* {"count", "mean", "p50", "p95", "p99", "p999", "max"} in microseconds. */
json_t *histogram_json(const struct histogram *h);
/* "p50 1.2 ms  p99 ..." on stdout. */
void histogram_print(const struct histogram *h, const char *name);
#endif
