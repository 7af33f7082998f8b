/* Groups of the classic protocol: requests to and from the machine in group.h, and its record to the log. */
#include "coordinator/group_coordinator_internal.h"

#include "base/diag.h"

/* --- the machine's wishes ------------------------------------------------------------------------------------------------- */

static void joined(void *arg, void *ticket, const struct group_join_answer *answer)
{
	struct group_request *r = ticket;
	(void)CAST(group_entry, arg);
	if (group_coordinator_answer_join(r, answer))
		group_coordinator_answer(r, answer->status);
	else
		group_coordinator_answer_full(r);
}

static void synced(void *arg, void *ticket, const struct group_sync_answer *answer)
{
	struct group_request *r = ticket;
	(void)CAST(group_entry, arg);
	if (group_coordinator_answer_sync(r, answer))
		group_coordinator_answer(r, answer->status);
	else
		group_coordinator_answer_full(r);
}

static void persisted(struct group_write *w, enum status s, int64_t first_offset)
{
	struct group_entry *e = CAST(group_entry, CONTAINER_OF(w, struct group_entry, persist));
	(void)first_offset;
	if (s != STATUS_OK)
		diag_warn("group_record_not_written", "group=\"%.200s\" why=%s text=\"%s\"", e->name, status_name(s), status_text(s));
	if (!e->gone) {
		group_persisted(e->classic, group_log_metadata_status(s), group_coordinator_now_ms(e->partition->coordinator));
		(void)group_coordinator_settle(e);
	}
	group_coordinator_release(e);
}

static enum status encode(struct group_entry *e, struct group_record_bytes *ret_record)
{
	struct group_coordinator *c = e->partition->coordinator;
	struct group_record record;
	group_export(e->classic, &record);
	int64_t age_ms = group_coordinator_now_ms(c) - record.current_state_timestamp_ms;
	enum status s = group_records_encode_group(
		&c->scratch, slice_of_str(e->name), &record, group_coordinator_wall_ms(c) - age_ms, ret_record);
	free(record.members);
	return s;
}

static void persist(void *arg, struct group *g)
{
	struct group_entry *e = CAST(group_entry, arg);
	struct group_coordinator *c = e->partition->coordinator;
	struct group_record_bytes record;
	enum status s = encode(e, &record);
	if (s == STATUS_OK) {
		group_coordinator_hold(e);
		e->persist = (struct group_write){.done = persisted};
		group_log_write(&e->partition->log, &e->persist, &record, 1);
	}
	arena_reset(&c->scratch);
	if (s != STATUS_OK)
		group_persisted(g, group_log_metadata_status(s), group_coordinator_now_ms(c));
}

static const struct group_callbacks callbacks = {.joined = joined, .synced = synced, .persist = persist};

/* --- the type ------------------------------------------------------------------------------------------------------------- */

void group_coordinator_classic_init(struct group_entry *e)
{
	struct group_coordinator *c = e->partition->coordinator;
	expect(e->type == NULL && e->classic == NULL);
	e->owner = (struct group_owner){
		.settings = &c->group_settings, .callbacks = &callbacks, .arg = e, .random = &c->random};
	e->classic = group_new(slice_of_str(e->name), &e->owner, group_coordinator_now_ms(c));
	e->type = &group_coordinator_classic;
}

enum status group_coordinator_classic_import(struct group_entry *e, const struct kafka_group_metadata_value *v)
{
	struct group_coordinator *c = e->partition->coordinator;
	int64_t now_ms = group_coordinator_now_ms(c), wall_ms = group_coordinator_wall_ms(c);
	struct group_record record;
	TRY(group_records_to_group(&c->scratch, v, &record));
	/* Records from before Kafka 2.1 have no time: as if the group had become empty now. */
	int64_t since_ms = record.current_state_timestamp_ms < 0 ? wall_ms : record.current_state_timestamp_ms;
	record.current_state_timestamp_ms = since_ms > wall_ms ? now_ms : now_ms - (wall_ms - since_ms);
	return group_import(e->classic, &record, now_ms);
}

static void type_unload(struct group_entry *e, enum status s)
{
	group_unload(e->classic, s);
}

static void type_free(struct group_entry *e)
{
	group_free(e->classic);
	e->classic = NULL;
}

static void type_expire(struct group_entry *e, int64_t now_ms)
{
	group_expire(e->classic, now_ms);
}

static int64_t type_next_deadline_ms(const struct group_entry *e)
{
	return group_next_deadline(e->classic);
}

static struct slice text_or_none(const char *s)
{
	return s == NULL ? slice_of(NULL, 0) : slice_of_str(s);
}

