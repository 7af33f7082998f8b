/* What the group machine lends for a call is copied into the request's arena: the answer is read on another loop, later. */
#include "coordinator/group_coordinator_internal.h"

bool group_coordinator_text(struct arena *a, struct slice s, const char **ret_text)
{
	*ret_text = s.p == NULL ? NULL : arena_strdup(a, s);
	return s.p == NULL || *ret_text != NULL;
}

bool group_coordinator_bytes(struct arena *a, struct slice s, struct slice *ret_copy)
{
	*ret_copy = slice_of(NULL, 0);
	if (s.n == 0)
		return true;
	uint8_t *copy = arena_alloc(a, s.n);
	if (copy == NULL)
		return false;
	memcpy(copy, s.p, s.n);
	*ret_copy = slice_of(copy, s.n);
	return true;
}

static bool copy_join_members(struct group_request *r, const struct group_join_answer *answer)
{
	struct group_request_member *members = arena_calloc(r->arena, answer->member_count + 1, sizeof(*members));
	for (size_t i = 0; members != NULL && i < answer->member_count; i++) {
		const struct group_join_member *from = &answer->members[i];
		if (!group_coordinator_text(r->arena, from->member_id, &members[i].member_id) ||
			!group_coordinator_text(r->arena, from->instance_id, &members[i].instance_id) ||
			!group_coordinator_bytes(r->arena, from->metadata, &members[i].metadata))
			return false;
	}
	r->join.members = members;
	r->join.member_count = members == NULL ? 0 : answer->member_count;
	return members != NULL;
}

bool group_coordinator_answer_join(struct group_request *r, const struct group_join_answer *answer)
{
	struct group_request_join *j = &r->join;
	expect(r->kind == GROUP_REQUEST_JOIN);
	j->generation = answer->generation;
	j->skip_assignment = answer->skip_assignment;
	return group_coordinator_text(r->arena, answer->protocol_type, &j->ret_protocol_type) &&
		group_coordinator_text(r->arena, answer->protocol, &j->protocol) &&
		group_coordinator_text(r->arena, answer->leader, &j->leader) &&
		group_coordinator_text(r->arena, answer->member_id, &j->ret_member_id) && copy_join_members(r, answer);
}

bool group_coordinator_answer_sync(struct group_request *r, const struct group_sync_answer *answer)
{
	struct group_request_sync *s = &r->sync;
	expect(r->kind == GROUP_REQUEST_SYNC);
	return group_coordinator_text(r->arena, answer->protocol_type, &s->ret_protocol_type) &&
		group_coordinator_text(r->arena, answer->protocol, &s->ret_protocol) &&
		group_coordinator_bytes(r->arena, answer->assignment, &s->assignment);
}

/* "" for none. */
static bool text_not_null(struct arena *a, struct slice s, const char **ret_text)
{
	*ret_text = arena_strdup(a, s);
	return *ret_text != NULL;
}

bool group_coordinator_answer_describe(struct group_request *r, const struct group_description *d)
{
	struct group_request_describe *to = &r->describe;
	struct group_request_member *members = arena_calloc(r->arena, d->member_count + 1, sizeof(*members));
	expect(r->kind == GROUP_REQUEST_DESCRIBE);
	to->state = group_state_name(d->state);
	if (members == NULL || !text_not_null(r->arena, d->protocol_type, &to->protocol_type) ||
		!text_not_null(r->arena, d->protocol, &to->protocol))
		return false;
	for (size_t i = 0; i < d->member_count; i++) {
		const struct group_description_member *from = &d->members[i];
		if (!group_coordinator_text(r->arena, from->member_id, &members[i].member_id) ||
			!group_coordinator_text(r->arena, from->instance_id, &members[i].instance_id) ||
			!group_coordinator_text(r->arena, from->client_id, &members[i].client_id) ||
			!group_coordinator_text(r->arena, from->client_host, &members[i].client_host) ||
			!group_coordinator_bytes(r->arena, from->metadata, &members[i].metadata) ||
			!group_coordinator_bytes(r->arena, from->assignment, &members[i].assignment))
			return false;
	}
	to->members = members;
	to->member_count = d->member_count;
	return true;
}
