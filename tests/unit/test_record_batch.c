#include "storage/record_batch.h"

#include "base/crc32c.h"
#include "base/random.h"
#include "unit.h"

enum { MAX_INFLATED = 64 << 20, CRC_AT = 17, ATTRIBUTES_AT = 21, LAST_DELTA_AT = 23, COUNT_AT = 57 };

static const struct record_batch_limits open_limits = {
	.max_message_bytes = 1 << 20,
	.max_inflated_bytes = MAX_INFLATED,
	.now_ms = 1700000000000,
	.timestamp_before_max_ms = INT64_MAX,
	.timestamp_after_max_ms = INT64_MAX,
};

/* Validates a copy; both outputs may be NULL. */
static enum status validate(struct slice s, const struct record_batch_limits *l, int32_t *ret_bad)
{
	struct record_batch b;
	int32_t bad = -2;
	enum status status = record_batch_validate(s, l, &b, &bad);
	if (ret_bad != NULL)
		*ret_bad = bad;
	return status;
}

static void reseal(uint8_t *p, size_t n)
{
	bytes_put_i32(p + 8, (int32_t)(n - RECORD_BATCH_OVERHEAD));
	bytes_put_u32(p + CRC_AT, crc32c(0, slice_of(p + ATTRIBUTES_AT, n - ATTRIBUTES_AT)));
}

static struct slice key_of(int i, char *room, size_t size)
{
	return slice_of(room, (size_t)snprintf(room, size, "key-%d", i));
}

/* count records, timestamps 1000, 1001, ...; the caller frees. */
static uint8_t *make_batch(enum compression_type codec, int count, size_t *ret_n)
{
	struct record_batch_builder *b = record_batch_builder_new(codec, 0, 0);
	for (int i = 0; i < count; i++) {
		char key[32], value[64];
		int n = snprintf(value, sizeof(value), "the value numbered %d", i);
		struct record_header h = {.key = slice_of_str("h"), .value = slice_of_str("v")};
		record_batch_builder_add(b, 1000 + i, key_of(i, key, sizeof(key)), slice_of(value, (size_t)n), &h, i % 3 == 0);
	}
	struct slice s;
	ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
	uint8_t *p = check_alloc(s.n);
	memcpy(p, s.p, s.n);
	*ret_n = s.n;
	record_batch_builder_free(b);
	return p;
}

/* A batch whose records section is the given bytes, as declared. */
static uint8_t *raw_batch(struct slice records, int32_t count, size_t *ret_n)
{
	size_t n = 0;
	uint8_t *head = make_batch(COMPRESSION_none, 1, &n);
	*ret_n = RECORD_BATCH_HEADER_SIZE + records.n;
	uint8_t *p = check_alloc(*ret_n);
	memcpy(p, head, RECORD_BATCH_HEADER_SIZE);
	memcpy(p + RECORD_BATCH_HEADER_SIZE, records.p, records.n);
	bytes_put_i32(p + LAST_DELTA_AT, count - 1);
	bytes_put_i32(p + COUNT_AT, count);
	reseal(p, *ret_n);
	free(head);
	return p;
}

static enum status validate_raw(const char *records, size_t n, int32_t count, int32_t *ret_bad)
{
	size_t size = 0;
	uint8_t *p = raw_batch(slice_of(records, n), count, &size);
	enum status s = validate(slice_of(p, size), &open_limits, ret_bad);
	free(p);
	return s;
}
#define RAW(literal) (literal), sizeof(literal) - 1

START_TEST(record_batch_header_is_decoded)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_none, 3, &n);
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
	ck_assert_int_eq(b.magic, 2);
	ck_assert_int_eq(b.leader_epoch, -1);
	ck_assert_int_eq(b.record_count, 3);
	ck_assert_int_eq(b.last_offset_delta, 2);
	ck_assert_int_eq(b.base_timestamp, 1000);
	ck_assert_int_eq(b.max_timestamp, 1002);
	ck_assert_int_eq(b.producer_id, -1);
	ck_assert_int_eq(b.base_sequence, -1);
	ck_assert_uint_eq(b.data.n, n);
	free(p);
}
END_TEST

