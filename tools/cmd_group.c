/* correio group list, describe, delete, delete-offsets. */
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/group_report.h"
#include "tools/output.h"
#include "tools/partition_list.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))

static const char *or_dash(const char *text)
{
	return text == NULL || text[0] == '\0' ? "-" : text;
}

/* ---- list ---- */

static void print_groups(const struct correio_groups *groups)
{
	static const char *const headers[] = {"GROUP", "STATE", "TYPE", "PROTOCOL", "COORDINATOR", NULL};
	struct table *t = table_new(headers);
	for (size_t i = 0; i < correio_groups_count(groups); i++) {
		const struct correio_listed_group *g = correio_groups_at(groups, i);
		table_cell(t, "%s", g->group);
		table_cell(t, "%s", or_dash(g->state));
		table_cell(t, "%s", or_dash(g->type));
		table_cell(t, "%s", or_dash(g->protocol_type));
		table_cell(t, "%d", (int)g->coordinator);
	}
	table_print_free(t);
}

static json_t *json_groups(const struct correio_groups *groups)
{
	json_t *list = json_array();
	for (size_t i = 0; i < correio_groups_count(groups); i++) {
		const struct correio_listed_group *g = correio_groups_at(groups, i);
		(void)json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:i}", "group", g->group, "state", g->state, "type",
			g->type, "protocol_type", g->protocol_type, "coordinator", (int)g->coordinator));
	}
	return list;
}

