#include "controller/controller_requests.h"

struct control_header controller_requests_header(const struct controller_state *s, const struct controller_broker *b)
{
	return (struct control_header){.controller_id = s->broker_id, .controller_epoch = s->controller_epoch,
		.broker_epoch = b->epoch};
}

/* --- values --------------------------------------------------------------- */

static int32_t *copy_ids(const int32_t *ids, size_t count)
{
	int32_t *copy = check_alloc(count * sizeof(int32_t) + 1);
	if (count > 0)
		memcpy(copy, ids, count * sizeof(int32_t));
	return copy;
}

static void fill_partition(const struct controller_state *s, const struct controller_partition *p, struct control_partition *c)
{
	*c = (struct control_partition){.partition = p->number, .leader = p->leader, .leader_epoch = p->leader_epoch,
		.partition_epoch = p->partition_epoch, .controller_epoch = p->controller_epoch, .is_new = !p->told,
		.leader_recovery_state = (int8_t)p->leader_recovery_state, .isr_count = p->isr_count, .replica_count = p->replica_count,
		.adding_count = p->adding_count, .removing_count = p->removing_count};
	c->isr = copy_ids(p->isr, p->isr_count);
	c->adding = copy_ids(p->adding, p->adding_count);
	c->removing = copy_ids(p->removing, p->removing_count);
	c->replicas = check_alloc(p->replica_count * sizeof(int32_t) + 1);
	c->offline = check_alloc(p->replica_count * sizeof(int32_t) + 1);
	for (size_t i = 0; i < p->replica_count; i++) {
		c->replicas[i] = p->replicas[i].id;
		if (!controller_state_replica_is_live(s, &p->replicas[i]))
			c->offline[c->offline_count++] = p->replicas[i].id;
	}
}

static int16_t security_code(const char *protocol)
{
	static const char *const names[] = {[CONTROL_SECURITY_PLAINTEXT] = "PLAINTEXT", [CONTROL_SECURITY_SSL] = "SSL",
		[CONTROL_SECURITY_SASL_PLAINTEXT] = "SASL_PLAINTEXT", [CONTROL_SECURITY_SASL_SSL] = "SASL_SSL"};
	for (size_t i = 0; protocol != NULL && i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(protocol, names[i]) == 0)
			return (int16_t)i;
	}
	return CONTROL_SECURITY_PLAINTEXT;
}

static struct control_broker *live_brokers(const struct controller_state *s, size_t *ret_count)
{
	size_t count = 0;
	int32_t *ids = controller_state_broker_ids(s, &count);
	struct control_broker *brokers = check_calloc(count + 1, sizeof *brokers);
	for (size_t i = 0; i < count; i++) {
		const struct controller_broker *b = controller_state_broker(s, ids[i]);
		brokers[i] = (struct control_broker){.id = b->id, .epoch = b->epoch,
			.rack = b->rack == NULL ? NULL : check_strdup(b->rack),
			.endpoints = check_calloc(b->endpoint_count + 1, sizeof(struct control_endpoint)),
			.endpoint_count = b->endpoint_count};
		for (size_t j = 0; j < b->endpoint_count; j++) {
			brokers[i].endpoints[j] = (struct control_endpoint){.listener = check_strdup(b->endpoints[j].listener),
				.host = check_strdup(b->endpoints[j].host), .port = b->endpoints[j].port,
				.security = security_code(b->endpoints[j].security_protocol)};
		}
	}
	free(ids);
	*ret_count = count;
	return brokers;
}

const struct zk_schema_endpoint *controller_requests_endpoint(const struct zk_schema_endpoint *endpoints, size_t count,
	const char *listener)
{
	expect(count > 0);
	for (size_t i = 0; listener != NULL && listener[0] != '\0' && i < count; i++) {
		if (strcmp(endpoints[i].listener, listener) == 0)
			return &endpoints[i];
	}
	return &endpoints[0];
}

