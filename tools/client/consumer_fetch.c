#include "tools/client/consumer_internal.h"
#include "base/clock.h"

enum {
	FETCHES_MAX = 64, /* brokers asked per turn */
	UNKNOWN_TOPIC_PATIENCE_US = 5000000,
};

/* Who asked, remembered by name and generation: the partition may be gone when the answer comes. */
struct asked {
	char *topic;
	int32_t partition;
	uint64_t generation;
};
struct fetch_request {
	unsigned magic;
	struct correio_consumer *consumer;
	size_t count;
	struct asked asked[];
};
MAGIC(fetch_request, 0x46524551);

static void lower(int64_t *deadline_us, int64_t at_us)
{
	if (at_us < *deadline_us)
		*deadline_us = at_us;
}

static struct fetch_request *fetch_request_new(struct correio_consumer *c, size_t count)
{
	struct fetch_request *r =
		(struct fetch_request *)check_calloc(1, sizeof(*r) + count * sizeof(r->asked[0]));
	r->magic = fetch_request_magic;
	r->consumer = c;
	r->count = count;
	return r;
}

static void fetch_request_free(struct fetch_request *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->asked[i].topic);
	r->magic = 0;
	free(r);
}

static void remember(struct asked *asked, const struct consumer_partition *p)
{
	*asked = (struct asked){
		.topic = check_strdup(p->topic),
		.partition = p->partition,
		.generation = p->generation,
	};
}

/* NULL when it was unassigned or seeked meanwhile. */
static struct consumer_partition *who_asked(struct correio_consumer *c, const struct asked *asked)
{
	struct consumer_partition *p = consumer_find(c, asked->topic, asked->partition);
	return p != NULL && p->generation == asked->generation ? p : NULL;
}

static void back_off(struct correio_consumer *c, struct consumer_partition *p)
{
	p->not_before_us = clock_monotonic_us(clock_system()) + c->options->retry_backoff_ms * 1000;
}

/* ---- errors ---- */

static void start_lookup(struct correio_consumer *c, struct consumer_partition *p, int64_t timestamp)
{
	consumer_fetched_drop(c, p);
	p->state = PARTITION_NEEDS_OFFSET;
	p->seek_timestamp = timestamp;
}

static void out_of_range(struct correio_consumer *c, struct consumer_partition *p, const struct correio_error *error)
{
	switch (c->options->auto_offset_reset) {
	case OFFSET_RESET_earliest:
		start_lookup(c, p, CORREIO_TIME_EARLIEST);
		break;
	case OFFSET_RESET_latest:
		start_lookup(c, p, CORREIO_TIME_LATEST);
		break;
	case OFFSET_RESET_none:
		consumer_partition_fail(c, p, error);
		break;
	}
}

/* A partition's error in an answer: tried again, reset, or told to the caller. */
static void partition_error(struct correio_consumer *c, struct consumer_partition *p, int32_t code, const char *message,
	const Correio__LeaderHint *hint)
{
	struct correio_error error;
	char what[300];
	(void)snprintf(what, sizeof(what), "%s-%d", p->topic, (int)p->partition);
	(void)client_error_from_broker(&error, code, message, what);
	back_off(c, p);
	if (code == CORREIO_ERR_OFFSET_OUT_OF_RANGE) {
		/* What was fetched before the gap is handed out first. */
		if (p->first == NULL)
			out_of_range(c, p, &error);
		return;
	}
	if (!error.retriable) {
		consumer_partition_fail(c, p, &error);
		return;
	}
	client_cluster_learn_leader(c->cluster, p->topic, p->partition, hint);
}

/* ---- where to begin ---- */

static void lookup_answered(struct correio_consumer *c, struct consumer_partition *p,
	const Correio__ListOffsetsPartitionResult *result)
{
	p->state = PARTITION_NEEDS_OFFSET;
	if (result->error_code != 0) {
		partition_error(c, p, result->error_code, result->error_message, result->leader);
		return;
	}
	if (result->offset < 0) {
		if (p->seek_timestamp == CORREIO_TIME_LATEST)
			back_off(c, p);
		p->seek_timestamp = CORREIO_TIME_LATEST; /* nothing that late: the end */
		return;
	}
	p->position = result->offset;
	p->fetch_offset = result->offset;
	p->state = PARTITION_FETCHING;
}

