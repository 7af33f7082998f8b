#include "tools/client/consumer_group.h"
#include "base/clock.h"
#include "base/topic_partition.h"

enum {
	WORK_MAX_BYTES = 1 << 28,          /* the leader's, over all members */
	ASSIGN_PATIENCE_US = 10000000,     /* for the metadata of the topics */
	LOOK_FOR_TOPICS_EVERY_US = 1000000, /* metadata of subscribed topics that do not exist yet */
};

/* ---- life ---- */

static void read_assignors(struct consumer_group *g)
{
	const char *at = g->consumer->options->assignment_strategy;
	while (*at != '\0') {
		size_t n = strcspn(at, ",");
		enum assignor a;
		bool known = assignor_find(slice_of(at, n), &a);
		expect(known); /* client_config_check has seen to it */
		g->assignors[g->assignor_count++] = a;
		at += n + (at[n] == ',' ? 1 : 0);
	}
	g->cooperative = g->assignor_count > 0;
	for (size_t i = 0; i < g->assignor_count; i++)
		g->cooperative = g->cooperative && assignor_cooperative(g->assignors[i]);
}

struct consumer_group *consumer_group_new(struct correio_consumer *c)
{
	struct consumer_group *g = (struct consumer_group *)check_calloc(1, sizeof(*g));
	g->magic = consumer_group_magic;
	g->consumer = c;
	g->member_id = check_strdup("");
	g->protocol = check_strdup("");
	g->generation = -1;
	g->state = GROUP_JOIN;
	arena_init(&g->work, WORK_MAX_BYTES);
	arena_init(&g->assigned_memory, WORK_MAX_BYTES);
	read_assignors(g);
	return g;
}

static void forget_seen(struct consumer_group *g)
{
	for (size_t i = 0; i < g->seen_count; i++)
		free((void *)(uintptr_t)g->seen[i].name);
	free(g->seen);
	g->seen = NULL;
	g->seen_count = 0;
}

static void forget_topics(struct consumer_group *g)
{
	for (size_t i = 0; i < g->topic_count; i++)
		free(g->topics[i]);
	free(g->topics);
	g->topics = NULL;
	g->topic_count = 0;
}

void consumer_group_free(struct consumer_group *g)
{
	if (g == NULL)
		return;
	CHECK_MAGIC(consumer_group, g);
	forget_topics(g);
	free(g->member_id);
	free(g->protocol);
	free(g->coordinator_host);
	forget_seen(g);
	arena_fini(&g->work);
	arena_fini(&g->assigned_memory);
	g->magic = 0;
	free(g);
}

void consumer_group_subscribe(struct consumer_group *g, const char *const *topics, size_t count)
{
	CHECK_MAGIC(consumer_group, g);
	expect(count > 0);
	forget_topics(g);
	g->topics = (char **)check_calloc(count, sizeof(*g->topics));
	for (size_t i = 0; i < count; i++) {
		g->topics[g->topic_count++] = check_strdup(topics[i]);
		client_cluster_want_topic(g->consumer->cluster, topics[i]);
	}
	g->rejoin = true;
}

static void set_text(char **text, const char *value)
{
	char *copy = check_strdup(value);
	free(*text);
	*text = copy;
}

/* ---- partitions come and go ---- */

static void tell(struct correio_consumer *c, enum correio_rebalance_kind kind, const struct partition_sets *sets)
{
	size_t count = partition_sets_count(sets), n = 0;
	if (c->rebalanced == NULL || (count == 0 && kind != CORREIO_ASSIGNED))
		return;
	struct correio_topic_partition *list =
		(struct correio_topic_partition *)check_calloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < sets->count; i++)
		for (size_t k = 0; k < sets->topics[i].count; k++)
			list[n++] = (struct correio_topic_partition){
				.topic = sets->topics[i].topic, .partition = sets->topics[i].partitions[k], .offset = -1};
	c->rebalanced(c->rebalanced_arg, kind, list, n);
	free(list);
}

