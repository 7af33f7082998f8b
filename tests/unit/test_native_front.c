/* The native front between a faked connection and a faked replica layer: frames in, decoded answers out. */
#include "coordinator-client/broker_config_admin.h"
#include "service_fixture.h"
#include "unit.h"

#include "coordinator/group_coordinator.h"
#include "coordinator/producer_ids.h"
#include "native/native_dispatch.h"
#include "service/admin_service.h"
#include "service/fetch_service.h"
#include "wire/native_codec.h"

#include "frame.pb-c.h"

static struct service_fixture fixture;
static struct native_dispatch *dispatch;

/* --- what is below, faked -------------------------------------------------- */

static struct produce_part *produced;
static struct delayed_fetch *started;
static unsigned hurried, completed, silent, aborted, released;

void replica_manager_append(struct replica_manager *owner, struct produce_part *part)
{
	(void)owner;
	produced = part;
}
static int64_t next_producer_id; /* -1: none at hand */

struct scheduler *producer_ids_scheduler(const struct producer_ids *p)
{
	(void)p;
	return fixture.scheduler;
}
enum status producer_ids_next(struct producer_ids *p, int64_t *ret_producer_id)
{
	(void)p;
	if (next_producer_id < 0)
		return STATUS_COORDINATOR_LOAD_IN_PROGRESS;
	*ret_producer_id = next_producer_id++;
	return STATUS_OK;
}
void replica_manager_list_offsets(struct replica_manager *owner, struct list_offsets_part *part)
{
	(void)owner;
	part->status = STATUS_OK;
	part->offset = 17;
	part->timestamp = 18;
	part->leader_epoch = 5;
	part->done(part);
}
void delayed_fetch_start(struct delayed_fetch *f)
{
	started = f;
}
void delayed_fetch_hurry(struct delayed_fetch *f)
{
	ck_assert_ptr_eq(f, started);
	hurried++;
}
void topic_admin_create(struct zk_client *zk, const struct topic_create_request *r, topic_create_done_fn done, void *arg)
{
	(void)zk;
	struct failure f = {.status = STATUS_OK};
	const struct uuid id = {.b = {7}};
	(void)failure_set(&f, strcmp(r->topic, "bad") == 0 ? STATUS_INVALID_PARTITIONS : STATUS_OK, "topic %s", r->topic);
	done(arg, &f, false, &id);
}
void topic_admin_delete(struct zk_client *zk, const char *topic, topic_done_fn done, void *arg)
{
	(void)zk;
	struct failure f = {.status = STATUS_OK};
	(void)failure_set(&f, STATUS_UNKNOWN_TOPIC_OR_PARTITION, "topic %s does not exist", topic);
	done(arg, &f);
}
void topic_admin_add_partitions(struct zk_client *zk, const char *topic, int32_t total,
	const struct partition_assignment *new_assignment, size_t new_count, bool validate_only, topic_done_fn done, void *arg)
{
	(void)zk;
	(void)new_assignment;
	ck_assert_int_eq(total, 4);
	ck_assert_uint_eq(new_count, 1);
	ck_assert(validate_only);
	struct failure f = {.status = STATUS_OK};
	(void)failure_set(&f, STATUS_OK, "%s", topic);
	done(arg, &f);
}
void topic_admin_alter_configs(struct zk_client *zk, const char *topic, const struct topic_config_entry *entries, size_t count,
	bool replace, topic_done_fn done, void *arg)
{
	(void)zk;
	(void)topic;
	(void)entries;
	(void)count;
	(void)replace;
	const struct failure f = {.status = STATUS_OK};
	done(arg, &f);
}
void broker_config_admin_alter(struct zk_client *zk, const char *entity, const struct topic_config_entry *entries, size_t count,
	bool replace, topic_done_fn done, void *arg)
{
	topic_admin_alter_configs(zk, entity, entries, count, replace, done, arg);
}
void topic_admin_describe(struct zk_client *zk, const char *topic, topic_describe_done_fn done, void *arg)
{
	(void)zk;
	const struct topic_config_entry config = {.key = "retention.ms", .value = "5"};
	const struct topic_description d = {.topic = topic, .pending = true, .wanted_partitions = 2, .configs = &config, .config_count = 1};
	const struct failure f = {.status = STATUS_OK};
	done(arg, &f, &d, 1);
}

/* The coordinator keeps what it is asked until the test answers. */
static struct group_request *asked[32];
static size_t asked_count;

void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	(void)owner;
	ck_assert_uint_lt(asked_count, 32);
	asked[asked_count++] = r;
}
void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	static struct group_list_entry entry = {.group_id = "g", .protocol_type = "consumer", .state = "Stable", .type = "classic"};
	(void)owner;
	r->groups = &entry;
	r->group_count = 1;
	r->done(r);
}
int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	(void)group_id;
	ck_assert_int_eq(count, 1);
	return 0;
}

