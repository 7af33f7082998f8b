#include "service_fixture.h"
#include "unit.h"

#include "service/produce_conversion.h"
#include "storage/legacy_message.h"
#include "storage/record_batch.h"

static struct service_fixture fixture;

/* --- the replica layer, faked: parts are kept until the test answers them -- */

enum { PARTS_MAX = 16 };
static struct produce_part *parts[PARTS_MAX];
static size_t part_count;

void replica_manager_append(struct replica_manager *owner, struct produce_part *part)
{
	(void)owner;
	ck_assert_uint_lt(part_count, PARTS_MAX);
	parts[part_count++] = part;
}

static void answer_part(size_t index, enum status s, int64_t base_offset)
{
	struct produce_part *p = parts[index];
	p->status = s;
	p->base_offset = s == STATUS_OK ? base_offset : -1;
	p->log_append_time_ms = -1;
	p->log_start_offset = s == STATUS_OK ? 0 : -1;
	p->done(p);
}

/* --- requests ------------------------------------------------------------ */

static unsigned done_count;

static void count_done(struct produce_request *r)
{
	(void)r;
	done_count++;
}

static void set_up(void)
{
	service_fixture_init(&fixture);
	part_count = 0;
	done_count = 0;
}

/* Writable memory of the test's arena, as a frame would be. */
static struct slice batch_of(const char *key, size_t value_bytes)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 1024);
	uint8_t *value = check_calloc(1, value_bytes + 1);
	struct slice batch, k = key == NULL ? (struct slice){0} : slice_of_str(key);
	record_batch_builder_add(b, 1700000000000, k, slice_of(value, value_bytes), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(b, &batch), STATUS_OK);
	uint8_t *copy = arena_alloc(&fixture.arena, batch.n);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, batch.p, batch.n);
	free(value);
	struct slice result = slice_of(copy, batch.n);
	record_batch_builder_free(b);
	return result;
}

static struct produce_request request_of(struct produce_entry *entries, size_t count, int32_t acks)
{
	return (struct produce_request){.service = fixture.service, .arena = &fixture.arena, .listener = "INSIDE", .acks = acks,
		.timeout_ms = 1000, .entries = entries, .entry_count = count, .done = count_done};
}

