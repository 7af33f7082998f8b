/* Commits, and what subscribes, commits and closes on the caller's side. */
#include "tools/client/consumer_group.h"
#include "base/clock.h"
#include "base/topic_partition.h"

struct committed {
	char *topic;
	int32_t partition;
	int64_t offset;
};
/* One commit under way. Freed by its answer when nobody waits, else by who waits. */
struct commit_ask {
	unsigned magic;
	struct consumer_group *group;
	bool waited_for, done;
	int32_t code; /* 0 all committed; CORREIO_ERR_CLOSED and others <= -1000: the connection was lost */
	struct correio_error error;
	size_t count;
	struct committed entries[];
};
MAGIC(commit_ask, 0x434d4954);

int64_t consumer_commit_position(const struct correio_consumer *c, const struct consumer_partition *p)
{
	/* Of the batch that is being read, what was handed out counts. */
	if (c->records.open && c->records.partition == p)
		return c->records.next_offset;
	return p->position;
}

/* ---- one commit ---- */

static struct commit_ask *ask_new(struct consumer_group *g, size_t room)
{
	struct commit_ask *a = (struct commit_ask *)check_calloc(1, sizeof(*a) + room * sizeof(a->entries[0]));
	a->magic = commit_ask_magic;
	a->group = g;
	return a;
}

static void ask_free(struct commit_ask *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->entries[i].topic);
	a->magic = 0;
	free(a);
}

static void ask_add(struct commit_ask *a, const char *topic, int32_t partition, int64_t offset)
{
	a->entries[a->count++] = (struct committed){.topic = check_strdup(topic), .partition = partition, .offset = offset};
}

/* Everything handed out and not committed yet. */
static struct commit_ask *ask_of_positions(struct consumer_group *g)
{
	struct correio_consumer *c = g->consumer;
	size_t room = 0;
	for (const struct consumer_partition *p = c->partitions; p != NULL; p = p->next)
		room++;
	struct commit_ask *a = ask_new(g, room);
	for (const struct consumer_partition *p = c->partitions; p != NULL; p = p->next) {
		int64_t offset = consumer_commit_position(c, p);
		if (offset >= 0 && offset != p->committed)
			ask_add(a, p->topic, p->partition, offset);
	}
	return a;
}

static void note_committed(struct commit_ask *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct consumer_partition *p =
			consumer_find(a->group->consumer, a->entries[i].topic, a->entries[i].partition);
		if (p != NULL)
			p->committed = a->entries[i].offset;
	}
}

static void take_code(struct commit_ask *a, int32_t code, const char *message, const char *what)
{
	a->code = code;
	(void)client_error_from_broker(&a->error, code, message, what);
}

/* The whole's code, or that of the first partition that has one. */
static void take_answer(struct commit_ask *a, const Correio__ResponseHeader *h)
{
	char what[600];
	(void)snprintf(what, sizeof(what), "group %s", a->group->consumer->options->group_id);
	if (h->error_code != 0) {
		take_code(a, h->error_code, h->error_message, what);
		return;
	}
	if (h->response_case != CORREIO__RESPONSE_HEADER__RESPONSE_COMMIT_OFFSETS) {
		take_code(a, status_code(STATUS_UNSUPPORTED_VERSION), NULL, what);
		return;
	}
	const Correio__CommitOffsetsResponse *m = h->commit_offsets;
	for (size_t i = 0; i < m->n_topics && a->code == 0; i++)
		for (size_t k = 0; k < m->topics[i]->n_partitions && a->code == 0; k++) {
			const Correio__PartitionOffset *p = m->topics[i]->partitions[k];
			if (p->error_code == 0)
				continue;
			(void)snprintf(what, sizeof(what), "group %s: offset of %s-%d", a->group->consumer->options->group_id,
				m->topics[i]->name, (int)p->partition);
			take_code(a, p->error_code, NULL, what);
		}
}

static void commit_done(void *arg, struct client_response *response)
{
	struct commit_ask *a = CAST(commit_ask, arg);
	struct consumer_group *g = a->group;
	g->commit_open = false;
	a->done = true;
	if (response->header == NULL) {
		a->code = CORREIO_ERR_CLOSED;
		a->error = response->error;
		g->coordinator = NULL;
	} else {
		take_answer(a, response->header);
	}
	if (a->code == 0)
		note_committed(a);
	else if (a->code == status_code(STATUS_NOT_COORDINATOR) || a->code == status_code(STATUS_COORDINATOR_NOT_AVAILABLE))
		g->coordinator = NULL;
	if (!a->waited_for)
		ask_free(a);
}

