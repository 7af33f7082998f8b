/* What is stored to formats 0 and 1, on the way out. */
#include "storage/record_convert.h"

#include "storage/deflater.h"
#include "storage/legacy_message.h"
#include "storage/lz4_header.h"

enum {
	OUTPUT_BLOCK_SIZE = 64 * 1024,
	INNER_SIZE_FIRST = 16 * 1024,
	/* A batch that inflates to more becomes several wrappers: bounds what is held of it. */
	INNER_SIZE_MAX = 16 << 20,
};

/* Messages on their way into a chain of blocks. */
struct down_conversion {
	const struct record_convert_target *target;
	struct iobuf *out;
	struct iobuf_block *block;
	size_t block_from, block_used; /* [from, used) is not in the chain yet */
	size_t total_bytes;
	bool full;
	/* the set a wrapper will hold */
	uint8_t *inner;
	size_t inner_size, inner_capacity;
	int64_t inner_base, inner_last, inner_max_timestamp;
	/* of the batch being converted */
	enum compression_type codec;
	uint8_t attributes;
	struct deflater *deflater; /* NULL, or for deflater_codec */
	enum compression_type deflater_codec;
};

static void flush(struct down_conversion *d)
{
	if (d->block == NULL)
		return;
	if (d->block_used > d->block_from)
		iobuf_append_block(d->out, d->block, d->block->data + d->block_from, d->block_used - d->block_from);
	d->block_from = d->block_used;
}

static void drop_block(struct down_conversion *d)
{
	flush(d);
	if (d->block != NULL)
		iobuf_block_shared_unref(d->block);
	d->block = NULL;
	d->block_from = d->block_used = 0;
}

static bool fits(const struct down_conversion *d, size_t n)
{
	const struct record_convert_target *t = d->target;
	size_t max = t->max_bytes < t->hard_max_bytes ? t->max_bytes : t->hard_max_bytes;
	if (d->total_bytes == 0)
		return n <= t->hard_max_bytes;
	return d->total_bytes < max && n <= max - d->total_bytes;
}

/* Room for one message of n bytes, or NULL: it does not fit any more (d->full). */
static uint8_t *reserve(struct down_conversion *d, size_t n)
{
	if (!fits(d, n))
		d->full = true;
	if (d->full)
		return NULL;
	if (d->block == NULL || d->block->size - d->block_used < n) {
		drop_block(d);
		d->block = iobuf_block_new(n > OUTPUT_BLOCK_SIZE ? n : OUTPUT_BLOCK_SIZE);
		if (d->block == NULL) {
			d->full = true;
			return NULL;
		}
	}
	uint8_t *space = d->block->data + d->block_used;
	d->block_used += n;
	d->total_bytes += n;
	return space;
}

static struct legacy_message message_of(const struct down_conversion *d, const struct record *r)
{
	return (struct legacy_message){
		.magic = d->target->magic,
		.attributes = d->attributes,
		.offset = r->offset,
		.timestamp = r->timestamp,
		.key = r->key,
		.value = r->value,
	};
}

static void add_plain(struct down_conversion *d, const struct record *r)
{
	if (r->offset < d->target->first_offset)
		return;
	struct legacy_message m = message_of(d, r);
	uint8_t *space = reserve(d, legacy_message_size(m.magic, m.key, m.value));
	if (space != NULL)
		legacy_message_write(&m, space);
}

/* --- wrappers ---------------------------------------------------------------------------------------------------- */

static struct deflater *deflater_of(struct down_conversion *d)
{
	if (d->deflater != NULL && d->deflater_codec == d->codec)
		return d->deflater;
	deflater_free(d->deflater);
	d->deflater = deflater_new(d->codec, 0);
	d->deflater_codec = d->codec;
	return d->deflater;
}

static enum status deflate_inner(struct down_conversion *d, struct slice *ret_value)
{
	struct deflater *deflater = deflater_of(d);
	size_t bound = deflater_bound(deflater, d->inner_size), made = 0;
	uint8_t *value = malloc(bound);
	if (value == NULL)
		return STATUS_TOO_LARGE;
	enum status s = deflater_run(deflater, slice_of(d->inner, d->inner_size), value, bound, &made);
	if (s != STATUS_OK) {
		free(value);
		return s;
	}
	if (d->codec == COMPRESSION_lz4 && d->target->magic == 0) {
		size_t header = lz4_header_size(slice_of(value, made));
		expect(header > 0);
		value[header - 1] = lz4_header_checksum_of_magic_0(value, header);
	}
	*ret_value = slice_of(value, made);
	return STATUS_OK;
}

/* The records gathered become the value of one message. Kafka: MemoryRecordsBuilder.writeLegacyCompressedWrapperHeader. */
static enum status finish_wrapper(struct down_conversion *d)
{
	if (d->inner_last < d->target->first_offset)
		d->inner_size = 0; /* a part of a large batch that the reader has behind it */
	if (d->inner_size == 0 || d->full)
		return STATUS_OK;
	union {
		const uint8_t *in;
		void *memory;
	} value = {0};
	struct slice bytes;
	TRY(deflate_inner(d, &bytes));
	value.in = bytes.p;
	struct legacy_message m = {
		.magic = d->target->magic,
		.attributes = (uint8_t)(d->attributes | (uint8_t)d->codec),
		.offset = d->inner_last,
		.timestamp = d->inner_max_timestamp,
		.value = bytes,
	};
	uint8_t *space = reserve(d, legacy_message_size(m.magic, m.key, m.value));
	if (space != NULL)
		legacy_message_write(&m, space);
	free(value.memory);
	d->inner_size = 0;
	return STATUS_OK;
}

