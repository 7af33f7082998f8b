#include "storage/legacy_message.h"

#include "storage/inflater.h"

#include <zlib.h>

enum {
	SIZE_AT = 8,
	CRC_AT = 12,
	MAGIC_AT = 16, /* the checksum begins here */
	/* crc, magic, attributes, lengths of key and value; format 1 has a timestamp too */
	SIZE_MIN = 14,
	TIMESTAMP_SIZE = 8,
};

/* A field behind its length; negative is null: p stays NULL. An empty field has p set. */
static struct slice read_nullable(struct byte_reader *r)
{
	int32_t n = byte_reader_i32(r);
	if (n < 0 || r->status != STATUS_OK)
		return slice_of(NULL, 0);
	struct slice s = byte_reader_bytes(r, (size_t)n);
	return s.p == NULL && r->status == STATUS_OK ? slice_of("", 0) : s;
}

enum status legacy_message_parse(struct slice s, struct legacy_message *ret_message)
{
	if (s.n < LEGACY_MESSAGE_OVERHEAD)
		return STATUS_TRUNCATED;
	int32_t size = bytes_get_i32(s.p + SIZE_AT);
	if (size < SIZE_MIN)
		return STATUS_CORRUPT;
	if (s.n - LEGACY_MESSAGE_OVERHEAD < (size_t)size)
		return STATUS_TRUNCATED;
	struct legacy_message m = {.data = slice_sub(s, 0, LEGACY_MESSAGE_OVERHEAD + (size_t)size), .timestamp = -1};
	struct byte_reader r;
	byte_reader_init(&r, m.data);
	m.offset = byte_reader_i64(&r);
	byte_reader_skip(&r, 4); /* size */
	m.crc = byte_reader_u32(&r);
	m.magic = (int8_t)byte_reader_u8(&r);
	m.attributes = byte_reader_u8(&r);
	if (m.magic != 0 && m.magic != 1)
		return STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT;
	if (m.magic == 1)
		m.timestamp = byte_reader_i64(&r);
	m.key = read_nullable(&r);
	m.value = read_nullable(&r);
	if (r.status != STATUS_OK || byte_reader_left(&r) != 0)
		return STATUS_CORRUPT;
	*ret_message = m;
	return STATUS_OK;
}

static uint32_t checksum(struct slice message)
{
	expect(message.n >= LEGACY_MESSAGE_OVERHEAD + SIZE_MIN && message.n <= UINT32_MAX);
	struct slice covered = slice_sub(message, MAGIC_AT, message.n - MAGIC_AT);
	return (uint32_t)crc32(0, covered.p, (uInt)covered.n);
}