static int compare_entries(const void *a, const void *b)
{
	const struct committed *x = (const struct committed *)a, *y = (const struct committed *)b;
	int order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void send_commit(struct commit_ask *a)
{
	struct consumer_group *g = a->group;
	size_t n = a->count;
	Correio__PartitionOffset *offsets = (Correio__PartitionOffset *)check_calloc(n + 1, sizeof(*offsets));
	Correio__PartitionOffset **offset_list = (Correio__PartitionOffset **)check_calloc(n + 1, sizeof(Correio__PartitionOffset *));
	Correio__TopicOffsets *topics = (Correio__TopicOffsets *)check_calloc(n + 1, sizeof(*topics));
	Correio__TopicOffsets **topic_list = (Correio__TopicOffsets **)check_calloc(n + 1, sizeof(Correio__TopicOffsets *));
	Correio__CommitOffsetsRequest m = CORREIO__COMMIT_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	qsort(a->entries, n, sizeof(a->entries[0]), compare_entries);
	for (size_t i = 0; i < n; i++) {
		correio__partition_offset__init(&offsets[i]);
		offsets[i].partition = a->entries[i].partition;
		offsets[i].offset = a->entries[i].offset;
		offsets[i].leader_epoch = -1;
		offset_list[i] = &offsets[i];
		if (i == 0 || strcmp(a->entries[i].topic, a->entries[i - 1].topic) != 0) {
			topic_list[m.n_topics] = &topics[m.n_topics];
			correio__topic_offsets__init(&topics[m.n_topics]);
			topics[m.n_topics].name = a->entries[i].topic;
			topics[m.n_topics++].partitions = &offset_list[i];
		}
		topics[m.n_topics - 1].n_partitions++;
	}
	m.group = g->consumer->options->group_id;
	m.member_id = g->member_id;
	m.instance_id = g->consumer->options->group_instance_id;
	m.generation = g->generation;
	m.topics = topic_list;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_COMMIT_OFFSETS;
	header.commit_offsets = &m;
	struct client_request *r = consumer_group_request(g, &header, 0);
	r->done = commit_done;
	r->arg = a;
	g->commit_open = true;
	client_connection_send(g->coordinator, r);
	free(offsets);
	free(offset_list);
	free(topics);
	free(topic_list);
}

void consumer_commit_send(struct correio_consumer *c)
{
	struct consumer_group *g = c->group;
	if (g->coordinator == NULL)
		return;
	struct commit_ask *a = ask_of_positions(g);
	if (a->count > 0)
		send_commit(a);
	else
		ask_free(a);
}

/* ---- commits somebody waits for ---- */

static bool worth_a_retry(int32_t code)
{
	return code == CORREIO_ERR_CLOSED || code == status_code(STATUS_NOT_COORDINATOR) ||
		code == status_code(STATUS_COORDINATOR_NOT_AVAILABLE) || code == status_code(STATUS_COORDINATOR_LOAD_IN_PROGRESS);
}

static int timed_out(struct consumer_group *g, const char *what, struct correio_error *err)
{
	return client_error_code(err, CORREIO_ERR_TIMED_OUT, true, "group %s: %s", g->consumer->options->group_id, what);
}

/* Waits until the coordinator is known. */
static int wait_for_coordinator(struct consumer_group *g, int64_t deadline_us, struct correio_error *err)
{
	while (g->coordinator == NULL) {
		int64_t now_us = clock_monotonic_us(clock_system()), next_us = deadline_us;
		if (g->failed) {
			if (err != NULL)
				*err = g->failure;
			return g->failure.code;
		}
		if (now_us >= deadline_us)
			return timed_out(g, "its coordinator was not found in time", err);
		(void)consumer_group_step_find(g, now_us, &next_us);
		(void)client_cluster_poll(g->consumer->cluster, next_us, -1);
	}
	return CORREIO_OK;
}

/* Waits for one answer; a is freed, or left to its answer. */
static int wait_for_commit(struct commit_ask *a, int64_t deadline_us, bool *ret_again, struct correio_error *err)
{
	struct consumer_group *g = a->group;
	*ret_again = false;
	a->waited_for = true;
	send_commit(a);
	while (!a->done) {
		if (clock_monotonic_us(clock_system()) >= deadline_us) {
			a->waited_for = false;
			return timed_out(g, "the commit was not answered in time; it may have been done", err);
		}
		(void)client_cluster_poll(g->consumer->cluster, deadline_us, -1);
	}
	int32_t code = a->code;
	*ret_again = worth_a_retry(code);
	if (code != 0 && err != NULL)
		*err = a->error;
	ask_free(a);
	return code;
}

/* offsets NULL: what was handed out. */
static int commit_now(struct correio_consumer *c, const struct correio_topic_partition *offsets, size_t count, int64_t deadline_us,
	struct correio_error *err)
{
	struct consumer_group *g = c->group;
	for (;;) {
		int code = wait_for_coordinator(g, deadline_us, err);
		if (code != CORREIO_OK)
			return code;
		struct commit_ask *a = offsets == NULL ? ask_of_positions(g) : ask_new(g, count);
		for (size_t i = 0; offsets != NULL && i < count; i++)
			ask_add(a, offsets[i].topic, offsets[i].partition, offsets[i].offset);
		if (a->count == 0) {
			ask_free(a);
			return CORREIO_OK;
		}
		bool again;
		code = wait_for_commit(a, deadline_us, &again, err);
		if (code == CORREIO_OK || !again || clock_monotonic_us(clock_system()) >= deadline_us)
			return code;
		g->find_not_before_us = clock_monotonic_us(clock_system()) + c->options->retry_backoff_ms * 1000;
		(void)client_cluster_poll(c->cluster, g->find_not_before_us, -1);
	}
}

static int no_group(struct correio_error *err)
{
	return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false, "this needs a consumer group: set group.id");
}

