/* Commits and fetches. A commit is in the log, committed, before anybody sees it. Kafka: GroupMetadataManager.storeOffsets,
 * getOffsets. */
#include "coordinator/group_coordinator_internal.h"

#include "base/metrics.h"

/* --- commits -------------------------------------------------------------------------------------------------------------- */

/* A commit on its way to the log; in the request's arena. */
struct group_commit {
	unsigned magic;
	struct group_write write;
	struct group_request *request;
	struct group_entry *entry;
	int64_t now_ms; /* wall time of the commit */
};
MAGIC(group_commit, 0x47434d54);

/* What the offset's record says. */
static struct group_offset_value value_of(const struct group_commit *c, const struct group_request_offset *o)
{
	int64_t retention_ms = c->request->commit.retention_ms;
	bool expires = retention_ms >= 0 && retention_ms <= INT64_MAX - c->now_ms;
	return (struct group_offset_value){
		.offset = o->offset,
		.commit_timestamp_ms = o->commit_timestamp == -1 ? c->now_ms : o->commit_timestamp,
		.expire_timestamp_ms = expires ? c->now_ms + retention_ms : -1,
		.leader_epoch = o->leader_epoch,
		.metadata = o->metadata,
	};
}

static enum status encode_offset(struct arena *a, const struct group_commit *c, const struct group_request_offset *o,
	struct group_record_bytes *ret_record)
{
	struct group_offset_value v = value_of(c, o);
	const struct kafka_offset_commit_key key = {
		.group = c->entry->name, .topic = o->topic, .partition = o->partition};
	const struct kafka_offset_commit_value value = {
		.offset = v.offset,
		.leader_epoch = v.leader_epoch,
		.metadata = v.metadata == NULL ? "" : v.metadata,
		.commit_timestamp = v.commit_timestamp_ms,
		.expire_timestamp = v.expire_timestamp_ms,
	};
	const struct group_record_view view = {.kind = GROUP_RECORD_OFFSET, .offset_key = &key, .offset = &value};
	return group_records_encode(a, &view, ret_record);
}

/* Those that are written have status OK. */
static size_t check_offsets(const struct group_coordinator *c, struct group_request *r)
{
	size_t taken = 0;
	for (size_t i = 0; i < r->commit.offset_count; i++) {
		struct group_request_offset *o = &r->commit.offsets[i];
		size_t size = o->metadata == NULL ? 0 : strlen(o->metadata);
		if (o->status == STATUS_OK && size > (size_t)c->options.settings->offset_metadata_max_bytes)
			o->status = STATUS_OFFSET_METADATA_TOO_LARGE;
		taken += o->status == STATUS_OK ? 1 : 0;
	}
	return taken;
}

static void fail_offsets(struct group_request *r, enum status s)
{
	for (size_t i = 0; i < r->commit.offset_count; i++)
		if (r->commit.offsets[i].status == STATUS_OK)
			r->commit.offsets[i].status = s;
}

static void end_offsets(struct group_commit *c, enum status s, int64_t first_offset)
{
	struct group_request *r = c->request;
	int64_t log_offset = first_offset;
	size_t written = 0;
	for (size_t i = 0; i < r->commit.offset_count; i++) {
		const struct group_request_offset *o = &r->commit.offsets[i];
		if (o->status != STATUS_OK)
			continue;
		if (s == STATUS_OK) {
			struct group_offset_value v = value_of(c, o);
			group_offsets_put(&c->entry->offsets, o->topic, o->partition, &v, log_offset++);
		}
		group_offsets_end(&c->entry->offsets, o->topic, o->partition);
		written++;
	}
	if (s == STATUS_OK)
		metrics_add(METRIC_offset_commits, (int64_t)written);
}

static void committed(struct group_write *w, enum status s, int64_t first_offset)
{
	struct group_commit *c = CAST(group_commit, CONTAINER_OF(w, struct group_commit, write));
	struct group_entry *e = c->entry;
	struct group_request *r = c->request;
	end_offsets(c, s, first_offset);
	if (s != STATUS_OK)
		fail_offsets(r, group_log_commit_status(s));
	c->magic = 0;
	group_coordinator_answer(r, STATUS_OK);
	(void)group_coordinator_settle(e);
	group_coordinator_release(e);
}

/* Everything encoded in the coordinator's scratch; then the log has its copy. */
static enum status write_offsets(struct group_commit *commit, size_t count)
{
	struct group_request *r = commit->request;
	struct arena *scratch = &commit->entry->partition->coordinator->scratch;
	struct group_record_bytes *records = arena_calloc(scratch, count, sizeof(*records));
	size_t n = 0;
	if (records == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->commit.offset_count; i++)
		if (r->commit.offsets[i].status == STATUS_OK)
			TRY(encode_offset(scratch, commit, &r->commit.offsets[i], &records[n++]));
	expect(n == count);
	for (size_t i = 0; i < r->commit.offset_count; i++)
		if (r->commit.offsets[i].status == STATUS_OK)
			group_offsets_begin(&commit->entry->offsets, r->commit.offsets[i].topic, r->commit.offsets[i].partition);
	group_coordinator_hold(commit->entry);
	group_log_write(&commit->entry->partition->log, &commit->write, records, n);
	return STATUS_OK;
}

