/* Writes, in order, many to a multi, each multi checked against /controller_epoch. When a multi fails for one of its writes,
 * the rest goes on without it: what stood before, the culprit alone, what stood behind. */
#include "base/diag.h"
#include "controller/controller_term_internal.h"

/* A multi under way. */
struct term_multi {
	unsigned magic;
	struct term_multi *next, **at; /* the term's */
	struct controller_term *term;
	struct term_write **writes;
	size_t count;
};
MAGIC(term_multi, 0x4d554c54);

static void flush(struct controller_term *t);
static void multi_start(struct controller_term *t, struct term_write **writes, size_t count);

static void write_free(struct term_write *w)
{
	controller_write_fini(&w->write);
	free(w);
}

static void multi_free(struct term_multi *m)
{
	*m->at = m->next;
	if (m->next != NULL)
		m->next->at = m->at;
	free(m->writes);
	m->magic = 0;
	free(m);
}

/* --- answers -------------------------------------------------------------- */

/* Tells controller_decide and forgets the writes. results NULL: all have the same status. */
static void writes_answered(struct controller_term *t, struct term_write **writes, size_t count, enum status s,
	const struct zk_op_result *results)
{
	struct event_written *items = check_calloc(count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++) {
		bool set = results != NULL && writes[i]->write.op == ZK_OP_SET;
		items[i] = (struct event_written){.write = &writes[i]->write, .status = s,
			.version = set ? results[i].stat.version : 0};
	}
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_WRITTEN, .written = {items, count}});
	for (size_t i = 0; i < count; i++)
		write_free(writes[i]);
	free(items);
}

/* First write of the unit (one write, or an atomic group) that write i belongs to, and the one behind its last. */
static void unit_of(struct term_write *const *writes, size_t count, size_t i, size_t *ret_first, size_t *ret_end)
{
	size_t first = i, end = i + 1;
	uint32_t group = writes[i]->write.group;
	while (group != 0 && first > 0 && writes[first - 1]->write.group == group)
		first--;
	while (group != 0 && end < count && writes[end]->write.group == group)
		end++;
	*ret_first = first;
	*ret_end = end;
}

/* The unit that failed: its culprit has the status, the others of its group failed with it. */
static void unit_failed(struct controller_term *t, struct term_write **writes, size_t count, size_t culprit,
	enum status s)
{
	struct event_written *items = check_calloc(count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct event_written){.write = &writes[i]->write, .status = i == culprit ? s : STATUS_CANCELLED};
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_WRITTEN, .written = {items, count}});
	for (size_t i = 0; i < count; i++)
		write_free(writes[i]);
	free(items);
}

static size_t find_culprit(const struct zk_op_result *results, size_t count, enum status s)
{
	for (size_t i = 0; i < count; i++) {
		if (results[i].status == s)
			return i;
	}
	return 0;
}

static void multi_failed(struct controller_term *t, struct term_write **writes, size_t count, enum status s,
	size_t culprit)
{
	size_t first, end;
	unit_of(writes, count, culprit, &first, &end);
	/* The order among them is kept: each of the three is asked for before the next. */
	if (first > 0)
		multi_start(t, writes, first);
	if (first == 0 && end == count) {
		unit_failed(t, writes, count, culprit, s);
		return;
	}
	multi_start(t, writes + first, end - first);
	if (end < count)
		multi_start(t, writes + end, count - end);
}

static void term_fenced(struct controller_term *t)
{
	if (t->fenced)
		return;
	diag_warn("controller_fenced", "controller_epoch=%d", t->options.controller_epoch);
	t->fenced = true;
	t->options.fenced(t->options.arg);
}

static void multi_done(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct term_multi *m = CAST(term_multi, arg);
	struct controller_term *t = CAST(controller_term, m->term);
	struct term_write **writes = m->writes;
	size_t write_count = m->count;
	m->writes = NULL;
	multi_free(m);
	expect(t->multis > 0);
	t->multis--;
	if (s == STATUS_OK) {
		expect(count == write_count);
		writes_answered(t, writes, write_count, s, results);
	} else if (s == STATUS_FENCED || s == STATUS_SESSION_EXPIRED || s == STATUS_CANCELLED) {
		for (size_t i = 0; i < write_count; i++)
			write_free(writes[i]);
		if (s == STATUS_FENCED)
			term_fenced(t);
	} else if (s == STATUS_CONNECTION_LOSS) {
		multi_start(t, writes, write_count); /* as long as the session lives */
	} else {
		multi_failed(t, writes, write_count, s, count == write_count ? find_culprit(results, count, s) : 0);
	}
	free(writes);
	flush(t);
}