START_TEST(produce_service_answers_when_every_partition_has)
{
	set_up();
	struct produce_entry entries[] = {
		{.topic = "orders", .partition = 0, .records = batch_of("k", 10)},
		{.topic = "keys", .partition = 0, .records = batch_of("k", 10)},
	};
	struct produce_request r = request_of(entries, 2, -1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 2);
	ck_assert_int_eq(parts[0]->acks, -1);
	ck_assert_int_eq(parts[0]->timeout_ms, 1000);
	ck_assert_int_eq(parts[0]->batch->record_count, 1);
	answer_part(1, STATUS_OK, 70);
	ck_assert_uint_eq(done_count, 0);
	answer_part(0, STATUS_OK, 7);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(entries[0].base_offset, 7);
	ck_assert_int_eq(entries[1].base_offset, 70);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_unknown_topic_names_a_similar_one)
{
	set_up();
	struct produce_entry entry = {.topic = "order", .partition = 0, .records = batch_of("k", 10)};
	struct produce_request r = request_of(&entry, 1, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(part_count, 0);
	ck_assert_int_eq(entry.status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_str_eq(entry.message, "topic order does not exist; did you mean orders?");
	ck_assert_int_eq(entry.base_offset, -1);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_unknown_partition_is_refused)
{
	set_up();
	struct produce_entry entries[] = {
		{.topic = "orders", .partition = 3, .records = batch_of("k", 10)},
		{.topic = "orders", .partition = -1, .records = batch_of("k", 10)},
		{.topic = "no/slash", .partition = 0, .records = batch_of("k", 10)},
	};
	struct produce_request r = request_of(entries, 3, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 0);
	ck_assert_int_eq(entries[0].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(entries[1].status, STATUS_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(entries[2].status, STATUS_INVALID_TOPIC_EXCEPTION);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_wrong_broker_is_told_where_to_go)
{
	set_up();
	struct produce_entry entry = {.topic = "orders", .partition = 1, .records = batch_of("k", 10)};
	struct produce_request r = request_of(&entry, 1, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 1);
	answer_part(0, STATUS_UNKNOWN_TOPIC_OR_PARTITION, -1); /* not hosted here, though the image knows it */
	ck_assert_int_eq(entry.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(entry.leader.broker_id, 2);
	ck_assert_int_eq(entry.leader.leader_epoch, 3);
	ck_assert_str_eq(entry.leader.host, "10.0.0.2");
	ck_assert_int_eq(entry.leader.port, 19092);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_replica_that_knows_a_newer_leader_is_believed)
{
	set_up();
	struct produce_entry entry = {.topic = "orders", .partition = 0, .records = batch_of("k", 10)};
	struct produce_request r = request_of(&entry, 1, 1);
	produce_service_start(&r);
	parts[0]->leader = 2;
	parts[0]->leader_epoch_now = 6; /* the image says 1 in epoch 5 */
	answer_part(0, STATUS_NOT_LEADER_OR_FOLLOWER, -1);
	ck_assert_int_eq(entry.leader.broker_id, 2);
	ck_assert_int_eq(entry.leader.leader_epoch, 6);
	ck_assert_str_eq(entry.leader.host, "10.0.0.2");
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_image_that_moved_meanwhile_is_used_for_the_hint)
{
	set_up();
	struct produce_entry entry = {.topic = "orders", .partition = 0, .records = batch_of("k", 10)};
	struct produce_request r = request_of(&entry, 1, -1);
	produce_service_start(&r);
	service_fixture_move_leader(&fixture, 2, 9);
	answer_part(0, STATUS_NOT_LEADER_OR_FOLLOWER, -1);
	ck_assert_int_eq(entry.leader.broker_id, 2);
	ck_assert_int_eq(entry.leader.leader_epoch, 9);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_damaged_batch_is_not_appended_and_others_are)
{
	set_up();
	struct produce_entry entries[] = {
		{.topic = "orders", .partition = 0, .records = batch_of("k", 10)},
		{.topic = "orders", .partition = 0, .records = batch_of("k", 10)},
		{.topic = "orders", .partition = 0, .records = {0}},
	};
	uint8_t *bytes = (uint8_t *)(uintptr_t)entries[0].records.p;
	bytes[entries[0].records.n - 1] ^= 1;
	struct produce_request r = request_of(entries, 3, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 1);
	ck_assert_ptr_eq(parts[0], &entries[1].part);
	answer_part(0, STATUS_OK, 1);
	ck_assert_int_eq(entries[0].status, STATUS_CORRUPT_MESSAGE);
	ck_assert_int_eq(entries[1].status, STATUS_OK);
	ck_assert_int_ne(entries[2].status, STATUS_OK);
	ck_assert_uint_eq(done_count, 1);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_topic_settings_are_those_of_the_image)
{
	set_up();
	struct produce_entry entries[] = {
		{.topic = "keys", .partition = 0, .records = batch_of("k", 600)}, /* max.message.bytes=500 */
		{.topic = "keys", .partition = 0, .records = batch_of(NULL, 10)}, /* compacted: needs keys */
	};
	struct produce_request r = request_of(entries, 2, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 0);
	ck_assert_int_eq(entries[0].status, STATUS_MESSAGE_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(entries[0].message, "max.message.bytes=500"));
	ck_assert_int_eq(entries[1].status, STATUS_INVALID_RECORD);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_batch_is_stored_in_the_codec_its_topic_demands)
{
	set_up();
	struct produce_entry entry = {.topic = "packed", .partition = 0, .records = batch_of("k", 5000)};
	size_t came = entry.records.n;
	struct produce_request r = request_of(&entry, 1, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 1);
	const struct record_batch *stored = parts[0]->batch;
	ck_assert_int_eq((int)record_batch_codec(stored), COMPRESSION_zstd);
	ck_assert_uint_lt(stored->data.n, came);
	ck_assert_int_eq(stored->record_count, 1);
	ck_assert_int_eq(stored->max_timestamp, 1700000000000);
	ck_assert_int_eq(record_batch_check_crc(stored), STATUS_OK);
	struct record_iterator it;
	struct record record;
	ck_assert_int_eq(record_iterator_init(&it, stored, 10000), STATUS_OK);
	ck_assert_int_eq(record_iterator_next(&it, &record), STATUS_OK);
	ck_assert(slice_equal(record.key, slice_of_str("k")));
	ck_assert_uint_eq(record.value.n, 5000);
	record_iterator_fini(&it);
	answer_part(0, STATUS_OK, 3);
	ck_assert_int_eq(entry.base_offset, 3);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_unknown_acks_are_refused)
{
	set_up();
	struct produce_entry entry = {.topic = "orders", .partition = 0, .records = batch_of("k", 10)};
	struct produce_request r = request_of(&entry, 1, 2);
	produce_service_start(&r);
	ck_assert_uint_eq(part_count, 0);
	ck_assert_int_eq(entry.status, STATUS_INVALID_REQUIRED_ACKS);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_empty_request_is_answered)
{
	set_up();
	struct produce_request r = request_of(NULL, 0, 1);
	produce_service_start(&r);
	ck_assert_uint_eq(done_count, 1);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_requests_reach_the_owner_in_order)
{
	set_up();
	struct produce_entry entries[8];
	struct produce_request requests[8];
	for (size_t i = 0; i < 8; i++) {
		entries[i] = (struct produce_entry){.topic = "orders", .partition = 0, .records = batch_of("k", i)};
		requests[i] = request_of(&entries[i], 1, 1);
		produce_service_start(&requests[i]);
	}
	ck_assert_uint_eq(part_count, 8);
	for (size_t i = 0; i < 8; i++)
		ck_assert_ptr_eq(parts[i], &entries[i].part);
	for (size_t i = 8; i-- > 0;)
		answer_part(i, STATUS_OK, (int64_t)i);
	ck_assert_uint_eq(done_count, 8);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_service_flood_of_wrong_names_stops_searching_for_similar_ones)
{
	set_up();
	unsigned suggested = 0;
	for (int i = 0; i < 200; i++) {
		char *message = service_loop_unknown_topic(fixture.service, &fixture.arena, "order");
		ck_assert_ptr_nonnull(message);
		suggested += strstr(message, "did you mean") != NULL ? 1 : 0;
	}
	ck_assert_uint_gt(suggested, 0);
	ck_assert_uint_lt(suggested, 200);
	manual_clock_advance_us(&fixture.clock, 2 * 1000 * 1000);
	ck_assert_ptr_nonnull(strstr(service_loop_unknown_topic(fixture.service, &fixture.arena, "order"), "did you mean"));
	service_fixture_fini(&fixture);
}
END_TEST

/* A message of format 1 whose value has this many bytes. */
static struct slice old_message(size_t value_bytes)
{
	uint8_t *value = check_calloc(1, value_bytes + 1);
	struct legacy_message m = {.magic = 1, .timestamp = 1000, .key = slice_of_str("k"), .value = slice_of(value, value_bytes)};
	size_t n = legacy_message_size(1, m.key, m.value);
	uint8_t *p = arena_alloc(&fixture.arena, n);
	ck_assert_ptr_nonnull(p);
	legacy_message_write(&m, p);
	free(value);
	return slice_of(p, n);
}

START_TEST(produce_conversion_keeps_the_order_of_a_connection)
{
	set_up();
	fixture.service->background = manual_scheduler_background(fixture.manual);
	struct produce_entry large = {.topic = "orders", .partition = 0, .records = old_message(20000)},
			     small = {.topic = "orders", .partition = 0, .records = old_message(10)},
			     other = {.topic = "orders", .partition = 0, .records = old_message(5)};
	struct produce_request requests[] = {request_of(&large, 1, 1), request_of(&small, 1, 1), request_of(&other, 1, 1)};
	struct produce_conversion c[] = {
		{.request = &requests[0], .connection = &large}, {.request = &requests[1], .connection = &large}, {.request = &requests[2]}};
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(produce_conversion_start(&c[i]), STATUS_OK);
	ck_assert_uint_eq(part_count, 1); /* another connection's passes */
	ck_assert_int_eq(parts[0]->batch->record_count, 1);
	ck_assert_uint_lt(parts[0]->batch->data.n, 100);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(part_count, 3);
	ck_assert_uint_gt(parts[1]->batch->data.n, 20000);
	ck_assert_uint_lt(parts[2]->batch->data.n, 100);
	for (size_t i = 0; i < 3; i++)
		answer_part(i, STATUS_OK, (int64_t)i);
	ck_assert_uint_eq(done_count, 3);
	for (int i = 0; i < 3; i++)
		produce_conversion_fini(&c[i]);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(produce_conversion_answers_what_cannot_be_appended)
{
	set_up();
	struct slice damaged = old_message(10), good = old_message(10), large = old_message(600);
	uint8_t *p = arena_alloc(&fixture.arena, damaged.n);
	memcpy(p, damaged.p, damaged.n);
	p[damaged.n - 1] ^= 1;
	struct produce_entry entries[] = {
		{.topic = "orders", .partition = 0, .records = slice_of(p, damaged.n)},
		{.topic = "orders", .partition = 0, .records = good},
		{.topic = "orders", .partition = 0, .records = slice_sub(good, 0, good.n - 1)}, /* no whole message: nothing to do */
		{.topic = "keys", .partition = 0, .records = large},                            /* its limit is 500 */
		{.topic = "nothing", .partition = 0, .records = good},
		{.topic = "orders", .partition = 0, .records = batch_of("k", 10)},               /* new already */
	};
	struct produce_request r = request_of(entries, 6, 1);
	struct produce_conversion c = {.request = &r};
	ck_assert_int_eq(produce_conversion_start(&c), STATUS_OK);
	ck_assert_uint_eq(part_count, 2);
	answer_part(0, STATUS_OK, 5);
	answer_part(1, STATUS_OK, 6);
	ck_assert_uint_eq(done_count, 1);
	const enum status expected[] = {STATUS_CORRUPT_MESSAGE, STATUS_OK, STATUS_OK, STATUS_MESSAGE_TOO_LARGE,
		STATUS_UNKNOWN_TOPIC_OR_PARTITION, STATUS_OK};
	const int64_t offsets[] = {-1, 5, -1, -1, -1, 6};
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(entries[i].status, expected[i]);
		ck_assert_int_eq(entries[i].base_offset, offsets[i]);
	}
	produce_conversion_fini(&c);
	service_fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("produce_service", produce_conversion_keeps_the_order_of_a_connection, produce_conversion_answers_what_cannot_be_appended,
	produce_service_answers_when_every_partition_has, produce_service_unknown_topic_names_a_similar_one,
	produce_service_unknown_partition_is_refused, produce_service_wrong_broker_is_told_where_to_go,
	produce_service_replica_that_knows_a_newer_leader_is_believed, produce_service_image_that_moved_meanwhile_is_used_for_the_hint,
	produce_service_damaged_batch_is_not_appended_and_others_are, produce_service_topic_settings_are_those_of_the_image,
	produce_service_batch_is_stored_in_the_codec_its_topic_demands, produce_service_unknown_acks_are_refused, produce_service_empty_request_is_answered,
	produce_service_requests_reach_the_owner_in_order, produce_service_flood_of_wrong_names_stops_searching_for_similar_ones)
