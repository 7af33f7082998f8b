#include "coordinator/consumer_group_records.h"

#include "coordinator/consumer_group_internal.h"
#include <assert.h>

/* What a member with a damaged record gets. */
enum { REBALANCE_TIMEOUT_DEFAULT_MS = 5 * 60 * 1000 };

/* --- writing ---------------------------------------------------------------------------------------------------------- */

struct export {
	struct arena *arena;
	struct consumer_group *g;
	struct group_record_bytes *records;
	size_t count, capacity;
	enum status status; /* the first that went wrong */
};

static void put(struct export *e, enum group_record_kind kind, const void *key, const void *value)
{
	const struct group_record_view v = {.kind = kind, .key = key, .value = value};
	if (e->status != STATUS_OK)
		return;
	expect(e->count < e->capacity);
	e->status = group_records_encode(e->arena, &v, &e->records[e->count]);
	e->count += e->status == STATUS_OK ? 1 : 0;
}

/* The keys of all kinds are the group's name, with or without the member's. */
static_assert(sizeof(struct kafka_consumer_group_metadata_key) == sizeof(const char *), "");
static_assert(sizeof(struct kafka_consumer_group_member_metadata_key) == 2 * sizeof(const char *), "");

static void put_of_group(struct export *e, enum group_record_kind kind, const void *value)
{
	const struct kafka_consumer_group_metadata_key key = {.group_id = e->g->id};
	put(e, kind, &key, value);
}

static void put_of_member(struct export *e, enum group_record_kind kind, const char *id, const void *value)
{
	const struct kafka_consumer_group_member_metadata_key key = {.group_id = e->g->id, .member_id = id};
	put(e, kind, &key, value);
}

static void put_gone(struct export *e, const struct consumer_group_gone *gone)
{
	if (consumer_group_member_find(e->g, gone->id) != NULL)
		return; /* it has come back: its new records stand for it */
	put_of_member(e, GROUP_RECORD_CONSUMER_CURRENT, gone->id, NULL);
	put_of_member(e, GROUP_RECORD_CONSUMER_TARGET_MEMBER, gone->id, NULL);
	put_of_member(e, GROUP_RECORD_CONSUMER_MEMBER, gone->id, NULL);
}

static void put_metadata(struct export *e, const struct consumer_group_member *m)
{
	struct kafka_consumer_group_member_metadata_value v = {
		.instance_id = m->instance_id,
		.rack_id = m->rack_id,
		.client_id = m->client_id,
		.client_host = m->client_host,
		.subscribed_topic_names = (const char *const *)m->topic_names.names,
		.subscribed_topic_names_count = (int32_t)m->topic_names.count,
		.subscribed_topic_regex = m->topic_regex,
		.rebalance_timeout_ms = m->rebalance_timeout_ms,
		.server_assignor = m->server_assignor,
	};
	put_of_member(e, GROUP_RECORD_CONSUMER_MEMBER, m->id, &v);
}

static void *allocate(struct export *e, size_t count, size_t size)
{
	void *p = arena_calloc(e->arena, count + 1, size);
	if (p == NULL)
		e->status = STATUS_TOO_LARGE;
	return p;
}

static struct kafka_consumer_group_topic_partitions *topics_of(struct export *e, const struct partition_set *s, int32_t *ret_count)
{
	struct kafka_consumer_group_topic_partitions *topics = allocate(e, s->count, sizeof(*topics));
	int32_t *numbers = allocate(e, s->count, sizeof(*numbers));
	*ret_count = 0;
	if (topics == NULL || numbers == NULL)
		return NULL;
	for (size_t i = 0; i < s->count; i++)
		numbers[i] = s->items[i].partition;
	for (size_t i = 0, end; i < s->count; i = end) {
		end = partition_set_topic_end(s, i);
		topics[(*ret_count)++] = (struct kafka_consumer_group_topic_partitions){
			.topic_id = s->items[i].topic_id, .partitions = numbers + i, .partitions_count = (int32_t)(end - i)};
	}
	return topics;
}

static void put_target(struct export *e, const struct consumer_group_member *m)
{
	struct kafka_consumer_group_target_assignment_member_value v;
	v.topic_partitions = topics_of(e, &m->target, &v.topic_partitions_count);
	put_of_member(e, GROUP_RECORD_CONSUMER_TARGET_MEMBER, m->id, &v);
}

