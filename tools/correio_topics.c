/* correio-topics: the flags and the output of Kafka's kafka-topics.sh 3.9, and --zookeeper as its versions before 3.0 had. */
#include "tools/assignment.h"
#include "tools/topic_filter.h"
#include "tools/topic_print.h"
#include "tools/topic_store.h"
#include "base/topic_partition.h"
#include <stdarg.h>

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { IDS_SIZE = 512 };

struct topics_args {
	struct cli_common common;
	bool create, delete, describe, list, alter;
	const char *topic, *topic_id, *partitions_text, *factor_text, *assignment;
	struct cli_list configs, deleted_configs;
	bool if_exists, if_not_exists, exclude_internal, version, force;
	bool with_overrides, under_replicated, unavailable, at_min_isr, under_min_isr;
	const char *partition_limit;
};

static const struct cli_command command = {
	.arguments = "--create|--delete|--describe|--list|--alter [options]",
	.summary = "This tool helps to create, delete, describe, or change a topic.",
	.examples = "  correio-topics --create --topic user_activity --bootstrap-server localhost:9092 --partitions 3 "
		    "--replication-factor 3\n"
		    "  correio-topics --describe --topic user_activity --zookeeper localhost:2181\n",
	.program = "correio-topics",
};

/* ---- errors, as Kafka prints them ---- */

static int wrong_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int wrong_usage(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputs("\nTry: correio-topics --help\n", stderr);
	return CLI_FAILED;
}

static int failed(const char *message)
{
	(void)printf("Error while executing topic command : %s\n", message);
	return CLI_FAILED;
}

/* ---- what goes with what ---- */

enum { CREATE = 1, DELETE = 2, DESCRIBE = 4, LIST = 8, ALTER = 16 };
static const struct {
	int action;
	const char *name;
} actions[] = {{CREATE, "create"}, {DELETE, "delete"}, {DESCRIBE, "describe"}, {LIST, "list"}, {ALTER, "alter"}};

static int action_of(const struct topics_args *a)
{
	return (a->create ? CREATE : 0) | (a->delete ? DELETE : 0) | (a->describe ? DESCRIBE : 0) | (a->list ? LIST : 0) |
		(a->alter ? ALTER : 0);
}

static const char *action_name(int action)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		if (actions[i].action == action)
			return actions[i].name;
	return "";
}

static int check_combinations(const struct topics_args *a, int action)
{
	const struct {
		bool given;
		const char *name;
		int allowed;
	} rules[] = {
		{a->configs.count > 0, "config", CREATE | (a->common.zookeeper != NULL ? ALTER : 0)},
		{a->deleted_configs.count > 0, "delete-config", a->common.zookeeper != NULL ? ALTER : 0},
		{a->partitions_text != NULL, "partitions", CREATE | ALTER},
		{a->factor_text != NULL, "replication-factor", CREATE},
		{a->assignment != NULL, "replica-assignment", CREATE | ALTER},
		{a->if_exists, "if-exists", ALTER | DELETE | DESCRIBE},
		{a->if_not_exists, "if-not-exists", CREATE},
		{a->exclude_internal, "exclude-internal", LIST | DESCRIBE},
		{a->with_overrides, "topics-with-overrides", DESCRIBE},
		{a->under_replicated, "under-replicated-partitions", DESCRIBE},
		{a->unavailable, "unavailable-partitions", DESCRIBE},
		{a->at_min_isr, "at-min-isr-partitions", DESCRIBE},
		{a->under_min_isr, "under-min-isr-partitions", DESCRIBE},
		{a->topic_id != NULL, "topic-id", DESCRIBE},
	};
	for (size_t i = 0; i < COUNT(rules); i++) {
		if (!rules[i].given || (rules[i].allowed & action) != 0)
			continue;
		if (action == ALTER && strstr(rules[i].name, "config") != NULL)
			return wrong_usage("Option combination \"[[bootstrap-server], [%s]]\" can't be used with option "
					   "\"[alter]\" (use correio config alter)",
				rules[i].name);
		return wrong_usage("Option \"[%s]\" can't be used with option \"[%s]\"", rules[i].name, action_name(action));
	}
	if (a->create && a->assignment != NULL && (a->partitions_text != NULL || a->factor_text != NULL))
		return wrong_usage("Option \"[replica-assignment]\" can't be used with option \"[%s]\"",
			a->partitions_text != NULL ? "partitions" : "replication-factor");
	return CLI_OK;
}

