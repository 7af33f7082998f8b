/* See cluster_image.h. One allocation per topic array keeps a topic of many partitions compact: all replica and ISR lists of a
 * topic lie in one array of ids. */
#include "cluster/cluster_image.h"
#include "cluster/image_configs.h"

#include <stdatomic.h>

struct topic_node {
	unsigned magic;
	_Atomic int refs;
	struct image_topic topic;
	char *name;
	struct image_partition *partitions;
	int32_t *ids;
	struct image_config *configs;
};
MAGIC(topic_node, 0x494d5450);

struct image_node {
	unsigned magic;
	struct cluster_image image;
	char *cluster_id;
	struct image_broker *brokers;
	struct image_topic **topics;
	const struct image_topic **topics_by_id; /* those with an id, sorted by it */
	size_t topics_by_id_count;
	struct image_broker_configs broker_configs;
	struct image_config *our_configs, *all_configs; /* what broker_configs shows */
};
MAGIC(image_node, 0x494d4147);

static struct topic_node *topic_node_of(struct image_topic *t)
{
	struct topic_node *n = CONTAINER_OF(t, struct topic_node, topic);
	CHECK_MAGIC(topic_node, n);
	return n;
}

static struct image_node *image_node_of(struct cluster_image *i)
{
	struct image_node *n = CONTAINER_OF(i, struct image_node, image);
	CHECK_MAGIC(image_node, n);
	return n;
}

/* The same for readers; constness is kept by the return type. */
static const struct image_node *image_node_of_const(const struct cluster_image *i)
{
	const struct image_node *n =
		(const struct image_node *)(const void *)((const char *)i - offsetof(struct image_node, image));
	CHECK_MAGIC(image_node, n);
	return n;
}

static int compare_partitions(const void *a, const void *b)
{
	const struct image_partition *x = a, *y = b;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

static int32_t *copy_ids(int32_t *at, const int32_t *ids, size_t count)
{
	if (count > 0)
		memcpy(at, ids, count * sizeof(*ids));
	return at + count;
}

static void copy_partitions(struct topic_node *n, const struct image_topic *from)
{
	size_t id_count = 0;
	for (size_t i = 0; i < from->partition_count; i++)
		id_count += from->partitions[i].replica_count + from->partitions[i].isr_count;
	n->ids = check_calloc(id_count + 1, sizeof(*n->ids));
	n->partitions = check_calloc(from->partition_count + 1, sizeof(*n->partitions));
	int32_t *at = n->ids;
	for (size_t i = 0; i < from->partition_count; i++) {
		const struct image_partition *p = &from->partitions[i];
		n->partitions[i] = *p;
		n->partitions[i].replicas = at;
		at = copy_ids(at, p->replicas, p->replica_count);
		n->partitions[i].isr = at;
		at = copy_ids(at, p->isr, p->isr_count);
	}
	expect(at == n->ids + id_count);
	qsort(n->partitions, from->partition_count, sizeof(*n->partitions), compare_partitions);
}

struct image_topic *image_topic_new(const struct image_topic *from)
{
	struct topic_node *n = check_calloc(1, sizeof(*n));
	n->magic = topic_node_magic;
	atomic_init(&n->refs, 1);
	n->name = check_strdup(from->name);
	copy_partitions(n, from);
	n->configs = image_configs_copy(from->configs, from->config_count);
	n->topic = (struct image_topic){
		.name = n->name,
		.id = from->id,
		.partitions = n->partitions,
		.partition_count = from->partition_count,
		.configs = n->configs,
		.config_count = from->config_count,
	};
	return &n->topic;
}

/* Owned texts are read through const pointers; here their owner lets go of them. */
static void free_text(const char *text)
{
	union {
		const char *text;
		void *memory;
	} u = {.text = text};
	free(u.memory);
}

void image_topic_shared_unref(struct image_topic *t)
{
	if (t == NULL)
		return;
	struct topic_node *n = topic_node_of(t);
	int before = atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel);
	expect(before >= 1);
	if (before > 1)
		return;
	image_configs_free(n->configs, t->config_count);
	free(n->ids);
	free(n->partitions);
	free(n->name);
	n->magic = 0;
	free(n);
}

