#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/topic_store.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))

/* What the protocol calls all brokers. */
static const char *resource_name(enum correio_resource type, const char *word)
{
	return type == CORREIO_RESOURCE_BROKER && strcmp(word, "default") == 0 ? "" : word;
}

static bool resource_of(const struct cli_command *command, const char *word, enum correio_resource *ret_type,
	int *ret_status)
{
	static const char *const words[] = {"topic", "broker"};
	if (strcmp(word, "topic") == 0) {
		*ret_type = CORREIO_RESOURCE_TOPIC;
		return true;
	}
	if (strcmp(word, "broker") == 0) {
		*ret_type = CORREIO_RESOURCE_BROKER;
		return true;
	}
	const char *nearest = cli_nearest(word, words, COUNT(words));
	*ret_status = cli_usage(command, "'%s' is neither topic nor broker%s%s%s", word,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
	return false;
}

/* ---- describe ---- */

static void print_configs(const struct cli_common *common, const struct correio_configs *c, bool all)
{
	static const char *const headers[] = {"KEY", "VALUE", "SOURCE", NULL};
	struct table *t = common->json ? NULL : table_new(headers);
	json_t *list = common->json ? json_array() : NULL;
	for (size_t i = 0; i < correio_configs_count(c); i++) {
		const struct correio_config_row *row = correio_configs_at(c, i);
		if (common->json) {
			(void)json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "key", row->key, "value",
				row->value, "source", row->source, "default", row->is_default, "read_only", row->read_only,
				"documentation", row->documentation));
			continue;
		}
		if (!all && row->is_default)
			continue;
		table_cell(t, "%s", row->key);
		table_cell(t, "%s", row->value);
		table_cell(t, "%s%s", row->source, row->read_only ? ", read-only" : "");
	}
	if (common->json)
		output_json(list);
	else
		table_print_free(t);
}

static int describe_by_broker(const struct cli_common *common, enum correio_resource type, const char *name, bool all)
{
	struct correio_config *config = cli_client_config(common);
	if (config == NULL)
		return CLI_FAILED;
	struct correio_admin *admin = NULL;
	struct correio_configs *configs = NULL;
	struct correio_error err;
	int code = correio_admin_new(config, &admin, &err);
	correio_config_free(config);
	if (code == CORREIO_OK)
		code = correio_admin_describe_configs(admin, type, resource_name(type, name), &configs, &err);
	if (code == CORREIO_OK)
		print_configs(common, configs, all);
	correio_configs_free(configs);
	correio_admin_free(admin);
	if (code == CORREIO_OK)
		return CLI_OK;
	int status;
	struct topic_store *store = type == CORREIO_RESOURCE_TOPIC ? topic_store_open(common, &status) : NULL;
	if (store != NULL)
		topic_store_suggest(store, name, &err);
	topic_store_close(store);
	return cli_fail(common, &err);
}

/* One setting as ZooKeeper knows it: an override, or nothing, which means the brokers' default. */
struct zk_setting {
	const char *key, *default_value, *text;
};
static const struct zk_setting zk_settings[] = {
#define SETTING(kind, key, field, def, min, max, unit, flags, text) {key, def, text},
#include "config/topic.def"
#undef SETTING
};

static const char *override_of(const struct correio_topic *t, const char *key)
{
	for (size_t i = 0; i < t->override_count; i++)
		if (strcmp(t->overrides[i].key, key) == 0)
			return t->overrides[i].value;
	return NULL;
}

static void add_setting(struct table *t, json_t *list, const struct zk_setting *s, const char *override)
{
	const char *value = override != NULL ? override : s->default_value;
	const char *source = override != NULL ? "topic" : "default";
	if (list != NULL) {
		(void)json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "key", s->key, "value", value,
			"source", source, "default", override == NULL, "read_only", false, "documentation", s->text));
		return;
	}
	table_cell(t, "%s", s->key);
	table_cell(t, "%s", value);
	table_cell(t, "%s", source);
}

static void print_zk_settings(const struct cli_common *common, const struct correio_topic *topic, bool all)
{
	static const char *const headers[] = {"KEY", "VALUE", "SOURCE", NULL};
	struct table *t = common->json ? NULL : table_new(headers);
	json_t *list = common->json ? json_array() : NULL;
	for (size_t i = 0; i < COUNT(zk_settings); i++) {
		const char *override = override_of(topic, zk_settings[i].key);
		if (override != NULL || all || common->json)
			add_setting(t, list, &zk_settings[i], override);
	}
	/* Keys of other versions are kept in ZooKeeper, and shown. */
	for (size_t i = 0; i < topic->override_count; i++) {
		bool known = false;
		for (size_t k = 0; k < COUNT(zk_settings); k++)
			known = known || strcmp(zk_settings[k].key, topic->overrides[i].key) == 0;
		struct zk_setting other = {.key = topic->overrides[i].key, .text = "unknown to this version"};
		if (!known)
			add_setting(t, list, &other, topic->overrides[i].value);
	}
	if (common->json)
		output_json(list);
	else
		table_print_free(t);
}

