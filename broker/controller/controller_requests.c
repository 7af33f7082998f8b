#include "controller/controller_requests.h"

struct control_header controller_requests_header(const struct controller_state *s, const struct controller_broker *b)
{
	return (struct control_header){.controller_id = s->broker_id, .controller_epoch = s->controller_epoch,
		.broker_epoch = b->epoch};
}

/* --- values --------------------------------------------------------------- */

static void fill_partition(const struct controller_partition *p, struct control_partition *c)
{
	*c = (struct control_partition){.partition = p->number, .leader = p->leader, .leader_epoch = p->leader_epoch,
		.partition_epoch = p->partition_epoch, .controller_epoch = p->controller_epoch, .is_new = !p->told,
		.isr_count = p->isr_count, .replica_count = p->replica_count};
	c->isr = check_alloc(p->isr_count * sizeof(int32_t) + 1);
	if (p->isr_count > 0)
		memcpy(c->isr, p->isr, p->isr_count * sizeof(int32_t));
	c->replicas = check_alloc(p->replica_count * sizeof(int32_t) + 1);
	for (size_t i = 0; i < p->replica_count; i++)
		c->replicas[i] = p->replicas[i].id;
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
				.host = check_strdup(b->endpoints[j].host), .port = b->endpoints[j].port};
		}
	}
	free(ids);
	*ret_count = count;
	return brokers;
}

static bool hosts(const struct controller_partition *p, int32_t broker_id)
{
	for (size_t i = 0; i < p->replica_count; i++) {
		if (p->replicas[i].id == broker_id)
			return true;
	}
	return false;
}

/* Topics under construction; consecutive partitions of one topic share an entry. */
struct topic_list {
	struct control_topic *items;
	size_t count, capacity;
	const struct controller_topic *last;
};

static void list_add(struct topic_list *l, const struct controller_topic *t, const struct controller_partition *p)
{
	if (l->last != t) {
		if (l->count == l->capacity) {
			l->capacity = l->capacity == 0 ? 8 : l->capacity * 2;
			l->items = check_realloc(l->items, l->capacity * sizeof *l->items);
		}
		l->items[l->count++] = (struct control_topic){.name = check_strdup(t->name), .id = t->id,
			.partitions = check_calloc(t->partition_count, sizeof(struct control_partition))};
		l->last = t;
	}
	struct control_topic *topic = &l->items[l->count - 1];
	expect(topic->partition_count < t->partition_count);
	fill_partition(p, &topic->partitions[topic->partition_count++]);
}

static void send_roles(const struct controller_state *s, const struct controller_broker *b, struct topic_list *l,
	struct controller_decision *d)
{
	if (l->count == 0)
		return;
	struct control_request r = {.kind = CONTROL_LEADER_AND_ISR};
	r.leader_and_isr.topics = l->items;
	r.leader_and_isr.topic_count = l->count;
	r.header = controller_requests_header(s, b);
	controller_decision_add_send(d, b->id, &r);
}

static void send_picture(const struct controller_state *s, const struct controller_broker *b, struct topic_list *l,
	bool full, struct controller_decision *d)
{
	struct control_request r = {.kind = CONTROL_UPDATE_METADATA};
	r.update_metadata.full = full;
	r.update_metadata.brokers = live_brokers(s, &r.update_metadata.broker_count);
	r.update_metadata.topics = l->items;
	r.update_metadata.topic_count = l->count;
	r.header = controller_requests_header(s, b);
	controller_decision_add_send(d, b->id, &r);
}

static void fill_config(const struct controller_topic *t, struct control_topic_config *c)
{
	*c = (struct control_topic_config){.topic = check_strdup(t->name),
		.entries = check_calloc(t->config.entry_count + 1, sizeof(struct control_config_entry)),
		.entry_count = t->config.entry_count};
	for (size_t i = 0; i < t->config.entry_count; i++) {
		c->entries[i] = (struct control_config_entry){.key = check_strdup(t->config.entries[i].key),
			.value = check_strdup(t->config.entries[i].value)};
	}
}

/* --- the whole picture ---------------------------------------------------- */

static void sync_configs(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d)
{
	struct control_request r = {.kind = CONTROL_UPDATE_CONFIGS};
	struct update_configs_request *u = &r.update_configs;
	u->topics = check_calloc(HASH_COUNT(s->topics) + 1, sizeof *u->topics);
	for (const struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		if (t->deletion == DELETION_NONE && t->config.entry_count > 0)
			fill_config(t, &u->topics[u->topic_count++]);
	}
	if (u->topic_count == 0) {
		control_request_fini(&r);
		return;
	}
	r.header = controller_requests_header(s, b);
	controller_decision_add_send(d, b->id, &r);
}

void controller_requests_sync(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d)
{
	struct topic_list picture = {0}, roles = {0};
	for (const struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		if (t->deletion != DELETION_NONE)
			continue;
		for (size_t i = 0; i < t->partition_count; i++) {
			if (!t->partitions[i].has_node)
				continue;
			list_add(&picture, t, &t->partitions[i]);
			if (hosts(&t->partitions[i], b->id))
				list_add(&roles, t, &t->partitions[i]);
		}
	}
	sync_configs(s, b, d);
	send_picture(s, b, &picture, true, d);
	send_roles(s, b, &roles, d);
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

static void flush_broker(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d)
{
	struct topic_list picture = {0}, roles = {0};
	for (size_t i = 0; i < s->changed.count; i++) {
		const struct controller_topic *t = s->changed.items[i].topic;
		const struct controller_partition *p = &t->partitions[s->changed.items[i].index];
		list_add(&picture, t, p);
		if (hosts(p, b->id))
			list_add(&roles, t, p);
	}
	send_roles(s, b, &roles, d);
	if (picture.count > 0 || s->brokers_changed)
		send_picture(s, b, &picture, false, d);
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
		if (b->needs_sync || t->partition_count == 0)
			continue;
		struct topic_list l = {0};
		for (size_t i = 0; i < t->partition_count; i++)
			list_add(&l, t, &t->partitions[i]);
		for (size_t i = 0; i < l.items[0].partition_count; i++) {
			l.items[0].partitions[i].leader = -2;
			l.items[0].partitions[i].is_new = false;
		}
		send_picture(s, b, &l, false, d);
	}
}

void controller_requests_config(const struct controller_state *s, const struct controller_topic *t,
	struct controller_decision *d)
{
	for (const struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next) {
		if (b->needs_sync)
			continue;
		struct control_request r = {.kind = CONTROL_UPDATE_CONFIGS};
		r.update_configs.topics = check_calloc(1, sizeof *r.update_configs.topics);
		r.update_configs.topic_count = 1;
		fill_config(t, &r.update_configs.topics[0]);
		r.header = controller_requests_header(s, b);
		controller_decision_add_send(d, b->id, &r);
	}
}
