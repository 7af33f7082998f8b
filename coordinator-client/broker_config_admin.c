#include "coordinator-client/broker_config_admin.h"
#include "config/settings.h"
#include "coordinator-client/topic_admin_internal.h"

struct alteration {
	unsigned magic;
	struct zk_client *zk;
	struct task task;
	topic_done_fn done;
	void *arg;
	const char *entity; /* as the znode is called */
	char *name;
	struct zk_schema_config asked; /* value "" marks nothing: removals stand in removed */
	char **removed;
	size_t removed_count;
	bool replace;
	bool parents_made;
	int tries;
	struct failure failure;
};
MAGIC(alteration, 0x42434141);

static void read_node(struct alteration *a);

static void finish(struct alteration *a)
{
	struct failure f = a->failure;
	a->done(a->arg, &f);
	zk_schema_config_fini(&a->asked);
	for (size_t i = 0; i < a->removed_count; i++)
		free(a->removed[i]);
	free(a->removed);
	free(a->name);
	a->magic = 0;
	free(a);
}

static void fail(struct alteration *a, enum status s)
{
	(void)failure_set(&a->failure, s, "settings of broker \"%.32s\": ZooKeeper: %s", a->entity, status_text(s));
	finish(a);
}

static void parents_made(void *arg, enum status s)
{
	struct alteration *a = CAST(alteration, arg);
	if (s == STATUS_OK)
		read_node(a);
	else
		fail(a, s);
}

static void written(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	(void)results;
	(void)count;
	struct alteration *a = CAST(alteration, arg);
	if (s == STATUS_OK) {
		finish(a);
		return;
	}
	/* Another writer came first, or the folders are not there yet. */
	bool again = topic_admin_retriable(s) || s == STATUS_NOT_FOUND || s == STATUS_EXISTS;
	if (!again || ++a->tries >= TOPIC_ADMIN_TRIES_MAX) {
		fail(a, s);
	} else if (s == STATUS_NOT_FOUND && !a->parents_made) {
		a->parents_made = true;
		topic_admin_make_parents(a->zk, parents_made, a);
	} else {
		read_node(a);
	}
}

static void apply(const struct alteration *a, struct zk_schema_config *config)
{
	while (a->replace && config->entry_count > 0)
		zk_schema_config_put(config, config->entries[0].key, NULL);
	for (size_t i = 0; i < a->asked.entry_count; i++)
		zk_schema_config_put(config, a->asked.entries[i].key, a->asked.entries[i].value);
	for (size_t i = 0; i < a->removed_count; i++)
		zk_schema_config_put(config, a->removed[i], NULL);
}

static void write_node(struct alteration *a, struct zk_schema_config *config, bool exists, int32_t version)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_broker_config(a->entity, path);
	apply(a, config);
	char *text = zk_schema_config_encode(config);
	char *entity = check_asprintf("brokers/%s", a->entity);
	char *change = zk_schema_config_change_encode(entity);
	struct zk_op ops[2] = {
		{.kind = exists ? ZK_OP_SET : ZK_OP_CREATE, .path = path, .data = slice_of_str(text), .version = version},
		{.kind = ZK_OP_CREATE, .path = ZK_SCHEMA_CONFIG_CHANGE_PREFIX, .data = slice_of_str(change),
			.flags = ZK_CREATE_SEQUENTIAL},
	};
	zk_multi(a->zk, ops, 2, written, a);
	free(text);
	free(entity);
	free(change);
}

static void got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct alteration *a = CAST(alteration, arg);
	struct zk_schema_config config = {0};
	if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
		if (topic_admin_retriable(s) && ++a->tries < TOPIC_ADMIN_TRIES_MAX)
			read_node(a);
		else
			fail(a, s);
		return;
	}
	char path[ZK_PATH_MAX];
	zk_schema_path_broker_config(a->entity, path);
	if (s == STATUS_OK && zk_schema_config_decode(path, data, &config, &a->failure) != STATUS_OK) {
		finish(a);
		return;
	}
	write_node(a, &config, s == STATUS_OK, s == STATUS_OK ? stat->version : 0);
	zk_schema_config_fini(&config);
}

static void read_node(struct alteration *a)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_broker_config(a->entity, path);
	zk_get(a->zk, path, NULL, got, a);
}

/* A refusal too is answered on the loop, not within the call. */
static void start(struct task *t)
{
	struct alteration *a = CAST(alteration, CONTAINER_OF(t, struct alteration, task));
	if (a->failure.status == STATUS_OK)
		read_node(a);
	else
		finish(a);
}

static void take(struct alteration *a, const struct topic_config_entry *entry)
{
	if (settings_check_dynamic(entry->key, entry->value, &a->failure) != STATUS_OK)
		return;
	if (entry->value != NULL)
		zk_schema_config_put(&a->asked, entry->key, entry->value);
	else
		a->removed[a->removed_count++] = check_strdup(entry->key);
}

void broker_config_admin_alter(struct zk_client *zk, const char *entity, const struct topic_config_entry *entries, size_t count,
	bool replace, topic_done_fn done, void *arg)
{
	struct alteration *a = check_calloc(1, sizeof(*a));
	*a = (struct alteration){.magic = alteration_magic, .zk = zk, .done = done, .arg = arg, .replace = replace};
	a->name = check_strdup(entity);
	a->entity = entity[0] == '\0' ? ZK_SCHEMA_CONFIG_DEFAULT : a->name;
	a->removed = check_calloc(count + 1, sizeof(*a->removed));
	int32_t id;
	if (entity[0] != '\0' && (bytes_parse_i32(slice_of_str(entity), &id) != STATUS_OK || id < 0))
		(void)failure_set(&a->failure, STATUS_INVALID_REQUEST, "\"%.32s\" is no broker id", entity);
	for (size_t i = 0; i < count && a->failure.status == STATUS_OK; i++)
		take(a, &entries[i]);
	task_init(&a->task, "broker_config_admin", start);
	scheduler_post(zk->scheduler, &a->task);
}
