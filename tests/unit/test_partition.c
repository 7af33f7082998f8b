/* A partition's roles, its high watermark, acks, and offset lookups, over a log whose flushes the test finishes by hand. */
#include "base/diag.h"
#include "base/metrics.h"
#include "replica_fixture.h"
#include "unit.h"

static struct replica_fixture f;

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void begin(void)
{
	diag_set_sink(quiet, NULL);
	replica_fixture_init(&f);
}

static void end(struct partition_log *log)
{
	replica_fixture_fini(&f);
	fake_log_free(log);
}

static struct produce_call produce(int32_t partition, int16_t acks, int32_t records)
{
	struct produce_call c;
	replica_fixture_produce(&f, &c, partition, acks, records);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	return c;
}

static int64_t high_watermark(int32_t partition)
{
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 1, 0, 0, 0);
	c.parts[0].tp.partition = partition;
	c.parts[0].owner = replica_router_owner(&f.router, &c.parts[0].tp);
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1);
	fetch_call_fini(&c);
	return c.parts[0].high_watermark;
}

START_TEST(partition_without_role_is_not_leader)
{
	begin();
	struct partition_log *log = fake_log_new("t", 1);
	ck_assert_int_eq(produce(1, 1, 1).part.status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_HOST, log, &(struct order_options){0}), STATUS_OK);
	struct produce_call c = produce(1, 1, 1);
	ck_assert_int_eq(c.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(c.part.base_offset, -1);
	ck_assert_int_eq(c.part.leader, -1);
	int64_t offset;
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_LATEST, &offset), STATUS_NOT_LEADER_OR_FOLLOWER);
	end(log);
}
END_TEST

START_TEST(partition_leader_starts_its_epoch_before_it_accepts)
{
	begin();
	struct partition_log *log = fake_log_new("t", 0);
	log->end = log->flushed = 5;
	struct order_options o = {.leader = 1, .leader_epoch = 4, .replica_count = 1, .isr_count = 1, .high_watermark = 3};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	ck_assert_int_eq(log->epoch_count, 1);
	ck_assert_int_eq(log->epochs[0], 4);
	ck_assert_int_eq(log->epoch_starts[0], 5);
	ck_assert_int_eq(high_watermark(0), 5); /* alone in sync, all of it durable */
	end(log);
}
END_TEST

START_TEST(partition_takes_a_role_only_with_a_larger_leader_epoch)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 0);
	struct order_options o = {.leader = 2, .leader_epoch = 0, .replica_count = 2, .isr_count = 2};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_STALE_CONTROLLER_EPOCH);
	ck_assert_int_eq(produce(0, 1, 1).part.status, STATUS_OK);
	o.leader_epoch = 1;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	struct produce_call c = produce(0, 1, 1);
	ck_assert_int_eq(c.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(c.part.leader, 2);
	ck_assert_int_eq(c.part.leader_epoch_now, 1);
	ck_assert_int_eq(metrics_read(METRIC_partitions_led), 0);
	end(log);
}
END_TEST

START_TEST(partition_acks_1_is_answered_before_the_flush)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct produce_call c = produce(1, 1, 3);
	ck_assert_int_eq(c.part.status, STATUS_OK);
	ck_assert_int_eq(c.part.base_offset, 0);
	ck_assert_int_eq(log->flushes_asked, 1);
	ck_assert_int_eq(high_watermark(1), 0); /* readers see only what is durable */
	fake_log_finish_flush(log, 3, STATUS_OK);
	ck_assert_int_eq(high_watermark(1), 3);
	end(log);
}
END_TEST

START_TEST(partition_acks_all_waits_for_the_flush)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct produce_call a, b;
	replica_fixture_produce(&f, &a, 1, -1, 2);
	replica_fixture_produce(&f, &b, 1, -1, 2);
	replica_fixture_run(&f);
	ck_assert_int_eq(a.done + b.done, 0);
	fake_log_finish_flush(log, 2, STATUS_OK); /* group commit covered the first only */
	replica_fixture_run(&f);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.part.status, STATUS_OK);
	ck_assert_int_eq(b.done, 0);
	fake_log_finish_flush(log, 4, STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(b.done, 1);
	ck_assert_int_eq(b.part.status, STATUS_OK);
	ck_assert_int_eq(b.part.base_offset, 2);
	replica_fixture_advance_ms(&f, 200); /* past both deadlines: no second answer */
	ck_assert_int_eq(a.done + b.done, 2);
	end(log);
}
END_TEST

