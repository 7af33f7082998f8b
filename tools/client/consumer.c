#include "tools/client/consumer_group.h"
#include "base/clock.h"
#include "base/topic_partition.h"

enum { INFLATED_MAX_BYTES = 1 << 28 }; /* of one batch; a bomb gets CORRUPT_MESSAGE */

int correio_consumer_new(const struct correio_config *config, struct correio_consumer **ret_consumer,
	struct correio_error *err)
{
	struct client_cluster *cluster;
	int code = client_cluster_new(config, &cluster, err);
	if (code != CORREIO_OK)
		return code;
	struct correio_consumer *c = (struct correio_consumer *)check_calloc(1, sizeof(*c));
	c->magic = correio_consumer_magic;
	c->config = client_config_copy(config);
	c->options = &c->config->options;
	c->cluster = cluster;
	c->next_generation = 1;
	if (c->options->group_id[0] != '\0')
		c->group = consumer_group_new(c);
	*ret_consumer = c;
	return CORREIO_OK;
}

static void records_close(struct correio_consumer *c)
{
	if (c->records.open)
		record_iterator_fini(&c->records.iterator);
	c->records.open = false;
}

void consumer_fetched_drop_first(struct correio_consumer *c, struct consumer_partition *p)
{
	struct fetched *f = p->first;
	expect(f != NULL && c->queued_bytes >= f->data.n);
	p->first = f->next;
	if (p->first == NULL)
		p->last = &p->first;
	c->queued_bytes -= f->data.n;
	iobuf_block_shared_unref(f->block);
	free(f);
}

void consumer_fetched_drop(struct correio_consumer *c, struct consumer_partition *p)
{
	while (p->first != NULL)
		consumer_fetched_drop_first(c, p);
}

static void partition_free(struct correio_consumer *c, struct consumer_partition *p)
{
	consumer_fetched_drop(c, p);
	free(p->topic);
	free(p);
}

void correio_consumer_free(struct correio_consumer *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(correio_consumer, c);
	records_close(c);
	client_cluster_free(c->cluster); /* what was asked is answered now */
	consumer_group_free(c->group);
	for (struct consumer_partition *p = c->partitions, *next; p != NULL; p = next) {
		next = p->next;
		partition_free(c, p);
	}
	expect(c->queued_bytes == 0);
	correio_config_free(c->config);
	c->magic = 0;
	free(c);
}

struct consumer_partition *consumer_find(struct correio_consumer *c, const char *topic, int32_t partition)
{
	for (struct consumer_partition *p = c->partitions; p != NULL; p = p->next)
		if (p->partition == partition && strcmp(p->topic, topic) == 0)
			return p;
	return NULL;
}

void consumer_partition_fail(struct correio_consumer *c, struct consumer_partition *p, const struct correio_error *error)
{
	(void)c;
	expect(error->code != 0);
	p->error = *error;
	p->state = PARTITION_FAILED;
}

/* ---- assignment ---- */

/* Forgets what was fetched and asked; answers under way no longer count. */
static void restart(struct correio_consumer *c, struct consumer_partition *p)
{
	records_close(c);
	consumer_fetched_drop(c, p);
	p->generation = c->next_generation++;
	p->in_flight = false;
	p->not_before_us = 0;
	p->unknown_since_us = 0;
}

static void go_to_timestamp(struct correio_consumer *c, struct consumer_partition *p, int64_t timestamp)
{
	restart(c, p);
	p->position = -1;
	p->seek_timestamp = timestamp;
	p->state = PARTITION_NEEDS_OFFSET;
}

static void go_to_offset(struct correio_consumer *c, struct consumer_partition *p, int64_t offset)
{
	restart(c, p);
	p->position = offset;
	p->fetch_offset = offset;
	p->state = PARTITION_FETCHING;
}

static int check_place(const char *topic, int32_t partition, int64_t offset, struct correio_error *err)
{
	if (topic == NULL || topic_name_check(slice_of_str(topic)) != STATUS_OK)
		return client_error_code(err, CORREIO_ERR_INVALID_TOPIC, false, "'%s': %s", topic != NULL ? topic : "",
			status_text(STATUS_INVALID_TOPIC_EXCEPTION));
	if (partition < 0 || offset < CORREIO_OFFSET_BEGINNING)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false,
			"%s: partition %d, offset %lld: neither may be negative (offset: -1 end, -2 beginning)", topic,
			(int)partition, (long long)offset);
	return CORREIO_OK;
}

static int not_assigned(const char *topic, int32_t partition, struct correio_error *err)
{
	return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false, "%s-%d is not assigned to this consumer", topic,
		(int)partition);
}

static void go_to(struct correio_consumer *c, struct consumer_partition *p, int64_t offset)
{
	if (offset >= 0)
		go_to_offset(c, p, offset);
	else
		go_to_timestamp(c, p, offset); /* -1 and -2 are ListOffsets' latest and earliest */
}

