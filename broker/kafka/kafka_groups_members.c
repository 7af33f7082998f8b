/* JoinGroup, SyncGroup, Heartbeat, LeaveGroup: what members of a group send. A join waits for the others, a sync for the leader, while
 * the connection takes further requests and answers in order. A peer that goes away leaves its join parked, as in Kafka: the session
 * timeout decides. */
#include "kafka/kafka_groups.h"
#include "kafka/kafka_handlers.h"
#include "service/group_host.h"

enum {
	JOIN_WITH_MEMBER_ID_FIRST = 4,
	JOIN_WITH_SKIPPED_ASSIGNMENT = 9,
	SYNC_WITH_PROTOCOL = 5,
	LEAVE_WITH_MEMBERS = 3,
};

/* --- a frame given back ------------------------------------------------------ */

/* Bytes are slices of the frame; what waits for minutes must not hold it. False: no memory. */
static bool copy_bytes(struct kafka_call *c, struct slice *bytes)
{
	if (bytes->n == 0) {
		*bytes = (struct slice){0};
		return true;
	}
	uint8_t *copy = arena_alloc(&c->request->arena, bytes->n);
	if (copy == NULL)
		return false;
	memcpy(copy, bytes->p, bytes->n);
	*bytes = slice_of(copy, bytes->n);
	return true;
}

/* --- join ------------------------------------------------------------------ */

static bool fill_members(struct kafka_call *c, const struct group_request_join *j, struct kafka_join_group_response *m)
{
	m->members_count = (int32_t)j->member_count;
	m->members = KAFKA_CALL_NEW(c, join_group_response_member, m->members_count);
	for (size_t i = 0; m->members != NULL && i < j->member_count; i++) {
		m->members[i].member_id = kafka_groups_text(j->members[i].member_id);
		m->members[i].group_instance_id = j->members[i].instance_id;
		m->members[i].metadata = j->members[i].metadata;
	}
	return m->members != NULL;
}

