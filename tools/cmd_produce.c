#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/topic_store.h"
#include <jansson.h>

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { HEADERS_MAX = 64 };

struct produce_args {
	struct cli_common common;
	const char *key_separator, *acks, *compression, *protocol;
	int64_t partition, batch_size, linger_ms, delivery_timeout_ms;
	struct cli_list headers;
};

/* What the producer's thread reports; read after close. */
struct produce_result {
	uint64_t delivered, failed;
	struct correio_error first_error;
};

static void delivered(void *arg, const struct correio_delivery *d)
{
	struct produce_result *r = (struct produce_result *)arg;
	if (d->error == NULL) {
		r->delivered += (uint64_t)d->record_count;
		return;
	}
	if (r->failed == 0)
		r->first_error = *d->error;
	r->failed += (uint64_t)d->record_count;
}

static int set_option(struct correio_config *config, const char *key, const char *value, struct correio_error *err)
{
	return value == NULL ? CORREIO_OK : correio_config_set(config, key, value, err);
}

static int set_number(struct correio_config *config, const char *key, int64_t value, struct correio_error *err)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	return value < 0 ? CORREIO_OK : correio_config_set(config, key, text, err);
}

static struct correio_config *produce_config(const struct produce_args *a)
{
	struct correio_config *config = cli_client_config(&a->common);
	struct correio_error err;
	if (config == NULL)
		return NULL;
	int code = set_option(config, "acks", a->acks, &err);
	if (code == CORREIO_OK)
		code = set_option(config, "compression.type", a->compression, &err);
	if (code == CORREIO_OK)
		code = set_number(config, "batch.size", a->batch_size, &err);
	/* A batch grows past batch.size while another is under way: who sets it wants batches of that size. */
	if (code == CORREIO_OK && a->batch_size >= 1024)
		code = set_number(config, "max.request.size", a->batch_size, &err);
	if (code == CORREIO_OK)
		code = set_number(config, "linger.ms", a->linger_ms, &err);
	if (code == CORREIO_OK)
		code = set_number(config, "delivery.timeout.ms", a->delivery_timeout_ms, &err);
	if (code == CORREIO_OK)
		return config;
	(void)cli_fail(&a->common, &err);
	correio_config_free(config);
	return NULL;
}

/* A typing error is told at once, with the nearest topic there is. */
static bool topic_is_there(const struct produce_args *a, const char *topic)
{
	int status;
	struct topic_store *store = topic_store_broker_open(&a->common, &status);
	if (store == NULL)
		return false;
	struct topic_set set;
	struct correio_error err;
	int code = store->ops->describe(store, topic, &set, &err);
	if (code == CORREIO_OK && set.topics[0].pending)
		code = cli_fail_text("topic %s is pending: it waits for enough brokers", topic);
	else if (code != CORREIO_OK) {
		topic_store_suggest(store, topic, &err);
		(void)cli_fail(&a->common, &err);
	}
	if (code == CORREIO_OK)
		topic_set_free(&set);
	topic_store_close(store);
	return code == CORREIO_OK;
}

/* One line as a record. */
static int send_line(struct correio_producer *p, const struct produce_args *a, struct correio_message *m, const char *line,
	size_t n, uint64_t number)
{
	struct correio_error err;
	m->value = (struct correio_bytes){line, n};
	m->key = (struct correio_bytes){NULL, 0};
	if (a->key_separator != NULL) {
		size_t separator_size = strlen(a->key_separator);
		const char *at = (const char *)memmem(line, n, a->key_separator, separator_size);
		if (at == NULL)
			return cli_fail_text("line %llu has no '%s' between key and value", (unsigned long long)number,
				a->key_separator);
		size_t key_size = (size_t)(at - line);
		m->key = (struct correio_bytes){line, key_size};
		m->value = (struct correio_bytes){at + separator_size, n - key_size - separator_size};
	}
	if (correio_producer_send(p, m, &err) != CORREIO_OK)
		return cli_fail(&a->common, &err);
	return CLI_OK;
}

static int send_lines(struct correio_producer *p, const struct produce_args *a, struct correio_message *m)
{
	char *line = NULL;
	size_t capacity = 0;
	uint64_t number = 0;
	int status = CLI_OK;
	while (status == CLI_OK) {
		ssize_t n = getline(&line, &capacity, stdin);
		if (n < 0)
			break;
		size_t size = (size_t)n;
		if (size > 0 && line[size - 1] == '\n')
			size--;
		status = send_line(p, a, m, line, size, ++number);
	}
	if (ferror(stdin) != 0)
		status = cli_fail_text("standard input cannot be read");
	free(line);
	return status;
}