/* What is read now and `keep` does not have (NULL: everything). In the arena; NULL when it is full. */
static struct partition_sets *not_in(struct consumer_group *g, struct arena *a, const struct partition_sets *keep)
{
	struct partition_sets *out = arena_calloc(a, 1, sizeof(*out));
	size_t room = 0;
	for (const struct consumer_partition *p = g->consumer->partitions; p != NULL; p = p->next)
		room++;
	struct partition_set *sets = arena_calloc(a, room + 1, sizeof(*sets));
	int32_t *numbers = arena_calloc(a, room + 1, sizeof(*numbers));
	if (out == NULL || sets == NULL || numbers == NULL)
		return NULL;
	out->topics = sets;
	for (const struct consumer_partition *p = g->consumer->partitions; p != NULL; p = p->next) {
		if (keep != NULL && partition_sets_have(keep, p->topic, p->partition))
			continue;
		char *topic = arena_strdup(a, slice_of_str(p->topic));
		if (topic == NULL)
			return NULL;
		*numbers = p->partition;
		sets[out->count++] = (struct partition_set){.topic = topic, .partitions = numbers++, .count = 1};
	}
	return out;
}

static void drop_partitions(struct consumer_group *g, const struct partition_sets *sets)
{
	for (size_t i = 0; i < sets->count; i++)
		for (size_t k = 0; k < sets->topics[i].count; k++)
			(void)correio_consumer_unassign(g->consumer, sets->topics[i].topic, sets->topics[i].partitions[k], NULL);
}

/* Gives up what `keep` does not have. lost: somebody else may be reading it already, nothing can be committed. Returns how many. */
static size_t give_up(struct consumer_group *g, const struct partition_sets *keep, bool lost)
{
	struct arena a;
	arena_init(&a, WORK_MAX_BYTES);
	const struct partition_sets *gone = not_in(g, &a, keep);
	expect(gone != NULL); /* our own list: a bound of ours */
	size_t count = partition_sets_count(gone);
	if (count > 0) {
		tell(g->consumer, lost ? CORREIO_LOST : CORREIO_REVOKED, gone);
		if (!lost && g->consumer->options->enable_auto_commit)
			consumer_commit_send(g->consumer);
		drop_partitions(g, gone);
	}
	arena_fini(&a);
	return count;
}

/* ---- errors ---- */

void consumer_group_fail(struct consumer_group *g, const struct correio_error *error)
{
	expect(error->code != 0);
	g->failed = true;
	g->failure = *error;
}

static int64_t next_backoff_us(struct consumer_group *g)
{
	const struct client_options *o = g->consumer->options;
	g->backoff_ms = g->backoff_ms == 0 ? o->retry_backoff_ms : g->backoff_ms * 2;
	if (g->backoff_ms > o->retry_backoff_max_ms)
		g->backoff_ms = o->retry_backoff_max_ms;
	return g->backoff_ms * 1000;
}

static void find_again(struct consumer_group *g)
{
	g->coordinator = NULL;
	g->find_not_before_us = clock_monotonic_us(clock_system()) + next_backoff_us(g);
}

/* The group went on without this member: what it had may be read by others. */
static void expelled(struct consumer_group *g, bool new_member)
{
	g->expelled = true;
	g->generation = -1;
	if (new_member)
		set_text(&g->member_id, "");
	g->state = GROUP_JOIN;
}

void consumer_group_took_error(struct consumer_group *g, int32_t code, const char *message)
{
	struct correio_error error;
	char what[300];
	(void)snprintf(what, sizeof(what), "group %s", g->consumer->options->group_id);
	(void)client_error_from_broker(&error, code, message, what);
	int16_t c = code >= INT16_MIN && code <= INT16_MAX ? (int16_t)code : -1;
	if (c == status_code(STATUS_COORDINATOR_NOT_AVAILABLE) || c == status_code(STATUS_NOT_COORDINATOR)) {
		find_again(g);
	} else if (c == status_code(STATUS_REBALANCE_IN_PROGRESS)) {
		g->rejoin = true;
		g->state = g->state == GROUP_MEMBER ? GROUP_MEMBER : GROUP_JOIN;
	} else if (c == status_code(STATUS_ILLEGAL_GENERATION)) {
		expelled(g, false);
	} else if (c == status_code(STATUS_UNKNOWN_MEMBER_ID)) {
		expelled(g, true);
	} else if (error.retriable) {
		g->not_before_us = clock_monotonic_us(clock_system()) + next_backoff_us(g);
	} else {
		consumer_group_fail(g, &error);
	}
}

