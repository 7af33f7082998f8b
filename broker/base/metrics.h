/* Counters, gauges and histograms: one table (metrics.def), one slab per thread, summed only when read. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H
#include "base/bytes.h"
#include <stdatomic.h>

enum metric {
#define METRIC(name, kind, text) METRIC_##name,
#include "base/metrics.def"
#undef METRIC
	METRIC_COUNT
};
enum metric_kind { METRIC_KIND_counter, METRIC_KIND_gauge, METRIC_KIND_histogram_us };

/* Adds to the calling thread's slab (made on first use). Histogram metrics: use metrics_observe_us. */
void metrics_add(enum metric m, int64_t n);
/* A gauge is a sum over threads: add what appears, subtract what goes. */
void metrics_observe_us(enum metric m, int64_t us);
/* Sum over all threads. For a histogram: the number of observations. */
int64_t metrics_read(enum metric m);
/* Quantile q of a histogram in microseconds, 0 if empty. Log-linear buckets: within 6 %. */
int64_t metrics_quantile_us(enum metric m, double q);
/* Families with labels, whole and in exposition format, that somebody computes now and then (there is one such: consumer lag):
 * metrics_format() adds them until the next call. Takes text (malloc'ed); NULL: none. From any thread. */
void metrics_publish(char *text);
/* Prometheus text exposition of everything (names correio_<name>); owned by the caller. */
char *metrics_format(size_t *ret_size);
#endif
