#include "tools/client/producer_internal.h"
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	REQUEST_TARGET_BYTES = 1 << 20, /* several requests of this size keep client and broker busy at the same time */
	TARGETS_MAX = 64,               /* brokers served per turn */
	NOTHING_KNOWN_US = 100000,
};

/* One batch per partition of one request. */
struct produce_entry {
	struct producer_partition *partition;
	struct producer_batch *batch;
	struct client_connection *connection;
	size_t request; /* number within this turn */
};
struct produce_request {
	unsigned magic;
	struct correio_producer *producer;
	size_t count;
	struct produce_entry entries[];
};
MAGIC(produce_request, 0x50524551);

/* What one turn sends; on the sender's stack. */
struct target {
	struct client_connection *connection;
	size_t request, bytes, requests_left;
};
struct turn {
	int64_t now_us, deadline_us;
	struct produce_entry *entries;
	size_t entry_count, entry_capacity, request_count;
	struct target targets[TARGETS_MAX];
	size_t target_count;
	struct producer_batch *expired; /* linked by next */
	struct producer_partition **expired_of;
	size_t expired_count;
};

void producer_sender_wake(struct correio_producer *p)
{
	if (p->wake_sent)
		return;
	p->wake_sent = true;
	ssize_t n = write(p->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
	expect(n == sizeof(uint64_t));
}

static void lock_producer(struct correio_producer *p)
{
	int rc = pthread_mutex_lock(&p->lock);
	expect(rc == 0);
}

static void unlock_producer(struct correio_producer *p)
{
	int rc = pthread_mutex_unlock(&p->lock);
	expect(rc == 0);
}

/* ---- reports ---- */

struct outcome {
	const struct correio_error *error; /* NULL: stored */
	int64_t base_offset, log_append_time_ms;
};

/* The end of a batch. in_flight: it was sent and its partition waits for this. */
static void report(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b,
	const struct outcome *outcome, bool in_flight)
{
	if (p->delivered != NULL) {
		struct correio_delivery delivery = {
			.topic = partition->topic->name,
			.partition = partition->partition,
			.record_count = b->record_count,
			.base_offset = outcome->base_offset,
			.log_append_time_ms = outcome->log_append_time_ms,
			.error = outcome->error,
			.opaques = b->opaques,
		};
		p->delivered(p->delivered_arg, &delivery);
	}
	lock_producer(p);
	if (outcome->error == NULL) {
		p->stats.records_acknowledged += (uint64_t)b->record_count;
		p->stats.batches_acknowledged++;
		p->stats.bytes_acknowledged += b->encoded.n;
	} else {
		p->stats.records_failed += (uint64_t)b->record_count;
	}
	if (in_flight) {
		expect(partition->in_flight == b);
		partition->in_flight = NULL;
	}
	producer_batch_release(p, b);
	unlock_producer(p);
}

static void report_failure(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b,
	const struct correio_error *error, bool in_flight)
{
	struct outcome outcome = {.error = error, .base_offset = -1, .log_append_time_ms = -1};
	report(p, partition, b, &outcome, in_flight);
}

/* ---- answers ---- */

static int64_t backoff_us(const struct client_options *o, int64_t attempts)
{
	int64_t ms = o->retry_backoff_ms;
	for (int64_t i = 1; i < attempts && ms < o->retry_backoff_max_ms; i++)
		ms *= 2;
	return (ms < o->retry_backoff_max_ms ? ms : o->retry_backoff_max_ms) * 1000;
}

/* Back to the front of the queue, so that nothing overtakes it. */
static void retry(struct correio_producer *p, struct produce_entry *e, int64_t delay_us)
{
	lock_producer(p);
	expect(e->partition->in_flight == e->batch);
	e->partition->in_flight = NULL;
	e->partition->not_before_us = producer_now_us() + delay_us;
	producer_batch_push_front(e->partition, e->batch);
	producer_pending_add(p, e->partition);
	p->stats.retries++;
	unlock_producer(p);
}

static bool split(struct correio_producer *p, struct produce_entry *e)
{
	lock_producer(p);
	struct producer_batch *second;
	enum status s = producer_batch_split(p, e->batch, &second);
	if (s == STATUS_OK) {
		e->partition->in_flight = NULL;
		producer_batch_push_front(e->partition, second);
		producer_batch_push_front(e->partition, e->batch);
		producer_pending_add(p, e->partition);
	}
	unlock_producer(p);
	return s == STATUS_OK;
}

static void entry_failed(struct correio_producer *p, struct produce_entry *e, const struct correio_error *error)
{
	const struct client_options *o = p->options;
	struct producer_batch *b = e->batch;
	bool retriable = error->retriable || producer_identity_renumber(p, e->partition, b, error->code);
	bool may_retry = retriable && b->attempts <= o->retries &&
		producer_now_us() < b->created_us + o->delivery_timeout_ms * 1000;
	if (may_retry) {
		if (e->partition->last_error == NULL)
			e->partition->last_error = (struct correio_error *)check_alloc(sizeof(*error));
		*e->partition->last_error = *error;
		retry(p, e, backoff_us(o, b->attempts));
		return;
	}
	if (error->code == CORREIO_ERR_MESSAGE_TOO_LARGE && split(p, e))
		return;
	producer_identity_given_up(p, e->partition, b);
	report_failure(p, e->partition, b, error, true);
}

static void entry_answered(struct correio_producer *p, struct produce_entry *e,
	const Correio__ProducePartitionResult *result)
{
	if (result->error_code == 0) {
		producer_identity_stored(p, e->partition, e->batch);
		struct outcome outcome = {
			.base_offset = result->base_offset,
			.log_append_time_ms = result->log_append_time_ms,
		};
		report(p, e->partition, e->batch, &outcome, true);
		return;
	}
	char what[300];
	(void)snprintf(what, sizeof(what), "%s-%d", e->partition->topic->name, (int)e->partition->partition);
	struct correio_error error;
	(void)client_error_from_broker(&error, result->error_code, result->error_message, what);
	bool moved = error.code == CORREIO_ERR_NOT_LEADER_OR_FOLLOWER || error.code == CORREIO_ERR_LEADER_NOT_AVAILABLE ||
		error.code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (moved)
		client_cluster_learn_leader(p->cluster, e->partition->topic->name, e->partition->partition, result->leader);
	entry_failed(p, e, &error);
}

/* The result of entry e: usually the next one, for they come in the order of the request. */
static const Correio__ProducePartitionResult *find_result(const Correio__ProduceResponse *r, const struct produce_entry *e)
{
	for (size_t t = 0; t < r->n_topics; t++) {
		if (strcmp(r->topics[t]->name, e->partition->topic->name) != 0)
			continue;
		for (size_t i = 0; i < r->topics[t]->n_partitions; i++)
			if (r->topics[t]->partitions[i]->partition == e->partition->partition)
				return r->topics[t]->partitions[i];
	}
	return NULL;
}

static void produce_done(void *arg, struct client_response *response)
{
	struct produce_request *r = CAST(produce_request, arg);
	struct correio_producer *p = r->producer;
	const Correio__ResponseHeader *h = response->header;
	struct correio_error error = response->error;
	const Correio__ProduceResponse *produce = NULL;
	if (h != NULL && h->error_code != 0)
		(void)client_error_from_broker(&error, h->error_code, h->error_message, "produce");
	else if (h != NULL && h->response_case == CORREIO__RESPONSE_HEADER__RESPONSE_PRODUCE)
		produce = h->produce;
	else if (h != NULL)
		(void)client_error_code(&error, CORREIO_ERR_PROTOCOL, false, "the broker answered produce with something else");
	if (h == NULL && error.code != 0)
		client_cluster_refresh(p->cluster);
	for (size_t i = 0; i < r->count; i++) {
		struct produce_entry *e = &r->entries[i];
		const Correio__ProducePartitionResult *result = produce != NULL ? find_result(produce, e) : NULL;
		struct outcome unconfirmed = {.base_offset = -1, .log_append_time_ms = -1};
		if (result != NULL) {
			entry_answered(p, e, result);
		} else if (h == NULL && error.code == 0) { /* acks=0: it is on its way */
			report(p, e->partition, e->batch, &unconfirmed, true);
		} else {
			if (error.code == 0)
				(void)client_error_code(&error, CORREIO_ERR_PROTOCOL, false,
					"the broker's answer leaves out a partition");
			entry_failed(p, e, &error);
		}
	}
	r->magic = 0;
	free(r);
}

/* ---- choosing what to send; the lock is held ---- */

/* When may the partition's next batch go? */
static int64_t ready_at(const struct correio_producer *p, const struct producer_partition *partition)
{
	int64_t at_us = partition->not_before_us;
	const struct producer_batch *open = partition->open;
	if (partition->first != NULL || p->flushing > 0 || p->closing || p->waiting_for_room > 0)
		return at_us;
	expect(open != NULL);
	if (open->bytes >= (size_t)p->options->batch_size)
		return at_us;
	int64_t lingered_us = open->created_us + p->options->linger_ms * 1000;
	return lingered_us > at_us ? lingered_us : at_us;
}

static struct target *find_target(const struct correio_producer *p, struct turn *turn, struct client_connection *c)
{
	for (size_t i = 0; i < turn->target_count; i++)
		if (turn->targets[i].connection == c)
			return &turn->targets[i];
	size_t in_flight = client_connection_in_flight(c);
	size_t max = (size_t)p->options->max_in_flight;
	if (turn->target_count == TARGETS_MAX || in_flight >= max)
		return NULL;
	struct target *t = &turn->targets[turn->target_count++];
	*t = (struct target){.connection = c, .request = turn->request_count++, .requests_left = max - in_flight - 1};
	return t;
}

static bool add_entry(const struct correio_producer *p, struct turn *turn, struct producer_partition *partition,
	struct client_connection *connection)
{
	struct target *t = find_target(p, turn, connection);
	if (t == NULL)
		return false;
	size_t limit = REQUEST_TARGET_BYTES;
	uint32_t peer_max = client_connection_peer_max_frame(connection);
	if (peer_max > 0 && peer_max / 2 < limit)
		limit = peer_max / 2;
	size_t bytes = partition->first != NULL ? partition->first->bytes : partition->open->bytes;
	if (t->bytes > 0 && t->bytes + bytes > limit) {
		if (t->requests_left == 0)
			return false;
		t->requests_left--;
		t->request = turn->request_count++;
		t->bytes = 0;
	}
	t->bytes += bytes;
	if (turn->entry_count == turn->entry_capacity) {
		turn->entry_capacity = turn->entry_capacity == 0 ? 64 : turn->entry_capacity * 2;
		turn->entries = (struct produce_entry *)check_realloc(turn->entries,
			turn->entry_capacity * sizeof(*turn->entries));
	}
	partition->in_flight = producer_batch_take(partition);
	partition->in_flight->attempts++;
	turn->entries[turn->entry_count++] = (struct produce_entry){
		.partition = partition,
		.batch = partition->in_flight,
		.connection = connection,
		.request = t->request,
	};
	return true;
}

static void lower(int64_t *deadline_us, int64_t at_us)
{
	if (at_us < *deadline_us)
		*deadline_us = at_us;
}

/* Takes out what has waited for delivery.timeout.ms, or everything when closing. */
static void expire(struct correio_producer *p, struct turn *turn, struct producer_partition *partition)
{
	int64_t timeout_us = p->options->delivery_timeout_ms * 1000;
	while (partition->in_flight == NULL && (partition->first != NULL || partition->open != NULL)) {
		const struct producer_batch *b = partition->first != NULL ? partition->first : partition->open;
		if (!p->closing && turn->now_us < b->created_us + timeout_us) {
			lower(&turn->deadline_us, b->created_us + timeout_us);
			return;
		}
		size_t n = turn->expired_count + 1;
		turn->expired_of = (struct producer_partition **)check_realloc(turn->expired_of,
			n * sizeof(struct producer_partition *));
		turn->expired_of[turn->expired_count++] = partition;
		struct producer_batch **last = &turn->expired;
		while (*last != NULL)
			last = &(*last)->next;
		*last = producer_batch_take(partition);
	}
}

/* True: a batch of the partition was taken. */
static bool try_partition(struct correio_producer *p, struct turn *turn, struct producer_partition *partition)
{
	if (partition->in_flight != NULL)
		return false;
	int64_t at_us = ready_at(p, partition);
	if (at_us > turn->now_us) {
		lower(&turn->deadline_us, at_us);
		return false;
	}
	if (!producer_identity_ready(p, &at_us)) {
		lower(&turn->deadline_us, at_us);
		return false;
	}
	int32_t epoch;
	struct client_connection *c = client_cluster_leader(p->cluster, partition->topic->name, partition->partition, &epoch);
	if (c == NULL) {
		client_cluster_refresh(p->cluster);
		lower(&turn->deadline_us, turn->now_us + NOTHING_KNOWN_US);
		return false;
	}
	if (!client_connection_ready(c, turn->now_us)) {
		/* Connecting, or backing off: the leader may have moved meanwhile. */
		if (client_connection_failure(c) != NULL)
			client_cluster_refresh(p->cluster);
		int64_t retry_us = client_connection_retry_at_us(c);
		lower(&turn->deadline_us, retry_us > turn->now_us ? retry_us : turn->now_us + NOTHING_KNOWN_US);
		return false;
	}
	return add_entry(p, turn, partition, c);
}

/* One pass over the partitions that hold batches; those served go to the end of the list. */
static void choose(struct correio_producer *p, struct turn *turn)
{
	struct producer_partition *all = p->pending, *served = NULL, **served_last = &served;
	p->pending = NULL;
	p->pending_last = &p->pending;
	for (struct producer_partition *partition = all, *next; partition != NULL; partition = next) {
		next = partition->next_pending;
		partition->pending = false;
		expire(p, turn, partition);
		if (partition->first == NULL && partition->open == NULL)
			continue;
		if (!try_partition(p, turn, partition)) {
			producer_pending_add(p, partition);
			continue;
		}
		if (partition->first == NULL && partition->open == NULL)
			continue;
		partition->pending = true;
		partition->next_pending = NULL;
		*served_last = partition;
		served_last = &partition->next_pending;
	}
	*p->pending_last = served;
	if (served != NULL)
		p->pending_last = served_last;
}

/* ---- sending ---- */

static int compare_entries(const void *a, const void *b)
{
	const struct produce_entry *x = (const struct produce_entry *)a, *y = (const struct produce_entry *)b;
	if (x->request != y->request)
		return x->request < y->request ? -1 : 1;
	if (x->partition->topic != y->partition->topic)
		return strcmp(x->partition->topic->name, y->partition->topic->name);
	return x->partition->partition < y->partition->partition ? -1 : 1;
}

/* Compression and checksum, on this thread. False: the batch was reported as failed. */
static bool finish_batch(struct correio_producer *p, struct produce_entry *e)
{
	struct producer_batch *b = e->batch;
	if (b->encoded.p != NULL)
		return true;
	producer_identity_number(p, e->partition, b);
	enum status s = record_batch_builder_finish(b->builder, &b->encoded);
	if (s == STATUS_OK)
		return true;
	struct correio_error error;
	(void)client_error_set(&error, s, "%s-%d: the batch could not be compressed: %s", e->partition->topic->name,
		(int)e->partition->partition, status_text(s));
	report_failure(p, e->partition, b, &error, true);
	return false;
}

/* entries [0, count) go to one broker in one request; sorted by topic. */
static void send_request(struct correio_producer *p, const struct produce_entry *entries, size_t count)
{
	struct produce_request *r =
		(struct produce_request *)check_calloc(1, sizeof(*r) + count * sizeof(r->entries[0]));
	r->magic = produce_request_magic;
	r->producer = p;
	r->count = count;
	memcpy(r->entries, entries, count * sizeof(r->entries[0]));
	Correio__ProduceTopic *topics = (Correio__ProduceTopic *)check_calloc(count, sizeof(*topics));
	Correio__ProduceTopic **topic_list = (Correio__ProduceTopic **)check_calloc(count, sizeof(Correio__ProduceTopic *));
	Correio__ProducePartition *partitions = (Correio__ProducePartition *)check_calloc(count, sizeof(*partitions));
	Correio__ProducePartition **partition_list =
		(Correio__ProducePartition **)check_calloc(count, sizeof(Correio__ProducePartition *));
	struct slice *payload = (struct slice *)check_calloc(count, sizeof(*payload));
	size_t topic_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct produce_entry *e = &entries[i];
		correio__produce_partition__init(&partitions[i]);
		partitions[i].partition = e->partition->partition;
		partitions[i].records_bytes = (uint32_t)e->batch->encoded.n;
		partition_list[i] = &partitions[i];
		payload[i] = e->batch->encoded;
		if (i == 0 || e->partition->topic != entries[i - 1].partition->topic) {
			Correio__ProduceTopic *t = &topics[topic_count];
			correio__produce_topic__init(t);
			t->name = e->partition->topic->name;
			t->partitions = &partition_list[i];
			topic_list[topic_count++] = t;
		}
		topics[topic_count - 1].n_partitions++;
	}
	Correio__ProduceRequest produce = CORREIO__PRODUCE_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	produce.acks = p->options->acks;
	produce.timeout_ms = (uint32_t)p->options->request_timeout_ms;
	produce.topics = topic_list;
	produce.n_topics = topic_count;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_PRODUCE;
	header.produce = &produce;
	struct client_request *request = client_cluster_request(p->cluster, &header, payload, count, 0);
	request->done = produce_done;
	request->arg = r;
	request->silent = produce.acks == 0;
	client_connection_send(entries[0].connection, request);
	free(topics);
	free(topic_list);
	free(partitions);
	free(partition_list);
	free(payload);
}

