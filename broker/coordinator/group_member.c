#include "coordinator/group_internal.h"

struct group_member *group_member_find(const struct group *g, struct slice id)
{
	struct group_member *m = NULL;
	if (id.n > 0)
		HASH_FIND(hh, g->members, id.p, (unsigned)id.n, m);
	return m;
}

struct group_member *group_member_find_instance(const struct group *g, struct slice instance_id)
{
	struct group_member *m = NULL;
	if (instance_id.p != NULL)
		HASH_FIND(by_instance, g->by_instance, instance_id.p, (unsigned)instance_id.n, m);
	return m;
}

enum status group_member_check(
	const struct group *g, struct slice id, struct slice instance_id, struct group_member **ret_member)
{
	struct group_member *m = group_member_find(g, id);
	if (instance_id.p != NULL) {
		struct group_member *known = group_member_find_instance(g, instance_id);
		if (known == NULL)
			return STATUS_UNKNOWN_MEMBER_ID;
		if (known != m)
			return STATUS_FENCED_INSTANCE_ID;
	}
	if (m == NULL)
		return STATUS_UNKNOWN_MEMBER_ID;
	*ret_member = m;
	return STATUS_OK;
}

/* --- what it supports ----------------------------------------------------- */

static size_t protocols_size(const struct group_join *join)
{
	size_t n = 0;
	for (size_t i = 0; i < join->protocol_count; i++)
		n += join->protocols[i].name.n + join->protocols[i].metadata.n;
	return n;
}

size_t group_member_join_bytes(const struct group_join *join)
{
	return sizeof(struct group_member) + join->instance_id.n + join->client_id.n + join->client_host.n + protocols_size(join);
}

size_t group_member_bytes(const struct group_member *m)
{
	return sizeof *m + m->id.n + m->instance_id.n + m->client_id.n + m->client_host.n + m->protocol_bytes + m->assignment.n +
		m->next_assignment.n + m->replaced_id.n;
}

static struct slice copy_into(uint8_t *block, size_t *at, struct slice s)
{
	struct slice copy = slice_of(block + *at, s.n);
	if (s.n > 0)
		memcpy(block + *at, s.p, s.n);
	*at += s.n;
	return copy;
}

static void take_protocols(struct group_member *m, const struct group_join *join)
{
	size_t table = join->protocol_count * sizeof(struct group_protocol), at = table;
	expect(join->protocol_count > 0 && join->protocol_count <= GROUP_PROTOCOLS_MAX);
	m->protocol_bytes = protocols_size(join);
	uint8_t *block = check_alloc(table + m->protocol_bytes);
	struct group_protocol *protocols = (struct group_protocol *)(void *)block;
	for (size_t i = 0; i < join->protocol_count; i++) {
		protocols[i].name = copy_into(block, &at, join->protocols[i].name);
		protocols[i].metadata = copy_into(block, &at, join->protocols[i].metadata);
	}
	expect(at == table + m->protocol_bytes);
	free(m->protocols);
	m->protocols = protocols;
	m->protocol_count = join->protocol_count;
}

static void take_terms(struct group_member *m, const struct group_join *join)
{
	take_protocols(m, join);
	m->session_timeout_ms = join->session_timeout_ms;
	m->rebalance_timeout_ms = join->rebalance_timeout_ms > 0 ? join->rebalance_timeout_ms : 0;
}

bool group_member_matches(const struct group_member *m, const struct group_join *join)
{
	if (m->protocol_count != join->protocol_count)
		return false;
	for (size_t i = 0; i < m->protocol_count; i++) {
		if (!slice_equal(m->protocols[i].name, join->protocols[i].name) ||
			!slice_equal(m->protocols[i].metadata, join->protocols[i].metadata))
			return false;
	}
	return true;
}

struct slice group_member_metadata(const struct group *g, const struct group_member *m)
{
	for (size_t i = 0; i < m->protocol_count; i++) {
		if (slice_equal(m->protocols[i].name, g->protocol))
			return m->protocols[i].metadata;
	}
	return slice_of("", 0);
}

/* --- coming, changing, going ---------------------------------------------- */

static void index_by_id(struct group *g, struct group_member *m)
{
	expect(group_member_find(g, m->id) == NULL);
	HASH_ADD_KEYPTR(hh, g->members, m->id.p, (unsigned)m->id.n, m);
}

