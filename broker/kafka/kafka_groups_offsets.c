/* OffsetCommit, OffsetFetch, OffsetDelete. Offsets are kept flat, in the order of the message. */
#include "kafka/kafka_groups.h"
#include "kafka/kafka_handlers.h"
#include "service/offset_list.h"

enum {
	MIB = 1024 * 1024,
	FETCH_WITH_GROUP_ERROR = 2,
	FETCH_WITH_GROUPS = 8,
	FETCH_BUDGET = 64 * MIB,
};

/* --- commit ---------------------------------------------------------------- */

static bool fill_committed(struct kafka_call *c, const struct group_request *r, struct kafka_offset_commit_response *m)
{
	const struct kafka_offset_commit_request *asked = c->body;
	const struct group_request_offset *o = r->commit.offsets;
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, offset_commit_response_topic, asked->topics_count);
	for (int32_t i = 0; m->topics != NULL && i < asked->topics_count; i++) {
		struct kafka_offset_commit_response_topic *t = &m->topics[i];
		t->name = asked->topics[i].name;
		t->partitions_count = asked->topics[i].partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, offset_commit_response_topic_partition, t->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t p = 0; p < t->partitions_count; p++, o++) {
			t->partitions[p].partition_index = o->partition;
			t->partitions[p].error_code = status_code(offset_list_status(o, r->status));
		}
	}
	return m->topics != NULL;
}

