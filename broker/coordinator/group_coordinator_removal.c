/* Offsets and groups leave: by request, when they expire, when their topic is deleted. Tombstones first; what is in memory goes when
 * they are committed. Kafka: GroupMetadataManager.cleanupGroupMetadata, GroupCoordinator.handleDeleteGroups. */
#include "coordinator/group_coordinator_internal.h"

#include "base/diag.h"
#include "base/metrics.h"

enum {
	KEYS_PER_WRITE = 500,        /* tombstones of one batch: far below max.message.bytes */
	EXPIRY_GROUPS_PER_TURN = 64, /* then other work of the loop gets its turn */
};

/* One removal, of some offsets of a group or of the whole group; it takes one write or several. */
struct group_removal {
	unsigned magic;
	struct group_entry *entry;
	struct group_request *request; /* NULL: nobody asked */
	bool whole;
	size_t writes; /* under way */
	enum status status;
};
MAGIC(group_removal, 0x4752454d);

struct removal_write {
	struct group_write write;
	struct group_removal *removal;
	size_t count;
	struct removal_key {
		char *topic;
		int32_t partition;
	} keys[];
};

/* The keys to remove, before they are cut into writes. */
struct removal_keys {
	struct removal_key *list; /* topics owned */
	size_t count, capacity;
};

static void keys_add(struct removal_keys *k, const char *topic, int32_t partition)
{
	if (k->count == k->capacity) {
		k->capacity = k->capacity == 0 ? 16 : k->capacity * 2;
		k->list = check_realloc(k->list, k->capacity * sizeof(*k->list));
	}
	k->list[k->count++] = (struct removal_key){.topic = check_strdup(topic), .partition = partition};
}

static void keys_fini(struct removal_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->list[i].topic);
	free(k->list);
	*k = (struct removal_keys){0};
}

/* --- the end of it -------------------------------------------------------------------------------------------------------- */

static void finish(struct group_removal *x)
{
	struct group_entry *e = x->entry;
	struct group_request *r = x->request;
	if (x->status != STATUS_OK)
		diag_warn("group_removal_failed", "group=\"%.200s\" why=%s text=\"%s\"", e->name, status_name(x->status),
			status_text(x->status));
	e->removing = e->removing && !x->whole;
	if (x->whole && x->status == STATUS_OK && !e->gone)
		group_coordinator_drop(e, STATUS_COORDINATOR_NOT_AVAILABLE);
	if (r != NULL)
		group_coordinator_answer(r, group_log_metadata_status(x->status));
	(void)group_coordinator_settle(e);
	group_coordinator_release(e);
	x->magic = 0;
	free(x);
}

static void end_write(struct group_removal *x, enum status s)
{
	expect(x->writes > 0);
	if (x->status == STATUS_OK)
		x->status = s;
	if (--x->writes == 0)
		finish(x);
}

static void written(struct group_write *w, enum status s, int64_t first_offset)
{
	struct removal_write *rw = CONTAINER_OF(w, struct removal_write, write);
	struct group_removal *x = CAST(group_removal, rw->removal);
	struct group_entry *e = x->entry;
	for (size_t i = 0; i < rw->count; i++) {
		if (s == STATUS_OK)
			group_offsets_remove(&e->offsets, rw->keys[i].topic, rw->keys[i].partition, first_offset + (int64_t)i);
		free(rw->keys[i].topic);
	}
	free(rw);
	end_write(x, s);
}

/* --- the writes ----------------------------------------------------------------------------------------------------------- */

static enum status encode_tombstone(struct arena *a, const struct group_entry *e, const struct removal_key *k,
	struct group_record_bytes *ret_record)
{
	const struct kafka_offset_commit_key key = {.group = e->name, .topic = k->topic, .partition = k->partition};
	const struct group_record_view view = {.kind = GROUP_RECORD_OFFSET, .offset_key = &key};
	return group_records_encode(a, &view, ret_record);
}

/* Tombstones of these keys, and of the group itself after the last of them. ret_count may be 0. */
static enum status encode_write(const struct group_removal *x, const struct removal_key *keys, size_t count, bool last,
	struct group_record_bytes **ret_records, size_t *ret_count)
{
	struct group_entry *e = x->entry;
	struct arena *a = &e->partition->coordinator->scratch;
	struct group_record_bytes *records = arena_calloc(a, count + GROUP_TOMBSTONES_MAX, sizeof(*records));
	size_t own = 0;
	if (records == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < count; i++)
		TRY(encode_tombstone(a, e, &keys[i], &records[i]));
	if (last && x->whole)
		TRY(e->type->tombstones(e, a, &records[count], GROUP_TOMBSTONES_MAX, &own));
	*ret_records = records;
	*ret_count = count + own;
	return STATUS_OK;
}

