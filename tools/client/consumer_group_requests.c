/* What a member sends to its coordinator, and the answers. */
#include "tools/client/consumer_group.h"
#include "base/clock.h"

enum { PATIENCE_MS = 5000 /* beyond what the broker waits for the others */ };

/* One request of the rebalance is under way at a time; an answer to an older one is dropped. */
struct group_ask {
	unsigned magic;
	struct consumer_group *group;
	uint64_t serial;
};
MAGIC(group_ask, 0x47415348);

struct client_request *consumer_group_request(struct consumer_group *g, Correio__RequestHeader *header, int64_t extra_ms)
{
	return client_cluster_request(g->consumer->cluster, header, NULL, 0, extra_ms);
}

static void send_ask(struct consumer_group *g, struct client_connection *to, struct client_request *r, client_response_fn done)
{
	struct group_ask *ask = (struct group_ask *)check_calloc(1, sizeof(*ask));
	ask->magic = group_ask_magic;
	ask->group = g;
	ask->serial = ++g->serial;
	r->done = done;
	r->arg = ask;
	g->asking = true;
	client_connection_send(to, r);
}

/* The group whose request this answers; NULL: an older one. */
static struct consumer_group *answered(void *arg)
{
	struct group_ask *ask = CAST(group_ask, arg);
	struct consumer_group *g = ask->serial == ask->group->serial ? ask->group : NULL;
	ask->magic = 0;
	free(ask);
	if (g != NULL)
		g->asking = false;
	return g;
}

/* ---- find ---- */

static void found(void *arg, struct client_response *response)
{
	struct consumer_group *g = CAST(consumer_group, arg);
	g->finding = false;
	if (consumer_group_error(g, response, CORREIO__RESPONSE_HEADER__RESPONSE_FIND_COORDINATORS))
		return;
	const Correio__FindCoordinatorsResponse *m = response->header->find_coordinators;
	if (m->n_groups != 1 || (m->groups[0]->error_code == 0 && m->groups[0]->coordinator == NULL)) {
		consumer_group_took_error(g, status_code(STATUS_UNKNOWN_SERVER_ERROR), "the answer names no coordinator");
		return;
	}
	const Correio__CoordinatorResult *result = m->groups[0];
	if (result->error_code != 0) {
		consumer_group_took_error(g, result->error_code, result->error_message);
		return;
	}
	g->coordinator = client_cluster_apart(g->consumer->cluster, result->coordinator->host, result->coordinator->port);
	char *host = check_strdup(result->coordinator->host);
	free(g->coordinator_host);
	g->coordinator_host = host;
	g->coordinator_port = result->coordinator->port;
}

void consumer_group_reconnect(struct consumer_group *g)
{
	g->serial++;
	g->asking = false;
	client_cluster_abandon(g->consumer->cluster);
	g->coordinator = NULL;
	if (g->coordinator_host != NULL)
		g->coordinator = client_cluster_apart(g->consumer->cluster, g->coordinator_host, g->coordinator_port);
}

void consumer_group_send_find(struct consumer_group *g)
{
	struct correio_consumer *c = g->consumer;
	struct client_connection *any = client_cluster_any(c->cluster, clock_monotonic_us(clock_system()));
	if (any == NULL)
		return;
	Correio__FindCoordinatorsRequest m = CORREIO__FIND_COORDINATORS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	char *name = client_text(c->options->group_id);
	m.groups = &name;
	m.n_groups = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FIND_COORDINATORS;
	header.find_coordinators = &m;
	struct client_request *r = consumer_group_request(g, &header, 0);
	r->done = found;
	r->arg = g;
	g->finding = true;
	client_connection_send(any, r);
}

/* ---- join ---- */

static void joined(void *arg, struct client_response *response)
{
	struct consumer_group *g = answered(arg);
	if (g != NULL && !consumer_group_error(g, response, CORREIO__RESPONSE_HEADER__RESPONSE_JOIN_GROUP))
		consumer_group_joined(g, response->header->join_group);
}

/* Partitions read now, for assignors that let members keep them. */
static bool fill_owned(const struct consumer_group *g, struct arena *a, struct partition_sets *ret_owned)
{
	size_t room = 0;
	for (const struct consumer_partition *p = g->consumer->partitions; p != NULL; p = p->next)
		room++;
	struct partition_set *sets = arena_calloc(a, room + 1, sizeof(*sets));
	int32_t *numbers = arena_calloc(a, room + 1, sizeof(*numbers));
	size_t n = 0;
	for (const struct consumer_partition *p = g->consumer->partitions; sets != NULL && numbers != NULL && p != NULL; p = p->next) {
		numbers[n] = p->partition;
		sets[n] = (struct partition_set){.topic = p->topic, .partitions = &numbers[n], .count = 1};
		n++;
	}
	*ret_owned = (struct partition_sets){.topics = sets, .count = n};
	return sets != NULL && numbers != NULL;
}

