/* Metadata of a broker that has just started: the answer waits for the controller's first word. */
#include "service/metadata_service.h"
#include "service_fixture.h"
#include "unit.h"

static struct service_fixture f;
static struct cluster_image_holder *images;
static struct service_loop *service;
static struct metadata_request request;
static unsigned done_count;
static enum status found;

static void done(struct metadata_request *r)
{
	ck_assert_uint_eq(r->topic_count, 1);
	found = r->topics[0].status;
	done_count++;
}

/* A loop nobody has told anything yet. */
static void begin(void)
{
	static const char *const names[] = {"orders"};
	service_fixture_init(&f);
	images = cluster_image_holder_new(f.scheduler);
	struct service_loop_options o = {
		.scheduler = f.scheduler, .images = images, .router = &f.router, .settings = &f.settings, .broker_id = 1};
	service = service_loop_new(&o);
	done_count = 0;
	request = (struct metadata_request){.service = service, .arena = &f.arena, .names = names, .name_count = 1, .done = done};
	ck_assert_int_eq(metadata_service_start(&request), STATUS_OK);
	(void)manual_scheduler_run(f.manual);
	ck_assert_uint_eq(done_count, 0);
}

static void end(void)
{
	service_loop_free(service);
	cluster_image_holder_free(images);
	service_fixture_fini(&f);
}

static void post(int32_t controller_id, bool with_us)
{
	const struct image_endpoint endpoint = {.listener = "PLAINTEXT", .host = "one", .port = 9091};
	const struct image_broker broker = {.id = with_us ? 1 : 2, .endpoints = &endpoint, .endpoint_count = 1};
	struct cluster_image_draft draft = {.version = 1, .cluster_id = "c", .controller_id = controller_id, .brokers = &broker,
		.broker_count = 1};
	cluster_image_holder_post(images, cluster_image_new(&draft));
	(void)manual_scheduler_run(f.manual);
}

START_TEST(metadata_service_waits_for_the_first_image)
{
	begin();
	post(-1, false); /* the topics' settings, read at the start */
	post(2, false);
	ck_assert_uint_eq(done_count, 0);
	post(2, true);
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(found, STATUS_UNKNOWN_TOPIC_OR_PARTITION); /* now it is true */
	end();
}
END_TEST

START_TEST(metadata_service_does_not_wait_for_ever)
{
	begin();
	manual_scheduler_advance_us(f.manual, 2999 * 1000);
	ck_assert_uint_eq(done_count, 0);
	manual_scheduler_advance_us(f.manual, 1000);
	ck_assert_uint_eq(done_count, 1);
	end();
	begin();
	service_loop_hurry(service); /* a stop */
	ck_assert_uint_eq(done_count, 1);
	ck_assert_int_eq(metadata_service_start(&request), STATUS_OK);
	ck_assert_uint_eq(done_count, 2);
	end();
}
END_TEST

UNIT_MAIN("metadata_service", metadata_service_waits_for_the_first_image, metadata_service_does_not_wait_for_ever)