START_TEST(record_batch_layout_is_byte_exact)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 0);
	struct record_header h = {.key = slice_of_str("hk"), .value_null = true};
	record_batch_builder_set_producer(b, 7, 3, 11);
	record_batch_builder_add(b, 0x0102030405060708, slice_of_str("k"), slice_of_str("vv"), &h, 1);
	record_batch_builder_add(b, 0x0102030405060707, slice_of(NULL, 0), slice_of("", 0), NULL, 0);
	struct slice s;
	ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
	static const uint8_t expected[] = {
		0, 0, 0, 0, 0, 0, 0, 0,       /* base offset */
		0, 0, 0, 49 + 14 + 7,         /* length */
		0xff, 0xff, 0xff, 0xff, 2,    /* leader epoch, magic */
		0, 0, 0, 0, 0, 0,             /* crc (below), attributes */
		0, 0, 0, 1,                   /* last offset delta */
		1, 2, 3, 4, 5, 6, 7, 8,       /* base timestamp */
		1, 2, 3, 4, 5, 6, 7, 8,       /* max timestamp */
		0, 0, 0, 0, 0, 0, 0, 7, 0, 3, /* producer id and epoch */
		0, 0, 0, 11, 0, 0, 0, 2,      /* base sequence, count */
		26, 0, 0, 0, 2, 'k', 4, 'v', 'v', 2, 4, 'h', 'k', 1, /* record 0 */
		12, 0, 1, 2, 1, 0, 0,         /* record 1: deltas -1 and 1, null key, empty value */
	};
	ck_assert_uint_eq(s.n, sizeof(expected));
	ck_assert_mem_eq(s.p, expected, CRC_AT);
	ck_assert_mem_eq(s.p + ATTRIBUTES_AT, expected + ATTRIBUTES_AT, s.n - ATTRIBUTES_AT);
	ck_assert_uint_eq(bytes_get_u32(s.p + CRC_AT), crc32c_portable(0, slice_of(s.p + 21, s.n - 21)));
	record_batch_builder_free(b);
}
END_TEST

static void check_back(const uint8_t *p, size_t n, int count)
{
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	struct record_iterator it;
	ck_assert_int_eq(record_iterator_init(&it, &b, MAX_INFLATED), STATUS_OK);
	struct record r;
	for (int i = 0; i < count; i++) {
		char key[32], value[64];
		int value_n = snprintf(value, sizeof(value), "the value numbered %d", i);
		ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
		ck_assert_int_eq(r.offset, b.base_offset + i);
		ck_assert_int_eq(r.timestamp, 1000 + i);
		ck_assert(slice_equal(r.key, key_of(i, key, sizeof(key))));
		ck_assert(slice_equal(r.value, slice_of(value, (size_t)value_n)));
		ck_assert_int_eq(r.header_count, i % 3 == 0);
		struct record_header h;
		if (i % 3 == 0) {
			ck_assert_int_eq(record_next_header(&r.headers, &h), STATUS_OK);
			ck_assert(slice_equal(h.key, slice_of_str("h")) && slice_equal(h.value, slice_of_str("v")));
		}
		ck_assert_int_eq(record_next_header(&r.headers, &h), STATUS_NOT_FOUND);
	}
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_NOT_FOUND);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_NOT_FOUND);
	record_iterator_fini(&it);
}

