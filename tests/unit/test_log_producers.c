/* What a log knows of its idempotent producers: from appends, from snapshots, from its batches. */
#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"

static const int64_t t0 = (int64_t)FIXTURE_WALL_MS * 1000;

enum { PRODUCER = 77 };

/* Batch bytes as a client or a leader sends them; freed by the caller. */
static uint8_t *make_batch(int64_t producer, int16_t epoch, int32_t sequence, int records, size_t *ret_n)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 512);
	struct slice bytes;
	for (int i = 0; i < records; i++)
		record_batch_builder_add(b, t0 + i, slice_of(NULL, 0), slice_of("0123456789012345678901234567890123456789", 40), NULL, 0);
	record_batch_builder_set_producer(b, producer, epoch, sequence);
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	uint8_t *copy = check_alloc(bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	*ret_n = bytes.n;
	record_batch_builder_free(b);
	return copy;
}

static enum status send_as(struct log_fixture *f, int64_t producer, int32_t sequence, int records, struct log_append_info *ret_info)
{
	struct record_batch batch;
	size_t n;
	uint8_t *bytes = make_batch(producer, 3, sequence, records, &n);
	ck_assert_int_eq(record_batch_parse(slice_of(bytes, n), &batch), STATUS_OK);
	enum status s = partition_log_append(f->log, &batch, 0, ret_info);
	free(bytes);
	return s;
}

static int64_t send(struct log_fixture *f, int32_t sequence, int records)
{
	struct log_append_info info;
	ck_assert_int_eq(send_as(f, PRODUCER, sequence, records, &info), STATUS_OK);
	ck_assert(!info.duplicate);
	return info.base_offset;
}

static void expect_duplicate(struct log_fixture *f, int32_t sequence, int records, int64_t base_offset)
{
	struct log_append_info info;
	int64_t end = partition_log_end_offset(f->log), size = partition_log_size_bytes(f->log);
	ck_assert_int_eq(send_as(f, PRODUCER, sequence, records, &info), STATUS_OK);
	ck_assert(info.duplicate);
	ck_assert_int_eq(info.base_offset, base_offset);
	ck_assert_int_eq(info.last_offset, base_offset + records - 1);
	ck_assert_int_eq(info.log_append_time_ms, t0 + records - 1);
	ck_assert_int_eq(partition_log_end_offset(f->log), end);
	ck_assert_int_eq(partition_log_size_bytes(f->log), size);
}

