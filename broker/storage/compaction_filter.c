#include "storage/compaction_filter.h"
#include "base/crc32c.h"
#include "storage/deflater.h"

enum {
	LEADER_EPOCH_AT = 12,
	CRC_AT = 17,
	CRC_FROM = 21,
	INFLATED_MAX = 256 * 1024 * 1024,
	KEPT_SIZE = 16 * 1024 * 1024, /* larger buffers go after the batch */
	FIELDS_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 5, /* what a record has beside key, value and headers, at most */
};

struct buffer {
	uint8_t *p;
	size_t n, capacity;
};
struct compaction_filter {
	struct compaction_filter_options o;
	struct transaction_walk *walk;
	struct buffer plain, packed; /* header and records, before and after compression */
	struct deflater *deflaters[COMPRESSION_COUNT];
};

struct compaction_filter *compaction_filter_new(const struct compaction_filter_options *o, struct transaction_walk *walk)
{
	expect(o->map != NULL && o->keeps_producer != NULL && walk != NULL);
	struct compaction_filter *f = check_calloc(1, sizeof(*f));
	f->o = *o;
	f->walk = walk;
	return f;
}

void compaction_filter_free(struct compaction_filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < COMPRESSION_COUNT; i++)
		deflater_free(f->deflaters[i]);
	transaction_walk_free(f->walk);
	free(f->plain.p);
	free(f->packed.p);
	free(f);
}

static void reserve(struct buffer *b, size_t n)
{
	if (n <= b->capacity)
		return;
	size_t capacity = b->capacity < RECORD_BATCH_HEADER_SIZE ? 4096 : b->capacity * 2;
	b->capacity = capacity < n ? n : capacity;
	b->p = check_realloc(b->p, b->capacity);
}

static void shrink(struct buffer *b)
{
	if (b->capacity <= KEPT_SIZE)
		return;
	free(b->p);
	*b = (struct buffer){0};
}

/* --- which records stay -------------------------------------------------------------------------------------- */

/* How the records of a batch are judged. */
struct judgement {
	bool all_go;  /* aborted, or a marker nobody needs */
	bool horizon; /* the batch has a delete horizon already */
	bool horizon_due;
	bool control;
};

static bool record_stays(const struct compaction_filter *f, const struct judgement *j, const struct record *r)
{
	if (j->all_go)
		return false;
	if (j->control || r->offset >= f->o.map_end)
		return true;
	if (r->key.p == NULL)
		return false; /* from before the topic was compacted */
	if (r->offset < compaction_map_get(f->o.map, r->key))
		return false;
	return r->value.p != NULL || !j->horizon || !j->horizon_due;
}

/* What a first look at the records says. */
struct survey {
	int32_t kept, dropped;
	bool tombstones;
	int64_t base_timestamp, max_timestamp; /* of the kept ones */
};

