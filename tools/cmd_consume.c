#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/record_print.h"
#include "tools/topic_store.h"
#include "base/clock.h"
#include <signal.h>

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { POLL_MS = 1000, CLOSE_WAIT_MS = 10000 };

struct consume_args {
	struct cli_common common;
	struct record_format format;
	const char *offset, *group, *protocol;
	int64_t partition, max_messages, timeout_ms, from_time;
	bool from_beginning;
};

/* --offset as a number or as words of Kafka's console consumer. */
static bool start_offset(const struct consume_args *a, int64_t *ret_offset)
{
	*ret_offset = a->from_beginning ? CORREIO_OFFSET_BEGINNING : CORREIO_OFFSET_END;
	if (a->offset == NULL)
		return true;
	if (strcmp(a->offset, "earliest") == 0 || strcmp(a->offset, "beginning") == 0)
		*ret_offset = CORREIO_OFFSET_BEGINNING;
	else if (strcmp(a->offset, "latest") == 0 || strcmp(a->offset, "end") == 0)
		*ret_offset = CORREIO_OFFSET_END;
	else
		return bytes_parse_i64(slice_of_str(a->offset), ret_offset) == STATUS_OK && *ret_offset >= 0;
	return true;
}

static int partition_count(const struct consume_args *a, const char *topic, int32_t *ret_count)
{
	int status;
	struct topic_store *store = topic_store_broker_open(&a->common, &status);
	if (store == NULL)
		return status;
	struct topic_set set;
	struct correio_error err;
	status = CLI_OK;
	if (store->ops->describe(store, topic, &set, &err) != CORREIO_OK) {
		topic_store_suggest(store, topic, &err);
		status = cli_fail(&a->common, &err);
	} else {
		*ret_count = set.topics[0].partition_count;
		if (set.topics[0].pending)
			status = cli_fail_text("topic %s is pending: it waits for enough brokers", topic);
		else if (a->partition >= *ret_count)
			status = cli_fail_text("topic %s has no partition %lld: they are 0 to %d", topic,
				(long long)a->partition, (int)*ret_count - 1);
		topic_set_free(&set);
	}
	topic_store_close(store);
	return status;
}

static int assign(struct correio_consumer *c, const struct consume_args *a, const char *topic, int32_t count,
	struct correio_error *err)
{
	int64_t offset;
	bool good = start_offset(a, &offset);
	expect(good);
	for (int32_t i = 0; i < count; i++) {
		if (a->partition >= 0 && i != a->partition)
			continue;
		int code = correio_consumer_assign(c, topic, i, offset, err);
		if (code == CORREIO_OK && a->from_time >= 0)
			code = correio_consumer_seek_time(c, topic, i, a->from_time, err);
		if (code != CORREIO_OK)
			return code;
	}
	return CORREIO_OK;
}

/* Prints at most *left records of one batch. */
static int print_records(const struct consume_args *a, struct correio_records *records, int64_t *left,
	struct correio_error *err)
{
	while (*left > 0) {
		bool more;
		struct correio_record record;
		int code = correio_records_next(records, &more, &record, err);
		if (code != CORREIO_OK || !more)
			return code;
		record_print(&a->format, correio_records_topic(records), correio_records_partition(records), &record);
		--*left;
	}
	return CORREIO_OK;
}

/* Stops cleanly on a signal: what was printed is committed, and the group need not wait for a session to expire. */
static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static int consume_loop(struct correio_consumer *c, const struct consume_args *a)
{
	int64_t left = a->max_messages >= 0 ? a->max_messages : INT64_MAX;
	int64_t last_us = clock_monotonic_us(clock_system());
	struct correio_error err;
	while (left > 0 && !stopped) {
		struct correio_records *records;
		int code = correio_consumer_poll(c, 0, &records, &err);
		if (code == CORREIO_OK && records == NULL) {
			/* Nothing at hand: what was printed is to be seen before we wait. */
			if (fflush(stdout) != 0)
				return cli_fail_text("standard output cannot be written");
			int64_t waited_ms = (clock_monotonic_us(clock_system()) - last_us) / 1000;
			if (a->timeout_ms >= 0 && waited_ms >= a->timeout_ms)
				break;
			int64_t wait_ms = a->timeout_ms >= 0 ? a->timeout_ms - waited_ms : POLL_MS;
			code = correio_consumer_poll(c, wait_ms < POLL_MS ? wait_ms : POLL_MS, &records, &err);
		}
		if (code == CORREIO_OK && records != NULL) {
			code = print_records(a, records, &left, &err);
			last_us = clock_monotonic_us(clock_system());
		}
		if (code != CORREIO_OK) {
			(void)fflush(stdout);
			return cli_fail(&a->common, &err);
		}
	}
	return fflush(stdout) == 0 ? CLI_OK : cli_fail_text("standard output cannot be written");
}

/* A group may wait for a topic to be made; a typing error is told all the same. What else is wrong ends it here. */
static int look_at_topic(const struct consume_args *a, const char *topic)
{
	int status;
	struct topic_store *store = topic_store_broker_open(&a->common, &status);
	if (store == NULL)
		return status;
	struct topic_set set;
	struct correio_error err;
	status = CLI_OK;
	if (store->ops->describe(store, topic, &set, &err) == CORREIO_OK) {
		topic_set_free(&set);
	} else {
		topic_store_suggest(store, topic, &err);
		if (err.code != CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION)
			status = cli_fail(&a->common, &err);
		else
			(void)fprintf(stderr, "correio: %s; waiting for it\n", err.message);
	}
	topic_store_close(store);
	return status;
}

