/* The consumer and the admin calls against a peer that speaks the protocol. */
#include "client_fixture.h"

/* `batches` batches of ten numbered records in partition 0. */
static struct native_peer *peer_with_batches(int batches)
{
	struct native_peer *peer = native_peer_start(2);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	for (int i = 0; i < batches; i++) {
		fixture_send_all(p, 0, i * 10 + 1, i * 10 + 11);
		ck_assert_int_eq(correio_producer_flush(p, 10000, NULL), 0);
	}
	ck_assert_int_eq(correio_producer_close(p, 1000, NULL), 0);
	ck_assert_uint_eq(native_peer_batch_count(peer, 0), (size_t)batches);
	return peer;
}

static void expect_nothing(struct correio_consumer *c)
{
	struct correio_records *records;
	ck_assert_int_eq(correio_consumer_poll(c, 50, &records, NULL), 0);
	ck_assert_ptr_null(records);
}

/* Polls until an error comes. */
static struct correio_error expect_error(struct correio_consumer *c)
{
	struct correio_error err = {.code = 0};
	struct correio_records *records;
	for (int i = 0; i < 200 && err.code == 0; i++)
		(void)correio_consumer_poll(c, 100, &records, &err);
	ck_assert_int_ne(err.code, 0);
	return err;
}