/* --- a connection, faked ---------------------------------------------------- */

static struct request request;
static uint8_t answer_bytes[65536];
static size_t answer_size;

static void take_answer(struct request *r)
{
	struct iovec iov[64];
	answer_size = 0;
	int count = iobuf_peek_iov(&r->response, iov, 64);
	for (int i = 0; i < count; i++) {
		ck_assert_uint_le(answer_size + iov[i].iov_len, sizeof(answer_bytes));
		memcpy(answer_bytes + answer_size, iov[i].iov_base, iov[i].iov_len);
		answer_size += iov[i].iov_len;
	}
	iobuf_fini(&r->response);
	arena_fini(&r->arena);
	r->magic = 0;
}

void request_complete(struct request *r)
{
	CHECK_MAGIC(request, r);
	completed++;
	take_answer(r);
}
void request_complete_silent(struct request *r)
{
	CHECK_MAGIC(request, r);
	silent++;
	take_answer(r);
}
void request_abort(struct request *r, const char *why)
{
	CHECK_MAGIC(request, r);
	ck_assert_ptr_nonnull(why);
	aborted++;
	take_answer(r);
}
void request_release_frame(struct request *r)
{
	released++;
	r->frame = (struct slice){0};
}
const char *request_peer(const struct request *r)
{
	(void)r;
	return "1.2.3.4:5";
}
const char *request_listener(const struct request *r)
{
	(void)r;
	return "PLAINTEXT";
}

static struct zk_client zk;
static struct service_loop *loops[1];

static void set_up(void)
{
	service_fixture_init(&fixture);
	zk = (struct zk_client){.scheduler = fixture.scheduler, .state = ZK_STATE_CONNECTED};
	struct admin_service_options admin = {.zk = &zk, .scheduler = fixture.scheduler, .settings = &fixture.settings};
	fixture.service->admin = admin_service_new(&admin);
	loops[0] = fixture.service;
	struct native_dispatch_options o = {.loops = loops, .loop_count = 1, .settings = &fixture.settings,
		.cluster_id = "cluster", .broker_id = 1};
	dispatch = native_dispatch_new(&o);
	produced = NULL;
	started = NULL;
	asked_count = 0;
	hurried = completed = silent = aborted = released = 0;
	answer_size = 0;
}

static void tear_down(void)
{
	native_dispatch_free(dispatch);
	admin_service_free(fixture.service->admin);
	service_fixture_fini(&fixture);
}

static enum status send_frame(struct slice frame)
{
	const struct connection_front *front = native_dispatch_front(dispatch);
	request = (struct request){.magic = request_magic, .loop = fixture.scheduler, .frame = frame, .received_us = 1};
	arena_init(&request.arena, 1024 * 1024);
	iobuf_init(&request.response);
	enum status s = front->request(front->ctx, &request);
	(void)manual_scheduler_run(fixture.manual);
	return s;
}

