#include "config/properties.h"
#include "config/settings.h"

#include "unit.h"
#include <unistd.h>

/* --- helpers ------------------------------------------------------------------------------------------------------------ */

enum { SETTINGS_FLOOD_TEXT = 1048576 + 100 };

static char file_path[64];

static const char *write_file(const char *text)
{
	snprintf(file_path, sizeof(file_path), "/tmp/test_config.XXXXXX");
	int fd = mkstemp(file_path);
	ck_assert_int_ge(fd, 0);
	FILE *f = fdopen(fd, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	return file_path;
}

/* Loads `text` as a file with the overrides; NULL-terminated list or NULL. */
static enum status load(const char *text, const char *const *overrides, struct settings *s, struct settings_report *r)
{
	size_t n = 0;
	while (overrides != NULL && overrides[n] != NULL)
		n++;
	struct settings_load_options o = {.path = write_file(text), .overrides = overrides, .override_count = n};
	enum status status = settings_load(s, &o, r);
	ck_assert_int_eq(unlink(file_path), 0);
	return status;
}

static void unload(struct settings *s, struct settings_report *r)
{
	if (r->errors.count == 0)
		settings_fini(s);
	settings_report_fini(r);
}

/* "FILE" in the expected text stands for the file's path. */
static bool line_is(const char *line, const char *expected)
{
	size_t path_n = strlen(file_path);
	while (*expected != '\0') {
		bool is_file = strncmp(expected, "FILE", 4) == 0;
		if (is_file ? strncmp(line, file_path, path_n) != 0 : *line != *expected)
			return false;
		line += is_file ? path_n : 1;
		expected += is_file ? 4 : 1;
	}
	return *line == '\0';
}

#define ZK "zookeeper.connect=zk:2181\n"

static void expect_error(const char *text, const char *expected)
{
	struct settings s;
	struct settings_report r;
	ck_assert_msg(load(text, NULL, &s, &r) == STATUS_INVALID_CONFIG, "no error for: %s", text);
	ck_assert_uint_ge(r.errors.count, 1);
	ck_assert_msg(line_is(r.errors.list[0], expected), "got:      %s\nexpected: %s", r.errors.list[0], expected);
	ck_assert_msg(r.errors.count == 1, "a second error: %s", r.errors.count > 1 ? r.errors.list[1] : "");
	unload(&s, &r);
}

static void expect_warning(const char *text, const char *expected)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(text, NULL, &s, &r), STATUS_OK);
	ck_assert_msg(r.warnings.count == 1, "%zu warnings for: %s", r.warnings.count, text);
	ck_assert_msg(line_is(r.warnings.list[0], expected), "got:      %s\nexpected: %s", r.warnings.list[0], expected);
	unload(&s, &r);
}

/* --- properties --------------------------------------------------------------------------------------------------------- */

static char pairs_seen[512];

static void note_pair(void *arg, const char *key, const char *value, unsigned line)
{
	(void)arg;
	size_t at = strlen(pairs_seen);
	snprintf(pairs_seen + at, sizeof(pairs_seen) - at, "%u[%s][%s]", line, key, value);
}

static const char *parsed(const char *text, size_t n)
{
	static struct failure f;
	pairs_seen[0] = '\0';
	enum status s = properties_parse(slice_of(text, n), note_pair, NULL, &f);
	return s == STATUS_OK ? pairs_seen : f.text;
}
#define PARSED(text) parsed(text, sizeof(text) - 1)

START_TEST(properties_are_read_as_java_reads_them)
{
	ck_assert_str_eq(PARSED(""), "");
	ck_assert_str_eq(PARSED("a=b"), "1[a][b]");
	ck_assert_str_eq(PARSED("a=b\nc:d\r\ne f\rg"), "1[a][b]2[c][d]3[e][f]4[g][]");
	ck_assert_str_eq(PARSED("  \t a \t =\t b c  \n"), "1[a][b c  ]"); /* trailing blanks stay */
	ck_assert_str_eq(PARSED("# x=1\n  ! y=2\n\n\nz=3 # no comment"), "5[z][3 # no comment]");
	ck_assert_str_eq(PARSED("a = b=c:d"), "1[a][b=c:d]");
	ck_assert_str_eq(PARSED("a   = = b"), "1[a][= b]");
	ck_assert_str_eq(PARSED("=v"), "1[][v]");
	ck_assert_str_eq(PARSED("# comment \\\na=b"), "2[a][b]"); /* comments do not go on */
	ck_assert_str_eq(PARSED("a=b,\\\n    c,\\\r\n\td\ne=f"), "1[a][b,c,d]4[e][f]");
	ck_assert_str_eq(PARSED("a=b\\\\\nc=d"), "1[a][b\\]2[c][d]");
	ck_assert_str_eq(PARSED("a=b\\"), "1[a][b]");
	ck_assert_str_eq(PARSED("ke\\\n  y=v"), "1[key][v]");
	ck_assert_str_eq(PARSED("a\\ b\\=c\\:d=e"), "1[a b=c:d][e]");
	ck_assert_str_eq(PARSED("a=\\t\\n\\r\\f\\x\\\""), "1[a][\t\n\r\fx\"]");
	ck_assert_str_eq(PARSED("a=\\ b"), "1[a][ b]");
	ck_assert_str_eq(PARSED("a=\\u0041\\u00e9\\u20AC"), "1[a][A\xc3\xa9\xe2\x82\xac]");
	ck_assert_str_eq(PARSED("a=\xc3\xa9"), "1[a][\xc3\xa9]");
}
END_TEST

