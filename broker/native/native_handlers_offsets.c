/* CommitOffsets, FetchOffsets, DeleteOffsets. Offsets are kept flat, in the order of the message. */
#include "native/native_groups.h"
#include "native/native_handlers.h"
#include "service/offset_list.h"

enum { FETCH_BUDGET = 64 * 1024 * 1024 };

/* --- commit ---------------------------------------------------------------- */

static void fill_offset(const struct group_request_offset *from, Correio__PartitionOffset *to)
{
	bool good = from->status == STATUS_OK;
	correio__partition_offset__init(to);
	to->partition = from->partition;
	to->error_code = status_code(from->status);
	to->offset = good ? from->offset : -1;
	to->leader_epoch = good ? from->leader_epoch : -1;
	to->metadata = native_call_text(from->metadata);
}

/* Neighbours of one topic become one topic of the answer. NULL: no memory. */
static Correio__TopicOffsets **fill_topics(struct native_call *c, const struct group_request_offset *o, size_t count, size_t *ret_count)
{
	Correio__TopicOffsets **topics =
		(Correio__TopicOffsets **)native_call_list(c, offset_list_topics(o, count), sizeof(**topics));
	Correio__PartitionOffset **offsets = (Correio__PartitionOffset **)native_call_list(c, count, sizeof(**offsets));
	size_t n = 0;
	if (topics == NULL || offsets == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(o[i].topic, o[i - 1].topic) != 0) {
			correio__topic_offsets__init(topics[n]);
			topics[n]->name = native_call_text(o[i].topic);
			topics[n++]->partitions = &offsets[i];
		}
		fill_offset(&o[i], offsets[i]);
		topics[n - 1]->n_partitions++;
	}
	*ret_count = n;
	return topics;
}

static void committed(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	Correio__ResponseHeader header;
	Correio__CommitOffsetsResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__commit_offsets_response__init(&m);
	m.topics = fill_topics(c, r->commit.offsets, r->commit.offset_count, &m.n_topics);
	if (m.topics == NULL) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_COMMIT_OFFSETS;
	header.commit_offsets = &m;
	native_call_answer(c, &header, NULL);
}

/* False: no memory. */
static bool fill_commit(struct native_call *c, struct group_request_commit *k)
{
	const Correio__CommitOffsetsRequest *m = c->header->commit_offsets;
	size_t n = 0;
	for (size_t i = 0; i < m->n_topics; i++)
		k->offset_count += m->topics[i]->n_partitions;
	k->offsets = native_call_array(c, k->offset_count, sizeof(*k->offsets));
	for (size_t i = 0; k->offsets != NULL && i < m->n_topics; i++)
		for (size_t p = 0; p < m->topics[i]->n_partitions; p++) {
			const Correio__PartitionOffset *from = m->topics[i]->partitions[p];
			k->offsets[n++] = (struct group_request_offset){
				.topic = m->topics[i]->name,
				.partition = from->partition,
				.offset = from->offset,
				.leader_epoch = from->leader_epoch,
				.metadata = from->metadata,
				.commit_timestamp = -1,
			};
		}
	return k->offsets != NULL;
}

void native_handlers_commit_offsets(struct native_call *c)
{
	const Correio__CommitOffsetsRequest *m = c->header->commit_offsets;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_COMMIT, m->group);
	if (g == NULL)
		return;
	g->request.commit = (struct group_request_commit){
		.member_id = m->member_id,
		.instance_id = native_groups_optional(m->instance_id),
		.generation = m->generation,
		.retention_ms = -1,
	};
	if (fill_commit(c, &g->request.commit))
		native_groups_start(g, committed);
	else
		native_call_fail_memory(c);
}

/* --- delete ---------------------------------------------------------------- */

static void deleted(struct group_request *r)
{
	struct native_call *c = native_groups_call(r);
	Correio__ResponseHeader header;
	Correio__DeleteOffsetsResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__delete_offsets_response__init(&m);
	m.topics = fill_topics(c, r->delete_offsets.offsets, r->delete_offsets.offset_count, &m.n_topics);
	if (m.topics == NULL) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_OFFSETS;
	header.delete_offsets = &m;
	native_call_answer(c, &header, NULL);
}

