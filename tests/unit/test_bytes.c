#include "base/bytes.h"
#include "base/random.h"
#include "unit.h"

static struct byte_reader reader_over(const void *p, size_t n)
{
	struct byte_reader r;
	byte_reader_init(&r, slice_of(p, n));
	return r;
}

START_TEST(reader_overrun_latches_truncated)
{
	const uint8_t two[] = {1, 2};
	struct byte_reader r = reader_over(two, sizeof(two));
	ck_assert_int_eq(byte_reader_i32(&r), 0);
	ck_assert_int_eq(r.status, STATUS_TRUNCATED);
	/* Latched: what would still fit is refused too. */
	ck_assert_int_eq(byte_reader_u8(&r), 0);
	ck_assert_ptr_null(byte_reader_bytes(&r, 1).p);
}
END_TEST

START_TEST(fixed_numbers_round_trip_big_endian)
{
	uint8_t buffer[32];
	struct byte_writer w;
	byte_writer_init(&w, buffer, sizeof(buffer));
	byte_writer_i16(&w, -2);
	byte_writer_i32(&w, INT32_MIN);
	byte_writer_i64(&w, INT64_MIN + 1);
	byte_writer_u32(&w, 0xdeadbeef);
	byte_writer_u8(&w, 7);
	ck_assert_int_eq(w.status, STATUS_OK);
	ck_assert_uint_eq(buffer[0], 0xff);
	ck_assert_uint_eq(buffer[1], 0xfe);
	struct byte_reader r = reader_over(buffer, w.at);
	ck_assert_int_eq(byte_reader_i16(&r), -2);
	ck_assert_int_eq(byte_reader_i32(&r), INT32_MIN);
	ck_assert_int_eq(byte_reader_i64(&r), INT64_MIN + 1);
	ck_assert_uint_eq(byte_reader_u32(&r), 0xdeadbeef);
	ck_assert_uint_eq(byte_reader_u8(&r), 7);
	ck_assert_uint_eq(byte_reader_left(&r), 0);
}
END_TEST

START_TEST(writer_past_the_end_latches_too_large)
{
	uint8_t buffer[3];
	struct byte_writer w;
	byte_writer_init(&w, buffer, sizeof(buffer));
	byte_writer_i32(&w, 1);
	ck_assert_int_eq(w.status, STATUS_TOO_LARGE);
	ck_assert_uint_eq(w.at, 0);
}
END_TEST

START_TEST(varints_round_trip_and_sizes_agree)
{
	struct random dice;
	random_seed(&dice, 7);
	for (int i = 0; i < 20000; i++) {
		int64_t v = (int64_t)random_u64(&dice) >> random_below(&dice, 64);
		uint8_t buffer[32];
		struct byte_writer w;
		byte_writer_init(&w, buffer, sizeof(buffer));
		byte_writer_varlong(&w, v);
		ck_assert_uint_eq(w.at, bytes_varlong_size(v));
		byte_writer_varint(&w, (int32_t)v);
		ck_assert_uint_eq(w.at, bytes_varlong_size(v) + bytes_varint_size((int32_t)v));
		byte_writer_uvarint(&w, (uint32_t)v);
		struct byte_reader r = reader_over(buffer, w.at);
		ck_assert_int_eq(byte_reader_varlong(&r), v);
		ck_assert_int_eq(byte_reader_varint(&r), (int32_t)v);
		ck_assert_uint_eq(byte_reader_uvarint(&r), (uint32_t)v);
		ck_assert_int_eq(r.status, STATUS_OK);
	}
}
END_TEST

START_TEST(varint_too_long_is_corrupt)
{
	const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct byte_reader r = reader_over(endless, sizeof(endless));
	byte_reader_varint(&r);
	ck_assert_int_eq(r.status, STATUS_CORRUPT);
	r = reader_over(endless, sizeof(endless));
	byte_reader_varlong(&r);
	ck_assert_int_eq(r.status, STATUS_CORRUPT);
	/* Five bytes whose last carries bits beyond 32. */
	const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0x1f};
	r = reader_over(wide, sizeof(wide));
	byte_reader_uvarint(&r);
	ck_assert_int_eq(r.status, STATUS_CORRUPT);
	r = reader_over(endless, 3);
	byte_reader_varint(&r);
	ck_assert_int_eq(r.status, STATUS_TRUNCATED);
}
END_TEST