enum status legacy_message_check_crc(const struct legacy_message *m)
{
	return checksum(m->data) == m->crc ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

size_t legacy_message_size(int8_t magic, struct slice key, struct slice value)
{
	expect(magic == 0 || magic == 1);
	size_t fixed = LEGACY_MESSAGE_OVERHEAD + SIZE_MIN;
	if (magic == 1)
		fixed += TIMESTAMP_SIZE;
	return fixed + key.n + value.n;
}

static void write_nullable(struct byte_writer *w, struct slice s)
{
	byte_writer_i32(w, s.p == NULL ? -1 : (int32_t)s.n);
	if (s.n > 0)
		byte_writer_bytes(w, s);
}

void legacy_message_write(const struct legacy_message *m, uint8_t *to)
{
	struct byte_writer w;
	size_t n = legacy_message_size(m->magic, m->key, m->value);
	expect(n <= INT32_MAX);
	byte_writer_init(&w, to, n);
	byte_writer_i64(&w, m->offset);
	byte_writer_i32(&w, (int32_t)(n - LEGACY_MESSAGE_OVERHEAD));
	byte_writer_u32(&w, 0); /* checksum, below */
	byte_writer_u8(&w, (uint8_t)m->magic);
	byte_writer_u8(&w, m->attributes);
	if (m->magic == 1)
		byte_writer_i64(&w, m->timestamp);
	write_nullable(&w, m->key);
	write_nullable(&w, m->value);
	expect(w.status == STATUS_OK && w.at == n);
	bytes_put_u32(to + CRC_AT, checksum(slice_of(to, n)));
}

/* --- the records of one message ---------------------------------------------------------------------------------- */

static enum status inflate_value(struct legacy_iterator *it, size_t max_inflated)
{
	const struct legacy_message *m = &it->outer;
	struct inflater *inflater = inflater_of_thread();
	size_t n = 0;
	enum status s = m->magic == 0 ? inflater_begin_magic_0(inflater, legacy_message_codec(m), m->value, max_inflated)
				      : inflater_begin(inflater, legacy_message_codec(m), m->value, max_inflated);
	if (s == STATUS_OK)
		s = inflater_read_all(inflater, &it->inflated, &n);
	inflater_end(inflater);
	it->rest = slice_of(it->inflated, n);
	return s;
}

/* Skips to the last whole message, whose offset tells what the inner ones of format 1 are relative to. */
static enum status find_base(struct legacy_iterator *it)
{
	struct slice s = it->rest;
	struct legacy_message m;
	int64_t last = 0;
	enum status status;
	while ((status = legacy_message_parse(s, &m)) == STATUS_OK) {
		last = m.offset;
		s = slice_sub(s, m.data.n, s.n - m.data.n);
	}
	if (status == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		return STATUS_INVALID_RECORD;
	if (status != STATUS_TRUNCATED) /* a cut tail is left over, as Kafka does */
		return STATUS_CORRUPT_MESSAGE;
	if (s.p == it->rest.p)
		return STATUS_INVALID_RECORD;
	/* Old librdkafka produced wrappers with offset 0, whatever they held. */
	if (it->outer.magic == 0 || it->outer.offset == 0)
		return STATUS_OK;
	if (it->outer.offset < last || __builtin_sub_overflow(it->outer.offset, last, &it->base))
		return STATUS_INVALID_RECORD;
	return STATUS_OK;
}

enum status legacy_iterator_init(struct legacy_iterator *it, const struct legacy_message *m, size_t max_inflated)
{
	expect((m->magic == 0 || m->magic == 1) && max_inflated <= INT32_MAX);
	*it = (struct legacy_iterator){.outer = *m};
	enum compression_type codec = legacy_message_codec(m);
	if (codec == COMPRESSION_none)
		return STATUS_OK;
	if (codec >= COMPRESSION_zstd || m->value.p == NULL)
		return STATUS_INVALID_RECORD;
	enum status s = inflate_value(it, max_inflated);
	if (s == STATUS_OK)
		s = find_base(it);
	if (s != STATUS_OK)
		legacy_iterator_fini(it);
	return s;
}

void legacy_iterator_fini(struct legacy_iterator *it)
{
	free(it->inflated);
	it->inflated = NULL;
	it->ended = true;
}

static void to_record(const struct legacy_message *m, struct record *ret_record)
{
	*ret_record = (struct record){
		.offset = m->offset,
		.timestamp = m->timestamp,
		.key = m->key,
		.value = m->value,
		.headers = slice_of("", 0),
	};
}

static enum status next_inner(struct legacy_iterator *it, struct record *ret_record)
{
	struct legacy_message m;
	enum status s = legacy_message_parse(it->rest, &m);
	if (s == STATUS_TRUNCATED) {
		it->ended = true;
		return STATUS_NOT_FOUND;
	}
	expect(s == STATUS_OK); /* find_base saw it */
	it->rest = slice_sub(it->rest, m.data.n, it->rest.n - m.data.n);
	if (m.magic != it->outer.magic || legacy_message_codec(&m) != COMPRESSION_none)
		return STATUS_INVALID_RECORD;
	TRY(legacy_message_check_crc(&m));
	if (__builtin_add_overflow(m.offset, it->base, &m.offset))
		return STATUS_INVALID_RECORD;
	if (m.magic == 1 && (it->outer.attributes & LEGACY_MESSAGE_LOG_APPEND_TIME) != 0)
		m.timestamp = it->outer.timestamp;
	to_record(&m, ret_record);
	return STATUS_OK;
}

enum status legacy_iterator_next(struct legacy_iterator *it, struct record *ret_record)
{
	if (it->ended)
		return STATUS_NOT_FOUND;
	if (it->inflated != NULL)
		return next_inner(it, ret_record);
	it->ended = true;
	to_record(&it->outer, ret_record);
	return STATUS_OK;
}
