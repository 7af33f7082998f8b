#include "controller/controller_state.h"

void controller_state_init(struct controller_state *s)
{
	*s = (struct controller_state){.broker_id = -1, .delete_topic_enable = true};
}

/* --- partitions ----------------------------------------------------------- */

void controller_state_clear_move(struct controller_partition *p)
{
	if (p->move == NULL)
		return;
	free(p->move->isr);
	free(p->move->replica_epochs);
	free(p->move);
	p->move = NULL;
}

static void partition_fini(struct controller_partition *p)
{
	controller_state_clear_move(p);
	free(p->replicas);
	free(p->adding);
	free(p->removing);
	free(p->isr);
	free(p->unknown);
}

static int compare_number(const void *a, const void *b)
{
	const struct controller_partition *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

struct controller_partition *controller_state_partition(struct controller_topic *t, int32_t number)
{
	struct controller_partition wanted = {.number = number};
	if (t->partition_count == 0)
		return NULL;
	return bsearch(&wanted, t->partitions, t->partition_count, sizeof wanted, compare_number);
}

static int32_t *copy_ids(const int32_t *ids, size_t count)
{
	int32_t *copy = check_alloc(count * sizeof *ids + 1);
	if (count > 0)
		memcpy(copy, ids, count * sizeof *ids);
	return copy;
}

void controller_state_set_replicas(struct controller_partition *p, const struct zk_schema_partition *from)
{
	struct controller_replica *replicas = check_calloc(from->replica_count + 1, sizeof *replicas);
	for (size_t i = 0; i < from->replica_count; i++) {
		replicas[i] = (struct controller_replica){.id = from->replicas[i]};
		for (size_t j = 0; j < p->replica_count; j++) {
			if (p->replicas[j].id == from->replicas[i])
				replicas[i] = p->replicas[j];
		}
	}
	free(p->replicas);
	free(p->adding);
	free(p->removing);
	p->replicas = replicas;
	p->replica_count = from->replica_count;
	p->adding = copy_ids(from->adding, from->adding_count);
	p->adding_count = from->adding_count;
	p->removing = copy_ids(from->removing, from->removing_count);
	p->removing_count = from->removing_count;
}

void controller_state_set_node(struct controller_partition *p, const struct zk_schema_state *node, int32_t version)
{
	free(p->isr);
	free(p->unknown);
	p->has_node = true;
	p->directory_made = true;
	p->told = true; /* its replicas have been told by whoever wrote it */
	p->leader = node->leader;
	p->leader_epoch = node->leader_epoch;
	p->controller_epoch = node->controller_epoch;
	p->leader_recovery_state = node->leader_recovery_state;
	p->partition_epoch = version;
	p->isr = copy_ids(node->isr, node->isr_count);
	p->isr_count = node->isr_count;
	p->unknown = node->unknown == NULL ? NULL : check_strdup(node->unknown);
}

/* --- topics --------------------------------------------------------------- */

static void topic_free(struct controller_topic *t)
{
	for (size_t i = 0; i < t->partition_count; i++)
		partition_fini(&t->partitions[i]);
	free(t->partitions);
	zk_schema_config_fini(&t->config);
	free(t->unknown);
	free(t->name);
	free(t);
}

struct controller_topic *controller_state_topic(const struct controller_state *s, const char *name)
{
	struct controller_topic *t = NULL;
	HASH_FIND_STR(s->topics, name, t);
	return t;
}

struct controller_topic *controller_state_add_topic(struct controller_state *s, const char *name)
{
	expect(controller_state_topic(s, name) == NULL);
	struct controller_topic *t = check_calloc(1, sizeof *t);
	t->name = check_strdup(name);
	HASH_ADD_KEYPTR(hh, s->topics, t->name, strlen(t->name), t);
	return t;
}

static void refs_forget(struct controller_refs *refs, const struct controller_topic *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < refs->count; i++) {
		if (refs->items[i].topic != t)
			refs->items[kept++] = refs->items[i];
	}
	refs->count = kept;
}

void controller_state_remove_topic(struct controller_state *s, struct controller_topic *t)
{
	refs_forget(&s->dirty, t);
	refs_forget(&s->changed, t);
	HASH_DEL(s->topics, t);
	topic_free(t);
}

void controller_state_topic_layout(const struct controller_topic *t, struct zk_schema_topic *ret)
{
	*ret = (struct zk_schema_topic){.version = 3, .id = t->id, .partition_count = t->partition_count,
		.unknown = t->unknown};
	/* One allocation: the partitions, then the ids of all their replicas. */
	size_t ids = 0;
	for (size_t i = 0; i < t->partition_count; i++)
		ids += t->partitions[i].replica_count;
	ret->partitions = check_calloc(1, (t->partition_count + 1) * sizeof *ret->partitions + ids * sizeof(int32_t));
	int32_t *next = (int32_t *)(void *)(ret->partitions + t->partition_count + 1);
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct controller_partition *p = &t->partitions[i];
		ret->partitions[i] = (struct zk_schema_partition){.partition = p->number, .replicas = next,
			.replica_count = p->replica_count, .adding = p->adding, .adding_count = p->adding_count,
			.removing = p->removing, .removing_count = p->removing_count};
		for (size_t j = 0; j < p->replica_count; j++)
			*next++ = p->replicas[j].id;
	}
}

