#include "coordinator/group_coordinator_internal.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "replica/replica_manager.h"

#include <strings.h>

static void check(const struct group_coordinator *c)
{
	CHECK_MAGIC(group_coordinator, c);
	expect_on_loop(c->options.scheduler);
}

int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	expect(count > 0);
	int32_t hash = bytes_java_hash(slice_of_str(group_id));
	return hash == INT32_MIN ? 0 : (hash < 0 ? -hash : hash) % count;
}

/* --- groups --------------------------------------------------------------------------------------------------------------- */

struct group_entry *group_coordinator_find(const struct group_partition *gp, const char *name)
{
	struct group_entry *e;
	HASH_FIND_STR(gp->by_name, name, e);
	return e;
}

static void group_coordinator_expire(struct loop_timer *t)
{
	struct group_entry *e = CAST(group_entry, CONTAINER_OF(t, struct group_entry, timer));
	check(e->partition->coordinator);
	e->timer_due_ms = INT64_MAX;
	e->type->expire(e, group_coordinator_now_ms(e->partition->coordinator));
	(void)group_coordinator_settle(e);
}

struct group_entry *group_coordinator_add(struct group_partition *gp, const char *name)
{
	size_t n = strlen(name);
	struct group_entry *e = check_calloc(1, sizeof(*e) + n + 1);
	e->magic = group_entry_magic;
	e->partition = gp;
	e->timer_due_ms = INT64_MAX;
	memcpy(e->name, name, n + 1);
	group_offsets_init(&e->offsets);
	loop_timer_init(&e->timer, "group", group_coordinator_expire);
	e->next = &gp->all;
	e->previous = gp->all.previous;
	e->previous->next = e;
	gp->all.previous = e;
	HASH_ADD_STR(gp->by_name, name, e);
	metrics_add(METRIC_groups, 1);
	return e;
}

static void count_in(struct group_entry *e)
{
	size_t members = e->gone || e->type == NULL ? 0 : e->type->member_count(e);
	size_t offsets = e->gone ? 0 : e->offsets.committed;
	uint64_t rebalances = e->gone || e->type == NULL ? e->rebalances_counted : e->type->rebalances(e);
	if (members != e->members_counted)
		metrics_add(METRIC_group_members, (int64_t)members - (int64_t)e->members_counted);
	if (offsets != e->offsets_counted)
		metrics_add(METRIC_group_offsets, (int64_t)offsets - (int64_t)e->offsets_counted);
	if (rebalances > e->rebalances_counted)
		metrics_add(METRIC_group_rebalances, (int64_t)(rebalances - e->rebalances_counted));
	e->members_counted = members;
	e->offsets_counted = offsets;
	e->rebalances_counted = rebalances;
}

static void entry_free(struct group_entry *e)
{
	expect(e->gone && e->held == 0);
	if (e->type != NULL)
		e->type->free(e);
	if (e->consumer != NULL) /* it was being loaded */
		group_coordinator_consumer.free(e);
	group_offsets_fini(&e->offsets);
	free((uint8_t *)(uintptr_t)e->loaded.p);
	e->magic = 0;
	free(e);
}

void group_coordinator_hold(struct group_entry *e)
{
	CHECK_MAGIC(group_entry, e);
	e->held++;
}

void group_coordinator_release(struct group_entry *e)
{
	CHECK_MAGIC(group_entry, e);
	expect(e->held > 0);
	e->held--;
	if (e->gone && e->held == 0)
		entry_free(e);
}

void group_coordinator_drop(struct group_entry *e, enum status s)
{
	CHECK_MAGIC(group_entry, e);
	struct group_partition *gp = e->partition;
	expect(!e->gone);
	group_coordinator_hold(e);
	e->gone = true;
	scheduler_timer_cancel(gp->coordinator->options.scheduler, &e->timer);
	group_coordinator_expiry_forget(gp->coordinator, e);
	e->previous->next = e->next;
	e->next->previous = e->previous;
	HASH_DELETE(hh, gp->by_name, e);
	count_in(e);
	metrics_add(METRIC_groups, -1);
	if (e->type != NULL)
		e->type->unload(e, s);
	group_coordinator_release(e);
}

