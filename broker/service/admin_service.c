#include "service/admin_service.h"

#include "cluster/image_configs.h"
#include "coordinator-client/broker_config_admin.h"

MAGIC(admin_service, 0x41444d53);
MAGIC(admin_request, 0x41444d52);

enum {
	IN_FLIGHT_MAX = 32, /* a request of ten thousand topics is a guest in the ensemble too */
	WAIT_MAX_MS = 5 * 60 * 1000,
};

struct admin_service {
	unsigned magic;
	struct zk_client *zk;
	struct scheduler *scheduler;
	const struct settings *settings;
	struct cluster_image_holder *const *holders;
	size_t holder_count;
};

struct admin_service *admin_service_new(const struct admin_service_options *o)
{
	expect(o->zk != NULL && o->scheduler != NULL);
	struct admin_service *a = check_calloc(1, sizeof(*a));
	*a = (struct admin_service){
		.magic = admin_service_magic,
		.zk = o->zk,
		.scheduler = o->scheduler,
		.settings = o->settings,
		.holders = o->holders,
		.holder_count = o->holder_count,
	};
	return a;
}

void admin_service_free(struct admin_service *a)
{
	if (a == NULL)
		return;
	CHECK_MAGIC(admin_service, a);
	a->magic = 0;
	free(a);
}

struct zk_client *admin_service_zk(const struct admin_service *a)
{
	CHECK_MAGIC(admin_service, a);
	return a->zk;
}

struct scheduler *admin_service_scheduler(const struct admin_service *a)
{
	CHECK_MAGIC(admin_service, a);
	return a->scheduler;
}

/* --- has the image followed? (home loop) --------------------------------- */

static bool all_led(const struct image_topic *t, size_t partitions_at_least)
{
	if (t == NULL || t->partition_count < partitions_at_least)
		return false;
	for (size_t i = 0; i < t->partition_count; i++)
		if (t->partitions[i].leader < 0)
			return false;
	return true;
}

static bool configs_applied(const struct image_config *configs, size_t count, const struct admin_item *item)
{
	size_t set = 0;
	for (size_t i = 0; i < item->config_count; i++) {
		const struct topic_config_entry *wanted = &item->configs[i];
		const char *now = image_configs_value(configs, count, wanted->key);
		if (wanted->value == NULL ? now != NULL : now == NULL || strcmp(now, wanted->value) != 0)
			return false;
		set += wanted->value != NULL;
	}
	return !item->replace || count == set;
}

static bool broker_configs_applied(const struct cluster_image *image, const struct admin_item *item)
{
	const struct image_broker_configs *now = image->broker_configs;
	if (now == NULL)
		return false;
	return item->topic[0] == '\0' ? configs_applied(now->all, now->all_count, item) : configs_applied(now->ours, now->our_count, item);
}

static bool image_shows(const struct cluster_image *image, enum admin_kind kind, const struct admin_item *item)
{
	const struct image_topic *t = cluster_image_topic(image, slice_of_str(item->topic));
	switch (kind) {
	case ADMIN_CREATE_TOPIC:
		/* Under another id it is the topic of this name that was deleted before. A large topic comes in parts. */
		return all_led(t, (size_t)(item->ret_partitions > 0 ? item->ret_partitions : 1)) &&
			uuid_equal(&t->id, &item->topic_id);
	case ADMIN_DELETE_TOPIC:
		return t == NULL;
	case ADMIN_ADD_PARTITIONS:
		return all_led(t, (size_t)item->partitions);
	case ADMIN_ALTER_CONFIGS:
		return t != NULL && configs_applied(t->configs, t->config_count, item);
	case ADMIN_ALTER_BROKER_CONFIGS:
		return broker_configs_applied(image, item);
	}
	unreachable("admin kind");
}

static bool all_settled(struct admin_request *r, const struct cluster_image *image)
{
	bool all = true;
	for (size_t i = 0; i < r->item_count; i++) {
		struct admin_item *item = &r->items[i];
		if (!item->settled)
			item->settled = image_shows(image, r->kind, item);
		all = all && item->settled;
	}
	return all;
}

