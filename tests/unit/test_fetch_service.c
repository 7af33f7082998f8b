#include "service_fixture.h"
#include "unit.h"

#include "service/fetch_service.h"

static struct service_fixture fixture;

/* --- the replica layer, faked: a fetch is kept until the test answers it ---- */

static struct delayed_fetch *started;
static unsigned hurried;
static struct list_offsets_part *asked[8];
static size_t asked_count;

void delayed_fetch_start(struct delayed_fetch *f)
{
	started = f;
}

void delayed_fetch_hurry(struct delayed_fetch *f)
{
	ck_assert_ptr_eq(f, started);
	hurried++;
}

void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part)
{
	(void)owner;
	asked[asked_count++] = part;
}

static void fill_part(size_t index, const char *text, int64_t high_watermark)
{
	struct fetch_part *p = &started->parts[index];
	iobuf_init(&p->records);
	iobuf_append_copy(&p->records, slice_of_str(text));
	p->record_bytes = strlen(text);
	p->high_watermark = high_watermark;
	p->log_start_offset = 0;
	p->status = STATUS_OK;
}

static void fail_part(size_t index, enum status s)
{
	struct fetch_part *p = &started->parts[index];
	iobuf_init(&p->records);
	p->status = s;
	p->high_watermark = 9;
	p->log_start_offset = 4;
}

static void answer(void)
{
	struct delayed_fetch *f = started;
	started = NULL;
	f->done(f);
}

static unsigned done_count;
static void count_done(struct fetch_request *r)
{
	(void)r;
	done_count++;
}
static void count_offsets_done(struct offsets_request *r)
{
	(void)r;
	done_count++;
}

static void set_up(void)
{
	service_fixture_init(&fixture);
	started = NULL;
	hurried = 0;
	asked_count = 0;
	done_count = 0;
}

static struct fetch_request request_of(struct fetch_entry *entries, size_t count)
{
	return (struct fetch_request){.service = fixture.service, .arena = &fixture.arena, .listener = "PLAINTEXT",
		.max_wait_ms = 500, .min_bytes = 1, .max_bytes = 1000, .entries = entries, .entry_count = count, .done = count_done};
}

