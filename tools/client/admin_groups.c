/* Consumer groups: who there is, who is in, out with them. */
#include "tools/client/admin_internal.h"
#include "tools/client/consumer_protocol.h"
#include "base/clock.h"
#include <stdlib.h>

enum { RESULT_MAX_BYTES = 1 << 28 };

/* ---- the coordinator ---- */

static bool worth_waiting(int32_t code)
{
	return code == CORREIO_ERR_COORDINATOR_NOT_AVAILABLE || code == CORREIO_ERR_NOT_COORDINATOR ||
		code == CORREIO_ERR_COORDINATOR_LOAD_IN_PROGRESS || code == CORREIO_ERR_NETWORK_EXCEPTION ||
		code == CORREIO_ERR_CLOSED;
}

static int32_t coordinator_code(const Correio__ResponseHeader *h, const char **ret_message)
{
	const Correio__FindCoordinatorsResponse *m = h->find_coordinators;
	if (m->n_groups != 1)
		return CORREIO_ERR_COORDINATOR_NOT_AVAILABLE;
	*ret_message = m->groups[0]->error_message;
	if (m->groups[0]->error_code == 0 && m->groups[0]->coordinator == NULL)
		return CORREIO_ERR_COORDINATOR_NOT_AVAILABLE;
	return m->groups[0]->error_code;
}

static int item_error(const struct admin_group_call *g, const Correio__ResponseHeader *h, struct correio_error *err)
{
	const char *message = NULL;
	char what[300];
	int32_t code = g->item_code == NULL ? 0 : g->item_code(h, &message);
	(void)snprintf(what, sizeof(what), "group %s", g->group);
	return code == 0 ? CORREIO_OK : client_error_from_broker(err, code, message, what);
}

static int find_coordinator(struct correio_admin *a, const char *group, struct admin_coordinator *ret, struct correio_error *err)
{
	Correio__FindCoordinatorsRequest m = CORREIO__FIND_COORDINATORS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	char *name = client_text(group);
	m.groups = &name;
	m.n_groups = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FIND_COORDINATORS;
	header.find_coordinators = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header,
			.expected = CORREIO__RESPONSE_HEADER__RESPONSE_FIND_COORDINATORS,
			.what = "coordinator",
			.repeatable = true},
		.item_code = coordinator_code,
	};
	Correio__ResponseHeader *h = NULL;
	int code = admin_run(a, &g.call, &h, err);
	if (code != CORREIO_OK)
		return code;
	code = item_error(&g, h, err);
	if (code == CORREIO_OK) {
		const Correio__LeaderHint *c = h->find_coordinators->groups[0]->coordinator;
		ret->broker = c->broker_id;
		ret->port = c->port;
		(void)snprintf(ret->host, sizeof(ret->host), "%s", c->host);
	}
	admin_header_free(h);
	return code;
}

static int run_once(struct correio_admin *a, const struct admin_group_call *g, struct admin_coordinator *ret,
	Correio__ResponseHeader **ret_header, struct correio_error *err)
{
	int code = find_coordinator(a, g->group, ret, err);
	if (code != CORREIO_OK)
		return code;
	struct client_connection *connection = client_cluster_apart(a->cluster, ret->host, ret->port);
	if (connection == NULL)
		return client_error_code(err, CORREIO_ERR_COORDINATOR_NOT_AVAILABLE, true,
			"group %s: its coordinator's address '%s:%d' is not one", g->group, ret->host, (int)ret->port);
	Correio__ResponseHeader *h = NULL;
	code = admin_run_on(a, connection, &g->call, &h, err);
	if (code != CORREIO_OK)
		return code;
	code = item_error(g, h, err);
	if (code == CORREIO_OK)
		*ret_header = h;
	else
		admin_header_free(h);
	return code;
}

int admin_group_run(struct correio_admin *a, const struct admin_group_call *g, struct admin_coordinator *ret_coordinator,
	Correio__ResponseHeader **ret_header, struct correio_error *err)
{
	const struct client_options *o = &a->config->options;
	int64_t until_us = clock_monotonic_us(clock_system()) + o->request_timeout_ms * 1000;
	for (;;) {
		int code = run_once(a, g, ret_coordinator, ret_header, err);
		int64_t now_us = clock_monotonic_us(clock_system());
		if (code == CORREIO_OK || !worth_waiting(code) || now_us >= until_us)
			return code;
		int64_t again_us = now_us + o->retry_backoff_ms * 1000;
		(void)client_cluster_poll(a->cluster, again_us < until_us ? again_us : until_us, -1);
	}
}

