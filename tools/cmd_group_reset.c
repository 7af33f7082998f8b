/* correio group reset-offsets: where a group goes on. Shows what it would do; --execute does it. Kafka: kafka-consumer-groups
 * --reset-offsets. */
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/partition_list.h"
#include "tools/time_text.h"
#include "base/bytes.h"
#include "base/clock.h"

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))
enum { LINE_MAX_BYTES = 512 };

enum reset_kind { TO_EARLIEST, TO_LATEST, TO_CURRENT, TO_OFFSET, SHIFT_BY, TO_TIME, FROM_FILE };
struct reset_args {
	struct cli_common common;
	struct cli_list topics;
	const char *to_datetime, *by_duration, *from_file;
	int64_t to_offset, shift_by;
	bool all_topics, to_earliest, to_latest, to_current, execute, dry_run, exported;
	/* of these */
	enum reset_kind kind;
	int64_t time_ms;
};
struct reset {
	const struct reset_args *args;
	struct correio_admin *admin;
	const char *group;
	struct correio_group_offsets *current;
	struct partition_list list; /* with the new offsets */
};

/* ---- what is asked ---- */

/* Exactly one way to choose the offsets. */
static int choose_kind(const struct cli_command *command, struct reset_args *a)
{
	const struct {
		bool given;
		enum reset_kind kind;
	} ways[] = {
		{a->to_earliest, TO_EARLIEST},
		{a->to_latest, TO_LATEST},
		{a->to_current, TO_CURRENT},
		{a->to_offset != INT64_MIN, TO_OFFSET},
		{a->shift_by != INT64_MIN, SHIFT_BY},
		{a->to_datetime != NULL, TO_TIME},
		{a->by_duration != NULL, TO_TIME},
		{a->from_file != NULL, FROM_FILE},
	};
	size_t given = 0;
	for (size_t i = 0; i < COUNT(ways); i++) {
		given += ways[i].given ? 1 : 0;
		if (ways[i].given)
			a->kind = ways[i].kind;
	}
	if (given != 1)
		return cli_usage(command, "where to? give exactly one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, "
			"--to-datetime, --by-duration, --from-file");
	return CLI_OK;
}

static int check_args(const struct cli_command *command, struct reset_args *a)
{
	int status = choose_kind(command, a);
	int64_t ago_ms;
	if (status != CLI_OK)
		return status;
	if (a->execute && a->dry_run)
		return cli_usage(command, "--execute and --dry-run: give one of them");
	if (a->kind == FROM_FILE ? a->all_topics || a->topics.count > 0 : a->all_topics == (a->topics.count > 0))
		return cli_usage(command, "of which topics? give --topic TOPIC[:P,...] or --all-topics (with --from-file neither: the file "
			"says it)");
	if (a->to_datetime != NULL && !time_text_parse_instant(a->to_datetime, &a->time_ms))
		return cli_usage(command, "--to-datetime '%s' is not like 2026-01-31T23:59:59.000 (UTC) or ...+01:00", a->to_datetime);
	if (a->by_duration != NULL) {
		if (!time_text_parse_duration(a->by_duration, &ago_ms))
			return cli_usage(command, "--by-duration '%s' is not like P7DT1H30M0S", a->by_duration);
		a->time_ms = clock_wall_ms(clock_system()) - ago_ms;
		a->time_ms = a->time_ms > 0 ? a->time_ms : 0;
	}
	return CLI_OK;
}

/* ---- which partitions ---- */

/* Lines "topic,partition,offset", or "group,topic,partition,offset" as exported for several. */
static bool parse_line(struct reset *r, char *line)
{
	char *fields[4];
	size_t n = 0;
	for (char *at = line; n < COUNT(fields); at++) {
		fields[n++] = at;
		at = strchr(at, ',');
		if (at == NULL)
			break;
		*at = '\0';
	}
	int32_t partition;
	int64_t offset;
	if (n < 3 || bytes_parse_i32(slice_of_str(fields[n - 2]), &partition) != STATUS_OK || partition < 0)
		return false;
	if (bytes_parse_i64(slice_of_str(fields[n - 1]), &offset) != STATUS_OK || offset < 0)
		return false;
	if (n == 4 && strcmp(fields[0], r->group) != 0)
		return true; /* of another group */
	partition_list_add(&r->list, fields[n - 3], partition, offset);
	return true;
}

static int read_file(struct reset *r)
{
	FILE *file = fopen(r->args->from_file, "re");
	if (file == NULL)
		return cli_fail_text("cannot read %s", r->args->from_file);
	char line[LINE_MAX_BYTES];
	int status = CLI_OK;
	for (int number = 1; status == CLI_OK && fgets(line, sizeof(line), file) != NULL; number++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && !parse_line(r, line))
			status = cli_fail_text("%s, line %d: not topic,partition,offset", r->args->from_file, number);
	}
	(void)fclose(file);
	return status;
}