static int compare_brokers(const void *a, const void *b)
{
	const struct image_broker *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_topics(const void *a, const void *b)
{
	const struct image_topic *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int compare_topic_ids(const void *a, const void *b)
{
	const struct image_topic *const *x = a, *const *y = b;
	return memcmp((*x)->id.b, (*y)->id.b, sizeof((*x)->id.b));
}

static struct image_broker *copy_brokers(const struct cluster_image_draft *d)
{
	struct image_broker *brokers = check_calloc(d->broker_count + 1, sizeof(*brokers));
	for (size_t i = 0; i < d->broker_count; i++) {
		const struct image_broker *from = &d->brokers[i];
		struct image_endpoint *endpoints = check_calloc(from->endpoint_count + 1, sizeof(*endpoints));
		for (size_t k = 0; k < from->endpoint_count; k++) {
			endpoints[k].listener = check_strdup(from->endpoints[k].listener);
			endpoints[k].host = check_strdup(from->endpoints[k].host);
			endpoints[k].port = from->endpoints[k].port;
		}
		brokers[i] = *from;
		brokers[i].rack = from->rack == NULL ? NULL : check_strdup(from->rack);
		brokers[i].endpoints = endpoints;
	}
	qsort(brokers, d->broker_count, sizeof(*brokers), compare_brokers);
	return brokers;
}

static void index_topics(struct image_node *n, const struct cluster_image_draft *d)
{
	n->topics = check_calloc(d->topic_count + 1, sizeof(*n->topics));
	n->topics_by_id = check_calloc(d->topic_count + 1, sizeof(*n->topics_by_id));
	for (size_t i = 0; i < d->topic_count; i++)
		n->topics[i] = d->topics[i];
	qsort(n->topics, d->topic_count, sizeof(struct image_topic *), compare_topics);
	for (size_t i = 0; i < d->topic_count; i++) {
		expect(i == 0 || strcmp(n->topics[i - 1]->name, n->topics[i]->name) < 0);
		if (!uuid_is_zero(&n->topics[i]->id))
			n->topics_by_id[n->topics_by_id_count++] = n->topics[i];
	}
	qsort(n->topics_by_id, n->topics_by_id_count, sizeof(struct image_topic *), compare_topic_ids);
}

static void copy_broker_configs(struct image_node *n, const struct image_broker_configs *from)
{
	if (from == NULL)
		return;
	n->broker_configs = *from;
	n->broker_configs.ours = n->our_configs = image_configs_copy(from->ours, from->our_count);
	n->broker_configs.all = n->all_configs = image_configs_copy(from->all, from->all_count);
	n->image.broker_configs = &n->broker_configs;
}

struct cluster_image *cluster_image_new(const struct cluster_image_draft *d)
{
	struct image_node *n = check_calloc(1, sizeof(*n));
	n->magic = image_node_magic;
	n->cluster_id = check_strdup(d->cluster_id == NULL ? "" : d->cluster_id);
	n->brokers = copy_brokers(d);
	index_topics(n, d);
	copy_broker_configs(n, d->broker_configs);
	struct cluster_image *i = &n->image;
	atomic_init(&i->refs, 1);
	i->version = d->version;
	i->cluster_id = n->cluster_id;
	i->controller_id = d->controller_id;
	i->controller_epoch = d->controller_epoch;
	i->brokers = n->brokers;
	i->broker_count = d->broker_count;
	i->topics = (const struct image_topic *const *)n->topics;
	i->topic_count = d->topic_count;
	return i;
}

void cluster_image_share_topics(const struct cluster_image *i, struct image_topic **ret_topics)
{
	const struct image_node *n = image_node_of_const(i);
	for (size_t k = 0; k < i->topic_count; k++) {
		int before = atomic_fetch_add_explicit(&topic_node_of(n->topics[k])->refs, 1, memory_order_relaxed);
		expect(before >= 1);
		ret_topics[k] = n->topics[k];
	}
}

struct cluster_image *cluster_image_shared_ref(struct cluster_image *i)
{
	int before = atomic_fetch_add_explicit(&image_node_of(i)->image.refs, 1, memory_order_relaxed);
	expect(before >= 1);
	return i;
}

static void free_brokers(struct image_node *n)
{
	for (size_t i = 0; i < n->image.broker_count; i++) {
		const struct image_broker *b = &n->brokers[i];
		for (size_t k = 0; k < b->endpoint_count; k++) {
			free_text(b->endpoints[k].listener);
			free_text(b->endpoints[k].host);
		}
		union {
			const struct image_endpoint *endpoints;
			void *memory;
		} u = {.endpoints = b->endpoints};
		free(u.memory);
		free_text(b->rack);
	}
	free(n->brokers);
}

void cluster_image_shared_unref(struct cluster_image *i)
{
	if (i == NULL)
		return;
	struct image_node *n = image_node_of(i);
	int before = atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel);
	expect(before >= 1);
	if (before > 1)
		return;
	for (size_t k = 0; k < i->topic_count; k++)
		image_topic_shared_unref(n->topics[k]);
	free_brokers(n);
	image_configs_free(n->our_configs, n->broker_configs.our_count);
	image_configs_free(n->all_configs, n->broker_configs.all_count);
	free(n->topics);
	free(n->topics_by_id);
	free(n->cluster_id);
	n->magic = 0;
	free(n);
}

/* <0, 0, >0 as name sorts before, is, or sorts after the topic's. */
static int compare_name(struct slice name, const char *topic)
{
	size_t n = strlen(topic);
	int c = memcmp(name.p, topic, name.n < n ? name.n : n);
	if (c != 0)
		return c;
	return name.n < n ? -1 : name.n > n;
}

const struct image_topic *cluster_image_topic(const struct cluster_image *i, struct slice name)
{
	size_t low = 0, high = i->topic_count;
	while (name.n > 0 && low < high) {
		size_t middle = low + (high - low) / 2;
		int c = compare_name(name, i->topics[middle]->name);
		if (c == 0)
			return i->topics[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct image_topic *cluster_image_topic_by_id(const struct cluster_image *i, const struct uuid *id)
{
	const struct image_node *n = image_node_of_const(i);
	size_t low = 0, high = n->topics_by_id_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = memcmp(id->b, n->topics_by_id[middle]->id.b, sizeof(id->b));
		if (c == 0)
			return n->topics_by_id[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct image_partition *image_topic_partition(const struct image_topic *t, int32_t partition)
{
	struct image_partition key = {.partition = partition};
	if (t->partition_count == 0)
		return NULL;
	return bsearch(&key, t->partitions, t->partition_count, sizeof(*t->partitions), compare_partitions);
}

const struct image_broker *cluster_image_broker(const struct cluster_image *i, int32_t id)
{
	struct image_broker key = {.id = id};
	if (i->broker_count == 0)
		return NULL;
	return bsearch(&key, i->brokers, i->broker_count, sizeof(*i->brokers), compare_brokers);
}

const struct image_endpoint *image_broker_endpoint(const struct image_broker *b, const char *listener)
{
	for (size_t i = 0; i < b->endpoint_count; i++) {
		if (strcmp(b->endpoints[i].listener, listener) == 0)
			return &b->endpoints[i];
	}
	return NULL;
}
