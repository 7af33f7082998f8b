/* CreateTopics, DeleteTopics, CreatePartitions, DescribeTopics. */
#include "native/native_call.h"
#include "native/native_handlers.h"
#include "service/admin_service.h"

static bool administrable(struct native_call *c)
{
	if (c->service->admin != NULL)
		return true;
	native_call_fail(c, STATUS_INVALID_REQUEST, "%s: this process administers no topics", c->method->name);
	return false;
}

static void admin_abandoned(struct native_call *c)
{
	admin_service_hurry(c->waiting);
}

/* A request with room for its items, or NULL after the call has failed. */
static struct admin_request *new_request(struct native_call *c, enum admin_kind kind, size_t count)
{
	struct admin_request *r = native_call_array(c, 1, sizeof(*r));
	struct admin_item *items = native_call_array(c, count, sizeof(*items));
	if (r == NULL || items == NULL) {
		native_call_fail_memory(c);
		return NULL;
	}
	*r = (struct admin_request){
		.service = c->service,
		.kind = kind,
		.items = items,
		.item_count = count,
		.arg = c,
	};
	c->abandoned = admin_abandoned;
	c->waiting = r;
	return r;
}

static char *failure_message(struct failure *f)
{
	if (f->status == STATUS_OK)
		return NULL;
	return native_call_message(f->status, f->text[0] == '\0' ? NULL : f->text);
}

/* The lists stay in the message; only the array of heads is new. */
static const struct partition_assignment *assignment_of(struct native_call *c, size_t n, Correio__ReplicaList **lists)
{
	struct partition_assignment *a = native_call_array(c, n, sizeof(*a));
	for (size_t i = 0; a != NULL && i < n; i++)
		a[i] = (struct partition_assignment){.replicas = lists[i]->replicas, .count = (int32_t)lists[i]->n_replicas};
	return a;
}

static const struct topic_config_entry *configs_of(struct native_call *c, size_t n, Correio__ConfigEntry **entries)
{
	struct topic_config_entry *configs = native_call_array(c, n, sizeof(*configs));
	for (size_t i = 0; configs != NULL && i < n; i++)
		configs[i] = (struct topic_config_entry){.key = entries[i]->key, .value = entries[i]->value};
	return configs;
}

/* --- create -------------------------------------------------------------- */

static void fill_new_topic(struct admin_item *item, Correio__NewTopicResult *t)
{
	correio__new_topic_result__init(t);
	t->name = native_call_text(item->topic);
	t->error_code = status_code(item->failure.status);
	t->error_message = failure_message(&item->failure);
	t->partitions = item->ret_partitions;
	t->replication_factor = item->ret_replication_factor;
	t->pending = item->pending;
	t->topic_id.data = item->topic_id.b;
	t->topic_id.len = sizeof(item->topic_id.b);
}

static void topics_created(struct admin_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	Correio__ResponseHeader header;
	Correio__CreateTopicsResponse m;
	correio__create_topics_response__init(&m);
	m.n_topics = r->item_count;
	m.topics = (Correio__NewTopicResult **)native_call_list(c, r->item_count, sizeof(**m.topics));
	if (m.topics == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < r->item_count; i++)
		fill_new_topic(&r->items[i], m.topics[i]);
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_CREATE_TOPICS;
	header.create_topics = &m;
	native_call_answer(c, &header, NULL);
}

static bool fill_creation(struct native_call *c, const Correio__NewTopic *t, struct admin_item *item)
{
	item->topic = t->name;
	item->partitions = t->partitions;
	item->replication_factor = t->replication_factor;
	item->pend_if_short = t->pend_if_short;
	item->assignment_count = t->n_assignment;
	item->assignment = t->n_assignment == 0 ? NULL : assignment_of(c, t->n_assignment, t->assignment);
	item->config_count = t->n_configs;
	item->configs = configs_of(c, t->n_configs, t->configs);
	return item->configs != NULL && (t->n_assignment == 0 || item->assignment != NULL);
}

void native_handlers_create_topics(struct native_call *c)
{
	const Correio__CreateTopicsRequest *m = c->header->create_topics;
	struct admin_request *r = administrable(c) ? new_request(c, ADMIN_CREATE_TOPIC, m->n_topics) : NULL;
	if (r == NULL)
		return;
	r->timeout_ms = m->timeout_ms;
	r->validate_only = m->validate_only;
	r->done = topics_created;
	for (size_t i = 0; i < m->n_topics; i++) {
		if (fill_creation(c, m->topics[i], &r->items[i]))
			continue;
		native_call_fail_memory(c);
		return;
	}
	admin_service_start(r);
}

/* --- delete -------------------------------------------------------------- */

