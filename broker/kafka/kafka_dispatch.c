#include "kafka/kafka_dispatch.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "base/random.h"
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"

enum {
	KIB = 1024,
	MIB = 1024 * KIB,
	FRAME_LENGTH_BYTES = 4,
	SESSION_PARTITIONS_MAX = 200 * 1000, /* of all loops; about 150 bytes each */
};

static const struct kafka_method methods[] = {
	{KAFKA_API_produce, 0, 11, 16 * MIB, kafka_data_produce},
	{KAFKA_API_fetch, 0, 17, 16 * MIB, kafka_data_fetch},
	{KAFKA_API_list_offsets, 0, 9, 16 * MIB, kafka_data_list_offsets},
	{KAFKA_API_offset_for_leader_epoch, 0, 4, 16 * MIB, kafka_data_offset_for_leader_epoch},
	{KAFKA_API_metadata, 0, 12, 32 * MIB, kafka_metadata_metadata},
	/* Version 0 of commit and fetch was kept in ZooKeeper, by consumers of 0.8. */
	{KAFKA_API_offset_commit, 1, 9, 32 * MIB, kafka_groups_offset_commit},
	{KAFKA_API_offset_fetch, 1, 9, 64 * MIB, kafka_groups_offset_fetch},
	{KAFKA_API_find_coordinator, 0, 5, 16 * MIB, kafka_groups_find_coordinator},
	/* To the leader go the names and metadata of all members; from it come their assignments. */
	{KAFKA_API_join_group, 0, 9, 96 * MIB, kafka_groups_join},
	{KAFKA_API_heartbeat, 0, 4, 64 * KIB, kafka_groups_heartbeat},
	{KAFKA_API_leave_group, 0, 5, 4 * MIB, kafka_groups_leave},
	{KAFKA_API_sync_group, 0, 5, 96 * MIB, kafka_groups_sync},
	{KAFKA_API_describe_groups, 0, 5, 32 * MIB, kafka_groups_describe},
	{KAFKA_API_list_groups, 0, 5, 64 * MIB, kafka_groups_list},
	{KAFKA_API_api_versions, 0, 4, 16 * KIB, kafka_metadata_api_versions},
	{KAFKA_API_create_topics, 0, 7, 16 * MIB, kafka_admin_create_topics},
	{KAFKA_API_delete_topics, 0, 6, 16 * MIB, kafka_admin_delete_topics},
	{KAFKA_API_delete_records, 0, 2, 16 * MIB, kafka_admin_delete_records},
	{KAFKA_API_describe_configs, 0, 4, 64 * MIB, kafka_admin_describe_configs},
	{KAFKA_API_alter_configs, 0, 2, 64 * MIB, kafka_admin_alter_configs},
	{KAFKA_API_incremental_alter_configs, 0, 1, 64 * MIB, kafka_admin_incremental_alter_configs},
	{KAFKA_API_describe_log_dirs, 0, 4, 64 * MIB, kafka_admin_describe_log_dirs},
	{KAFKA_API_create_partitions, 0, 3, 4 * MIB, kafka_admin_create_partitions},
	{KAFKA_API_delete_groups, 0, 2, 16 * MIB, kafka_groups_delete},
	{KAFKA_API_offset_delete, 0, 0, 16 * MIB, kafka_groups_offset_delete},
	{KAFKA_API_init_producer_id, 0, 5, 16 * KIB, kafka_producers_init_producer_id},
	{KAFKA_API_describe_producers, 0, 0, 16 * MIB, kafka_producers_describe},
	/* From the controller. */
	{KAFKA_API_leader_and_isr, 0, 7, 32 * MIB, kafka_interbroker_leader_and_isr},
	{KAFKA_API_stop_replica, 0, 4, 32 * MIB, kafka_interbroker_stop_replica},
	{KAFKA_API_update_metadata, 0, 8, 1 * MIB, kafka_interbroker_update_metadata},
	/* From brokers to the controller. */
	{KAFKA_API_allocate_producer_ids, 0, 0, 16 * KIB, kafka_interbroker_allocate_producer_ids},
	{KAFKA_API_describe_cluster, 0, 1, 1 * MIB, kafka_metadata_describe_cluster},
	{KAFKA_API_consumer_group_heartbeat, 0, 1, 16 * MIB, kafka_groups_consumer_heartbeat},
	{KAFKA_API_consumer_group_describe, 0, 1, 64 * MIB, kafka_groups_consumer_describe},
};
enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