bool controller_state_unclean_allowed(const struct controller_state *s, const struct controller_topic *t)
{
	const char *value = zk_schema_config_get(&t->config, "unclean.leader.election.enable");
	return value == NULL ? s->unclean_election_default : strcmp(value, "true") == 0;
}

/* --- brokers -------------------------------------------------------------- */

struct controller_broker *controller_state_broker(const struct controller_state *s, int32_t id)
{
	struct controller_broker *b = NULL;
	HASH_FIND_INT(s->brokers, &id, b);
	return b;
}

size_t controller_state_broker_count(const struct controller_state *s)
{
	return HASH_COUNT(s->brokers);
}

static int compare_ids(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

int32_t *controller_state_broker_ids(const struct controller_state *s, size_t *ret_count)
{
	size_t n = 0;
	int32_t *ids = check_alloc(controller_state_broker_count(s) * sizeof *ids + 1);
	for (const struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next)
		ids[n++] = b->id;
	if (n > 0)
		qsort(ids, n, sizeof *ids, compare_ids);
	*ret_count = n;
	return ids;
}

static void broker_clear(struct controller_broker *b)
{
	for (size_t i = 0; i < b->endpoint_count; i++) {
		free(b->endpoints[i].listener);
		free(b->endpoints[i].security_protocol);
		free(b->endpoints[i].host);
	}
	free(b->endpoints);
	free(b->rack);
	b->endpoints = NULL;
	b->rack = NULL;
	b->endpoint_count = 0;
}

void controller_state_set_broker(struct controller_state *s, int32_t id, int64_t epoch,
	const struct zk_schema_broker *registration)
{
	struct controller_broker *b = controller_state_broker(s, id);
	if (b == NULL) {
		b = check_calloc(1, sizeof *b);
		b->id = id;
		HASH_ADD_INT(s->brokers, id, b);
	}
	broker_clear(b);
	b->epoch = epoch;
	b->rack = registration->rack == NULL ? NULL : check_strdup(registration->rack);
	b->endpoints = check_calloc(registration->endpoint_count + 1, sizeof *b->endpoints);
	b->endpoint_count = registration->endpoint_count;
	for (size_t i = 0; i < b->endpoint_count; i++) {
		const struct zk_schema_endpoint *e = &registration->endpoints[i];
		b->endpoints[i] = (struct zk_schema_endpoint){.listener = check_strdup(e->listener),
			.security_protocol = check_strdup(e->security_protocol), .host = check_strdup(e->host),
			.port = e->port};
	}
}

void controller_state_remove_broker(struct controller_state *s, struct controller_broker *b)
{
	HASH_DEL(s->brokers, b);
	broker_clear(b);
	free(b);
}

bool controller_state_replica_is_live(const struct controller_state *s, const struct controller_replica *r)
{
	return !r->failed && controller_state_broker(s, r->id) != NULL;
}

/* --- marks ---------------------------------------------------------------- */

static void refs_add(struct controller_refs *refs, struct controller_topic *t, size_t index)
{
	if (refs->count == refs->capacity) {
		refs->capacity = refs->capacity == 0 ? 64 : refs->capacity * 2;
		refs->items = check_realloc(refs->items, refs->capacity * sizeof *refs->items);
	}
	refs->items[refs->count++] = (struct controller_partition_ref){.topic = t, .index = index};
}

void controller_state_mark_dirty(struct controller_state *s, struct controller_topic *t, size_t index)
{
	expect(index < t->partition_count);
	if (t->partitions[index].dirty)
		return;
	t->partitions[index].dirty = true;
	refs_add(&s->dirty, t, index);
}

void controller_state_mark_changed(struct controller_state *s, struct controller_topic *t, size_t index)
{
	expect(index < t->partition_count);
	if (t->partitions[index].changed)
		return;
	t->partitions[index].changed = true;
	refs_add(&s->changed, t, index);
}

void controller_state_mark_topic_dirty(struct controller_state *s, struct controller_topic *t)
{
	for (size_t i = 0; i < t->partition_count; i++)
		controller_state_mark_dirty(s, t, i);
}

void controller_state_reindex(struct controller_state *s, struct controller_topic *t)
{
	refs_forget(&s->dirty, t);
	refs_forget(&s->changed, t);
	for (size_t i = 0; i < t->partition_count; i++) {
		struct controller_partition *p = &t->partitions[i];
		if (p->dirty)
			refs_add(&s->dirty, t, i);
		if (p->changed)
			refs_add(&s->changed, t, i);
	}
}

/* --- the end -------------------------------------------------------------- */

void controller_state_pending_fini(struct controller_pending_topic *p)
{
	free(p->name);
	zk_schema_pending_topic_fini(&p->wanted);
	zk_schema_topic_fini(&p->layout);
	*p = (struct controller_pending_topic){0};
}

void controller_state_fini(struct controller_state *s)
{
	struct controller_topic *t, *next_topic;
	HASH_ITER(hh, s->topics, t, next_topic)
	{
		HASH_DEL(s->topics, t);
		topic_free(t);
	}
	struct controller_broker *b, *next_broker;
	HASH_ITER(hh, s->brokers, b, next_broker)
	{
		controller_state_remove_broker(s, b);
	}
	for (size_t i = 0; i < s->pending_count; i++)
		controller_state_pending_fini(&s->pending[i]);
	for (size_t i = 0; i < s->orphan_count; i++)
		free(s->orphans[i].name);
	free(s->pending);
	free(s->orphans);
	free(s->dirty.items);
	free(s->changed.items);
	*s = (struct controller_state){.broker_id = -1};
}
