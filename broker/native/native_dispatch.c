#include "native/native_dispatch.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "native/native_call.h"
#include "native/native_handlers.h"

enum { KIB = 1024, MIB = 1024 * KIB };

#define METHOD(name, case, estimate, handler) {name, CORREIO__REQUEST_HEADER__REQUEST_##case, estimate, native_handlers_##handler}
static const struct native_method methods[] = {
	METHOD("Hello", HELLO, 4 * KIB, hello),
	METHOD("Metadata", METADATA, 32 * MIB, metadata),
	METHOD("Produce", PRODUCE, 16 * MIB, produce),
	METHOD("Fetch", FETCH, 16 * MIB, fetch),
	METHOD("ListOffsets", LIST_OFFSETS, 16 * MIB, list_offsets),
	METHOD("InitProducer", INIT_PRODUCER, 16 * KIB, init_producer),
	METHOD("CreateTopics", CREATE_TOPICS, 16 * MIB, create_topics),
	METHOD("DeleteTopics", DELETE_TOPICS, 16 * MIB, delete_topics),
	METHOD("DescribeTopics", DESCRIBE_TOPICS, 64 * MIB, describe_topics),
	METHOD("CreatePartitions", CREATE_PARTITIONS, 4 * MIB, create_partitions),
	METHOD("DescribeConfigs", DESCRIBE_CONFIGS, 1 * MIB, describe_configs),
	METHOD("AlterConfigs", ALTER_CONFIGS, 1 * MIB, alter_configs),
	METHOD("DescribeCluster", DESCRIBE_CLUSTER, 1 * MIB, describe_cluster),
	METHOD("FindCoordinators", FIND_COORDINATORS, 16 * MIB, find_coordinators),
	METHOD("JoinGroup", JOIN_GROUP, 96 * MIB, join_group),
	METHOD("SyncGroup", SYNC_GROUP, 16 * MIB, sync_group),
	METHOD("Heartbeat", HEARTBEAT, 64 * KIB, heartbeat),
	METHOD("LeaveGroup", LEAVE_GROUP, 4 * MIB, leave_group),
	METHOD("CommitOffsets", COMMIT_OFFSETS, 32 * MIB, commit_offsets),
	METHOD("FetchOffsets", FETCH_OFFSETS, 64 * MIB, fetch_offsets),
	METHOD("DeleteOffsets", DELETE_OFFSETS, 16 * MIB, delete_offsets),
	METHOD("DescribeGroups", DESCRIBE_GROUPS, 32 * MIB, describe_groups),
	METHOD("ListGroups", LIST_GROUPS, 64 * MIB, list_groups),
	METHOD("DeleteGroups", DELETE_GROUPS, 16 * MIB, delete_groups),
};
enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

static void refuse_unknown(struct native_call *c)
{
	native_call_fail(c, STATUS_UNSUPPORTED_VERSION, "this broker (correio %s) does not know the request; "
		"HelloResponse.requests lists those it knows", PACKAGE_VERSION);
}
static const struct native_method unknown_method = {"unknown", CORREIO__REQUEST_HEADER__REQUEST__NOT_SET, 4 * KIB, refuse_unknown};

static const struct native_method *find_method(Correio__RequestHeader__RequestCase request)
{
	for (size_t i = 0; i < METHOD_COUNT; i++)
		if (methods[i].request == request)
			return &methods[i];
	return &unknown_method;
}

size_t native_dispatch_supported(uint32_t *ret_fields, size_t room)
{
	size_t n = METHOD_COUNT < room ? METHOD_COUNT : room;
	for (size_t i = 0; i < n; i++)
		ret_fields[i] = (uint32_t)methods[i].request;
	return n;
}

static struct service_loop *loop_of(const struct native_dispatch *d, const struct scheduler *scheduler)
{
	for (size_t i = 0; i < d->options.loop_count; i++)
		if (d->options.loops[i]->scheduler == scheduler)
			return d->options.loops[i];
	unreachable("a connection on a loop without services");
}

/* A frame that cannot be decoded has no correlation id to answer under: the connection is closed. */
static enum status decode(struct request *r, const Correio__RequestHeader **ret_header, struct slice *ret_payload)
{
	enum status s = native_codec_decode_request(&r->arena, r->frame, ret_header, ret_payload);
	if (s != STATUS_OK) {
		metrics_add(METRIC_frames_refused, 1);
		diag_warn("frame_refused", "peer=%s bytes=%zu why=\"%s\"", request_peer(r), r->frame.n, status_text(s));
	}
	return s;
}

static enum status handle(void *ctx, struct request *r)
{
	struct native_dispatch *d = CAST(native_dispatch, ctx);
	const Correio__RequestHeader *header;
	struct slice payload;
	CHECK_MAGIC(request, r);
	TRY(decode(r, &header, &payload));
	const struct native_method *method = find_method(header->request_case);
	r->arena.limit_bytes = r->arena.used_bytes + method->memory_estimate + sizeof(struct native_call);
	struct native_call *c = arena_alloc(&r->arena, sizeof(*c));
	if (c == NULL)
		return STATUS_TOO_LARGE;
	*c = (struct native_call){
		.magic = native_call_magic,
		.request = r,
		.dispatch = d,
		.method = method,
		.service = loop_of(d, r->loop),
		.header = header,
		.payload = payload,
	};
	r->front_data = c;
	method->handle(c);
	return STATUS_OK;
}

static void abandoned(void *ctx, struct request *r)
{
	(void)CAST(native_dispatch, ctx);
	struct native_call *c = CAST(native_call, r->front_data);
	if (c->abandoned != NULL)
		c->abandoned(c);
}

struct native_dispatch *native_dispatch_new(const struct native_dispatch_options *o)
{
	expect(o->loop_count > 0 && o->settings != NULL);
	struct native_dispatch *d = check_calloc(1, sizeof(*d));
	d->magic = native_dispatch_magic;
	d->options = *o;
	d->cluster_id = check_strdup(o->cluster_id);
	d->options.cluster_id = d->cluster_id;
	d->front = (struct connection_front){
		.name = "native",
		.request = handle,
		.abandoned = abandoned,
		.ctx = d,
		.max_frame_bytes = (size_t)o->settings->socket_request_max_bytes,
	};
	return d;
}

void native_dispatch_free(struct native_dispatch *d)
{
	if (d == NULL)
		return;
	CHECK_MAGIC(native_dispatch, d);
	d->magic = 0;
	free(d->cluster_id);
	free(d);
}

const struct connection_front *native_dispatch_front(const struct native_dispatch *d)
{
	CHECK_MAGIC(native_dispatch, d);
	return &d->front;
}