START_TEST(record_batch_round_trips_in_every_codec)
{
	static const int counts[] = {1, 2, 100, 5000};
	for (unsigned codec = 0; codec < COMPRESSION_COUNT; codec++)
		for (int c = 0; c < 4; c++) {
			size_t n = 0;
			uint8_t *p = make_batch((enum compression_type)codec, counts[c], &n);
			struct record_batch b;
			int32_t bad = -2;
			ck_assert_int_eq(record_batch_validate(slice_of(p, n), &open_limits, &b, &bad), STATUS_OK);
			ck_assert_int_eq(bad, -1);
			ck_assert_int_eq((int)record_batch_codec(&b), (int)codec);
			ck_assert_int_eq(b.max_timestamp, 1000 + counts[c] - 1);
			record_batch_stamp(p, 123456789012, 5);
			check_back(p, n, counts[c]);
			free(p);
		}
}
END_TEST

START_TEST(record_batch_large_records_pass_through_small_windows)
{
	size_t size = 900000;
	char *big = check_alloc(size);
	struct random r;
	random_seed(&r, 1);
	for (size_t i = 0; i < size; i++)
		big[i] = (char)random_below(&r, 16);
	for (unsigned codec = 0; codec < COMPRESSION_COUNT; codec++) {
		struct record_batch_builder *b = record_batch_builder_new((enum compression_type)codec, 0, 0);
		struct record_header h[2] = {{.key = slice_of(big, 70000), .value = slice_of(big, 1)},
			{.key = slice_of_str(""), .value = slice_of(big, 66000)}};
		record_batch_builder_add(b, 5, slice_of(big, 65536), slice_of(big, 100000), h, 2);
		for (size_t n = 65480; n < 65540; n += 7)
			record_batch_builder_add(b, 5, slice_of(NULL, 0), slice_of(big, n), NULL, 0);
		struct slice s;
		ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
		struct record_batch_limits l = open_limits;
		l.max_message_bytes = 16 << 20;
		ck_assert_int_eq(validate(s, &l, NULL), STATUS_OK);
		record_batch_builder_free(b);
	}
	free(big);
}
END_TEST

START_TEST(record_batch_builder_sizes_are_upper_bounds)
{
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 0);
	char value[300];
	memset(value, 'x', sizeof(value));
	for (size_t n = 0; n < 300; n++) {
		struct record_header h = {.key = slice_of(value, n % 5), .value = slice_of(value, n)};
		size_t headers = bytes_varint_size((int32_t)(n % 5)) + n % 5 + bytes_varint_size((int32_t)n) + n;
		size_t bound = record_batch_builder_size_with(b, n, n, headers);
		record_batch_builder_add(b, (int64_t)n, slice_of(value, n), slice_of(value, n), &h, 1);
		ck_assert_uint_le(record_batch_builder_size(b), bound);
		ck_assert_uint_le(bound, record_batch_builder_size(b) + 12);
	}
	ck_assert_int_eq(record_batch_builder_count(b), 300);
	struct slice s;
	ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
	ck_assert_uint_eq(s.n, record_batch_builder_size(b));
	record_batch_builder_reset(b);
	ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_INVALID_ARGUMENT);
	record_batch_builder_free(b);
}
END_TEST

START_TEST(record_batch_stamps_keep_the_checksum_right)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_zstd, 10, &n);
	record_batch_stamp(p, INT64_MAX - 100, INT32_MAX);
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
	ck_assert_int_eq(record_batch_last_offset(&b), INT64_MAX - 91);
	ck_assert_int_eq(b.leader_epoch, INT32_MAX);
	record_batch_stamp_time(p, n, 77, true);
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
	ck_assert_int_eq(b.max_timestamp, 77);
	ck_assert_int_ne(b.attributes & RECORD_BATCH_LOG_APPEND_TIME, 0);
	struct record_iterator it;
	struct record r;
	ck_assert_int_eq(record_iterator_init(&it, &b, MAX_INFLATED), STATUS_OK);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_OK);
	ck_assert_int_eq(r.timestamp, 77); /* the append time, not its own */
	record_iterator_fini(&it);
	record_batch_stamp_time(p, n, 88, false);
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_OK);
	ck_assert_int_eq(b.attributes, COMPRESSION_zstd);
	free(p);
}
END_TEST

