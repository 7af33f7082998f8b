#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/output.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))

static json_t *cluster_json(const struct correio_cluster *c)
{
	json_t *brokers = json_array();
	for (size_t i = 0; i < c->broker_count; i++) {
		const struct correio_broker *b = &c->brokers[i];
		(void)json_array_append_new(brokers, json_pack("{s:i,s:s,s:i,s:s,s:b}", "id", (int)b->id, "host", b->host,
			"port", (int)b->port, "rack", b->rack != NULL ? b->rack : "", "controller", b->id == c->controller_id));
	}
	return json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:o}", "cluster_id", c->cluster_id, "controller_id",
		(int)c->controller_id, "controller_epoch", (int)c->controller_epoch, "topic_count", (int)c->topic_count,
		"partition_count", (int)c->partition_count, "offline_partition_count", (int)c->offline_partition_count,
		"under_replicated_count", (int)c->under_replicated_count, "brokers", brokers);
}

static void cluster_text(const struct correio_cluster *c)
{
	(void)printf("cluster          %s\n", c->cluster_id);
	if (c->controller_id >= 0)
		(void)printf("controller       %d (epoch %d)\n", (int)c->controller_id, (int)c->controller_epoch);
	else
		(void)printf("controller       none\n");
	(void)printf("topics           %u\npartitions       %u\nwithout leader   %u\nunder-replicated %u\n\n", c->topic_count,
		c->partition_count, c->offline_partition_count, c->under_replicated_count);
	static const char *const headers[] = {"BROKER", "ADDRESS", "RACK", "ROLE", NULL};
	struct table *t = table_new(headers);
	for (size_t i = 0; i < c->broker_count; i++) {
		const struct correio_broker *b = &c->brokers[i];
		table_cell(t, "%d", (int)b->id);
		table_cell(t, "%s:%d", b->host, (int)b->port);
		table_cell(t, "%s", b->rack != NULL && b->rack[0] != '\0' ? b->rack : "-");
		table_cell(t, "%s", b->id == c->controller_id ? "controller" : "");
	}
	table_print_free(t);
}

static int describe(const struct cli_common *common)
{
	struct correio_config *config = cli_client_config(common);
	if (config == NULL)
		return CLI_FAILED;
	struct correio_admin *admin = NULL;
	struct correio_cluster *cluster = NULL;
	struct correio_error err;
	int code = correio_admin_new(config, &admin, &err);
	correio_config_free(config);
	if (code == CORREIO_OK)
		code = correio_admin_describe_cluster(admin, &cluster, &err);
	if (code == CORREIO_OK && common->json)
		output_json(cluster_json(cluster));
	else if (code == CORREIO_OK)
		cluster_text(cluster);
	correio_cluster_free(cluster);
	correio_admin_free(admin);
	return code == CORREIO_OK ? CLI_OK : cli_fail(common, &err);
}

int cmd_cluster_describe(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	const struct cli_option options[] = {CLI_COMMON_OPTIONS(&common)};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 0, 0, &status))
		status = describe(&common);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
