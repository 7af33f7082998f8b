#include "tools/assignment.h"
#include "tools/commands.h"
#include "tools/topic_print.h"
#include "tools/topic_store.h"
#include "tools/output.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))

/* ---- create ---- */

struct create_args {
	struct cli_common common;
	int64_t partitions, replication_factor;
	const char *assignment;
	struct cli_list configs;
	bool if_not_exists, validate_only, wait_for_brokers;
};

static void print_created(const struct create_args *a, const char *topic, const struct correio_topic_created *created)
{
	struct uuid id;
	char text[UUID_TEXT_SIZE];
	memcpy(id.b, created->topic_id, sizeof(id.b));
	uuid_format(&id, text);
	if (a->common.json)
		output_json(json_pack("{s:s,s:s,s:i,s:i,s:b}", "topic", topic, "topic_id", text, "partitions",
			(int)created->partitions, "replication_factor", (int)created->replication_factor, "pending",
			created->pending));
	else if (a->validate_only)
		(void)printf("topic %s could be created\n", topic);
	else if (created->pending)
		(void)printf("topic %s is pending: it waits for %d live brokers; the controller places it when they have "
			     "joined (correio topic delete %s cancels it)\n",
			topic, (int)created->replication_factor, topic);
	else
		(void)printf("created topic %s: %d partitions, replication factor %d, id %s\n", topic,
			(int)created->partitions, (int)created->replication_factor, text);
}

static int create_topic(const struct cli_command *command, const struct create_args *a, const char *name)
{
	struct assignment assignment = {.count = 0};
	char why[160];
	if (a->assignment != NULL && (a->partitions > 0 || a->replication_factor > 0))
		return cli_usage(command, "--replica-assignment replaces --partitions and --replication-factor");
	if (a->assignment != NULL && !assignment_parse(a->assignment, &assignment, why, sizeof(why)))
		return cli_usage(command, "--replica-assignment: %s", why);
	struct correio_entry *configs = cli_entries(command, &a->configs, 0);
	int status = configs == NULL ? CLI_USAGE : CLI_OK;
	struct topic_store *store = status == CLI_OK ? topic_store_open(&a->common, &status) : NULL;
	if (store != NULL) {
		struct correio_new_topic topic = {
			.name = name,
			.partitions = (int32_t)a->partitions,
			.replication_factor = (int32_t)a->replication_factor,
			.assignment = assignment.partitions,
			.assignment_count = assignment.count,
			.configs = configs,
			.config_count = a->configs.count,
			.validate_only = a->validate_only,
			.pend_if_short = a->wait_for_brokers || a->common.zookeeper != NULL,
		};
		struct correio_topic_created created = {.partitions = 0};
		struct correio_error err;
		int code = store->ops->create(store, &topic, &created, &err);
		status = CLI_OK;
		if (code == CORREIO_OK)
			print_created(a, name, &created);
		else if (code != CORREIO_ERR_TOPIC_ALREADY_EXISTS || !a->if_not_exists) {
			topic_store_suggest_config(configs, a->configs.count, &err);
			status = cli_fail(&a->common, &err);
		}
	}
	topic_store_close(store);
	cli_entries_free(configs, a->configs.count);
	assignment_free(&assignment);
	return status;
}