static void put_current(struct export *e, const struct consumer_group_member *m)
{
	struct kafka_consumer_group_current_member_assignment_value v = {
		.member_epoch = m->epoch, .previous_member_epoch = m->previous_epoch, .state = (int8_t)m->state};
	v.assigned_partitions = topics_of(e, &m->assigned, &v.assigned_partitions_count);
	v.partitions_pending_revocation = topics_of(e, &m->revoking, &v.partitions_pending_revocation_count);
	put_of_member(e, GROUP_RECORD_CONSUMER_CURRENT, m->id, &v);
}

static void put_topics(struct export *e)
{
	const struct consumer_group *g = e->g;
	struct kafka_consumer_group_partition_metadata_value v = {.topics = allocate(e, g->topic_count, sizeof(*v.topics))};
	if (v.topics == NULL)
		return;
	for (size_t i = 0; i < g->topic_count; i++)
		v.topics[v.topics_count++] = (struct kafka_consumer_group_partition_metadata_value_topic){
			.topic_id = g->topics[i].id,
			.topic_name = g->topics[i].name,
			.num_partitions = g->topics[i].partition_count,
		};
	put_of_group(e, GROUP_RECORD_CONSUMER_PARTITIONS, &v);
}

/* Tombstones first, then members before what points to them. */
static void put_all(struct export *e)
{
	struct consumer_group *g = e->g;
	for (const struct consumer_group_gone *gone = g->gone; gone != NULL; gone = gone->next)
		put_gone(e, gone);
	if ((g->dirty & CONSUMER_DIRTY_RETIRED) != 0) {
		put_of_group(e, GROUP_RECORD_CONSUMER_TARGET, NULL);
		put_of_group(e, GROUP_RECORD_CONSUMER_PARTITIONS, NULL);
		put_of_group(e, GROUP_RECORD_CONSUMER_GROUP, NULL);
		return;
	}
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if ((m->dirty & CONSUMER_DIRTY_MEMBER) != 0)
			put_metadata(e, m);
	if ((g->dirty & CONSUMER_DIRTY_TOPICS) != 0)
		put_topics(e);
	const struct kafka_consumer_group_metadata_value epoch = {.epoch = g->epoch};
	if ((g->dirty & CONSUMER_DIRTY_EPOCH) != 0)
		put_of_group(e, GROUP_RECORD_CONSUMER_GROUP, &epoch);
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if ((m->dirty & CONSUMER_DIRTY_TARGET) != 0)
			put_target(e, m);
	const struct kafka_consumer_group_target_assignment_metadata_value target = {.assignment_epoch = g->assignment_epoch};
	if ((g->dirty & CONSUMER_DIRTY_TARGET_EPOCH) != 0)
		put_of_group(e, GROUP_RECORD_CONSUMER_TARGET, &target);
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if ((m->dirty & CONSUMER_DIRTY_CURRENT) != 0)
			put_current(e, m);
}

static size_t most_records(const struct consumer_group *g)
{
	enum { PER_MEMBER = 3, PER_GROUP = 3 };
	size_t n = PER_GROUP + PER_MEMBER * HASH_COUNT(g->members);
	for (const struct consumer_group_gone *gone = g->gone; gone != NULL; gone = gone->next)
		n += PER_MEMBER;
	return n;
}

static void begin_writing(struct consumer_group *g)
{
	g->writing = g->dirty;
	g->dirty = 0;
	for (struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next) {
		m->writing = m->dirty;
		m->dirty = 0;
	}
	for (struct consumer_group_gone *gone = g->gone; gone != NULL; gone = gone->next)
		gone->writing = true;
}

enum status consumer_group_records_export(
	struct consumer_group *g, struct arena *a, struct group_record_bytes **ret_records, size_t *ret_count)
{
	CHECK_MAGIC(consumer_group, g);
	expect(g->writing == 0);
	struct export e = {.arena = a, .g = g, .capacity = most_records(g)};
	e.records = allocate(&e, e.capacity, sizeof(*e.records));
	if (e.records == NULL)
		return STATUS_TOO_LARGE;
	put_all(&e);
	if (e.status != STATUS_OK)
		return e.status;
	begin_writing(g);
	*ret_records = e.records;
	*ret_count = e.count;
	return STATUS_OK;
}

