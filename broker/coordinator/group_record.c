/* The group as others see it: the record of `__consumer_offsets`, DescribeGroups, subscriptions. */
#include "base/diag.h"
#include "coordinator/group_internal.h"

/* --- the record ----------------------------------------------------------- */

void group_export(const struct group *g, struct group_record *ret_record)
{
	CHECK_MAGIC(group, g);
	expect(g->state != GROUP_DEAD);
	size_t count = 0;
	bool assigned = g->state == GROUP_COMPLETING_REBALANCE && g->assignments_received;
	struct group_record_member *members = check_calloc(HASH_COUNT(g->members) + 1, sizeof(*members));
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		members[count++] = (struct group_record_member){
			.member_id = m->id,
			.instance_id = m->instance_id,
			.client_id = m->client_id,
			.client_host = m->client_host,
			.rebalance_timeout_ms = m->rebalance_timeout_ms,
			.session_timeout_ms = m->session_timeout_ms,
			.subscription = group_member_metadata(g, m),
			.assignment = assigned ? m->next_assignment : m->assignment,
		};
	}
	expect(count == 0 || g->protocol.p != NULL);
	*ret_record = (struct group_record){
		.protocol_type = g->protocol_type.p == NULL ? slice_of("", 0) : g->protocol_type,
		.generation = g->generation,
		.protocol = g->protocol,
		.leader = g->leader == NULL ? (struct slice){0} : g->leader->id,
		.current_state_timestamp_ms = g->state_since_ms,
		.members = members,
		.member_count = count,
	};
}

static enum status check_record(const struct group_record *r)
{
	if (r->generation < 0)
		return STATUS_CORRUPT;
	if (r->member_count > 0 && (r->protocol.p == NULL || r->protocol_type.n == 0))
		return STATUS_CORRUPT;
	return STATUS_OK;
}

static enum status import_member(
	struct group *g, const struct group_record *r, const struct group_record_member *from, int64_t now_ms)
{
	struct group_protocol protocol = {.name = r->protocol, .metadata = from->subscription};
	struct group_join join = {
		.instance_id = from->instance_id,
		.client_id = from->client_id,
		.client_host = from->client_host,
		.protocol_type = r->protocol_type,
		.protocols = &protocol,
		.protocol_count = 1,
		.session_timeout_ms = from->session_timeout_ms > 0 ? from->session_timeout_ms : 0,
		.rebalance_timeout_ms = from->rebalance_timeout_ms,
	};
	if (from->member_id.n == 0 || group_member_find(g, from->member_id) != NULL ||
		group_member_find_instance(g, from->instance_id) != NULL)
		return STATUS_CORRUPT;
	struct group_member *m = group_member_add(g, from->member_id, &join);
	group_member_assign(g, &m->assignment, from->assignment);
	group_member_session_restart(g, m, now_ms);
	return STATUS_OK;
}

static void forget_imported(struct group *g)
{
	group_member_free_all(g);
	group_text_free(&g->protocol_type);
	group_text_free(&g->protocol);
	g->generation = 0;
}

enum status group_import(struct group *g, const struct group_record *record, int64_t now_ms)
{
	group_enter(g);
	expect(g->state == GROUP_EMPTY && g->members == NULL && g->generation == 0);
	TRY(check_record(record));
	g->generation = record->generation;
	if (record->protocol_type.n > 0)
		group_text_set(&g->protocol_type, record->protocol_type);
	if (record->member_count > 0)
		group_text_set(&g->protocol, record->protocol);
	for (size_t i = 0; i < record->member_count; i++) {
		enum status s = import_member(g, record, &record->members[i], now_ms);
		if (s != STATUS_OK) {
			forget_imported(g);
			return s;
		}
	}
	struct group_member *leader = group_member_find(g, record->leader);
	if (leader != NULL)
		g->leader = leader;
	g->state = g->members == NULL ? GROUP_EMPTY : GROUP_STABLE;
	g->state_since_ms = record->current_state_timestamp_ms;
	/* The limit was lowered since: a round in which the last to come are shed. */
	if (g->owner.settings->size_max > 0 && HASH_COUNT(g->members) > (size_t)g->owner.settings->size_max)
		group_rebalance_begin(g, "a loaded group is larger than group.max.size", now_ms);
	return STATUS_OK;
}

/* --- questions ------------------------------------------------------------ */

void group_describe(const struct group *g, struct group_description *ret_description)
{
	CHECK_MAGIC(group, g);
	size_t count = 0;
	bool stable = g->state == GROUP_STABLE;
	struct slice nothing = slice_of("", 0);
	struct group_description_member *members = check_calloc(HASH_COUNT(g->members) + 1, sizeof(*members));
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		members[count++] = (struct group_description_member){
			.member_id = m->id,
			.instance_id = m->instance_id,
			.client_id = m->client_id,
			.client_host = m->client_host,
			.metadata = stable ? group_member_metadata(g, m) : nothing,
			.assignment = stable ? m->assignment : nothing,
		};
	}
	*ret_description = (struct group_description){
		.state = g->state,
		.protocol_type = g->protocol_type.p == NULL ? nothing : g->protocol_type,
		.protocol = stable ? g->protocol : nothing,
		.members = members,
		.member_count = count,
	};
}

enum subscription { SUBSCRIBED, NOT_SUBSCRIBED, UNREADABLE };

/* Version, then the topics: the beginning of every version of the consumer protocol. */
static enum subscription subscription_of(struct slice metadata, struct slice topic)
{
	struct byte_reader r;
	bool found = false;
	byte_reader_init(&r, metadata);
	(void)byte_reader_i16(&r);
	int32_t count = byte_reader_i32(&r);
	for (int32_t i = 0; i < count && r.status == STATUS_OK; i++) {
		int16_t n = byte_reader_i16(&r);
		if (n < 0)
			return UNREADABLE;
		found |= slice_equal(byte_reader_bytes(&r, (size_t)n), topic) && r.status == STATUS_OK;
	}
	if (r.status != STATUS_OK || count < 0)
		return UNREADABLE;
	return found ? SUBSCRIBED : NOT_SUBSCRIBED;
}

bool group_subscribes(const struct group *g, struct slice topic)
{
	CHECK_MAGIC(group, g);
	if (g->members == NULL)
		return false;
	if (!slice_equal(g->protocol_type, slice_of_str("consumer")) || g->protocol.p == NULL)
		return true;
	for (const struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (subscription_of(group_member_metadata(g, m), topic) != NOT_SUBSCRIBED)
			return true;
	}
	return false;
}

bool group_in_use(const struct group *g)
{
	CHECK_MAGIC(group, g);
	if (g->state == GROUP_DEAD)
		return false;
	return g->state != GROUP_EMPTY || g->pending_ids != NULL || g->persist_running != GROUP_PERSIST_NONE ||
		g->persist_wanted != GROUP_PERSIST_NONE;
}

enum group_state group_state(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->state;
}

struct slice group_id(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->id;
}

struct slice group_protocol_type(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->protocol_type;
}

struct slice group_protocol(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->protocol;
}

int32_t group_generation(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->generation;
}

int64_t group_state_since(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->state_since_ms;
}

size_t group_member_count(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return HASH_COUNT(g->members);
}

struct group_counts group_counts(const struct group *g)
{
	CHECK_MAGIC(group, g);
	return g->counts;
}
