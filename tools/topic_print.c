#include "tools/topic_print.h"
#include "tools/topic_store.h"

enum { IDS_SIZE = 512 };

void topic_print_id(const struct correio_topic *topic, char out[UUID_TEXT_SIZE])
{
	struct uuid id;
	memcpy(id.b, topic->topic_id, sizeof(id.b));
	uuid_format(&id, out);
}

static const char *state_of(const struct correio_topic *t)
{
	if (t->pending)
		return "pending: waits for brokers";
	if (t->marked_for_deletion)
		return "being deleted";
	for (int32_t i = 0; i < t->partition_count; i++)
		if (t->partitions[i].leader < 0)
			return "partitions without leader";
	for (int32_t i = 0; i < t->partition_count; i++)
		if (t->partitions[i].isr.count < t->partitions[i].replicas.count)
			return "under-replicated";
	return "ok";
}

void topic_print_row(struct table *t, const struct correio_topic *topic)
{
	table_cell(t, "%s", topic->name);
	table_cell(t, "%d", (int)(topic->pending ? topic->wanted_partitions : topic->partition_count));
	table_cell(t, "%d", (int)topic_replication_factor(topic));
	table_cell(t, "%s", state_of(topic));
}

void topic_print_text(const struct correio_topic *topic)
{
	char id[UUID_TEXT_SIZE], ids[IDS_SIZE];
	topic_print_id(topic, id);
	(void)printf("topic %s\n  state        %s\n", topic->name, state_of(topic));
	if (!topic->pending)
		(void)printf("  id           %s\n", id);
	(void)printf("  partitions   %d\n  replication  %d\n",
		(int)(topic->pending ? topic->wanted_partitions : topic->partition_count),
		(int)topic_replication_factor(topic));
	for (size_t i = 0; i < topic->override_count; i++)
		(void)printf("  setting      %s=%s\n", topic->overrides[i].key, topic->overrides[i].value);
	if (topic->partition_count == 0)
		return;
	static const char *const headers[] = {"PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", NULL};
	struct table *t = table_new(headers);
	for (int32_t i = 0; i < topic->partition_count; i++) {
		const struct correio_partition *p = &topic->partitions[i];
		table_cell(t, "%d", (int)p->partition);
		if (p->leader < 0)
			table_cell(t, "none");
		else
			table_cell(t, "%d", (int)p->leader);
		table_cell(t, "%d", (int)p->leader_epoch);
		output_ids(p->replicas.ids, p->replicas.count, ids, sizeof(ids));
		table_cell(t, "%s", ids);
		output_ids(p->isr.ids, p->isr.count, ids, sizeof(ids));
		table_cell(t, "%s", ids);
	}
	table_print_free(t);
}

static json_t *json_ids(const struct correio_replicas *r)
{
	json_t *list = json_array();
	for (int32_t i = 0; i < r->count; i++)
		(void)json_array_append_new(list, json_integer(r->ids[i]));
	return list;
}

json_t *topic_print_json_summary(const struct correio_topic *topic)
{
	return json_pack("{s:s,s:i,s:i,s:b,s:b,s:b}", "topic", topic->name, "partitions",
		(int)(topic->pending ? topic->wanted_partitions : topic->partition_count), "replication_factor",
		(int)topic_replication_factor(topic), "pending", topic->pending, "marked_for_deletion",
		topic->marked_for_deletion, "internal", topic->internal);
}

json_t *topic_print_json(const struct correio_topic *topic)
{
	char id[UUID_TEXT_SIZE];
	topic_print_id(topic, id);
	json_t *partitions = json_array(), *overrides = json_object();
	for (int32_t i = 0; i < topic->partition_count; i++) {
		const struct correio_partition *p = &topic->partitions[i];
		(void)json_array_append_new(partitions,
			json_pack("{s:i,s:i,s:i,s:o,s:o}", "partition", (int)p->partition, "leader", (int)p->leader,
				"leader_epoch", (int)p->leader_epoch, "replicas", json_ids(&p->replicas), "isr",
				json_ids(&p->isr)));
	}
	for (size_t i = 0; i < topic->override_count; i++)
		(void)json_object_set_new(overrides, topic->overrides[i].key, json_string(topic->overrides[i].value));
	json_t *value = json_pack("{s:s,s:s,s:b,s:b,s:b,s:i,s:i,s:o,s:o}", "topic", topic->name, "topic_id", id, "pending",
		topic->pending, "marked_for_deletion", topic->marked_for_deletion, "internal", topic->internal,
		"partition_count", (int)(topic->pending ? topic->wanted_partitions : topic->partition_count),
		"replication_factor", (int)topic_replication_factor(topic), "configs", overrides, "partitions", partitions);
	return value;
}