/* One of the member's assignors, with what it says to it. */
static bool fill_protocol(const struct consumer_group *g, struct arena *a, enum assignor assignor, Correio__NamedBytes *to)
{
	struct subscription s = {.topics = arena_calloc(a, g->topic_count + 1, sizeof(*s.topics)),
		.topic_count = g->topic_count,
		.generation = g->generation};
	struct slice bytes;
	bool sticky = assignor_cooperative(assignor);
	if (s.topics == NULL || (sticky && !fill_owned(g, a, &s.owned)))
		return false;
	for (size_t i = 0; i < g->topic_count; i++)
		s.topics[i] = g->topics[i];
	if (consumer_protocol_write_subscription(a, &s, sticky, &bytes) != STATUS_OK)
		return false;
	correio__named_bytes__init(to);
	to->name = client_text(assignor_name(assignor));
	to->value = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes.p, .len = bytes.n};
	return true;
}

void consumer_group_send_join(struct consumer_group *g)
{
	const struct client_options *o = g->consumer->options;
	Correio__NamedBytes protocols[ASSIGNOR_COUNT], *list[ASSIGNOR_COUNT];
	Correio__JoinGroupRequest m = CORREIO__JOIN_GROUP_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	struct arena a;
	arena_init(&a, SIZE_MAX / 2);
	for (size_t i = 0; i < g->assignor_count; i++) {
		bool filled = fill_protocol(g, &a, g->assignors[i], &protocols[i]);
		expect(filled); /* names of topics were checked; no limit of memory */
		list[i] = &protocols[i];
	}
	m.group = o->group_id;
	m.member_id = g->member_id;
	m.instance_id = o->group_instance_id;
	m.client_id = o->client_id;
	m.session_timeout_ms = (uint32_t)o->session_timeout_ms;
	m.rebalance_timeout_ms = (uint32_t)o->max_poll_interval_ms;
	m.protocol_type = client_text("consumer");
	m.protocols = list;
	m.n_protocols = g->assignor_count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_JOIN_GROUP;
	header.join_group = &m;
	send_ask(g, g->coordinator, consumer_group_request(g, &header, o->max_poll_interval_ms + PATIENCE_MS), joined);
	arena_fini(&a);
}

/* ---- sync ---- */

static void synced(void *arg, struct client_response *response)
{
	struct consumer_group *g = answered(arg);
	if (g == NULL)
		return;
	if (consumer_group_error(g, response, CORREIO__RESPONSE_HEADER__RESPONSE_SYNC_GROUP)) {
		/* Whatever it was, the round is over for us. */
		g->state = GROUP_JOIN;
		return;
	}
	const Correio__SyncGroupResponse *m = response->header->sync_group;
	consumer_group_synced(g, slice_of(m->assignment.data, m->assignment.len));
}

/* False: no memory. */
static bool fill_assignments(struct consumer_group *g, Correio__SyncGroupRequest *m)
{
	Correio__NamedBytes *values = arena_calloc(&g->work, g->member_count + 1, sizeof(*values));
	Correio__NamedBytes **list = arena_calloc(&g->work, g->member_count + 1, sizeof(Correio__NamedBytes *));
	if (values == NULL || list == NULL)
		return false;
	for (size_t i = 0; i < g->member_count; i++) {
		struct slice bytes;
		if (consumer_protocol_write_assignment(&g->work, &g->members[i].assignment, &bytes) != STATUS_OK)
			return false;
		correio__named_bytes__init(&values[i]);
		values[i].name = client_text(g->members[i].member_id);
		values[i].value = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes.p, .len = bytes.n};
		list[i] = &values[i];
	}
	m->assignments = list;
	m->n_assignments = g->member_count;
	return true;
}