static void expect_out_of_order(struct log_fixture *f, int32_t sequence)
{
	struct log_append_info info;
	ck_assert_int_eq(send_as(f, PRODUCER, sequence, 1, &info), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
}

START_TEST(log_producers_repeated_batch_keeps_its_offset)
{
	struct log_fixture f;
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	fixture_append(&f, 3, 10, t0);
	ck_assert_int_eq(send(&f, 0, 2), 3);
	ck_assert_int_eq(send(&f, 2, 1), 5);
	expect_duplicate(&f, 0, 2, 3);
	expect_duplicate(&f, 2, 1, 5);
	expect_out_of_order(&f, 4);
	ck_assert_int_eq(send(&f, 3, 1), 6);
	ck_assert_uint_eq(producer_state_count(partition_log_producers(f.log)), 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_producers_come_back_after_a_clean_stop_and_after_a_crash)
{
	for (int clean = 0; clean < 2; clean++) {
		struct log_fixture f;
		fixture_init(&f);
		fixture_reopen(&f, false, 0);
		for (int32_t i = 0; i < 7; i++)
			ck_assert_int_eq(send(&f, i, 1), i);
		fixture_close(&f, clean == 1);
		ck_assert_int_eq(fixture_exists(&f, "00000000000000000007.snapshot"), clean == 1);
		fixture_reopen(&f, clean == 1, clean == 1 ? 7 : 0);
		expect_duplicate(&f, 6, 1, 6);
		if (clean == 0)
			expect_duplicate(&f, 2, 1, 2); /* read from the log: five are known again */
		else
			expect_out_of_order(&f, 5); /* a snapshot holds the last one */
		ck_assert_int_eq(send(&f, 7, 1), 7);
		fixture_fini(&f);
	}
}
END_TEST

/* Four segments and a clean stop: snapshots at each roll and at the end. */
static void fill(struct log_fixture *f)
{
	f->settings.segment_bytes = 1000;
	fixture_reopen(f, false, 0);
	for (int32_t i = 0; i < 30; i++) {
		ck_assert_int_eq(send(f, i, 1), i);
		fixture_run(f);
	}
	fixture_close(f, true);
}

static size_t snapshot_count(const struct log_fixture *f)
{
	size_t n = 0;
	for (int64_t offset = 0; offset <= 40; offset++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%020lld.snapshot", (long long)offset);
		n += fixture_exists(f, name);
	}
	return n;
}

START_TEST(log_producers_damaged_snapshots_are_replaced_by_the_log)
{
	struct log_fixture f;
	fixture_init(&f);
	fill(&f);
	size_t all = snapshot_count(&f);
	ck_assert_uint_ge(all, 3);
	/* The newest damaged, then each older one too, then none left at all. */
	for (int64_t offset = 30; offset >= 0; offset--) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%020lld.snapshot", (long long)offset);
		if (!fixture_exists(&f, name))
			continue;
		char *path = fixture_path(&f, name);
		size_t n;
		uint8_t *bytes = fixture_load_file(path, &n);
		bytes[n - 1] ^= 0x40;
		fixture_store_file(path, bytes, n);
		free(bytes);
		free(path);
		fixture_reopen(&f, true, 30);
		expect_duplicate(&f, 29, 1, 29);
		expect_out_of_order(&f, 31);
		fixture_kill(&f);
		ck_assert(!fixture_exists(&f, name));
	}
	ck_assert_uint_eq(snapshot_count(&f), 0);
	fixture_reopen(&f, true, 30);
	expect_duplicate(&f, 25, 1, 25);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_producers_snapshots_go_with_their_segments)
{
	struct log_fixture f;
	fixture_init(&f);
	fill(&f);
	fixture_reopen(&f, true, 30);
	size_t all = snapshot_count(&f);
	f.settings.retention_bytes = 1;
	partition_log_update_settings(f.log, &f.settings);
	unsigned removed = partition_log_apply_retention(f.log, 30);
	ck_assert_uint_ge(removed, 2);
	for (int i = 0; i < 10; i++)
		fixture_run(&f);
	/* The first segment has none: nothing was before it. */
	ck_assert_uint_eq(snapshot_count(&f), all - (removed - 1));
	/* The records are gone, what is known of their producer is not. */
	expect_duplicate(&f, 29, 1, 29);
	fixture_close(&f, true);
	fixture_reopen(&f, true, 30);
	expect_duplicate(&f, 29, 1, 29);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_producers_truncation_takes_back_what_it_cuts)
{
	struct log_fixture f;
	fixture_init(&f);
	fill(&f);
	fixture_reopen(&f, true, 30);
	ck_assert_int_eq(partition_log_truncate(f.log, 25), STATUS_OK);
	expect_duplicate(&f, 24, 1, 24);
	expect_out_of_order(&f, 26);
	ck_assert(!fixture_exists(&f, "00000000000000000030.snapshot"));
	ck_assert_int_eq(send(&f, 25, 1), 25);
	ck_assert_int_eq(partition_log_truncate_fully(f.log, 100), STATUS_OK);
	ck_assert_uint_eq(producer_state_count(partition_log_producers(f.log)), 0);
	ck_assert_uint_eq(snapshot_count(&f), 0);
	ck_assert_int_eq(send(&f, 500, 1), 100);
	fixture_fini(&f);
}
END_TEST

/* A transaction's batch and its marker, as a leader sends them. */
static size_t add_transaction(uint8_t *out, int64_t offset)
{
	size_t n;
	uint8_t *data = make_batch(PRODUCER, 1, 0, 2, &n);
	int16_t attributes = RECORD_BATCH_TRANSACTIONAL;
	bytes_put_i16(data + 21, attributes);
	record_batch_stamp_time(data, n, t0, false); /* and the checksum */
	record_batch_stamp(data, offset, 0);
	memcpy(out, data, n);
	free(data);
	size_t at = n;
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 128);
	const uint8_t key[4] = {0, 0, 0, 1}, value[6] = {0, 0, 0, 0, 0, 9};
	struct slice bytes;
	record_batch_builder_add(b, t0 + 7, slice_of(key, 4), slice_of(value, 6), NULL, 0);
	record_batch_builder_set_producer(b, PRODUCER, 1, -1);
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	memcpy(out + at, bytes.p, bytes.n);
	bytes_put_i16(out + at + 21, RECORD_BATCH_TRANSACTIONAL | RECORD_BATCH_CONTROL);
	record_batch_stamp_time(out + at, bytes.n, t0 + 7, false);
	record_batch_stamp(out + at, offset + 2, 0);
	at += bytes.n;
	record_batch_builder_free(b);
	return at;
}

