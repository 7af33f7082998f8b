#include "storage/record_convert.h"

#include "storage/deflater.h"
#include "storage/legacy_message.h"
#include "storage/lz4_header.h"
#include "unit.h"

enum { SET_MAX = 1 << 20, INFLATED_MAX = 1 << 22, RECORDS_MAX = 64 };

static const struct record_convert_limits wide = {.max_message_bytes = SET_MAX, .max_inflated_bytes = INFLATED_MAX};

/* What a record is to become. */
struct expected {
	int64_t offset, timestamp;
	const char *key, *value; /* NULL: null */
};

struct set {
	uint8_t *p;
	size_t n;
};

static void set_init(struct set *s)
{
	*s = (struct set){.p = check_alloc(SET_MAX)};
}

static struct slice slice_or_null(const char *s)
{
	return s == NULL ? slice_of(NULL, 0) : slice_of_str(s);
}

static void set_add(struct set *s, int magic, int attributes, const struct expected *e)
{
	struct legacy_message m = {
		.magic = (int8_t)magic,
		.attributes = (uint8_t)attributes,
		.offset = e->offset,
		.timestamp = e->timestamp,
		.key = slice_or_null(e->key),
		.value = slice_or_null(e->value),
	};
	size_t n = legacy_message_size(m.magic, m.key, m.value);
	ck_assert_uint_le(s->n + n, SET_MAX);
	legacy_message_write(&m, s->p + s->n);
	s->n += n;
}

/* The set as the value of one message. */
static void set_wrap(struct set *s, int magic, int attributes, enum compression_type codec, int64_t offset, int64_t timestamp)
{
	struct deflater *d = deflater_new(codec, 0);
	size_t bound = deflater_bound(d, s->n), n = 0;
	uint8_t *value = check_alloc(bound);
	ck_assert_int_eq(deflater_run(d, slice_of(s->p, s->n), value, bound, &n), STATUS_OK);
	deflater_free(d);
	if (codec == COMPRESSION_lz4 && magic == 0)
		value[6] = lz4_header_checksum_of_magic_0(value, LZ4_HEADER_SIZE_MIN);
	struct legacy_message m = {
		.magic = (int8_t)magic,
		.attributes = (uint8_t)(attributes | (int)codec),
		.offset = offset,
		.timestamp = timestamp,
		.value = slice_of(value, n),
	};
	s->n = legacy_message_size(m.magic, m.key, m.value);
	legacy_message_write(&m, s->p);
	free(value);
}

static void check_record(const struct record *r, const struct expected *e)
{
	ck_assert_int_eq(r->offset, e->offset);
	ck_assert_int_eq(r->timestamp, e->timestamp);
	ck_assert_int_eq(r->key.p == NULL, e->key == NULL);
	ck_assert_int_eq(r->value.p == NULL, e->value == NULL);
	ck_assert(slice_equal(r->key, slice_or_null(e->key)));
	ck_assert(slice_equal(r->value, slice_or_null(e->value)));
}

static enum status up(struct slice set, const struct record_convert_limits *limits, int32_t *ret_bad)
{
	struct iobuf_block *block = NULL;
	struct slice batch;
	enum status s = record_convert_up(set, limits, &block, &batch, ret_bad);
	ck_assert_int_eq(s == STATUS_OK, block != NULL);
	if (block != NULL)
		iobuf_block_shared_unref(block);
	return s;
}

static enum status up_of(const struct set *s)
{
	int32_t bad;
	return up(slice_of(s->p, s->n), &wide, &bad);
}

/* The set becomes a batch that a leader accepts, with these records at offsets 0, 1, 2... */
static void check_up(const struct set *s, enum compression_type codec, const struct expected *e, int count)
{
	const struct record_batch_limits limits = {
		.max_message_bytes = SET_MAX,
		.max_inflated_bytes = INFLATED_MAX,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = INT64_MAX,
	};
	struct iobuf_block *block;
	struct slice bytes;
	struct record_batch b;
	struct record_iterator it;
	struct record r;
	int32_t bad = -2;
	ck_assert(record_convert_is_old(slice_of(s->p, s->n)));
	ck_assert_int_eq(record_convert_up(slice_of(s->p, s->n), &wide, &block, &bytes, &bad), STATUS_OK);
	ck_assert_int_eq(bad, -1);
	ck_assert(!record_convert_is_old(bytes));
	ck_assert_int_eq(record_batch_validate(bytes, &limits, &b, &bad), STATUS_OK);
	ck_assert_int_eq(record_batch_codec(&b), codec);
	ck_assert_int_eq(b.record_count, count);
	ck_assert_int_eq(b.producer_id, -1);
	ck_assert_int_eq(record_iterator_init(&it, &b, INFLATED_MAX), STATUS_OK);
	for (int i = 0; i < count; i++) {
		struct expected want = e[i];
		want.offset = i;
		ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
		check_record(&r, &want);
	}
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_NOT_FOUND);
	record_iterator_fini(&it);
	iobuf_block_shared_unref(block);
}