static int check_args(const struct topics_args *a)
{
	int action = action_of(a);
	if (action_name(action)[0] == '\0')
		return wrong_usage("Command must include exactly one action: --list, --describe, --create, --alter or --delete");
	if (a->common.bootstrap == NULL && a->common.zookeeper == NULL)
		return wrong_usage("--bootstrap-server must be specified (or --zookeeper, to work without a broker)");
	if (a->common.bootstrap != NULL && a->common.zookeeper != NULL)
		return wrong_usage("Only one of --bootstrap-server or --zookeeper must be specified");
	bool needs_topic = action != LIST && (action != DESCRIBE || (a->if_exists && a->topic_id == NULL));
	if (needs_topic && a->topic == NULL)
		return wrong_usage("Missing required argument \"[topic]\"");
	bool config_change = a->configs.count > 0 || a->deleted_configs.count > 0;
	if (action == ALTER && a->partitions_text == NULL && !(a->common.zookeeper != NULL && config_change))
		return wrong_usage("Missing required argument \"[partitions]\"");
	return check_combinations(a, action);
}

static bool parse_number(const char *text, const char *option, int64_t *ret_number, int *ret_status)
{
	if (text == NULL || bytes_parse_i64(slice_of_str(text), ret_number) == STATUS_OK)
		return true;
	*ret_status = wrong_usage("Cannot parse argument '%s' of option %s", text, option);
	return false;
}

/* ---- create ---- */

static int report_created(const struct topics_args *a, int code, const struct correio_topic_created *created,
	const struct correio_error *err)
{
	if (code == CORREIO_ERR_TOPIC_ALREADY_EXISTS && a->if_not_exists)
		return CLI_OK;
	if (code == CORREIO_ERR_TOPIC_ALREADY_EXISTS && strstr(err->message, "collides") == NULL) {
		char text[TOPIC_NAME_MAX + 64];
		(void)snprintf(text, sizeof(text), "Topic '%s' already exists.", a->topic);
		return failed(text);
	}
	if (code != CORREIO_OK)
		return failed(err->message);
	if (created->pending)
		(void)printf("Topic %s is pending: it waits for %d live brokers and is created when they have joined "
			     "(--delete cancels it).\n",
			a->topic, (int)created->replication_factor);
	else
		(void)printf("Created topic %s.\n", a->topic);
	return CLI_OK;
}

static int create_topic(const struct topics_args *a, struct topic_store *store)
{
	int64_t partitions = -1, factor = -1;
	int status;
	struct assignment assignment = {.count = 0};
	char why[160];
	if (!parse_number(a->partitions_text, "partitions", &partitions, &status) ||
		!parse_number(a->factor_text, "replication-factor", &factor, &status))
		return status;
	if (strpbrk(a->topic, "._") != NULL)
		(void)puts("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could "
			   "collide. To avoid issues it is best to use either, but not both.");
	if (a->factor_text != NULL && (factor < 1 || factor > INT16_MAX))
		return failed("The replication factor must be between 1 and 32767 inclusive");
	if (a->partitions_text != NULL && (partitions < 1 || partitions > INT32_MAX))
		return failed("The partitions must be greater than 0");
	if (a->assignment != NULL && !assignment_parse(a->assignment, &assignment, why, sizeof(why)))
		return failed(why);
	struct correio_entry *configs = cli_entries(&command, &a->configs, 0);
	status = CLI_FAILED;
	if (configs != NULL) {
		struct correio_new_topic topic = {
			.name = a->topic,
			.partitions = (int32_t)partitions,
			.replication_factor = (int32_t)factor,
			.assignment = assignment.partitions,
			.assignment_count = assignment.count,
			.configs = configs,
			.config_count = a->configs.count,
			.pend_if_short = a->common.zookeeper != NULL,
		};
		struct correio_topic_created created = {.partitions = 0};
		struct correio_error err = {.code = 0};
		int code = store->ops->create(store, &topic, &created, &err);
		if (code != CORREIO_OK)
			topic_store_suggest_config(configs, a->configs.count, &err);
		status = report_created(a, code, &created, &err);
	}
	cli_entries_free(configs, a->configs.count);
	assignment_free(&assignment);
	return status;
}

/* ---- the topics meant ---- */

/* Those of all that --topic (a regular expression, as Kafka's) and --exclude-internal leave. Freed by the caller. */
static const struct correio_topic **select_topics(const struct topics_args *a, const struct topic_set *set, size_t *ret_count)
{
	const struct correio_topic **chosen =
		(const struct correio_topic **)check_calloc(set->count + 1, sizeof(const struct correio_topic *));
	struct topic_filter *filter = a->topic != NULL ? topic_filter_new(a->topic) : NULL;
	size_t n = 0;
	for (size_t i = 0; i < set->count; i++) {
		const struct correio_topic *t = &set->topics[i];
		if (a->exclude_internal && t->internal)
			continue;
		if (a->topic == NULL || (filter != NULL && topic_filter_matches(filter, t->name)))
			chosen[n++] = t;
	}
	topic_filter_free(filter);
	*ret_count = n;
	return chosen;
}

