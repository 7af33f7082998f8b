#include "storage/inflater.h"
#include "storage/record_batch.h"

enum status record_iterator_init(struct record_iterator *it, const struct record_batch *b, size_t max_inflated)
{
	expect(b->data.n >= RECORD_BATCH_HEADER_SIZE && max_inflated <= INT32_MAX);
	*it = (struct record_iterator){.batch = *b};
	struct slice records = slice_sub(b->data, RECORD_BATCH_HEADER_SIZE, b->data.n - RECORD_BATCH_HEADER_SIZE);
	enum compression_type codec = record_batch_codec(b);
	byte_reader_init(&it->reader, records);
	/* Compaction leaves empty batches that keep their codec. */
	if (codec == COMPRESSION_none || b->record_count == 0)
		return STATUS_OK;
	if ((unsigned)codec >= COMPRESSION_COUNT)
		return STATUS_CORRUPT;
	struct inflater *inflater = inflater_of_thread();
	enum status s = inflater_begin(inflater, codec, records, max_inflated);
	size_t n = 0;
	if (s == STATUS_OK)
		s = inflater_read_all(inflater, &it->inflated, &n);
	inflater_end(inflater);
	if (s != STATUS_OK)
		return STATUS_CORRUPT;
	byte_reader_init(&it->reader, slice_of(it->inflated, n));
	return STATUS_OK;
}

void record_iterator_fini(struct record_iterator *it)
{
	free(it->inflated);
	it->inflated = NULL;
	byte_reader_init(&it->reader, slice_of(NULL, 0));
}

/* A field behind its length; -1 is null: p stays NULL. An empty field has p set, so that the two differ. */
static struct slice read_nullable(struct byte_reader *r)
{
	int32_t n = byte_reader_short_varint(r);
	if (n == -1 || r->status != STATUS_OK)
		return slice_of(NULL, 0);
	if (n < -1) {
		r->status = STATUS_CORRUPT;
		return slice_of(NULL, 0);
	}
	struct slice s = byte_reader_bytes(r, (size_t)n);
	return s.p == NULL && r->status == STATUS_OK ? slice_of("", 0) : s;
}

static enum status decode_record(const struct record_batch *b, struct slice body, struct record *ret_record)
{
	struct byte_reader r;
	byte_reader_init(&r, body);
	struct record record = {0};
	byte_reader_skip(&r, 1); /* attributes: none defined */
	int64_t timestamp_delta = byte_reader_short_varlong(&r);
	int32_t offset_delta = byte_reader_short_varint(&r);
	record.key = read_nullable(&r);
	record.value = read_nullable(&r);
	record.header_count = byte_reader_short_varint(&r);
	if (r.status != STATUS_OK || record.header_count < 0)
		return STATUS_CORRUPT;
	record.headers = byte_reader_bytes(&r, byte_reader_left(&r));
	if ((size_t)record.header_count > record.headers.n / 2)
		return STATUS_CORRUPT;
	if (__builtin_add_overflow(b->base_offset, (int64_t)offset_delta, &record.offset) || offset_delta < 0)
		return STATUS_CORRUPT;
	if ((b->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0)
		record.timestamp = b->max_timestamp;
	else if (__builtin_add_overflow(b->base_timestamp, timestamp_delta, &record.timestamp))
		return STATUS_CORRUPT;
	/* The headers must fill the rest exactly. */
	struct slice rest = record.headers;
	for (int32_t i = 0; i < record.header_count; i++) {
		struct record_header header;
		TRY(record_next_header(&rest, &header));
	}
	if (rest.n != 0)
		return STATUS_CORRUPT;
	*ret_record = record;
	return STATUS_OK;
}

enum status record_iterator_next(struct record_iterator *it, struct record *ret_record)
{
	expect(it->index >= 0 && it->index <= it->batch.record_count);
	if (it->index == it->batch.record_count)
		return byte_reader_left(&it->reader) == 0 ? STATUS_NOT_FOUND : STATUS_CORRUPT;
	int32_t length = byte_reader_short_varint(&it->reader);
	if (it->reader.status != STATUS_OK || length < 0)
		return STATUS_CORRUPT;
	struct slice body = byte_reader_bytes(&it->reader, (size_t)length);
	if (it->reader.status != STATUS_OK)
		return STATUS_CORRUPT;
	TRY(decode_record(&it->batch, body, ret_record));
	it->index++;
	return STATUS_OK;
}

enum status record_next_header(struct slice *headers, struct record_header *ret_header)
{
	if (headers->n == 0)
		return STATUS_NOT_FOUND;
	struct byte_reader r;
	byte_reader_init(&r, *headers);
	struct record_header h;
	h.key = read_nullable(&r);
	h.value = read_nullable(&r);
	h.value_null = h.value.p == NULL;
	if (r.status != STATUS_OK || h.key.p == NULL)
		return STATUS_CORRUPT;
	*headers = slice_sub(*headers, r.at, byte_reader_left(&r));
	*ret_header = h;
	return STATUS_OK;
}
