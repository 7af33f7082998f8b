#include "service/metadata_service.h"

#include "service/admin_service.h"
#include "service/service_message.h"

MAGIC(metadata_request, 0x4d455441);

enum { AUTO_CREATE_WAIT_MS = 5000, AUTO_CREATE_TOPICS_MAX = 64, FIRST_IMAGE_WAIT_US = 3 * 1000 * 1000 };

static void answer_all(struct metadata_request *r)
{
	for (size_t i = 0; i < r->topic_count; i++) {
		const struct image_topic *t = r->image->topics[i];
		r->topics[i] = (struct metadata_topic){.name = t->name, .status = STATUS_OK, .topic = t};
	}
}

static void answer_one(struct metadata_request *r, struct metadata_topic *t)
{
	t->status = topic_name_check(slice_of_str(t->name));
	if (t->status != STATUS_OK) {
		t->message = service_message_format(r->arena, "\"%.249s\": %s", t->name, status_text(t->status));
		return;
	}
	t->topic = cluster_image_topic(r->image, slice_of_str(t->name));
	if (t->topic == NULL) {
		t->status = STATUS_UNKNOWN_TOPIC_OR_PARTITION;
		t->message = service_loop_unknown_topic(r->service, r->arena, t->name);
	}
}

static void answer(struct metadata_request *r)
{
	r->image = service_loop_image(r->service);
	if (r->all)
		answer_all(r);
	else
		for (size_t i = 0; i < r->topic_count; i++)
			answer_one(r, &r->topics[i]);
}

static void finish(struct metadata_request *r)
{
	r->magic = 0;
	r->done(r);
}

/* The failure of an automatic creation is what the client gets to see for its topic. */
static void created(struct admin_request *creation)
{
	struct metadata_request *r = CAST(metadata_request, creation->arg);
	answer(r);
	for (size_t i = 0; i < creation->item_count; i++) {
		const struct admin_item *item = &creation->items[i];
		for (size_t k = 0; k < r->topic_count; k++) {
			struct metadata_topic *t = &r->topics[k];
			if (t->topic != NULL || strcmp(t->name, item->topic) != 0)
				continue;
			t->status = STATUS_LEADER_NOT_AVAILABLE; /* retriable: it may have been made by another request */
			t->message = service_message_format(r->arena, "topic %s is being created: %s", t->name,
				item->failure.status == STATUS_OK ? "it has no leader yet" : item->failure.text);
		}
	}
	finish(r);
}

/* NULL: nothing to make, or no memory to make it. */
static struct admin_request *creation_of(struct metadata_request *r)
{
	struct admin_request *creation = arena_calloc(r->arena, 1, sizeof(*creation));
	struct admin_item *items = arena_calloc(r->arena, AUTO_CREATE_TOPICS_MAX, sizeof(*items));
	if (creation == NULL || items == NULL)
		return NULL;
	size_t count = 0;
	for (size_t i = 0; i < r->topic_count && count < AUTO_CREATE_TOPICS_MAX; i++) {
		const struct metadata_topic *t = &r->topics[i];
		if (t->status != STATUS_UNKNOWN_TOPIC_OR_PARTITION || topic_is_internal(t->name))
			continue;
		items[count++] = (struct admin_item){.topic = t->name, .partitions = -1, .replication_factor = -1};
	}
	*creation = (struct admin_request){
		.service = r->service,
		.kind = ADMIN_CREATE_TOPIC,
		.items = items,
		.item_count = count,
		.timeout_ms = AUTO_CREATE_WAIT_MS,
		.done = created,
		.arg = r,
	};
	return count == 0 ? NULL : creation;
}

static bool may_create(const struct metadata_request *r)
{
	return r->service->settings->auto_create_topics_enable && r->service->admin != NULL && !r->all && !r->never_create;
}

static bool any_unknown(const struct metadata_request *r)
{
	for (size_t i = 0; i < r->topic_count; i++)
		if (r->topics[i].status == STATUS_UNKNOWN_TOPIC_OR_PARTITION)
			return true;
	return false;
}

static enum status look_up(struct metadata_request *r)
{
	r->topic_count = r->all ? service_loop_image(r->service)->topic_count : r->name_count;
	r->topics = arena_calloc(r->arena, r->topic_count + 1, sizeof(*r->topics));
	if (r->topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->topic_count && !r->all; i++)
		r->topics[i].name = r->names[i];
	answer(r);
	r->creation = may_create(r) && any_unknown(r) ? creation_of(r) : NULL;
	if (r->creation != NULL)
		admin_service_start(r->creation);
	else
		finish(r);
	return STATUS_OK;
}

/* --- a broker that has just started ---------------------------------------------------------------------------- */

/* As soon as the controller tells us of ourselves, it tells us of all topics. */
static bool is_told(const struct metadata_request *r, const struct cluster_image *image)
{
	return image->controller_id >= 0 && cluster_image_broker(image, r->service->broker_id) != NULL;
}

static void waited(struct metadata_request *r)
{
	service_loop_unwait(&r->waiting);
	cluster_image_holder_unwatch(r->service->images, &r->watcher);
	scheduler_timer_cancel(r->service->scheduler, &r->timer);
	if (look_up(r) == STATUS_OK)
		return;
	r->topics = NULL; /* too many for the arena: as if there were none, and the client asks again */
	r->topic_count = 0;
	r->image = service_loop_image(r->service);
	finish(r);
}

static void metadata_service_hurried(struct service_waiting *w)
{
	waited(CAST(metadata_request, CONTAINER_OF(w, struct metadata_request, waiting)));
}

static void metadata_service_told(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	struct metadata_request *r = CAST(metadata_request, CONTAINER_OF(w, struct metadata_request, watcher));
	if (is_told(r, image))
		waited(r);
}

static void metadata_service_gives_up(struct loop_timer *t)
{
	waited(CAST(metadata_request, CONTAINER_OF(t, struct metadata_request, timer)));
}

enum status metadata_service_start(struct metadata_request *r)
{
	struct service_loop *s = r->service;
	CHECK_MAGIC(service_loop, s);
	expect_on_loop(s->scheduler);
	r->magic = metadata_request_magic;
	if (is_told(r, service_loop_image(s)) || s->hurried)
		return look_up(r);
	r->waiting = (struct service_waiting){.hurry = metadata_service_hurried};
	r->watcher = (struct cluster_image_watcher){.changed = metadata_service_told};
	loop_timer_init(&r->timer, "metadata_wait", metadata_service_gives_up);
	service_loop_wait(s, &r->waiting);
	cluster_image_holder_watch(s->images, &r->watcher);
	scheduler_timer_arm(s->scheduler, &r->timer, FIRST_IMAGE_WAIT_US);
	return STATUS_OK;
}

static bool contains(const int32_t *ids, size_t count, int32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

struct metadata_totals metadata_service_totals(const struct cluster_image *image, int32_t broker_id)
{
	struct metadata_totals totals = {.topics = (uint32_t)image->topic_count};
	for (size_t i = 0; i < image->topic_count; i++) {
		const struct image_topic *t = image->topics[i];
		for (size_t k = 0; k < t->partition_count; k++) {
			const struct image_partition *p = &t->partitions[k];
			totals.partitions++;
			totals.offline += p->leader < 0 ? 1 : 0;
			totals.under_replicated += p->isr_count < p->replica_count ? 1 : 0;
			totals.led_by += p->leader == broker_id ? 1 : 0;
			totals.hosted_by += contains(p->replicas, p->replica_count, broker_id) ? 1 : 0;
		}
	}
	return totals;
}
