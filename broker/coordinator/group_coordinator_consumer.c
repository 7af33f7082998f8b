/* Groups of the consumer protocol (KIP-848): heartbeats to and from the machine in consumer_group.h, and its records to the log. The
 * answer to a heartbeat is made at once and goes out when everything it rests on is committed. One write of a group is under way at a
 * time; what changes meanwhile goes into the next. */
#include "coordinator/group_coordinator_internal.h"

#include "base/diag.h"
#include "coordinator/consumer_group_records.h"

enum {
	RECORD_OVERHEAD_BYTES = 32, /* of a record in a batch, at most */
	BATCH_RESERVE_BYTES = 1024, /* left of max.message.bytes */
	TOMBSTONES = 3,
};

/* A batch of a group's write. */
struct consumer_write {
	unsigned magic;
	struct group_write write;
	struct group_entry *entry; /* held */
};
MAGIC(consumer_write, 0x43575254);

/* --- whoever waits -------------------------------------------------------------------------------------------------------- */

static void wait_for(struct group_consumer *x, struct group_request *r, uintptr_t number)
{
	r->work = (void *)number;
	if (x->waiting == NULL) {
		x->waiting = r->next = r->previous = r;
		return;
	}
	r->next = x->waiting;
	r->previous = x->waiting->previous;
	r->previous->next = r->next->previous = r;
}

/* Those that wait for this write or an earlier one: numbers ascend. */
static void answer_up_to(struct group_consumer *x, uintptr_t number, enum status s)
{
	while (x->waiting != NULL && (uintptr_t)x->waiting->work <= number) {
		struct group_request *r = x->waiting;
		x->waiting = r->next == r ? NULL : r->next;
		r->previous->next = r->next;
		r->next->previous = r->previous;
		group_coordinator_answer(r, s);
	}
}

/* --- writes --------------------------------------------------------------------------------------------------------------- */

static void flush(struct group_entry *e);

static void write_ended(struct group_entry *e)
{
	struct group_consumer *x = e->consumer;
	bool committed = x->write_status == STATUS_OK;
	consumer_group_written(x->machine, committed);
	if (committed) {
		x->classic_in_log = false;
		answer_up_to(x, x->write_number, STATUS_OK);
		flush(e);
		return;
	}
	diag_warn("group_records_not_written", "group=\"%.200s\" why=%s text=\"%s\"", e->name, status_name(x->write_status),
		status_text(x->write_status));
	/* Everything is given again with the next heartbeat. */
	answer_up_to(x, UINTPTR_MAX, group_log_metadata_status(x->write_status));
}

static void group_consumer_written(struct group_write *w, enum status s, int64_t first_offset)
{
	struct consumer_write *cw = CAST(consumer_write, CONTAINER_OF(w, struct consumer_write, write));
	struct group_entry *e = CAST(group_entry, cw->entry);
	struct group_consumer *x = e->consumer;
	(void)first_offset;
	cw->magic = 0;
	free(cw);
	expect(x != NULL && x->writes > 0);
	if (x->write_status == STATUS_OK)
		x->write_status = s;
	if (--x->writes == 0 && !e->gone) {
		write_ended(e);
		(void)group_coordinator_settle(e);
	}
	group_coordinator_release(e);
}

static size_t size_of(const struct group_record_bytes *r)
{
	return r->key.n + r->value.n + RECORD_OVERHEAD_BYTES;
}

/* As many batches as max.message.bytes makes of it. */
static void write_records(struct group_entry *e, const struct group_record_bytes *records, size_t count)
{
	struct group_log *log = &e->partition->log;
	size_t room = log->batch_bytes_max > 2 * BATCH_RESERVE_BYTES ? log->batch_bytes_max - BATCH_RESERVE_BYTES : BATCH_RESERVE_BYTES;
	for (size_t from = 0, to; from < count; from = to) {
		size_t bytes = size_of(&records[from]);
		for (to = from + 1; to < count && bytes + size_of(&records[to]) <= room; to++)
			bytes += size_of(&records[to]);
		struct consumer_write *w = check_calloc(1, sizeof(*w));
		w->magic = consumer_write_magic;
		w->write.done = group_consumer_written;
		w->entry = e;
		e->consumer->writes++;
		group_coordinator_hold(e);
		group_log_write(log, &w->write, &records[from], to - from);
	}
}