START_TEST(record_batch_peek_and_parse_refuse_what_is_not_one)
{
	size_t n = 0, size = 0;
	uint8_t *p = make_batch(COMPRESSION_none, 2, &n);
	struct record_batch b;
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(record_batch_parse(slice_of(p, cut), &b), STATUS_TRUNCATED);
	ck_assert_int_eq(record_batch_peek_size(slice_of(p, 11), n, &size), STATUS_TRUNCATED);
	ck_assert_int_eq(record_batch_peek_size(slice_of(p, 12), n, &size), STATUS_OK);
	ck_assert_uint_eq(size, n);
	ck_assert_int_eq(record_batch_peek_size(slice_of(p, 12), n - 1, &size), STATUS_CORRUPT);
	static const int32_t lengths[] = {INT32_MIN, -1, 0, 13, 48};
	for (int i = 0; i < 5; i++) {
		bytes_put_i32(p + 8, lengths[i]);
		ck_assert_int_eq(record_batch_peek_size(slice_of(p, n), SIZE_MAX, &size), STATUS_CORRUPT);
		ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_CORRUPT);
	}
	bytes_put_i32(p + 8, INT32_MAX);
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_TRUNCATED);
	bytes_put_i32(p + 8, (int32_t)n - 12);
	static const struct {
		uint8_t magic;
		enum status expected;
	} magics[] = {{0, STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT}, {1, STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT},
		{3, STATUS_CORRUPT}, {255, STATUS_CORRUPT}};
	for (int i = 0; i < 4; i++) {
		p[16] = magics[i].magic;
		ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), magics[i].expected);
	}
	p[16] = 2;
	bytes_put_i32(p + COUNT_AT, -1);
	ck_assert_int_eq(record_batch_parse(slice_of(p, n), &b), STATUS_CORRUPT);
	free(p);
}
END_TEST

START_TEST(record_batch_every_flipped_bit_is_found_by_the_checksum)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_none, 2, &n);
	for (size_t bit = CRC_AT * 8; bit < n * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum status s = validate(slice_of(p, n), &open_limits, NULL);
		ck_assert_int_eq(s, STATUS_CORRUPT_MESSAGE);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(validate(slice_of(p, n), &open_limits, NULL), STATUS_OK);
	free(p);
}
END_TEST

START_TEST(record_batch_envelope_is_validated)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_none, 2, &n);
	struct record_batch_limits small = open_limits;
	small.max_message_bytes = n - 1;
	ck_assert_int_eq(validate(slice_of(p, n), &small, NULL), STATUS_MESSAGE_TOO_LARGE);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(validate(slice_of(p, cut), &open_limits, NULL), STATUS_CORRUPT_MESSAGE);
	uint8_t *two = check_alloc(2 * n);
	memcpy(two, p, n);
	memcpy(two + n, p, n);
	ck_assert_int_eq(validate(slice_of(two, 2 * n), &open_limits, NULL), STATUS_INVALID_RECORD);
	free(two);
	bytes_put_i64(p, 1); /* base offset */
	ck_assert_int_eq(validate(slice_of(p, n), &open_limits, NULL), STATUS_INVALID_RECORD);
	bytes_put_i64(p, 0);
	p[16] = 1;
	ck_assert_int_eq(validate(slice_of(p, n), &open_limits, NULL), STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT);
	free(p);
}
END_TEST

START_TEST(record_batch_lying_counts_are_refused)
{
	static const struct {
		int32_t last_delta, count;
	} lies[] = {{1, 1}, {1, 3}, {2, 3}, {0, 1}, {-1, 0}, {1, 0}, {INT32_MAX - 1, INT32_MAX}, {INT32_MAX, INT32_MIN}, {1, -2}};
	for (unsigned codec = 0; codec < COMPRESSION_COUNT; codec++) {
		size_t n = 0;
		uint8_t *p = make_batch((enum compression_type)codec, 2, &n);
		for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			bytes_put_i32(p + LAST_DELTA_AT, lies[i].last_delta);
			bytes_put_i32(p + COUNT_AT, lies[i].count);
			reseal(p, n);
			enum status s = validate(slice_of(p, n), &open_limits, NULL);
			ck_assert_msg(s == STATUS_INVALID_RECORD || s == STATUS_CORRUPT_MESSAGE, "codec %u lie %u: %d", codec, i,
				(int)s);
		}
		free(p);
	}
}
END_TEST