/* header is sent with payload behind it; the frame lives in the fixture's arena. */
static void send_header(Correio__RequestHeader *header, struct slice payload)
{
	struct iobuf b, p;
	struct iovec iov[8];
	iobuf_init(&b);
	iobuf_init(&p);
	iobuf_append_copy(&p, payload);
	header->correlation_id = 77;
	ck_assert_int_eq(native_codec_encode_request(header, &p, &b), STATUS_OK);
	uint8_t *copy = arena_alloc(&fixture.arena, b.size_bytes);
	ck_assert_ptr_nonnull(copy);
	size_t n = 0;
	int count = iobuf_peek_iov(&b, iov, 8);
	for (int i = 0; i < count; i++) {
		memcpy(copy + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	ck_assert_uint_eq(n, b.size_bytes);
	iobuf_fini(&b);
	iobuf_fini(&p);
	ck_assert_int_eq(send_frame(slice_of(copy + 4, n - 4)), STATUS_OK);
}

/* The answer, decoded into the fixture's arena. */
static const Correio__ResponseHeader *answer(struct slice *ret_payload)
{
	const Correio__ResponseHeader *h;
	ck_assert_uint_eq(completed, 1);
	completed = 0;
	ck_assert_uint_ge(answer_size, 8);
	ck_assert_uint_eq(bytes_get_u32(answer_bytes), answer_size - 4);
	ck_assert_int_eq(native_codec_decode_response(&fixture.arena, slice_of(answer_bytes + 4, answer_size - 4), &h, ret_payload),
		STATUS_OK);
	fixture.arena.limit_bytes = 4 * 1024 * 1024;
	ck_assert_uint_eq(h->correlation_id, 77);
	return h;
}

static const struct slice nothing = {0};

START_TEST(native_front_hello_tells_what_is_served)
{
	set_up();
	Correio__RequestHeader header;
	Correio__HelloRequest hello;
	struct slice payload;
	correio__request_header__init(&header);
	correio__hello_request__init(&hello);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_HELLO;
	header.hello = &hello;
	send_header(&header, nothing);
	const Correio__ResponseHeader *h = answer(&payload);
	ck_assert_int_eq((int)h->response_case, CORREIO__RESPONSE_HEADER__RESPONSE_HELLO);
	ck_assert_str_eq(h->hello->cluster_id, "cluster");
	ck_assert_uint_eq(h->hello->n_requests, 24);
	ck_assert_int_eq((int)h->hello->max_frame_bytes, fixture.settings.socket_request_max_bytes);
	tear_down();
}
END_TEST

START_TEST(native_front_unknown_request_is_answered_and_garbage_is_refused)
{
	set_up();
	struct slice payload;
	static const uint8_t unknown[] = {0, 0, 0, 6, 0x08, 77, 0x9a, 0x06, 1, 'x'}, garbage[] = {0, 0, 0, 2, 0xff, 0xff}, cut[] = {0, 0};
	ck_assert_int_eq(send_frame(slice_of(unknown, sizeof(unknown))), STATUS_OK);
	const Correio__ResponseHeader *h = answer(&payload);
	ck_assert_int_eq(h->error_code, 35);
	ck_assert_int_ne(send_frame(slice_of(garbage, sizeof(garbage))), STATUS_OK);
	arena_fini(&request.arena);
	ck_assert_int_ne(send_frame(slice_of(cut, sizeof(cut))), STATUS_OK);
	arena_fini(&request.arena);
	ck_assert_uint_eq(completed, 0);
	tear_down();
}
END_TEST

/* --- produce ------------------------------------------------------------- */

static Correio__RequestHeader header;
static Correio__ProduceRequest produce;
static Correio__ProduceTopic produce_topic, *produce_topics[] = {&produce_topic};
static Correio__ProducePartition produce_partition, *produce_partitions[] = {&produce_partition};
static char topic_name[] = "orders";

static void send_produce(int32_t acks, int32_t partition, struct slice batch, uint32_t announced)
{
	correio__request_header__init(&header);
	correio__produce_request__init(&produce);
	correio__produce_topic__init(&produce_topic);
	correio__produce_partition__init(&produce_partition);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_PRODUCE;
	header.produce = &produce;
	produce.acks = acks;
	produce.timeout_ms = 500;
	produce.n_topics = 1;
	produce.topics = produce_topics;
	produce_topic.name = topic_name;
	produce_topic.n_partitions = 1;
	produce_topic.partitions = produce_partitions;
	produce_partition.partition = partition;
	produce_partition.records_bytes = announced;
	send_header(&header, batch);
}

static struct slice good_batch(void)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 256);
	struct slice batch;
	record_batch_builder_add(b, 1700000000000, slice_of_str("k"), slice_of_str("v"), NULL, 0);
	ck_assert_int_eq(record_batch_builder_finish(b, &batch), STATUS_OK);
	uint8_t *copy = arena_alloc(&fixture.arena, batch.n);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, batch.p, batch.n);
	size_t n = batch.n;
	record_batch_builder_free(b);
	return slice_of(copy, n);
}

static void finish_produce(enum status s)
{
	ck_assert_ptr_nonnull(produced);
	produced->status = s;
	produced->base_offset = s == STATUS_OK ? 41 : -1;
	produced->log_append_time_ms = -1;
	produced->log_start_offset = 3;
	produced->done(produced);
}

START_TEST(native_front_produce_is_answered_with_offsets)
{
	set_up();
	struct slice payload, batch = good_batch();
	send_produce(-1, 0, batch, (uint32_t)batch.n);
	ck_assert_uint_eq(completed, 0);
	ck_assert_uint_eq(produced->batch->data.n, batch.n);
	finish_produce(STATUS_OK);
	const Correio__ProducePartitionResult *p = answer(&payload)->produce->topics[0]->partitions[0];
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq((int)p->base_offset, 41);
	ck_assert_int_eq((int)p->log_start_offset, 3);
	ck_assert_ptr_null(p->leader);
	tear_down();
}
END_TEST

START_TEST(native_front_produce_to_the_wrong_broker_names_the_leader)
{
	set_up();
	struct slice payload, batch = good_batch();
	send_produce(1, 1, batch, (uint32_t)batch.n);
	finish_produce(STATUS_NOT_LEADER_OR_FOLLOWER);
	const Correio__ProducePartitionResult *p = answer(&payload)->produce->topics[0]->partitions[0];
	ck_assert_int_eq(p->error_code, 6);
	ck_assert_int_eq(p->leader->broker_id, 2);
	ck_assert_str_eq(p->leader->host, "two");
	ck_assert_int_eq(p->leader->port, 9092);
	ck_assert_ptr_nonnull(strstr(p->error_message, "orders-1"));
	tear_down();
}
END_TEST