static void write_some(struct group_removal *x, struct removal_key *keys, size_t count, bool last)
{
	struct group_partition *gp = x->entry->partition;
	struct group_record_bytes *records = NULL;
	size_t record_count = 0;
	enum status s = encode_write(x, keys, count, last, &records, &record_count);
	if (s == STATUS_OK && record_count > 0) {
		struct removal_write *w = check_calloc(1, sizeof(*w) + count * sizeof(w->keys[0]));
		w->write.done = written;
		w->removal = x;
		for (size_t i = 0; i < count; i++) {
			w->keys[i] = keys[i];
			keys[i].topic = NULL; /* moved */
		}
		w->count = count;
		x->writes++;
		group_log_write(&gp->log, &w->write, records, record_count);
	} else if (s != STATUS_OK && x->status == STATUS_OK) {
		x->status = s;
	}
	arena_reset(&gp->coordinator->scratch);
}

/* Takes the keys. whole: the group goes with them. */
static void remove_keys(struct group_entry *e, struct removal_keys *keys, bool whole, struct group_request *r)
{
	struct group_removal *x = check_calloc(1, sizeof(*x));
	*x = (struct group_removal){
		.magic = group_removal_magic, .entry = e, .request = r, .whole = whole, .writes = 1, .status = STATUS_OK};
	group_coordinator_hold(e);
	e->removing = e->removing || whole;
	size_t at = 0;
	do {
		size_t n = keys->count - at < KEYS_PER_WRITE ? keys->count - at : KEYS_PER_WRITE;
		write_some(x, n == 0 ? NULL : &keys->list[at], n, at + n == keys->count);
		at += n;
	} while (at < keys->count);
	keys_fini(keys);
	end_write(x, STATUS_OK);
}

/* No member, and nobody is about to become one. */
static bool is_abandoned(const struct group_entry *e)
{
	return e->type->is_empty(e) && !e->type->in_use(e) && e->held == 0 && !e->removing;
}

/* --- by request ----------------------------------------------------------------------------------------------------------- */

static void add_slot(void *arg, const char *topic, const struct group_offset *slot)
{
	keys_add(arg, topic, slot->partition); /* pending ones, too: their record may be in the log before the tombstone */
}

void group_coordinator_delete(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	struct removal_keys keys = {0};
	if (e == NULL) {
		group_coordinator_answer(r, STATUS_GROUP_ID_NOT_FOUND);
		return;
	}
	if (!e->type->is_empty(e)) {
		group_coordinator_answer(r, STATUS_NON_EMPTY_GROUP);
		return;
	}
	group_offsets_each(&e->offsets, add_slot, &keys);
	diag_info("group_deleted", "group=\"%.200s\" offsets=%zu", e->name, keys.count);
	remove_keys(e, &keys, true, r);
}

void group_coordinator_delete_offsets(struct group_partition *gp, struct group_request *r)
{
	struct group_entry *e = group_coordinator_find(gp, r->group_id);
	struct removal_keys keys = {0};
	if (e == NULL) {
		group_coordinator_answer(r, STATUS_GROUP_ID_NOT_FOUND);
		return;
	}
	/* Of a group whose members' subscriptions nobody can read, nothing may go. */
	if (!e->type->tells_subscriptions(e)) {
		group_coordinator_answer(r, STATUS_NON_EMPTY_GROUP);
		return;
	}
	for (size_t i = 0; i < r->delete_offsets.offset_count; i++) {
		struct group_request_offset *o = &r->delete_offsets.offsets[i];
		if (o->status != STATUS_OK)
			continue;
		if (e->type->subscribes(e, o->topic))
			o->status = STATUS_GROUP_SUBSCRIBED_TO_TOPIC;
		else if (group_offsets_find(&e->offsets, o->topic, o->partition) != NULL)
			keys_add(&keys, o->topic, o->partition);
	}
	/* With its last offset goes a group that nobody is in. Kafka: GroupMetadataManager.cleanupGroupMetadata. */
	bool whole = keys.count > 0 && keys.count == e->offsets.slots && is_abandoned(e);
	remove_keys(e, &keys, whole, r);
}

/* --- by time -------------------------------------------------------------------------------------------------------------- */

struct expiry_look {
	struct group_entry *entry;
	enum group_expiry expiry;
	int64_t since_ms, now_ms, wall_ms, retention_ms;
	struct removal_keys keys;
};

static void expire_slot(void *arg, const char *topic, const struct group_offset *slot)
{
	struct expiry_look *l = arg;
	if (slot->pending > 0 || !group_offset_is_committed(slot))
		return;
	bool due;
	if (slot->expire_timestamp_ms >= 0)
		due = l->wall_ms >= slot->expire_timestamp_ms; /* what the client asked for, before KIP-211 */
	else if (l->expiry == GROUP_EXPIRY_SINCE_EMPTY)
		due = l->now_ms - l->since_ms >= l->retention_ms;
	else
		due = l->wall_ms - slot->commit_timestamp_ms >= l->retention_ms;
	if (due && !l->entry->type->subscribes(l->entry, topic))
		keys_add(&l->keys, topic, slot->partition);
}