START_TEST(record_batch_attributes_of_the_broker_are_refused)
{
	static const struct {
		int attributes;
		int64_t producer_id;
		int32_t sequence;
		enum status expected;
	} cases[] = {
		{RECORD_BATCH_CONTROL, -1, -1, STATUS_INVALID_RECORD},
		{RECORD_BATCH_DELETE_HORIZON, -1, -1, STATUS_INVALID_RECORD},
		{RECORD_BATCH_TRANSACTIONAL, -1, -1, STATUS_INVALID_RECORD},
		{RECORD_BATCH_TRANSACTIONAL, 9, 0, STATUS_OK},
		{0, 9, -1, STATUS_INVALID_RECORD},
		{0, 9, 0, STATUS_OK},
		{RECORD_BATCH_LOG_APPEND_TIME, -1, -1, STATUS_OK},
		{5, -1, -1, STATUS_UNSUPPORTED_COMPRESSION_TYPE},
		{7, -1, -1, STATUS_UNSUPPORTED_COMPRESSION_TYPE},
		{COMPRESSION_zstd, -1, -1, STATUS_CORRUPT_MESSAGE}, /* says zstd, is not */
	};
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_none, 2, &n);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bytes_put_i16(p + ATTRIBUTES_AT, (int16_t)cases[i].attributes);
		bytes_put_i64(p + 43, cases[i].producer_id);
		bytes_put_i32(p + 53, cases[i].sequence);
		reseal(p, n);
		ck_assert_msg(validate(slice_of(p, n), &open_limits, NULL) == cases[i].expected, "case %u", i);
	}
	free(p);
}
END_TEST

START_TEST(record_batch_malformed_records_are_refused_by_index)
{
	/* length, attributes, timestamp delta, offset delta, key, value, headers */
	static const struct {
		const char *records;
		size_t n;
		int32_t count, bad;
	} cases[] = {
		{RAW("\x0e\0\0\0\1\2x\0"), 1, -1},                         /* fine: length 7, null key, value "x" */
		{RAW("\x0e\0\0\0\1\2x\0\x0e\0\0\2\1\2x\0"), 2, -1},        /* fine: two of them */
		{RAW("\x0e\0\0\0\1\2x\0\x0e\0\0\4\1\2x\0"), 2, 1},         /* offset delta 2 in place 1 */
		{RAW("\x0e\0\0\2\1\2x\0"), 1, 0},                          /* offset delta 1 in place 0 */
		{RAW("\x0c\0\0\0\1\2x\0"), 1, 0},                          /* length one short */
		{RAW("\x10\0\0\0\1\2x\0\0"), 1, 0},                        /* length one long */
		{RAW("\x0d\0\0\0\1\2x\0"), 1, 0},                          /* negative length */
		{RAW("\x0e\0\0\0\3\2x\0"), 1, 0},                          /* key length -2 */
		{RAW("\x0e\0\0\0\1\3x\0"), 1, 0},                          /* value length -2 */
		{RAW("\x0e\0\0\0\1\x7ex\0"), 1, 0},                        /* value longer than the record */
		{RAW("\x0e\0\0\0\1\2x\1"), 1, 0},                          /* header count -1 */
		{RAW("\x0e\0\0\0\1\2x\2"), 1, 0},                          /* a header too many */
		{RAW("\x12\0\0\0\1\2x\2\1\0"), 1, 0},                      /* null header key */
		{RAW("\x12\0\0\0\1\2x\2\0\1"), 1, -1},                     /* fine: empty header key, null value */
		{RAW("\xff\xff\xff\xff\xff\xff\0\0\0\0\0"), 1, 0},         /* varint without end */
		{RAW("\xfe\xff\xff\xff\x0f\0\0\0\1\1\0"), 1, 0},           /* length 2^31-1 */
		{RAW("\x0e\0\0\0\1\2x\0\0"), 1, -2},                       /* a byte left over */
		{RAW("\x0e\0\0\0\1\2x\0\x0e\0\0\2\1\2x\0"), 1, -2},        /* a record left over */
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t bad = -9;
		enum status s = validate_raw(cases[i].records, cases[i].n, cases[i].count, &bad);
		ck_assert_msg((s == STATUS_OK) == (cases[i].bad == -1), "case %u: %s", i, status_name(s));
		ck_assert_msg(s == STATUS_OK || s == STATUS_INVALID_RECORD, "case %u: %s", i, status_name(s));
		ck_assert_msg(bad == (cases[i].bad == -2 ? -1 : cases[i].bad), "case %u: bad %d", i, bad);
	}
}
END_TEST