int correio_consumer_assign(struct correio_consumer *c, const char *topic, int32_t partition, int64_t offset,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	int code = check_place(topic, partition, offset, err);
	if (code != CORREIO_OK)
		return code;
	struct consumer_partition *p = consumer_find(c, topic, partition);
	if (p == NULL) {
		p = (struct consumer_partition *)check_calloc(1, sizeof(*p));
		p->topic = check_strdup(topic);
		p->partition = partition;
		p->last = &p->first;
		p->committed = -1;
		p->next = c->partitions;
		c->partitions = p;
		client_cluster_want_topic(c->cluster, topic);
	}
	go_to(c, p, offset);
	return CORREIO_OK;
}

int correio_consumer_unassign(struct correio_consumer *c, const char *topic, int32_t partition, struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	struct consumer_partition *p = consumer_find(c, topic, partition);
	if (p == NULL)
		return not_assigned(topic, partition, err);
	records_close(c);
	struct consumer_partition **at = &c->partitions;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	partition_free(c, p);
	return CORREIO_OK;
}

int correio_consumer_seek(struct correio_consumer *c, const char *topic, int32_t partition, int64_t offset,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	int code = check_place(topic, partition, offset, err);
	if (code != CORREIO_OK)
		return code;
	struct consumer_partition *p = consumer_find(c, topic, partition);
	if (p == NULL)
		return not_assigned(topic, partition, err);
	go_to(c, p, offset);
	return CORREIO_OK;
}

int correio_consumer_seek_time(struct correio_consumer *c, const char *topic, int32_t partition, int64_t timestamp_ms,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	int code = check_place(topic, partition, 0, err);
	if (code != CORREIO_OK)
		return code;
	struct consumer_partition *p = consumer_find(c, topic, partition);
	if (p == NULL)
		return not_assigned(topic, partition, err);
	if (timestamp_ms < 0)
		return client_error_code(err, CORREIO_ERR_INVALID_ARGUMENT, false, "%s-%d: timestamp %lld is before 1970",
			topic, (int)partition, (long long)timestamp_ms);
	go_to_timestamp(c, p, timestamp_ms);
	return CORREIO_OK;
}

int correio_consumer_position(struct correio_consumer *c, const char *topic, int32_t partition, int64_t *ret_offset,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	struct consumer_partition *p = consumer_find(c, topic, partition);
	if (p == NULL)
		return not_assigned(topic, partition, err);
	*ret_offset = p->position;
	return CORREIO_OK;
}

/* ---- poll ---- */

static int corrupt(struct correio_consumer *c, struct consumer_partition *p, enum status s, struct correio_error *err)
{
	/* Asked for again at the next poll: the damage may have been on the way. */
	consumer_fetched_drop(c, p);
	p->generation = c->next_generation++;
	p->in_flight = false;
	p->fetch_offset = p->position;
	return client_error_set(err, s, "%s-%d: the batch at or after offset %lld cannot be read: %s", p->topic,
		(int)p->partition, (long long)p->position, status_text(s));
}

/* The next batch of p's first answer that holds something for the caller. *ret_found false: the answer is used up. */
static enum status next_batch(struct correio_consumer *c, struct consumer_partition *p, bool *ret_found)
{
	struct fetched *f = p->first;
	while (f->at < f->data.n) {
		struct slice rest = slice_sub(f->data, f->at, f->data.n - f->at);
		size_t size;
		TRY(record_batch_peek_size(rest, rest.n, &size));
		struct record_batch batch;
		TRY(record_batch_parse(slice_sub(rest, 0, size), &batch));
		f->at += size;
		if (record_batch_last_offset(&batch) < p->position)
			continue;
		if (c->options->check_crcs)
			TRY(record_batch_check_crc(&batch));
		int64_t from = p->position;
		p->position = record_batch_last_offset(&batch) + 1;
		/* Markers of transactions and batches that compaction emptied only move the position. */
		if ((batch.attributes & RECORD_BATCH_CONTROL) != 0 || batch.record_count == 0)
			continue;
		enum status s = record_iterator_init(&c->records.iterator, &batch, INFLATED_MAX_BYTES);
		if (s != STATUS_OK) {
			p->position = from;
			return s;
		}
		c->records.open = true;
		c->records.partition = p;
		c->records.from_offset = from;
		c->records.next_offset = from;
		c->records.high_watermark = f->high_watermark;
		c->records.size = size;
		*ret_found = true;
		return STATUS_OK;
	}
	*ret_found = false;
	return STATUS_OK;
}

static void to_the_back(struct correio_consumer *c, struct consumer_partition *p)
{
	struct consumer_partition **at = &c->partitions;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	while (*at != NULL)
		at = &(*at)->next;
	*at = p;
	p->next = NULL;
}