START_TEST(consumer_starts_inside_a_batch)
{
	struct native_peer *peer = peer_with_batches(3);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 14, NULL), 0);
	fixture_expect(c, 15, 16);
	int64_t position;
	ck_assert_int_eq(correio_consumer_position(c, "t", 0, &position, NULL), 0);
	ck_assert_int_eq(position, 30);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_end_sees_only_what_comes_later)
{
	struct native_peer *peer = peer_with_batches(1);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, CORREIO_OFFSET_END, NULL), 0);
	int64_t position = -1;
	for (int i = 0; i < 200 && position < 0; i++) {
		expect_nothing(c);
		ck_assert_int_eq(correio_consumer_position(c, "t", 0, &position, NULL), 0);
	}
	ck_assert_int_eq(position, 10);
	struct reports reports = {.records = 0};
	struct correio_producer *p = fixture_producer(peer, &reports, NULL);
	fixture_send_all(p, 0, 11, 13);
	ck_assert_int_eq(correio_producer_close(p, 10000, NULL), 0);
	fixture_expect(c, 11, 2);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_seeks_by_offset_and_time)
{
	struct native_peer *peer = peer_with_batches(3);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, CORREIO_OFFSET_BEGINNING, NULL), 0);
	fixture_expect(c, 1, 10);
	ck_assert_int_eq(correio_consumer_seek(c, "t", 0, 20, NULL), 0);
	fixture_expect(c, 21, 10);
	/* The peer knows times of whole batches: the second one holds 1011 to 1020. */
	ck_assert_int_eq(correio_consumer_seek_time(c, "t", 0, 1011, NULL), 0);
	fixture_expect(c, 11, 20);
	ck_assert_int_eq(correio_consumer_seek_time(c, "t", 0, 999999, NULL), 0);
	expect_nothing(c);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_out_of_range_follows_the_policy)
{
	struct native_peer *peer = peer_with_batches(3);
	native_peer_set_log_start(peer, 0, 20);
	struct correio_consumer *c = fixture_consumer(peer, (const char *[]){"auto.offset.reset", "earliest", NULL});
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 5, NULL), 0);
	fixture_expect(c, 21, 10);
	correio_consumer_free(c);
	c = fixture_consumer(peer, (const char *[]){"auto.offset.reset", "none", NULL});
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 5, NULL), 0);
	struct correio_error err = expect_error(c);
	ck_assert_int_eq(err.code, CORREIO_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_ptr_nonnull(strstr(err.message, "t-0"));
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_damaged_batch_is_told_and_not_passed)
{
	struct native_peer *peer = peer_with_batches(3);
	native_peer_damage(peer, 0, 1);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 0, NULL), 0);
	fixture_expect(c, 1, 10);
	struct correio_error err = expect_error(c);
	ck_assert_int_eq(err.code, CORREIO_ERR_CORRUPT_MESSAGE);
	ck_assert_ptr_nonnull(strstr(err.message, "10"));
	err = expect_error(c);
	ck_assert_int_eq(err.code, CORREIO_ERR_CORRUPT_MESSAGE);
	/* The caller decides to go past it. */
	ck_assert_int_eq(correio_consumer_seek(c, "t", 0, 20, NULL), 0);
	fixture_expect(c, 21, 10);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_follows_the_leader)
{
	struct native_peer *peer = peer_with_batches(2);
	struct correio_consumer *c = fixture_consumer(peer, (const char *[]){"retry.backoff.ms", "5", NULL});
	native_peer_set_leader(peer, 2, true);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 0, NULL), 0);
	fixture_expect(c, 1, 20);
	native_peer_set_leader(peer, 1, false);
	ck_assert_int_eq(correio_consumer_seek(c, "t", 0, 0, NULL), 0);
	fixture_expect(c, 1, 20);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_queue_is_bounded_and_everything_arrives)
{
	struct native_peer *peer = peer_with_batches(40);
	struct correio_consumer *c = fixture_consumer(peer,
		(const char *[]){"queued.max.bytes", "1", "max.partition.fetch.bytes", "1", NULL});
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 0, NULL), 0);
	fixture_expect(c, 1, 400);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(consumer_wrong_arguments_are_refused)
{
	struct native_peer *peer = native_peer_start(1);
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "bad/name", 0, 0, NULL), CORREIO_ERR_INVALID_TOPIC);
	ck_assert_int_eq(correio_consumer_assign(c, "t", -1, 0, NULL), CORREIO_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(correio_consumer_seek(c, "t", 0, 0, NULL), CORREIO_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(correio_consumer_unassign(c, "t", 0, NULL), CORREIO_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(correio_consumer_assign(c, "t", 0, 0, NULL), 0);
	ck_assert_int_eq(correio_consumer_unassign(c, "t", 0, NULL), 0);
	expect_nothing(c);
	correio_consumer_free(c);
	native_peer_stop(peer);
}
END_TEST

START_TEST(admin_describes_topics_cluster_and_offsets)
{
	struct native_peer *peer = peer_with_batches(2);
	struct correio_config *config = fixture_config(peer, NULL);
	struct correio_admin *a;
	ck_assert_int_eq(correio_admin_new(config, &a, NULL), 0);
	correio_config_free(config);
	struct correio_topics *topics;
	ck_assert_int_eq(correio_admin_describe_topics(a, NULL, 0, &topics, NULL), 0);
	ck_assert_uint_eq(correio_topics_count(topics), 1);
	const struct correio_topic *t = correio_topics_at(topics, 0);
	ck_assert_str_eq(t->name, "t");
	ck_assert_int_eq(t->partition_count, 2);
	ck_assert_int_eq(t->partitions[1].replicas.ids[1], 2);
	ck_assert_int_eq(t->partitions[1].isr.count, 1);
	ck_assert_str_eq(t->overrides[0].value, "5");
	ck_assert_int_eq(t->topic_id[2], 3);
	ck_assert_ptr_null(correio_topics_at(topics, 1));
	correio_topics_free(topics);
	struct correio_cluster *cluster;
	ck_assert_int_eq(correio_admin_describe_cluster(a, &cluster, NULL), 0);
	ck_assert_str_eq(cluster->cluster_id, "test-cluster");
	correio_cluster_free(cluster);
	struct correio_offset offset;
	ck_assert_int_eq(correio_admin_list_offset(a, "t", 0, CORREIO_TIME_LATEST, &offset, NULL), 0);
	ck_assert_int_eq(offset.offset, 20);
	ck_assert_int_eq(correio_admin_list_offset(a, "t", 0, CORREIO_TIME_EARLIEST, &offset, NULL), 0);
	ck_assert_int_eq(offset.offset, 0);
	struct correio_error err;
	ck_assert_int_eq(correio_admin_list_offset(a, "t", 9, 0, &offset, &err), CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(err.message, "0 to 1"));
	correio_admin_free(a);
	native_peer_stop(peer);
}
END_TEST

START_TEST(admin_a_peer_that_knows_not_the_request_is_told)
{
	struct native_peer *peer = native_peer_start(1);
	struct correio_config *config = fixture_config(peer, NULL);
	struct correio_admin *a;
	ck_assert_int_eq(correio_admin_new(config, &a, NULL), 0);
	correio_config_free(config);
	struct correio_error err;
	/* The test's peer closes the connection on it. */
	ck_assert_int_ne(correio_admin_delete_topic(a, "t", &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, native_peer_bootstrap(peer)));
	correio_admin_free(a);
	native_peer_stop(peer);
}
END_TEST

UNIT_MAIN("consumer", consumer_starts_inside_a_batch, consumer_end_sees_only_what_comes_later,
	consumer_seeks_by_offset_and_time, consumer_out_of_range_follows_the_policy,
	consumer_damaged_batch_is_told_and_not_passed, consumer_follows_the_leader,
	consumer_queue_is_bounded_and_everything_arrives, consumer_wrong_arguments_are_refused,
	admin_describes_topics_cluster_and_offsets, admin_a_peer_that_knows_not_the_request_is_told)