/* Answered, but not advertised, as long as the controller does not decide them. */
static const struct kafka_method unadvertised[] = {
	{KAFKA_API_controlled_shutdown, 1, 3, 16 * MIB, kafka_interbroker_controlled_shutdown},
	{KAFKA_API_alter_partition, 0, 3, 32 * MIB, kafka_interbroker_alter_partition},
};
enum { UNADVERTISED_COUNT = sizeof(unadvertised) / sizeof(unadvertised[0]) };

size_t kafka_dispatch_count(void)
{
	return METHOD_COUNT;
}

struct kafka_dispatch_range kafka_dispatch_range(size_t index)
{
	expect(index < METHOD_COUNT);
	const struct kafka_method *m = &methods[index];
	return (struct kafka_dispatch_range){.key = kafka_messages_api(m->api)->key, .min = m->min, .max = m->max};
}

static const struct kafka_method *find_method(int16_t key)
{
	for (size_t i = 0; i < METHOD_COUNT; i++)
		if (kafka_messages_api(methods[i].api)->key == key)
			return &methods[i];
	for (size_t i = 0; i < UNADVERTISED_COUNT; i++)
		if (kafka_messages_api(unadvertised[i].api)->key == key)
			return &unadvertised[i];
	return NULL;
}

static bool serves(const struct kafka_method *m, int16_t version)
{
	return m != NULL && version >= m->min && version <= m->max;
}

static size_t loop_of(const struct kafka_dispatch *d, const struct scheduler *scheduler)
{
	for (size_t i = 0; i < d->options.loop_count; i++)
		if (d->options.loops[i]->scheduler == scheduler)
			return i;
	unreachable("a connection on a loop without services");
}

static enum status refuse(const struct request *r, const struct kafka_header *h, enum status s)
{
	metrics_add(METRIC_frames_refused, 1);
	diag_warn("frame_refused", "peer=%s bytes=%zu api_key=%d api_version=%d why=\"%s\"", request_peer(r), r->frame.n, h->api_key,
		h->api_version, status_text(s));
	return s;
}

/* A client newer than we are asks for our versions in a version we do not know: answered in the oldest, so that it can ask again. */
static enum status answer_unknown_version(struct kafka_call *c, int16_t newest)
{
	struct kafka_api_versions_response m;
	struct kafka_api_versions_response_key key = {.api_key = c->header.api_key, .max_version = newest};
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(STATUS_UNSUPPORTED_VERSION);
	m.api_keys = &key;
	m.api_keys_count = 1;
	c->header.api_version = 0;
	kafka_call_answer(c, &m, NULL);
	return STATUS_OK;
}