START_TEST(properties_errors_name_the_line)
{
	ck_assert_str_eq(PARSED("x=1\na=\\u12g4"), "line 2: \\u must be followed by four hexadecimal digits");
	ck_assert_str_eq(PARSED("a=\\u12"), "line 1: \\u must be followed by four hexadecimal digits");
	ck_assert_str_eq(PARSED("\n\na=\\u0000"), "line 3: a NUL character is not allowed");
	ck_assert_str_eq(PARSED("a=b\0c"), "line 1: a NUL character is not allowed");
	ck_assert_str_eq(PARSED("a=b\\\0c"), "line 1: a NUL character is not allowed");
	ck_assert_str_eq(PARSED("a\0=b"), "line 1: a NUL character is not allowed");
}
END_TEST

/* --- values --------------------------------------------------------------------------------------------------------------- */

START_TEST(config_defaults_are_in_force_without_a_file)
{
	struct settings s;
	struct settings_report r;
	struct settings_load_options o = {.standalone = true};
	ck_assert_int_eq(settings_load(&s, &o, &r), STATUS_OK);
	ck_assert_int_eq(s.broker_id, -1);
	ck_assert_str_eq(s.listeners, "PLAINTEXT://127.0.0.1:9092");
	ck_assert_int_eq(s.zookeeper_session_timeout_ms, 18000);
	ck_assert_int_eq(s.topic_defaults.retention_ms, 604800000);
	ck_assert_int_eq(s.topic_defaults.flush_ms, 1000);
	ck_assert_uint_eq(s.topic_defaults.cleanup_policy, CLEANUP_delete);
	ck_assert(s.topic_defaults.log_flush_policy == FLUSH_commit);
	ck_assert(s.topic_defaults.min_cleanable_dirty_ratio == 0.5);
	ck_assert_str_eq(settings_log_dirs(&s), "/tmp/kafka-logs");
	ck_assert(settings_has_role(&s, "broker") && settings_has_role(&s, "controller") && !settings_has_role(&s, "b"));
	ck_assert_uint_eq(r.warnings.count + r.ignored.count, 0);
	unload(&s, &r);
	o.standalone = false;
	ck_assert_int_eq(settings_load(&s, &o, &r), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(r.errors.list[0],
		"settings: zookeeper.connect is needed: host:port[,host:port...][/chroot] of the ensemble (or start one broker "
		"alone with --standalone DIR)");
	unload(&s, &r);
}
END_TEST

START_TEST(config_values_of_every_kind_are_read)
{
	struct settings s;
	struct settings_report r;
	static const char *const overrides[] = {"num.partitions= 7 ", "broker.rack=r=1", NULL};
	ck_assert_int_eq(load(ZK "broker.id=3\nauto.create.topics.enable = TRUE\nnum.partitions=5\n"
			      "log.cleanup.policy=compact, delete\ncompression.type=zstd\nlog.flush.policy=background\n"
			      "log.message.timestamp.type=LogAppendTime\nlog.cleaner.min.cleanable.ratio=0.25\n"
			      "log.dirs=/a, /b ,/c\nqueued.max.request.bytes=-1\n",
				 overrides, &s, &r),
		STATUS_OK);
	ck_assert_int_eq(s.broker_id, 3);
	ck_assert(s.auto_create_topics_enable);
	ck_assert_int_eq(s.num_partitions, 7); /* the override */
	ck_assert_str_eq(s.broker_rack, "r=1");
	ck_assert_uint_eq(s.topic_defaults.cleanup_policy, CLEANUP_compact | CLEANUP_delete);
	ck_assert(s.topic_defaults.compression_type == TOPIC_COMPRESSION_zstd);
	ck_assert(s.topic_defaults.log_flush_policy == FLUSH_background);
	ck_assert(s.topic_defaults.message_timestamp_type == TIMESTAMP_LogAppendTime);
	ck_assert(s.topic_defaults.min_cleanable_dirty_ratio == 0.25);
	const char *at = settings_log_dirs(&s);
	struct slice item;
	ck_assert(config_list_next(&at, &item) && slice_equal(item, slice_of_str("/a")));
	ck_assert(config_list_next(&at, &item) && slice_equal(item, slice_of_str("/b")));
	ck_assert(config_list_next(&at, &item) && slice_equal(item, slice_of_str("/c")));
	ck_assert(!config_list_next(&at, &item));
	ck_assert_uint_eq(r.warnings.count, 0);
	unload(&s, &r);
}
END_TEST

START_TEST(config_errors_say_key_value_place_and_what_is_allowed)
{
	expect_error(ZK "\nnum.partitions=zero\n", "FILE:3: num.partitions=zero: must be a whole number, 1 or more (partitions)");
	expect_error(ZK "num.partitions=0", "FILE:2: num.partitions=0: must be a whole number, 1 or more (partitions)");
	expect_error(ZK "num.partitions=", "FILE:2: num.partitions=: must be a whole number, 1 or more (partitions)");
	expect_error(ZK "num.partitions=99999999999",
		"FILE:2: num.partitions=99999999999: must be a whole number, 1 or more (partitions)");
	expect_error(ZK "num.network.threads=65",
		"FILE:2: num.network.threads=65: must be a whole number from 0 to 64 (threads)");
	expect_error(ZK "delete.topic.enable=yes", "FILE:2: delete.topic.enable=yes: must be true or false");
	expect_error(ZK "log.cleaner.min.cleanable.ratio=1.5",
		"FILE:2: log.cleaner.min.cleanable.ratio=1.5: must be a number from 0 to 1");
	expect_error(ZK "log.cleanup.policy=delete,compress",
		"FILE:2: log.cleanup.policy=delete,compress: must be delete, compact, or both separated by a comma");
	expect_error(ZK "log.cleanup.policy=",
		"FILE:2: log.cleanup.policy=: must be delete, compact, or both separated by a comma");
	expect_error(ZK "compression.type=brotli",
		"FILE:2: compression.type=brotli: must be producer, uncompressed, gzip, snappy, lz4 or zstd");
	expect_error(ZK "log.flush.policy=never", "FILE:2: log.flush.policy=never: must be commit or background");
	expect_error(ZK "log.message.timestamp.type=Create",
		"FILE:2: log.message.timestamp.type=Create: must be CreateTime or LogAppendTime");
	expect_error(ZK "log.retention.hours=week", "FILE:2: log.retention.hours=week: must be a whole number, -1 or more (hours)");
	expect_error(ZK "log.roll.hours=0", "FILE:2: log.roll.hours=0: must be a whole number, 1 or more (hours)");
	expect_error(ZK "message.max.bytes=-1", "FILE:2: message.max.bytes=-1: must be a whole number, 0 or more (bytes)");
	expect_error(ZK "log.message.timestamp.difference.max.ms=x",
		"FILE:2: log.message.timestamp.difference.max.ms=x: must be a whole number, 0 or more (ms)");
	expect_error(ZK "a=\\u00", "FILE: line 2: \\u must be followed by four hexadecimal digits");
}
END_TEST

START_TEST(config_all_errors_are_reported_at_once)
{
	struct settings s;
	struct settings_report r;
	static const char *const overrides[] = {"num.io.threads=many", "nonsense", "=x", NULL};
	ck_assert_int_eq(load("num.partitions=a\nbroker.id=b\nlisteners=SSL://h:1", overrides, &s, &r), STATUS_INVALID_CONFIG);
	ck_assert_uint_eq(r.errors.count, 7);
	ck_assert_str_eq(r.errors.list[0], "--override nonsense: must be key=value");
	ck_assert_str_eq(r.errors.list[1], "--override =x: must be key=value");
	ck_assert(line_is(r.errors.list[2], "FILE:1: num.partitions=a: must be a whole number, 1 or more (partitions)"));
	ck_assert(line_is(r.errors.list[3], "FILE:2: broker.id=b: must be a whole number, -1 or more"));
	ck_assert_str_eq(r.errors.list[4], "--override: num.io.threads=many: must be a whole number from 0 to 256 (threads)");
	ck_assert_ptr_nonnull(strstr(r.errors.list[5], "SSL://h:1 speaks SSL"));
	ck_assert_ptr_nonnull(strstr(r.errors.list[6], "zookeeper.connect is needed"));
	unload(&s, &r);
}
END_TEST

START_TEST(config_file_that_cannot_be_read_is_named)
{
	struct settings s;
	struct settings_report r;
	struct settings_load_options o = {.path = "/tmp/no/such.properties", .standalone = true};
	ck_assert_int_eq(settings_load(&s, &o, &r), STATUS_INVALID_CONFIG);
	ck_assert_uint_eq(r.errors.count, 1);
	ck_assert_str_eq(r.errors.list[0], "/tmp/no/such.properties: cannot be read: No such file or directory");
	unload(&s, &r);
	o.path = "/tmp";
	ck_assert_int_eq(settings_load(&s, &o, &r), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(r.errors.list[0], "/tmp: cannot be read");
	unload(&s, &r);
}
END_TEST

START_TEST(config_floods_are_refused)
{
	struct settings s;
	struct settings_report r;
	char *text = check_calloc(1, SETTINGS_FLOOD_TEXT);
	size_t at = 0;
	for (int i = 0; i < 5000; i++)
		at += (size_t)snprintf(text + at, SETTINGS_FLOOD_TEXT - at, "k%d=v\n", i);
	ck_assert_int_eq(load(text, NULL, &s, &r), STATUS_INVALID_CONFIG);
	ck_assert_uint_eq(r.errors.count, 1);
	ck_assert(line_is(r.errors.list[0], "FILE: more than 4096 settings"));
	unload(&s, &r);
	memset(text, '#', SETTINGS_FLOOD_TEXT - 1);
	ck_assert_int_eq(load(text, NULL, &s, &r), STATUS_INVALID_CONFIG);
	ck_assert(line_is(r.errors.list[0], "FILE: larger than 1048576 bytes"));
	unload(&s, &r);
	free(text);
}
END_TEST

START_TEST(config_unknown_keys_are_warned_about_with_the_nearest)
{
	expect_warning(ZK "log.retnetion.hours=1", "FILE:2: log.retnetion.hours: unknown key; did you mean log.retention.hours?");
	expect_warning(ZK "zookeper.connect=x", "FILE:2: zookeper.connect: unknown key; did you mean zookeeper.connect?");
	expect_warning(ZK "num.replica.fetcher=1", "FILE:2: num.replica.fetcher: unknown key; did you mean num.replica.fetchers?");
	expect_warning(ZK "qwertyuiop=1", "FILE:2: qwertyuiop: unknown key");
	expect_warning(ZK "retention.ms=1",
		"FILE:2: retention.ms is a setting of topics; its default for all of them is log.retention.ms");
	expect_warning(ZK "num.partitions=1\nnum.partitions=2",
		"FILE:3: num.partitions is given a second time; the first, at FILE:2, does not count");
	ck_assert_ptr_null(settings_nearest_key("entirely.different"));
	ck_assert_str_eq(settings_nearest_key("broker.ids"), "broker.id");
	ck_assert_str_eq(topic_settings_nearest_key("retention.sm"), "retention.ms");
	ck_assert_ptr_null(topic_settings_nearest_key("x"));
}
END_TEST

START_TEST(config_keys_of_kafka_without_meaning_are_listed)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "transaction.state.log.replication.factor=2\nbackground.threads=4\n"
			      "listener.name.internal.ssl.keystore.location=/x\nsasl.jaas.config=y\nnum.io.threads=3\n",
				 NULL, &s, &r),
		STATUS_OK);
	ck_assert_uint_eq(r.ignored.count, 4);
	ck_assert_str_eq(r.ignored.list[0], "transaction.state.log.replication.factor");
	ck_assert_str_eq(r.ignored.list[2], "listener.name.internal.ssl.keystore.location");
	ck_assert_uint_eq(r.warnings.count, 0);
	unload(&s, &r);
}
END_TEST