static int not_there(const struct topics_args *a, const struct topic_set *set)
{
	char text[TOPIC_NAME_MAX + 64];
	(void)snprintf(text, sizeof(text), "Topic '%s' does not exist as expected", a->topic);
	int status = failed(text);
	const char **names = (const char **)check_calloc(set->count + 1, sizeof(const char *));
	for (size_t i = 0; i < set->count; i++)
		names[i] = set->topics[i].name;
	const char *nearest = cli_nearest(a->topic, names, set->count);
	if (nearest != NULL)
		(void)fprintf(stderr, "Did you mean %s?\n", nearest);
	free(names);
	return status;
}

/* ---- list ---- */

static void list_topics(const struct correio_topic **topics, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf("%s%s%s\n", topics[i]->name, topics[i]->marked_for_deletion ? " - marked for deletion" : "",
			topics[i]->pending ? " - pending" : "");
	if (count == 0)
		(void)puts("");
}

/* ---- describe ---- */

static void print_topic_line(const struct correio_topic *t)
{
	char id[UUID_TEXT_SIZE];
	topic_print_id(t, id);
	(void)printf("Topic: %s", t->name);
	if (!t->pending)
		(void)printf("\tTopicId: %s", id);
	(void)printf("\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: ",
		(int)(t->pending ? t->wanted_partitions : t->partition_count), (int)topic_replication_factor(t));
	for (size_t i = 0; i < t->override_count; i++)
		(void)printf("%s%s=%s", i > 0 ? "," : "", t->overrides[i].key, t->overrides[i].value);
	(void)printf("%s%s\n", t->marked_for_deletion ? "\tMarkedForDeletion: true" : "",
		t->pending ? "\tPending: waits for brokers" : "");
}

static void print_partition_line(const struct correio_topic *t, const struct correio_partition *p)
{
	char ids[IDS_SIZE];
	(void)printf("\tTopic: %s\tPartition: %d\tLeader: ", t->name, (int)p->partition);
	if (p->leader < 0)
		(void)fputs("none", stdout);
	else
		(void)printf("%d", (int)p->leader);
	output_ids(p->replicas.ids, p->replicas.count, ids, sizeof(ids));
	(void)printf("\tReplicas: %s", ids);
	output_ids(p->isr.ids, p->isr.count, ids, sizeof(ids));
	(void)printf("\tIsr: %s\tElr: N/A\tLastKnownElr: N/A%s\n", ids,
		t->marked_for_deletion ? "\tMarkedForDeletion: true" : "");
}

static bool any_partition_filter(const struct topics_args *a)
{
	return a->under_replicated || a->unavailable || a->at_min_isr || a->under_min_isr;
}

/* The topic's min.insync.replicas: its own, or what the broker says is in force. */
static int32_t min_isr_of(const struct topics_args *a, const struct correio_topic *t)
{
	static const char key[] = "min.insync.replicas";
	int32_t value = 1;
	for (size_t i = 0; i < t->override_count; i++)
		if (strcmp(t->overrides[i].key, key) == 0 &&
			bytes_parse_i32(slice_of_str(t->overrides[i].value), &value) == STATUS_OK)
			return value;
	if (a->common.zookeeper != NULL)
		return value;
	struct correio_config *config = cli_client_config(&a->common);
	struct correio_admin *admin = NULL;
	struct correio_configs *configs = NULL;
	if (config != NULL && correio_admin_new(config, &admin, NULL) == CORREIO_OK &&
		correio_admin_describe_configs(admin, CORREIO_RESOURCE_TOPIC, t->name, &configs, NULL) == CORREIO_OK) {
		for (size_t i = 0; i < correio_configs_count(configs); i++) {
			const struct correio_config_row *row = correio_configs_at(configs, i);
			if (strcmp(row->key, key) == 0 && bytes_parse_i32(slice_of_str(row->value), &value) != STATUS_OK)
				value = 1;
		}
	}
	correio_configs_free(configs);
	correio_admin_free(admin);
	correio_config_free(config);
	return value;
}

static bool wanted_partition(const struct topics_args *a, const struct correio_partition *p, int32_t min_isr)
{
	if (!any_partition_filter(a))
		return true;
	return (a->under_replicated && p->isr.count < p->replicas.count) || (a->unavailable && p->leader < 0) ||
		(a->at_min_isr && p->isr.count == min_isr) || (a->under_min_isr && p->isr.count < min_isr);
}