static const struct expected plain_1[] = {
	{0, 1000, "k1", "v1"}, {1, 900, NULL, "v2"}, {2, 1100, "k3", NULL}, {3, -1, "", ""},
};
static const struct expected plain_0[] = {{0, -1, "k1", "v1"}, {0, -1, NULL, "v2"}, {0, -1, "k3", NULL}};

START_TEST(convert_up_uncompressed_sets_become_one_batch)
{
	struct set s;
	set_init(&s);
	for (int i = 0; i < 4; i++)
		set_add(&s, 1, 0, &plain_1[i]);
	check_up(&s, COMPRESSION_none, plain_1, 4);
	s.n = 0;
	for (int i = 0; i < 3; i++)
		set_add(&s, 0, 0, &plain_0[i]);
	check_up(&s, COMPRESSION_none, plain_0, 3);
	free(s.p);
}
END_TEST

START_TEST(convert_up_wrappers_of_every_codec_keep_it)
{
	struct set s;
	set_init(&s);
	for (int codec = COMPRESSION_gzip; codec <= COMPRESSION_lz4; codec++) {
		s.n = 0;
		for (int i = 0; i < 4; i++)
			set_add(&s, 1, 0, &plain_1[i]);
		set_wrap(&s, 1, 0, (enum compression_type)codec, 3, 1100);
		check_up(&s, (enum compression_type)codec, plain_1, 4);
		s.n = 0;
		for (int i = 0; i < 3; i++)
			set_add(&s, 0, 0, &plain_0[i]);
		set_wrap(&s, 0, 0, (enum compression_type)codec, 0, -1);
		check_up(&s, (enum compression_type)codec, plain_0, 3);
	}
	free(s.p);
}
END_TEST

START_TEST(convert_up_lz4_of_magic_0_has_the_wrong_checksum_and_magic_1_the_right_one)
{
	/* Header of 64 KiB independent blocks: the checksum over FLG and BD alone is the standard's 0x82. */
	uint8_t header[LZ4_HEADER_SIZE_MIN] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};
	ck_assert_uint_eq(lz4_header_size(slice_of(header, sizeof(header))), sizeof(header));
	ck_assert_uint_eq(lz4_header_size(slice_of(header, sizeof(header) - 1)), 0);
	ck_assert_uint_eq(lz4_header_checksum(header, sizeof(header)), 0x82);
	ck_assert_uint_ne(lz4_header_checksum_of_magic_0(header, sizeof(header)), 0x82);
	struct set s;
	set_init(&s);
	set_add(&s, 1, 0, &plain_1[0]);
	set_wrap(&s, 1, 0, COMPRESSION_lz4, 0, 1000);
	struct legacy_message m;
	ck_assert_int_eq(legacy_message_parse(slice_of(s.p, s.n), &m), STATUS_OK);
	size_t at = (size_t)(m.value.p - s.p) + 6;
	ck_assert_uint_eq(s.p[at], 0x82);
	s.p[at] ^= 0x55;
	ck_assert_int_eq(legacy_message_parse(slice_of(s.p, s.n), &m), STATUS_OK);
	legacy_message_write(&m, s.p); /* its own checksum again */
	ck_assert_int_eq(up_of(&s), STATUS_CORRUPT_MESSAGE);
	free(s.p);
}
END_TEST

START_TEST(convert_up_a_cut_tail_is_left_over)
{
	struct set s;
	set_init(&s);
	set_add(&s, 1, 0, &plain_1[0]);
	size_t whole = s.n;
	set_add(&s, 1, 0, &plain_1[1]);
	for (size_t n = whole; n < s.n; n++) {
		struct set cut = {s.p, n};
		check_up(&cut, COMPRESSION_none, plain_1, 1);
	}
	for (size_t n = 0; n < whole; n++) {
		struct set cut = {s.p, n};
		ck_assert_int_eq(up_of(&cut), STATUS_NOT_FOUND);
	}
	free(s.p);
}
END_TEST