/* --- what topics inherit ----------------------------------------------------------------------------------------------------- */

static void check_default(const char *text, const char *topic_key, const char *expected)
{
	char *file = check_asprintf(ZK "%s\n", text);
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(file, NULL, &s, &r), STATUS_OK);
	char *value = NULL;
	/* By way of the listing, so that it is tested too. */
	struct topic_settings *t = &s.topic_defaults;
	struct {
		const char *key;
		int64_t value;
	} fields[] = {{"retention.ms", t->retention_ms}, {"segment.ms", t->segment_ms}, {"segment.jitter.ms", t->segment_jitter_ms},
		{"segment.bytes", t->segment_bytes}, {"segment.index.bytes", t->segment_index_bytes},
		{"flush.messages", t->flush_messages}, {"flush.ms", t->flush_ms}, {"retention.bytes", t->retention_bytes},
		{"file.delete.delay.ms", t->file_delete_delay_ms}, {"delete.retention.ms", t->delete_retention_ms},
		{"index.interval.bytes", t->index_interval_bytes}, {"max.compaction.lag.ms", t->max_compaction_lag_ms},
		{"min.compaction.lag.ms", t->min_compaction_lag_ms}, {"max.message.bytes", t->max_message_bytes},
		{"min.insync.replicas", t->min_insync_replicas}, {"preallocate", t->preallocate},
		{"message.timestamp.before.max.ms", t->message_timestamp_before_max_ms},
		{"message.timestamp.after.max.ms", t->message_timestamp_after_max_ms},
		{"unclean.leader.election.enable", t->unclean_leader_election_enable},
		{"message.downconversion.enable", t->message_downconversion_enable}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].key, topic_key) == 0)
			value = check_asprintf("%lld", (long long)fields[i].value);
	ck_assert_ptr_nonnull(value);
	ck_assert_msg(strcmp(value, expected) == 0, "%s: %s is %s", text, topic_key, value);
	free(value);
	free(file);
	unload(&s, &r);
}