static const Correio__ListOffsetsPartitionResult *only_result(const Correio__ResponseHeader *h)
{
	if (h == NULL || h->error_code != 0 || h->response_case != CORREIO__RESPONSE_HEADER__RESPONSE_LIST_OFFSETS)
		return NULL;
	const Correio__ListOffsetsResponse *r = h->list_offsets;
	return r->n_topics == 1 && r->topics[0]->n_partitions == 1 ? r->topics[0]->partitions[0] : NULL;
}

static void lookup_done(void *arg, struct client_response *response)
{
	struct fetch_request *r = CAST(fetch_request, arg);
	struct correio_consumer *c = r->consumer;
	struct consumer_partition *p = who_asked(c, &r->asked[0]);
	if (p != NULL) {
		const Correio__ListOffsetsPartitionResult *result = only_result(response->header);
		if (result != NULL) {
			lookup_answered(c, p, result);
		} else {
			p->state = PARTITION_NEEDS_OFFSET;
			back_off(c, p);
			client_cluster_refresh(c->cluster);
		}
	}
	fetch_request_free(r);
}

static void send_lookup(struct correio_consumer *c, struct consumer_partition *p, struct client_connection *connection,
	int32_t epoch)
{
	Correio__ListOffsetsPartition partition = CORREIO__LIST_OFFSETS_PARTITION__INIT;
	Correio__ListOffsetsPartition *partitions = &partition;
	Correio__ListOffsetsTopic topic = CORREIO__LIST_OFFSETS_TOPIC__INIT;
	Correio__ListOffsetsTopic *topics = &topic;
	Correio__ListOffsetsRequest list = CORREIO__LIST_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	partition.partition = p->partition;
	partition.timestamp = p->seek_timestamp;
	partition.current_leader_epoch = epoch;
	topic.name = p->topic;
	topic.partitions = &partitions;
	topic.n_partitions = 1;
	list.topics = &topics;
	list.n_topics = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LIST_OFFSETS;
	header.list_offsets = &list;
	struct client_request *request = client_cluster_request(c->cluster, &header, NULL, 0, 0);
	struct fetch_request *r = fetch_request_new(c, 1);
	remember(&r->asked[0], p);
	request->done = lookup_done;
	request->arg = r;
	p->state = PARTITION_LOOKUP;
	client_connection_send(connection, request);
}

/* ---- fetch ---- */

/* The offset after the last whole batch of data; `from` when there is none. */
static int64_t end_of_batches(struct slice data, int64_t from)
{
	size_t at = 0, size;
	int64_t end = from;
	while (at < data.n) {
		struct slice rest = slice_sub(data, at, data.n - at);
		struct record_batch batch;
		if (record_batch_peek_size(rest, rest.n, &size) != STATUS_OK || size > rest.n ||
			record_batch_parse(slice_sub(rest, 0, size), &batch) != STATUS_OK)
			break;
		if (record_batch_last_offset(&batch) >= end)
			end = record_batch_last_offset(&batch) + 1;
		at += size;
	}
	return end;
}

static void keep_records(struct correio_consumer *c, struct consumer_partition *p,
	const Correio__FetchPartitionResult *result, struct iobuf_block *block, struct slice data)
{
	if (data.n == 0)
		return;
	struct fetched *f = (struct fetched *)check_calloc(1, sizeof(*f));
	f->block = iobuf_block_shared_ref(block);
	f->data = data;
	f->high_watermark = result->high_watermark;
	*p->last = f;
	p->last = &f->next;
	c->queued_bytes += data.n;
	p->fetch_offset = end_of_batches(data, p->fetch_offset);
}