START_TEST(partition_goes_offline_when_a_flush_fails)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 0);
	int64_t offline_before = metrics_read(METRIC_partitions_offline);
	struct produce_call a, b;
	struct fetch_call r;
	replica_fixture_produce(&f, &a, 0, -1, 1);
	replica_fixture_produce(&f, &b, 0, -1, 1);
	replica_fixture_fetch(&f, &r, 1, 0, 1, 10000);
	delayed_fetch_start(&r.fetch);
	replica_fixture_run(&f);
	fake_log_finish_flush(log, 0, STATUS_IO);
	replica_fixture_run(&f);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.part.status, STATUS_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(b.part.status, STATUS_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(r.done, 1);
	ck_assert_int_eq(r.parts[0].status, STATUS_KAFKA_STORAGE_ERROR);
	fetch_call_fini(&r);
	ck_assert_int_eq(f.failed, 1);
	ck_assert_int_eq(metrics_read(METRIC_partitions_offline) - offline_before, 1);
	ck_assert_int_eq(produce(0, 1, 1).part.status, STATUS_KAFKA_STORAGE_ERROR);
	struct order_options o = {.leader = 1, .leader_epoch = 9, .replica_count = 1, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(log->end, 2); /* nothing was appended after the failure */
	end(log);
}
END_TEST

START_TEST(partition_acks_all_times_out_without_its_followers)
{
	begin();
	struct partition_log *log = fake_log_new("t", 1);
	log->flush_at_once = true;
	struct order_options o = {.leader = 1, .replica_count = 2, .isr_count = 2};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	struct produce_call c;
	replica_fixture_produce(&f, &c, 1, -1, 1);
	replica_fixture_advance_ms(&f, 98);
	ck_assert_int_eq(c.done, 0);
	replica_fixture_advance_ms(&f, 5);
	ck_assert_int_eq(c.done, 1);
	ck_assert_int_eq(c.part.status, STATUS_REQUEST_TIMED_OUT);
	ck_assert_int_eq(high_watermark(1), 0);
	ck_assert_int_eq(produce(1, 1, 1).part.status, STATUS_OK);
	end(log);
}
END_TEST

START_TEST(partition_under_min_isr_refuses_acks_all_and_holds_the_high_watermark)
{
	begin();
	f.topic.min_insync_replicas = 2;
	struct partition_log *log = fake_log_new("t", 1);
	log->flush_at_once = true;
	struct order_options o = {.leader = 1, .replica_count = 3, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	ck_assert_int_eq(produce(1, -1, 1).part.status, STATUS_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(log->end, 0);
	ck_assert_int_eq(produce(1, 1, 1).part.status, STATUS_OK);
	ck_assert_int_eq(high_watermark(1), 0);
	/* the setting is lowered: what is there becomes readable */
	f.topic.min_insync_replicas = 1;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_CONFIGURE, log, &o), STATUS_OK);
	ck_assert_int_eq(high_watermark(1), 1);
	end(log);
}
END_TEST

START_TEST(partition_of_one_replica_is_written_whatever_min_isr_says)
{
	begin();
	f.topic.min_insync_replicas = 2;
	struct partition_log *log = replica_fixture_lead(&f, 0);
	log->flush_at_once = true;
	ck_assert_int_eq(produce(0, -1, 1).part.status, STATUS_OK);
	end(log);
}
END_TEST

START_TEST(partition_in_background_policy_acknowledges_before_the_flush)
{
	begin();
	f.topic.log_flush_policy = FLUSH_background;
	struct partition_log *log = replica_fixture_lead(&f, 1);
	ck_assert_int_eq(produce(1, -1, 1).part.status, STATUS_OK);
	ck_assert_int_eq(high_watermark(1), 1);
	ck_assert_int_eq(log->flushes_asked, 0); /* the log flushes by itself */
	ck_assert_int_eq(log->settings.log_flush_policy, FLUSH_background);
	end(log);
}
END_TEST

START_TEST(partition_refuses_a_leader_epoch_below_its_logs)
{
	begin();
	struct partition_log *log = fake_log_new("t", 0);
	log->epochs[log->epoch_count++] = 9;
	struct order_options o = {.leader = 1, .leader_epoch = 8, .replica_count = 1, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(produce(0, 1, 1).part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(f.failed, 0);
	o.leader_epoch = 10;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	end(log);
}
END_TEST

START_TEST(partition_switched_to_commit_flushes_what_is_open)
{
	begin();
	f.topic.log_flush_policy = FLUSH_background;
	struct partition_log *log = replica_fixture_lead(&f, 0);
	(void)produce(0, 1, 1);
	f.topic.log_flush_policy = FLUSH_commit;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_CONFIGURE, log, &(struct order_options){0}), STATUS_OK);
	ck_assert_int_eq(log->flushes_asked, 1);
	ck_assert_int_eq(log->settings.log_flush_policy, FLUSH_commit);
	ck_assert_int_eq(high_watermark(0), 1); /* it never goes back */
	end(log);
}
END_TEST

START_TEST(partition_that_loses_its_role_lets_everybody_go)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct produce_call c;
	struct fetch_call r;
	replica_fixture_produce(&f, &c, 1, -1, 1);
	replica_fixture_fetch(&f, &r, 2, 0, 1, 10000);
	r.fetch.parts = &r.parts[1];
	r.fetch.part_count = 1;
	delayed_fetch_start(&r.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done + r.done, 0);
	struct order_options o = {.leader = 2, .leader_epoch = 1, .replica_count = 2, .isr_count = 2};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	ck_assert_int_eq(c.done, 1);
	ck_assert_int_eq(c.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(r.done, 1);
	ck_assert_int_eq(r.parts[1].status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(r.parts[1].leader, 2);
	fake_log_finish_flush(log, 1, STATUS_OK); /* the flush under way comes home to nobody */
	replica_fixture_advance_ms(&f, 200);
	ck_assert_int_eq(c.done, 1);
	end(log);
}
END_TEST

START_TEST(partition_stop_and_let_go)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct order_options o = {.leader_epoch = -1};
	int64_t hosted = metrics_read(METRIC_partitions_hosted);
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_STOP, log, &o), STATUS_OK);
	ck_assert_int_eq(produce(1, 1, 1).part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_uint_eq(replica_manager_partition_count(f.managers[1]), 1);

	o = (struct order_options){.leader = 1, .leader_epoch = 5, .replica_count = 1, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	struct produce_call c;
	replica_fixture_produce(&f, &c, 1, -1, 1);
	replica_fixture_run(&f);
	o.leader_epoch = 4;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_LET_GO, log, &o), STATUS_FENCED_LEADER_EPOCH);
	o.leader_epoch = -2;
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_LET_GO, log, &o), STATUS_OK);
	ck_assert_int_eq(c.part.status, STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_uint_eq(replica_manager_partition_count(f.managers[1]), 0);
	ck_assert_ptr_null(log->flushed_arg);
	ck_assert(!log->closed);
	ck_assert_int_eq(metrics_read(METRIC_partitions_hosted), hosted - 1);
	ck_assert_int_eq(produce(1, 1, 1).part.status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	end(log);
}
END_TEST

START_TEST(partition_checks_the_requests_leader_epoch)
{
	begin();
	struct partition_log *log = fake_log_new("t", 0);
	struct order_options o = {.leader = 1, .leader_epoch = 3, .replica_count = 1, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	const struct {
		int32_t epoch;
		enum status status;
	} rows[] = {{-1, STATUS_OK}, {2, STATUS_FENCED_LEADER_EPOCH}, {3, STATUS_OK}, {4, STATUS_UNKNOWN_LEADER_EPOCH}};
	for (size_t i = 0; i < 4; i++) {
		struct fetch_call c;
		replica_fixture_fetch(&f, &c, 1, 0, 0, 0);
		c.parts[0].current_leader_epoch = rows[i].epoch;
		delayed_fetch_start(&c.fetch);
		replica_fixture_run(&f);
		ck_assert_int_eq(c.parts[0].status, rows[i].status);
		ck_assert_int_eq(c.parts[0].leader, 1);
		fetch_call_fini(&c);
	}
	end(log);
}
END_TEST

START_TEST(partition_refuses_appends_on_a_full_disk_and_goes_on_reading)
{
	begin();
	struct partition_log *log = fake_log_new("t", 0);
	log->flush_at_once = true;
	log->end = log->flushed = 4;
	log->epoch_status = STATUS_NO_SPACE; /* the epoch cannot be written either */
	struct order_options o = {.leader = 1, .leader_epoch = 1, .replica_count = 1, .isr_count = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	ck_assert_int_eq(high_watermark(0), 4);
	f.disk_full = true;
	ck_assert_int_eq(produce(0, 1, 1).part.status, STATUS_NO_SPACE);
	f.disk_full = false;
	ck_assert_int_eq(produce(0, 1, 1).part.status, STATUS_NO_SPACE);
	ck_assert_int_eq(log->end, 4);
	log->epoch_status = STATUS_OK;
	log->append_status = STATUS_NO_SPACE;
	ck_assert_int_eq(produce(0, -1, 1).part.status, STATUS_NO_SPACE);
	ck_assert_int_eq(log->epochs[0], 1);
	log->append_status = STATUS_OK;
	ck_assert_int_eq(produce(0, -1, 1).part.status, STATUS_OK);
	ck_assert_int_eq(log->epoch_count, 1);
	ck_assert_int_eq(f.failed, 0);
	end(log);
}
END_TEST

START_TEST(partition_refuses_unknown_acks)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 0);
	ck_assert_int_eq(produce(0, 2, 1).part.status, STATUS_INVALID_REQUIRED_ACKS);
	ck_assert_int_eq(produce(0, -2, 1).part.status, STATUS_INVALID_REQUIRED_ACKS);
	ck_assert_int_eq(log->end, 0);
	end(log);
}
END_TEST

START_TEST(partition_lists_offsets_below_the_high_watermark)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	(void)produce(1, 1, 4); /* timestamps 1000 .. 1003 */
	int64_t offset;
	fake_log_finish_flush(log, 2, STATUS_OK);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_LATEST, &offset), STATUS_OK);
	ck_assert_int_eq(offset, 2);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_EARLIEST, &offset), STATUS_OK);
	ck_assert_int_eq(offset, 0);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, 1001, &offset), STATUS_OK);
	ck_assert_int_eq(offset, 1);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, 1003, &offset), STATUS_OK);
	ck_assert_int_eq(offset, -1); /* there, but not committed */
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_MAX_TIMESTAMP, &offset), STATUS_OK);
	ck_assert_int_eq(offset, -1);
	fake_log_finish_flush(log, 4, STATUS_OK);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_MAX_TIMESTAMP, &offset), STATUS_OK);
	ck_assert_int_eq(offset, 3);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, -7, &offset), STATUS_INVALID_REQUEST);
	end(log);
}
END_TEST