static void send_turn(struct correio_producer *p, struct turn *turn)
{
	size_t kept = 0;
	for (size_t i = 0; i < turn->entry_count; i++)
		if (finish_batch(p, &turn->entries[i]))
			turn->entries[kept++] = turn->entries[i];
	if (kept > 1)
		qsort(turn->entries, kept, sizeof(*turn->entries), compare_entries);
	for (size_t from = 0, to; from < kept; from = to) {
		to = from + 1;
		while (to < kept && turn->entries[to].request == turn->entries[from].request)
			to++;
		send_request(p, turn->entries + from, to - from);
	}
}

static void report_expired(struct correio_producer *p, struct turn *turn)
{
	struct producer_batch *b = turn->expired;
	for (size_t i = 0; i < turn->expired_count; i++) {
		struct producer_batch *next = b->next;
		struct producer_partition *partition = turn->expired_of[i];
		struct correio_error error;
		/* What the broker last said of this partition tells more than that nobody answers. */
		const struct correio_error *why = partition->last_error;
		if (why == NULL && p->identity.failure.code != 0)
			why = &p->identity.failure;
		if (why == NULL && p->cluster != NULL)
			why = client_cluster_failure(p->cluster);
		producer_identity_given_up(p, partition, b);
		if (p->closing)
			(void)client_error_code(&error, CORREIO_ERR_CLOSED, false, "%s-%d: the producer was closed",
				partition->topic->name, (int)partition->partition);
		else
			(void)client_error_code(&error, CORREIO_ERR_DELIVERY_TIMEOUT, false,
				"%s-%d: not delivered within delivery.timeout.ms (%lld ms, %lld attempts)%s%s",
				partition->topic->name, (int)partition->partition,
				(long long)p->options->delivery_timeout_ms, (long long)b->attempts,
				why != NULL ? "; " : "", why != NULL ? why->message : "");
		report_failure(p, partition, b, &error, false);
		b = next;
	}
}

