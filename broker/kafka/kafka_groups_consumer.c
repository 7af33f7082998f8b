/* ConsumerGroupHeartbeat, ConsumerGroupDescribe: groups of KIP-848. */
#include "kafka/kafka_groups.h"
#include "kafka/kafka_handlers.h"
#include "service/group_host.h"

enum {
	MIB = 1024 * 1024,
	HEARTBEAT_WITH_MEMBER_ID = 1,
	DESCRIBE_BUDGET = 128 * MIB,
	MEMBER_CONSUMER = 1,
	MEMBER_CLASSIC = 0,
	GROUP_OPERATIONS = 1 << 3 | 1 << 6 | 1 << 8, /* as in DescribeGroups */
};

/* --- heartbeat --------------------------------------------------------------- */

static bool fill_assignment(struct kafka_call *c, const struct group_request_topics *from,
	struct kafka_consumer_group_heartbeat_response *m)
{
	if (!from->present)
		return true;
	m->assignment = KAFKA_CALL_NEW(c, consumer_group_heartbeat_response_assignment, 1);
	if (m->assignment == NULL)
		return false;
	m->assignment->topic_partitions_count = (int32_t)from->count;
	m->assignment->topic_partitions =
		KAFKA_CALL_NEW(c, consumer_group_heartbeat_response_topic_partition, (int32_t)from->count);
	for (size_t i = 0; m->assignment->topic_partitions != NULL && i < from->count; i++)
		m->assignment->topic_partitions[i] = (struct kafka_consumer_group_heartbeat_response_topic_partition){
			.topic_id = from->topics[i].topic_id,
			.partitions = from->topics[i].partitions,
			.partitions_count = (int32_t)from->topics[i].partition_count,
		};
	return m->assignment->topic_partitions != NULL;
}