START_TEST(config_topic_defaults_come_from_the_brokers_keys)
{
	check_default("log.retention.hours=2", "retention.ms", "7200000");
	check_default("log.retention.hours=-1", "retention.ms", "-1");
	check_default("log.retention.minutes=3\nlog.retention.hours=2", "retention.ms", "180000");
	check_default("log.retention.hours=2\nlog.retention.ms=77\nlog.retention.minutes=3", "retention.ms", "77");
	check_default("log.roll.hours=1", "segment.ms", "3600000");
	check_default("log.roll.hours=1\nlog.roll.ms=5", "segment.ms", "5");
	check_default("log.roll.jitter.hours=1", "segment.jitter.ms", "3600000");
	check_default("log.roll.jitter.ms=9\nlog.roll.jitter.hours=1", "segment.jitter.ms", "9");
	check_default("log.segment.bytes=1000", "segment.bytes", "1000");
	check_default("log.index.size.max.bytes=400", "segment.index.bytes", "400");
	check_default("log.flush.interval.messages=1", "flush.messages", "1");
	check_default("log.flush.interval.ms=500", "flush.ms", "500");
	check_default("log.flush.scheduler.interval.ms=300", "flush.ms", "300");
	check_default("log.flush.scheduler.interval.ms=300\nlog.flush.interval.ms=500", "flush.ms", "500");
	check_default("log.retention.bytes=5", "retention.bytes", "5");
	check_default("log.segment.delete.delay.ms=1000", "file.delete.delay.ms", "1000");
	check_default("log.cleaner.delete.retention.ms=8", "delete.retention.ms", "8");
	check_default("log.index.interval.bytes=1", "index.interval.bytes", "1");
	check_default("log.cleaner.max.compaction.lag.ms=6", "max.compaction.lag.ms", "6");
	check_default("log.cleaner.min.compaction.lag.ms=6", "min.compaction.lag.ms", "6");
	check_default("message.max.bytes=1234", "max.message.bytes", "1234");
	check_default("min.insync.replicas=2", "min.insync.replicas", "2");
	check_default("log.preallocate=true", "preallocate", "1");
	check_default("log.message.timestamp.before.max.ms=4", "message.timestamp.before.max.ms", "4");
	check_default("log.message.timestamp.difference.max.ms=5", "message.timestamp.before.max.ms", "5");
	check_default("log.message.timestamp.difference.max.ms=5", "message.timestamp.after.max.ms", "5");
	check_default("log.message.timestamp.difference.max.ms=5\nlog.message.timestamp.after.max.ms=4",
		"message.timestamp.after.max.ms", "4");
	check_default("unclean.leader.election.enable=true", "unclean.leader.election.enable", "1");
	check_default("log.message.downconversion.enable=false", "message.downconversion.enable", "0");
}
END_TEST

