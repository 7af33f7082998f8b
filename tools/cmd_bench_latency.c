/* One record at a time: from send to the acknowledgement, and to a consumer that waits for it. */
#include "base/clock.h"
#include "tools/bench.h"
#include "tools/commands.h"
#include "tools/histogram.h"
#include "tools/output.h"
#include <pthread.h>

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { ARRIVAL_TIMEOUT_MS = 30000, RECORD_SIZE_MAX = 1 << 20 };

struct latency_bench {
	struct cli_common common;
	const char *topic, *acks;
	int64_t records, record_size, rate, partition;
	struct histogram *to_ack, *to_consumer;
	pthread_mutex_t lock;
	pthread_cond_t acknowledged;
	/* under the lock */
	int64_t ack_us; /* 0: not yet */
	int64_t offset;
	struct correio_error error;
};

static void delivered(void *arg, const struct correio_delivery *d)
{
	struct latency_bench *b = (struct latency_bench *)arg;
	int64_t now_us = clock_monotonic_us(clock_system());
	(void)pthread_mutex_lock(&b->lock);
	b->ack_us = now_us;
	b->offset = d->base_offset;
	b->error = d->error != NULL ? *d->error : (struct correio_error){.code = 0};
	(void)pthread_cond_signal(&b->acknowledged);
	(void)pthread_mutex_unlock(&b->lock);
}

static int wait_ack(struct latency_bench *b, int64_t *ret_us, struct correio_error *err)
{
	(void)pthread_mutex_lock(&b->lock);
	while (b->ack_us == 0)
		(void)pthread_cond_wait(&b->acknowledged, &b->lock);
	*ret_us = b->ack_us;
	*err = b->error;
	b->ack_us = 0;
	(void)pthread_mutex_unlock(&b->lock);
	return err->code;
}

/* Until a record comes; returns when. */
static int wait_record(struct correio_consumer *c, int64_t *ret_us, struct correio_error *err)
{
	struct correio_records *records = NULL;
	int64_t until_us = clock_monotonic_us(clock_system()) + (int64_t)ARRIVAL_TIMEOUT_MS * 1000;
	while (records == NULL && clock_monotonic_us(clock_system()) < until_us) {
		int code = correio_consumer_poll(c, 1000, &records, err);
		if (code != CORREIO_OK)
			return code;
	}
	*ret_us = clock_monotonic_us(clock_system());
	if (records != NULL)
		return CORREIO_OK;
	err->code = CORREIO_ERR_TIMED_OUT;
	(void)snprintf(err->message, sizeof(err->message), "the record was acknowledged but did not reach the consumer");
	return err->code;
}

static int ping_all(struct latency_bench *b, struct correio_producer *p, struct correio_consumer *c,
	struct correio_error *err)
{
	char *value = (char *)check_calloc(1, (size_t)b->record_size + 1);
	memset(value, 'x', (size_t)b->record_size);
	struct correio_message m = {
		.topic = b->topic,
		.partition = (int32_t)b->partition,
		.timestamp_ms = CORREIO_TIMESTAMP_NOW,
		.value = {value, (size_t)b->record_size},
	};
	struct bench_meter meter;
	bench_meter_start(&meter);
	int code = CORREIO_OK;
	for (int64_t i = 0; i < b->records && code == CORREIO_OK; i++) {
		bench_meter_pace(&meter, (uint64_t)i, b->rate);
		bench_meter_progress(&meter, (uint64_t)i, (uint64_t)(i * b->record_size), (uint64_t)b->records);
		/* The consumer's fetch waits at the broker before the record is sent. */
		struct correio_records *none;
		code = correio_consumer_poll(c, 0, &none, err);
		int64_t sent_us = clock_monotonic_us(clock_system()), ack_us = 0, arrived_us = 0;
		if (code == CORREIO_OK)
			code = correio_producer_send(p, &m, err);
		if (code == CORREIO_OK)
			code = wait_record(c, &arrived_us, err);
		if (code == CORREIO_OK)
			code = wait_ack(b, &ack_us, err);
		if (code != CORREIO_OK)
			break;
		histogram_add(b->to_ack, ack_us - sent_us);
		histogram_add(b->to_consumer, arrived_us - sent_us);
	}
	bench_meter_end_progress(&meter);
	free(value);
	return code;
}