static void arm_timer(struct group_entry *e)
{
	struct group_coordinator *c = e->partition->coordinator;
	int64_t due_ms = e->type->next_deadline_ms(e);
	/* A deadline that moves away is met early and looked at again: members move theirs with each heartbeat. */
	if (due_ms >= e->timer_due_ms)
		return;
	int64_t now_us = clock_monotonic_us(c->options.scheduler->clock);
	int64_t left_us = due_ms > INT64_MAX / 1000 ? INT64_MAX : due_ms * 1000 - now_us;
	e->timer_due_ms = due_ms;
	scheduler_timer_arm(c->options.scheduler, &e->timer, left_us < 0 ? 0 : left_us);
}

bool group_coordinator_settle(struct group_entry *e)
{
	CHECK_MAGIC(group_entry, e);
	if (e->gone)
		return false;
	count_in(e);
	struct group_record_bytes none[GROUP_TOMBSTONES_MAX];
	size_t in_log = 0;
	if (e->held == 0 && e->offsets.slots == 0 && !e->type->in_use(e) && e->type->is_empty(e)) {
		struct group_coordinator *c = e->partition->coordinator;
		enum status s = e->type->tombstones(e, &c->scratch, none, GROUP_TOMBSTONES_MAX, &in_log);
		arena_reset(&c->scratch);
		if (s == STATUS_OK && in_log == 0) {
			group_coordinator_drop(e, STATUS_COORDINATOR_NOT_AVAILABLE);
			return false;
		}
	}
	arm_timer(e);
	return true;
}

/* --- partitions ----------------------------------------------------------------------------------------------------------- */

static struct group_partition *partition_at(const struct group_coordinator *c, int32_t number)
{
	return number >= 0 && number < c->partition_count ? c->partitions[number] : NULL;
}

static void unload(struct group_partition *gp, enum status s)
{
	size_t count = HASH_COUNT(gp->by_name);
	if (gp->state == GROUP_PARTITION_ABSENT)
		return;
	gp->state = GROUP_PARTITION_ABSENT;
	group_coordinator_load_cancel(gp);
	/* First the groups, which then write nothing more; then whoever waits for a write. */
	for (struct group_entry *e = gp->all.next, *next; e != &gp->all; e = next) {
		next = e->next;
		group_coordinator_drop(e, s);
	}
	group_log_abandon(&gp->log, s);
	if (count > 0)
		diag_info("groups_unloaded", "partition=%s-%d groups=%zu", GROUP_COORDINATOR_TOPIC, (int)gp->number, count);
}

/* What the role is now, in a turn of its own: news comes from the middle of the partition's work. */
static void group_coordinator_news(struct task *t)
{
	struct group_partition *gp = CONTAINER_OF(t, struct group_partition, news_task);
	struct group_coordinator *c = gp->coordinator;
	check(c);
	gp->news_posted = false;
	int32_t leader_epoch = gp->replica == NULL || c->stopped ? -1 : partition_leader_epoch(gp->replica);
	if (gp->leader_epoch == leader_epoch && gp->state != GROUP_PARTITION_ABSENT)
		return;
	unload(gp, STATUS_NOT_COORDINATOR);
	if (leader_epoch < 0)
		return;
	gp->leader_epoch = leader_epoch;
	gp->state = GROUP_PARTITION_LOADING;
	group_log_open(&gp->log, leader_epoch, (size_t)partition_settings(gp->replica)->max_message_bytes);
	group_coordinator_load(gp);
}

static void post_news(struct group_partition *gp)
{
	if (gp->news_posted || gp->coordinator->stopped)
		return;
	gp->news_posted = true;
	task_init(&gp->news_task, "group_partition_news", group_coordinator_news);
	scheduler_post(gp->coordinator->options.scheduler, &gp->news_task);
}