START_TEST(native_front_produce_sizes_must_sum_up)
{
	set_up();
	struct slice payload, batch = good_batch();
	send_produce(1, 0, batch, (uint32_t)batch.n - 1);
	ck_assert_int_eq(answer(&payload)->error_code, 42);
	send_produce(1, 0, batch, UINT32_MAX);
	ck_assert_int_eq(answer(&payload)->error_code, 42);
	ck_assert_ptr_null(produced);
	tear_down();
}
END_TEST

START_TEST(native_front_produce_without_acks_is_silent_or_closes)
{
	set_up();
	struct slice batch = good_batch();
	send_produce(0, 0, batch, (uint32_t)batch.n);
	finish_produce(STATUS_OK);
	ck_assert_uint_eq(silent, 1);
	send_produce(0, 0, batch, (uint32_t)batch.n);
	finish_produce(STATUS_NOT_LEADER_OR_FOLLOWER);
	ck_assert_uint_eq(aborted, 1);
	ck_assert_uint_eq(completed, 0);
	tear_down();
}
END_TEST

/* --- fetch, offsets -------------------------------------------------------- */

static void send_fetch(void)
{
	static Correio__FetchRequest fetch;
	static Correio__FetchTopic t, *topics[] = {&t};
	static Correio__FetchPartition p, *partitions[] = {&p};
	correio__request_header__init(&header);
	correio__fetch_request__init(&fetch);
	correio__fetch_topic__init(&t);
	correio__fetch_partition__init(&p);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FETCH;
	header.fetch = &fetch;
	fetch.max_wait_ms = 100;
	fetch.min_bytes = 1;
	fetch.n_topics = 1;
	fetch.topics = topics;
	t.name = topic_name;
	t.n_partitions = 1;
	t.partitions = partitions;
	p.fetch_offset = 9;
	p.current_leader_epoch = -1;
	send_header(&header, nothing);
}

static void finish_fetch(const char *text)
{
	struct fetch_part *p = &started->parts[0];
	iobuf_init(&p->records);
	iobuf_append_copy(&p->records, slice_of_str(text));
	p->record_bytes = strlen(text);
	p->status = STATUS_OK;
	p->high_watermark = 12;
	started->done(started);
}

START_TEST(native_front_fetch_gives_its_frame_back_and_answers_with_records)
{
	set_up();
	struct slice payload;
	send_fetch();
	ck_assert_uint_eq(released, 1);
	ck_assert_uint_eq(completed, 0);
	ck_assert_uint_eq(started->parts[0].max_bytes, INT32_MAX); /* 0: no limit of its own */
	finish_fetch("records");
	const Correio__FetchPartitionResult *p = answer(&payload)->fetch->topics[0]->partitions[0];
	ck_assert_uint_eq(p->records_bytes, 7);
	ck_assert_int_eq((int)p->high_watermark, 12);
	ck_assert(slice_equal(payload, slice_of_str("records")));
	tear_down();
}
END_TEST

START_TEST(native_front_fetch_of_a_peer_that_went_is_hurried)
{
	set_up();
	const struct connection_front *front = native_dispatch_front(dispatch);
	send_fetch();
	front->abandoned(front->ctx, &request);
	ck_assert_uint_eq(hurried, 1);
	finish_fetch("");
	ck_assert_uint_eq(completed, 1);
	tear_down();
}
END_TEST

START_TEST(native_front_lists_offsets)
{
	set_up();
	Correio__ListOffsetsRequest list;
	Correio__ListOffsetsTopic t, *topics[] = {&t};
	Correio__ListOffsetsPartition p, *partitions[] = {&p};
	struct slice payload;
	correio__request_header__init(&header);
	correio__list_offsets_request__init(&list);
	correio__list_offsets_topic__init(&t);
	correio__list_offsets_partition__init(&p);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LIST_OFFSETS;
	header.list_offsets = &list;
	list.n_topics = 1;
	list.topics = topics;
	t.name = topic_name;
	t.n_partitions = 1;
	t.partitions = partitions;
	p.timestamp = -1;
	send_header(&header, nothing);
	const Correio__ListOffsetsPartitionResult *r = answer(&payload)->list_offsets->topics[0]->partitions[0];
	ck_assert_int_eq((int)r->offset, 17);
	ck_assert_int_eq(r->leader_epoch, 5);
	tear_down();
}
END_TEST

