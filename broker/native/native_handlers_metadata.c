/* Hello, Metadata, DescribeCluster. */
#include "native/native_call.h"
#include "native/native_handlers.h"
#include "service/metadata_service.h"

enum { REQUESTS_MAX = 64 };

void native_handlers_hello(struct native_call *c)
{
	Correio__ResponseHeader header;
	Correio__HelloResponse m;
	uint32_t fields[REQUESTS_MAX];
	correio__response_header__init(&header);
	correio__hello_response__init(&m);
	m.server_version = native_call_text(PACKAGE_VERSION);
	m.broker_id = c->dispatch->options.broker_id;
	m.cluster_id = c->dispatch->cluster_id;
	m.n_requests = native_dispatch_supported(fields, REQUESTS_MAX);
	m.requests = fields;
	m.max_frame_bytes = (uint32_t)c->dispatch->front.max_frame_bytes;
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_HELLO;
	header.hello = &m;
	native_call_answer(c, &header, NULL);
}

/* Brokers that listen under the name the request came in by; false: no memory. */
static bool fill_brokers(struct native_call *c, const struct cluster_image *image, size_t *ret_n,
	Correio__BrokerInfo ***ret_brokers)
{
	const char *listener = request_listener(c->request);
	Correio__BrokerInfo **list = (Correio__BrokerInfo **)native_call_list(c, image->broker_count, sizeof(**list));
	if (list == NULL)
		return false;
	size_t n = 0;
	for (size_t i = 0; i < image->broker_count; i++) {
		const struct image_broker *b = &image->brokers[i];
		const struct image_endpoint *endpoint = image_broker_endpoint(b, listener);
		if (endpoint == NULL)
			continue;
		Correio__BrokerInfo *info = list[n++];
		correio__broker_info__init(info);
		info->id = b->id;
		info->host = native_call_text(endpoint->host);
		info->port = endpoint->port;
		info->rack = native_call_text(b->rack);
	}
	*ret_n = n;
	*ret_brokers = list;
	return true;
}

static void fill_partition(const struct image_partition *from, Correio__PartitionInfo *to)
{
	correio__partition_info__init(to);
	to->partition = from->partition;
	to->leader = from->leader < 0 ? -1 : from->leader;
	to->leader_epoch = from->leader_epoch;
	to->n_replicas = from->replica_count;
	to->replicas = (int32_t *)(uintptr_t)from->replicas; /* only read */
	to->n_isr = from->isr_count;
	to->isr = (int32_t *)(uintptr_t)from->isr;
	to->error_code = from->leader < 0 ? status_code(STATUS_LEADER_NOT_AVAILABLE) : 0;
}

static bool fill_topic(struct native_call *c, const struct metadata_topic *from, Correio__TopicInfo *to)
{
	correio__topic_info__init(to);
	to->name = native_call_text(from->name);
	to->error_code = status_code(from->status);
	to->error_message = native_call_message(from->status, from->message);
	to->internal = topic_is_internal(from->name);
	if (from->topic == NULL)
		return true;
	to->topic_id.data = (uint8_t *)(uintptr_t)from->topic->id.b;
	to->topic_id.len = sizeof(from->topic->id.b);
	to->n_partitions = from->topic->partition_count;
	to->partitions = (Correio__PartitionInfo **)native_call_list(c, to->n_partitions, sizeof(**to->partitions));
	if (to->partitions == NULL)
		return false;
	for (size_t i = 0; i < to->n_partitions; i++)
		fill_partition(&from->topic->partitions[i], to->partitions[i]);
	return true;
}

static bool fill_metadata(struct native_call *c, const struct metadata_request *r, Correio__MetadataResponse *m)
{
	correio__metadata_response__init(m);
	m->cluster_id = c->dispatch->cluster_id;
	m->controller_id = r->image->controller_id;
	m->n_topics = r->topic_count;
	m->topics = (Correio__TopicInfo **)native_call_list(c, r->topic_count, sizeof(**m->topics));
	if (m->topics == NULL || !fill_brokers(c, r->image, &m->n_brokers, &m->brokers))
		return false;
	for (size_t i = 0; i < r->topic_count; i++)
		if (!fill_topic(c, &r->topics[i], m->topics[i]))
			return false;
	return true;
}

static void metadata_found(struct metadata_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	Correio__ResponseHeader header;
	Correio__MetadataResponse m;
	if (!fill_metadata(c, r, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_METADATA;
	header.metadata = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_metadata(struct native_call *c)
{
	const Correio__MetadataRequest *m = c->header->metadata;
	struct metadata_request *r = native_call_array(c, 1, sizeof(*r));
	if (r == NULL) {
		native_call_fail_memory(c);
		return;
	}
	*r = (struct metadata_request){
		.service = c->service,
		.arena = &c->request->arena,
		.names = (const char *const *)m->topics,
		.name_count = m->n_topics,
		.all = m->all_topics,
		.done = metadata_found,
		.arg = c,
	};
	if (metadata_service_start(r) != STATUS_OK)
		native_call_fail_memory(c);
}

void native_handlers_describe_cluster(struct native_call *c)
{
	const struct cluster_image *image = service_loop_image(c->service);
	struct metadata_totals totals = metadata_service_totals(image, c->service->broker_id);
	Correio__ResponseHeader header;
	Correio__DescribeClusterResponse m;
	correio__response_header__init(&header);
	correio__describe_cluster_response__init(&m);
	m.cluster_id = c->dispatch->cluster_id;
	m.controller_id = image->controller_id;
	m.controller_epoch = image->controller_epoch;
	m.topic_count = totals.topics;
	m.partition_count = totals.partitions;
	m.offline_partition_count = totals.offline;
	m.under_replicated_count = totals.under_replicated;
	if (!fill_brokers(c, image, &m.n_brokers, &m.brokers)) {
		native_call_fail_memory(c);
		return;
	}
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_CLUSTER;
	header.describe_cluster = &m;
	native_call_answer(c, &header, NULL);
}