static void fetch_answered(struct fetch_request *r, const Correio__FetchResponse *fetch, struct iobuf_block *block,
	struct slice payload)
{
	struct correio_consumer *c = r->consumer;
	size_t at = 0;
	for (size_t t = 0; t < fetch->n_topics; t++) {
		for (size_t i = 0; i < fetch->topics[t]->n_partitions; i++) {
			const Correio__FetchPartitionResult *result = fetch->topics[t]->partitions[i];
			if (result->records_bytes > payload.n - at)
				return; /* the answer lies about its size; what is left out is asked for again */
			struct slice data = slice_sub(payload, at, result->records_bytes);
			at += result->records_bytes;
			struct asked name = {.topic = fetch->topics[t]->name, .partition = result->partition};
			for (size_t k = 0; k < r->count; k++)
				if (r->asked[k].partition == name.partition && strcmp(r->asked[k].topic, name.topic) == 0)
					name.generation = r->asked[k].generation;
			struct consumer_partition *p = who_asked(c, &name);
			if (p == NULL || p->state != PARTITION_FETCHING)
				continue;
			if (result->error_code != 0)
				partition_error(c, p, result->error_code, result->error_message, result->leader);
			else
				keep_records(c, p, result, block, data);
		}
	}
}

static void fetch_done(void *arg, struct client_response *response)
{
	struct fetch_request *r = CAST(fetch_request, arg);
	struct correio_consumer *c = r->consumer;
	const Correio__ResponseHeader *h = response->header;
	bool good = h != NULL && h->error_code == 0 && h->response_case == CORREIO__RESPONSE_HEADER__RESPONSE_FETCH;
	for (size_t i = 0; i < r->count; i++) {
		struct consumer_partition *p = who_asked(c, &r->asked[i]);
		if (p == NULL)
			continue;
		p->in_flight = false;
		if (!good)
			back_off(c, p);
	}
	if (good)
		fetch_answered(r, h->fetch, response->block, response->payload);
	else
		client_cluster_refresh(c->cluster);
	fetch_request_free(r);
}

/* Partitions of one broker, gathered for one request. */
struct fetch_plan {
	struct client_connection *connection;
	struct consumer_partition **partitions;
	int32_t *epochs;
	size_t count, capacity;
};

static int compare_by_topic(const void *a, const void *b)
{
	const struct consumer_partition *const *x = (const struct consumer_partition *const *)a;
	const struct consumer_partition *const *y = (const struct consumer_partition *const *)b;
	int order = strcmp((*x)->topic, (*y)->topic);
	return order != 0 ? order : ((*x)->partition < (*y)->partition ? -1 : 1);
}

static void send_fetch(struct correio_consumer *c, struct fetch_plan *plan)
{
	const struct client_options *o = c->options;
	size_t n = plan->count;
	qsort(plan->partitions, n, sizeof(*plan->partitions), compare_by_topic);
	struct fetch_request *r = fetch_request_new(c, n);
	Correio__FetchPartition *partitions = (Correio__FetchPartition *)check_calloc(n, sizeof(*partitions));
	Correio__FetchPartition **partition_list =
		(Correio__FetchPartition **)check_calloc(n, sizeof(Correio__FetchPartition *));
	Correio__FetchTopic *topics = (Correio__FetchTopic *)check_calloc(n, sizeof(*topics));
	Correio__FetchTopic **topic_list = (Correio__FetchTopic **)check_calloc(n, sizeof(Correio__FetchTopic *));
	size_t topic_count = 0;
	for (size_t i = 0; i < n; i++) {
		struct consumer_partition *p = plan->partitions[i];
		correio__fetch_partition__init(&partitions[i]);
		partitions[i].partition = p->partition;
		partitions[i].fetch_offset = p->fetch_offset;
		partitions[i].max_bytes = (uint32_t)o->max_partition_fetch_bytes;
		(void)client_cluster_leader(c->cluster, p->topic, p->partition, &partitions[i].current_leader_epoch);
		partition_list[i] = &partitions[i];
		if (i == 0 || strcmp(p->topic, plan->partitions[i - 1]->topic) != 0) {
			Correio__FetchTopic *t = &topics[topic_count];
			correio__fetch_topic__init(t);
			t->name = p->topic;
			t->partitions = &partition_list[i];
			topic_list[topic_count++] = t;
		}
		topics[topic_count - 1].n_partitions++;
		remember(&r->asked[i], p);
		p->in_flight = true;
	}
	int64_t room = o->queued_max_bytes - (int64_t)c->queued_bytes;
	Correio__FetchRequest fetch = CORREIO__FETCH_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	fetch.max_wait_ms = (uint32_t)o->fetch_max_wait_ms;
	fetch.min_bytes = (uint32_t)o->fetch_min_bytes;
	fetch.max_bytes = (uint32_t)(o->fetch_max_bytes < room ? o->fetch_max_bytes : room);
	fetch.topics = topic_list;
	fetch.n_topics = topic_count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_FETCH;
	header.fetch = &fetch;
	struct client_request *request = client_cluster_request(c->cluster, &header, NULL, 0, o->fetch_max_wait_ms);
	request->done = fetch_done;
	request->arg = r;
	client_connection_send(plan->connection, request);
	free(partitions);
	free(partition_list);
	free(topics);
	free(topic_list);
}