bool consumer_group_error(struct consumer_group *g, const struct client_response *response,
	Correio__ResponseHeader__ResponseCase expected)
{
	const Correio__ResponseHeader *h = response->header;
	if (h == NULL) {
		find_again(g);
		return true;
	}
	int32_t code = h->error_code;
	if (code == 0 && h->response_case != expected)
		code = status_code(STATUS_UNSUPPORTED_VERSION);
	if (code == 0) {
		g->backoff_ms = 0;
		return false;
	}
	consumer_group_took_error(g, code, h->error_message);
	return true;
}

/* ---- join ---- */

/* The members as the leader knows them. A subscription that cannot be read subscribes to nothing. */
static bool take_members(struct consumer_group *g, const Correio__JoinGroupResponse *m)
{
	arena_fini(&g->work);
	arena_init(&g->work, WORK_MAX_BYTES);
	g->member_count = m->n_members;
	g->members = arena_calloc(&g->work, m->n_members + 1, sizeof(*g->members));
	for (size_t i = 0; g->members != NULL && i < m->n_members; i++) {
		const Correio__GroupMember *from = m->members[i];
		struct assignor_member *to = &g->members[i];
		struct slice bytes = slice_of(from->metadata.data, from->metadata.len);
		to->member_id = arena_strdup(&g->work, slice_of_str(from->member_id));
		to->instance_id = from->instance_id[0] == '\0' ? NULL : arena_strdup(&g->work, slice_of_str(from->instance_id));
		if (to->member_id == NULL || (from->instance_id[0] != '\0' && to->instance_id == NULL))
			return false;
		if (consumer_protocol_read_subscription(&g->work, bytes, &to->subscription) != STATUS_OK)
			to->subscription = (struct subscription){.generation = -1};
		for (size_t k = 0; k < to->subscription.topic_count; k++)
			if (topic_name_check(slice_of_str(to->subscription.topics[k])) == STATUS_OK)
				client_cluster_want_topic(g->consumer->cluster, to->subscription.topics[k]);
	}
	return g->members != NULL;
}

static void fail_memory(struct consumer_group *g)
{
	struct correio_error error;
	(void)client_error_set(&error, STATUS_TOO_LARGE, "group %s: its members' subscriptions or assignments take more than %d MiB",
		g->consumer->options->group_id, WORK_MAX_BYTES >> 20);
	consumer_group_fail(g, &error);
}

void consumer_group_joined(struct consumer_group *g, const Correio__JoinGroupResponse *m)
{
	set_text(&g->member_id, m->member_id);
	if (m->member_id_required)
		return; /* and once more, by this name */
	g->generation = m->generation;
	set_text(&g->protocol, m->protocol);
	g->leads = strcmp(m->leader, m->member_id) == 0;
	g->rejoin = false;
	if (!g->leads || m->skip_assignment) {
		consumer_group_send_sync(g, false);
		return;
	}
	if (!take_members(g, m)) {
		fail_memory(g);
		return;
	}
	client_cluster_refresh(g->consumer->cluster);
	g->state = GROUP_ASSIGN;
	g->assign_until_us = clock_monotonic_us(clock_system()) + ASSIGN_PATIENCE_US;
}

/* ---- the leader assigns ---- */

static bool has_topic(const struct assignor_topic *topics, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i].name, name) == 0)
			return true;
	return false;
}

static int32_t partitions_of(const struct consumer_group *g, const char *topic)
{
	const struct client_topic *t = client_cluster_topic(g->consumer->cluster, topic);
	return t == NULL || t->error.code != 0 ? 0 : t->partition_count;
}

