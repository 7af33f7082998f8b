#include "base/clock.h"
#include "tools/bench.h"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/verifier.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { POLL_MS = 200 };

struct consume_bench {
	struct cli_common common;
	const char *topic;
	int64_t records, timeout_ms, fetch_bytes;
	bool verify, strict;
	struct verifier *verifier;
	uint64_t got, value_bytes, wire_bytes, batches;
};

static int count_records(struct consume_bench *b, struct correio_records *records, struct correio_error *err)
{
	int32_t partition = correio_records_partition(records);
	b->batches++;
	b->wire_bytes += correio_records_size(records);
	for (;;) {
		bool more;
		struct correio_record r;
		int code = correio_records_next(records, &more, &r, err);
		if (code != CORREIO_OK || !more)
			return code;
		b->got++;
		b->value_bytes += r.value.size;
		if (b->verify)
			verifier_add(b->verifier, partition, slice_of(r.value.data, r.value.size));
	}
}

/* Enough means: so many different records, when they are numbered. */
static bool enough(const struct consume_bench *b)
{
	if (b->records < 0)
		return false;
	uint64_t have = b->verify ? verifier_result(b->verifier).unique : b->got;
	return have >= (uint64_t)b->records;
}

static int read_all(struct consume_bench *b, struct correio_consumer *c, struct bench_meter *meter)
{
	struct correio_error err;
	int64_t last_us = clock_monotonic_us(clock_system());
	while (!enough(b)) {
		struct correio_records *records;
		int code = correio_consumer_poll(c, POLL_MS, &records, &err);
		if (code == CORREIO_OK && records != NULL)
			code = count_records(b, records, &err);
		if (code != CORREIO_OK)
			return cli_fail(&b->common, &err);
		bench_meter_progress(meter, b->got, b->value_bytes, b->records > 0 ? (uint64_t)b->records : 0);
		int64_t now_us = clock_monotonic_us(clock_system());
		if (records != NULL)
			last_us = now_us;
		else if (now_us - last_us >= b->timeout_ms * 1000)
			break;
	}
	return CLI_OK;
}

static int print_summary(const struct consume_bench *b, double seconds, double cpu_s)
{
	struct verifier_result v = {.records = 0};
	uint64_t lost = 0;
	if (b->verify) {
		v = verifier_result(b->verifier);
		lost = v.missing;
		if (b->records >= 0 && (uint64_t)b->records > v.unique && (uint64_t)b->records - v.unique > lost)
			lost = (uint64_t)b->records - v.unique;
	}
	double mb = (double)b->value_bytes / 1e6;
	double cpu_s_per_gb = mb > 0 ? cpu_s / (mb / 1000) : 0;
	if (b->common.json) {
		json_t *o = json_pack("{s:s,s:I,s:f,s:f,s:f,s:f,s:f,s:I}", "topic", b->topic, "records", (json_int_t)b->got,
			"seconds", seconds, "records_per_second", (double)b->got / seconds, "mb_per_second", mb / seconds,
			"client_cpu_seconds", cpu_s, "client_cpu_seconds_per_gb", cpu_s_per_gb, "batches",
			(json_int_t)b->batches);
		if (b->verify)
			(void)json_object_update_new(o, json_pack("{s:I,s:I,s:I,s:I,s:I}", "unique", (json_int_t)v.unique,
				"lost", (json_int_t)lost, "duplicates", (json_int_t)v.duplicates, "out_of_order",
				(json_int_t)v.out_of_order, "misplaced", (json_int_t)v.misplaced));
		output_json(o);
	} else {
		(void)printf("records        %llu in %llu batches\n", (unsigned long long)b->got, (unsigned long long)b->batches);
		(void)printf("throughput     %.0f records/s, %.1f MB/s in %.2f s\n", (double)b->got / seconds, mb / seconds,
			seconds);
		(void)printf("client CPU     %.2f s, %.2f s/GB\n", cpu_s, cpu_s_per_gb);
		if (b->verify)
			(void)printf("verified       %llu unique, %llu lost, %llu twice, %llu out of order, %llu misplaced\n",
				(unsigned long long)v.unique, (unsigned long long)lost, (unsigned long long)v.duplicates,
				(unsigned long long)v.out_of_order, (unsigned long long)v.misplaced);
	}
	if (b->verify && (lost > 0 || v.out_of_order > 0 || v.misplaced > 0 || (b->strict && v.duplicates > 0)))
		return CLI_FAILED;
	return b->records >= 0 && !enough(b) ? CLI_FAILED : CLI_OK;
}

static int run_bench(struct consume_bench *b)
{
	int32_t partitions = 0;
	int status = bench_topic(&b->common, b->topic, 0, 0, &partitions);
	struct correio_config *config = status == CLI_OK ? cli_client_config(&b->common) : NULL;
	if (config == NULL)
		return CLI_FAILED;
	struct correio_consumer *c = NULL;
	struct correio_error err;
	bool good = bench_set(&b->common, config, "auto.offset.reset", "earliest") &&
		bench_set_number(&b->common, config, "max.partition.fetch.bytes", b->fetch_bytes);
	int code = good ? correio_consumer_new(config, &c, &err) : CORREIO_OK;
	correio_config_free(config);
	for (int32_t i = 0; i < partitions && c != NULL && code == CORREIO_OK; i++)
		code = correio_consumer_assign(c, b->topic, i, CORREIO_OFFSET_BEGINNING, &err);
	if (!good || code != CORREIO_OK) {
		correio_consumer_free(c);
		return good ? cli_fail(&b->common, &err) : CLI_FAILED;
	}
	struct bench_meter meter;
	bench_meter_start(&meter);
	status = read_all(b, c, &meter);
	double seconds = bench_meter_seconds(&meter), cpu_s = bench_meter_cpu_seconds(&meter);
	bench_meter_end_progress(&meter);
	correio_consumer_free(c);
	int summary = print_summary(b, seconds, cpu_s);
	return status != CLI_OK ? status : summary;
}

int cmd_bench_consume(const struct cli_command *command, int argc, char **argv)
{
	struct consume_bench b = {.records = -1, .timeout_ms = 10000, .fetch_bytes = -1};
	const struct cli_option options[] = {
		{"--topic", CLI_TEXT, "TOPIC", &b.topic, "where from, all partitions from the beginning", 0, 0},
		{"--num-records", CLI_NUMBER, "N", &b.records, "stop after so many; fewer is a failure", 0, INT64_MAX},
		{"--timeout-ms", CLI_NUMBER, "MS", &b.timeout_ms, "stop when nothing came for so long (default 10000)", 1,
			INT32_MAX},
		{"--verify", CLI_FLAG, NULL, &b.verify, "check the numbers of bench produce --verify-ids", 0, 0},
		{"--strict", CLI_FLAG, NULL, &b.strict, "a record that comes twice is a failure too", 0, 0},
		{"--fetch-bytes", CLI_NUMBER, "BYTES", &b.fetch_bytes, "max.partition.fetch.bytes", 1, INT32_MAX},
		CLI_COMMON_OPTIONS(&b.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	b.verifier = verifier_new();
	if (b.topic == NULL)
		status = cli_usage(command, "which topic? give --topic TOPIC");
	else if (cli_check_positional(command, &parsed, 0, 0, &status))
		status = run_bench(&b);
	verifier_free(b.verifier);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