static void committed(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	struct kafka_offset_commit_response m;
	kafka_messages_init(c->api->response, &m);
	if (fill_committed(c, r, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* False: no memory. */
static bool fill_commit(struct kafka_call *c, struct group_request_commit *k)
{
	const struct kafka_offset_commit_request *m = c->body;
	size_t n = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		k->offset_count += (size_t)m->topics[i].partitions_count;
	k->offsets = kafka_call_array(c, k->offset_count, sizeof(*k->offsets));
	for (int32_t i = 0; k->offsets != NULL && i < m->topics_count; i++) {
		const struct kafka_offset_commit_request_topic *t = &m->topics[i];
		for (int32_t p = 0; p < t->partitions_count; p++)
			k->offsets[n++] = (struct group_request_offset){
				.topic = t->name,
				.partition = t->partitions[p].partition_index,
				.offset = t->partitions[p].committed_offset,
				.leader_epoch = t->partitions[p].committed_leader_epoch,
				.metadata = t->partitions[p].committed_metadata,
				.commit_timestamp = t->partitions[p].commit_timestamp,
			};
	}
	return k->offsets != NULL;
}

void kafka_groups_offset_commit(struct kafka_call *c)
{
	const struct kafka_offset_commit_request *m = c->body;
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_COMMIT, m->group_id);
	if (g == NULL)
		return;
	g->request.commit = (struct group_request_commit){
		.member_id = m->member_id,
		.instance_id = m->group_instance_id,
		.generation = m->generation_id_or_member_epoch,
		.retention_ms = m->retention_time_ms,
	};
	if (fill_commit(c, &g->request.commit))
		kafka_groups_start(g, committed);
	else
		kafka_call_abort_memory(c);
}

/* --- fetch ----------------------------------------------------------------- */

/* Answers are filled in the shape of version 8, which knows many groups; for older ones the one group is flattened. */

static void fill_fetched(const struct group_request_offset *from, enum status whole,
	struct kafka_offset_fetch_response_group_topic_partition *to)
{
	enum status s = whole != STATUS_OK ? whole : from->status;
	to->partition_index = from->partition;
	to->error_code = status_code(s);
	to->committed_offset = s == STATUS_OK ? from->offset : -1;
	to->committed_leader_epoch = s == STATUS_OK ? from->leader_epoch : -1;
	to->metadata = s == STATUS_OK ? kafka_groups_text(from->metadata) : "";
}

/* Neighbours of one topic become one topic of the answer. False: no memory. */
static bool fill_fetched_topics(struct kafka_call *c, const struct group_request *r, struct kafka_offset_fetch_response_group *g)
{
	const struct group_request_offset *o = r->fetch.offsets;
	size_t count = r->fetch.offset_count, i = 0;
	int32_t topic_count = (int32_t)offset_list_topics(o, count);
	struct kafka_offset_fetch_response_group_topic *topics = KAFKA_CALL_NEW(c, offset_fetch_response_group_topic, topic_count);
	struct kafka_offset_fetch_response_group_topic_partition *partitions =
		KAFKA_CALL_NEW(c, offset_fetch_response_group_topic_partition, (int32_t)count);
	if (topics == NULL || partitions == NULL)
		return false;
	for (int32_t t = 0; t < topic_count; t++) {
		topics[t].name = o[i].topic;
		topics[t].partitions = &partitions[i];
		do {
			fill_fetched(&o[i], r->status, &partitions[i]);
			topics[t].partitions_count++;
			i++;
		} while (i < count && strcmp(o[i].topic, topics[t].name) == 0);
	}
	g->topics = topics;
	g->topics_count = topic_count;
	return true;
}

static bool fill_fetched_group(struct kafka_call *c, struct group_request *r, struct kafka_offset_fetch_response_group *g)
{
	g->group_id = r->group_id;
	g->error_code = status_code(r->status);
	if (r->status != STATUS_OK && c->header.api_version >= FETCH_WITH_GROUP_ERROR)
		return true;
	if (r->fetch.all && r->status == STATUS_OK)
		offset_list_sort(r->fetch.offsets, r->fetch.offset_count);
	return fill_fetched_topics(c, r, g);
}

/* The one group, in the shape of versions 1 to 7. Before version 2 an error of the group stands at each partition. */
static bool flatten(struct kafka_call *c, const struct kafka_offset_fetch_response_group *g, struct kafka_offset_fetch_response *m)
{
	m->error_code = g->error_code;
	m->topics_count = g->topics_count;
	m->topics = KAFKA_CALL_NEW(c, offset_fetch_response_topic, g->topics_count);
	for (int32_t i = 0; m->topics != NULL && i < g->topics_count; i++) {
		const struct kafka_offset_fetch_response_group_topic *from = &g->topics[i];
		struct kafka_offset_fetch_response_topic *t = &m->topics[i];
		t->name = from->name;
		t->partitions_count = from->partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, offset_fetch_response_topic_partition, from->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t p = 0; p < from->partitions_count; p++)
			t->partitions[p] = (struct kafka_offset_fetch_response_topic_partition){
				.partition_index = from->partitions[p].partition_index,
				.committed_offset = from->partitions[p].committed_offset,
				.committed_leader_epoch = from->partitions[p].committed_leader_epoch,
				.metadata = from->partitions[p].metadata,
				.error_code = from->partitions[p].error_code,
			};
	}
	return m->topics != NULL;
}

static void fetched(struct group_fan *f)
{
	struct kafka_call *c = CAST(kafka_call, f->arg);
	struct kafka_offset_fetch_response m;
	kafka_messages_init(c->api->response, &m);
	struct kafka_offset_fetch_response_group *groups = KAFKA_CALL_NEW(c, offset_fetch_response_group, (int32_t)f->count);
	bool filled = groups != NULL;
	for (size_t i = 0; filled && i < f->count; i++)
		filled = fill_fetched_group(c, &f->parts[i].request, &groups[i]);
	if (c->header.api_version >= FETCH_WITH_GROUPS) {
		m.groups = groups;
		m.groups_count = (int32_t)f->count;
	} else if (filled) {
		filled = flatten(c, &groups[0], &m);
	}
	if (filled)
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* Topics of a request in both shapes. */
struct asked_topic {
	const char *name;
	const int32_t *partitions;
	int32_t count;
};
struct asked_topics {
	const struct kafka_offset_fetch_request_topic *old;
	const struct kafka_offset_fetch_request_group_topic *now;
	int32_t count; /* -1: all */
};

static struct asked_topic topic_at(const struct asked_topics *a, int32_t i)
{
	if (a->now != NULL)
		return (struct asked_topic){a->now[i].name, a->now[i].partition_indexes, a->now[i].partition_indexes_count};
	return (struct asked_topic){a->old[i].name, a->old[i].partition_indexes, a->old[i].partition_indexes_count};
}

static bool fill_fetch(struct kafka_call *c, const struct asked_topics *a, struct group_request_fetch *f)
{
	f->all = a->count < 0;
	if (f->all)
		return true;
	for (int32_t i = 0; i < a->count; i++)
		f->offset_count += (size_t)topic_at(a, i).count;
	f->offsets = kafka_call_array(c, f->offset_count, sizeof(*f->offsets));
	if (f->offsets == NULL)
		return false;
	size_t n = 0;
	for (int32_t i = 0; i < a->count; i++) {
		struct asked_topic t = topic_at(a, i);
		for (int32_t p = 0; p < t.count; p++)
			f->offsets[n++] = (struct group_request_offset){
				.topic = t.name,
				.partition = t.partitions[p],
				.offset = -1,
				.leader_epoch = -1,
			};
	}
	return true;
}

static bool fill_fetch_part(struct kafka_call *c, size_t i, struct group_request *r)
{
	const struct kafka_offset_fetch_request *m = c->body;
	r->kind = GROUP_REQUEST_FETCH;
	r->fetch.require_stable = m->require_stable;
	r->fetch.member_epoch = -1;
	if (c->header.api_version < FETCH_WITH_GROUPS) {
		const struct asked_topics a = {.old = m->topics, .count = m->topics_count};
		r->group_id = m->group_id;
		return fill_fetch(c, &a, &r->fetch);
	}
	const struct kafka_offset_fetch_request_group *g = &m->groups[i];
	const struct asked_topics a = {.now = g->topics, .count = g->topics_count};
	r->group_id = g->group_id;
	r->fetch.member_id = g->member_id;
	r->fetch.member_epoch = g->member_epoch;
	return fill_fetch(c, &a, &r->fetch);
}

void kafka_groups_offset_fetch(struct kafka_call *c)
{
	const struct kafka_offset_fetch_request *m = c->body;
	size_t count = c->header.api_version < FETCH_WITH_GROUPS ? 1 : (size_t)m->groups_count;
	struct group_fan *f = kafka_groups_fan(c, count, FETCH_BUDGET);
	if (f == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		if (!fill_fetch_part(c, i, &f->parts[i].request)) {
			kafka_call_abort_memory(c);
			return;
		}
	f->done = fetched;
	group_fan_start(f);
}

/* --- delete ---------------------------------------------------------------- */

static bool fill_deleted(struct kafka_call *c, const struct group_request *r, struct kafka_offset_delete_response *m)
{
	const struct kafka_offset_delete_request *asked = c->body;
	const struct group_request_offset *o = r->delete_offsets.offsets;
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, offset_delete_response_topic, asked->topics_count);
	for (int32_t i = 0; m->topics != NULL && i < asked->topics_count; i++) {
		struct kafka_offset_delete_response_topic *t = &m->topics[i];
		t->name = asked->topics[i].name;
		t->partitions_count = asked->topics[i].partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, offset_delete_response_topic_partition, t->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t p = 0; p < t->partitions_count; p++, o++) {
			t->partitions[p].partition_index = o->partition;
			t->partitions[p].error_code = status_code(o->status);
		}
	}
	return m->topics != NULL;
}

/* An error of the group stands alone. */
static void deleted(struct group_request *r)
{
	struct kafka_call *c = kafka_groups_call(r);
	struct kafka_offset_delete_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(r->status);
	if (r->status != STATUS_OK || fill_deleted(c, r, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

/* False: no memory. */
static bool fill_deletion(struct kafka_call *c, struct group_request_delete_offsets *d)
{
	const struct kafka_offset_delete_request *m = c->body;
	size_t n = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		d->offset_count += (size_t)m->topics[i].partitions_count;
	d->offsets = kafka_call_array(c, d->offset_count, sizeof(*d->offsets));
	for (int32_t i = 0; d->offsets != NULL && i < m->topics_count; i++)
		for (int32_t p = 0; p < m->topics[i].partitions_count; p++)
			d->offsets[n++] = (struct group_request_offset){
				.topic = m->topics[i].name,
				.partition = m->topics[i].partitions[p].partition_index,
			};
	return d->offsets != NULL;
}

void kafka_groups_offset_delete(struct kafka_call *c)
{
	const struct kafka_offset_delete_request *m = c->body;
	struct kafka_group_call *g = kafka_groups_new(c, GROUP_REQUEST_DELETE_OFFSETS, m->group_id);
	if (g == NULL)
		return;
	if (fill_deletion(c, &g->request.delete_offsets))
		kafka_groups_start(g, deleted);
	else
		kafka_call_abort_memory(c);
}
