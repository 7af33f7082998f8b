/* The producer against a peer that speaks the protocol. */
#include "client_fixture.h"
#include <pthread.h>

START_TEST(producer_batches_and_reports_each_record_once)
{
	struct native_peer *peer = native_peer_start(3);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	int32_t partitions;
	ck_assert_int_eq(correio_producer_partitions(p, "t", &partitions, NULL), 0);
	ck_assert_int_eq(partitions, 3);
	fixture_send_all(p, 1, 1, 1001);
	struct correio_error err;
	ck_assert_int_eq(correio_producer_flush(p, 10000, &err), 0);
	ck_assert_int_eq(reports.records, 1000);
	ck_assert_int_eq(reports.failed, 0);
	ck_assert_int_eq(reports.opaque_sum, 1000 * 1001 / 2);
	ck_assert_int_eq(native_peer_end_offset(peer, 1), 1000);
	ck_assert_uint_lt(native_peer_batch_count(peer, 1), 100);
	struct correio_producer_stats stats;
	correio_producer_stats(p, &stats);
	ck_assert_uint_eq(stats.records_acknowledged, 1000);
	ck_assert_uint_eq(stats.buffered_bytes, 0);
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	fixture_expect_stored(peer, 1, 1, 1000);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_acks_0_reports_what_was_sent)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"acks", "0", NULL});
	fixture_send_all(p, 0, 1, 101);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.records, 100);
	fixture_expect_stored(peer, 0, 1, 100);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_full_buffer_blocks_then_says_so)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_hold(peer, true);
	struct correio_producer *p = fixture_producer(peer, &reports,
		(const char *[]){"buffer.memory", "4096", "max.block.ms", "50", NULL});
	struct correio_error err = {.code = 0};
	int sent = 0;
	while (fixture_send(p, 0, sent + 1, &err) == 0) {
		sent++;
		ck_assert_int_lt(sent, 4096);
	}
	ck_assert_int_eq(err.code, CORREIO_ERR_BUFFER_FULL);
	ck_assert(err.retriable);
	ck_assert_ptr_nonnull(strstr(err.message, "buffer.memory"));
	ck_assert_int_gt(sent, 20);
	struct correio_producer_stats stats;
	correio_producer_stats(p, &stats);
	ck_assert_uint_le(stats.buffered_bytes, 4096);
	ck_assert_uint_ge(stats.blocked_us, 50000);
	/* Room again: the next send waits for it and goes through. */
	native_peer_hold(peer, false);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	fixture_send_all(p, 0, sent + 1, sent + 10);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	fixture_expect_stored(peer, 0, 1, sent + 9);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_retries_keep_order)
{
	struct native_peer *peer = native_peer_start(2);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports,
		(const char *[]){"batch.size", "300", "linger.ms", "0", "retry.backoff.ms", "5", "max.request.size", "1024",
			NULL});
	for (int round = 0; round < 10; round++) {
		native_peer_fail_produce(peer, 3, round % 2 == 0 ? 19 : 7);
		fixture_send_all(p, 0, round * 100 + 1, round * 100 + 101);
		fixture_send_all(p, 1, round * 100 + 1, round * 100 + 101);
	}
	ck_assert_int_eq(correio_producer_close(p, 20000, NULL), 0);
	ck_assert_int_eq(reports.records, 2000);
	ck_assert_int_eq(reports.out_of_order, 0);
	ck_assert_int_le(native_peer_max_overlap(peer), 1);
	ck_assert_int_eq(native_peer_end_offset(peer, 0), 1000);
	fixture_expect_stored(peer, 0, 1, 1000);
	fixture_expect_stored(peer, 1, 1, 1000);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_open_batch_grows_while_one_is_in_flight)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_hold(peer, true);
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"linger.ms", "0", "batch.size", "100", NULL});
	fixture_send_all(p, 0, 1, 2);
	native_peer_wait_produce_requests(peer, 1);
	fixture_send_all(p, 0, 2, 2001);
	native_peer_hold(peer, false);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	ck_assert_uint_eq(native_peer_batch_count(peer, 0), 2);
	fixture_expect_stored(peer, 0, 1, 2000);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_lost_answer_is_retried)
{
	static const char *const idempotence[] = {"true", "false", "true"};
	for (int i = 0; i < 3; i++) {
		struct native_peer *peer = native_peer_start(1);
		struct reports reports = {.records = 0};
		native_peer_drop_answers(peer, 1);
		if (i == 2)
			native_peer_refuse_ids(peer, 35); /* an old broker */
		struct correio_producer *p = fixture_producer(peer, &reports,
			(const char *[]){"retry.backoff.ms", "5", "reconnect.backoff.ms", "5", "enable.idempotence", idempotence[i],
				NULL});
		fixture_send_all(p, 0, 1, 51);
		ck_assert_int_eq(correio_producer_close(p, 20000, NULL), 0);
		ck_assert_int_eq(reports.records, 50);
		/* At least once: without an id the batch whose answer was lost is there twice. */
		ck_assert_int_eq(native_peer_end_offset(peer, 0), i == 0 ? 50 : 100);
		ck_assert_int_eq(native_peer_producers(peer), i == 0 ? 1 : 0);
		native_peer_stop(peer);
	}
}
END_TEST

