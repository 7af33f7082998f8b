#include "tools/client/partitioner.h"
#include "tools/client/producer_internal.h"
#include "base/topic_partition.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	UNKNOWN_TOPIC_PATIENCE_MS = 5000, /* a topic just created takes no longer to be known everywhere */
	HEADERS_ON_STACK = 16,
};

int64_t producer_now_us(void)
{
	return clock_monotonic_us(clock_system());
}

static int64_t wall_ms(void)
{
	struct timespec t;
	/* A tick (1 to 4 ms) late at most, at a fraction of the price: this runs per record. */
	int rc = clock_gettime(CLOCK_REALTIME_COARSE, &t);
	expect(rc == 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	int rc = pthread_condattr_init(&attributes);
	expect(rc == 0);
	rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	expect(rc == 0);
	rc = pthread_cond_init(cond, &attributes);
	expect(rc == 0);
	(void)pthread_condattr_destroy(&attributes);
}

/* False when the deadline has passed. */
static bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_us)
{
	if (deadline_us == INT64_MAX)
		return pthread_cond_wait(cond, lock) == 0;
	struct timespec t = {.tv_sec = deadline_us / 1000000, .tv_nsec = deadline_us % 1000000 * 1000};
	return pthread_cond_timedwait(cond, lock, &t) != ETIMEDOUT;
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

static void producer_free(struct correio_producer *p)
{
	for (struct producer_topic *t = p->topics, *next; t != NULL; t = next) {
		next = t->next;
		producer_topic_free(t);
	}
	for (struct producer_batch *b = p->pool, *next; b != NULL; b = next) {
		next = b->next;
		producer_batch_free(b);
	}
	client_cluster_free(p->cluster);
	if (p->wake_fd >= 0)
		(void)close(p->wake_fd);
	(void)pthread_cond_destroy(&p->room);
	(void)pthread_cond_destroy(&p->metadata);
	(void)pthread_cond_destroy(&p->reported);
	(void)pthread_mutex_destroy(&p->lock);
	correio_config_free(p->config);
	p->magic = 0;
	free(p);
}

int correio_producer_new(const struct correio_config *config, correio_delivery_fn delivered, void *arg,
	struct correio_producer **ret_producer, struct correio_error *err)
{
	struct client_cluster *cluster;
	int code = client_cluster_new(config, &cluster, err);
	if (code != CORREIO_OK)
		return code;
	struct correio_producer *p = (struct correio_producer *)check_calloc(1, sizeof(*p));
	p->magic = correio_producer_magic;
	p->config = client_config_copy(config);
	p->options = &p->config->options;
	p->delivered = delivered;
	p->delivered_arg = arg;
	p->cluster = cluster;
	p->pending_last = &p->pending;
	p->next_batch_id = 1;
	random_seed_system(&p->random);
	producer_identity_init(p);
	int rc = pthread_mutex_init(&p->lock, NULL);
	expect(rc == 0);
	cond_init(&p->room);
	cond_init(&p->metadata);
	cond_init(&p->reported);
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->wake_fd < 0 || pthread_create(&p->thread, NULL, producer_sender_run, p) != 0) {
		producer_free(p);
		return client_error_code(err, CORREIO_ERR_UNKNOWN_SERVER_ERROR, true,
			"cannot start the producer's thread: too many files or threads");
	}
	*ret_producer = p;
	return CORREIO_OK;
}

/* ---- send ---- */

static int64_t deadline_in_ms(int64_t ms)
{
	return producer_now_us() + ms * 1000;
}

/* Why there is no metadata yet, for the caller who gives up waiting. */
static int metadata_error(const struct producer_topic *t, int32_t partition, struct correio_error *err)
{
	if (t->partition_count > 0)
		return client_error_code(err, CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION, false,
			"topic %s has no partition %d: they are 0 to %d", t->name, (int)partition,
			(int)t->partition_count - 1);
	if (t->error.code == 0)
		return client_error_code(err, CORREIO_ERR_NO_BROKER, true,
			"topic %s: no metadata within max.block.ms; no broker of bootstrap.servers answers", t->name);
	if (err != NULL)
		*err = t->error;
	return t->error.code;
}

/* Until the topic is known to have that partition (-1: any). One just created, or just made larger, may not be known to
 * every broker yet: that is waited for, but not as long as for brokers that are away. */
static int wait_for_metadata(struct correio_producer *p, struct producer_topic *t, int32_t partition,
	struct correio_error *err)
{
	int32_t wanted = partition < 0 ? 1 : partition + 1;
	if (pthread_equal(pthread_self(), p->thread))
		return metadata_error(t, partition, err);
	int64_t deadline_us = deadline_in_ms(p->options->max_block_ms);
	int64_t unknown_us = deadline_in_ms(UNKNOWN_TOPIC_PATIENCE_MS);
	t->error.code = 0;
	if (t->wanted_count < wanted)
		t->wanted_count = wanted;
	p->topics_changed = true;
	producer_sender_wake(p);
	int code = CORREIO_OK;
	while (t->partition_count < wanted && code == CORREIO_OK) {
		bool unknown = t->partition_count > 0 || t->error.code == CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		int64_t until_us = unknown && unknown_us < deadline_us ? unknown_us : deadline_us;
		if (p->closing)
			code = client_error_code(err, CORREIO_ERR_CLOSED, false, "the producer is being closed");
		else if ((t->error.code != 0 && !t->error.retriable) || producer_now_us() >= until_us)
			code = metadata_error(t, partition, err);
		else
			(void)cond_wait_until(&p->metadata, &p->lock, until_us);
	}
	/* A partition that does not exist is not asked for for ever. */
	if (code != CORREIO_OK && t->wanted_count == wanted)
		t->wanted_count = 1;
	return code;
}