static enum status classic_tombstone(const struct group_entry *e, struct arena *a, struct group_record_bytes *ret_record)
{
	const struct kafka_group_metadata_key key = {.group = e->name};
	const struct group_record_view view = {.kind = GROUP_RECORD_GROUP, .group_key = &key};
	return group_records_encode(a, &view, ret_record);
}

static enum status export(struct group_entry *e, struct group_record_bytes **ret_records, size_t *ret_count)
{
	struct group_consumer *x = e->consumer;
	struct arena *a = &e->partition->coordinator->scratch;
	struct group_record_bytes *own = NULL, tombstone = {0};
	size_t count = 0;
	if (x->classic_in_log)
		TRY(classic_tombstone(e, a, &tombstone));
	TRY(consumer_group_records_export(x->machine, a, &own, &count));
	*ret_records = own;
	*ret_count = count;
	if (!x->classic_in_log)
		return STATUS_OK;
	struct group_record_bytes *all = arena_calloc(a, count + 1, sizeof(*all));
	if (all == NULL) {
		consumer_group_written(x->machine, false);
		return STATUS_TOO_LARGE;
	}
	all[0] = tombstone;
	if (count > 0)
		memcpy(all + 1, own, count * sizeof(*all));
	*ret_records = all;
	*ret_count = count + 1;
	return STATUS_OK;
}

