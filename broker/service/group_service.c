#include "service/group_service.h"

#include "base/diag.h"
#include "coordinator/group_coordinator.h"
#include "service/admin_service.h"
#include "service/service_message.h"

enum { TOPIC_CREATE_WAIT_MS = 5000, NUMBER_TEXT = 12 };

/* --- to the coordinator -------------------------------------------------- */

static const struct image_topic *offsets_topic(const struct service_loop *s)
{
	return cluster_image_topic(service_loop_image(s), slice_of_str(GROUP_COORDINATOR_TOPIC));
}

static void set_partition(struct topic_partition *tp, int32_t partition)
{
	expect(topic_partition_set(tp, slice_of_str(GROUP_COORDINATOR_TOPIC), partition) == STATUS_OK);
}

static struct group_coordinator *owner_of(const struct service_loop *s, const struct topic_partition *tp)
{
	int loop = s->router->place(s->router->arg, tp);
	expect(loop >= 0 && (size_t)loop < s->coordinator_count);
	return s->coordinators[loop];
}

/* Where the group lives. COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
static enum status route(const struct service_loop *s, const struct group_request *r, struct topic_partition *ret_tp)
{
	const struct image_topic *topic = offsets_topic(s);
	if (topic == NULL || topic->partition_count == 0 || s->coordinator_count == 0)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	int32_t number = group_coordinator_partition(r->group_id, (int32_t)topic->partition_count);
	const struct image_partition *p = image_topic_partition(topic, number);
	if (p == NULL || p->leader < 0)
		return STATUS_COORDINATOR_NOT_AVAILABLE;
	if (p->leader != s->broker_id)
		return STATUS_NOT_COORDINATOR;
	set_partition(ret_tp, number);
	return STATUS_OK;
}

/* Offsets are kept for partitions that exist: so their number is bounded by the cluster's, not by what clients ask for. Returns how
 * many were refused. */
static size_t refuse_unknown_partitions(struct service_loop *s, struct group_request_offset *offsets, size_t count)
{
	size_t refused = 0;
	const struct cluster_image *image = service_loop_image(s);
	const struct image_topic *topic = NULL;
	for (size_t i = 0; i < count; i++) {
		if (topic == NULL || strcmp(topic->name, offsets[i].topic) != 0)
			topic = cluster_image_topic(image, slice_of_str(offsets[i].topic));
		bool known = topic != NULL && image_topic_partition(topic, offsets[i].partition) != NULL;
		offsets[i].status = known ? STATUS_OK : STATUS_UNKNOWN_TOPIC_OR_PARTITION;
		refused += known ? 0 : 1;
	}
	return refused;
}

void group_service_start(struct service_loop *s, struct group_request *r)
{
	CHECK_MAGIC(service_loop, s);
	expect_on_loop(s->scheduler);
	expect(r->done != NULL && r->arena != NULL && r->group_id != NULL);
	struct topic_partition tp;
	r->home = s->scheduler;
	r->message = NULL;
	r->status = STATUS_OK;
	/* Before the way is looked for: what the cluster does not have is told so by any broker. */
	if (r->kind == GROUP_REQUEST_COMMIT &&
		refuse_unknown_partitions(s, r->commit.offsets, r->commit.offset_count) == r->commit.offset_count) {
		r->done(r);
		return;
	}
	if (r->kind == GROUP_REQUEST_DELETE_OFFSETS)
		(void)refuse_unknown_partitions(s, r->delete_offsets.offsets, r->delete_offsets.offset_count);
	r->status = route(s, r, &tp);
	if (r->status != STATUS_OK) {
		r->message = service_message_format(r->arena, "group \"%.200s\": %s", r->group_id, status_text(r->status));
		r->done(r);
		return;
	}
	r->partition = tp.partition;
	group_coordinator_start(owner_of(s, &tp), r);
}

/* --- all loops' groups --------------------------------------------------- */

static void list_next(struct group_service_list *l)
{
	struct service_loop *s = l->service;
	if (l->next == s->coordinator_count) {
		l->done(l);
		return;
	}
	group_coordinator_list(s->coordinators[l->next++], &l->list);
}

/* An error of one loop (it is still loading) does not hide what the others have. */
static void listed(struct group_list_request *r)
{
	struct group_service_list *l = r->arg;
	expect_on_loop(l->service->scheduler);
	list_next(l);
}

void group_service_list(struct group_service_list *l)
{
	CHECK_MAGIC(service_loop, l->service);
	expect_on_loop(l->service->scheduler);
	expect(l->done != NULL && l->list.arena != NULL);
	l->next = 0;
	l->list.home = l->service->scheduler;
	l->list.status = STATUS_OK;
	l->list.groups = NULL;
	l->list.group_count = 0;
	l->list.done = listed;
	l->list.arg = l;
	list_next(l);
}

