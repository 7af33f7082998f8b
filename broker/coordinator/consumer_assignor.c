#include "coordinator/consumer_assignor.h"

#include <stdlib.h>

const char *consumer_assignor_name(enum consumer_assignor a)
{
	static const char *const names[CONSUMER_ASSIGNOR_COUNT] = {
		[CONSUMER_ASSIGNOR_UNIFORM] = "uniform",
		[CONSUMER_ASSIGNOR_RANGE] = "range",
	};
	expect(a < CONSUMER_ASSIGNOR_COUNT);
	return names[a];
}

bool consumer_assignor_find(const char *name, enum consumer_assignor *ret_assignor)
{
	for (int i = 0; i < CONSUMER_ASSIGNOR_COUNT; i++)
		if (strcmp(name, consumer_assignor_name((enum consumer_assignor)i)) == 0) {
			*ret_assignor = (enum consumer_assignor)i;
			return true;
		}
	return false;
}

/* --- range ----------------------------------------------------------------------------------------------------------- */

/* Static members first. */
static int compare_members(const void *a, const void *b)
{
	const struct consumer_assignor_member *x = *(struct consumer_assignor_member *const *)a;
	const struct consumer_assignor_member *y = *(struct consumer_assignor_member *const *)b;
	if ((x->instance_id == NULL) != (y->instance_id == NULL))
		return x->instance_id == NULL ? 1 : -1;
	return x->instance_id == NULL ? strcmp(x->id, y->id) : strcmp(x->instance_id, y->instance_id);
}

/* How far a topic has been dealt out. */
struct range_topic {
	int32_t subscribers, extra, next;
};

static struct range_topic *range_topics(const struct consumer_assignor_input *in)
{
	struct range_topic *topics = check_calloc(in->topic_count + 1, sizeof(*topics));
	for (size_t i = 0; i < in->member_count; i++)
		for (size_t k = 0; k < in->members[i].topic_count; k++)
			topics[in->members[i].topics[k]].subscribers++;
	for (size_t t = 0; t < in->topic_count; t++)
		if (topics[t].subscribers > 0)
			topics[t].extra = in->topics[t].partition_count % topics[t].subscribers;
	return topics;
}

static void take_range(const struct consumer_assignor_topic *topic, struct range_topic *r, struct partition_set *to)
{
	int32_t quota = topic->partition_count / r->subscribers;
	if (r->extra > 0) {
		r->extra--;
		quota++;
	}
	for (int32_t end = r->next + quota; r->next < end; r->next++)
		partition_set_append(to, &topic->id, r->next);
}

static void assign_range(const struct consumer_assignor_input *in)
{
	struct consumer_assignor_member **sorted = check_calloc(in->member_count + 1, sizeof(struct consumer_assignor_member *));
	struct range_topic *topics = range_topics(in);
	for (size_t i = 0; i < in->member_count; i++)
		sorted[i] = &in->members[i];
	qsort(sorted, in->member_count, sizeof(struct consumer_assignor_member *), compare_members);
	for (size_t i = 0; i < in->member_count; i++) {
		struct consumer_assignor_member *m = sorted[i];
		partition_set_clear(&m->target);
		for (size_t k = 0; k < m->topic_count; k++)
			take_range(&in->topics[m->topics[k]], &topics[m->topics[k]], &m->target);
		partition_set_sort(&m->target);
	}
	free(topics);
	free(sorted);
}

/* --- uniform --------------------------------------------------------------------------------------------------------- */

/* A partition is known by its number among all partitions of all topics, a member by its place; owner -1: nobody. */
struct uniform {
	const struct consumer_assignor_input *in;
	size_t *first;  /* number of each topic's first partition; one more: the end */
	int32_t *owner; /* of each partition */
	int32_t *load;  /* of each member */
	int32_t **subscribers; /* of each topic, members ascending */
	int32_t *subscriber_count;
};