START_TEST(config_message_max_bytes_is_a_broker_setting_too)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "message.max.bytes=1234", NULL, &s, &r), STATUS_OK);
	ck_assert_int_eq(s.message_max_bytes, 1234);
	ck_assert_int_eq(s.topic_defaults.max_message_bytes, 1234);
	unload(&s, &r);
	expect_warning(ZK "message.max.bytes=2000\nsocket.request.max.bytes=1000",
		"FILE:2: message.max.bytes=2000: no batch that large can arrive, since socket.request.max.bytes is 1000");
}
END_TEST

/* --- checks between settings ------------------------------------------------------------------------------------------------- */

START_TEST(config_listeners_are_checked)
{
	expect_error(ZK "listeners=9092", "FILE:2: listeners: \"9092\": write NAME://host:port");
	expect_error(ZK "listeners=PLAINTEXT://h", "FILE:2: listeners: \"PLAINTEXT://h\": the port is missing; write NAME://host:port");
	expect_error(ZK "listeners=PLAINTEXT://h:x",
		"FILE:2: listeners: \"PLAINTEXT://h:x\": the port must be a number from 0 to 65535");
	expect_error(ZK "listeners=PLAINTEXT://h:65536",
		"FILE:2: listeners: \"PLAINTEXT://h:65536\": the port must be a number from 0 to 65535");
	expect_error(ZK "listeners=PLAINTEXT://a b:1",
		"FILE:2: listeners: \"PLAINTEXT://a b:1\": the host must be a name or an address (IPv6 in brackets)");
	expect_error(ZK "listeners=PLAINTEXT://::1:1",
		"FILE:2: listeners: \"PLAINTEXT://::1:1\": the host must be a name or an address (IPv6 in brackets)");
	expect_error(ZK "listeners=P!://h:1",
		"FILE:2: listeners: \"P!://h:1\": a listener's name has letters, digits, _ - . (at most 63)");
	expect_error(ZK "listeners=PLAINTEXT://h:1,plaintext://h:2", "FILE:2: listeners: two listeners are named PLAINTEXT");
	expect_error(ZK "listeners=", "FILE:2: listeners: at least one NAME://host:port is needed");
	expect_error(ZK "listeners=SSL://h:9093",
		"FILE:2: listeners: SSL://h:9093 speaks SSL, which is not supported yet; only PLAINTEXT listeners can be opened");
	expect_error(ZK "listeners=SASL_PLAINTEXT://h:9093",
		"FILE:2: listeners: SASL_PLAINTEXT://h:9093 speaks SASL_PLAINTEXT, which is not supported yet; only PLAINTEXT "
		"listeners can be opened");
	expect_error(ZK "listeners=INTERNAL://h:9093",
		"FILE:2: listeners: nothing says what INTERNAL speaks; add INTERNAL:PLAINTEXT to listener.security.protocol.map");
	expect_error(ZK "listeners=INTERNAL://h:9093\nlistener.security.protocol.map=INTERNAL:PLAIN",
		"FILE:3: listener.security.protocol.map: PLAIN is not a protocol; PLAINTEXT is");
	expect_error(ZK "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\nlisteners=A://h:1,B://0.0.0.0:1\n"
			"advertised.listeners=A://h:1",
		"FILE:3: listeners: A and B both want port 1");
}
END_TEST