static void ignore_answer(struct list_offsets_part *part)
{
	(void)part;
}

static struct list_offsets_part ask(struct list_offsets_part part)
{
	part.home = replica_fixture_home(&f);
	part.tp = (struct topic_partition){.topic = "t", .partition = 1};
	part.current_leader_epoch = -1;
	part.done = ignore_answer;
	replica_manager_list_offsets(replica_router_owner(&f.router, &part.tp), &part);
	replica_fixture_run(&f);
	return part;
}

START_TEST(partition_lists_segments_and_ends_of_epochs)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	log->end = log->flushed = 25;
	(void)produce(1, 1, 1);
	fake_log_finish_flush(log, 26, STATUS_OK);
	log->end = 35; /* not committed: beyond 26 */
	int64_t starts[8];
	struct list_offsets_part p = ask((struct list_offsets_part){.by = LIST_OFFSETS_OF_SEGMENTS, .timestamp_ms = -1, .starts = starts, .starts_max = 8});
	ck_assert_int_eq(p.status, STATUS_OK);
	ck_assert_uint_eq(p.starts_count, 4);
	const int64_t expected[] = {26, 20, 10, 0}; /* 35 and 30 are not committed: the high watermark stands for both */
	ck_assert_mem_eq(starts, expected, sizeof(expected));
	log->epoch_count = 2;
	log->epochs[0] = 3;
	log->epoch_starts[0] = 0;
	log->epochs[1] = 5;
	log->epoch_starts[1] = 20;
	p = ask((struct list_offsets_part){.by = LIST_OFFSETS_BY_EPOCH, .asked_epoch = 4});
	ck_assert_int_eq(p.epoch, 3);
	ck_assert_int_eq(p.offset, 20);
	p = ask((struct list_offsets_part){.by = LIST_OFFSETS_BY_EPOCH, .asked_epoch = 2});
	ck_assert_int_eq(p.epoch, -1);
	ck_assert_int_eq(p.offset, -1);
	end(log);
}
END_TEST