/* All topics somebody subscribes to, each once. NULL: no memory. */
static struct assignor_topic *collect_topics(struct consumer_group *g, size_t *ret_count)
{
	size_t room = 0, n = 0;
	for (size_t i = 0; i < g->member_count; i++)
		room += g->members[i].subscription.topic_count;
	struct assignor_topic *topics = arena_calloc(&g->work, room + 1, sizeof(*topics));
	for (size_t i = 0; topics != NULL && i < g->member_count; i++)
		for (size_t k = 0; k < g->members[i].subscription.topic_count; k++) {
			const char *name = g->members[i].subscription.topics[k];
			if (!has_topic(topics, n, name))
				topics[n++] = (struct assignor_topic){.name = name, .partitions = partitions_of(g, name)};
		}
	*ret_count = n;
	return topics;
}

/* Has the cluster been asked about every topic? One that does not exist is known not to. */
static bool topics_known(const struct consumer_group *g)
{
	for (size_t i = 0; i < g->member_count; i++)
		for (size_t k = 0; k < g->members[i].subscription.topic_count; k++) {
			const char *name = g->members[i].subscription.topics[k];
			if (topic_name_check(slice_of_str(name)) == STATUS_OK &&
				client_cluster_topic(g->consumer->cluster, name) == NULL)
				return false;
		}
	return true;
}

static void remember_seen(struct consumer_group *g, const struct assignor_topic *topics, size_t count)
{
	forget_seen(g);
	g->seen = (struct assignor_topic *)check_calloc(count + 1, sizeof(*g->seen));
	for (size_t i = 0; i < count; i++)
		g->seen[g->seen_count++] =
			(struct assignor_topic){.name = check_strdup(topics[i].name), .partitions = topics[i].partitions};
}

static void assign(struct consumer_group *g)
{
	size_t count;
	enum assignor a;
	struct assignor_topic *topics = collect_topics(g, &count);
	if (topics == NULL || !assignor_find(slice_of_str(g->protocol), &a)) {
		fail_memory(g); /* the coordinator chooses among what we offered */
		return;
	}
	remember_seen(g, topics, count);
	if (assignor_assign(a, &g->work, g->members, g->member_count, topics, count) != STATUS_OK) {
		fail_memory(g);
		return;
	}
	consumer_group_send_sync(g, true);
}

/* ---- what was assigned ---- */

/* Of the new assignment, what is not read yet. */
static struct partition_sets *added(struct consumer_group *g)
{
	struct partition_sets *out = arena_calloc(&g->assigned_memory, 1, sizeof(*out));
	struct partition_set *sets = arena_calloc(&g->assigned_memory, g->assigned.count + 1, sizeof(*sets));
	if (out == NULL || sets == NULL)
		return NULL;
	out->topics = sets;
	for (size_t i = 0; i < g->assigned.count; i++) {
		const struct partition_set *from = &g->assigned.topics[i];
		struct partition_set *to = &sets[out->count];
		to->topic = from->topic;
		to->partitions = arena_calloc(&g->assigned_memory, from->count + 1, sizeof(int32_t));
		if (to->partitions == NULL)
			return NULL;
		for (size_t k = 0; k < from->count; k++)
			if (consumer_find(g->consumer, from->topic, from->partitions[k]) == NULL)
				to->partitions[to->count++] = from->partitions[k];
		out->count += to->count > 0;
	}
	return out;
}

void consumer_group_synced(struct consumer_group *g, struct slice assignment)
{
	arena_fini(&g->assigned_memory);
	arena_init(&g->assigned_memory, WORK_MAX_BYTES);
	g->assigned = (struct partition_sets){0};
	enum status s = consumer_protocol_read_assignment(&g->assigned_memory, assignment, &g->assigned);
	if (s != STATUS_OK) {
		struct correio_error error;
		(void)client_error_set(&error, s, "group %s: the assignment from its leader cannot be read",
			g->consumer->options->group_id);
		consumer_group_fail(g, &error);
		return;
	}
	g->heartbeat_at_us = clock_monotonic_us(clock_system()) + g->consumer->options->heartbeat_interval_ms * 1000;
	g->state = GROUP_ASSIGNED;
}

