#include "tools/client/admin_internal.h"

static char *unconst(const char *s)
{
	union {
		const char *c;
		char *v;
	} u = {.c = s};
	return u.v;
}

enum { WHAT_SIZE = 280 };
static void resource_words(char *what, size_t size, enum correio_resource type, const char *name)
{
	(void)snprintf(what, size, "%s %s", type == CORREIO_RESOURCE_TOPIC ? "topic" : "broker", name);
}

struct correio_configs {
	Correio__ResponseHeader *header;
	size_t count;
	struct correio_config_row rows[];
};

int correio_admin_describe_configs(struct correio_admin *a, enum correio_resource type, const char *name,
	struct correio_configs **ret_configs, struct correio_error *err)
{
	char what[WHAT_SIZE];
	resource_words(what, sizeof(what), type, name);
	Correio__DescribeConfigsRequest describe = CORREIO__DESCRIBE_CONFIGS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	describe.type = (Correio__ConfigResourceType)type;
	describe.name = unconst(name);
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_CONFIGS;
	header.describe_configs = &describe;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_CONFIGS,
		.what = what,
		.repeatable = true,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	if (code != CORREIO_OK)
		return code;
	size_t n = h->describe_configs->n_configs;
	struct correio_configs *c = (struct correio_configs *)check_calloc(1, sizeof(*c) + n * sizeof(c->rows[0]));
	c->header = h;
	c->count = n;
	for (size_t i = 0; i < n; i++) {
		const Correio__ConfigDescription *d = h->describe_configs->configs[i];
		c->rows[i] = (struct correio_config_row){
			.key = d->key,
			.value = d->value,
			.source = d->source,
			.documentation = d->documentation,
			.is_default = d->is_default,
			.read_only = d->read_only,
		};
	}
	*ret_configs = c;
	return CORREIO_OK;
}

size_t correio_configs_count(const struct correio_configs *c)
{
	return c->count;
}

const struct correio_config_row *correio_configs_at(const struct correio_configs *c, size_t index)
{
	return index < c->count ? &c->rows[index] : NULL;
}

void correio_configs_free(struct correio_configs *c)
{
	if (c == NULL)
		return;
	admin_header_free(c->header);
	free(c);
}

int correio_admin_alter_configs(struct correio_admin *a, enum correio_resource type, const char *name,
	const struct correio_entry *entries, size_t count, struct correio_error *err)
{
	char what[WHAT_SIZE];
	resource_words(what, sizeof(what), type, name);
	char **removed = (char **)check_calloc(count + 1, sizeof(*removed));
	size_t removed_count = 0;
	for (size_t i = 0; i < count; i++)
		if (entries[i].value == NULL)
			removed[removed_count++] = unconst(entries[i].key);
	Correio__AlterConfigsRequest alter = CORREIO__ALTER_CONFIGS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	alter.type = (Correio__ConfigResourceType)type;
	alter.name = unconst(name);
	alter.set = admin_pack_entries(entries, count, &alter.n_set);
	alter.remove = removed;
	alter.n_remove = removed_count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_ALTER_CONFIGS;
	header.alter_configs = &alter;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_ALTER_CONFIGS,
		.what = what,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	free(removed);
	free(alter.set);
	if (code == CORREIO_OK)
		admin_header_free(h);
	return code;
}

/* ---- cluster ---- */

struct cluster_answer {
	struct correio_cluster public; /* first: the caller's pointer is ours */
	Correio__ResponseHeader *header;
	struct correio_broker brokers[];
};

int correio_admin_describe_cluster(struct correio_admin *a, struct correio_cluster **ret_cluster,
	struct correio_error *err)
{
	Correio__DescribeClusterRequest describe = CORREIO__DESCRIBE_CLUSTER_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_CLUSTER;
	header.describe_cluster = &describe;
	struct admin_call call = {
		.request = &header,
		.expected = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_CLUSTER,
		.what = "describe cluster",
		.repeatable = true,
	};
	Correio__ResponseHeader *h;
	int code = admin_run(a, &call, &h, err);
	if (code != CORREIO_OK)
		return code;
	const Correio__DescribeClusterResponse *r = h->describe_cluster;
	struct cluster_answer *answer = (struct cluster_answer *)check_calloc(1,
		sizeof(*answer) + r->n_brokers * sizeof(answer->brokers[0]));
	answer->header = h;
	answer->public = (struct correio_cluster){
		.cluster_id = r->cluster_id,
		.controller_id = r->controller_id,
		.controller_epoch = r->controller_epoch,
		.topic_count = r->topic_count,
		.partition_count = r->partition_count,
		.offline_partition_count = r->offline_partition_count,
		.under_replicated_count = r->under_replicated_count,
		.brokers = answer->brokers,
		.broker_count = r->n_brokers,
	};
	for (size_t i = 0; i < r->n_brokers; i++)
		answer->brokers[i] = (struct correio_broker){
			.id = r->brokers[i]->id,
			.port = r->brokers[i]->port,
			.host = r->brokers[i]->host,
			.rack = r->brokers[i]->rack,
		};
	*ret_cluster = &answer->public;
	return CORREIO_OK;
}

void correio_cluster_free(struct correio_cluster *c)
{
	if (c == NULL)
		return;
	struct cluster_answer *answer = CONTAINER_OF(c, struct cluster_answer, public);
	admin_header_free(answer->header);
	free(answer);
}