START_TEST(native_front_gives_producer_ids)
{
	set_up();
	char transactional[] = "tx", none[] = "";
	Correio__InitProducerRequest init;
	struct slice payload;
	correio__request_header__init(&header);
	correio__init_producer_request__init(&init);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_INIT_PRODUCER;
	header.init_producer = &init;
	init.transactional_id = none;
	fixture.service->producer_ids = (struct producer_ids *)(void *)&next_producer_id; /* the fakes do not look at it */
	next_producer_id = 4000;
	send_header(&header, nothing);
	manual_scheduler_run(fixture.manual);
	ck_assert_int_eq((int)answer(&payload)->init_producer->producer_id, 4000);
	next_producer_id = -1;
	send_header(&header, nothing);
	manual_scheduler_run(fixture.manual);
	ck_assert_int_eq(answer(&payload)->error_code, 14);
	init.transactional_id = transactional;
	send_header(&header, nothing);
	ck_assert_int_eq(answer(&payload)->error_code, 15);
	tear_down();
}
END_TEST

/* --- metadata, administration ----------------------------------------------- */

START_TEST(native_front_metadata_tells_the_address_of_the_listener)
{
	set_up();
	Correio__MetadataRequest m;
	struct slice payload;
	char unknown[] = "oders", *names[] = {topic_name, unknown};
	correio__request_header__init(&header);
	correio__metadata_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_METADATA;
	header.metadata = &m;
	m.n_topics = 2;
	m.topics = names;
	send_header(&header, nothing);
	const Correio__MetadataResponse *r = answer(&payload)->metadata;
	ck_assert_uint_eq(r->n_brokers, 2);
	ck_assert_str_eq(r->brokers[1]->host, "two");
	ck_assert_int_eq(r->controller_id, 2);
	ck_assert_uint_eq(r->topics[0]->n_partitions, 3);
	ck_assert_int_eq(r->topics[0]->partitions[1]->leader, 2);
	ck_assert_int_eq(r->topics[0]->partitions[2]->error_code, 5);
	ck_assert_uint_eq(r->topics[0]->topic_id.len, 16);
	ck_assert_int_eq(r->topics[1]->error_code, 3);
	ck_assert_ptr_nonnull(strstr(r->topics[1]->error_message, "did you mean orders?"));
	tear_down();
}
END_TEST

START_TEST(native_front_answer_that_needs_too_much_memory_is_an_error)
{
	set_up();
	enum { NAMES = 200000 };
	Correio__MetadataRequest m;
	struct slice payload;
	char **names = check_calloc(NAMES, sizeof(*names));
	for (size_t i = 0; i < NAMES; i++)
		names[i] = topic_name;
	correio__request_header__init(&header);
	correio__metadata_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_METADATA;
	header.metadata = &m;
	m.n_topics = NAMES;
	m.topics = names;
	fixture.arena.limit_bytes = 16 * 1024 * 1024;
	send_header(&header, nothing);
	ck_assert_int_eq(answer(&payload)->error_code, status_code(STATUS_TOO_LARGE));
	free(names);
	tear_down();
}
END_TEST

START_TEST(native_front_topics_are_made_one_by_one)
{
	set_up();
	Correio__CreateTopicsRequest create;
	Correio__NewTopic good, bad, *topics[] = {&good, &bad};
	struct slice payload;
	char bad_name[] = "bad";
	correio__request_header__init(&header);
	correio__create_topics_request__init(&create);
	correio__new_topic__init(&good);
	correio__new_topic__init(&bad);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_CREATE_TOPICS;
	header.create_topics = &create;
	create.n_topics = 2;
	create.topics = topics;
	good.name = topic_name;
	good.partitions = -1;
	good.replication_factor = -1;
	bad.name = bad_name;
	send_header(&header, nothing);
	const Correio__CreateTopicsResponse *r = answer(&payload)->create_topics;
	ck_assert_int_eq(r->topics[0]->error_code, 0);
	ck_assert_int_eq(r->topics[0]->partitions, 1);
	ck_assert_uint_eq(r->topics[0]->topic_id.data[0], 7);
	ck_assert_int_eq(r->topics[1]->error_code, 37);
	ck_assert_str_eq(r->topics[1]->error_message, "topic bad");
	tear_down();
}
END_TEST

