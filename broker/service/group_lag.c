#include "service/group_lag.h"

#include "base/metrics.h"
#include "replica/delayed_fetch.h"
#include "service/group_fan.h"
#include "storage/range_load.h"
#include "storage/record_batch.h"

#include <inttypes.h>

enum {
	MIB = 1024 * 1024,
	NAMES_MAX_BYTES = 64 * MIB,
	WORK_MAX_BYTES = 64 * MIB,
	GROUPS_AT_A_TIME = 64,
	PARTITIONS_AT_A_TIME = 32,
	ANSWERS_MAX_BYTES = 32 * MIB, /* of the groups at a time */
};

/* One partition of one group. */
struct lag_item {
	const char *group, *topic;
	int32_t partition;
	int64_t committed;
	int64_t from; /* where reading begins */
	enum { LAG_NEW, LAG_AGAIN, LAG_DONE } state;
};
struct group_lag {
	unsigned magic;
	struct service_loop *service;
	struct loop_timer timer;
	struct task start;
	struct service_waiting waiting;
	bool armed;
	/* One sweep: all groups ... */
	struct arena names;
	struct group_service_list list;
	size_t next_group;
	/* ... some groups at a time, with their offsets ... */
	struct arena work;
	struct group_fan fan;
	struct lag_item *items;
	size_t item_count, next_item;
	/* ... some partitions at a time. */
	struct lag_item *portion;
	size_t portion_count;
	struct delayed_fetch fetch;
	struct fetch_part parts[PARTITIONS_AT_A_TIME];
	struct lag_item *asked[PARTITIONS_AT_A_TIME];  /* of the parts */
	struct lag_item *headed[PARTITIONS_AT_A_TIME]; /* of the heads being loaded */
	size_t head_count;
	bool again;
	struct range_load heads;
	/* What comes of it. */
	FILE *records, *seconds;
	char *records_text, *seconds_text;
	size_t records_size, seconds_size, series, left_out;
};
MAGIC(group_lag, 0x474c4147);

static void next_groups(struct group_lag *g);
static void next_partitions(struct group_lag *g);

/* --- text ------------------------------------------------------------------ */

static void print_label(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n') {
			(void)fputs("\\n", out);
			continue;
		}
		if (*c == '"' || *c == '\\')
			(void)fputc('\\', out);
		(void)fputc(*c, out);
	}
}

static void print_labels(FILE *out, const char *family, const struct lag_item *i)
{
	fprintf(out, "%s{group=\"", family);
	print_label(out, i->group);
	fprintf(out, "\",topic=\"%s\",partition=\"%" PRId32 "\"} ", i->topic, i->partition);
}

static void print_records(struct group_lag *g, const struct lag_item *i, int64_t lag)
{
	print_labels(g->records, "correio_group_lag_records", i);
	fprintf(g->records, "%" PRId64 "\n", lag);
	g->series++;
}

static void print_seconds(struct group_lag *g, const struct lag_item *i, int64_t age_ms)
{
	print_labels(g->seconds, "correio_group_lag_seconds", i);
	fprintf(g->seconds, "%" PRId64 ".%03" PRId64 "\n", age_ms / 1000, age_ms % 1000);
}

static void open_text(struct group_lag *g)
{
	g->records = open_memstream(&g->records_text, &g->records_size);
	g->seconds = open_memstream(&g->seconds_text, &g->seconds_size);
	expect(g->records != NULL && g->seconds != NULL);
	(void)fputs("# HELP correio_group_lag_records records between a group's committed offset and the partition's end\n"
		"# TYPE correio_group_lag_records gauge\n", g->records);
	(void)fputs("# HELP correio_group_lag_seconds age of the first batch a group has not consumed\n"
		"# TYPE correio_group_lag_seconds gauge\n", g->seconds);
}

static void close_text(struct group_lag *g)
{
	if (g->records != NULL) {
		(void)fclose(g->records);
		(void)fclose(g->seconds);
	}
	free(g->records_text);
	free(g->seconds_text);
	g->records = g->seconds = NULL;
	g->records_text = g->seconds_text = NULL;
}

static void publish(struct group_lag *g)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	expect(out != NULL && fflush(g->records) == 0 && fflush(g->seconds) == 0);
	fprintf(out, "%s%s# HELP correio_group_lag_left_out partitions of groups beyond the %d that are published\n"
		"# TYPE correio_group_lag_left_out gauge\ncorreio_group_lag_left_out %zu\n", g->records_text, g->seconds_text,
		GROUP_LAG_SERIES_MAX, g->left_out);
	expect(fclose(out) == 0 && text != NULL);
	metrics_publish(text);
}