static struct group_partition *make_partition(struct group_coordinator *c, int32_t number)
{
	expect(number >= 0);
	if (number >= c->partition_count) {
		size_t count = (size_t)number + 1;
		c->partitions = check_realloc(c->partitions, count * sizeof(struct group_partition *));
		while ((size_t)c->partition_count < count)
			c->partitions[c->partition_count++] = NULL;
	}
	if (c->partitions[number] != NULL)
		return c->partitions[number];
	struct group_partition *gp = check_calloc(1, sizeof(*gp));
	gp->coordinator = c;
	gp->number = number;
	gp->leader_epoch = -1;
	gp->all.next = gp->all.previous = &gp->all;
	group_log_init(&gp->log, c->options.scheduler, c->options.replicas, c->options.settings, number);
	c->partitions[number] = gp;
	return gp;
}

static void replica_leads(void *arg, int32_t partition, struct partition *p)
{
	struct group_coordinator *c = CAST(group_coordinator, arg);
	check(c);
	struct group_partition *gp = make_partition(c, partition);
	gp->replica = p;
	post_news(gp);
}

static void replica_lost(void *arg, int32_t partition)
{
	struct group_coordinator *c = CAST(group_coordinator, arg);
	check(c);
	struct group_partition *gp = partition_at(c, partition);
	expect(gp != NULL);
	gp->replica = NULL;
	post_news(gp);
}

static void replica_advanced(void *arg, int32_t partition)
{
	struct group_coordinator *c = CAST(group_coordinator, arg);
	struct group_partition *gp = partition_at(c, partition);
	if (gp != NULL && gp->state == GROUP_PARTITION_LOADING)
		group_coordinator_load_advanced(gp);
}