static int choose_partitions(struct reset *r)
{
	struct correio_error err;
	if (r->args->kind == FROM_FILE)
		return read_file(r);
	if (!r->args->all_topics) {
		int code = partition_list_resolve(&r->list, r->admin, &r->args->topics, &err);
		return code == CORREIO_OK ? CLI_OK : cli_fail(&r->args->common, &err);
	}
	for (size_t i = 0; i < correio_group_offsets_count(r->current); i++) {
		const struct correio_topic_partition *o = correio_group_offsets_at(r->current, i);
		partition_list_add(&r->list, o->topic, o->partition, -1);
	}
	return CLI_OK;
}

/* ---- the new offsets ---- */

static int64_t current_of(const struct reset *r, const struct correio_topic_partition *p)
{
	for (size_t i = 0; i < correio_group_offsets_count(r->current); i++) {
		const struct correio_topic_partition *o = correio_group_offsets_at(r->current, i);
		if (o->partition == p->partition && strcmp(o->topic, p->topic) == 0)
			return o->offset;
	}
	return -1;
}

/* Within what the partition holds, as Kafka's tool does; told on stderr when that changes it. */
static int64_t clamp(const struct correio_topic_partition *p, int64_t offset, int64_t earliest, int64_t latest)
{
	if (offset >= earliest && offset <= latest)
		return offset;
	int64_t to = offset < earliest ? earliest : latest;
	(void)fprintf(stderr, "correio: %s-%d: offset %lld is outside of %lld to %lld; it becomes %lld\n", p->topic, (int)p->partition,
		(long long)offset, (long long)earliest, (long long)latest, (long long)to);
	return to;
}

static int look_up(struct reset *r, const struct correio_topic_partition *p, int64_t time, int64_t *ret_offset, struct correio_error *err)
{
	struct correio_offset found;
	int code = correio_admin_list_offset(r->admin, p->topic, p->partition, time, &found, err);
	if (code == CORREIO_OK)
		*ret_offset = found.offset;
	return code;
}

static int no_current(const struct reset *r, const struct correio_topic_partition *p, struct correio_error *err)
{
	err->code = CORREIO_ERR_INVALID_ARGUMENT;
	err->retriable = false;
	(void)snprintf(err->message, sizeof(err->message), "%s-%d: group %.200s has no offset there to shift; choose another way", p->topic,
		(int)p->partition, r->group);
	return err->code;
}

static int new_offset(struct reset *r, struct correio_topic_partition *p, struct correio_error *err)
{
	const struct reset_args *a = r->args;
	int64_t earliest = 0, latest = 0, current = current_of(r, p), timed;
	int code = look_up(r, p, CORREIO_TIME_EARLIEST, &earliest, err);
	if (code == CORREIO_OK)
		code = look_up(r, p, CORREIO_TIME_LATEST, &latest, err);
	if (code != CORREIO_OK)
		return code;
	switch (a->kind) {
	case TO_EARLIEST:
		p->offset = earliest;
		break;
	case TO_LATEST:
		p->offset = latest;
		break;
	case TO_CURRENT:
		p->offset = current < 0 ? latest : clamp(p, current, earliest, latest);
		break;
	case TO_OFFSET:
		p->offset = clamp(p, a->to_offset, earliest, latest);
		break;
	case SHIFT_BY:
		if (current < 0)
			return no_current(r, p, err);
		p->offset = clamp(p, current + a->shift_by, earliest, latest);
		break;
	case TO_TIME:
		code = look_up(r, p, a->time_ms, &timed, err);
		p->offset = code != CORREIO_OK || timed < 0 ? latest : timed; /* nothing that late: the end */
		break;
	case FROM_FILE:
		p->offset = clamp(p, p->offset, earliest, latest);
		break;
	}
	return code;
}

/* ---- doing it ---- */

static int compare_items(const void *a, const void *b)
{
	const struct correio_topic_partition *x = (const struct correio_topic_partition *)a;
	const struct correio_topic_partition *y = (const struct correio_topic_partition *)b;
	int order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void print_json(const struct reset *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->list.count; i++) {
		const struct correio_topic_partition *p = &r->list.items[i];
		int64_t current = current_of(r, p);
		(void)json_array_append_new(list, json_pack("{s:s,s:i,s:o,s:I}", "topic", p->topic, "partition", (int)p->partition,
			"offset", current < 0 ? json_null() : json_integer(current), "new_offset", (json_int_t)p->offset));
	}
	output_json(json_pack("{s:s,s:b,s:o}", "group", r->group, "executed", r->args->execute, "offsets", list));
}

static void print_table(const struct reset *r)
{
	static const char *const headers[] = {"GROUP", "TOPIC", "PARTITION", "OFFSET", "NEW OFFSET", NULL};
	struct table *t = table_new(headers);
	for (size_t i = 0; i < r->list.count; i++) {
		const struct correio_topic_partition *p = &r->list.items[i];
		int64_t current = current_of(r, p);
		table_cell(t, "%s", r->group);
		table_cell(t, "%s", p->topic);
		table_cell(t, "%d", (int)p->partition);
		if (current < 0)
			table_cell(t, "-");
		else
			table_cell(t, "%lld", (long long)current);
		table_cell(t, "%lld", (long long)p->offset);
	}
	table_print_free(t);
	if (!r->args->execute)
		(void)fputs("nothing was changed: add --execute to do it\n", stderr);
}