START_TEST(producer_waits_for_its_id)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_refuse_ids(peer, 14); /* ZooKeeper is away */
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"retry.backoff.ms", "5", NULL});
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_close(p, 20000, NULL), 0);
	ck_assert_int_eq(reports.records, 10);
	ck_assert_int_eq(native_peer_producers(peer), 1);
	native_peer_stop(peer);
	/* Other acks need none, unless that was asked for. */
	peer = native_peer_start(1);
	p = fixture_producer(peer, &reports, (const char *[]){"acks", "1", NULL});
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_close(p, 20000, NULL), 0);
	ck_assert_int_eq(native_peer_producers(peer), 0);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_whose_numbers_are_not_known_begins_a_new_epoch)
{
	static const int32_t codes[] = {45, 47};
	for (int i = 0; i < 2; i++) {
		struct native_peer *peer = native_peer_start(1);
		struct reports reports = {.records = 0};
		struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"retry.backoff.ms", "5", NULL});
		fixture_send_all(p, 0, 1, 11);
		ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
		native_peer_fail_produce(peer, 1, codes[i]);
		fixture_send_all(p, 0, 11, 21);
		ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
		fixture_send_all(p, 0, 21, 31);
		ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
		ck_assert_int_eq(reports.records, 30);
		ck_assert_int_eq(reports.failed, 0);
		fixture_expect_stored(peer, 0, 1, 30);
		native_peer_stop(peer);
	}
}
END_TEST