/* A reader at `offset` whose last record is of last_epoch. */
static struct fetch_part fetch_from(int64_t offset, int32_t last_epoch)
{
	struct fetch_call c;
	replica_fixture_fetch(&f, &c, 2, offset, 1, 1000);
	c.parts[0] = c.parts[1]; /* of partition 1 alone */
	c.fetch.part_count = 1;
	c.parts[0].check_epoch = true;
	c.parts[0].last_fetched_epoch = last_epoch;
	delayed_fetch_start(&c.fetch);
	replica_fixture_run(&f);
	ck_assert_int_eq(c.done, 1); /* at once */
	struct fetch_part p = c.parts[0];
	fetch_call_fini(&c);
	return p;
}

START_TEST(partition_reader_whose_log_diverges_is_told_at_once)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	(void)produce(1, 1, 10);
	fake_log_finish_flush(log, 10, STATUS_OK);
	log->epoch_count = 2;
	log->epochs[0] = 1;
	log->epoch_starts[0] = 0;
	log->epochs[1] = 3;
	log->epoch_starts[1] = 6;
	struct fetch_part p = fetch_from(8, 3);
	ck_assert_int_eq(p.status, STATUS_OK);
	ck_assert(!p.diverges);
	p = fetch_from(8, 1); /* epoch 1 ended at 6 here */
	ck_assert_int_eq(p.status, STATUS_OK);
	ck_assert(p.diverges);
	ck_assert_int_eq(p.diverging_epoch, 1);
	ck_assert_int_eq(p.diverging_end_offset, 6);
	ck_assert_uint_eq(p.record_bytes, 0);
	p = fetch_from(4, 2); /* there was no epoch 2 here */
	ck_assert(p.diverges);
	ck_assert_int_eq(p.diverging_epoch, 1);
	p = fetch_from(4, 0); /* nothing is known of it */
	ck_assert_int_eq(p.status, STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert(!p.diverges);
	end(log);
}
END_TEST

