/* What may lie in __consumer_offsets besides what we write: records of other writers, transactions, damage. None of it stops a load. */
#include "coordinator_fixture.h"

#include "coordinator/group_records.h"
#include "unit.h"

static struct coordinator_fixture f;

static void begin(void)
{
	coordinator_fixture_init(&f, 1);
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
}

/* In a new epoch everything is read anew. */
static void load_again(void)
{
	coordinator_fixture_lead(&f);
	coordinator_fixture_run(&f);
}

/* --- batches of other writers --------------------------------------------- */

enum { PRODUCER = 77 };

/* attributes: added to the batch's; its checksum is made right again, unless it is to be wrong. */
static void append(const char *group, struct record_batch_builder *b, uint8_t attributes, bool damaged)
{
	struct slice bytes;
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	uint8_t *copy = check_alloc(bytes.n);
	memcpy(copy, bytes.p, bytes.n);
	copy[22] |= attributes;
	record_batch_stamp_time(copy, bytes.n, bytes_get_i64(copy + 35), false);
	if (damaged)
		copy[bytes.n - 1] ^= 0x55;
	/* As a follower took it from the leader before; the next leader epoch makes it durable. */
	struct partition_log *log = f.logs[group_coordinator_partition(group, COORDINATOR_PARTITIONS)];
	record_batch_stamp(copy, partition_log_end_offset(log), f.leader_epoch);
	struct record_batch batch;
	struct log_append_info info;
	int64_t last_offset;
	if (damaged) { /* on disk it went bad; a follower would have refused it */
		ck_assert_int_eq(record_batch_parse(slice_of(copy, bytes.n), &batch), STATUS_OK);
		ck_assert_int_eq(partition_log_append(log, &batch, f.leader_epoch, &info), STATUS_OK);
	} else {
		ck_assert_int_eq(partition_log_append_as_follower(log, slice_of(copy, bytes.n), &last_offset), STATUS_OK);
	}
	record_batch_builder_free(b);
	free(copy);
}

static struct record_batch_builder *builder(void)
{
	return record_batch_builder_new(COMPRESSION_none, 0, 256);
}

static void add_offset(struct record_batch_builder *b, const char *group, int32_t partition, int64_t offset)
{
	struct arena a;
	struct group_record_bytes record;
	const struct kafka_offset_commit_key key = {.group = group, .topic = "t", .partition = partition};
	const struct kafka_offset_commit_value value = {
		.offset = offset, .leader_epoch = -1, .metadata = "", .commit_timestamp = (int64_t)COORDINATOR_WALL_MS * 1000, .expire_timestamp = -1};
	const struct group_record_view view = {.kind = GROUP_RECORD_OFFSET, .offset_key = &key, .offset = &value};
	arena_init(&a, 10000);
	ck_assert_int_eq(group_records_encode(&a, &view, &record), STATUS_OK);
	record_batch_builder_add(b, 1000, record.key, record.value, NULL, 0);
	arena_fini(&a);
}

static void append_offset_in_transaction(const char *group, int32_t partition, int64_t offset)
{
	static int32_t sequences[COORDINATOR_PARTITIONS];
	struct record_batch_builder *b = builder();
	add_offset(b, group, partition, offset);
	record_batch_builder_set_producer(b, PRODUCER, 0, sequences[group_coordinator_partition(group, COORDINATOR_PARTITIONS)]++);
	append(group, b, RECORD_BATCH_TRANSACTIONAL, false);
}

static void append_marker(const char *group, uint8_t type)
{
	const uint8_t key[] = {0, 0, 0, type}, value[] = {0, 0, 0, 0, 0, 0};
	struct record_batch_builder *b = builder();
	record_batch_builder_add(b, 1000, slice_of(key, sizeof(key)), slice_of(value, sizeof(value)), NULL, 0);
	record_batch_builder_set_producer(b, PRODUCER, 0, -1);
	append(group, b, RECORD_BATCH_TRANSACTIONAL | RECORD_BATCH_CONTROL, false);
}

static enum status stable_status(const char *group, int32_t partition)
{
	struct coordinator_call *c = coordinator_call_new(GROUP_REQUEST_FETCH, group);
	struct group_request_offset o = {.topic = "t", .partition = partition};
	c->r.fetch = (struct group_request_fetch){.require_stable = true, .member_epoch = -1, .offsets = &o, .offset_count = 1};
	ck_assert_int_eq(coordinator_call_answer(&f, c), STATUS_OK);
	coordinator_call_free(c);
	return o.status;
}

/* --- tests ---------------------------------------------------------------- */