/* ---- list ---- */

struct correio_groups {
	struct arena arena;
	struct correio_listed_group *groups;
	size_t count, capacity;
};

static const char *copy_text(struct arena *a, const char *s)
{
	const char *copy = arena_strdup(a, slice_of_str(s));
	expect(copy != NULL); /* an answer is at most 4 MiB */
	return copy;
}

static void add_groups(struct correio_groups *to, const Correio__ListGroupsResponse *m, int32_t broker)
{
	for (size_t i = 0; i < m->n_groups; i++) {
		if (to->count == to->capacity) {
			to->capacity = to->capacity == 0 ? 64 : to->capacity * 2;
			to->groups = (struct correio_listed_group *)check_realloc(to->groups, to->capacity * sizeof(*to->groups));
		}
		to->groups[to->count++] = (struct correio_listed_group){
			.group = copy_text(&to->arena, m->groups[i]->group),
			.protocol_type = copy_text(&to->arena, m->groups[i]->protocol_type),
			.state = copy_text(&to->arena, m->groups[i]->state),
			.type = copy_text(&to->arena, m->groups[i]->type),
			.coordinator = broker,
		};
	}
}

static int list_of_broker(struct correio_admin *a, const struct correio_broker *b, struct correio_groups *to,
	struct correio_error *err)
{
	Correio__ListGroupsRequest m = CORREIO__LIST_GROUPS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LIST_GROUPS;
	header.list_groups = &m;
	const struct admin_call call = {
		.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_LIST_GROUPS, .what = "list groups"};
	Correio__ResponseHeader *h = NULL;
	struct client_connection *connection = client_cluster_apart(a->cluster, b->host, b->port);
	if (connection == NULL)
		return client_error_code(err, CORREIO_ERR_NO_BROKER, false, "broker %d has no address", (int)b->id);
	int code = admin_run_on(a, connection, &call, &h, err);
	if (code != CORREIO_OK)
		return code;
	add_groups(to, h->list_groups, b->id);
	admin_header_free(h);
	return CORREIO_OK;
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct correio_listed_group *)a)->group, ((const struct correio_listed_group *)b)->group);
}

int correio_admin_list_groups(struct correio_admin *a, struct correio_groups **ret_groups, struct correio_error *err)
{
	CHECK_MAGIC(correio_admin, a);
	struct correio_cluster *cluster;
	int code = correio_admin_describe_cluster(a, &cluster, err);
	if (code != CORREIO_OK)
		return code;
	struct correio_groups *groups = (struct correio_groups *)check_calloc(1, sizeof(*groups));
	arena_init(&groups->arena, RESULT_MAX_BYTES);
	for (size_t i = 0; code == CORREIO_OK && i < cluster->broker_count; i++)
		code = list_of_broker(a, &cluster->brokers[i], groups, err);
	correio_cluster_free(cluster);
	if (code != CORREIO_OK) {
		correio_groups_free(groups);
		return code;
	}
	if (groups->count > 1)
		qsort(groups->groups, groups->count, sizeof(*groups->groups), compare_groups);
	*ret_groups = groups;
	return CORREIO_OK;
}

size_t correio_groups_count(const struct correio_groups *g)
{
	return g->count;
}

const struct correio_listed_group *correio_groups_at(const struct correio_groups *g, size_t index)
{
	return index < g->count ? &g->groups[index] : NULL;
}

void correio_groups_free(struct correio_groups *g)
{
	if (g == NULL)
		return;
	arena_fini(&g->arena);
	free(g->groups);
	free(g);
}

/* ---- describe ---- */

struct group_result {
	struct correio_group public;
	struct arena arena;
	struct admin_coordinator coordinator;
	Correio__ResponseHeader *header; /* texts lie there */
};

static int32_t described_code(const Correio__ResponseHeader *h, const char **ret_message)
{
	const Correio__DescribeGroupsResponse *m = h->describe_groups;
	if (m->n_groups != 1)
		return CORREIO_ERR_UNKNOWN_SERVER_ERROR;
	*ret_message = m->groups[0]->error_message;
	return m->groups[0]->error_code;
}