struct group_member *group_member_add(struct group *g, struct slice id, const struct group_join *join)
{
	struct group_member *m = check_calloc(1, sizeof *m);
	m->id = group_text_copy(id);
	m->instance_id = group_text_copy(join->instance_id);
	m->client_id = group_text_copy(join->client_id);
	m->client_host = group_text_copy(join->client_host);
	take_terms(m, join);
	if (g->members == NULL)
		group_text_set(&g->protocol_type, join->protocol_type);
	index_by_id(g, m);
	if (m->instance_id.p != NULL) {
		expect(group_member_find_instance(g, m->instance_id) == NULL);
		HASH_ADD_KEYPTR(by_instance, g->by_instance, m->instance_id.p, (unsigned)m->instance_id.n, m);
	}
	group_candidates_add(g, m);
	if (g->leader == NULL)
		g->leader = m;
	g->bytes += group_member_bytes(m);
	return m;
}

void group_member_update(struct group *g, struct group_member *m, const struct group_join *join)
{
	g->bytes -= group_member_bytes(m);
	group_candidates_remove(g, m);
	take_terms(m, join);
	group_text_set(&m->client_id, join->client_id);
	group_text_set(&m->client_host, join->client_host);
	group_candidates_add(g, m);
	g->bytes += group_member_bytes(m);
}

void group_member_rename(struct group *g, struct group_member *m, struct slice id)
{
	g->bytes -= group_member_bytes(m);
	HASH_DELETE(hh, g->members, m);
	group_text_free(&m->replaced_id);
	m->replaced_id = m->id;
	m->id = group_text_copy(id);
	index_by_id(g, m);
	g->bytes += group_member_bytes(m);
}

static void free_member(struct group_member *m)
{
	group_text_free(&m->id);
	group_text_free(&m->instance_id);
	group_text_free(&m->client_id);
	group_text_free(&m->client_host);
	group_text_free(&m->assignment);
	group_text_free(&m->next_assignment);
	group_text_free(&m->replaced_id);
	free(m->protocols);
	free(m);
}

void group_member_remove(struct group *g, struct group_member *m)
{
	if (m->joining)
		group_refuse_join(g, group_member_unpark_join(g, m), slice_of("", 0), STATUS_UNKNOWN_MEMBER_ID);
	if (m->syncing) {
		m->syncing = false;
		group_answer_sync(g, m->sync_ticket, &(struct group_sync_answer){.status = STATUS_UNKNOWN_MEMBER_ID});
	}
	group_member_sync_done(g, m);
	group_timer_disarm(g, &m->session);
	group_candidates_remove(g, m);
	g->bytes -= group_member_bytes(m);
	HASH_DELETE(hh, g->members, m);
	if (m->instance_id.p != NULL)
		HASH_DELETE(by_instance, g->by_instance, m);
	if (g->leader == m)
		g->leader = g->members; /* the one that has been here longest */
	free_member(m);
	expect(g->members != NULL || (g->bytes == 0 && g->candidates == NULL && g->joining_count == 0));
}

void group_member_free_all(struct group *g)
{
	while (g->members != NULL) {
		expect(!g->members->joining && !g->members->syncing);
		group_member_remove(g, g->members);
	}
}

/* --- what it waits for ---------------------------------------------------- */

void group_member_assign(struct group *g, struct slice *which, struct slice assignment)
{
	g->bytes -= which->n;
	group_text_set(which, assignment);
	g->bytes += which->n;
}

void group_member_assign_next(struct group *g, struct group_member *m)
{
	g->bytes -= m->assignment.n;
	group_text_free(&m->assignment);
	m->assignment = m->next_assignment;
	m->next_assignment = (struct slice){0};
}

void group_member_park_join(struct group *g, struct group_member *m, void *ticket)
{
	/* The request before this one: its sender no longer waits for it, or it would not ask again. */
	if (m->joining)
		group_refuse_join(g, group_member_unpark_join(g, m), m->id, STATUS_REBALANCE_IN_PROGRESS);
	m->joining = true;
	m->join_ticket = ticket;
	g->joining_count++;
	expect(g->joining_count <= HASH_COUNT(g->members));
}

void *group_member_unpark_join(struct group *g, struct group_member *m)
{
	expect(m->joining && g->joining_count > 0);
	m->joining = false;
	m->replacement = GROUP_REPLACEMENT_NONE;
	g->joining_count--;
	return m->join_ticket;
}

void group_member_sync_done(struct group *g, struct group_member *m)
{
	if (!m->sync_owed)
		return;
	m->sync_owed = false;
	expect(g->sync_owed_count > 0);
	if (--g->sync_owed_count == 0)
		g->sync_deadline_ms = GROUP_NEVER_MS;
}

void group_member_session_restart(struct group *g, struct group_member *m, int64_t now_ms)
{
	int32_t timeout_ms = m->is_new && m->joining ? GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS : m->session_timeout_ms;
	group_timer_arm(g, &m->session, now_ms + timeout_ms);
}