/* No offset is committed, or it is to be looked up anew. False: none is allowed. */
static bool start_of(struct consumer_group *g, const char *topic, int32_t partition, int64_t *ret_offset)
{
	const struct client_options *o = g->consumer->options;
	struct correio_error error;
	*ret_offset = o->auto_offset_reset == OFFSET_RESET_earliest ? CORREIO_OFFSET_BEGINNING : CORREIO_OFFSET_END;
	if (o->auto_offset_reset != OFFSET_RESET_none)
		return true;
	(void)client_error_code(&error, CORREIO_ERR_OFFSET_OUT_OF_RANGE, false,
		"group %s has no committed offset for %s-%d and auto.offset.reset is none: commit one, or choose earliest or latest",
		o->group_id, topic, (int)partition);
	consumer_group_fail(g, &error);
	return false;
}

static void begin(struct consumer_group *g, const char *topic, const Correio__PartitionOffset *from)
{
	int64_t offset = from->offset;
	bool committed = offset >= 0;
	if (!partition_sets_have(&g->assigned, topic, from->partition))
		return;
	if (!committed && !start_of(g, topic, from->partition, &offset))
		return;
	if (correio_consumer_assign(g->consumer, topic, from->partition, offset, NULL) != CORREIO_OK)
		return; /* no name a topic can have */
	struct consumer_partition *p = consumer_find(g->consumer, topic, from->partition);
	p->committed = committed ? from->offset : -1;
}

void consumer_group_offsets_known(struct consumer_group *g, const Correio__GroupOffsets *offsets)
{
	/* First all are looked at, then any is begun: all or nothing. */
	for (size_t i = 0; i < offsets->n_topics; i++)
		for (size_t k = 0; k < offsets->topics[i]->n_partitions; k++) {
			int32_t code = offsets->topics[i]->partitions[k]->error_code;
			if (code == 0)
				continue;
			consumer_group_took_error(g, code, NULL);
			return;
		}
	g->fresh = added(g);
	for (size_t i = 0; i < offsets->n_topics && !g->failed; i++)
		for (size_t k = 0; k < offsets->topics[i]->n_partitions; k++)
			begin(g, offsets->topics[i]->name, offsets->topics[i]->partitions[k]);
	if (g->fresh == NULL)
		fail_memory(g);
	else
		g->state = GROUP_BEGUN;
}

/* ---- a turn ---- */

static void lower(int64_t *deadline_us, int64_t at_us)
{
	if (at_us < *deadline_us)
		*deadline_us = at_us;
}

