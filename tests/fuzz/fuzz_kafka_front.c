/* Whole frames of Kafka's protocol through the dispatch of a broker's front, its services and its coordinator, in one thread: whatever
 * comes, the request ends exactly once, and an answer decodes in the version it was asked in. The broker hosts nothing; topics and
 * leaders are in its image. */
#include "base/diag.h"
#include "coordinator/group_coordinator.h"
#include "kafka/kafka_dispatch.h"
#include "replica/replica_manager.h"
#include "tests/fuzz/fuzz.h"
#include "wire/kafka_codec.h"

enum { ARENA_MAX = 256 << 20, FRAME_LENGTH_BYTES = 4, LONGEST_WAIT_US = 61 * 1000 * 1000 };

/* --- a connection ------------------------------------------------------------ */

static unsigned ended;
static struct kafka_header asked;
static int16_t answered_version;

static void check_answer(struct request *r)
{
	struct arena a;
	struct iovec iov[64];
	size_t n = 0;
	const struct kafka_api *api = kafka_messages_find(asked.api_key);
	uint8_t *frame = check_alloc(r->response.size_bytes + 1);
	for (int count; (count = iobuf_peek_iov(&r->response, iov, 64)) > 0;) {
		for (int i = 0; i < count; i++) {
			memcpy(frame + n, iov[i].iov_base, iov[i].iov_len);
			n += iov[i].iov_len;
			iobuf_consume(&r->response, iov[i].iov_len);
		}
	}
	expect(api != NULL && n >= FRAME_LENGTH_BYTES && bytes_get_u32(frame) == n - FRAME_LENGTH_BYTES);
	int32_t correlation_id;
	void *body;
	arena_init(&a, SIZE_MAX / 2);
	enum status s = kafka_codec_decode_response(&a, slice_of(frame + FRAME_LENGTH_BYTES, n - FRAME_LENGTH_BYTES), api,
		answered_version, &correlation_id, &body);
	expect(s == STATUS_OK && correlation_id == asked.correlation_id);
	arena_fini(&a);
	free(frame);
}

static void end(struct request *r)
{
	CHECK_MAGIC(request, r);
	ended++;
	iobuf_fini(&r->response);
	arena_fini(&r->arena);
	r->magic = 0;
}
void request_complete(struct request *r)
{
	check_answer(r);
	end(r);
}
void request_complete_silent(struct request *r)
{
	end(r);
}
void request_abort(struct request *r, const char *why)
{
	expect(why != NULL);
	end(r);
}
void request_release_frame(struct request *r)
{
	r->frame = (struct slice){0};
}
const char *request_peer(const struct request *r)
{
	(void)r;
	return "127.0.0.1:1";
}
const char *request_listener(const struct request *r)
{
	(void)r;
	return "PLAINTEXT";
}

/* --- a broker ---------------------------------------------------------------- */

struct fuzz_broker {
	struct manual_clock clock;
	struct manual_scheduler *manual;
	struct scheduler *scheduler;
	struct settings settings;
	struct cluster_image_holder *images;
	struct replica_manager *managers[1];
	struct group_coordinator *coordinators[1];
	struct replica_router router;
	struct service_loop *services[1];
	struct kafka_dispatch *dispatch;
};

static int first(void *arg, const struct topic_partition *tp)
{
	(void)arg;
	(void)tp;
	return 0;
}

static struct image_topic *topic(const char *name, uint8_t id)
{
	static const int32_t one[] = {1};
	static const struct image_partition p[] = {
		{.partition = 0, .leader = 1, .replicas = one, .isr = one, .replica_count = 1, .isr_count = 1},
		{.partition = 1, .leader = -1, .replicas = one, .isr = one, .replica_count = 1, .isr_count = 1}};
	struct image_topic t = {.name = name, .id = {.b = {id}}, .partitions = p, .partition_count = 2};
	return image_topic_new(&t);
}

