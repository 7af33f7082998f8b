#include "base/clock.h"
#include "base/random.h"
#include "tools/bench.h"
#include "tools/commands.h"
#include "tools/histogram.h"
#include "tools/output.h"
#include "tools/verifier.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum {
	SAMPLE_EVERY = 1000, /* records whose latency is measured */
	CHECK_EVERY = 64,    /* records between looks at the clock, for pace and progress */
};

struct produce_bench {
	struct cli_common common;
	const char *topic, *acks, *compression;
	int64_t records, record_size, partitions, replication_factor, batch_size, linger_ms, delivery_timeout_ms, rate;
	bool verify_ids;
	/* the producer's thread writes these; read after close */
	struct histogram latency;
	uint64_t delivered, failed;
	struct correio_error first_error;
};

static void delivered(void *arg, const struct correio_delivery *d)
{
	struct produce_bench *b = (struct produce_bench *)arg;
	if (d->error != NULL) {
		if (b->failed == 0)
			b->first_error = *d->error;
		b->failed += (uint64_t)d->record_count;
		return;
	}
	b->delivered += (uint64_t)d->record_count;
	if (d->opaques == NULL)
		return;
	int64_t now_us = clock_monotonic_us(clock_system());
	for (int32_t i = 0; i < d->record_count; i++)
		if (d->opaques[i] != NULL)
			histogram_add(&b->latency, now_us - (int64_t)(intptr_t)d->opaques[i]);
}

static struct correio_config *bench_config(const struct produce_bench *b)
{
	const struct cli_common *common = &b->common;
	struct correio_config *config = cli_client_config(common);
	if (config == NULL)
		return NULL;
	bool good = bench_set(common, config, "acks", b->acks) && bench_set(common, config, "compression.type", b->compression) &&
		bench_set_number(common, config, "batch.size", b->batch_size) &&
		bench_set_number(common, config, "linger.ms", b->linger_ms) &&
		bench_set_number(common, config, "delivery.timeout.ms", b->delivery_timeout_ms);
	if (good)
		return config;
	correio_config_free(config);
	return NULL;
}

/* The value: letters that neither compress to nothing nor resist. */
static uint8_t *make_value(size_t size)
{
	uint8_t *value = (uint8_t *)check_alloc(size + 1);
	struct random dice;
	random_seed(&dice, 1);
	for (size_t i = 0; i < size; i++)
		value[i] = (uint8_t)('a' + random_below(&dice, 26));
	return value;
}

static int send_all(struct produce_bench *b, struct correio_producer *p, int32_t partitions, struct bench_meter *meter)
{
	size_t size = (size_t)b->record_size;
	uint8_t *value = make_value(size);
	int64_t *numbers = (int64_t *)check_calloc((size_t)partitions, sizeof(*numbers));
	struct correio_message m = {
		.topic = b->topic,
		.timestamp_ms = CORREIO_TIMESTAMP_NOW,
		.value = {value, size},
	};
	int status = CLI_OK;
	int32_t partition = 0;
	for (int64_t i = 0; i < b->records && status == CLI_OK; i++) {
		if (i % CHECK_EVERY == 0) {
			bench_meter_pace(meter, (uint64_t)i, b->rate);
			bench_meter_progress(meter, (uint64_t)i, (uint64_t)i * size, (uint64_t)b->records);
		}
		m.partition = partition;
		if (b->verify_ids)
			verifier_write_id(value, partition, numbers[partition]++);
		int64_t sent_us = i % SAMPLE_EVERY == 0 ? clock_monotonic_us(clock_system()) : 0;
		m.opaque = (void *)(intptr_t)sent_us; // NOLINT(performance-no-int-to-ptr): a cookie
		struct correio_error err;
		if (correio_producer_send(p, &m, &err) != CORREIO_OK)
			status = cli_fail(&b->common, &err);
		partition = partition + 1 == partitions ? 0 : partition + 1;
	}
	free(numbers);
	free(value);
	return status;
}

struct produce_summary {
	double seconds, cpu_s, mb, mb_per_s, records_per_s, cpu_s_per_gb;
};

static void print_summary(const struct produce_bench *b, const struct produce_summary *s,
	const struct correio_producer_stats *stats)
{
	if (b->common.json) {
		output_json(json_pack("{s:s,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:f,s:o}", "topic", b->topic, "records",
			(json_int_t)b->delivered, "failed", (json_int_t)b->failed, "record_size", (json_int_t)b->record_size,
			"seconds", s->seconds, "records_per_second", s->records_per_s, "mb_per_second", s->mb_per_s,
			"client_cpu_seconds", s->cpu_s, "client_cpu_seconds_per_gb", s->cpu_s_per_gb, "batches",
			(json_int_t)stats->batches_acknowledged, "retries", (json_int_t)stats->retries, "blocked_seconds",
			(double)stats->blocked_us / 1e6, "latency_us", histogram_json(&b->latency)));
		return;
	}
	(void)printf("records        %llu delivered, %llu failed, %llu retried batches\n", (unsigned long long)b->delivered,
		(unsigned long long)b->failed, (unsigned long long)stats->retries);
	(void)printf("throughput     %.0f records/s, %.1f MB/s in %.2f s\n", s->records_per_s, s->mb_per_s, s->seconds);
	(void)printf("client CPU     %.2f s, %.2f s/GB\n", s->cpu_s, s->cpu_s_per_gb);
	(void)printf("batches        %llu, %.0f records each; %.1f MB on the wire\n",
		(unsigned long long)stats->batches_acknowledged,
		stats->batches_acknowledged > 0 ? (double)b->delivered / (double)stats->batches_acknowledged : 0.0,
		(double)stats->bytes_acknowledged / 1e6);
	histogram_print(&b->latency, "latency");
}