static bool topic_index(const struct consumer_assignor_input *in, const struct uuid *id, size_t *ret_index)
{
	size_t low = 0, high = in->topic_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(in->topics[middle].id.b, id->b, sizeof(id->b));
		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool subscribes(const struct consumer_assignor_member *m, size_t topic)
{
	size_t low = 0, high = m->topic_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->topics[middle] == topic)
			return true;
		if (m->topics[middle] < topic)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void own(struct uniform *u, size_t partition, int32_t member)
{
	if (u->owner[partition] >= 0)
		u->load[u->owner[partition]]--;
	u->owner[partition] = member;
	if (member >= 0)
		u->load[member]++;
}

static void list_subscribers(struct uniform *u)
{
	const struct consumer_assignor_input *in = u->in;
	for (size_t i = 0; i < in->member_count; i++)
		for (size_t k = 0; k < in->members[i].topic_count; k++)
			u->subscriber_count[in->members[i].topics[k]]++;
	for (size_t t = 0; t < in->topic_count; t++) {
		u->subscribers[t] = check_calloc((size_t)u->subscriber_count[t] + 1, sizeof(int32_t));
		u->subscriber_count[t] = 0;
	}
	for (size_t i = 0; i < in->member_count; i++)
		for (size_t k = 0; k < in->members[i].topic_count; k++) {
			size_t t = in->members[i].topics[k];
			u->subscribers[t][u->subscriber_count[t]++] = (int32_t)i;
		}
}

/* What they had and still may have. */
static void keep_previous(struct uniform *u)
{
	const struct consumer_assignor_input *in = u->in;
	for (size_t i = 0; i < in->member_count; i++) {
		const struct partition_set *had = in->members[i].previous;
		for (size_t k = 0; k < had->count; k++) {
			size_t t;
			int32_t number = had->items[k].partition;
			if (topic_index(in, &had->items[k].topic_id, &t) && number >= 0 &&
				number < in->topics[t].partition_count && subscribes(&in->members[i], t) &&
				u->owner[u->first[t] + (size_t)number] < 0)
				own(u, u->first[t] + (size_t)number, (int32_t)i);
		}
	}
}

static void uniform_init(struct uniform *u, const struct consumer_assignor_input *in)
{
	expect(in->member_count <= INT32_MAX);
	*u = (struct uniform){.in = in};
	u->first = check_calloc(in->topic_count + 1, sizeof(size_t));
	for (size_t t = 0; t < in->topic_count; t++) {
		expect(in->topics[t].partition_count >= 0);
		u->first[t + 1] = u->first[t] + (size_t)in->topics[t].partition_count;
	}
	u->owner = check_calloc(u->first[in->topic_count] + 1, sizeof(int32_t));
	for (size_t p = 0; p < u->first[in->topic_count]; p++)
		u->owner[p] = -1;
	u->load = check_calloc(in->member_count + 1, sizeof(int32_t));
	u->subscribers = check_calloc(in->topic_count + 1, sizeof(int32_t *));
	u->subscriber_count = check_calloc(in->topic_count + 1, sizeof(int32_t));
	list_subscribers(u);
	keep_previous(u);
}

static void uniform_fini(struct uniform *u)
{
	for (size_t t = 0; t < u->in->topic_count; t++)
		free(u->subscribers[t]);
	free(u->subscribers);
	free(u->subscriber_count);
	free(u->load);
	free(u->owner);
	free(u->first);
}

/* All subscribe to the same topics: everybody gets the same number, the surplus goes one by one, first to those who have more than
 * that already. */
static void divide_equally(struct uniform *u)
{
	const struct consumer_assignor_input *in = u->in;
	size_t total = 0;
	for (size_t t = 0; t < in->topic_count; t++)
		total += u->subscriber_count[t] > 0 ? (size_t)in->topics[t].partition_count : 0;
	int32_t least = (int32_t)(total / in->member_count), surplus = (int32_t)(total % in->member_count);
	int32_t *quota = check_calloc(in->member_count, sizeof(int32_t));
	for (size_t i = 0; i < in->member_count; i++) {
		quota[i] = least + (surplus > 0 && u->load[i] > least ? 1 : 0);
		surplus -= quota[i] - least;
	}
	for (size_t i = 0; i < in->member_count && surplus > 0; i++)
		if (quota[i] == least) {
			quota[i]++;
			surplus--;
		}
	size_t end = u->first[in->topic_count], below = 0;
	for (size_t p = end; p-- > 0;)
		if (u->owner[p] >= 0 && u->load[u->owner[p]] > quota[u->owner[p]])
			own(u, p, -1);
	for (size_t t = 0; t < in->topic_count; t++)
		for (size_t p = u->first[t]; u->subscriber_count[t] > 0 && p < u->first[t + 1]; p++) {
			if (u->owner[p] >= 0)
				continue;
			while (u->load[below] == quota[below])
				below++;
			expect(below < in->member_count);
			own(u, p, (int32_t)below);
		}
	free(quota);
}

static int32_t least_loaded(const struct uniform *u, size_t topic)
{
	int32_t best = -1;
	for (int32_t i = 0; i < u->subscriber_count[topic]; i++) {
		int32_t m = u->subscribers[topic][i];
		if (best < 0 || u->load[m] < u->load[best])
			best = m;
	}
	return best;
}

struct topic_order {
	int32_t subscribers;
	size_t topic;
};
static int compare_order(const void *a, const void *b)
{
	const struct topic_order *x = a, *y = b;
	if (x->subscribers != y->subscribers)
		return x->subscribers < y->subscribers ? -1 : 1;
	return (x->topic > y->topic) - (x->topic < y->topic);
}

/* Topics few can take come first. */
static void place_unowned(struct uniform *u)
{
	const struct consumer_assignor_input *in = u->in;
	struct topic_order *order = check_calloc(in->topic_count + 1, sizeof(*order));
	for (size_t t = 0; t < in->topic_count; t++)
		order[t] = (struct topic_order){u->subscriber_count[t], t};
	qsort(order, in->topic_count, sizeof(*order), compare_order);
	for (size_t i = 0; i < in->topic_count; i++) {
		size_t t = order[i].topic;
		for (size_t p = u->first[t]; order[i].subscribers > 0 && p < u->first[t + 1]; p++)
			if (u->owner[p] < 0)
				own(u, p, least_loaded(u, t));
	}
	free(order);
}

/* Moves partitions of one topic from whoever has at least two more than the least loaded. Each move makes the sum of the squares of
 * the loads smaller, so that it ends. */
static bool level_topic(struct uniform *u, size_t t)
{
	bool moved = false;
	for (size_t p = u->first[t]; p < u->first[t + 1]; p++) {
		int32_t to = least_loaded(u, t);
		if (to >= 0 && u->load[u->owner[p]] - u->load[to] >= 2) {
			own(u, p, to);
			moved = true;
		}
	}
	return moved;
}

static void level(struct uniform *u)
{
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t t = 0; t < u->in->topic_count; t++)
			if (u->subscriber_count[t] > 1)
				moved = level_topic(u, t) || moved;
	}
}

