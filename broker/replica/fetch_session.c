#include "replica/fetch_session.h"

#include "base/metrics.h"
#include "base/random.h"

#include <uthash.h>

/* uthash's macros hand pointers through as they are. */
struct partition_node {
	struct fetch_session_partition partition;
	UT_hash_handle hh; /* in its topic, by number */
};
struct fetch_session_topic {
	char *name; /* NULL: not resolved yet */
	struct uuid id;
	struct partition_node *partitions;
	UT_hash_handle hh; /* in its session, by name or id */
};
struct fetch_session {
	unsigned magic;
	int32_t id, epoch;
	bool privileged, uses_topic_ids;
	bool closed; /* out of the cache */
	unsigned users;
	int64_t created_ms, used_ms;
	struct fetch_session_topic *topics; /* also those without partitions: requests under way refer to their names */
	size_t topic_count;
	struct fetch_session_partition order; /* head of the ring */
	size_t partition_count;
	UT_hash_handle hh;
};
MAGIC(fetch_session, 0x46534553);

struct fetch_session_cache {
	unsigned magic;
	struct fetch_session_cache_options options;
	struct random random;
	struct fetch_session *by_id;
	size_t held; /* partitions and topics of all sessions, closed ones in use too */
	size_t partition_count;
};
MAGIC(fetch_session_cache, 0x46534343);

struct fetch_session_cache *fetch_session_cache_new(const struct fetch_session_cache_options *o)
{
	expect(o->id_step >= 1 && o->id_first >= 0 && o->id_first < o->id_step);
	struct fetch_session_cache *c = check_calloc(1, sizeof(*c));
	c->magic = fetch_session_cache_magic;
	c->options = *o;
	random_seed(&c->random, o->seed);
	return c;
}

/* --- one session -------------------------------------------------------------------------------------------------------- */

static void ring_remove(struct fetch_session_partition *p)
{
	p->previous->next = p->next;
	p->next->previous = p->previous;
}

static void ring_append(struct fetch_session *s, struct fetch_session_partition *p)
{
	p->next = &s->order;
	p->previous = s->order.previous;
	p->previous->next = p;
	s->order.previous = p;
}

static void drop_partition(struct fetch_session_cache *c, struct fetch_session *s, struct partition_node *n)
{
	struct fetch_session_topic *t = n->partition.topic;
	HASH_DEL(t->partitions, n);
	ring_remove(&n->partition);
	expect(s->partition_count > 0 && c->held > 0 && c->partition_count > 0);
	s->partition_count--;
	c->partition_count--;
	metrics_add(METRIC_fetch_session_partitions, -1);
	c->held--;
	free(n);
}

static void destroy(struct fetch_session_cache *c, struct fetch_session *s)
{
	struct fetch_session_topic *t, *next_topic;
	expect(s->closed && s->users == 0);
	HASH_ITER(hh, s->topics, t, next_topic)
	{
		struct partition_node *n, *next;
		HASH_ITER(hh, t->partitions, n, next)
			drop_partition(c, s, n);
		HASH_DEL(s->topics, t);
		c->held--;
		free(t->name);
		free(t);
	}
	expect(s->partition_count == 0);
	s->magic = 0;
	free(s);
}

int32_t fetch_session_id(const struct fetch_session *s)
{
	CHECK_MAGIC(fetch_session, s);
	return s->id;
}

int32_t fetch_session_epoch(const struct fetch_session *s)
{
	CHECK_MAGIC(fetch_session, s);
	return s->epoch;
}

int32_t fetch_session_next_epoch(int32_t epoch)
{
	if (epoch < 0)
		return FETCH_SESSION_EPOCH_FINAL;
	return epoch == INT32_MAX ? 1 : epoch + 1;
}

size_t fetch_session_partition_count(const struct fetch_session *s)
{
	return s->partition_count;
}

static struct fetch_session_topic *find_topic(const struct fetch_session *s, const struct fetch_session_key *key)
{
	struct fetch_session_topic *t = NULL;
	if (s->uses_topic_ids)
		HASH_FIND(hh, s->topics, key->id.b, sizeof(key->id.b), t);
	else
		HASH_FIND(hh, s->topics, key->name, strlen(key->name), t);
	return t;
}

static struct fetch_session_topic *add_topic(struct fetch_session_cache *c, struct fetch_session *s, const struct fetch_session_key *key)
{
	struct fetch_session_topic *t = check_calloc(1, sizeof(*t));
	expect(s->uses_topic_ids || key->name != NULL);
	t->name = key->name == NULL ? NULL : check_strdup(key->name);
	t->id = key->id;
	if (s->uses_topic_ids || t->name == NULL)
		HASH_ADD_KEYPTR(hh, s->topics, t->id.b, sizeof(t->id.b), t);
	else
		HASH_ADD_KEYPTR(hh, s->topics, t->name, strlen(t->name), t);
	c->held++;
	return t;
}