/* The consumer starts where the partition ends now. */
static int find_end(struct latency_bench *b, const struct correio_config *config, int64_t *ret_offset,
	struct correio_error *err)
{
	struct correio_admin *admin = NULL;
	struct correio_offset end = {.offset = 0};
	int code = correio_admin_new(config, &admin, err);
	if (code == CORREIO_OK)
		code = correio_admin_list_offset(admin, b->topic, (int32_t)b->partition, CORREIO_TIME_LATEST, &end, err);
	correio_admin_free(admin);
	*ret_offset = end.offset;
	return code;
}

static int measure(struct latency_bench *b, const struct correio_config *config)
{
	struct correio_producer *p = NULL;
	struct correio_consumer *c = NULL;
	struct correio_error err;
	int64_t end = 0;
	int code = find_end(b, config, &end, &err);
	if (code == CORREIO_OK)
		code = correio_consumer_new(config, &c, &err);
	if (code == CORREIO_OK)
		code = correio_consumer_assign(c, b->topic, (int32_t)b->partition, end, &err);
	if (code == CORREIO_OK)
		code = correio_producer_new(config, delivered, b, &p, &err);
	if (code == CORREIO_OK)
		code = ping_all(b, p, c, &err);
	if (p != NULL)
		(void)correio_producer_close(p, 1000, NULL);
	correio_consumer_free(c);
	if (code != CORREIO_OK)
		return cli_fail(&b->common, &err);
	if (b->common.json) {
		output_json(json_pack("{s:s,s:I,s:o,s:o}", "topic", b->topic, "records", (json_int_t)b->records, "to_ack_us",
			histogram_json(b->to_ack), "to_consumer_us", histogram_json(b->to_consumer)));
	} else {
		histogram_print(b->to_ack, "to ack");
		histogram_print(b->to_consumer, "to consumer");
	}
	return CLI_OK;
}

static int run_bench(struct latency_bench *b)
{
	int32_t partitions;
	int status = bench_topic(&b->common, b->topic, 0, 0, &partitions);
	struct correio_config *config = status == CLI_OK ? cli_client_config(&b->common) : NULL;
	if (config == NULL)
		return CLI_FAILED;
	status = CLI_FAILED;
	if (bench_set(&b->common, config, "acks", b->acks) && bench_set(&b->common, config, "linger.ms", "0"))
		status = measure(b, config);
	correio_config_free(config);
	return status;
}

int cmd_bench_latency(const struct cli_command *command, int argc, char **argv)
{
	struct latency_bench b = {.records = 1000, .record_size = 100, .rate = 100};
	const struct cli_option options[] = {
		{"--topic", CLI_TEXT, "TOPIC", &b.topic, "where to and from", 0, 0},
		{"--partition", CLI_NUMBER, "N", &b.partition, "default 0", 0, INT32_MAX},
		{"--num-records", CLI_NUMBER, "N", &b.records, "default 1000", 1, 100000000},
		{"--record-size", CLI_NUMBER, "BYTES", &b.record_size, "default 100", 1, RECORD_SIZE_MAX / 2},
		{"--rate", CLI_NUMBER, "N", &b.rate, "records per second at most (default 100)", 1, 1000000},
		{"--acks", CLI_TEXT, "1|all", &b.acks, "default all", 0, 0},
		CLI_COMMON_OPTIONS(&b.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	(void)pthread_mutex_init(&b.lock, NULL);
	(void)pthread_cond_init(&b.acknowledged, NULL);
	b.to_ack = (struct histogram *)check_calloc(1, sizeof(*b.to_ack));
	b.to_consumer = (struct histogram *)check_calloc(1, sizeof(*b.to_consumer));
	if (b.topic == NULL)
		status = cli_usage(command, "which topic? give --topic TOPIC");
	else if (cli_check_positional(command, &parsed, 0, 0, &status))
		status = run_bench(&b);
	free(b.to_ack);
	free(b.to_consumer);
	(void)pthread_cond_destroy(&b.acknowledged);
	(void)pthread_mutex_destroy(&b.lock);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