static void stop_waiting(struct admin_request *r)
{
	service_loop_unwait(&r->waiting);
	cluster_image_holder_unwatch(r->service->images, &r->watcher);
	scheduler_timer_cancel(r->service->scheduler, &r->timer);
}

static void finish(struct admin_request *r)
{
	stop_waiting(r);
	r->magic = 0;
	r->done(r);
}

static void spread(struct image_barrier *b)
{
	finish(CAST(admin_request, CONTAINER_OF(b, struct admin_request, barrier)));
}

/* Our image shows it; the other loops' will at once. */
static void settle(struct admin_request *r)
{
	const struct admin_service *a = CAST(admin_service, r->service->admin);
	stop_waiting(r);
	r->spreading = true;
	r->barrier = (struct image_barrier){
		.holders = a->holders,
		.holder_count = a->holder_count,
		.version = service_loop_image(r->service)->version,
		.home = r->service->scheduler,
		.done = spread,
	};
	image_barrier_start(&r->barrier);
}

static void image_changed(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	struct admin_request *r = CAST(admin_request, CONTAINER_OF(w, struct admin_request, watcher));
	if (all_settled(r, image))
		settle(r);
}

static const char *what_is_missing(enum admin_kind kind)
{
	switch (kind) {
	case ADMIN_CREATE_TOPIC:
		return "it was written, but not every partition has a leader yet; the topic may still come: see that a controller "
		       "and the replicas' brokers run";
	case ADMIN_DELETE_TOPIC:
		return "its deletion was written, but has not ended yet; it goes on when the brokers of all replicas run";
	case ADMIN_ADD_PARTITIONS:
		return "they were written, but not every new partition has a leader yet; they may still come: see that a "
		       "controller and the replicas' brokers run";
	case ADMIN_ALTER_CONFIGS:
	case ADMIN_ALTER_BROKER_CONFIGS:
		return "they were written, but have not reached this broker yet";
	}
	unreachable("admin kind");
}

static void give_up(struct admin_request *r)
{
	for (size_t i = 0; i < r->item_count; i++) {
		struct admin_item *item = &r->items[i];
		if (!item->settled)
			(void)failure_set(&item->failure, STATUS_REQUEST_TIMED_OUT, "%s%s: waited %lld ms: %s",
				r->kind == ADMIN_ALTER_BROKER_CONFIGS ? "broker " : "topic ", item->topic,
				(long long)r->timeout_ms, what_is_missing(r->kind));
	}
	finish(r);
}

static void waited_long_enough(struct loop_timer *t)
{
	give_up(CAST(admin_request, CONTAINER_OF(t, struct admin_request, timer)));
}

static void hurry(struct service_waiting *w)
{
	give_up(CAST(admin_request, CONTAINER_OF(w, struct admin_request, waiting)));
}

/* Back on the home loop: everything is written, or refused. */
static void written(struct task *task)
{
	struct admin_request *r = CAST(admin_request, CONTAINER_OF(task, struct admin_request, task));
	for (size_t i = 0; i < r->item_count; i++) {
		struct admin_item *item = &r->items[i];
		item->settled = r->validate_only || r->timeout_ms <= 0 || item->failure.status != STATUS_OK || item->pending;
	}
	if (all_settled(r, service_loop_image(r->service))) {
		settle(r);
		return;
	}
	if (r->service->hurried) {
		give_up(r);
		return;
	}
	service_loop_wait(r->service, &r->waiting);
	int64_t wait_ms = r->timeout_ms < WAIT_MAX_MS ? r->timeout_ms : WAIT_MAX_MS;
	cluster_image_holder_watch(r->service->images, &r->watcher);
	scheduler_timer_arm(r->service->scheduler, &r->timer, wait_ms * 1000);
}

/* --- the writes (cluster loop) ------------------------------------------- */

static void start_more(struct admin_request *r);

static void item_written(struct admin_item *item, const struct failure *f)
{
	struct admin_request *r = CAST(admin_request, item->request);
	item->failure = *f;
	expect(r->in_flight > 0);
	r->in_flight--;
	start_more(r);
}

static void item_created(void *arg, const struct failure *f, bool pending, const struct uuid *topic_id)
{
	struct admin_item *item = arg;
	item->pending = pending;
	if (topic_id != NULL)
		item->topic_id = *topic_id;
	item_written(item, f);
}