static int wait_for_room(struct correio_producer *p, size_t bytes, struct correio_error *err)
{
	int64_t start_us = producer_now_us();
	int64_t deadline_us = start_us + p->options->max_block_ms * 1000;
	bool on_sender = pthread_equal(pthread_self(), p->thread);
	int code = CORREIO_OK;
	p->waiting_for_room++;
	producer_sender_wake(p);
	while (p->buffered_bytes + bytes > (size_t)p->options->buffer_memory) {
		if (p->closing) {
			code = client_error_code(err, CORREIO_ERR_CLOSED, false, "the producer is being closed");
			break;
		}
		if (on_sender || !cond_wait_until(&p->room, &p->lock, deadline_us)) {
			code = client_error_code(err, CORREIO_ERR_BUFFER_FULL, true,
				"buffer full: %zu of %lld bytes of buffer.memory wait to be acknowledged, for %lld ms "
				"(max.block.ms); the brokers are slower than this producer, or away",
				p->buffered_bytes, (long long)p->options->buffer_memory,
				on_sender ? 0LL : (long long)p->options->max_block_ms);
			break;
		}
	}
	p->waiting_for_room--;
	p->stats.blocked_us += (uint64_t)(producer_now_us() - start_us);
	return code;
}

/* An upper bound of what the record adds to a batch; 0 when the message makes no sense. */
static size_t message_size(const struct correio_message *m)
{
	enum { PART_MAX = INT32_MAX / 4 };
	if (m->topic == NULL || m->key.size > PART_MAX || m->value.size > PART_MAX || m->header_count < 0)
		return 0;
	size_t size = PRODUCER_RECORD_OVERHEAD + m->key.size + m->value.size;
	for (int i = 0; i < m->header_count; i++) {
		if (m->headers[i].key.size > PART_MAX || m->headers[i].value.size > PART_MAX)
			return 0;
		size += 10 + m->headers[i].key.size + m->headers[i].value.size;
	}
	return size;
}

static struct slice slice_from(struct correio_bytes b)
{
	return slice_of(b.data, b.data != NULL ? b.size : 0);
}

static struct producer_partition *choose_partition(struct correio_producer *p, struct producer_topic *t,
	const struct correio_message *m, size_t size)
{
	if (m->partition >= 0)
		return t->partitions[m->partition];
	if (m->key.data != NULL)
		return t->partitions[partitioner_of_key(slice_from(m->key), t->partition_count)];
	/* Sticky: a partition until a batch's worth has gone to it, or its batch was sent. */
	bool fresh = t->sticky < 0 || t->partitions[t->sticky]->open == NULL ||
		t->sticky_bytes >= (size_t)p->options->batch_size;
	if (fresh) {
		t->sticky = partitioner_next_sticky(t->sticky, t->partition_count, random_u64(&p->random));
		t->sticky_bytes = 0;
	}
	t->sticky_bytes += size;
	return t->partitions[t->sticky];
}

static void add_with_headers(struct producer_batch *b, const struct correio_message *m, int64_t timestamp_ms)
	__attribute__((noinline));
static void add_with_headers(struct producer_batch *b, const struct correio_message *m, int64_t timestamp_ms)
{
	struct record_header on_stack[HEADERS_ON_STACK];
	struct record_header *headers = on_stack;
	size_t count = (size_t)m->header_count;
	if (count > HEADERS_ON_STACK)
		headers = (struct record_header *)check_alloc(count * sizeof(*headers));
	for (size_t i = 0; i < count; i++)
		headers[i] = (struct record_header){
			.key = slice_from(m->headers[i].key),
			.value = slice_from(m->headers[i].value),
			.value_null = m->headers[i].value.data == NULL,
		};
	record_batch_builder_add(b->builder, timestamp_ms, slice_from(m->key), slice_from(m->value), headers,
		m->header_count);
	if (headers != on_stack)
		free(headers);
}

static void add_record(struct producer_batch *b, const struct correio_message *m)
{
	int64_t timestamp_ms = m->timestamp_ms >= 0 ? m->timestamp_ms : wall_ms();
	/* Records without headers, which is most, pay nothing for them. */
	if (m->header_count > 0)
		add_with_headers(b, m, timestamp_ms);
	else
		record_batch_builder_add(b->builder, timestamp_ms, slice_from(m->key), slice_from(m->value), NULL, 0);
	b->record_count++;
}