START_TEST(native_front_deletes_enlarges_and_describes)
{
	set_up();
	Correio__DeleteTopicsRequest delete;
	Correio__CreatePartitionsRequest enlarge;
	Correio__ReplicaList list, *lists[] = {&list};
	Correio__DescribeTopicsRequest describe;
	struct slice payload;
	char *names[] = {topic_name};
	int32_t ids[] = {1};
	correio__request_header__init(&header);
	correio__delete_topics_request__init(&delete);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DELETE_TOPICS;
	header.delete_topics = &delete;
	delete.n_topics = 1;
	delete.topics = names;
	send_header(&header, nothing);
	ck_assert_int_eq(answer(&payload)->delete_topics->topics[0]->error_code, 3);
	correio__create_partitions_request__init(&enlarge);
	correio__replica_list__init(&list);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_CREATE_PARTITIONS;
	header.create_partitions = &enlarge;
	enlarge.topic = topic_name;
	enlarge.total = 4;
	enlarge.validate_only = true;
	enlarge.n_new_assignment = 1;
	enlarge.new_assignment = lists;
	list.n_replicas = 1;
	list.replicas = ids;
	send_header(&header, nothing);
	ck_assert_int_eq(answer(&payload)->error_code, 0);
	correio__describe_topics_request__init(&describe);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_TOPICS;
	header.describe_topics = &describe;
	describe.n_topics = 1;
	describe.topics = names;
	send_header(&header, nothing);
	const Correio__TopicDescription *d = answer(&payload)->describe_topics->topics[0];
	ck_assert(d->pending);
	ck_assert_int_eq(d->wanted_partitions, 2);
	ck_assert_str_eq(d->overrides[0]->key, "retention.ms");
	tear_down();
}
END_TEST

/* --- configuration, control -------------------------------------------------- */

static const Correio__ConfigDescription *find_config(const Correio__DescribeConfigsResponse *r, const char *key)
{
	for (size_t i = 0; i < r->n_configs; i++)
		if (strcmp(r->configs[i]->key, key) == 0)
			return r->configs[i];
	ck_abort_msg("no config %s", key);
	return NULL;
}

static const Correio__ResponseHeader *describe_configs(Correio__ConfigResourceType type, const char *name)
{
	static Correio__DescribeConfigsRequest m;
	struct slice payload;
	correio__request_header__init(&header);
	correio__describe_configs_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_CONFIGS;
	header.describe_configs = &m;
	m.type = type;
	m.name = (char *)(uintptr_t)name;
	send_header(&header, nothing);
	return answer(&payload);
}

START_TEST(native_front_configs_tell_value_and_source)
{
	set_up();
	const Correio__DescribeConfigsResponse *r =
		describe_configs(CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC, "keys")->describe_configs;
	const Correio__ConfigDescription *c = find_config(r, "max.message.bytes");
	ck_assert_str_eq(c->value, "500");
	ck_assert_str_eq(c->source, "topic");
	ck_assert(!c->is_default && !c->read_only);
	ck_assert(find_config(r, "retention.ms")->is_default);
	r = describe_configs(CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_BROKER, "1")->describe_configs;
	ck_assert(find_config(r, "num.partitions")->read_only);
	ck_assert_str_eq(find_config(r, "zookeeper.digest")->value, "");
	ck_assert_int_eq(describe_configs(CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_BROKER, "2")->error_code, 42);
	ck_assert_int_eq(describe_configs(CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC, "key")->error_code, 3);
	ck_assert_int_eq(describe_configs(CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_UNKNOWN, "x")->error_code, 42);
	tear_down();
}
END_TEST

static int alter(const char *key, const char *value, bool validate_only)
{
	static Correio__AlterConfigsRequest m;
	static Correio__ConfigEntry e, *entries[] = {&e};
	struct slice payload;
	correio__request_header__init(&header);
	correio__alter_configs_request__init(&m);
	correio__config_entry__init(&e);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_ALTER_CONFIGS;
	header.alter_configs = &m;
	m.type = CORREIO__CONFIG_RESOURCE_TYPE__CONFIG_RESOURCE_TOPIC;
	m.name = topic_name;
	m.n_set = 1;
	m.set = entries;
	m.validate_only = validate_only;
	e.key = (char *)(uintptr_t)key;
	e.value = (char *)(uintptr_t)value;
	send_header(&header, nothing);
	if (completed == 0) /* waits until the image shows it */
		manual_scheduler_advance_us(fixture.manual, 6 * 1000 * 1000);
	return answer(&payload)->error_code;
}

START_TEST(native_front_configs_are_checked_before_they_are_written)
{
	set_up();
	ck_assert_int_eq(alter("retention.ms", "1000", false), 0);
	ck_assert_int_eq(alter("retention.ms", "1000", true), 0);
	ck_assert_int_eq(alter("retention.ms", "soon", false), 40);
	ck_assert_int_eq(alter("retention.m", "1000", true), 40);
	tear_down();
}
END_TEST

START_TEST(native_front_describes_the_cluster)
{
	set_up();
	Correio__DescribeClusterRequest m;
	struct slice payload;
	correio__request_header__init(&header);
	correio__describe_cluster_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_CLUSTER;
	header.describe_cluster = &m;
	send_header(&header, nothing);
	const Correio__DescribeClusterResponse *r = answer(&payload)->describe_cluster;
	ck_assert_uint_eq(r->topic_count, 3);
	ck_assert_uint_eq(r->offline_partition_count, 1);
	ck_assert_int_eq(r->controller_epoch, 1);
	tear_down();
}
END_TEST