static void add_live_leader(const struct controller_state *s, int32_t id, struct leader_and_isr_request *r)
{
	const struct controller_broker *b = controller_state_broker(s, id);
	for (size_t i = 0; i < r->live_leader_count; i++) {
		if (r->live_leaders[i].id == id)
			return;
	}
	if (b == NULL || b->endpoint_count == 0)
		return;
	const struct zk_schema_endpoint *e = controller_requests_endpoint(b->endpoints, b->endpoint_count, s->inter_broker_listener);
	r->live_leaders[r->live_leader_count++] = (struct control_leader){.id = id, .host = check_strdup(e->host), .port = e->port};
}

static void add_live_leaders(const struct controller_state *s, struct leader_and_isr_request *r)
{
	r->live_leaders = check_calloc(controller_state_broker_count(s) + 1, sizeof *r->live_leaders);
	for (size_t i = 0; i < r->topic_count; i++) {
		for (size_t j = 0; j < r->topics[i].partition_count; j++)
			add_live_leader(s, r->topics[i].partitions[j].leader, r);
	}
}

static bool hosts(const struct controller_partition *p, int32_t broker_id)
{
	for (size_t i = 0; i < p->replica_count; i++) {
		if (p->replicas[i].id == broker_id)
			return true;
	}
	return false;
}

/* Topics on their way into requests of one kind to one broker. A request stays small enough that others get their turn; what
 * does not fit goes into the next one. Consecutive partitions of one topic share an entry. */
enum { OUTBOX_BYTES_MAX = 3 << 20 };
struct outbox {
	const struct controller_state *s;
	const struct controller_broker *b;
	struct controller_decision *d;
	enum control_kind kind;
	bool full; /* UPDATE_METADATA: the first request replaces the picture, those behind it add to it */
	struct control_topic *items;
	size_t count, capacity, bytes;
	const struct controller_topic *last;
	bool sent;
};

static struct outbox outbox_to(const struct controller_state *s, const struct controller_broker *b, enum control_kind kind,
	struct controller_decision *d)
{
	expect(kind == CONTROL_LEADER_AND_ISR || kind == CONTROL_UPDATE_METADATA);
	return (struct outbox){.s = s, .b = b, .d = d, .kind = kind};
}

static void outbox_send(struct outbox *o)
{
	struct control_request r = {.kind = o->kind};
	if (o->kind == CONTROL_LEADER_AND_ISR) {
		r.leader_and_isr.topics = o->items;
		r.leader_and_isr.topic_count = o->count;
		add_live_leaders(o->s, &r.leader_and_isr);
	} else {
		r.update_metadata.full = o->full && !o->sent;
		r.update_metadata.brokers = live_brokers(o->s, &r.update_metadata.broker_count);
		r.update_metadata.topics = o->items;
		r.update_metadata.topic_count = o->count;
	}
	r.header = controller_requests_header(o->s, o->b);
	controller_decision_add_send(o->d, o->b->id, &r);
	o->items = NULL;
	o->count = o->capacity = o->bytes = 0;
	o->last = NULL;
	o->sent = true;
}

/* The entry's partition, for the caller to change; good until the next add. */
static struct control_partition *outbox_add(struct outbox *o, const struct controller_topic *t,
	const struct controller_partition *p)
{
	if (o->bytes > OUTBOX_BYTES_MAX)
		outbox_send(o);
	if (o->last != t) {
		if (o->count == o->capacity) {
			o->capacity = o->capacity == 0 ? 8 : o->capacity * 2;
			o->items = check_realloc(o->items, o->capacity * sizeof *o->items);
		}
		o->items[o->count++] = (struct control_topic){.name = check_strdup(t->name), .id = t->id,
			.partitions = check_calloc(t->partition_count, sizeof(struct control_partition))};
		o->last = t;
		o->bytes += 32 + strlen(t->name);
	}
	struct control_topic *topic = &o->items[o->count - 1];
	expect(topic->partition_count < t->partition_count);
	struct control_partition *c = &topic->partitions[topic->partition_count++];
	fill_partition(o->s, p, c);
	o->bytes += 40 + 6 * (p->isr_count + p->replica_count);
	return c;
}

