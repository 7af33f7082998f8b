#include "tools/client/admin_internal.h"

/* protobuf-c's fields know no const; packing does not write. */
static char *unconst(const char *s)
{
	union {
		const char *c;
		char *v;
	} u = {.c = s};
	return u.v;
}

static void topic_words(char *what, size_t size, const char *topic)
{
	(void)snprintf(what, size, "topic %s", topic);
}
enum { WHAT_SIZE = 280 };

int correio_admin_create_topic(struct correio_admin *a, const struct correio_new_topic *topic,
	struct correio_topic_created *ret_created, struct correio_error *err)
{
	char what[WHAT_SIZE];
	topic_words(what, sizeof(what), topic->name);
	Correio__NewTopic t = CORREIO__NEW_TOPIC__INIT;
	Correio__NewTopic *topics = &t;
	Correio__CreateTopicsRequest create = CORREIO__CREATE_TOPICS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	t.name = unconst(topic->name);
	t.partitions = topic->partitions;
	t.replication_factor = topic->replication_factor;
	t.assignment = admin_pack_assignment(topic->assignment, topic->assignment_count);
	t.n_assignment = (size_t)(topic->assignment_count > 0 ? topic->assignment_count : 0);
	t.configs = admin_pack_entries(topic->configs, topic->config_count, &t.n_configs);
	t.pend_if_short = topic->pend_if_short;
	create.topics = &topics;
	create.n_topics = 1;
	create.timeout_ms = (uint32_t)a->config->options.request_timeout_ms;
	create.validate_only = topic->validate_only;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_CREATE_TOPICS;
	header.create_topics = &create;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_CREATE_TOPICS,
		.what = what,
		.extra_ms = 5000,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	free(t.assignment);
	free(t.configs);
	if (code != CORREIO_OK)
		return code;
	if (h->create_topics->n_topics != 1) {
		code = client_error_code(err, CORREIO_ERR_PROTOCOL, false, "%s: the answer leaves it out", what);
	} else if (h->create_topics->topics[0]->error_code != 0) {
		const Correio__NewTopicResult *r = h->create_topics->topics[0];
		code = client_error_from_broker(err, r->error_code, r->error_message, what);
	} else if (ret_created != NULL) {
		const Correio__NewTopicResult *r = h->create_topics->topics[0];
		*ret_created = (struct correio_topic_created){
			.partitions = r->partitions,
			.replication_factor = r->replication_factor,
			.pending = r->pending,
		};
		if (r->topic_id.len == sizeof(ret_created->topic_id))
			memcpy(ret_created->topic_id, r->topic_id.data, sizeof(ret_created->topic_id));
	}
	admin_header_free(h);
	return code;
}

int correio_admin_delete_topic(struct correio_admin *a, const char *topic, struct correio_error *err)
{
	char what[WHAT_SIZE];
	topic_words(what, sizeof(what), topic);
	char *names[] = {unconst(topic)};
	Correio__DeleteTopicsRequest delete = CORREIO__DELETE_TOPICS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	delete.topics = names;
	delete.n_topics = 1;
	delete.timeout_ms = (uint32_t)a->config->options.request_timeout_ms;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DELETE_TOPICS;
	header.delete_topics = &delete;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_DELETE_TOPICS,
		.what = what,
		.extra_ms = 5000,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	if (code != CORREIO_OK)
		return code;
	if (h->delete_topics->n_topics != 1)
		code = client_error_code(err, CORREIO_ERR_PROTOCOL, false, "%s: the answer leaves it out", what);
	else if (h->delete_topics->topics[0]->error_code != 0)
		code = client_error_from_broker(err, h->delete_topics->topics[0]->error_code,
			h->delete_topics->topics[0]->error_message, what);
	admin_header_free(h);
	return code;
}

int correio_admin_create_partitions(struct correio_admin *a, const char *topic, int32_t total,
	const struct correio_replicas *assignment, int32_t assignment_count, struct correio_error *err)
{
	char what[WHAT_SIZE];
	topic_words(what, sizeof(what), topic);
	Correio__CreatePartitionsRequest create = CORREIO__CREATE_PARTITIONS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	create.topic = unconst(topic);
	create.total = total;
	create.new_assignment = admin_pack_assignment(assignment, assignment_count);
	create.n_new_assignment = (size_t)(assignment_count > 0 ? assignment_count : 0);
	create.timeout_ms = (uint32_t)a->config->options.request_timeout_ms;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_CREATE_PARTITIONS;
	header.create_partitions = &create;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_CREATE_PARTITIONS,
		.what = what,
		.extra_ms = 5000,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	free(create.new_assignment);
	if (code == CORREIO_OK)
		admin_header_free(h);
	return code;
}