START_TEST(log_producers_follower_knows_transactions)
{
	struct log_fixture f;
	uint8_t bytes[1024];
	size_t size;
	int64_t last;
	fixture_init(&f);
	fixture_reopen(&f, false, 0);
	size_t n = add_transaction(bytes, 0);
	ck_assert_int_eq(record_batch_peek_size(slice_of(bytes, n), n, &size), STATUS_OK);
	ck_assert_int_eq(partition_log_append_as_follower(f.log, slice_of(bytes, size), &last), STATUS_OK);
	ck_assert_int_eq(partition_log_last_stable_offset(f.log, 2), 0);
	fixture_close(&f, true);
	fixture_reopen(&f, true, 2); /* the snapshot knows it to be open */
	ck_assert_int_eq(partition_log_last_stable_offset(f.log, 2), 0);
	ck_assert_int_eq(partition_log_append_as_follower(f.log, slice_of(bytes + size, n - size), &last), STATUS_OK);
	ck_assert_int_eq(last, 2);
	ck_assert_int_eq(partition_log_last_stable_offset(f.log, 2), 0);
	ck_assert_int_eq(partition_log_last_stable_offset(f.log, 3), 3);
	fixture_kill(&f);
	fixture_reopen(&f, false, 0); /* the marker is read from the log */
	ck_assert_int_eq(partition_log_last_stable_offset(f.log, 3), 3);
	struct producer_info *list = producer_state_list(partition_log_producers(f.log));
	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(list[0].coordinator_epoch, 9);
	ck_assert_int_eq(list[0].last_timestamp, t0 + 7);
	ck_assert_int_eq(list[0].transaction_first_offset, -1);
	free(list);
	fixture_fini(&f);
}
END_TEST

START_TEST(log_producers_silent_ones_are_forgotten)
{
	struct log_fixture f;
	fixture_init(&f);
	f.env.producer_expiration_ms = 1000;
	fixture_reopen(&f, false, 0);
	send(&f, 0, 1);
	manual_scheduler_advance_us(f.scheduler, 999 * 1000);
	ck_assert_uint_eq(partition_log_expire_producers(f.log), 0);
	manual_scheduler_advance_us(f.scheduler, 1000);
	ck_assert_uint_eq(partition_log_expire_producers(f.log), 1);
	ck_assert_int_eq(send(&f, 9, 1), 1); /* as one never seen */
	fixture_close(&f, true);
	manual_scheduler_advance_us(f.scheduler, 5000 * 1000);
	fixture_reopen(&f, true, 2);
	ck_assert_uint_eq(producer_state_count(partition_log_producers(f.log)), 0);
	fixture_fini(&f);
}
END_TEST

UNIT_MAIN("log_producers", log_producers_repeated_batch_keeps_its_offset,
	log_producers_come_back_after_a_clean_stop_and_after_a_crash, log_producers_damaged_snapshots_are_replaced_by_the_log,
	log_producers_snapshots_go_with_their_segments, log_producers_truncation_takes_back_what_it_cuts,
	log_producers_follower_knows_transactions, log_producers_silent_ones_are_forgotten)