/* --- life ------------------------------------------------------------------ */

static void rest(struct group_lag *g)
{
	close_text(g);
	arena_reset(&g->work);
	arena_reset(&g->names);
	if (g->service->hurried)
		return;
	g->armed = true;
	service_loop_wait(g->service, &g->waiting);
	scheduler_timer_arm(g->service->scheduler, &g->timer, g->service->settings->metrics_group_lag_interval_ms * 1000);
}

static void listed(struct group_service_list *l)
{
	next_groups(CAST(group_lag, l->arg));
}

static void sweep(struct loop_timer *t)
{
	struct group_lag *g = CAST(group_lag, CONTAINER_OF(t, struct group_lag, timer));
	g->armed = false;
	service_loop_unwait(&g->waiting);
	open_text(g);
	g->series = g->left_out = g->next_group = 0;
	g->list = (struct group_service_list){
		.service = g->service,
		.list = {.arena = &g->names},
		.done = listed,
		.arg = g,
	};
	group_service_list(&g->list);
}

static void hurry(struct service_waiting *w)
{
	struct group_lag *g = CAST(group_lag, CONTAINER_OF(w, struct group_lag, waiting));
	if (g->armed)
		scheduler_timer_cancel(g->service->scheduler, &g->timer);
	g->armed = false;
}

static void begin(struct task *t)
{
	rest(CAST(group_lag, CONTAINER_OF(t, struct group_lag, start)));
}

struct group_lag *group_lag_new(struct service_loop *s)
{
	CHECK_MAGIC(service_loop, s);
	struct group_lag *g = check_calloc(1, sizeof(*g));
	g->magic = group_lag_magic;
	g->service = s;
	g->waiting.hurry = hurry;
	arena_init(&g->names, NAMES_MAX_BYTES);
	arena_init(&g->work, WORK_MAX_BYTES);
	loop_timer_init(&g->timer, "group_lag", sweep);
	task_init(&g->start, "group_lag", begin);
	if (s->settings->metrics_group_lag_interval_ms > 0)
		scheduler_post(s->scheduler, &g->start);
	return g;
}

void group_lag_free(struct group_lag *g)
{
	if (g == NULL)
		return;
	CHECK_MAGIC(group_lag, g);
	group_fan_fini(&g->fan);
	close_text(g);
	range_load_fini(&g->heads);
	arena_fini(&g->work);
	arena_fini(&g->names);
	g->magic = 0;
	free(g);
	metrics_publish(NULL);
}

/* --- some groups ------------------------------------------------------------- */

/* What they have committed, as one list. Memory that runs out leaves the rest out. */
static void collect_items(struct group_lag *g)
{
	size_t count = 0;
	g->item_count = g->next_item = 0;
	for (size_t i = 0; i < g->fan.count; i++)
		if (g->fan.parts[i].request.status == STATUS_OK)
			count += g->fan.parts[i].request.fetch.offset_count;
	g->items = arena_calloc(&g->work, count + 1, sizeof(*g->items));
	if (g->items == NULL) {
		g->left_out += count;
		return;
	}
	for (size_t i = 0; i < g->fan.count; i++) {
		const struct group_request *r = &g->fan.parts[i].request;
		for (size_t k = 0; r->status == STATUS_OK && k < r->fetch.offset_count; k++)
			if (r->fetch.offsets[k].status == STATUS_OK && r->fetch.offsets[k].offset >= 0)
				g->items[g->item_count++] = (struct lag_item){
					.group = r->group_id,
					.topic = r->fetch.offsets[k].topic,
					.partition = r->fetch.offsets[k].partition,
					.committed = r->fetch.offsets[k].offset,
					.from = r->fetch.offsets[k].offset,
				};
	}
}

static void groups_fetched(struct group_fan *f)
{
	struct group_lag *g = CAST(group_lag, f->arg);
	collect_items(g);
	next_partitions(g);
}

static void next_groups(struct group_lag *g)
{
	const struct group_list_request *l = &g->list.list;
	size_t left = l->group_count - g->next_group;
	size_t count = left < GROUPS_AT_A_TIME ? left : GROUPS_AT_A_TIME;
	group_fan_fini(&g->fan);
	arena_reset(&g->work);
	if (count == 0 || g->service->hurried) {
		publish(g);
		rest(g);
		return;
	}
	struct group_fan_part *parts = arena_calloc(&g->work, count, sizeof(*parts));
	expect(parts != NULL); /* the arena is empty and has room for so few */
	for (size_t i = 0; i < count; i++) {
		parts[i].request.kind = GROUP_REQUEST_FETCH;
		parts[i].request.group_id = l->groups[g->next_group++].group_id;
		parts[i].request.fetch.all = true;
		parts[i].request.fetch.member_epoch = -1;
	}
	g->fan = (struct group_fan){
		.service = g->service,
		.parts = parts,
		.count = count,
		.budget_bytes = ANSWERS_MAX_BYTES,
		.done = groups_fetched,
		.arg = g,
	};
	group_fan_start(&g->fan);
}