static int run_bench(struct produce_bench *b)
{
	int32_t partitions = 0;
	int status = bench_topic(&b->common, b->topic, b->partitions, b->replication_factor, &partitions);
	struct correio_config *config = status == CLI_OK ? bench_config(b) : NULL;
	if (config == NULL)
		return CLI_FAILED;
	struct correio_producer *p = NULL;
	struct correio_error err;
	int code = correio_producer_new(config, delivered, b, &p, &err);
	correio_config_free(config);
	if (code != CORREIO_OK)
		return cli_fail(&b->common, &err);
	struct bench_meter meter;
	bench_meter_start(&meter);
	status = send_all(b, p, partitions, &meter);
	if (correio_producer_flush(p, -1, &err) != CORREIO_OK)
		status = cli_fail(&b->common, &err);
	struct produce_summary s = {
		.seconds = bench_meter_seconds(&meter),
		.cpu_s = bench_meter_cpu_seconds(&meter),
	};
	bench_meter_end_progress(&meter);
	struct correio_producer_stats stats;
	correio_producer_stats(p, &stats);
	code = correio_producer_close(p, 1000, &err);
	if (code != CORREIO_OK)
		status = cli_fail(&b->common, &err);
	s.mb = (double)b->delivered * (double)b->record_size / 1e6;
	s.mb_per_s = s.mb / s.seconds;
	s.records_per_s = (double)b->delivered / s.seconds;
	s.cpu_s_per_gb = s.mb > 0 ? s.cpu_s / (s.mb / 1000) : 0;
	print_summary(b, &s, &stats);
	if (b->failed > 0)
		status = cli_fail(&b->common, &b->first_error);
	return status;
}

int cmd_bench_produce(const struct cli_command *command, int argc, char **argv)
{
	struct produce_bench *b = (struct produce_bench *)check_calloc(1, sizeof(*b));
	b->records = 1000000;
	b->record_size = 100;
	b->replication_factor = -1;
	b->batch_size = -1;
	b->linger_ms = -1;
	b->delivery_timeout_ms = -1;
	const struct cli_option options[] = {
		{"--topic", CLI_TEXT, "TOPIC", &b->topic, "where to", 0, 0},
		{"--num-records", CLI_NUMBER, "N", &b->records, "how many (default 1000000)", 1, INT64_MAX},
		{"--record-size", CLI_NUMBER, "BYTES", &b->record_size, "bytes of a value (default 100)", 1, 100 << 20},
		{"--partitions", CLI_NUMBER, "N", &b->partitions, "create the topic with so many when there is none", 1, 100000},
		{"--replication-factor", CLI_NUMBER, "N", &b->replication_factor, "of a topic created", 1, 32767},
		{"--acks", CLI_TEXT, "0|1|all", &b->acks, "default all", 0, 0},
		{"--batch-size", CLI_NUMBER, "BYTES", &b->batch_size, "batch.size", 0, 100 << 20},
		{"--linger-ms", CLI_NUMBER, "MS", &b->linger_ms, "linger.ms", 0, 3600000},
		{"--delivery-timeout-ms", CLI_NUMBER, "MS", &b->delivery_timeout_ms, "delivery.timeout.ms", 1, INT32_MAX},
		{"--compression", CLI_TEXT, "CODEC", &b->compression, "none, gzip, snappy, lz4 or zstd", 0, 0},
		{"--rate", CLI_NUMBER, "N", &b->rate, "records per second (default: as fast as it goes)", 1, 1000000000},
		{"--verify-ids", CLI_FLAG, NULL, &b->verify_ids, "number the records, for bench consume --verify", 0, 0},
		CLI_COMMON_OPTIONS(&b->common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status)) {
		free(b);
		return status;
	}
	if (b->topic == NULL)
		status = cli_usage(command, "which topic? give --topic TOPIC");
	else if (b->verify_ids && b->record_size < VERIFIER_ID_SIZE)
		status = cli_usage(command, "--verify-ids needs --record-size %d or more", VERIFIER_ID_SIZE);
	else if (cli_check_positional(command, &parsed, 0, 0, &status))
		status = run_bench(b);
	cli_parsed_free(&parsed, options, COUNT(options));
	free(b);
	return status;
}