/* ---- describe ---- */

/* Points into the answer, which it owns. */
struct correio_topics {
	Correio__ResponseHeader *header;
	size_t count;
	struct correio_topic topics[];
};

static void fill_partitions(const Correio__TopicInfo *info, struct correio_topic *t)
{
	struct correio_partition *partitions =
		(struct correio_partition *)check_calloc(info->n_partitions + 1, sizeof(*partitions));
	for (size_t i = 0; i < info->n_partitions; i++) {
		const Correio__PartitionInfo *p = info->partitions[i];
		partitions[i] = (struct correio_partition){
			.partition = p->partition,
			.leader = p->leader,
			.leader_epoch = p->leader_epoch,
			.replicas = {p->replicas, (int32_t)p->n_replicas},
			.isr = {p->isr, (int32_t)p->n_isr},
		};
	}
	t->partitions = partitions;
	t->partition_count = (int32_t)info->n_partitions;
}

static void fill_overrides(const Correio__TopicDescription *d, struct correio_topic *t)
{
	struct correio_entry *entries = (struct correio_entry *)check_calloc(d->n_overrides + 1, sizeof(*entries));
	for (size_t i = 0; i < d->n_overrides; i++)
		entries[i] = (struct correio_entry){d->overrides[i]->key, d->overrides[i]->value};
	t->overrides = entries;
	t->override_count = d->n_overrides;
}

static void fill_topic(const Correio__TopicDescription *d, struct correio_topic *t)
{
	static const Correio__TopicInfo nothing = CORREIO__TOPIC_INFO__INIT;
	const Correio__TopicInfo *info = d->info != NULL ? d->info : &nothing;
	*t = (struct correio_topic){
		.name = info->name,
		.code = info->error_code,
		.message = info->error_message,
		.internal = info->internal,
		.pending = d->pending,
		.marked_for_deletion = d->marked_for_deletion,
		.wanted_partitions = d->wanted_partitions,
		.wanted_replication_factor = d->wanted_replication_factor,
	};
	if (info->topic_id.len == sizeof(t->topic_id))
		memcpy(t->topic_id, info->topic_id.data, sizeof(t->topic_id));
	fill_partitions(info, t);
	fill_overrides(d, t);
}

int correio_admin_describe_topics(struct correio_admin *a, const char *const *names, size_t count,
	struct correio_topics **ret_topics, struct correio_error *err)
{
	char **list = (char **)check_calloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = unconst(names[i]);
	Correio__DescribeTopicsRequest describe = CORREIO__DESCRIBE_TOPICS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	describe.topics = list;
	describe.n_topics = count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_TOPICS;
	header.describe_topics = &describe;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_TOPICS,
		.what = "describe topics",
		.repeatable = true,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	free(list);
	if (code != CORREIO_OK)
		return code;
	size_t n = h->describe_topics->n_topics;
	struct correio_topics *t = (struct correio_topics *)check_calloc(1, sizeof(*t) + n * sizeof(t->topics[0]));
	t->header = h;
	t->count = n;
	for (size_t i = 0; i < n; i++)
		fill_topic(h->describe_topics->topics[i], &t->topics[i]);
	*ret_topics = t;
	return CORREIO_OK;
}

size_t correio_topics_count(const struct correio_topics *t)
{
	return t->count;
}

const struct correio_topic *correio_topics_at(const struct correio_topics *t, size_t index)
{
	return index < t->count ? &t->topics[index] : NULL;
}

/* What was allocated here and is only read by the caller. */
static void free_const(const void *p)
{
	union {
		const void *c;
		void *v;
	} u = {.c = p};
	free(u.v);
}

void correio_topics_free(struct correio_topics *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		free_const(t->topics[i].partitions);
		free_const(t->topics[i].overrides);
	}
	admin_header_free(t->header);
	free(t);
}
