/* What the three benchmarks share: time, CPU, progress, pace. */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H
#include "tools/cli.h"
#include <stdint.h>

struct bench_meter {
	int64_t start_us, shown_us;
	double start_cpu_s;
	uint64_t shown_records, shown_bytes;
	bool shown; /* progress goes to a terminal */
};
void bench_meter_start(struct bench_meter *m);
/* Once a second a line on the terminal: "12,000,000 records  2,300,000/s  230 MB/s". */
void bench_meter_progress(struct bench_meter *m, uint64_t records, uint64_t bytes, uint64_t total);
void bench_meter_end_progress(struct bench_meter *m);
double bench_meter_seconds(const struct bench_meter *m);
double bench_meter_cpu_seconds(const struct bench_meter *m);
/* Waits until record number `count` is due at `rate` per second since start (0: at once). */
void bench_meter_pace(const struct bench_meter *m, uint64_t count, int64_t rate);

/* The topic's partitions; with partitions > 0 it is created when it does not exist. */
int bench_topic(const struct cli_common *common, const char *topic, int64_t partitions, int64_t replication_factor,
	int32_t *ret_partitions);
/* key=value as an option of the client, the error told. */
bool bench_set(const struct cli_common *common, struct correio_config *config, const char *key, const char *value);
bool bench_set_number(const struct cli_common *common, struct correio_config *config, const char *key, int64_t value);
#endif