static void expire_group(struct group_coordinator *c, struct group_entry *e)
{
	struct expiry_look l = {
		.entry = e,
		.now_ms = group_coordinator_now_ms(c),
		.wall_ms = group_coordinator_wall_ms(c),
		.retention_ms = (int64_t)c->options.settings->offsets_retention_minutes * 60 * 1000,
	};
	if (e->removing)
		return;
	l.expiry = e->type->expiry(e, &l.since_ms);
	if (l.expiry != GROUP_EXPIRY_NEVER)
		group_offsets_each(&e->offsets, expire_slot, &l);
	bool whole = is_abandoned(e) && l.keys.count == e->offsets.slots;
	if (l.keys.count == 0 && !whole)
		return;
	metrics_add(METRIC_offsets_expired, (int64_t)l.keys.count);
	diag_info("group_offsets_expired", "group=\"%.200s\" offsets=%zu group_goes=%d", e->name, l.keys.count, (int)whole);
	remove_keys(e, &l.keys, whole, NULL);
}

static void arm(struct group_coordinator *c)
{
	int64_t interval_ms = c->options.settings->offsets_retention_check_interval_ms;
	scheduler_timer_arm(c->options.scheduler, &c->expiry_timer, interval_ms > INT64_MAX / 1000 ? INT64_MAX : interval_ms * 1000);
}

/* The next group of the round; NULL: it is over. */
static struct group_entry *next_group(struct group_coordinator *c)
{
	while (c->expiry_partition < c->partition_count) {
		struct group_partition *gp = c->partitions[c->expiry_partition];
		bool loaded = gp != NULL && gp->state == GROUP_PARTITION_LOADED;
		if (loaded && c->expiry_next == NULL)
			c->expiry_next = gp->all.next;
		if (loaded && c->expiry_next != &gp->all) {
			struct group_entry *e = c->expiry_next;
			c->expiry_next = e->next;
			return e;
		}
		c->expiry_next = NULL;
		c->expiry_partition++;
	}
	return NULL;
}

static void group_coordinator_expiry_turn(struct task *t)
{
	struct group_coordinator *c = CAST(group_coordinator, CONTAINER_OF(t, struct group_coordinator, expiry_task));
	c->expiry_posted = false;
	if (c->stopped)
		return;
	for (int i = 0; i < EXPIRY_GROUPS_PER_TURN; i++) {
		struct group_entry *e = next_group(c);
		if (e == NULL) {
			arm(c);
			return;
		}
		expire_group(c, e);
	}
	c->expiry_posted = true;
	scheduler_post(c->options.scheduler, &c->expiry_task);
}

static void group_coordinator_expiry_due(struct loop_timer *t)
{
	struct group_coordinator *c = CAST(group_coordinator, CONTAINER_OF(t, struct group_coordinator, expiry_timer));
	expect(!c->expiry_posted);
	c->expiry_partition = 0;
	c->expiry_next = NULL;
	c->expiry_posted = true;
	scheduler_post(c->options.scheduler, &c->expiry_task);
}

void group_coordinator_expiry_start(struct group_coordinator *c)
{
	loop_timer_init(&c->expiry_timer, "group_offsets_expiry", group_coordinator_expiry_due);
	task_init(&c->expiry_task, "group_offsets_expiry", group_coordinator_expiry_turn);
	arm(c);
}

void group_coordinator_expiry_stop(struct group_coordinator *c)
{
	scheduler_timer_cancel(c->options.scheduler, &c->expiry_timer);
}

void group_coordinator_expiry_forget(struct group_coordinator *c, const struct group_entry *e)
{
	if (c->expiry_next == e)
		c->expiry_next = e->next;
}

/* --- by the end of the topic ---------------------------------------------------------------------------------------------- */

struct topic_look {
	const char *topic;
	struct removal_keys keys;
};

static void add_of_topic(void *arg, const char *topic, const struct group_offset *slot)
{
	struct topic_look *l = arg;
	if (strcmp(topic, l->topic) == 0)
		keys_add(&l->keys, topic, slot->partition);
}

static void topic_deleted(struct group_coordinator *c, const char *topic)
{
	for (int32_t i = 0; i < c->partition_count; i++) {
		struct group_partition *gp = c->partitions[i];
		if (gp == NULL || gp->state != GROUP_PARTITION_LOADED)
			continue;
		for (struct group_entry *e = gp->all.next, *next; e != &gp->all; e = next) {
			next = e->next;
			if (e->removing || !group_offsets_has_topic(&e->offsets, topic))
				continue;
			struct topic_look l = {.topic = topic};
			group_offsets_each(&e->offsets, add_of_topic, &l);
			remove_keys(e, &l.keys, false, NULL);
		}
	}
}

/* Topics of the last image that are not in this one, or are another topic of the same name. Both are sorted. */
void group_coordinator_image_changed(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	struct group_coordinator *c = CAST(group_coordinator, CONTAINER_OF(w, struct group_coordinator, image_watcher));
	struct cluster_image *last = c->image;
	for (size_t i = 0; !c->stopped && i < last->topic_count; i++) {
		const struct image_topic *was = last->topics[i];
		const struct image_topic *is = cluster_image_topic(image, slice_of_str(was->name));
		bool another = is != NULL && !uuid_is_zero(&was->id) && !uuid_equal(&is->id, &was->id);
		if (is == NULL || another)
			topic_deleted(c, was->name);
	}
	c->image = cluster_image_shared_ref(cluster_image_holder_image(c->options.images));
	cluster_image_shared_unref(last);
}
