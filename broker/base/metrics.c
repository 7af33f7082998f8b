#include "base/metrics.h"

#include <pthread.h>

/* Histogram buckets: 16 linear steps within each power of two of microseconds (HdrHistogram's idea), up to 2^37 us. */
enum { STEP_BITS = 4, STEPS = 1 << STEP_BITS, MAX_POWER = 37, BUCKETS = (MAX_POWER - STEP_BITS + 2) * STEPS };

static const struct {
	const char *name, *text;
	enum metric_kind kind;
} rows[METRIC_COUNT] = {
#define METRIC(name_, kind_, text_) [METRIC_##name_] = {.name = #name_, .text = (text_), .kind = METRIC_KIND_##kind_},
#include "base/metrics.def"
#undef METRIC
};

struct histogram {
	_Atomic int64_t sum_us;
	_Atomic uint64_t buckets[BUCKETS];
};

struct slab {
	struct slab *next;
	_Atomic int64_t values[METRIC_COUNT];
	_Atomic(struct histogram *) histograms[METRIC_COUNT];
};

/* Slabs are only ever added: a thread's numbers outlive it. */
static _Atomic(struct slab *) slabs;
static _Thread_local struct slab *own_slab;

static struct slab *slab_of_thread(void)
{
	if (own_slab != NULL)
		return own_slab;
	struct slab *s = check_calloc(1, sizeof(*s));
	struct slab *head = atomic_load(&slabs);
	do {
		s->next = head;
	} while (!atomic_compare_exchange_weak(&slabs, &head, s));
	own_slab = s;
	return s;
}

/* Only the owning thread writes: a plain read-add-store, atomic for the reader's sake. */
static void bump(_Atomic int64_t *v, int64_t n)
{
	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void metrics_add(enum metric m, int64_t n)
{
	expect((unsigned)m < METRIC_COUNT && rows[m].kind != METRIC_KIND_histogram_us);
	bump(&slab_of_thread()->values[m], n);
}

static unsigned bucket_of(int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;
	if (v < STEPS)
		return (unsigned)v;
	unsigned power = 63 - (unsigned)__builtin_clzll(v);
	if (power >= MAX_POWER)
		return BUCKETS - 1;
	unsigned step = (unsigned)(v >> (power - STEP_BITS)) & (STEPS - 1);
	return (power - STEP_BITS + 1) * STEPS + step;
}

/* The largest value that falls into the bucket. */
static int64_t bucket_top(unsigned bucket)
{
	if (bucket < STEPS)
		return bucket;
	unsigned power = bucket / STEPS + STEP_BITS - 1;
	uint64_t width = 1ull << (power - STEP_BITS);
	return (int64_t)((1ull << power) + (bucket % STEPS + 1) * width - 1);
}

void metrics_observe_us(enum metric m, int64_t us)
{
	expect((unsigned)m < METRIC_COUNT && rows[m].kind == METRIC_KIND_histogram_us);
	struct slab *s = slab_of_thread();
	struct histogram *h = atomic_load_explicit(&s->histograms[m], memory_order_relaxed);
	if (h == NULL) {
		h = check_calloc(1, sizeof(*h));
		atomic_store_explicit(&s->histograms[m], h, memory_order_release);
	}
	bump(&s->values[m], 1);
	bump(&h->sum_us, us < 0 ? 0 : us);
	_Atomic uint64_t *b = &h->buckets[bucket_of(us)];
	atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1, memory_order_relaxed);
}

int64_t metrics_read(enum metric m)
{
	expect((unsigned)m < METRIC_COUNT);
	int64_t sum = 0;
	for (struct slab *s = atomic_load(&slabs); s != NULL; s = s->next)
		sum += atomic_load_explicit(&s->values[m], memory_order_relaxed);
	return sum;
}

static void merge(enum metric m, uint64_t *ret_buckets, uint64_t *ret_count, int64_t *ret_sum_us)
{
	memset(ret_buckets, 0, BUCKETS * sizeof(*ret_buckets));
	*ret_count = 0;
	*ret_sum_us = 0;
	for (struct slab *s = atomic_load(&slabs); s != NULL; s = s->next) {
		struct histogram *h = atomic_load_explicit(&s->histograms[m], memory_order_acquire);
		if (h == NULL)
			continue;
		for (unsigned i = 0; i < BUCKETS; i++) {
			uint64_t n = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
			ret_buckets[i] += n;
			*ret_count += n;
		}
		*ret_sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
	}
}

static int64_t quantile(const uint64_t *buckets, uint64_t count, double q)
{
	if (count == 0)
		return 0;
	double wanted = q * (double)count;
	uint64_t seen = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += buckets[i];
		if (buckets[i] > 0 && (double)seen >= wanted)
			return bucket_top(i);
	}
	return bucket_top(BUCKETS - 1);
}

int64_t metrics_quantile_us(enum metric m, double q)
{
	expect(rows[m].kind == METRIC_KIND_histogram_us && q >= 0 && q <= 1);
	uint64_t *buckets = check_calloc(BUCKETS, sizeof(*buckets));
	uint64_t count;
	int64_t sum_us;
	merge(m, buckets, &count, &sum_us);
	int64_t result = quantile(buckets, count, q);
	free(buckets);
	return result;
}

static void format_summary(FILE *out, enum metric m, uint64_t *buckets)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	uint64_t count;
	int64_t sum_us;
	merge(m, buckets, &count, &sum_us);
	fprintf(out, "# TYPE correio_%s summary\n", rows[m].name);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		fprintf(out, "correio_%s{quantile=\"%g\"} %lld\n", rows[m].name, quantiles[i],
			(long long)quantile(buckets, count, quantiles[i]));
	fprintf(out, "correio_%s_sum %lld\ncorreio_%s_count %llu\n", rows[m].name, (long long)sum_us, rows[m].name,
		(unsigned long long)count);
}

static pthread_mutex_t published_lock = PTHREAD_MUTEX_INITIALIZER;
static char *published;

void metrics_publish(char *text)
{
	pthread_mutex_lock(&published_lock);
	char *old = published;
	published = text;
	pthread_mutex_unlock(&published_lock);
	free(old);
}

static void format_published(FILE *out)
{
	pthread_mutex_lock(&published_lock);
	if (published != NULL)
		fputs(published, out);
	pthread_mutex_unlock(&published_lock);
}

char *metrics_format(size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	expect(out != NULL);
	uint64_t *buckets = check_calloc(BUCKETS, sizeof(*buckets));
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		bool counter = rows[m].kind == METRIC_KIND_counter;
		fprintf(out, "# HELP correio_%s%s %s\n", rows[m].name, counter ? "_total" : "", rows[m].text);
		if (rows[m].kind == METRIC_KIND_histogram_us) {
			format_summary(out, (enum metric)m, buckets);
			continue;
		}
		fprintf(out, "# TYPE correio_%s%s %s\n", rows[m].name, counter ? "_total" : "", counter ? "counter" : "gauge");
		fprintf(out, "correio_%s%s %lld\n", rows[m].name, counter ? "_total" : "",
			(long long)metrics_read((enum metric)m));
	}
	free(buckets);
	format_published(out);
	expect(fclose(out) == 0 && text != NULL);
	return text;
}
