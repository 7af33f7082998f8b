#include "cluster/broker_overrides.h"
#include "base/diag.h"
#include "cluster/image_configs.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_watch.h"

enum { WHOSE_ALL, WHOSE_OURS, WHOSE_COUNT };

struct override_node {
	struct broker_overrides *owner;
	struct zk_watch *watch;
	bool known;
	struct image_config *entries;
	size_t count;
};
struct broker_overrides {
	unsigned magic;
	const struct settings *settings;
	struct override_node nodes[WHOSE_COUNT];
	struct topic_settings topic_defaults;
	void (*changed)(void *arg);
	void *arg;
};
MAGIC(broker_overrides, 0x424f5652);

struct broker_overrides *broker_overrides_new(const struct settings *settings)
{
	struct broker_overrides *o = check_calloc(1, sizeof(*o));
	o->magic = broker_overrides_magic;
	o->settings = settings;
	o->topic_defaults = settings->topic_defaults;
	for (size_t i = 0; i < WHOSE_COUNT; i++)
		o->nodes[i].owner = o;
	return o;
}

void broker_overrides_unwatch(struct broker_overrides *o)
{
	CHECK_MAGIC(broker_overrides, o);
	for (size_t i = 0; i < WHOSE_COUNT; i++) {
		if (o->nodes[i].watch != NULL)
			zk_watch_free(o->nodes[i].watch);
		o->nodes[i].watch = NULL;
	}
}

void broker_overrides_free(struct broker_overrides *o)
{
	if (o == NULL)
		return;
	broker_overrides_unwatch(o);
	for (size_t i = 0; i < WHOSE_COUNT; i++)
		image_configs_free(o->nodes[i].entries, o->nodes[i].count);
	o->magic = 0;
	free(o);
}

static const char *value_of(void *arg, const char *key)
{
	const struct override_node *n = arg;
	return image_configs_value(n->entries, n->count, key);
}

static void apply(struct broker_overrides *o)
{
	o->topic_defaults = o->settings->topic_defaults;
	for (size_t i = 0; i < WHOSE_COUNT; i++)
		settings_apply_dynamic(&o->topic_defaults, value_of, &o->nodes[i]);
}

/* Kept all the same: the node may be older than this version, or younger. */
static void warn_of_strangers(const struct override_node *n, const char *path)
{
	for (size_t i = 0; i < n->count; i++) {
		struct failure f = {0};
		if (settings_check_dynamic(n->entries[i].key, n->entries[i].value, &f) != STATUS_OK)
			diag_warn("broker_override_ignored", "znode=%s text=\"%s\"", path, f.text);
	}
}

static void keep(struct override_node *n, const struct zk_schema_config *config)
{
	image_configs_free(n->entries, n->count);
	n->entries = image_configs_of_znode(config);
	n->count = config->entry_count;
}

static void node_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct override_node *n = arg;
	struct broker_overrides *o = CAST(broker_overrides, n->owner);
	const char *path = zk_watch_path(n->watch);
	struct zk_schema_config config = {0};
	struct failure f = {0};
	enum status s = present ? zk_schema_config_decode(path, data, &config, &f) : STATUS_OK;
	n->known = true;
	if (s == STATUS_OK) {
		keep(n, &config);
		warn_of_strangers(n, path);
		apply(o);
		zk_schema_config_fini(&config);
	} else {
		diag_warn("broker_overrides_unreadable", "znode=%s text=\"%s\" action=\"what was known before stays\"", path, f.text);
	}
	o->changed(o->arg);
}

void broker_overrides_watch(struct broker_overrides *o, struct zk_client *zk, int32_t broker_id, void (*changed)(void *arg), void *arg)
{
	CHECK_MAGIC(broker_overrides, o);
	expect(o->nodes[WHOSE_ALL].watch == NULL && broker_id >= 0);
	o->changed = changed;
	o->arg = arg;
	char path[ZK_PATH_MAX];
	zk_schema_path_broker_config(ZK_SCHEMA_CONFIG_DEFAULT, path);
	o->nodes[WHOSE_ALL].watch = zk_watch_node(zk, path, node_changed, &o->nodes[WHOSE_ALL]);
	char id[16];
	(void)snprintf(id, sizeof(id), "%d", broker_id);
	zk_schema_path_broker_config(id, path);
	o->nodes[WHOSE_OURS].watch = zk_watch_node(zk, path, node_changed, &o->nodes[WHOSE_OURS]);
}

bool broker_overrides_known(const struct broker_overrides *o)
{
	CHECK_MAGIC(broker_overrides, o);
	return o->nodes[WHOSE_ALL].known && o->nodes[WHOSE_OURS].known;
}

const struct topic_settings *broker_overrides_topic_defaults(const struct broker_overrides *o)
{
	CHECK_MAGIC(broker_overrides, o);
	return &o->topic_defaults;
}

void broker_overrides_describe(const struct broker_overrides *o, struct image_broker_configs *ret_configs)
{
	CHECK_MAGIC(broker_overrides, o);
	*ret_configs = (struct image_broker_configs){
		.ours = o->nodes[WHOSE_OURS].entries,
		.our_count = o->nodes[WHOSE_OURS].count,
		.all = o->nodes[WHOSE_ALL].entries,
		.all_count = o->nodes[WHOSE_ALL].count,
		.topic_defaults = o->topic_defaults,
	};
}