static enum status type_check_commit(struct group_entry *e, const struct group_request_commit *commit, int64_t now_ms)
{
	const struct group_identity who = {
		.member_id = text_or_none(commit->member_id),
		.instance_id = text_or_none(commit->instance_id),
		.generation = commit->generation,
	};
	return group_check_commit(e->classic, &who, false, now_ms);
}

static enum status type_check_fetch(struct group_entry *e, const struct group_request_fetch *fetch)
{
	(void)e;
	(void)fetch; /* the classic protocol fences no fetches */
	return STATUS_OK;
}

static const char *type_state(const struct group_entry *e)
{
	return group_state_name(group_state(e->classic));
}

static const char *type_protocol_type(const struct group_entry *e, struct arena *a)
{
	return arena_strdup(a, group_protocol_type(e->classic));
}

static size_t type_member_count(const struct group_entry *e)
{
	return group_member_count(e->classic);
}

static bool type_is_empty(const struct group_entry *e)
{
	return group_state(e->classic) == GROUP_EMPTY;
}

static bool type_in_use(const struct group_entry *e)
{
	return group_in_use(e->classic);
}

/* Kafka: GroupMetadata.removeExpiredOffsets. */
static enum group_expiry type_expiry(const struct group_entry *e, int64_t *ret_since_ms)
{
	struct slice protocol_type = group_protocol_type(e->classic);
	enum group_state state = group_state(e->classic);
	if (protocol_type.p == NULL)
		return GROUP_EXPIRY_SINCE_COMMIT;
	if (state == GROUP_EMPTY) {
		*ret_since_ms = group_state_since(e->classic);
		return GROUP_EXPIRY_SINCE_EMPTY;
	}
	bool is_consumer = slice_equal(protocol_type, slice_of_str("consumer"));
	return state == GROUP_STABLE && is_consumer ? GROUP_EXPIRY_SINCE_COMMIT : GROUP_EXPIRY_NEVER;
}

static bool type_subscribes(const struct group_entry *e, const char *topic)
{
	return group_member_count(e->classic) > 0 && group_subscribes(e->classic, slice_of_str(topic));
}

static bool type_tells_subscriptions(const struct group_entry *e)
{
	return group_member_count(e->classic) == 0 || slice_equal(group_protocol_type(e->classic), slice_of_str("consumer"));
}

/* A group of generation 0 only kept offsets: it has no record. */
static enum status type_tombstones(const struct group_entry *e, struct arena *a, struct group_record_bytes *records, size_t max,
	size_t *ret_count)
{
	const struct kafka_group_metadata_key key = {.group = e->name};
	const struct group_record_view view = {.kind = GROUP_RECORD_GROUP, .group_key = &key};
	expect(max >= 1);
	*ret_count = group_generation(e->classic) > 0 ? 1 : 0;
	return *ret_count == 0 ? STATUS_OK : group_records_encode(a, &view, &records[0]);
}

static uint64_t type_rebalances(const struct group_entry *e)
{
	return group_counts(e->classic).rebalances_completed;
}

const struct group_type group_coordinator_classic = {
	.name = "classic",
	.unload = type_unload,
	.free = type_free,
	.expire = type_expire,
	.next_deadline_ms = type_next_deadline_ms,
	.check_commit = type_check_commit,
	.check_fetch = type_check_fetch,
	.state = type_state,
	.protocol_type = type_protocol_type,
	.member_count = type_member_count,
	.is_empty = type_is_empty,
	.in_use = type_in_use,
	.expiry = type_expiry,
	.subscribes = type_subscribes,
	.tells_subscriptions = type_tells_subscriptions,
	.tombstones = type_tombstones,
	.rebalances = type_rebalances,
};

/* --- requests ------------------------------------------------------------------------------------------------------------- */

/* The group, made if need be; NULL if it runs by another protocol (answered). */
static struct group_entry *classic_entry(struct group_partition *gp, struct group_request *r, bool make)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	if (e == NULL && make) {
		e = group_coordinator_add(gp, r->group_id);
		group_coordinator_classic_init(e);
	} else if (e != NULL && make && e->type == &group_coordinator_consumer && group_coordinator_consumer_give_up(e)) {
		group_coordinator_classic_init(e);
	}
	if (e != NULL && e->type == &group_coordinator_classic)
		return e;
	group_coordinator_answer(r, make ? STATUS_INCONSISTENT_GROUP_PROTOCOL : STATUS_UNKNOWN_MEMBER_ID);
	return NULL;
}

