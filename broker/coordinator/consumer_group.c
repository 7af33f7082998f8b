#include "coordinator/consumer_group.h"

#include "coordinator/consumer_group_internal.h"
#include <assert.h>

static_assert(sizeof(struct partition_of_topic) == 20, "a hash key has no holes");

struct consumer_group *consumer_group_new(const char *group_id, const struct consumer_group_owner *owner)
{
	struct consumer_group *g = check_calloc(1, sizeof(*g));
	expect(owner->settings != NULL && owner->callbacks != NULL && owner->random != NULL);
	g->magic = consumer_group_magic;
	g->owner = *owner;
	g->id = check_strdup(group_id);
	g->next_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	return g;
}

void consumer_group_free(struct consumer_group *g)
{
	struct consumer_group_member *m, *next;
	if (g == NULL)
		return;
	CHECK_MAGIC(consumer_group, g);
	HASH_ITER (hh, g->members, m, next)
		consumer_group_member_forget(g, m);
	expect(g->owned == NULL && g->by_instance == NULL);
	while (g->gone != NULL) {
		struct consumer_group_gone *gone = g->gone;
		g->gone = gone->next;
		free(gone->id);
		free(gone);
	}
	consumer_group_target_fini(g);
	free(g->left_id);
	free(g->id);
	g->magic = 0;
	free(g);
}

/* --- offsets ----------------------------------------------------------------------------------------------------------- */

static enum status check_member(const struct consumer_group *g, const char *member_id, int32_t member_epoch)
{
	const struct consumer_group_member *m = consumer_group_member_find(g, member_id == NULL ? "" : member_id);
	if (m == NULL)
		return STATUS_UNKNOWN_MEMBER_ID;
	return m->epoch == member_epoch ? STATUS_OK : STATUS_STALE_MEMBER_EPOCH;
}

enum status consumer_group_check_commit(const struct consumer_group *g, const char *member_id, int32_t member_epoch)
{
	CHECK_MAGIC(consumer_group, g);
	if (member_epoch < 0 && g->members == NULL)
		return STATUS_OK;
	return check_member(g, member_id, member_epoch);
}

enum status consumer_group_check_fetch(const struct consumer_group *g, const char *member_id, int32_t member_epoch)
{
	CHECK_MAGIC(consumer_group, g);
	if (member_id == NULL && member_epoch < 0)
		return STATUS_OK;
	return check_member(g, member_id, member_epoch);
}

/* --- time -------------------------------------------------------------------------------------------------------------- */

void consumer_group_expire(struct consumer_group *g, int64_t now_ms)
{
	struct consumer_group_member *m, *next;
	bool changed = false;
	CHECK_MAGIC(consumer_group, g);
	if (now_ms < g->next_deadline_ms)
		return;
	g->next_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	HASH_ITER (hh, g->members, m, next) {
		if (now_ms >= m->session_deadline_ms || now_ms >= m->rebalance_deadline_ms) {
			consumer_group_member_remove(g, m);
			g->counts.members_expired++;
			changed = true;
			continue;
		}
		consumer_group_deadline(g, m->session_deadline_ms);
		consumer_group_deadline(g, m->rebalance_deadline_ms);
	}
	if (changed) {
		(void)consumer_group_target_refresh(g, true);
		consumer_group_target_bump(g);
	}
}

int64_t consumer_group_next_deadline(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	return g->next_deadline_ms;
}

bool consumer_group_dirty(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	if (g->dirty != 0)
		return true;
	for (const struct consumer_group_gone *gone = g->gone; gone != NULL; gone = gone->next)
		if (!gone->writing)
			return true;
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if (m->dirty != 0)
			return true;
	return false;
}

static void settle(unsigned *dirty, unsigned *writing, bool committed)
{
	if (!committed)
		*dirty |= *writing;
	*writing = 0;
}