static void beaten(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	const struct group_request_consumer_heartbeat *h = &r->consumer_heartbeat;
	struct kafka_consumer_group_heartbeat_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	m.error_message = kafka_call_message(r->status, r->message);
	if (r->status == STATUS_OK) {
		m.member_id = h->ret_member_id;
		m.member_epoch = h->ret_member_epoch;
		m.heartbeat_interval_ms = h->heartbeat_interval_ms;
	}
	if (r->status != STATUS_OK || fill_assignment(c, &h->assignment, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

static void refuse(struct kafka_call *c, enum status s, const char *why)
{
	struct kafka_consumer_group_heartbeat_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(s);
	m.error_message = why;
	kafka_call_answer(c, &m, NULL);
}

static bool fill_owned(struct kafka_call *c, const struct kafka_consumer_group_heartbeat_request *m, struct group_request_topics *to)
{
	if (m->topic_partitions_count < 0)
		return true;
	struct group_request_topic *topics = kafka_call_array(c, (size_t)m->topic_partitions_count, sizeof(*topics));
	for (int32_t i = 0; topics != NULL && i < m->topic_partitions_count; i++)
		topics[i] = (struct group_request_topic){
			.topic_id = m->topic_partitions[i].topic_id,
			.partitions = m->topic_partitions[i].partitions,
			.partition_count = (size_t)m->topic_partitions[i].partitions_count,
		};
	*to = (struct group_request_topics){.topics = topics, .count = (size_t)m->topic_partitions_count, .present = true};
	return topics != NULL;
}

void kafka_groups_consumer_heartbeat(struct kafka_call *c)
{
	static const char *const no_names[] = {NULL};
	const struct kafka_consumer_group_heartbeat_request *m = c->body;
	if (m->group_id[0] == '\0') {
		refuse(c, STATUS_INVALID_REQUEST, "GroupId can't be empty.");
		return;
	}
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_CONSUMER_HEARTBEAT, m->group_id);
	if (g == NULL)
		return;
	bool names = m->subscribed_topic_names_count >= 0, some = m->subscribed_topic_names_count > 0;
	struct group_request_consumer_heartbeat *h = &g->request.consumer_heartbeat;
	*h = (struct group_request_consumer_heartbeat){
		.member_id = m->member_id,
		.member_epoch = m->member_epoch,
		.instance_id = m->instance_id,
		.rack_id = m->rack_id,
		.client_id = kafka_groups_text(c->header.client_id),
		.client_host = group_host_of(&c->request->arena, request_peer(c->request)),
		.rebalance_timeout_ms = m->rebalance_timeout_ms,
		.topic_names = some ? m->subscribed_topic_names : names ? no_names : NULL,
		.topic_name_count = some ? (size_t)m->subscribed_topic_names_count : 0,
		.topic_regex = m->subscribed_topic_regex,
		.server_assignor = m->server_assignor,
		.member_generates_id = c->header.api_version >= HEARTBEAT_WITH_MEMBER_ID,
	};
	if (h->client_host == NULL || !fill_owned(c, m, &h->owned)) {
		kafka_call_abort_memory(c);
		return;
	}
	kafka_groups_start(g, beaten);
}

/* --- describe ------------------------------------------------------------------ */

/* A topic that is gone since is left out, as in Kafka. */
static bool fill_topics(struct kafka_call *c, const struct group_request_topics *from,
	struct kafka_consumer_group_describe_response_assignment *to)
{
	const struct cluster_image *image = service_loop_image(c->service);
	to->topic_partitions = KAFKA_CALL_NEW(c, consumer_group_describe_response_topic_partition, (int32_t)from->count);
	for (size_t i = 0; to->topic_partitions != NULL && i < from->count; i++) {
		const struct image_topic *t = cluster_image_topic_by_id(image, &from->topics[i].topic_id);
		if (t == NULL)
			continue;
		char *name = arena_strdup(&c->request->arena, slice_of_str(t->name));
		if (name == NULL)
			return false;
		to->topic_partitions[to->topic_partitions_count++] = (struct kafka_consumer_group_describe_response_topic_partition){
			.topic_id = t->id,
			.topic_name = name,
			.partitions = from->topics[i].partitions,
			.partitions_count = (int32_t)from->topics[i].partition_count,
		};
	}
	return to->topic_partitions != NULL;
}

static bool fill_member(struct kafka_call *c, const struct group_request_consumer_member *from,
	struct kafka_consumer_group_describe_response_group_member *to)
{
	to->member_id = from->member_id;
	to->instance_id = from->instance_id;
	to->rack_id = from->rack_id;
	to->member_epoch = from->member_epoch;
	to->client_id = from->client_id;
	to->client_host = from->client_host;
	to->subscribed_topic_names = from->topic_names;
	to->subscribed_topic_names_count = (int32_t)from->topic_name_count;
	to->subscribed_topic_regex = from->topic_regex;
	to->member_type = from->classic ? MEMBER_CLASSIC : MEMBER_CONSUMER;
	return fill_topics(c, &from->assignment, &to->assignment) && fill_topics(c, &from->target, &to->target_assignment);
}

static bool fill_group(struct kafka_call *c, const struct group_request *r, struct kafka_consumer_group_describe_response_group *g)
{
	const struct kafka_consumer_group_describe_request *asked = c->body;
	const struct group_request_consumer_describe *d = &r->consumer_describe;
	g->group_id = r->group_id;
	g->error_code = status_code(r->status);
	g->error_message = kafka_call_message(r->status, r->message);
	if (r->status != STATUS_OK)
		return true;
	g->group_state = d->state;
	g->group_epoch = d->group_epoch;
	g->assignment_epoch = d->assignment_epoch;
	g->assignor_name = d->assignor;
	if (asked->include_authorized_operations)
		g->authorized_operations = GROUP_OPERATIONS;
	g->members_count = (int32_t)d->member_count;
	g->members = KAFKA_CALL_NEW(c, consumer_group_describe_response_group_member, g->members_count);
	for (size_t i = 0; g->members != NULL && i < d->member_count; i++)
		if (!fill_member(c, &d->members[i], &g->members[i]))
			return false;
	return g->members != NULL;
}

static void described(struct group_fan *f)
{
	struct kafka_call *c = CAST(kafka_call, f->arg);
	struct kafka_consumer_group_describe_response m;
	kafka_messages_init(c->api->response, &m);
	m.groups_count = (int32_t)f->count;
	m.groups = KAFKA_CALL_NEW(c, consumer_group_describe_response_group, m.groups_count);
	bool filled = m.groups != NULL;
	for (size_t i = 0; filled && i < f->count; i++)
		filled = fill_group(c, &f->parts[i].request, &m.groups[i]);
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_groups_consumer_describe(struct kafka_call *c)
{
	const struct kafka_consumer_group_describe_request *m = c->body;
	struct group_fan *f = kafka_groups_fan(c, (size_t)m->group_ids_count, DESCRIBE_BUDGET);
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		f->parts[i].request.kind = GROUP_REQUEST_CONSUMER_DESCRIBE;
		f->parts[i].request.group_id = m->group_ids[i];
	}
	f->done = described;
	group_fan_start(f);
}