START_TEST(record_batch_null_keys_are_refused_on_compacted_topics)
{
	struct record_batch_limits l = open_limits;
	l.compacted = true;
	for (unsigned codec = 0; codec < COMPRESSION_COUNT; codec++) {
		struct record_batch_builder *b = record_batch_builder_new((enum compression_type)codec, 0, 0);
		record_batch_builder_add(b, 1, slice_of_str("k"), slice_of(NULL, 0), NULL, 0);
		record_batch_builder_add(b, 1, slice_of("", 0), slice_of_str("v"), NULL, 0);
		record_batch_builder_add(b, 1, slice_of(NULL, 0), slice_of_str("v"), NULL, 0);
		struct slice s;
		ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
		int32_t bad = -9;
		ck_assert_int_eq(validate(s, &l, &bad), STATUS_INVALID_RECORD);
		ck_assert_int_eq(bad, 2);
		ck_assert_int_eq(validate(s, &open_limits, &bad), STATUS_OK);
		record_batch_builder_free(b);
	}
}
END_TEST

START_TEST(record_batch_timestamps_are_held_to_their_limits)
{
	const int64_t now = 1700000000000;
	static const struct {
		int64_t offset_from_now;
		enum status expected;
	} cases[] = {{-1000, STATUS_OK}, {-1001, STATUS_INVALID_TIMESTAMP}, {500, STATUS_OK}, {501, STATUS_INVALID_TIMESTAMP}};
	struct record_batch_limits l = open_limits;
	l.timestamp_before_max_ms = 1000;
	l.timestamp_after_max_ms = 500;
	struct record_batch_builder *b = record_batch_builder_new(COMPRESSION_none, 0, 0);
	for (int i = 0; i < 4; i++) {
		record_batch_builder_reset(b);
		record_batch_builder_add(b, now, slice_of_str("k"), slice_of_str("v"), NULL, 0);
		record_batch_builder_add(b, now + cases[i].offset_from_now, slice_of_str("k"), slice_of_str("v"), NULL, 0);
		struct slice s;
		ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
		int32_t bad = -9;
		ck_assert_int_eq(validate(s, &l, &bad), cases[i].expected);
		ck_assert_int_eq(bad, cases[i].expected == STATUS_OK ? -1 : 1);
		l.log_append_time = true; /* then the producer's times do not matter */
		ck_assert_int_eq(validate(s, &l, &bad), STATUS_OK);
		l.log_append_time = false;
	}
	static const int64_t odd[] = {-1, INT64_MIN, INT64_MAX, 0};
	for (int i = 0; i < 4; i++) {
		record_batch_builder_reset(b);
		record_batch_builder_add(b, odd[i], slice_of_str("k"), slice_of_str("v"), NULL, 0);
		struct slice s;
		ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
		ck_assert_int_eq(validate(s, &open_limits, NULL), STATUS_OK);
		ck_assert_int_eq(validate(s, &l, NULL), odd[i] == -1 ? STATUS_OK : STATUS_INVALID_TIMESTAMP);
	}
	record_batch_builder_free(b);
}
END_TEST