/* The brokers' own defaults are a matter of their files: the table's are shown. */
static int describe_by_zookeeper(const struct cli_common *common, const char *name, bool all)
{
	int status;
	struct topic_store *store = topic_store_open(common, &status);
	if (store == NULL)
		return status;
	struct topic_set set;
	struct correio_error err;
	status = CLI_OK;
	if (store->ops->describe(store, name, &set, &err) == CORREIO_OK) {
		print_zk_settings(common, &set.topics[0], all);
		topic_set_free(&set);
	} else {
		topic_store_suggest(store, name, &err);
		status = cli_fail(common, &err);
	}
	topic_store_close(store);
	return status;
}

int cmd_config_describe(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	bool all = false;
	const struct cli_option options[] = {
		{"--all", CLI_FLAG, NULL, &all, "defaults too", 0, 0},
		CLI_ZOOKEEPER_OPTION(&common),
		CLI_COMMON_OPTIONS(&common),
	};
	struct cli_parsed parsed;
	int status;
	enum correio_resource type;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 2, 2, &status) &&
		resource_of(command, parsed.positional[0], &type, &status)) {
		if (common.zookeeper == NULL)
			status = describe_by_broker(&common, type, parsed.positional[1], all);
		else if (type == CORREIO_RESOURCE_TOPIC)
			status = describe_by_zookeeper(&common, parsed.positional[1], all);
		else
			status = cli_usage(command, "a broker's settings are asked of a broker: use --bootstrap-server");
	}
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- alter ---- */

struct alter_args {
	struct cli_common common;
	struct cli_list set, removed;
};

static int alter_broker(const struct alter_args *a, const char *name, const struct correio_entry *entries, size_t count)
{
	struct correio_config *config = cli_client_config(&a->common);
	if (config == NULL)
		return CLI_FAILED;
	struct correio_admin *admin = NULL;
	struct correio_error err;
	int code = correio_admin_new(config, &admin, &err);
	correio_config_free(config);
	if (code == CORREIO_OK)
		code = correio_admin_alter_configs(admin, CORREIO_RESOURCE_BROKER, resource_name(CORREIO_RESOURCE_BROKER, name), entries, count,
			&err);
	correio_admin_free(admin);
	return code == CORREIO_OK ? CLI_OK : cli_fail(&a->common, &err);
}

static int alter_topic(const struct alter_args *a, const char *name, const struct correio_entry *entries, size_t count)
{
	int status;
	struct topic_store *store = topic_store_open(&a->common, &status);
	if (store == NULL)
		return status;
	struct correio_error err;
	status = CLI_OK;
	if (store->ops->alter_configs(store, name, entries, count, &err) != CORREIO_OK) {
		topic_store_suggest_config(entries, count, &err);
		topic_store_suggest(store, name, &err);
		status = cli_fail(&a->common, &err);
	}
	topic_store_close(store);
	return status;
}

static int alter(const struct cli_command *command, const struct alter_args *a, enum correio_resource type, const char *name)
{
	size_t count = a->set.count + a->removed.count;
	if (count == 0)
		return cli_usage(command, "nothing to alter: give --set KEY=VALUE or --remove KEY");
	if (type == CORREIO_RESOURCE_BROKER && a->common.zookeeper != NULL)
		return cli_usage(command, "a broker's settings are altered through a broker: use --bootstrap-server");
	struct correio_entry *entries = cli_entries(command, &a->set, a->removed.count);
	if (entries == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < a->removed.count; i++)
		entries[a->set.count + i] = (struct correio_entry){.key = check_strdup(a->removed.items[i])};
	int status = type == CORREIO_RESOURCE_TOPIC ? alter_topic(a, name, entries, count)
						    : alter_broker(a, name, entries, count);
	cli_entries_free(entries, count);
	if (status == CLI_OK && a->common.json)
		output_json(json_pack("{s:s,s:b}", "name", name, "altered", true));
	else if (status == CLI_OK)
		(void)printf("altered %s %s\n", type == CORREIO_RESOURCE_TOPIC ? "topic" : "broker", name);
	return status;
}

int cmd_config_alter(const struct cli_command *command, int argc, char **argv)
{
	struct alter_args a = {.set = {.count = 0}};
	const struct cli_option options[] = {
		{"--set", CLI_LIST, "KEY=VALUE", &a.set, "set it; may be repeated", 0, 0},
		{"--remove", CLI_LIST, "KEY", &a.removed, "back to the default; may be repeated", 0, 0},
		CLI_ZOOKEEPER_OPTION(&a.common),
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	enum correio_resource type;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 2, 2, &status) &&
		resource_of(command, parsed.positional[0], &type, &status))
		status = alter(command, &a, type, parsed.positional[1]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