void group_coordinator_join(struct group_partition *gp, struct group_request *r)
{
	const struct group_request_join *j = &r->join;
	struct group_protocol *protocols = arena_calloc(r->arena, j->protocol_count + 1, sizeof(*protocols));
	r->join.generation = -1;
	if (protocols == NULL) {
		group_coordinator_answer_full(r);
		return;
	}
	for (size_t i = 0; i < j->protocol_count; i++)
		protocols[i] = (struct group_protocol){
			.name = slice_of_str(j->protocols[i].name), .metadata = j->protocols[i].bytes};
	const struct group_join join = {
		.ticket = r,
		.member_id = text_or_none(j->member_id),
		.instance_id = text_or_none(j->instance_id),
		.client_id = text_or_none(j->client_id),
		.client_host = text_or_none(j->client_host),
		.protocol_type = text_or_none(j->protocol_type),
		.protocols = protocols,
		.protocol_count = j->protocol_count,
		.session_timeout_ms = j->session_timeout_ms,
		.rebalance_timeout_ms = j->rebalance_timeout_ms < 0 ? j->session_timeout_ms : j->rebalance_timeout_ms,
		.require_known_member_id = j->must_know_member_id,
		.skip_assignment = j->can_skip_assignment,
	};
	/* A group that is made for nothing (an unknown member, a session timeout out of range) is forgotten at once. */
	struct group_entry *e = classic_entry(gp, r, true);
	if (e == NULL)
		return;
	group_join(e->classic, &join, group_coordinator_now_ms(gp->coordinator));
	(void)group_coordinator_settle(e);
}

void group_coordinator_sync(struct group_partition *gp, struct group_request *r)
{
	const struct group_request_sync *s = &r->sync;
	struct group_entry *e = classic_entry(gp, r, false);
	if (e == NULL)
		return;
	struct group_assignment *assignments = arena_calloc(r->arena, s->assignment_count + 1, sizeof(*assignments));
	if (assignments == NULL) {
		group_coordinator_answer_full(r);
		return;
	}
	for (size_t i = 0; i < s->assignment_count; i++)
		assignments[i] = (struct group_assignment){
			.member_id = slice_of_str(s->assignments[i].name), .assignment = s->assignments[i].bytes};
	const struct group_sync sync = {
		.ticket = r,
		.generation = s->generation,
		.member_id = text_or_none(s->member_id),
		.instance_id = text_or_none(s->instance_id),
		.protocol_type = text_or_none(s->protocol_type),
		.protocol = text_or_none(s->protocol),
		.assignments = assignments,
		.assignment_count = s->assignment_count,
	};
	group_sync(e->classic, &sync, group_coordinator_now_ms(gp->coordinator));
	(void)group_coordinator_settle(e);
}

void group_coordinator_heartbeat(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = classic_entry(gp, r, false);
	if (e == NULL)
		return;
	const struct group_identity who = {
		.member_id = text_or_none(r->heartbeat.member_id),
		.instance_id = text_or_none(r->heartbeat.instance_id),
		.generation = r->heartbeat.generation,
	};
	enum status s = group_heartbeat(e->classic, &who, group_coordinator_now_ms(gp->coordinator));
	(void)group_coordinator_settle(e);
	group_coordinator_answer(r, s);
}

static void leave(struct group_partition *gp, struct group_request *r, struct group_entry *e)
{
	struct group_request_leave *l = &r->leave;
	struct group_leave_member *members = arena_calloc(r->arena, l->member_count + 1, sizeof(*members));
	if (members == NULL) {
		group_coordinator_answer_full(r);
		return;
	}
	for (size_t i = 0; i < l->member_count; i++)
		members[i] = (struct group_leave_member){
			.member_id = text_or_none(l->members[i].member_id), .instance_id = text_or_none(l->members[i].instance_id)};
	enum status s = group_leave(e->classic, members, l->member_count, group_coordinator_now_ms(gp->coordinator));
	for (size_t i = 0; i < l->member_count; i++)
		l->members[i].status = members[i].status;
	(void)group_coordinator_settle(e);
	group_coordinator_answer(r, s);
}

void group_coordinator_leave(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	if (e != NULL && e->type == &group_coordinator_classic) {
		leave(gp, r, e);
		return;
	}
	for (size_t i = 0; i < r->leave.member_count; i++)
		r->leave.members[i].status = STATUS_UNKNOWN_MEMBER_ID;
	group_coordinator_answer(r, STATUS_OK);
}

void group_coordinator_describe(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	struct group_description d = {.state = GROUP_DEAD};
	if (e != NULL && e->type == &group_coordinator_consumer && r->describe.any_type) {
		group_coordinator_consumer_describe_as_classic(e, r);
		return;
	}
	bool known = e != NULL && e->type == &group_coordinator_classic;
	if (known)
		group_describe(e->classic, &d);
	bool fits = group_coordinator_answer_describe(r, &d);
	free(d.members);
	if (fits)
		group_coordinator_answer(r, STATUS_OK);
	else
		group_coordinator_answer_full(r);
}
