/* The offsets a group has committed: read, set, deleted. */
#include "tools/client/admin_internal.h"
#include "base/topic_partition.h"
#include <stdlib.h>

struct correio_group_offsets {
	Correio__ResponseHeader *header; /* names lie there */
	struct correio_topic_partition *offsets;
	size_t count;
};

/* ---- read ---- */

static int32_t fetched_code(const Correio__ResponseHeader *h, const char **ret_message)
{
	const Correio__FetchOffsetsResponse *m = h->fetch_offsets;
	if (m->n_groups != 1)
		return CORREIO_ERR_UNKNOWN_SERVER_ERROR;
	*ret_message = m->groups[0]->error_message;
	return m->groups[0]->error_code;
}

static struct correio_group_offsets *take_offsets(Correio__ResponseHeader *h)
{
	struct correio_group_offsets *o = (struct correio_group_offsets *)check_calloc(1, sizeof(*o));
	const Correio__GroupOffsets *g = h->fetch_offsets->groups[0];
	size_t count = 0;
	for (size_t i = 0; i < g->n_topics; i++)
		count += g->topics[i]->n_partitions;
	o->header = h;
	o->offsets = (struct correio_topic_partition *)check_calloc(count + 1, sizeof(*o->offsets));
	for (size_t i = 0; i < g->n_topics; i++)
		for (size_t p = 0; p < g->topics[i]->n_partitions; p++) {
			const Correio__PartitionOffset *from = g->topics[i]->partitions[p];
			if (from->error_code == 0 && from->offset >= 0)
				o->offsets[o->count++] = (struct correio_topic_partition){
					.topic = g->topics[i]->name, .partition = from->partition, .offset = from->offset};
		}
	return o;
}

int correio_admin_group_offsets(struct correio_admin *a, const char *group, struct correio_group_offsets **ret_offsets,
	struct correio_error *err)
{
	Correio__GroupTopics topics = CORREIO__GROUP_TOPICS__INIT, *list = &topics;
	Correio__FetchOffsetsRequest m = CORREIO__FETCH_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	topics.group = client_text(group);
	topics.all = true;
	m.groups = &list;
	m.n_groups = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FETCH_OFFSETS;
	header.fetch_offsets = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_FETCH_OFFSETS, .what = "offsets of a group"},
		.item_code = fetched_code,
	};
	struct admin_coordinator coordinator;
	Correio__ResponseHeader *h = NULL;
	int code = admin_group_run(a, &g, &coordinator, &h, err);
	if (code == CORREIO_OK)
		*ret_offsets = take_offsets(h);
	return code;
}

size_t correio_group_offsets_count(const struct correio_group_offsets *o)
{
	return o->count;
}

const struct correio_topic_partition *correio_group_offsets_at(const struct correio_group_offsets *o, size_t index)
{
	return index < o->count ? &o->offsets[index] : NULL;
}

void correio_group_offsets_free(struct correio_group_offsets *o)
{
	if (o == NULL)
		return;
	admin_header_free(o->header);
	free(o->offsets);
	free(o);
}

/* ---- set ---- */

static int32_t first_code(Correio__TopicOffsets *const *topics, size_t count, const char **ret_topic, int32_t *ret_partition)
{
	for (size_t i = 0; i < count; i++)
		for (size_t p = 0; p < topics[i]->n_partitions; p++) {
			if (topics[i]->partitions[p]->error_code == 0)
				continue;
			*ret_topic = topics[i]->name;
			*ret_partition = topics[i]->partitions[p]->partition;
			return topics[i]->partitions[p]->error_code;
		}
	return 0;
}

/* The first refusal of an answer. */
static int refusal(const char *group, Correio__TopicOffsets *const *topics, size_t count, struct correio_error *err)
{
	const char *topic = "";
	int32_t partition = -1, code = first_code(topics, count, &topic, &partition);
	char what[2 * TOPIC_NAME_MAX];
	if (code == 0)
		return CORREIO_OK;
	(void)snprintf(what, sizeof(what), "group %.200s, %s-%d", group, topic, (int)partition);
	return client_error_from_broker(err, code, NULL, what);
}

/* One topic entry per offset: simple, and the answer has the same shape. Freed with free(), whole. */
struct packed_offset {
	Correio__TopicOffsets topic;
	Correio__PartitionOffset partition, *partitions;
};

int correio_admin_set_group_offsets(struct correio_admin *a, const char *group, const struct correio_topic_partition *offsets,
	size_t count, struct correio_error *err)
{
	struct packed_offset *packed = (struct packed_offset *)check_calloc(count + 1, sizeof(*packed));
	Correio__TopicOffsets **list = (Correio__TopicOffsets **)check_calloc(count + 1, sizeof(Correio__TopicOffsets *));
	Correio__CommitOffsetsRequest m = CORREIO__COMMIT_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	for (size_t i = 0; i < count; i++) {
		correio__topic_offsets__init(&packed[i].topic);
		correio__partition_offset__init(&packed[i].partition);
		packed[i].partition.partition = offsets[i].partition;
		packed[i].partition.offset = offsets[i].offset;
		packed[i].partition.leader_epoch = -1;
		packed[i].partitions = &packed[i].partition;
		packed[i].topic.name = client_text(offsets[i].topic);
		packed[i].topic.partitions = &packed[i].partitions;
		packed[i].topic.n_partitions = 1;
		list[i] = &packed[i].topic;
	}
	m.group = client_text(group);
	m.generation = -1;
	m.topics = list;
	m.n_topics = count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_COMMIT_OFFSETS;
	header.commit_offsets = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_COMMIT_OFFSETS, .what = "set offsets"},
	};
	struct admin_coordinator coordinator;
	Correio__ResponseHeader *h = NULL;
	int code = admin_group_run(a, &g, &coordinator, &h, err);
	if (code == CORREIO_OK) {
		code = refusal(group, h->commit_offsets->topics, h->commit_offsets->n_topics, err);
		admin_header_free(h);
	}
	free(packed);
	free(list);
	return code;
}

/* ---- delete ---- */

struct packed_partition {
	Correio__TopicPartitions topic;
	int32_t partition;
};

int correio_admin_delete_group_offsets(struct correio_admin *a, const char *group, const struct correio_topic_partition *offsets,
	size_t count, struct correio_error *err)
{
	struct packed_partition *packed = (struct packed_partition *)check_calloc(count + 1, sizeof(*packed));
	Correio__TopicPartitions **list = (Correio__TopicPartitions **)check_calloc(count + 1, sizeof(Correio__TopicPartitions *));
	Correio__DeleteOffsetsRequest m = CORREIO__DELETE_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	for (size_t i = 0; i < count; i++) {
		correio__topic_partitions__init(&packed[i].topic);
		packed[i].partition = offsets[i].partition;
		packed[i].topic.name = client_text(offsets[i].topic);
		packed[i].topic.partitions = &packed[i].partition;
		packed[i].topic.n_partitions = 1;
		list[i] = &packed[i].topic;
	}
	m.group = client_text(group);
	m.topics = list;
	m.n_topics = count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DELETE_OFFSETS;
	header.delete_offsets = &m;
	const struct admin_group_call g = {
		.group = group,
		.call = {.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_OFFSETS, .what = "delete offsets"},
	};
	struct admin_coordinator coordinator;
	Correio__ResponseHeader *h = NULL;
	int code = admin_group_run(a, &g, &coordinator, &h, err);
	if (code == CORREIO_OK) {
		code = refusal(group, h->delete_offsets->topics, h->delete_offsets->n_topics, err);
		admin_header_free(h);
	}
	free(packed);
	free(list);
	return code;
}
