#include "service/produce_recompress.h"

static enum compression_type codec_of(enum topic_compression wanted)
{
	switch (wanted) {
	case TOPIC_COMPRESSION_uncompressed:
		return COMPRESSION_none;
	case TOPIC_COMPRESSION_gzip:
		return COMPRESSION_gzip;
	case TOPIC_COMPRESSION_snappy:
		return COMPRESSION_snappy;
	case TOPIC_COMPRESSION_lz4:
		return COMPRESSION_lz4;
	case TOPIC_COMPRESSION_zstd:
		return COMPRESSION_zstd;
	case TOPIC_COMPRESSION_producer:
		break;
	}
	unreachable("the producer's codec is kept");
}

bool produce_recompress_needed(const struct record_batch *batch, enum topic_compression wanted)
{
	return wanted != TOPIC_COMPRESSION_producer && codec_of(wanted) != record_batch_codec(batch);
}

/* One array for the headers of every record in turn. */
struct header_list {
	struct record_header *list;
	size_t capacity;
};

static enum status read_headers(const struct record *r, struct header_list *h)
{
	struct slice rest = r->headers;
	expect(r->header_count >= 0);
	size_t count = (size_t)r->header_count;
	if (count > h->capacity) {
		h->list = check_realloc(h->list, count * sizeof(*h->list));
		h->capacity = count;
	}
	for (size_t i = 0; i < count; i++)
		TRY(record_next_header(&rest, &h->list[i]));
	return STATUS_OK;
}

static enum status copy_records(struct record_iterator *it, struct record_batch_builder *b)
{
	struct header_list headers = {0};
	struct record r;
	enum status s;
	while ((s = record_iterator_next(it, &r)) == STATUS_OK) {
		s = read_headers(&r, &headers);
		if (s != STATUS_OK)
			break;
		record_batch_builder_add(b, r.timestamp, r.key, r.value, headers.list, r.header_count);
	}
	free(headers.list);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status rebuild(const struct record_batch *batch, size_t max_inflated, struct record_batch_builder *b,
	struct record_batch *ret_batch)
{
	struct record_iterator it;
	struct slice bytes;
	TRY(record_iterator_init(&it, batch, max_inflated));
	enum status s = copy_records(&it, b);
	record_iterator_fini(&it);
	TRY(s);
	record_batch_builder_set_producer(b, batch->producer_id, batch->producer_epoch, batch->base_sequence);
	TRY(record_batch_builder_finish(b, &bytes));
	return record_batch_parse(bytes, ret_batch);
}

enum status produce_recompress(struct record_batch *batch, enum topic_compression wanted, size_t max_inflated,
	struct record_batch_builder **ret_builder)
{
	struct record_batch rebuilt;
	struct record_batch_builder *b = record_batch_builder_new(codec_of(wanted), 0, batch->data.n);
	enum status s = rebuild(batch, max_inflated, b, &rebuilt);
	if (s != STATUS_OK) {
		record_batch_builder_free(b);
		return s;
	}
	expect(rebuilt.record_count == batch->record_count);
	*batch = rebuilt;
	*ret_builder = b;
	return STATUS_OK;
}
