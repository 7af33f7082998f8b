#include "storage/producer_state.h"

#include "base/crc32c.h"
#include <sys/queue.h>
#include <uthash.h>

enum { SNAPSHOT_VERSION = 1, SNAPSHOT_CRC_AT = 2, SNAPSHOT_COVERED_AT = 6 };

struct cached_batch {
	int64_t last_offset, timestamp;
	int32_t last_sequence, offset_delta;
};
struct producer {
	int64_t id;
	int64_t used_ms;
	int64_t last_timestamp;
	int64_t transaction_first_offset; /* -1 none */
	struct cached_batch batches[PRODUCER_STATE_BATCHES]; /* a ring */
	uint8_t first, count;
	int16_t epoch;
	int32_t coordinator_epoch;
	TAILQ_ENTRY(producer) link;
	UT_hash_handle hh;
};
/* Open, or ended by a marker that readers may not see yet. */
struct transaction {
	int64_t producer_id;
	int64_t first_offset, marker_offset; /* -1: open */
	TAILQ_ENTRY(transaction) link;
};
struct producer_state {
	struct producer *by_id;
	TAILQ_HEAD(producers, producer) by_use; /* the newest last */
	TAILQ_HEAD(transactions, transaction) transactions; /* by first offset */
	size_t count, count_max;
	int64_t end_offset;
};

struct producer_state *producer_state_new(size_t producers_max)
{
	expect(producers_max > 0);
	struct producer_state *s = check_calloc(1, sizeof(*s));
	TAILQ_INIT(&s->by_use);
	TAILQ_INIT(&s->transactions);
	s->count_max = producers_max;
	s->end_offset = -1;
	return s;
}

static void forget(struct producer_state *s, struct producer *p)
{
	expect(s->count > 0);
	HASH_DEL(s->by_id, p);
	TAILQ_REMOVE(&s->by_use, p, link);
	s->count--;
	free(p);
}

void producer_state_clear(struct producer_state *s)
{
	while (!TAILQ_EMPTY(&s->transactions)) {
		struct transaction *t = TAILQ_FIRST(&s->transactions);
		TAILQ_REMOVE(&s->transactions, t, link);
		free(t);
	}
	/* Table first: one by one it would be tidied up for each. */
	HASH_CLEAR(hh, s->by_id);
	while (!TAILQ_EMPTY(&s->by_use)) {
		struct producer *p = TAILQ_FIRST(&s->by_use);
		TAILQ_REMOVE(&s->by_use, p, link);
		free(p);
	}
	s->count = 0;
	s->end_offset = -1;
}

void producer_state_free(struct producer_state *s)
{
	if (s == NULL)
		return;
	producer_state_clear(s);
	free(s);
}

static struct producer *find(const struct producer_state *s, int64_t id)
{
	struct producer *p = NULL;
	HASH_FIND(hh, s->by_id, &id, sizeof(id), p);
	return p;
}

/* The one that wrote longest ago and has nothing open. */
static void make_room(struct producer_state *s)
{
	struct producer *p;
	if (s->count < s->count_max)
		return;
	TAILQ_FOREACH(p, &s->by_use, link) {
		if (p->transaction_first_offset < 0) {
			forget(s, p);
			return;
		}
	}
}

static struct producer *find_or_add(struct producer_state *s, int64_t id)
{
	expect(id >= 0);
	struct producer *p = find(s, id);
	if (p != NULL)
		return p;
	make_room(s);
	p = check_calloc(1, sizeof(*p));
	p->id = id;
	p->epoch = -1;
	p->coordinator_epoch = -1;
	p->last_timestamp = p->transaction_first_offset = -1;
	HASH_ADD(hh, s->by_id, id, sizeof(p->id), p);
	TAILQ_INSERT_TAIL(&s->by_use, p, link);
	s->count++;
	return p;
}

/* --- sequences ----------------------------------------------------------------------------------------------- */

int32_t producer_state_sequence_after(int32_t sequence, int32_t count)
{
	expect(sequence >= 0 && count >= 0);
	return sequence > INT32_MAX - count ? count - (INT32_MAX - sequence) - 1 : sequence + count;
}

static int32_t last_sequence(const struct producer_append *a)
{
	return a->base_sequence < 0 ? -1 : producer_state_sequence_after(a->base_sequence, a->offset_delta);
}

static const struct cached_batch *cached(const struct producer *p, unsigned i)
{
	expect(i < p->count);
	return &p->batches[(p->first + i) % PRODUCER_STATE_BATCHES];
}