static enum status handle(void *ctx, struct request *r)
{
	struct kafka_dispatch *d = CAST(kafka_dispatch, ctx);
	struct kafka_header header;
	void *body = NULL;
	CHECK_MAGIC(request, r);
	enum status s = kafka_codec_peek_header(r->frame, &header);
	if (s != STATUS_OK)
		return refuse(r, &header, s);
	const struct kafka_method *method = find_method(header.api_key);
	bool ask_again = method != NULL && method->api == KAFKA_API_api_versions && !serves(method, header.api_version);
	if (!serves(method, header.api_version) && !ask_again)
		return refuse(r, &header, STATUS_UNSUPPORTED_VERSION);
	const struct kafka_api *api = kafka_messages_api(method->api);
	if (!ask_again)
		s = kafka_codec_decode_request(&r->arena, r->frame, api, &header, &body);
	if (s != STATUS_OK)
		return refuse(r, &header, s);
	r->arena.limit_bytes = r->arena.used_bytes + method->memory_estimate + sizeof(struct kafka_call);
	struct kafka_call *c = arena_alloc(&r->arena, sizeof(*c));
	if (c == NULL)
		return STATUS_TOO_LARGE;
	size_t loop = loop_of(d, r->loop);
	*c = (struct kafka_call){
		.magic = kafka_call_magic,
		.request = r,
		.dispatch = d,
		.api = api,
		.service = d->options.loops[loop],
		.sessions = d->sessions[loop],
		.header = header,
		.body = body,
	};
	r->front_data = c;
	if (ask_again)
		return answer_unknown_version(c, method->max);
	method->handle(c);
	return STATUS_OK;
}

static void abandoned(void *ctx, struct request *r)
{
	(void)CAST(kafka_dispatch, ctx);
	struct kafka_call *c = CAST(kafka_call, r->front_data);
	if (c->abandoned != NULL)
		c->abandoned(c);
}

/* Clients of old begin a connection to a leader with Produce, as large as it comes. */
static size_t first_frame_max(void *ctx, struct slice head)
{
	const struct kafka_dispatch *d = CAST(kafka_dispatch, ctx);
	struct kafka_header header = {0};
	struct byte_reader r;
	byte_reader_init(&r, head);
	byte_reader_skip(&r, FRAME_LENGTH_BYTES);
	header.api_key = byte_reader_i16(&r);
	header.api_version = byte_reader_i16(&r);
	bool known = r.status == STATUS_OK && serves(find_method(header.api_key), header.api_version);
	return known ? d->front.max_frame_bytes : 0;
}

static void make_sessions(struct kafka_dispatch *d)
{
	size_t count = d->options.loop_count;
	size_t slots = (size_t)d->options.settings->max_incremental_fetch_session_cache_slots;
	struct random random;
	random_seed_system(&random);
	d->sessions = check_calloc(count, sizeof(struct fetch_session_cache *));
	for (size_t i = 0; i < count; i++) {
		struct fetch_session_cache_options o = {
			.slots = (slots + count - 1) / count,
			.partitions_max = SESSION_PARTITIONS_MAX / count,
			.id_first = (int32_t)i,
			.id_step = (int32_t)count,
			.seed = random_u64(&random),
		};
		d->sessions[i] = fetch_session_cache_new(&o);
	}
}

struct kafka_dispatch *kafka_dispatch_new(const struct kafka_dispatch_options *o)
{
	expect(o->loop_count > 0 && o->settings != NULL && o->cluster_id != NULL);
	struct kafka_dispatch *d = check_calloc(1, sizeof(*d));
	d->magic = kafka_dispatch_magic;
	d->options = *o;
	d->cluster_id = check_strdup(o->cluster_id);
	d->options.cluster_id = d->cluster_id;
	make_sessions(d);
	d->front = (struct connection_front){
		.name = "kafka",
		.request = handle,
		.abandoned = abandoned,
		.first_frame_max = first_frame_max,
		.ctx = d,
		.max_frame_bytes = (size_t)o->settings->socket_request_max_bytes,
	};
	return d;
}

void kafka_dispatch_free(struct kafka_dispatch *d)
{
	if (d == NULL)
		return;
	CHECK_MAGIC(kafka_dispatch, d);
	d->magic = 0;
	for (size_t i = 0; i < d->options.loop_count; i++)
		fetch_session_cache_free(d->sessions[i]);
	free(d->sessions);
	free(d->cluster_id);
	free(d);
}

const struct connection_front *kafka_dispatch_front(const struct kafka_dispatch *d)
{
	CHECK_MAGIC(kafka_dispatch, d);
	return &d->front;
}
