/* CommitOffsets, FetchOffsets, DeleteOffsets. Offsets are kept flat, in the order of the message. */
#include "native/native_groups.h"
#include "native/native_handlers.h"
#include "service/group_offsets.h"

enum { FETCH_BUDGET = 64 * 1024 * 1024 };

/* --- commit, delete: partitions the cluster has, or not ------------------------- */

struct native_offsets {
	struct native_call *call;
	struct group_offsets offsets;
	struct group_request request;
};

static struct native_offsets *new_offsets(struct native_call *c, size_t count, const char *group)
{
	struct native_offsets *o = native_call_array(c, 1, sizeof(*o));
	if (o == NULL || !group_offsets_init(&o->offsets, &c->request->arena, count)) {
		native_call_fail_memory(c);
		return NULL;
	}
	o->call = c;
	o->request.group_id = group;
	o->request.arena = &c->request->arena;
	o->request.arg = o;
	return o;
}

/* A topic of an answer: so many partitions with their status, from the at-th entry on. False: no memory. */
static bool fill_statuses(struct native_offsets *o, Correio__TopicOffsets *t, size_t count, size_t at)
{
	t->n_partitions = count;
	t->partitions = (Correio__PartitionOffset **)native_call_list(o->call, count, sizeof(**t->partitions));
	for (size_t p = 0; t->partitions != NULL && p < count; p++) {
		correio__partition_offset__init(t->partitions[p]);
		t->partitions[p]->offset = t->partitions[p]->leader_epoch = -1;
		t->partitions[p]->error_code = status_code(group_offsets_status(&o->offsets, at + p, o->request.status));
	}
	return t->partitions != NULL;
}

static bool fill_committed(struct native_offsets *o, Correio__CommitOffsetsResponse *m)
{
	const Correio__CommitOffsetsRequest *asked = o->call->header->commit_offsets;
	size_t at = 0;
	m->n_topics = asked->n_topics;
	m->topics = (Correio__TopicOffsets **)native_call_list(o->call, asked->n_topics, sizeof(**m->topics));
	for (size_t i = 0; m->topics != NULL && i < asked->n_topics; i++) {
		const Correio__TopicOffsets *from = asked->topics[i];
		correio__topic_offsets__init(m->topics[i]);
		m->topics[i]->name = from->name;
		if (!fill_statuses(o, m->topics[i], from->n_partitions, at))
			return false;
		for (size_t p = 0; p < from->n_partitions; p++)
			m->topics[i]->partitions[p]->partition = from->partitions[p]->partition;
		at += from->n_partitions;
	}
	return m->topics != NULL;
}