/* --- some partitions ----------------------------------------------------------- */

static void read_portion(struct group_lag *g);

static void portion_done(struct group_lag *g)
{
	if (g->again)
		read_portion(g);
	else
		next_partitions(g);
}

static void heads_loaded(struct range_load *l)
{
	struct group_lag *g = CAST(group_lag, l->arg);
	int64_t now_ms = clock_wall_ms(g->service->scheduler->clock), time_ms;
	for (size_t i = 0; l->status == STATUS_OK && i < g->head_count; i++) {
		struct slice head = slice_sub(l->bytes, i * RECORD_BATCH_HEADER_SIZE, RECORD_BATCH_HEADER_SIZE);
		if (record_batch_peek_time(head, &time_ms) == STATUS_OK)
			print_seconds(g, g->headed[i], now_ms > time_ms ? now_ms - time_ms : 0);
	}
	portion_done(g);
}

/* One partition was looked at. Of the batch found only the head is kept. */
static void take_part(struct group_lag *g, struct lag_item *item, struct fetch_part *p, struct iobuf *heads)
{
	item->state = LAG_DONE;
	if (p->status == STATUS_OFFSET_OUT_OF_RANGE && p->log_start_offset > item->from) {
		/* Retention has taken what comes next: the first record there is counts. */
		item->from = p->log_start_offset;
		item->state = LAG_AGAIN;
		g->again = true;
	}
	if (p->status != STATUS_OK)
		return; /* led elsewhere, or gone */
	int64_t lag = p->high_watermark - item->committed;
	print_records(g, item, lag > 0 ? lag : 0);
	if (lag <= 0) {
		print_seconds(g, item, 0);
	} else if (p->record_bytes >= RECORD_BATCH_HEADER_SIZE) {
		iobuf_move(heads, &p->records, RECORD_BATCH_HEADER_SIZE);
		g->headed[g->head_count++] = item;
	}
}

static void portion_read(struct delayed_fetch *f)
{
	struct group_lag *g = CAST(group_lag, f->arg);
	struct iobuf heads;
	iobuf_init(&heads);
	g->head_count = 0;
	g->again = false;
	for (size_t i = 0; i < f->part_count; i++) {
		take_part(g, g->asked[i], &f->parts[i], &heads);
		iobuf_fini(&f->parts[i].records);
	}
	g->heads.done = heads_loaded;
	g->heads.arg = g;
	if (g->head_count > 0 &&
		range_load_start(&g->heads, g->service->background, g->service->scheduler, &heads) == STATUS_OK)
		return;
	iobuf_fini(&heads);
	portion_done(g);
}

/* Reads the first batch of each partition of the portion that is not done: ranges of files, nothing is waited for. */
static void read_portion(struct group_lag *g)
{
	size_t n = 0;
	memset(g->parts, 0, sizeof(g->parts));
	for (size_t i = 0; i < g->portion_count; i++) {
		struct lag_item *item = &g->portion[i];
		struct fetch_part *p = &g->parts[n];
		if (item->state == LAG_DONE || topic_partition_set(&p->tp, slice_of_str(item->topic), item->partition) != STATUS_OK)
			continue;
		p->owner = replica_router_owner(g->service->router, &p->tp);
		p->offset = item->from;
		p->max_bytes = 1; /* the first batch comes whole */
		p->current_leader_epoch = -1;
		g->asked[n++] = item;
	}
	g->fetch = (struct delayed_fetch){
		.magic = delayed_fetch_magic,
		.home = g->service->scheduler,
		.parts = g->parts,
		.part_count = n,
		.max_bytes = SIZE_MAX,
		.done = portion_read,
		.arg = g,
	};
	if (n > 0)
		delayed_fetch_start(&g->fetch);
	else
		next_partitions(g);
}

static void next_partitions(struct group_lag *g)
{
	size_t room = GROUP_LAG_SERIES_MAX - g->series, left = g->item_count - g->next_item;
	size_t count = left < PARTITIONS_AT_A_TIME ? left : PARTITIONS_AT_A_TIME;
	count = count < room ? count : room;
	if (count == 0 || g->service->hurried) {
		g->left_out += left;
		next_groups(g);
		return;
	}
	g->portion = &g->items[g->next_item];
	g->portion_count = count;
	g->next_item += count;
	read_portion(g);
}