START_TEST(convert_up_refuses_what_kafka_refuses)
{
	struct set s;
	set_init(&s);
	/* a wrapper beside another message */
	set_add(&s, 1, 0, &plain_1[0]);
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 0, 1000);
	set_add(&s, 1, 0, &plain_1[1]);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	/* a wrapper in a wrapper */
	s.n = 0;
	set_add(&s, 1, 0, &plain_1[0]);
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 0, 1000);
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 0, 1000);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	/* another format inside */
	s.n = 0;
	set_add(&s, 0, 0, &plain_0[0]);
	set_wrap(&s, 1, 0, COMPRESSION_snappy, 0, 1000);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	/* nothing inside, or null */
	s.n = 0;
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 0, 1000);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	s.n = 0;
	set_add(&s, 1, COMPRESSION_gzip, &plain_1[2]);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	/* codecs younger than the format */
	for (int codec = COMPRESSION_zstd; codec <= LEGACY_MESSAGE_CODEC_MASK; codec++) {
		s.n = 0;
		set_add(&s, 1, codec, &plain_1[0]);
		ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	}
	/* the wrapper's offset below that of its last record */
	s.n = 0;
	for (int i = 0; i < 4; i++)
		set_add(&s, 1, 0, &plain_1[i]);
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 2, 1000);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_RECORD);
	free(s.p);
}
END_TEST

START_TEST(convert_up_checks_sums_outside_and_inside)
{
	struct set s;
	int32_t bad;
	set_init(&s);
	set_add(&s, 1, 0, &plain_1[0]);
	set_add(&s, 1, 0, &plain_1[1]);
	s.p[s.n - 1] ^= 1;
	ck_assert_int_eq(up_of(&s), STATUS_CORRUPT_MESSAGE);
	set_wrap(&s, 1, 0, COMPRESSION_snappy, 1, 1000);
	ck_assert_int_eq(up(slice_of(s.p, s.n), &wide, &bad), STATUS_CORRUPT_MESSAGE);
	ck_assert_int_eq(bad, 1);
	free(s.p);
}
END_TEST

START_TEST(convert_up_timestamps_are_kept_within_reason)
{
	static const struct expected negative = {0, -2, NULL, "x"}, early = {0, -1, NULL, "x"}, late = {0, INT64_MAX, NULL, "x"};
	struct set s;
	int32_t bad;
	set_init(&s);
	/* Who claims append time is believed, as by Kafka; a wrapper's then holds for all it wraps. */
	set_add(&s, 1, LEGACY_MESSAGE_LOG_APPEND_TIME, &plain_1[0]);
	check_up(&s, COMPRESSION_none, plain_1, 1);
	set_wrap(&s, 1, LEGACY_MESSAGE_LOG_APPEND_TIME, COMPRESSION_gzip, 0, 4444);
	const struct expected claimed = {0, 4444, "k1", "v1"};
	check_up(&s, COMPRESSION_gzip, &claimed, 1);
	s.n = 0;
	set_add(&s, 1, 0, &plain_1[0]);
	set_add(&s, 1, 0, &negative);
	ck_assert_int_eq(up(slice_of(s.p, s.n), &wide, &bad), STATUS_INVALID_TIMESTAMP);
	ck_assert_int_eq(bad, 1);
	s.n = 0;
	set_add(&s, 1, 0, &negative);
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_TIMESTAMP);
	s.n = 0;
	set_add(&s, 1, 0, &early);
	set_add(&s, 1, 0, &late); /* the difference does not fit */
	ck_assert_int_eq(up_of(&s), STATUS_INVALID_TIMESTAMP);
	free(s.p);
}
END_TEST