static void check_records(struct fetch_request *r, const char *expected)
{
	struct iovec iov[8];
	char text[64];
	size_t n = 0;
	int count = iobuf_peek_iov(&r->records, iov, 8);
	for (int i = 0; i < count; i++) {
		memcpy(text + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	ck_assert(slice_equal(slice_of(text, n), slice_of_str(expected)));
	iobuf_fini(&r->records);
}

START_TEST(fetch_service_records_follow_in_the_order_of_the_entries)
{
	set_up();
	struct fetch_entry entries[] = {
		{.topic = "orders", .partition = 0, .offset = 3, .max_bytes = 100, .current_leader_epoch = 5},
		{.topic = "keys", .partition = 0, .offset = 0, .max_bytes = 100, .current_leader_epoch = -1},
	};
	struct fetch_request r = request_of(entries, 2);
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	ck_assert_ptr_nonnull(started);
	ck_assert_uint_eq(started->part_count, 2);
	ck_assert_uint_eq(started->min_bytes, 1);
	ck_assert_uint_eq(started->max_bytes, 1000);
	ck_assert_int_eq(started->parts[0].offset, 3);
	ck_assert_int_eq(started->parts[0].current_leader_epoch, 5);
	fill_part(0, "first", 4);
	fill_part(1, "second", 8);
	answer();
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(entries[0].record_bytes, 5);
	ck_assert_uint_eq(entries[1].record_bytes, 6);
	ck_assert_int_eq(entries[1].high_watermark, 8);
	check_records(&r, "firstsecond");
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_error_of_one_entry_does_not_wait)
{
	set_up();
	struct fetch_entry entries[] = {
		{.topic = "nothing", .partition = 0, .max_bytes = 100},
		{.topic = "orders", .partition = 0, .max_bytes = 100, .current_leader_epoch = -1},
	};
	struct fetch_request r = request_of(entries, 2);
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	ck_assert_uint_eq(started->part_count, 1);
	ck_assert_uint_eq(started->min_bytes, 0);
	fill_part(0, "x", 1);
	answer();
	ck_assert_int_eq(entries[0].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(entries[1].status, STATUS_OK);
	check_records(&r, "x");
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_nothing_to_read_is_answered_at_once)
{
	set_up();
	struct fetch_entry entry = {.topic = "nothing", .partition = 0};
	struct fetch_request r = request_of(&entry, 1), empty = request_of(NULL, 0);
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	ck_assert_int_eq(fetch_service_start(&empty), STATUS_OK);
	ck_assert_ptr_null(started);
	ck_assert_uint_eq(done_count, 2);
	iobuf_fini(&r.records);
	iobuf_fini(&empty.records);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_wrong_broker_and_range_are_explained)
{
	set_up();
	struct fetch_entry entries[] = {
		{.topic = "orders", .partition = 1, .max_bytes = 100},
		{.topic = "orders", .partition = 0, .offset = 99, .max_bytes = 100},
	};
	struct fetch_request r = request_of(entries, 2);
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	fail_part(0, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	fail_part(1, STATUS_OFFSET_OUT_OF_RANGE);
	answer();
	ck_assert_int_eq(entries[0].status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(entries[0].leader.broker_id, 2);
	ck_assert_str_eq(entries[0].leader.host, "two");
	ck_assert_int_eq(entries[1].status, STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_ptr_nonnull(strstr(entries[1].message, "offset 99"));
	ck_assert_int_eq(entries[1].log_start_offset, 4);
	iobuf_fini(&r.records);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_limits_are_the_brokers)
{
	set_up();
	struct fetch_entry entry = {.topic = "orders", .partition = 0, .max_bytes = 100};
	struct fetch_request r = request_of(&entry, 1);
	r.max_bytes = SIZE_MAX;
	r.max_wait_ms = INT64_MAX;
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	ck_assert_uint_eq(started->max_bytes, (size_t)fixture.settings.fetch_max_bytes);
	ck_assert_int_eq(started->max_wait_ms, FETCH_SERVICE_WAIT_MAX_MS);
	fill_part(0, "x", 1);
	answer();
	check_records(&r, "x");
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_stop_ends_waits_and_later_fetches_do_not_wait)
{
	set_up();
	struct fetch_entry entry = {.topic = "orders", .partition = 0, .max_bytes = 100}, later = entry;
	struct fetch_request r = request_of(&entry, 1), r2 = request_of(&later, 1);
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	service_loop_hurry(fixture.service);
	ck_assert_uint_eq(hurried, 1);
	fill_part(0, "", 1);
	answer();
	ck_assert_uint_eq(done_count, 1);
	iobuf_fini(&r.records);
	ck_assert_int_eq(fetch_service_start(&r2), STATUS_OK);
	ck_assert_uint_eq(started->min_bytes, 0);
	fill_part(0, "", 1);
	answer();
	iobuf_fini(&r2.records);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_full_arena_is_refused)
{
	set_up();
	struct fetch_entry entry = {.topic = "orders", .partition = 0};
	struct fetch_request r = request_of(&entry, 1);
	fixture.arena.limit_bytes = fixture.arena.used_bytes;
	ck_assert_int_eq(fetch_service_start(&r), STATUS_TOO_LARGE);
	ck_assert_uint_eq(done_count, 0);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(list_offsets_answers_when_every_partition_has)
{
	set_up();
	struct offsets_entry entries[] = {
		{.topic = "orders", .partition = 0, .timestamp_ms = LIST_OFFSETS_LATEST, .current_leader_epoch = -1},
		{.topic = "orders", .partition = 1, .timestamp_ms = LIST_OFFSETS_EARLIEST, .current_leader_epoch = -1},
		{.topic = "orders", .partition = 0, .timestamp_ms = -4, .current_leader_epoch = -1},
		{.topic = "ordres", .partition = 0, .timestamp_ms = 5, .current_leader_epoch = -1},
	};
	struct offsets_request r = {.service = fixture.service, .arena = &fixture.arena, .listener = "PLAINTEXT", .entries = entries,
		.entry_count = 4, .done = count_offsets_done};
	fetch_service_list_offsets(&r);
	ck_assert_uint_eq(asked_count, 2);
	asked[1]->status = STATUS_NOT_LEADER_OR_FOLLOWER;
	asked[1]->done(asked[1]);
	ck_assert_uint_eq(done_count, 0);
	asked[0]->status = STATUS_OK;
	asked[0]->offset = 12;
	asked[0]->timestamp = 34;
	asked[0]->leader_epoch = 5;
	asked[0]->done(asked[0]);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(entries[0].offset, 12);
	ck_assert_int_eq(entries[0].leader_epoch, 5);
	ck_assert_int_eq(entries[1].status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(entries[1].leader.broker_id, 2);
	ck_assert_int_eq(entries[2].status, STATUS_INVALID_REQUEST);
	ck_assert_int_eq(entries[3].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(entries[3].message, "did you mean orders?"));
	service_fixture_fini(&fixture);
}
END_TEST

/* Two records as they would be stored, in memory. */
static struct slice batch_of(enum compression_type codec)
{
	struct record_batch_builder *b = record_batch_builder_new(codec, 0, 0);
	struct slice bytes;
	for (int i = 0; i < 2; i++)
		record_batch_builder_add(b, 1000, slice_of_str("k"), slice_of_str("v"), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	uint8_t *copy = arena_alloc(&fixture.arena, bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	record_batch_builder_free(b);
	return slice_of(copy, bytes.n);
}

static void fill_batch(size_t index, struct slice batch)
{
	struct fetch_part *p = &started->parts[index];
	iobuf_init(&p->records);
	iobuf_append_copy(&p->records, batch);
	p->record_bytes = batch.n;
	p->high_watermark = 2;
	p->status = STATUS_OK;
}

enum { MESSAGE_BYTES = 36 }; /* of format 1, with a key and a value of one byte */

START_TEST(fetch_service_old_reader_gets_messages_made_in_the_pool)
{
	set_up();
	fixture.service->background = manual_scheduler_background(fixture.manual);
	struct fetch_entry entries[] = {
		{.topic = "orders", .partition = 0, .max_bytes = 1000, .current_leader_epoch = -1},
		{.topic = "nothing", .partition = 0, .max_bytes = 1000, .current_leader_epoch = -1},
		{.topic = "keys", .partition = 0, .offset = 1, .max_bytes = 1000, .current_leader_epoch = -1},
	};
	struct fetch_request r = request_of(entries, 3);
	r.old_formats = true;
	r.old_magic = 1;
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	fill_batch(0, batch_of(COMPRESSION_none));
	fill_batch(1, batch_of(COMPRESSION_none));
	answer();
	ck_assert_uint_eq(done_count, 0); /* not on the loop */
	fetch_service_hurry(&r);          /* nothing to hurry any more */
	ck_assert_uint_eq(hurried, 0);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(entries[0].record_bytes, 2 * MESSAGE_BYTES);
	ck_assert_int_eq(entries[1].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_uint_eq(entries[2].record_bytes, MESSAGE_BYTES); /* from offset 1 on */
	ck_assert_uint_eq(r.records.size_bytes, 3 * MESSAGE_BYTES);
	iobuf_fini(&r.records);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_conversion_keeps_the_limits_and_fails_alone)
{
	set_up();
	struct fetch_entry entries[] = {
		{.topic = "orders", .partition = 0, .max_bytes = 1000, .current_leader_epoch = -1},
		{.topic = "keys", .partition = 0, .max_bytes = 1000, .current_leader_epoch = -1},
	};
	struct fetch_request r = request_of(entries, 2);
	r.old_formats = true;
	r.old_magic = 1;
	r.max_bytes = 1; /* the first message all the same, and no second */
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	fill_batch(0, batch_of(COMPRESSION_none));
	fill_batch(1, batch_of(COMPRESSION_none));
	answer();
	ck_assert_uint_eq(done_count, 1);
	ck_assert_uint_eq(entries[0].record_bytes, MESSAGE_BYTES);
	ck_assert_uint_eq(entries[1].record_bytes, 0);
	iobuf_fini(&r.records);
	r.max_bytes = 1000;
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	fill_batch(0, batch_of(COMPRESSION_zstd));
	fill_batch(1, batch_of(COMPRESSION_none));
	answer();
	ck_assert_int_eq(entries[0].status, STATUS_UNSUPPORTED_COMPRESSION_TYPE);
	ck_assert_uint_eq(entries[1].record_bytes, 2 * MESSAGE_BYTES);
	iobuf_fini(&r.records);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(fetch_service_topic_of_a_codec_the_reader_lacks_is_refused)
{
	set_up();
	struct fetch_entry entry = {.topic = "packed", .partition = 0, .max_bytes = 1000, .current_leader_epoch = -1};
	struct fetch_request r = request_of(&entry, 1);
	r.without_zstd = true;
	ck_assert_int_eq(fetch_service_start(&r), STATUS_OK);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(entry.status, STATUS_UNSUPPORTED_COMPRESSION_TYPE);
	service_fixture_fini(&fixture);
}
END_TEST

START_TEST(list_offsets_by_epoch_and_of_segments_are_passed_on)
{
	set_up();
	int64_t starts[4];
	struct offsets_entry entries[] = {
		{.topic = "orders", .partition = 0, .by = LIST_OFFSETS_BY_EPOCH, .asked_epoch = 3, .current_leader_epoch = -1},
		{.topic = "keys", .partition = 0, .by = LIST_OFFSETS_OF_SEGMENTS, .timestamp_ms = -9, .starts = starts, .starts_max = 4},
	};
	struct offsets_request r = {.service = fixture.service, .arena = &fixture.arena, .listener = "PLAINTEXT", .entries = entries,
		.entry_count = 2, .done = count_offsets_done};
	fetch_service_list_offsets(&r);
	ck_assert_uint_eq(asked_count, 2);
	ck_assert_int_eq(asked[0]->by, LIST_OFFSETS_BY_EPOCH);
	ck_assert_int_eq(asked[0]->asked_epoch, 3);
	ck_assert_ptr_eq(asked[1]->starts, starts);
	ck_assert_uint_eq(asked[1]->starts_max, 4);
	asked[0]->status = STATUS_OK;
	asked[0]->leader_epoch = 9;
	asked[0]->epoch = 2;
	asked[0]->offset = 77;
	asked[0]->done(asked[0]);
	asked[1]->status = STATUS_OK;
	asked[1]->starts_count = 2;
	asked[1]->done(asked[1]);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(entries[0].leader_epoch, 2);
	ck_assert_int_eq(entries[0].offset, 77);
	ck_assert_uint_eq(entries[1].starts_count, 2);
	service_fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("fetch_service", fetch_service_old_reader_gets_messages_made_in_the_pool,
	fetch_service_conversion_keeps_the_limits_and_fails_alone, fetch_service_topic_of_a_codec_the_reader_lacks_is_refused,
	list_offsets_by_epoch_and_of_segments_are_passed_on, fetch_service_records_follow_in_the_order_of_the_entries, fetch_service_error_of_one_entry_does_not_wait,
	fetch_service_nothing_to_read_is_answered_at_once, fetch_service_wrong_broker_and_range_are_explained,
	fetch_service_limits_are_the_brokers, fetch_service_stop_ends_waits_and_later_fetches_do_not_wait,
	fetch_service_full_arena_is_refused, list_offsets_answers_when_every_partition_has)