/* Writes what there is to write, unless a write is under way. */
static void flush(struct group_entry *e)
{
	struct group_consumer *x = e->consumer;
	struct group_coordinator *c = e->partition->coordinator;
	struct group_record_bytes *records = NULL;
	size_t count = 0;
	if (x->writes > 0 || (!consumer_group_dirty(x->machine) && !x->classic_in_log))
		return;
	enum status s = export(e, &records, &count);
	x->write_number++;
	x->write_status = s;
	if (s == STATUS_OK && count > 0)
		write_records(e, records, count);
	arena_reset(&c->scratch);
	if (s != STATUS_OK || count == 0)
		write_ended(e);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

static struct group_consumer *consumer_new(struct group_partition *gp, const char *name)
{
	struct group_coordinator *c = gp->coordinator;
	struct group_consumer *x = check_calloc(1, sizeof(*x));
	x->owner = (struct consumer_group_owner){
		.settings = &c->consumer_settings, .callbacks = &group_coordinator_topics, .arg = c, .random = &c->random};
	x->machine = consumer_group_new(name, &x->owner);
	return x;
}

static void consumer_free(struct group_consumer *x)
{
	if (x == NULL)
		return;
	expect(x->waiting == NULL);
	consumer_group_free(x->machine);
	free(x);
}

void group_coordinator_consumer_replay(struct group_entry *e, const struct group_record_view *v)
{
	if (e->consumer == NULL && v->value == NULL)
		return;
	if (e->consumer == NULL)
		e->consumer = consumer_new(e->partition, e->name);
	consumer_group_records_replay(e->consumer->machine, v);
}

bool group_coordinator_consumer_loaded(struct group_entry *e)
{
	expect(e->type == NULL);
	if (e->consumer == NULL)
		return false;
	if (!consumer_group_records_loaded(e->consumer->machine, group_coordinator_now_ms(e->partition->coordinator))) {
		consumer_free(e->consumer);
		e->consumer = NULL;
		return false;
	}
	e->type = &group_coordinator_consumer;
	return true;
}

/* --- the type ------------------------------------------------------------------------------------------------------------- */

static void type_unload(struct group_entry *e, enum status s)
{
	answer_up_to(e->consumer, UINTPTR_MAX, s);
}

static void type_free(struct group_entry *e)
{
	consumer_free(e->consumer);
	e->consumer = NULL;
}

static void type_expire(struct group_entry *e, int64_t now_ms)
{
	uint64_t before = consumer_group_counts(e->consumer->machine).members_expired;
	consumer_group_expire(e->consumer->machine, now_ms);
	uint64_t expired = consumer_group_counts(e->consumer->machine).members_expired - before;
	if (expired > 0)
		diag_info("group_members_expired", "group=\"%.200s\" members=%llu left=%zu", e->name, (unsigned long long)expired,
			consumer_group_member_count(e->consumer->machine));
	flush(e);
}

static int64_t type_next_deadline_ms(const struct group_entry *e)
{
	return consumer_group_next_deadline(e->consumer->machine);
}

static enum status type_check_commit(struct group_entry *e, const struct group_request_commit *commit, int64_t now_ms)
{
	(void)now_ms; /* only heartbeats keep a session alive */
	return consumer_group_check_commit(e->consumer->machine, commit->member_id, commit->generation);
}

static enum status type_check_fetch(struct group_entry *e, const struct group_request_fetch *fetch)
{
	return consumer_group_check_fetch(e->consumer->machine, fetch->member_id, fetch->member_epoch);
}

static const char *type_state(const struct group_entry *e)
{
	return consumer_group_state_name(consumer_group_state(e->consumer->machine));
}

static const char *type_protocol_type(const struct group_entry *e, struct arena *a)
{
	(void)e;
	return arena_strdup(a, slice_of_str("consumer"));
}

static size_t type_member_count(const struct group_entry *e)
{
	return consumer_group_member_count(e->consumer->machine);
}

static bool type_is_empty(const struct group_entry *e)
{
	return consumer_group_member_count(e->consumer->machine) == 0;
}

static bool type_in_use(const struct group_entry *e)
{
	return e->consumer->waiting != NULL || !type_is_empty(e);
}

/* Kafka: ConsumerGroup.offsetExpirationCondition. */
static enum group_expiry type_expiry(const struct group_entry *e, int64_t *ret_since_ms)
{
	(void)e;
	(void)ret_since_ms;
	return GROUP_EXPIRY_SINCE_COMMIT;
}

static bool type_subscribes(const struct group_entry *e, const char *topic)
{
	return consumer_group_subscribes(e->consumer->machine, topic);
}

static bool type_tells_subscriptions(const struct group_entry *e)
{
	(void)e;
	return true;
}

static enum status type_tombstones(const struct group_entry *e, struct arena *a, struct group_record_bytes *records, size_t max,
	size_t *ret_count)
{
	static const enum group_record_kind kinds[TOMBSTONES] = {
		GROUP_RECORD_CONSUMER_TARGET, GROUP_RECORD_CONSUMER_PARTITIONS, GROUP_RECORD_CONSUMER_GROUP};
	const struct kafka_consumer_group_metadata_key key = {.group_id = e->name};
	struct consumer_group_description d;
	expect(max >= TOMBSTONES);
	consumer_group_describe(e->consumer->machine, &d);
	free(d.members);
	*ret_count = 0;
	if (d.group_epoch == 0)
		return STATUS_OK; /* it never was there */
	for (size_t i = 0; i < TOMBSTONES; i++) {
		const struct group_record_view view = {.kind = kinds[i], .key = &key};
		TRY(group_records_encode(a, &view, &records[i]));
	}
	*ret_count = TOMBSTONES;
	return STATUS_OK;
}

static uint64_t type_rebalances(const struct group_entry *e)
{
	return consumer_group_counts(e->consumer->machine).rebalances;
}

const struct group_type group_coordinator_consumer = {
	.name = "consumer",
	.unload = type_unload,
	.free = type_free,
	.expire = type_expire,
	.next_deadline_ms = type_next_deadline_ms,
	.check_commit = type_check_commit,
	.check_fetch = type_check_fetch,
	.state = type_state,
	.protocol_type = type_protocol_type,
	.member_count = type_member_count,
	.is_empty = type_is_empty,
	.in_use = type_in_use,
	.expiry = type_expiry,
	.subscribes = type_subscribes,
	.tells_subscriptions = type_tells_subscriptions,
	.tombstones = type_tombstones,
	.rebalances = type_rebalances,
};

/* --- from one protocol to the other --------------------------------------------------------------------------------------- */

static void given_up(struct group_write *w, enum status s, int64_t first_offset)
{
	struct consumer_write *cw = CAST(consumer_write, CONTAINER_OF(w, struct consumer_write, write));
	struct group_entry *e = cw->entry;
	(void)first_offset;
	if (s != STATUS_OK)
		diag_warn("group_records_not_written", "group=\"%.200s\" why=%s text=\"%s\"", e->name, status_name(s), status_text(s));
	cw->magic = 0;
	free(cw);
	if (!e->gone)
		(void)group_coordinator_settle(e);
	group_coordinator_release(e);
}

static void write_tombstones(struct group_entry *e)
{
	struct group_record_bytes records[TOMBSTONES];
	struct arena *a = &e->partition->coordinator->scratch;
	size_t count = 0;
	enum status s = type_tombstones(e, a, records, TOMBSTONES, &count);
	if (s == STATUS_OK && count > 0) {
		struct consumer_write *w = check_calloc(1, sizeof(*w));
		w->magic = consumer_write_magic;
		w->write.done = given_up;
		w->entry = e;
		group_coordinator_hold(e);
		group_log_write(&e->partition->log, &w->write, records, count);
	}
	arena_reset(a);
}

bool group_coordinator_consumer_give_up(struct group_entry *e)
{
	expect(e->type == &group_coordinator_consumer);
	if (type_in_use(e) || e->consumer->writes > 0 || consumer_group_dirty(e->consumer->machine))
		return false;
	write_tombstones(e);
	type_free(e);
	e->type = NULL;
	diag_info("group_becomes_classic", "group=\"%.200s\"", e->name);
	return true;
}

/* An empty classic group becomes one of ours with the first member; its record's tombstone goes with our first records. */
static void take_over(struct group_entry *e, struct group_consumer *x)
{
	if (e->type == &group_coordinator_classic) {
		x->classic_in_log = group_generation(e->classic) > 0;
		e->type->free(e);
		diag_info("group_becomes_consumer", "group=\"%.200s\"", e->name);
	}
	expect(e->consumer == NULL);
	e->consumer = x;
	e->type = &group_coordinator_consumer;
}

/* --- heartbeats ----------------------------------------------------------------------------------------------------------- */

static void take_topics(const struct group_request_topics *from, struct partition_set *s)
{
	for (size_t i = 0; i < from->count; i++)
		for (size_t k = 0; k < from->topics[i].partition_count; k++)
			partition_set_append(s, &from->topics[i].topic_id, from->topics[i].partitions[k]);
	partition_set_sort(s);
}

static bool give_topics(struct arena *a, const struct partition_set *s, struct group_request_topics *ret_topics)
{
	struct group_request_topic *topics = arena_calloc(a, s->count + 1, sizeof(*topics));
	int32_t *numbers = arena_calloc(a, s->count + 1, sizeof(*numbers));
	size_t count = 0;
	if (topics == NULL || numbers == NULL)
		return false;
	for (size_t i = 0; i < s->count; i++)
		numbers[i] = s->items[i].partition;
	for (size_t i = 0, end; i < s->count; i = end) {
		end = partition_set_topic_end(s, i);
		topics[count++] = (struct group_request_topic){
			.topic_id = s->items[i].topic_id, .partitions = numbers + i, .partition_count = end - i};
	}
	*ret_topics = (struct group_request_topics){.topics = topics, .count = count, .present = true};
	return true;
}

static bool give_answer(struct group_request *r, const struct consumer_group_answer *answer)
{
	struct group_request_consumer_heartbeat *h = &r->consumer_heartbeat;
	h->ret_member_epoch = answer->member_epoch;
	h->heartbeat_interval_ms = answer->heartbeat_interval_ms;
	h->assignment = (struct group_request_topics){0};
	h->ret_member_id = arena_strdup(r->arena, slice_of_str(answer->member_id));
	return h->ret_member_id != NULL && (answer->assignment == NULL || give_topics(r->arena, answer->assignment, &h->assignment));
}

static enum status beat(struct group_consumer *x, struct group_request *r, int64_t now_ms, bool *ret_fits)
{
	const struct group_request_consumer_heartbeat *q = &r->consumer_heartbeat;
	struct partition_set owned = {0};
	struct consumer_group_answer answer = {0};
	struct failure f = {0};
	take_topics(&q->owned, &owned);
	const struct consumer_group_heartbeat h = {
		.member_id = q->member_id,
		.instance_id = q->instance_id,
		.rack_id = q->rack_id,
		.client_id = q->client_id,
		.client_host = q->client_host,
		.topic_regex = q->topic_regex,
		.server_assignor = q->server_assignor,
		.topic_names = q->topic_names,
		.topic_name_count = q->topic_name_count,
		.owned = q->owned.present ? &owned : NULL,
		.member_epoch = q->member_epoch,
		.rebalance_timeout_ms = q->rebalance_timeout_ms,
		.member_generates_id = q->member_generates_id,
	};
	enum status s = consumer_group_heartbeat(x->machine, &h, now_ms, &answer, &f);
	*ret_fits = s != STATUS_OK || give_answer(r, &answer);
	if (s != STATUS_OK)
		r->message = arena_strdup(r->arena, slice_of_str(f.text));
	partition_set_fini(&owned);
	return s;
}

static void answer_or_wait(struct group_entry *e, struct group_request *r, bool fits)
{
	struct group_consumer *x = e->consumer;
	flush(e);
	/* What it rests on is being written, or will be by the next write; after a failure, with whatever comes next. */
	bool later = consumer_group_dirty(x->machine);
	if (!fits)
		group_coordinator_answer_full(r);
	else if (later && x->writes == 0)
		group_coordinator_answer(r, group_log_metadata_status(x->write_status));
	else if (later || x->writes > 0)
		wait_for(x, r, x->write_number + (later ? 1 : 0));
	else
		group_coordinator_answer(r, STATUS_OK);
	(void)group_coordinator_settle(e);
}

static void not_found(struct group_request *r, const char *why)
{
	char text[320];
	(void)snprintf(text, sizeof(text), "Group %.200s %s.", r->group_id, why);
	r->message = arena_strdup(r->arena, slice_of_str(text));
	group_coordinator_answer(r, STATUS_GROUP_ID_NOT_FOUND);
}

/* The first member of a group that is not there, or is an empty classic one. Only a heartbeat that is accepted changes that. */
static void begin_group(struct group_partition *gp, struct group_request *r, struct group_entry *e)
{
	struct group_consumer *x = consumer_new(gp, r->group_id);
	bool fits;
	enum status s = beat(x, r, group_coordinator_now_ms(gp->coordinator), &fits);
	if (s != STATUS_OK) {
		consumer_free(x);
		group_coordinator_answer(r, s);
		return;
	}
	if (e == NULL)
		e = group_coordinator_add(gp, r->group_id);
	take_over(e, x);
	answer_or_wait(e, r, fits);
}

void group_coordinator_consumer_heartbeat(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	bool joins = r->consumer_heartbeat.member_epoch == 0;
	bool ours = e != NULL && e->type == &group_coordinator_consumer;
	bool free_to_take = e == NULL || (!ours && e->type->is_empty(e) && !e->type->in_use(e));
	if (!ours && (!joins || !free_to_take)) {
		not_found(r, e == NULL ? "not found" : "is not a consumer group");
		return;
	}
	if (!ours) {
		begin_group(gp, r, e);
		return;
	}
	bool fits;
	enum status s = beat(e->consumer, r, group_coordinator_now_ms(gp->coordinator), &fits);
	if (s == STATUS_OK)
		answer_or_wait(e, r, fits);
	else
		group_coordinator_answer(r, s);
}

/* --- descriptions --------------------------------------------------------------------------------------------------------- */

static bool give_text(struct arena *a, const char *text, const char **ret_text)
{
	*ret_text = text == NULL ? NULL : arena_strdup(a, slice_of_str(text));
	return text == NULL || *ret_text != NULL;
}

static bool give_names(struct arena *a, const struct consumer_group_names *names, struct group_request_consumer_member *to)
{
	const char **list = arena_calloc(a, names->count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < names->count; i++)
		if (!give_text(a, names->names[i], &list[i]))
			return false;
	to->topic_names = list;
	to->topic_name_count = list == NULL ? 0 : names->count;
	return list != NULL;
}

static bool give_member(struct arena *a, const struct consumer_group_description_member *from,
	struct group_request_consumer_member *to)
{
	to->member_epoch = from->member_epoch;
	return give_text(a, from->member_id, &to->member_id) && give_text(a, from->instance_id, &to->instance_id) &&
		give_text(a, from->rack_id, &to->rack_id) && give_text(a, from->client_id, &to->client_id) &&
		give_text(a, from->client_host, &to->client_host) && give_text(a, from->topic_regex, &to->topic_regex) &&
		give_names(a, from->topic_names, to) && give_topics(a, from->assignment, &to->assignment) &&
		give_topics(a, from->target, &to->target);
}

static bool give_description(struct group_request *r, const struct consumer_group_description *d)
{
	struct group_request_consumer_describe *to = &r->consumer_describe;
	struct group_request_consumer_member *members = arena_calloc(r->arena, d->member_count + 1, sizeof(*members));
	if (members == NULL)
		return false;
	for (size_t i = 0; i < d->member_count; i++)
		if (!give_member(r->arena, &d->members[i], &members[i]))
			return false;
	*to = (struct group_request_consumer_describe){
		.state = consumer_group_state_name(d->state),
		.assignor = consumer_assignor_name(d->assignor),
		.group_epoch = d->group_epoch,
		.assignment_epoch = d->assignment_epoch,
		.members = members,
		.member_count = d->member_count,
	};
	return true;
}

void group_coordinator_consumer_describe(struct group_partition *gp, struct group_request *r)
{
	const struct group_entry *e = group_coordinator_find(gp, r->group_id);
	struct consumer_group_description d;
	if (e == NULL || e->type != &group_coordinator_consumer) {
		not_found(r, e == NULL ? "not found" : "is not a consumer group");
		return;
	}
	consumer_group_describe(e->consumer->machine, &d);
	bool fits = give_description(r, &d);
	free(d.members);
	if (fits)
		group_coordinator_answer(r, STATUS_OK);
	else
		group_coordinator_answer_full(r);
}

/* --- in the words of classic groups --------------------------------------------------------------------------------------- */

/* What a classic leader would have given the member: Kafka's ConsumerProtocolAssignment, version 0. A topic that is gone since is left
 * out. */
static bool give_assignment(const struct group_coordinator *c, struct arena *a, const struct partition_set *s, struct slice *ret_bytes)
{
	enum { FIXED_BYTES = 10, TOPIC_BYTES = 6 + TOPIC_NAME_MAX };
	size_t size = FIXED_BYTES + s->count * (TOPIC_BYTES + sizeof(int32_t)), count_at = sizeof(int16_t);
	uint8_t *p = arena_alloc(a, size);
	struct byte_writer w;
	int32_t count = 0;
	if (p == NULL)
		return false;
	byte_writer_init(&w, p, size);
	byte_writer_i16(&w, 0);
	byte_writer_i32(&w, 0);
	for (size_t i = 0, end; i < s->count; i = end) {
		end = partition_set_topic_end(s, i);
		const struct image_topic *t = c->image == NULL ? NULL : cluster_image_topic_by_id(c->image, &s->items[i].topic_id);
		if (t == NULL)
			continue;
		count++;
		byte_writer_i16(&w, (int16_t)strlen(t->name));
		byte_writer_bytes(&w, slice_of_str(t->name));
		byte_writer_i32(&w, (int32_t)(end - i));
		for (size_t k = i; k < end; k++)
			byte_writer_i32(&w, s->items[k].partition);
	}
	byte_writer_i32(&w, -1); /* no user data */
	if (w.status != STATUS_OK)
		return false;
	bytes_put_i32(p + count_at, count);
	*ret_bytes = slice_of(p, w.at);
	return true;
}

static bool give_as_classic(const struct group_coordinator *c, struct group_request *r, const struct consumer_group_description *d)
{
	struct group_request_member *members = arena_calloc(r->arena, d->member_count + 1, sizeof(*members));
	for (size_t i = 0; members != NULL && i < d->member_count; i++) {
		const struct consumer_group_description_member *from = &d->members[i];
		if (!give_text(r->arena, from->member_id, &members[i].member_id) ||
			!give_text(r->arena, from->instance_id, &members[i].instance_id) ||
			!give_text(r->arena, from->client_id, &members[i].client_id) ||
			!give_text(r->arena, from->client_host, &members[i].client_host) ||
			!give_assignment(c, r->arena, from->assignment, &members[i].assignment))
			return false;
	}
	r->describe = (struct group_request_describe){
		.state = consumer_group_state_name(d->state),
		.protocol_type = "consumer",
		.protocol = consumer_assignor_name(d->assignor),
		.members = members,
		.member_count = members == NULL ? 0 : d->member_count,
	};
	return members != NULL;
}

void group_coordinator_consumer_describe_as_classic(struct group_entry *e, struct group_request *r)
{
	struct consumer_group_description d;
	expect(e->type == &group_coordinator_consumer);
	consumer_group_describe(e->consumer->machine, &d);
	bool fits = give_as_classic(e->partition->coordinator, r, &d);
	free(d.members);
	if (fits)
		group_coordinator_answer(r, STATUS_OK);
	else
		group_coordinator_answer_full(r);
}