int cmd_topic_create(const struct cli_command *command, int argc, char **argv)
{
	struct create_args a = {.partitions = -1, .replication_factor = -1};
	const struct cli_option options[] = {
		{"--partitions", CLI_NUMBER, "N", &a.partitions, "partitions (default: the broker's num.partitions)", 1, 1000000},
		{"--replication-factor", CLI_NUMBER, "N", &a.replication_factor,
			"replicas of each (default: default.replication.factor)", 1, 32767},
		{"--replica-assignment", CLI_TEXT, "A:B,C:D", &a.assignment,
			"brokers of each partition, the preferred leader first", 0, 0},
		{"--config", CLI_LIST, "KEY=VALUE", &a.configs, "a topic setting; may be repeated", 0, 0},
		{"--if-not-exists", CLI_FLAG, NULL, &a.if_not_exists, "succeed when it exists already", 0, 0},
		{"--wait-for-brokers", CLI_FLAG, NULL, &a.wait_for_brokers,
			"too few live brokers: leave it pending (always so with --zookeeper)", 0, 0},
		{"--validate-only", CLI_FLAG, NULL, &a.validate_only, "check, change nothing", 0, 0},
		CLI_ZOOKEEPER_OPTION(&a.common),
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 1, 1, &status))
		status = create_topic(command, &a, parsed.positional[0]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- list and describe ---- */

static int list_topics(struct topic_store *store, const struct cli_common *common, bool with_internal)
{
	struct topic_set set;
	struct correio_error err;
	if (store->ops->describe(store, NULL, &set, &err) != CORREIO_OK)
		return cli_fail(common, &err);
	if (common->json) {
		json_t *list = json_array();
		for (size_t i = 0; i < set.count; i++)
			if (with_internal || !set.topics[i].internal)
				(void)json_array_append_new(list, topic_print_json_summary(&set.topics[i]));
		output_json(list);
	} else {
		static const char *const headers[] = {"TOPIC", "PARTITIONS", "REPLICATION", "STATE", NULL};
		struct table *t = table_new(headers);
		for (size_t i = 0; i < set.count; i++)
			if (with_internal || !set.topics[i].internal)
				topic_print_row(t, &set.topics[i]);
		table_print_free(t);
	}
	topic_set_free(&set);
	return CLI_OK;
}

int cmd_topic_list(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	bool exclude_internal = false;
	const struct cli_option options[] = {
		{"--exclude-internal", CLI_FLAG, NULL, &exclude_internal, "leave out topics that begin with __", 0, 0},
		CLI_ZOOKEEPER_OPTION(&common),
		CLI_COMMON_OPTIONS(&common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 0, 0, &status)) {
		struct topic_store *store = topic_store_open(&common, &status);
		if (store != NULL)
			status = list_topics(store, &common, !exclude_internal);
		topic_store_close(store);
	}
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* One topic, or all with name NULL. With --json appends to list. */
static int describe_topic(struct topic_store *store, const struct cli_common *common, const char *name, json_t *list)
{
	struct topic_set set;
	struct correio_error err;
	if (store->ops->describe(store, name, &set, &err) != CORREIO_OK) {
		if (name != NULL)
			topic_store_suggest(store, name, &err);
		return cli_fail(common, &err);
	}
	for (size_t i = 0; i < set.count; i++) {
		if (common->json)
			(void)json_array_append_new(list, topic_print_json(&set.topics[i]));
		else
			topic_print_text(&set.topics[i]);
	}
	topic_set_free(&set);
	return CLI_OK;
}

int cmd_topic_describe(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	const struct cli_option options[] = {
		CLI_ZOOKEEPER_OPTION(&common),
		CLI_COMMON_OPTIONS(&common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	struct topic_store *store = topic_store_open(&common, &status);
	if (store != NULL) {
		json_t *list = json_array();
		status = CLI_OK;
		if (parsed.positional_count == 0)
			status = describe_topic(store, &common, NULL, list);
		for (size_t i = 0; i < parsed.positional_count; i++) {
			int one = describe_topic(store, &common, parsed.positional[i], list);
			status = one != CLI_OK ? one : status;
		}
		if (common.json)
			output_json(list);
		else
			json_decref(list);
	}
	topic_store_close(store);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- alter and delete ---- */

struct alter_args {
	struct cli_common common;
	int64_t partitions;
	const char *assignment;
	struct cli_list configs, deleted;
};

static int alter_configs(const struct cli_command *command, struct topic_store *store, const struct alter_args *a,
	const char *name)
{
	size_t count = a->configs.count + a->deleted.count;
	if (count == 0)
		return CLI_OK;
	struct correio_entry *entries = cli_entries(command, &a->configs, a->deleted.count);
	if (entries == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < a->deleted.count; i++)
		entries[a->configs.count + i] = (struct correio_entry){.key = check_strdup(a->deleted.items[i])};
	struct correio_error err;
	int code = store->ops->alter_configs(store, name, entries, count, &err);
	if (code != CORREIO_OK)
		topic_store_suggest_config(entries, count, &err);
	cli_entries_free(entries, count);
	if (code == CORREIO_OK)
		return CLI_OK;
	topic_store_suggest(store, name, &err);
	return cli_fail(&a->common, &err);
}

static int alter_topic(const struct cli_command *command, const struct alter_args *a, const char *name)
{
	struct assignment assignment = {.count = 0};
	char why[160];
	if (a->partitions < 0 && a->configs.count == 0 && a->deleted.count == 0)
		return cli_usage(command, "nothing to alter: give --partitions, --config or --delete-config");
	if (a->assignment != NULL && !assignment_parse(a->assignment, &assignment, why, sizeof(why)))
		return cli_usage(command, "--replica-assignment: %s", why);
	int status;
	struct topic_store *store = topic_store_open(&a->common, &status);
	if (store != NULL) {
		status = alter_configs(command, store, a, name);
		struct correio_error err;
		if (status == CLI_OK && a->partitions > 0 &&
			store->ops->add_partitions(store, name, (int32_t)a->partitions, assignment.partitions,
				assignment.count, &err) != CORREIO_OK) {
			topic_store_suggest(store, name, &err);
			status = cli_fail(&a->common, &err);
		}
		if (status == CLI_OK && a->common.json)
			output_json(json_pack("{s:s,s:b}", "topic", name, "altered", true));
		else if (status == CLI_OK)
			(void)printf("altered topic %s\n", name);
	}
	topic_store_close(store);
	assignment_free(&assignment);
	return status;
}

int cmd_topic_alter(const struct cli_command *command, int argc, char **argv)
{
	struct alter_args a = {.partitions = -1};
	const struct cli_option options[] = {
		{"--partitions", CLI_NUMBER, "N", &a.partitions, "the new number of partitions, larger than now", 1, 1000000},
		{"--replica-assignment", CLI_TEXT, "A:B,C:D", &a.assignment, "brokers of each new partition", 0, 0},
		{"--config", CLI_LIST, "KEY=VALUE", &a.configs, "set a topic setting; may be repeated", 0, 0},
		{"--delete-config", CLI_LIST, "KEY", &a.deleted, "back to the default; may be repeated", 0, 0},
		CLI_ZOOKEEPER_OPTION(&a.common),
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 1, 1, &status))
		status = alter_topic(command, &a, parsed.positional[0]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

static int delete_topic(struct topic_store *store, const struct cli_common *common, const char *name, bool if_exists,
	json_t *list)
{
	struct correio_error err;
	int code = store->ops->delete(store, name, &err);
	if (code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION && if_exists)
		return CLI_OK;
	if (code != CORREIO_OK) {
		topic_store_suggest(store, name, &err);
		return cli_fail(common, &err);
	}
	if (common->json)
		(void)json_array_append_new(list, json_string(name));
	else
		(void)printf("deleted topic %s\n", name);
	return CLI_OK;
}

int cmd_topic_delete(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	bool if_exists = false;
	const struct cli_option options[] = {
		{"--if-exists", CLI_FLAG, NULL, &if_exists, "succeed when there is no such topic", 0, 0},
		CLI_ZOOKEEPER_OPTION(&common),
		CLI_COMMON_OPTIONS(&common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	struct topic_store *store = NULL;
	if (cli_check_positional(command, &parsed, 1, SIZE_MAX, &status))
		store = topic_store_open(&common, &status);
	if (store != NULL) {
		json_t *list = json_array();
		status = CLI_OK;
		for (size_t i = 0; i < parsed.positional_count; i++) {
			int one = delete_topic(store, &common, parsed.positional[i], if_exists, list);
			status = one != CLI_OK ? one : status;
		}
		if (common.json)
			output_json(json_pack("{s:o}", "deleted", list));
		else
			json_decref(list);
	}
	topic_store_close(store);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