START_TEST(producer_goes_on_after_a_batch_whose_end_is_unknown)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports,
		(const char *[]){"request.timeout.ms", "1000", "delivery.timeout.ms", "1000", "retry.backoff.ms", "5", NULL});
	native_peer_hold(peer, true);
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.failed, 10);
	native_peer_hold(peer, false); /* it is stored after all, or refused as one of an epoch that is over */
	fixture_send_all(p, 0, 11, 21);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.records, 10);
	ck_assert_int_eq(reports.failed, 10);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_without_retries_reports_the_failure)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_fail_produce(peer, 1, 19);
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"retries", "0", NULL});
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.failed, 10);
	ck_assert_int_eq(reports.last_code, CORREIO_ERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	ck_assert_int_eq(native_peer_end_offset(peer, 0), 0);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_follows_the_leader)
{
	struct native_peer *peer = native_peer_start(2);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"retry.backoff.ms", "5", NULL});
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	native_peer_set_leader(peer, 2, true);
	fixture_send_all(p, 0, 11, 21);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	native_peer_set_leader(peer, 1, false);
	fixture_send_all(p, 0, 21, 31);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.records, 30);
	fixture_expect_stored(peer, 0, 1, 30);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_too_large_batch_is_split)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_set_max_batch(peer, 500);
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	fixture_send_all(p, 0, 1, 301);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.records, 300);
	ck_assert_int_eq(reports.out_of_order, 0);
	ck_assert_int_eq(reports.opaque_sum, 300 * 301 / 2);
	char big[1000] = "x";
	struct correio_message m = {.topic = "t", .partition = 0, .timestamp_ms = -1, .value = {big, sizeof(big)}};
	ck_assert_int_eq(correio_producer_send(p, &m, NULL), 0);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.failed, 1);
	ck_assert_int_eq(reports.last_code, CORREIO_ERR_MESSAGE_TOO_LARGE);
	fixture_expect_stored(peer, 0, 1, 300);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_unknown_partition_and_topic_are_refused)
{
	struct native_peer *peer = native_peer_start(2);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"max.block.ms", "300", NULL});
	struct correio_error err;
	ck_assert_int_eq(fixture_send(p, 7, 1, &err), CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(err.message, "0 to 1"));
	struct correio_message m = {.topic = "tt", .partition = -1, .timestamp_ms = -1, .value = {"x", 1}};
	ck_assert_int_eq(correio_producer_send(p, &m, &err), CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(err.message, "did you mean"));
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_partition_added_later_is_waited_for)
{
	struct native_peer *peer = native_peer_start(2);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	int32_t partitions;
	ck_assert_int_eq(correio_producer_partitions(p, "t", &partitions, NULL), 0);
	ck_assert_int_eq(partitions, 2);
	native_peer_set_partitions(peer, 4);
	fixture_send_all(p, 3, 1, 11);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	fixture_expect_stored(peer, 3, 1, 10);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_close_with_deadline_reports_what_is_left)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_hold(peer, true);
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"batch.size", "200", "max.request.size", "1024",
		NULL});
	fixture_send_all(p, 0, 1, 101);
	struct correio_error err;
	ck_assert_int_eq(correio_producer_close(p, 50, &err), CORREIO_ERR_TIMED_OUT);
	ck_assert_int_eq(reports.failed, 100);
	ck_assert_int_eq(reports.last_code, CORREIO_ERR_CLOSED);
	ck_assert_int_eq(reports.out_of_order, 0);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_delivery_timeout_is_reported)
{
	struct native_peer *peer = native_peer_start(1);
	struct reports reports = {.records = 0};
	native_peer_fail_produce(peer, 1000000, 19);
	struct correio_producer *p = fixture_producer(peer, &reports,
		(const char *[]){"delivery.timeout.ms", "100", "retry.backoff.ms", "10", NULL});
	fixture_send_all(p, 0, 1, 11);
	ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	ck_assert_int_eq(reports.failed, 10);
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	native_peer_stop(peer);
}
END_TEST

struct sender {
	struct correio_producer *p;
	int32_t partition;
};
static void *sender_run(void *arg)
{
	const struct sender *s = (const struct sender *)arg;
	fixture_send_all(s->p, s->partition, 1, 5001);
	return NULL;
}