START_TEST(record_batch_max_timestamp_is_taken_from_the_records)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_lz4, 10, &n);
	bytes_put_i64(p + 35, 999999999);
	reseal(p, n);
	struct record_batch b;
	int32_t bad;
	ck_assert_int_eq(record_batch_validate(slice_of(p, n), &open_limits, &b, &bad), STATUS_OK);
	ck_assert_int_eq(b.max_timestamp, 1009);
	free(p);
}
END_TEST

START_TEST(record_batch_bomb_is_refused_with_bounded_memory)
{
	/* 320 KB of zstd run-length blocks: 10 GiB of zeros, of which the first are records of length 0. */
	enum { BLOCKS = 80000 };
	size_t n = RECORD_BATCH_HEADER_SIZE + 6 + 4 * (size_t)BLOCKS, head_n = 0;
	uint8_t *head = make_batch(COMPRESSION_none, 1, &head_n), *p = check_calloc(1, n);
	memcpy(p, head, RECORD_BATCH_HEADER_SIZE);
	uint8_t *z = p + RECORD_BATCH_HEADER_SIZE;
	bytes_put_u32(z, 0x28b52ffd);
	z[5] = (21 - 10) << 3;
	for (int i = 0; i < BLOCKS; i++) {
		uint32_t block = 131072u << 3 | 1u << 1 | (i == BLOCKS - 1);
		z[6 + 4 * i] = (uint8_t)block;
		z[7 + 4 * i] = (uint8_t)(block >> 8);
		z[8 + 4 * i] = (uint8_t)(block >> 16);
		/* 0x0e... as a run: every record has length 7 and fields of garbage; 0xfe makes one endless record */
		z[9 + 4 * i] = 0;
	}
	bytes_put_i16(p + ATTRIBUTES_AT, COMPRESSION_zstd);
	reseal(p, n);
	ck_assert_int_eq(validate(slice_of(p, n), &open_limits, NULL), STATUS_INVALID_RECORD);
	free(p);
	free(head);
}
END_TEST

START_TEST(record_batch_value_longer_than_the_cap_is_refused)
{
	/* One honest record of 8 MiB of zeros against a cap of 1 MiB. */
	size_t size = 8 << 20;
	char *zeros = check_calloc(1, size);
	struct record_batch_limits l = open_limits;
	for (unsigned codec = 1; codec < COMPRESSION_COUNT; codec++) {
		struct record_batch_builder *b = record_batch_builder_new((enum compression_type)codec, 0, 0);
		record_batch_builder_add(b, 1, slice_of(NULL, 0), slice_of(zeros, size), NULL, 0);
		struct slice s;
		ck_assert_int_eq(record_batch_builder_finish(b, &s), STATUS_OK);
		l.max_inflated_bytes = 1 << 20;
		ck_assert_int_eq(validate(s, &l, NULL), STATUS_CORRUPT_MESSAGE);
		struct record_batch batch;
		struct record_iterator it;
		ck_assert_int_eq(record_batch_parse(s, &batch), STATUS_OK);
		ck_assert_int_eq(record_iterator_init(&it, &batch, 1 << 20), STATUS_CORRUPT);
		l.max_inflated_bytes = 9 << 20;
		ck_assert_int_eq(validate(s, &l, NULL), STATUS_OK);
		record_batch_builder_free(b);
	}
	free(zeros);
}
END_TEST

