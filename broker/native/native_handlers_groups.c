/* FindCoordinators, JoinGroup, SyncGroup, Heartbeat, LeaveGroup. A join waits for the other members, a sync for the leader; a peer that
 * goes away leaves its join parked: the session timeout decides. */
#include "native/native_groups.h"
#include "native/native_handlers.h"
#include "service/group_host.h"

/* --- find ------------------------------------------------------------------ */

struct native_find {
	struct native_call *call;
	struct coordinator_lookup lookup;
};

static bool fill_coordinator(struct native_call *c, struct coordinator_lookup_key *k, Correio__CoordinatorResult *to)
{
	correio__coordinator_result__init(to);
	to->group = native_call_text(k->key);
	to->error_code = status_code(k->status);
	to->error_message = native_call_message(k->status, k->message);
	if (k->status != STATUS_OK)
		return true;
	to->coordinator = native_call_array(c, 1, sizeof(*to->coordinator));
	if (to->coordinator == NULL)
		return false;
	native_call_fill_hint(&k->coordinator, to->coordinator);
	return true;
}

static void found(struct coordinator_lookup *l)
{
	struct native_find *f = l->arg;
	struct native_call *c = CAST(native_call, f->call);
	Correio__ResponseHeader header;
	Correio__FindCoordinatorsResponse m;
	correio__find_coordinators_response__init(&m);
	m.n_groups = l->key_count;
	m.groups = (Correio__CoordinatorResult **)native_call_list(c, l->key_count, sizeof(**m.groups));
	bool filled = m.groups != NULL;
	for (size_t i = 0; filled && i < l->key_count; i++)
		filled = fill_coordinator(c, &l->keys[i], m.groups[i]);
	if (!filled) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_FIND_COORDINATORS;
	header.find_coordinators = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_find_coordinators(struct native_call *c)
{
	const Correio__FindCoordinatorsRequest *m = c->header->find_coordinators;
	struct native_find *f = native_call_array(c, 1, sizeof(*f));
	struct coordinator_lookup_key *keys = native_call_array(c, m->n_groups, sizeof(*keys));
	if (f == NULL || keys == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < m->n_groups; i++)
		keys[i] = (struct coordinator_lookup_key){.key = m->groups[i], .coordinator = {.broker_id = -1, .leader_epoch = -1}};
	f->call = c;
	f->lookup = (struct coordinator_lookup){
		.service = c->service,
		.arena = &c->request->arena,
		.listener = request_listener(c->request),
		.kind = COORDINATOR_KEY_GROUP,
		.keys = keys,
		.key_count = m->n_groups,
		.done = found,
		.arg = f,
	};
	group_service_find(&f->lookup);
}

/* --- join ------------------------------------------------------------------ */

static const struct group_named_bytes *named_bytes(struct native_call *c, Correio__NamedBytes **from, size_t count)
{
	struct group_named_bytes *list = native_call_array(c, count, sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++)
		list[i] = (struct group_named_bytes){.name = from[i]->name, .bytes = slice_of(from[i]->value.data, from[i]->value.len)};
	return list;
}

static bool fill_members(struct native_call *c, const struct group_request_join *j, Correio__JoinGroupResponse *m)
{
	m->n_members = j->member_count;
	m->members = (Correio__GroupMember **)native_call_list(c, j->member_count, sizeof(**m->members));
	for (size_t i = 0; m->members != NULL && i < j->member_count; i++) {
		correio__group_member__init(m->members[i]);
		m->members[i]->member_id = native_call_text(j->members[i].member_id);
		m->members[i]->instance_id = native_call_text(j->members[i].instance_id);
		m->members[i]->metadata = native_groups_bytes(j->members[i].metadata);
	}
	return m->members != NULL;
}

static void joined(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	const struct group_request_join *j = &r->join;
	Correio__ResponseHeader header;
	Correio__JoinGroupResponse m;
	bool required = r->status == STATUS_MEMBER_ID_REQUIRED;
	if (r->status != STATUS_OK && !required) {
		native_groups_fail(c, r);
		return;
	}
	correio__join_group_response__init(&m);
	m.member_id = native_call_text(j->ret_member_id);
	m.member_id_required = required;
	m.generation = required ? -1 : j->generation;
	m.protocol_type = native_call_text(j->ret_protocol_type);
	m.protocol = native_call_text(j->protocol);
	m.leader = native_call_text(j->leader);
	m.skip_assignment = j->skip_assignment;
	if (!required && !fill_members(c, j, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_JOIN_GROUP;
	header.join_group = &m;
	native_call_answer(c, &header, NULL);
}

static int32_t timeout_of(uint32_t ms)
{
	return ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

void native_handlers_join_group(struct native_call *c)
{
	const Correio__JoinGroupRequest *m = c->header->join_group;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_JOIN, m->group);
	if (g == NULL)
		return;
	g->request.join = (struct group_request_join){
		.member_id = m->member_id,
		.instance_id = native_groups_optional(m->instance_id),
		.client_id = m->client_id,
		.client_host = group_host_of(&c->request->arena, request_peer(c->request)),
		.session_timeout_ms = timeout_of(m->session_timeout_ms),
		.rebalance_timeout_ms = timeout_of(m->rebalance_timeout_ms),
		.protocol_type = m->protocol_type,
		.protocols = named_bytes(c, m->protocols, m->n_protocols),
		.protocol_count = m->n_protocols,
		.must_know_member_id = native_groups_optional(m->instance_id) == NULL,
		.can_skip_assignment = true,
		.reason = native_groups_optional(m->reason),
	};
	if (g->request.join.client_host == NULL || g->request.join.protocols == NULL) {
		native_call_fail_memory(c);
		return;
	}
	/* The message was copied by the decoder; a parked join must not hold the frame. */
	request_release_frame(c->request);
	native_groups_start(g, joined);
}

/* --- sync ------------------------------------------------------------------ */

static void synced(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	Correio__ResponseHeader header;
	Correio__SyncGroupResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__sync_group_response__init(&m);
	m.protocol_type = native_call_text(r->sync.ret_protocol_type);
	m.protocol = native_call_text(r->sync.ret_protocol);
	m.assignment = native_groups_bytes(r->sync.assignment);
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_SYNC_GROUP;
	header.sync_group = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_sync_group(struct native_call *c)
{
	const Correio__SyncGroupRequest *m = c->header->sync_group;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_SYNC, m->group);
	if (g == NULL)
		return;
	g->request.sync = (struct group_request_sync){
		.member_id = m->member_id,
		.instance_id = native_groups_optional(m->instance_id),
		.generation = m->generation,
		.protocol_type = native_groups_optional(m->protocol_type),
		.protocol = native_groups_optional(m->protocol),
		.assignments = named_bytes(c, m->assignments, m->n_assignments),
		.assignment_count = m->n_assignments,
	};
	if (g->request.sync.assignments == NULL) {
		native_call_fail_memory(c);
		return;
	}
	request_release_frame(c->request);
	native_groups_start(g, synced);
}

/* --- heartbeat --------------------------------------------------------------- */

static void beaten(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	Correio__ResponseHeader header;
	Correio__HeartbeatResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__heartbeat_response__init(&m);
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_HEARTBEAT;
	header.heartbeat = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_heartbeat(struct native_call *c)
{
	const Correio__HeartbeatRequest *m = c->header->heartbeat;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_HEARTBEAT, m->group);
	if (g == NULL)
		return;
	g->request.heartbeat = (struct group_request_heartbeat){
		.member_id = m->member_id,
		.instance_id = native_groups_optional(m->instance_id),
		.generation = m->generation,
	};
	native_groups_start(g, beaten);
}

/* --- leave ----------------------------------------------------------------- */

static void left(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	const struct group_request_leave *l = &r->leave;
	Correio__ResponseHeader header;
	Correio__LeaveGroupResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__leave_group_response__init(&m);
	m.n_members = l->member_count;
	m.members = (Correio__LeaverResult **)native_call_list(c, l->member_count, sizeof(**m.members));
	if (m.members == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < l->member_count; i++) {
		correio__leaver_result__init(m.members[i]);
		m.members[i]->member_id = native_call_text(l->members[i].member_id);
		m.members[i]->instance_id = native_call_text(l->members[i].instance_id);
		m.members[i]->error_code = status_code(l->members[i].status);
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_LEAVE_GROUP;
	header.leave_group = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_leave_group(struct native_call *c)
{
	const Correio__LeaveGroupRequest *m = c->header->leave_group;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_LEAVE, m->group);
	if (g == NULL)
		return;
	struct group_request_leave *l = &g->request.leave;
	l->member_count = m->n_members;
	l->members = native_call_array(c, m->n_members, sizeof(*l->members));
	if (l->members == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < m->n_members; i++)
		l->members[i] = (struct group_request_leaver){
			.member_id = m->members[i]->member_id,
			.instance_id = native_groups_optional(m->members[i]->instance_id),
			.reason = native_groups_optional(m->members[i]->reason),
		};
	native_groups_start(g, left);
}