static void committed(struct group_request *r)
{
	struct native_offsets *o = r->arg;
	struct native_call *c = CAST(native_call, o->call);
	Correio__ResponseHeader header;
	Correio__CommitOffsetsResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__commit_offsets_response__init(&m);
	if (!fill_committed(o, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_COMMIT_OFFSETS;
	header.commit_offsets = &m;
	native_call_answer(c, &header, NULL);
}

static void add_commits(struct native_call *c, struct group_offsets *o)
{
	const Correio__CommitOffsetsRequest *m = c->header->commit_offsets;
	const struct cluster_image *image = service_loop_image(c->service);
	for (size_t i = 0; i < m->n_topics; i++)
		for (size_t p = 0; p < m->topics[i]->n_partitions; p++) {
			const Correio__PartitionOffset *from = m->topics[i]->partitions[p];
			const struct group_request_offset entry = {
				.topic = m->topics[i]->name,
				.partition = from->partition,
				.offset = from->offset,
				.leader_epoch = from->leader_epoch,
				.metadata = from->metadata,
				.commit_timestamp = -1,
			};
			group_offsets_add(o, image, &entry);
		}
}

void native_handlers_commit_offsets(struct native_call *c)
{
	const Correio__CommitOffsetsRequest *m = c->header->commit_offsets;
	size_t count = 0;
	for (size_t i = 0; i < m->n_topics; i++)
		count += m->topics[i]->n_partitions;
	struct native_offsets *o = new_offsets(c, count, m->group);
	if (o == NULL)
		return;
	add_commits(c, &o->offsets);
	o->request.kind = GROUP_REQUEST_COMMIT;
	o->request.commit = (struct group_request_commit){
		.member_id = m->member_id,
		.instance_id = native_groups_optional(m->instance_id),
		.generation = m->generation,
		.retention_ms = -1,
		.offsets = o->offsets.known,
		.offset_count = o->offsets.known_count,
	};
	o->request.done = committed;
	if (o->offsets.known_count > 0)
		group_service_start(c->service, &o->request);
	else
		committed(&o->request);
}

static bool fill_deleted(struct native_offsets *o, Correio__DeleteOffsetsResponse *m)
{
	const Correio__DeleteOffsetsRequest *asked = o->call->header->delete_offsets;
	size_t at = 0;
	m->n_topics = asked->n_topics;
	m->topics = (Correio__TopicOffsets **)native_call_list(o->call, asked->n_topics, sizeof(**m->topics));
	for (size_t i = 0; m->topics != NULL && i < asked->n_topics; i++) {
		const Correio__TopicPartitions *from = asked->topics[i];
		correio__topic_offsets__init(m->topics[i]);
		m->topics[i]->name = from->name;
		if (!fill_statuses(o, m->topics[i], from->n_partitions, at))
			return false;
		for (size_t p = 0; p < from->n_partitions; p++)
			m->topics[i]->partitions[p]->partition = from->partitions[p];
		at += from->n_partitions;
	}
	return m->topics != NULL;
}

static void deleted(struct group_request *r)
{
	struct native_offsets *o = r->arg;
	struct native_call *c = CAST(native_call, o->call);
	Correio__ResponseHeader header;
	Correio__DeleteOffsetsResponse m;
	if (r->status != STATUS_OK) {
		native_groups_fail(c, r);
		return;
	}
	correio__delete_offsets_response__init(&m);
	if (!fill_deleted(o, &m)) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_OFFSETS;
	header.delete_offsets = &m;
	native_call_answer(c, &header, NULL);
}

static size_t count_partitions(Correio__TopicPartitions *const *topics, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += topics[i]->n_partitions;
	return n;
}

void native_handlers_delete_offsets(struct native_call *c)
{
	const Correio__DeleteOffsetsRequest *m = c->header->delete_offsets;
	const struct cluster_image *image = service_loop_image(c->service);
	struct native_offsets *o = new_offsets(c, count_partitions(m->topics, m->n_topics), m->group);
	if (o == NULL)
		return;
	for (size_t i = 0; i < m->n_topics; i++)
		for (size_t p = 0; p < m->topics[i]->n_partitions; p++) {
			const struct group_request_offset entry = {.topic = m->topics[i]->name, .partition = m->topics[i]->partitions[p]};
			group_offsets_add(&o->offsets, image, &entry);
		}
	o->request.kind = GROUP_REQUEST_DELETE_OFFSETS;
	o->request.delete_offsets =
		(struct group_request_delete_offsets){.offsets = o->offsets.known, .offset_count = o->offsets.known_count};
	o->request.done = deleted;
	group_service_start(c->service, &o->request);
}

/* --- fetch ----------------------------------------------------------------- */

static void fill_offset(const struct group_request_offset *from, Correio__PartitionOffset *to)
{
	correio__partition_offset__init(to);
	to->partition = from->partition;
	to->error_code = status_code(from->status);
	to->offset = from->status == STATUS_OK ? from->offset : -1;
	to->leader_epoch = from->status == STATUS_OK ? from->leader_epoch : -1;
	to->metadata = native_call_text(from->metadata);
}

/* Neighbours of one topic become one topic of the answer. False: no memory. */
static bool fill_topics(struct native_call *c, const struct group_request_fetch *f, Correio__GroupOffsets *g)
{
	size_t topics = 0;
	for (size_t i = 0; i < f->offset_count; i++)
		topics += i == 0 || strcmp(f->offsets[i].topic, f->offsets[i - 1].topic) != 0;
	g->topics = (Correio__TopicOffsets **)native_call_list(c, topics, sizeof(**g->topics));
	Correio__PartitionOffset **offsets =
		(Correio__PartitionOffset **)native_call_list(c, f->offset_count, sizeof(**offsets));
	if (g->topics == NULL || offsets == NULL)
		return false;
	for (size_t i = 0; i < f->offset_count; i++) {
		if (i == 0 || strcmp(f->offsets[i].topic, f->offsets[i - 1].topic) != 0) {
			Correio__TopicOffsets *t = g->topics[g->n_topics++];
			correio__topic_offsets__init(t);
			t->name = native_call_text(f->offsets[i].topic);
			t->partitions = &offsets[i];
		}
		fill_offset(&f->offsets[i], offsets[i]);
		g->topics[g->n_topics - 1]->n_partitions++;
	}
	return true;
}

static bool fill_group(struct native_call *c, struct group_request *r, Correio__GroupOffsets *g)
{
	correio__group_offsets__init(g);
	g->group = native_call_text(r->group_id);
	g->error_code = status_code(r->status);
	g->error_message = native_call_message(r->status, r->message);
	if (r->status != STATUS_OK)
		return true;
	if (r->fetch.all)
		group_offsets_sort(r->fetch.offsets, r->fetch.offset_count);
	return fill_topics(c, &r->fetch, g);
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
	f->offset_count = count_partitions(g->topics, g->n_topics);
	f->offsets = native_call_array(c, f->offset_count, sizeof(*f->offsets));
	size_t n = 0;
	for (size_t i = 0; f->offsets != NULL && i < g->n_topics; i++)
		for (size_t p = 0; p < g->topics[i]->n_partitions; p++)
			f->offsets[n++] = (struct group_request_offset){
				.topic = g->topics[i]->name,
				.partition = g->topics[i]->partitions[p],
				.offset = -1,
				.leader_epoch = -1,
			};
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