static const struct cached_batch *newest(const struct producer *p)
{
	return p->count == 0 ? NULL : cached(p, p->count - 1U);
}

static bool find_duplicate(const struct producer *p, const struct producer_append *a, struct producer_duplicate *ret_duplicate)
{
	int32_t last = last_sequence(a);
	if (p->epoch != a->epoch)
		return false;
	for (unsigned i = 0; i < p->count; i++) {
		const struct cached_batch *b = cached(p, i);
		/* The same first and last sequence, with as many records in between. */
		if (b->last_sequence != last || b->offset_delta != a->offset_delta)
			continue;
		*ret_duplicate = (struct producer_duplicate){b->last_offset - b->offset_delta, b->last_offset, b->timestamp};
		return true;
	}
	return false;
}

static enum status check_sequence(const struct producer *p, const struct producer_append *a)
{
	if (a->epoch != p->epoch)
		return a->base_sequence == 0 || p->epoch < 0 ? STATUS_OK : STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER;
	const struct cached_batch *b = newest(p);
	int32_t last = b == NULL ? -1 : b->last_sequence;
	int32_t expected = last < 0 ? 0 : producer_state_sequence_after(last, 1);
	return a->base_sequence == expected ? STATUS_OK : STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

enum status producer_state_check(const struct producer_state *s, const struct producer_append *a,
	struct producer_duplicate *ret_duplicate)
{
	expect(a->producer_id >= 0 && a->base_sequence >= 0 && a->offset_delta >= 0);
	const struct producer *p = find(s, a->producer_id);
	if (p != NULL && find_duplicate(p, a, ret_duplicate))
		return STATUS_DUPLICATE_SEQUENCE_NUMBER;
	bool open = p != NULL && p->transaction_first_offset >= 0;
	if (a->transactional && !open)
		return STATUS_INVALID_TXN_STATE; /* no coordinator has begun one here */
	if (p == NULL)
		return STATUS_OK;
	if (a->epoch < p->epoch)
		return STATUS_INVALID_PRODUCER_EPOCH;
	TRY(check_sequence(p, a));
	return open && !a->transactional ? STATUS_INVALID_TXN_STATE : STATUS_OK;
}

/* --- what has been appended ---------------------------------------------------------------------------------- */

static void begin_epoch(struct producer *p, int16_t epoch)
{
	if (p->epoch == epoch)
		return;
	p->epoch = epoch;
	p->first = p->count = 0;
}

static void add_batch(struct producer *p, const struct cached_batch *b)
{
	if (p->count == PRODUCER_STATE_BATCHES)
		p->first = (uint8_t)((p->first + 1) % PRODUCER_STATE_BATCHES);
	else
		p->count++;
	p->batches[(p->first + p->count - 1) % PRODUCER_STATE_BATCHES] = *b;
	p->last_timestamp = b->timestamp;
}

static void moved(struct producer_state *s, struct producer *p, int64_t last_offset, int64_t used_ms)
{
	if (TAILQ_NEXT(p, link) != NULL) {
		TAILQ_REMOVE(&s->by_use, p, link);
		TAILQ_INSERT_TAIL(&s->by_use, p, link);
	}
	p->used_ms = used_ms;
	if (last_offset >= s->end_offset)
		s->end_offset = last_offset + 1;
}

static void begin_transaction(struct producer_state *s, struct producer *p, int64_t first_offset)
{
	struct transaction *t = check_calloc(1, sizeof(*t)), *before;
	*t = (struct transaction){.producer_id = p->id, .first_offset = first_offset, .marker_offset = -1};
	p->transaction_first_offset = first_offset;
	/* Appends come in order; a snapshot's producers do not. */
	TAILQ_FOREACH_REVERSE(before, &s->transactions, transactions, link) {
		if (before->first_offset <= first_offset)
			break;
	}
	if (before != NULL)
		TAILQ_INSERT_AFTER(&s->transactions, before, t, link);
	else
		TAILQ_INSERT_HEAD(&s->transactions, t, link);
}

void producer_state_append(struct producer_state *s, const struct producer_append *a, int64_t used_ms)
{
	expect(a->offset_delta >= 0 && a->base_offset >= 0);
	struct producer *p = find_or_add(s, a->producer_id);
	int64_t last_offset = a->base_offset + a->offset_delta;
	begin_epoch(p, a->epoch);
	add_batch(p, &(struct cached_batch){last_offset, a->timestamp, last_sequence(a), a->offset_delta});
	if (a->transactional && p->transaction_first_offset < 0)
		begin_transaction(s, p, a->base_offset);
	moved(s, p, last_offset, used_ms);
}

void producer_state_end_transaction(struct producer_state *s, const struct producer_marker *m, int64_t used_ms)
{
	expect(m->producer_id >= 0 && m->offset >= 0);
	struct producer *p = find_or_add(s, m->producer_id);
	struct transaction *t;
	begin_epoch(p, m->epoch);
	if (p->transaction_first_offset >= 0) {
		TAILQ_FOREACH(t, &s->transactions, link) {
			if (t->producer_id == m->producer_id && t->marker_offset < 0)
				t->marker_offset = m->offset;
		}
	}
	p->transaction_first_offset = -1;
	p->coordinator_epoch = m->coordinator_epoch;
	p->last_timestamp = m->timestamp;
	moved(s, p, m->offset, used_ms);
}

int64_t producer_state_first_unstable_offset(struct producer_state *s, int64_t high_watermark)
{
	struct transaction *t;
	while ((t = TAILQ_FIRST(&s->transactions)) != NULL) {
		if (t->marker_offset < 0 || t->marker_offset >= high_watermark)
			return t->first_offset;
		TAILQ_REMOVE(&s->transactions, t, link);
		free(t);
	}
	return -1;
}

size_t producer_state_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms)
{
	size_t before = s->count;
	struct producer *next;
	expect(now_ms >= 0 && expiration_ms >= 0);
	int64_t limit_ms = now_ms - expiration_ms; /* compared, not subtracted from: the times of a snapshot are anybody's numbers */
	for (struct producer *p = TAILQ_FIRST(&s->by_use); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->used_ms <= limit_ms && p->transaction_first_offset < 0)
			forget(s, p);
	}
	return before - s->count;
}