/* --- loading ---------------------------------------------------------------------------------------------------------- */

/* A record may come before the one of the member it is about. */
static struct consumer_group_member *find_or_add(struct consumer_group *g, const char *id)
{
	struct consumer_group_member *m = consumer_group_member_find(g, id);
	if (m != NULL)
		return m;
	m = consumer_group_member_add(g, id, NULL);
	m->dirty = 0;
	return m;
}

static void take_topics(struct partition_set *s, const struct kafka_consumer_group_topic_partitions *topics, int32_t count)
{
	partition_set_clear(s);
	for (int32_t i = 0; i < count; i++)
		for (int32_t k = 0; k < topics[i].partitions_count; k++)
			partition_set_append(s, &topics[i].topic_id, topics[i].partitions[k]);
	partition_set_sort(s);
}

static void replay_member(struct consumer_group *g, const struct group_record_view *view)
{
	const struct kafka_consumer_group_member_metadata_value *v = view->member;
	struct consumer_group_member *m = consumer_group_member_find(g, view->member_key->member_id);
	if (v == NULL) {
		if (m != NULL)
			consumer_group_member_forget(g, m);
		return;
	}
	m = find_or_add(g, view->member_key->member_id);
	consumer_group_member_set_instance(g, m, v->instance_id);
	(void)consumer_group_member_set_text(&m->rack_id, v->rack_id);
	(void)consumer_group_member_set_text(&m->client_id, v->client_id);
	(void)consumer_group_member_set_text(&m->client_host, v->client_host);
	(void)consumer_group_member_set_text(&m->topic_regex, v->subscribed_topic_regex);
	(void)consumer_group_member_set_text(&m->server_assignor, v->server_assignor);
	consumer_group_names_set(&m->topic_names, v->subscribed_topic_names, (size_t)v->subscribed_topic_names_count);
	m->rebalance_timeout_ms = v->rebalance_timeout_ms < 0 ? REBALANCE_TIMEOUT_DEFAULT_MS : v->rebalance_timeout_ms;
	m->has_metadata = true;
}

static void replay_target(struct consumer_group *g, const struct group_record_view *view)
{
	const struct kafka_consumer_group_target_assignment_member_value *v = view->target_member;
	struct consumer_group_member *m = consumer_group_member_find(g, view->target_member_key->member_id);
	if (v == NULL && m != NULL)
		partition_set_clear(&m->target);
	if (v != NULL)
		take_topics(&find_or_add(g, view->target_member_key->member_id)->target, v->topic_partitions, v->topic_partitions_count);
}

/* Owners are known when all has been loaded. */
static void replay_current(struct consumer_group *g, const struct group_record_view *view)
{
	static const struct kafka_consumer_group_current_member_assignment_value nothing = {0};
	const struct kafka_consumer_group_current_member_assignment_value *v = view->current;
	struct consumer_group_member *m = consumer_group_member_find(g, view->current_key->member_id);
	if (v == NULL && m == NULL)
		return;
	if (v == NULL)
		v = &nothing;
	m = find_or_add(g, view->current_key->member_id);
	m->epoch = v->member_epoch;
	m->previous_epoch = v->previous_member_epoch;
	bool known = v->state >= CONSUMER_MEMBER_STABLE && v->state <= CONSUMER_MEMBER_UNRELEASED;
	m->state = known ? (enum consumer_member_state)v->state : CONSUMER_MEMBER_UNKNOWN;
	take_topics(&m->assigned, v->assigned_partitions, v->assigned_partitions_count);
	take_topics(&m->revoking, v->partitions_pending_revocation, v->partitions_pending_revocation_count);
}

static int compare_subscribed(const void *a, const void *b)
{
	return strcmp(((const struct consumer_group_subscribed *)a)->name, ((const struct consumer_group_subscribed *)b)->name);
}

/* So that the first heartbeat sees whether the topics have changed. */
static void replay_topics(struct consumer_group *g, const struct kafka_consumer_group_partition_metadata_value *v)
{
	for (size_t i = 0; i < g->topic_count; i++)
		free(g->topics[i].name);
	free(g->topics);
	size_t count = v == NULL ? 0 : (size_t)v->topics_count;
	g->topics = check_calloc(count + 1, sizeof(*g->topics));
	for (size_t i = 0; i < count; i++)
		g->topics[i] = (struct consumer_group_subscribed){
			check_strdup(v->topics[i].topic_name), v->topics[i].topic_id, v->topics[i].num_partitions};
	qsort(g->topics, count, sizeof(*g->topics), compare_subscribed);
	g->topic_count = count;
}