START_TEST(config_advertised_listeners_are_checked)
{
	expect_error(ZK "listeners=PLAINTEXT://0.0.0.0:9092",
		"FILE:2: listeners: clients cannot connect to 0.0.0.0; name this host in advertised.listeners");
	expect_error(ZK "advertised.listeners=OTHER://h:9092",
		"FILE:2: advertised.listeners: OTHER is not one of the listeners");
	expect_error(ZK "advertised.listeners=PLAINTEXT://h",
		"FILE:2: advertised.listeners: \"PLAINTEXT://h\": the port is missing; write NAME://host:port");
	expect_error(ZK "inter.broker.listener.name=OTHER",
		"FILE:2: inter.broker.listener.name=OTHER: is not one of the listeners");
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "listeners=PLAINTEXT://:9092,Internal://[::1]:0\nadvertised.listeners=PLAINTEXT://kafka.example:443\n"
			      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT\n"
			      "inter.broker.listener.name=internal\n",
				 NULL, &s, &r),
		STATUS_OK);
	struct settings_listener list[SETTINGS_LISTENERS_MAX];
	size_t n = 0;
	struct failure f;
	ck_assert_int_eq(settings_parse_listeners(s.listeners, list, &n, &f), STATUS_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(list[0].host, "");
	ck_assert_str_eq(list[1].name, "INTERNAL");
	ck_assert_str_eq(list[1].host, "::1");
	ck_assert_uint_eq(list[1].port, 0);
	ck_assert_uint_eq(settings_inter_broker_listener(&s, list, n), 1);
	ck_assert_int_eq(settings_advertised_listeners(&s, list, &n, &f), STATUS_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(list[0].host, "kafka.example");
	ck_assert_uint_eq(list[0].port, 443);
	unload(&s, &r);
	ck_assert_int_eq(load(ZK "listeners=PLAINTEXT://:9092\n", NULL, &s, &r), STATUS_OK);
	char host[256];
	ck_assert_int_eq(gethostname(host, sizeof(host)), 0);
	ck_assert_int_eq(settings_advertised_listeners(&s, list, &n, &f), STATUS_OK);
	ck_assert_str_eq(list[0].host, host);
	unload(&s, &r);
}
END_TEST

START_TEST(config_other_relations_are_checked)
{
	expect_error(ZK "log.dirs=/a,/b/,/b", "FILE:2: log.dirs: /b is named twice");
	expect_error(ZK "log.dirs=/a,,/b", "FILE:2: log.dirs: item 2 of the list is empty");
	expect_error(ZK "log.dir=", "FILE:2: log.dir: a folder is needed");
	expect_error(ZK "process.roles=broker,zookeeper",
		"FILE:2: process.roles: \"zookeeper\" is not a role; broker and controller are");
	expect_error(ZK "process.roles=", "FILE:2: process.roles: broker, controller or both are needed");
	expect_error(ZK "broker.id=1001",
		"FILE:2: broker.id=1001: ids above reserved.broker.max.id (1000) are for generated ones; use a smaller one, or "
		"broker.id.generation.enable=false");
	expect_error(ZK "broker.id.generation.enable=false", "FILE: broker.id is needed when broker.id.generation.enable=false");
	expect_error("broker.id=1",
		"FILE: zookeeper.connect is needed: host:port[,host:port...][/chroot] of the ensemble (or start one broker alone "
		"with --standalone DIR)");
	expect_error("zookeeper.connect=/chroot", "FILE:1: zookeeper.connect=/chroot: no host is named");
	expect_error("zookeeper.connect=a:1,b:port/c",
		"FILE:1: zookeeper.connect: \"b:port\" is not host:port; write host:port[,host:port...][/chroot]");
	expect_error("zookeeper.connect=a:0", "FILE:1: zookeeper.connect: \"a:0\" is not host:port; write host:port[,host:port...][/chroot]");
	expect_error(ZK "zookeeper.digest=secret", "FILE:2: zookeeper.digest: must be user:password");
	expect_error(ZK "admin.listener=9644", "FILE:2: admin.listener=9644: must be host:port");
	expect_error(ZK "node.id=2\nbroker.id=1", "FILE:2: node.id=2: is another name of broker.id, which is 1; remove one");
	expect_error(ZK "node.id=x", "FILE:2: node.id=x: must be a whole number, -1 or more");
}
END_TEST

START_TEST(config_what_would_leave_the_broker_open_is_refused)
{
	expect_error(ZK "authorizer.class.name=kafka.security.authorizer.AclAuthorizer",
		"FILE:2: authorizer.class.name=kafka.security.authorizer.AclAuthorizer: authorization is not supported yet; leave it "
		"empty to let everyone do everything");
	expect_error(ZK "security.inter.broker.protocol=SSL",
		"FILE:2: security.inter.broker.protocol=SSL: only PLAINTEXT is supported yet");
	expect_error(ZK "zookeeper.ssl.client.enable=true",
		"FILE:2: zookeeper.ssl.client.enable=true: TLS to ZooKeeper is not supported yet; use a tunnel, and false here");
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "authorizer.class.name=\nsecurity.inter.broker.protocol=PLAINTEXT\n"
			      "zookeeper.ssl.client.enable=false\n",
				 NULL, &s, &r),
		STATUS_OK);
	ck_assert_uint_eq(r.warnings.count, 0);
	unload(&s, &r);
}
END_TEST