static void describe_topic(const struct topics_args *a, const struct correio_topic *t)
{
	bool show_topic = !any_partition_filter(a) && (!a->with_overrides || t->override_count > 0);
	if (show_topic)
		print_topic_line(t);
	if (a->with_overrides)
		return;
	int32_t min_isr = a->at_min_isr || a->under_min_isr ? min_isr_of(a, t) : 1;
	for (int32_t i = 0; i < t->partition_count; i++)
		if (wanted_partition(a, &t->partitions[i], min_isr))
			print_partition_line(t, &t->partitions[i]);
}

/* By --topic-id, which wins over the name. */
static int describe_by_id(const struct topics_args *a, const struct topic_set *set)
{
	struct uuid id;
	if (uuid_parse(slice_of_str(a->topic_id), &id) != STATUS_OK)
		return failed("the topic id is not 22 characters of base64");
	for (size_t i = 0; i < set->count; i++) {
		if (memcmp(set->topics[i].topic_id, id.b, sizeof(id.b)) == 0 && !set->topics[i].pending) {
			describe_topic(a, &set->topics[i]);
			return CLI_OK;
		}
	}
	char text[128];
	(void)snprintf(text, sizeof(text), "TopicId '%.40s' does not exist as expected", a->topic_id);
	return a->if_exists ? CLI_OK : failed(text);
}

/* ---- alter and delete ---- */

static int alter_configs(const struct topics_args *a, struct topic_store *store, const char *name)
{
	size_t count = a->configs.count + a->deleted_configs.count;
	if (count == 0)
		return CLI_OK;
	struct correio_entry *entries = cli_entries(&command, &a->configs, a->deleted_configs.count);
	if (entries == NULL)
		return CLI_FAILED;
	for (size_t i = 0; i < a->deleted_configs.count; i++)
		entries[a->configs.count + i] =
			(struct correio_entry){.key = check_strdup(a->deleted_configs.items[i])};
	struct correio_error err;
	int code = store->ops->alter_configs(store, name, entries, count, &err);
	if (code != CORREIO_OK)
		topic_store_suggest_config(entries, count, &err);
	cli_entries_free(entries, count);
	if (code != CORREIO_OK)
		return failed(err.message);
	(void)printf("Updated config for topic %s.\n", name);
	return CLI_OK;
}

static int alter_topic(const struct topics_args *a, struct topic_store *store, const struct correio_topic *t)
{
	int64_t partitions = -1;
	int status;
	struct assignment assignment = {.count = 0};
	char why[160];
	if (!parse_number(a->partitions_text, "partitions", &partitions, &status))
		return status;
	status = alter_configs(a, store, t->name);
	if (status != CLI_OK || a->partitions_text == NULL)
		return status;
	if (partitions < 1 || partitions > INT32_MAX)
		return failed("The partitions must be greater than 0");
	if (a->assignment != NULL && !assignment_parse(a->assignment, &assignment, why, sizeof(why)))
		return failed(why);
	/* Kafka's tool takes the assignment of all partitions and drops those there are. */
	int32_t have = assignment.count > t->partition_count ? t->partition_count : assignment.count;
	struct correio_error err;
	int code = store->ops->add_partitions(store, t->name, (int32_t)partitions,
		assignment.count > have ? assignment.partitions + have : NULL, assignment.count - have, &err);
	assignment_free(&assignment);
	return code == CORREIO_OK ? CLI_OK : failed(err.message);
}

static int delete_topic(const struct topics_args *a, struct topic_store *store, const struct correio_topic *t)
{
	struct correio_error err;
	if (store->ops->delete(store, t->name, &err) != CORREIO_OK)
		return failed(err.message);
	if (t->pending)
		(void)printf("Pending topic %s is cancelled.\n", t->name);
	else if (a->common.zookeeper != NULL)
		(void)printf("Topic %s is marked for deletion.\n", t->name);
	return CLI_OK;
}

/* ---- main ---- */

static int run_on_topics(const struct topics_args *a, struct topic_store *store)
{
	struct topic_set set;
	struct correio_error err;
	if (store->ops->describe(store, NULL, &set, &err) != CORREIO_OK)
		return failed(err.message);
	int status = CLI_OK;
	size_t count;
	const struct correio_topic **topics = select_topics(a, &set, &count);
	if (a->describe && a->topic_id != NULL) {
		status = describe_by_id(a, &set);
	} else if (a->list) {
		list_topics(topics, count);
	} else if (count == 0 && a->topic != NULL && !a->if_exists) {
		status = not_there(a, &set);
	} else {
		for (size_t i = 0; i < count && status == CLI_OK; i++) {
			if (a->describe)
				describe_topic(a, topics[i]);
			else
				status = a->alter ? alter_topic(a, store, topics[i]) : delete_topic(a, store, topics[i]);
		}
	}
	free(topics);
	topic_set_free(&set);
	return status;
}

