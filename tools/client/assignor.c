#include "tools/client/assignor.h"
#include <stdlib.h>

static const char *const names[ASSIGNOR_COUNT] = {"range", "roundrobin", "cooperative-sticky"};

const char *assignor_name(enum assignor a)
{
	expect(a < ASSIGNOR_COUNT);
	return names[a];
}

/* The classes of Java's, for option files that serve both. */
static const char *const classes[ASSIGNOR_COUNT] = {"org.apache.kafka.clients.consumer.RangeAssignor",
	"org.apache.kafka.clients.consumer.RoundRobinAssignor", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"};

bool assignor_find(struct slice name, enum assignor *ret_assignor)
{
	for (int i = 0; i < ASSIGNOR_COUNT; i++)
		if (slice_equal(slice_of_str(names[i]), name) || slice_equal(slice_of_str(classes[i]), name)) {
			*ret_assignor = (enum assignor)i;
			return true;
		}
	return false;
}

bool assignor_cooperative(enum assignor a)
{
	return a == ASSIGNOR_COOPERATIVE_STICKY;
}

/* ---- the work ---- */

enum { NOBODY = -1 };

/* All partitions of all topics in one row: topic t's begin at first[t]. */
struct work {
	struct arena *arena;
	struct assignor_member *members;
	struct assignor_topic *topics;
	size_t member_count, topic_count, partition_count;
	size_t *first;
	int32_t *owner;     /* per partition: member or NOBODY */
	int32_t *claimed;   /* per partition: who says to own it, of the latest generation; NOBODY */
	int32_t *claim_generation; /* INT32_MIN: nobody says to own it */
	size_t *load;       /* per member */
	size_t **subscribers; /* per topic: members */
	size_t *subscriber_count;
};

/* Static members first, by instance id: they keep their place when they come back under another member id (Java: MemberInfo). */
static int compare_members(const void *a, const void *b)
{
	const struct assignor_member *x = (const struct assignor_member *)a, *y = (const struct assignor_member *)b;
	if (x->instance_id != NULL && y->instance_id != NULL)
		return strcmp(x->instance_id, y->instance_id);
	if (x->instance_id != NULL || y->instance_id != NULL)
		return x->instance_id != NULL ? -1 : 1;
	return strcmp(x->member_id, y->member_id);
}

static int compare_topics(const void *a, const void *b)
{
	return strcmp(((const struct assignor_topic *)a)->name, ((const struct assignor_topic *)b)->name);
}

/* The number of the topic, or topic_count. */
static size_t find_topic(const struct work *w, const char *name)
{
	const struct assignor_topic key = {.name = name};
	const struct assignor_topic *found = w->topic_count == 0
		? NULL
		: (const struct assignor_topic *)bsearch(&key, w->topics, w->topic_count, sizeof(key), compare_topics);
	return found == NULL ? w->topic_count : (size_t)(found - w->topics);
}

static bool has_subscriber(const struct work *w, size_t topic, size_t member)
{
	size_t n = w->subscriber_count[topic];
	return n > 0 && w->subscribers[topic][n - 1] == member;
}

/* Members are visited in order, so each list is sorted and a topic named twice is seen. */
static enum status find_subscribers(struct work *w)
{
	for (size_t t = 0; t < w->topic_count; t++) {
		w->subscribers[t] = arena_calloc(w->arena, w->member_count + 1, sizeof(size_t));
		if (w->subscribers[t] == NULL)
			return STATUS_TOO_LARGE;
	}
	for (size_t m = 0; m < w->member_count; m++) {
		const struct subscription *s = &w->members[m].subscription;
		for (size_t i = 0; i < s->topic_count; i++) {
			size_t t = find_topic(w, s->topics[i]);
			if (t < w->topic_count && !has_subscriber(w, t, m))
				w->subscribers[t][w->subscriber_count[t]++] = m;
		}
	}
	return STATUS_OK;
}

static enum status work_init(struct work *w)
{
	w->first = arena_calloc(w->arena, w->topic_count + 1, sizeof(*w->first));
	w->subscribers = arena_calloc(w->arena, w->topic_count + 1, sizeof(*w->subscribers));
	w->subscriber_count = arena_calloc(w->arena, w->topic_count + 1, sizeof(*w->subscriber_count));
	w->load = arena_calloc(w->arena, w->member_count + 1, sizeof(*w->load));
	if (w->first == NULL || w->subscribers == NULL || w->subscriber_count == NULL || w->load == NULL)
		return STATUS_TOO_LARGE;
	for (size_t t = 0; t < w->topic_count; t++) {
		expect(w->topics[t].partitions >= 0);
		w->first[t] = w->partition_count;
		w->partition_count += (size_t)w->topics[t].partitions;
	}
	w->owner = arena_calloc(w->arena, w->partition_count + 1, sizeof(*w->owner));
	w->claimed = arena_calloc(w->arena, w->partition_count + 1, sizeof(*w->claimed));
	w->claim_generation = arena_calloc(w->arena, w->partition_count + 1, sizeof(*w->claim_generation));
	if (w->owner == NULL || w->claimed == NULL || w->claim_generation == NULL)
		return STATUS_TOO_LARGE;
	for (size_t p = 0; p < w->partition_count; p++) {
		w->owner[p] = w->claimed[p] = NOBODY;
		w->claim_generation[p] = INT32_MIN;
	}
	return find_subscribers(w);
}

/* ---- range, round robin ---- */

static void assign_range(struct work *w)
{
	for (size_t t = 0; t < w->topic_count; t++) {
		size_t members = w->subscriber_count[t], partitions = (size_t)w->topics[t].partitions, next = 0;
		for (size_t i = 0; i < members; i++) {
			size_t share = partitions / members + (i < partitions % members ? 1 : 0);
			for (size_t k = 0; k < share; k++)
				w->owner[w->first[t] + next++] = (int32_t)w->subscribers[t][i];
		}
	}
}

static bool subscribes(const struct work *w, size_t topic, size_t member)
{
	for (size_t i = 0; i < w->subscriber_count[topic]; i++)
		if (w->subscribers[topic][i] == member)
			return true;
	return false;
}

static void assign_round_robin(struct work *w)
{
	size_t turn = 0;
	for (size_t t = 0; t < w->topic_count; t++) {
		if (w->subscriber_count[t] == 0)
			continue;
		for (size_t p = 0; p < (size_t)w->topics[t].partitions; p++) {
			while (!subscribes(w, t, turn))
				turn = (turn + 1) % w->member_count;
			w->owner[w->first[t] + p] = (int32_t)turn;
			turn = (turn + 1) % w->member_count;
		}
	}
}

/* ---- sticky ---- */

/* One member says to own a partition. The latest generation is believed; of two of the same neither is. */
static void claim(struct work *w, size_t partition, int32_t member)
{
	int32_t generation = w->members[member].subscription.generation;
	if (generation > w->claim_generation[partition])
		w->claimed[partition] = member;
	else if (generation == w->claim_generation[partition])
		w->claimed[partition] = NOBODY;
	else
		return;
	w->claim_generation[partition] = generation;
}

static void collect_claims(struct work *w)
{
	for (size_t m = 0; m < w->member_count; m++) {
		const struct partition_sets *owned = &w->members[m].subscription.owned;
		for (size_t i = 0; i < owned->count; i++) {
			size_t t = find_topic(w, owned->topics[i].topic);
			if (t == w->topic_count || !subscribes(w, t, m))
				continue;
			for (size_t k = 0; k < owned->topics[i].count; k++) {
				int32_t p = owned->topics[i].partitions[k];
				if (p >= 0 && p < w->topics[t].partitions)
					claim(w, w->first[t] + (size_t)p, (int32_t)m);
			}
		}
	}
	for (size_t p = 0; p < w->partition_count; p++) {
		w->owner[p] = w->claimed[p];
		if (w->owner[p] != NOBODY)
			w->load[w->owner[p]]++;
	}
}

static size_t least_loaded(const struct work *w, size_t topic)
{
	size_t best = w->subscribers[topic][0];
	for (size_t i = 1; i < w->subscriber_count[topic]; i++)
		if (w->load[w->subscribers[topic][i]] < w->load[best])
			best = w->subscribers[topic][i];
	return best;
}

static void give(struct work *w, size_t partition, size_t member)
{
	if (w->owner[partition] != NOBODY)
		w->load[w->owner[partition]]--;
	w->owner[partition] = (int32_t)member;
	w->load[member]++;
}

/* Gives out what nobody has, then moves partitions to members that have at least two fewer. Each move makes the loads more even, so
 * this ends; it is bounded all the same. */
static void balance(struct work *w)
{
	enum { PASSES_MAX = 64 };
	for (size_t t = 0; t < w->topic_count; t++)
		for (size_t p = 0; w->subscriber_count[t] > 0 && p < (size_t)w->topics[t].partitions; p++)
			if (w->owner[w->first[t] + p] == NOBODY)
				give(w, w->first[t] + p, least_loaded(w, t));
	bool moved = true;
	for (int pass = 0; moved && pass < PASSES_MAX; pass++) {
		moved = false;
		for (size_t t = 0; t < w->topic_count; t++)
			for (size_t p = 0; w->subscriber_count[t] > 0 && p < (size_t)w->topics[t].partitions; p++) {
				size_t at = w->first[t] + p, to = least_loaded(w, t);
				if (w->load[to] + 1 >= w->load[w->owner[at]])
					continue;
				give(w, at, to);
				moved = true;
			}
	}
}

/* A partition that another member still reads is given to nobody in this round: its owner gives it up and joins again. */
static void withhold_what_moves(struct work *w)
{
	for (size_t t = 0; t < w->topic_count; t++)
		for (int32_t p = 0; p < w->topics[t].partitions; p++) {
			size_t at = w->first[t] + (size_t)p;
			int32_t to = w->owner[at];
			if (to == NOBODY || w->claim_generation[at] == INT32_MIN || w->claimed[at] == to)
				continue;
			if (!partition_sets_have(&w->members[to].subscription.owned, w->topics[t].name, p))
				w->owner[at] = NOBODY;
		}
}

static void assign_sticky(struct work *w)
{
	collect_claims(w);
	balance(w);
	withhold_what_moves(w);
}

/* ---- the result ---- */

/* Partitions of one member, per topic. */
static enum status collect_member(struct work *w, size_t member)
{
	struct partition_sets *out = &w->members[member].assignment;
	*out = (struct partition_sets){.topics = arena_calloc(w->arena, w->topic_count + 1, sizeof(*out->topics))};
	if (out->topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t t = 0; t < w->topic_count; t++) {
		const int32_t *owner = &w->owner[w->first[t]];
		size_t count = 0;
		for (int32_t p = 0; p < w->topics[t].partitions; p++)
			count += owner[p] == (int32_t)member;
		if (count == 0)
			continue;
		struct partition_set *set = &out->topics[out->count++];
		set->topic = w->topics[t].name;
		set->partitions = arena_calloc(w->arena, count, sizeof(int32_t));
		if (set->partitions == NULL)
			return STATUS_TOO_LARGE;
		for (int32_t p = 0; p < w->topics[t].partitions; p++)
			if (owner[p] == (int32_t)member)
				set->partitions[set->count++] = p;
	}
	return STATUS_OK;
}

enum status assignor_assign(enum assignor a, struct arena *arena, struct assignor_member *members, size_t member_count,
	struct assignor_topic *topics, size_t topic_count)
{
	struct work w = {
		.arena = arena, .members = members, .member_count = member_count, .topics = topics, .topic_count = topic_count};
	if (member_count > 1)
		qsort(members, member_count, sizeof(*members), compare_members);
	if (topic_count > 1)
		qsort(topics, topic_count, sizeof(*topics), compare_topics);
	TRY(work_init(&w));
	if (a == ASSIGNOR_RANGE)
		assign_range(&w);
	else if (a == ASSIGNOR_ROUNDROBIN)
		assign_round_robin(&w);
	else
		assign_sticky(&w);
	for (size_t m = 0; m < member_count; m++)
		TRY(collect_member(&w, m));
	return STATUS_OK;
}