void consumer_group_written(struct consumer_group *g, bool committed)
{
	CHECK_MAGIC(consumer_group, g);
	settle(&g->dirty, &g->writing, committed);
	for (struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		settle(&m->dirty, &m->writing, committed);
	for (struct consumer_group_gone **at = &g->gone; *at != NULL;) {
		struct consumer_group_gone *gone = *at;
		if (committed && gone->writing) {
			*at = gone->next;
			free(gone->id);
			free(gone);
			continue;
		}
		gone->writing = false;
		at = &gone->next;
	}
}

void consumer_group_retire(struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	expect(g->members == NULL);
	g->retired = true;
	g->dirty |= CONSUMER_DIRTY_RETIRED;
}

/* --- questions --------------------------------------------------------------------------------------------------------- */

const char *consumer_group_state_name(enum consumer_group_state s)
{
	static const char *const names[CONSUMER_GROUP_STATE_COUNT] = {
		[CONSUMER_GROUP_EMPTY] = "Empty",
		[CONSUMER_GROUP_ASSIGNING] = "Assigning",
		[CONSUMER_GROUP_RECONCILING] = "Reconciling",
		[CONSUMER_GROUP_STABLE] = "Stable",
	};
	expect(s < CONSUMER_GROUP_STATE_COUNT);
	return names[s];
}

enum consumer_group_state consumer_group_state(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	if (g->members == NULL)
		return CONSUMER_GROUP_EMPTY;
	if (g->epoch > g->assignment_epoch)
		return CONSUMER_GROUP_ASSIGNING;
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if (!consumer_group_member_is_reconciled(g, m))
			return CONSUMER_GROUP_RECONCILING;
	return CONSUMER_GROUP_STABLE;
}

const char *consumer_group_id(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	return g->id;
}

size_t consumer_group_member_count(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	return HASH_COUNT(g->members);
}

void consumer_group_describe(const struct consumer_group *g, struct consumer_group_description *ret_description)
{
	size_t count = consumer_group_member_count(g), i = 0;
	struct consumer_group_description_member *members = check_calloc(count + 1, sizeof(*members));
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		members[i++] = (struct consumer_group_description_member){
			.member_id = m->id,
			.instance_id = m->instance_id,
			.rack_id = m->rack_id,
			.client_id = m->client_id,
			.client_host = m->client_host,
			.topic_regex = m->topic_regex,
			.member_epoch = m->epoch,
			.topic_names = &m->topic_names,
			.assignment = &m->assigned,
			.target = &m->target,
		};
	expect(i == count);
	*ret_description = (struct consumer_group_description){
		.state = consumer_group_state(g),
		.group_epoch = g->epoch,
		.assignment_epoch = g->assignment_epoch,
		.assignor = consumer_group_target_assignor(g),
		.members = members,
		.member_count = count,
	};
}

struct consumer_group_counts consumer_group_counts(const struct consumer_group *g)
{
	CHECK_MAGIC(consumer_group, g);
	return g->counts;
}

static size_t check_owned(const struct consumer_group *g, const struct consumer_group_member *m, const struct partition_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		expect(consumer_group_member_owner(g, &s->items[i]) == m);
		expect(i == 0 || partition_of_topic_compare(&s->items[i - 1], &s->items[i]) < 0);
	}
	return s->count;
}

void consumer_group_check(const struct consumer_group *g)
{
	size_t owned = 0;
	CHECK_MAGIC(consumer_group, g);
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next) {
		owned += check_owned(g, m, &m->assigned) + check_owned(g, m, &m->revoking);
		expect(!partition_set_overlap(&m->assigned, &m->revoking));
		expect(m->epoch <= g->assignment_epoch && (m->epoch >= 0 || m->epoch == CONSUMER_GROUP_STATIC_LEAVE_EPOCH));
		expect(m->session_deadline_ms >= g->next_deadline_ms && m->rebalance_deadline_ms >= g->next_deadline_ms);
		expect((m->state == CONSUMER_MEMBER_UNREVOKED) || m->revoking.count == 0);
		expect(m->instance_id == NULL || consumer_group_member_find_instance(g, m->instance_id) == m);
	}
	expect(owned == HASH_COUNT(g->owned));
	expect(g->assignment_epoch <= g->epoch);
}
