/* SyncGroup, and the record between the leader's assignments and everybody's answers. Kafka: doSyncGroup, storeGroup. */
#include "base/diag.h"
#include "coordinator/group_internal.h"

static void refuse(struct group *g, void *ticket, enum status status)
{
	group_answer_sync(g, ticket, &(struct group_sync_answer){.status = status});
}

static struct group_sync_answer answer_of(const struct group *g, const struct group_member *m)
{
	return (struct group_sync_answer){
		.status = STATUS_OK,
		.protocol_type = g->protocol_type,
		.protocol = g->protocol,
		.assignment = m->assignment,
	};
}

void group_sync_answer_all(struct group *g, enum status status, int64_t now_ms)
{
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (status != STATUS_OK) {
			group_member_assign(g, &m->assignment, slice_of("", 0));
			group_member_assign(g, &m->next_assignment, slice_of("", 0));
		}
		if (!m->syncing)
			continue;
		struct group_sync_answer answer = {.status = status};
		if (status == STATUS_OK)
			answer = answer_of(g, m);
		m->syncing = false;
		group_answer_sync(g, m->sync_ticket, &answer);
		/* While it was parked its session did not run. */
		group_member_session_restart(g, m, now_ms);
	}
}

/* --- the request ---------------------------------------------------------- */

static bool differs(struct slice given, struct slice ours)
{
	return given.p != NULL && (ours.p == NULL || !slice_equal(given, ours));
}

static enum status check_request(const struct group *g, const struct group_sync *sync, struct group_member **ret_member)
{
	if (g->state == GROUP_DEAD)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	struct group_member *m = NULL;
	TRY(group_member_check(g, sync->member_id, sync->instance_id, &m));
	if (sync->generation != g->generation)
		return STATUS_ILLEGAL_GENERATION;
	if (differs(sync->protocol_type, g->protocol_type) || differs(sync->protocol, g->protocol))
		return STATUS_INCONSISTENT_GROUP_PROTOCOL;
	if (g->state == GROUP_PREPARING_REBALANCE)
		return STATUS_REBALANCE_IN_PROGRESS;
	size_t bytes = 0;
	for (size_t i = 0; i < sync->assignment_count; i++) {
		if (sync->assignments[i].assignment.n > GROUP_ASSIGNMENT_BYTES_MAX)
			return STATUS_INVALID_REQUEST;
		bytes += sync->assignments[i].assignment.n;
	}
	if (m == g->leader && g->bytes + bytes > GROUP_BYTES_MAX)
		return STATUS_INVALID_REQUEST;
	*ret_member = m;
	return STATUS_OK;
}

/* Members the leader forgot get nothing; whom it invented are ignored. */
static void take_assignments(struct group *g, const struct group_sync *sync)
{
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next)
		group_member_assign(g, &m->next_assignment, slice_of("", 0));
	for (size_t i = 0; i < sync->assignment_count; i++) {
		struct group_member *m = group_member_find(g, sync->assignments[i].member_id);
		if (m != NULL)
			group_member_assign(g, &m->next_assignment, sync->assignments[i].assignment);
	}
	g->assignments_received = true;
	g->persist_wanted = GROUP_PERSIST_ASSIGNMENTS;
}

static void park(struct group *g, struct group_member *m, const struct group_sync *sync)
{
	if (m->syncing)
		refuse(g, m->sync_ticket, STATUS_REBALANCE_IN_PROGRESS); /* asked again: nobody waits for that one */
	m->syncing = true;
	m->sync_ticket = sync->ticket;
	/* A leader that asks again while its first assignments are being written is answered by those. */
	if (m == g->leader && !g->assignments_received)
		take_assignments(g, sync);
}

void group_sync(struct group *g, const struct group_sync *sync, int64_t now_ms)
{
	group_enter(g);
	struct group_member *m = NULL;
	enum status s = check_request(g, sync, &m);
	if (s != STATUS_OK) {
		refuse(g, sync->ticket, s);
	} else {
		group_member_sync_done(g, m);
		group_member_session_restart(g, m, now_ms);
		if (g->state == GROUP_COMPLETING_REBALANCE) {
			park(g, m, sync);
		} else {
			expect(g->state == GROUP_STABLE);
			struct group_sync_answer answer = answer_of(g, m);
			group_answer_sync(g, sync->ticket, &answer);
		}
	}
	group_settle(g, now_ms);
}

/* Members that got their generation and never came for their part of it. Kafka: onExpirePendingSync. */
void group_sync_deadline(struct group *g, int64_t now_ms)
{
	expect(g->sync_owed_count > 0 && (g->state == GROUP_COMPLETING_REBALANCE || g->state == GROUP_STABLE));
	struct group_member *m, *next;
	HASH_ITER(hh, g->members, m, next) {
		if (m->sync_owed) {
			g->counts.members_expired++;
			group_member_remove(g, m);
		}
	}
	group_rebalance_begin(g, "members did not sync", now_ms);
}