START_TEST(config_old_names_still_work)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "host.name=10.0.0.1\nport=9093\nadvertised.host.name=pub\nnode.id=4\n", NULL, &s, &r), STATUS_OK);
	ck_assert_str_eq(s.listeners, "PLAINTEXT://10.0.0.1:9093");
	ck_assert_str_eq(s.advertised_listeners, "PLAINTEXT://pub:9092");
	ck_assert_int_eq(s.broker_id, 4);
	ck_assert_uint_eq(r.warnings.count, 2);
	ck_assert(line_is(r.warnings.list[0], "FILE:2: host.name is an old name; use listeners=PLAINTEXT://host:port"));
	unload(&s, &r);
	expect_warning(ZK "port=9093\nlisteners=PLAINTEXT://h:1\n",
		"FILE:2: port is an old name and does not count beside listeners");
	ck_assert_int_eq(load(ZK "node.id=4\nbroker.id=4\n", NULL, &s, &r), STATUS_OK);
	unload(&s, &r);
}
END_TEST

START_TEST(config_threads_follow_the_cores_unless_given)
{
	struct settings s;
	settings_init_defaults(&s);
	ck_assert_int_eq(settings_network_threads(&s, 0), 1);
	ck_assert_int_eq(settings_network_threads(&s, 8), 8);
	ck_assert_int_eq(settings_network_threads(&s, 500), 64);
	ck_assert_int_eq(settings_io_threads(&s, 1), 2);
	ck_assert_int_eq(settings_io_threads(&s, 8), 8);
	ck_assert_int_eq(settings_io_threads(&s, 500), 16);
	s.num_network_threads = 3;
	s.num_io_threads = 100;
	ck_assert_int_eq(settings_network_threads(&s, 8), 3);
	ck_assert_int_eq(settings_io_threads(&s, 8), 100);
	settings_fini(&s);
}
END_TEST

/* The file as it comes with Kafka 3.9, without its comments. */
START_TEST(config_kafkas_own_server_properties_load)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load("broker.id=0\nnum.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n"
			      "socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\nlog.dirs=/tmp/kafka-logs\n"
			      "num.partitions=1\nnum.recovery.threads.per.data.dir=1\noffsets.topic.replication.factor=1\n"
			      "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
			      "#log.flush.interval.messages=10000\n#log.flush.interval.ms=1000\nlog.retention.hours=168\n"
			      "#log.retention.bytes=1073741824\n#log.segment.bytes=1073741824\n"
			      "log.retention.check.interval.ms=300000\nzookeeper.connect=localhost:2181\n"
			      "zookeeper.connection.timeout.ms=18000\ngroup.initial.rebalance.delay.ms=0\n",
				 NULL, &s, &r),
		STATUS_OK);
	ck_assert_uint_eq(r.warnings.count, 0);
	ck_assert_uint_eq(r.ignored.count, 2);
	ck_assert_int_eq(s.offsets_topic_replication_factor, 1);
	ck_assert_int_eq(s.num_io_threads, 8);
	unload(&s, &r);
}
END_TEST

/* --- topics and listings ------------------------------------------------------------------------------------------------------- */

START_TEST(config_topic_overrides_are_validated)
{
	struct topic_settings t;
	topic_settings_init_defaults(&t);
	struct failure f;
	ck_assert_int_eq(topic_settings_apply(&t, "retention.ms", "-1", &f), STATUS_OK);
	ck_assert_int_eq(t.retention_ms, -1);
	ck_assert_int_eq(topic_settings_apply(&t, "retention.ms", "-2", &f), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "retention.ms=-2: must be a whole number, -1 or more (ms)");
	ck_assert_int_eq(t.retention_ms, -1);
	ck_assert_int_eq(topic_settings_apply(&t, "retention.mz", "1", &f), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "retention.mz: no such topic setting; did you mean retention.ms?");
	ck_assert_int_eq(topic_settings_apply(&t, "whatever", "1", &f), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "whatever: no such topic setting");
	ck_assert_int_eq(topic_settings_apply(&t, "leader.replication.throttled.replicas", "0:1,1:2", NULL), STATUS_OK);
	ck_assert_int_eq(topic_settings_apply(&t, "message.format.version", "2.8", NULL), STATUS_OK);
	ck_assert_int_eq(topic_settings_apply(&t, "remote.storage.enable", "maybe", &f), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "remote.storage.enable=maybe: must be true or false");
	ck_assert_int_eq(topic_settings_apply(&t, "compression.gzip.level", "10", &f), STATUS_INVALID_CONFIG);
	ck_assert_str_eq(f.text, "compression.gzip.level=10: must be a whole number from -1 to 9");
	ck_assert_int_eq(topic_settings_apply(&t, "message.timestamp.after.max.ms", "7", &f), STATUS_OK);
	ck_assert_int_eq(topic_settings_apply(&t, "message.timestamp.difference.max.ms", "9", &f), STATUS_OK);
	ck_assert_int_eq(t.message_timestamp_before_max_ms, 9);
	ck_assert_int_eq(t.message_timestamp_after_max_ms, 7);
}
END_TEST

