#include "storage/producer_state.h"
#include "base/crc32c.h"
#include "tests/unit/unit.h"

enum { PRODUCER = 4711 };
static const int64_t now_ms = 1700000000000;

static struct producer_state *state;

static void set_up(void)
{
	state = producer_state_new(PRODUCER_STATE_MAX);
}

static void tear_down(void)
{
	producer_state_free(state);
}

static struct producer_append data(int64_t offset, int32_t count, int32_t sequence, int16_t epoch)
{
	return (struct producer_append){.producer_id = PRODUCER, .base_offset = offset, .timestamp = now_ms + offset,
		.offset_delta = count - 1, .base_sequence = sequence, .epoch = epoch};
}

static enum status check(struct producer_append a)
{
	struct producer_duplicate d;
	return producer_state_check(state, &a, &d);
}

static void append(struct producer_append a)
{
	producer_state_append(state, &a, now_ms);
}

START_TEST(producer_state_first_batch_may_have_any_sequence)
{
	set_up();
	ck_assert_int_eq(check(data(10, 3, 77, 5)), STATUS_OK);
	append(data(10, 3, 77, 5));
	ck_assert_int_eq(check(data(13, 1, 80, 5)), STATUS_OK);
	ck_assert_int_eq(check(data(13, 1, 81, 5)), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(check(data(13, 1, 79, 5)), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(producer_state_end_offset(state), 13);
	tear_down();
}
END_TEST

START_TEST(producer_state_knows_the_last_five_batches_again)
{
	set_up();
	struct producer_duplicate d;
	for (int32_t i = 0; i < 7; i++)
		append(data(i * 10, 10, i * 10, 0));
	for (int32_t i = 2; i < 7; i++) {
		struct producer_append again = data(500, 10, i * 10, 0);
		ck_assert_int_eq(producer_state_check(state, &again, &d), STATUS_DUPLICATE_SEQUENCE_NUMBER);
		ck_assert_int_eq(d.base_offset, i * 10);
		ck_assert_int_eq(d.last_offset, i * 10 + 9);
		ck_assert_int_eq(d.timestamp, now_ms + i * 10);
	}
	ck_assert_int_eq(check(data(500, 10, 10, 0)), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER); /* the sixth last */
	ck_assert_int_eq(check(data(500, 9, 60, 0)), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);  /* cut otherwise */
	ck_assert_int_eq(check(data(500, 10, 70, 0)), STATUS_OK);
	tear_down();
}
END_TEST

START_TEST(producer_state_new_epoch_begins_at_zero)
{
	set_up();
	append(data(0, 4, 0, 3));
	ck_assert_int_eq(check(data(4, 1, 4, 2)), STATUS_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(check(data(4, 1, 4, 4)), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(check(data(4, 1, 0, 4)), STATUS_OK);
	append(data(4, 1, 0, 4));
	ck_assert_int_eq(check(data(5, 4, 0, 3)), STATUS_INVALID_PRODUCER_EPOCH); /* what was a duplicate */
	ck_assert_int_eq(check(data(5, 1, 1, 4)), STATUS_OK);
	tear_down();
}
END_TEST

START_TEST(producer_state_sequences_go_round)
{
	set_up();
	struct producer_duplicate d;
	ck_assert_int_eq(producer_state_sequence_after(INT32_MAX, 1), 0);
	ck_assert_int_eq(producer_state_sequence_after(INT32_MAX - 2, 5), 2);
	ck_assert_int_eq(producer_state_sequence_after(INT32_MAX - 2, 2), INT32_MAX);
	append(data(0, 10, INT32_MAX - 4, 0)); /* to 4 */
	ck_assert_int_eq(check(data(10, 1, 5, 0)), STATUS_OK);
	struct producer_append again = data(10, 10, INT32_MAX - 4, 0);
	ck_assert_int_eq(producer_state_check(state, &again, &d), STATUS_DUPLICATE_SEQUENCE_NUMBER);
	ck_assert_int_eq(d.base_offset, 0);
	append(data(10, 1, 5, 0));
	producer_state_clear(state);
	append(data(0, 1, INT32_MAX, 0));
	ck_assert_int_eq(check(data(1, 1, 0, 0)), STATUS_OK);
	tear_down();
}
END_TEST

START_TEST(producer_state_transactions_bound_the_stable_offset)
{
	set_up();
	struct producer_append first = data(5, 2, 0, 0), other = data(7, 1, 0, 0);
	first.transactional = other.transactional = true;
	other.producer_id = PRODUCER + 1;
	ck_assert_int_eq(check(first), STATUS_INVALID_TXN_STATE); /* from a client, without a coordinator */
	ck_assert_int_eq(producer_state_first_unstable_offset(state, 100), -1);
	append(first);
	append(other);
	ck_assert_int_eq(producer_state_first_unstable_offset(state, 100), 5);
	ck_assert_int_eq(check(data(8, 1, 2, 0)), STATUS_INVALID_TXN_STATE); /* not part of the open one */
	first = data(8, 1, 2, 0);
	first.transactional = true;
	ck_assert_int_eq(check(first), STATUS_OK);
	producer_state_end_transaction(state, &(struct producer_marker){.producer_id = PRODUCER, .offset = 9,
		.timestamp = now_ms, .coordinator_epoch = 6, .epoch = 0}, now_ms);
	ck_assert_int_eq(producer_state_first_unstable_offset(state, 9), 5); /* its end is not committed yet */
	ck_assert_int_eq(producer_state_first_unstable_offset(state, 10), 7);
	producer_state_end_transaction(state, &(struct producer_marker){.producer_id = PRODUCER + 1, .offset = 10,
		.timestamp = now_ms, .coordinator_epoch = 6, .epoch = 1}, now_ms);
	ck_assert_int_eq(producer_state_first_unstable_offset(state, 11), -1);
	/* The marker began a new epoch: nothing of the old one counts. */
	struct producer_append next = data(11, 1, 1, 1);
	next.producer_id = PRODUCER + 1;
	ck_assert_int_eq(check(next), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	next.base_sequence = 0;
	ck_assert_int_eq(check(next), STATUS_OK);
	ck_assert_int_eq(producer_state_end_offset(state), 11);
	tear_down();
}
END_TEST

START_TEST(producer_state_forgets_who_is_silent)
{
	set_up();
	struct producer_append a = data(0, 1, 0, 0), b = data(1, 1, 0, 0), c = data(2, 1, 0, 0);
	b.producer_id = 1;
	c.producer_id = 2;
	c.transactional = true;
	producer_state_append(state, &a, now_ms - 100);
	producer_state_append(state, &b, now_ms - 99);
	producer_state_append(state, &c, now_ms - 1000);
	ck_assert_uint_eq(producer_state_expire(state, now_ms, 100), 1);
	ck_assert_uint_eq(producer_state_count(state), 2); /* one is young, one has a transaction open */
	ck_assert_int_eq(check(data(3, 1, 55, 0)), STATUS_OK);
	ck_assert_uint_eq(producer_state_expire(state, now_ms - 5000, 0), 0); /* a clock set back */
	tear_down();
}
END_TEST

START_TEST(producer_state_is_bounded)
{
	struct producer_state *s = producer_state_new(3);
	struct producer_duplicate d;
	struct producer_append a = data(0, 1, 0, 0);
	for (int64_t i = 0; i < 5; i++) {
		a.producer_id = i;
		a.base_offset = i;
		a.transactional = i == 1;
		producer_state_append(s, &a, now_ms);
	}
	ck_assert_uint_eq(producer_state_count(s), 3);
	struct producer_info *list = producer_state_list(s);
	ck_assert_int_eq(list[0].producer_id, 1); /* in a transaction: kept */
	ck_assert_int_eq(list[1].producer_id, 3);
	ck_assert_int_eq(list[2].producer_id, 4);
	free(list);
	a.producer_id = 3;
	a.base_offset = 9;
	a.base_sequence = 1;
	ck_assert_int_eq(producer_state_check(s, &a, &d), STATUS_OK);
	producer_state_append(s, &a, now_ms); /* now the newest */
	a.producer_id = 5;
	producer_state_append(s, &a, now_ms);
	list = producer_state_list(s);
	ck_assert_int_eq(list[1].producer_id, 3);
	ck_assert_int_eq(list[2].producer_id, 5);
	free(list);
	producer_state_free(s);
}
END_TEST

static int64_t same_time(void *arg, int64_t last_offset, int64_t timestamp)
{
	(void)arg;
	(void)last_offset;
	return timestamp;
}

START_TEST(producer_state_snapshot_comes_back)
{
	set_up();
	size_t n;
	append(data(0, 10, 0, 2));
	append(data(10, 5, 10, 2));
	struct producer_append other = data(15, 1, 3, 9);
	other.producer_id = 12;
	other.transactional = true;
	append(other);
	producer_state_end_transaction(state, &(struct producer_marker){.producer_id = 99, .offset = 16,
		.timestamp = now_ms + 1, .coordinator_epoch = 8, .epoch = 7}, now_ms);
	uint8_t *bytes = producer_state_snapshot(state, &n);
	ck_assert_uint_eq(n, PRODUCER_SNAPSHOT_HEADER + 3 * PRODUCER_SNAPSHOT_ENTRY);
	struct producer_state *back = producer_state_new(100);
	ck_assert_int_eq(producer_state_load(back, slice_of(bytes, n), 17, same_time, NULL), STATUS_OK);
	ck_assert_uint_eq(producer_state_count(back), 3);
	struct producer_info *list = producer_state_list(back);
	ck_assert_int_eq(list[0].producer_id, 99); /* without a batch: the oldest */
	ck_assert_int_eq(list[0].last_sequence, -1);
	ck_assert_int_eq(list[0].coordinator_epoch, 8);
	ck_assert_int_eq(list[0].last_timestamp, now_ms + 1);
	ck_assert_int_eq(list[1].producer_id, PRODUCER);
	ck_assert_int_eq(list[1].last_sequence, 14);
	ck_assert_int_eq(list[1].last_offset, 14);
	ck_assert_int_eq(list[2].transaction_first_offset, 15);
	free(list);
	ck_assert_int_eq(producer_state_first_unstable_offset(back, 100), 15);
	struct producer_append again = data(20, 5, 10, 2), earlier = data(20, 10, 0, 2);
	struct producer_duplicate d;
	ck_assert_int_eq(producer_state_check(back, &again, &d), STATUS_DUPLICATE_SEQUENCE_NUMBER);
	ck_assert_int_eq(d.base_offset, 10);
	ck_assert_int_eq(producer_state_check(back, &earlier, &d), STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= 1;
		ck_assert_int_eq(producer_state_load(back, slice_of(bytes, n), 17, same_time, NULL), STATUS_CORRUPT);
		ck_assert_uint_eq(producer_state_count(back), 0);
		bytes[i] ^= 1;
		ck_assert_int_eq(producer_state_load(back, slice_of(bytes, i), 17, same_time, NULL), STATUS_CORRUPT);
	}
	free(bytes);
	producer_state_free(back);
	tear_down();
}
END_TEST

START_TEST(producer_state_snapshot_with_impossible_fields_is_refused)
{
	set_up();
	static const struct {
		size_t at;
		uint8_t byte;
	} spoils[] = {{0, 0x80}, {10, 0xff}, {14, 0xff}, {22, 0x40}, {38, 0xfe}};
	size_t n;
	append(data(0, 10, 0, 2));
	uint8_t *bytes = producer_state_snapshot(state, &n);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		size_t at = PRODUCER_SNAPSHOT_HEADER + spoils[i].at;
		uint8_t was = bytes[at];
		bytes[at] = spoils[i].byte;
		bytes_put_u32(bytes + 2, crc32c(0, slice_of(bytes + 6, n - 6)));
		ck_assert_int_eq(producer_state_load(state, slice_of(bytes, n), 17, same_time, NULL), STATUS_CORRUPT);
		bytes[at] = was;
	}
	bytes_put_u32(bytes + 2, crc32c(0, slice_of(bytes + 6, n - 6)));
	ck_assert_int_eq(producer_state_load(state, slice_of(bytes, n), 17, same_time, NULL), STATUS_OK);
	free(bytes);
	uint8_t empty[PRODUCER_SNAPSHOT_HEADER] = {0, 1};
	bytes_put_u32(empty + 2, crc32c(0, slice_of(empty + 6, 4)));
	ck_assert_int_eq(producer_state_load(state, slice_of(empty, sizeof(empty)), 17, same_time, NULL), STATUS_OK);
	ck_assert_uint_eq(producer_state_count(state), 0);
	tear_down();
}
END_TEST

UNIT_MAIN("producer_state", producer_state_first_batch_may_have_any_sequence, producer_state_knows_the_last_five_batches_again, producer_state_new_epoch_begins_at_zero, producer_state_sequences_go_round, producer_state_transactions_bound_the_stable_offset, producer_state_forgets_who_is_silent, producer_state_is_bounded, producer_state_snapshot_comes_back, producer_state_snapshot_with_impossible_fields_is_refused)