void group_coordinator_loaded(struct group_partition *gp)
{
	expect(gp->state == GROUP_PARTITION_LOADING && gp->load == NULL);
	gp->state = GROUP_PARTITION_LOADED;
	for (struct group_entry *e = gp->all.next, *next; e != &gp->all; e = next) {
		next = e->next;
		(void)group_coordinator_settle(e);
	}
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

struct group_coordinator *group_coordinator_new(const struct group_coordinator_options *o)
{
	expect(o->scheduler != NULL && o->settings != NULL && o->replicas != NULL);
	struct group_coordinator *c = check_calloc(1, sizeof(*c));
	c->magic = group_coordinator_magic;
	c->options = *o;
	c->group_settings = (struct group_settings){
		.session_timeout_min_ms = o->settings->group_min_session_timeout_ms,
		.session_timeout_max_ms = o->settings->group_max_session_timeout_ms,
		.initial_rebalance_delay_ms = o->settings->group_initial_rebalance_delay_ms,
		.size_max = o->settings->group_max_size,
	};
	group_coordinator_topics_settings(c);
	random_seed_system(&c->random);
	arena_init(&c->scratch, GROUP_SCRATCH_BYTES_MAX);
	c->watcher = (struct partition_watcher){
		.topic = GROUP_COORDINATOR_TOPIC,
		.leads = replica_leads,
		.lost = replica_lost,
		.advanced = replica_advanced,
		.arg = c,
	};
	replica_manager_watch(o->replicas, &c->watcher);
	c->image_watcher.changed = group_coordinator_image_changed;
	if (o->images != NULL) {
		c->image = cluster_image_shared_ref(cluster_image_holder_image(o->images));
		cluster_image_holder_watch(o->images, &c->image_watcher);
	}
	group_coordinator_expiry_start(c);
	return c;
}

void group_coordinator_stop(struct group_coordinator *c)
{
	check(c);
	c->stopped = true;
	group_coordinator_expiry_stop(c);
	for (int32_t i = 0; i < c->partition_count; i++)
		if (c->partitions[i] != NULL)
			unload(c->partitions[i], STATUS_NOT_COORDINATOR);
}

void group_coordinator_free(struct group_coordinator *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(group_coordinator, c);
	if (!c->stopped)
		group_coordinator_stop(c);
	group_coordinator_load_fini(c);
	for (int32_t i = 0; i < c->partition_count; i++) {
		if (c->partitions[i] != NULL)
			group_log_fini(&c->partitions[i]->log);
		free(c->partitions[i]);
	}
	free(c->partitions);
	if (c->options.images != NULL)
		cluster_image_holder_unwatch(c->options.images, &c->image_watcher);
	if (c->image != NULL)
		cluster_image_shared_unref(c->image);
	arena_fini(&c->scratch);
	c->magic = 0;
	free(c);
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static void group_coordinator_go_home(struct task *t)
{
	struct group_request *r = CONTAINER_OF(t, struct group_request, task);
	expect_on_loop(r->home);
	r->done(r);
}

void group_coordinator_answer(struct group_request *r, enum status s)
{
	check(r->owner);
	r->status = s;
	task_init(&r->task, "group_answer", group_coordinator_go_home);
	scheduler_post(r->home, &r->task);
}

void group_coordinator_answer_full(struct group_request *r)
{
	r->message = arena_strdup(r->arena, slice_of_str("the answer needs more memory than one request may have"));
	group_coordinator_answer(r, STATUS_UNKNOWN_SERVER_ERROR);
}

/* One row per kind. names: may the group's name be empty? Kafka: GroupCoordinator.isValidGroupId. */
static const struct {
	void (*handle)(struct group_partition *gp, struct group_request *r);
	bool any_name;
	bool waits_for_removal; /* not while the group's deletion is being written */
} kinds[] = {
	[GROUP_REQUEST_JOIN] = {group_coordinator_join, false, true},
	[GROUP_REQUEST_SYNC] = {group_coordinator_sync, false, true},
	[GROUP_REQUEST_HEARTBEAT] = {group_coordinator_heartbeat, false, true},
	[GROUP_REQUEST_LEAVE] = {group_coordinator_leave, false, true},
	[GROUP_REQUEST_COMMIT] = {group_coordinator_commit, true, true},
	[GROUP_REQUEST_FETCH] = {group_coordinator_fetch, true, true},
	[GROUP_REQUEST_DELETE_OFFSETS] = {group_coordinator_delete_offsets, false, true},
	[GROUP_REQUEST_DESCRIBE] = {group_coordinator_describe, true, false},
	[GROUP_REQUEST_DELETE] = {group_coordinator_delete, true, true},
	[GROUP_REQUEST_CONSUMER_HEARTBEAT] = {group_coordinator_consumer_heartbeat, false, true},
	[GROUP_REQUEST_CONSUMER_DESCRIBE] = {group_coordinator_consumer_describe, true, false},
};

/* While the partition is being loaded nobody is known yet. Kafka: handleHeartbeat, handleSyncGroup. */
static enum status loading_status(enum group_request_kind kind)
{
	if (kind == GROUP_REQUEST_HEARTBEAT)
		return STATUS_OK; /* whoever lives should not give up */
	return kind == GROUP_REQUEST_SYNC ? STATUS_REBALANCE_IN_PROGRESS : STATUS_COORDINATOR_LOAD_IN_PROGRESS;
}

static void dispatch(struct group_coordinator *c, struct group_request *r)
{
	struct group_partition *gp = partition_at(c, r->partition);
	expect((size_t)r->kind < sizeof(kinds) / sizeof(kinds[0]));
	if (!kinds[r->kind].any_name && r->group_id[0] == '\0') {
		group_coordinator_answer(r, STATUS_INVALID_GROUP_ID);
		return;
	}
	if (gp == NULL || gp->state == GROUP_PARTITION_ABSENT || gp->replica == NULL) {
		group_coordinator_answer(r, STATUS_NOT_COORDINATOR);
		return;
	}
	if (gp->state == GROUP_PARTITION_LOADING) {
		group_coordinator_answer(r, loading_status(r->kind));
		return;
	}
	const struct group_entry *e = group_coordinator_find(gp, r->group_id);
	if (e != NULL && e->removing && kinds[r->kind].waits_for_removal) {
		group_coordinator_answer(r, STATUS_COORDINATOR_LOAD_IN_PROGRESS); /* for as long as one write takes */
		return;
	}
	kinds[r->kind].handle(gp, r);
}

static void group_coordinator_take(struct task *t)
{
	struct group_request *r = CONTAINER_OF(t, struct group_request, task);
	check(r->owner);
	dispatch(r->owner, r);
}

void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	CHECK_MAGIC(group_coordinator, owner);
	expect_on_loop(r->home);
	r->owner = owner;
	task_init(&r->task, "group_request", group_coordinator_take);
	if (r->home == owner->options.scheduler)
		group_coordinator_take(&r->task);
	else
		scheduler_post(owner->options.scheduler, &r->task);
}

/* --- lists ---------------------------------------------------------------------------------------------------------------- */

static bool among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return count == 0;
}