/* --- groups ---------------------------------------------------------------- */

static struct group_coordinator *const coordinators[] = {NULL}; /* the fakes do not look at it */
static char group_name[] = "g", member_name[] = "m";

static void set_up_groups(void)
{
	set_up();
	service_fixture_add_groups(&fixture, coordinators);
	correio__request_header__init(&header);
}

static void finish(struct group_request *r, enum status s)
{
	r->status = s;
	r->done(r);
}

START_TEST(native_front_join_gives_its_frame_back_and_tells_the_member_id)
{
	set_up_groups();
	Correio__JoinGroupRequest m;
	struct slice payload;
	correio__join_group_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_JOIN_GROUP;
	header.join_group = &m;
	m.group = group_name;
	m.session_timeout_ms = 10000;
	send_header(&header, nothing);
	ck_assert_uint_eq(asked_count, 1);
	ck_assert_uint_eq(released, 1);
	struct group_request *r = asked[0];
	ck_assert_int_eq(r->kind, GROUP_REQUEST_JOIN);
	ck_assert_str_eq(r->join.client_host, "/1.2.3.4");
	ck_assert(r->join.must_know_member_id);
	ck_assert_ptr_null(r->join.instance_id);
	r->join.ret_member_id = "m-1";
	finish(r, STATUS_MEMBER_ID_REQUIRED);
	const Correio__JoinGroupResponse *joined = answer(&payload)->join_group;
	ck_assert(joined->member_id_required);
	ck_assert_str_eq(joined->member_id, "m-1");
	ck_assert_int_eq(joined->generation, -1);
	tear_down();
}
END_TEST

START_TEST(native_front_group_errors_name_the_group)
{
	set_up_groups();
	Correio__HeartbeatRequest m;
	struct slice payload;
	correio__heartbeat_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_HEARTBEAT;
	header.heartbeat = &m;
	m.group = group_name;
	m.member_id = member_name;
	send_header(&header, nothing);
	ck_assert_str_eq(asked[0]->heartbeat.member_id, "m");
	finish(asked[0], STATUS_REBALANCE_IN_PROGRESS);
	const Correio__ResponseHeader *h = answer(&payload);
	ck_assert_int_eq(h->error_code, 27);
	ck_assert_ptr_nonnull(strstr(h->error_message, "group g"));
	tear_down();
}
END_TEST

static Correio__PartitionOffset offset_good, offset_unknown, *offset_list[] = {&offset_good, &offset_unknown};
static Correio__TopicOffsets topic_offsets, *topic_offsets_list[] = {&topic_offsets};

START_TEST(native_front_commit_refuses_partitions_that_are_not_there)
{
	set_up_groups();
	Correio__CommitOffsetsRequest m;
	struct slice payload;
	correio__commit_offsets_request__init(&m);
	correio__topic_offsets__init(&topic_offsets);
	correio__partition_offset__init(&offset_good);
	correio__partition_offset__init(&offset_unknown);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_COMMIT_OFFSETS;
	header.commit_offsets = &m;
	m.group = group_name;
	m.generation = -1;
	m.topics = topic_offsets_list;
	m.n_topics = 1;
	topic_offsets.name = topic_name;
	topic_offsets.partitions = offset_list;
	topic_offsets.n_partitions = 2;
	offset_good.offset = 5;
	offset_unknown.partition = 99;
	send_header(&header, nothing);
	ck_assert_uint_eq(asked[0]->commit.offset_count, 2);
	ck_assert_int_eq((int)asked[0]->commit.offsets[0].offset, 5);
	finish(asked[0], STATUS_OK);
	const Correio__CommitOffsetsResponse *c = answer(&payload)->commit_offsets;
	ck_assert_uint_eq(c->n_topics, 1);
	ck_assert_int_eq(c->topics[0]->partitions[0]->error_code, 0);
	ck_assert_int_eq(c->topics[0]->partitions[1]->partition, 99);
	ck_assert_int_eq(c->topics[0]->partitions[1]->error_code, 3);
	tear_down();
}
END_TEST