int64_t producer_state_end_offset(const struct producer_state *s)
{
	return s->end_offset;
}

size_t producer_state_count(const struct producer_state *s)
{
	return s->count;
}

static struct producer_info info_of(const struct producer *p)
{
	const struct cached_batch *b = newest(p);
	return (struct producer_info){
		.producer_id = p->id,
		.last_timestamp = p->last_timestamp,
		.transaction_first_offset = p->transaction_first_offset,
		.last_offset = b == NULL ? -1 : b->last_offset,
		.last_sequence = b == NULL ? -1 : b->last_sequence,
		.coordinator_epoch = p->coordinator_epoch,
		.epoch = p->epoch,
	};
}

struct producer_info *producer_state_list(const struct producer_state *s)
{
	const struct producer *p;
	size_t n = 0;
	if (s->count == 0)
		return NULL;
	struct producer_info *list = check_calloc(s->count, sizeof(list[0]));
	TAILQ_FOREACH(p, &s->by_use, link)
		list[n++] = info_of(p);
	expect(n == s->count);
	return list;
}

/* --- the snapshot's bytes ------------------------------------------------------------------------------------ */

/* In order of use, so that reading it back finds the same one to be the oldest. */
uint8_t *producer_state_snapshot(const struct producer_state *s, size_t *ret_size)
{
	size_t size = PRODUCER_SNAPSHOT_HEADER + s->count * PRODUCER_SNAPSHOT_ENTRY;
	uint8_t *bytes = check_alloc(size);
	const struct producer *p;
	struct byte_writer w;
	byte_writer_init(&w, bytes, size);
	byte_writer_i16(&w, SNAPSHOT_VERSION);
	byte_writer_u32(&w, 0);
	byte_writer_i32(&w, (int32_t)s->count);
	TAILQ_FOREACH(p, &s->by_use, link) {
		const struct cached_batch *b = newest(p);
		byte_writer_i64(&w, p->id);
		byte_writer_i16(&w, p->epoch);
		byte_writer_i32(&w, b == NULL ? -1 : b->last_sequence);
		byte_writer_i64(&w, b == NULL ? -1 : b->last_offset);
		byte_writer_i32(&w, b == NULL ? 0 : b->offset_delta);
		byte_writer_i64(&w, p->last_timestamp);
		byte_writer_i32(&w, p->coordinator_epoch);
		byte_writer_i64(&w, p->transaction_first_offset);
	}
	expect(w.status == STATUS_OK && w.at == size);
	bytes_put_u32(bytes + SNAPSHOT_CRC_AT, crc32c(0, slice_of(bytes + SNAPSHOT_COVERED_AT, size - SNAPSHOT_COVERED_AT)));
	*ret_size = size;
	return bytes;
}

