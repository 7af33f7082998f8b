#include "storage/record_rewrite.h"

/* The codec a setting asks for; false for `producer`, which keeps what came. */
static bool wanted_codec(enum topic_compression wanted, enum compression_type *ret_codec)
{
	switch (wanted) {
	case TOPIC_COMPRESSION_producer:
		return false;
	case TOPIC_COMPRESSION_uncompressed:
		*ret_codec = COMPRESSION_none;
		return true;
	case TOPIC_COMPRESSION_gzip:
		*ret_codec = COMPRESSION_gzip;
		return true;
	case TOPIC_COMPRESSION_snappy:
		*ret_codec = COMPRESSION_snappy;
		return true;
	case TOPIC_COMPRESSION_lz4:
		*ret_codec = COMPRESSION_lz4;
		return true;
	case TOPIC_COMPRESSION_zstd:
		*ret_codec = COMPRESSION_zstd;
		return true;
	default:
		unreachable("compression.type");
	}
}

bool record_rewrite_needed(const struct record_batch *b, enum topic_compression wanted)
{
	enum compression_type codec;
	return wanted_codec(wanted, &codec) && codec != record_batch_codec(b);
}

/* Headers of one record, decoded; grows to the largest number met. */
struct header_list {
	struct record_header *headers;
	size_t capacity;
};

static enum status decode_headers(struct header_list *l, const struct record *r)
{
	struct slice rest = r->headers;
	size_t count = (size_t)r->header_count;
	if (count > l->capacity) {
		if (count > r->headers.n) /* each takes two bytes at least */
			return STATUS_CORRUPT;
		l->headers = check_realloc(l->headers, count * sizeof(l->headers[0]));
		l->capacity = count;
	}
	for (size_t i = 0; i < count; i++)
		TRY(record_next_header(&rest, &l->headers[i]));
	return STATUS_OK;
}

static enum status copy_records(struct record_iterator *it, struct record_batch_builder *builder)
{
	struct header_list headers = {0};
	struct record r;
	enum status s;
	while ((s = record_iterator_next(it, &r)) == STATUS_OK) {
		s = decode_headers(&headers, &r);
		if (s != STATUS_OK)
			break;
		record_batch_builder_add(builder, r.timestamp, r.key, r.value, headers.headers, r.header_count);
	}
	free(headers.headers);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* The finished batch in a block of its own, with what the builder does not know of. */
static enum status take_batch(struct record_batch_builder *builder, const struct record_batch *from,
	struct iobuf_block **ret_block, struct record_batch *ret_batch)
{
	enum { ATTRIBUTES_AT = 21, KEPT = RECORD_BATCH_TRANSACTIONAL };
	struct slice bytes;
	struct record_batch batch;
	TRY(record_batch_builder_finish(builder, &bytes));
	struct iobuf_block *block = iobuf_block_new(bytes.n);
	if (block == NULL)
		return STATUS_TOO_LARGE;
	memcpy(block->data, bytes.p, bytes.n);
	int16_t attributes = bytes_get_i16(block->data + ATTRIBUTES_AT);
	bytes_put_i16(block->data + ATTRIBUTES_AT, (int16_t)(attributes | (from->attributes & KEPT)));
	enum status s = record_batch_parse(slice_of(block->data, bytes.n), &batch);
	if (s == STATUS_OK) {
		record_batch_stamp_time(block->data, bytes.n, batch.max_timestamp, false);
		record_batch_stamp(block->data, from->base_offset, from->leader_epoch);
		s = record_batch_parse(slice_of(block->data, bytes.n), &batch);
	}
	if (s != STATUS_OK) {
		iobuf_block_shared_unref(block);
		return s;
	}
	expect(batch.record_count == from->record_count && batch.last_offset_delta == from->last_offset_delta);
	*ret_block = block;
	*ret_batch = batch;
	return STATUS_OK;
}

enum status record_rewrite_batch(const struct record_batch *b, enum topic_compression wanted, size_t max_inflated,
	struct iobuf_block **ret_block, struct record_batch *ret_batch)
{
	enum compression_type codec = COMPRESSION_none;
	struct record_iterator it;
	expect(b->magic == 2 && wanted_codec(wanted, &codec));
	enum status s = record_iterator_init(&it, b, max_inflated);
	if (s == STATUS_OK) {
		struct record_batch_builder *builder = record_batch_builder_new(codec, 0, b->data.n * 2);
		s = copy_records(&it, builder);
		if (s == STATUS_OK && record_batch_builder_count(builder) != b->record_count)
			s = STATUS_CORRUPT;
		if (s == STATUS_OK && b->producer_id >= 0)
			record_batch_builder_set_producer(builder, b->producer_id, b->producer_epoch, b->base_sequence);
		if (s == STATUS_OK)
			s = take_batch(builder, b, ret_block, ret_batch);
		record_batch_builder_free(builder);
		record_iterator_fini(&it);
	}
	return s == STATUS_OK || s == STATUS_TOO_LARGE ? s : STATUS_CORRUPT_MESSAGE;
}