void consumer_group_records_replay(struct consumer_group *g, const struct group_record_view *v)
{
	CHECK_MAGIC(consumer_group, g);
	switch (v->kind) {
	case GROUP_RECORD_CONSUMER_GROUP:
		g->has_epoch = v->value != NULL;
		g->epoch = v->value == NULL ? 0 : v->consumer_group->epoch;
		break;
	case GROUP_RECORD_CONSUMER_PARTITIONS:
		replay_topics(g, v->partitions);
		break;
	case GROUP_RECORD_CONSUMER_MEMBER:
		replay_member(g, v);
		break;
	case GROUP_RECORD_CONSUMER_TARGET:
		g->assignment_epoch = v->value == NULL ? 0 : v->target->assignment_epoch;
		break;
	case GROUP_RECORD_CONSUMER_TARGET_MEMBER:
		replay_target(g, v);
		break;
	case GROUP_RECORD_CONSUMER_CURRENT:
		replay_current(g, v);
		break;
	case GROUP_RECORD_CONSUMER_REGEX: /* matched anew */
		break;
	case GROUP_RECORD_OFFSET:
	case GROUP_RECORD_GROUP:
	case GROUP_RECORD_KIND_COUNT:
	default:
		unreachable("not a record of a consumer group");
	}
}

static bool owned_by_others(const struct consumer_group *g, const struct consumer_group_member *m, const struct partition_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct consumer_group_member *owner = consumer_group_member_owner(g, &s->items[i]);
		if (owner != NULL && owner != m)
			return true;
	}
	return false;
}

/* Does the record contradict itself or another member's? */
static bool is_damaged(const struct consumer_group *g, const struct consumer_group_member *m, const struct partition_set *assigned,
	const struct partition_set *revoking)
{
	if (m->state == CONSUMER_MEMBER_UNKNOWN || m->epoch < CONSUMER_GROUP_STATIC_LEAVE_EPOCH || m->epoch == -1 ||
		m->epoch > g->assignment_epoch)
		return true;
	if (m->state != CONSUMER_MEMBER_UNREVOKED && revoking->count > 0)
		return true;
	return partition_set_overlap(assigned, revoking) || owned_by_others(g, m, assigned) || owned_by_others(g, m, revoking);
}

/* A member that cannot be believed owns nothing and is fenced: it joins again. */
static void settle_member(struct consumer_group *g, struct consumer_group_member *m)
{
	struct partition_set assigned = {0}, revoking = {0};
	partition_set_swap(&assigned, &m->assigned);
	partition_set_swap(&revoking, &m->revoking);
	if (is_damaged(g, m, &assigned, &revoking)) {
		m->state = CONSUMER_MEMBER_UNKNOWN;
		m->epoch = m->previous_epoch = 0;
		m->dirty |= CONSUMER_DIRTY_CURRENT;
	} else {
		consumer_group_member_set_current(g, m, &assigned, &revoking);
	}
	partition_set_fini(&assigned);
	partition_set_fini(&revoking);
}

bool consumer_group_records_loaded(struct consumer_group *g, int64_t now_ms)
{
	struct consumer_group_member *m, *next;
	CHECK_MAGIC(consumer_group, g);
	g->epoch = g->epoch < 0 ? 0 : g->epoch;
	g->assignment_epoch = g->assignment_epoch < 0 ? 0 : g->assignment_epoch;
	if (g->epoch < g->assignment_epoch)
		g->epoch = g->assignment_epoch;
	HASH_ITER (hh, g->members, m, next) {
		if (!m->has_metadata) {
			partition_set_clear(&m->assigned);
			partition_set_clear(&m->revoking);
			consumer_group_member_forget(g, m);
			continue;
		}
		settle_member(g, m);
		consumer_group_member_touch(g, m, now_ms);
		if (m->state == CONSUMER_MEMBER_UNREVOKED) {
			m->rebalance_deadline_ms = now_ms + m->rebalance_timeout_ms;
			consumer_group_deadline(g, m->rebalance_deadline_ms);
		}
	}
	return g->has_epoch;
}