/* What a broker cannot tell just now counts as unchanged. */
static bool topic_changed(const struct consumer_group *g, const struct assignor_topic *seen)
{
	const struct client_topic *t = client_cluster_topic(g->consumer->cluster, seen->name);
	bool told = t != NULL && (t->error.code == 0 || t->error.code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	return told && partitions_of(g, seen->name) != seen->partitions;
}

static bool topics_changed(const struct consumer_group *g)
{
	for (size_t i = 0; g->leads && i < g->seen_count; i++)
		if (topic_changed(g, &g->seen[i]))
			return true;
	return false;
}

static bool misses_topic(const struct consumer_group *g)
{
	for (size_t i = 0; g->leads && i < g->seen_count; i++)
		if (g->seen[i].partitions == 0)
			return true;
	return false;
}

/* A topic that does not exist yet may come. */
static void look_for_topics(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	if (!misses_topic(g))
		return;
	if (now_us >= g->look_at_us) {
		g->look_at_us = now_us + LOOK_FOR_TOPICS_EVERY_US;
		client_cluster_refresh(g->consumer->cluster);
	}
	lower(deadline_us, g->look_at_us);
}

static bool step_heartbeat(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	if (g->heartbeat_open)
		return false;
	if (now_us < g->heartbeat_at_us) {
		lower(deadline_us, g->heartbeat_at_us);
		return false;
	}
	consumer_group_send_heartbeat(g);
	g->heartbeat_at_us = now_us + g->consumer->options->heartbeat_interval_ms * 1000;
	return true;
}

static bool step_commit(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	const struct client_options *o = g->consumer->options;
	if (!o->enable_auto_commit || g->commit_open)
		return false;
	if (now_us < g->commit_at_us) {
		lower(deadline_us, g->commit_at_us);
		return false;
	}
	g->commit_at_us = now_us + o->auto_commit_interval_ms * 1000;
	lower(deadline_us, g->commit_at_us);
	consumer_commit_send(g->consumer);
	return g->commit_open;
}

static bool step_join(struct consumer_group *g)
{
	/* Members of the eager kind give up everything before they join. */
	if (!g->cooperative)
		(void)give_up(g, NULL, false);
	g->rejoin = false;
	consumer_group_send_join(g);
	return true;
}

static bool step_member(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	look_for_topics(g, now_us, deadline_us);
	if (g->rejoin || topics_changed(g)) {
		g->state = GROUP_JOIN;
		return step_join(g);
	}
	return step_commit(g, now_us, deadline_us);
}

static bool step_assigned(struct consumer_group *g)
{
	/* What is given up goes to its new reader in a further round. */
	g->rejoin = give_up(g, &g->assigned, false) > 0;
	g->state = GROUP_OFFSETS;
	return true;
}

static bool step_begun(struct consumer_group *g)
{
	const struct client_options *o = g->consumer->options;
	g->state = GROUP_MEMBER;
	g->commit_at_us = clock_monotonic_us(clock_system()) + o->auto_commit_interval_ms * 1000;
	tell(g->consumer, CORREIO_ASSIGNED, g->fresh);
	return true;
}

static bool step_offsets(struct consumer_group *g)
{
	const struct partition_sets *wanted = added(g);
	if (wanted == NULL) {
		fail_memory(g);
		return false;
	}
	if (wanted->count > 0) {
		consumer_group_send_offsets(g, wanted);
		return true;
	}
	g->fresh = wanted;
	g->state = GROUP_BEGUN;
	return true;
}

static bool step_assign(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	if (!topics_known(g) && now_us < g->assign_until_us) {
		client_cluster_refresh(g->consumer->cluster);
		lower(deadline_us, now_us + g->consumer->options->retry_backoff_ms * 1000);
		return false;
	}
	assign(g);
	return true;
}

static bool step_state(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	switch (g->state) {
	case GROUP_JOIN:
		return step_join(g);
	case GROUP_ASSIGN:
		return step_assign(g, now_us, deadline_us);
	case GROUP_ASSIGNED:
		return step_assigned(g);
	case GROUP_OFFSETS:
		return step_offsets(g);
	case GROUP_BEGUN:
		return step_begun(g);
	case GROUP_MEMBER:
		return step_member(g, now_us, deadline_us);
	}
	unreachable("a state of membership");
}

bool consumer_group_step_find(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	if (g->finding)
		return false;
	if (now_us < g->find_not_before_us) {
		lower(deadline_us, g->find_not_before_us);
		return false;
	}
	/* Set before: until the answer, or a broker that can be asked, comes. */
	g->find_not_before_us = now_us + g->consumer->options->retry_backoff_ms * 1000;
	lower(deadline_us, g->find_not_before_us);
	consumer_group_send_find(g);
	return g->finding;
}

bool consumer_group_step(struct consumer_group *g, int64_t now_us, int64_t *deadline_us)
{
	CHECK_MAGIC(consumer_group, g);
	if (g->topic_count == 0)
		return false;
	if (g->expelled) {
		g->expelled = false;
		(void)give_up(g, NULL, true);
	}
	if (g->failed)
		return false;
	if (g->coordinator == NULL)
		return consumer_group_step_find(g, now_us, deadline_us);
	bool sent = g->state >= GROUP_ASSIGNED && step_heartbeat(g, now_us, deadline_us);
	if (g->asking)
		return sent;
	if (now_us < g->not_before_us) {
		lower(deadline_us, g->not_before_us);
		return sent;
	}
	return step_state(g, now_us, deadline_us) || sent;
}