/* even_empty: a picture without topics tells of the brokers. */
static void outbox_finish(struct outbox *o, bool even_empty)
{
	if (o->count > 0 || (even_empty && !o->sent))
		outbox_send(o);
}

/* --- the whole picture ---------------------------------------------------- */

static void sync_topics(const struct controller_state *s, struct outbox *o)
{
	for (const struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		for (size_t i = 0; t->deletion == DELETION_NONE && i < t->partition_count; i++) {
			const struct controller_partition *p = &t->partitions[i];
			if (p->has_node && (o->kind == CONTROL_UPDATE_METADATA || hosts(p, o->b->id)))
				(void)outbox_add(o, t, p);
		}
	}
}

void controller_requests_sync(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d)
{
	struct outbox picture = outbox_to(s, b, CONTROL_UPDATE_METADATA, d), roles = outbox_to(s, b, CONTROL_LEADER_AND_ISR, d);
	picture.full = true;
	sync_topics(s, &picture);
	outbox_finish(&picture, true);
	sync_topics(s, &roles);
	outbox_finish(&roles, false);
}

/* --- changes -------------------------------------------------------------- */

static int compare_refs(const void *a, const void *b)
{
	const struct controller_partition_ref *x = a, *y = b;
	int order = x->topic == y->topic ? 0 : strcmp(x->topic->name, y->topic->name);
	return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

/* Of the changed partitions: what is worth telling. */
static void flush_select(struct controller_state *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->changed.count; i++) {
		struct controller_partition_ref ref = s->changed.items[i];
		ref.topic->partitions[ref.index].changed = false;
		if (ref.topic->partitions[ref.index].has_node && ref.topic->deletion == DELETION_NONE)
			s->changed.items[kept++] = ref;
	}
	s->changed.count = kept;
	if (kept > 0)
		qsort(s->changed.items, kept, sizeof *s->changed.items, compare_refs);
}

static void flush_topics(const struct controller_state *s, struct outbox *o)
{
	for (size_t i = 0; i < s->changed.count; i++) {
		const struct controller_topic *t = s->changed.items[i].topic;
		const struct controller_partition *p = &t->partitions[s->changed.items[i].index];
		if (o->kind == CONTROL_UPDATE_METADATA || hosts(p, o->b->id))
			(void)outbox_add(o, t, p);
	}
}

static void flush_broker(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d)
{
	struct outbox brokers = outbox_to(s, b, CONTROL_UPDATE_METADATA, d), picture = brokers;
	struct outbox roles = outbox_to(s, b, CONTROL_LEADER_AND_ISR, d);
	/* A broker of Kafka's follows no leader that it has not heard of. */
	outbox_finish(&brokers, s->brokers_changed);
	flush_topics(s, &roles);
	outbox_finish(&roles, false);
	flush_topics(s, &picture);
	outbox_finish(&picture, false);
}

void controller_requests_flush(struct controller_state *s, struct controller_decision *d)
{
	flush_select(s);
	if (s->changed.count == 0 && !s->brokers_changed)
		return;
	size_t count = 0;
	int32_t *ids = controller_state_broker_ids(s, &count);
	for (size_t i = 0; i < count; i++) {
		const struct controller_broker *b = controller_state_broker(s, ids[i]);
		if (!b->needs_sync)
			flush_broker(s, b, d);
	}
	free(ids);
	for (size_t i = 0; i < s->changed.count; i++)
		s->changed.items[i].topic->partitions[s->changed.items[i].index].told = true;
	s->changed.count = 0;
	s->brokers_changed = false;
}

void controller_requests_topic_gone(const struct controller_state *s, const struct controller_topic *t,
	struct controller_decision *d)
{
	for (const struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next) {
		if (b->needs_sync)
			continue;
		struct outbox picture = outbox_to(s, b, CONTROL_UPDATE_METADATA, d);
		for (size_t i = 0; i < t->partition_count; i++) {
			struct control_partition *p = outbox_add(&picture, t, &t->partitions[i]);
			p->leader = -2;
			p->is_new = false;
		}
		outbox_finish(&picture, false);
	}
}