static void post_image(struct fuzz_broker *b)
{
	static const struct image_endpoint endpoint = {.listener = "PLAINTEXT", .host = "localhost", .port = 9092};
	static const struct image_broker broker = {.id = 1, .epoch = 1, .endpoints = &endpoint, .endpoint_count = 1};
	struct image_topic *topics[] = {topic("t", 1), topic("orders", 2), topic(GROUP_COORDINATOR_TOPIC, 3)};
	struct cluster_image_draft d = {.version = 1, .cluster_id = "c", .controller_id = 1, .controller_epoch = 1, .brokers = &broker,
		.broker_count = 1, .topics = topics, .topic_count = 3};
	cluster_image_holder_post(b->images, cluster_image_new(&d));
	(void)manual_scheduler_run(b->manual);
}

static void broker_init(struct fuzz_broker *b)
{
	diag_set_level(DIAG_ERROR); /* what is refused is logged */
	manual_clock_init(&b->clock, 1000, 1700000000000);
	b->manual = manual_scheduler_new(&b->clock);
	b->scheduler = manual_scheduler_scheduler(b->manual);
	settings_init_defaults(&b->settings);
	b->images = cluster_image_holder_new(b->scheduler);
	const struct replica_manager_options replicas = {.scheduler = b->scheduler, .settings = &b->settings, .broker_id = 1};
	b->managers[0] = replica_manager_new(&replicas);
	const struct group_coordinator_options groups = {.scheduler = b->scheduler, .replicas = b->managers[0], .images = b->images,
		.background = manual_scheduler_background(b->manual), .settings = &b->settings};
	b->coordinators[0] = group_coordinator_new(&groups);
	b->router = (struct replica_router){.managers = b->managers, .place = first};
	const struct service_loop_options service = {.scheduler = b->scheduler, .images = b->images, .router = &b->router,
		.coordinators = b->coordinators, .coordinator_count = 1, .settings = &b->settings,
		.background = manual_scheduler_background(b->manual), .broker_id = 1};
	b->services[0] = service_loop_new(&service);
	const struct kafka_dispatch_options front = {.loops = b->services, .loop_count = 1, .settings = &b->settings, .cluster_id = "c"};
	b->dispatch = kafka_dispatch_new(&front);
	post_image(b);
}

static void broker_fini(struct fuzz_broker *b)
{
	kafka_dispatch_free(b->dispatch);
	service_loop_hurry(b->services[0]);
	group_coordinator_stop(b->coordinators[0]);
	(void)manual_scheduler_run(b->manual);
	service_loop_free(b->services[0]);
	replica_manager_free(b->managers[0]);
	group_coordinator_free(b->coordinators[0]);
	cluster_image_holder_free(b->images);
	manual_scheduler_free(b->manual);
	settings_fini(&b->settings);
}

/* An unknown version of ApiVersions is answered in version 0. */
static int16_t version_of_answer(const struct kafka_header *h)
{
	const struct kafka_api *versions = kafka_messages_api(KAFKA_API_api_versions);
	bool unknown = h->api_key == versions->key && (h->api_version < 0 || h->api_version > versions->last);
	return unknown ? 0 : h->api_version;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_broker b = {.dispatch = NULL};
	struct request request = {.magic = request_magic, .received_us = 1};
	uint8_t *frame = check_alloc(size + 1);
	memcpy(frame, data, size); /* batches are stamped in place */
	broker_init(&b);
	request.loop = b.scheduler;
	request.frame = slice_of(frame, size);
	arena_init(&request.arena, ARENA_MAX);
	iobuf_init(&request.response);
	ended = 0;
	if (kafka_codec_peek_header(request.frame, &asked) == STATUS_OK)
		answered_version = version_of_answer(&asked);
	const struct connection_front *front = kafka_dispatch_front(b.dispatch);
	if (front->request(front->ctx, &request) == STATUS_OK) {
		(void)manual_scheduler_run(b.manual);
		if (ended == 0)
			manual_scheduler_advance_us(b.manual, LONGEST_WAIT_US);
		expect(ended == 1);
	} else {
		expect(ended == 0);
		arena_fini(&request.arena);
	}
	broker_fini(&b);
	free(frame);
	return 0;
}