/* --- FindCoordinator ----------------------------------------------------- */

/* The topic is being made, for whoever asked on this loop meanwhile. */
struct group_topic_creation {
	struct admin_request request;
	struct admin_item item;
	struct topic_config_entry configs[3];
	char segment_bytes[NUMBER_TEXT];
	struct coordinator_lookup *waiting, **tail;
};

static void fail(struct coordinator_lookup *l, struct coordinator_lookup_key *k, const char *why)
{
	k->status = STATUS_COORDINATOR_NOT_AVAILABLE;
	k->message = service_message_format(l->arena, "%s", why);
}

static void find_one(struct coordinator_lookup *l, const struct image_topic *topic, struct coordinator_lookup_key *k)
{
	struct topic_partition tp;
	k->coordinator = (struct leader_hint){.broker_id = -1, .leader_epoch = -1};
	k->message = NULL;
	k->status = STATUS_OK;
	if (l->kind != COORDINATOR_KEY_GROUP) {
		fail(l, k, "this broker does not coordinate transactions");
		return;
	}
	if (topic == NULL || topic->partition_count == 0) {
		fail(l, k, "the topic " GROUP_COORDINATOR_TOPIC " is not there yet");
		return;
	}
	set_partition(&tp, group_coordinator_partition(k->key, (int32_t)topic->partition_count));
	k->coordinator = leader_hint_find(service_loop_image(l->service), &tp, -1, -1, l->listener);
	if (k->coordinator.host != NULL)
		return;
	k->coordinator.broker_id = -1;
	fail(l, k, "the group's partition of " GROUP_COORDINATOR_TOPIC " has no leader that can be reached by this listener");
}

static void answer(struct coordinator_lookup *l)
{
	const struct image_topic *topic = offsets_topic(l->service);
	for (size_t i = 0; i < l->key_count; i++)
		find_one(l, topic, &l->keys[i]);
	l->done(l);
}

static void created(struct admin_request *request)
{
	struct group_topic_creation *c = CONTAINER_OF(request, struct group_topic_creation, request);
	struct service_loop *s = request->service;
	const struct failure *f = &c->item.failure;
	expect(s->group_topic == c);
	s->group_topic = NULL;
	if (f->status != STATUS_OK && f->status != STATUS_TOPIC_ALREADY_EXISTS)
		diag_error("group_topic_not_created", "topic=%s why=%s text=\"%s\" next=\"groups wait until it can be made: see "
			"offsets.topic.replication.factor\"", GROUP_COORDINATOR_TOPIC, status_name(f->status), f->text);
	struct coordinator_lookup *next;
	for (struct coordinator_lookup *l = c->waiting; l != NULL; l = next) {
		next = l->next;
		answer(l);
	}
	free(c);
}

/* Kafka: AutoTopicCreationManager.creatableTopic, GroupCoordinator.groupMetadataTopicConfigs. */
static void create_topic(struct service_loop *s)
{
	struct group_topic_creation *c = check_calloc(1, sizeof(*c));
	(void)snprintf(c->segment_bytes, sizeof(c->segment_bytes), "%d", (int)s->settings->offsets_topic_segment_bytes);
	c->configs[0] = (struct topic_config_entry){.key = "cleanup.policy", .value = "compact"};
	c->configs[1] = (struct topic_config_entry){.key = "compression.type", .value = "producer"};
	c->configs[2] = (struct topic_config_entry){.key = "segment.bytes", .value = c->segment_bytes};
	c->item = (struct admin_item){
		.topic = GROUP_COORDINATOR_TOPIC,
		.partitions = s->settings->offsets_topic_num_partitions,
		.replication_factor = s->settings->offsets_topic_replication_factor,
		.configs = c->configs,
		.config_count = sizeof(c->configs) / sizeof(c->configs[0]),
	};
	c->request = (struct admin_request){
		.service = s,
		.kind = ADMIN_CREATE_TOPIC,
		.items = &c->item,
		.item_count = 1,
		.timeout_ms = TOPIC_CREATE_WAIT_MS,
		.done = created,
	};
	c->tail = &c->waiting;
	s->group_topic = c;
	admin_service_start(&c->request);
}

void group_service_find(struct coordinator_lookup *l)
{
	struct service_loop *s = l->service;
	CHECK_MAGIC(service_loop, s);
	expect_on_loop(s->scheduler);
	expect(l->done != NULL && l->arena != NULL);
	l->next = NULL;
	bool missing = l->kind == COORDINATOR_KEY_GROUP && l->key_count > 0 && offsets_topic(s) == NULL;
	if (!missing || s->admin == NULL || s->hurried) {
		answer(l);
		return;
	}
	if (s->group_topic == NULL)
		create_topic(s);
	*s->group_topic->tail = l;
	s->group_topic->tail = &l->next;
}