START_TEST(record_batch_emptied_by_compaction_is_iterated)
{
	size_t n = 0;
	uint8_t *p = make_batch(COMPRESSION_gzip, 3, &n);
	bytes_put_i32(p + COUNT_AT, 0);
	reseal(p, RECORD_BATCH_HEADER_SIZE);
	struct record_batch b;
	ck_assert_int_eq(record_batch_parse(slice_of(p, RECORD_BATCH_HEADER_SIZE), &b), STATUS_OK);
	ck_assert_int_eq(record_batch_last_offset(&b), 2);
	struct record_iterator it;
	struct record r;
	ck_assert_int_eq(record_iterator_init(&it, &b, MAX_INFLATED), STATUS_OK);
	ck_assert_int_eq(record_iterator_next(&it, &r), STATUS_NOT_FOUND);
	record_iterator_fini(&it);
	free(p);
}
END_TEST

START_TEST(record_batch_iterator_survives_damage)
{
	struct random random;
	random_seed(&random, 7);
	for (unsigned codec = 0; codec < COMPRESSION_COUNT; codec++) {
		size_t n = 0;
		uint8_t *p = make_batch((enum compression_type)codec, 20, &n);
		for (int i = 0; i < 3000; i++) {
			size_t at = CRC_AT + random_below(&random, n - CRC_AT);
			uint8_t old = p[at];
			p[at] = (uint8_t)random_u64(&random);
			struct record_batch b;
			struct record_iterator it;
			struct record r;
			if (record_batch_parse(slice_of(p, n), &b) == STATUS_OK &&
				record_iterator_init(&it, &b, 1 << 20) == STATUS_OK) {
				enum status s;
				int steps = 0;
				while ((s = record_iterator_next(&it, &r)) == STATUS_OK)
					ck_assert_int_lt(steps++, 100000);
				ck_assert(s == STATUS_CORRUPT || s == STATUS_NOT_FOUND);
				record_iterator_fini(&it);
			}
			p[at] = old;
		}
		free(p);
	}
}
END_TEST

START_TEST(record_batch_short_varints_agree_with_the_long_way)
{
	for (unsigned v = 0; v < 0x10000; v++)
		for (size_t n = 0; n <= 3; n++) {
			uint8_t bytes[3] = {(uint8_t)v, (uint8_t)(v >> 8), 1};
			struct byte_reader r[4];
			for (int i = 0; i < 4; i++)
				byte_reader_init(&r[i], slice_of(bytes, n));
			ck_assert_int_eq(byte_reader_short_varint(&r[0]), byte_reader_varint(&r[1]));
			ck_assert_int_eq(byte_reader_short_varlong(&r[2]), byte_reader_varlong(&r[3]));
			ck_assert_uint_eq(r[0].at, r[1].at);
			ck_assert_uint_eq(r[2].at, r[3].at);
			ck_assert_int_eq(r[0].status, r[1].status);
			ck_assert_int_eq(r[2].status, r[3].status);
		}
}
END_TEST

UNIT_MAIN("record_batch", record_batch_header_is_decoded, record_batch_layout_is_byte_exact,
	record_batch_round_trips_in_every_codec, record_batch_large_records_pass_through_small_windows,
	record_batch_builder_sizes_are_upper_bounds, record_batch_stamps_keep_the_checksum_right,
	record_batch_peek_and_parse_refuse_what_is_not_one, record_batch_every_flipped_bit_is_found_by_the_checksum,
	record_batch_envelope_is_validated, record_batch_lying_counts_are_refused,
	record_batch_attributes_of_the_broker_are_refused, record_batch_malformed_records_are_refused_by_index,
	record_batch_null_keys_are_refused_on_compacted_topics, record_batch_timestamps_are_held_to_their_limits,
	record_batch_max_timestamp_is_taken_from_the_records, record_batch_bomb_is_refused_with_bounded_memory,
	record_batch_value_longer_than_the_cap_is_refused, record_batch_emptied_by_compaction_is_iterated,
	record_batch_iterator_survives_damage, record_batch_short_varints_agree_with_the_long_way)