START_TEST(group_load_passes_over_what_it_does_not_know)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	const uint8_t unknown[] = {0, 99, 1, 2, 3}, cut[] = {0}, no_string[] = {0, 1, 0x7f, 0xff};
	struct record_batch_builder *b = builder();
	record_batch_builder_add(b, 1000, slice_of(unknown, sizeof(unknown)), slice_of_str("x"), NULL, 0);
	record_batch_builder_add(b, 1000, slice_of(cut, sizeof(cut)), slice_of_str("x"), NULL, 0);
	record_batch_builder_add(b, 1000, slice_of(no_string, sizeof(no_string)), slice_of_str("x"), NULL, 0);
	record_batch_builder_add(b, 1000, slice_of(NULL, 0), slice_of_str("x"), NULL, 0);
	add_offset(b, "g", 1, 6);
	append("g", b, 0, false);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 5);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 6);
	coordinator_fixture_fini(&f);
}
END_TEST

START_TEST(group_load_passes_over_a_damaged_batch)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	struct record_batch_builder *b = builder();
	add_offset(b, "g", 0, 9);
	append("g", b, 0, true);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 1, 6), STATUS_OK);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 5);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 6);
	/* and where the damage is the last there is */
	b = builder();
	add_offset(b, "g", 0, 9);
	append("g", b, 0, true);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 5);
	coordinator_fixture_fini(&f);
}
END_TEST

START_TEST(group_load_waits_for_the_marker_of_a_transaction)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	append_offset_in_transaction("g", 0, 8);
	append_offset_in_transaction("g", 1, 9);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 5);
	ck_assert_int_eq(stable_status("g", 0), STATUS_UNSTABLE_OFFSET_COMMIT);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), -1);
	append_marker("g", 1);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 8);
	ck_assert_int_eq(stable_status("g", 0), STATUS_OK);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 1), 9);
	coordinator_fixture_fini(&f);
}
END_TEST

START_TEST(group_load_forgets_an_aborted_transaction)
{
	begin();
	append_offset_in_transaction("g", 0, 8);
	append_marker("g", 0);
	append_offset_in_transaction("other", 0, 8); /* undecided: it keeps the group in memory */
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), -1);
	ck_assert_int_eq(stable_status("g", 0), STATUS_OK);
	ck_assert_int_eq(stable_status("other", 0), STATUS_UNSTABLE_OFFSET_COMMIT);
	coordinator_fixture_fini(&f);
}
END_TEST

/* A later commit is not undone by a transaction that began before it and ends after it. */
START_TEST(group_load_orders_a_transaction_by_its_records)
{
	begin();
	append_offset_in_transaction("g", 0, 8);
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 20), STATUS_OK);
	append_marker("g", 1);
	load_again();
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 20);
	coordinator_fixture_fini(&f);
}
END_TEST

START_TEST(group_load_of_many_turns_finds_everything)
{
	enum { MANY = 3000 };
	begin();
	for (int i = 0; i < MANY; i += 100) {
		struct record_batch_builder *b = builder();
		for (int k = 0; k < 100; k++)
			add_offset(b, "g", i + k, i + k);
		append("g", b, 0, false);
	}
	f.settings.offsets_load_buffer_size = 10000; /* several reads */
	load_again();
	for (int i = 0; i < MANY; i += 7)
		ck_assert_int_eq(coordinator_fetch(&f, "g", "t", i), i);
	coordinator_fixture_fini(&f);
}
END_TEST

/* The read fails: it is tried again until it works. */
START_TEST(group_load_tries_again_when_the_disk_fails)
{
	begin();
	ck_assert_int_eq(coordinator_commit(&f, "g", "t", 0, 5), STATUS_OK);
	f.leader_epoch += 1;
	sim_disk_fail(f.disk, SIM_DISK_PREAD, 1, STATUS_IO);
	load_again();
	int64_t found = coordinator_fetch(&f, "g", "t", 0);
	bool hit = sim_disk_fault_hit(f.disk);
	sim_disk_disarm(f.disk);
	coordinator_fixture_advance_ms(&f, 1100);
	ck_assert(hit);
	ck_assert_int_eq(found, -2);
	ck_assert_int_eq(coordinator_fetch(&f, "g", "t", 0), 5);
	coordinator_fixture_fini(&f);
}
END_TEST

UNIT_MAIN("group_coordinator_load", group_load_passes_over_what_it_does_not_know, group_load_passes_over_a_damaged_batch,
	group_load_waits_for_the_marker_of_a_transaction, group_load_forgets_an_aborted_transaction,
	group_load_orders_a_transaction_by_its_records, group_load_of_many_turns_finds_everything,
	group_load_tries_again_when_the_disk_fails)
