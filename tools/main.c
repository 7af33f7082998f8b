/* correio: one program, its commands in one table. A new command is a row and a cmd_*.c. */
#include "tools/commands.h"
#include "tools/cli.h"

static const struct cli_command commands[] = {
	{"topic", "create", "TOPIC [options]", "Creates a topic.",
		"  correio topic create user_activity --partitions 3 --replication-factor 3\n"
		"  correio topic create clicks --partitions 1 --config retention.ms=86400000\n"
		"  correio topic create placed --replica-assignment 0:1,1:2 --zookeeper localhost:2181\n",
		cmd_topic_create, NULL},
	{"topic", "list", "[options]", "Lists topics, those that wait for brokers too.",
		"  correio topic list\n  correio topic list --zookeeper localhost:2181/kafka --json\n", cmd_topic_list, NULL},
	{"topic", "describe", "[TOPIC...] [options]", "Shows partitions, leaders, replicas and settings.",
		"  correio topic describe user_activity\n", cmd_topic_describe, NULL},
	{"topic", "alter", "TOPIC [options]", "Adds partitions, sets or removes settings.",
		"  correio topic alter user_activity --partitions 6\n"
		"  correio topic alter user_activity --config retention.ms=3600000 --delete-config cleanup.policy\n",
		cmd_topic_alter, NULL},
	{"topic", "delete", "TOPIC... [options]", "Deletes topics; one that waits for brokers is cancelled.",
		"  correio topic delete user_activity\n", cmd_topic_delete, NULL},
	{NULL, "produce", "TOPIC [options]", "Sends the lines of standard input, one record each.",
		"  echo 'alice:signed in' | correio produce user_activity --key-separator :\n"
		"  correio produce logs --acks 1 --compression zstd < big.log\n",
		cmd_produce, NULL},
	{NULL, "consume", "TOPIC [options]", "Prints records, one a line.",
		"  correio consume user_activity --from-beginning --max-messages 10\n"
		"  correio consume user_activity --partition 0 --offset 42 --print-key --print-offset\n"
		"  correio consume user_activity --group billing --from-beginning\n",
		cmd_consume, NULL},
	{"group", "list", "[options]", "Lists consumer groups.", "  correio group list\n", cmd_group_list, NULL},
	{"group", "describe", "GROUP... [options]", "Shows members, assignment, offsets and lag of consumer groups.",
		"  correio group describe billing\n  correio group describe billing --json\n", cmd_group_describe, NULL},
	{"group", "reset-offsets", "GROUP [options]", "Sets where a group without members goes on; shows it first.",
		"  correio group reset-offsets billing --topic user_activity --to-earliest\n"
		"  correio group reset-offsets billing --topic user_activity:0,2 --shift-by -10 --execute\n"
		"  correio group reset-offsets billing --all-topics --by-duration PT1H --execute\n"
		"  correio group reset-offsets billing --all-topics --to-current --export > offsets.csv\n",
		cmd_group_reset_offsets, NULL},
	{"group", "delete", "GROUP... [options]", "Deletes groups without members, and their offsets.",
		"  correio group delete billing\n", cmd_group_delete, NULL},
	{"group", "delete-offsets", "GROUP --topic TOPIC[:P,...] [options]", "Forgets offsets of topics no member reads.",
		"  correio group delete-offsets billing --topic user_activity\n", cmd_group_delete_offsets, NULL},
	{"cluster", "describe", "[options]", "Shows brokers, controller and what is offline.",
		"  correio cluster describe --bootstrap-server localhost:9092\n", cmd_cluster_describe, NULL},
	{"config", "describe", "topic|broker NAME [options]", "Shows the settings of a topic or a broker.",
		"  correio config describe topic user_activity\n  correio config describe broker 1 --all\n",
		cmd_config_describe, NULL},
	{"config", "alter", "topic|broker NAME [options]", "Sets or removes settings; the others stay.",
		"  correio config alter topic user_activity --set retention.ms=3600000 --remove cleanup.policy\n"
		"  correio config alter broker default --set log.retention.ms=3600000\n",
		cmd_config_alter, NULL},
	{"log", "dump", "PATH... [options]", "Reads log files offline and verifies them.",
		"  correio log dump data/user_activity-0/00000000000000000000.log --records\n"
		"  correio log dump data/user_activity-0 --json\n",
		cmd_log_dump, NULL},
	{"bench", "produce", "[options]", "Measures producing: throughput, latency, CPU.",
		"  correio bench produce --topic load --num-records 10000000 --record-size 100 --verify-ids\n",
		cmd_bench_produce, NULL},
	{"bench", "consume", "[options]", "Measures consuming; proves order and completeness with --verify.",
		"  correio bench consume --topic load --num-records 10000000 --verify\n", cmd_bench_consume, NULL},
	{"bench", "latency", "[options]", "Measures the time from send to acknowledgement and to the consumer.",
		"  correio bench latency --topic load --num-records 1000 --rate 200\n", cmd_bench_latency, NULL},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *file, const char *group)
{
	if (group == NULL)
		(void)fputs("Usage: correio COMMAND [options]\n\nWorks with a Correio cluster through a broker "
			    "(--bootstrap-server)\nor, for topics and their settings, straight on ZooKeeper "
			    "(--zookeeper).\n\nCommands:\n",
			file);
	else
		(void)fprintf(file, "Usage: correio %s COMMAND [options]\n\nCommands:\n", group);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct cli_command *c = &commands[i];
		char words[64];
		if (group != NULL && (c->group == NULL || strcmp(c->group, group) != 0))
			continue;
		(void)snprintf(words, sizeof(words), "%s%s%s", c->group != NULL ? c->group : "",
			c->group != NULL ? " " : "", c->name);
		(void)fprintf(file, "  %-20s %s\n", words, c->summary);
	}
	(void)fputs("\n  correio COMMAND --help tells more. Exit status: 0 done, 1 failed, 64 wrong usage.\n", file);
}