static enum status survey_records(const struct compaction_filter *f, const struct judgement *j, struct record_iterator *it,
	struct survey *ret_survey)
{
	struct survey v = {.base_timestamp = -1, .max_timestamp = -1};
	struct record r;
	enum status s;
	while ((s = record_iterator_next(it, &r)) == STATUS_OK) {
		if (!record_stays(f, j, &r)) {
			v.dropped++;
			continue;
		}
		if (v.kept++ == 0)
			v.base_timestamp = r.timestamp;
		v.max_timestamp = r.timestamp > v.max_timestamp ? r.timestamp : v.max_timestamp;
		v.tombstones = v.tombstones || r.value.p == NULL;
	}
	*ret_survey = v;
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static void write_nullable(struct byte_writer *w, struct slice s)
{
	byte_writer_varint(w, s.p == NULL ? -1 : (int32_t)s.n);
	if (s.n > 0)
		byte_writer_bytes(w, s);
}

static size_t nullable_size(struct slice s)
{
	return bytes_varint_size(s.p == NULL ? -1 : (int32_t)s.n) + s.n;
}

/* Appends the record, its place in the batch as before. */
static void write_record(struct buffer *out, const struct record *r, int64_t base_offset, int64_t base_timestamp)
{
	int32_t offset_delta = (int32_t)(r->offset - base_offset);
	int64_t timestamp_delta = (int64_t)((uint64_t)r->timestamp - (uint64_t)base_timestamp);
	size_t body = 1 + bytes_varlong_size(timestamp_delta) + bytes_varint_size(offset_delta) + nullable_size(r->key) +
		nullable_size(r->value) + bytes_varint_size(r->header_count) + r->headers.n;
	expect(body <= INT32_MAX);
	reserve(out, out->n + FIELDS_MAX + body);
	struct byte_writer w;
	byte_writer_init(&w, out->p + out->n, out->capacity - out->n);
	byte_writer_varint(&w, (int32_t)body);
	byte_writer_u8(&w, 0);
	byte_writer_varlong(&w, timestamp_delta);
	byte_writer_varint(&w, offset_delta);
	write_nullable(&w, r->key);
	write_nullable(&w, r->value);
	byte_writer_varint(&w, r->header_count);
	if (r->headers.n > 0)
		byte_writer_bytes(&w, r->headers);
	expect(w.status == STATUS_OK);
	out->n += w.at;
}

/* The batch's header with what changes in it; offsets, producer and sequence are those of before. */
static void write_header(struct slice out, const struct record_batch *b)
{
	struct byte_writer w;
	expect(out.n >= RECORD_BATCH_HEADER_SIZE && out.n - RECORD_BATCH_OVERHEAD <= INT32_MAX);
	uint8_t *p = (uint8_t *)(uintptr_t)out.p;
	byte_writer_init(&w, p, RECORD_BATCH_HEADER_SIZE);
	byte_writer_i64(&w, b->base_offset);
	byte_writer_i32(&w, (int32_t)(out.n - RECORD_BATCH_OVERHEAD));
	byte_writer_i32(&w, b->leader_epoch);
	byte_writer_u8(&w, 2);
	byte_writer_u32(&w, 0); /* the checksum, below */
	byte_writer_i16(&w, b->attributes);
	byte_writer_i32(&w, b->last_offset_delta);
	byte_writer_i64(&w, b->base_timestamp);
	byte_writer_i64(&w, b->max_timestamp);
	byte_writer_i64(&w, b->producer_id);
	byte_writer_i16(&w, b->producer_epoch);
	byte_writer_i32(&w, b->base_sequence);
	byte_writer_i32(&w, b->record_count);
	expect(w.status == STATUS_OK && w.at == RECORD_BATCH_HEADER_SIZE);
	bytes_put_u32(p + CRC_AT, crc32c(0, slice_of(p + CRC_FROM, out.n - CRC_FROM)));
}

/* Kafka: DefaultRecordBatch.writeEmptyHeader. */
static struct slice empty_batch(struct compaction_filter *f, const struct record_batch *b)
{
	enum { STAYS = RECORD_BATCH_LOG_APPEND_TIME | RECORD_BATCH_TRANSACTIONAL | RECORD_BATCH_CONTROL };
	struct record_batch empty = *b;
	empty.attributes = (int16_t)(b->attributes & STAYS);
	empty.base_timestamp = -1;
	empty.record_count = 0;
	reserve(&f->packed, RECORD_BATCH_HEADER_SIZE);
	struct slice out = slice_of(f->packed.p, RECORD_BATCH_HEADER_SIZE);
	write_header(out, &empty);
	return out;
}

static enum status pack(struct compaction_filter *f, enum compression_type codec, struct slice *ret_out)
{
	if (codec == COMPRESSION_none) {
		*ret_out = slice_of(f->plain.p, f->plain.n);
		return STATUS_OK;
	}
	if (f->deflaters[codec] == NULL)
		f->deflaters[codec] = deflater_new(codec, 0);
	size_t n = f->plain.n - RECORD_BATCH_HEADER_SIZE, made = 0;
	reserve(&f->packed, RECORD_BATCH_HEADER_SIZE + deflater_bound(f->deflaters[codec], n));
	TRY(deflater_run(f->deflaters[codec], slice_of(f->plain.p + RECORD_BATCH_HEADER_SIZE, n),
		f->packed.p + RECORD_BATCH_HEADER_SIZE, f->packed.capacity - RECORD_BATCH_HEADER_SIZE, &made));
	*ret_out = slice_of(f->packed.p, RECORD_BATCH_HEADER_SIZE + made);
	return STATUS_OK;
}

/* The batch anew, with the records that stay. Kafka: MemoryRecords.buildRetainedRecordsInto. */
static enum status rewrite(struct compaction_filter *f, const struct judgement *j, struct record_iterator *it,
	const struct survey *v, int64_t horizon_ms, struct slice *ret_out)
{
	const struct record_batch *b = &it->batch;
	struct record_batch next = *b;
	struct record r;
	enum status s;
	next.base_timestamp = horizon_ms >= 0 ? horizon_ms : v->base_timestamp;
	if (horizon_ms >= 0)
		next.attributes |= RECORD_BATCH_DELETE_HORIZON;
	if ((b->attributes & RECORD_BATCH_LOG_APPEND_TIME) == 0)
		next.max_timestamp = v->max_timestamp;
	next.record_count = v->kept;
	f->plain.n = RECORD_BATCH_HEADER_SIZE;
	reserve(&f->plain, f->plain.n);
	while ((s = record_iterator_next(it, &r)) == STATUS_OK) {
		if (record_stays(f, j, &r))
			write_record(&f->plain, &r, b->base_offset, next.base_timestamp);
	}
	if (s != STATUS_NOT_FOUND)
		return s;
	TRY(pack(f, record_batch_codec(b), ret_out));
	if (ret_out->n - RECORD_BATCH_OVERHEAD > INT32_MAX)
		return STATUS_TOO_LARGE;
	write_header(*ret_out, &next);
	return STATUS_OK;
}

/* The records of a batch that is not dropped whole. */
static enum status filter_records(struct compaction_filter *f, const struct record_batch *b, const struct judgement *j,
	bool marker_of_nothing, struct compaction_verdict *verdict)
{
	struct record_iterator it;
	struct survey v;
	TRY(record_iterator_init(&it, b, INFLATED_MAX));
	struct record_iterator again = it; /* over the same memory */
	enum status s = survey_records(f, j, &it, &v);
	verdict->records_dropped = v.dropped;
	bool set_horizon = !j->horizon && (v.tombstones || marker_of_nothing);
	int64_t horizon_ms = j->horizon ? b->base_timestamp : -1;
	if (set_horizon)
		horizon_ms = f->o.delete_retention_ms > INT64_MAX - f->o.now_ms ? INT64_MAX : f->o.now_ms + f->o.delete_retention_ms;
	if (s == STATUS_OK && v.kept == 0)
		verdict->bytes = slice_of(NULL, 0);
	else if (s == STATUS_OK && v.dropped == 0 && !set_horizon)
		verdict->bytes = b->data;
	else if (s == STATUS_OK)
		s = rewrite(f, j, &again, &v, horizon_ms, &verdict->bytes);
	record_iterator_fini(&it);
	return s;
}

/* What transactions say about the batch: may its records go? */
static enum status judge(struct compaction_filter *f, const struct record_batch *b, struct compaction_verdict *verdict,
	struct judgement *ret_judgement, bool *ret_marker_of_nothing)
{
	struct judgement j = {
		.control = (b->attributes & RECORD_BATCH_CONTROL) != 0,
		.horizon = (b->attributes & RECORD_BATCH_DELETE_HORIZON) != 0,
	};
	j.horizon_due = j.horizon && f->o.now_ms >= b->base_timestamp;
	bool needless = true;
	if (!j.control) {
		needless = transaction_walk_data(f->walk, b);
	} else if (b->record_count > 0) { /* an empty one was needless before */
		enum transaction_end end = TRANSACTION_END_UNKNOWN;
		TRY(transaction_end_of(b, &end));
		needless = transaction_walk_end(f->walk, b, end, &verdict->aborted, &verdict->keep_aborted);
	}
	j.all_go = needless && (!j.control || j.horizon_due);
	*ret_marker_of_nothing = needless && j.control;
	*ret_judgement = j;
	return STATUS_OK;
}

enum status compaction_filter_batch(struct compaction_filter *f, const struct record_batch *batch, bool keep_offset,
	struct compaction_verdict *ret_verdict)
{
	struct compaction_verdict verdict = {0};
	struct judgement j;
	bool marker_of_nothing;
	expect(batch->magic == 2);
	shrink(&f->plain);
	shrink(&f->packed);
	TRY(judge(f, batch, &verdict, &j, &marker_of_nothing));
	bool stays = keep_offset || (batch->producer_id >= 0 && f->o.keeps_producer(f->o.arg, batch));
	if (j.all_go && !stays)
		verdict.records_dropped = batch->record_count;
	else
		TRY(filter_records(f, batch, &j, marker_of_nothing, &verdict));
	if (verdict.bytes.n == 0 && stays)
		verdict.bytes = empty_batch(f, batch);
	*ret_verdict = verdict;
	return STATUS_OK;
}
