#include "tools/bench.h"
#include "base/clock.h"
#include "tools/topic_store.h"
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static double cpu_seconds(void)
{
	struct rusage u;
	int rc = getrusage(RUSAGE_SELF, &u);
	expect(rc == 0);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void bench_meter_start(struct bench_meter *m)
{
	*m = (struct bench_meter){
		.start_us = clock_monotonic_us(clock_system()),
		.start_cpu_s = cpu_seconds(),
		.shown = isatty(STDERR_FILENO) == 1,
	};
	m->shown_us = m->start_us;
}

double bench_meter_seconds(const struct bench_meter *m)
{
	return (double)(clock_monotonic_us(clock_system()) - m->start_us) / 1e6;
}

double bench_meter_cpu_seconds(const struct bench_meter *m)
{
	return cpu_seconds() - m->start_cpu_s;
}

void bench_meter_progress(struct bench_meter *m, uint64_t records, uint64_t bytes, uint64_t total)
{
	int64_t now_us = clock_monotonic_us(clock_system());
	if (!m->shown || now_us - m->shown_us < 1000000)
		return;
	double seconds = (double)(now_us - m->shown_us) / 1e6;
	(void)fprintf(stderr, "\r%llu", (unsigned long long)records);
	if (total > 0)
		(void)fprintf(stderr, " of %llu", (unsigned long long)total);
	(void)fprintf(stderr, " records  %.0f/s  %.1f MB/s\033[K", (double)(records - m->shown_records) / seconds,
		(double)(bytes - m->shown_bytes) / seconds / 1e6);
	m->shown_us = now_us;
	m->shown_records = records;
	m->shown_bytes = bytes;
}

void bench_meter_end_progress(struct bench_meter *m)
{
	if (m->shown)
		(void)fputs("\r\033[K", stderr);
}

void bench_meter_pace(const struct bench_meter *m, uint64_t count, int64_t rate)
{
	if (rate <= 0)
		return;
	int64_t due_us = m->start_us + (int64_t)((double)count * 1e6 / (double)rate);
	/* Less than a scheduler's tick ahead: not worth a sleep. */
	if (due_us - clock_monotonic_us(clock_system()) < 1000)
		return;
	struct timespec until = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		continue;
}

static int create(struct topic_store *store, const struct cli_common *common, const char *topic, int64_t partitions,
	int64_t replication_factor)
{
	struct correio_new_topic new = {
		.name = topic,
		.partitions = (int32_t)partitions,
		.replication_factor = (int32_t)replication_factor,
	};
	struct correio_error err;
	if (store->ops->create(store, &new, NULL, &err) == CORREIO_OK)
		return CLI_OK;
	return cli_fail(common, &err);
}

int bench_topic(const struct cli_common *common, const char *topic, int64_t partitions, int64_t replication_factor,
	int32_t *ret_partitions)
{
	int status;
	struct topic_store *store = topic_store_broker_open(common, &status);
	if (store == NULL)
		return status;
	struct topic_set set;
	struct correio_error err;
	int code = store->ops->describe(store, topic, &set, &err);
	if (code == CORREIO_OK) {
		*ret_partitions = set.topics[0].partition_count;
		status = *ret_partitions > 0 ? CLI_OK : cli_fail_text("topic %s has no partitions yet", topic);
		topic_set_free(&set);
	} else if (code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION && partitions > 0) {
		status = create(store, common, topic, partitions, replication_factor);
		*ret_partitions = (int32_t)partitions;
	} else {
		topic_store_suggest(store, topic, &err);
		status = cli_fail(common, &err);
	}
	topic_store_close(store);
	return status;
}

bool bench_set(const struct cli_common *common, struct correio_config *config, const char *key, const char *value)
{
	struct correio_error err;
	if (value == NULL || correio_config_set(config, key, value, &err) == CORREIO_OK)
		return true;
	(void)cli_fail(common, &err);
	return false;
}

bool bench_set_number(const struct cli_common *common, struct correio_config *config, const char *key, int64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	return value < 0 || bench_set(common, config, key, text);
}