/* --- the record ----------------------------------------------------------- */

void group_sync_persist_start(struct group *g)
{
	expect(g->persist_running == GROUP_PERSIST_NONE && g->persist_wanted != GROUP_PERSIST_NONE);
	g->persist_running = g->persist_wanted;
	g->persist_wanted = GROUP_PERSIST_NONE;
	g->persist_generation = g->generation;
	if (g->persist_running != GROUP_PERSIST_REPLACED)
		return;
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (m->replacement == GROUP_REPLACEMENT_WANTED)
			m->replacement = GROUP_REPLACEMENT_WRITING;
	}
}

/* What an append's failure is to a member. Kafka: GroupMetadataManager.storeGroup. */
static enum status error_of_append(enum status s)
{
	int16_t code = status_code(s);
	if (code == status_code(STATUS_UNKNOWN_TOPIC_OR_PARTITION) || code == status_code(STATUS_NOT_ENOUGH_REPLICAS) ||
		code == status_code(STATUS_NOT_ENOUGH_REPLICAS_AFTER_APPEND))
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	if (code == status_code(STATUS_NOT_LEADER_OR_FOLLOWER) || code == status_code(STATUS_KAFKA_STORAGE_ERROR))
		return STATUS_NOT_COORDINATOR;
	if (code == status_code(STATUS_REQUEST_TIMED_OUT))
		return STATUS_REBALANCE_IN_PROGRESS;
	if (code == status_code(STATUS_MESSAGE_TOO_LARGE) || code == status_code(STATUS_RECORD_LIST_TOO_LARGE))
		return STATUS_UNKNOWN_SERVER_ERROR;
	return s;
}

static void assignments_persisted(struct group *g, enum status status, int64_t now_ms)
{
	/* Somebody joined or left meanwhile: that round is over, its syncs have been answered. */
	if (g->state != GROUP_COMPLETING_REBALANCE || g->generation != g->persist_generation)
		return;
	if (status != STATUS_OK) {
		group_sync_answer_all(g, error_of_append(status), now_ms);
		group_rebalance_begin(g, "the group's record could not be written", now_ms);
		return;
	}
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next)
		group_member_assign_next(g, m);
	group_move(g, GROUP_STABLE, now_ms);
	group_sync_answer_all(g, STATUS_OK, now_ms);
}

/* The new id is known to the log, so a coordinator that takes over knows it too. Version 9 tells a returned leader that it
 * leads but need not assign; older ones must not think they lead, or their assignment would be computed for nothing. */
static void answer_replaced(struct group *g, struct group_member *m, enum status status, int64_t now_ms)
{
	void *ticket = group_member_unpark_join(g, m);
	group_member_session_restart(g, m, now_ms);
	if (status != STATUS_OK) {
		/* The old id stays fenced: its process is gone, and this one will ask again for an id. */
		group_refuse_join(g, ticket, slice_of("", 0), error_of_append(status));
		return;
	}
	bool leads = m == g->leader;
	struct group_join_answer answer;
	group_rebalance_answer(g, m, leads && m->skip_assignment, &answer);
	answer.skip_assignment = leads && m->skip_assignment;
	if (leads && !m->skip_assignment)
		answer.leader = m->replaced_id;
	group_answer_join(g, ticket, &answer);
	free((void *)(uintptr_t)answer.members);
}

static void replaced_persisted(struct group *g, enum status status, int64_t now_ms)
{
	for (struct group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (m->replacement == GROUP_REPLACEMENT_WRITING) {
			expect(g->state == GROUP_STABLE && m->joining);
			answer_replaced(g, m, status, now_ms);
		}
	}
}

void group_persisted(struct group *g, enum status status, int64_t now_ms)
{
	group_enter(g);
	if (g->state == GROUP_DEAD)
		return;
	enum group_persist done = g->persist_running;
	expect(done != GROUP_PERSIST_NONE);
	g->persist_running = GROUP_PERSIST_NONE;
	if (status != STATUS_OK)
		diag_warn("group_record_failed", "group=%.*s generation=%d status=%s", (int)g->id.n, g->id.p,
			g->persist_generation, status_name(status));
	/* A record of an emptied group that was not written does no harm: the members of the one before it will be found
	 * absent. */
	if (done == GROUP_PERSIST_ASSIGNMENTS)
		assignments_persisted(g, status, now_ms);
	else if (done == GROUP_PERSIST_REPLACED)
		replaced_persisted(g, status, now_ms);
	group_settle(g, now_ms);
}