static void commit_to(struct group_entry *e, struct group_request *r)
{
	struct group_coordinator *c = e->partition->coordinator;
	size_t count = check_offsets(c, r);
	struct group_commit *commit = arena_calloc(r->arena, 1, sizeof(*commit));
	if (count == 0) {
		group_coordinator_answer(r, STATUS_OK);
		return;
	}
	if (commit == NULL) {
		group_coordinator_answer_full(r);
		return;
	}
	*commit = (struct group_commit){
		.magic = group_commit_magic,
		.write = {.done = committed},
		.request = r,
		.entry = e,
		.now_ms = group_coordinator_wall_ms(c),
	};
	enum status s = write_offsets(commit, count);
	arena_reset(&c->scratch);
	if (s == STATUS_OK)
		return;
	fail_offsets(r, group_log_commit_status(s));
	group_coordinator_answer(r, STATUS_OK);
}

void group_coordinator_commit(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	if (e == NULL && r->commit.generation >= 0) {
		group_coordinator_answer(r, STATUS_ILLEGAL_GENERATION); /* of a generation long gone, Kafka says */
		return;
	}
	if (e == NULL) {
		e = group_coordinator_add(gp, r->group_id);
		group_coordinator_classic_init(e);
	}
	enum status s = e->type->check_commit(e, &r->commit, group_coordinator_now_ms(gp->coordinator));
	if (s == STATUS_OK)
		commit_to(e, r);
	else
		group_coordinator_answer(r, s);
	(void)group_coordinator_settle(e);
}

/* --- fetches -------------------------------------------------------------------------------------------------------------- */

static void set_none(struct group_request_offset *o, enum status s)
{
	o->offset = o->leader_epoch = -1;
	o->metadata = "";
	o->commit_timestamp = -1;
	o->status = s;
}

static bool fill(struct group_request *r, struct group_request_offset *to, const struct group_offset *from)
{
	to->offset = from->offset;
	to->leader_epoch = from->leader_epoch;
	to->commit_timestamp = from->commit_timestamp_ms;
	to->metadata = "";
	to->status = STATUS_OK;
	if (from->metadata != NULL)
		to->metadata = arena_strdup(r->arena, slice_of_str(from->metadata));
	return to->metadata != NULL;
}

static bool fetch_one(struct group_request *r, const struct group_offset *from, struct group_request_offset *to)
{
	if (from != NULL && from->pending > 0 && r->fetch.require_stable)
		set_none(to, STATUS_UNSTABLE_OFFSET_COMMIT);
	else if (from == NULL || !group_offset_is_committed(from))
		set_none(to, STATUS_OK);
	else
		return fill(r, to, from);
	return true;
}

static bool fetch_listed(struct group_request *r, const struct group_entry *e)
{
	for (size_t i = 0; i < r->fetch.offset_count; i++) {
		struct group_request_offset *o = &r->fetch.offsets[i];
		const struct group_offset *slot = e == NULL ? NULL : group_offsets_find(&e->offsets, o->topic, o->partition);
		if (!fetch_one(r, slot, o))
			return false;
	}
	return true;
}

struct fetch_all {
	struct group_request *request;
	const char *topic;      /* the table's */
	const char *topic_copy; /* the same in the arena, once for all its partitions */
	bool full;
};

static void fetch_each(void *arg, const char *topic, const struct group_offset *slot)
{
	struct fetch_all *f = arg;
	struct group_request *r = f->request;
	bool undecided = slot->pending > 0 && r->fetch.require_stable;
	if (f->full || (!group_offset_is_committed(slot) && !undecided))
		return;
	if (f->topic != topic) {
		f->topic = topic;
		f->topic_copy = arena_strdup(r->arena, slice_of_str(topic));
	}
	struct group_request_offset *o = &r->fetch.offsets[r->fetch.offset_count++];
	o->topic = f->topic_copy;
	o->partition = slot->partition;
	f->full = f->topic_copy == NULL || !fetch_one(r, slot, o);
}

static bool fetch_all(struct group_request *r, const struct group_entry *e)
{
	struct fetch_all f = {.request = r};
	r->fetch.offset_count = 0;
	r->fetch.offsets = arena_calloc(r->arena, (e == NULL ? 0 : e->offsets.slots) + 1, sizeof(*r->fetch.offsets));
	if (r->fetch.offsets == NULL)
		return false;
	if (e != NULL)
		group_offsets_each(&e->offsets, fetch_each, &f);
	return !f.full;
}

void group_coordinator_fetch(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	enum status s = e == NULL ? STATUS_OK : e->type->check_fetch(e, &r->fetch);
	if (s != STATUS_OK) {
		group_coordinator_answer(r, s);
		return;
	}
	bool fits = r->fetch.all ? fetch_all(r, e) : fetch_listed(r, e);
	if (fits)
		group_coordinator_answer(r, STATUS_OK);
	else
		group_coordinator_answer_full(r);
}