static void print_result(const struct reset *r)
{
	if (r->args->exported)
		for (size_t i = 0; i < r->list.count; i++)
			(void)printf("%s,%d,%lld\n", r->list.items[i].topic, (int)r->list.items[i].partition,
				(long long)r->list.items[i].offset);
	else if (r->args->common.json)
		print_json(r);
	else
		print_table(r);
}

/* Members would commit over it. */
static int check_inactive(struct reset *r)
{
	struct correio_group *g;
	struct correio_error err;
	if (correio_admin_describe_group(r->admin, r->group, &g, &err) != CORREIO_OK)
		return cli_fail(&r->args->common, &err);
	bool inactive = strcmp(g->state, "Empty") == 0 || strcmp(g->state, "Dead") == 0;
	if (!inactive) {
		err.code = CORREIO_ERR_NON_EMPTY_GROUP;
		err.retriable = true;
		(void)snprintf(err.message, sizeof(err.message), "group %.200s is %s and has %zu members: stop them first", r->group, g->state,
			g->member_count);
	}
	correio_group_free(g);
	return inactive ? CLI_OK : cli_fail(&r->args->common, &err);
}

static int run_reset(struct reset *r)
{
	struct correio_error err;
	int code = correio_admin_group_offsets(r->admin, r->group, &r->current, &err);
	if (code != CORREIO_OK)
		return cli_fail(&r->args->common, &err);
	int status = check_inactive(r);
	if (status == CLI_OK)
		status = choose_partitions(r);
	if (status != CLI_OK)
		return status;
	if (r->list.count == 0)
		return cli_fail_text("group %s: there is no partition to reset", r->group);
	qsort(r->list.items, r->list.count, sizeof(r->list.items[0]), compare_items);
	for (size_t i = 0; code == CORREIO_OK && i < r->list.count; i++)
		code = new_offset(r, &r->list.items[i], &err);
	if (code == CORREIO_OK && r->args->execute)
		code = correio_admin_set_group_offsets(r->admin, r->group, r->list.items, r->list.count, &err);
	if (code != CORREIO_OK)
		return cli_fail(&r->args->common, &err);
	print_result(r);
	return CLI_OK;
}

static int reset_offsets(const struct reset_args *a, const char *group)
{
	int status;
	struct reset r = {.args = a, .group = group, .admin = cli_admin(&a->common, NULL, &status)};
	if (r.admin == NULL)
		return status;
	status = run_reset(&r);
	correio_group_offsets_free(r.current);
	partition_list_free(&r.list);
	correio_admin_free(r.admin);
	return status;
}

int cmd_group_reset_offsets(const struct cli_command *command, int argc, char **argv)
{
	struct reset_args a = {.to_offset = INT64_MIN, .shift_by = INT64_MIN};
	const struct cli_option options[] = {
		{"--topic", CLI_LIST, "TOPIC[:P,...]", &a.topics, "these partitions, or all of the topic; may be repeated", 0, 0},
		{"--all-topics", CLI_FLAG, NULL, &a.all_topics, "every partition the group has an offset of", 0, 0},
		{"--to-earliest", CLI_FLAG, NULL, &a.to_earliest, "to the first record there is", 0, 0},
		{"--to-latest", CLI_FLAG, NULL, &a.to_latest, "to the end", 0, 0},
		{"--to-current", CLI_FLAG, NULL, &a.to_current, "to the offset it has (with --export: to keep it)", 0, 0},
		{"--to-offset", CLI_NUMBER, "N", &a.to_offset, "to this offset", 0, INT64_MAX},
		{"--shift-by", CLI_NUMBER, "N", &a.shift_by, "this many records on, or back (-N)", INT64_MIN / 4, INT64_MAX / 4},
		{"--to-datetime", CLI_TEXT, "TIME", &a.to_datetime, "to the first record at or after 2026-01-31T23:59:59.000", 0, 0},
		{"--by-duration", CLI_TEXT, "P1DT2H3M4S", &a.by_duration, "to the first record not older than this", 0, 0},
		{"--from-file", CLI_TEXT, "FILE", &a.from_file, "to what lines of topic,partition,offset say", 0, 0},
		{"--execute", CLI_FLAG, NULL, &a.execute, "do it", 0, 0},
		{"--dry-run", CLI_FLAG, NULL, &a.dry_run, "only show it (the default)", 0, 0},
		{"--export", CLI_FLAG, NULL, &a.exported, "print lines for --from-file", 0, 0},
		CLI_COMMON_OPTIONS(&a.common),
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	if (cli_check_positional(command, &parsed, 1, 1, &status) && (status = check_args(command, &a)) == CLI_OK)
		status = reset_offsets(&a, parsed.positional[0]);
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}