static void joined(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	const struct kafka_join_group_request *asked = c->body;
	const struct group_request_join *j = &r->join;
	struct kafka_join_group_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	m.member_id = j->ret_member_id != NULL ? j->ret_member_id : asked->member_id;
	m.protocol_name = NULL; /* empty before version 7, which knows no null */
	if (r->status == STATUS_OK) {
		m.generation_id = j->generation;
		m.protocol_type = j->ret_protocol_type;
		m.leader = kafka_groups_text(j->leader);
		m.skip_assignment = j->skip_assignment;
		if (j->protocol != NULL && j->protocol[0] != '\0')
			m.protocol_name = j->protocol;
	}
	if (r->status != STATUS_OK || fill_members(c, j, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

static bool fill_protocols(struct kafka_call *c, const struct kafka_join_group_request *m, struct group_request_join *j)
{
	struct group_named_bytes *p = kafka_call_array(c, (size_t)m->protocols_count, sizeof(*p));
	j->protocols = p;
	j->protocol_count = (size_t)m->protocols_count;
	for (size_t i = 0; p != NULL && i < j->protocol_count; i++) {
		p[i] = (struct group_named_bytes){.name = m->protocols[i].name, .bytes = m->protocols[i].metadata};
		if (!copy_bytes(c, &p[i].bytes))
			return false;
	}
	return p != NULL;
}

void kafka_groups_join(struct kafka_call *c)
{
	const struct kafka_join_group_request *m = c->body;
	int16_t v = c->header.api_version;
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_JOIN, m->group_id);
	if (g == NULL)
		return;
	struct group_request_join *j = &g->request.join;
	*j = (struct group_request_join){
		.member_id = m->member_id,
		.instance_id = m->group_instance_id,
		.client_id = kafka_groups_text(c->header.client_id),
		.client_host = group_host_of(&c->request->arena, request_peer(c->request)),
		.session_timeout_ms = m->session_timeout_ms,
		.rebalance_timeout_ms = v == 0 ? m->session_timeout_ms : m->rebalance_timeout_ms,
		.protocol_type = m->protocol_type,
		.must_know_member_id = v >= JOIN_WITH_MEMBER_ID_FIRST && m->group_instance_id == NULL,
		.can_skip_assignment = v >= JOIN_WITH_SKIPPED_ASSIGNMENT,
		.reason = m->reason,
	};
	if (j->client_host == NULL || !fill_protocols(c, m, j)) {
		kafka_call_abort_memory(c);
		return;
	}
	request_release_frame(c->request);
	kafka_groups_start(g, joined);
}

/* --- sync ------------------------------------------------------------------ */

static void synced(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	struct kafka_sync_group_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	if (r->status == STATUS_OK) {
		m.protocol_type = r->sync.ret_protocol_type;
		m.protocol_name = r->sync.ret_protocol;
		m.assignment = r->sync.assignment;
	}
	kafka_call_answer(c, &m, NULL);
}

static bool fill_assignments(struct kafka_call *c, const struct kafka_sync_group_request *m, struct group_request_sync *s)
{
	struct group_named_bytes *a = kafka_call_array(c, (size_t)m->assignments_count, sizeof(*a));
	s->assignments = a;
	s->assignment_count = (size_t)m->assignments_count;
	for (size_t i = 0; a != NULL && i < s->assignment_count; i++) {
		a[i] = (struct group_named_bytes){.name = m->assignments[i].member_id, .bytes = m->assignments[i].assignment};
		if (!copy_bytes(c, &a[i].bytes))
			return false;
	}
	return a != NULL;
}

void kafka_groups_sync(struct kafka_call *c)
{
	const struct kafka_sync_group_request *m = c->body;
	if (c->header.api_version >= SYNC_WITH_PROTOCOL && (m->protocol_type == NULL || m->protocol_name == NULL)) {
		struct kafka_sync_group_response refused;
		kafka_messages_init(c->api->response, &refused);
		refused.error_code = status_code(STATUS_INCONSISTENT_GROUP_PROTOCOL);
		kafka_call_answer(c, &refused, NULL);
		return;
	}
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_SYNC, m->group_id);
	if (g == NULL)
		return;
	g->request.sync = (struct group_request_sync){
		.member_id = m->member_id,
		.instance_id = m->group_instance_id,
		.generation = m->generation_id,
		.protocol_type = m->protocol_type,
		.protocol = m->protocol_name,
	};
	if (!fill_assignments(c, m, &g->request.sync)) {
		kafka_call_abort_memory(c);
		return;
	}
	request_release_frame(c->request);
	kafka_groups_start(g, synced);
}

/* --- heartbeat --------------------------------------------------------------- */

static void beaten(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	struct kafka_heartbeat_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	kafka_call_answer(c, &m, NULL);
}

void kafka_groups_heartbeat(struct kafka_call *c)
{
	const struct kafka_heartbeat_request *m = c->body;
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_HEARTBEAT, m->group_id);
	if (g == NULL)
		return;
	g->request.heartbeat = (struct group_request_heartbeat){
		.member_id = m->member_id,
		.instance_id = m->group_instance_id,
		.generation = m->generation_id,
	};
	kafka_groups_start(g, beaten);
}

/* --- leave ----------------------------------------------------------------- */

static void left(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	const struct group_request_leave *l = &r->leave;
	struct kafka_leave_group_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	if (c->header.api_version < LEAVE_WITH_MEMBERS) {
		if (r->status == STATUS_OK)
			m.error_code = status_code(l->members[0].status);
		kafka_call_answer(c, &m, NULL);
		return;
	}
	m.members_count = r->status == STATUS_OK ? (int32_t)l->member_count : 0;
	m.members = KAFKA_CALL_NEW(c, leave_group_response_member, m.members_count);
	if (m.members == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < m.members_count; i++) {
		m.members[i].member_id = l->members[i].member_id;
		m.members[i].group_instance_id = l->members[i].instance_id;
		m.members[i].error_code = status_code(l->members[i].status);
	}
	kafka_call_answer(c, &m, NULL);
}

void kafka_groups_leave(struct kafka_call *c)
{
	const struct kafka_leave_group_request *m = c->body;
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_LEAVE, m->group_id);
	if (g == NULL)
		return;
	bool batched = c->header.api_version >= LEAVE_WITH_MEMBERS;
	struct group_request_leave *l = &g->request.leave;
	l->member_count = batched ? (size_t)m->members_count : 1;
	l->members = kafka_call_array(c, l->member_count, sizeof(*l->members));
	if (l->members == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	if (!batched)
		l->members[0].member_id = m->member_id;
	for (size_t i = 0; batched && i < l->member_count; i++) {
		l->members[i].member_id = m->members[i].member_id;
		l->members[i].instance_id = m->members[i].group_instance_id;
		l->members[i].reason = m->members[i].reason;
	}
	kafka_groups_start(g, left);
}