START_TEST(partition_new_leader_does_not_show_an_end_that_went_back)
{
	begin();
	struct partition_log *log = fake_log_new("t", 1);
	log->end = 5;
	log->flushed = 2;
	struct order_options o = {.leader = 1, .leader_epoch = 7, .replica_count = 1, .isr_count = 1, .high_watermark = 1};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	ck_assert_int_eq(log->flushes_asked, 1);
	int64_t offset;
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_LATEST, &offset), STATUS_OFFSET_NOT_AVAILABLE);
	ck_assert_int_eq(offset, -1);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_EARLIEST, &offset), STATUS_OK);
	fake_log_finish_flush(log, 5, STATUS_OK);
	ck_assert_int_eq(replica_fixture_list_offsets(&f, 1, LIST_OFFSETS_LATEST, &offset), STATUS_OK);
	ck_assert_int_eq(offset, 5);
	end(log);
}
END_TEST

START_TEST(partition_high_watermark_is_cut_to_the_log)
{
	begin();
	struct partition_log *log = fake_log_new("t", 0);
	log->start = 3;
	log->end = log->flushed = 8;
	struct order_options o = {.leader = 1, .replica_count = 2, .isr_count = 2, .high_watermark = 99};
	ck_assert_int_eq(replica_fixture_order(&f, REPLICA_BECOME, log, &o), STATUS_OK);
	struct fetch_call c;
	const struct {
		int64_t offset;
		enum status status;
	} rows[] = {{2, STATUS_OFFSET_OUT_OF_RANGE}, {3, STATUS_OK}, {8, STATUS_OK}, {9, STATUS_OFFSET_OUT_OF_RANGE}};
	for (size_t i = 0; i < 4; i++) {
		replica_fixture_fetch(&f, &c, 1, rows[i].offset, 0, 0);
		delayed_fetch_start(&c.fetch);
		ck_assert_int_eq(c.done, 1); /* its own loop: at once */
		ck_assert_int_eq(c.parts[0].status, rows[i].status);
		ck_assert_int_eq(c.parts[0].high_watermark, 8);
		ck_assert_int_eq(c.parts[0].log_start_offset, 3);
		fetch_call_fini(&c);
	}
	end(log);
}
END_TEST