static int run(const struct topics_args *a)
{
	if (a->version) {
		(void)printf("correio-topics %s\n", correio_version());
		return CLI_OK;
	}
	int status = check_args(a);
	if (status != CLI_OK)
		return status;
	struct topic_store *store = topic_store_open(&a->common, &status);
	if (store == NULL)
		return CLI_FAILED;
	status = a->create ? create_topic(a, store) : run_on_topics(a, store);
	topic_store_close(store);
	return status;
}

int main(int argc, char **argv)
{
	struct topics_args a = {.create = false};
	const struct cli_option options[] = {
		{"--create", CLI_FLAG, NULL, &a.create, "Create a new topic.", 0, 0},
		{"--delete", CLI_FLAG, NULL, &a.delete, "Delete a topic.", 0, 0},
		{"--describe", CLI_FLAG, NULL, &a.describe, "List details for the given topics.", 0, 0},
		{"--list", CLI_FLAG, NULL, &a.list, "List all available topics.", 0, 0},
		{"--alter", CLI_FLAG, NULL, &a.alter, "Alter the number of partitions and replica assignment.", 0, 0},
		{"--topic", CLI_TEXT, "TOPIC", &a.topic,
			"The topic; except with --create also a regular expression.", 0, 0},
		{"--topic-id", CLI_TEXT, "ID", &a.topic_id, "The id of the topic to describe.", 0, 0},
		{"--partitions", CLI_TEXT, "N", &a.partitions_text, "Partitions of a new topic, or the new number.", 0, 0},
		{"--replication-factor", CLI_TEXT, "N", &a.factor_text, "Replicas of each partition.", 0, 0},
		{"--replica-assignment", CLI_TEXT, "A:B,C:D", &a.assignment, "Brokers of each partition.", 0, 0},
		{"--config", CLI_LIST, "KEY=VALUE", &a.configs, "A topic setting; may be repeated.", 0, 0},
		{"--delete-config", CLI_LIST, "KEY", &a.deleted_configs, "Back to the default (with --zookeeper).", 0, 0},
		{"--if-exists", CLI_FLAG, NULL, &a.if_exists, "Succeed when the topic does not exist.", 0, 0},
		{"--if-not-exists", CLI_FLAG, NULL, &a.if_not_exists, "Succeed when the topic exists.", 0, 0},
		{"--exclude-internal", CLI_FLAG, NULL, &a.exclude_internal, "Leave out internal topics.", 0, 0},
		{"--topics-with-overrides", CLI_FLAG, NULL, &a.with_overrides, "Only topics with settings of their own.", 0, 0},
		{"--under-replicated-partitions", CLI_FLAG, NULL, &a.under_replicated, "Only these partitions.", 0, 0},
		{"--unavailable-partitions", CLI_FLAG, NULL, &a.unavailable, "Only partitions without a leader.", 0, 0},
		{"--at-min-isr-partitions", CLI_FLAG, NULL, &a.at_min_isr, "Only partitions with just enough in sync.", 0, 0},
		{"--under-min-isr-partitions", CLI_FLAG, NULL, &a.under_min_isr, "Only partitions with too few in sync.", 0, 0},
		{"--partition-size-limit-per-response", CLI_TEXT, "N", &a.partition_limit,
			"Accepted; answers are not paged here.", 0, 0},
		{"--force", CLI_FLAG, NULL, &a.force, "Accepted; nothing is asked.", 0, 0},
		{"--version", CLI_FLAG, NULL, &a.version, "Display the version.", 0, 0},
		{"--bootstrap-server", CLI_TEXT, "HOST:PORT[,...]", &a.common.bootstrap, "The brokers to connect to.", 0, 0},
		{"--zookeeper", CLI_TEXT, "HOST:PORT[,...][/CHROOT]", &a.common.zookeeper,
			"Work straight on ZooKeeper; no broker need run.", 0, 0},
		{"--command-config", CLI_TEXT, "FILE", &a.common.command_config, "Client options, key=value lines.", 0, 0},
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(&command, options, COUNT(options), argc - 1, argv + 1, &parsed, &status))
		return status == CLI_OK ? CLI_OK : CLI_FAILED;
	status = cli_check_positional(&command, &parsed, 0, 0, &status) ? run(&a) : CLI_FAILED;
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
