/* ApiVersions, Metadata, DescribeCluster. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/metadata_service.h"

enum {
	API_VERSIONS_WITH_SOFTWARE = 3,
	METADATA_WITH_NONE = 1, /* before, an empty list asks for all */
	METADATA_WITH_LISTENER_ERRORS = 6,
	/* Bits of the operations one may do where nobody forbids anything (Kafka: AclEntry.supportedOperations). */
	TOPIC_OPERATIONS = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11,
	CLUSTER_OPERATIONS = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12,
	ENDPOINT_BROKERS = 1,
	ENDPOINT_CONTROLLERS = 2,
};

/* --- ApiVersions --------------------------------------------------------- */

static bool is_alphanumeric(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_text(const char *text)
{
	size_t n = strlen(text);
	if (n == 0 || !is_alphanumeric(text[0]) || !is_alphanumeric(text[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alphanumeric(text[i]) && text[i] != '-' && text[i] != '.')
			return false;
	return true;
}

void kafka_metadata_api_versions(struct kafka_call *c)
{
	const struct kafka_api_versions_request *asked = c->body;
	struct kafka_api_versions_response m;
	size_t count = kafka_dispatch_count();
	kafka_messages_init(c->api->response, &m);
	m.api_keys = KAFKA_CALL_NEW(c, api_versions_response_key, (int32_t)count);
	if (m.api_keys == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	if (c->header.api_version >= API_VERSIONS_WITH_SOFTWARE &&
		(!is_software_text(asked->client_software_name) || !is_software_text(asked->client_software_version))) {
		m.error_code = status_code(STATUS_INVALID_REQUEST);
		kafka_call_answer(c, &m, NULL);
		return;
	}
	m.api_keys_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct kafka_dispatch_range range = kafka_dispatch_range(i);
		m.api_keys[i].api_key = range.key;
		m.api_keys[i].min_version = range.min;
		m.api_keys[i].max_version = range.max;
	}
	kafka_call_answer(c, &m, NULL);
}

/* --- brokers ------------------------------------------------------------- */

static const struct image_endpoint *endpoint_of(const struct kafka_call *c, const struct image_broker *b)
{
	return b == NULL ? NULL : image_broker_endpoint(b, request_listener(c->request));
}

/* Topics are administered by any broker, so where the controller is no broker of this listener we name ourselves: clients only send to
 * whom they were told of. */
static int32_t controller_of(const struct kafka_call *c, const struct cluster_image *image)
{
	const struct image_broker *b = cluster_image_broker(image, image->controller_id);
	return endpoint_of(c, b) == NULL ? c->service->broker_id : image->controller_id;
}

/* --- Metadata ------------------------------------------------------------ */

struct kafka_metadata {
	struct kafka_call *call;
	const struct kafka_metadata_request_topic **unknown; /* no topic has their id */
	int32_t unknown_count;
	struct metadata_request request;
};

static bool fill_brokers(struct kafka_call *c, const struct cluster_image *image, struct kafka_metadata_response *m)
{
	m->brokers = KAFKA_CALL_NEW(c, metadata_response_broker, (int32_t)image->broker_count);
	if (m->brokers == NULL)
		return false;
	for (size_t i = 0; i < image->broker_count; i++) {
		const struct image_broker *b = &image->brokers[i];
		const struct image_endpoint *endpoint = endpoint_of(c, b);
		if (endpoint == NULL)
			continue;
		struct kafka_metadata_response_broker *to = &m->brokers[m->brokers_count++];
		to->node_id = b->id;
		to->host = endpoint->host;
		to->port = endpoint->port;
		to->rack = b->rack;
	}
	return true;
}

static bool fill_offline(struct kafka_call *c, const struct cluster_image *image, const struct image_partition *from,
	struct kafka_metadata_response_topic_partition *to)
{
	int32_t *offline = NULL, count = 0;
	for (size_t i = 0; i < from->replica_count; i++) {
		if (cluster_image_broker(image, from->replicas[i]) != NULL)
			continue;
		if (offline == NULL)
			offline = kafka_call_array(c, from->replica_count, sizeof(*offline));
		if (offline == NULL)
			return false;
		offline[count++] = from->replicas[i];
	}
	to->offline_replicas = offline;
	to->offline_replicas_count = count;
	return true;
}

static enum status leader_status(const struct kafka_call *c, const struct cluster_image *image, int32_t leader)
{
	const struct image_broker *b = leader < 0 ? NULL : cluster_image_broker(image, leader);
	if (b == NULL)
		return STATUS_LEADER_NOT_AVAILABLE;
	if (endpoint_of(c, b) == NULL)
		return c->header.api_version >= METADATA_WITH_LISTENER_ERRORS ? STATUS_LISTENER_NOT_FOUND
									      : STATUS_LEADER_NOT_AVAILABLE;
	return STATUS_OK;
}

static bool fill_partition(struct kafka_call *c, const struct cluster_image *image, const struct image_partition *from,
	struct kafka_metadata_response_topic_partition *to)
{
	enum status s = leader_status(c, image, from->leader);
	to->error_code = status_code(s);
	to->partition_index = from->partition;
	to->leader_id = s == STATUS_OK ? from->leader : -1;
	to->leader_epoch = from->leader_epoch;
	to->replica_nodes = from->replicas;
	to->replica_nodes_count = (int32_t)from->replica_count;
	to->isr_nodes = from->isr;
	to->isr_nodes_count = (int32_t)from->isr_count;
	return fill_offline(c, image, from, to);
}

static bool fill_topic(struct kafka_call *c, const struct cluster_image *image, const struct metadata_topic *from,
	struct kafka_metadata_response_topic *to)
{
	const struct kafka_metadata_request *asked = c->body;
	to->error_code = status_code(from->status);
	to->name = from->name;
	to->is_internal = topic_is_internal(from->name);
	if (asked->include_topic_authorized_operations)
		to->topic_authorized_operations = TOPIC_OPERATIONS;
	if (from->topic == NULL)
		return true;
	to->topic_id = from->topic->id;
	to->partitions_count = (int32_t)from->topic->partition_count;
	to->partitions = KAFKA_CALL_NEW(c, metadata_response_topic_partition, to->partitions_count);
	if (to->partitions == NULL)
		return false;
	for (int32_t i = 0; i < to->partitions_count; i++)
		if (!fill_partition(c, image, &from->topic->partitions[i], &to->partitions[i]))
			return false;
	return true;
}

static bool fill_topics(struct kafka_call *c, const struct kafka_metadata *d, struct kafka_metadata_response *m)
{
	int32_t found = (int32_t)d->request.topic_count;
	m->topics_count = found + d->unknown_count;
	m->topics = KAFKA_CALL_NEW(c, metadata_response_topic, m->topics_count);
	if (m->topics == NULL)
		return false;
	for (int32_t i = 0; i < found; i++)
		if (!fill_topic(c, d->request.image, &d->request.topics[i], &m->topics[i]))
			return false;
	for (int32_t i = 0; i < d->unknown_count; i++) {
		struct kafka_metadata_response_topic *t = &m->topics[found + i];
		t->error_code = status_code(STATUS_UNKNOWN_TOPIC_ID);
		t->name = NULL;
		t->topic_id = d->unknown[i]->topic_id;
	}
	return true;
}

static void found(struct metadata_request *r)
{
	struct kafka_metadata *d = r->arg;
	struct kafka_call *c = CAST(kafka_call, d->call);
	const struct kafka_metadata_request *asked = c->body;
	struct kafka_metadata_response m;
	kafka_messages_init(c->api->response, &m);
	m.cluster_id = c->dispatch->cluster_id;
	m.controller_id = controller_of(c, r->image);
	if (asked->include_cluster_authorized_operations)
		m.cluster_authorized_operations = CLUSTER_OPERATIONS;
	if (fill_brokers(c, r->image, &m) && fill_topics(c, d, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* Topics are asked for by name, or by id. False: no memory. */
static bool collect_names(struct kafka_call *c, struct kafka_metadata *d)
{
	const struct kafka_metadata_request *m = c->body;
	size_t count = m->topics_count > 0 ? (size_t)m->topics_count : 0;
	const char **names = kafka_call_array(c, count, sizeof(*names));
	d->unknown = kafka_call_array(c, count, sizeof(*d->unknown));
	if (names == NULL || d->unknown == NULL)
		return false;
	d->request.names = names;
	for (size_t i = 0; i < count; i++) {
		const struct kafka_metadata_request_topic *t = &m->topics[i];
		const char *name = t->name;
		if (name == NULL || !uuid_is_zero(&t->topic_id)) { /* Java leaves the name empty */
			const struct image_topic *by_id = cluster_image_topic_by_id(service_loop_image(c->service), &t->topic_id);
			if (by_id == NULL) {
				d->unknown[d->unknown_count++] = t;
				continue;
			}
			name = arena_strdup(&c->request->arena, slice_of_str(by_id->name));
			if (name == NULL)
				return false;
		}
		names[d->request.name_count++] = name;
	}
	return true;
}

void kafka_metadata_metadata(struct kafka_call *c)
{
	const struct kafka_metadata_request *m = c->body;
	struct kafka_metadata *d = kafka_call_array(c, 1, sizeof(*d));
	if (d == NULL || !collect_names(c, d)) {
		kafka_call_abort_memory(c);
		return;
	}
	d->call = c;
	d->request.service = c->service;
	d->request.arena = &c->request->arena;
	d->request.all = m->topics_count == -1 || (m->topics_count == 0 && c->header.api_version < METADATA_WITH_NONE);
	d->request.never_create = !m->allow_auto_topic_creation;
	d->request.done = found;
	d->request.arg = d;
	if (metadata_service_start(&d->request) != STATUS_OK)
		kafka_call_abort_memory(c);
}

/* --- DescribeCluster ----------------------------------------------------- */

static bool fill_cluster_brokers(struct kafka_call *c, const struct cluster_image *image, struct kafka_describe_cluster_response *m)
{
	m->brokers = KAFKA_CALL_NEW(c, describe_cluster_response_broker, (int32_t)image->broker_count);
	if (m->brokers == NULL)
		return false;
	for (size_t i = 0; i < image->broker_count; i++) {
		const struct image_broker *b = &image->brokers[i];
		const struct image_endpoint *endpoint = endpoint_of(c, b);
		if (endpoint == NULL)
			continue;
		struct kafka_describe_cluster_response_broker *to = &m->brokers[m->brokers_count++];
		to->broker_id = b->id;
		to->host = endpoint->host;
		to->port = endpoint->port;
		to->rack = b->rack;
	}
	return true;
}

void kafka_metadata_describe_cluster(struct kafka_call *c)
{
	const struct kafka_describe_cluster_request *asked = c->body;
	const struct cluster_image *image = service_loop_image(c->service);
	struct kafka_describe_cluster_response m;
	kafka_messages_init(c->api->response, &m);
	if (asked->endpoint_type != ENDPOINT_BROKERS) {
		enum status s = asked->endpoint_type == ENDPOINT_CONTROLLERS ? STATUS_MISMATCHED_ENDPOINT_TYPE
									     : STATUS_UNSUPPORTED_ENDPOINT_TYPE;
		m.error_code = status_code(s);
		m.error_message = status_text(s);
		kafka_call_answer(c, &m, NULL);
		return;
	}
	m.cluster_id = c->dispatch->cluster_id;
	m.controller_id = controller_of(c, image);
	if (asked->include_cluster_authorized_operations)
		m.cluster_authorized_operations = CLUSTER_OPERATIONS;
	if (fill_cluster_brokers(c, image, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}