START_TEST(partition_repeated_batch_waits_like_the_first)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct produce_call first, second, again;
	replica_fixture_produce(&f, &first, 1, -1, 2);
	replica_fixture_produce(&f, &second, 1, -1, 2);
	replica_fixture_run(&f);
	log->duplicate = (struct log_append_info){0, 1, 77, 0, true};
	replica_fixture_produce(&f, &again, 1, -1, 2);
	replica_fixture_run(&f);
	ck_assert_int_eq(first.done + second.done + again.done, 0);
	fake_log_finish_flush(log, 2, STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(first.done + again.done, 2); /* though another batch was sent in between */
	ck_assert_int_eq(second.done, 0);
	ck_assert_int_eq(again.part.status, STATUS_OK);
	ck_assert_int_eq(again.part.base_offset, 0);
	ck_assert_int_eq(again.part.log_append_time_ms, 77);
	ck_assert(again.part.duplicate && !first.part.duplicate);
	fake_log_finish_flush(log, 4, STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(second.done, 1);
	/* Committed long ago: nothing to wait for, and no flush will come. */
	log->duplicate = (struct log_append_info){0, 1, 77, 0, true};
	int flushes = log->flushes_asked;
	ck_assert_int_eq(produce(1, -1, 2).part.status, STATUS_OK);
	ck_assert_int_eq(log->flushes_asked, flushes);
	ck_assert_int_eq(metrics_read(METRIC_duplicate_batches), 2);
	end(log);
}
END_TEST

static void records_deleted(struct delete_records_part *p)
{
	*(int *)p->arg += 1;
}

static enum status delete_records(int32_t partition, int64_t offset, int64_t *ret_low_watermark)
{
	int done = 0;
	struct delete_records_part p = {
		.home = replica_fixture_home(&f), .offset = offset, .done = records_deleted, .arg = &done};
	ck_assert_int_eq(topic_partition_set(&p.tp, slice_of_str("t"), partition), STATUS_OK);
	replica_manager_delete_records(replica_router_owner(&f.router, &p.tp), &p);
	replica_fixture_run(&f);
	ck_assert_int_eq(done, 1);
	*ret_low_watermark = p.low_watermark;
	return p.status;
}

START_TEST(partition_deletes_records_up_to_the_high_watermark)
{
	begin();
	int64_t low;
	f.topic.cleanup_policy = CLEANUP_delete;
	struct partition_log *log = replica_fixture_lead(&f, 1);
	struct produce_call p = produce(1, 1, 6);
	fake_log_finish_flush(log, 4, STATUS_OK);
	replica_fixture_run(&f);
	ck_assert_int_eq(p.part.status, STATUS_OK);
	ck_assert_int_eq(high_watermark(1), 4);
	ck_assert_int_eq(delete_records(1, 5, &low), STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(low, -1);
	ck_assert_int_eq(delete_records(1, -2, &low), STATUS_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(delete_records(1, 2, &low), STATUS_OK);
	ck_assert_int_eq(low, 2);
	ck_assert_int_eq(log->retention_high_watermark, 4); /* segments before it went at once */
	ck_assert_int_eq(delete_records(1, 1, &low), STATUS_OK); /* gone already */
	ck_assert_int_eq(low, 2);
	ck_assert_int_eq(delete_records(1, DELETE_RECORDS_TO_HIGH_WATERMARK, &low), STATUS_OK);
	ck_assert_int_eq(low, 4);
	ck_assert_int_eq(delete_records(2, 0, &low), STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	end(log);
}
END_TEST

START_TEST(partition_deletes_no_records_of_a_topic_that_is_only_compacted)
{
	begin();
	int64_t low;
	f.topic.cleanup_policy = CLEANUP_compact;
	struct partition_log *log = replica_fixture_lead(&f, 1);
	ck_assert_int_eq(delete_records(1, 0, &low), STATUS_POLICY_VIOLATION);
	end(log);
}
END_TEST

static void described(struct describe_producers_part *p)
{
	*(int *)p->arg += 1;
}

START_TEST(partition_leader_describes_its_producers)
{
	begin();
	struct partition_log *log = replica_fixture_lead(&f, 1);
	log->producer = (struct producer_info){.producer_id = 5, .epoch = 2, .last_sequence = 9};
	for (int32_t partition = 1; partition < 3; partition++) {
		int done = 0;
		struct describe_producers_part part = {.home = replica_fixture_home(&f), .tp = {.topic = "t", .partition = partition},
			.done = described, .arg = &done};
		replica_manager_describe_producers(replica_router_owner(&f.router, &part.tp), &part);
		replica_fixture_run(&f);
		ck_assert_int_eq(done, 1);
		ck_assert_int_eq(part.status, partition == 1 ? STATUS_OK : STATUS_UNKNOWN_TOPIC_OR_PARTITION);
		ck_assert_uint_eq(part.count, partition == 1 ? 1 : 0);
		ck_assert(part.count == 0 || part.producers[0].last_sequence == 9);
		free(part.producers);
	}
	end(log);
}
END_TEST

UNIT_MAIN("partition", partition_leader_describes_its_producers, partition_deletes_records_up_to_the_high_watermark,
	partition_deletes_no_records_of_a_topic_that_is_only_compacted, partition_repeated_batch_waits_like_the_first, partition_without_role_is_not_leader, partition_leader_starts_its_epoch_before_it_accepts,
	partition_takes_a_role_only_with_a_larger_leader_epoch, partition_acks_1_is_answered_before_the_flush,
	partition_acks_all_waits_for_the_flush, partition_goes_offline_when_a_flush_fails,
	partition_acks_all_times_out_without_its_followers,
	partition_under_min_isr_refuses_acks_all_and_holds_the_high_watermark,
	partition_of_one_replica_is_written_whatever_min_isr_says,
	partition_in_background_policy_acknowledges_before_the_flush, partition_refuses_a_leader_epoch_below_its_logs,
	partition_switched_to_commit_flushes_what_is_open, partition_that_loses_its_role_lets_everybody_go,
	partition_stop_and_let_go, partition_checks_the_requests_leader_epoch,
	partition_refuses_appends_on_a_full_disk_and_goes_on_reading, partition_refuses_unknown_acks,
	partition_lists_segments_and_ends_of_epochs, partition_reader_whose_log_diverges_is_told_at_once,
	partition_lists_offsets_below_the_high_watermark, partition_new_leader_does_not_show_an_end_that_went_back,
	partition_high_watermark_is_cut_to_the_log)
