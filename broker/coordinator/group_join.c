/* JoinGroup. Kafka: handleJoinGroup and what it calls. */
#include "base/diag.h"
#include "coordinator/group_internal.h"

enum { UUID_JAVA_TEXT_SIZE = 37 };

/* "d9428888-122b-11e1-b85c-61cd3cbb3210" */
static void format_uuid(const struct uuid *u, char out[UUID_JAVA_TEXT_SIZE])
{
	const uint8_t *b = u->b;
	snprintf(out, UUID_JAVA_TEXT_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* <instance or client id>-<uuid>, owned by the caller: group_text_free(). */
static struct slice make_member_id(struct group *g, const struct group_join *join)
{
	struct slice base = join->instance_id.p != NULL ? join->instance_id : join->client_id;
	size_t room = GROUP_NAME_BYTES_MAX - UUID_JAVA_TEXT_SIZE;
	struct uuid uuid;
	char text[UUID_JAVA_TEXT_SIZE];
	random_uuid(g->owner.random, &uuid);
	format_uuid(&uuid, text);
	size_t n = base.n < room ? base.n : room;
	uint8_t *id = check_alloc(n + sizeof text);
	if (n > 0)
		memcpy(id, base.p, n);
	id[n] = '-';
	memcpy(id + n + 1, text, sizeof text - 1);
	return slice_of(id, n + sizeof text);
}

/* --- what is asked -------------------------------------------------------- */

static bool too_long(struct slice name)
{
	return name.n > GROUP_NAME_BYTES_MAX;
}

/* What does not depend on the group's state. */
static enum status check_request(const struct group *g, const struct group_join *join)
{
	const struct group_settings *s = g->owner.settings;
	if (too_long(join->member_id) || too_long(join->instance_id) || too_long(join->client_id) ||
		too_long(join->client_host) || too_long(join->protocol_type))
		return STATUS_INVALID_REQUEST;
	if (join->protocol_count > GROUP_PROTOCOLS_MAX || group_member_join_bytes(join) > GROUP_MEMBER_BYTES_MAX)
		return STATUS_INVALID_REQUEST;
	for (size_t i = 0; i < join->protocol_count; i++) {
		if (too_long(join->protocols[i].name))
			return STATUS_INVALID_REQUEST;
	}
	if (join->session_timeout_ms < s->session_timeout_min_ms || join->session_timeout_ms > s->session_timeout_max_ms)
		return STATUS_INVALID_SESSION_TIMEOUT;
	return STATUS_OK;
}

/* Leaves each protocol's first mention: a client that names one twice has one. */
static void drop_repeated(struct group_join *join, struct group_protocol kept[GROUP_PROTOCOLS_MAX])
{
	size_t count = 0;
	expect(join->protocol_count <= GROUP_PROTOCOLS_MAX);
	for (size_t i = 0; i < join->protocol_count; i++) {
		size_t j = 0;
		while (j < count && !slice_equal(kept[j].name, join->protocols[i].name))
			j++;
		if (j == count)
			kept[count++] = join->protocols[i];
	}
	join->protocols = kept;
	join->protocol_count = count;
}

/* While a round is on, places go to those who joined it: an oversized group (the limit was lowered) sheds who comes last.
 * Kafka: acceptJoiningMember. */
static bool has_room(const struct group *g, const struct group_member *m)
{
	size_t size_max = g->owner.settings->size_max > 0 ? (size_t)g->owner.settings->size_max : 0;
	switch (g->state) {
	case GROUP_EMPTY:
	case GROUP_DEAD:
		return true;
	case GROUP_PREPARING_REBALANCE:
		return (m != NULL && m->joining) || g->joining_count < size_max;
	case GROUP_COMPLETING_REBALANCE:
	case GROUP_STABLE:
		return m != NULL || HASH_COUNT(g->members) < size_max;
	case GROUP_STATE_COUNT:
		break;
	}
	unreachable("a group in no state");
}

static bool has_memory(const struct group *g, const struct group_join *join)
{
	return g->bytes + GROUP_NAME_BYTES_MAX + group_member_join_bytes(join) <= GROUP_BYTES_MAX;
}

static void refuse(struct group *g, const struct group_join *join, enum status status)
{
	group_refuse_join(g, join->ticket, join->member_id, status);
}

/* --- a new member --------------------------------------------------------- */

static void add_member(struct group *g, struct slice id, const struct group_join *join, int64_t now_ms)
{
	/* Kafka prolongs the delay of a brand-new group only: one that was emptied and filled again starts sooner. */
	if (g->state == GROUP_PREPARING_REBALANCE && g->generation == 0)
		g->member_added = true;
	struct group_member *m = group_member_add(g, id, join);
	m->is_new = true;
	group_member_park_join(g, m, join->ticket);
	group_member_session_restart(g, m, now_ms);
	group_rebalance_begin(g, "a member joins", now_ms);
}

/* The process behind the instance id has restarted: same member, new id; the old id is fenced from here on. */
static void replace_static(struct group *g, struct group_member *m, const struct group_join *join, int64_t now_ms)
{
	if (m->joining)
		group_refuse_join(g, group_member_unpark_join(g, m), m->id, STATUS_FENCED_INSTANCE_ID);
	if (m->syncing) {
		m->syncing = false;
		group_answer_sync(g, m->sync_ticket, &(struct group_sync_answer){.status = STATUS_FENCED_INSTANCE_ID});
	}
	group_member_sync_done(g, m);
	struct slice id = make_member_id(g, join);
	group_member_rename(g, m, id);
	group_text_free(&id);
	group_member_update(g, m, join);
	group_member_park_join(g, m, join->ticket);
	group_member_session_restart(g, m, now_ms);
	m->skip_assignment = join->skip_assignment;
	if (g->state == GROUP_STABLE && slice_equal(g->protocol, group_candidates_select(g))) {
		m->replacement = GROUP_REPLACEMENT_WANTED;
		g->persist_wanted = GROUP_PERSIST_REPLACED;
		return;
	}
	/* The assignments being computed are for the old id. */
	group_rebalance_begin(g, "a static member returns", now_ms);
}

static void join_new(struct group *g, const struct group_join *join, int64_t now_ms)
{
	struct group_member *known = group_member_find_instance(g, join->instance_id);
	if (known != NULL) {
		replace_static(g, known, join, now_ms);
		return;
	}
	struct slice id = make_member_id(g, join);
	if (join->instance_id.p == NULL && join->require_known_member_id) {
		group_pending_add(g, id, now_ms + join->session_timeout_ms);
		group_refuse_join(g, join->ticket, id, STATUS_MEMBER_ID_REQUIRED);
	} else {
		add_member(g, id, join, now_ms);
	}
	group_text_free(&id);
}

/* --- a known one ---------------------------------------------------------- */

static void rejoin(
	struct group *g, struct group_member *m, const struct group_join *join, const char *why, int64_t now_ms)
{
	group_member_update(g, m, join);
	group_member_park_join(g, m, join->ticket);
	group_member_session_restart(g, m, now_ms);
	group_rebalance_begin(g, why, now_ms);
}

/* The answer of the generation it is in: it may have missed it. */
static void answer_again(
	struct group *g, struct group_member *m, const struct group_join *join, bool with_members, int64_t now_ms)
{
	struct group_join_answer answer;
	group_member_session_restart(g, m, now_ms);
	group_rebalance_answer(g, m, with_members, &answer);
	group_answer_join(g, join->ticket, &answer);
	free((void *)(uintptr_t)answer.members);
}

static void join_member(struct group *g, struct group_member *m, const struct group_join *join, int64_t now_ms)
{
	bool same = group_member_matches(m, join), leads = m == g->leader;
	switch (g->state) {
	case GROUP_PREPARING_REBALANCE:
		rejoin(g, m, join, "", now_ms);
		return;
	case GROUP_COMPLETING_REBALANCE:
		if (same)
			answer_again(g, m, join, leads, now_ms);
		else
			rejoin(g, m, join, "a member changed its metadata", now_ms);
		return;
	case GROUP_STABLE:
		/* The leader asks for a new assignment by joining: topics may have changed, its metadata need not. */
		if (same && !leads)
			answer_again(g, m, join, false, now_ms);
		else
			rejoin(g, m, join, leads ? "the leader joins again" : "a member changed its metadata", now_ms);
		return;
	case GROUP_EMPTY:
	case GROUP_DEAD:
	case GROUP_STATE_COUNT:
		break;
	}
	unreachable("a member of a group that has none");
}

static void join_known(struct group *g, const struct group_join *join, int64_t now_ms)
{
	struct group_pending_id *pending = group_pending_find(g, join->member_id);
	if (pending != NULL) {
		if (join->instance_id.p != NULL) { /* such ids are given to dynamic members only */
			refuse(g, join, STATUS_UNKNOWN_MEMBER_ID);
			return;
		}
		group_pending_remove(g, pending);
		add_member(g, join->member_id, join, now_ms);
		return;
	}
	struct group_member *m = NULL;
	enum status s = group_member_check(g, join->member_id, join->instance_id, &m);
	if (s != STATUS_OK)
		refuse(g, join, s);
	else
		join_member(g, m, join, now_ms);
}

/* --- */

static void join_admitted(struct group *g, const struct group_join *join, int64_t now_ms)
{
	/* A static member that has restarted comes without its id, and has its place. */
	struct group_member *m = join->member_id.n > 0 ? group_member_find(g, join->member_id)
						       : group_member_find_instance(g, join->instance_id);
	struct group_pending_id *pending = group_pending_find(g, join->member_id);
	if (!has_room(g, m) || !has_memory(g, join)) {
		if (m != NULL)
			group_member_remove(g, m);
		if (pending != NULL)
			group_pending_remove(g, pending);
		group_refuse_join(g, join->ticket, slice_of("", 0), STATUS_GROUP_MAX_SIZE_REACHED);
	} else if (g->state == GROUP_DEAD) {
		refuse(g, join, STATUS_COORDINATOR_NOT_AVAILABLE);
	} else if (!group_candidates_support(g, join)) {
		refuse(g, join, STATUS_INCONSISTENT_GROUP_PROTOCOL);
	} else if (join->member_id.n == 0) {
		join_new(g, join, now_ms);
	} else {
		join_known(g, join, now_ms);
	}
}

void group_join(struct group *g, const struct group_join *join, int64_t now_ms)
{
	group_enter(g);
	enum status s = check_request(g, join);
	if (s != STATUS_OK) {
		refuse(g, join, s);
	} else {
		struct group_protocol kept[GROUP_PROTOCOLS_MAX];
		struct group_join once = *join;
		drop_repeated(&once, kept);
		join_admitted(g, &once, now_ms);
	}
	group_settle(g, now_ms);
}
