/* DescribeGroups, ListGroups, DeleteGroups. */
#include "native/native_groups.h"
#include "native/native_handlers.h"

enum { MIB = 1024 * 1024, DESCRIBE_BUDGET = 128 * MIB, DELETE_BUDGET = 4 * MIB };

/* --- describe --------------------------------------------------------------- */

static bool fill_description(struct native_call *c, const struct group_request *r, Correio__GroupDescription *g)
{
	const struct group_request_describe *d = &r->describe;
	correio__group_description__init(g);
	g->group = native_call_text(r->group_id);
	g->error_code = status_code(r->status);
	g->error_message = native_call_message(r->status, r->message);
	if (r->status != STATUS_OK)
		return true;
	g->state = native_call_text(d->state);
	g->protocol_type = native_call_text(d->protocol_type);
	g->protocol = native_call_text(d->protocol);
	g->n_members = d->member_count;
	g->members = (Correio__GroupMember **)native_call_list(c, d->member_count, sizeof(**g->members));
	for (size_t i = 0; g->members != NULL && i < d->member_count; i++) {
		const struct group_request_member *from = &d->members[i];
		Correio__GroupMember *to = g->members[i];
		correio__group_member__init(to);
		to->member_id = native_call_text(from->member_id);
		to->instance_id = native_call_text(from->instance_id);
		to->client_id = native_call_text(from->client_id);
		to->client_host = native_call_text(from->client_host);
		to->metadata = native_groups_bytes(from->metadata);
		to->assignment = native_groups_bytes(from->assignment);
	}
	return g->members != NULL;
}

static void described(struct group_fan *f)
{
	struct native_call *c = CAST(native_call, f->arg);
	Correio__ResponseHeader header;
	Correio__DescribeGroupsResponse m;
	correio__describe_groups_response__init(&m);
	m.n_groups = f->count;
	m.groups = (Correio__GroupDescription **)native_call_list(c, f->count, sizeof(**m.groups));
	bool filled = m.groups != NULL;
	for (size_t i = 0; filled && i < f->count; i++)
		filled = fill_description(c, &f->parts[i].request, m.groups[i]);
	if (!filled) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_GROUPS;
	header.describe_groups = &m;
	native_call_answer(c, &header, NULL);
}

/* Parts that ask the same of each group. NULL: the call has failed. */
static struct group_fan *fan_of(struct native_call *c, char *const *groups, size_t count, enum group_request_kind kind)
{
	struct group_fan *f = native_groups_fan(c, count, kind == GROUP_REQUEST_DELETE ? DELETE_BUDGET : DESCRIBE_BUDGET);
	for (size_t i = 0; f != NULL && i < count; i++) {
		f->parts[i].request.kind = kind;
		f->parts[i].request.group_id = groups[i];
	}
	return f;
}

void native_handlers_describe_groups(struct native_call *c)
{
	const Correio__DescribeGroupsRequest *m = c->header->describe_groups;
	struct group_fan *f = fan_of(c, m->groups, m->n_groups, GROUP_REQUEST_DESCRIBE);
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++)
		f->parts[i].request.describe.any_type = true;
	f->done = described;
	group_fan_start(f);
}

/* --- list ------------------------------------------------------------------ */

struct native_list {
	struct native_call *call;
	struct group_service_list list;
};

static void listed(struct group_service_list *l)
{
	struct native_list *n = l->arg;
	struct native_call *c = CAST(native_call, n->call);
	Correio__ResponseHeader header;
	Correio__ListGroupsResponse m;
	if (l->list.status != STATUS_OK) {
		native_call_fail(c, l->list.status, "ListGroups: %s", status_text(l->list.status));
		return;
	}
	correio__list_groups_response__init(&m);
	m.n_groups = l->list.group_count;
	m.groups = (Correio__ListedGroup **)native_call_list(c, m.n_groups, sizeof(**m.groups));
	if (m.groups == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < m.n_groups; i++) {
		const struct group_list_entry *from = &l->list.groups[i];
		correio__listed_group__init(m.groups[i]);
		m.groups[i]->group = native_call_text(from->group_id);
		m.groups[i]->protocol_type = native_call_text(from->protocol_type);
		m.groups[i]->state = native_call_text(from->state);
		m.groups[i]->type = native_call_text(from->type);
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_LIST_GROUPS;
	header.list_groups = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_list_groups(struct native_call *c)
{
	const Correio__ListGroupsRequest *m = c->header->list_groups;
	struct native_list *n = native_call_array(c, 1, sizeof(*n));
	if (n == NULL) {
		native_call_fail_memory(c);
		return;
	}
	n->call = c;
	n->list = (struct group_service_list){
		.service = c->service,
		.list = {
			.arena = &c->request->arena,
			.states = (const char *const *)m->states,
			.state_count = m->n_states,
			.types = (const char *const *)m->types,
			.type_count = m->n_types,
		},
		.done = listed,
		.arg = n,
	};
	group_service_list(&n->list);
}

/* --- delete ---------------------------------------------------------------- */

static void deleted(struct group_fan *f)
{
	struct native_call *c = CAST(native_call, f->arg);
	Correio__ResponseHeader header;
	Correio__DeleteGroupsResponse m;
	correio__delete_groups_response__init(&m);
	m.n_groups = f->count;
	m.groups = (Correio__GroupResult **)native_call_list(c, f->count, sizeof(**m.groups));
	if (m.groups == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct group_request *r = &f->parts[i].request;
		correio__group_result__init(m.groups[i]);
		m.groups[i]->group = native_call_text(r->group_id);
		m.groups[i]->error_code = status_code(r->status);
		m.groups[i]->error_message = native_call_message(r->status, r->message);
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_GROUPS;
	header.delete_groups = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_delete_groups(struct native_call *c)
{
	const Correio__DeleteGroupsRequest *m = c->header->delete_groups;
	struct group_fan *f = fan_of(c, m->groups, m->n_groups, GROUP_REQUEST_DELETE);
	if (f == NULL)
		return;
	f->done = deleted;
	group_fan_start(f);
}