void consumer_group_send_sync(struct consumer_group *g, bool with_assignments)
{
	const struct client_options *o = g->consumer->options;
	Correio__SyncGroupRequest m = CORREIO__SYNC_GROUP_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	m.group = o->group_id;
	m.member_id = g->member_id;
	m.instance_id = o->group_instance_id;
	m.generation = g->generation;
	m.protocol_type = client_text("consumer");
	m.protocol = g->protocol;
	if (with_assignments && !fill_assignments(g, &m)) {
		consumer_group_took_error(g, status_code(STATUS_TOO_LARGE), "the assignments of all members take too much memory");
		return;
	}
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_SYNC_GROUP;
	header.sync_group = &m;
	if (g->coordinator == NULL) {
		g->state = GROUP_JOIN;
		return;
	}
	send_ask(g, g->coordinator, consumer_group_request(g, &header, o->max_poll_interval_ms + PATIENCE_MS), synced);
}

/* ---- offsets ---- */

static void offsets_came(void *arg, struct client_response *response)
{
	struct consumer_group *g = answered(arg);
	if (g == NULL || consumer_group_error(g, response, CORREIO__RESPONSE_HEADER__RESPONSE_FETCH_OFFSETS))
		return;
	const Correio__FetchOffsetsResponse *m = response->header->fetch_offsets;
	if (m->n_groups != 1)
		consumer_group_took_error(g, status_code(STATUS_UNKNOWN_SERVER_ERROR), "the answer leaves out the offsets");
	else if (m->groups[0]->error_code != 0)
		consumer_group_took_error(g, m->groups[0]->error_code, m->groups[0]->error_message);
	else
		consumer_group_offsets_known(g, m->groups[0]);
}

void consumer_group_send_offsets(struct consumer_group *g, const struct partition_sets *wanted)
{
	Correio__TopicPartitions *topics = (Correio__TopicPartitions *)check_calloc(wanted->count + 1, sizeof(*topics));
	Correio__TopicPartitions **list =
		(Correio__TopicPartitions **)check_calloc(wanted->count + 1, sizeof(Correio__TopicPartitions *));
	Correio__GroupTopics group = CORREIO__GROUP_TOPICS__INIT, *groups = &group;
	Correio__FetchOffsetsRequest m = CORREIO__FETCH_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	for (size_t i = 0; i < wanted->count; i++) {
		correio__topic_partitions__init(&topics[i]);
		topics[i].name = client_text(wanted->topics[i].topic);
		topics[i].partitions = wanted->topics[i].partitions;
		topics[i].n_partitions = wanted->topics[i].count;
		list[i] = &topics[i];
	}
	group.group = g->consumer->options->group_id;
	group.topics = list;
	group.n_topics = wanted->count;
	m.groups = &groups;
	m.n_groups = 1;
	m.require_stable = true;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FETCH_OFFSETS;
	header.fetch_offsets = &m;
	send_ask(g, g->coordinator, consumer_group_request(g, &header, 0), offsets_came);
	free(topics);
	free(list);
}

/* ---- heartbeat, leave ---- */

static void beaten(void *arg, struct client_response *response)
{
	struct consumer_group *g = CAST(consumer_group, arg);
	g->heartbeat_open = false;
	(void)consumer_group_error(g, response, CORREIO__RESPONSE_HEADER__RESPONSE_HEARTBEAT);
}

void consumer_group_send_heartbeat(struct consumer_group *g)
{
	Correio__HeartbeatRequest m = CORREIO__HEARTBEAT_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	m.group = g->consumer->options->group_id;
	m.member_id = g->member_id;
	m.instance_id = g->consumer->options->group_instance_id;
	m.generation = g->generation;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_HEARTBEAT;
	header.heartbeat = &m;
	struct client_request *r = consumer_group_request(g, &header, 0);
	r->done = beaten;
	r->arg = g;
	g->heartbeat_open = true;
	client_connection_send(g->coordinator, r);
}

bool consumer_group_send_leave(struct consumer_group *g, client_response_fn done, void *arg)
{
	if (g->coordinator == NULL || g->member_id[0] == '\0' || g->consumer->options->group_instance_id[0] != '\0')
		return false;
	Correio__GroupLeaver leaver = CORREIO__GROUP_LEAVER__INIT, *leavers = &leaver;
	Correio__LeaveGroupRequest m = CORREIO__LEAVE_GROUP_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	leaver.member_id = g->member_id;
	leaver.reason = client_text("the consumer is being closed");
	m.group = g->consumer->options->group_id;
	m.members = &leavers;
	m.n_members = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LEAVE_GROUP;
	header.leave_group = &m;
	struct client_request *r = consumer_group_request(g, &header, 0);
	r->done = done;
	r->arg = arg;
	client_connection_send(g->coordinator, r);
	return true;
}