static struct partition_node *add_partition(struct fetch_session_cache *c, struct fetch_session *s, struct fetch_session_topic *t,
	int32_t partition)
{
	struct partition_node *n = check_calloc(1, sizeof(*n));
	n->partition.topic = t;
	n->partition.partition = partition;
	n->partition.high_watermark = n->partition.log_start_offset = -1;
	HASH_ADD(hh, t->partitions, partition.partition, sizeof(int32_t), n);
	ring_append(s, &n->partition);
	s->partition_count++;
	c->partition_count++;
	metrics_add(METRIC_fetch_session_partitions, 1);
	c->held++;
	return n;
}

enum status fetch_session_put(struct fetch_session_cache *c, struct fetch_session *s, const struct fetch_session_key *key,
	int32_t partition, const struct fetch_session_request *request, struct fetch_session_partition **ret_partition)
{
	CHECK_MAGIC(fetch_session, s);
	expect(s->uses_topic_ids || key->name != NULL);
	struct partition_node *n = NULL;
	struct fetch_session_topic *t = find_topic(s, key);
	if (t != NULL)
		HASH_FIND(hh, t->partitions, &partition, sizeof(partition), n);
	if (n == NULL) {
		if (c->held + 2 > c->options.partitions_max)
			return STATUS_TOO_LARGE;
		if (t == NULL)
			t = add_topic(c, s, key);
		n = add_partition(c, s, t, partition);
	}
	n->partition.request = *request;
	*ret_partition = &n->partition;
	return STATUS_OK;
}

void fetch_session_forget(struct fetch_session_cache *c, struct fetch_session *s, const struct fetch_session_key *key, int32_t partition)
{
	CHECK_MAGIC(fetch_session, s);
	struct partition_node *n = NULL;
	struct fetch_session_topic *t = find_topic(s, key);
	if (t != NULL)
		HASH_FIND(hh, t->partitions, &partition, sizeof(partition), n);
	if (n != NULL)
		drop_partition(c, s, n);
}

struct fetch_session_partition *fetch_session_first(struct fetch_session *s)
{
	CHECK_MAGIC(fetch_session, s);
	return fetch_session_next(s, &s->order);
}

struct fetch_session_partition *fetch_session_next(struct fetch_session *s, struct fetch_session_partition *p)
{
	return p->next == &s->order ? NULL : p->next;
}

const char *fetch_session_topic_name(const struct fetch_session_topic *t)
{
	return t->name;
}

const struct uuid *fetch_session_topic_id(const struct fetch_session_topic *t)
{
	return &t->id;
}

void fetch_session_topic_resolve(struct fetch_session_topic *t, const char *name)
{
	expect(t->name == NULL && name != NULL);
	t->name = check_strdup(name);
}

bool fetch_session_answer(struct fetch_session *s, struct fetch_session_partition *p, const struct fetch_session_result *r)
{
	CHECK_MAGIC(fetch_session, s);
	bool news = r->has_records || r->failed || r->diverges || p->high_watermark != r->high_watermark ||
		p->log_start_offset != r->log_start_offset;
	/* When the error goes away the partition is to be sent again. */
	p->high_watermark = r->failed ? -1 : r->high_watermark;
	p->log_start_offset = r->log_start_offset;
	if (r->has_records) {
		ring_remove(p);
		ring_append(s, p);
	}
	return news;
}

/* --- the cache ---------------------------------------------------------------------------------------------------------- */

static struct fetch_session *find(const struct fetch_session_cache *c, int32_t id)
{
	struct fetch_session *s = NULL;
	HASH_FIND(hh, c->by_id, &id, sizeof(id), s);
	return s;
}

static void close_session(struct fetch_session_cache *c, struct fetch_session *s)
{
	expect(!s->closed);
	HASH_DEL(c->by_id, s);
	metrics_add(METRIC_fetch_sessions, -1);
	s->closed = true;
	if (s->users == 0)
		destroy(c, s);
}

void fetch_session_cache_free(struct fetch_session_cache *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(fetch_session_cache, c);
	struct fetch_session *s, *next;
	HASH_ITER(hh, c->by_id, s, next)
	{
		s->users = 0;
		close_session(c, s);
	}
	c->magic = 0;
	free(c);
}

size_t fetch_session_cache_count(const struct fetch_session_cache *c)
{
	return HASH_COUNT(c->by_id);
}

size_t fetch_session_cache_partition_count(const struct fetch_session_cache *c)
{
	return c->partition_count;
}