/* NULL: no memory. */
static struct group_request_offset *partitions_of(struct native_call *c, Correio__TopicPartitions *const *topics, size_t count,
	size_t *ret_count)
{
	size_t total = 0, n = 0;
	for (size_t i = 0; i < count; i++)
		total += topics[i]->n_partitions;
	struct group_request_offset *offsets = native_call_array(c, total, sizeof(*offsets));
	for (size_t i = 0; offsets != NULL && i < count; i++)
		for (size_t p = 0; p < topics[i]->n_partitions; p++)
			offsets[n++] = (struct group_request_offset){
				.topic = topics[i]->name,
				.partition = topics[i]->partitions[p],
				.offset = -1,
				.leader_epoch = -1,
			};
	*ret_count = total;
	return offsets;
}

void native_handlers_delete_offsets(struct native_call *c)
{
	const Correio__DeleteOffsetsRequest *m = c->header->delete_offsets;
	struct native_group_call *g = native_groups_new(c, GROUP_REQUEST_DELETE_OFFSETS, m->group);
	if (g == NULL)
		return;
	struct group_request_delete_offsets *d = &g->request.delete_offsets;
	d->offsets = partitions_of(c, m->topics, m->n_topics, &d->offset_count);
	if (d->offsets != NULL)
		native_groups_start(g, deleted);
	else
		native_call_fail_memory(c);
}

/* --- fetch ----------------------------------------------------------------- */

static bool fill_group(struct native_call *c, struct group_request *r, Correio__GroupOffsets *g)
{
	correio__group_offsets__init(g);
	g->group = native_call_text(r->group_id);
	g->error_code = status_code(r->status);
	g->error_message = native_call_message(r->status, r->message);
	if (r->status != STATUS_OK)
		return true;
	if (r->fetch.all)
		offset_list_sort(r->fetch.offsets, r->fetch.offset_count);
	g->topics = fill_topics(c, r->fetch.offsets, r->fetch.offset_count, &g->n_topics);
	return g->topics != NULL;
}

static void fetched(struct group_fan *f)
{
	struct native_call *c = CAST(native_call, f->arg);
	Correio__ResponseHeader header;
	Correio__FetchOffsetsResponse m;
	correio__fetch_offsets_response__init(&m);
	m.n_groups = f->count;
	m.groups = (Correio__GroupOffsets **)native_call_list(c, f->count, sizeof(**m.groups));
	bool filled = m.groups != NULL;
	for (size_t i = 0; filled && i < f->count; i++)
		filled = fill_group(c, &f->parts[i].request, m.groups[i]);
	if (!filled) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_FETCH_OFFSETS;
	header.fetch_offsets = &m;
	native_call_answer(c, &header, NULL);
}

static bool fill_fetch(struct native_call *c, const Correio__GroupTopics *g, struct group_request *r)
{
	struct group_request_fetch *f = &r->fetch;
	r->kind = GROUP_REQUEST_FETCH;
	r->group_id = g->group;
	f->all = g->all;
	f->require_stable = c->header->fetch_offsets->require_stable;
	f->member_epoch = -1;
	if (g->all)
		return true;
	f->offsets = partitions_of(c, g->topics, g->n_topics, &f->offset_count);
	return f->offsets != NULL;
}

void native_handlers_fetch_offsets(struct native_call *c)
{
	const Correio__FetchOffsetsRequest *m = c->header->fetch_offsets;
	struct group_fan *f = native_groups_fan(c, m->n_groups, FETCH_BUDGET);
	if (f == NULL)
		return;
	for (size_t i = 0; i < m->n_groups; i++)
		if (!fill_fetch(c, m->groups[i], &f->parts[i].request)) {
			native_call_fail_memory(c);
			return;
		}
	f->done = fetched;
	group_fan_start(f);
}