static void topics_deleted(struct admin_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	Correio__ResponseHeader header;
	Correio__DeleteTopicsResponse m;
	correio__delete_topics_response__init(&m);
	m.n_topics = r->item_count;
	m.topics = (Correio__TopicResult **)native_call_list(c, r->item_count, sizeof(**m.topics));
	if (m.topics == NULL) {
		native_call_fail_memory(c);
		return;
	}
	for (size_t i = 0; i < r->item_count; i++) {
		struct admin_item *item = &r->items[i];
		correio__topic_result__init(m.topics[i]);
		m.topics[i]->name = native_call_text(item->topic);
		m.topics[i]->error_code = status_code(item->failure.status);
		m.topics[i]->error_message = failure_message(&item->failure);
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_TOPICS;
	header.delete_topics = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_delete_topics(struct native_call *c)
{
	const Correio__DeleteTopicsRequest *m = c->header->delete_topics;
	struct admin_request *r = administrable(c) ? new_request(c, ADMIN_DELETE_TOPIC, m->n_topics) : NULL;
	if (r == NULL)
		return;
	r->timeout_ms = m->timeout_ms;
	r->done = topics_deleted;
	for (size_t i = 0; i < m->n_topics; i++)
		r->items[i].topic = m->topics[i];
	admin_service_start(r);
}

/* --- create partitions --------------------------------------------------- */

static void partitions_created(struct admin_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	Correio__ResponseHeader header;
	Correio__CreatePartitionsResponse m;
	const struct failure *f = &r->items[0].failure;
	if (f->status != STATUS_OK) {
		native_call_fail(c, f->status, "%s", f->text);
		return;
	}
	correio__create_partitions_response__init(&m);
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_CREATE_PARTITIONS;
	header.create_partitions = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_create_partitions(struct native_call *c)
{
	const Correio__CreatePartitionsRequest *m = c->header->create_partitions;
	struct admin_request *r = administrable(c) ? new_request(c, ADMIN_ADD_PARTITIONS, 1) : NULL;
	if (r == NULL)
		return;
	struct admin_item *item = &r->items[0];
	item->topic = m->topic;
	item->partitions = m->total;
	item->assignment_count = m->n_new_assignment;
	if (m->n_new_assignment > 0) {
		item->assignment = assignment_of(c, m->n_new_assignment, m->new_assignment);
		if (item->assignment == NULL) {
			native_call_fail_memory(c);
			return;
		}
	}
	r->timeout_ms = m->timeout_ms;
	r->validate_only = m->validate_only;
	r->done = partitions_created;
	admin_service_start(r);
}

/* --- describe ------------------------------------------------------------ */

static void fill_described_partition(const struct topic_description_partition *from, Correio__PartitionInfo *to)
{
	correio__partition_info__init(to);
	to->partition = from->partition;
	to->leader = from->leader < 0 ? -1 : from->leader;
	to->leader_epoch = from->leader_epoch;
	to->n_replicas = (size_t)from->replicas.count;
	to->replicas = from->replicas.replicas;
	to->n_isr = (size_t)from->isr.count;
	to->isr = from->isr.replicas;
	to->error_code = from->leader < 0 ? status_code(STATUS_LEADER_NOT_AVAILABLE) : 0;
}

static bool fill_described_info(struct native_call *c, const struct topic_description *d, Correio__TopicInfo *info)
{
	info->topic_id.data = (uint8_t *)(uintptr_t)d->topic_id.b; /* only read */
	info->topic_id.len = sizeof(d->topic_id.b);
	info->n_partitions = d->partition_count;
	info->partitions = (Correio__PartitionInfo **)native_call_list(c, d->partition_count, sizeof(**info->partitions));
	if (info->partitions == NULL)
		return false;
	for (size_t i = 0; i < d->partition_count; i++)
		fill_described_partition(&d->partitions[i], info->partitions[i]);
	return true;
}

static bool fill_description(struct native_call *c, const struct admin_described *from, Correio__TopicDescription *to)
{
	const struct topic_description *d = from->description;
	correio__topic_description__init(to);
	to->info = native_call_array(c, 1, sizeof(*to->info));
	if (to->info == NULL)
		return false;
	correio__topic_info__init(to->info);
	to->info->name = native_call_text(from->name);
	to->info->error_code = status_code(from->status);
	to->info->error_message = native_call_message(from->status, from->message);
	to->info->internal = topic_is_internal(from->name);
	if (d == NULL)
		return true;
	to->pending = d->pending;
	to->marked_for_deletion = d->marked_for_deletion;
	to->wanted_partitions = d->wanted_partitions;
	to->wanted_replication_factor = d->wanted_replication_factor;
	to->n_overrides = d->config_count;
	to->overrides = (Correio__ConfigEntry **)native_call_list(c, d->config_count, sizeof(**to->overrides));
	if (to->overrides == NULL)
		return false;
	for (size_t i = 0; i < d->config_count; i++) {
		correio__config_entry__init(to->overrides[i]);
		to->overrides[i]->key = native_call_text(d->configs[i].key);
		to->overrides[i]->value = native_call_text(d->configs[i].value);
	}
	return fill_described_info(c, d, to->info);
}

static void topics_described(struct admin_describe_request *r)
{
	struct native_call *c = CAST(native_call, r->arg);
	Correio__ResponseHeader header;
	Correio__DescribeTopicsResponse m;
	if (r->failure.status != STATUS_OK) {
		native_call_fail(c, r->failure.status, "%s", r->failure.text);
		return;
	}
	correio__describe_topics_response__init(&m);
	m.n_topics = r->topic_count;
	m.topics = (Correio__TopicDescription **)native_call_list(c, r->topic_count, sizeof(**m.topics));
	for (size_t i = 0; m.topics != NULL && i < r->topic_count; i++)
		if (!fill_description(c, &r->topics[i], m.topics[i]))
			m.topics = NULL;
	if (m.topics == NULL) {
		native_call_fail_memory(c);
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_TOPICS;
	header.describe_topics = &m;
	native_call_answer(c, &header, NULL);
}

void native_handlers_describe_topics(struct native_call *c)
{
	const Correio__DescribeTopicsRequest *m = c->header->describe_topics;
	if (!administrable(c))
		return;
	struct admin_describe_request *r = native_call_array(c, 1, sizeof(*r));
	if (r == NULL) {
		native_call_fail_memory(c);
		return;
	}
	*r = (struct admin_describe_request){
		.service = c->service,
		.arena = &c->request->arena,
		.names = (const char *const *)m->topics,
		.name_count = m->n_topics,
		.done = topics_described,
		.arg = c,
	};
	admin_service_describe(r);
}