/* ---- the thread ---- */

/* Topics the callers asked for are told to the cluster. The lock is held. */
static void want_topics(struct correio_producer *p)
{
	p->topics_changed = false;
	for (struct producer_topic *t = p->topics; t != NULL; t = t->next) {
		if (!t->wanted)
			client_cluster_want_topic(p->cluster, t->name);
		t->wanted = true;
		if (t->partition_count < t->wanted_count)
			client_cluster_refresh(p->cluster);
	}
}

static void cluster_updated(void *arg)
{
	struct correio_producer *p = CAST(correio_producer, arg);
	const struct correio_error *failure = client_cluster_failure(p->cluster);
	lock_producer(p);
	for (struct producer_topic *t = p->topics; t != NULL; t = t->next) {
		const struct client_topic *known = client_cluster_topic(p->cluster, t->name);
		if (known != NULL && known->error.code == 0)
			producer_topic_set_count(p, t, known->partition_count);
		else if (known != NULL)
			t->error = known->error;
		else if (failure != NULL)
			t->error = *failure;
		if (t->partition_count == 0 || t->partition_count < t->wanted_count)
			client_cluster_refresh(p->cluster);
	}
	(void)pthread_cond_broadcast(&p->metadata);
	unlock_producer(p);
}

/* Closing: first what is in flight fails, then what was behind it. */
static void drop_everything(struct correio_producer *p)
{
	client_cluster_free(p->cluster);
	p->cluster = NULL;
	struct turn turn = {.now_us = producer_now_us(), .deadline_us = INT64_MAX};
	lock_producer(p);
	expect(p->closing);
	choose(p, &turn);
	expect(p->pending == NULL && turn.entry_count == 0);
	unlock_producer(p);
	report_expired(p, &turn);
	free(turn.expired_of);
}

void *producer_sender_run(void *arg)
{
	struct correio_producer *p = CAST(correio_producer, arg);
	client_cluster_on_update(p->cluster, cluster_updated, p);
	for (;;) {
		struct turn turn = {.now_us = producer_now_us(), .deadline_us = INT64_MAX};
		lock_producer(p);
		p->wake_sent = false;
		bool closing = p->closing;
		if (p->topics_changed)
			want_topics(p);
		bool used = p->topics != NULL;
		if (!closing)
			choose(p, &turn);
		p->sender_wakes_us = turn.deadline_us;
		unlock_producer(p);
		if (closing)
			break;
		send_turn(p, &turn);
		report_expired(p, &turn);
		free(turn.entries);
		free(turn.expired_of);
		if (used)
			producer_identity_ask(p, turn.now_us);
		if (client_cluster_poll(p->cluster, turn.deadline_us, p->wake_fd)) {
			uint64_t count;
			ssize_t n = read(p->wake_fd, &count, sizeof(count));
			expect(n == sizeof(count));
		}
	}
	drop_everything(p);
	return NULL;
}