static int64_t request_deadline_us(const struct correio_consumer *c)
{
	return clock_monotonic_us(clock_system()) + c->options->request_timeout_ms * 1000;
}

int correio_consumer_commit(struct correio_consumer *c, struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	return c->group == NULL ? no_group(err) : commit_now(c, NULL, 0, request_deadline_us(c), err);
}

int correio_consumer_commit_offsets(struct correio_consumer *c, const struct correio_topic_partition *offsets, size_t count,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	if (c->group == NULL)
		return no_group(err);
	for (size_t i = 0; i < count; i++)
		if (offsets[i].topic == NULL || offsets[i].partition < 0 || offsets[i].offset < 0)
			return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false,
				"commit: entry %zu names no topic, or its partition or offset is negative", i);
	return count == 0 ? CORREIO_OK : commit_now(c, offsets, count, request_deadline_us(c), err);
}

/* ---- subscribe, close ---- */

int correio_consumer_subscribe(struct correio_consumer *c, const char *const *topics, size_t count, struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	if (c->group == NULL)
		return no_group(err);
	if (c->group->topic_count == 0 && c->partitions != NULL)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false,
			"partitions were assigned by hand: a consumer either subscribes or is assigned");
	for (size_t i = 0; i < count; i++)
		if (topics[i] == NULL || topic_name_check(slice_of_str(topics[i])) != STATUS_OK)
			return client_error_code(err, CORREIO_ERR_INVALID_TOPIC, false, "'%s': %s", topics[i] != NULL ? topics[i] : "",
				status_text(STATUS_INVALID_TOPIC_EXCEPTION));
	if (count == 0)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false, "subscribe: no topic is given");
	consumer_group_subscribe(c->group, topics, count);
	return CORREIO_OK;
}

void correio_consumer_on_rebalance(struct correio_consumer *c, correio_rebalance_fn rebalanced, void *arg)
{
	CHECK_MAGIC(correio_consumer, c);
	c->rebalanced = rebalanced;
	c->rebalanced_arg = arg;
}

static void left(void *arg, struct client_response *response)
{
	(void)response;
	bool *done = (bool *)arg;
	*done = true;
}

/* A member that goes says so, and its partitions are read by others at once. */
static void leave(struct consumer_group *g, int64_t deadline_us)
{
	bool *done = (bool *)check_calloc(1, sizeof(*done));
	bool sent = g->topic_count > 0 && consumer_group_send_leave(g, left, done);
	while (sent && !*done && clock_monotonic_us(clock_system()) < deadline_us)
		(void)client_cluster_poll(g->consumer->cluster, deadline_us, -1);
	if (sent && !*done)
		consumer_group_reconnect(g); /* answers it, now */
	free(done);
}

int correio_consumer_close(struct correio_consumer *c, int64_t timeout_ms, struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	int64_t deadline_us = clock_monotonic_us(clock_system()) + (timeout_ms > 0 ? timeout_ms : 0) * 1000;
	struct consumer_group *g = c->group;
	int code = CORREIO_OK;
	if (g != NULL && !g->failed) {
		if (g->asking)
			consumer_group_reconnect(g);
		if (c->options->enable_auto_commit && g->coordinator != NULL)
			code = commit_now(c, NULL, 0, deadline_us, err);
		leave(g, deadline_us);
	}
	correio_consumer_free(c);
	return code;
}