static bool is_wanted(const struct group_list_request *r, const struct group_entry *e)
{
	return among(r->states, r->state_count, e->type->state(e)) && among(r->types, r->type_count, e->type->name);
}

static size_t count_groups(const struct group_coordinator *c)
{
	size_t count = 0;
	for (int32_t i = 0; i < c->partition_count; i++)
		if (c->partitions[i] != NULL)
			count += HASH_COUNT(c->partitions[i]->by_name);
	return count;
}

static bool list_entry(struct group_list_request *r, const struct group_entry *e)
{
	struct group_list_entry *to = &r->groups[r->group_count];
	to->group_id = arena_strdup(r->arena, slice_of_str(e->name));
	to->protocol_type = e->type->protocol_type(e, r->arena);
	to->state = e->type->state(e);
	to->type = e->type->name;
	r->group_count++;
	return to->group_id != NULL && to->protocol_type != NULL;
}

static void list(struct group_coordinator *c, struct group_list_request *r)
{
	struct group_list_entry *groups = arena_calloc(r->arena, r->group_count + count_groups(c) + 1, sizeof(*groups));
	bool fits = groups != NULL;
	if (fits && r->group_count > 0)
		memcpy(groups, r->groups, r->group_count * sizeof(*groups));
	r->groups = fits ? groups : r->groups;
	for (int32_t i = 0; fits && i < c->partition_count; i++) {
		const struct group_partition *gp = c->partitions[i];
		if (gp != NULL && gp->state == GROUP_PARTITION_LOADING)
			r->status = STATUS_COORDINATOR_LOAD_IN_PROGRESS;
		if (gp == NULL || gp->state != GROUP_PARTITION_LOADED)
			continue;
		for (const struct group_entry *e = gp->all.next; fits && e != &gp->all; e = e->next)
			fits = !is_wanted(r, e) || list_entry(r, e);
	}
	if (fits)
		return;
	r->group_count = 0;
	r->status = STATUS_UNKNOWN_SERVER_ERROR; /* more groups than one answer holds */
}

static void group_coordinator_list_home(struct task *t)
{
	struct group_list_request *r = CONTAINER_OF(t, struct group_list_request, task);
	expect_on_loop(r->home);
	r->done(r);
}

static void group_coordinator_list_here(struct task *t)
{
	struct group_list_request *r = CONTAINER_OF(t, struct group_list_request, task);
	check(r->owner);
	list(r->owner, r);
	task_init(&r->task, "group_listed", group_coordinator_list_home);
	scheduler_post(r->home, &r->task);
}

void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	CHECK_MAGIC(group_coordinator, owner);
	expect_on_loop(r->home);
	r->owner = owner;
	task_init(&r->task, "group_list", group_coordinator_list_here);
	scheduler_post(owner->options.scheduler, &r->task);
}
