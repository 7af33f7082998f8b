#include "tools/group_report.h"
#include "base/clock.h"

enum {
	PATIENCE_MS = 3000, /* for the next of the first records that are looked at */
	POLL_MS = 250,
};

/* ---- rows ---- */

static struct group_row *find_row(const struct group_report *r, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < r->row_count; i++)
		if (r->rows[i].partition == partition && strcmp(r->rows[i].topic, topic) == 0)
			return &r->rows[i];
	return NULL;
}

static int compare_rows(const void *a, const void *b)
{
	const struct group_row *x = (const struct group_row *)a, *y = (const struct group_row *)b;
	int order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static struct group_row *add_row(struct group_report *r, const char *topic, int32_t partition)
{
	struct group_row *row = &r->rows[r->row_count++];
	*row = (struct group_row){.topic = topic,
		.partition = partition,
		.committed = GROUP_REPORT_NONE,
		.end = GROUP_REPORT_NONE,
		.lag = GROUP_REPORT_NONE,
		.lag_ms = GROUP_REPORT_NONE};
	return row;
}

static void fill_rows(struct group_report *r)
{
	size_t room = correio_group_offsets_count(r->offsets);
	for (size_t i = 0; i < r->group->member_count; i++)
		room += r->group->members[i].assignment_count;
	r->rows = (struct group_row *)check_calloc(room + 1, sizeof(*r->rows));
	for (size_t i = 0; i < correio_group_offsets_count(r->offsets); i++) {
		const struct correio_topic_partition *o = correio_group_offsets_at(r->offsets, i);
		add_row(r, o->topic, o->partition)->committed = o->offset;
	}
	for (size_t i = 0; i < r->group->member_count; i++) {
		const struct correio_group_member *m = &r->group->members[i];
		for (size_t k = 0; k < m->assignment_count; k++) {
			struct group_row *row = find_row(r, m->assignment[k].topic, m->assignment[k].partition);
			if (row == NULL)
				row = add_row(r, m->assignment[k].topic, m->assignment[k].partition);
			row->member = m;
		}
	}
	if (r->row_count > 1)
		qsort(r->rows, r->row_count, sizeof(*r->rows), compare_rows);
}

/* ---- lag ---- */

/* A partition that cannot be asked now (its topic is gone, its leader away) has no end and no lag. */
static void fill_lag(struct correio_admin *admin, struct group_report *r)
{
	for (size_t i = 0; i < r->row_count; i++) {
		struct group_row *row = &r->rows[i];
		struct correio_offset end;
		if (correio_admin_list_offset(admin, row->topic, row->partition, CORREIO_TIME_LATEST, &end, NULL) != CORREIO_OK)
			continue;
		row->end = end.offset;
		if (row->committed < 0)
			continue;
		row->lag = end.offset > row->committed ? end.offset - row->committed : 0;
		row->lag_ms = row->lag == 0 ? 0 : GROUP_REPORT_NONE;
		r->total_lag += row->lag;
	}
}

static void take_age(struct correio_consumer *c, struct group_report *r, struct correio_records *records, size_t *left)
{
	bool more = false;
	struct correio_record record;
	const char *topic = correio_records_topic(records);
	struct group_row *row = find_row(r, topic, correio_records_partition(records));
	if (row == NULL || row->lag_ms != GROUP_REPORT_NONE)
		return;
	if (correio_records_next(records, &more, &record, NULL) != CORREIO_OK || !more)
		return;
	int64_t age_ms = clock_wall_ms(clock_system()) - record.timestamp_ms;
	row->lag_ms = age_ms > 0 ? age_ms : 0;
	--*left;
	(void)correio_consumer_unassign(c, row->topic, row->partition, NULL);
}

/* Reads the first record that is not consumed of each partition that has one. */
static int fill_ages(const struct correio_config *config, struct group_report *r, struct correio_error *err)
{
	struct correio_consumer *c = NULL;
	size_t left = 0;
	int code = correio_consumer_new(config, &c, err);
	for (size_t i = 0; code == CORREIO_OK && i < r->row_count; i++) {
		if (r->rows[i].lag <= 0)
			continue;
		left++;
		code = correio_consumer_assign(c, r->rows[i].topic, r->rows[i].partition, r->rows[i].committed, err);
	}
	int64_t progress_us = clock_monotonic_us(clock_system());
	while (code == CORREIO_OK && left > 0) {
		struct correio_records *records = NULL;
		int64_t now_us = clock_monotonic_us(clock_system());
		if (now_us - progress_us > PATIENCE_MS * 1000)
			break; /* only markers of transactions there, or no leader: the age stays unknown */
		if (correio_consumer_poll(c, POLL_MS, &records, NULL) != CORREIO_OK || records == NULL)
			continue;
		progress_us = now_us;
		take_age(c, r, records, &left);
	}
	correio_consumer_free(c);
	return code;
}

/* Small answers, nothing joined, what retention has taken is passed over. */
static int reader_config(struct correio_config *config, struct correio_error *err)
{
	int code = correio_config_set(config, "group.id", "", err);
	if (code == CORREIO_OK)
		code = correio_config_set(config, "auto.offset.reset", "earliest", err);
	if (code == CORREIO_OK)
		code = correio_config_set(config, "max.partition.fetch.bytes", "1", err);
	return code;
}

static struct correio_config *copy_config(const struct correio_config *from)
{
	struct correio_config *to = correio_config_new();
	const struct correio_option *option;
	for (size_t i = 0; (option = correio_option_at(i)) != NULL; i++)
		(void)correio_config_set(to, option->key, correio_config_get(from, option->key), NULL);
	return to;
}

int group_report_collect(struct correio_admin *admin, const struct correio_config *config, const char *group, struct group_report *ret,
	struct correio_error *err)
{
	struct group_report r = {.group = NULL};
	int code = correio_admin_describe_group(admin, group, &r.group, err);
	if (code == CORREIO_OK)
		code = correio_admin_group_offsets(admin, group, &r.offsets, err);
	if (code == CORREIO_OK) {
		struct correio_config *reader = copy_config(config);
		fill_rows(&r);
		fill_lag(admin, &r);
		code = reader_config(reader, err);
		if (code == CORREIO_OK)
			code = fill_ages(reader, &r, err);
		correio_config_free(reader);
	}
	if (code == CORREIO_OK)
		*ret = r;
	else
		group_report_free(&r);
	return code;
}

void group_report_missing(struct correio_admin *admin, const char *group, struct correio_error *ret_error)
{
	struct correio_groups *groups = NULL;
	size_t count = 0;
	if (correio_admin_list_groups(admin, &groups, NULL) == CORREIO_OK)
		count = correio_groups_count(groups);
	const char **names = (const char **)check_calloc(count + 1, sizeof(const char *));
	for (size_t i = 0; i < count; i++)
		names[i] = correio_groups_at(groups, i)->group;
	const char *nearest = cli_nearest(group, names, count);
	ret_error->code = CORREIO_ERR_GROUP_ID_NOT_FOUND;
	ret_error->retriable = false;
	(void)snprintf(ret_error->message, sizeof(ret_error->message), "there is no group %.200s%s%.200s%s", group,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
	free(names);
	correio_groups_free(groups);
}

void group_report_free(struct group_report *r)
{
	correio_group_free(r->group);
	correio_group_offsets_free(r->offsets);
	free(r->rows);
	*r = (struct group_report){.group = NULL};
}