struct listing {
	int count, sensitive;
	char text[16384];
};

static void note_view(void *arg, const struct setting_view *v)
{
	struct listing *l = arg;
	l->count++;
	l->sensitive += v->value == NULL;
	ck_assert(v->key[0] != '\0' && v->text[0] != '\0' && v->default_value != NULL && v->unit != NULL);
	ck_assert_int_gt((int)strlen(config_table_type_name(v->kind)), 2);
	size_t at = strlen(l->text);
	ck_assert_uint_lt(at + 400, sizeof(l->text));
	snprintf(l->text + at, sizeof(l->text) - at, "\n%s=%s\n", v->key, v->value != NULL ? v->value : "<hidden>");
}

START_TEST(config_topic_settings_are_listed_as_they_would_be_written)
{
	struct topic_settings t;
	topic_settings_init_defaults(&t);
	ck_assert_int_eq(topic_settings_apply(&t, "cleanup.policy", "delete,compact", NULL), STATUS_OK);
	ck_assert_int_eq(topic_settings_apply(&t, "preallocate", "TRUE", NULL), STATUS_OK);
	static struct listing l;
	topic_settings_each(&t, note_view, &l);
	ck_assert_int_ge(l.count, 35);
	static const char *const lines[] = {"\ncleanup.policy=compact,delete\n", "\npreallocate=true\n",
		"\nmin.cleanable.dirty.ratio=0.5\n", "\nflush.messages=9223372036854775807\n", "\ncompression.type=producer\n",
		"\nmessage.timestamp.type=CreateTime\n", "\nlog.flush.policy=commit\n", "\nlocal.retention.ms=-2\n"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(strstr(l.text, lines[i]) != NULL, "missing: %s", lines[i]);
}
END_TEST

START_TEST(config_broker_settings_are_listed_without_secrets)
{
	struct settings s;
	struct settings_report r;
	ck_assert_int_eq(load(ZK "zookeeper.digest=user:secret\nlog.retention.hours=1\nbroker.id=5\n", NULL, &s, &r), STATUS_OK);
	static struct listing l;
	settings_each(&s, note_view, &l);
	ck_assert_int_eq(l.sensitive, 1);
	ck_assert_ptr_null(strstr(l.text, "secret"));
	ck_assert_ptr_nonnull(strstr(l.text, "\nzookeeper.digest=<hidden>\n"));
	ck_assert_ptr_nonnull(strstr(l.text, "\nlog.retention.ms=3600000\n"));
	ck_assert_ptr_nonnull(strstr(l.text, "\nbroker.id=5\n"));
	ck_assert_ptr_null(strstr(l.text, "\nlog.retention.hours="));
	/* message.max.bytes is in both tables and listed once. */
	const char *first = strstr(l.text, "\nmessage.max.bytes=");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "\nmessage.max.bytes="));
	char *v = settings_format_value(&s, "log.retention.ms");
	ck_assert_str_eq(v, "3600000");
	free(v);
	ck_assert_ptr_null(settings_format_value(&s, "zookeeper.digest"));
	ck_assert_ptr_null(settings_format_value(&s, "no.such.key"));
	unload(&s, &r);
}
END_TEST

START_TEST(config_help_names_every_key)
{
	char *text = NULL;
	size_t n = 0;
	for (int json = 0; json < 2; json++) {
		FILE *f = open_memstream(&text, &n);
		settings_print_help(f, json == 1);
		ck_assert_int_eq(fclose(f), 0);
		static const char *const keys[] = {"zookeeper.connect", "log.retention.minutes", "retention.ms", "log.flush.policy"};
		for (size_t i = 0; i < 4; i++)
			ck_assert_ptr_nonnull(strstr(text, keys[i]));
		ck_assert_int_eq(text[0], json == 1 ? '[' : '#');
		free(text);
	}
}
END_TEST

UNIT_MAIN("config", properties_are_read_as_java_reads_them, properties_errors_name_the_line,
	config_defaults_are_in_force_without_a_file, config_values_of_every_kind_are_read,
	config_errors_say_key_value_place_and_what_is_allowed, config_all_errors_are_reported_at_once,
	config_file_that_cannot_be_read_is_named, config_floods_are_refused,
	config_unknown_keys_are_warned_about_with_the_nearest, config_keys_of_kafka_without_meaning_are_listed,
	config_topic_defaults_come_from_the_brokers_keys, config_message_max_bytes_is_a_broker_setting_too,
	config_listeners_are_checked, config_advertised_listeners_are_checked, config_other_relations_are_checked,
	config_what_would_leave_the_broker_open_is_refused, config_old_names_still_work,
	config_threads_follow_the_cores_unless_given, config_kafkas_own_server_properties_load,
	config_topic_overrides_are_validated, config_topic_settings_are_listed_as_they_would_be_written,
	config_broker_settings_are_listed_without_secrets, config_help_names_every_key)