/* As a member of a group. */
static int consume_in_group(const struct consume_args *a, const char *topic)
{
	int found = look_at_topic(a, topic);
	if (found != CLI_OK)
		return found;
	struct correio_config *config = cli_client_config(&a->common);
	if (config == NULL)
		return CLI_FAILED;
	struct correio_consumer *c = NULL;
	struct correio_error err;
	catch_signals();
	int code = correio_config_set(config, "group.id", a->group, &err);
	if (code == CORREIO_OK && a->from_beginning)
		code = correio_config_set(config, "auto.offset.reset", "earliest", &err);
	if (code == CORREIO_OK)
		code = correio_consumer_new(config, &c, &err);
	if (code == CORREIO_OK)
		code = correio_consumer_subscribe(c, &topic, 1, &err);
	correio_config_free(config);
	if (code != CORREIO_OK) {
		correio_consumer_free(c);
		return cli_fail(&a->common, &err);
	}
	int status = consume_loop(c, a);
	if (correio_consumer_close(c, CLOSE_WAIT_MS, &err) != CORREIO_OK && status == CLI_OK)
		status = cli_fail(&a->common, &err);
	return status;
}

static int consume(const struct consume_args *a, const char *topic)
{
	if (a->group != NULL)
		return consume_in_group(a, topic);
	int32_t count = 0;
	int status = partition_count(a, topic, &count);
	if (status != CLI_OK)
		return status;
	struct correio_config *config = cli_client_config(&a->common);
	if (config == NULL)
		return CLI_FAILED;
	struct correio_consumer *c = NULL;
	struct correio_error err;
	/* Records that retention has taken meanwhile are skipped, not an error, when reading from the beginning. */
	int code = correio_config_set(config, "auto.offset.reset", a->from_beginning ? "earliest" : "none", &err);
	if (code == CORREIO_OK)
		code = correio_consumer_new(config, &c, &err);
	if (code == CORREIO_OK)
		code = assign(c, a, topic, count, &err);
	correio_config_free(config);
	status = code == CORREIO_OK ? consume_loop(c, a) : cli_fail(&a->common, &err);
	correio_consumer_free(c);
	return status;
}

static int check_args(const struct cli_command *command, const struct consume_args *a)
{
	int64_t offset;
	if (a->group != NULL && (a->partition >= 0 || a->offset != NULL || a->from_time >= 0))
		return cli_usage(command, "--group: the group says which partitions, and from where; without --partition, --offset, "
			"--from-time. correio group reset-offsets moves it");
	if (a->protocol != NULL && strcmp(a->protocol, "native") != 0)
		return cli_usage(command, "--protocol %s: this program speaks native", a->protocol);
	if (!start_offset(a, &offset))
		return cli_usage(command, "--offset '%s' is not a number, earliest or latest", a->offset);
	if (a->offset != NULL && offset >= 0 && a->partition < 0)
		return cli_usage(command, "--offset %s needs --partition: offsets are numbered per partition", a->offset);
	return CLI_OK;
}

int cmd_consume(const struct cli_command *command, int argc, char **argv)
{
	struct consume_args a = {.partition = -1, .max_messages = -1, .timeout_ms = -1, .from_time = -1};
	a.format.key_separator = "\t";
	const struct cli_option options[] = {
		{"--from-beginning", CLI_FLAG, NULL, &a.from_beginning, "start at the first record (default: new ones)", 0, 0},
		{"--offset", CLI_TEXT, "N|earliest|latest", &a.offset, "start at this offset", 0, 0},
		{"--from-time", CLI_NUMBER, "MS", &a.from_time, "start at the first record at or after this time", 0, INT64_MAX},
		{"--partition", CLI_NUMBER, "N", &a.partition, "only this partition", 0, INT32_MAX},
		{"--max-messages", CLI_NUMBER, "N", &a.max_messages, "stop after this many", 0, INT64_MAX},
		{"--timeout-ms", CLI_NUMBER, "MS", &a.timeout_ms, "stop when nothing came for this long", 0, INT64_MAX},
		{"--print-key", CLI_FLAG, NULL, &a.format.key, "print the key before the value", 0, 0},
		{"--key-separator", CLI_TEXT, "TEXT", &a.format.key_separator, "between key and value (default: a tab)", 0, 0},
		{"--print-headers", CLI_FLAG, NULL, &a.format.headers, "print headers", 0, 0},
		{"--print-timestamp", CLI_FLAG, NULL, &a.format.timestamp, "print the time in ms", 0, 0},
		{"--print-partition", CLI_FLAG, NULL, &a.format.partition, "print the partition", 0, 0},
		{"--print-offset", CLI_FLAG, NULL, &a.format.offset, "print the offset", 0, 0},
		{"--group", CLI_TEXT, "G", &a.group, "as a member of this consumer group: go on where it stopped", 0, 0},
		{"--protocol", CLI_TEXT, "native", &a.protocol, "wire protocol", 0, 0},
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	a.format.json = a.common.json;
	if (parsed.positional_count == 0)
		status = cli_usage(command, "which topic? usage: correio consume TOPIC");
	else if (cli_check_positional(command, &parsed, 1, 1, &status))
		status = check_args(command, &a);
	if (parsed.positional_count == 1 && status == CLI_OK)
		status = consume(&a, parsed.positional[0]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