START_TEST(parse_i64_takes_whole_numbers_in_range_only)
{
	int64_t v = 5;
	ck_assert_int_eq(bytes_parse_i64(slice_of_str("-9223372036854775808"), &v), STATUS_OK);
	ck_assert_int_eq(v, INT64_MIN);
	ck_assert_int_eq(bytes_parse_i64(slice_of_str("9223372036854775807"), &v), STATUS_OK);
	ck_assert_int_eq(v, INT64_MAX);
	const char *bad[] = {"", "-", "+", "1x", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "0x10"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(bytes_parse_i64(slice_of_str(bad[i]), &v), STATUS_INVALID_ARGUMENT);
	ck_assert_int_eq(v, INT64_MAX); /* untouched on failure */
	int32_t narrow;
	ck_assert_int_eq(bytes_parse_i32(slice_of_str("2147483648"), &narrow), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(base64_and_uuid_round_trip)
{
	struct random dice;
	random_seed(&dice, 3);
	for (size_t n = 0; n < 40; n++) {
		uint8_t in[40], out[40];
		char text[64];
		size_t got;
		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)random_u64(&dice);
		size_t length = bytes_base64_encode(slice_of(in, n), text, sizeof(text));
		ck_assert_uint_eq(length, strlen(text));
		ck_assert_int_eq(bytes_base64_decode(slice_of_str(text), out, sizeof(out), &got), STATUS_OK);
		ck_assert_uint_eq(got, n);
		ck_assert(memcmp(in, out, n) == 0);
	}
	struct uuid a, b;
	char text[UUID_TEXT_SIZE];
	random_uuid(&dice, &a);
	uuid_format(&a, text);
	ck_assert_int_eq(uuid_parse(slice_of_str(text), &b), STATUS_OK);
	ck_assert(uuid_equal(&a, &b));
	ck_assert_int_eq(uuid_parse(slice_of_str("short"), &b), STATUS_INVALID_ARGUMENT);
	ck_assert_int_eq(uuid_parse(slice_of_str("!!!!!!!!!!!!!!!!!!!!!!"), &b), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(murmur2_agrees_with_kafka)
{
	/* Vectors of Kafka's UtilsTest. */
	ck_assert_int_eq(bytes_murmur2(slice_of_str("21")), -973932308);
	ck_assert_int_eq(bytes_murmur2(slice_of_str("foobar")), -790332482);
	ck_assert_int_eq(bytes_murmur2(slice_of_str("a-little-bit-long-string")), -985981536);
	ck_assert_int_eq(bytes_murmur2(slice_of_str("a-little-bit-longer-string")), -1486304829);
	ck_assert_int_eq(bytes_murmur2(slice_of_str("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")), -58897971);
	ck_assert_int_eq(bytes_murmur2(slice_of_str("abc")), 479470107);
	ck_assert_int_eq(bytes_java_hash(slice_of_str("hello")), 99162322);
	ck_assert_int_eq(bytes_java_hash(slice_of_str("grp-static")), -640693162);
	ck_assert_int_eq(bytes_java_hash(slice_of_str("\xc3\xa4\xe2\x82\xac")), 0xe4 * 31 + 0x20ac);
	ck_assert_int_eq(bytes_java_hash(slice_of_str("\xf0\x9f\x98\x80")), 0xd83d * 31 + 0xde00); /* a surrogate pair */
	ck_assert_int_eq(bytes_java_hash(slice_of_str("\xff" "a")), 0xfffd * 31 + 'a');
}
END_TEST

START_TEST(edit_distance_is_capped)
{
	ck_assert_uint_eq(bytes_edit_distance("kitten", "sitting", 5), 3);
	ck_assert_uint_eq(bytes_edit_distance("kitten", "sitting", 2), 3);
	ck_assert_uint_eq(bytes_edit_distance("same", "same", 2), 0);
}
END_TEST

UNIT_MAIN("bytes", reader_overrun_latches_truncated, fixed_numbers_round_trip_big_endian,
	writer_past_the_end_latches_too_large, varints_round_trip_and_sizes_agree, varint_too_long_is_corrupt,
	parse_i64_takes_whole_numbers_in_range_only, base64_and_uuid_round_trip, murmur2_agrees_with_kafka,
	edit_distance_is_capped)