static void item_changed(void *arg, const struct failure *f)
{
	item_written(arg, f);
}

static void create(struct admin_request *r, struct admin_item *item, const struct admin_service *a)
{
	bool assigned = item->assignment != NULL;
	struct topic_create_request create = {
		.topic = item->topic,
		.partitions = assigned ? (int32_t)item->assignment_count : item->partitions,
		.replication_factor = item->replication_factor,
		.assignment = item->assignment,
		.configs = item->configs,
		.config_count = item->config_count,
		.validate_only = r->validate_only,
		.pend_if_short = item->pend_if_short,
	};
	if (!assigned && create.partitions == -1)
		create.partitions = a->settings->num_partitions;
	if (!assigned && create.replication_factor == -1)
		create.replication_factor = a->settings->default_replication_factor;
	item->ret_partitions = create.partitions;
	item->ret_replication_factor = assigned ? item->assignment[0].count : create.replication_factor;
	topic_admin_create(a->zk, &create, item_created, item);
}

static void delete(struct admin_item *item, const struct admin_service *a)
{
	struct failure f;
	if (a->settings->delete_topic_enable) {
		topic_admin_delete(a->zk, item->topic, item_changed, item);
		return;
	}
	(void)failure_set(&f, STATUS_TOPIC_DELETION_DISABLED, "topic %s: %s", item->topic,
		status_text(STATUS_TOPIC_DELETION_DISABLED));
	item_written(item, &f);
}

static void start_item(struct admin_request *r, struct admin_item *item)
{
	const struct admin_service *a = CAST(admin_service, r->service->admin);
	item->request = r;
	switch (r->kind) {
	case ADMIN_CREATE_TOPIC:
		create(r, item, a);
		return;
	case ADMIN_DELETE_TOPIC:
		delete(item, a);
		return;
	case ADMIN_ADD_PARTITIONS:
		topic_admin_add_partitions(a->zk, item->topic, item->partitions, item->assignment, item->assignment_count,
			r->validate_only, item_changed, item);
		return;
	case ADMIN_ALTER_CONFIGS:
		topic_admin_alter_configs(a->zk, item->topic, item->configs, item->config_count, item->replace, item_changed,
			item);
		return;
	case ADMIN_ALTER_BROKER_CONFIGS:
		broker_config_admin_alter(a->zk, item->topic, item->configs, item->config_count, item->replace, item_changed, item);
		return;
	}
	unreachable("admin kind");
}

/* An item may be answered within start_item; the call already under way then goes on. After the post r belongs to the home loop. */
static void start_more(struct admin_request *r)
{
	if (r->starting)
		return;
	r->starting = true;
	while (r->next < r->item_count && r->in_flight < IN_FLIGHT_MAX) {
		struct admin_item *item = &r->items[r->next++];
		r->in_flight++;
		start_item(r, item);
	}
	r->starting = false;
	if (r->next < r->item_count || r->in_flight > 0)
		return;
	task_init(&r->task, "admin_written", written);
	scheduler_post(r->service->scheduler, &r->task);
}

void admin_service_hurry(struct admin_request *r)
{
	CHECK_MAGIC(admin_request, r);
	expect_on_loop(r->service->scheduler);
	if (r->spreading)
		return;
	if (r->waiting.next != NULL)
		give_up(r);
	else
		r->timeout_ms = 0; /* read here only, when what is written comes back */
}

static void on_cluster_loop(struct task *task)
{
	start_more(CAST(admin_request, CONTAINER_OF(task, struct admin_request, task)));
}

void admin_service_start(struct admin_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->service->admin != NULL && r->done != NULL);
	r->magic = admin_request_magic;
	r->next = r->in_flight = 0;
	r->starting = r->spreading = false;
	r->waiting = (struct service_waiting){.hurry = hurry};
	r->watcher = (struct cluster_image_watcher){.changed = image_changed};
	loop_timer_init(&r->timer, "admin_wait", waited_long_enough);
	task_init(&r->task, "admin_write", on_cluster_loop);
	scheduler_post(CAST(admin_service, r->service->admin)->scheduler, &r->task);
}