static void plan_add(struct fetch_plan *plans, size_t *count, struct client_connection *connection,
	struct consumer_partition *p)
{
	size_t i = 0;
	while (i < *count && plans[i].connection != connection)
		i++;
	if (i == *count) {
		/* One fetch per broker at a time: answers come in order, a second would wait behind the first. */
		if (*count == FETCHES_MAX || client_connection_in_flight(connection) > 0)
			return;
		plans[(*count)++] = (struct fetch_plan){.connection = connection};
	}
	struct fetch_plan *plan = &plans[i];
	if (plan->count == plan->capacity) {
		plan->capacity = plan->capacity == 0 ? 16 : plan->capacity * 2;
		plan->partitions = (struct consumer_partition **)check_realloc(plan->partitions,
			plan->capacity * sizeof(struct consumer_partition *));
	}
	plan->partitions[plan->count++] = p;
}

/* A topic nobody knows for a while is an error the caller must hear of. */
static void check_unknown(struct correio_consumer *c, struct consumer_partition *p, int64_t now_us)
{
	const struct client_topic *topic = client_cluster_topic(c->cluster, p->topic);
	bool no_partition = topic != NULL && topic->error.code == 0 && p->partition >= topic->partition_count;
	bool unknown = no_partition || (topic != NULL && topic->error.code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	if (topic != NULL && topic->error.code != 0 && !topic->error.retriable) {
		consumer_partition_fail(c, p, &topic->error);
		return;
	}
	if (!unknown) {
		p->unknown_since_us = 0;
		return;
	}
	if (p->unknown_since_us == 0)
		p->unknown_since_us = now_us;
	if (now_us - p->unknown_since_us < UNKNOWN_TOPIC_PATIENCE_US)
		return;
	struct correio_error error = topic->error;
	if (no_partition)
		(void)client_error_code(&error, CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION, false,
			"topic %s has no partition %d: they are 0 to %d", p->topic, (int)p->partition,
			(int)topic->partition_count - 1);
	p->unknown_since_us = 0;
	consumer_partition_fail(c, p, &error);
}

bool consumer_fetch_send(struct correio_consumer *c, int64_t now_us, int64_t *deadline_us)
{
	bool sent = false;
	struct fetch_plan plans[FETCHES_MAX];
	size_t plan_count = 0;
	bool room = (int64_t)c->queued_bytes < c->options->queued_max_bytes;
	for (struct consumer_partition *p = c->partitions; p != NULL; p = p->next) {
		bool idle = p->state == PARTITION_NEEDS_OFFSET || (p->state == PARTITION_FETCHING && !p->in_flight && room);
		if (!idle)
			continue;
		if (now_us < p->not_before_us) {
			lower(deadline_us, p->not_before_us);
			continue;
		}
		int32_t epoch = -1;
		struct client_connection *connection = client_cluster_leader(c->cluster, p->topic, p->partition, &epoch);
		if (connection == NULL || !client_connection_ready(connection, now_us)) {
			bool lost = connection == NULL || client_connection_failure(connection) != NULL;
			if (lost)
				client_cluster_refresh(c->cluster);
			if (connection == NULL)
				check_unknown(c, p, now_us);
			lower(deadline_us, now_us + c->options->retry_backoff_ms * 1000);
		} else if (p->state == PARTITION_NEEDS_OFFSET) {
			send_lookup(c, p, connection, epoch);
			sent = true;
		} else {
			plan_add(plans, &plan_count, connection, p);
		}
	}
	for (size_t i = 0; i < plan_count; i++) {
		send_fetch(c, &plans[i]);
		free(plans[i].partitions);
		sent = true;
	}
	return sent;
}