int cmd_group_list(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	const struct cli_option options[] = {CLI_COMMON_OPTIONS(&common)};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	struct correio_admin *admin =
		cli_check_positional(command, &parsed, 0, 0, &status) ? cli_admin(&common, NULL, &status) : NULL;
	if (admin != NULL) {
		struct correio_groups *groups;
		struct correio_error err;
		status = CLI_OK;
		if (correio_admin_list_groups(admin, &groups, &err) != CORREIO_OK) {
			status = cli_fail(&common, &err);
		} else {
			if (common.json)
				output_json(json_groups(groups));
			else
				print_groups(groups);
			correio_groups_free(groups);
		}
		correio_admin_free(admin);
	}
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- describe ---- */

static void cell_number(struct table *t, int64_t value)
{
	if (value < 0)
		table_cell(t, "-");
	else
		table_cell(t, "%lld", (long long)value);
}

static void cell_seconds(struct table *t, int64_t ms)
{
	if (ms < 0)
		table_cell(t, "-");
	else
		table_cell(t, "%lld.%lld", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void print_offsets(const struct group_report *r)
{
	static const char *const headers[] = {
		"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "LAG SECONDS", "MEMBER", "HOST", NULL};
	struct table *t = table_new(headers);
	for (size_t i = 0; i < r->row_count; i++) {
		const struct group_row *row = &r->rows[i];
		table_cell(t, "%s", row->topic);
		table_cell(t, "%d", (int)row->partition);
		cell_number(t, row->committed);
		cell_number(t, row->end);
		cell_number(t, row->lag);
		cell_seconds(t, row->lag_ms);
		table_cell(t, "%s", row->member == NULL ? "-" : row->member->member_id);
		table_cell(t, "%s", row->member == NULL ? "-" : or_dash(row->member->host));
	}
	table_print_free(t);
}

static void print_members(const struct correio_group *g)
{
	static const char *const headers[] = {"MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS", NULL};
	struct table *t = table_new(headers);
	for (size_t i = 0; i < g->member_count; i++) {
		table_cell(t, "%s", g->members[i].member_id);
		table_cell(t, "%s", or_dash(g->members[i].instance_id));
		table_cell(t, "%s", or_dash(g->members[i].client_id));
		table_cell(t, "%s", or_dash(g->members[i].host));
		table_cell(t, "%zu", g->members[i].assignment_count);
	}
	table_print_free(t);
}

static void print_report(const struct group_report *r)
{
	const struct correio_group *g = r->group;
	(void)printf("group %s\n  state        %s\n  coordinator  %d (%s:%d)\n  assignor     %s\n  members      %zu\n  lag          %lld\n",
		g->group, g->state, (int)g->coordinator, g->coordinator_host, (int)g->coordinator_port, or_dash(g->protocol),
		g->member_count, (long long)r->total_lag);
	if (r->row_count > 0) {
		(void)fputs("\n", stdout);
		print_offsets(r);
	}
	if (g->member_count > 0) {
		(void)fputs("\n", stdout);
		print_members(g);
	}
}

static json_t *json_number(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *json_offsets(const struct group_report *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->row_count; i++) {
		const struct group_row *row = &r->rows[i];
		(void)json_array_append_new(list,
			json_pack("{s:s,s:i,s:o,s:o,s:o,s:o,s:s?}", "topic", row->topic, "partition", (int)row->partition,
				"committed_offset", json_number(row->committed), "end_offset", json_number(row->end), "lag",
				json_number(row->lag), "lag_seconds",
				row->lag_ms < 0 ? json_null() : json_real((double)row->lag_ms / 1000), "member_id",
				row->member == NULL ? NULL : row->member->member_id));
	}
	return list;
}

static json_t *json_members(const struct correio_group *g)
{
	json_t *list = json_array();
	for (size_t i = 0; i < g->member_count; i++) {
		const struct correio_group_member *m = &g->members[i];
		json_t *assignment = json_array();
		for (size_t k = 0; k < m->assignment_count; k++)
			(void)json_array_append_new(assignment, json_pack("{s:s,s:i}", "topic", m->assignment[k].topic, "partition",
				(int)m->assignment[k].partition));
		(void)json_array_append_new(list, json_pack("{s:s,s:s?,s:s,s:s,s:o}", "member_id", m->member_id, "instance_id",
			m->instance_id, "client_id", m->client_id, "host", m->host, "assignment", assignment));
	}
	return list;
}

static json_t *json_report(const struct group_report *r)
{
	const struct correio_group *g = r->group;
	return json_pack("{s:s,s:s,s:{s:i,s:s,s:i},s:s,s:s,s:I,s:o,s:o}", "group", g->group, "state", g->state, "coordinator", "id",
		(int)g->coordinator, "host", g->coordinator_host, "port", (int)g->coordinator_port, "protocol_type", g->protocol_type,
		"assignor", g->protocol, "lag", (json_int_t)r->total_lag, "members", json_members(g), "offsets", json_offsets(r));
}

static bool is_absent(const struct group_report *r)
{
	return strcmp(r->group->state, "Dead") == 0 && r->row_count == 0;
}

/* One group; NULL with --json: nothing to add. */
static int describe_one(const struct cli_common *common, struct correio_admin *admin, const struct correio_config *config,
	const char *group, json_t *list)
{
	struct group_report r;
	struct correio_error err;
	if (group_report_collect(admin, config, group, &r, &err) != CORREIO_OK)
		return cli_fail(common, &err);
	int status = CLI_OK;
	if (is_absent(&r)) {
		group_report_missing(admin, group, &err);
		status = cli_fail(common, &err);
	} else if (list != NULL) {
		(void)json_array_append_new(list, json_report(&r));
	} else {
		print_report(&r);
	}
	group_report_free(&r);
	return status;
}

static int describe(const struct cli_common *common, const struct cli_parsed *parsed)
{
	int status;
	struct correio_config *config = NULL;
	struct correio_admin *admin = cli_admin(common, &config, &status);
	if (admin == NULL)
		return status;
	json_t *list = common->json ? json_array() : NULL;
	for (size_t i = 0; i < parsed->positional_count; i++) {
		if (i > 0 && list == NULL)
			(void)fputs("\n", stdout);
		int one = describe_one(common, admin, config, parsed->positional[i], list);
		status = one != CLI_OK ? one : status;
	}
	if (list != NULL && status == CLI_OK && parsed->positional_count == 1)
		output_json(json_incref(json_array_get(list, 0)));
	else if (list != NULL && status == CLI_OK)
		output_json(json_incref(list));
	json_decref(list);
	correio_config_free(config);
	correio_admin_free(admin);
	return status;
}

int cmd_group_describe(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	const struct cli_option options[] = {CLI_COMMON_OPTIONS(&common)};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 1, SIZE_MAX, &status))
		status = describe(&common, &parsed);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- delete ---- */

static int delete_one(const struct cli_common *common, struct correio_admin *admin, const char *group)
{
	struct correio_error err;
	int code = correio_admin_delete_group(admin, group, &err);
	if (code == CORREIO_ERR_GROUP_ID_NOT_FOUND)
		group_report_missing(admin, group, &err);
	if (code != CORREIO_OK)
		return cli_fail(common, &err);
	if (common->json)
		output_json(json_pack("{s:s,s:b}", "group", group, "deleted", true));
	else
		(void)printf("deleted group %s\n", group);
	return CLI_OK;
}

int cmd_group_delete(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	const struct cli_option options[] = {CLI_COMMON_OPTIONS(&common)};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	struct correio_admin *admin =
		cli_check_positional(command, &parsed, 1, SIZE_MAX, &status) ? cli_admin(&common, NULL, &status) : NULL;
	for (size_t i = 0; admin != NULL && i < parsed.positional_count; i++) {
		int one = delete_one(&common, admin, parsed.positional[i]);
		status = one != CLI_OK ? one : status;
	}
	correio_admin_free(admin);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

/* ---- delete offsets ---- */

static int delete_offsets(const struct cli_common *common, struct correio_admin *admin, const char *group,
	const struct cli_list *topics)
{
	struct partition_list list;
	struct correio_error err;
	int code = partition_list_resolve(&list, admin, topics, &err);
	if (code == CORREIO_OK)
		code = correio_admin_delete_group_offsets(admin, group, list.items, list.count, &err);
	if (code == CORREIO_ERR_GROUP_ID_NOT_FOUND)
		group_report_missing(admin, group, &err);
	if (code == CORREIO_OK && common->json)
		output_json(json_pack("{s:s,s:i}", "group", group, "deleted_offsets", (int)list.count));
	else if (code == CORREIO_OK)
		(void)printf("deleted %zu offsets of group %s\n", list.count, group);
	partition_list_free(&list);
	return code == CORREIO_OK ? CLI_OK : cli_fail(common, &err);
}

int cmd_group_delete_offsets(const struct cli_command *command, int argc, char **argv)
{
	struct cli_common common = {.json = false};
	struct cli_list topics = {.count = 0};
	const struct cli_option options[] = {
		{"--topic", CLI_LIST, "TOPIC[:P,...]", &topics, "these partitions, or all of the topic; may be repeated", 0, 0},
		CLI_COMMON_OPTIONS(&common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 1, 1, &status) && topics.count == 0)
		status = cli_usage(command, "which offsets? give --topic TOPIC");
	else if (parsed.positional_count == 1) {
		struct correio_admin *admin = cli_admin(&common, NULL, &status);
		if (admin != NULL)
			status = delete_offsets(&common, admin, parsed.positional[0], &topics);
		correio_admin_free(admin);
	}
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