/* Into the partition's open batch; the sender is woken when that gives it something to do. */
static void append(struct correio_producer *p, struct producer_partition *partition, const struct correio_message *m,
	size_t size)
{
	const struct client_options *o = p->options;
	if (partition->open != NULL && partition->open->bytes + size > (size_t)o->max_request_size)
		producer_batch_close(partition);
	struct producer_batch *b = partition->open;
	bool fresh = b == NULL;
	if (fresh)
		b = producer_batch_open(p, partition);
	size_t before = b->bytes;
	add_record(b, m);
	producer_batch_opaque(b, m->opaque);
	b->bytes += size;
	p->buffered_bytes += size;
	p->stats.records_sent++;
	if (partition->in_flight != NULL)
		return; /* its answer wakes the sender */
	bool filled = before < (size_t)o->batch_size && b->bytes >= (size_t)o->batch_size;
	if (filled || (fresh && b->created_us + o->linger_ms * 1000 < p->sender_wakes_us))
		producer_sender_wake(p);
}

static int send_locked(struct correio_producer *p, const struct correio_message *m, size_t size, struct correio_error *err)
{
	if (p->closing)
		return client_error_code(err, CORREIO_ERR_CLOSED, false, "the producer is being closed");
	struct producer_topic *t = producer_find_topic(p, m->topic);
	if (t->partition_count == 0 || m->partition >= t->partition_count) {
		int code = wait_for_metadata(p, t, m->partition, err);
		if (code != CORREIO_OK)
			return code;
	}
	/* A new batch's header is charged too. */
	size_t charged = size + RECORD_BATCH_HEADER_SIZE;
	if (p->buffered_bytes + charged > (size_t)p->options->buffer_memory) {
		int code = wait_for_room(p, charged, err);
		if (code != CORREIO_OK)
			return code;
	}
	append(p, choose_partition(p, t, m, size), m, size);
	return CORREIO_OK;
}

int correio_producer_send(struct correio_producer *p, const struct correio_message *message, struct correio_error *err)
{
	CHECK_MAGIC(correio_producer, p);
	size_t size = message_size(message);
	if (size == 0 || message->partition < CORREIO_PARTITION_ANY)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false,
			"correio_producer_send: no topic, a negative partition or a size no record can have");
	size_t limit = (size_t)p->options->max_request_size;
	if ((size_t)p->options->buffer_memory < limit)
		limit = (size_t)p->options->buffer_memory;
	if (size + RECORD_BATCH_HEADER_SIZE > limit)
		return client_error_code(err, CORREIO_ERR_MESSAGE_TOO_LARGE, false,
			"topic %s: the record of %zu bytes is larger than %zu, the least of max.request.size and "
			"buffer.memory",
			message->topic, size, limit);
	lock_producer(p);
	int code = send_locked(p, message, size, err);
	unlock_producer(p);
	return code;
}

int correio_producer_partitions(struct correio_producer *p, const char *topic, int32_t *ret_count,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_producer, p);
	lock_producer(p);
	struct producer_topic *t = producer_find_topic(p, topic);
	int code = t->partition_count == 0 ? wait_for_metadata(p, t, CORREIO_PARTITION_ANY, err) : CORREIO_OK;
	if (code == CORREIO_OK)
		*ret_count = t->partition_count;
	unlock_producer(p);
	return code;
}

/* ---- flush and close ---- */

static int flush_locked(struct correio_producer *p, int64_t timeout_ms, struct correio_error *err)
{
	int64_t deadline_us = timeout_ms < 0 ? INT64_MAX : deadline_in_ms(timeout_ms);
	uint64_t last_id = p->next_batch_id - 1;
	int code = CORREIO_OK;
	p->flushing++;
	producer_sender_wake(p);
	while (p->oldest != NULL && p->oldest->id <= last_id) {
		if (!cond_wait_until(&p->reported, &p->lock, deadline_us)) {
			code = client_error_code(err, CORREIO_ERR_TIMED_OUT, true,
				"%zu bytes were not acknowledged within %lld ms", p->buffered_bytes, (long long)timeout_ms);
			break;
		}
	}
	p->flushing--;
	return code;
}

int correio_producer_flush(struct correio_producer *p, int64_t timeout_ms, struct correio_error *err)
{
	CHECK_MAGIC(correio_producer, p);
	lock_producer(p);
	int code = flush_locked(p, timeout_ms, err);
	unlock_producer(p);
	return code;
}

int correio_producer_close(struct correio_producer *p, int64_t timeout_ms, struct correio_error *err)
{
	CHECK_MAGIC(correio_producer, p);
	lock_producer(p);
	int code = flush_locked(p, timeout_ms, err);
	p->closing = true;
	(void)pthread_cond_broadcast(&p->room);
	(void)pthread_cond_broadcast(&p->metadata);
	producer_sender_wake(p);
	unlock_producer(p);
	int rc = pthread_join(p->thread, NULL);
	expect(rc == 0);
	producer_free(p);
	return code;
}

void correio_producer_stats(struct correio_producer *p, struct correio_producer_stats *ret_stats)
{
	CHECK_MAGIC(correio_producer, p);
	lock_producer(p);
	*ret_stats = p->stats;
	ret_stats->buffered_bytes = p->buffered_bytes;
	unlock_producer(p);
}