/* What cannot be read as an assignment (of another protocol type, say) is shown as none. */
static void fill_assignment(struct arena *a, const Correio__GroupMember *from, struct correio_group_member *to)
{
	struct partition_sets sets = {0};
	struct slice bytes = slice_of(from->assignment.data, from->assignment.len);
	if (consumer_protocol_read_assignment(a, bytes, &sets) != STATUS_OK)
		return;
	size_t count = partition_sets_count(&sets), n = 0;
	struct correio_topic_partition *list = arena_calloc(a, count + 1, sizeof(*list));
	expect(list != NULL);
	for (size_t i = 0; i < sets.count; i++)
		for (size_t k = 0; k < sets.topics[i].count; k++)
			list[n++] = (struct correio_topic_partition){
				.topic = sets.topics[i].topic, .partition = sets.topics[i].partitions[k], .offset = -1};
	to->assignment = list;
	to->assignment_count = n;
}

static void fill_group(struct group_result *r)
{
	const Correio__GroupDescription *g = r->header->describe_groups->groups[0];
	struct correio_group_member *members = arena_calloc(&r->arena, g->n_members + 1, sizeof(*members));
	expect(members != NULL);
	bool consumers = strcmp(g->protocol_type, "consumer") == 0;
	for (size_t i = 0; i < g->n_members; i++) {
		members[i] = (struct correio_group_member){
			.member_id = g->members[i]->member_id,
			.instance_id = g->members[i]->instance_id[0] == '\0' ? NULL : g->members[i]->instance_id,
			.client_id = g->members[i]->client_id,
			.host = g->members[i]->client_host,
		};
		if (consumers)
			fill_assignment(&r->arena, g->members[i], &members[i]);
	}
	r->public = (struct correio_group){
		.group = g->group,
		.state = g->state,
		.protocol_type = g->protocol_type,
		.protocol = g->protocol,
		.coordinator = r->coordinator.broker,
		.coordinator_port = r->coordinator.port,
		.coordinator_host = r->coordinator.host,
		.members = members,
		.member_count = g->n_members,
	};
}

int correio_admin_describe_group(struct correio_admin *a, const char *group, struct correio_group **ret_group,
	struct correio_error *err)
{
	Correio__DescribeGroupsRequest m = CORREIO__DESCRIBE_GROUPS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	char *name = client_text(group);
	m.groups = &name;
	m.n_groups = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_GROUPS;
	header.describe_groups = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_GROUPS, .what = "describe group"},
		.item_code = described_code,
	};
	struct group_result *r = (struct group_result *)check_calloc(1, sizeof(*r));
	int code = admin_group_run(a, &g, &r->coordinator, &r->header, err);
	if (code != CORREIO_OK) {
		free(r);
		return code;
	}
	arena_init(&r->arena, RESULT_MAX_BYTES);
	fill_group(r);
	*ret_group = &r->public;
	return CORREIO_OK;
}

void correio_group_free(struct correio_group *g)
{
	if (g == NULL)
		return;
	struct group_result *r = CONTAINER_OF(g, struct group_result, public);
	arena_fini(&r->arena);
	admin_header_free(r->header);
	free(r);
}

/* ---- delete ---- */

static int32_t deleted_code(const Correio__ResponseHeader *h, const char **ret_message)
{
	const Correio__DeleteGroupsResponse *m = h->delete_groups;
	if (m->n_groups != 1)
		return CORREIO_ERR_UNKNOWN_SERVER_ERROR;
	*ret_message = m->groups[0]->error_message;
	return m->groups[0]->error_code;
}

int correio_admin_delete_group(struct correio_admin *a, const char *group, struct correio_error *err)
{
	Correio__DeleteGroupsRequest m = CORREIO__DELETE_GROUPS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	char *name = client_text(group);
	m.groups = &name;
	m.n_groups = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DELETE_GROUPS;
	header.delete_groups = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_GROUPS, .what = "delete group"},
		.item_code = deleted_code,
	};
	struct admin_coordinator coordinator;
	Correio__ResponseHeader *h = NULL;
	int code = admin_group_run(a, &g, &coordinator, &h, err);
	if (code == CORREIO_OK)
		admin_header_free(h);
	return code;
}