/* First words: groups and commands without one. */
static int unknown_word(const char *word, const char *group)
{
	const char *words[COMMAND_COUNT];
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct cli_command *c = &commands[i];
		if (group != NULL)
			words[i] = c->group != NULL && strcmp(c->group, group) == 0 ? c->name : NULL;
		else
			words[i] = c->group != NULL ? c->group : c->name;
	}
	const char *nearest = cli_nearest(word, words, COMMAND_COUNT);
	(void)fprintf(stderr, "correio: there is no command '%s%s%s'", group != NULL ? group : "", group != NULL ? " " : "",
		word);
	if (nearest != NULL)
		(void)fprintf(stderr, "; did you mean %s?", nearest);
	(void)fputs("\nTry: correio --help\n", stderr);
	return CLI_USAGE;
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].group != NULL && strcmp(commands[i].group, word) == 0)
			return true;
	return false;
}

static bool asks_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || asks_help(argv[1])) {
		print_usage(argc < 2 ? stderr : stdout, NULL);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("correio %s\n", correio_version());
		return CLI_OK;
	}
	const char *group = is_group(argv[1]) ? argv[1] : NULL;
	if (group != NULL && (argc < 3 || asks_help(argv[2]))) {
		print_usage(argc < 3 ? stderr : stdout, group);
		return argc < 3 ? CLI_USAGE : CLI_OK;
	}
	const char *name = group != NULL ? argv[2] : argv[1];
	int skip = group != NULL ? 3 : 2;
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct cli_command *c = &commands[i];
		bool same_group = (group == NULL && c->group == NULL) ||
			(group != NULL && c->group != NULL && strcmp(c->group, group) == 0);
		if (same_group && strcmp(c->name, name) == 0)
			return c->run(c, argc - skip, argv + skip);
	}
	return unknown_word(name, group);
}
