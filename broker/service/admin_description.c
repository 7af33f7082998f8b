#include "service/admin_description.h"

/* false: the arena is full. */
static bool copy_ids(struct arena *a, const int32_t *ids, size_t count, struct partition_assignment *ret_list)
{
	int32_t *copy = arena_alloc(a, count * sizeof(*copy));
	if (copy == NULL)
		return false;
	if (count > 0)
		memcpy(copy, ids, count * sizeof(*copy));
	*ret_list = (struct partition_assignment){.replicas = copy, .count = (int32_t)count};
	return true;
}

static bool copy_partitions(struct arena *a, const struct topic_description *from, struct topic_description *to)
{
	struct topic_description_partition *copies = arena_calloc(a, from->partition_count + 1, sizeof(*copies));
	if (copies == NULL)
		return false;
	for (size_t i = 0; i < from->partition_count; i++) {
		const struct topic_description_partition *p = &from->partitions[i];
		copies[i] = *p;
		if (!copy_ids(a, p->replicas.replicas, (size_t)p->replicas.count, &copies[i].replicas) ||
			!copy_ids(a, p->isr.replicas, (size_t)p->isr.count, &copies[i].isr))
			return false;
	}
	to->partitions = copies;
	return true;
}

static bool copy_configs(struct arena *a, const struct topic_description *from, struct topic_description *to)
{
	struct topic_config_entry *copies = arena_calloc(a, from->config_count + 1, sizeof(*copies));
	if (copies == NULL)
		return false;
	for (size_t i = 0; i < from->config_count; i++) {
		copies[i].key = arena_strdup(a, slice_of_str(from->configs[i].key));
		copies[i].value = arena_strdup(a, slice_of_str(from->configs[i].value));
		if (copies[i].key == NULL || copies[i].value == NULL)
			return false;
	}
	to->configs = copies;
	return true;
}

const struct topic_description *admin_description_copy(struct arena *a, const struct topic_description *from)
{
	struct topic_description *to = arena_alloc(a, sizeof(*to));
	if (to == NULL)
		return NULL;
	*to = *from;
	to->topic = arena_strdup(a, slice_of_str(from->topic));
	if (to->topic == NULL || !copy_partitions(a, from, to) || !copy_configs(a, from, to))
		return NULL;
	return to;
}

const struct topic_description *admin_description_from_image(struct arena *a, const struct image_topic *t)
{
	struct topic_description *to = arena_calloc(a, 1, sizeof(*to));
	struct topic_description_partition *partitions = arena_calloc(a, t->partition_count + 1, sizeof(*partitions));
	struct topic_config_entry *configs = arena_calloc(a, t->config_count + 1, sizeof(*configs));
	if (to == NULL || partitions == NULL || configs == NULL)
		return NULL;
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct image_partition *p = &t->partitions[i];
		partitions[i] = (struct topic_description_partition){
			.partition = p->partition, .leader = p->leader, .leader_epoch = p->leader_epoch};
		if (!copy_ids(a, p->replicas, p->replica_count, &partitions[i].replicas) ||
			!copy_ids(a, p->isr, p->isr_count, &partitions[i].isr))
			return NULL;
	}
	for (size_t i = 0; i < t->config_count; i++)
		configs[i] = (struct topic_config_entry){.key = t->configs[i].key, .value = t->configs[i].value};
	*to = (struct topic_description){
		.topic = t->name,
		.topic_id = t->id,
		.partitions = partitions,
		.partition_count = t->partition_count,
		.configs = configs,
		.config_count = t->config_count,
	};
	return to;
}