/* --- asking --------------------------------------------------------------- */

static struct zk_op op_of(const struct controller_write *w)
{
	return (struct zk_op){.kind = w->op, .path = w->path,
		.data = w->data == NULL ? (struct slice){0} : slice_of_str(w->data), .version = w->version};
}

static void multi_start(struct controller_term *t, struct term_write **writes, size_t count)
{
	expect(count > 0);
	struct term_multi *m = check_calloc(1, sizeof *m);
	*m = (struct term_multi){.magic = term_multi_magic, .term = t, .count = count, .next = t->multis_under_way,
		.at = &t->multis_under_way, .writes = check_calloc(count, sizeof *m->writes)};
	if (m->next != NULL)
		m->next->at = &m->next;
	t->multis_under_way = m;
	memcpy(m->writes, writes, count * sizeof(*writes));
	struct zk_op *ops = check_calloc(count, sizeof *ops);
	for (size_t i = 0; i < count; i++)
		ops[i] = op_of(&writes[i]->write);
	t->multis++;
	zk_request_fenced(t->requester, &t->fence, ops, count, multi_done, m);
	free(ops);
}

static size_t write_bytes(const struct controller_write *w)
{
	return 64 + strlen(w->path) + (w->data == NULL ? 0 : strlen(w->data));
}

/* As many of the queue's first writes as fit one multi; a group is not torn apart. */
static size_t take_multi(struct controller_term *t, struct term_write **ret_writes)
{
	size_t count = 0, bytes = 0, whole = 0;
	struct term_write *w = t->writes;
	for (; w != NULL && count < TERM_MULTI_OPS_MAX; w = w->next) {
		bytes += write_bytes(&w->write);
		if (bytes > TERM_MULTI_BYTES_MAX && whole > 0)
			break;
		ret_writes[count++] = w;
		if (w->write.group == 0 || w->next == NULL || w->next->write.group != w->write.group)
			whole = count;
	}
	expect(whole > 0); /* groups are of three */
	for (size_t i = 0; i < whole; i++)
		t->writes = t->writes->next;
	if (t->writes == NULL)
		t->writes_tail = &t->writes;
	return whole;
}

static void flush(struct controller_term *t)
{
	while (t->writes != NULL && t->multis < TERM_MULTIS_MAX && !t->fenced) {
		struct term_write *writes[TERM_MULTI_OPS_MAX];
		size_t count = take_multi(t, writes);
		multi_start(t, writes, count);
	}
}

/* At the end of the turn, so that what several events decided shares a multi. */
static void flush_posted(struct task *task)
{
	struct controller_term *t = CONTAINER_OF(task, struct controller_term, flush_task);
	CHECK_MAGIC(controller_term, t);
	t->flush_posted = false;
	if (t->dead) {
		t->magic = 0;
		free(t);
		return;
	}
	flush(t);
}

void controller_term_write(struct controller_term *t, struct controller_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct term_write *w = check_calloc(1, sizeof *w);
		w->write = writes[i];
		*t->writes_tail = w;
		t->writes_tail = &w->next;
	}
	if (count == 0 || t->flush_posted)
		return;
	task_init(&t->flush_task, "controller_flush", flush_posted);
	t->flush_posted = true;
	scheduler_post(t->scheduler, &t->flush_task);
}

void controller_term_free_writes(struct controller_term *t)
{
	while (t->writes != NULL) {
		struct term_write *w = t->writes;
		t->writes = w->next;
		write_free(w);
	}
	while (t->multis_under_way != NULL) {
		struct term_multi *m = t->multis_under_way;
		for (size_t i = 0; i < m->count; i++)
			write_free(m->writes[i]);
		multi_free(m);
	}
	if (t->flush_posted) {
		t->dead = true; /* a posted task cannot be called back: it frees us */
		return;
	}
	t->magic = 0;
	free(t);
}