static int tell_failure(struct correio_consumer *c, struct consumer_partition *p, struct correio_error *err)
{
	int code = p->error.code;
	if (err != NULL)
		*err = p->error;
	if (p->position >= 0)
		go_to_offset(c, p, p->position);
	else
		go_to_timestamp(c, p, p->seek_timestamp);
	p->not_before_us = clock_monotonic_us(clock_system()) + c->options->retry_backoff_ms * 1000;
	return code;
}

/* Takes from what was fetched. *ret_done: there is a batch or an error to return. */
static int take(struct correio_consumer *c, bool *ret_done, struct correio_error *err)
{
	*ret_done = true;
	for (struct consumer_partition *p = c->partitions, *next; p != NULL; p = next) {
		next = p->next;
		while (p->first != NULL) {
			bool found;
			enum status s = next_batch(c, p, &found);
			if (s != STATUS_OK)
				return corrupt(c, p, s, err);
			if (found)
				return CORREIO_OK;
			consumer_fetched_drop_first(c, p);
			to_the_back(c, p);
			c->turn_due = true;
		}
		if (p->state == PARTITION_FAILED)
			return tell_failure(c, p, err);
	}
	*ret_done = false;
	return CORREIO_OK;
}

int correio_consumer_poll(struct correio_consumer *c, int64_t timeout_ms, struct correio_records **ret_records,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_consumer, c);
	int64_t now_us = clock_monotonic_us(clock_system());
	int64_t until_us = now_us + (timeout_ms < 0 ? 0 : timeout_ms) * 1000;
	*ret_records = NULL;
	records_close(c);
	for (bool looked = false;;) {
		/* Requests go out before records are handed out: that is the prefetch. */
		int64_t deadline_us = until_us;
		bool look = c->group != NULL && consumer_group_step(c->group, now_us, &deadline_us);
		if (c->group != NULL && c->group->failed) {
			if (err != NULL)
				*err = c->group->failure;
			return c->group->failure.code;
		}
		look = consumer_fetch_send(c, now_us, &deadline_us) || look || c->turn_due;
		if (look)
			(void)client_cluster_poll(c->cluster, 0, -1);
		looked = looked || look;
		c->turn_due = false;
		bool done;
		int code = take(c, &done, err);
		if (done || (looked && now_us >= until_us)) {
			*ret_records = done && code == CORREIO_OK ? &c->records : NULL;
			return code;
		}
		/* What was just read or used up may call for another request: we wait only when there is nothing to do. */
		if (!look && !c->turn_due)
			(void)client_cluster_poll(c->cluster, deadline_us, -1);
		looked = true;
		now_us = clock_monotonic_us(clock_system());
	}
}

/* ---- records ---- */

const char *correio_records_topic(const struct correio_records *r)
{
	return r->partition->topic;
}

int32_t correio_records_partition(const struct correio_records *r)
{
	return r->partition->partition;
}

int64_t correio_records_high_watermark(const struct correio_records *r)
{
	return r->high_watermark;
}

size_t correio_records_size(const struct correio_records *r)
{
	return r->size;
}

int correio_records_next(struct correio_records *r, bool *ret_more, struct correio_record *ret_record,
	struct correio_error *err)
{
	expect(r->open);
	struct record record;
	do {
		enum status s = record_iterator_next(&r->iterator, &record);
		if (s == STATUS_NOT_FOUND) {
			r->next_offset = r->partition->position; /* of the whole batch */
			*ret_more = false;
			return CORREIO_OK;
		}
		if (s != STATUS_OK)
			return client_error_set(err, STATUS_CORRUPT_MESSAGE, "%s-%d: a record of the batch at %lld is damaged",
				r->partition->topic, (int)r->partition->partition,
				(long long)r->iterator.batch.base_offset);
	} while (record.offset < r->from_offset);
	*ret_record = (struct correio_record){
		.offset = record.offset,
		.timestamp_ms = record.timestamp,
		.key = {record.key.p, record.key.n},
		.value = {record.value.p, record.value.n},
		.header_count = record.header_count,
		.headers = record.headers.p,
		.headers_size = record.headers.n,
	};
	r->next_offset = record.offset + 1;
	*ret_more = true;
	return CORREIO_OK;
}

bool correio_record_header(const struct correio_record *record, size_t *cursor, struct correio_header *ret_header)
{
	if (*cursor >= record->headers_size)
		return false;
	struct slice all = slice_of(record->headers, record->headers_size);
	struct slice rest = slice_sub(all, *cursor, all.n - *cursor);
	struct record_header header;
	if (record_next_header(&rest, &header) != STATUS_OK)
		return false;
	*cursor = all.n - rest.n;
	*ret_header = (struct correio_header){
		.key = {header.key.p, header.key.n},
		.value = {header.value_null ? NULL : header.value.p, header.value.n},
	};
	return true;
}
