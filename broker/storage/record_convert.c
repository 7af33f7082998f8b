/* Old formats to format 2, on the way in. The way out: record_convert_down.c. */
#include "storage/record_convert.h"

#include "storage/legacy_message.h"

enum { SET_BYTES_MAX = 256 << 20 }; /* above every frame; far below it nothing overflows */

bool record_convert_is_old(struct slice s)
{
	return s.n > RECORD_BATCH_MAGIC_AT && s.p[RECORD_BATCH_MAGIC_AT] < 2;
}

/* What the outside of the set tells. */
struct set_shape {
	size_t whole_bytes; /* up to a cut tail */
	enum compression_type codec;
};

static enum status check_message(const struct legacy_message *m, const struct record_convert_limits *limits)
{
	if (m->data.n > limits->max_message_bytes)
		return STATUS_MESSAGE_TOO_LARGE;
	return legacy_message_check_crc(m);
}

static enum status look_over(struct slice set, const struct record_convert_limits *limits, struct set_shape *ret_shape)
{
	struct set_shape shape = {0};
	struct legacy_message m;
	size_t count = 0;
	enum status s;
	while ((s = legacy_message_parse(slice_sub(set, shape.whole_bytes, set.n - shape.whole_bytes), &m)) == STATUS_OK) {
		TRY(check_message(&m, limits));
		if (legacy_message_codec(&m) != COMPRESSION_none)
			shape.codec = legacy_message_codec(&m);
		shape.whole_bytes += m.data.n;
		count++;
	}
	if (s == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		return STATUS_INVALID_RECORD; /* formats may not be mixed, unless by us */
	if (s != STATUS_TRUNCATED)
		return STATUS_CORRUPT_MESSAGE;
	if (count == 0)
		return STATUS_NOT_FOUND;
	if (shape.codec != COMPRESSION_none && count > 1)
		return STATUS_INVALID_RECORD;
	if (shape.codec >= COMPRESSION_zstd)
		return STATUS_INVALID_RECORD; /* younger than these formats, or unknown */
	*ret_shape = shape;
	return STATUS_OK;
}

struct up_conversion {
	struct record_batch_builder *builder;
	int64_t base_timestamp;
	int32_t count;
};

/* Timestamps are kept as differences to the first one's. */
static enum status check_timestamp(struct up_conversion *u, const struct record *r)
{
	int64_t delta;
	if (u->count == 0)
		u->base_timestamp = r->timestamp;
	if (r->timestamp < -1 || __builtin_sub_overflow(r->timestamp, u->base_timestamp, &delta))
		return STATUS_INVALID_TIMESTAMP;
	return STATUS_OK;
}

static enum status add_records(struct up_conversion *u, const struct legacy_message *m, size_t max_inflated)
{
	struct legacy_iterator it;
	struct record r;
	TRY(legacy_iterator_init(&it, m, max_inflated));
	enum status s;
	while ((s = legacy_iterator_next(&it, &r)) == STATUS_OK) {
		s = check_timestamp(u, &r);
		if (s != STATUS_OK)
			break;
		record_batch_builder_add(u->builder, r.timestamp, r.key, r.value, NULL, 0);
		u->count++;
	}
	legacy_iterator_fini(&it);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status add_set(struct up_conversion *u, struct slice set, size_t max_inflated)
{
	while (set.n > 0) {
		struct legacy_message m;
		enum status s = legacy_message_parse(set, &m);
		expect(s == STATUS_OK); /* look_over saw it */
		TRY(add_records(u, &m, max_inflated));
		set = slice_sub(set, m.data.n, set.n - m.data.n);
	}
	return STATUS_OK;
}

static enum status take_batch(struct record_batch_builder *b, struct iobuf_block **ret_block, struct slice *ret_batch)
{
	struct slice batch;
	TRY(record_batch_builder_finish(b, &batch));
	struct iobuf_block *block = iobuf_block_new(batch.n);
	if (block == NULL)
		return STATUS_TOO_LARGE;
	memcpy(block->data, batch.p, batch.n);
	*ret_block = block;
	*ret_batch = slice_of(block->data, batch.n);
	return STATUS_OK;
}

enum status record_convert_up(struct slice set, const struct record_convert_limits *limits, struct iobuf_block **ret_block,
	struct slice *ret_batch, int32_t *ret_first_bad)
{
	struct set_shape shape;
	expect(limits->max_inflated_bytes <= INT32_MAX);
	*ret_first_bad = -1;
	if (set.n > SET_BYTES_MAX)
		return STATUS_MESSAGE_TOO_LARGE;
	TRY(look_over(set, limits, &shape));
	struct up_conversion u = {.builder = record_batch_builder_new(shape.codec, 0, shape.whole_bytes)};
	enum status s = add_set(&u, slice_sub(set, 0, shape.whole_bytes), limits->max_inflated_bytes);
	if (s == STATUS_OK)
		s = take_batch(u.builder, ret_block, ret_batch);
	else
		*ret_first_bad = u.count;
	record_batch_builder_free(u.builder);
	expect(s != STATUS_INVALID_ARGUMENT); /* there is at least one record */
	return s;
}