static void grow_inner(struct down_conversion *d, size_t n)
{
	size_t capacity = d->inner_capacity == 0 ? INNER_SIZE_FIRST : d->inner_capacity;
	while (capacity - d->inner_size < n)
		capacity *= 2;
	if (capacity == d->inner_capacity)
		return;
	d->inner = check_realloc(d->inner, capacity);
	d->inner_capacity = capacity;
}

static enum status add_inner(struct down_conversion *d, const struct record *r)
{
	struct legacy_message m = message_of(d, r);
	size_t n = legacy_message_size(m.magic, m.key, m.value);
	if (d->inner_size > 0 && d->inner_size + n > INNER_SIZE_MAX)
		TRY(finish_wrapper(d));
	if (d->inner_size == 0) {
		d->inner_base = r->offset;
		d->inner_max_timestamp = -1;
	}
	if (m.magic == 1)
		m.offset -= d->inner_base;
	grow_inner(d, n);
	legacy_message_write(&m, d->inner + d->inner_size);
	d->inner_size += n;
	d->inner_last = r->offset;
	if (r->timestamp > d->inner_max_timestamp)
		d->inner_max_timestamp = r->timestamp;
	return STATUS_OK;
}

static enum status add_record(struct down_conversion *d, const struct record *r)
{
	if (d->codec != COMPRESSION_none)
		return add_inner(d, r);
	add_plain(d, r);
	return STATUS_OK;
}

/* --- batches ----------------------------------------------------------------------------------------------------- */

static void begin_batch(struct down_conversion *d, enum compression_type codec, bool log_append_time)
{
	d->codec = codec;
	d->attributes = log_append_time && d->target->magic == 1 ? LEGACY_MESSAGE_LOG_APPEND_TIME : 0;
	d->inner_size = 0;
}

static enum status convert_batch(struct down_conversion *d, const struct record_batch *b)
{
	struct record_iterator it;
	struct record r;
	if ((b->attributes & RECORD_BATCH_CONTROL) != 0 || b->record_count == 0)
		return STATUS_OK;
	if (record_batch_codec(b) == COMPRESSION_zstd)
		return STATUS_UNSUPPORTED_COMPRESSION_TYPE;
	begin_batch(d, record_batch_codec(b), (b->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0);
	TRY(record_iterator_init(&it, b, d->target->max_inflated_bytes));
	enum status s = STATUS_OK;
	while (!d->full && s == STATUS_OK) {
		s = record_iterator_next(&it, &r);
		if (s == STATUS_OK)
			s = add_record(d, &r);
	}
	record_iterator_fini(&it);
	TRY(s == STATUS_NOT_FOUND ? STATUS_OK : s);
	return finish_wrapper(d);
}

/* Format 1 for a reader of format 0. */
static enum status convert_message(struct down_conversion *d, const struct legacy_message *m)
{
	struct legacy_iterator it;
	struct record r;
	begin_batch(d, legacy_message_codec(m), false);
	TRY(legacy_iterator_init(&it, m, d->target->max_inflated_bytes));
	enum status s = STATUS_OK;
	while (!d->full && s == STATUS_OK) {
		s = legacy_iterator_next(&it, &r);
		if (s == STATUS_OK)
			s = add_record(d, &r);
	}
	legacy_iterator_fini(&it);
	TRY(s == STATUS_NOT_FOUND ? STATUS_OK : s);
	return finish_wrapper(d);
}

static enum status copy_message(struct down_conversion *d, const struct legacy_message *m)
{
	uint8_t *space = reserve(d, m->data.n);
	if (space != NULL)
		memcpy(space, m->data.p, m->data.n);
	return STATUS_OK;
}

/* One batch or old message at the front of s. STATUS_NOT_FOUND: there is no whole one. */
static enum status convert_next(struct down_conversion *d, struct slice s, size_t *ret_n)
{
	struct record_batch b;
	struct legacy_message m;
	enum status status = legacy_message_parse(s, &m);
	if (status == STATUS_OK) {
		*ret_n = m.data.n;
		return m.magic <= d->target->magic ? copy_message(d, &m) : convert_message(d, &m);
	}
	if (status == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		status = record_batch_parse(s, &b);
	if (status == STATUS_TRUNCATED)
		return STATUS_NOT_FOUND;
	if (status != STATUS_OK)
		return STATUS_CORRUPT_MESSAGE;
	*ret_n = b.data.n;
	return convert_batch(d, &b);
}

enum status record_convert_down(struct slice batches, const struct record_convert_target *target, struct iobuf *out,
	size_t *ret_bytes)
{
	expect((target->magic == 0 || target->magic == 1) && target->max_inflated_bytes <= INT32_MAX);
	struct down_conversion d = {.target = target, .out = out};
	enum status s = STATUS_OK;
	while (batches.n > 0 && !d.full && s == STATUS_OK) {
		size_t n = 0;
		s = convert_next(&d, batches, &n);
		if (s == STATUS_OK)
			batches = slice_sub(batches, n, batches.n - n);
	}
	drop_block(&d);
	deflater_free(d.deflater);
	free(d.inner);
	*ret_bytes = d.total_bytes;
	if (s == STATUS_OK || s == STATUS_NOT_FOUND || d.total_bytes > 0)
		return STATUS_OK;
	return s == STATUS_UNSUPPORTED_COMPRESSION_TYPE ? s : STATUS_CORRUPT_MESSAGE;
}