START_TEST(native_front_many_groups_are_asked_some_at_a_time)
{
	enum { GROUPS = 20, AT_A_TIME = 8 };
	set_up_groups();
	Correio__DescribeGroupsRequest m;
	struct slice payload;
	char *names[GROUPS];
	for (size_t i = 0; i < GROUPS; i++)
		names[i] = group_name;
	correio__describe_groups_request__init(&m);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_GROUPS;
	header.describe_groups = &m;
	m.groups = names;
	m.n_groups = GROUPS;
	send_header(&header, nothing);
	ck_assert_uint_eq(asked_count, AT_A_TIME);
	for (size_t i = 0; i < GROUPS; i++) {
		ck_assert_uint_eq(asked_count, i + AT_A_TIME < GROUPS ? i + AT_A_TIME : GROUPS);
		asked[i]->describe.state = "Empty";
		/* What an answer takes lies in the part's own arena. */
		asked[i]->describe.protocol = arena_strdup(asked[i]->arena, slice_of_str(i == 3 ? "range" : ""));
		finish(asked[i], i == 4 ? STATUS_COORDINATOR_LOAD_IN_PROGRESS : STATUS_OK);
	}
	const Correio__DescribeGroupsResponse *d = answer(&payload)->describe_groups;
	ck_assert_uint_eq(d->n_groups, GROUPS);
	ck_assert_str_eq(d->groups[3]->protocol, "range");
	ck_assert_int_eq(d->groups[4]->error_code, 14);
	ck_assert_str_eq(d->groups[4]->state, "");
	tear_down();
}
END_TEST

START_TEST(native_front_all_offsets_are_grouped_by_topic)
{
	set_up_groups();
	Correio__FetchOffsetsRequest m;
	Correio__GroupTopics all, *groups[] = {&all};
	struct slice payload;
	correio__fetch_offsets_request__init(&m);
	correio__group_topics__init(&all);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FETCH_OFFSETS;
	header.fetch_offsets = &m;
	m.groups = groups;
	m.n_groups = 1;
	all.group = group_name;
	all.all = true;
	send_header(&header, nothing);
	ck_assert(asked[0]->fetch.all);
	struct group_request_offset offsets[] = {{.topic = "b", .partition = 1, .offset = 3}, {.topic = "a", .offset = 1},
		{.topic = "b", .offset = 2, .metadata = "note"}};
	asked[0]->fetch.offsets = offsets;
	asked[0]->fetch.offset_count = 3;
	finish(asked[0], STATUS_OK);
	const Correio__GroupOffsets *g = answer(&payload)->fetch_offsets->groups[0];
	ck_assert_uint_eq(g->n_topics, 2);
	ck_assert_str_eq(g->topics[0]->name, "a");
	ck_assert_uint_eq(g->topics[1]->n_partitions, 2);
	ck_assert_int_eq((int)g->topics[1]->partitions[0]->offset, 2);
	ck_assert_str_eq(g->topics[1]->partitions[0]->metadata, "note");
	ck_assert_int_eq((int)g->topics[1]->partitions[1]->offset, 3);
	tear_down();
}
END_TEST

START_TEST(native_front_lists_groups_and_finds_coordinators)
{
	set_up_groups();
	Correio__ListGroupsRequest list;
	Correio__FindCoordinatorsRequest find;
	struct slice payload;
	char *names[] = {group_name};
	correio__list_groups_request__init(&list);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LIST_GROUPS;
	header.list_groups = &list;
	send_header(&header, nothing);
	ck_assert_str_eq(answer(&payload)->list_groups->groups[0]->state, "Stable");
	correio__find_coordinators_request__init(&find);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FIND_COORDINATORS;
	header.find_coordinators = &find;
	find.groups = names;
	find.n_groups = 1;
	send_header(&header, nothing);
	const Correio__CoordinatorResult *r = answer(&payload)->find_coordinators->groups[0];
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->coordinator->broker_id, 1);
	ck_assert_str_eq(r->coordinator->host, "one");
	tear_down();
}
END_TEST

UNIT_MAIN("native_front", native_front_gives_producer_ids, native_front_hello_tells_what_is_served, native_front_unknown_request_is_answered_and_garbage_is_refused,
	native_front_produce_is_answered_with_offsets, native_front_produce_to_the_wrong_broker_names_the_leader,
	native_front_produce_sizes_must_sum_up, native_front_produce_without_acks_is_silent_or_closes,
	native_front_fetch_gives_its_frame_back_and_answers_with_records, native_front_fetch_of_a_peer_that_went_is_hurried,
	native_front_lists_offsets, native_front_metadata_tells_the_address_of_the_listener,
	native_front_answer_that_needs_too_much_memory_is_an_error, native_front_topics_are_made_one_by_one,
	native_front_deletes_enlarges_and_describes, native_front_configs_tell_value_and_source,
	native_front_configs_are_checked_before_they_are_written,
	native_front_describes_the_cluster, native_front_join_gives_its_frame_back_and_tells_the_member_id,
	native_front_group_errors_name_the_group, native_front_commit_refuses_partitions_that_are_not_there,
	native_front_many_groups_are_asked_some_at_a_time, native_front_all_offsets_are_grouped_by_topic,
	native_front_lists_groups_and_finds_coordinators)
