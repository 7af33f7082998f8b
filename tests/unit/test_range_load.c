#include "storage/range_load.h"

#include "log_fixture.h"
#include "tests/simulation/sim_disk.h"
#include "unit.h"

static int done_count;

static void count_done(struct range_load *l)
{
	(void)l;
	done_count++;
}

struct rig {
	struct log_fixture f;
	struct range_load load;
	struct iobuf ranges;
};

static void rig_init(struct rig *r)
{
	*r = (struct rig){0};
	fixture_init(&r->f);
	fixture_reopen(&r->f, true, 0);
	iobuf_init(&r->ranges);
	r->load.done = count_done;
	done_count = 0;
}

static void rig_fini(struct rig *r)
{
	iobuf_fini(&r->ranges);
	range_load_fini(&r->load);
	fixture_fini(&r->f);
}

static enum status start(struct rig *r)
{
	return range_load_start(&r->load, manual_scheduler_background(r->f.scheduler),
		manual_scheduler_scheduler(r->f.scheduler), &r->ranges);
}

static size_t take_ranges(struct rig *r)
{
	size_t n = 0;
	ck_assert_int_eq(partition_log_read(r->f.log, 0, INT64_MAX, SIZE_MAX, true, &r->ranges, &n), STATUS_OK);
	return n;
}

START_TEST(range_load_brings_what_the_log_holds)
{
	struct rig r;
	rig_init(&r);
	fixture_append(&r.f, 3, 100, 1000);
	fixture_append(&r.f, 5, 2000, 2000);
	size_t n = take_ranges(&r), again = 0;
	ck_assert_int_eq(start(&r), STATUS_OK);
	ck_assert_uint_eq(r.ranges.size_bytes, 0);
	ck_assert_int_eq(done_count, 0); /* never within start */
	fixture_run(&r.f);
	ck_assert_int_eq(done_count, 1);
	ck_assert_int_eq(r.load.status, STATUS_OK);
	uint8_t *expected = fixture_read(&r.f, 0, INT64_MAX, SIZE_MAX, true, &again);
	ck_assert_uint_eq(n, again);
	ck_assert_uint_eq(r.load.bytes.n, n);
	ck_assert_mem_eq(r.load.bytes.p, expected, n);
	free(expected);
	rig_fini(&r);
}
END_TEST

START_TEST(range_load_of_memory_and_files_keeps_their_order)
{
	struct rig r;
	rig_init(&r);
	fixture_append(&r.f, 1, 10, 1000);
	iobuf_append_copy(&r.ranges, slice_of_str("before"));
	size_t n = take_ranges(&r);
	iobuf_append_copy(&r.ranges, slice_of_str("behind"));
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	ck_assert_uint_eq(r.load.bytes.n, n + 12);
	ck_assert_mem_eq(r.load.bytes.p, "before", 6);
	ck_assert_mem_eq(r.load.bytes.p + 6 + n, "behind", 6);
	rig_fini(&r);
}
END_TEST

START_TEST(range_load_of_nothing_is_done_too)
{
	struct rig r;
	rig_init(&r);
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	ck_assert_int_eq(done_count, 1);
	ck_assert_int_eq(r.load.status, STATUS_OK);
	ck_assert_uint_eq(r.load.bytes.n, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(range_load_reuses_its_block_unless_somebody_reads_it)
{
	struct rig r;
	rig_init(&r);
	fixture_append(&r.f, 1, 100, 1000);
	take_ranges(&r);
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	const uint8_t *first = r.load.bytes.p;
	take_ranges(&r);
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	ck_assert_ptr_eq(r.load.bytes.p, first);

	struct iobuf_block *held = iobuf_block_shared_ref(r.load.block);
	take_ranges(&r);
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	ck_assert_ptr_ne(r.load.bytes.p, first);
	iobuf_block_shared_unref(held);
	held = range_load_take_block(&r.load);
	ck_assert_ptr_nonnull(held);
	ck_assert_ptr_null(range_load_take_block(&r.load));
	iobuf_block_shared_unref(held);
	rig_fini(&r);
}
END_TEST

START_TEST(range_load_of_a_file_cut_meanwhile_says_so_and_gives_what_came_before)
{
	struct rig r;
	rig_init(&r);
	fixture_append(&r.f, 1, 100, 1000);
	fixture_append(&r.f, 1, 100, 1000);
	iobuf_append_copy(&r.ranges, slice_of_str("before"));
	size_t n = take_ranges(&r);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(partition_log_truncate(r.f.log, 1), STATUS_OK);
	ck_assert_int_eq(start(&r), STATUS_OK);
	fixture_run(&r.f);
	ck_assert_int_eq(r.load.status, STATUS_CORRUPT);
	ck_assert_uint_eq(r.load.bytes.n, 6);
	rig_fini(&r);
}
END_TEST

START_TEST(range_load_reports_a_failing_disk)
{
	struct manual_clock clock;
	struct disk_file *file = NULL;
	struct iobuf ranges;
	manual_clock_init(&clock, 0, 1000);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct sim_disk *disk = sim_disk_new(1, NULL);
	ck_assert_int_eq(disk_open(sim_disk_disk(disk), "/file", DISK_WRITE | DISK_CREATE, &file), STATUS_OK);
	ck_assert_int_eq(disk_file_pwrite(file, "0123456789", 10, 0), STATUS_OK);
	iobuf_init(&ranges);
	iobuf_append_file(&ranges, &file->shared, 2, 5);
	struct range_load load = {.done = count_done};
	done_count = 0;
	sim_disk_fail(disk, SIM_DISK_PREAD, 1, STATUS_IO);
	ck_assert_int_eq(range_load_start(&load, manual_scheduler_background(m), manual_scheduler_scheduler(m), &ranges),
		STATUS_OK);
	(void)manual_scheduler_run(m);
	ck_assert_int_eq(done_count, 1);
	ck_assert_int_eq(load.status, STATUS_IO);
	ck_assert_uint_eq(load.bytes.n, 0);
	range_load_fini(&load);
	disk_file_close(file);
	sim_disk_free(disk);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(range_load_of_too_much_is_refused_and_takes_nothing)
{
	struct rig r;
	rig_init(&r);
	struct iobuf_block *block = iobuf_block_new(1 << 20);
	for (int i = 0; i <= RANGE_LOAD_BYTES_MAX >> 20; i++)
		iobuf_append_block(&r.ranges, block, block->data, 1 << 20);
	iobuf_block_shared_unref(block);
	size_t before = r.ranges.size_bytes;
	ck_assert_int_eq(start(&r), STATUS_TOO_LARGE);
	ck_assert_uint_eq(r.ranges.size_bytes, before);
	fixture_run(&r.f);
	ck_assert_int_eq(done_count, 0);
	rig_fini(&r);
}
END_TEST

UNIT_MAIN("range_load", range_load_brings_what_the_log_holds, range_load_of_memory_and_files_keeps_their_order,
	range_load_of_nothing_is_done_too, range_load_reuses_its_block_unless_somebody_reads_it,
	range_load_of_a_file_cut_meanwhile_says_so_and_gives_what_came_before, range_load_reports_a_failing_disk,
	range_load_of_too_much_is_refused_and_takes_nothing)