START_TEST(producer_many_threads_keep_order_per_partition)
{
	struct native_peer *peer = native_peer_start(4);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, (const char *[]){"compression.type", "lz4", "buffer.memory",
		"65536", NULL});
	pthread_t threads[4];
	struct sender senders[4];
	for (int32_t i = 0; i < 4; i++) {
		senders[i] = (struct sender){p, i};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sender_run, &senders[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	ck_assert_int_eq(correio_producer_close(p, 20000, NULL), 0);
	ck_assert_int_eq(reports.records, 20000);
	ck_assert_int_eq(reports.out_of_order, 0);
	for (int32_t i = 0; i < 4; i++)
		fixture_expect_stored(peer, i, 1, 5000);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_keys_choose_the_partition_and_headers_travel)
{
	struct native_peer *peer = native_peer_start(5);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	struct correio_header headers[] = {
		{{"trace", 5}, {"abc", 3}},
		{{"empty", 5}, {"", 0}},
		{{"null", 4}, {NULL, 0}},
	};
	struct correio_message m = {
		.topic = "t",
		.partition = CORREIO_PARTITION_ANY,
		.timestamp_ms = CORREIO_TIMESTAMP_NOW,
		.key = {"foobar", 6},
		.value = {NULL, 0},
		.headers = headers,
		.header_count = 3,
	};
	ck_assert_int_eq(correio_producer_send(p, &m, NULL), 0);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	int32_t partition = correio_partition_of_key("foobar", 6, 5);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", partition, CORREIO_OFFSET_BEGINNING, NULL), 0);
	struct correio_records *records;
	ck_assert_int_eq(correio_consumer_poll(c, 5000, &records, NULL), 0);
	ck_assert_ptr_nonnull(records);
	ck_assert_int_eq(correio_records_high_watermark(records), 1);
	bool more;
	struct correio_record r;
	ck_assert_int_eq(correio_records_next(records, &more, &r, NULL), 0);
	ck_assert(more);
	ck_assert_mem_eq(r.key.data, "foobar", 6);
	ck_assert_ptr_null(r.value.data);
	ck_assert_int_gt(r.timestamp_ms, 1600000000000);
	ck_assert_int_eq(r.header_count, 3);
	size_t cursor = 0;
	struct correio_header h;
	ck_assert(correio_record_header(&r, &cursor, &h));
	ck_assert_mem_eq(h.value.data, "abc", 3);
	ck_assert(correio_record_header(&r, &cursor, &h));
	ck_assert(h.value.data != NULL && h.value.size == 0);
	ck_assert(correio_record_header(&r, &cursor, &h));
	ck_assert_ptr_null(h.value.data);
	ck_assert(!correio_record_header(&r, &cursor, &h));
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(producer_no_broker_is_told_after_max_block)
{
	struct native_peer *peer = native_peer_start(1);
	char address[64];
	(void)snprintf(address, sizeof(address), "%s", native_peer_bootstrap(peer));
	native_peer_stop(peer);
	struct correio_config *config = correio_config_new();
	ck_assert_int_eq(correio_config_set(config, "bootstrap.servers", address, NULL), 0);
	ck_assert_int_eq(correio_config_set(config, "max.block.ms", "200", NULL), 0);
	struct correio_producer *p;
	ck_assert_int_eq(correio_producer_new(config, NULL, NULL, &p, NULL), 0);
	struct correio_error err;
	int code = fixture_send(p, 0, 1, &err);
	ck_assert_int_ne(code, 0);
	ck_assert(err.retriable);
	ck_assert_ptr_nonnull(strstr(err.message, address));
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	struct correio_admin *admin;
	struct correio_topics *topics;
	ck_assert_int_eq(correio_admin_new(config, &admin, NULL), 0);
	ck_assert_int_eq(correio_admin_describe_topics(admin, NULL, 0, &topics, &err), CORREIO_ERR_NO_BROKER);
	correio_admin_free(admin);
	correio_config_free(config);
}
END_TEST

UNIT_MAIN("producer", producer_batches_and_reports_each_record_once, producer_acks_0_reports_what_was_sent,
	producer_full_buffer_blocks_then_says_so, producer_retries_keep_order,
	producer_open_batch_grows_while_one_is_in_flight, producer_lost_answer_is_retried, producer_waits_for_its_id,
	producer_whose_numbers_are_not_known_begins_a_new_epoch, producer_goes_on_after_a_batch_whose_end_is_unknown,
	producer_without_retries_reports_the_failure, producer_follows_the_leader, producer_too_large_batch_is_split,
	producer_unknown_partition_and_topic_are_refused, producer_partition_added_later_is_waited_for,
	producer_close_with_deadline_reports_what_is_left,
	producer_delivery_timeout_is_reported, producer_many_threads_keep_order_per_partition,
	producer_keys_choose_the_partition_and_headers_travel, producer_no_broker_is_told_after_max_block)