static bool subscriptions_equal(const struct consumer_assignor_input *in)
{
	const struct consumer_assignor_member *a = &in->members[0];
	for (size_t i = 1; i < in->member_count; i++) {
		const struct consumer_assignor_member *b = &in->members[i];
		if (a->topic_count != b->topic_count)
			return false;
		if (a->topic_count > 0 && memcmp(a->topics, b->topics, a->topic_count * sizeof(*a->topics)) != 0)
			return false;
	}
	return true;
}

static void assign_uniform(const struct consumer_assignor_input *in)
{
	struct uniform u;
	uniform_init(&u, in);
	if (subscriptions_equal(in)) {
		divide_equally(&u);
	} else {
		place_unowned(&u);
		level(&u);
	}
	for (size_t i = 0; i < in->member_count; i++)
		partition_set_clear(&in->members[i].target);
	for (size_t t = 0; t < in->topic_count; t++)
		for (size_t p = u.first[t]; p < u.first[t + 1]; p++)
			if (u.owner[p] >= 0)
				partition_set_append(
					&in->members[u.owner[p]].target, &in->topics[t].id, (int32_t)(p - u.first[t]));
	uniform_fini(&u);
}

void consumer_assignor_assign(enum consumer_assignor a, const struct consumer_assignor_input *in)
{
	expect(a < CONSUMER_ASSIGNOR_COUNT);
	if (in->member_count == 0)
		return;
	if (a == CONSUMER_ASSIGNOR_RANGE)
		assign_range(in);
	else
		assign_uniform(in);
}
