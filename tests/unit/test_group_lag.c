/* Consumer lag for /metrics, over a faked coordinator and faked partitions. */
#include "service_fixture.h"
#include "unit.h"

#include "base/metrics.h"
#include "coordinator/group_coordinator.h"
#include "service/admin_service.h"
#include "service/group_lag.h"
#include "storage/record_batch.h"

static struct service_fixture fixture;
static struct group_coordinator *const coordinators[] = {NULL};
static struct group_list_entry groups[] = {{.group_id = "g\"1"}, {.group_id = "gone"}};
static struct group_request_offset offsets[] = {{.topic = "orders", .partition = 0, .offset = 4}, {.topic = "orders", .partition = 1, .offset = 7},
	{.topic = "keys", .partition = 0, .offset = 2}, {.topic = "packed", .partition = 0, .offset = 9}};
static unsigned reads;

void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	(void)owner;
	r->groups = groups;
	r->group_count = 2;
	r->done(r);
}
void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	(void)owner;
	ck_assert_int_eq(r->kind, GROUP_REQUEST_FETCH);
	ck_assert(r->fetch.all);
	r->status = strcmp(r->group_id, "gone") == 0 ? STATUS_NOT_COORDINATOR : STATUS_OK;
	r->fetch.offsets = offsets;
	r->fetch.offset_count = 4;
	r->done(r);
}
int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	(void)group_id;
	(void)count;
	return 0;
}
void replica_manager_append(struct replica_manager *owner, struct produce_part *part)
{
	(void)owner;
	(void)part;
	ck_abort_msg("nothing is produced");
}
void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part)
{
	(void)owner;
	(void)part;
	ck_abort_msg("nothing is looked up");
}
void delayed_fetch_hurry(struct delayed_fetch *f)
{
	(void)f;
	ck_abort_msg("nothing waits");
}

/* A batch whose first record is of this age. */
static void give_batch(struct fetch_part *p, int64_t age_ms)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 256);
	struct slice batch;
	record_batch_builder_add(b, clock_wall_ms(fixture.scheduler->clock) - age_ms, slice_of_str("k"), slice_of_str("v"), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(b, &batch), STATUS_OK);
	iobuf_append_copy(&p->records, batch);
	p->record_bytes = batch.n;
	record_batch_builder_free(b);
}

/* orders-0 is 6 behind, orders-1 is led elsewhere, keys has lost what comes next, packed is read to its end. */
void delayed_fetch_start(struct delayed_fetch *f)
{
	reads++;
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		iobuf_init(&p->records);
		p->status = STATUS_OK;
		p->high_watermark = strcmp(p->tp.topic, "packed") == 0 ? 9 : 10;
		if (strcmp(p->tp.topic, "orders") == 0 && p->tp.partition == 1) {
			p->status = STATUS_NOT_LEADER_OR_FOLLOWER;
		} else if (strcmp(p->tp.topic, "keys") == 0 && p->offset < 5) {
			p->status = STATUS_OFFSET_OUT_OF_RANGE;
			p->log_start_offset = 5;
		} else if (p->offset < p->high_watermark) {
			give_batch(p, p->tp.topic[0] == 'k' ? 2500 : 90000);
		}
	}
	f->done(f);
}

static bool published(const char *line)
{
	size_t n;
	char *text = metrics_format(&n);
	bool found = strstr(text, line) != NULL;
	free(text);
	return found;
}

START_TEST(group_lag_tells_records_and_seconds)
{
	service_fixture_init(&fixture);
	service_fixture_add_groups(&fixture, coordinators);
	fixture.service->background = manual_scheduler_background(fixture.manual);
	struct group_lag *g = group_lag_new(fixture.service);
	(void)manual_scheduler_run(fixture.manual);
	ck_assert(!published("correio_group_lag"));
	manual_scheduler_advance_us(fixture.manual, fixture.settings.metrics_group_lag_interval_ms * 1000);
	ck_assert_uint_eq(reads, 2); /* and once more for keys */
	ck_assert(published("correio_group_lag_records{group=\"g\\\"1\",topic=\"orders\",partition=\"0\"} 6\n"));
	ck_assert(published("correio_group_lag_seconds{group=\"g\\\"1\",topic=\"orders\",partition=\"0\"} 90.000\n"));
	ck_assert(published("correio_group_lag_records{group=\"g\\\"1\",topic=\"keys\",partition=\"0\"} 8\n"));
	ck_assert(published("correio_group_lag_seconds{group=\"g\\\"1\",topic=\"keys\",partition=\"0\"} 2.500\n"));
	ck_assert(published("correio_group_lag_records{group=\"g\\\"1\",topic=\"packed\",partition=\"0\"} 0\n"));
	ck_assert(published("correio_group_lag_seconds{group=\"g\\\"1\",topic=\"packed\",partition=\"0\"} 0.000\n"));
	ck_assert(!published("partition=\"1\"") && !published("gone"));
	ck_assert(published("correio_group_lag_left_out 0\n"));
	service_loop_hurry(fixture.service);
	reads = 0;
	manual_scheduler_advance_us(fixture.manual, 3 * fixture.settings.metrics_group_lag_interval_ms * 1000);
	ck_assert_uint_eq(reads, 0);
	group_lag_free(g);
	ck_assert(!published("correio_group_lag"));
	service_fixture_fini(&fixture);
}
END_TEST

UNIT_MAIN("group_lag", group_lag_tells_records_and_seconds)