struct snapshot_entry {
	struct cached_batch batch; /* last_offset -1: none */
	int64_t producer_id, transaction_first_offset;
	int32_t coordinator_epoch;
	int16_t epoch;
	int32_t at; /* in the file */
};

static bool read_entry(struct byte_reader *r, int64_t end, struct snapshot_entry *ret_entry)
{
	struct snapshot_entry e = {.producer_id = byte_reader_i64(r)};
	e.epoch = byte_reader_i16(r);
	e.batch.last_sequence = byte_reader_i32(r);
	e.batch.last_offset = byte_reader_i64(r);
	e.batch.offset_delta = byte_reader_i32(r);
	e.batch.timestamp = byte_reader_i64(r);
	e.coordinator_epoch = byte_reader_i32(r);
	e.transaction_first_offset = byte_reader_i64(r);
	*ret_entry = e;
	return r->status == STATUS_OK && e.producer_id >= 0 && e.batch.last_sequence >= -1 && e.batch.last_offset >= -1 &&
		e.batch.last_offset < end && e.batch.offset_delta >= 0 &&
		(e.batch.last_offset < 0 || e.batch.last_offset >= e.batch.offset_delta) && e.transaction_first_offset >= -1 &&
		e.transaction_first_offset < end;
}

/* Kafka's are in no order. */
static int older_first(const void *a, const void *b)
{
	const struct snapshot_entry *x = a, *y = b;
	if (x->batch.last_offset != y->batch.last_offset)
		return x->batch.last_offset < y->batch.last_offset ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static enum status read_entries(struct slice snapshot, int64_t end, struct snapshot_entry **ret_entries, size_t *ret_count)
{
	struct byte_reader r;
	byte_reader_init(&r, snapshot);
	int16_t version = byte_reader_i16(&r);
	uint32_t crc = byte_reader_u32(&r);
	int32_t count = byte_reader_i32(&r);
	if (r.status != STATUS_OK || version != SNAPSHOT_VERSION || count < 0 ||
		byte_reader_left(&r) != (size_t)count * PRODUCER_SNAPSHOT_ENTRY ||
		crc32c(0, slice_sub(snapshot, SNAPSHOT_COVERED_AT, snapshot.n - SNAPSHOT_COVERED_AT)) != crc)
		return STATUS_CORRUPT;
	struct snapshot_entry *entries = check_calloc((size_t)count + 1, sizeof(entries[0]));
	for (int32_t i = 0; i < count; i++) {
		if (!read_entry(&r, end, &entries[i])) {
			free(entries);
			return STATUS_CORRUPT;
		}
		entries[i].at = i;
	}
	qsort(entries, (size_t)count, sizeof(entries[0]), older_first);
	*ret_entries = entries;
	*ret_count = (size_t)count;
	return STATUS_OK;
}

static void take_entry(struct producer_state *s, const struct snapshot_entry *e, int64_t used_ms)
{
	struct producer *p = find_or_add(s, e->producer_id);
	p->epoch = e->epoch;
	p->coordinator_epoch = e->coordinator_epoch;
	if (e->batch.last_offset >= 0)
		add_batch(p, &e->batch);
	p->last_timestamp = e->batch.timestamp;
	if (e->transaction_first_offset >= 0)
		begin_transaction(s, p, e->transaction_first_offset);
	moved(s, p, e->batch.last_offset, used_ms);
}

enum status producer_state_load(struct producer_state *s, struct slice snapshot, int64_t offset,
	int64_t (*used_ms)(void *arg, int64_t last_offset, int64_t timestamp), void *arg)
{
	struct snapshot_entry *entries;
	size_t count;
	enum status status = STATUS_OK;
	producer_state_clear(s);
	expect(offset >= 0);
	TRY(read_entries(snapshot, offset, &entries, &count));
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		const struct snapshot_entry *e = &entries[i];
		if (find(s, e->producer_id) != NULL)
			status = STATUS_CORRUPT;
		else
			take_entry(s, e, used_ms(arg, e->batch.last_offset, e->batch.timestamp));
	}
	free(entries);
	if (status != STATUS_OK)
		producer_state_clear(s);
	else if (s->count > 0)
		s->end_offset = offset; /* where markers were is not written there */
	return status;
}