START_TEST(convert_up_bombs_and_large_messages_are_refused)
{
	struct set s;
	int32_t bad;
	set_init(&s);
	char *zeros = check_calloc(1, 100001);
	memset(zeros, '0', 100000);
	const struct expected large = {0, 1, NULL, zeros};
	set_add(&s, 1, 0, &large);
	const struct record_convert_limits small = {.max_message_bytes = 1000, .max_inflated_bytes = INFLATED_MAX};
	ck_assert_int_eq(up(slice_of(s.p, s.n), &small, &bad), STATUS_MESSAGE_TOO_LARGE);
	set_wrap(&s, 1, 0, COMPRESSION_gzip, 0, 1);
	ck_assert_uint_lt(s.n, 1000);
	ck_assert_int_eq(up(slice_of(s.p, s.n), &small, &bad), STATUS_OK);
	const struct record_convert_limits capped = {.max_message_bytes = 1000, .max_inflated_bytes = 50000};
	ck_assert_int_eq(up(slice_of(s.p, s.n), &capped, &bad), STATUS_CORRUPT_MESSAGE);
	free(zeros);
	free(s.p);
}
END_TEST

/* --- down -------------------------------------------------------------------------------------------------------- */

/* A batch as it would be stored. Appended to to. */
static void store(struct set *to, enum compression_type codec, int64_t base, const struct expected *e, int count, int attributes)
{
	struct record_batch_builder *b = record_batch_builder_new(codec, 0, 0);
	const struct record_header header = {.key = slice_of_str("h"), .value = slice_of_str("dropped")};
	for (int i = 0; i < count; i++)
		record_batch_builder_add(b, e[i].timestamp, slice_or_null(e[i].key), slice_or_null(e[i].value), &header, 1);
	struct slice bytes;
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	uint8_t *p = to->p + to->n;
	memcpy(p, bytes.p, bytes.n);
	record_batch_builder_free(b);
	record_batch_stamp(p, base, 0);
	bytes_put_i16(p + 21, (int16_t)(bytes_get_i16(p + 21) | attributes));
	struct record_batch parsed;
	ck_assert_int_eq(record_batch_parse(slice_of(p, bytes.n), &parsed), STATUS_OK);
	if ((attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0)
		record_batch_stamp_time(p, bytes.n, 7777, true);
	to->n += bytes.n;
}

/* Converted into contiguous memory. */
static enum status down(const struct set *from, int magic, int64_t first_offset, size_t max_bytes, struct set *ret_to)
{
	const struct record_convert_target t = {
		.magic = (int8_t)magic,
		.first_offset = first_offset,
		.max_bytes = max_bytes,
		.hard_max_bytes = SIZE_MAX,
		.max_inflated_bytes = INFLATED_MAX,
	};
	struct iobuf out;
	size_t n = 0;
	iobuf_init(&out);
	enum status s = record_convert_down(slice_of(from->p, from->n), &t, &out, &n);
	ck_assert_uint_eq(out.size_bytes, n);
	ret_to->n = 0;
	while (out.size_bytes > 0) {
		struct iovec iov;
		ck_assert_int_eq(iobuf_peek_iov(&out, &iov, 1), 1);
		ck_assert_uint_le(ret_to->n + iov.iov_len, SET_MAX);
		memcpy(ret_to->p + ret_to->n, iov.iov_base, iov.iov_len);
		ret_to->n += iov.iov_len;
		iobuf_consume(&out, iov.iov_len);
	}
	iobuf_fini(&out);
	return s;
}

/* Reads the set as an old consumer would; returns the number of messages. */
static int check_set(const struct set *s, int magic, const struct expected *e, int count)
{
	struct slice rest = slice_of(s->p, s->n);
	int at = 0, messages = 0;
	while (rest.n > 0) {
		struct legacy_message m;
		struct legacy_iterator it;
		struct record r;
		ck_assert_int_eq(legacy_message_parse(rest, &m), STATUS_OK);
		ck_assert_int_eq(legacy_message_check_crc(&m), STATUS_OK);
		ck_assert_int_eq(m.magic, magic);
		ck_assert_int_eq(legacy_iterator_init(&it, &m, INFLATED_MAX), STATUS_OK);
		while (legacy_iterator_next(&it, &r) == STATUS_OK) {
			ck_assert_int_lt(at, count);
			struct expected want = e[at++];
			want.timestamp = magic == 0 ? -1 : want.timestamp;
			check_record(&r, &want);
		}
		ck_assert_int_eq(m.offset, e[at - 1].offset);
		legacy_iterator_fini(&it);
		rest = slice_sub(rest, m.data.n, rest.n - m.data.n);
		messages++;
	}
	ck_assert_int_eq(at, count);
	return messages;
}

static const struct expected stored[] = {
	{100, 1000, "k1", "v1"}, {101, 900, NULL, "v2"}, {102, 1100, "k3", NULL}, {103, 1050, "", ""}, {104, 5000, "k5", "v5"},
};

START_TEST(convert_down_every_codec_to_both_formats)
{
	struct set from, to;
	set_init(&from);
	set_init(&to);
	for (int magic = 0; magic <= 1; magic++) {
		for (int codec = COMPRESSION_none; codec <= COMPRESSION_lz4; codec++) {
			from.n = 0;
			store(&from, (enum compression_type)codec, 100, stored, 3, 0);
			store(&from, (enum compression_type)codec, 103, stored + 3, 2, 0);
			ck_assert_int_eq(down(&from, magic, 100, SET_MAX, &to), STATUS_OK);
			ck_assert_int_eq(check_set(&to, magic, stored, 5), codec == COMPRESSION_none ? 5 : 2);
		}
	}
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_wrapper_has_the_largest_timestamp_and_relative_offsets)
{
	struct set from, to;
	struct legacy_message m, inner;
	struct legacy_iterator it;
	set_init(&from);
	set_init(&to);
	store(&from, COMPRESSION_gzip, 100, stored, 3, 0);
	ck_assert_int_eq(down(&from, 1, 0, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(legacy_message_parse(slice_of(to.p, to.n), &m), STATUS_OK);
	ck_assert_int_eq(m.timestamp, 1100);
	ck_assert_int_eq(m.offset, 102);
	ck_assert_ptr_null(m.key.p);
	ck_assert_int_eq(legacy_iterator_init(&it, &m, INFLATED_MAX), STATUS_OK);
	ck_assert_int_eq(legacy_message_parse(it.rest, &inner), STATUS_OK);
	ck_assert_int_eq(inner.offset, 0);
	legacy_iterator_fini(&it);
	ck_assert_int_eq(down(&from, 0, 0, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(legacy_message_parse(slice_of(to.p, to.n), &m), STATUS_OK);
	ck_assert_int_eq(legacy_iterator_init(&it, &m, INFLATED_MAX), STATUS_OK);
	ck_assert_int_eq(legacy_message_parse(it.rest, &inner), STATUS_OK);
	ck_assert_int_eq(inner.offset, 100); /* absolute in format 0 */
	legacy_iterator_fini(&it);
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_append_time_is_told_in_format_1)
{
	struct set from, to;
	struct legacy_message m;
	struct expected at_append[3];
	set_init(&from);
	set_init(&to);
	for (int i = 0; i < 3; i++) {
		at_append[i] = stored[i];
		at_append[i].timestamp = 7777;
	}
	for (int codec = COMPRESSION_none; codec <= COMPRESSION_gzip; codec++) {
		from.n = 0;
		store(&from, (enum compression_type)codec, 100, stored, 3, RECORD_BATCH_LOG_APPEND_TIME);
		ck_assert_int_eq(down(&from, 1, 0, SET_MAX, &to), STATUS_OK);
		check_set(&to, 1, at_append, 3);
		ck_assert_int_eq(legacy_message_parse(slice_of(to.p, to.n), &m), STATUS_OK);
		ck_assert_int_eq(m.attributes, LEGACY_MESSAGE_LOG_APPEND_TIME | codec);
		ck_assert_int_eq(m.timestamp, 7777);
		ck_assert_int_eq(down(&from, 0, 0, SET_MAX, &to), STATUS_OK);
		check_set(&to, 0, at_append, 3);
		ck_assert_int_eq(legacy_message_parse(slice_of(to.p, to.n), &m), STATUS_OK);
		ck_assert_int_eq(m.attributes, codec);
	}
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_starts_at_the_offset_asked_unless_compressed)
{
	struct set from, to;
	set_init(&from);
	set_init(&to);
	store(&from, COMPRESSION_none, 100, stored, 5, 0);
	ck_assert_int_eq(down(&from, 1, 102, SET_MAX, &to), STATUS_OK);
	check_set(&to, 1, stored + 2, 3);
	from.n = 0;
	store(&from, COMPRESSION_lz4, 100, stored, 5, 0);
	ck_assert_int_eq(down(&from, 1, 102, SET_MAX, &to), STATUS_OK);
	check_set(&to, 1, stored, 5);
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_control_batches_have_no_place_and_zstd_ends_it)
{
	struct set from, to;
	set_init(&from);
	set_init(&to);
	store(&from, COMPRESSION_none, 99, stored, 1, RECORD_BATCH_CONTROL | RECORD_BATCH_TRANSACTIONAL);
	ck_assert_int_eq(down(&from, 1, 99, SET_MAX, &to), STATUS_OK);
	ck_assert_uint_eq(to.n, 0);
	store(&from, COMPRESSION_none, 100, stored, 3, 0);
	store(&from, COMPRESSION_zstd, 103, stored + 3, 2, 0);
	ck_assert_int_eq(down(&from, 1, 99, SET_MAX, &to), STATUS_OK);
	check_set(&to, 1, stored, 3);
	from.n = 0;
	store(&from, COMPRESSION_zstd, 103, stored + 3, 2, 0);
	ck_assert_int_eq(down(&from, 1, 103, SET_MAX, &to), STATUS_UNSUPPORTED_COMPRESSION_TYPE);
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_keeps_max_bytes_by_whole_messages_and_gives_at_least_one)
{
	struct set from, to, all;
	set_init(&from);
	set_init(&to);
	set_init(&all);
	store(&from, COMPRESSION_none, 100, stored, 5, 0);
	ck_assert_int_eq(down(&from, 1, 100, SET_MAX, &all), STATUS_OK);
	size_t before = 0;
	for (size_t max = 0; max <= all.n; max++) {
		ck_assert_int_eq(down(&from, 1, 100, max, &to), STATUS_OK);
		struct legacy_message m;
		ck_assert_int_eq(legacy_message_parse(slice_of(to.p, to.n), &m), STATUS_OK);
		ck_assert(to.n <= max || to.n == m.data.n);
		ck_assert_uint_ge(to.n, before);
		ck_assert_mem_eq(to.p, all.p, to.n);
		before = to.n;
	}
	ck_assert_uint_eq(before, all.n);
	free(from.p);
	free(to.p);
	free(all.p);
}
END_TEST

START_TEST(convert_down_hard_limit_holds_for_the_first_message_too)
{
	struct set from;
	set_init(&from);
	store(&from, COMPRESSION_none, 100, stored, 5, 0);
	struct record_convert_target t = {.magic = 1, .max_bytes = 0, .hard_max_bytes = 37, .max_inflated_bytes = INFLATED_MAX};
	struct iobuf out;
	size_t n = 1;
	iobuf_init(&out);
	ck_assert_int_eq(record_convert_down(slice_of(from.p, from.n), &t, &out, &n), STATUS_OK);
	ck_assert_uint_eq(n, 0);
	t.hard_max_bytes = 38; /* 34 and the four bytes of k1 and v1 */
	ck_assert_int_eq(record_convert_down(slice_of(from.p, from.n), &t, &out, &n), STATUS_OK);
	ck_assert_uint_eq(n, 38);
	iobuf_fini(&out);
	free(from.p);
}
END_TEST

START_TEST(convert_down_large_output_comes_in_blocks_and_large_batches_in_wrappers)
{
	struct set from, to;
	set_init(&from);
	set_init(&to);
	char *text = check_calloc(1, 30001);
	memset(text, 'x', 30000);
	struct expected e[RECORDS_MAX];
	for (int i = 0; i < 20; i++)
		e[i] = (struct expected){i, 1000 + i, "key", text};
	store(&from, COMPRESSION_none, 0, e, 20, 0);
	ck_assert_int_eq(down(&from, 1, 0, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(check_set(&to, 1, e, 20), 20);
	free(text);
	/* 18 MiB of zeros inflated: two wrappers; the one that ends below the offset asked is left out */
	size_t large = 3 << 20;
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_gzip, 0, 0);
	uint8_t *zeros = check_calloc(1, large);
	for (int i = 0; i < 6; i++)
		record_batch_builder_add(b, 1, slice_of(NULL, 0), slice_of(zeros, large), NULL, 0);
	struct slice bytes;
	ck_assert_int_eq(record_batch_builder_finish(b, &bytes), STATUS_OK);
	struct record_convert_target t = {.magic = 1, .max_bytes = SET_MAX, .hard_max_bytes = SIZE_MAX, .max_inflated_bytes = 32 << 20};
	for (int skip = 0; skip <= 1; skip++) {
		struct iobuf out;
		struct legacy_message m;
		struct iovec iov;
		size_t n = 0;
		iobuf_init(&out);
		t.first_offset = skip == 0 ? 0 : 5;
		ck_assert_int_eq(record_convert_down(bytes, &t, &out, &n), STATUS_OK);
		ck_assert_int_eq(iobuf_peek_iov(&out, &iov, 1), 1);
		ck_assert_int_eq(legacy_message_parse(slice_of(iov.iov_base, iov.iov_len), &m), STATUS_OK);
		ck_assert_int_eq(m.offset, skip == 0 ? 4 : 5);
		ck_assert_int_eq(m.data.n < n, skip == 0);
		iobuf_fini(&out);
	}
	record_batch_builder_free(b);
	free(zeros);
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_old_messages_stay_unless_the_reader_is_older)
{
	struct set from, to;
	struct expected e[4];
	set_init(&from);
	set_init(&to);
	for (int i = 0; i < 4; i++) {
		e[i] = plain_1[i];
		set_add(&from, 1, 0, &e[i]);
	}
	ck_assert_int_eq(down(&from, 1, 0, SET_MAX, &to), STATUS_OK);
	ck_assert_uint_eq(to.n, from.n);
	ck_assert_mem_eq(to.p, from.p, to.n);
	ck_assert_int_eq(down(&from, 0, 1, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(check_set(&to, 0, e + 1, 3), 3);
	/* a wrapper whose last record has offset 53 */
	set_wrap(&from, 1, 0, COMPRESSION_snappy, 53, 1100);
	for (int i = 0; i < 4; i++)
		e[i].offset += 50;
	ck_assert_int_eq(down(&from, 0, 50, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(check_set(&to, 0, e, 4), 1);
	/* mixed with format 2, cut at the end */
	store(&from, COMPRESSION_none, 54, stored, 1, 0);
	store(&from, COMPRESSION_none, 55, stored, 1, 0);
	from.n -= 1;
	ck_assert_int_eq(down(&from, 1, 50, SET_MAX, &to), STATUS_OK);
	struct expected all[5] = {e[0], e[1], e[2], e[3], stored[0]};
	all[4].offset = 54;
	ck_assert_int_eq(check_set(&to, 1, all, 5), 2);
	free(from.p);
	free(to.p);
}
END_TEST

START_TEST(convert_down_damage_is_told_when_nothing_came_before_it)
{
	struct set from, to;
	set_init(&from);
	set_init(&to);
	store(&from, COMPRESSION_gzip, 100, stored, 3, 0);
	size_t first = from.n;
	store(&from, COMPRESSION_gzip, 103, stored + 3, 2, 0);
	from.p[first + RECORD_BATCH_HEADER_SIZE] ^= 0xff;
	ck_assert_int_eq(down(&from, 1, 100, SET_MAX, &to), STATUS_OK);
	ck_assert_int_eq(check_set(&to, 1, stored, 3), 1);
	from.p[RECORD_BATCH_HEADER_SIZE] ^= 0xff;
	ck_assert_int_eq(down(&from, 1, 100, SET_MAX, &to), STATUS_CORRUPT_MESSAGE);
	ck_assert_uint_eq(to.n, 0);
	free(from.p);
	free(to.p);
}
END_TEST

UNIT_MAIN("record_convert", convert_up_uncompressed_sets_become_one_batch, convert_up_wrappers_of_every_codec_keep_it,
	convert_up_lz4_of_magic_0_has_the_wrong_checksum_and_magic_1_the_right_one, convert_up_a_cut_tail_is_left_over,
	convert_up_refuses_what_kafka_refuses, convert_up_checks_sums_outside_and_inside, convert_up_timestamps_are_kept_within_reason,
	convert_up_bombs_and_large_messages_are_refused, convert_down_every_codec_to_both_formats,
	convert_down_wrapper_has_the_largest_timestamp_and_relative_offsets, convert_down_append_time_is_told_in_format_1,
	convert_down_starts_at_the_offset_asked_unless_compressed, convert_down_control_batches_have_no_place_and_zstd_ends_it,
	convert_down_keeps_max_bytes_by_whole_messages_and_gives_at_least_one,
	convert_down_hard_limit_holds_for_the_first_message_too,
	convert_down_large_output_comes_in_blocks_and_large_batches_in_wrappers,
	convert_down_old_messages_stay_unless_the_reader_is_older, convert_down_damage_is_told_when_nothing_came_before_it)