/* --header items into m; the keys are freed with free_headers. */
static bool parse_headers(const struct produce_args *a, struct correio_header *headers, struct correio_message *m)
{
	if (a->headers.count > HEADERS_MAX) {
		(void)cli_fail_text("at most %d headers", HEADERS_MAX);
		return false;
	}
	for (size_t i = 0; i < a->headers.count; i++) {
		const char *item = a->headers.items[i];
		const char *equals = strchr(item, '=');
		if (equals == NULL) {
			(void)cli_fail_text("--header '%s' is not KEY=VALUE", item);
			return false;
		}
		headers[i] = (struct correio_header){
			.key = {item, (size_t)(equals - item)},
			.value = {equals + 1, strlen(equals + 1)},
		};
	}
	m->headers = headers;
	m->header_count = (int)a->headers.count;
	return true;
}

static int report(const struct produce_args *a, const struct produce_result *r, int status)
{
	if (a->common.json) {
		json_t *summary = json_pack("{s:I,s:I}", "delivered", (json_int_t)r->delivered, "failed",
			(json_int_t)r->failed);
		(void)json_dumpf(summary, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
		json_decref(summary);
	}
	if (r->failed == 0)
		return status;
	(void)cli_fail_text("%llu of %llu records were not delivered; the first because:", (unsigned long long)r->failed,
		(unsigned long long)r->failed + (unsigned long long)r->delivered);
	return cli_fail(&a->common, &r->first_error);
}

static int produce(const struct produce_args *a, const char *topic)
{
	struct correio_header headers[HEADERS_MAX];
	struct correio_message m = {
		.topic = topic,
		.partition = (int32_t)a->partition,
		.timestamp_ms = CORREIO_TIMESTAMP_NOW,
	};
	if (!parse_headers(a, headers, &m))
		return CLI_USAGE;
	struct correio_config *config = produce_config(a);
	if (config == NULL)
		return CLI_FAILED;
	struct produce_result result = {.delivered = 0};
	struct correio_producer *p = NULL;
	struct correio_error err;
	int status = topic_is_there(a, topic) ? CLI_OK : CLI_FAILED;
	if (status == CLI_OK && correio_producer_new(config, delivered, &result, &p, &err) != CORREIO_OK)
		status = cli_fail(&a->common, &err);
	correio_config_free(config);
	if (p == NULL)
		return status;
	status = send_lines(p, a, &m);
	if (correio_producer_close(p, -1, &err) != CORREIO_OK)
		status = cli_fail(&a->common, &err);
	return report(a, &result, status);
}

int cmd_produce(const struct cli_command *command, int argc, char **argv)
{
	struct produce_args a = {.partition = CORREIO_PARTITION_ANY, .batch_size = -1, .linger_ms = -1, .delivery_timeout_ms = -1};
	const struct cli_option options[] = {
		{"--key-separator", CLI_TEXT, "TEXT", &a.key_separator, "what stands before it is the key", 0, 0},
		{"--acks", CLI_TEXT, "0|1|all", &a.acks, "when a record counts as stored (default all)", 0, 0},
		{"--compression", CLI_TEXT, "CODEC", &a.compression, "none, gzip, snappy, lz4 or zstd", 0, 0},
		{"--partition", CLI_NUMBER, "N", &a.partition, "this partition (default: by key, or any)", 0, INT32_MAX},
		{"--header", CLI_LIST, "KEY=VALUE", &a.headers, "a header of every record; may be repeated", 0, 0},
		{"--batch-size", CLI_NUMBER, "BYTES", &a.batch_size, "bytes of a batch", 0, 100 << 20},
		{"--linger-ms", CLI_NUMBER, "MS", &a.linger_ms, "wait for a fuller batch", 0, 3600000},
		{"--delivery-timeout-ms", CLI_NUMBER, "MS", &a.delivery_timeout_ms, "give up on a record after this", 1, INT32_MAX},
		{"--protocol", CLI_TEXT, "native", &a.protocol, "wire protocol", 0, 0},
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (a.protocol != NULL && strcmp(a.protocol, "native") != 0)
		status = cli_usage(command, "--protocol %s: this program speaks native", a.protocol);
	else if (a.key_separator != NULL && a.key_separator[0] == '\0')
		status = cli_usage(command, "--key-separator is empty");
	else if (parsed.positional_count == 0)
		status = cli_usage(command, "which topic? usage: correio produce TOPIC");
	else if (cli_check_positional(command, &parsed, 1, 1, &status))
		status = produce(&a, parsed.positional[0]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