/* Is a worth less than b? Kafka: EvictableKey. */
static bool worth_less(const struct fetch_session *a, const struct fetch_session *b)
{
	if (a->privileged != b->privileged)
		return b->privileged;
	return a->partition_count != b->partition_count ? a->partition_count < b->partition_count : a->id < b->id;
}

/* Is a session of this kind worth more than s? */
static bool worth_more(bool privileged, size_t partition_count, const struct fetch_session *s)
{
	if (privileged != s->privileged)
		return privileged;
	return partition_count > s->partition_count;
}

/* First one that was not used for long; else the one worth least of those that may go, if the new one is worth more. */
static bool evict(struct fetch_session_cache *c, bool privileged, size_t partition_count, int64_t now_ms)
{
	struct fetch_session *s, *next, *oldest = NULL, *least = NULL;
	HASH_ITER(hh, c->by_id, s, next)
	{
		if (oldest == NULL || s->used_ms < oldest->used_ms)
			oldest = s;
		bool may_go = now_ms - s->created_ms > FETCH_SESSION_EVICTION_MS || (privileged && !s->privileged);
		if (may_go && (least == NULL || worth_less(s, least)))
			least = s;
	}
	if (oldest != NULL && now_ms - oldest->used_ms > FETCH_SESSION_EVICTION_MS) {
		least = oldest;
	} else if (least == NULL || !worth_more(privileged, partition_count, least)) {
		return false;
	}
	metrics_add(METRIC_fetch_session_evictions, 1);
	close_session(c, least);
	return true;
}

static int32_t new_id(struct fetch_session_cache *c)
{
	const struct fetch_session_cache_options *o = &c->options;
	uint64_t choices = (uint64_t)((INT32_MAX - o->id_first) / o->id_step);
	int32_t id;
	do {
		id = (int32_t)(random_below(&c->random, choices) * (uint64_t)o->id_step) + o->id_first;
	} while (id == FETCH_SESSION_NONE || find(c, id) != NULL);
	return id;
}

struct fetch_session *fetch_session_cache_create(struct fetch_session_cache *c, bool privileged, size_t partition_count,
	bool uses_topic_ids, int64_t now_ms)
{
	CHECK_MAGIC(fetch_session_cache, c);
	if (2 * partition_count > c->options.partitions_max - c->held)
		return NULL;
	if (HASH_COUNT(c->by_id) >= c->options.slots && !evict(c, privileged, partition_count, now_ms))
		return NULL;
	struct fetch_session *s = check_calloc(1, sizeof(*s));
	s->magic = fetch_session_magic;
	s->id = new_id(c);
	s->epoch = fetch_session_next_epoch(FETCH_SESSION_EPOCH_INITIAL);
	s->privileged = privileged;
	s->uses_topic_ids = uses_topic_ids;
	s->users = 1;
	s->created_ms = s->used_ms = now_ms;
	s->order.next = s->order.previous = &s->order;
	HASH_ADD(hh, c->by_id, id, sizeof(s->id), s);
	metrics_add(METRIC_fetch_sessions, 1);
	return s;
}

enum status fetch_session_cache_resume(struct fetch_session_cache *c, int32_t id, int32_t epoch, bool uses_topic_ids,
	struct fetch_session **ret_session)
{
	CHECK_MAGIC(fetch_session_cache, c);
	struct fetch_session *s = find(c, id);
	if (s == NULL)
		return STATUS_FETCH_SESSION_ID_NOT_FOUND;
	if (s->epoch != epoch)
		return STATUS_INVALID_FETCH_SESSION_EPOCH;
	if (s->uses_topic_ids != uses_topic_ids)
		return STATUS_FETCH_SESSION_TOPIC_ID_ERROR;
	s->users++;
	*ret_session = s;
	return STATUS_OK;
}

bool fetch_session_cache_advance(struct fetch_session_cache *c, struct fetch_session *s, int64_t now_ms)
{
	CHECK_MAGIC(fetch_session, s);
	expect(s->users > 0 && !s->closed);
	if (s->partition_count == 0) {
		close_session(c, s);
		return false;
	}
	s->used_ms = now_ms;
	s->epoch = fetch_session_next_epoch(s->epoch);
	return true;
}

void fetch_session_cache_close(struct fetch_session_cache *c, int32_t id)
{
	CHECK_MAGIC(fetch_session_cache, c);
	struct fetch_session *s = find(c, id);
	if (s != NULL)
		close_session(c, s);
}

void fetch_session_cache_release(struct fetch_session_cache *c, struct fetch_session *s)
{
	CHECK_MAGIC(fetch_session, s);
	expect(s->users > 0);
	s->users--;
	if (s->closed && s->users == 0)
		destroy(c, s);
}
